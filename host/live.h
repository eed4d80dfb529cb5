/* The live set: the units that still train, on the device, and all that is done to them whatever the strategy: steps,
 * row weights, measures, stopping rules, the order of mini-batches. */
#ifndef PLETHRON_LIVE_H
#define PLETHRON_LIVE_H

#include "forward.h"
#include "problem.h"

typedef struct strategy strategy;

typedef struct train_plan {
    const strategy *strategy;
    tile_sizes tiling;
    size_t shard_units; /* units whose gradient is computed at once: a multiple of UNIT_PADDING, with sparse features
                           of SPARSE_UNIT_PADDING */
    size_t bytes;       /* what the strategy takes on the device besides the live set */
    size_t n_parts;     /* of the gradient: 1 or n_blocks (gradient.cl, fused.cl) */
    char text[256];     /* the plan in one line */
} train_plan;

/* What kernels read of rows besides X: the arguments ROW_PARAMETERS of row.cl but the last three. */
typedef struct row_buffers {
    device_buffer *targets, *weights, *folds, *counts, *order;
} row_buffers;

typedef struct live_set {
    const train_problem *problem; /* borrowed */
    const train_plan *plan;       /* borrowed */
    plethron_device *device;
    device_buffer *weights;    /* [n_features + 1, unit_stride] */
    device_buffer *moments;    /* [2, n_features + 1, unit_stride], or one element */
    device_buffer *distances;  /* [n_features + 1, unit_stride], or one element: from the optimum (update.cl) */
    device_buffer *best;       /* [n_features + 1, unit_stride], or one element */
    device_buffer *units;      /* [UNIT_FIELDS, unit_stride] */
    device_buffer *state;      /* [STATE_FIELDS, unit_stride] */
    device_buffer *held_scale; /* [unit_stride] */
    device_buffer *totals;     /* [MEASURE_SUMS, unit_stride] */
    row_buffers rows;          /* targets, weights and folds are the data set's */
    device_buffer *steps;      /* the data set's, or one element */
    device_buffer *X;          /* the data set's, or the shuffled copy: the rows in the order of this epoch */
    bool is_shuffled;          /* the rows are in another order than their own */
    sparse_lines features;     /* of sparse features, borrowed: their entries name rows by places in that order */
    struct live_kernels *kernels;
    unsigned launches_to_flush;
} live_set;

/* Puts the problem's units on the device. Draws the bootstrap replicates. */
plethron_status live_open(const train_problem *problem, const train_plan *plan, live_set **out, plethron_error *err);
void live_close(live_set *live);

/* Bytes that it takes on the device, in all and in its largest buffer. */
typedef struct live_size {
    size_t all;
    size_t largest;
} live_size;
live_size live_size_of(const train_problem *problem);

/* The units' values again, after the problem's have changed. */
plethron_status live_upload_units(live_set *live, plethron_error *err);
/* Brings weights, best weights, moments and state to the problem. */
plethron_status live_download(live_set *live, plethron_error *err);
/* Brings the state alone. */
plethron_status live_download_state(live_set *live, plethron_error *err);

/* A part of the units, first a multiple of what a shard's units are. */
typedef struct unit_shard {
    size_t first;
    size_t count;
} unit_shard;

/* A range of rows, first a multiple of DATASET_TILE. */
typedef struct row_batch {
    size_t first;
    size_t count;
} row_batch;

/* Where gradient sums lie: of weights [n_parts, n_features, stride], of biases [n_bias_parts, stride]. */
typedef struct gradient_sums {
    device_buffer *weights;
    device_buffer *biases;
    size_t n_parts;
    size_t n_bias_parts;
    size_t stride;
} gradient_sums;

/* Runs the epochs first ... first + count - 1 with the strategy's gradients or its own epochs, checks the rules where
 * they are due, and waits. */
plethron_status live_epochs(live_set *live, void *run, int64_t first, int64_t count, plethron_error *err);

/* Sums over the rows (WEIGH_ and MEASURE_ of unit.cl) of each unit: [.., unit_stride]. */
plethron_status live_weigh(live_set *live, void *run, float *totals, plethron_error *err);
plethron_status live_measure(live_set *live, void *run, float *totals, plethron_error *err);

/* Puts the rows into their own order: what is summed over them then depends on no epoch. */
plethron_status live_restore_order(live_set *live, plethron_error *err);

/* Queues z of a shard of units for some rows: out [rows, out_stride] (forward.h); or with `activate` sigmoid(z). */
plethron_status live_forward(const live_set *live, unit_shard shard, const row_batch *rows, device_buffer *out,
                             size_t out_stride, bool activate, plethron_error *err);

/* Sums for the area under each unit's ROC curve, on the rows it learns from or on those held out: [AUC_SUMS,
 * unit_stride]. */
plethron_status live_auc(live_set *live, bool held, float *totals, plethron_error *err);
/* Bytes of its largest buffer; it takes two of them and little more. */
size_t live_auc_bytes(const train_problem *problem);
/* Places in which n rows are sorted. */
size_t live_auc_places(size_t n_rows);

/* The same where units have ranges (live_auc_ranges.c); live_auc calls it. */
plethron_status live_auc_ranges(live_set *live, bool held, float *totals, plethron_error *err);
size_t live_auc_ranges_bytes(const train_problem *problem);

/* Sparse features in the order of an epoch (live_sparse.c): the host transposes the rows again. */
typedef struct sparse_shuffle sparse_shuffle;
plethron_status sparse_shuffle_open(const live_set *live, sparse_shuffle **out, plethron_error *err);
/* Takes the order from live->rows.order; says where the features are in it. */
plethron_status sparse_shuffle_run(sparse_shuffle *self, const live_set *live, sparse_lines *features,
                                   plethron_error *err);
void sparse_shuffle_close(sparse_shuffle *self);

/* Hands launches to the device now and then. */
plethron_status live_count_launches(live_set *live, unsigned n, plethron_error *err);

/* kernel_launch for a kernel with ROW_PARAMETERS between `before` and `after` is long-winded: these are the letters and
 * the arguments of ROW_PARAMETERS. */
#define ROW_TYPES "bbbbbbiii"
#define ROW_ARGUMENTS(live)                                                                                  \
    (live)->rows.targets, (live)->rows.weights, (live)->rows.folds, (live)->rows.counts, (live)->rows.order, \
        (live)->units, (int)(live)->problem->dataset->y_stride, (int)(live)->problem->unit_stride,           \
        (live)->problem->uses

#endif
