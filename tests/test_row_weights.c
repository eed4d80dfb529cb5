/* Which rows count, and how much: every kind of row weight is the same as other rows in the data set, on every device.
 * That each agrees with the reference is tested in test_strategies.c. */
#include "cases.h"
#include "tolerance.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { N = 150, N_FEATURES = 5, MAX_COPIES = 4 };

static case_ways ways;

static test_case *plain(size_t n_samples, size_t n_units) {
    const case_shape shape = {n_samples, N_FEATURES, n_units, UNITS_PLAIN, PLETHRON_REDUCTION_MEAN};
    return case_open(shape, case_seed());
}

/* The case's first unit on its rows repeated as often as `copies` says, every row weighing 1. */
static test_case *repeated(const test_case *c, const size_t *copies) {
    test_case *other = plain(N * MAX_COPIES, 1);
    size_t n = 0;
    for (size_t i = 0; i < N; i++)
        for (size_t copy = 0; copy < copies[i]; copy++, n++) {
            memcpy(other->X + n * N_FEATURES, c->X + i * N_FEATURES, N_FEATURES * sizeof *c->X);
            memcpy(other->Y + n * CASE_TARGETS, c->Y + i * CASE_TARGETS, CASE_TARGETS * sizeof *c->Y);
        }
    other->shape.n_samples = n;
    for (size_t a = 0; a < BANK_N_ARRAYS; a++) {
        const size_t size = bank_arrays[a].is_integer ? sizeof(int64_t) : sizeof(float);
        memcpy(bank_array_memory(other->units, &bank_arrays[a]), bank_array_memory(c->units, &bank_arrays[a]), size);
    }
    other->units->weight_column[0] = other->units->excluded_fold[0] = PLETHRON_NONE;
    other->units->bootstrap[0] = 0;
    return other;
}

/* The bound of the unit's weights, and the reference's weights, after its epochs. */
static void bounds_of(const test_case *c, reference_point *at, reference_point *bound) {
    uint8_t counts[N * MAX_COPIES];
    double work[3 * (N_FEATURES + 1)];
    const reference_unit unit = case_reference(c, 0, counts);
    plethron_bank *start = case_bank(c, NULL, 1);
    *at = reference_point_open(N_FEATURES);
    *bound = reference_point_open(N_FEATURES);
    case_weights(start, 0, at->w);
    for (int64_t epoch = 0; epoch < unit.epochs; epoch++) tolerance_epoch(&unit, at, bound, work);
    plethron_bank_close(start);
}

/* Trains the first unit of both cases in every way: equal but for rounding. */
static void check_equal(const test_case *c, const test_case *other) {
    reference_point at, bound, other_at, other_bound;
    bounds_of(c, &at, &bound);
    bounds_of(other, &other_at, &other_bound);
    for (size_t k = 0; k <= N_FEATURES; k++) check_near(at.w[k], other_at.w[k], 1e-12, "the references' weight %zu", k);
    for (size_t w = 0; w < ways.n_ways; w++) {
        if (ways.ways[w].tiling) continue;
        plethron_bank *bank = case_bank(c, NULL, 1), *other_bank = case_bank(other, NULL, 1);
        double got[N_FEATURES + 1], want[N_FEATURES + 1];
        case_train_on(&ways.ways[w], c, bank);
        case_train_on(&ways.ways[w], other, other_bank);
        case_weights(bank, 0, got);
        case_weights(other_bank, 0, want);
        for (size_t k = 0; k <= N_FEATURES; k++)
            check_near(got[k], want[k], bound.w[k] + other_bound.w[k], "%s: weight %zu", ways.ways[w].name, k);
        const plethron_unit unit = case_unit(bank, 0), other_unit = case_unit(other_bank, 0);
        assert_int_equal(unit.state, other_unit.state);
        if (unit.weight_positive == 1.0f) assert_true(unit.row_weight == other_unit.row_weight); /* small integers */
        plethron_bank_close(bank);
        plethron_bank_close(other_bank);
    }
    free(at.w);
    free(bound.w);
    free(other_at.w);
    free(other_bound.w);
}

