/* Prediction: rows go to the device block by block, or stay where they are and are lent to it. */
#include "predict.h"

#include "host_loops.h"
#include "problem.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* A block's rows and predictions each take at most about this much: enough to keep a device busy, small beside any
 * device's memory. Sparse rows that a CPU predicts also at most this share of its last cache, so that what one step
 * writes the next reads from there. */
enum { BLOCK_BYTES = 32 << 20, LEAST_BLOCK_BYTES = 1 << 20, CACHE_SHARE = 8 };

static size_t block_bytes(const plethron_predictor *self) {
    const size_t share = device_cache_bytes(self->device) / CACHE_SHARE;
    if (plethron_device_describe(self->device)->local_is_dedicated || !self->is_sparse || share > BLOCK_BYTES)
        return BLOCK_BYTES;
    return share > LEAST_BLOCK_BYTES ? share : LEAST_BLOCK_BYTES;
}

/* True when blocks are lent. */
static bool lends(const plethron_predictor *self) {
    return !self->is_sparse && device_shares_memory(self->device);
}

/* Rows and predictions are on the device, sparse ones also here; memory_bytes bounds all of them, 0: nothing does. What
 * is lent takes no memory. */
static size_t rows_a_block(const plethron_predictor *self, size_t n_samples, size_t memory_bytes) {
    const size_t n_copies = self->is_sparse ? 4 : 2;
    const size_t allowed = memory_bytes ? memory_bytes / n_copies : SIZE_MAX;
    const size_t most = (size_t)plethron_device_describe(self->device)->max_alloc_bytes;
    const size_t bytes = lends(self) ? most : size_smaller(block_bytes(self), allowed);
    const size_t result_width = self->is_sparse ? self->unit_stride : self->n_units;
    const bool features_count = !self->is_sparse && self->n_features > result_width;
    const size_t widest = features_count ? self->n_features : result_width;
    size_t rows = bytes / sizeof(float) / widest / DATASET_ROW_PADDING * DATASET_ROW_PADDING;
    if (rows == 0) rows = DATASET_ROW_PADDING;
    return size_smaller(size_smaller(rows, PREDICT_MAX_ROWS), n_samples);
}

void plethron_predictor_close(plethron_predictor *self) {
    if (!self) return;
    sparse_lines_close(&self->lines);
    device_buffer_close(self->results);
    device_buffer_close(self->rows);
    device_buffer_close(self->weights);
    forward_close(self->forward);
    predict_stage_close(self->stage);
    free(self);
}

static plethron_status make_buffers(plethron_predictor *self, plethron_error *err) {
    plethron_status status = PLETHRON_OK;
    const size_t row_floats = self->max_rows * self->n_features, result_floats = self->max_rows * self->n_units;
    if (lends(self)) return PLETHRON_OK;
    TRY(device_buffer_create(self->device, row_floats * sizeof(float), "the rows to predict", &self->rows, err));
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
    self->max_rows = rows_a_block(self, n_samples, memory_bytes);
    if (is_sparse) {
        TRY(predictor_open_sparse(self, bank, err));
    } else {
        TRY(predict_stage_open(device, bank, &self->stage, err));
        TRY(make_buffers(self, err));
    }
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

static plethron_status predict_lent(const plethron_predictor *self, const float *X, size_t n_rows, float *P,
                                    plethron_error *err) {
    plethron_status status;
    device_buffer *rows = NULL, *results = NULL;
    TRY(device_buffer_lend(self->device, X, n_rows * self->n_features * sizeof *X, &rows, err));
    TRY(device_buffer_lend(self->device, P, n_rows * self->n_units * sizeof *P, &results, err));
    TRY(predict_stage_run(self->stage, rows, n_rows, results, err));
    TRY(device_buffer_return(results, err));
out:
    if (status != PLETHRON_OK) device_finish(self->device, NULL); /* nothing may be at work on the caller's memory */
    device_buffer_close(results);
    device_buffer_close(rows);
    return status;
}

static plethron_status predict_sent(const plethron_predictor *self, const float *X, size_t n_rows, float *P,
                                    plethron_error *err) {
    plethron_status status;
    TRY(device_buffer_upload(self->rows, 0, n_rows * self->n_features * sizeof *X, X, err));
    TRY(predict_stage_run(self->stage, self->rows, n_rows, self->results, err));
    TRY(device_buffer_download(self->results, 0, n_rows * self->n_units * sizeof *P, P, err));
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
        const size_t count = size_smaller(n_samples - first, self->max_rows);
        TRY((self->rows ? predict_sent : predict_lent)(self, X + first * self->n_features, count,
                                                       P + first * self->n_units, err));
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
