/* Prediction of sparse rows, block by block. */
#include "predict.h"

#include "problem.h"

#include <stdlib.h>
#include <string.h>

/* Values of a block, but for a row that has more alone. */
enum { BLOCK_VALUES = 1 << 21 };

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

plethron_status predictor_open_sparse(plethron_predictor *self, const plethron_bank *bank, plethron_error *err) {
    plethron_status status;
    const tile_sizes tiling = tiling_choose(self->device, self->n_units);
    const size_t result_floats = forward_out_rows(self->max_rows) * self->unit_stride;
    TRY(forward_open(self->device, &tiling, true, PLETHRON_STORAGE_F32, &self->forward, err));
    TRY(upload_weights(self, bank, err));
    TRY(device_buffer_create(self->device, result_floats * sizeof(float), "the predictions", &self->results, err));
out:
    return status;
}

/* Rows from `first` on that make a block. */
static size_t count_rows(const plethron_predictor *self, const plethron_sparse *X, size_t first) {
    const size_t left = X->n_rows - first, most = left < self->max_rows ? left : self->max_rows;
    size_t n = 1;
    while (n < most && X->offsets[first + n + 1] - X->offsets[first] <= BLOCK_VALUES) n++;
    return n;
}

/* Room for a block of the rows: as many values as there are, up to what a block may have or its one row has. */
static plethron_status reserve(plethron_predictor *self, size_t n_values, plethron_error *err) {
    plethron_status status;
    const size_t bytes = (n_values ? n_values : 1) * sizeof(float);
    if (self->lines.offsets && n_values <= self->max_values) return PLETHRON_OK;
    sparse_lines_close(&self->lines);
    TRY(device_buffer_create(self->device, (self->max_rows + 1) * sizeof(int32_t), "the offsets of the rows to predict",
                             &self->lines.offsets, err));
    TRY(device_buffer_create(self->device, bytes, "the rows to predict", &self->lines.indices, err));
    TRY(device_buffer_create(self->device, bytes, "the rows to predict", &self->lines.values, err));
    self->max_values = n_values;
out:
    if (status != PLETHRON_OK) sparse_lines_close(&self->lines);
    return status;
}

static plethron_status upload_rows(plethron_predictor *self, const plethron_sparse *X, size_t n_values,
                                   plethron_error *err) {
    plethron_status status;
    void *memory = NULL;
    TRY(reserve(self, n_values, err));
    TRY(memory_allocate_unset(X->n_rows + 1, sizeof(int32_t), "the offsets of the rows to predict", &memory, err));
    int32_t *offsets = memory;
    for (size_t i = 0; i <= X->n_rows; i++) offsets[i] = (int32_t)(X->offsets[i] - X->offsets[0]);
    TRY(device_buffer_upload(self->lines.offsets, 0, (X->n_rows + 1) * sizeof *offsets, offsets, err));
    if (n_values == 0) goto out;
    TRY(device_buffer_upload(self->lines.indices, 0, n_values * sizeof(int32_t), X->columns + X->offsets[0], err));
    TRY(device_buffer_upload(self->lines.values, 0, n_values * sizeof(float), X->values + X->offsets[0], err));
out:
    free(memory);
    return status;
}

static plethron_status predict_block(plethron_predictor *self, const plethron_sparse *X, predict_results results,
                                     plethron_error *err) {
    plethron_status status;
    TRY(upload_rows(self, X, sparse_n_values(X), err));
    const forward_task task = {
        .rows = &self->lines,
        .weights = self->weights,
        .out = self->results,
        .n_features = self->n_features,
        .weights_stride = self->unit_stride,
        .n_rows = X->n_rows,
        .n_units = self->n_units,
        .out_stride = self->unit_stride,
        .activate = true,
    };
    TRY(forward_run(self->forward, &task, err));
    if (self->top) {
        TRY(top_stage_run(self->top, self->results, self->unit_stride, X->n_rows, self->top_units, self->top_p, err));
        TRY(predictor_fetch_top(self, X->n_rows, results, err));
    } else
        TRY(device_buffer_download_rows(self->results, X->n_rows, self->n_units * sizeof *results.p,
                                        self->unit_stride * sizeof *results.p, results.p, err));
out:
    return status;
}

static plethron_status predict_sparse(plethron_predictor *self, const plethron_sparse *X, predict_results results,
                                      plethron_error *err) {
    plethron_status status;
    if (X->n_columns != self->n_features)
        TRY(error_set(err, PLETHRON_ERROR_ARGUMENT, "the rows have %zu columns: the bank's %zu features were expected",
                      X->n_columns, self->n_features));
    TRY(sparse_check(X, false, err));
    for (size_t first = 0, n; first < X->n_rows; first += n) {
        n = count_rows(self, X, first);
        const plethron_sparse rows = {n, X->n_columns, X->offsets + first, X->columns, X->values};
        TRY(predict_block(self, &rows, predict_results_from(self, results, first), err));
    }
out:
    return status;
}

plethron_status plethron_predictor_run_sparse(plethron_predictor *self, const plethron_sparse *X, float *P,
                                              plethron_error *err) {
    plethron_status status;
    TRY(predictor_check(self, true, false, err));
    TRY(predict_sparse(self, X, (predict_results){.p = P}, err));
out:
    return status;
}

plethron_status plethron_predictor_top_sparse(plethron_predictor *self, const plethron_sparse *X, int32_t *units,
                                              float *p, plethron_error *err) {
    plethron_status status;
    TRY(predictor_check(self, true, true, err));
    TRY(predict_sparse(self, X, (predict_results){.p = p, .units = units}, err));
out:
    return status;
}

plethron_status plethron_predict_sparse(plethron_device *device, const plethron_bank *bank, const plethron_sparse *X,
                                        float *P, plethron_error *err) {
    plethron_status status;
    const plethron_predictor_options options = {.struct_size = sizeof options, .sparse = true};
    plethron_predictor *predictor = NULL;
    if (X->n_rows == 0) return PLETHRON_OK;
    TRY(predictor_open(device, bank, &options, X->n_rows, &predictor, err));
    TRY(plethron_predictor_run_sparse(predictor, X, P, err));
out:
    plethron_predictor_close(predictor);
    return status;
}
