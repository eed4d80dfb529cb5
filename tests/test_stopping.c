/* When units stop, with which state and which weights, and that those who go on do not notice; on every device. */
#include "cases.h"
#include "tolerance.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static case_ways ways;

static void on_devices(void (*test)(const case_way *way)) {
    for (size_t w = 0; w < ways.n_ways; w++)
        if (!ways.ways[w].tiling) test(&ways.ways[w]);
}

static test_case *plain(size_t n_samples, size_t n_features, size_t n_units) {
    const case_shape shape = {n_samples, n_features, n_units, UNITS_PLAIN, PLETHRON_REDUCTION_MEAN};
    return case_open(shape, case_seed());
}

/* ---- Tolerance --------------------------------------------------------------------------------------------------- */

enum { N_TOLERANCES = 4, EVERY = 2, N_ROWS = 80, N_FEATURES = 4 };

/* What the check after c * EVERY epochs looks at: the residual in front of the last of them; and its bound. */
static void norms_at_checks(const test_case *c, double norms[N_TOLERANCES + 1], double bounds[N_TOLERANCES + 1]) {
    const reference_unit unit = case_reference(c, 0, NULL);
    double work[3 * (N_FEATURES + 1)], gradient[N_FEATURES + 1], room[2 * (N_FEATURES + 1)];
    reference_point at = reference_point_open(N_FEATURES), bound = reference_point_open(N_FEATURES);
    plethron_bank *start = case_bank(c, NULL, 1);
    case_weights(start, 0, at.w);
    for (int64_t epoch = 1; epoch <= (N_TOLERANCES + 1) * EVERY; epoch++) {
        if (epoch % EVERY == 0) {
            const size_t check = (size_t)(epoch / EVERY) - 1;
            norms[check] = reference_residual(&unit, at.w, gradient);
            tolerance_gradient(&unit, &(reference_batch){NULL, 0}, at.w, bound.w, gradient, room);
            bounds[check] = 0.0;
            for (size_t k = 0; k <= N_FEATURES; k++) bounds[check] = fmax(bounds[check], gradient[k]);
        }
        tolerance_epoch(&unit, &at, &bound, work);
    }
    plethron_bank_close(start);
    free(at.w);
    free(bound.w);
}

/* The same unit with falling tolerances, each between two checks' norms, so that it must stop at the later one. */
static void stop_by_tolerance(const case_way *way) {
    double norms[N_TOLERANCES + 1], bounds[N_TOLERANCES + 1];
    test_case *c = plain(N_ROWS, N_FEATURES, N_TOLERANCES);
    plethron_bank *units = c->units;
    units->check_every = EVERY;
    for (size_t j = 0; j < N_TOLERANCES; j++) {
        units->id[j] = 0; /* the same start */
        units->learning_rate[j] = 1.0f;
        units->l2[j] = 0.1f;
        units->l1[j] = 0.001f;
        units->epochs[j] = 1000;
    }
    norms_at_checks(c, norms, bounds);
    for (size_t j = 0; j < N_TOLERANCES; j++) {
        const double tolerance = sqrt(norms[j] * norms[j + 1]);
        assert_true(norms[j + 1] + bounds[j + 1] < tolerance && tolerance < norms[j] - bounds[j]);
        units->tolerance[j] = (float)tolerance;
    }
    plethron_bank *bank = case_bank(c, NULL, N_TOLERANCES);
    case_train_on(way, c, bank);
    for (size_t j = 0; j < N_TOLERANCES; j++) {
        const plethron_unit unit = case_unit(bank, j);
        assert_int_equal(unit.state, PLETHRON_UNIT_CONVERGED);
        assert_int_equal(unit.epochs_done, (int64_t)(j + 2) * EVERY);
        check_near((double)unit.gradient_norm, norms[j + 1], bounds[j + 1], "%s: norm of unit %zu", way->name, j);
    }
    plethron_bank_close(bank);
    case_close(c);
}

static void test_tolerance(void **state) {
    (void)state;
    on_devices(stop_by_tolerance);
}

/* ---- Inside a launch and between launches ------------------------------------------------------------------------ */

/* Units of all optimisers whose gradients come within their tolerances at once, in time, or never; some diverge, and
 * every third one also has a patience. */
