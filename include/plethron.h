/* Plethron trains very many independent perceptrons at once on any OpenCL device.
 *
 * One perceptron, called a unit, is p = sigmoid(x . w + b). A bank is the units that are trained together on one data
 * set; each unit has hyper-parameters, a target and a start of its own.
 *
 *     plethron_device *device = NULL;
 *     plethron_dataset *data = NULL;
 *     plethron_bank *bank = NULL;
 *     plethron_error err;
 *     if (plethron_device_open(NULL, &device, &err) ||
 *         plethron_dataset_create(device, X, n_samples, n_features, Y, 1, NULL, &data, &err) ||
 *         plethron_bank_create(n_features, n_units, NULL, &bank, &err) ||
 *         plethron_train(data, bank, NULL, &err) ||
 *         plethron_predict(device, bank, X_new, n_new, P, &err))
 *         fprintf(stderr, "%s\n", err.text);
 *     plethron_bank_close(bank);
 *     plethron_dataset_close(data);
 *     plethron_device_close(device);
 *
 * Conventions of every function here:
 *   - Matrices are row-major, and dense but for plethron_sparse. Letters stay the same everywhere: X [n_samples,
 * n_features], Y [n_samples, n_targets], W [n_features, n_units], b [n_units], P [n_samples, n_units].
 *   - A fallible function returns a plethron_status: 0 is success, errors are negative. `err`, always the last
 *     parameter, may be NULL; after a failure its text says what was wrong, which value, and what was allowed.
 *     Outputs are left untouched on failure, but for predictions, some of which may have been written.
 *   - `**out` belongs to the caller and is released by the type's _close, which accepts NULL. A plain returned pointer
 *     is borrowed from the object asked and lives as long as it does. Inputs are read during the call only.
 *   - Option structs begin with `struct_size = sizeof(the struct)`; a field left zero means its default, and a NULL
 *     pointer to options means all defaults.
 *   - The library never prints, never exits, and keeps no mutable globals. Different objects may be used from different
 *     threads at once; one object by one thread at a time. A process that forked must open its devices after the fork.
 *   - The same inputs under the same strategy give the same bits, on every device whose listing says that the bit
 *     contract holds there; a unit's result does not depend on the other units of its bank.
 */
#ifndef PLETHRON_H
#define PLETHRON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* The one place that holds the version; the build reads it from here. */
#define PLETHRON_VERSION_MAJOR 0
#define PLETHRON_VERSION_MINOR 1
#define PLETHRON_VERSION_PATCH 0

#if defined(__GNUC__)
#define PLETHRON_API __attribute__((visibility("default")))
#else
#define PLETHRON_API
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* ---- Status and errors ------------------------------------------------------------------------------------------ */

typedef enum plethron_status {
    PLETHRON_OK = 0,
    PLETHRON_ERROR_ARGUMENT = -1,    /* a value passed in is not allowed */
    PLETHRON_ERROR_MEMORY = -2,      /* the host or the device has not enough memory */
    PLETHRON_ERROR_NO_DEVICE = -3,   /* no device matches the selector */
    PLETHRON_ERROR_DEVICE = -4,      /* an OpenCL call failed; plethron_error.opencl_code says how */
    PLETHRON_ERROR_KERNEL = -5,      /* a kernel did not build; the text carries the head of the build log */
    PLETHRON_ERROR_UNSUPPORTED = -6, /* the strategy or feature does not apply to this problem or device */
    PLETHRON_ERROR_FILE = -7,        /* a file cannot be opened, read or written */
    PLETHRON_ERROR_FORMAT = -8,      /* a file's content is not what its format demands */
    PLETHRON_ERROR_INTERRUPTED = -9  /* a callback asked to stop; what was trained until then is kept */
} plethron_status;

typedef struct plethron_error {
    plethron_status status;
    int opencl_code; /* the failed OpenCL call's code, or 0 */
    char text[1024]; /* one line without a newline; a kernel build error may hold more lines */
} plethron_error;

/* The version of the library at run time, as "major.minor.patch". Never fails. */
PLETHRON_API const char *plethron_version(void);

/* A short name of a status, such as "bad argument". Never NULL. */
PLETHRON_API const char *plethron_status_name(plethron_status status);

/* ---- Devices ---------------------------------------------------------------------------------------------------- */

typedef enum plethron_device_kind {
    PLETHRON_DEVICE_HOST = 0, /* no OpenCL: native code on this machine's cores; always present */
    PLETHRON_DEVICE_CPU = 1,
    PLETHRON_DEVICE_GPU = 2,
    PLETHRON_DEVICE_ACCELERATOR = 3
} plethron_device_kind;

