#define _POSIX_C_SOURCE 200809L

#include "bank_arguments.h"

#include "report.h"

#include <string.h>

static const char host[] = "host"; /* the strategy, and the only device that it runs on */
static const char *const strategy_names[] = {"rows", "fused", "staged", "resident", "grouped", "sparse", host, NULL};

static const char *const planning_names[] = {
    [PLETHRON_PLANNING_ESTIMATE] = "estimate", [PLETHRON_PLANNING_MEASURE] = "measure", NULL};

const char *const storage_names[] = {[PLETHRON_STORAGE_F32] = "f32",
                                     [PLETHRON_STORAGE_F16] = "f16",
                                     [PLETHRON_STORAGE_BF16] = "bf16",
                                     [PLETHRON_STORAGE_U8] = "u8",
                                     NULL};

enum { DEFAULT_EPOCHS = 1000, MAX_FOLDS = 255, DEFAULT_EVERY_S = 60 };

bank_arguments bank_arguments_default(void) {
    return (bank_arguments){
        .epochs = DEFAULT_EPOCHS, .momentum = 0.9f, .beta2 = 0.999f, .epsilon = 1e-8f, .decay = 0.5f};
}

void bank_arguments_release(bank_arguments *a) {
    name_list_release(&a->targets);
    name_list_release(&a->features);
    name_list_release(&a->classes);
    choice_list_release(&a->losses);
    choice_list_release(&a->optimizers);
    number_list_release(&a->learning_rates);
    number_list_release(&a->l2s);
    number_list_release(&a->l1s);
    number_list_release(&a->class_weights);
}

static bool parse_strategy(const char *verb, const char *text, bank_arguments *a) {
    int64_t i = 0;
    if (!option_choice(verb, "--strategy", text, strategy_names, &i)) return false;
    a->strategy = strategy_names[i];
    return true;
}

static bool parse_class_weight(const char *verb, const char *text, bank_arguments *a) {
    if (strcmp(text, "balanced") == 0) {
        a->balanced = true;
        return true;
    }
    if (!option_numbers(verb, "--class-weight", text, true, &a->class_weights)) return false;
    if (a->class_weights.count == 2) return true;
    usage_error(verb, "--class-weight '%s' is neither balanced nor two numbers NEGATIVE,POSITIVE", text);
    return false;
}

/* A share that is not quite 1. */
static const double below_one = 0.99999994;

bool bank_argument_parse(const char *verb, int option, const char *text, bank_arguments *a) {
    switch (option) {
    case 't': return option_names(verb, "--target", text, &a->targets);
    case 'f': return option_names(verb, "--features", text, &a->features);
    case 'n': return option_whole(verb, "--epochs", text, 0, INT32_MAX, &a->epochs);
    case 'd': a->device = text; return true;
    case 'q': a->quiet = true; return true;
    case 'v': a->verbose = true; return true;
    case BANK_OPTION_CLASS: return option_names(verb, "--class", text, &a->classes);
    case BANK_OPTION_LABELS: a->labels = text; return true;
    case BANK_OPTION_SPARSE: a->reading = READ_SPARSE; return true;
    case BANK_OPTION_DENSE: a->reading = READ_DENSE; return true;
    case BANK_OPTION_WEIGHTS: a->weights = text; return true;
    case BANK_OPTION_FOLDS: return option_whole(verb, "--folds", text, 2, MAX_FOLDS, &a->folds);
    case BANK_OPTION_FOLDS_COLUMN: a->folds_column = text; return true;
    case BANK_OPTION_STANDARDIZE: a->standardize = true; return true;
    case BANK_OPTION_STORE: return option_choice(verb, "--store", text, storage_names, &a->storage);
    case BANK_OPTION_LOSS: return option_choices(verb, "--loss", text, loss_names, &a->losses);
    case BANK_OPTION_OPTIMIZER: return option_choices(verb, "--optimizer", text, optimizer_names, &a->optimizers);
    case BANK_OPTION_LR: return option_numbers(verb, "--lr", text, false, &a->learning_rates);
    case BANK_OPTION_L2: return option_numbers(verb, "--l2", text, true, &a->l2s);
    case BANK_OPTION_L1: return option_numbers(verb, "--l1", text, true, &a->l1s);
    case BANK_OPTION_REDUCTION: return option_choice(verb, "--reduction", text, reduction_names, &a->reduction);
    case BANK_OPTION_MOMENTUM: return option_number(verb, "--momentum", text, 0.0, below_one, &a->momentum);
    case BANK_OPTION_BETA2: return option_number(verb, "--beta2", text, 0.0, below_one, &a->beta2);
    case BANK_OPTION_EPSILON: return option_number(verb, "--epsilon", text, 1e-30, 1.0, &a->epsilon);
    case BANK_OPTION_SCHEDULE: return option_choice(verb, "--schedule", text, schedule_names, &a->schedule);
    case BANK_OPTION_DECAY: return option_number(verb, "--decay", text, 0.0, 4.0, &a->decay);
    case BANK_OPTION_TOLERANCE: return option_number(verb, "--tolerance", text, 0.0, 1e30, &a->tolerance);
    case BANK_OPTION_PATIENCE: return option_whole(verb, "--patience", text, 0, INT32_MAX, &a->patience);
    case BANK_OPTION_CHECK_EVERY: return option_whole(verb, "--check-every", text, 1, INT32_MAX, &a->check_every);
    case BANK_OPTION_BATCH: return option_whole(verb, "--batch", text, 16, 1 << 30, &a->batch);
    case BANK_OPTION_CLASS_WEIGHT: return parse_class_weight(verb, text, a);
    case BANK_OPTION_AUC: a->auc = true; return true;
    case BANK_OPTION_SEED: return option_whole(verb, "--seed", text, 0, INT64_C(9007199254740991), &a->seed);
    case BANK_OPTION_PLAN: return option_choice(verb, "--plan", text, planning_names, &a->planning);
    case BANK_OPTION_CHECKPOINT: a->checkpoint = text; return true;
    case BANK_OPTION_EVERY: return option_seconds(verb, "--every", text, &a->every_s);
    case BANK_OPTION_RESUME: a->resume = text; return true;
    case BANK_OPTION_TIME_LIMIT: return option_seconds(verb, "--time-limit", text, &a->time_limit_s);
    default: return parse_strategy(verb, text, a);
    }
}

