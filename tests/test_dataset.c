/* Data sets: tiles, standardising, checks of what comes in, what is known of targets. */
#include "support.h"

#include "dataset.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- Layout ------------------------------------------------------------------------------------------------------ */

/* X [n_samples, n_features] whose every value tells where it stood. */
static float *numbered(size_t n_samples, size_t n_features) {
    float *X = malloc(n_samples * n_features * sizeof *X);
    assert_non_null(X);
    for (size_t e = 0; e < n_samples * n_features; e++) X[e] = (float)(e + 1);
    return X;
}

static void check_tiles(const float *tiles, size_t n_floats, const float *X, size_t n_samples, size_t n_features) {
    const size_t n_tiles = (n_samples + DATASET_TILE - 1) / DATASET_TILE;
    for (size_t tile = 0; tile < n_tiles; tile++)
        for (size_t k = 0; k < n_features; k++)
            for (size_t lane = 0; lane < DATASET_TILE; lane++) {
                const size_t i = tile * DATASET_TILE + lane;
                const float expected = i < n_samples ? X[i * n_features + k] : 0.0f;
                assert_true(tiles[(tile * n_features + k) * DATASET_TILE + lane] == expected);
            }
    for (size_t e = n_tiles * n_features * DATASET_TILE; e < n_floats; e++) assert_true(tiles[e] == 0.0f);
}

static void tiles_hold_every_value_once(void **state) {
    (void)state;
    const size_t shapes[][2] = {{1, 1}, {15, 3}, {16, 2}, {17, 5}, {257, 7}, {2, 33}};
    plethron_device *host = support_device("host"), *device = support_device(NULL);
    for (size_t s = 0; s < COUNT(shapes); s++) {
        plethron_error err;
        const size_t n_samples = shapes[s][0], n_features = shapes[s][1];
        size_t n_floats = 0;
        assert_true(dataset_tiles_size(n_samples, n_features, &n_floats));
        /* the rows in whole tiles, and behind them what a kernel's tile of rows may read */
        assert_int_equal(n_floats, (n_samples + 15) / 16 * 16 * n_features + DATASET_ROW_PADDING * DATASET_TILE);
        float *X = numbered(n_samples, n_features);
        plethron_dataset *dataset = support_dataset(host, X, n_samples, n_features, NULL, 0, false);
        check_tiles(dataset->X_host, n_floats, X, n_samples, n_features);
        plethron_dataset_close(dataset);
        if (!device_is_host(device)) {
            float *tiles = malloc(n_floats * sizeof *tiles);
            dataset = support_dataset(device, X, n_samples, n_features, NULL, 0, false);
            assert_works(device_buffer_download(dataset->X, 0, n_floats * sizeof *tiles, tiles, &err), &err);
            check_tiles(tiles, n_floats, X, n_samples, n_features);
            plethron_dataset_close(dataset);
            free(tiles);
        }
        free(X);
    }
    plethron_device_close(device);
    plethron_device_close(host);
}

static void targets_stand_in_padded_columns(void **state) {
    (void)state;
    enum { N = 17, N_TARGETS = 2 };
    float X[N] = {0}, Y[N * N_TARGETS];
    for (size_t e = 0; e < COUNT(Y); e++) Y[e] = (float)e;
    plethron_device *host = support_device("host");
    plethron_dataset *dataset = support_dataset(host, X, N, 1, Y, N_TARGETS, false);
    assert_int_equal(dataset->y_stride, 32);
    for (size_t t = 0; t < N_TARGETS; t++)
        for (size_t i = 0; i < dataset->y_stride; i++)
            assert_true(dataset->Y_host[t * dataset->y_stride + i] == (i < N ? Y[i * N_TARGETS + t] : 0.0f));
    plethron_dataset_close(dataset);
    plethron_dataset_close(NULL);
    plethron_device_close(host);
}

/* ---- Standardising ----------------------------------------------------------------------------------------------- */

