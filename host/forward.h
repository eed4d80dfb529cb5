/* Z = X W + b, or sigmoid(Z), of many rows and units: the first stage of `staged`, all of prediction and of measuring.
 * On OpenCL devices by kernels/forward.cl, on the host by host_loops. */
#ifndef PLETHRON_FORWARD_H
#define PLETHRON_FORWARD_H

#include "tiling.h"

typedef struct forward_stage forward_stage;

/* The device stays borrowed. */
plethron_status forward_open(plethron_device *device, const tile_sizes *tiling, forward_stage **out,
                             plethron_error *err);
void forward_close(forward_stage *stage);

typedef struct forward_task {
    device_buffer *X;       /* in tiles, with padding behind them (dataset_tiles_size) */
    device_buffer *weights; /* [n_features + 1, weights_stride] */
    device_buffer *out; /* [n_rows rounded up to DATASET_ROW_PADDING, out_stride], of the units from first_unit on */
    size_t n_tiles;
    size_t n_features;
    size_t weights_stride;
    size_t first_row; /* a multiple of DATASET_TILE */
    size_t n_rows;
    size_t first_unit; /* a multiple of UNIT_PADDING */
    size_t n_units;
    size_t out_stride; /* forward_out_stride, or a multiple of UNIT_PADDING */
    bool activate;
} forward_task;

/* Queues the work. */
plethron_status forward_run(const forward_stage *stage, const forward_task *task, plethron_error *err);

/* The least stride that `out` can have for n_units, whole vectors or groups of them; and the rows that it needs for
 * n_rows. */
size_t forward_out_stride(const forward_stage *stage, size_t n_units);
size_t forward_out_rows(size_t n_rows);

#endif
