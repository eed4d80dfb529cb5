/* Which of a row's predictions are the largest: by kernels/top.cl, on the host in C. */
#ifndef PLETHRON_PREDICT_TOP_H
#define PLETHRON_PREDICT_TOP_H

#include "device.h"

/* A plethron_top that was checked and copied; all units are one group. */
typedef struct top_groups {
    size_t n_top;
    size_t n_groups;
    size_t n_results; /* n_groups * n_top, of a row */
    int32_t *offsets; /* [n_groups + 1], from 0 on */
    int32_t *units;   /* [offsets[n_groups]] */
    bool needs_all;
    bool in_order; /* the columns of P are `units`, else all units of the bank */
} top_groups;

plethron_status top_groups_make(const plethron_top *top, size_t n_units, top_groups *out, plethron_error *err);
void top_groups_release(top_groups *groups);

/* The kernel for groups whose units' predictions lie side by side: in_order. */
typedef struct top_stage top_stage;

/* The shape of GPUs, where items share a row, or that of CPUs, where an item has rows. `groups` stay borrowed. */
plethron_status top_stage_open(plethron_device *device, const top_groups *groups, bool rows_are_shared, top_stage **out,
                               plethron_error *err);
void top_stage_close(top_stage *stage);

/* Queues P [n_rows, p_stride] -> units, p [n_rows, n_results]. */
plethron_status top_stage_run(const top_stage *stage, device_buffer *P, size_t p_stride, size_t n_rows,
                              device_buffer *units, device_buffer *p, plethron_error *err);

#endif
