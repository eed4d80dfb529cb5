/* Z = X W + b, or sigmoid(Z), of many rows and units: the first stage of `staged`, all of measuring and of predicting
 * sparse rows. On OpenCL devices by kernels/forward.cl, on the host by host_loops; of sparse rows by
 * kernels/sparse_forward.cl. */
#ifndef PLETHRON_FORWARD_H
#define PLETHRON_FORWARD_H

#include "dataset_sparse.h"
#include "tiling.h"

typedef struct forward_stage forward_stage;

/* For dense features stored so, or for sparse ones. The device stays borrowed. */
plethron_status forward_open(plethron_device *device, const tile_sizes *tiling, bool is_sparse,
                             plethron_storage storage, forward_stage **out, plethron_error *err);
void forward_close(forward_stage *stage);

typedef struct forward_task {
    device_buffer *X;         /* in tiles, with padding behind them (dataset_tiles_size) */
    device_buffer *steps;     /* of bytes (kernels/store.cl); else any buffer or NULL */
    const sparse_lines *rows; /* in place of X where the stage is for sparse features */
    device_buffer *order;     /* of sparse rows: which stands in each place; NULL: each in its own */
    device_buffer *weights;   /* [n_features + 1, weights_stride] */
    device_buffer *out; /* [n_rows rounded up to DATASET_ROW_PADDING, out_stride], of the units from first_unit on */
    size_t n_tiles;
    size_t n_features;
    size_t weights_stride;
    size_t first_row; /* a multiple of DATASET_TILE */
    size_t n_rows;
    size_t first_unit; /* a multiple of UNIT_PADDING, with sparse features of SPARSE_UNIT_PADDING; so are strides */
    size_t n_units;
    size_t out_stride;
    bool activate;
} forward_task;

/* On the host: features that are not stored as floats, and what they are as floats: n_tiles tiles from one on, of rows
 * of a range (dataset.h). */
typedef struct stored_features {
    plethron_storage storage;
    device_buffer *X, *steps;
    size_t n_features;
} stored_features;
void forward_decode(const stored_features *from, size_t range, size_t first_tile, size_t n_tiles, float *tiles);

/* A new buffer with all features as floats, for the kernels that run as C and read nothing else: on the host, where
 * they are stored as something else; elsewhere *out is NULL. And the bytes of it, or 0. */
plethron_status forward_decode_all(const plethron_dataset *dataset, device_buffer **out, plethron_error *err);
size_t forward_decoded_bytes(const plethron_dataset *dataset);

/* Queues the work. */
plethron_status forward_run(const forward_stage *stage, const forward_task *task, plethron_error *err);

/* The rows that `out` needs for n_rows. */
size_t forward_out_rows(size_t n_rows);

#endif
