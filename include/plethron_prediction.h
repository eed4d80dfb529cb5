/* The part of plethron.h that is about prediction, and comes with it. The conventions are those of plethron.h. */
#ifndef PLETHRON_PREDICTION_H
#define PLETHRON_PREDICTION_H

#include "plethron.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- At once ----------------------------------------------------------------------------------------------------- */

/* P[i, j] = sigmoid(X[i] . W[:, j] + b[j]) for every row and unit, streamed to the device in blocks that fit.
 *   X [n_samples, n_features] in, P [n_samples, n_units] out
 * A row's result does not depend on the other rows. P is written as blocks are done: after an error it may be partly
 * new. A value that is not finite in X gives a NaN, or the limit 0 or 1, in its own row only. */
PLETHRON_API plethron_status plethron_predict(plethron_device *device, const plethron_bank *bank, const float *X,
                                              size_t n_samples, float *P, plethron_error *err);

/* The same for sparse rows: P [X->n_rows, n_units], to the same bits while weights are finite.
 * Errors: as there; PLETHRON_ERROR_ARGUMENT for rows that plethron_dataset_create_sparse would refuse, and for another
 * number of columns than the bank's features. */
PLETHRON_API plethron_status plethron_predict_sparse(plethron_device *device, const plethron_bank *bank,
                                                     const plethron_sparse *X, float *P, plethron_error *err);

/* P[i] = sigmoid(X[i] . W[:, j] + b[j]) with j = units[i]: each row by a unit of its own, such as that of its entity.
 * The same bits as plethron_predict; on this machine's cores, whatever the device: a pass over X.
 *   units [n_samples]   a unit of the bank, or PLETHRON_NONE, which gives NaN
 * Errors: PLETHRON_ERROR_ARGUMENT for a unit that does not exist. */
PLETHRON_API plethron_status plethron_predict_rows(const plethron_bank *bank, const float *X, const int64_t *units,
                                                   size_t n_samples, float *P, plethron_error *err);

/* ---- The likeliest units ----------------------------------------------------------------------------------------- */

/* Which of a row's predictions are wanted: of each group of units, such as those of a target's classes, the n_top with
 * the largest p. Larger ones stand first, equal ones as they stand in the group, NaN last. */
typedef struct plethron_top {
    size_t n_top;           /* 1 to the number of units of the smallest group */
    size_t n_groups;        /* 0: all units, in their order, are one group; offsets and units are then not read */
    const int64_t *offsets; /* [n_groups + 1]: group g is units[offsets[g] ... offsets[g + 1] - 1], one or more */
    const int32_t *units;   /* a unit may stand in several groups, or in none */
    bool needs_all;         /* where any p of a group is NaN, its results are PLETHRON_NONE and NaN alone */
} plethron_top;

/* Finds them among predictions at hand, on this machine's cores.
 *   P [n_samples, n_units] in; units and p [n_samples, n_groups, n_top] out (n_groups 0 counts as 1)
 * Errors: PLETHRON_ERROR_ARGUMENT for an n_top or a unit outside of what is allowed, offsets that do not ascend, and
 * more than 2^31 - 1 units in all groups together; PLETHRON_ERROR_MEMORY.
 * Cost: a pass over the groups and over their predictions. */
PLETHRON_API plethron_status plethron_top_find(const plethron_top *top, const float *P, size_t n_samples,
                                               size_t n_units, int32_t *units, float *p, plethron_error *err);

/* ---- Block after block ------------------------------------------------------------------------------------------- */

/* A bank on a device, ready to predict one block of rows after another: kernels and buffers are made once. Keeps the
 * device borrowed and a copy of the weights, so the bank may be closed before. */
typedef struct plethron_predictor plethron_predictor;

typedef struct plethron_predictor_options {
    size_t struct_size;
    size_t memory_bytes; /* what its buffers may take besides the weights, here and on the device; 0: up to 64 MiB,
                            128 MiB with sparse features, and 64 MiB more with `top`. It needs room for 64 rows at
                            least, whatever this says */
    bool sparse;         /* for the functions that end in _sparse alone; else for the others alone */
    /* For plethron_predictor_top alone, or plethron_predictor_top_sparse: units that are in no group are not computed.
     * Read during the call. NULL: for plethron_predictor_run alone, or plethron_predictor_run_sparse. */
    const plethron_top *top;
} plethron_predictor_options;

/* Errors: PLETHRON_ERROR_MEMORY, PLETHRON_ERROR_DEVICE, PLETHRON_ERROR_KERNEL; PLETHRON_ERROR_ARGUMENT for what
 * plethron_top_find refuses. */
PLETHRON_API plethron_status plethron_predictor_open(plethron_device *device, const plethron_bank *bank,
                                                     const plethron_predictor_options *options,
                                                     plethron_predictor **out, plethron_error *err);
/* As plethron_predict, to the same bits however the rows are cut into blocks. */
PLETHRON_API plethron_status plethron_predictor_run(plethron_predictor *predictor, const float *X, size_t n_samples,
                                                    float *P, plethron_error *err);
/* As plethron_predict_sparse. */
PLETHRON_API plethron_status plethron_predictor_run_sparse(plethron_predictor *predictor, const plethron_sparse *X,
                                                           float *P, plethron_error *err);
/* The likeliest units of each row: what plethron_top_find finds in all of P, which stays on the device, block by block.
 *   X [n_samples, n_features] in; units and p [n_samples, n_groups, n_top] out, as there
 * Errors: as plethron_predictor_run. Cost: that of predicting, and for each of the n_top a look at a row's predictions;
 * 8 bytes a result come back. */
PLETHRON_API plethron_status plethron_predictor_top(plethron_predictor *predictor, const float *X, size_t n_samples,
                                                    int32_t *units, float *p, plethron_error *err);
/* The same for sparse rows: units and p [X->n_rows, n_groups, n_top]. Errors: as plethron_predict_sparse. */
PLETHRON_API plethron_status plethron_predictor_top_sparse(plethron_predictor *predictor, const plethron_sparse *X,
                                                           int32_t *units, float *p, plethron_error *err);
PLETHRON_API void plethron_predictor_close(plethron_predictor *predictor);

#ifdef __cplusplus
}
#endif

#endif
