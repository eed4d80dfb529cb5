/* A predictor: a bank on a device. predict.c and predict_sparse.c give it rows. */
#ifndef PLETHRON_PREDICT_H
#define PLETHRON_PREDICT_H

#include "bank.h"
#include "dataset.h"
#include "forward.h"

struct plethron_predictor {
    plethron_device *device;
    size_t n_features;
    size_t n_units;
    size_t unit_stride;
    size_t result_stride;
    size_t max_rows; /* of a block */
    bool is_sparse;
    forward_stage *forward;
    device_buffer *weights;
    device_buffer *rows;    /* of a block, in tiles: [.., n_features, DATASET_TILE]; NULL where they are sparse */
    device_buffer *results; /* [max_rows, result_stride] */

    sparse_lines lines; /* of a block of sparse rows, with room for */
    size_t max_values;  /* so many values */
};

/* For blocks of at most n_samples rows. */
plethron_status predictor_open(plethron_device *device, const plethron_bank *bank, bool is_sparse, size_t n_samples,
                               size_t memory_bytes, plethron_predictor **out, plethron_error *err);

#endif