static void test_a_weight_of_two_is_a_row_twice(void **state) {
    (void)state;
    test_case *c = plain(N, 1);
    size_t copies[N];
    c->units->weight_column[0] = 1;
    for (size_t i = 0; i < N; i++) {
        copies[i] = i * 7 % MAX_COPIES;
        c->sample_weights[i * CASE_WEIGHT_COLUMNS + 1] = (float)copies[i];
    }
    test_case *other = repeated(c, copies);
    check_equal(c, other);
    case_close(other);
    case_close(c);
}

static void test_a_class_weight_of_two_is_a_class_twice(void **state) {
    (void)state;
    test_case *c = plain(N, 1);
    size_t copies[N];
    for (size_t i = 0; i < N; i++) copies[i] = c->Y[i * CASE_TARGETS] == 1.0f ? 2 : 3;
    test_case *other = repeated(c, copies);
    c->units->weight_positive[0] = 2.0f;
    c->units->weight_negative[0] = 3.0f;
    check_equal(c, other);
    for (size_t w = 0; w < ways.n_ways; w++) {
        if (ways.ways[w].tiling) continue;
        plethron_bank *bank = case_bank(c, NULL, 1);
        case_train_on(&ways.ways[w], c, bank);
        assert_true(case_unit(bank, 0).row_weight == (float)N); /* class weights are left out */
        plethron_bank_close(bank);
    }
    case_close(other);
    case_close(c);
}

/* Both classes weigh as much in the end: (rows of both) / (2 rows of the class). */
static void test_balanced_classes(void **state) {
    (void)state;
    test_case *c = plain(N, 2);
    size_t n_positive = 0;
    for (size_t i = 0; i < N; i++) n_positive += c->Y[i * CASE_TARGETS] == 1.0f;
    c->units->balanced[0] = 1;
    c->units->weight_negative[0] = 77.0f; /* of no importance */
    for (size_t w = 0; w < ways.n_ways; w++) {
        if (ways.ways[w].tiling) continue;
        plethron_bank *bank = case_bank(c, NULL, 2);
        case_train_on(&ways.ways[w], c, bank);
        const plethron_unit unit = case_unit(bank, 0), other = case_unit(bank, 1);
        assert_true(unit.weight_positive == (float)N / (2.0f * (float)n_positive));
        assert_true(unit.weight_negative == (float)N / (2.0f * (float)(N - n_positive)));
        assert_true(other.weight_negative == 1.0f && other.weight_positive == 1.0f);
        plethron_bank_close(bank);
    }
    case_close(c);
}

/* ---- Rows that do not count -------------------------------------------------------------------------------------- */

/* A fold held out, or a missing target, is as if the rows were not there. */
static void check_without(bool by_fold) {
    test_case *c = plain(N, 1);
    size_t copies[N];
    for (size_t i = 0; i < N; i++) {
        const bool out = by_fold ? c->folds[i] == 2 : i % 3 == 1;
        copies[i] = out ? 0 : 1;
        if (out && !by_fold) c->Y[i * CASE_TARGETS] = NAN;
    }
    if (by_fold) c->units->excluded_fold[0] = 2;
    test_case *other = repeated(c, copies);
    check_equal(c, other);
    case_close(other);
    case_close(c);
}

static void test_an_excluded_fold_is_the_other_rows_alone(void **state) {
    (void)state;
    check_without(true);
}

static void test_a_missing_target_is_a_missing_row(void **state) {
    (void)state;
    check_without(false);
}

/* Where those rows are the last ones, the sums of the others are the same to the last bit, in whole blocks, too. */
static void test_rows_at_the_end_change_no_bit(void **state) {
    enum { N_TALL = 700, N_KEPT = 333 };
    (void)state;
    for (int kind = 0; kind < 3; kind++) {
        test_case *c = plain(N_TALL, 18);
        for (size_t i = 0; i < N_TALL; i++) {
            c->folds[i] = i < N_KEPT ? 0 : 1;
            if (kind == 1 && i >= N_KEPT) c->Y[i * CASE_TARGETS] = NAN;
            c->sample_weights[i * CASE_WEIGHT_COLUMNS] = i < N_KEPT ? 1.0f : 0.0f;
        }
        for (size_t w = 0; w < ways.n_ways; w++) {
            if (ways.ways[w].tiling) continue;
            plethron_bank *whole = case_bank(c, NULL, 18), *kept = case_bank(c, NULL, 18);
            for (size_t j = 0; j < 18; j++) {
                whole->excluded_fold[j] = kind == 0 ? 1 : PLETHRON_NONE;
                whole->weight_column[j] = kind == 2 ? 0 : PLETHRON_NONE;
            }
            case_train_on(&ways.ways[w], c, whole);
            c->shape.n_samples = N_KEPT;
            case_train_on(&ways.ways[w], c, kept);
            c->shape.n_samples = N_TALL;
            for (size_t j = 0; j < 18; j++) {
                const plethron_unit a = case_unit(whole, j), b = case_unit(kept, j);
                check_same_weights(whole, j, kept, j, ways.ways[w].name);
                assert_true(a.final_loss == b.final_loss && a.error_sum == b.error_sum && a.accuracy == b.accuracy &&
                            a.row_weight == b.row_weight);
            }
            plethron_bank_close(whole);
            plethron_bank_close(kept);
        }
        case_close(c);
    }
}