/* What is known of a device. All strings are borrowed and never NULL. */
typedef struct plethron_device_info {
    plethron_device_kind kind;
    int index;          /* position among all devices, as the selector "0", "1", ...; -1 for the host */
    int platform_index; /* with device_index the selector "P:D"; -1 for the host */
    int device_index;
    const char *platform;
    const char *platform_version;
    const char *name;
    const char *version;
    const char *driver;
    unsigned compute_units;
    uint64_t memory_bytes;
    uint64_t max_alloc_bytes; /* the largest single buffer */
    uint64_t local_bytes;     /* local memory of a work-group; 0 for the host */
    bool local_is_dedicated;  /* local memory is memory of its own (GPUs), not a part of global memory (CPUs) */
    bool bits_hold;           /* results here have the same bits as on every other device that says so */
    const char *bits_note;    /* why not, or what is special; "" when there is nothing to say */
} plethron_device_info;

typedef struct plethron_device_list plethron_device_list;
typedef struct plethron_device plethron_device;

/* Lists every OpenCL device of every platform, the host last. A machine without OpenCL platforms is a normal case and
 * gives the host alone. Costs what the platforms take to load: tens of milliseconds. */
PLETHRON_API plethron_status plethron_device_list_open(plethron_device_list **out, plethron_error *err);
PLETHRON_API size_t plethron_device_list_count(const plethron_device_list *list);
/* Borrowed; NULL when `i` is not below the count. */
PLETHRON_API const plethron_device_info *plethron_device_list_get(const plethron_device_list *list, size_t i);
PLETHRON_API void plethron_device_list_close(plethron_device_list *list);

/* Opens a device. `selector` is "gpu", "cpu", "host", an index as listed, "P:D", or a part of the device's or
 * platform's name (letters compare without case; the first match in listing order is taken). NULL or "" asks the
 * environment variable PLETHRON_DEVICE, and without it takes the first GPU, else the first accelerator, else the first
 * CPU, else the host.
 * Errors: PLETHRON_ERROR_NO_DEVICE names the selector and what is there; PLETHRON_ERROR_DEVICE. */
PLETHRON_API plethron_status plethron_device_open(const char *selector, plethron_device **out, plethron_error *err);
PLETHRON_API const plethron_device_info *plethron_device_describe(const plethron_device *device);
PLETHRON_API void plethron_device_close(plethron_device *device);

/* What went over the wire since the device was opened. All zero on the host. */
typedef struct plethron_counters {
    size_t struct_size;
    uint64_t uploads;
    uint64_t upload_bytes;
    uint64_t downloads;
    uint64_t download_bytes;
    uint64_t launches;
} plethron_counters;
PLETHRON_API plethron_status plethron_device_counters(const plethron_device *device, plethron_counters *counters,
                                                      plethron_error *err);

/* ---- Ceilings ---------------------------------------------------------------------------------------------------- */

/* What a device can do at most, measured by micro-kernels: what a time should be compared with. */
typedef struct plethron_ceilings {
    size_t struct_size;
    double fma_flops_per_s;      /* 32-bit floats; an fma is two flops */
    double read_bytes_per_s;     /* from the device's memory, beyond its caches */
    double launch_s;             /* an empty kernel launched and waited for; on the host: a loop started on all cores */
    double batched_launch_s;     /* an empty kernel of many in a row, waited for once */
    double upload_bytes_per_s;   /* from ordinary host memory; on the host: a copy in memory by one core */
    double download_bytes_per_s; /* to ordinary host memory */
} plethron_ceilings;

/* Measures the ceilings of a device, the best of several repeats each. Set out->struct_size before asking.
 * Other work on the device or its cores lowers what is found. The device's counters go on counting.
 * Errors: PLETHRON_ERROR_MEMORY, PLETHRON_ERROR_DEVICE, PLETHRON_ERROR_KERNEL.
 * Cost: about a second; 256 MiB, or 8 times the device's cache, of its memory and 64 MiB of the host's. */
PLETHRON_API plethron_status plethron_ceilings_measure(plethron_device *device, plethron_ceilings *out,
                                                       plethron_error *err);

/* ---- Data sets -------------------------------------------------------------------------------------------------- */

typedef struct plethron_dataset plethron_dataset;

