#include "cases.h"

#include "random.h"
#include "train.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

plethron_error case_error;
bool case_has_few_features;

/* ---- Random numbers ---------------------------------------------------------------------------------------------- */

uint64_t case_seed(void) {
    static uint64_t seed;
    if (seed) return seed;
    const char *given = getenv("PLETHRON_TEST_SEED");
    seed = given && *given ? strtoull(given, NULL, 10) : (uint64_t)time(NULL);
    printf("PLETHRON_TEST_SEED=%llu\n", (unsigned long long)seed);
    return seed;
}

/* splitmix64 (G. L. Steele et al., "Fast splittable pseudorandom number generators", OOPSLA 2014). */
static uint64_t random_bits(uint64_t *state) {
    uint64_t z = *state += 0x9E3779B97F4A7C15u;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
}

/* In [0, 1), a multiple of 2^-24. */
static float random_share(uint64_t *state) {
    return (float)(random_bits(state) >> 40) * 0x1p-24f;
}

/* ---- Problems ---------------------------------------------------------------------------------------------------- */

static void *allocate(size_t count, size_t size) {
    void *memory = calloc(count ? count : 1, size);
    assert_non_null(memory);
    return memory;
}

static void fill_data(test_case *c, uint64_t *random) {
    const case_shape *shape = &c->shape;
    for (size_t e = 0; e < shape->n_samples * shape->n_features; e++) c->X[e] = 2.0f * random_share(random) - 1.0f;
    for (size_t i = 0; i < shape->n_samples; i++) {
        float *y = c->Y + i * CASE_TARGETS;
        y[0] = (float)(random_bits(random) & 1);
        y[1] = random_share(random);
        y[2] = (float)(random_bits(random) % CASE_CLASSES);
        y[3] = random_bits(random) % 4 ? (float)(random_bits(random) & 1) : NAN;
        for (size_t column = 0; column < CASE_WEIGHT_COLUMNS; column++)
            c->sample_weights[i * CASE_WEIGHT_COLUMNS + column] =
                random_bits(random) % 8 ? 2.0f * random_share(random) : 0.0f;
        c->folds[i] = (uint8_t)(random_bits(random) % CASE_FOLDS);
    }
    c->folds[shape->n_samples - 1] = CASE_FOLDS - 1; /* in data of few rows: the other folds exist, and have no rows */
}

static void fill_mixed(plethron_bank *units, size_t j, uint64_t *random) {
    units->loss[j] = (int64_t)(j % 3);
    units->target[j] = (int64_t)(j / 3 % 3);
    if (units->target[j] == 2) units->positive_class[j] = (int64_t)(j % CASE_CLASSES);
    if (units->target[j] == 0 && j % 2 == 1) units->positive_class[j] = 0;
    if (j % 2 == 1) units->l2[j] = 0.1f * random_share(random);
    units->epochs[j] = (int64_t)((j + 1) % (CASE_MAX_EPOCHS + 1));
}

/* What the mixed units lack, each by a choice of its own: all pairs come together somewhere. */
static void fill_full(plethron_bank *units, size_t j, uint64_t *random) {
    const uint64_t choice = random_bits(random);
    if (choice % 4 == 0) {
        units->target[j] = 3;
        units->positive_class[j] = PLETHRON_NO_CLASS;
    }
    units->epochs[j] = (int64_t)(1 + (choice >> 2) % CASE_MAX_EPOCHS);
    units->optimizer[j] = (int64_t)(j % 4);
    units->momentum[j] = 0.5f + 0.4f * random_share(random);
    units->beta2[j] = 0.9f + 0.09f * random_share(random);
    units->epsilon[j] = 0.01f + 0.1f * random_share(random);
    if (units->optimizer[j] == PLETHRON_OPTIMIZER_ADAM) units->learning_rate[j] = 0.01f + 0.04f * random_share(random);
    units->schedule[j] = (int64_t)((choice >> 5) % 3);
    units->decay[j] = 2.0f * random_share(random);
    units->l1[j] = (choice >> 7) % 2 ? 0.02f * random_share(random) : 0.0f;
    units->balanced[j] = (choice >> 8) % 4 == 0;
    if ((choice >> 10) % 2) {
        units->weight_negative[j] = 2.0f * random_share(random);
        units->weight_positive[j] = 0.25f + random_share(random);
    }
    units->weight_column[j] = (int64_t)((choice >> 11) % 3) - 1;
    units->excluded_fold[j] = (int64_t)((choice >> 13) % (CASE_FOLDS + 1)) - 1;
    units->bootstrap[j] = (choice >> 17) % 3 == 0;
    units->seed[j] = (int64_t)((choice >> 20) % 3) << 31;
    units->tolerance[j] = (choice >> 25) % 3 == 0 ? 0.2f * random_share(random) : 0.0f;
    units->patience[j] = units->excluded_fold[j] >= 0 && (choice >> 28) % 2 ? (int64_t)(1 + (choice >> 30) % 4) : 0;
}

