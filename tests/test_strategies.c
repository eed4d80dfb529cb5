/* Every strategy on every device with every tiling against the reference in double, within tolerances that are derived
 * (tolerance.h), with margins of NaN around every device buffer; and what the strategies transfer. */
#include "cases.h"
#include "tolerance.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { GUARD_BYTES = 4096 };

static case_ways ways;

/* ---- Against the reference --------------------------------------------------------------------------------------- */

/* Measures and predictions follow from the weights that were reached: those are exact here, so the bound is 0. */
static void check_measures(const reference_unit *unit, const plethron_unit *got, const double *w, const double *zero,
                           const char *name) {
    check_near((double)got->final_loss, reference_mean_loss(unit, w), tolerance_mean_loss(unit, w, zero), "%s: loss",
               name);
    check_near((double)got->error_sum, reference_error_sum(unit, w), tolerance_error_sum(unit, w, zero),
               "%s: error sum", name);
    check_near((double)got->accuracy, reference_accuracy(unit, w), tolerance_accuracy(unit, w, zero), "%s: accuracy",
               name);
    check_near((double)got->row_weight, reference_weight_sum(unit),
               (tolerance_weight_sum(unit) + 0x1p-24) * reference_weight_sum(unit), "%s: row weight", name);
}

/* The same on the rows held out. */
static void check_held_out(const reference_unit *unit, const plethron_unit *got, const double *w, const double *zero,
                           const char *name) {
    uint8_t *counts = malloc(unit->n_samples);
    assert_non_null(counts);
    const reference_unit held = reference_held_out(unit, counts);
    if (reference_weight_sum(&held) == 0.0) {
        assert_true(isnan(got->held_out_loss) && isnan(got->held_out_error_sum) && isnan(got->held_out_accuracy));
    } else {
        check_near((double)got->held_out_loss, reference_mean_loss(&held, w), tolerance_mean_loss(&held, w, zero),
                   "%s: held-out loss", name);
        check_near((double)got->held_out_error_sum, reference_error_sum(&held, w), tolerance_error_sum(&held, w, zero),
                   "%s: held-out error sum", name);
        check_near((double)got->held_out_accuracy, reference_accuracy(&held, w), tolerance_accuracy(&held, w, zero),
                   "%s: held-out accuracy", name);
    }
    free(counts);
}

static void check_predictions(const reference_unit *unit, const float *P, size_t n_units, size_t j, const double *w,
                              const double *zero, const char *name) {
    for (size_t i = 0; i < unit->n_samples; i++)
        check_near((double)P[i * n_units + j], reference_sigmoid(reference_z(unit, w, i)),
                   tolerance_prediction(unit, w, zero, i), "%s: prediction of row %zu", name, i);
}

/* A unit for which no row counts is left as it was. */
static void check_untrained(const plethron_unit *got, const double *got_w, const double *start, size_t n_weights,
                            const char *name) {
    if (got->state != PLETHRON_UNIT_NO_ROWS || got->epochs_done != 0)
        fail_msg("%s: state %d after %lld epochs, but no row counts", name, (int)got->state,
                 (long long)got->epochs_done);
    assert_true(isnan(got->final_loss) && isnan(got->error_sum) && isnan(got->accuracy) && got->row_weight == 0.0f);
    assert_memory_equal(got_w, start, n_weights * sizeof *start);
}

/* Units that were followed, and those whose bounds grew so large on the way that they say little: adam divides by what
 * may be nearly 0. There must be few of them. */
static size_t n_followed, n_loose;

/* Trains the reference from the unit's start weights in `at`, along with bounds. */
static void follow(const reference_unit *unit, reference_point *at, reference_point *bound) {
    const double useful = 0.01;
    double *work = malloc(3 * (unit->n_features + 1) * sizeof *work);
    assert_non_null(work);
    for (int64_t epoch = 0; epoch < unit->epochs; epoch++) tolerance_epoch(unit, at, bound, work);
    bool is_loose = false;
    for (size_t k = 0; k <= unit->n_features; k++)
        is_loose = is_loose || !(bound->w[k] <= useful * (1.0 + fabs(at->w[k])));
    n_followed++;
    n_loose += is_loose;
    free(work);
}

static void test_bounds_say_something(void **state) {
    (void)state;
    assert_true(n_followed > 100);
    if (20 * n_loose > n_followed) fail_msg("%zu of %zu bounds are loose", n_loose, n_followed);
}

