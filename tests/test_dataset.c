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

/* The floats of a buffer, for free. */
static float *downloaded(device_buffer *buffer, size_t n) {
    plethron_error err;
    float *values = malloc(n * sizeof *values);
    assert_non_null(values);
    assert_works(device_buffer_download(buffer, 0, n * sizeof *values, values, &err), &err);
    return values;
}

static void tiles_hold_every_value_once(void **state) {
    (void)state;
    const size_t shapes[][2] = {{1, 1}, {15, 3}, {16, 2}, {17, 5}, {257, 7}, {2, 33}};
    plethron_device *devices[] = {support_device("host"), support_device(NULL)};
    for (size_t d = 0; d < COUNT(devices); d++) {
        for (size_t s = 0; s < COUNT(shapes); s++) {
            const size_t n_samples = shapes[s][0], n_features = shapes[s][1];
            size_t n_floats = 0;
            assert_true(dataset_tiles_size(n_samples, n_features, &n_floats));
            /* the rows in whole tiles, and behind them what a kernel's tile of rows may read */
            assert_int_equal(n_floats, (n_samples + 15) / 16 * 16 * n_features + DATASET_ROW_PADDING * DATASET_TILE);
            float *X = numbered(n_samples, n_features);
            plethron_dataset *dataset = support_dataset(devices[d], X, n_samples, n_features, NULL, 0, false);
            float *tiles = downloaded(dataset->X, n_floats);
            check_tiles(tiles, n_floats, X, n_samples, n_features);
            plethron_dataset_close(dataset);
            free(tiles);
            free(X);
        }
        plethron_device_close(devices[d]);
    }
}

static void targets_stand_in_padded_columns(void **state) {
    (void)state;
    enum { N = 17, N_TARGETS = 2 };
    float X[N] = {0}, Y[N * N_TARGETS];
    for (size_t e = 0; e < COUNT(Y); e++) Y[e] = (float)e;
    plethron_device *devices[] = {support_device("host"), support_device(NULL)};
    for (size_t d = 0; d < COUNT(devices); d++) {
        plethron_dataset *dataset = support_dataset(devices[d], X, N, 1, Y, N_TARGETS, false);
        assert_int_equal(dataset->y_stride, 32);
        float *columns = downloaded(dataset->Y, N_TARGETS * dataset->y_stride);
        for (size_t t = 0; t < N_TARGETS; t++)
            for (size_t i = 0; i < dataset->y_stride; i++)
                assert_true(columns[t * dataset->y_stride + i] == (i < N ? Y[i * N_TARGETS + t] : 0.0f));
        free(columns);
        plethron_dataset_close(dataset);
        plethron_device_close(devices[d]);
    }
    plethron_dataset_close(NULL);
}

/* ---- Standardising ----------------------------------------------------------------------------------------------- */

static void check_moments_and_values(plethron_device *device) {
    /* columns: mean 2.5 and deviation sqrt(1.25); constant; mean 0 and deviation 3; constant 0 */
    const float X[] = {1, 0.1f, -3, 0, 2, 0.1f, 3, 0, 3, 0.1f, 3, 0, 4, 0.1f, -3, 0};
    const double mean[] = {2.5, 0.1f, 0.0, 0.0}, deviation[] = {sqrt(1.25), 1.0, 3.0, 1.0};
    plethron_dataset *dataset = support_dataset(device, X, 4, 4, NULL, 0, true);
    float *tiles = downloaded(dataset->X, 4 * DATASET_TILE);
    for (size_t k = 0; k < 4; k++) {
        assert_true(fabs(dataset->mean[k] - mean[k]) < 1e-15);
        /* the kernel multiplies by a float */
        assert_true(fabs(dataset->deviation[k] - deviation[k]) <= 0x1p-24 * deviation[k]);
        for (size_t i = 0; i < 4; i++) {
            const double expected = ((double)X[i * 4 + k] - mean[k]) / deviation[k];
            assert_true(fabs(tiles[k * DATASET_TILE + i] - expected) <= 2.0 * 0x1p-23 * fabs(expected));
        }
        for (size_t i = 4; i < DATASET_TILE; i++) /* padding stays zero and is not shifted */
            assert_true(tiles[k * DATASET_TILE + i] == 0.0f);
    }
    free(tiles);
    plethron_dataset_close(dataset);
    dataset = support_dataset(device, X, 4, 4, NULL, 0, false);
    assert_null(dataset->mean);
    plethron_dataset_close(dataset);
}

/* Around 1e6 a float's steps are 1/16: the two passes must lose nothing more, and one pass over squares in float would
 * lose everything. */
static void check_small_noise_on_a_large_offset(plethron_device *device) {
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
    plethron_dataset *dataset = support_dataset(device, X, N, 1, NULL, 0, true);
    float *tiles = downloaded(dataset->X, N);
    assert_true(fabs(dataset->mean[0] - (offset + mean)) < 1e-8);
    assert_true(fabs(dataset->deviation[0] - deviation) < 0x1p-23 * deviation);
    sum = squares = 0.0;
    for (size_t i = 0; i < N; i++) {
        sum += tiles[i];
        squares += (double)tiles[i] * tiles[i];
    }
    assert_true(fabs(sum / N) < 1e-6);
    assert_true(fabs(squares / N - 1.0) < 1e-6);
    plethron_dataset_close(dataset);
    free(tiles);
    free(X);
}

static void moments_and_values(void **state) {
    (void)state;
    support_on_two_devices(check_moments_and_values);
}

static void small_noise_on_a_large_offset(void **state) {
    (void)state;
    support_on_two_devices(check_small_noise_on_a_large_offset);
}

