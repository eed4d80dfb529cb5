/* The command line of plethron sweep. */
#define _POSIX_C_SOURCE 200809L

#include "sweep_arguments.h"

#include <string.h>

static const char *const help[] = {
    "Compares hyper-parameters by cross-validation: every combination, class and fold is a unit, and all train at "
    "once.\n"
    "Prints a ranking, and trains the best combination again on all rows.\n"
    "\n"
    "usage: plethron sweep DATA --target COLS [OPTIONS] [-o MODEL]\n"
    "\n" BANK_HELP_FORMATS "\n"
    "What is learnt, and from what\n" BANK_HELP_DATA "\n"
    "What is compared: every combination of these lists\n" BANK_HELP_UNITS "\n"
    "How it is compared\n"
    "      --folds K            folds, dealt by class (default 5); a combination's rank is the mean over the folds of\n"
    "                           the accuracy on the fold that was held out\n"
    "      --folds-column COL   a column with the fold of each row instead: 0, 1, ...\n"
    "      --bootstrap N        after that, train N bootstrap replicates of the best combination, and give an "
    "interval\n"
    "                           for each weight (default: none)\n"
    "      --level P            of the intervals, in percent (default 95)\n",
    "\n"
    "How units are trained\n" BANK_HELP_TRAINING "\n"
    "Work that takes long\n" BANK_HELP_LONG "\n"
    "Where, and what is written\n" BANK_HELP_RUNNING "  -v, --verbose            say what goes on\n"
    "      --top N              combinations to print (default 10)\n"
    "      --table FILE.csv     write a line for each unit\n"
    "      --intervals FILE.csv write the intervals of --bootstrap\n"
    "      --dry-run            check everything, say how many units, which plan, how much memory and time; train\n"
    "                           nothing\n"
    "  -o, --output MODEL       train the best combination on all rows and write it (safetensors)\n"
    "  -h, --help               this text\n"
    "\n"
    "The checkpoint is of the comparison; FILE.best and FILE.replicates are of what is trained after it. Ctrl-C or\n"
    "SIGTERM ends the sweep early with exit code 130; a second one ends the program at once.\n"
    "\n"
    "A target with more than two classes is judged by the class whose unit is surest. With --standardize the means "
    "and\n"
    "deviations are those of all rows, held-out ones among them. With --patience the last training, which holds "
    "nothing\n"
    "out, runs as many epochs as the best combination needed on average to its lowest held-out loss.\n"
    "\n"
    "examples:\n"
    "  plethron sweep examples/digits.csv --target digit --standardize --lr 0.1,0.3,1 --l2 0,0.001,0.01 --epochs 300 "
    "\\\n"
    "      --table sweep.csv -o best.safetensors\n"
    "  plethron sweep examples/digits.csv --target digit --class 3 --standardize --l1 0,0.001,0.01 --lr 0.3 \\\n"
    "      --bootstrap 200 --intervals intervals.csv\n"
    "  plethron sweep examples/digits.csv --target digit --optimizer gd,adam --lr 0.01,0.1 --patience 30 --dry-run\n",
    NULL};

static const char verb[] = "sweep";

enum { DEFAULT_FOLDS = 5, DEFAULT_LEVEL = 95, DEFAULT_TOP = 10, MAX_REPLICATES = 1 << 20 };
enum { BOOTSTRAP = BANK_OPTIONS_END, LEVEL, TOP, TABLE, INTERVALS, DRY_RUN };

static const struct option options[] = {
    BANK_OPTIONS,
    {"bootstrap", required_argument, NULL, BOOTSTRAP},
    {"level", required_argument, NULL, LEVEL},
    {"top", required_argument, NULL, TOP},
    {"table", required_argument, NULL, TABLE},
    {"intervals", required_argument, NULL, INTERVALS},
    {"dry-run", no_argument, NULL, DRY_RUN},
    {"output", required_argument, NULL, 'o'},
    {0},
};

void sweep_arguments_release(sweep_arguments *a) {
    bank_arguments_release(&a->bank);
}

static bool parse_option(int option, const char *text, sweep_arguments *a) {
    switch (option) {
    case BOOTSTRAP: return option_whole(verb, "--bootstrap", text, 2, MAX_REPLICATES, &a->bootstrap);
    case LEVEL: return option_whole(verb, "--level", text, 1, 99, &a->level);
    case TOP: return option_whole(verb, "--top", text, 1, INT32_MAX, &a->top);
    case TABLE: a->table = text; return true;
    case INTERVALS: a->intervals = text; return true;
    case DRY_RUN: a->dry_run = true; return true;
    case 'o': a->model = text; return true;
    default: return bank_argument_parse(verb, option, text, &a->bank);
    }
}

/* No output may take the place of another, or of DATA. */
static int check_paths(const sweep_arguments *a) {
    const struct {
        const char *option, *path;
    } files[] = {{"DATA", a->bank.data}, {"-o", a->model}, {"--table", a->table}, {"--intervals", a->intervals}};
    for (size_t i = 0; i < sizeof files / sizeof *files; i++)
        for (size_t j = 0; j < i; j++)
            if (file_same(files[i].path, files[j].path))
                return usage_error(verb, "%s and %s are both '%s'", files[j].option, files[i].option, files[i].path);
    for (size_t i = 1; i < sizeof files / sizeof *files; i++) {
        const int code = bank_arguments_check_output(verb, &a->bank, files[i].option, files[i].path);
        if (code != CLI_GO_ON) return code;
    }
    return CLI_GO_ON;
}

static int check_arguments(sweep_arguments *a) {
    const int code = bank_arguments_check(verb, &a->bank);
    if (code != CLI_GO_ON) return code;
    if (!a->bank.folds) a->bank.folds = DEFAULT_FOLDS;
    if (a->intervals && !a->bootstrap) return usage_error(verb, "--intervals needs --bootstrap");
    if (a->level && !a->bootstrap) return usage_error(verb, "--level needs --bootstrap");
    if (!a->level) a->level = DEFAULT_LEVEL;
    return check_paths(a);
}

int sweep_arguments_parse(int argc, char **argv, sweep_arguments *a) {
    *a = (sweep_arguments){.bank = bank_arguments_default(), .top = DEFAULT_TOP};
    opterr = 0;
    for (int answer; (answer = getopt_long(argc, argv, ":" BANK_SHORT_OPTIONS "o:", options, NULL)) != -1;) {
        if (answer == 'h') return print_help_parts(help);
        if (answer == '?' || answer == ':') return option_refused(verb, answer, argv);
        if (!parse_option(answer, optarg, a)) return CLI_USAGE;
    }
    if (!operands_take(verb, argc, argv, 1, "DATA", &a->bank.data)) return CLI_USAGE;
    return check_arguments(a);
}