/* `at` holds the unit's start weights. */
static void check_unit(const test_case *c, size_t j, const plethron_bank *bank, const float *P, reference_point at,
                       const char *way_name) {
    const size_t n_weights = c->shape.n_features + 1;
    uint8_t *counts = malloc(c->shape.n_samples);
    assert_non_null(counts);
    const reference_unit unit = case_reference(c, j, counts);
    reference_point got_at = reference_point_open(c->shape.n_features),
                    bound = reference_point_open(c->shape.n_features);
    double *got_w = got_at.w, *zero = got_at.m;
    char name[256];
    snprintf(name, sizeof name, "%s, %zu samples, %zu features, unit %zu of %zu", way_name, c->shape.n_samples,
             c->shape.n_features, j, c->shape.n_units);
    const plethron_unit got = case_unit(bank, j);
    case_weights(bank, j, got_w);
    if (reference_full_weight_sum(&unit) == 0.0) {
        check_untrained(&got, got_w, at.w, n_weights, name);
    } else {
        follow(&unit, &at, &bound);
        for (size_t k = 0; k < n_weights; k++) check_near(got_w[k], at.w[k], bound.w[k], "%s: weight %zu", name, k);
        assert_int_equal(got.epochs_done, unit.epochs);
        check_measures(&unit, &got, got_w, zero, name);
    }
    check_held_out(&unit, &got, got_w, zero, name);
    check_predictions(&unit, P, c->shape.n_units, j, got_w, zero, name);
    free(bound.w);
    free(got_at.w);
    free(counts);
}

/* Units to look at: all of a few, some of many, the last among them. */
static size_t next_unit(size_t j, size_t n_units) {
    const size_t step = n_units / 24 + 1, next = j + step;
    return j < n_units - 1 && next >= n_units ? n_units - 1 : next;
}

static void check_way(const case_way *way, const test_case *c) {
    const size_t n_units = c->shape.n_units;
    plethron_bank *start = case_bank(c, NULL, n_units), *bank = case_bank(c, NULL, n_units);
    float *P = malloc(c->shape.n_samples * n_units * sizeof *P);
    assert_non_null(P);
    case_train_on(way, c, bank);
    check_ok(plethron_predict(way->device, bank, c->X, c->shape.n_samples, P, &case_error));
    for (size_t j = 0; j < n_units; j = next_unit(j, n_units)) {
        reference_point at = reference_point_open(c->shape.n_features);
        case_weights(start, j, at.w);
        check_unit(c, j, bank, P, at, way->name);
        free(at.w);
    }
    assert_int_equal(device_guard_violations(way->device), 0);
    free(P);
    plethron_bank_close(bank);
    plethron_bank_close(start);
}

static void check_shape(const case_way *way, case_shape shape) {
    if (!case_takes_features(way, shape.n_features)) return;
    test_case *c = case_open(shape, case_seed());
    case_drop_rules(c);
    check_way(way, c);
    case_close(c);
}

#define MEAN PLETHRON_REDUCTION_MEAN
#define SUM PLETHRON_REDUCTION_SUM

/* Around the sizes of vectors (16), of tiles (16, 64) and of summation blocks (256); tall, wide, many. */
static const case_shape all_shapes[] = {
    {1, 1, 1, UNITS_ALIKE, MEAN},     {2, 2, 2, UNITS_ALIKE, SUM},      {15, 16, 17, UNITS_MIXED, MEAN},
    {16, 15, 16, UNITS_MIXED, SUM},   {17, 17, 15, UNITS_MIXED, MEAN},  {63, 64, 65, UNITS_MIXED, MEAN},
    {64, 63, 64, UNITS_ALIKE, SUM},   {65, 65, 63, UNITS_MIXED, MEAN},  {255, 1, 256, UNITS_MIXED, SUM},
    {256, 2, 255, UNITS_MIXED, MEAN}, {257, 257, 2, UNITS_ALIKE, MEAN}, {1, 256, 257, UNITS_MIXED, MEAN},
    {1021, 3, 1, UNITS_ALIKE, MEAN},  {3, 1000, 16, UNITS_MIXED, SUM},  {1025, 17, 33, UNITS_MIXED, SUM},
    {2, 1, 1000, UNITS_MIXED, MEAN},  {512, 16, 64, UNITS_MIXED, MEAN}, {2, 3, 40, UNITS_FULL, MEAN},
    {239, 5, 7, UNITS_FULL, SUM},     {65, 7, 70, UNITS_FULL, SUM},     {530, 19, 48, UNITS_FULL, MEAN},
};