static void fill_unit(test_case *c, size_t j, float rate, uint64_t *random) {
    plethron_bank *units = c->units;
    units->id[j] = (int64_t)j;
    units->epochs[j] = CASE_MAX_EPOCHS;
    units->learning_rate[j] = rate * (0.5f + 0.5f * random_share(random));
    if (c->shape.units >= UNITS_MIXED) fill_mixed(units, j, random);
    if (c->shape.units == UNITS_FULL) fill_full(units, j, random);
}

test_case *case_open(case_shape shape, uint64_t seed) {
    test_case *c = allocate(1, sizeof *c);
    uint64_t random = seed;
    c->shape = shape;
    c->X = allocate(shape.n_samples * shape.n_features, sizeof *c->X);
    c->Y = allocate(shape.n_samples * CASE_TARGETS, sizeof *c->Y);
    c->sample_weights = allocate(shape.n_samples * CASE_WEIGHT_COLUMNS, sizeof *c->sample_weights);
    c->folds = allocate(shape.n_samples, sizeof *c->folds);
    fill_data(c, &random);
    check_ok(bank_allocate(shape.n_features, shape.n_units, &c->units, &case_error));
    for (size_t a = 0; a < BANK_N_ARRAYS; a++) bank_array_reset(c->units, &bank_arrays[a]);
    c->units->reduction = shape.reduction;
    c->units->check_every = CASE_CHECK_EVERY;
    /* |x| <= 1 and |ddelta/dz| <= 1/4, so a step moves a weight by at most rate (n_features + 1) / 4 of an error. */
    float rate = 4.0f / (float)(shape.n_features + 1);
    if (shape.reduction == PLETHRON_REDUCTION_SUM) rate /= (float)shape.n_samples;
    for (size_t j = 0; j < shape.n_units; j++) fill_unit(c, j, rate, &random);
    return c;
}

void case_drop_rules(test_case *c) {
    for (size_t j = 0; j < c->shape.n_units; j++) {
        c->units->tolerance[j] = 0.0f;
        c->units->patience[j] = 0;
    }
}

void case_close(test_case *c) {
    if (!c) return;
    void *memory[] = {c->X, c->Y, c->sample_weights, c->folds};
    for (size_t i = 0; i < sizeof memory / sizeof *memory; i++) free(memory[i]);
    plethron_bank_close(c->units);
    free(c);
}

case_sparse case_sparse_open(const float *X, size_t n_rows, size_t n_columns) {
    case_sparse sparse = {.offsets = allocate(n_rows + 1, sizeof *sparse.offsets),
                          .columns = allocate(n_rows * n_columns, sizeof *sparse.columns),
                          .values = allocate(n_rows * n_columns, sizeof *sparse.values)};
    int64_t n = 0;
    for (size_t i = 0; i < n_rows; i++) {
        for (size_t k = 0; k < n_columns; k++) {
            if (X[i * n_columns + k] == 0.0f) continue;
            sparse.columns[n] = (int32_t)k;
            sparse.values[n++] = X[i * n_columns + k];
        }
        sparse.offsets[i + 1] = n;
    }
    sparse.X = (plethron_sparse){n_rows, n_columns, sparse.offsets, sparse.columns, sparse.values};
    return sparse;
}