/* A column that an option names. */
typedef struct named_column {
    const char *option;
    const char *name; /* NULL: the option was not given */
} named_column;

static bool column_clashes(const char *verb, const named_column *column, const char *option, const char *name) {
    if (!column->name || !name || strcmp(column->name, name) != 0) return false;
    usage_error(verb, "'%s' is named in %s and in %s", name, option, column->option);
    return true;
}

static bool column_is_listed(const char *verb, const named_column *column, const char *option, const name_list *list) {
    for (size_t i = 0; i < list->count; i++)
        if (column_clashes(verb, column, option, list->names[i])) return true;
    return false;
}

/* A column serves one purpose. */
static bool columns_clash(const char *verb, const bank_arguments *a) {
    const named_column columns[] = {
        {"--weights", a->weights}, {"--folds-column", a->folds_column}, {"--entity", a->entity}};
    for (size_t t = 0; t < a->targets.count; t++) {
        const named_column target = {"--target", a->targets.names[t]};
        if (column_is_listed(verb, &target, "--features", &a->features)) return true;
    }
    for (size_t i = 0; i < sizeof columns / sizeof *columns; i++) {
        if (column_is_listed(verb, &columns[i], "--features", &a->features)) return true;
        if (column_is_listed(verb, &columns[i], "--target", &a->targets)) return true;
        for (size_t j = 0; j < i; j++)
            if (column_clashes(verb, &columns[i], columns[j].option, columns[j].name)) return true;
    }
    return false;
}

int bank_arguments_check_output(const char *verb, const bank_arguments *a, const char *option, const char *path) {
    if (file_same(path, a->checkpoint)) return usage_error(verb, "%s and --checkpoint are both '%s'", option, path);
    if (file_same(path, a->resume)) return usage_error(verb, "%s and --resume are both '%s'", option, path);
    return CLI_GO_ON;
}

int bank_arguments_check(const char *verb, bank_arguments *a) {
    if (!a->targets.count) return usage_error(verb, "--target is missing: the column to learn");
    if (columns_clash(verb, a)) return CLI_USAGE;
    if (a->reading == READ_SPARSE && (a->features.count || a->entity))
        return usage_error(verb, "--sparse does not go with %s", a->entity ? "--entity" : "--features");
    if (a->reading == READ_SPARSE && a->storage != PLETHRON_STORAGE_F32)
        return usage_error(verb, "--store %s does not go with --sparse: sparse features stay f32",
                           storage_names[a->storage]);
    if (a->folds && a->folds_column) return usage_error(verb, "--folds does not go with --folds-column");
    if (a->balanced && a->class_weights.count)
        return usage_error(verb, "--class-weight is given twice: balanced, and two numbers");
    if (a->batch % 16 != 0) return usage_error(verb, "--batch %lld is no multiple of 16", (long long)a->batch);
    if (a->tolerance > 0.0f && a->batch)
        return usage_error(verb, "--tolerance needs the gradient of all rows, which --batch never knows");
    if (a->every_s > 0.0 && !a->checkpoint) return usage_error(verb, "--every needs --checkpoint");
    if (file_same(a->checkpoint, a->data))
        return usage_error(verb, "--checkpoint '%s' would overwrite DATA", a->checkpoint);
    if (!(a->every_s > 0.0)) a->every_s = DEFAULT_EVERY_S;
    if (!a->device && a->strategy == host) a->device = host;
    const bool filled =
        (a->losses.count || option_choices(verb, "--loss", "log", loss_names, &a->losses)) &&
        (a->optimizers.count || option_choices(verb, "--optimizer", "gd", optimizer_names, &a->optimizers)) &&
        (a->learning_rates.count || option_numbers(verb, "--lr", "0.1", false, &a->learning_rates)) &&
        (a->l2s.count || option_numbers(verb, "--l2", "0", true, &a->l2s)) &&
        (a->l1s.count || option_numbers(verb, "--l1", "0", true, &a->l1s));
    return filled ? CLI_GO_ON : CLI_USAGE;
}
