/* Prediction: rows are laid out in tiles and sent to the device block by block. */
#include "bank.h"
#include "plan.h"

#include <stdlib.h>
#include <string.h>

/* A block's rows and predictions each take at most about this much: enough to keep a device busy, small beside any
 * device's memory. */
enum { BLOCK_BYTES = 32 << 20 };

static size_t rows_a_block(size_t n_samples, size_t n_features, size_t unit_stride) {
    const size_t widest = n_features > unit_stride ? n_features : unit_stride;
    size_t rows = BLOCK_BYTES / sizeof(float) / widest / DATASET_ROW_PADDING * DATASET_ROW_PADDING;
    if (rows == 0) rows = DATASET_ROW_PADDING;
    return rows < n_samples ? rows : n_samples;
}

/* W and b as [n_features + 1, unit_stride], padded with zeros. */
static void pack_weights(const plethron_bank *bank, size_t unit_stride, float *to) {
    for (size_t k = 0; k <= bank->n_features; k++)
        memcpy(to + k * unit_stride, bank->weights + k * bank->n_units, bank->n_units * sizeof *to);
}

static plethron_status predict_blocks(const predict_problem *problem, const float *X, size_t n_samples, float *tiles,
                                      float *padded, float *P, plethron_error *err) {
    plethron_status status = PLETHRON_OK;
    void *state = NULL;
    const bool on_host = device_is_host(problem->device);
    if (!on_host) TRY(staged_predict_open(problem, &state, err));
    for (size_t first = 0; first < n_samples; first += problem->max_rows) {
        const size_t left = n_samples - first, count = left < problem->max_rows ? left : problem->max_rows;
        dataset_pack_tiles(X + first * problem->n_features, count, problem->n_features, NULL, NULL, tiles);
        if (on_host)
            host_predict(problem, tiles, count, padded);
        else
            TRY(staged_predict(state, tiles, count, padded, err));
        for (size_t i = 0; i < count; i++)
            memcpy(P + (first + i) * problem->n_units, padded + i * problem->unit_stride, problem->n_units * sizeof *P);
    }
out:
    staged_predict_close(state);
    return status;
}

plethron_status plethron_predict(plethron_device *device, const plethron_bank *bank, const float *X, size_t n_samples,
                                 float *P, plethron_error *err) {
    plethron_status status;
    void *weights = NULL, *tiles = NULL, *padded = NULL;
    size_t n_floats = 0;
    predict_problem problem = {
        .device = device,
        .n_features = bank->n_features,
        .n_units = bank->n_units,
        .unit_stride = (bank->n_units + UNIT_PADDING - 1) / UNIT_PADDING * UNIT_PADDING,
    };
    if (n_samples == 0) return PLETHRON_OK;
    problem.max_rows = rows_a_block(n_samples, problem.n_features, problem.unit_stride);
    if (!device_is_host(device)) problem.tiling = plan_tiling(device, problem.n_units);
    dataset_tiles_size(problem.max_rows, problem.n_features, &n_floats);
    TRY(device_check_process(device, err));
    TRY(memory_allocate((problem.n_features + 1) * problem.unit_stride, sizeof(float), "the weights", &weights, err));
    TRY(memory_allocate(n_floats, sizeof(float), "the rows to predict", &tiles, err));
    TRY(memory_allocate(problem.max_rows * problem.unit_stride, sizeof(float), "the predictions", &padded, err));
    pack_weights(bank, problem.unit_stride, weights);
    problem.weights = weights;
    TRY(predict_blocks(&problem, X, n_samples, tiles, padded, P, err));
out:
    free(padded);
    free(tiles);
    free(weights);
    return status;
}