void case_sparse_close(case_sparse *sparse) {
    free(sparse->offsets);
    free(sparse->columns);
    free(sparse->values);
}

static plethron_dataset *sparse_dataset(const test_case *c, plethron_device *device,
                                        const plethron_dataset_options *options) {
    plethron_dataset *dataset = NULL;
    case_sparse sparse = case_sparse_open(c->X, c->shape.n_samples, c->shape.n_features);
    check_ok(plethron_dataset_create_sparse(device, &sparse.X, c->Y, CASE_TARGETS, options, &dataset, &case_error));
    case_sparse_close(&sparse);
    return dataset;
}

plethron_dataset *case_dataset(const test_case *c, const case_way *way) {
    plethron_dataset *dataset = NULL;
    plethron_dataset_options options = {
        .struct_size = sizeof options, .standardize = c->standardize, .storage = c->storage};
    if (c->shape.units == UNITS_FULL || c->shape.units == UNITS_PLAIN) {
        options.sample_weights = c->sample_weights;
        options.n_weight_columns = CASE_WEIGHT_COLUMNS;
        options.folds = c->folds;
    }
    if (way->is_sparse) return sparse_dataset(c, way->device, &options);
    check_ok(plethron_dataset_create(way->device, c->X, c->shape.n_samples, c->shape.n_features, c->Y, CASE_TARGETS,
                                     &options, &dataset, &case_error));
    return dataset;
}

/* Gives the options the array's values of the units picked; what must be freed. */
static void *pick(const plethron_bank *from, const bank_array *array, const size_t *units, size_t n,
                  plethron_bank_options *options) {
    const size_t size = array->is_integer ? sizeof(int64_t) : sizeof(float);
    char *picked = allocate(n, size);
    for (size_t j = 0; j < n; j++)
        memcpy(picked + j * size, (const char *)bank_array_memory(from, array) + (units ? units[j] : j) * size, size);
    void *option = (char *)options + array->option_offset;
    if (array->is_integer)
        *(plethron_integers *)option = (plethron_integers){(const int64_t *)(const void *)picked, n};
    else
        *(plethron_floats *)option = (plethron_floats){(const float *)(const void *)picked, n};
    return picked;
}

plethron_bank *case_bank(const test_case *c, const size_t *units, size_t n) {
    plethron_bank *bank = NULL;
    void *picked[BANK_N_ARRAYS] = {NULL};
    plethron_bank_options options = {
        .struct_size = sizeof options,
        .reduction = c->units->reduction,
        .init = PLETHRON_INIT_UNIFORM,
        .check_every = c->units->check_every,
        .batch_size = (size_t)c->units->batch_size,
        .batch_seed = c->units->batch_seed,
    };
    for (size_t a = 0; a < BANK_N_ARRAYS; a++)
        if (bank_arrays[a].option_offset != BANK_NO_OPTION)
            picked[a] = pick(c->units, &bank_arrays[a], units, n, &options);
    check_ok(plethron_bank_create(c->shape.n_features, n, &options, &bank, &case_error));
    for (size_t a = 0; a < BANK_N_ARRAYS; a++) free(picked[a]);
    return bank;
}

/* Draw k takes word k % 4 at the counter (k / 4, id, use) under the seed: kernels/bootstrap.cl. */
static void draw_counts(const plethron_bank *units, size_t j, size_t n_samples, uint8_t *counts) {
    enum { FOR_BOOTSTRAP = 2 };
    const uint64_t seed = (uint64_t)units->seed[j], id = (uint64_t)units->id[j];
    const uint32_t key[2] = {(uint32_t)seed, (uint32_t)(seed >> 32)};
    memset(counts, 0, n_samples);
    for (uint32_t k = 0; k < n_samples; k++) {
        const uint32_t counter[4] = {k / 4, (uint32_t)id, (uint32_t)(id >> 32), FOR_BOOTSTRAP};
        uint32_t words[4];
        random_numbers(counter, key, words);
        counts[(uint64_t)words[k % 4] * n_samples >> 32]++;
    }
}

