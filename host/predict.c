/* Prediction: rows go to the device block by block, or stay where they are and are lent to it. */
#include "predict.h"

#include "host_loops.h"
#include "problem.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* A block's rows and predictions each take at most about this much: enough to keep a device busy, small beside any
 * device's memory. Predictions that a CPU goes on with, or makes of sparse rows, also at most this share of its last
 * cache, so that what one step writes the next reads from there; but each core has some. */
enum { BLOCK_BYTES = 32 << 20, CORE_BYTES = 1 << 20, CACHE_SHARE = 8 };

static size_t block_bytes(const plethron_predictor *self) {
    const plethron_device_info *info = plethron_device_describe(self->device);
    const size_t of_cache = device_cache_bytes(self->device) / CACHE_SHARE;
    const size_t of_cores = (size_t)CORE_BYTES * info->compute_units;
    if (info->local_is_dedicated || !(self->is_sparse || self->top)) return BLOCK_BYTES;
    return size_smaller(of_cache > of_cores ? of_cache : of_cores, BLOCK_BYTES);
}

/* True when blocks of rows are lent, and what comes back of them is. */
static bool lends(const plethron_predictor *self) {
    return !self->is_sparse && device_shares_memory(self->device);
}

/* Rows and predictions are on the device, sparse ones also here, and with top two results; memory_bytes bounds all of
 * them, 0: nothing does. What is lent takes no memory. */
static size_t rows_a_block(const plethron_predictor *self, size_t n_samples, size_t memory_bytes) {
    const size_t n_copies = (self->is_sparse ? 4u : 2u) + (self->top ? 2u : 0u);
    const size_t most = (size_t)plethron_device_describe(self->device)->max_alloc_bytes;
    const size_t own = size_smaller(block_bytes(self), memory_bytes ? memory_bytes / n_copies : SIZE_MAX);
    const size_t result_bytes = lends(self) && !self->top ? most : own, row_bytes = lends(self) ? most : own;
    size_t rows = result_bytes / sizeof(float) / (self->is_sparse ? self->unit_stride : self->n_units);
    if (!self->is_sparse) rows = size_smaller(rows, row_bytes / sizeof(float) / self->n_features);
    rows = rows / DATASET_ROW_PADDING * DATASET_ROW_PADDING;
    if (rows == 0) rows = DATASET_ROW_PADDING;
    return size_smaller(size_smaller(rows, PREDICT_MAX_ROWS), n_samples);
}

void plethron_predictor_close(plethron_predictor *self) {
    if (!self) return;
    sparse_lines_close(&self->lines);
    device_buffer_close(self->results);
    device_buffer_close(self->rows);
    device_buffer_close(self->weights);
    device_buffer_close(self->top_units);
    device_buffer_close(self->top_p);
    forward_close(self->forward);
    predict_stage_close(self->stage);
    top_stage_close(self->top);
    top_groups_release(&self->groups);
    free(self);
}

/* ---- Opening ----------------------------------------------------------------------------------------------------- */

/* A buffer with a row of floats, or integers, for each row of a block. */
static plethron_status make_buffer(const plethron_predictor *self, size_t width, const char *what, device_buffer **out,
                                   plethron_error *err) {
    return device_buffer_create(self->device, self->max_rows * width * sizeof(float), what, out, err);
}

static plethron_status make_buffers(plethron_predictor *self, plethron_error *err) {
    plethron_status status = PLETHRON_OK;
    const bool has_rows = !self->is_sparse && !lends(self), has_results = has_rows || (lends(self) && self->top);
    if (has_rows) TRY(make_buffer(self, self->n_features, "the rows to predict", &self->rows, err));
    if (has_results) TRY(make_buffer(self, self->n_units, "the predictions", &self->results, err));
    if (!self->top || lends(self)) goto out;
    TRY(make_buffer(self, self->n_results, "the likeliest units", &self->top_units, err));
    TRY(make_buffer(self, self->n_results, "their predictions", &self->top_p, err));
out:
    return status;
}

