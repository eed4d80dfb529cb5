/* The reproducibility contract, bit by bit: a unit's result depends on its own data, values and id, and on nothing
 * else. tests/test_contract.sh adds what needs processes of their own. */
#include "bank.h"
#include "cases.h"
#include "tolerance.h"
#include "train.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

enum { N_UNITS = 21, N_FEATURES = 19 };

static const case_shape shape = {300, N_FEATURES, N_UNITS, UNITS_MIXED, PLETHRON_REDUCTION_MEAN};

static case_ways ways;
static test_case *mixed;

/* ---- The same again ---------------------------------------------------------------------------------------------- */

static void test_run_twice(void **state) {
    (void)state;
    for (size_t w = 0; w < ways.n_ways; w++) {
        plethron_bank *first = case_bank(mixed, NULL, N_UNITS), *second = case_bank(mixed, NULL, N_UNITS);
        case_train_on(&ways.ways[w], mixed, first);
        case_train_on(&ways.ways[w], mixed, second);
        check_same_bank(first, second, ways.ways[w].name);
        plethron_bank_close(first);
        plethron_bank_close(second);
    }
}

/* Every unit in the planner's tile sizes; one in a third of the others, every time another third: a unit alone has
 * kernels of its own, which must be compiled. */
static void test_trained_alone(void **state) {
    (void)state;
    enum { THIRDS = 3 };
    for (size_t w = 0; w < ways.n_ways; w++) {
        const bool is_planned = !ways.ways[w].tiling;
        if (!is_planned && w % THIRDS != case_seed() % THIRDS) continue;
        plethron_bank *all = case_bank(mixed, NULL, N_UNITS);
        case_train_on(&ways.ways[w], mixed, all);
        for (size_t j = is_planned ? 0 : w % N_UNITS; j < N_UNITS; j += is_planned ? 1 : N_UNITS)
            check_units_alike(&ways.ways[w], mixed, all, &j, 1);
        plethron_bank_close(all);
    }
}

static void test_permuted(void **state) {
    enum { STEP = 8 }; /* prime to N_UNITS */
    size_t units[N_UNITS];
    (void)state;
    for (size_t j = 0; j < N_UNITS; j++) units[j] = (STEP * j + 3) % N_UNITS;
    for (size_t w = 0; w < ways.n_ways; w++) {
        plethron_bank *all = case_bank(mixed, NULL, N_UNITS);
        case_train_on(&ways.ways[w], mixed, all);
        check_units_alike(&ways.ways[w], mixed, all, units, N_UNITS);
        plethron_bank_close(all);
    }
}

/* Every unit in nine places of a bank of 189: other tiles, other vectors, another stride. */
static void test_in_a_larger_bank(void **state) {
    size_t units[9 * N_UNITS];
    (void)state;
    for (size_t j = 0; j < 9 * N_UNITS; j++) units[j] = j % N_UNITS;
    for (size_t w = 0; w < ways.n_ways; w++) {
        plethron_bank *all = case_bank(mixed, NULL, N_UNITS);
        case_train_on(&ways.ways[w], mixed, all);
        check_units_alike(&ways.ways[w], mixed, all, units, 9 * N_UNITS);
        plethron_bank_close(all);
    }
}

static void check_order(sum_order order) {
    const size_t model = case_model(&ways, order);
    if (model == ways.n_ways) return;
    plethron_bank *want = case_bank(mixed, NULL, N_UNITS);
    case_train_on(&ways.ways[model], mixed, want);
    for (size_t w = 0; w < ways.n_ways; w++) {
        if (ways.ways[w].order != order || !case_bits_hold(&ways.ways[w])) continue;
        plethron_bank *bank = case_bank(mixed, NULL, N_UNITS);
        case_train_on(&ways.ways[w], mixed, bank);
        check_same_bank(want, bank, ways.ways[w].name);
        plethron_bank_close(bank);
    }
    plethron_bank_close(want);
}

/* Every device, strategy and tiling of one order of summation gives the same bits: those of the host, where units are
 * lanes. */
static void test_same_bits_everywhere(void **state) {
    (void)state;
    assert_int_equal(case_model(&ways, ORDER_OF_UNITS), ways.n_ways - 1);
    assert_true(device_is_host(ways.ways[ways.n_ways - 1].device));
    check_order(ORDER_OF_UNITS);
    check_order(ORDER_OF_LANES);
    check_order(ORDER_OF_ENTITIES);
}

static void test_predictions_are_the_same_everywhere(void **state) {
    (void)state;
    float want[300 * N_UNITS], P[300 * N_UNITS];
    const case_way *host = &ways.ways[ways.n_ways - 1];
    plethron_bank *bank = case_bank(mixed, NULL, N_UNITS);
    check_ok(plethron_predict(host->device, bank, mixed->X, shape.n_samples, want, &case_error));
    for (size_t w = 0; w < ways.n_ways; w++) {
        if (ways.ways[w].tiling || !case_bits_hold(&ways.ways[w])) continue;
        check_ok(plethron_predict(ways.ways[w].device, bank, mixed->X, shape.n_samples, P, &case_error));
        assert_memory_equal(P, want, sizeof want);
    }
    plethron_bank_close(bank);
}

