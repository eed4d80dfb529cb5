/* Optimisers, penalties and schedules: single trajectories against double, and where they all must end. That they agree
 * with double in all combinations is tested in test_strategies.c. */
#include "cases.h"
#include "tolerance.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { N = 60, N_FEATURES = 4, N_WEIGHTS = N_FEATURES + 1, N_OPTIMIZERS = 4, N_SCHEDULES = 3 };

static case_ways ways;

static test_case *plain(size_t n_units) {
    const case_shape shape = {N, N_FEATURES, n_units, UNITS_PLAIN, PLETHRON_REDUCTION_MEAN};
    return case_open(shape, case_seed());
}

static plethron_bank *train(const case_way *way, const test_case *c) {
    plethron_bank *bank = case_bank(c, NULL, c->shape.n_units);
    case_train_on(way, c, bank);
    return bank;
}

/* ---- Trajectories ------------------------------------------------------------------------------------------------ */

/* Every optimiser under every schedule, for one to ten epochs. An error of a slope moves adam's direction by up to
 * 1 / epsilon times as much, so a small epsilon would leave no bound worth anything. */
static void test_trajectories(void **state) {
    enum { N_EPOCHS = 10, N_UNITS = N_OPTIMIZERS * N_SCHEDULES * N_EPOCHS };
    (void)state;
    test_case *c = plain(N_UNITS);
    for (size_t j = 0; j < N_UNITS; j++) {
        c->units->id[j] = 0;
        c->units->optimizer[j] = (int64_t)(j % N_OPTIMIZERS);
        c->units->schedule[j] = (int64_t)(j / N_OPTIMIZERS % N_SCHEDULES);
        c->units->epochs[j] = (int64_t)(1 + j / (N_OPTIMIZERS * N_SCHEDULES));
        c->units->learning_rate[j] = c->units->optimizer[j] == PLETHRON_OPTIMIZER_ADAM ? 0.02f : 0.2f;
        c->units->epsilon[j] = 0.05f;
    }
    for (size_t w = 0; w < ways.n_ways; w++) {
        if (ways.ways[w].tiling) continue;
        plethron_bank *bank = train(&ways.ways[w], c), *start = case_bank(c, NULL, N_UNITS);
        double work[3 * N_WEIGHTS], got[N_WEIGHTS], worst = 0.0;
        for (size_t j = 0; j < N_UNITS; j++) {
            const reference_unit unit = case_reference(c, j, NULL);
            reference_point at = reference_point_open(N_FEATURES), bound = reference_point_open(N_FEATURES);
            case_weights(start, j, at.w);
            case_weights(bank, j, got);
            for (int64_t epoch = 0; epoch < unit.epochs; epoch++) tolerance_epoch(&unit, &at, &bound, work);
            for (size_t k = 0; k < N_WEIGHTS; k++) {
                check_near(got[k], at.w[k], bound.w[k], "%s: optimiser %zu, schedule %d, epoch %d, weight %zu",
                           ways.ways[w].name, j % N_OPTIMIZERS, (int)unit.schedule, (int)unit.epochs, k);
                worst = fmax(worst, bound.w[k]);
            }
            free(at.w);
            free(bound.w);
        }
        assert_true(worst < 1e-3); /* the bounds are worth something */
        plethron_bank_close(bank);
        plethron_bank_close(start);
    }
    case_close(c);
}

/* A cosine ends at 0: the last of many epochs moves nothing that could be seen, the first moves at full rate. */
static void test_schedules_at_their_ends(void **state) {
    (void)state;
    test_case *c = plain(1);
    reference_unit unit = case_reference(c, 0, NULL);
    unit.epochs = 100;
    unit.schedule = PLETHRON_SCHEDULE_COSINE;
    assert_true(reference_schedule(&unit, 0) == 1.0 && fabs(reference_schedule(&unit, 50) - 0.5) < 1e-15);
    assert_true(reference_schedule(&unit, 99) < 3e-4);
    unit.schedule = PLETHRON_SCHEDULE_INVERSE;
    unit.decay = 1.0;
    assert_true(reference_schedule(&unit, 0) == 1.0 && reference_schedule(&unit, 3) == 0.25);
    case_close(c);
}

