/* What units learn, from what, and how: the part of the command line that train and sweep share. */
#ifndef PLETHRON_CLI_BANK_ARGUMENTS_H
#define PLETHRON_CLI_BANK_ARGUMENTS_H

#include "cli.h"

#include <getopt.h>

/* How DATA is read, where its format leaves the choice. */
typedef enum data_reading { READ_AS_SUITS, READ_SPARSE, READ_DENSE } data_reading;

typedef struct bank_arguments {
    const char *data;
    const char *labels; /* a file of the columns that are no features, or NULL: they are in DATA */
    data_reading reading;
    const char *device;
    const char *strategy;
    name_list targets;
    name_list features;
    name_list classes;        /* labels to learn; empty: all */
    const char *weights;      /* a column's name, or NULL */
    const char *folds_column; /* likewise */
    const char *entity;       /* likewise; of train only */
    choice_list losses;
    choice_list optimizers;
    number_list learning_rates;
    number_list l2s;
    number_list l1s;
    number_list class_weights; /* of the negative and the positive rows, or empty */
    bool balanced;
    float momentum, beta2, epsilon, decay, tolerance;
    int64_t schedule;
    int64_t planning;
    int64_t storage;
    int64_t reduction;
    int64_t init;
    int64_t epochs;
    int64_t seed;
    int64_t patience;
    int64_t folds;          /* how many to deal; 0: the verb's default, or a column gives them */
    int64_t check_every;    /* 0: the library's default */
    int64_t batch;          /* 0: all rows at once */
    const char *checkpoint; /* where to keep checkpoints, or NULL */
    double every_s;         /* between two of them */
    const char *resume;     /* the checkpoint to go on from, or NULL */
    double time_limit_s;    /* 0: none */
    bool auc;
    bool standardize;
    bool quiet;
    bool verbose;
} bank_arguments;

/* What getopt_long answers for them; a verb's own options begin at BANK_OPTIONS_END. */
enum {
    BANK_OPTION_LOSS = 256,
    BANK_OPTION_REDUCTION,
    BANK_OPTION_LR,
    BANK_OPTION_L2,
    BANK_OPTION_L1,
    BANK_OPTION_OPTIMIZER,
    BANK_OPTION_MOMENTUM,
    BANK_OPTION_BETA2,
    BANK_OPTION_EPSILON,
    BANK_OPTION_SCHEDULE,
    BANK_OPTION_DECAY,
    BANK_OPTION_TOLERANCE,
    BANK_OPTION_PATIENCE,
    BANK_OPTION_CHECK_EVERY,
    BANK_OPTION_BATCH,
    BANK_OPTION_CLASS,
    BANK_OPTION_CLASS_WEIGHT,
    BANK_OPTION_WEIGHTS,
    BANK_OPTION_FOLDS,
    BANK_OPTION_FOLDS_COLUMN,
    BANK_OPTION_AUC,
    BANK_OPTION_INIT,
    BANK_OPTION_SEED,
    BANK_OPTION_STANDARDIZE,
    BANK_OPTION_STORE,
    BANK_OPTION_STRATEGY,
    BANK_OPTION_PLAN,
    BANK_OPTION_CHECKPOINT,
    BANK_OPTION_EVERY,
    BANK_OPTION_RESUME,
    BANK_OPTION_TIME_LIMIT,
    BANK_OPTION_LABELS,
    BANK_OPTION_SPARSE,
    BANK_OPTION_DENSE,
    BANK_OPTIONS_END
};