reference_unit case_reference(const test_case *c, size_t j, uint8_t *counts) {
    const plethron_bank *units = c->units;
    if (units->bootstrap[j]) draw_counts(units, j, c->shape.n_samples, counts);
    return (reference_unit){
        .X = c->X,
        .Y = c->Y,
        .n_samples = c->shape.n_samples,
        .n_features = c->shape.n_features,
        .n_targets = CASE_TARGETS,
        .target = (size_t)units->target[j],
        .positive_class = units->positive_class[j],
        .loss = (plethron_loss)units->loss[j],
        .reduction = units->reduction,
        .learning_rate = (double)units->learning_rate[j],
        .l2 = (double)units->l2[j],
        .l1 = (double)units->l1[j],
        .sample_weights = units->weight_column[j] >= 0 ? c->sample_weights : NULL,
        .n_weight_columns = CASE_WEIGHT_COLUMNS,
        .weight_column = units->weight_column[j] >= 0 ? (size_t)units->weight_column[j] : 0,
        .folds = units->excluded_fold[j] >= 0 ? c->folds : NULL,
        .excluded_fold = units->excluded_fold[j],
        .counts = units->bootstrap[j] ? counts : NULL,
        .has_class_weights =
            units->balanced[j] || units->weight_negative[j] != 1.0f || units->weight_positive[j] != 1.0f,
        .balanced = units->balanced[j],
        .weight_negative = (double)units->weight_negative[j],
        .weight_positive = (double)units->weight_positive[j],
        .optimizer = (plethron_optimizer)units->optimizer[j],
        .momentum = (double)units->momentum[j],
        .beta2 = (double)units->beta2[j],
        .epsilon = (double)units->epsilon[j],
        .schedule = (plethron_schedule)units->schedule[j],
        .decay = (double)units->decay[j],
        .epochs = units->epochs[j],
    };
}

/* ---- Ways to run ------------------------------------------------------------------------------------------------- */

static void add_way(case_ways *ways, plethron_device *device, const strategy *with, const tile_sizes *tiling) {
    assert_true(ways->n_ways < sizeof ways->ways / sizeof *ways->ways);
    case_way *way = &ways->ways[ways->n_ways++];
    const char *choice = device_is_host(device) ? "native" : "planner's tiling";
    way->device = device;
    way->strategy = with->name;
    way->order = with->order;
    way->is_sparse = with->is_sparse;
    way->tiling = tiling;
    snprintf(way->name, sizeof way->name, "%s, %s, %s", plethron_device_describe(device)->name, with->name,
             tiling ? tiling->name : choice);
}

/* Where lanes are samples, tile sizes matter to the kernels around the strategy only, and whether groups share local
 * memory: a tiling of each kind will do; and so it is where features are sparse. */
bool case_wants(const strategy *with, const tile_sizes *tiling) {
#ifdef CASES_WITHOUT_TILINGS
    (void)with;
    (void)tiling;
    return false;
#endif
    const bool has_tiles = with->order == ORDER_OF_UNITS && !with->is_sparse && with != &strategy_resident;
    return has_tiles || strcmp(tiling->name, "wide-4") == 0 || strcmp(tiling->name, "group-64") == 0 ||
           strcmp(tiling->name, "group-small") == 0;
}

static void add_strategy(case_ways *ways, plethron_device *device, const strategy *with) {
    size_t n_tilings = 0;
    const tile_sizes *tilings = tilings_all(&n_tilings);
    add_way(ways, device, with, NULL);
    for (size_t t = 0; t < n_tilings; t++)
        if (tiling_fits(device, &tilings[t]) && case_wants(with, &tilings[t])) add_way(ways, device, with, &tilings[t]);
}