static const case_shape few_shapes[] = {
    {1, 1, 33, UNITS_MIXED, MEAN},    {17, 63, 65, UNITS_MIXED, SUM}, {257, 65, 17, UNITS_MIXED, MEAN},
    {513, 16, 64, UNITS_MIXED, MEAN}, {257, 9, 65, UNITS_FULL, MEAN},
};

static void test_all_shapes_with_the_planners_choice(void **state) {
    (void)state;
    for (size_t w = 0; w < ways.n_ways; w++)
        for (size_t s = 0; !ways.ways[w].tiling && s < sizeof all_shapes / sizeof *all_shapes; s++)
            check_shape(&ways.ways[w], all_shapes[s]);
}

static void test_some_shapes_with_every_tiling(void **state) {
    (void)state;
    for (size_t w = 0; w < ways.n_ways; w++)
        for (size_t s = 0; ways.ways[w].tiling && s < sizeof few_shapes / sizeof *few_shapes; s++)
            check_shape(&ways.ways[w], few_shapes[s]);
}

/* A kernel that read a margin would have spoilt its results with NaN; here results are the same without margins. */
static void test_margins_change_nothing(void **state) {
    (void)state;
    const case_shape shape = {257, 65, 17, UNITS_MIXED, MEAN};
    test_case *c = case_open(shape, case_seed());
    for (size_t w = 0; w < ways.n_ways; w++) {
        const case_way *way = &ways.ways[w];
        plethron_bank *with = case_bank(c, NULL, shape.n_units), *without = case_bank(c, NULL, shape.n_units);
        case_train_on(way, c, with);
        device_guard_buffers(way->device, 0);
        case_train_on(way, c, without);
        device_guard_buffers(way->device, GUARD_BYTES);
        check_same_bank(with, without, way->name);
        plethron_bank_close(with);
        plethron_bank_close(without);
    }
    case_close(c);
}

/* ---- Transfers --------------------------------------------------------------------------------------------------- */

static plethron_counters counters_of(const plethron_device *device) {
    plethron_counters counters = {.struct_size = sizeof counters};
    check_ok(plethron_device_counters(device, &counters, &case_error));
    return counters;
}

/* What one training uploads; leaves the units' epochs changed. */
static plethron_counters uploads_of_training(const case_way *way, test_case *c, plethron_dataset *dataset,
                                             int64_t epochs, int64_t measure_every) {
    for (size_t j = 0; j < c->shape.n_units; j++) c->units->epochs[j] = epochs;
    plethron_bank *bank = case_bank(c, NULL, c->shape.n_units);
    const plethron_train_options options = {
        .struct_size = sizeof options, .strategy = way->strategy, .measure_every = measure_every};
    const plethron_counters before = counters_of(way->device);
    check_ok(plethron_train(dataset, bank, &options, &case_error));
    plethron_counters used = counters_of(way->device);
    used.uploads -= before.uploads;
    used.upload_bytes -= before.upload_bytes;
    plethron_bank_close(bank);
    return used;
}

/* X and Y go to the device when the data set is made, once. A training uploads the arrays of its units once, whatever
 * its length: the weights and, before and after the rows are weighed, the units' values, states and held-out weights.
 */
