#define _POSIX_C_SOURCE 200809L

#include "predictions.h"

#include <stdlib.h>
#include <string.h>

size_t predictions_width(const plethron_bank *bank, const plethron_top *top) {
    return top ? (top->n_groups ? top->n_groups : 1) * top->n_top : plethron_bank_n_units(bank);
}

size_t predictions_row_bytes(const plethron_bank *bank, const plethron_top *top) {
    return predictions_width(bank, top) * (sizeof(float) + (top ? sizeof(int32_t) : 0));
}

plethron_status predictions_make(const plethron_bank *bank, const plethron_top *top, size_t n_rows, predictions *out,
                                 plethron_error *err) {
    plethron_status status;
    predictions made = {0};
    const size_t width = predictions_width(bank, top);
    TRY(allocate(n_rows, width * sizeof *made.p, &made.p, err));
    if (top) TRY(allocate(n_rows, width * sizeof *made.units, &made.units, err));
    *out = made;
    made = (predictions){0};
out:
    predictions_release(&made);
    return status;
}

void predictions_release(predictions *self) {
    free(self->p);
    free(self->units);
    *self = (predictions){0};
}

plethron_status predictions_of_rows(plethron_predictor *predictor, const float *X, size_t n_rows,
                                    const predictions *out, plethron_error *err) {
    if (out->units) return plethron_predictor_top(predictor, X, n_rows, out->units, out->p, err);
    return plethron_predictor_run(predictor, X, n_rows, out->p, err);
}

plethron_status predictions_of_sparse(plethron_predictor *predictor, const plethron_sparse *X, size_t first, size_t n,
                                      const predictions *out, plethron_error *err) {
    plethron_sparse rows = *X;
    rows.offsets += first;
    rows.n_rows = n;
    if (out->units) return plethron_predictor_top_sparse(predictor, &rows, out->units, out->p, err);
    return plethron_predictor_run_sparse(predictor, &rows, out->p, err);
}

/* ---- Blocks ------------------------------------------------------------------------------------------------------ */

/* Predictions held at once: 16 MiB. Less work than FEW_FLOPS is done on the host, to the same bits: elsewhere the
 * kernel may have to be compiled for it. */
enum { BLOCK_VALUES = 1 << 22, FEW_FLOPS = 1 << 28 };

static bool is_little_work(const plethron_bank *bank, const feature_rows *rows) {
    const plethron_sparse *sparse = &rows->sparse;
    const double n_values = rows->X ? (double)plethron_bank_n_features(bank) * (double)rows->n_rows
                                    : (double)(sparse->offsets[rows->n_rows] - sparse->offsets[0]);
    return 2.0 * n_values * (double)plethron_bank_n_units(bank) < FEW_FLOPS;
}

plethron_status predict_blocks(plethron_device *device, const plethron_bank *bank, const feature_rows *rows,
                               const plethron_top *top, block_visitor visit, void *context, plethron_error *err) {
    plethron_status status = PLETHRON_OK;
    const size_t width = predictions_width(bank, top), n_features = plethron_bank_n_features(bank);
    const plethron_predictor_options options = {.struct_size = sizeof options, .sparse = !rows->X, .top = top};
    size_t n_block = width < BLOCK_VALUES ? BLOCK_VALUES / width : 1;
    if (n_block > rows->n_rows) n_block = rows->n_rows;
    plethron_device *host = NULL;
    plethron_predictor *predictor = NULL;
    predictions block = {0};
    TRY(predictions_make(bank, top, n_block, &block, err));
    if (is_little_work(bank, rows)) TRY(plethron_device_open("host", &host, err));
    TRY(plethron_predictor_open(host ? host : device, bank, &options, &predictor, err));
    for (size_t first = 0; first < rows->n_rows; first += n_block) {
        size_t n = rows->n_rows - first < n_block ? rows->n_rows - first : n_block;
        if (rows->X)
            TRY(predictions_of_rows(predictor, rows->X + first * n_features, n, &block, err));
        else
            TRY(predictions_of_sparse(predictor, &rows->sparse, first, n, &block, err));
        TRY(visit(context, &block, first, n, err));
    }
out:
    plethron_predictor_close(predictor);
    plethron_device_close(host);
    predictions_release(&block);
    return status;
}

/* ---- Some rows of many ------------------------------------------------------------------------------------------- */

void feature_copy_release(feature_copy *copy) {
    for (size_t i = 0; i < sizeof copy->memory / sizeof *copy->memory; i++) free(copy->memory[i]);
    *copy = (feature_copy){0};
}

static plethron_status copy_sparse(const plethron_sparse *from, const size_t *rows, size_t n_rows, feature_copy *copy,
                                   plethron_error *err) {
    plethron_status status;
    int64_t *offsets = NULL;
    int32_t *columns = NULL;
    float *values = NULL;
    TRY(allocate(n_rows + 1, sizeof *offsets, &offsets, err));
    copy->memory[0] = offsets;
    for (size_t i = 0; i < n_rows; i++)
        offsets[i + 1] = offsets[i] + from->offsets[rows[i] + 1] - from->offsets[rows[i]];
    TRY(allocate((size_t)offsets[n_rows], sizeof *columns, &columns, err));
    copy->memory[1] = columns;
    TRY(allocate((size_t)offsets[n_rows], sizeof *values, &values, err));
    copy->memory[2] = values;
    for (size_t i = 0; i < n_rows; i++) {
        const size_t n = (size_t)(offsets[i + 1] - offsets[i]);
        memcpy(columns + offsets[i], from->columns + from->offsets[rows[i]], n * sizeof *columns);
        memcpy(values + offsets[i], from->values + from->offsets[rows[i]], n * sizeof *values);
    }
    copy->rows.sparse = (plethron_sparse){n_rows, from->n_columns, offsets, columns, values};
out:
    return status;
}

plethron_status feature_copy_make(const feature_rows *from, size_t n_features, const size_t *rows, size_t n_rows,
                                  feature_copy *out, plethron_error *err) {
    plethron_status status;
    feature_copy copy = {.rows.n_rows = n_rows};
    float *X = NULL;
    if (!from->X) {
        TRY(copy_sparse(&from->sparse, rows, n_rows, &copy, err));
    } else {
        TRY(allocate(n_rows, n_features * sizeof *X, &X, err));
        copy.memory[0] = X;
        copy.rows.X = X;
        for (size_t i = 0; i < n_rows; i++)
            memcpy(X + i * n_features, from->X + rows[i] * n_features, n_features * sizeof *X);
    }
    *out = copy;
    copy = (feature_copy){0};
out:
    feature_copy_release(&copy);
    return status;
}