static void add_device(case_ways *ways, const char *selector, size_t guard_bytes) {
    size_t n_strategies = 0;
    const strategy *const *strategies = plan_strategies(&n_strategies);
    plethron_device *device = NULL;
    assert_true(ways->n_devices < sizeof ways->devices / sizeof *ways->devices);
    check_ok(plethron_device_open(selector, &device, &case_error));
    ways->devices[ways->n_devices++] = device;
    device_guard_buffers(device, guard_bytes);
    const bool leaves_resident = plethron_device_describe(device)->local_is_dedicated && !case_has_few_features;
    for (size_t s = 0; s < n_strategies; s++) {
        const bool runs_there = (strategies[s] == &strategy_host) == device_is_host(device);
        if ((strategies[s]->is_sparse || runs_there) && !(leaves_resident && strategies[s] == &strategy_resident))
            add_strategy(ways, device, strategies[s]);
    }
}

void case_ways_open(size_t guard_bytes, case_ways *ways) {
    plethron_device_list *list = NULL;
    memset(ways, 0, sizeof *ways);
    check_ok(plethron_device_list_open(&list, &case_error));
    for (size_t d = 0; d < plethron_device_list_count(list); d++) {
        const plethron_device_info *info = plethron_device_list_get(list, d);
        char selector[16] = "host";
        if (info->index >= 0) snprintf(selector, sizeof selector, "%d", info->index);
        add_device(ways, selector, guard_bytes);
    }
    plethron_device_list_close(list);
}

void case_ways_close(case_ways *ways) {
    for (size_t d = 0; d < ways->n_devices; d++) plethron_device_close(ways->devices[d]);
    memset(ways, 0, sizeof *ways);
}

bool case_takes_batches(const case_way *way) {
    return strcmp(way->strategy, "grouped") != 0 && strcmp(way->strategy, "resident") != 0;
}

bool case_takes_features(const case_way *way, size_t n_features) {
    enum { FEW = 128 };
    return strcmp(way->strategy, "resident") != 0 || n_features <= FEW;
}

bool case_bits_hold(const case_way *way) {
    return plethron_device_describe(way->device)->bits_hold;
}

size_t case_model(const case_ways *ways, sum_order order) {
    size_t model = ways->n_ways;
    for (size_t w = 0; w < ways->n_ways; w++)
        if (ways->ways[w].order == order && case_bits_hold(&ways->ways[w])) model = w;
    return model;
}

void case_train(const case_way *way, plethron_dataset *dataset, plethron_bank *bank) {
    const plethron_train_options options = {.struct_size = sizeof options, .strategy = way->strategy};
    check_ok(train_with_tiling(dataset, bank, &options, way->tiling, &case_error));
}

void case_train_on(const case_way *way, const test_case *c, plethron_bank *bank) {
    plethron_dataset *dataset = case_dataset(c, way);
    case_train(way, dataset, bank);
    plethron_dataset_close(dataset);
}

/* ---- Below the public functions ---------------------------------------------------------------------------------- */

static void weigh(case_run *run) {
    const size_t stride = run->whole.problem.unit_stride;
    float *totals = allocate(WEIGH_SUMS * stride, sizeof *totals);
    check_ok(live_weigh(run->live, run->run, totals, &case_error));
    bank_problem_weigh(&run->whole, run->bank, totals, stride);
    check_ok(live_upload_units(run->live, &case_error));
    free(totals);
}

void case_run_open(const case_way *way, const test_case *c, size_t shard_units, size_t n_parts, case_run *run) {
    memset(run, 0, sizeof *run);
    run->bank = case_bank(c, NULL, c->shape.n_units);
    run->dataset = case_dataset(c, way);
    check_ok(bank_problem_open(run->bank, run->dataset, &run->whole, &case_error));
    check_ok(plan_choose(&run->whole.problem, way->strategy, way->tiling, &run->plan, &case_error));
    if (shard_units) run->plan.shard_units = shard_units;
    if (n_parts) run->plan.n_parts = n_parts;
    check_ok(live_open(&run->whole.problem, &run->plan, &run->live, &case_error));
    check_ok(run->plan.strategy->open(run->live, &run->run, &case_error));
    weigh(run);
}