static test_case *units_that_stop(size_t n_rows, size_t n_features, size_t n_units) {
    test_case *c = plain(n_rows, n_features, n_units);
    for (size_t j = 0; j < n_units; j++) {
        c->units->optimizer[j] = (int64_t)(j % 4);
        c->units->learning_rate[j] = 0.3f;
        if (j % 7 == 6) c->units->l2[j] = 1e30f;
        c->units->l1[j] = 0.01f * (float)(j % 3);
        c->units->epochs[j] = 30 + (int64_t)j;
        c->units->tolerance[j] = 0.1f * powf(0.7f, (float)j);
        if (j % 3 != 1) continue;
        c->units->excluded_fold[j] = 1;
        c->units->patience[j] = 4;
    }
    return c;
}

/* The way whose units have the same weights as this one's, and whose rules `check` looks at. */
static size_t way_of_check(const case_way *way) {
    const sum_order order = way->order == ORDER_OF_UNITS ? ORDER_OF_UNITS : ORDER_OF_LANES;
    return case_bits_hold(way) ? case_model(&ways, order) : ways.n_ways;
}

/* Units with a patience may stop elsewhere where losses are added up in another order. */
static void look_at(const case_way *way, size_t n_rows, size_t n_features, size_t n_units,
                    size_t n_late[PLETHRON_UNIT_NO_ROWS + 1]) {
    const size_t model = way_of_check(way);
    if (model == ways.n_ways || !case_takes_features(way, n_features)) return;
    test_case *c = units_that_stop(n_rows, n_features, n_units);
    plethron_bank *got = case_bank(c, NULL, n_units), *want = case_bank(c, NULL, n_units);
    case_train_on(way, c, got);
    case_train_on(&ways.ways[model], c, want);
    for (size_t j = 0; j < n_units; j++) {
        const plethron_unit a = case_unit(got, j), b = case_unit(want, j);
        n_late[a.state] += a.epochs_done > CASE_CHECK_EVERY || a.state == PLETHRON_UNIT_DIVERGED;
        if (way->order != ORDER_OF_UNITS && c->units->patience[j]) continue;
        assert_int_equal(a.state, b.state);
        assert_int_equal(a.epochs_done, b.epochs_done);
        if (a.state == PLETHRON_UNIT_DIVERGED) continue; /* one NaN is as good as another */
        check_same_weights(got, j, want, j, way->name);
        assert_memory_equal(&a.gradient_norm, &b.gradient_norm, sizeof a.gradient_norm);
        if (way->order == ORDER_OF_UNITS) check_same_unit(got, j, want, j, way->name);
    }
    plethron_bank_close(want);
    plethron_bank_close(got);
    case_close(c);
}

static void look_inside_and_between(const case_way *way) {
    size_t n_late[PLETHRON_UNIT_NO_ROWS + 1] = {0};
    if (way_of_check(way) == ways.n_ways) return;
    look_at(way, 300, 6, 20, n_late);
    look_at(way, 300, 20, 20, n_late); /* whole vectors of features, where those are lanes */
    look_at(way, DATASET_BLOCK_ROWS + 10, 3, 20, n_late);
    assert_true(n_late[PLETHRON_UNIT_CONVERGED] > 0);
    assert_true(n_late[PLETHRON_UNIT_MAX_EPOCHS] > 0);
    assert_true(n_late[PLETHRON_UNIT_DIVERGED] > 0);
    assert_true(n_late[PLETHRON_UNIT_EARLY_STOPPED] > 0);
}

static void test_where_rules_are_looked_at(void **state) {
    (void)state;
    on_devices(look_inside_and_between);
}

/* ---- Patience ---------------------------------------------------------------------------------------------------- */

enum { N_CHECKS = 30, N_PATIENCES = 9, N_TRAINED = 20 };

/* Few rows with targets of chance: the held-out loss soon rises. */
static test_case *overfitting(size_t n_units) {
    test_case *c = plain(2 * N_TRAINED, 12, n_units);
    for (size_t i = 0; i < 2 * N_TRAINED; i++) c->folds[i] = i < N_TRAINED ? 1 : 3;
    for (size_t j = 0; j < n_units; j++) {
        c->units->id[j] = 0;
        c->units->learning_rate[j] = 1.0f;
        c->units->excluded_fold[j] = 3;
        c->units->epochs[j] = N_CHECKS * CASE_CHECK_EVERY;
    }
    return c;
}

/* The same unit trained for as long as each check is away: its held-out losses and weights there. */
static plethron_bank *train_to_checks(const case_way *way, int64_t optimizer) {
    test_case *c = overfitting(N_CHECKS);
    for (size_t j = 0; j < N_CHECKS; j++) {
        c->units->epochs[j] = (int64_t)(j + 1) * CASE_CHECK_EVERY;
        c->units->optimizer[j] = optimizer;
    }
    plethron_bank *bank = case_bank(c, NULL, N_CHECKS);
    case_train_on(way, c, bank);
    case_close(c);
    return bank;
}