#define BANK_SHORT_OPTIONS "t:f:n:d:qvh"
#define BANK_OPTIONS                                                                                                  \
    {"target", required_argument, NULL, 't'}, {"features", required_argument, NULL, 'f'},                             \
        {"loss", required_argument, NULL, BANK_OPTION_LOSS},                                                          \
        {"reduction", required_argument, NULL, BANK_OPTION_REDUCTION}, {"epochs", required_argument, NULL, 'n'},      \
        {"lr", required_argument, NULL, BANK_OPTION_LR}, {"l2", required_argument, NULL, BANK_OPTION_L2},             \
        {"l1", required_argument, NULL, BANK_OPTION_L1},                                                              \
        {"optimizer", required_argument, NULL, BANK_OPTION_OPTIMIZER},                                                \
        {"momentum", required_argument, NULL, BANK_OPTION_MOMENTUM},                                                  \
        {"beta2", required_argument, NULL, BANK_OPTION_BETA2},                                                        \
        {"epsilon", required_argument, NULL, BANK_OPTION_EPSILON},                                                    \
        {"schedule", required_argument, NULL, BANK_OPTION_SCHEDULE},                                                  \
        {"decay", required_argument, NULL, BANK_OPTION_DECAY},                                                        \
        {"tolerance", required_argument, NULL, BANK_OPTION_TOLERANCE},                                                \
        {"patience", required_argument, NULL, BANK_OPTION_PATIENCE},                                                  \
        {"check-every", required_argument, NULL, BANK_OPTION_CHECK_EVERY},                                            \
        {"batch", required_argument, NULL, BANK_OPTION_BATCH}, {"class", required_argument, NULL, BANK_OPTION_CLASS}, \
        {"class-weight", required_argument, NULL, BANK_OPTION_CLASS_WEIGHT},                                          \
        {"weights", required_argument, NULL, BANK_OPTION_WEIGHTS},                                                    \
        {"folds", required_argument, NULL, BANK_OPTION_FOLDS},                                                        \
        {"folds-column", required_argument, NULL, BANK_OPTION_FOLDS_COLUMN},                                          \
        {"auc", no_argument, NULL, BANK_OPTION_AUC}, {"seed", required_argument, NULL, BANK_OPTION_SEED},             \
        {"standardize", no_argument, NULL, BANK_OPTION_STANDARDIZE},                                                  \
        {"store", required_argument, NULL, BANK_OPTION_STORE}, {"device", required_argument, NULL, 'd'},              \
        {"strategy", required_argument, NULL, BANK_OPTION_STRATEGY},                                                  \
        {"plan", required_argument, NULL, BANK_OPTION_PLAN},                                                          \
        {"checkpoint", required_argument, NULL, BANK_OPTION_CHECKPOINT},                                              \
        {"every", required_argument, NULL, BANK_OPTION_EVERY},                                                        \
        {"resume", required_argument, NULL, BANK_OPTION_RESUME},                                                      \
        {"time-limit", required_argument, NULL, BANK_OPTION_TIME_LIMIT},                                              \
        {"labels", required_argument, NULL, BANK_OPTION_LABELS}, {"sparse", no_argument, NULL, BANK_OPTION_SPARSE},   \
        {"dense", no_argument, NULL, BANK_OPTION_DENSE}, {"quiet", no_argument, NULL, 'q'},                           \
        {"verbose", no_argument, NULL, 'v'}, {                                                                        \
        "help", no_argument, NULL, 'h'                                                                                \
    }

/* The parts of a verb's help text that describe them. */
#define BANK_HELP_DATA                                                                                                 \
    "  -t, --target COLS        columns to learn, as a,b. Two distinct values: one unit learns the second. More: one " \
    "unit\n"                                                                                                           \
    "                           a class, unless they are numbers in [0, 1] that are not all whole: those are learnt\n" \
    "                           as they are. A row where a target is empty is not used by that target's units\n"       \
    "  -f, --features COLS      columns to learn from (default: all that are not named for something else)\n"          \
    "      --class LABELS       learn these classes only, each against all the rest\n"                                 \
    "      --labels FILE        a table with a row for each of DATA's: all columns named in options but --features "   \
    "are\n"                                                                                                            \
    "                           its; then DATA holds features only\n"                                                  \
    "      --sparse, --dense    how svmlight is read (default: sparse when less than a tenth of the values are "       \
    "given)\n"                                                                                                         \
    "      --weights COL        how much each row counts, >= 0\n"                                                      \
    "      --standardize        learn from features of mean 0 and deviation 1, sparse ones of deviation 1 only; the\n" \
    "                           saved weights apply to raw data\n"                                                     \
    "      --store TYPE         keep dense features as f32, f16, bf16 or u8 (default f32), rounded: half or a "        \
    "quarter\n"                                                                                                        \
    "                           of the memory, and of the time where few units train. As u8 a feature has 256 steps\n" \
    "                           from its least to its greatest value; whole numbers that span 255 at most are exact\n"