void case_run_close(case_run *run) {
    run->plan.strategy->close(run->run);
    live_close(run->live);
    bank_problem_close(&run->whole);
    plethron_dataset_close(run->dataset);
    plethron_bank_close(run->bank);
}

/* ---- Checks ------------------------------------------------------------------------------------------------------ */

void case_check_status(plethron_status status, const char *call, const char *file, int line) {
    if (status == PLETHRON_OK) return;
    print_error("%s: %s: %s\n", call, plethron_status_name(status), case_error.text);
    _fail(file, line);
}

void check_near(double got, double want, double tolerance, const char *format, ...) {
    if (fabs(got - want) <= tolerance) return;
    char name[256];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(name, sizeof name, format, arguments);
    va_end(arguments);
    fail_msg("%s is %.9g, off from %.9g by %.3g: %.3g is allowed", name, got, want, fabs(got - want), tolerance);
}

/* A value of a bank's array as a double, and whether two have the same bits. */
static double array_value(const plethron_bank *bank, const bank_array *array, size_t unit) {
    const void *memory = bank_array_memory(bank, array);
    return array->is_integer ? (double)((const int64_t *)memory)[unit] : (double)((const float *)memory)[unit];
}

static bool same_array_value(const plethron_bank *bank_a, size_t a, const plethron_bank *bank_b, size_t b,
                             const bank_array *array) {
    const size_t size = array->is_integer ? sizeof(int64_t) : sizeof(float);
    return memcmp((const char *)bank_array_memory(bank_a, array) + a * size,
                  (const char *)bank_array_memory(bank_b, array) + b * size, size) == 0;
}

void case_weights(const plethron_bank *bank, size_t unit, double *w) {
    for (size_t k = 0; k <= bank->n_features; k++) w[k] = (double)bank->weights[k * bank->n_units + unit];
}

plethron_unit case_unit(const plethron_bank *bank, size_t unit) {
    plethron_unit values = {.struct_size = sizeof values};
    check_ok(plethron_bank_unit(bank, unit, &values, &case_error));
    return values;
}

void check_same_weights(const plethron_bank *bank_a, size_t a, const plethron_bank *bank_b, size_t b,
                        const char *what) {
    for (size_t k = 0; k <= bank_a->n_features; k++) { /* the bias behind the weights */
        const float *w_a = bank_a->weights + k * bank_a->n_units + a, *w_b = bank_b->weights + k * bank_b->n_units + b;
        if (memcmp(w_a, w_b, sizeof *w_a) != 0)
            fail_msg("%s: weight %zu of unit %zu is %a and %a", what, k, a, (double)*w_a, (double)*w_b);
    }
}

void check_same_unit(const plethron_bank *bank_a, size_t a, const plethron_bank *bank_b, size_t b, const char *what) {
    check_same_weights(bank_a, a, bank_b, b, what);
    for (size_t i = 0; i < BANK_N_ARRAYS; i++)
        if (!same_array_value(bank_a, a, bank_b, b, &bank_arrays[i]))
            fail_msg("%s: %s of unit %zu is %a and %a", what, bank_arrays[i].name, a,
                     array_value(bank_a, &bank_arrays[i], a), array_value(bank_b, &bank_arrays[i], b));
}

void check_same_bank(const plethron_bank *bank_a, const plethron_bank *bank_b, const char *what) {
    assert_int_equal(plethron_bank_n_units(bank_a), plethron_bank_n_units(bank_b));
    for (size_t j = 0; j < plethron_bank_n_units(bank_a); j++) check_same_unit(bank_a, j, bank_b, j, what);
}

void check_units_alike(const case_way *way, const test_case *c, const plethron_bank *all, const size_t *units,
                       size_t n) {
    char what[256];
    plethron_bank *bank = case_bank(c, units, n);
    case_train_on(way, c, bank);
    snprintf(what, sizeof what, "%s, %zu units, batches of %lld", way->name, n, (long long)c->units->batch_size);
    for (size_t j = 0; j < n; j++) check_same_unit(all, units[j], bank, j, what);
    plethron_bank_close(bank);
}
