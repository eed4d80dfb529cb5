/* Predictors: many blocks on one set of buffers, to the bits of plethron_predict, on every device. */
#include "device.h"
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

static void check_blocks_on(plethron_device *device) {
    static const size_t memory_bytes[] = {0, 1, 100000, 1000000};
    static const size_t blocks[] = {1, 17, 333, N_ROWS};
    plethron_error err;
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
}

static void blocks_have_the_same_bits(void **state) {
    (void)state;
    support_on_every_device(check_blocks_on);
}

/* ---- Shapes ------------------------------------------------------------------------------------------------------ */

enum { MAX_SHAPE_ROWS = 255, MAX_SHAPE_UNITS = 100, MAX_SHAPE_FEATURES = 64, MARGIN = 64 };

/* Predictions lie between margins, and neither they nor the rows are aligned to more than a float. */
typedef struct shape_room {
    float X[1 + MAX_SHAPE_ROWS * MAX_SHAPE_FEATURES];
    float P[MARGIN + 3 + MAX_SHAPE_ROWS * MAX_SHAPE_UNITS + MARGIN];
    float want[MAX_SHAPE_ROWS * MAX_SHAPE_UNITS];
    float column[MAX_SHAPE_ROWS];
    int64_t units[MAX_SHAPE_ROWS];
} shape_room;

/* Row by row and unit by unit: the order of summation in its plainest form. */
static void predict_each(const plethron_bank *bank, const float *X, size_t n_rows, shape_room *room) {
    plethron_error err;
    const size_t n_units = plethron_bank_n_units(bank);
    for (size_t j = 0; j < n_units; j++) {
        for (size_t i = 0; i < n_rows; i++) room->units[i] = (int64_t)j;
        assert_works(plethron_predict_rows(bank, X, room->units, n_rows, room->column, &err), &err);
        for (size_t i = 0; i < n_rows; i++) room->want[i * n_units + j] = room->column[i];
    }
}

static void check_margins(const shape_room *room, size_t n_values) {
    const float *P = room->P;
    for (size_t e = 0; e < COUNT(room->P); e++)
        if (e < MARGIN + 3 || e >= MARGIN + 3 + n_values) assert_true(P[e] == -1.0f);
}

static void check_shape(plethron_device *device, size_t n_features, size_t n_units, shape_room *room) {
    static const size_t rows[] = {1, 15, 16, 17, 255};
    plethron_error err;
    const plethron_bank_options options = {.struct_size = sizeof options, .start = values};
    plethron_bank *bank = support_bank(n_features, n_units, &options);
    for (size_t r = 0; r < COUNT(rows); r++) {
        const size_t n_values = rows[r] * n_units;
        for (size_t e = 0; e < COUNT(room->P); e++) room->P[e] = -1.0f;
        predict_each(bank, room->X + 1, rows[r], room);
        assert_works(plethron_predict(device, bank, room->X + 1, rows[r], room->P + MARGIN + 3, &err), &err);
        assert_memory_equal(room->P + MARGIN + 3, room->want, n_values * sizeof *room->want);
        check_margins(room, n_values);
    }
    plethron_bank_close(bank);
}

static void check_shapes(plethron_device *device) {
    static const size_t features[] = {1, 3, 16, 17, 64}, units[] = {1, 2, 3, 16, 17, 64, 100};
    shape_room *room = calloc(1, sizeof *room);
    assert_non_null(room);
    plethron_bank_close(make_bank()); /* sets the values */
    for (size_t e = 0; e < COUNT(room->X); e++) room->X[e] = values[e % COUNT(values)];
    for (size_t k = 0; k < COUNT(features); k++)
        for (size_t u = 0; u < COUNT(units); u++)
            if (plethron_device_describe(device)->bits_hold) check_shape(device, features[k], units[u], room);
    free(room);
}

static void every_shape_has_the_bits_of_its_rows(void **state) {
    (void)state;
    support_on_every_device(check_shapes);
}

/* Kernels and weights are uploaded once, whatever the number of blocks; a device that shares memory is lent them. */
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
    assert_int_equal(after.uploads - before.uploads, device_shares_memory(device) ? 0 : 5);
    assert_int_equal(after.downloads - before.downloads, device_shares_memory(device) ? 0 : 5);
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
        cmocka_unit_test(every_shape_has_the_bits_of_its_rows),
        cmocka_unit_test(a_block_is_one_upload),
        cmocka_unit_test(options_are_checked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