#define BANK_HELP_UNITS                                                                                     \
    "      --loss NAMES         log, mse or tutorial (default log)\n"                                       \
    "      --lr X[,X...]        learning rate (default 0.1)\n"                                              \
    "      --l2 X[,X...]        penalty l2 / 2 times the squared weights; the bias is free (default 0)\n"   \
    "      --l1 X[,X...]        penalty l1 times the weights' sizes; makes weights exactly 0 (default 0)\n" \
    "      --optimizer NAMES    gd, momentum, nesterov or adam (default gd)\n"
#define BANK_HELP_TRAINING                                                                                           \
    "  -n, --epochs N           full passes over the data, at most (default 1000)\n"                                 \
    "      --reduction NAME     mean or sum of the gradient over the rows (default mean)\n"                          \
    "      --momentum X         of momentum and nesterov; beta 1 of adam (default 0.9)\n"                            \
    "      --beta2 X            of adam (default 0.999)\n"                                                           \
    "      --epsilon X          of adam (default 1e-8)\n"                                                            \
    "      --schedule NAME      the learning rate over the epochs: constant, inverse or cosine (default constant)\n" \
    "      --decay X            of inverse: the rate falls as (1 + epoch)^-X (default 0.5)\n"                        \
    "      --tolerance X        a unit stops when no component of its gradient is larger (default: no such rule)\n"  \
    "      --patience N         a unit stops when its held-out loss has not fallen for N epochs, and gets the "      \
    "weights\n"                                                                                                      \
    "                           of the lowest (default: no such rule)\n"                                             \
    "      --check-every N      epochs between two looks at these rules (default 10)\n"                              \
    "      --batch N            a step every N rows, a multiple of 16, in an order new each epoch (default: all "    \
    "rows)\n"                                                                                                        \
    "      --class-weight W     balanced, or NEGATIVE,POSITIVE: how much the rows of a class count (default 1,1)\n"  \
    "      --auc                measure the area under the ROC curve as well\n"                                      \
    "      --seed N             seed of all that is random (default 0)\n"
#define BANK_HELP_RUNNING                                                                                        \
    "  -d, --device SEL         gpu, cpu, host, an index, PLATFORM:DEVICE or a part of a name (default: see "    \
    "'plethron\n"                                                                                                \
    "                           devices')\n"                                                                     \
    "      --strategy NAME      how epochs run: " BANK_STRATEGIES "\n"                                           \
    "                           (default: chosen for the problem; host means --device host too)\n"               \
    "      --plan HOW           estimate: by a cost model; measure: try what applies, and remember it (default " \
    "estimate)\n"                                                                                                \
    "  -q, --quiet              print warnings and errors only\n"
#define BANK_HELP_LONG                                                                                                 \
    "      --checkpoint FILE    keep in FILE where the work stands: every so often, and when it is stopped or done\n"  \
    "      --every TIME         how often, such as 90, 15m or 2h (default 1m)\n"                                       \
    "      --resume FILE        go on from a checkpoint with the same data and options, to the same bits as without\n" \
    "                           a stop\n"                                                                              \
    "      --time-limit TIME    stop after so long as an interrupt does, but with exit code 0\n"
#define BANK_HELP_FORMATS                                                                                             \
    "DATA is a CSV file with a header, or NPY, NPZ, HDF5, safetensors or svmlight, known by its content; FILE:NAME\n" \
    "names an array in it, - is standard input. Columns without names are called 0, 1, ... svmlight, and NPZ of\n"    \
    "scipy.sparse.save_npz with --labels, stay sparse.\n"
#define BANK_STRATEGIES "rows, fused, staged, grouped, sparse or host"

/* Values of --store, by plethron_storage. */
extern const char *const storage_names[];

/* Defaults that are not zero. */
bank_arguments bank_arguments_default(void);
void bank_arguments_release(bank_arguments *a);

/* Takes an option of BANK_OPTIONS. False after a usage error. */
bool bank_argument_parse(const char *verb, int option, const char *text, bank_arguments *a);

/* What no option alone can tell, and lists that were not given. CLI_GO_ON when all is well. */
int bank_arguments_check(const char *verb, bank_arguments *a);

/* Checks that an output takes the place of no checkpoint. CLI_GO_ON when all is well. `path` may be NULL. */
int bank_arguments_check_output(const char *verb, const bank_arguments *a, const char *option, const char *path);

#endif
