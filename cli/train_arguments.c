/* The command line of plethron train. */
#define _POSIX_C_SOURCE 200809L

#include "train_arguments.h"

#include "report.h"

#include <string.h>

static const char *const help[] = {
    "Trains perceptrons on a table and saves them as a model.\n"
    "\n"
    "usage: plethron train DATA --target COLS [OPTIONS] -o MODEL\n"
    "\n" BANK_HELP_FORMATS "\n"
    "What is learnt, and from what\n" BANK_HELP_DATA
    "      --entity COL         a model for each value of this column, from the rows that have it, all in one go;\n"
    "                           'predict' then looks up each row's own model. With --standardize each on its own\n",
    "\n"
    "The units: every combination is one\n" BANK_HELP_UNITS "\n"
    "How they are trained\n" BANK_HELP_TRAINING "      --init START         zeros, uniform, normal, or FILE.npy of "
    "shape [n_features + 1, n_units or 1], bias last\n"
    "                           (default zeros)\n"
    "      --hold-out F         do not learn from fold F, measure on it (with --patience default 0)\n"
    "      --folds K            how many folds, dealt by class (default 10)\n"
    "      --folds-column COL   a column with the fold of each row instead: 0, 1, ...\n",
    "\n"
    "Work that takes long\n" BANK_HELP_LONG "\n"
    "Where, and what is written\n" BANK_HELP_RUNNING
    "  -v, --verbose            print every unit, and what went to the device and back\n"
    "      --history FILE.csv   write epoch, unit, error_sum and loss\n"
    "      --history-every N    ... every N epochs (default: so that about 1000 epochs are written)\n"
    "      --dry-run            check everything, say how many units, which plan, how much memory and time; train\n"
    "                           nothing\n"
    "  -o, --output MODEL       the model file to write (safetensors)\n"
    "  -h, --help               this text\n"
    "\n"
    "The units stand in this order: for each entity, target, class, --loss, --optimizer, --lr, --l2, --l1; the last\n"
    "varies fastest.\n"
    "Ctrl-C or SIGTERM ends the training early: what was reached is saved, and so is a checkpoint where\n"
    "--checkpoint names one; the exit code is 130. A second one ends the program at once.\n"
    "\n"
    "examples:\n"
    "  plethron train examples/digits.csv --target digit --lr 0.5 --epochs 300 --standardize -o digits.safetensors\n"
    "  plethron train examples/diabetes.csv --target Diabetic --features Smoking,Obesity,Exercise --lr 0.1,0.3,1 \\\n"
    "      --l2 0,0.001 --history history.csv -o units.safetensors\n"
    "  plethron train examples/digits.csv --target digit --optimizer adam --lr 0.01 --patience 50 --standardize \\\n"
    "      -o digits.safetensors\n"
    "  plethron train mnist.npz:train --labels labels.csv --target digit --store u8 --epochs 300 -o mnist.safetensors\n"
    "  plethron train large.npy --target 0 --checkpoint run.ckpt --every 10m --time-limit 8h -o large.safetensors\n"
    "  plethron train sales.csv --target returned --entity store --standardize --l2 0.01 -o stores.safetensors\n"
    "  plethron train examples/diabetes.csv --target Diabetic --features Smoking,Obesity,Exercise --loss tutorial \\\n"
    "      --reduction sum --epochs 20000 --lr 0.05 --init examples/diabetes-init.npy -o d.safetensors\n",
    NULL};

static const char verb[] = "train";
static const char *const init_names[] = {
    [PLETHRON_INIT_ZEROS] = "zeros", [PLETHRON_INIT_UNIFORM] = "uniform", [PLETHRON_INIT_NORMAL] = "normal", NULL};

enum { DEFAULT_FOLDS = 10, NO_FOLD = -1, MAX_FOLDS = 255 };

void train_arguments_release(train_arguments *a) {
    bank_arguments_release(&a->bank);
}

enum { INIT = BANK_OPTIONS_END, ENTITY, HOLD_OUT, HISTORY, HISTORY_EVERY, DRY_RUN };

