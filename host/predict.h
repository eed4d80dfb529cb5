/* A predictor: a bank on a device. predict.c and predict_sparse.c give it rows. */
#ifndef PLETHRON_PREDICT_H
#define PLETHRON_PREDICT_H

#include "dataset.h"
#include "forward.h"
#include "predict_stage.h"
#include "predict_top.h"

struct plethron_predictor {
    plethron_device *device;
    size_t n_features;
    size_t n_units;   /* that are predicted: the bank's or, with top, those of its groups */
    size_t n_results; /* of a row that come back: n_units, or fewer with top */
    size_t max_rows;  /* of a block */
    bool is_sparse;

    top_groups groups;
    top_stage *top;           /* NULL: all predictions come back */
    device_buffer *top_units; /* [max_rows, n_results], where the caller's memory is not lent; */
    device_buffer *top_p;     /* the same */

    predict_stage *stage;   /* of dense rows */
    device_buffer *rows;    /* [max_rows, n_features], of dense rows that are not lent */
    device_buffer *results; /* [max_rows, n_units], of sparse rows [max_rows, unit_stride]; NULL where P is lent */

    forward_stage *forward; /* of sparse rows */
    size_t unit_stride;
    device_buffer *weights; /* [n_features + 1, unit_stride] */
    sparse_lines lines;     /* of a block, with room for */
    size_t max_values;      /* so many values */
};

/* Where results go: P or, with top, units and their p. */
typedef struct predict_results {
    float *p;
    int32_t *units; /* NULL without top */
} predict_results;

/* Those from a row on. */
static inline predict_results predict_results_from(const plethron_predictor *self, predict_results all, size_t row) {
    return (predict_results){all.p + row * self->n_results, all.units ? all.units + row * self->n_results : NULL};
}

/* For blocks of at most n_samples rows. */
plethron_status predictor_open(plethron_device *device, const plethron_bank *bank,
                               const plethron_predictor_options *options, size_t n_samples, plethron_predictor **out,
                               plethron_error *err);

/* Of sparse rows: what predictor_open does besides. */
plethron_status predictor_open_sparse(plethron_predictor *self, const plethron_bank *bank, plethron_error *err);

/* Fails where the predictor was opened for other rows or results, or in another process. */
plethron_status predictor_check(const plethron_predictor *self, bool is_sparse, bool has_top, plethron_error *err);

/* With top, what top_units and top_p hold of a block. */
plethron_status predictor_fetch_top(const plethron_predictor *self, size_t n_rows, predict_results results,
                                    plethron_error *err);

#endif
