/* Predictors: many blocks on one set of buffers, to the bits of plethron_predict, on every device. */
#include "support.h"

#include <stdlib.h>
#include <string.h>

enum { N_FEATURES = 37, N_UNITS = 70, N_ROWS = 1000 };

static float values[(N_FEATURES + 1) * N_UNITS + N_ROWS * N_FEATURES];

static plethron_bank *make_bank(void) {
    const plethron_bank_options options = {.struct_size = sizeof options, .start = values};
    for (size_t i = 0; i < COUNT(values); i++) values[i] = (float)(i * 2654435761u % 2001) / 1000.0f - 1.0f;
    return support_bank(N_FEATURES, N_UNITS, &options);
}

/* Rows in blocks of a length that is no multiple of anything. */
static void check_blocks(plethron_predictor *predictor, const float *X, const float *want, size_t n_block) {
    plethron_error err;
    float *P = malloc(n_block * N_UNITS * sizeof *P);
    assert_non_null(P);
    for (size_t first = 0; first < N_ROWS; first += n_block) {
        const size_t left = N_ROWS - first, n = left < n_block ? left : n_block;
        assert_works(plethron_predictor_run(predictor, X + first * N_FEATURES, n, P, &err), &err);
        assert_memory_equal(P, want + first * N_UNITS, n * N_UNITS * sizeof *P);
    }
    free(P);
}

static void check_device(const char *selector) {
    static const size_t memory_bytes[] = {0, 1, 100000, 1000000};
    static const size_t blocks[] = {1, 17, 333, N_ROWS};
    plethron_error err;
    plethron_device *device = support_device(selector);
    plethron_bank *bank = make_bank();
    const float *X = values + (N_FEATURES + 1) * N_UNITS;
    float *want = malloc(N_ROWS * N_UNITS * sizeof *want);
    assert_non_null(want);
    assert_works(plethron_predict(device, bank, X, N_ROWS, want, &err), &err);
    for (size_t m = 0; m < COUNT(memory_bytes); m++) {
        const plethron_predictor_options options = {.struct_size = sizeof options, .memory_bytes = memory_bytes[m]};
        plethron_predictor *predictor = NULL;
        plethron_bank *copy = make_bank();
        assert_works(plethron_predictor_open(device, copy, &options, &predictor, &err), &err);
        plethron_bank_close(copy);
        for (size_t b = m; b < COUNT(blocks); b++) check_blocks(predictor, X, want, blocks[b]);
        plethron_predictor_close(predictor);
    }
    free(want);
    plethron_bank_close(bank);
    plethron_device_close(device);
}

static void blocks_have_the_same_bits(void **state) {
    (void)state;
    plethron_error err;
    plethron_device_list *devices = NULL;
    assert_works(plethron_device_list_open(&devices, &err), &err);
    for (size_t d = 0; d < plethron_device_list_count(devices); d++) {
        char selector[32] = "host";
        const int index = plethron_device_list_get(devices, d)->index;
        if (index >= 0) snprintf(selector, sizeof selector, "%d", index);
        check_device(selector);
    }
    plethron_device_list_close(devices);
}

/* Kernels and weights are uploaded once, whatever the number of blocks. */
static void a_block_is_one_upload(void **state) {
    (void)state;
    plethron_error err;
    plethron_device *device = support_device(NULL);
    plethron_bank *bank = make_bank();
    plethron_predictor *predictor = NULL;
    plethron_counters before = {.struct_size = sizeof before}, after = before;
    float P[4 * N_UNITS];
    assert_works(plethron_predictor_open(device, bank, NULL, &predictor, &err), &err);
    assert_works(plethron_device_counters(device, &before, &err), &err);
    for (int i = 0; i < 5; i++) assert_works(plethron_predictor_run(predictor, values, 4, P, &err), &err);
    assert_works(plethron_device_counters(device, &after, &err), &err);
    const bool is_host = plethron_device_describe(device)->kind == PLETHRON_DEVICE_HOST;
    assert_int_equal(after.uploads - before.uploads, is_host ? 0 : 5);
    assert_int_equal(after.downloads - before.downloads, is_host ? 0 : 5);
    assert_works(plethron_predictor_run(predictor, NULL, 0, NULL, &err), &err);
    plethron_predictor_close(predictor);
    plethron_bank_close(bank);
    plethron_device_close(device);
}

static void options_are_checked(void **state) {
    (void)state;
    plethron_error err;
    plethron_device *device = support_device("host");
    plethron_bank *bank = make_bank();
    plethron_predictor *predictor = NULL;
    const plethron_predictor_options options = {0};
    assert_fails(PLETHRON_ERROR_ARGUMENT, plethron_predictor_open(device, bank, &options, &predictor, &err), &err,
                 "plethron_predictor_options");
    assert_null(predictor);
    plethron_predictor_close(NULL);
    plethron_bank_close(bank);
    plethron_device_close(device);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(blocks_have_the_same_bits),
        cmocka_unit_test(a_block_is_one_upload),
        cmocka_unit_test(options_are_checked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
