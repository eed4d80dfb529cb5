#include "cases.h"

#include "bank.h"
#include "train.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

plethron_error case_error;

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
    }
}

static void fill_unit(test_case *c, size_t j, float rate, uint64_t *random) {
    c->id[j] = (int64_t)j;
    c->positive_class[j] = PLETHRON_NO_CLASS;
    c->epochs[j] = CASE_MAX_EPOCHS;
    c->rates[j] = rate * (0.5f + 0.5f * random_share(random));
    if (c->shape.units == UNITS_ALIKE) return;
    c->loss[j] = (int64_t)(j % 3);
    c->target[j] = (int64_t)(j / 3 % CASE_TARGETS);
    if (c->target[j] == 2) c->positive_class[j] = (int64_t)(j % CASE_CLASSES);
    if (c->target[j] == 0 && j % 2 == 1) c->positive_class[j] = 0;
    if (j % 2 == 1) c->l2[j] = 0.1f * random_share(random);
    c->epochs[j] = (int64_t)((j + 1) % (CASE_MAX_EPOCHS + 1));
}

test_case *case_open(case_shape shape, uint64_t seed) {
    test_case *c = allocate(1, sizeof *c);
    uint64_t random = seed;
    c->shape = shape;
    c->X = allocate(shape.n_samples * shape.n_features, sizeof *c->X);
    c->Y = allocate(shape.n_samples * CASE_TARGETS, sizeof *c->Y);
    c->rates = allocate(shape.n_units, sizeof *c->rates);
    c->l2 = allocate(shape.n_units, sizeof *c->l2);
    c->epochs = allocate(shape.n_units, sizeof *c->epochs);
    c->loss = allocate(shape.n_units, sizeof *c->loss);
    c->target = allocate(shape.n_units, sizeof *c->target);
    c->positive_class = allocate(shape.n_units, sizeof *c->positive_class);
    c->id = allocate(shape.n_units, sizeof *c->id);
    fill_data(c, &random);
    /* |x| <= 1 and |ddelta/dz| <= 1/4, so a step moves a weight by at most rate (n_features + 1) / 4 of an error. */
    float rate = 4.0f / (float)(shape.n_features + 1);
    if (shape.reduction == PLETHRON_REDUCTION_SUM) rate /= (float)shape.n_samples;
    for (size_t j = 0; j < shape.n_units; j++) fill_unit(c, j, rate, &random);
    return c;
}

void case_close(test_case *c) {
    if (!c) return;
    void *memory[] = {c->X, c->Y, c->rates, c->l2, c->epochs, c->loss, c->target, c->positive_class, c->id, c};
    for (size_t i = 0; i < sizeof memory / sizeof *memory; i++) free(memory[i]);
}

plethron_dataset *case_dataset(const test_case *c, plethron_device *device) {
    plethron_dataset *dataset = NULL;
    check_ok(plethron_dataset_create(device, c->X, c->shape.n_samples, c->shape.n_features, c->Y, CASE_TARGETS, NULL,
                                     &dataset, &case_error));
    return dataset;
}

static int64_t *pick_integers(const int64_t *from, const size_t *units, size_t n) {
    int64_t *picked = allocate(n, sizeof *picked);
    for (size_t j = 0; j < n; j++) picked[j] = from[units ? units[j] : j];
    return picked;
}

static float *pick_floats(const float *from, const size_t *units, size_t n) {
    float *picked = allocate(n, sizeof *picked);
    for (size_t j = 0; j < n; j++) picked[j] = from[units ? units[j] : j];
    return picked;
}

plethron_bank *case_bank(const test_case *c, const size_t *units, size_t n) {
    plethron_bank *bank = NULL;
    float *rates = pick_floats(c->rates, units, n), *l2 = pick_floats(c->l2, units, n);
    int64_t *epochs = pick_integers(c->epochs, units, n), *loss = pick_integers(c->loss, units, n);
    int64_t *target = pick_integers(c->target, units, n), *class = pick_integers(c->positive_class, units, n);
    int64_t *id = pick_integers(c->id, units, n);
    const plethron_bank_options options = {
        .struct_size = sizeof options,
        .learning_rate = {rates, n},
        .l2 = {l2, n},
        .epochs = {epochs, n},
        .loss = {loss, n},
        .target = {target, n},
        .positive_class = {class, n},
        .id = {id, n},
        .reduction = c->shape.reduction,
        .init = PLETHRON_INIT_UNIFORM,
    };
    check_ok(plethron_bank_create(c->shape.n_features, n, &options, &bank, &case_error));
    void *memory[] = {rates, l2, epochs, loss, target, class, id};
    for (size_t i = 0; i < sizeof memory / sizeof *memory; i++) free(memory[i]);
    return bank;
}

