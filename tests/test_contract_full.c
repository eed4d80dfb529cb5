/* The reproducibility contract, bit by bit, for units that have all a unit may have: with all rows at once, and in
 * mini-batches. Units stop on their own, so banks are compacted on the way. */
#include "cases.h"
#include "train.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { N_UNITS = 40 };

static const case_shape shape = {300, 9, N_UNITS, UNITS_FULL, PLETHRON_REDUCTION_MEAN};

enum { AT_ONCE, IN_BATCHES, STANDARDIZED, N_CASES };

static case_ways ways;
static test_case *cases[N_CASES];
static plethron_bank *kept[N_CASES][sizeof ways.ways / sizeof *ways.ways];

static plethron_bank *train_all(const case_way *way, const test_case *c) {
    plethron_bank *bank = case_bank(c, NULL, N_UNITS);
    case_train_on(way, c, bank);
    return bank;
}

/* A bank that was trained whole in a way, and kept; NULL where there is none. Standardising comes before any tiling, so
 * tilings leave it out; sparse features are only scaled. */
static const plethron_bank *trained(size_t i, size_t w) {
    if (i == STANDARDIZED && (ways.ways[w].tiling || ways.ways[w].is_sparse)) return NULL;
    if (i == IN_BATCHES && !case_takes_batches(&ways.ways[w])) return NULL;
    if (!kept[i][w]) kept[i][w] = train_all(&ways.ways[w], cases[i]);
    return kept[i][w];
}

/* Calls the test for each case and way. */
static void on_ways(bool every_tiling,
                    void (*test)(const case_way *way, const test_case *c, const plethron_bank *all)) {
    for (size_t i = 0; i < N_CASES; i++)
        for (size_t w = 0; w < ways.n_ways; w++)
            if (trained(i, w) && (every_tiling || !ways.ways[w].tiling)) test(&ways.ways[w], cases[i], trained(i, w));
}

/* ---- Where, when and beside whom --------------------------------------------------------------------------------- */

/* The units must differ in how they end, or the tests below would show little. */
static void test_units_end_in_many_ways(void **state) {
    (void)state;
    const size_t host = ways.n_ways - 1;
    const plethron_bank *all = trained(AT_ONCE, host);
    assert_true(device_is_host(ways.ways[host].device));
    size_t ended[PLETHRON_UNIT_NO_ROWS + 1] = {0}, n_early = 0;
    for (size_t j = 0; j < N_UNITS; j++) {
        plethron_unit unit = {.struct_size = sizeof unit};
        check_ok(plethron_bank_unit(all, j, &unit, &case_error));
        ended[unit.state]++;
        n_early += unit.epochs_done < unit.epochs;
    }
    assert_true(ended[PLETHRON_UNIT_MAX_EPOCHS] > 0 && ended[PLETHRON_UNIT_CONVERGED] > 0);
    assert_true(ended[PLETHRON_UNIT_DIVERGED] == 0 && n_early > 0 && n_early < N_UNITS);
}

static void check_twice(const case_way *way, const test_case *c, const plethron_bank *all) {
    plethron_bank *again = train_all(way, c);
    check_same_bank(all, again, way->name);
    plethron_bank_close(again);
}

static void test_run_twice(void **state) {
    (void)state;
    on_ways(false, check_twice);
}

static void check_alone(const case_way *way, const test_case *c, const plethron_bank *all) {
    const bool on_host = device_is_host(way->device); /* elsewhere each unit has kernels of its own to compile */
    for (size_t j = 0; j < N_UNITS; j += on_host ? 1 : 13) check_units_alike(way, c, all, &j, 1);
}

static void test_trained_alone(void **state) {
    (void)state;
    on_ways(false, check_alone);
}

static void check_permuted(const case_way *way, const test_case *c, const plethron_bank *all) {
    enum { STEP = 7 }; /* prime to N_UNITS */
    size_t units[N_UNITS];
    for (size_t j = 0; j < N_UNITS; j++) units[j] = (STEP * j + 3) % N_UNITS;
    check_units_alike(way, c, all, units, N_UNITS);
}

static void test_permuted(void **state) {
    (void)state;
    on_ways(false, check_permuted);
}

/* Every unit in five places of a bank of 200: other tiles, other vectors, another stride, other moments to leave. */
static void check_in_a_larger_bank(const case_way *way, const test_case *c, const plethron_bank *all) {
    size_t units[5 * N_UNITS];
    for (size_t j = 0; j < 5 * N_UNITS; j++) units[j] = j % N_UNITS;
    check_units_alike(way, c, all, units, 5 * N_UNITS);
}

static void test_in_a_larger_bank(void **state) {
    (void)state;
    on_ways(true, check_in_a_larger_bank);
}

