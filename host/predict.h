/* A predictor: a bank on a device. predict.c and predict_sparse.c give it rows. */
#ifndef PLETHRON_PREDICT_H
#define PLETHRON_PREDICT_H

#include "dataset.h"
#include "forward.h"
#include "predict_stage.h"

struct plethron_predictor {
    plethron_device *device;
    size_t n_features;
    size_t n_units;
    size_t max_rows; /* of a block */
    bool is_sparse;

    predict_stage *stage; /* of dense rows; where the device does not share memory they and their predictions are in */
    device_buffer *rows;  /* [max_rows, n_features] and */
    device_buffer *results; /* [max_rows, n_units]; of sparse rows [max_rows, unit_stride] */

    forward_stage *forward; /* of sparse rows */
    size_t unit_stride;
    device_buffer *weights; /* [n_features + 1, unit_stride] */
    sparse_lines lines;     /* of a block, with room for */
    size_t max_values;      /* so many values */
};

/* For blocks of at most n_samples rows. */
plethron_status predictor_open(plethron_device *device, const plethron_bank *bank, bool is_sparse, size_t n_samples,
                               size_t memory_bytes, plethron_predictor **out, plethron_error *err);

/* Of sparse rows: what predictor_open does besides. */
plethron_status predictor_open_sparse(plethron_predictor *self, const plethron_bank *bank, plethron_error *err);

#endif