/* How a dense feature is stored on the device. All computing is in f32, with the values that are stored. */
typedef enum plethron_storage {
    PLETHRON_STORAGE_F32 = 0,
    PLETHRON_STORAGE_F16 = 1,  /* IEEE 754 binary16: 11 bits, magnitudes up to 65504 */
    PLETHRON_STORAGE_BF16 = 2, /* the upper half of a float: 8 bits, magnitudes of f32 */
    PLETHRON_STORAGE_U8 = 3 /* 256 equal steps from the feature's least value to its greatest; exact where a feature's
                               values are whole numbers that span 255 at most */
} plethron_storage;

typedef struct plethron_dataset_options {
    size_t struct_size;
    /* Train on (x - mean) / deviation of each feature, found on the device; with entities, of each feature of each
     * entity. The bank's weights always apply to raw data: training folds the shift and scale into them when it ends. A
     * constant feature is only shifted. Sparse features become x / deviation, with their zeros among the rows; a
     * constant one stays as it is. */
    bool standardize;
    /* [n_samples, n_weight_columns], finite, >= 0: how much a row counts for the units that name the column
     * (plethron_bank_options.weight_column). */
    const float *sample_weights;
    size_t n_weight_columns;
    /* [n_samples], 0 to 254: the fold of each row (plethron_folds_make, or one's own). A unit with an excluded_fold
     * does not learn from that fold's rows, and is measured on them. NULL: no folds. */
    const uint8_t *folds;
    /* [n_entities + 1], ascending from 0 to n_samples: the rows entity_offsets[e] ... entity_offsets[e + 1] - 1 belong
     * to entity e; may be none. Each unit then learns from one entity's rows (plethron_bank_options.entity). NULL: all
     * units learn from all rows. On the device each entity's rows are padded to a multiple of 16. */
    const int64_t *entity_offsets;
    size_t n_entities;
    /* Dense features take 4, 2, 2 or 1 bytes a value, and of u8 8 bytes a feature besides, with entities a feature and
     * entity. Values are rounded to the nearest, ties to even; with `standardize` f16 and bf16 round standardised
     * values, u8 the raw ones. Training gives the bits of f32 features that have the rounded values. */
    plethron_storage storage;
} plethron_dataset_options;

/* Uploads features and targets to the device, once; training uploads nothing more of them.
 *   X [n_samples, n_features]   finite
 *   Y [n_samples, n_targets]    finite, or NaN where the target is missing: units that learn that target skip the row;
 *                               may be NULL with n_targets 0 only for prediction-like uses (train refuses it)
 * The data set keeps `device` borrowed: close it before the device.
 * Errors: PLETHRON_ERROR_ARGUMENT for a zero size, a product that overflows, or a value that is not allowed (the text
 * names row and column), or that the storage cannot hold; PLETHRON_ERROR_MEMORY names what was needed, what the device
 * has, and how many rows would fit, before anything is uploaded.
 * Cost: one pass over X, n_samples * n_features * 4 bytes uploaded; two more passes on the device to standardise. With
 * another storage than f32 these passes and one that rounds are made on this machine, which then needs memory for a
 * copy of X, and the bytes of the storage are uploaded. */
PLETHRON_API plethron_status plethron_dataset_create(plethron_device *device, const float *X, size_t n_samples,
                                                     size_t n_features, const float *Y, size_t n_targets,
                                                     const plethron_dataset_options *options, plethron_dataset **out,
                                                     plethron_error *err);

/* Sparse features, as compressed rows: X[i, columns[e]] = values[e] for offsets[i] <= e < offsets[i + 1]; all else is
 * 0. Within a row columns ascend. offsets[0] may be more than 0, so that some rows of many are a plethron_sparse, too.
 */
typedef struct plethron_sparse {
    size_t n_rows;
    size_t n_columns;
    const int64_t *offsets; /* [n_rows + 1] */
    const int32_t *columns;
    const float *values;
} plethron_sparse;

/* As plethron_dataset_create, of sparse features, which stay sparse: the strategy "sparse" trains on them, with every
 * option of a bank, to the bits that the strategies "fused", "staged", "resident" and "host" have on the same features
 * dense, while weights are finite. No entities.
 * Errors: as there; PLETHRON_ERROR_ARGUMENT also for offsets that fall, columns that are not there or do not ascend,
 * and more than 2^30 values; PLETHRON_ERROR_UNSUPPORTED for entities.
 * Cost: some passes over the values, 16 bytes a value uploaded. */
PLETHRON_API plethron_status plethron_dataset_create_sparse(plethron_device *device, const plethron_sparse *X,
                                                            const float *Y, size_t n_targets,
                                                            const plethron_dataset_options *options,
                                                            plethron_dataset **out, plethron_error *err);