/* ---- Refusals ---------------------------------------------------------------------------------------------------- */

/* Refused before a value is read (there are none here) or anything is uploaded, with how many rows would fit. */
static void check_memory(plethron_device *device) {
    enum { MANY_FEATURES = 4096, N_TARGETS = 2, N_COLUMNS = 3 };
    const plethron_device_info *info = plethron_device_describe(device);
    const uint64_t row_bytes = (MANY_FEATURES + N_TARGETS + N_COLUMNS) * sizeof(float) + 1;
    uint64_t n_fit = info->memory_bytes / row_bytes;
    if (!device_is_host(device) && info->max_alloc_bytes / (MANY_FEATURES * sizeof(float)) < n_fit)
        n_fit = info->max_alloc_bytes / (MANY_FEATURES * sizeof(float));
    const size_t n_samples = (size_t)n_fit + 1;
    const float nothing = 0.0f;
    const uint8_t fold = 0;
    const plethron_dataset_options options = {
        .struct_size = sizeof options, .sample_weights = &nothing, .n_weight_columns = N_COLUMNS, .folds = &fold};
    plethron_error err;
    plethron_dataset *out = NULL;
    char needed[64], fits[64];
    snprintf(needed, sizeof needed, "need %llu bytes", (unsigned long long)(n_samples * row_bytes));
    snprintf(fits, sizeof fits, " %llu of these samples would fit", (unsigned long long)n_fit);
    assert_fails(
        PLETHRON_ERROR_MEMORY,
        plethron_dataset_create(device, &nothing, n_samples, MANY_FEATURES, &nothing, N_TARGETS, &options, &out, &err),
        &err, needed, info->name, fits);
    plethron_counters counters = {.struct_size = sizeof counters};
    assert_works(plethron_device_counters(device, &counters, &err), &err);
    assert_int_equal(counters.uploads, 0);
    assert_null(out);
}

static void more_than_the_device_holds(void **state) {
    (void)state;
    support_on_two_devices(check_memory);
}

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
            const plethron_dataset_options options = {.struct_size = struct_sizes[s]};
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
        if (isnan(bad[b])) { /* a missing target */
            plethron_dataset_close(support_dataset(host, X, N, N_FEATURES, Y, N_FEATURES, false));
            continue;
        }
        assert_fails(PLETHRON_ERROR_ARGUMENT,
                     plethron_dataset_create(host, X, N, N_FEATURES, Y, N_FEATURES, NULL, &out, &err), &err, "Y[1, 0]",
                     texts[b], "finite", "NaN for a missing target");
    }
    assert_null(out);
    plethron_device_close(host);
}

/* ---- Targets ----------------------------------------------------------------------------------------------------- */

/* Whether a unit that learns the class ends in the state ONE_CLASS; training must be possible. */
static bool ends_in_one_class(plethron_dataset *dataset, int64_t target, int64_t positive_class) {
    plethron_error err;
    const int64_t epochs = 1;
    const plethron_bank_options options = {.struct_size = sizeof options,
                                           .epochs = {&epochs, 1},
                                           .target = {&target, 1},
                                           .positive_class = {&positive_class, 1}};
    plethron_bank *bank = support_bank(1, 1, &options);
    assert_works(plethron_train(dataset, bank, NULL, &err), &err);
    const plethron_unit_state state = support_unit(bank, 0).state;
    plethron_bank_close(bank);
    return state == PLETHRON_UNIT_ONE_CLASS;
}

static void check_one_class(plethron_device *device) {
    enum { N = 4, N_TARGETS = 7 };
    const float X[N] = {0};
    const float Y[N * N_TARGETS] = {
        /* zeros, ones, mixed, halves, codes, a code that no table of classes can hold, missing but for one */
        0, 1, 0, 0.5f, 2, 70000, NAN, //
        0, 1, 1, 0.5f, 2, 70000, NAN, //
        0, 1, 0, 0.5f, 0, 70000, 1,   //
        0, 1, 0, 0.5f, 2, 70000, NAN,
    };
    const struct {
        int64_t target;
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
        {4, 3, true},                       /* above them */
        {4, DATASET_MAX_CLASSES - 1, true}, /* far above */
        {6, PLETHRON_NO_CLASS, true},       /* of the rows that have a target */
        {6, 0, true},
    };
    plethron_dataset *dataset = support_dataset(device, X, N, 1, Y, N_TARGETS, false);
    for (size_t c = 0; c < COUNT(cases); c++)
        assert_int_equal(ends_in_one_class(dataset, cases[c].target, cases[c].positive_class), cases[c].one_class);
    for (size_t t = 0; t < N_TARGETS; t++) {
        assert_int_equal(dataset->targets[t].is_codes, t != 3 && t != 5);
        assert_int_equal(dataset->targets[t].has_missing, t == 6);
    }
    assert_true(dataset->targets[4].min == 0.0f && dataset->targets[4].max == 2.0f);
    assert_true(dataset->targets[6].min == 1.0f && dataset->targets[6].max == 1.0f);
    plethron_dataset_close(dataset);
}

static void one_class_detection(void **state) {
    (void)state;
    support_on_two_devices(check_one_class);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tiles_hold_every_value_once),
        cmocka_unit_test(targets_stand_in_padded_columns),
        cmocka_unit_test(moments_and_values),
        cmocka_unit_test(small_noise_on_a_large_offset),
        cmocka_unit_test(refusals),
        cmocka_unit_test(more_than_the_device_holds),
        cmocka_unit_test(values_that_are_not_finite),
        cmocka_unit_test(one_class_detection),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