/* Units that have no rows, or rows of one class, beside one that learns. */
static void test_units_with_nothing_to_learn(void **state) {
    enum { NO_WEIGHT, NO_TARGET, ONE_CLASS_LEFT, NO_CLASS_WEIGHT, ALL_HELD_OUT, LEARNS, N_UNITS };
    (void)state;
    test_case *c = plain(N, N_UNITS);
    for (size_t i = 0; i < N; i++) {
        float *y = c->Y + i * CASE_TARGETS;
        c->sample_weights[i * CASE_WEIGHT_COLUMNS] = 0.0f;
        c->sample_weights[i * CASE_WEIGHT_COLUMNS + 1] = y[0] == 1.0f ? 1.0f : 0.0f;
        c->folds[i] = 0;
        y[3] = NAN;
    }
    plethron_bank *units = c->units;
    units->weight_column[NO_WEIGHT] = 0;
    units->target[NO_TARGET] = 3;
    units->weight_column[ONE_CLASS_LEFT] = 1;
    units->weight_negative[NO_CLASS_WEIGHT] = units->weight_positive[NO_CLASS_WEIGHT] = 0.0f;
    units->excluded_fold[ALL_HELD_OUT] = 0;
    for (size_t w = 0; w < ways.n_ways; w++) {
        if (ways.ways[w].tiling) continue;
        plethron_bank *bank = case_bank(c, NULL, N_UNITS), *start = case_bank(c, NULL, N_UNITS);
        case_train_on(&ways.ways[w], c, bank);
        for (size_t j = 0; j < N_UNITS; j++) {
            const plethron_unit unit = case_unit(bank, j);
            const bool learns = j == LEARNS || j == ONE_CLASS_LEFT;
            if (!learns) check_same_weights(bank, j, start, j, ways.ways[w].name);
            assert_int_equal(unit.epochs_done, learns ? CASE_MAX_EPOCHS : 0);
            assert_int_equal(unit.state, j == LEARNS           ? PLETHRON_UNIT_MAX_EPOCHS
                                         : j == ONE_CLASS_LEFT ? PLETHRON_UNIT_ONE_CLASS
                                                               : PLETHRON_UNIT_NO_ROWS);
            assert_int_equal(isnan(unit.final_loss), !learns);
        }
        assert_true(case_unit(bank, ALL_HELD_OUT).row_weight == 0.0f);
        assert_true(isfinite(case_unit(bank, ALL_HELD_OUT).held_out_loss));
        plethron_bank_close(bank);
        plethron_bank_close(start);
    }
    case_close(c);
}

/* ---- Bootstrap --------------------------------------------------------------------------------------------------- */

enum { N_DRAWN = 1003, N_REPLICATES = 70 };

/* Counts of all units [N_DRAWN, N_REPLICATES] as a device draws them. */
static void drawn_counts(const case_way *way, const test_case *c, uint8_t *counts) {
    case_run run;
    case_run_open(way, c, 0, 0, &run);
    const size_t stride = run.whole.problem.unit_stride, n_places = run.dataset->y_stride;
    uint8_t *all = malloc(n_places * stride);
    assert_non_null(all);
    check_ok(device_buffer_download(run.live->rows.counts, 0, n_places * stride, all, &case_error));
    for (size_t i = 0; i < N_DRAWN; i++) memcpy(counts + i * N_REPLICATES, all + i * stride, N_REPLICATES);
    free(all);
    case_run_close(&run);
}