static void test_training_uploads_units_only(void **state) {
    enum { VALUES_A_UNIT = UNIT_FIELDS + STATE_FIELDS + 1, UPLOADS = 1 + 2 * 3 };
    (void)state;
    const case_shape shape = {300, 40, 2, UNITS_MIXED, MEAN};
    test_case *c = case_open(shape, case_seed());
    for (size_t w = 0; w < ways.n_ways; w++) {
        const case_way *way = &ways.ways[w];
        if (way->tiling || !case_takes_batches(way)) continue; /* grouped has lists of units and blocks besides */
        if (way->is_sparse) continue;                          /* test_sparse.c */
        const bool on_host = device_is_host(way->device);
        const size_t unit_bytes = (shape.n_features + 1 + 2 * VALUES_A_UNIT) * UNIT_PADDING * sizeof(float);
        size_t tiles_floats = 0;
        assert_true(dataset_tiles_size(shape.n_samples, shape.n_features, &tiles_floats));
        const plethron_counters before = counters_of(way->device);
        plethron_dataset *dataset = case_dataset(c, way);
        const plethron_counters after = counters_of(way->device);
        assert_int_equal(after.uploads - before.uploads, on_host ? 0 : 2);
        assert_int_equal(after.upload_bytes - before.upload_bytes,
                         on_host ? 0 : (tiles_floats + CASE_TARGETS * dataset->y_stride) * sizeof(float));
        const int64_t lengths[][2] = {{1, 0}, {100, 0}, {100, 7}}; /* epochs, measure_every */
        for (size_t l = 0; l < sizeof lengths / sizeof *lengths; l++) {
            const plethron_counters used = uploads_of_training(way, c, dataset, lengths[l][0], lengths[l][1]);
            assert_int_equal(used.uploads, on_host ? 0 : UPLOADS);
            assert_int_equal(used.upload_bytes, on_host ? 0 : unit_bytes);
        }
        plethron_dataset_close(dataset);
    }
    case_close(c);
}

/* ---- Shards and parts -------------------------------------------------------------------------------------------- */

/* Results of a run of all epochs: weights [n_features + 1, unit_stride] and measures [MEASURE_SUMS, unit_stride]. */
typedef struct run_results {
    size_t n_weights, n_totals;
    float *weights, *totals;
} run_results;

static void close_results(run_results *results) {
    free(results->weights);
    free(results->totals);
}

static float *allocate(size_t n) {
    float *memory = malloc(n * sizeof *memory);
    assert_non_null(memory);
    return memory;
}

/* Runs the case with a plan whose shards and parts are given; 0 leaves them as planned. */
static run_results run_plan(const case_way *way, const test_case *c, size_t shard_units, size_t n_parts) {
    case_run run;
    case_run_open(way, c, shard_units, n_parts, &run);
    const size_t stride = run.whole.problem.unit_stride;
    run_results results = {.n_weights = (c->shape.n_features + 1) * stride, .n_totals = MEASURE_SUMS * stride};
    results.weights = allocate(results.n_weights);
    results.totals = allocate(results.n_totals);
    check_ok(live_epochs(run.live, run.run, 0, CASE_MAX_EPOCHS, &case_error));
    check_ok(live_measure(run.live, run.run, results.totals, &case_error));
    check_ok(live_download(run.live, &case_error));
    memcpy(results.weights, run.whole.problem.weights, results.n_weights * sizeof(float));
    case_run_close(&run);
    return results;
}

static void check_same_results(const run_results *a, const run_results *b) {
    assert_memory_equal(a->weights, b->weights, a->n_weights * sizeof(float));
    assert_memory_equal(a->totals, b->totals, a->n_totals * sizeof(float));
}

static void check_shards_and_parts(const case_way *way, const test_case *c) {
    const size_t shards[] = {64, 128, 192}, parts[] = {1, 3};
    run_results planned = run_plan(way, c, 0, 0);
    for (size_t s = 0; s < sizeof shards / sizeof *shards; s++) {
        for (size_t p = 0; p < sizeof parts / sizeof *parts; p++) {
            run_results forced = run_plan(way, c, shards[s], parts[p]);
            check_same_results(&forced, &planned);
            close_results(&forced);
        }
    }
    close_results(&planned);
    assert_int_equal(device_guard_violations(way->device), 0);
}

/* 150 units in shards of 64, 64 and 22, or of 128 and 22; three blocks in one part or in three. */
static void test_shards_and_parts_change_no_bit(void **state) {
    (void)state;
    test_case *c = case_open((case_shape){530, 19, 150, UNITS_MIXED, MEAN}, case_seed());
    for (size_t w = 0; w < ways.n_ways; w++)
        if (ways.ways[w].tiling) check_shards_and_parts(&ways.ways[w], c);
    case_close(c);
}