/* ---- Where they end ---------------------------------------------------------------------------------------------- */

/* The bound of each component of the gradient at w, where nothing else is off. */
static double gradient_bound(const reference_unit *unit, const double *w) {
    double zero[N_WEIGHTS] = {0}, bounds[N_WEIGHTS], work[2 * N_WEIGHTS], worst = 0.0;
    tolerance_gradient(unit, &(reference_batch){NULL, 0}, w, zero, bounds, work);
    for (size_t k = 0; k < N_WEIGHTS; k++) worst = fmax(worst, bounds[k]);
    return worst;
}

/* Penalties l1, l2 and both, by every optimiser until the tolerance: the reference's conditions of an optimum hold at
 * the weights that were reached, all optimisers reach the same weights, and those that l1 has swallowed are zero to the
 * bit. The weights are one step after those looked at: of as much as is left, but of about the learning rate by adam;
 * |x| and the second derivatives of a row are at most 1 and 1/4. */
static void test_all_reach_the_same_optimum(void **state) {
    enum { N_PENALTIES = 4, N_UNITS = N_OPTIMIZERS * N_PENALTIES };
    const float adam_rate = 1e-3f;
    const float l1[N_PENALTIES] = {0.0f, 0.08f, 0.04f, 10.0f}, l2[N_PENALTIES] = {0.05f, 0.0f, 0.02f, 0.0f};
    const double tolerance = 1e-4, adam_step = 2.0 * (double)adam_rate;
    (void)state;
    test_case *c = plain(N_UNITS);
    for (size_t i = 0; i < N; i++) /* two features matter, by a noisy plane */
        c->Y[i * CASE_TARGETS] =
            c->X[i * N_FEATURES] - 0.5f * c->X[i * N_FEATURES + 1] > c->Y[i * CASE_TARGETS + 1] - 0.5f;
    c->units->check_every = 1;
    for (size_t j = 0; j < N_UNITS; j++) {
        const bool adam = j % N_OPTIMIZERS == PLETHRON_OPTIMIZER_ADAM;
        const bool heavy =
            j % N_OPTIMIZERS == PLETHRON_OPTIMIZER_MOMENTUM || j % N_OPTIMIZERS == PLETHRON_OPTIMIZER_NESTEROV;
        c->units->id[j] = 0;
        c->units->optimizer[j] = (int64_t)(j % N_OPTIMIZERS);
        c->units->l1[j] = l1[j / N_OPTIMIZERS];
        c->units->l2[j] = l2[j / N_OPTIMIZERS];
        c->units->learning_rate[j] = adam ? adam_rate : heavy ? 0.2f : 1.0f;
        if (heavy) c->units->momentum[j] = 0.5f; /* so little that no weight swings through its optimum */
        c->units->epochs[j] = 20000;
        c->units->tolerance[j] = (float)tolerance;
    }
    for (size_t w = 0; w < ways.n_ways; w++) {
        if (ways.ways[w].tiling) continue;
        plethron_bank *bank = train(&ways.ways[w], c);
        for (size_t j = 0; j < N_UNITS; j++) {
            const reference_unit unit = case_reference(c, j, NULL);
            double got[N_WEIGHTS], first[N_WEIGHTS], room[N_WEIGHTS];
            char name[256];
            snprintf(name, sizeof name, "%s: optimiser %zu, penalty %zu", ways.ways[w].name, j % N_OPTIMIZERS,
                     j / N_OPTIMIZERS);
            case_weights(bank, j, got);
            case_weights(bank, j - j % N_OPTIMIZERS, first);
            if (case_unit(bank, j).state != PLETHRON_UNIT_CONVERGED)
                fail_msg("%s: state %d, norm %g", name, (int)case_unit(bank, j).state,
                         (double)case_unit(bank, j).gradient_norm);
            const double left = j % N_OPTIMIZERS == PLETHRON_OPTIMIZER_ADAM ? adam_step * N_WEIGHTS / 4.0 : tolerance;
            check_near(reference_residual(&unit, got, room), 0.0, tolerance + left + gradient_bound(&unit, got),
                       "%s: distance from the optimum's conditions", name);
            for (size_t k = 0; k < N_WEIGHTS; k++) check_near(got[k], first[k], 0.02, "%s: weight %zu", name, k);
            for (size_t k = 0; k < N_FEATURES; k++) {
                const bool swallowed = j / N_OPTIMIZERS == 3 || (j / N_OPTIMIZERS == 1 && first[k] == 0.0);
                if (swallowed) assert_true(got[k] == 0.0);
                if (l1[j / N_OPTIMIZERS] == 0.0f) assert_true(got[k] != 0.0);
            }
        }
        double sparse[N_WEIGHTS], alone[N_WEIGHTS], n_positive = 0.0;
        case_weights(bank, N_OPTIMIZERS, sparse);
        assert_true(sparse[0] > 0.1);
        case_weights(bank, 3 * N_OPTIMIZERS, alone); /* the bias alone: the log odds */
        for (size_t i = 0; i < N; i++) n_positive += (double)c->Y[i * CASE_TARGETS];
        check_near(alone[N_FEATURES], log(n_positive / (N - n_positive)), 0.01, "%s: the free bias", ways.ways[w].name);
        plethron_bank_close(bank);
    }
    case_close(c);
}