static test_case *replicates(void) {
    test_case *c = plain(N_DRAWN, N_REPLICATES);
    for (size_t j = 0; j < N_REPLICATES; j++) c->units->bootstrap[j] = 1;
    c->units->seed[1] = 1LL << 40; /* the high half counts, too */
    c->units->id[2] = 1LL << 40;
    c->units->id[3] = 0; /* twins */
    c->units->bootstrap[4] = 0;
    return c;
}

static void test_counts_of_bootstraps(void **state) {
    (void)state;
    static uint8_t counts[N_DRAWN * N_REPLICATES], want[N_DRAWN];
    test_case *c = replicates();
    for (size_t w = 0; w < ways.n_ways; w++) {
        if (ways.ways[w].tiling && !ways.ways[w].tiling->local_memory) continue; /* launched as the planner's */
        drawn_counts(&ways.ways[w], c, counts);
        for (size_t j = 0; j < N_REPLICATES; j++) {
            size_t sum = 0, n_same_as_first = 0;
            case_reference(c, j, want);
            if (!c->units->bootstrap[j]) memset(want, 0, sizeof want);
            for (size_t i = 0; i < N_DRAWN; i++) {
                assert_int_equal(counts[i * N_REPLICATES + j], want[i]);
                sum += counts[i * N_REPLICATES + j];
                n_same_as_first += counts[i * N_REPLICATES + j] == counts[i * N_REPLICATES];
            }
            assert_int_equal(sum, c->units->bootstrap[j] ? N_DRAWN : 0);
            assert_int_equal(n_same_as_first == N_DRAWN, j == 0 || j == 3);
        }
    }
    case_close(c);
}

/* A count is binomial (n, 1/n): each value's share over all rows and replicates lies within 5 of its deviations. That
 * the counts of a replicate add up to n makes the shares vary less. */
static void test_distribution_of_bootstraps(void **state) {
    (void)state;
    static uint8_t counts[N_DRAWN];
    size_t found[256] = {0};
    test_case *c = replicates();
    for (size_t j = 5; j < N_REPLICATES; j++) {
        case_reference(c, j, counts);
        for (size_t i = 0; i < N_DRAWN; i++) found[counts[i]]++;
    }
    const double n = N_DRAWN, all = n * (N_REPLICATES - 5);
    double p = pow(1.0 - 1.0 / n, n); /* of 0 */
    for (size_t value = 0; value < 6; value++) {
        check_near((double)found[value] / all, p, 5.0 * sqrt(p * (1.0 - p) / all), "the share of counts of %zu", value);
        p *= (n - (double)value) / ((double)value + 1.0) / (n - 1.0);
    }
    case_close(c);
}

static void test_a_bootstrap_is_its_rows_repeated(void **state) {
    (void)state;
    uint8_t counts[N];
    size_t copies[N];
    test_case *c = plain(N, 1);
    c->units->bootstrap[0] = 1;
    case_reference(c, 0, counts);
    for (size_t i = 0; i < N; i++) copies[i] = counts[i];
    test_case *other = repeated(c, copies);
    check_equal(c, other);
    case_close(other);
    case_close(c);
}

/* ---- All --------------------------------------------------------------------------------------------------------- */

static int open_ways(void **state) {
    (void)state;
    case_ways_open(4096, &ways);
    return 0;
}

static int close_ways(void **state) {
    int violations = 0;
    (void)state;
    for (size_t d = 0; d < ways.n_devices; d++) violations += (int)device_guard_violations(ways.devices[d]);
    case_ways_close(&ways);
    return violations;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_weight_of_two_is_a_row_twice),
        cmocka_unit_test(test_a_class_weight_of_two_is_a_class_twice),
        cmocka_unit_test(test_balanced_classes),
        cmocka_unit_test(test_an_excluded_fold_is_the_other_rows_alone),
        cmocka_unit_test(test_a_missing_target_is_a_missing_row),
        cmocka_unit_test(test_rows_at_the_end_change_no_bit),
        cmocka_unit_test(test_units_with_nothing_to_learn),
        cmocka_unit_test(test_counts_of_bootstraps),
        cmocka_unit_test(test_distribution_of_bootstraps),
        cmocka_unit_test(test_a_bootstrap_is_its_rows_repeated),
    };
    return cmocka_run_group_tests(tests, open_ways, close_ways);
}
