/* Prints every program that the library builds for GPUs, for gpu_static.sh: one line a kernel (recording_driver.h says
 * which), and on stderr each label with its plan.
 *
 *     kernel_plans FOLDER      FOLDER takes the programs' sources
 *
 * The library itself chooses the plans, by its own planner and on GPUs of several sizes: no tile size stands here. To
 * have a new strategy or a new option of a bank checked, add it to `strategies`, to `use_features`, or a problem to
 * `problems`. */
#include "plethron.h"
#include "recording_driver.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* The last, NULL, is the planner's choice. A strategy that does not apply to a problem is passed over. */
static const char *const strategies[] = {"staged", "fused", "rows", "resident", "sparse", NULL};

/* What of a bank is used. */
typedef enum features {
    PLAIN,
    FULL,     /* optimisers, schedules, row weights, folds, bootstraps, stopping rules, standardisation, ROC curves */
    BATCHES,  /* mini-batches */
    ENTITIES, /* rows of its own for each unit */
    SPARSE    /* sparse features, of which one is that of all rows */
} features;

typedef struct problem {
    const char *name;
    size_t n_samples, n_features, n_units, n_targets;
    int n_losses; /* of log, mse and tutorial: unit j has loss j modulo n_losses */
    bool predict; /* with the trained bank, too */
    features features;
    plethron_storage storage; /* of dense features */
} problem;

static const problem problems[] = {
    {"many", 10240, 128, 1024, 1, 1, true, PLAIN, PLETHRON_STORAGE_F32},
    {"ten", 10240, 784, 10, 1, 1, true, PLAIN, PLETHRON_STORAGE_F32},
    {"one", 65536, 64, 1, 1, 1, true, PLAIN, PLETHRON_STORAGE_F32},
    {"tiny", 5, 3, 1024, 1, 1, false, PLAIN, PLETHRON_STORAGE_F32},
    {"seed", 5, 3, 1, 1, 1, false, PLAIN, PLETHRON_STORAGE_F32},
    {"small", 150, 16, 1024, 3, 3, false, PLAIN, PLETHRON_STORAGE_F32},
    {"small-full", 150, 8, 96, 1, 1, false, FULL, PLETHRON_STORAGE_F32},
    {"mixed", 1000, 64, 96, 3, 3, false, PLAIN, PLETHRON_STORAGE_F32},
    {"full", 1000, 64, 96, 1, 1, false, FULL, PLETHRON_STORAGE_F32},
    {"batches", 1000, 64, 96, 1, 1, false, BATCHES, PLETHRON_STORAGE_F32},
    {"entities", 1024, 16, 64, 1, 1, false, ENTITIES, PLETHRON_STORAGE_F32},
    {"sparse", 10240, 1000, 256, 1, 1, true, SPARSE, PLETHRON_STORAGE_F32},
    {"sparse-ten", 10240, 1000, 10, 1, 1, true, SPARSE, PLETHRON_STORAGE_F32},
    {"many-f16", 10240, 128, 1024, 1, 1, false, PLAIN, PLETHRON_STORAGE_F16},
    {"many-bf16", 10240, 128, 1024, 1, 1, false, PLAIN, PLETHRON_STORAGE_BF16},
    {"many-u8", 10240, 128, 1024, 1, 1, false, PLAIN, PLETHRON_STORAGE_U8},
    {"one-f16", 65536, 64, 1, 1, 1, false, PLAIN, PLETHRON_STORAGE_F16},
    {"one-bf16", 65536, 64, 1, 1, 1, false, PLAIN, PLETHRON_STORAGE_BF16},
    {"one-u8", 65536, 64, 1, 1, 1, false, PLAIN, PLETHRON_STORAGE_U8},
    {"entities-f16", 1024, 16, 64, 1, 1, false, ENTITIES, PLETHRON_STORAGE_F16},
    {"entities-u8", 1024, 16, 64, 1, 1, false, ENTITIES, PLETHRON_STORAGE_U8},
    {"small-u8", 150, 16, 1024, 3, 3, false, PLAIN, PLETHRON_STORAGE_U8},
};

#define COUNT(array) (sizeof(array) / sizeof *(array))

static const int64_t n_epochs = 2;

static void check(plethron_status status, const char *what, const plethron_error *err) {
    if (status == PLETHRON_OK) return;
    fprintf(stderr, "kernel_plans: %s: %s\n", what, err->text);
    exit(EXIT_FAILURE);
}

static void *zeros(size_t count, size_t size) {
    void *memory = calloc(count, size);
    if (memory) return memory;
    fprintf(stderr, "kernel_plans: no memory for %zu values\n", count);
    exit(EXIT_FAILURE);
}