PLETHRON_API void plethron_dataset_close(plethron_dataset *dataset);

/* Assigns each row to one of n_folds folds for cross-validation, as a function of the seed alone: rows are shuffled and
 * dealt to the folds in turn, class by class.
 *   labels [n_samples]   rows with equal labels are spread evenly over the folds (stratified); NULL: all are alike
 *   folds  [n_samples]   out, 0 ... n_folds - 1
 * Errors: PLETHRON_ERROR_ARGUMENT unless 2 <= n_folds <= 255 and n_folds <= n_samples. Cost: a sort of the rows. */
PLETHRON_API plethron_status plethron_folds_make(size_t n_samples, const float *labels, size_t n_folds, int64_t seed,
                                                 uint8_t *folds, plethron_error *err);

/* ---- Banks ------------------------------------------------------------------------------------------------------ */

typedef struct plethron_bank plethron_bank;

/* A value for each unit: count 0 takes the default, 1 one value for all units, n_units one value a unit. */
typedef struct plethron_floats {
    const float *values;
    size_t count;
} plethron_floats;
typedef struct plethron_integers {
    const int64_t *values;
    size_t count;
} plethron_integers;

/* What a unit minimises; y is its target, p = sigmoid(z) its prediction, both in [0, 1]. */
typedef enum plethron_loss {
    PLETHRON_LOSS_LOG = 0,     /* cross-entropy; dL/dz = p - y; the loss of logistic regression */
    PLETHRON_LOSS_MSE = 1,     /* (p - y)^2 / 2;  dL/dz = (p - y) p (1 - p) */
    PLETHRON_LOSS_TUTORIAL = 2 /* dL/dz = (p - y) s(p) (1 - s(p)), s = sigmoid: what the well-known tutorial's code
                                  computes, which applies the derivative to a value that is activated already. Kept so
                                  that its printed numbers can be reproduced. Its loss is reported as (p - y)^2 / 2. */
} plethron_loss;

typedef enum plethron_reduction {
    PLETHRON_REDUCTION_MEAN = 0, /* a gradient is the mean over the rows, by their weights */
    PLETHRON_REDUCTION_SUM = 1   /* ... the weighted sum over the rows, as in the tutorial */
} plethron_reduction;

/* How a gradient becomes a step (the formulas stand in kernels/step.cl). */
typedef enum plethron_optimizer {
    PLETHRON_OPTIMIZER_GD = 0,
    PLETHRON_OPTIMIZER_MOMENTUM = 1, /* heavy ball */
    PLETHRON_OPTIMIZER_NESTEROV = 2,
    PLETHRON_OPTIMIZER_ADAM = 3
} plethron_optimizer;

/* The learning rate's factor at epoch t, counted from 0. */
typedef enum plethron_schedule {
    PLETHRON_SCHEDULE_CONSTANT = 0, /* 1 */
    PLETHRON_SCHEDULE_INVERSE = 1,  /* (1 + t)^-decay */
    PLETHRON_SCHEDULE_COSINE = 2    /* (1 + cos(pi t / epochs)) / 2 */
} plethron_schedule;

typedef enum plethron_init {
    PLETHRON_INIT_ZEROS = 0,
    PLETHRON_INIT_UNIFORM = 1, /* weights uniform in [-a, a), a = 1 / sqrt(n_features); bias 0 */
    PLETHRON_INIT_NORMAL = 2   /* weights normal with deviation 1 / sqrt(n_features) (sum of twelve uniforms); bias 0 */
} plethron_init;

enum { PLETHRON_NO_CLASS = -1, PLETHRON_NONE = -1 };