/* Where the rule must end: the best check, and the number of checks that were made. */
static size_t play_patience(const plethron_bank *at_checks, int64_t patience, size_t *best) {
    *best = 0;
    for (size_t check = 0; check < N_CHECKS; check++) {
        if (case_unit(at_checks, check).held_out_loss < case_unit(at_checks, *best).held_out_loss) *best = check;
        if ((int64_t)(check - *best) * CASE_CHECK_EVERY >= patience) return check + 1;
    }
    return N_CHECKS;
}

static void stop_by_patience(const case_way *way) {
    const int64_t patiences[N_PATIENCES] = {1, 2, 3, 4, 5, 8, 11, 20, 1000};
    for (int64_t optimizer = PLETHRON_OPTIMIZER_GD; optimizer <= PLETHRON_OPTIMIZER_ADAM; optimizer += 3) {
        plethron_bank *at_checks = train_to_checks(way, optimizer);
        test_case *c = overfitting(N_PATIENCES);
        for (size_t j = 0; j < N_PATIENCES; j++) {
            c->units->optimizer[j] = optimizer;
            c->units->patience[j] = patiences[j];
        }
        plethron_bank *bank = case_bank(c, NULL, N_PATIENCES);
        case_train_on(way, c, bank);
        for (size_t j = 0; j < N_PATIENCES; j++) {
            size_t best;
            const size_t n_checks = play_patience(at_checks, patiences[j], &best);
            const plethron_unit unit = case_unit(bank, j), want = case_unit(at_checks, best);
            const bool early = (int64_t)(n_checks - 1 - best) * CASE_CHECK_EVERY >= patiences[j];
            assert_int_equal(unit.epochs_done, (int64_t)n_checks * CASE_CHECK_EVERY);
            assert_int_equal(unit.state == PLETHRON_UNIT_EARLY_STOPPED, early);
            assert_true(unit.held_out_loss == want.held_out_loss && unit.final_loss == want.final_loss);
            check_same_weights(bank, j, at_checks, best, way->name);
        }
        assert_int_equal(case_unit(bank, 0).state, PLETHRON_UNIT_EARLY_STOPPED);
        assert_true(case_unit(bank, N_PATIENCES - 1).state != PLETHRON_UNIT_EARLY_STOPPED);
        plethron_bank_close(bank);
        case_close(c);
        plethron_bank_close(at_checks);
    }
}

static void test_patience_restores_the_best(void **state) {
    (void)state;
    on_devices(stop_by_patience);
}

/* ---- Every way to end -------------------------------------------------------------------------------------------- */

static void end_in_every_state(const case_way *way) {
    enum { CONVERGED, EARLY, DIVERGED_EARLY, DIVERGED_LATE, SEPARABLE, ONE_CLASS, NO_ROWS, MAX, CONVERGED_L1, N_UNITS };
    const plethron_unit_state want[N_UNITS] = {
        [CONVERGED] = PLETHRON_UNIT_CONVERGED,     [EARLY] = PLETHRON_UNIT_EARLY_STOPPED,
        [DIVERGED_EARLY] = PLETHRON_UNIT_DIVERGED, [DIVERGED_LATE] = PLETHRON_UNIT_DIVERGED,
        [SEPARABLE] = PLETHRON_UNIT_SEPARABLE,     [ONE_CLASS] = PLETHRON_UNIT_ONE_CLASS,
        [NO_ROWS] = PLETHRON_UNIT_NO_ROWS,         [MAX] = PLETHRON_UNIT_MAX_EPOCHS,
        [CONVERGED_L1] = PLETHRON_UNIT_CONVERGED,
    };
    enum { EPOCHS = 300 };
    test_case *c = overfitting(N_UNITS);
    plethron_bank *units = c->units;
    for (size_t i = 0; i < 2 * N_TRAINED; i++) {
        c->Y[i * CASE_TARGETS + 1] = c->X[i * 12] > 0.0f ? 1.0f : 0.0f; /* a plane splits them */
        c->Y[i * CASE_TARGETS + 2] = 1.0f;
        c->sample_weights[i * CASE_WEIGHT_COLUMNS] = 0.0f;
    }
    for (size_t j = 0; j < N_UNITS; j++) {
        units->id[j] = (int64_t)j;
        units->epochs[j] = EPOCHS;
        units->l2[j] = 0.1f;
        units->learning_rate[j] = 2.0f;
    }
    units->tolerance[CONVERGED] = units->tolerance[CONVERGED_L1] = 1e-4f;
    units->l1[CONVERGED_L1] = 0.01f;
    units->patience[EARLY] = 4;
    units->l2[DIVERGED_EARLY] = units->l2[DIVERGED_LATE] = 1e30f;
    units->tolerance[DIVERGED_EARLY] = 1e-4f;
    units->target[SEPARABLE] = 1;
    units->l2[SEPARABLE] = 0.0f;
    units->learning_rate[SEPARABLE] = 10.0f;
    units->target[ONE_CLASS] = 2;
    units->weight_column[NO_ROWS] = 0;
    plethron_bank *bank = case_bank(c, NULL, N_UNITS);
    case_train_on(way, c, bank);
    for (size_t j = 0; j < N_UNITS; j++) {
        const plethron_unit unit = case_unit(bank, j);
        const bool early = j == CONVERGED || j == EARLY || j == DIVERGED_EARLY || j == CONVERGED_L1;
        if (unit.state != want[j]) fail_msg("%s: unit %zu ended in state %d", way->name, j, (int)unit.state);
        if (j == NO_ROWS)
            assert_int_equal(unit.epochs_done, 0);
        else
            assert_int_equal(unit.epochs_done < EPOCHS, early);
        assert_int_equal(unit.epochs_done % CASE_CHECK_EVERY, 0);
    }
    assert_int_equal(case_unit(bank, DIVERGED_EARLY).epochs_done, CASE_CHECK_EVERY);
    plethron_bank_close(bank);
    case_close(c);
}