/* Sets what the problem uses besides its losses and targets. */
static void use_features(const problem *p, plethron_bank_options *options) {
    static const int64_t optimizers[] = {PLETHRON_OPTIMIZER_GD, PLETHRON_OPTIMIZER_MOMENTUM,
                                         PLETHRON_OPTIMIZER_NESTEROV, PLETHRON_OPTIMIZER_ADAM};
    static int64_t optimizer[1024], schedule = PLETHRON_SCHEDULE_COSINE, zero = 0, one = 1;
    static float little = 1e-3f;
    static int64_t entity[1024];
    for (size_t j = 0; j < p->n_units; j++) {
        optimizer[j] = optimizers[j % COUNT(optimizers)];
        entity[j] = (int64_t)j;
    }
    if (p->features == FULL) {
        options->l1 = options->l2 = options->tolerance = (plethron_floats){&little, 1};
        options->optimizer = (plethron_integers){optimizer, p->n_units};
        options->schedule = (plethron_integers){&schedule, 1};
        options->weight_column = options->excluded_fold = (plethron_integers){&zero, 1};
        options->bootstrap = options->balanced = options->patience = (plethron_integers){&one, 1};
        options->check_every = 1;
    }
    if (p->features == BATCHES) options->batch_size = 256;
    if (p->features == ENTITIES) options->entity = (plethron_integers){entity, p->n_units};
}

static plethron_bank *make_bank(const problem *p) {
    plethron_error err;
    plethron_bank *bank = NULL;
    int64_t *losses = zeros(p->n_units, sizeof *losses), *targets = zeros(p->n_units, sizeof *targets);
    for (size_t j = 0; j < p->n_units; j++) {
        losses[j] = (int64_t)j % p->n_losses;
        targets[j] = (int64_t)(j % p->n_targets);
    }
    plethron_bank_options options = {.struct_size = sizeof options,
                                     .epochs = {&n_epochs, 1},
                                     .loss = {losses, p->n_units},
                                     .target = {targets, p->n_units}};
    use_features(p, &options);
    check(plethron_bank_create(p->n_features, p->n_units, &options, &bank, &err), p->name, &err);
    free(losses);
    free(targets);
    return bank;
}

/* Rows with two features each: the first, and one of the others. */
typedef struct sparse_rows {
    plethron_sparse X;
    int64_t *offsets;
    int32_t *columns;
    float *values;
} sparse_rows;

static sparse_rows make_rows(const problem *p) {
    sparse_rows rows = {.offsets = zeros(p->n_samples + 1, sizeof *rows.offsets),
                        .columns = zeros(2 * p->n_samples, sizeof *rows.columns),
                        .values = zeros(2 * p->n_samples, sizeof *rows.values)};
    for (size_t i = 0; i < p->n_samples; i++) {
        rows.offsets[i + 1] = (int64_t)(2 * i + 2);
        rows.columns[2 * i + 1] = (int32_t)(1 + i % (p->n_features - 1));
    }
    rows.X = (plethron_sparse){p->n_samples, p->n_features, rows.offsets, rows.columns, rows.values};
    return rows;
}

static void free_rows(const sparse_rows *rows) {
    free(rows->offsets);
    free(rows->columns);
    free(rows->values);
}

static plethron_dataset *make_dataset(plethron_device *device, const problem *p, const float *X) {
    plethron_error err;
    plethron_dataset *data = NULL;
    float *Y = zeros(p->n_samples * p->n_targets, sizeof *Y), *weights = zeros(p->n_samples, sizeof *weights);
    uint8_t *folds = zeros(p->n_samples, sizeof *folds);
    int64_t *offsets = zeros(p->n_units + 1, sizeof *offsets);
    plethron_dataset_options options = {.struct_size = sizeof options, .storage = p->storage};
    for (size_t i = 0; i < p->n_samples; i++) {
        Y[i * p->n_targets] = (float)(i % 2);
        weights[i] = 1.0f;
        folds[i] = i / 2 % 2;
    }
    for (size_t j = 0; j <= p->n_units; j++) offsets[j] = (int64_t)(j * p->n_samples / p->n_units);
    if (p->features == FULL) {
        options.standardize = true;
        options.sample_weights = weights;
        options.n_weight_columns = 1;
        options.folds = folds;
    }
    if (p->features == ENTITIES) {
        options.entity_offsets = offsets;
        options.n_entities = p->n_units;
    }
    if (p->features == SPARSE) {
        const sparse_rows rows = make_rows(p);
        check(plethron_dataset_create_sparse(device, &rows.X, Y, p->n_targets, &options, &data, &err), p->name, &err);
        free_rows(&rows);
    } else
        check(plethron_dataset_create(device, X, p->n_samples, p->n_features, Y, p->n_targets, &options, &data, &err),
              p->name, &err);
    free(Y);
    free(weights);
    free(folds);
    free(offsets);
    return data;
}