/* The way whose bits this one must have. Tilings have none of their own where the data are standardised. */
static size_t model_of(size_t i, size_t w) {
    size_t model = case_model(&ways, ways.ways[w].order);
    while (!trained(i, model)) model--;
    return model;
}

static void test_same_bits_everywhere(void **state) {
    (void)state;
    for (size_t i = 0; i < N_CASES; i++)
        for (size_t w = 0; w < ways.n_ways; w++)
            if (trained(i, w) && case_bits_hold(&ways.ways[w]))
                check_same_bank(trained(i, model_of(i, w)), trained(i, w), ways.ways[w].name);
}

/* Areas under the ROC curve: of rows and of held-out rows, on every way and for units alone. */
static plethron_bank *train_with_areas(const case_way *way, const size_t *units, size_t n) {
    const plethron_train_options options = {.struct_size = sizeof options, .strategy = way->strategy, .auc = true};
    plethron_dataset *dataset = case_dataset(cases[AT_ONCE], way);
    plethron_bank *bank = case_bank(cases[AT_ONCE], units, n);
    check_ok(train_with_tiling(dataset, bank, &options, way->tiling, &case_error));
    plethron_dataset_close(dataset);
    return bank;
}

static void check_areas(sum_order order) {
    const size_t model = case_model(&ways, order);
    if (model == ways.n_ways) return;
    plethron_bank *want = train_with_areas(&ways.ways[model], NULL, N_UNITS);
    for (size_t w = 0; w < ways.n_ways; w++) {
        if (ways.ways[w].order != order || !case_bits_hold(&ways.ways[w])) continue;
        plethron_bank *bank = train_with_areas(&ways.ways[w], NULL, N_UNITS);
        check_same_bank(want, bank, ways.ways[w].name);
        plethron_bank_close(bank);
    }
    for (size_t j = 0; j < N_UNITS; j += device_is_host(ways.ways[model].device) ? 1 : 13) {
        plethron_bank *bank = train_with_areas(&ways.ways[model], &j, 1);
        check_same_unit(want, j, bank, 0, "alone");
        plethron_bank_close(bank);
    }
    plethron_bank_close(want);
}

static void test_areas_are_the_same_everywhere(void **state) {
    (void)state;
    check_areas(ORDER_OF_UNITS);
    check_areas(ORDER_OF_LANES);
    check_areas(ORDER_OF_ENTITIES);
}

/* ---- Shards and parts -------------------------------------------------------------------------------------------- */

/* Weights and state after all epochs, in shards of 64 units and with the gradient in one part or in three. */
static void check_same_run(const case_way *way, const test_case *c, size_t shard_units, size_t n_parts,
                           const case_run *want) {
    case_run run;
    case_run_open(way, c, shard_units, n_parts, &run);
    check_ok(live_epochs(run.live, run.run, 0, CASE_MAX_EPOCHS, &case_error));
    check_ok(live_download(run.live, &case_error));
    const train_problem *got = &run.whole.problem;
    const size_t bytes = got->unit_stride * sizeof(float), rows = c->shape.n_features + 1;
    assert_memory_equal(got->weights, want->whole.problem.weights, rows * bytes);
    assert_memory_equal(got->moments, want->whole.problem.moments, 2 * rows * bytes);
    assert_memory_equal(got->best, want->whole.problem.best, rows * bytes);
    assert_memory_equal(got->state, want->whole.problem.state, STATE_FIELDS * bytes);
    case_run_close(&run);
}

static void test_shards_and_parts_change_no_bit(void **state) {
    (void)state;
    const case_shape many = {530, 5, 150, UNITS_FULL, PLETHRON_REDUCTION_SUM};
    const size_t parts[] = {1, 3};
    for (int in_batches = 0; in_batches <= 1; in_batches++) {
        test_case *c = case_open(many, case_seed());
        if (in_batches) {
            c->units->batch_size = 272;
            for (size_t j = 0; j < many.n_units; j++) c->units->tolerance[j] = 0.0f;
        }
        for (size_t w = 0; w < ways.n_ways; w++) {
            const case_way *way = &ways.ways[w];
            if (way->tiling || device_is_host(way->device) || (in_batches && !case_takes_batches(way))) continue;
            case_run planned;
            case_run_open(way, c, 0, 0, &planned);
            check_ok(live_epochs(planned.live, planned.run, 0, CASE_MAX_EPOCHS, &case_error));
            check_ok(live_download(planned.live, &case_error));
            for (size_t p = 0; p < sizeof parts / sizeof *parts; p++) check_same_run(way, c, 64, parts[p], &planned);
            case_run_close(&planned);
        }
        case_close(c);
    }
}

/* ---- Looking on, and going on ------------------------------------------------------------------------------------ */

