/* Predictions of rows of features: all of them or, with a plethron_top, the likeliest units; block by block. */
#ifndef PLETHRON_CLI_PREDICTIONS_H
#define PLETHRON_CLI_PREDICTIONS_H

#include "cli.h"

/* Of some rows: p is P [n_rows, n_units]; with a plethron_top [n_rows, n_groups, n_top] and so are the units. */
typedef struct predictions {
    float *p;
    int32_t *units; /* NULL where all are there */
} predictions;

/* Predictions that there are of a row, and their bytes; `top` may be NULL. */
size_t predictions_width(const plethron_bank *bank, const plethron_top *top);
size_t predictions_row_bytes(const plethron_bank *bank, const plethron_top *top);

/* Room for some rows. */
plethron_status predictions_make(const plethron_bank *bank, const plethron_top *top, size_t n_rows, predictions *out,
                                 plethron_error *err);
void predictions_release(predictions *self);

/* Fills them, by a predictor that was opened for the same: of dense rows, and of n sparse ones from `first` on. */
plethron_status predictions_of_rows(plethron_predictor *predictor, const float *X, size_t n_rows,
                                    const predictions *out, plethron_error *err);
plethron_status predictions_of_sparse(plethron_predictor *predictor, const plethron_sparse *X, size_t first, size_t n,
                                      const predictions *out, plethron_error *err);

/* Rows of features: dense ones [n_rows, n_features], or sparse ones. */
typedef struct feature_rows {
    const float *X; /* NULL where they are sparse */
    plethron_sparse sparse;
    size_t n_rows;
} feature_rows;

/* Some rows of many, copied. */
typedef struct feature_copy {
    feature_rows rows;
    void *memory[3];
} feature_copy;
plethron_status feature_copy_make(const feature_rows *from, size_t n_features, const size_t *rows, size_t n_rows,
                                  feature_copy *out, plethron_error *err);
void feature_copy_release(feature_copy *copy);

/* Called for each block of rows in order, which begins at row `first_row`. */
typedef plethron_status (*block_visitor)(void *context, const predictions *block, size_t first_row, size_t n_rows,
                                         plethron_error *err);

/* Predicts for rows in blocks, so that predictions never take much memory. */
plethron_status predict_blocks(plethron_device *device, const plethron_bank *bank, const feature_rows *rows,
                               const plethron_top *top, block_visitor visit, void *context, plethron_error *err);

#endif
