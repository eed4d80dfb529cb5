/* The command line of plethron train. */
#define _POSIX_C_SOURCE 200809L

#include "train_arguments.h"

#include "report.h"

#include <getopt.h>
#include <string.h>

static const char help[] =
    "Trains perceptrons on a table and saves them as a model.\n"
    "\n"
    "usage: plethron train DATA --target COLS [OPTIONS] -o MODEL\n"
    "\n"
    "DATA is a CSV file with a header, or an NPY file, whose columns are named 0, 1, ...\n"
    "\n"
    "  -t, --target COLS       columns to learn, as a,b. Two distinct values: one unit learns the second. More: one "
    "unit\n"
    "                          a class, unless they are numbers in [0, 1] that are not all whole: those are learnt as\n"
    "                          they are\n"
    "  -f, --features COLS     columns to learn from (default: all but the targets)\n"
    "      --loss NAME         log, mse or tutorial (default log)\n"
    "      --reduction NAME    mean or sum of the gradient over the rows (default mean)\n"
    "  -n, --epochs N          full passes over the data (default 1000)\n"
    "      --lr X[,X...]       learning rate (default 0.1)\n"
    "      --l2 X[,X...]       penalty on the weights, not on the bias (default 0)\n"
    "      --init START        zeros, uniform, normal, or FILE.npy of shape [n_features + 1, n_units or 1], bias last\n"
    "                          (default zeros)\n"
    "      --seed N            seed of uniform and normal (default 0)\n"
    "      --standardize       learn from features of mean 0 and deviation 1; the saved weights apply to raw data\n"
    "  -d, --device SEL        gpu, cpu, host, an index, PLATFORM:DEVICE or a part of a name (default: see 'plethron\n"
    "                          devices')\n"
    "      --strategy NAME     staged, or host, which means --device host too (default: chosen for the problem)\n"
    "      --history FILE.csv  write epoch, unit, error_sum and loss\n"
    "      --history-every N   ... every N epochs (default: so that about 1000 epochs are written)\n"
    "  -q, --quiet             print warnings and errors only\n"
    "  -v, --verbose           print every unit, and what went to the device and back\n"
    "  -o, --output MODEL      the model file to write (safetensors)\n"
    "  -h, --help              this text\n"
    "\n"
    "A comma in --lr or --l2 makes one unit a value. The units stand in this order: for each target, each class, each\n"
    "--lr, each --l2; the last varies fastest.\n"
    "Ctrl-C ends the training early: what was reached is saved, and the exit code is 130.\n"
    "\n"
    "examples:\n"
    "  plethron train examples/digits.csv --target digit --lr 0.5 --epochs 300 --standardize -o digits.safetensors\n"
    "  plethron train examples/diabetes.csv --target Diabetic --features Smoking,Obesity,Exercise --lr 0.1,0.3,1 \\\n"
    "      --l2 0,0.001 --history history.csv -o sweep.safetensors\n"
    "  plethron train examples/diabetes.csv --target Diabetic --features Smoking,Obesity,Exercise --loss tutorial \\\n"
    "      --reduction sum --epochs 20000 --lr 0.05 --init examples/diabetes-init.npy -o d.safetensors\n";

static const char verb[] = "train";
static const char *const init_names[] = {
    [PLETHRON_INIT_ZEROS] = "zeros", [PLETHRON_INIT_UNIFORM] = "uniform", [PLETHRON_INIT_NORMAL] = "normal", NULL};

static const char host[] = "host"; /* the strategy, and the only device that it runs on */
static const char *const strategy_names[] = {"staged", host, NULL};

enum { DEFAULT_EPOCHS = 1000 };
static const char DEFAULT_LR[] = "0.1";
static const char DEFAULT_L2[] = "0";

void train_arguments_release(train_arguments *a) {
    name_list_release(&a->targets);
    name_list_release(&a->features);
    number_list_release(&a->learning_rates);
    number_list_release(&a->l2s);
}

enum { LOSS = 256, REDUCTION, LR, L2, INIT, SEED, STANDARDIZE, STRATEGY, HISTORY, HISTORY_EVERY };

