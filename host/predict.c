/* Prediction: rows are laid out in tiles and sent to the device block by block. */
#include "predict.h"

#include "host_loops.h"
#include "problem.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* A block's rows and predictions each take at most about this much: enough to keep a device busy, small beside any
 * device's memory. Where the device is the CPU, also at most this share of its last cache, so that what one step writes
 * the next reads from there. */
enum { BLOCK_BYTES = 32 << 20, LEAST_BLOCK_BYTES = 1 << 20, CACHE_SHARE = 8 };

static size_t block_bytes(const plethron_device *device) {
    const size_t share = device_cache_bytes(device) / CACHE_SHARE;
    if (plethron_device_describe(device)->local_is_dedicated || share > BLOCK_BYTES) return BLOCK_BYTES;
    return share > LEAST_BLOCK_BYTES ? share : LEAST_BLOCK_BYTES;
}

/* Rows and predictions are there twice, once on the device; memory_bytes bounds all of them, 0: nothing does. */
static size_t rows_a_block(const plethron_predictor *self, size_t n_samples, size_t memory_bytes) {
    enum { N_COPIES = 4 };
    const size_t allowed = memory_bytes ? memory_bytes / N_COPIES : SIZE_MAX, wanted = block_bytes(self->device);
    const size_t bytes = wanted < allowed ? wanted : allowed;
    const bool features_count = !self->is_sparse && self->n_features > self->result_stride;
    const size_t widest = features_count ? self->n_features : self->result_stride;
    size_t rows = bytes / sizeof(float) / widest / DATASET_ROW_PADDING * DATASET_ROW_PADDING;
    if (rows == 0) rows = DATASET_ROW_PADDING;
    return rows < n_samples ? rows : n_samples;
}

void plethron_predictor_close(plethron_predictor *self) {
    if (!self) return;
    sparse_lines_close(&self->lines);
    device_buffer_close(self->results);
    device_buffer_close(self->rows);
    device_buffer_close(self->weights);
    forward_close(self->forward);
    free(self);
}

/* W and b as [n_features + 1, unit_stride], padded with zeros. */
static plethron_status upload_weights(plethron_predictor *self, const plethron_bank *bank, plethron_error *err) {
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

static plethron_status make_buffers(plethron_predictor *self, plethron_error *err) {
    plethron_status status = PLETHRON_OK;
    const size_t result_floats = forward_out_rows(self->max_rows) * self->result_stride;
    size_t tiles_floats = 0;
    dataset_tiles_size(self->max_rows, self->n_features, &tiles_floats);
    if (!self->is_sparse) {
        TRY(device_buffer_create(self->device, tiles_floats * sizeof(float), "the rows to predict", &self->rows, err));
        TRY(device_buffer_zero(self->rows, err)); /* the padding behind the rows is read, too */
    }
    TRY(device_buffer_create(self->device, result_floats * sizeof(float), "the predictions", &self->results, err));
out:
    return status;
}

plethron_status predictor_open(plethron_device *device, const plethron_bank *bank, bool is_sparse, size_t n_samples,
                               size_t memory_bytes, plethron_predictor **out, plethron_error *err) {
    plethron_status status;
    void *memory = NULL;
    plethron_predictor *self = NULL;
    TRY(device_check_process(device, err));
    TRY(memory_allocate(1, sizeof *self, "a predictor", &memory, err));
    self = memory;
    self->device = device;
    self->n_features = bank->n_features;
    self->n_units = bank->n_units;
    self->is_sparse = is_sparse;
    self->unit_stride = problem_unit_stride(bank->n_units, is_sparse);
    const tile_sizes tiling = tiling_choose(device, self->n_units);
    TRY(forward_open(device, &tiling, is_sparse, PLETHRON_STORAGE_F32, &self->forward, err));
    self->result_stride = is_sparse ? self->unit_stride : forward_out_stride(self->forward, self->n_units);
    self->max_rows = rows_a_block(self, n_samples, memory_bytes);
    TRY(upload_weights(self, bank, err));
    TRY(make_buffers(self, err));
    *out = self;
    self = NULL;
out:
    plethron_predictor_close(self);
    return status;
}

plethron_status plethron_predictor_open(plethron_device *device, const plethron_bank *bank,
                                        const plethron_predictor_options *options, plethron_predictor **out,
                                        plethron_error *err) {
    plethron_predictor_options known = {0};
    if (options) {
        const plethron_status status =
            error_check_struct(options->struct_size, sizeof known, "plethron_predictor_options", err);
        if (status != PLETHRON_OK) return status;
        memcpy(&known, options, options->struct_size);
    }
    return predictor_open(device, bank, known.sparse, SIZE_MAX, known.memory_bytes, out, err);
}

static plethron_status send_rows(const plethron_predictor *self, const float *X, size_t n_rows, plethron_error *err) {
    plethron_status status;
    void *tiles = NULL;
    const size_t n_tiles = (n_rows + DATASET_TILE - 1) / DATASET_TILE;
    TRY(device_buffer_map(self->rows, n_tiles * DATASET_TILE * self->n_features * sizeof(float), &tiles, err));
    dataset_pack_tiles(X, n_rows, self->n_features, tiles);
    TRY(device_buffer_unmap(self->rows, tiles, err));
out:
    return status;
}

static plethron_status predict_block(const plethron_predictor *self, const float *X, size_t n_rows, float *P,
                                     plethron_error *err) {
    plethron_status status;
    const forward_task task = {
        .X = self->rows,
        .weights = self->weights,
        .out = self->results,
        .n_tiles = (n_rows + DATASET_TILE - 1) / DATASET_TILE,
        .n_features = self->n_features,
        .weights_stride = self->unit_stride,
        .n_rows = n_rows,
        .n_units = self->n_units,
        .out_stride = self->result_stride,
        .activate = true,
    };
    TRY(send_rows(self, X, n_rows, err));
    TRY(forward_run(self->forward, &task, err));
    TRY(device_buffer_download_rows(self->results, n_rows, self->n_units * sizeof *P, self->result_stride * sizeof *P,
                                    P, err));
out:
    return status;
}

plethron_status plethron_predictor_run(plethron_predictor *self, const float *X, size_t n_samples, float *P,
                                       plethron_error *err) {
    plethron_status status;
    TRY(device_check_process(self->device, err));
    if (self->is_sparse)
        TRY(error_set(err, PLETHRON_ERROR_ARGUMENT, "the predictor was opened for sparse features, these are dense"));
    for (size_t first = 0; first < n_samples; first += self->max_rows) {
        const size_t left = n_samples - first, count = left < self->max_rows ? left : self->max_rows;
        TRY(predict_block(self, X + first * self->n_features, count, P + first * self->n_units, err));
    }
out:
    return status;
}

plethron_status plethron_predict(plethron_device *device, const plethron_bank *bank, const float *X, size_t n_samples,
                                 float *P, plethron_error *err) {
    plethron_status status;
    plethron_predictor *predictor = NULL;
    if (n_samples == 0) return PLETHRON_OK;
    TRY(predictor_open(device, bank, false, n_samples, 0, &predictor, err));
    TRY(plethron_predictor_run(predictor, X, n_samples, P, err));
out:
    plethron_predictor_close(predictor);
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