/* A unit whose weights run to infinity and NaN stays alone with it. */
static void test_a_diverged_unit_spoils_no_other(void **state) {
    enum { VICTIM = 4 }; /* the loss mse, with l2 */
    (void)state;
    test_case *c = case_open(shape, case_seed());
    c->units->learning_rate[VICTIM] = 1e38f;
    c->units->epochs[VICTIM] = CASE_MAX_EPOCHS;
    c->units->l2[VICTIM] = 1e3f;
    for (size_t w = 0; w < ways.n_ways; w++) {
        plethron_bank *healthy = case_bank(mixed, NULL, N_UNITS), *bank = case_bank(c, NULL, N_UNITS);
        plethron_unit unit = {.struct_size = sizeof unit};
        case_train_on(&ways.ways[w], mixed, healthy);
        case_train_on(&ways.ways[w], c, bank);
        check_ok(plethron_bank_unit(bank, VICTIM, &unit, &case_error));
        assert_int_equal(unit.state, PLETHRON_UNIT_DIVERGED);
        for (size_t j = 0; j < N_UNITS; j++)
            if (j != VICTIM) check_same_unit(healthy, j, bank, j, ways.ways[w].name);
        plethron_bank_close(bank);
        plethron_bank_close(healthy);
    }
    case_close(c);
}

/* ---- Interruptions and measures ---------------------------------------------------------------------------------- */

static bool stop_when_counted_down(void *context, const plethron_progress *progress) {
    int *calls_left = context;
    (void)progress;
    return --*calls_left > 0;
}

/* Stops after each of the first calls to on_progress: the first comes before any epoch. */
static void check_interrupted(const case_way *way, plethron_dataset *dataset, const plethron_bank *whole) {
    plethron_bank *bank = case_bank(mixed, NULL, N_UNITS);
    plethron_status status = PLETHRON_ERROR_INTERRUPTED;
    int n_stops = 0;
    for (int calls = 1; status == PLETHRON_ERROR_INTERRUPTED; calls++, n_stops++) {
        int calls_left = calls;
        const plethron_train_options options = {.struct_size = sizeof options,
                                                .strategy = way->strategy,
                                                .on_progress = stop_when_counted_down,
                                                .context = &calls_left};
        status = train_with_tiling(dataset, bank, &options, way->tiling, &case_error);
    }
    check_ok(status);
    assert_true(n_stops > 2); /* before the first epoch, after the first, and later */
    check_same_bank(whole, bank, way->name);
    plethron_bank_close(bank);
}

static void test_interrupted_and_continued(void **state) {
    (void)state;
    for (size_t w = 0; w < ways.n_ways; w++) {
        plethron_dataset *dataset = case_dataset(mixed, &ways.ways[w]);
        plethron_bank *whole = case_bank(mixed, NULL, N_UNITS);
        case_train(&ways.ways[w], dataset, whole);
        check_interrupted(&ways.ways[w], dataset, whole);
        plethron_bank_close(whole);
        plethron_dataset_close(dataset);
    }
}

static void count_measures(void *context, const plethron_measures *measures) {
    int *count = context;
    assert_int_equal(measures->n_units, N_UNITS);
    ++*count;
}

static void test_measures_change_no_bit(void **state) {
    /* at the start, every so many of the five epochs, at the end */
    const struct {
        int64_t every;
        int count;
    } intervals[] = {{0, 1}, {1, 6}, {2, 4}, {3, 3}, {5, 2}, {100, 2}};
    (void)state;
    for (size_t w = 0; w < ways.n_ways; w++) {
        plethron_dataset *dataset = case_dataset(mixed, &ways.ways[w]);
        plethron_bank *plain = case_bank(mixed, NULL, N_UNITS);
        case_train(&ways.ways[w], dataset, plain);
        for (size_t i = 0; i < sizeof intervals / sizeof *intervals; i++) {
            int count = 0;
            const plethron_train_options options = {.struct_size = sizeof options,
                                                    .strategy = ways.ways[w].strategy,
                                                    .measure_every = intervals[i].every,
                                                    .on_measures = count_measures,
                                                    .context = &count};
            plethron_bank *bank = case_bank(mixed, NULL, N_UNITS);
            check_ok(train_with_tiling(dataset, bank, &options, ways.ways[w].tiling, &case_error));
            assert_int_equal(count, intervals[i].count);
            check_same_bank(plain, bank, ways.ways[w].name);
            plethron_bank_close(bank);
        }
        plethron_bank_close(plain);
        plethron_dataset_close(dataset);
    }
}

/* ---- Symmetry ---------------------------------------------------------------------------------------------------- */

static plethron_bank *zero_bank(int64_t loss) {
    plethron_bank *bank = NULL;
    const int64_t epochs = CASE_MAX_EPOCHS;
    const float rate = 4.0f / (N_FEATURES + 1);
    const plethron_bank_options options = {.struct_size = sizeof options,
                                           .learning_rate = {&rate, 1},
                                           .epochs = {&epochs, 1},
                                           .loss = {&loss, 1},
                                           .init = PLETHRON_INIT_ZEROS};
    check_ok(plethron_bank_create(N_FEATURES, 1, &options, &bank, &case_error));
    return bank;
}

