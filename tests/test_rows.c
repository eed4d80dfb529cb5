/* The strategy `rows` against its order of summation written down in plain C, bit by bit: every number of units a pass,
 * both ways of summing, partial blocks and tiles, batches. */
#include "arithmetic_c.h"
#include "cases.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { TILE = DATASET_TILE, BLOCK = DATASET_BLOCK_ROWS };

static case_ways ways;

/* Adds the lanes of the chains of a block: l and l + 8, then l + 4, l + 2, l + 1. */
static float add_lanes(float lane[TILE]) {
    for (int half = TILE / 2; half > 0; half /= 2)
        for (int l = 0; l < half; l++) lane[l] += lane[l + half];
    return lane[0];
}

static float feature(const test_case *c, size_t i, size_t k) {
    return k < c->shape.n_features ? c->X[i * c->shape.n_features + k] : 1.0f;
}

/* The gradient of the log loss of target 0 for one unit, w with a stride: [n_features + 1], bias last. */
static void lane_order_gradient(const test_case *c, const row_batch *batch, const float *w, size_t stride,
                                float *sums) {
    const size_t n_features = c->shape.n_features;
    for (size_t k = 0; k <= n_features; k++) sums[k] = 0.0f;
    for (size_t first = batch->first; first < batch->first + batch->count; first += BLOCK) {
        const size_t left = batch->first + batch->count - first, count = left < BLOCK ? left : BLOCK;
        float delta[BLOCK];
        for (size_t i = 0; i < count; i++) {
            float z = w[n_features * stride];
            for (size_t k = 0; k < n_features; k++) z = fmaf(feature(c, first + i, k), w[k * stride], z);
            delta[i] = c_sigmoid(z) - c->Y[(first + i) * CASE_TARGETS];
        }
        for (size_t k = 0; k <= n_features; k++) {
            float lane[TILE] = {0};
            for (size_t i = 0; i < count; i++)
                lane[i % TILE] = fmaf(feature(c, first + i, k), delta[i], lane[i % TILE]);
            sums[k] += add_lanes(lane);
        }
    }
}

static void check_unit(const test_case *c, const case_run *run, const row_batch *batch, const float *weights,
                       const float *biases, size_t stride, size_t unit, const char *what) {
    const train_problem *p = &run->whole.problem;
    float *want = malloc((c->shape.n_features + 1) * sizeof *want);
    assert_non_null(want);
    lane_order_gradient(c, batch, p->weights + unit, p->unit_stride, want);
    for (size_t k = 0; k <= c->shape.n_features; k++) {
        const float got = k < c->shape.n_features ? weights[k * stride + unit] : biases[unit];
        if (memcmp(&got, &want[k], sizeof got) != 0)
            fail_msg("%s: %zu x %zu, rows %zu to %zu, unit %zu of %zu, feature %zu: %.9g instead of %.9g", what,
                     c->shape.n_samples, c->shape.n_features, batch->first, batch->first + batch->count - 1, unit,
                     c->shape.n_units, k, (double)got, (double)want[k]);
    }
    free(want);
}

static void check_gradient(const case_way *way, const test_case *c, const row_batch *batch) {
    case_run run;
    gradient_sums sums;
    case_run_open(way, c, 0, 0, &run);
    const unit_shard shard = {0, c->shape.n_units};
    check_ok(run.plan.strategy->gradient(run.run, shard, batch, &sums, &case_error));
    assert_int_equal(sums.n_parts, 1);
    assert_int_equal(sums.n_bias_parts, 1);
    float *weights = malloc(c->shape.n_features * sums.stride * sizeof *weights);
    float *biases = malloc(sums.stride * sizeof *biases);
    assert_true(weights && biases);
    check_ok(device_buffer_download(sums.weights, 0, c->shape.n_features * sums.stride * sizeof *weights, weights,
                                    &case_error));
    check_ok(device_buffer_download(sums.biases, 0, sums.stride * sizeof *biases, biases, &case_error));
    for (size_t j = 0; j < c->shape.n_units; j++)
        check_unit(c, &run, batch, weights, biases, sums.stride, j, run.plan.text);
    free(biases);
    free(weights);
    case_run_close(&run);
}

static void check_case(size_t n_samples, size_t n_features, size_t n_units, const row_batch *batch) {
    const case_shape shape = {n_samples, n_features, n_units, UNITS_ALIKE, PLETHRON_REDUCTION_SUM};
    test_case *c = case_open(shape, case_seed());
    for (size_t w = 0; w < ways.n_ways; w++) {
        const case_way *way = &ways.ways[w];
        const bool in_groups = way->tiling && way->tiling->local_memory;
        if (strcmp(way->strategy, "rows") != 0 || !case_bits_hold(way) || (way->tiling && !in_groups)) continue;
        check_gradient(way, c, batch);
    }
    case_close(c);
}

/* One unit to as many as a pass holds, and more than that. */
static void test_units(void **state) {
    static const size_t n_units[] = {1, 2, 3, 4, 5, 6, 8, 10, 13, 33};
    (void)state;
    const row_batch all = {0, 300};
    for (size_t i = 0; i < sizeof n_units / sizeof *n_units; i++) check_case(300, 19, n_units[i], &all);
}

/* Tall and wide; 341 x 3 is the last whose sums of lanes lie in memory. */
static void test_shapes(void **state) {
    static const size_t shapes[][3] = {{1, 1, 1},    {5, 3, 1},    {16, 15, 2},  {17, 16, 1},
                                       {255, 1, 4},  {256, 3, 2},  {257, 64, 1}, {600, 31, 3},
                                       {33, 341, 3}, {33, 342, 3}, {40, 1025, 1}};
    (void)state;
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
        const row_batch all = {0, shapes[i][0]};
        check_case(shapes[i][0], shapes[i][1], shapes[i][2], &all);
    }
}

static void test_batches(void **state) {
    static const row_batch batches[] = {{0, 16}, {16, 1}, {48, 272}, {320, 300}, {608, 13}};
    (void)state;
    for (size_t i = 0; i < sizeof batches / sizeof *batches; i++) check_case(621, 7, 2, &batches[i]);
}

static int open_all(void **state) {
    (void)state;
    case_ways_open(64, &ways);
    return 0;
}

static int close_all(void **state) {
    (void)state;
    for (size_t d = 0; d < ways.n_devices; d++) assert_int_equal(device_guard_violations(ways.devices[d]), 0);
    case_ways_close(&ways);
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_units),
        cmocka_unit_test(test_shapes),
        cmocka_unit_test(test_batches),
    };
    return cmocka_run_group_tests(tests, open_all, close_all);
}