/* ---- Mini-batches ------------------------------------------------------------------------------------------------ */

enum { N_BATCHED = 150, BATCH = 64, N_EPOCHS = 3 };

static test_case *batched(size_t n_units) {
    const case_shape shape = {N_BATCHED, N_FEATURES, n_units, UNITS_PLAIN, PLETHRON_REDUCTION_MEAN};
    test_case *c = case_open(shape, case_seed());
    c->units->batch_size = BATCH;
    c->units->batch_seed = 1LL << 40 | 7;
    for (size_t j = 0; j < n_units; j++) {
        c->units->optimizer[j] = (int64_t)(j % N_OPTIMIZERS);
        c->units->learning_rate[j] = j % N_OPTIMIZERS == PLETHRON_OPTIMIZER_ADAM ? 0.01f : 0.05f;
        c->units->epsilon[j] = 0.05f;
        c->units->epochs[j] = N_EPOCHS;
        c->units->schedule[j] = (int64_t)(j / N_OPTIMIZERS % N_SCHEDULES);
    }
    return c;
}

/* The orders of the first epochs, [N_EPOCHS, N_BATCHED]; what stands behind the rows stays there. */
static void orders_of(const case_way *way, const test_case *c, int32_t *orders) {
    case_run run;
    case_run_open(way, c, 0, 0, &run);
    const size_t n_places = run.dataset->y_stride;
    int32_t *order = malloc(n_places * sizeof *order);
    assert_non_null(order);
    for (int64_t epoch = 0; epoch < N_EPOCHS; epoch++) {
        check_ok(live_epochs(run.live, run.run, epoch, 1, &case_error));
        check_ok(device_buffer_download(run.live->rows.order, 0, n_places * sizeof *order, order, &case_error));
        memcpy(orders + epoch * N_BATCHED, order, N_BATCHED * sizeof *order);
        for (size_t place = N_BATCHED; place < n_places; place++) assert_int_equal(order[place], place);
    }
    free(order);
    case_run_close(&run);
}

static void check_is_permutation(const int32_t *order) {
    bool seen[N_BATCHED] = {false};
    for (size_t i = 0; i < N_BATCHED; i++) {
        assert_true(order[i] >= 0 && order[i] < N_BATCHED && !seen[order[i]]);
        seen[order[i]] = true;
    }
}