/* The groups' units as a bank of their own, so that their predictions lie side by side. */
static plethron_status select_units(const plethron_bank *bank, const top_groups *groups, plethron_bank **out,
                                    plethron_error *err) {
    plethron_status status;
    void *memory = NULL;
    const size_t n = (size_t)groups->offsets[groups->n_groups];
    TRY(memory_allocate_unset(n, sizeof(size_t), "groups of units", &memory, err));
    size_t *units = memory;
    for (size_t e = 0; e < n; e++) units[e] = (size_t)groups->units[e];
    TRY(plethron_bank_select(bank, units, n, out, err));
out:
    free(memory);
    return status;
}

/* *selected is the bank to predict with, NULL where it is the whole. */
static plethron_status open_top(plethron_predictor *self, const plethron_bank *bank, const plethron_top *top,
                                plethron_bank **selected, plethron_error *err) {
    plethron_status status;
    TRY(top_groups_make(top, bank->n_units, &self->groups, err));
    if (top->n_groups > 0) TRY(select_units(bank, &self->groups, selected, err));
    self->groups.in_order = true;
    self->n_units = (size_t)self->groups.offsets[self->groups.n_groups];
    self->n_results = self->groups.n_results;
    const bool is_gpu = plethron_device_describe(self->device)->local_is_dedicated;
    TRY(top_stage_open(self->device, &self->groups, is_gpu, &self->top, err));
out:
    return status;
}

plethron_status predictor_open(plethron_device *device, const plethron_bank *bank,
                               const plethron_predictor_options *options, size_t n_samples, plethron_predictor **out,
                               plethron_error *err) {
    plethron_status status;
    void *memory = NULL;
    plethron_predictor *self = NULL;
    plethron_bank *selected = NULL;
    TRY(device_check_process(device, err));
    TRY(memory_allocate(1, sizeof *self, "a predictor", &memory, err));
    self = memory;
    self->device = device;
    self->n_features = bank->n_features;
    self->n_units = self->n_results = bank->n_units;
    self->is_sparse = options->sparse;
    if (options->top) TRY(open_top(self, bank, options->top, &selected, err));
    self->unit_stride = problem_unit_stride(self->n_units, self->is_sparse);
    self->max_rows = rows_a_block(self, n_samples, options->memory_bytes);
    if (self->is_sparse)
        TRY(predictor_open_sparse(self, selected ? selected : bank, err));
    else
        TRY(predict_stage_open(device, selected ? selected : bank, &self->stage, err));
    TRY(make_buffers(self, err));
    *out = self;
    self = NULL;
out:
    plethron_bank_close(selected);
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
    return predictor_open(device, bank, &known, SIZE_MAX, out, err);
}

plethron_status predictor_check(const plethron_predictor *self, bool is_sparse, bool has_top, plethron_error *err) {
    plethron_status status;
    TRY(device_check_process(self->device, err));
    if (is_sparse != self->is_sparse)
        TRY(error_set(err, PLETHRON_ERROR_ARGUMENT, "the predictor was opened for %s features, these are %s",
                      self->is_sparse ? "sparse" : "dense", is_sparse ? "sparse" : "dense"));
    if (has_top != (self->top != NULL))
        TRY(error_set(err, PLETHRON_ERROR_ARGUMENT, "the predictor was opened %s top, this function is for one %s",
                      self->top ? "with" : "without", has_top ? "with" : "without"));
out:
    return status;
}

/* ---- Running ----------------------------------------------------------------------------------------------------- */

/* Queues X -> p or, with top, X -> units and p. */
static plethron_status run_block(const plethron_predictor *self, device_buffer *X, size_t n_rows, device_buffer *units,
                                 device_buffer *p, plethron_error *err) {
    plethron_status status;
    TRY(predict_stage_run(self->stage, X, n_rows, self->top ? self->results : p, err));
    if (self->top) TRY(top_stage_run(self->top, self->results, self->n_units, n_rows, units, p, err));
out:
    return status;
}