typedef struct plethron_bank_options {
    size_t struct_size;
    plethron_floats learning_rate;    /* finite, > 0; default 0.1 */
    plethron_floats l2;               /* finite, >= 0; the gradient of w gains l2 * w, the bias is free; default 0 */
    plethron_integers epochs;         /* >= 0, <= 2^31 - 1: at most so many full passes; default 1000 */
    plethron_integers loss;           /* a plethron_loss; default PLETHRON_LOSS_LOG */
    plethron_integers target;         /* column of Y that the unit learns; default 0 */
    plethron_integers positive_class; /* c from 0 to 65,534: the unit learns Y == c against the rest,
                                         and all of that column are class codes;
                                         PLETHRON_NO_CLASS (default): it learns Y itself, which lies in [0, 1] */
    plethron_integers seed;           /* 0 to 2^53 - 1; default 0 */
    plethron_integers id; /* 0 to 2^53 - 1; random numbers are a function of (seed, id), so that a unit keeps its
                             numbers in whatever bank it stands; default: its position, 0 ... n_units - 1 */
    plethron_reduction reduction;
    plethron_init init;
    const float *start; /* [n_features + 1, n_units], bias last: start weights, instead of init; NULL for init */

    plethron_floats l1;          /* finite, >= 0: a proximal step after each step; the bias is free; default 0 */
    plethron_integers optimizer; /* a plethron_optimizer; default PLETHRON_OPTIMIZER_GD */
    plethron_floats momentum;    /* 0 <= m < 1: of momentum and nesterov; beta 1 of adam; default 0.9 */
    plethron_floats beta2;       /* 0 <= b < 1, of adam; default 0.999 */
    plethron_floats epsilon;     /* 1e-30 to 1, of adam; default 1e-8 */
    plethron_integers schedule;  /* a plethron_schedule; default PLETHRON_SCHEDULE_CONSTANT */
    plethron_floats decay;       /* 0 to 4, of the schedule `inverse`; default 0.5 */

    /* Stopping rules, looked at every check_every epochs. */
    plethron_floats tolerance; /* >= 0: the unit has converged when no component of its gradient (with its penalties) is
                                  larger; 0, the default: no such rule. Not together with batches */
    plethron_integers patience; /* >= 0: the unit stops when its held-out loss was not lower than the lowest for so many
                                   epochs; in the end it has the weights of the lowest. Needs an excluded_fold. 0, the
                                   default: no such rule */
    int64_t check_every;        /* >= 1; 0 means the default, 10 */

    /* Which rows count, and how much. A row's weight is its sample weight, times its class's weight, times how often
     * the bootstrap drew it; 0 in the excluded fold and where the target is missing. */
    plethron_floats
        weight_negative; /* finite, >= 0: of rows with y = 0; default 1. For y between 0 and 1 between both */
    plethron_floats weight_positive; /* finite, >= 0: of rows with y = 1; default 1 */
    plethron_integers balanced;      /* 1: both class weights are (weight of all rows) / (2 weight of the class's rows),
                                        whatever weight_negative and weight_positive say; default 0 */
    plethron_integers weight_column; /* column of sample_weights, or PLETHRON_NONE (default): all rows weigh 1 */
    plethron_integers excluded_fold; /* fold to hold out, or PLETHRON_NONE (default) */
    plethron_integers bootstrap;     /* 1: learn from n_samples rows drawn with replacement, a function of seed and id;
                                        default 0. Takes a byte a row and unit on the device */
    plethron_integers entity;        /* whose rows the unit learns from, or PLETHRON_NONE (default): from all */

    /* Mini-batches, for the whole bank: each epoch takes the rows in a new order, a function of batch_seed and the
     * epoch, and makes a step every batch_size rows, where a gradient sum is scaled by n_samples / rows of the batch.
     */
    size_t batch_size;  /* a multiple of 16; 0, the default: all rows at once */
    int64_t batch_seed; /* 0 to 2^53 - 1 */
} plethron_bank_options;

/* Why a unit stands where it stands. */
typedef enum plethron_unit_state {
    PLETHRON_UNIT_NEW = 0,           /* not trained yet */
    PLETHRON_UNIT_MAX_EPOCHS = 1,    /* ran all its epochs */
    PLETHRON_UNIT_DIVERGED = 2,      /* its weights or its loss are not finite */
    PLETHRON_UNIT_SEPARABLE = 3,     /* ended, and a plane splits its classes without error: without l2 the
                                            log loss has no finite optimum, so the weights would grow for ever */
    PLETHRON_UNIT_INTERRUPTED = 4,   /* stopped by a callback before its epochs were over */
    PLETHRON_UNIT_ONE_CLASS = 5,     /* its targets are all 0 or all 1: nothing to tell apart */
    PLETHRON_UNIT_CONVERGED = 6,     /* its gradient is within its tolerance */
    PLETHRON_UNIT_EARLY_STOPPED = 7, /* its held-out loss had not fallen for `patience` epochs */
    PLETHRON_UNIT_NO_ROWS = 8        /* no row counts for it: it was not trained */
} plethron_unit_state;