static void test_states(void **state) {
    (void)state;
    on_devices(end_in_every_state);
}

/* ---- Leaving ----------------------------------------------------------------------------------------------------- */

enum { N_LEAVING_UNITS = 60 };

static bool note_live(void *context, const plethron_progress *progress) {
    size_t *n_live = context;
    assert_true(progress->n_live <= *n_live);
    *n_live = progress->n_live;
    return true;
}

/* Of 60 units a share stops at the first check, by tolerance or after few epochs; the others, of all optimisers and
 * with rules of their own, end as when each is trained alone. */
static void leave(const case_way *way, size_t n_staying) {
    test_case *c = plain(90, 6, N_LEAVING_UNITS);
    plethron_bank *units = c->units;
    for (size_t j = 0; j < N_LEAVING_UNITS; j++) {
        const bool stays = j % (N_LEAVING_UNITS / n_staying) == 1;
        units->optimizer[j] = (int64_t)(j % 4);
        units->l1[j] = 0.01f * (float)(j % 3);
        units->epochs[j] = stays ? 40 + (int64_t)j : j % 2 ? 1 : 40;
        if (!stays && j % 2 == 0) units->tolerance[j] = 1e3f;
        if (stays && j % 5 == 1) {
            units->excluded_fold[j] = 2;
            units->patience[j] = 6;
        }
    }
    size_t n_live = N_LEAVING_UNITS;
    const plethron_train_options options = {
        .struct_size = sizeof options, .strategy = way->strategy, .on_progress = note_live, .context = &n_live};
    plethron_dataset *dataset = case_dataset(c, way);
    plethron_bank *bank = case_bank(c, NULL, N_LEAVING_UNITS);
    check_ok(plethron_train(dataset, bank, &options, &case_error));
    assert_int_equal(n_live, 0);
    for (size_t j = 0; j < N_LEAVING_UNITS; j += device_is_host(way->device) ? 1 : 5) {
        plethron_bank *alone = case_bank(c, &j, 1);
        case_train(way, dataset, alone);
        check_same_unit(bank, j, alone, 0, way->name);
        plethron_bank_close(alone);
    }
    plethron_bank_close(bank);
    plethron_dataset_close(dataset);
    case_close(c);
}

static void half_leave(const case_way *way) {
    leave(way, 30);
}

static void most_leave(const case_way *way) {
    leave(way, 6);
}

static void test_the_others_do_not_notice(void **state) {
    (void)state;
    on_devices(half_leave);
    on_devices(most_leave);
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
        cmocka_unit_test(test_tolerance),
        cmocka_unit_test(test_where_rules_are_looked_at),
        cmocka_unit_test(test_patience_restores_the_best),
        cmocka_unit_test(test_states),
        cmocka_unit_test(test_the_others_do_not_notice),
    };
    return cmocka_run_group_tests(tests, open_ways, close_ways);
}