/* So many features that `fused` folds a block's rows in several goes on CPUs, which `staged` does not know. */
static void test_parts_of_wide_rows_change_no_bit(void **state) {
    (void)state;
    test_case *c = case_open((case_shape){530, 600, 70, UNITS_MIXED, MEAN}, case_seed());
    for (size_t w = 0; w < ways.n_ways; w++) {
        const case_way *way = &ways.ways[w];
        if (!way->tiling || strcmp(way->strategy, "fused") != 0) continue;
        case_way like = *way;
        like.strategy = "staged";
        run_results fused = run_plan(way, c, 0, 0), staged = run_plan(&like, c, 0, 0);
        check_same_results(&fused, &staged);
        close_results(&staged);
        close_results(&fused);
        check_shards_and_parts(way, c);
    }
    case_close(c);
}

/* ---- Prediction -------------------------------------------------------------------------------------------------- */

/* More rows than go to the device at once: every row is as when it is predicted alone. */
static void test_prediction_in_blocks(void **state) {
    enum { N_ROWS = 131072 + 77, STRIDE = 13007 };
    (void)state;
    const case_shape shape = {N_ROWS, 2, 3, UNITS_MIXED, MEAN};
    test_case *c = case_open(shape, case_seed());
    float *P = malloc(N_ROWS * shape.n_units * sizeof *P), alone[3];
    assert_non_null(P);
    for (size_t w = 0; w < ways.n_ways; w++) {
        const case_way *way = &ways.ways[w];
        if (way->tiling) continue;
        plethron_bank *bank = case_bank(c, NULL, shape.n_units);
        check_ok(plethron_predict(way->device, bank, c->X, N_ROWS, P, &case_error));
        for (size_t i = N_ROWS - 1; i >= STRIDE; i -= STRIDE) {
            check_ok(plethron_predict(way->device, bank, c->X + i * shape.n_features, 1, alone, &case_error));
            assert_memory_equal(alone, P + i * shape.n_units, sizeof alone);
        }
        assert_int_equal(device_guard_violations(way->device), 0);
        plethron_bank_close(bank);
    }
    free(P);
    case_close(c);
}

/* A row with NaN or an infinity gives NaN or a limit, and leaves the other rows alone. */
static void test_prediction_of_rows_that_are_not_finite(void **state) {
    (void)state;
    const float bad[] = {NAN, INFINITY, -INFINITY};
    const case_shape shape = {35, 5, 18, UNITS_MIXED, MEAN};
    test_case *c = case_open(shape, case_seed());
    float clean[35 * 18], spoilt[35 * 18];
    for (size_t w = 0; w < ways.n_ways; w++) {
        const case_way *way = &ways.ways[w];
        if (way->tiling) continue;
        plethron_bank *bank = case_bank(c, NULL, shape.n_units);
        check_ok(plethron_predict(way->device, bank, c->X, shape.n_samples, clean, &case_error));
        for (size_t b = 0; b < sizeof bad / sizeof *bad; b++) {
            const size_t row = 11 + b;
            float *x = c->X + row * shape.n_features + 3, good = *x;
            *x = bad[b];
            check_ok(plethron_predict(way->device, bank, c->X, shape.n_samples, spoilt, &case_error));
            *x = good;
            for (size_t j = 0; j < shape.n_units; j++) {
                const float p = spoilt[row * shape.n_units + j];
                assert_true(b == 0 ? isnan(p) : p == 1.0f || (p > 0.0f && p < 2e-38f));
                spoilt[row * shape.n_units + j] = clean[row * shape.n_units + j];
            }
            assert_memory_equal(spoilt, clean, sizeof clean);
        }
        plethron_bank_close(bank);
    }
    case_close(c);
}

/* ---- All --------------------------------------------------------------------------------------------------------- */

static int open_ways(void **state) {
    (void)state;
    case_ways_open(GUARD_BYTES, &ways);
    return 0;
}

static int close_ways(void **state) {
    (void)state;
    case_ways_close(&ways);
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all_shapes_with_the_planners_choice),
        cmocka_unit_test(test_some_shapes_with_every_tiling),
        cmocka_unit_test(test_bounds_say_something),
        cmocka_unit_test(test_margins_change_nothing),
        cmocka_unit_test(test_training_uploads_units_only),
        cmocka_unit_test(test_shards_and_parts_change_no_bit),
        cmocka_unit_test(test_parts_of_wide_rows_change_no_bit),
        cmocka_unit_test(test_prediction_in_blocks),
        cmocka_unit_test(test_prediction_of_rows_that_are_not_finite),
    };
    return cmocka_run_group_tests(tests, open_ways, close_ways);
}