/* Everything about one unit but its weights. Set struct_size before asking. */
typedef struct plethron_unit {
    size_t struct_size;
    float learning_rate;
    float l2;
    int64_t epochs;
    plethron_loss loss;
    int64_t target;
    int64_t positive_class;
    int64_t seed;
    int64_t id;
    plethron_unit_state state;
    int64_t epochs_done;
    float
        final_loss; /* mean over the rows by their weights, without the penalty; the measures are NaN before training */
    float error_sum; /* weighted sum over the rows of p - y */
    float accuracy;  /* share of the rows' weight on whose side of 0.5 p lies with y */

    float l1;
    plethron_optimizer optimizer;
    float momentum;
    float beta2;
    float epsilon;
    plethron_schedule schedule;
    float decay;
    float tolerance;
    int64_t patience;
    float weight_negative; /* where `balanced`: what was found from the rows, after training */
    float weight_positive;
    int64_t balanced;
    int64_t weight_column;
    int64_t excluded_fold;
    int64_t bootstrap;
    int64_t entity;
    int64_t best_epoch;  /* epochs done when the held-out loss was lowest; 0 unless it was watched (patience) */
    float row_weight;    /* sum of the rows' weights, class weights left out; so are they in error_sum, accuracy, auc */
    float gradient_norm; /* at the last look at its stopping rules; NaN without */
    float auc;           /* area under the ROC curve; NaN unless it was asked for, or with one class */
    float held_out_loss; /* on the rows of the excluded fold, by their sample weights; NaN without */
    float held_out_error_sum;
    float held_out_accuracy;
    float held_out_auc;
} plethron_unit;

/* Makes a bank: host memory only, no device. Every array is checked: its length is 0, 1 or n_units and its values lie
 * in the range given beside the field; the error names field, position and value.
 * Cost: (n_features + 1) * n_units * 4 bytes and some tens of bytes a unit. */
PLETHRON_API plethron_status plethron_bank_create(size_t n_features, size_t n_units,
                                                  const plethron_bank_options *options, plethron_bank **out,
                                                  plethron_error *err);
PLETHRON_API void plethron_bank_close(plethron_bank *bank);

/* A new bank of the units numbered in `units` [n_units], in that order, with everything that belongs to them: weights,
 * hyper-parameters, states, measures, and the bank's names. A number may stand there twice.
 * Errors: PLETHRON_ERROR_ARGUMENT for a unit that does not exist, PLETHRON_ERROR_MEMORY. */
PLETHRON_API plethron_status plethron_bank_select(const plethron_bank *bank, const size_t *units, size_t n_units,
                                                  plethron_bank **out, plethron_error *err);

PLETHRON_API size_t plethron_bank_n_features(const plethron_bank *bank);
PLETHRON_API size_t plethron_bank_n_units(const plethron_bank *bank);
PLETHRON_API const float *plethron_bank_weights(const plethron_bank *bank); /* W [n_features, n_units], for raw data */
PLETHRON_API const float *plethron_bank_biases(const plethron_bank *bank);  /* b [n_units] */
PLETHRON_API plethron_reduction plethron_bank_reduction(const plethron_bank *bank);
PLETHRON_API int64_t plethron_bank_check_every(const plethron_bank *bank);
PLETHRON_API size_t plethron_bank_batch_size(const plethron_bank *bank); /* 0: all rows at once */
PLETHRON_API int64_t plethron_bank_batch_seed(const plethron_bank *bank);
/* The strategy that trained the bank, such as "fused"; "" before training. Borrowed. */
PLETHRON_API const char *plethron_bank_strategy(const plethron_bank *bank);
/* How the features were stored that it was trained on: "f32", "f16", "bf16" or "u8"; "" before training. Borrowed. */
PLETHRON_API const char *plethron_bank_storage(const plethron_bank *bank);
PLETHRON_API plethron_status plethron_bank_unit(const plethron_bank *bank, size_t unit, plethron_unit *out,
                                                plethron_error *err);

/* Names, copied into the bank and saved with it. Features: n_features names, all different. Targets: one name a column
 * of Y. Classes: the labels of a target's class codes 0 ... n_labels - 1. None is needed for training. */
PLETHRON_API plethron_status plethron_bank_name_features(plethron_bank *bank, const char *const *names,
                                                         plethron_error *err);
PLETHRON_API plethron_status plethron_bank_name_targets(plethron_bank *bank, size_t n_targets, const char *const *names,
                                                        plethron_error *err);
PLETHRON_API plethron_status plethron_bank_name_classes(plethron_bank *bank, size_t target, size_t n_labels,
                                                        const char *const *labels, plethron_error *err);
/* The name of the column that tells the entities apart, and the entities' labels: label e is that of
 * plethron_bank_options.entity e. */
PLETHRON_API plethron_status plethron_bank_name_entities(plethron_bank *bank, const char *column, size_t n_entities,
                                                         const char *const *labels, plethron_error *err);