static void moments_and_values(void **state) {
    (void)state;
    /* columns: mean 2.5 and deviation sqrt(1.25); constant; mean 0 and deviation 3; constant 0 */
    const float X[] = {1, 0.1f, -3, 0, 2, 0.1f, 3, 0, 3, 0.1f, 3, 0, 4, 0.1f, -3, 0};
    plethron_device *host = support_device("host");
    plethron_dataset *dataset = support_dataset(host, X, 4, 4, NULL, 0, true);
    const double mean[] = {2.5, 0.1f, 0.0, 0.0}, deviation[] = {sqrt(1.25), 1.0, 3.0, 1.0};
    for (size_t k = 0; k < 4; k++) {
        assert_true(fabs(dataset->mean[k] - mean[k]) < 1e-15);
        assert_true(fabs(dataset->deviation[k] - deviation[k]) < 1e-15);
        for (size_t i = 0; i < 4; i++) {
            const double expected = ((double)X[i * 4 + k] - mean[k]) / deviation[k];
            assert_true(fabs(dataset->X_host[k * DATASET_TILE + i] - expected) <= 1e-7 * fabs(expected));
        }
        for (size_t i = 4; i < DATASET_TILE; i++) /* padding stays zero and is not shifted */
            assert_true(dataset->X_host[k * DATASET_TILE + i] == 0.0f);
    }
    plethron_dataset_close(dataset);
    dataset = support_dataset(host, X, 4, 4, NULL, 0, false);
    assert_null(dataset->mean);
    plethron_dataset_close(dataset);
    plethron_device_close(host);
}

/* Around 1e6 a float's steps are 1/16: the two passes in double must lose nothing more, and one pass over squares in
 * float would lose everything. */
static void small_noise_on_a_large_offset(void **state) {
    (void)state;
    enum { N = 10007 };
    const float offset = 1e6f, step = 0.0625f;
    float *X = malloc(N * sizeof *X);
    assert_non_null(X);
    double sum = 0.0, squares = 0.0;
    for (size_t i = 0; i < N; i++) {
        const float noise = step * (float)((int)(i * 7919 % 33) - 16);
        X[i] = offset + noise;
        assert_true(X[i] - offset == noise);
        sum += noise;
        squares += (double)noise * noise;
    }
    const double mean = sum / N, deviation = sqrt(squares / N - mean * mean); /* of the noise alone: no cancellation */
    plethron_device *host = support_device("host");
    plethron_dataset *dataset = support_dataset(host, X, N, 1, NULL, 0, true);
    assert_true(fabs(dataset->mean[0] - (offset + mean)) < 1e-8);
    assert_true(fabs(dataset->deviation[0] - deviation) < 1e-9 * deviation + 1e-8);
    sum = squares = 0.0;
    for (size_t i = 0; i < N; i++) {
        sum += dataset->X_host[i];
        squares += (double)dataset->X_host[i] * dataset->X_host[i];
    }
    assert_true(fabs(sum / N) < 1e-6);
    assert_true(fabs(squares / N - 1.0) < 1e-6);
    plethron_dataset_close(dataset);
    plethron_device_close(host);
    free(X);
}

/* ---- Refusals ---------------------------------------------------------------------------------------------------- */

static void refusals(void **state) {
    (void)state;
    enum { N = 3, N_FEATURES = 2 };
    plethron_error err;
    float X[N * N_FEATURES] = {0}, Y[N] = {0};
    const size_t most = DATASET_MAX_COUNT;
    plethron_device *devices[] = {support_device("host"), support_device(NULL)};
    for (size_t d = 0; d < COUNT(devices); d++) {
        plethron_device *device = devices[d];
        plethron_dataset *untouched = (plethron_dataset *)&err, *out = untouched;
        const struct {
            const float *X;
            size_t n_samples, n_features;
            const float *Y;
            size_t n_targets;
            const char *text;
        } cases[] = {
            {X, 0, N_FEATURES, Y, 1, "n_samples is 0: 1 to 1073741824"},
            {X, N, 0, Y, 1, "n_features is 0: 1 to 1073741824"},
            {X, most + 1, N_FEATURES, Y, 1, "n_samples is 1073741825"},
            {X, N, most + 1, Y, 1, "n_features is 1073741825"},
            {X, SIZE_MAX, SIZE_MAX, Y, 1, "n_samples is 18446744073709551615"},
            {NULL, N, N_FEATURES, Y, 1, "X must be given"},
            {X, N, N_FEATURES, NULL, 1, "Y when n_targets (1)"},
            {X, N, N_FEATURES, Y, 0, "Y when n_targets (0)"},
            {X, N, N_FEATURES, Y, SIZE_MAX, "n_targets (18446744073709551615)"},
        };
        for (size_t c = 0; c < COUNT(cases); c++)
            assert_fails(PLETHRON_ERROR_ARGUMENT,
                         plethron_dataset_create(device, cases[c].X, cases[c].n_samples, cases[c].n_features,
                                                 cases[c].Y, cases[c].n_targets, NULL, &out, &err),
                         &err, cases[c].text);
        const size_t struct_sizes[] = {0, sizeof(plethron_dataset_options) + 1};
        for (size_t s = 0; s < COUNT(struct_sizes); s++) {
            const plethron_dataset_options options = {struct_sizes[s], false};
            assert_fails(PLETHRON_ERROR_ARGUMENT,
                         plethron_dataset_create(device, X, N, N_FEATURES, Y, 1, &options, &out, &err), &err,
                         "plethron_dataset_options.struct_size", "expected");
        }
        assert_ptr_equal(out, untouched);
        plethron_device_close(device);
    }
}