static void check_measured(const case_way *way, const test_case *c, const plethron_bank *all) {
    const int64_t intervals[] = {1, 3};
    plethron_dataset *dataset = case_dataset(c, way);
    for (size_t i = 0; i < sizeof intervals / sizeof *intervals; i++) {
        const plethron_train_options options = {
            .struct_size = sizeof options, .strategy = way->strategy, .measure_every = intervals[i]};
        plethron_bank *bank = case_bank(c, NULL, N_UNITS);
        check_ok(train_with_tiling(dataset, bank, &options, way->tiling, &case_error));
        check_same_bank(all, bank, way->name);
        plethron_bank_close(bank);
    }
    plethron_dataset_close(dataset);
}

static void test_measures_change_no_bit(void **state) {
    (void)state;
    on_ways(false, check_measured);
}

static bool stop_when_counted_down(void *context, const plethron_progress *progress) {
    int *calls_left = context;
    (void)progress;
    return --*calls_left > 0;
}

/* Stops after each of the first calls to on_progress. */
static void check_interrupted(const case_way *way, const test_case *c) {
    plethron_dataset *dataset = case_dataset(c, way);
    plethron_bank *bank = case_bank(c, NULL, N_UNITS), *whole = case_bank(c, NULL, N_UNITS);
    case_train(way, dataset, whole);
    plethron_status status = PLETHRON_ERROR_INTERRUPTED;
    for (int calls = 1; status == PLETHRON_ERROR_INTERRUPTED; calls++) {
        int calls_left = calls;
        const plethron_train_options options = {.struct_size = sizeof options,
                                                .strategy = way->strategy,
                                                .on_progress = stop_when_counted_down,
                                                .context = &calls_left};
        status = train_with_tiling(dataset, bank, &options, way->tiling, &case_error);
    }
    check_ok(status);
    check_same_bank(whole, bank, way->name);
    plethron_bank_close(bank);
    plethron_bank_close(whole);
    plethron_dataset_close(dataset);
}

/* Schedules, row weights, l1 and the orders of batches go on where they were; moments and rules begin anew, so here no
 * unit has any. */
static void test_interrupted_and_continued(void **state) {
    (void)state;
    for (int in_batches = 0; in_batches <= 1; in_batches++) {
        test_case *c = case_open(shape, case_seed());
        case_drop_rules(c);
        c->units->batch_size = in_batches ? 96 : 0;
        for (size_t j = 0; j < N_UNITS; j++) c->units->optimizer[j] = PLETHRON_OPTIMIZER_GD;
        for (size_t w = 0; w < ways.n_ways; w++)
            if (!ways.ways[w].tiling && (!in_batches || case_takes_batches(&ways.ways[w])))
                check_interrupted(&ways.ways[w], c);
        case_close(c);
    }
}

/* ---- All --------------------------------------------------------------------------------------------------------- */

/* Each combination of tiling, strategy and case has kernels of its own to compile: here a tiling of each kind will do,
 * test_contract.c has all of them. */
static void leave_out_tilings(void) {
    size_t n = 0;
    for (size_t w = 0; w < ways.n_ways; w++) {
        const tile_sizes *tiling = ways.ways[w].tiling;
        if (!tiling || strcmp(tiling->name, "wide-4") == 0 || strcmp(tiling->name, "group-small") == 0)
            ways.ways[n++] = ways.ways[w];
    }
    ways.n_ways = n;
}

static int open_all(void **state) {
    (void)state;
    for (size_t i = 0; i < N_CASES; i++) cases[i] = case_open(shape, case_seed());
    cases[STANDARDIZED]->standardize = true;
    cases[IN_BATCHES]->units->batch_size = 112;
    cases[IN_BATCHES]->units->batch_seed = (1LL << 53) - 1;
    for (size_t j = 0; j < N_UNITS; j++) cases[IN_BATCHES]->units->tolerance[j] = 0.0f;
    case_ways_open(0, &ways);
    leave_out_tilings();
    return 0;
}

static int close_all(void **state) {
    (void)state;
    for (size_t i = 0; i < N_CASES; i++) {
        for (size_t w = 0; w < ways.n_ways; w++) plethron_bank_close(kept[i][w]);
        case_close(cases[i]);
    }
    case_ways_close(&ways);
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_units_end_in_many_ways),
        cmocka_unit_test(test_run_twice),
        cmocka_unit_test(test_trained_alone),
        cmocka_unit_test(test_permuted),
        cmocka_unit_test(test_in_a_larger_bank),
        cmocka_unit_test(test_same_bits_everywhere),
        cmocka_unit_test(test_areas_are_the_same_everywhere),
        cmocka_unit_test(test_shards_and_parts_change_no_bit),
        cmocka_unit_test(test_measures_change_no_bit),
        cmocka_unit_test(test_interrupted_and_continued),
    };
    return cmocka_run_group_tests(tests, open_all, close_all);
}