/* Borrowed; NULL where no such name was given. */
PLETHRON_API const char *plethron_bank_entity_column(const plethron_bank *bank);
PLETHRON_API size_t plethron_bank_n_entities(const plethron_bank *bank); /* number of named entities, 0 without names */
PLETHRON_API const char *plethron_bank_entity_label(const plethron_bank *bank, size_t entity);
PLETHRON_API const char *plethron_bank_feature_name(const plethron_bank *bank, size_t feature);
PLETHRON_API size_t plethron_bank_n_targets(const plethron_bank *bank); /* number of named targets, 0 without names */
PLETHRON_API const char *plethron_bank_target_name(const plethron_bank *bank, size_t target);
PLETHRON_API size_t plethron_bank_n_classes(const plethron_bank *bank, size_t target);
PLETHRON_API const char *plethron_bank_class_label(const plethron_bank *bank, size_t target, size_t class_code);

/* Saves to, and loads from, a safetensors file (docs/model-format.md). Saving writes a temporary file beside `path` and
 * renames it: `path` holds the old content or the whole new one, never a part. Loading trusts nothing in the file.
 * Errors: PLETHRON_ERROR_FILE, PLETHRON_ERROR_FORMAT with what was expected, PLETHRON_ERROR_MEMORY. */
PLETHRON_API plethron_status plethron_bank_save(const plethron_bank *bank, const char *path, plethron_error *err);
PLETHRON_API plethron_status plethron_bank_load(const char *path, plethron_bank **out, plethron_error *err);

/* A bank for other programs. */
typedef enum plethron_export_format {
    PLETHRON_EXPORT_ONNX = 0, /* input "features" [rows, n_features], Gemm, Sigmoid, output [rows, n_units] called after
                                 the target, or "predictions" where there are several targets or none is named; the
                                 metadata "features" and "units" are JSON */
    PLETHRON_EXPORT_C = 1,    /* a C99 file with a function NAME_predict(const float *x, float *p), NAME from the path's
                                 last part; it needs the standard library only and gives the bits of plethron_predict */
    PLETHRON_EXPORT_JSON = 2  /* everything that a model file holds, as text */
} plethron_export_format;

/* Writes the bank to `path`, which appears whole or not at all.
 * Errors: PLETHRON_ERROR_UNSUPPORTED for ONNX and C of a bank with named entities, and an ONNX of more than 2 GiB;
 * PLETHRON_ERROR_FILE, PLETHRON_ERROR_MEMORY. */
PLETHRON_API plethron_status plethron_bank_export(const plethron_bank *bank, plethron_export_format format,
                                                  const char *path, plethron_error *err);

/* ---- Training ---------------------------------------------------------------------------------------------------- */

/* Measures of every unit at one moment; arrays [n_units], borrowed during the callback. */
typedef struct plethron_measures {
    size_t struct_size;
    int64_t epoch; /* epochs done: 0 is the start */
    size_t n_units;
    const float *loss;
    const float *error_sum;
    const float *accuracy;
} plethron_measures;

typedef struct plethron_progress {
    size_t struct_size;
    int64_t epoch;    /* epochs done by the unit that is farthest */
    int64_t n_epochs; /* epochs of the longest unit */
    double elapsed_s;
    const char *plan; /* the plan in one line: strategy, tile sizes, device */
    size_t n_live;    /* units that still train */
    size_t n_units;   /* of the bank */
    float best_loss;  /* the lowest of the losses that were measured last, whatever for; NaN before there were any */
} plethron_progress;

/* Where a training stands: everything that is needed to go on with it. */
typedef struct plethron_checkpoint plethron_checkpoint;

/* How the planner chooses a strategy and its tile sizes. */
typedef enum plethron_planning {
    PLETHRON_PLANNING_ESTIMATE = 0, /* by predicted cost */
    PLETHRON_PLANNING_MEASURE = 1,  /* tries each that applies for some tens of milliseconds, and keeps what it found in
                                       the text file plans.txt in the folder of built kernels, for the next time */
    PLETHRON_PLANNING_RANDOM = 2    /* any that applies, as planning_seed says: for tests */
} plethron_planning;

