/* P = sigmoid(X W + b) of dense rows as the caller has them, by all units of a bank: kernels/predict_few.cl and
 * predict_many.cl on CPUs, predict_group.cl on GPUs, host_loops on the host. */
#ifndef PLETHRON_PREDICT_STAGE_H
#define PLETHRON_PREDICT_STAGE_H

#include "bank.h"
#include "device.h"

typedef struct predict_stage predict_stage;

/* Copies the weights to the device, which stays borrowed. */
plethron_status predict_stage_open(plethron_device *device, const plethron_bank *bank, predict_stage **out,
                                   plethron_error *err);
void predict_stage_close(predict_stage *stage);

/* Queues X [n_rows, n_features] -> P [n_rows, n_units], n_rows at most PREDICT_MAX_ROWS. */
plethron_status predict_stage_run(const predict_stage *stage, device_buffer *X, size_t n_rows, device_buffer *P,
                                  plethron_error *err);

enum { PREDICT_MAX_ROWS = 1 << 19 }; /* some devices count groups no further than 65,535, and a group has 16 rows */

#endif