static const struct option options[] = {
    {"target", required_argument, NULL, 't'},
    {"features", required_argument, NULL, 'f'},
    {"loss", required_argument, NULL, LOSS},
    {"reduction", required_argument, NULL, REDUCTION},
    {"epochs", required_argument, NULL, 'n'},
    {"lr", required_argument, NULL, LR},
    {"l2", required_argument, NULL, L2},
    {"init", required_argument, NULL, INIT},
    {"seed", required_argument, NULL, SEED},
    {"standardize", no_argument, NULL, STANDARDIZE},
    {"device", required_argument, NULL, 'd'},
    {"strategy", required_argument, NULL, STRATEGY},
    {"history", required_argument, NULL, HISTORY},
    {"history-every", required_argument, NULL, HISTORY_EVERY},
    {"quiet", no_argument, NULL, 'q'},
    {"verbose", no_argument, NULL, 'v'},
    {"output", required_argument, NULL, 'o'},
    {"help", no_argument, NULL, 'h'},
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
        a->init = i;
        return true;
    }
    usage_error(verb, "--init '%s' is none of zeros, uniform, normal, and no FILE.npy", text);
    return false;
}

static bool parse_strategy(const char *text, train_arguments *a) {
    int64_t i = 0;
    if (!option_choice(verb, "--strategy", text, strategy_names, &i)) return false;
    a->strategy = strategy_names[i];
    return true;
}

static bool parse_option(int option, const char *text, train_arguments *a) {
    switch (option) {
    case 't': return option_names(verb, "--target", text, &a->targets);
    case 'f': return option_names(verb, "--features", text, &a->features);
    case LOSS: return option_choice(verb, "--loss", text, loss_names, &a->loss);
    case REDUCTION: return option_choice(verb, "--reduction", text, reduction_names, &a->reduction);
    case 'n': return option_whole(verb, "--epochs", text, 0, INT32_MAX, &a->epochs);
    case LR: return option_numbers(verb, "--lr", text, false, &a->learning_rates);
    case L2: return option_numbers(verb, "--l2", text, true, &a->l2s);
    case INIT: return parse_init(text, a);
    case SEED: return option_whole(verb, "--seed", text, 0, INT64_MAX, &a->seed);
    case STANDARDIZE: a->standardize = true; return true;
    case 'd': a->device = text; return true;
    case STRATEGY: return parse_strategy(text, a);
    case HISTORY: a->history = text; return true;
    case HISTORY_EVERY: return option_whole(verb, "--history-every", text, 1, INT32_MAX, &a->history_every);
    case 'q': a->quiet = true; return true;
    case 'v': a->verbose = true; return true;
    default: a->model = text; return true;
    }
}

/* What no option alone can tell. */
static int check_arguments(train_arguments *a) {
    if (!a->targets.count) return usage_error(verb, "--target is missing: the column to learn");
    if (!a->model) return usage_error(verb, "-o is missing: the model file to write");
    for (size_t f = 0; f < a->features.count; f++)
        for (size_t t = 0; t < a->targets.count; t++)
            if (strcmp(a->features.names[f], a->targets.names[t]) == 0)
                return usage_error(verb, "'%s' is named in --features and in --target", a->targets.names[t]);
    if (file_same(a->model, a->data)) return usage_error(verb, "-o '%s' would overwrite DATA", a->model);
    if (file_same(a->history, a->data)) return usage_error(verb, "--history '%s' would overwrite DATA", a->history);
    if (file_same(a->history, a->model)) return usage_error(verb, "--history and -o are both '%s'", a->model);
    if (a->history_every && !a->history) return usage_error(verb, "--history-every needs --history");
    if (!a->learning_rates.count && !option_numbers(verb, "--lr", DEFAULT_LR, false, &a->learning_rates))
        return CLI_USAGE;
    if (!a->device && a->strategy == host) a->device = host;
    if (!a->l2s.count && !option_numbers(verb, "--l2", DEFAULT_L2, true, &a->l2s)) return CLI_USAGE;
    return CLI_GO_ON;
}

int train_arguments_parse(int argc, char **argv, train_arguments *a) {
    *a = (train_arguments){.epochs = DEFAULT_EPOCHS};
    opterr = 0;
    for (int answer; (answer = getopt_long(argc, argv, ":t:f:n:d:qvo:h", options, NULL)) != -1;) {
        if (answer == 'h') return print_help(help);
        if (answer == '?' || answer == ':') return option_refused(verb, answer, argv);
        if (!parse_option(answer, optarg, a)) return CLI_USAGE;
    }
    if (!operands_take(verb, argc, argv, 1, "DATA", &a->data)) return CLI_USAGE;
    return check_arguments(a);
}