/* In exact numbers y -> 1 - y negates the weights that grow from zero; each run may be off by its bound. */
static void check_negated(const case_way *way, const test_case *other, int64_t loss) {
    plethron_bank *bank = zero_bank(loss), *negated = zero_bank(loss);
    double work[3 * (N_FEATURES + 1)];
    reference_point at = reference_point_open(N_FEATURES), bound = reference_point_open(N_FEATURES);
    reference_unit unit = case_reference(mixed, 0, NULL);
    unit.loss = (plethron_loss)loss;
    unit.learning_rate = (double)(4.0f / (N_FEATURES + 1));
    for (int epoch = 0; epoch < CASE_MAX_EPOCHS; epoch++) tolerance_epoch(&unit, &at, &bound, work);
    case_train_on(way, mixed, bank);
    case_train_on(way, other, negated);
    for (size_t k = 0; k < N_FEATURES; k++)
        check_near((double)plethron_bank_weights(negated)[k], -(double)plethron_bank_weights(bank)[k], 2.0 * bound.w[k],
                   "%s, loss %d: weight %zu", way->name, (int)loss, k);
    check_near((double)*plethron_bank_biases(negated), -(double)*plethron_bank_biases(bank), 2.0 * bound.w[N_FEATURES],
               "%s, loss %d: bias", way->name, (int)loss);
    plethron_bank_close(bank);
    plethron_bank_close(negated);
    free(bound.w);
    free(at.w);
}

static void test_opposite_targets_negate_the_weights(void **state) {
    (void)state;
    test_case *other = case_open(shape, case_seed());
    for (size_t i = 0; i < shape.n_samples; i++) other->Y[i * CASE_TARGETS] = 1.0f - other->Y[i * CASE_TARGETS];
    for (size_t w = 0; w < ways.n_ways; w++) {
        if (ways.ways[w].tiling) continue;
        check_negated(&ways.ways[w], other, PLETHRON_LOSS_LOG);
        check_negated(&ways.ways[w], other, PLETHRON_LOSS_MSE); /* the tutorial's slope is not symmetrical */
    }
    case_close(other);
}

/* ---- Files ------------------------------------------------------------------------------------------------------- */

static void check_same_arrays(const plethron_bank *a, const plethron_bank *b) {
    for (size_t i = 0; i < BANK_N_ARRAYS; i++) {
        const size_t bytes = N_UNITS * (bank_arrays[i].is_integer ? sizeof(int64_t) : sizeof(float));
        assert_memory_equal(bank_array_memory(a, &bank_arrays[i]), bank_array_memory(b, &bank_arrays[i]), bytes);
    }
}

/* A trained bank and a new one, whose measures are NaN; what was loaded trains on like the original. */
static void test_saved_and_loaded(void **state) {
    char folder[] = "contract-XXXXXX", path[64];
    (void)state;
    const case_way *host = &ways.ways[ways.n_ways - 1];
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/bank.safetensors", folder);
    plethron_bank *bank = case_bank(mixed, NULL, N_UNITS);
    for (int trained = 0; trained <= 1; trained++) {
        plethron_bank *loaded = NULL;
        check_ok(plethron_bank_save(bank, path, &case_error));
        check_ok(plethron_bank_load(path, &loaded, &case_error));
        check_same_bank(bank, loaded, "saved and loaded");
        check_same_arrays(bank, loaded);
        assert_string_equal(plethron_bank_strategy(bank), plethron_bank_strategy(loaded));
        assert_int_equal(plethron_bank_reduction(bank), plethron_bank_reduction(loaded));
        case_train_on(host, mixed, bank);
        case_train_on(host, mixed, loaded);
        check_same_bank(bank, loaded, "trained on");
        plethron_bank_close(loaded);
    }
    plethron_bank_close(bank);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(rmdir(folder), 0);
}

/* ---- All --------------------------------------------------------------------------------------------------------- */

static int open_all(void **state) {
    (void)state;
    mixed = case_open(shape, case_seed());
    case_ways_open(0, &ways);
    return 0;
}

static int close_all(void **state) {
    (void)state;
    case_ways_close(&ways);
    case_close(mixed);
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_run_twice),
        cmocka_unit_test(test_trained_alone),
        cmocka_unit_test(test_permuted),
        cmocka_unit_test(test_in_a_larger_bank),
        cmocka_unit_test(test_same_bits_everywhere),
        cmocka_unit_test(test_predictions_are_the_same_everywhere),
        cmocka_unit_test(test_a_diverged_unit_spoils_no_other),
        cmocka_unit_test(test_interrupted_and_continued),
        cmocka_unit_test(test_measures_change_no_bit),
        cmocka_unit_test(test_opposite_targets_negate_the_weights),
        cmocka_unit_test(test_saved_and_loaded),
    };
    return cmocka_run_group_tests(tests, open_all, close_all);
}
