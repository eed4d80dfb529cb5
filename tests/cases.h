/* Problems for tests: random data from a printed seed, banks of units that differ in everything, and every way the
 * library can run them. Everything here fails the running cmocka test when the library reports an error. */
#ifndef PLETHRON_CASES_H
#define PLETHRON_CASES_H

#include "bank.h"
#include "plan.h"
#include "reference.h"
#include "train_problem.h"

/* ---- Problems ---------------------------------------------------------------------------------------------------- */

typedef enum case_units {
    UNITS_ALIKE, /* all learn target 0 by the log loss, for as many epochs */
    UNITS_PLAIN, /* alike, on data with sample weights and folds */
    UNITS_MIXED, /* losses, targets, classes, rates, l2 and epochs (0 among them) differ from unit to unit */
    /* Mixed, and so is all else that a unit may have: optimiser, schedule, l1, class weights, columns of sample
     * weights, excluded folds, bootstraps, missing targets; a tolerance or patience that may stop it */
    UNITS_FULL
} case_units;

/* What a problem looks like; its numbers follow from the seed. */
typedef struct case_shape {
    size_t n_samples;
    size_t n_features;
    size_t n_units;
    case_units units;
    plethron_reduction reduction;
} case_shape;

enum { CASE_TARGETS = 4 }; /* 0 or 1; a share in [0, 1]; a class code below CASE_CLASSES; 0, 1 or missing */
enum { CASE_CLASSES = 5, CASE_MAX_EPOCHS = 5, CASE_WEIGHT_COLUMNS = 2, CASE_FOLDS = 4, CASE_CHECK_EVERY = 2 };

typedef struct test_case {
    case_shape shape;
    float *X;              /* [n_samples, n_features], in [-1, 1) */
    float *Y;              /* [n_samples, CASE_TARGETS] */
    float *sample_weights; /* [n_samples, CASE_WEIGHT_COLUMNS], in [0, 2), some 0 */
    uint8_t *folds;        /* [n_samples], below CASE_FOLDS */
    bool standardize;      /* the data set */
    plethron_storage storage;
    plethron_bank *units; /* what is given of each unit; never trained */
} test_case;

/* The seed of this run: PLETHRON_TEST_SEED from the environment, else the time. Printed at the first call. */
uint64_t case_seed(void);

/* The same for the same shape and seed, on every machine. Rates are so small that an epoch at most doubles a
 * disturbance of the weights (tolerance.h). */
test_case *case_open(case_shape shape, uint64_t seed);
void case_close(test_case *c);

/* Features [n_rows, n_columns] as compressed rows, without the zeros. */
typedef struct case_sparse {
    plethron_sparse X;
    int64_t *offsets;
    int32_t *columns;
    float *values;
} case_sparse;
case_sparse case_sparse_open(const float *X, size_t n_rows, size_t n_columns);
void case_sparse_close(case_sparse *sparse);

/* A new bank of the n units numbered in `units`, in that order; NULL for all in theirs. Start weights are random. */
plethron_bank *case_bank(const test_case *c, const size_t *units, size_t n);
/* A unit as the reference sees it; the bootstrap's counts, where it has them, go to `counts` [n_samples], which may be
 * NULL elsewhere. */
reference_unit case_reference(const test_case *c, size_t unit, uint8_t *counts);
/* Units without rules: for how long they train is known. */
void case_drop_rules(test_case *c);

/* ---- Ways to run ------------------------------------------------------------------------------------------------- */

/* A device, a strategy, and tile sizes; NULL where the strategy is free to choose, or on the host. */
typedef struct case_way {
    plethron_device *device;
    const char *strategy;
    sum_order order;
    bool is_sparse; /* it takes the features sparse */
    const tile_sizes *tiling;
    char name[128];
} case_way;

typedef struct case_ways {
    plethron_device *devices[16];
    size_t n_devices;
    case_way ways[256];
    size_t n_ways;
} case_ways;

/* On GPUs `resident` takes 16 features, fewer than most cases have. Set before case_ways_open, where they have no more,
 * it is among the ways there, too. */
extern bool case_has_few_features;

/* Every device, the host last; each with every strategy, first with its own choice of tile sizes, then with every
 * tiling that fits. Buffers have guard margins of `guard_bytes`. */
void case_ways_open(size_t guard_bytes, case_ways *ways);
void case_ways_close(case_ways *ways);

/* True where the ways hold this strategy with this tiling. */
bool case_wants(const strategy *with, const tile_sizes *tiling);

/* False where a strategy has all rows at once: its epochs run inside one launch. */
bool case_takes_batches(const case_way *way);

/* False where a strategy takes few features, and these are more. */
bool case_takes_features(const case_way *way, size_t n_features);

/* True when results have the same bits as on other devices. */
bool case_bits_hold(const case_way *way);
/* The number of the way whose bits all ways of an order must have where their bits hold: for the order of units the
 * host's; n_ways when there is none. */
size_t case_model(const case_ways *ways, sum_order order);

/* The case's data as the way takes them, on its device. */
plethron_dataset *case_dataset(const test_case *c, const case_way *way);

void case_train(const case_way *way, plethron_dataset *dataset, plethron_bank *bank);
/* case_train on a new data set. */
void case_train_on(const case_way *way, const test_case *c, plethron_bank *bank);

/* A training below the public functions: what train.c makes of a case, on the device, ready for live_epochs. */
typedef struct case_run {
    plethron_bank *bank;
    plethron_dataset *dataset;
    bank_problem whole;
    train_plan plan;
    live_set *live;
    void *run;
} case_run;

/* `shard_units` and `n_parts` replace what was planned; 0 leaves them. */
void case_run_open(const case_way *way, const test_case *c, size_t shard_units, size_t n_parts, case_run *run);
void case_run_close(case_run *run);

/* ---- Checks ------------------------------------------------------------------------------------------------------ */

/* Fails with the error's text. */
#define check_ok(call) case_check_status(call, #call, __FILE__, __LINE__)
void case_check_status(plethron_status status, const char *call, const char *file, int line);

/* Fails unless |got - want| <= tolerance, which no NaN does. `format` and what follows name the value. */
void check_near(double got, double want, double tolerance, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* A unit's weights [n_features + 1] as doubles. */
void case_weights(const plethron_bank *bank, size_t unit, double *w);
plethron_unit case_unit(const plethron_bank *bank, size_t unit);
/* Fails unless the units have the same bits in their weights. */
void check_same_weights(const plethron_bank *bank_a, size_t a, const plethron_bank *bank_b, size_t b, const char *what);
/* Fails unless unit a of one bank and unit b of the other have the same bits: weights, values, state and measures. */
void check_same_unit(const plethron_bank *bank_a, size_t a, const plethron_bank *bank_b, size_t b, const char *what);
/* Trains the units numbered in `units` as a bank of their own and compares each with its twin in the trained `all`. */
void check_units_alike(const case_way *way, const test_case *c, const plethron_bank *all, const size_t *units,
                       size_t n);
/* check_same_unit for all units of two banks. */
void check_same_bank(const plethron_bank *bank_a, const plethron_bank *bank_b, const char *what);

/* How check_ok gets its error: pass this as `err`. */
extern plethron_error case_error;

#endif