reference_unit case_reference(const test_case *c, size_t unit) {
    return (reference_unit){
        .X = c->X,
        .Y = c->Y,
        .n_samples = c->shape.n_samples,
        .n_features = c->shape.n_features,
        .n_targets = CASE_TARGETS,
        .target = (size_t)c->target[unit],
        .positive_class = c->positive_class[unit],
        .loss = (plethron_loss)c->loss[unit],
        .reduction = c->shape.reduction,
        .learning_rate = (double)c->rates[unit],
        .l2 = (double)c->l2[unit],
    };
}

/* ---- Ways to run ------------------------------------------------------------------------------------------------- */

static void add_way(case_ways *ways, plethron_device *device, const tile_sizes *tiling) {
    assert_true(ways->n_ways < sizeof ways->ways / sizeof *ways->ways);
    case_way *way = &ways->ways[ways->n_ways++];
    const char *choice = device_is_host(device) ? "native" : "planner's tiling";
    way->device = device;
    way->tiling = tiling;
    snprintf(way->name, sizeof way->name, "%s, %s", plethron_device_describe(device)->name,
             tiling ? tiling->name : choice);
}

static void add_device(case_ways *ways, const char *selector, size_t guard_bytes) {
    size_t n_tilings = 0;
    const tile_sizes *tilings = tilings_all(&n_tilings);
    plethron_device *device = NULL;
    assert_true(ways->n_devices < sizeof ways->devices / sizeof *ways->devices);
    check_ok(plethron_device_open(selector, &device, &case_error));
    ways->devices[ways->n_devices++] = device;
    device_guard_buffers(device, guard_bytes);
    add_way(ways, device, NULL);
    for (size_t t = 0; !device_is_host(device) && t < n_tilings; t++)
        if (tiling_fits(device, &tilings[t])) add_way(ways, device, &tilings[t]);
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

bool case_bits_hold(const case_way *way) {
    return plethron_device_describe(way->device)->bits_hold;
}

void case_train(const case_way *way, plethron_dataset *dataset, plethron_bank *bank) {
    check_ok(train_with_tiling(dataset, bank, NULL, way->tiling, &case_error));
}

void case_train_on(const case_way *way, const test_case *c, plethron_bank *bank) {
    plethron_dataset *dataset = case_dataset(c, way->device);
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
    run->dataset = case_dataset(c, way->device);
    check_ok(bank_problem_open(run->bank, run->dataset, &run->whole, &case_error));
    check_ok(plan_choose(&run->whole.problem, NULL, way->tiling, &run->plan, &case_error));
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

void check_same_unit(const plethron_bank *bank_a, size_t a, const plethron_bank *bank_b, size_t b, const char *what) {
    for (size_t k = 0; k <= bank_a->n_features; k++) { /* the bias behind the weights */
        const float *w_a = bank_a->weights + k * bank_a->n_units + a, *w_b = bank_b->weights + k * bank_b->n_units + b;
        if (memcmp(w_a, w_b, sizeof *w_a) != 0)
            fail_msg("%s: weight %zu of unit %zu is %a and %a", what, k, a, (double)*w_a, (double)*w_b);
    }
    for (size_t i = 0; i < BANK_N_ARRAYS; i++)
        if (!same_array_value(bank_a, a, bank_b, b, &bank_arrays[i]))
            fail_msg("%s: %s of unit %zu is %a and %a", what, bank_arrays[i].name, a,
                     array_value(bank_a, &bank_arrays[i], a), array_value(bank_b, &bank_arrays[i], b));
}

void check_same_bank(const plethron_bank *bank_a, const plethron_bank *bank_b, const char *what) {
    assert_int_equal(plethron_bank_n_units(bank_a), plethron_bank_n_units(bank_b));
    for (size_t j = 0; j < plethron_bank_n_units(bank_a); j++) check_same_unit(bank_a, j, bank_b, j, what);
}