static void test_orders_of_batches(void **state) {
    (void)state;
    int32_t want[N_EPOCHS * N_BATCHED], got[N_EPOCHS * N_BATCHED];
    test_case *c = batched(3);
    orders_of(&ways.ways[ways.n_ways - 1], c, want);
    for (size_t epoch = 0; epoch < N_EPOCHS; epoch++) {
        size_t n_in_place = 0;
        check_is_permutation(want + epoch * N_BATCHED);
        for (size_t i = 0; i < N_BATCHED; i++) n_in_place += want[epoch * N_BATCHED + i] == (int32_t)i;
        assert_true(n_in_place < 12); /* one is expected; more than 11 come less than once in 10^8 */
        for (size_t other = 0; other < epoch; other++)
            assert_memory_not_equal(want + epoch * N_BATCHED, want + other * N_BATCHED, N_BATCHED * sizeof *want);
    }
    for (size_t w = 0; w < ways.n_ways; w++) {
        if (ways.ways[w].tiling && !ways.ways[w].tiling->local_memory) continue; /* launched as the planner's */
        if (!case_takes_batches(&ways.ways[w])) continue;
        orders_of(&ways.ways[w], c, got);
        assert_memory_equal(got, want, sizeof want);
    }
    c->units->batch_seed += 1LL << 41; /* the high half counts, too */
    orders_of(&ways.ways[ways.n_ways - 1], c, got);
    assert_memory_not_equal(got, want, N_BATCHED * sizeof *want);
    case_close(c);
}

/* Steps on 64, 64 and 22 rows an epoch, in those orders. */
static void test_batches_against_double(void **state) {
    enum { N_UNITS = N_OPTIMIZERS * N_SCHEDULES };
    (void)state;
    int32_t orders[N_EPOCHS * N_BATCHED];
    test_case *c = batched(N_UNITS);
    orders_of(&ways.ways[ways.n_ways - 1], c, orders);
    for (size_t w = 0; w < ways.n_ways; w++) {
        if (ways.ways[w].tiling && strcmp(ways.ways[w].tiling->name, "wide-4") != 0) continue;
        if (!case_takes_batches(&ways.ways[w])) continue;
        plethron_bank *bank = train(&ways.ways[w], c), *start = case_bank(c, NULL, N_UNITS);
        for (size_t j = 0; j < N_UNITS; j++) {
            double work[3 * N_WEIGHTS], got[N_WEIGHTS];
            const reference_unit unit = case_reference(c, j, NULL);
            reference_point at = reference_point_open(N_FEATURES), bound = reference_point_open(N_FEATURES);
            case_weights(start, j, at.w);
            case_weights(bank, j, got);
            for (; at.epochs < N_EPOCHS; at.epochs++)
                for (size_t row = 0; row < N_BATCHED; row += BATCH) {
                    const size_t left = N_BATCHED - row;
                    const reference_batch batch = {orders + at.epochs * N_BATCHED + row, left < BATCH ? left : BATCH};
                    tolerance_step(&unit, &batch, &at, &bound, work);
                }
            for (size_t k = 0; k < N_WEIGHTS; k++) {
                check_near(got[k], at.w[k], bound.w[k], "%s: unit %zu, weight %zu", ways.ways[w].name, j, k);
                check_near(bound.w[k], 0.0, 1e-3, "the bound of unit %zu, weight %zu", j, k);
            }
            free(at.w);
            free(bound.w);
        }
        plethron_bank_close(bank);
        plethron_bank_close(start);
    }
    case_close(c);
}

/* A batch that holds all rows is no batch: their order is left alone. */
static void test_a_batch_of_all_rows(void **state) {
    (void)state;
    test_case *c = batched(4);
    for (size_t w = 0; w < ways.n_ways; w++) {
        if (ways.ways[w].tiling || !case_takes_batches(&ways.ways[w])) continue;
        c->units->batch_size = 160;
        plethron_bank *bank = train(&ways.ways[w], c);
        c->units->batch_size = 0;
        plethron_bank *at_once = train(&ways.ways[w], c);
        check_same_bank(bank, at_once, ways.ways[w].name);
        plethron_bank_close(at_once);
        plethron_bank_close(bank);
    }
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
        cmocka_unit_test(test_trajectories),
        cmocka_unit_test(test_schedules_at_their_ends),
        cmocka_unit_test(test_all_reach_the_same_optimum),
        cmocka_unit_test(test_orders_of_batches),
        cmocka_unit_test(test_batches_against_double),
        cmocka_unit_test(test_a_batch_of_all_rows),
    };
    return cmocka_run_group_tests(tests, open_ways, close_ways);
}