static plethron_status predict_lent(const plethron_predictor *self, const float *X, size_t n_rows,
                                    predict_results results, plethron_error *err) {
    plethron_status status;
    const size_t n_results = n_rows * self->n_results;
    device_buffer *rows = NULL, *units = NULL, *p = NULL;
    TRY(device_buffer_lend(self->device, X, n_rows * self->n_features * sizeof *X, &rows, err));
    TRY(device_buffer_lend(self->device, results.p, n_results * sizeof *results.p, &p, err));
    if (self->top) TRY(device_buffer_lend(self->device, results.units, n_results * sizeof *results.units, &units, err));
    TRY(run_block(self, rows, n_rows, units, p, err));
    if (self->top) TRY(device_buffer_return(units, err));
    TRY(device_buffer_return(p, err));
out:
    if (status != PLETHRON_OK) device_finish(self->device, NULL); /* nothing may be at work on the caller's memory */
    device_buffer_close(units);
    device_buffer_close(p);
    device_buffer_close(rows);
    return status;
}

plethron_status predictor_fetch_top(const plethron_predictor *self, size_t n_rows, predict_results results,
                                    plethron_error *err) {
    plethron_status status;
    const size_t n_results = n_rows * self->n_results;
    TRY(device_buffer_download(self->top_units, 0, n_results * sizeof *results.units, results.units, err));
    TRY(device_buffer_download(self->top_p, 0, n_results * sizeof *results.p, results.p, err));
out:
    return status;
}

static plethron_status predict_sent(const plethron_predictor *self, const float *X, size_t n_rows,
                                    predict_results results, plethron_error *err) {
    plethron_status status;
    TRY(device_buffer_upload(self->rows, 0, n_rows * self->n_features * sizeof *X, X, err));
    TRY(run_block(self, self->rows, n_rows, self->top_units, self->top ? self->top_p : self->results, err));
    if (self->top)
        TRY(predictor_fetch_top(self, n_rows, results, err));
    else
        TRY(device_buffer_download(self->results, 0, n_rows * self->n_units * sizeof *results.p, results.p, err));
out:
    return status;
}

static plethron_status predict_dense(const plethron_predictor *self, const float *X, size_t n_samples,
                                     predict_results results, plethron_error *err) {
    plethron_status status = PLETHRON_OK;
    for (size_t first = 0; first < n_samples; first += self->max_rows) {
        const size_t count = size_smaller(n_samples - first, self->max_rows);
        TRY((self->rows ? predict_sent : predict_lent)(self, X + first * self->n_features, count,
                                                       predict_results_from(self, results, first), err));
    }
out:
    return status;
}

plethron_status plethron_predictor_run(plethron_predictor *self, const float *X, size_t n_samples, float *P,
                                       plethron_error *err) {
    plethron_status status;
    TRY(predictor_check(self, false, false, err));
    TRY(predict_dense(self, X, n_samples, (predict_results){.p = P}, err));
out:
    return status;
}

plethron_status plethron_predictor_top(plethron_predictor *self, const float *X, size_t n_samples, int32_t *units,
                                       float *p, plethron_error *err) {
    plethron_status status;
    TRY(predictor_check(self, false, true, err));
    TRY(predict_dense(self, X, n_samples, (predict_results){.p = p, .units = units}, err));
out:
    return status;
}

plethron_status plethron_predict(plethron_device *device, const plethron_bank *bank, const float *X, size_t n_samples,
                                 float *P, plethron_error *err) {
    plethron_status status;
    const plethron_predictor_options options = {.struct_size = sizeof options};
    plethron_predictor *predictor = NULL;
    if (n_samples == 0) return PLETHRON_OK;
    TRY(predictor_open(device, bank, &options, n_samples, &predictor, err));
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