static void values_that_are_not_finite(void **state) {
    (void)state;
    enum { N = 3, N_FEATURES = 2 };
    const float bad[] = {NAN, INFINITY, -INFINITY};
    const char *texts[] = {"is nan", "is inf", "is -inf"};
    plethron_error err;
    plethron_device *host = support_device("host");
    plethron_dataset *out = NULL;
    for (size_t b = 0; b < COUNT(bad); b++) {
        float X[N * N_FEATURES] = {0}, Y[N * N_FEATURES] = {0};
        X[2 * N_FEATURES + 1] = bad[b];
        assert_fails(PLETHRON_ERROR_ARGUMENT,
                     plethron_dataset_create(host, X, N, N_FEATURES, Y, N_FEATURES, NULL, &out, &err), &err, "X[2, 1]",
                     texts[b], "finite");
        X[2 * N_FEATURES + 1] = 0.0f;
        Y[1 * N_FEATURES] = bad[b];
        assert_fails(PLETHRON_ERROR_ARGUMENT,
                     plethron_dataset_create(host, X, N, N_FEATURES, Y, N_FEATURES, NULL, &out, &err), &err, "Y[1, 0]",
                     texts[b], "finite");
    }
    assert_null(out);
    plethron_device_close(host);
}

/* ---- Targets ----------------------------------------------------------------------------------------------------- */

static void one_class_detection(void **state) {
    (void)state;
    enum { N = 4, N_TARGETS = 6 };
    const float X[N] = {0};
    const float Y[N * N_TARGETS] = {
        /* zeros, ones, mixed, halves, codes, a code that no table of classes can hold */
        0, 1, 0, 0.5f, 2, 70000, //
        0, 1, 1, 0.5f, 2, 70000, //
        0, 1, 0, 0.5f, 0, 70000, //
        0, 1, 0, 0.5f, 2, 70000,
    };
    const struct {
        size_t target;
        int64_t positive_class;
        bool one_class;
    } cases[] = {
        {0, PLETHRON_NO_CLASS, true},
        {1, PLETHRON_NO_CLASS, true},
        {2, PLETHRON_NO_CLASS, false},
        {3, PLETHRON_NO_CLASS, false}, /* all the same, but neither 0 nor 1 */
        {0, 0, true},
        {0, 1, true},
        {1, 0, true},
        {1, 1, true},
        {2, 0, false},
        {2, 1, false},
        {4, 0, false},
        {4, 1, true}, /* between the codes that occur */
        {4, 2, false},
        {4, 3, true},                   /* above them */
        {4, DATASET_MAX_CLASSES, true}, /* far above */
    };
    plethron_device *host = support_device("host");
    plethron_dataset *dataset = support_dataset(host, X, N, 1, Y, N_TARGETS, false);
    for (size_t c = 0; c < COUNT(cases); c++)
        assert_int_equal(dataset_one_class(dataset, cases[c].target, cases[c].positive_class), cases[c].one_class);
    assert_null(dataset->targets[3].class_counts);
    assert_null(dataset->targets[5].class_counts);
    assert_true(dataset->targets[4].min == 0.0f && dataset->targets[4].max == 2.0f);
    assert_int_equal(dataset->targets[4].class_counts[2], 3);
    plethron_dataset_close(dataset);
    plethron_device_close(host);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tiles_hold_every_value_once),
        cmocka_unit_test(targets_stand_in_padded_columns),
        cmocka_unit_test(moments_and_values),
        cmocka_unit_test(small_noise_on_a_large_offset),
        cmocka_unit_test(refusals),
        cmocka_unit_test(values_that_are_not_finite),
        cmocka_unit_test(one_class_detection),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