typedef struct shown_plan {
    const char *label;
    bool shown;
} shown_plan;

static bool show_plan(void *context, const plethron_progress *progress) {
    shown_plan *plan = context;
    if (!plan->shown) fprintf(stderr, "%s\t%s\n", plan->label, progress->plan);
    plan->shown = true;
    return true;
}

/* All predictions, then the likeliest units alone. */
static void record_prediction(plethron_device *device, const problem *p, const plethron_bank *bank, const char *folder,
                              const float *X) {
    plethron_error err;
    char label[64];
    float *P = zeros(p->n_samples * p->n_units, sizeof *P);
    int32_t *units = zeros(p->n_samples, sizeof *units);
    const bool sparse = p->features == SPARSE;
    const sparse_rows rows = make_rows(p);
    const plethron_top top = {.n_top = 1};
    const plethron_predictor_options options = {.struct_size = sizeof options, .sparse = sparse, .top = &top};
    plethron_predictor *predictor = NULL;
    snprintf(label, sizeof label, "%s/predict/%d", p->name, plethron_device_describe(device)->index);
    recording_begin(label, folder);
    if (sparse)
        check(plethron_predict_sparse(device, bank, &rows.X, P, &err), label, &err);
    else
        check(plethron_predict(device, bank, X, p->n_samples, P, &err), label, &err);
    check(plethron_predictor_open(device, bank, &options, &predictor, &err), label, &err);
    if (sparse)
        check(plethron_predictor_top_sparse(predictor, &rows.X, units, P, &err), label, &err);
    else
        check(plethron_predictor_top(predictor, X, p->n_samples, units, P, &err), label, &err);
    plethron_predictor_close(predictor);
    free_rows(&rows);
    free(units);
    free(P);
}

static void record_training(plethron_device *device, const problem *p, plethron_dataset *data, const char *strategy,
                            const char *folder, const float *X) {
    plethron_error err;
    char label[64];
    const plethron_device_info *info = plethron_device_describe(device);
    snprintf(label, sizeof label, "%s/%s/%d", p->name, strategy ? strategy : "planner", info->index);
    recording_begin(label, folder);
    shown_plan plan = {.label = label};
    const plethron_train_options how = {.struct_size = sizeof how,
                                        .strategy = strategy,
                                        .on_progress = show_plan,
                                        .context = &plan,
                                        .auc = p->features == FULL || p->features == ENTITIES};
    plethron_bank *bank = make_bank(p);
    const plethron_status status = plethron_train(data, bank, &how, &err);
    if (status != PLETHRON_ERROR_UNSUPPORTED) check(status, label, &err);
    if (p->predict && !strategy) record_prediction(device, p, bank, folder, X);
    plethron_bank_close(bank);
}

static void record_problem(plethron_device *device, const problem *p, const char *folder) {
    float *X = zeros(p->n_samples * p->n_features, sizeof *X);
    char label[64];
    snprintf(label, sizeof label, "%s/data/%d", p->name, plethron_device_describe(device)->index);
    recording_begin(label, folder); /* standardisation has a program of its own */
    plethron_dataset *data = make_dataset(device, p, X);
    for (size_t s = 0; s < COUNT(strategies); s++) record_training(device, p, data, strategies[s], folder, X);
    plethron_dataset_close(data);
    free(X);
}

static void record_ceilings(plethron_device *device, const char *folder) {
    plethron_error err;
    plethron_ceilings ceilings = {.struct_size = sizeof ceilings};
    recording_begin("ceilings", folder);
    check(plethron_ceilings_measure(device, &ceilings, &err), "ceilings", &err);
}

int main(int argc, char **argv) {
    plethron_error err;
    if (argc != 2) {
        fprintf(stderr, "usage: kernel_plans FOLDER\n");
        return 2;
    }
    setenv("PLETHRON_CACHE_DIR", "", 1); /* every program is built */
    for (int d = 0; d < RECORDING_DEVICES; d++) {
        plethron_device *device = NULL;
        char selector[16];
        snprintf(selector, sizeof selector, "%d", d);
        check(plethron_device_open(selector, &device, &err), selector, &err);
        for (size_t i = 0; i < COUNT(problems); i++) record_problem(device, &problems[i], argv[1]);
        record_ceilings(device, argv[1]);
        plethron_device_close(device);
    }
    return recording_whole() && fflush(stdout) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