typedef struct plethron_train_options {
    size_t struct_size;
    /* "rows", "fused", "staged", "resident", "grouped", "sparse" or "host"; NULL or "": the planner chooses */
    const char *strategy;
    int64_t measure_every; /* call on_measures at the start, every so many epochs and at the end; 0: at the end only. A
                              training that goes on calls it as one that was never stopped would from there on */
    void (*on_measures)(void *context, const plethron_measures *measures);
    /* Called between chunks of epochs, several times a second; false stops the training, which then keeps what was
     * reached and returns PLETHRON_ERROR_INTERRUPTED. */
    bool (*on_progress)(void *context, const plethron_progress *progress);
    void *context;
    plethron_planning planning; /* where `strategy` is given, it is the only one tried */
    int64_t planning_seed;
    bool auc;           /* find the area under the ROC curve of each unit at the end: a sort of the rows a unit */
    bool progress_loss; /* measure the units now and then, for a fiftieth of the time, to tell on_progress of their
                           best loss: from 2 s on */

    /* Called with where the training stands, between chunks of epochs when checkpoint_every_s seconds have passed since
     * the last time (0, the default: never), and when its epochs are over or on_progress has stopped it. The checkpoint
     * is borrowed during the call; plethron_checkpoint_save keeps it. */
    void (*on_checkpoint)(void *context, const plethron_checkpoint *checkpoint);
    double checkpoint_every_s;
    /* Go on from here, with the bank as it was before that training, the same data and the same options: the result has
     * the bits of a training that was never stopped. Its strategy stays. Borrowed; NULL: from the bank. */
    const plethron_checkpoint *resume;
} plethron_train_options;

/* Saves to, and loads from, a safetensors file (docs/model-format.md), which appears whole or not at all. Loading
 * trusts nothing in the file, and finds a byte that has changed by a checksum.
 * A checkpoint holds the bank as it was before the training, each unit's weights, moments, best weights and state, how
 * many epochs were run, the strategy, and digests of the data set.
 * Errors: PLETHRON_ERROR_FILE, PLETHRON_ERROR_FORMAT with what was expected, PLETHRON_ERROR_MEMORY. */
PLETHRON_API plethron_status plethron_checkpoint_save(const plethron_checkpoint *checkpoint, const char *path,
                                                      plethron_error *err);
PLETHRON_API plethron_status plethron_checkpoint_load(const char *path, plethron_checkpoint **out, plethron_error *err);
PLETHRON_API void plethron_checkpoint_close(plethron_checkpoint *checkpoint);
/* How many epochs were run. */
PLETHRON_API int64_t plethron_checkpoint_epochs(const plethron_checkpoint *checkpoint);

/* Trains every unit of the bank on the data set, on the data set's device, until its epochs are done or one of its
 * rules stops it. Units that have stopped cost nothing more. A bank that was trained before goes on from its weights
 * and its epoch count, with moments of 0; only from a checkpoint (plethron_train_options.resume) a training goes on as
 * if it had never stopped. On success (and on PLETHRON_ERROR_INTERRUPTED) weights, states and measures of the bank are
 * those reached; on any other error the bank is as before.
 * Errors, before anything is trained: PLETHRON_ERROR_ARGUMENT (n_features differ; a target column, weight column, fold
 * or entity that does not exist; target values outside [0, 1] for a unit without a class; a patience without an
 * excluded fold; a tolerance with batches; a checkpoint of another bank, data set or strategy, with what differs),
 * PLETHRON_ERROR_UNSUPPORTED (the named strategy does not apply, with the reason), PLETHRON_ERROR_MEMORY (what is
 * needed, what there is, and how many units would fit), PLETHRON_ERROR_DEVICE, PLETHRON_ERROR_KERNEL. What concerns one
 * unit only is its state.
 * Cost: 4 * n_samples * n_features flops a unit and epoch; for units of entities, of the entity's samples; of
 * sparse features, of the values that are given. With checkpoints, the data set is read back from the device once, for
 * its digests: at about 0.3 GB/s a core. */
PLETHRON_API plethron_status plethron_train(plethron_dataset *dataset, plethron_bank *bank,
                                            const plethron_train_options *options, plethron_error *err);

/* What plethron_train would do. Set struct_size before asking. */
typedef struct plethron_plan {
    size_t struct_size;
    char text[256];      /* strategy, tile sizes, device, in one line */
    uint64_t data_bytes; /* what the data set takes on the device */
    uint64_t bank_bytes; /* what training takes besides */
    double flops;        /* of all epochs of all units */
    double seconds;      /* predicted, when no unit stops before its last epoch; a rough guess */
} plethron_plan;

/* Checks and plans as plethron_train does, with the same errors, and trains nothing. */
PLETHRON_API plethron_status plethron_train_plan(const plethron_dataset *dataset, const plethron_bank *bank,
                                                 const plethron_train_options *options, plethron_plan *out,
                                                 plethron_error *err);

#ifdef __cplusplus
}
#endif

#include "plethron_files.h"
#include "plethron_prediction.h"

#endif