static const struct option options[] = {
    BANK_OPTIONS,
    {"init", required_argument, NULL, INIT},
    {"entity", required_argument, NULL, ENTITY},
    {"hold-out", required_argument, NULL, HOLD_OUT},
    {"history", required_argument, NULL, HISTORY},
    {"history-every", required_argument, NULL, HISTORY_EVERY},
    {"dry-run", no_argument, NULL, DRY_RUN},
    {"output", required_argument, NULL, 'o'},
    {0},
};

static bool parse_init(const char *text, train_arguments *a) {
    static const char suffix[] = ".npy";
    size_t length = strlen(text);
    a->init_file = NULL;
    if (length >= strlen(suffix) && strcmp(text + length - strlen(suffix), suffix) == 0) {
        a->init_file = text;
        return true;
    }
    for (int64_t i = 0; init_names[i]; i++) {
        if (strcmp(text, init_names[i]) != 0) continue;
        a->bank.init = i;
        return true;
    }
    usage_error(verb, "--init '%s' is none of zeros, uniform, normal, and no FILE.npy", text);
    return false;
}

static bool parse_option(int option, const char *text, train_arguments *a) {
    switch (option) {
    case INIT: return parse_init(text, a);
    case ENTITY: a->bank.entity = text; return true;
    case HOLD_OUT: return option_whole(verb, "--hold-out", text, 0, MAX_FOLDS - 1, &a->hold_out);
    case HISTORY: a->history = text; return true;
    case HISTORY_EVERY: return option_whole(verb, "--history-every", text, 1, INT32_MAX, &a->history_every);
    case DRY_RUN: a->dry_run = true; return true;
    case 'o': a->model = text; return true;
    default: return bank_argument_parse(verb, option, text, &a->bank);
    }
}

static int check_entity(const train_arguments *a) {
    if (!a->bank.entity) return CLI_GO_ON;
    if (a->bank.batch) return usage_error(verb, "--batch does not go with --entity");
    return CLI_GO_ON;
}

/* What no option alone can tell. */
static int check_arguments(train_arguments *a) {
    const int code = bank_arguments_check(verb, &a->bank);
    if (code != CLI_GO_ON) return code;
    if (!a->model && !a->dry_run) return usage_error(verb, "-o is missing: the model file to write");
    if (file_same(a->model, a->bank.data)) return usage_error(verb, "-o '%s' would overwrite DATA", a->model);
    if (file_same(a->history, a->bank.data))
        return usage_error(verb, "--history '%s' would overwrite DATA", a->history);
    if (file_same(a->history, a->model)) return usage_error(verb, "--history and -o are both '%s'", a->model);
    if (a->history_every && !a->history) return usage_error(verb, "--history-every needs --history");
    if (a->bank.patience > 0 && a->hold_out == NO_FOLD) a->hold_out = 0;
    if (!a->bank.folds) a->bank.folds = DEFAULT_FOLDS;
    if (!a->bank.folds_column && a->hold_out >= a->bank.folds)
        return usage_error(verb, "--hold-out %lld is none of the folds 0 to %lld", (long long)a->hold_out,
                           (long long)a->bank.folds - 1);
    return check_entity(a);
}

static int check_checkpoints(const train_arguments *a) {
    const int code = bank_arguments_check_output(verb, &a->bank, "-o", a->model);
    return code == CLI_GO_ON ? bank_arguments_check_output(verb, &a->bank, "--history", a->history) : code;
}

int train_arguments_parse(int argc, char **argv, train_arguments *a) {
    *a = (train_arguments){.bank = bank_arguments_default(), .hold_out = NO_FOLD};
    opterr = 0;
    for (int answer; (answer = getopt_long(argc, argv, ":" BANK_SHORT_OPTIONS "o:", options, NULL)) != -1;) {
        if (answer == 'h') return print_help_parts(help);
        if (answer == '?' || answer == ':') return option_refused(verb, answer, argv);
        if (!parse_option(answer, optarg, a)) return CLI_USAGE;
    }
    if (!operands_take(verb, argc, argv, 1, "DATA", &a->bank.data)) return CLI_USAGE;
    const int code = check_arguments(a);
    return code == CLI_GO_ON ? check_checkpoints(a) : code;
}
