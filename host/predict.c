/* Prediction: rows are laid out in tiles and sent to the device block by block. */
#include "bank.h"
#include "forward.h"
#include "host_loops.h"
#include "problem.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* A block's rows and predictions each take at most about this much: enough to keep a device busy, small beside any
 * device's memory. Where the device is the CPU, also at most this share of its last cache, so that what one step writes
 * the next reads from there. */
enum { BLOCK_BYTES = 32 << 20, LEAST_BLOCK_BYTES = 1 << 20, CACHE_SHARE = 8 };

typedef struct prediction {
    plethron_device *device;
    size_t n_features;
    size_t n_units;
    size_t unit_stride;
    size_t max_rows; /* of a block */
    forward_stage *forward;
    device_buffer *weights, *rows, *results;
    float *tiles;  /* of a block: [.., n_features, DATASET_TILE] */
    float *padded; /* [max_rows, unit_stride], NULL where n_units needs no padding */
    size_t tiles_floats;
} prediction;

static size_t block_bytes(const plethron_device *device) {
    const size_t share = device_cache_bytes(device) / CACHE_SHARE;
    if (plethron_device_describe(device)->local_is_dedicated || share > BLOCK_BYTES) return BLOCK_BYTES;
    return share > LEAST_BLOCK_BYTES ? share : LEAST_BLOCK_BYTES;
}

static size_t rows_a_block(const plethron_device *device, size_t n_samples, size_t n_features, size_t unit_stride) {
    const size_t widest = n_features > unit_stride ? n_features : unit_stride;
    size_t rows = block_bytes(device) / sizeof(float) / widest / DATASET_ROW_PADDING * DATASET_ROW_PADDING;
    if (rows == 0) rows = DATASET_ROW_PADDING;
    return rows < n_samples ? rows : n_samples;
}

static void prediction_close(prediction *self) {
    device_buffer_close(self->results);
    device_buffer_close(self->rows);
    device_buffer_close(self->weights);
    forward_close(self->forward);
    free(self->padded);
    free(self->tiles);
}

/* W and b as [n_features + 1, unit_stride], padded with zeros. */
static plethron_status upload_weights(prediction *self, const plethron_bank *bank, plethron_error *err) {
    plethron_status status;
    void *memory = NULL;
    const size_t n_floats = (self->n_features + 1) * self->unit_stride;
    TRY(memory_allocate(n_floats, sizeof(float), "the weights", &memory, err));
    float *weights = memory;
    for (size_t k = 0; k <= bank->n_features; k++)
        memcpy(weights + k * self->unit_stride, bank->weights + k * bank->n_units, bank->n_units * sizeof *weights);
    TRY(device_buffer_create(self->device, n_floats * sizeof(float), "the weights", &self->weights, err));
    TRY(device_buffer_upload(self->weights, 0, n_floats * sizeof(float), weights, err));
out:
    free(memory);
    return status;
}

static plethron_status prediction_open(prediction *self, const plethron_bank *bank, plethron_error *err) {
    plethron_status status;
    void *tiles = NULL, *padded = NULL;
    const tile_sizes tiling = tiling_choose(self->device, self->n_units);
    const size_t result_floats = forward_out_rows(self->max_rows) * self->unit_stride;
    dataset_tiles_size(self->max_rows, self->n_features, &self->tiles_floats);
    TRY(memory_allocate(self->tiles_floats, sizeof(float), "the rows to predict", &tiles, err));
    self->tiles = tiles;
    if (self->n_units < self->unit_stride)
        TRY(memory_allocate(self->max_rows * self->unit_stride, sizeof(float), "the predictions", &padded, err));
    self->padded = padded;
    TRY(forward_open(self->device, &tiling, &self->forward, err));
    TRY(upload_weights(self, bank, err));
    TRY(device_buffer_create(self->device, self->tiles_floats * sizeof(float), "the rows to predict", &self->rows,
                             err));
    TRY(device_buffer_zero(self->rows, err)); /* the padding behind the rows is read, too */
    TRY(device_buffer_create(self->device, result_floats * sizeof(float), "the predictions", &self->results, err));
out:
    return status;
}

static plethron_status predict_block(const prediction *self, const float *X, size_t n_rows, float *P,
                                     plethron_error *err) {
    plethron_status status;
    const size_t n_tiles = (n_rows + DATASET_TILE - 1) / DATASET_TILE;
    const forward_task task = {
        .X = self->rows,
        .weights = self->weights,
        .out = self->results,
        .n_tiles = n_tiles,
        .n_features = self->n_features,
        .weights_stride = self->unit_stride,
        .n_rows = n_rows,
        .n_units = self->n_units,
        .out_stride = self->unit_stride,
        .activate = true,
    };
    dataset_pack_tiles(X, n_rows, self->n_features, self->tiles);
    TRY(device_buffer_upload(self->rows, 0, n_tiles * DATASET_TILE * self->n_features * sizeof(float), self->tiles,
                             err));
    TRY(forward_run(self->forward, &task, err));
    TRY(device_buffer_download(self->results, 0, n_rows * self->unit_stride * sizeof(float),
                               self->padded ? self->padded : P, err));
    for (size_t i = 0; self->padded && i < n_rows; i++)
        memcpy(P + i * self->n_units, self->padded + i * self->unit_stride, self->n_units * sizeof *P);
out:
    return status;
}

plethron_status plethron_predict(plethron_device *device, const plethron_bank *bank, const float *X, size_t n_samples,
                                 float *P, plethron_error *err) {
    plethron_status status;
    if (n_samples == 0) return PLETHRON_OK;
    prediction self = {
        .device = device,
        .n_features = bank->n_features,
        .n_units = bank->n_units,
        .unit_stride = (bank->n_units + UNIT_PADDING - 1) / UNIT_PADDING * UNIT_PADDING,
    };
    self.max_rows = rows_a_block(device, n_samples, self.n_features, self.unit_stride);
    TRY(device_check_process(device, err));
    TRY(prediction_open(&self, bank, err));
    for (size_t first = 0; first < n_samples; first += self.max_rows) {
        const size_t left = n_samples - first, count = left < self.max_rows ? left : self.max_rows;
        TRY(predict_block(&self, X + first * self.n_features, count, P + first * self.n_units, err));
    }
out:
    prediction_close(&self);
    return status;
}

plethron_status plethron_predict_rows(const plethron_bank *bank, const float *X, const int64_t *units, size_t n_samples,
                                      float *P, plethron_error *err) {
    const host_loops *loops = host_loops_best();
    for (size_t i = 0; i < n_samples; i++)
        if (units[i] != PLETHRON_NONE && (uint64_t)units[i] >= bank->n_units)
            return error_set(err, PLETHRON_ERROR_ARGUMENT, "units[%zu] is %lld: the bank has %zu units", i,
                             (long long)units[i], bank->n_units);
#pragma omp parallel for if (n_samples > 1024)
    for (size_t i = 0; i < n_samples; i++)
        P[i] = units[i] == PLETHRON_NONE ? NAN
                                         : loops->predict(X + i * bank->n_features, bank->weights + units[i],
                                                          bank->n_features, bank->n_units);
    return PLETHRON_OK;
}
