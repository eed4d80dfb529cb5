/* What training and prediction must give: one unit, in double, written as the formulas of docs and header read. It
 * shares nothing with the library but the public names of losses, optimisers and the like, and is never made faster. */
#ifndef PLETHRON_REFERENCE_H
#define PLETHRON_REFERENCE_H

#include "plethron.h"

/* One unit and the data it learns from. What is zero or NULL is not there. */
typedef struct reference_unit {
    const float *X; /* [n_samples, n_features] */
    const float *Y; /* [n_samples, n_targets], NaN where the target is missing */
    size_t n_samples;
    size_t n_features;
    size_t n_targets;
    size_t target;
    int64_t positive_class; /* PLETHRON_NO_CLASS: the target itself */
    plethron_loss loss;
    plethron_reduction reduction;
    double learning_rate;
    double l2;
    double l1;

    /* which rows count, and how much */
    const float *sample_weights; /* [n_samples, n_weight_columns] */
    size_t n_weight_columns;
    size_t weight_column;
    const uint8_t *folds; /* [n_samples] */
    int64_t excluded_fold;
    const uint8_t *counts; /* [n_samples]: how often the bootstrap drew the row */
    bool has_class_weights;
    bool balanced;
    double weight_negative; /* where not balanced */
    double weight_positive;

    /* how it steps */
    plethron_optimizer optimizer;
    double momentum;
    double beta2;
    double epsilon;
    plethron_schedule schedule;
    double decay;
    int64_t epochs;
} reference_unit;

/* Weights `w` are [n_features + 1], bias last. */

double reference_target(const reference_unit *unit, size_t sample);
double reference_z(const reference_unit *unit, const double *w, size_t sample);
double reference_sigmoid(double z);

/* A row's loss and dL/dz of it, before its weight. */
double reference_row_loss(const reference_unit *unit, const double *w, size_t sample);
double reference_row_delta(const reference_unit *unit, const double *w, size_t sample);

/* A row's weight without its class's, 0 where the unit does not learn from it; the same in the held-out fold. */
double reference_weight(const reference_unit *unit, size_t sample);
double reference_held_weight(const reference_unit *unit, size_t sample);
/* The weights of the two classes: given, balanced, or 1. */
typedef struct reference_classes {
    double negative, positive;
} reference_classes;
reference_classes reference_class_weights(const reference_unit *unit);
/* A row's weight in the training loss. */
double reference_full_weight(const reference_unit *unit, const reference_classes *classes, size_t sample);
double reference_weight_sum(const reference_unit *unit);
double reference_full_weight_sum(const reference_unit *unit);

/* 1 for the reduction `sum`, 1 / (sum of the rows' weights) for `mean`. */
double reference_scale(const reference_unit *unit);

/* What is minimised but for l1: the reduced loss and l2 / 2 times the squared weights, the bias not among them. */
double reference_objective(const reference_unit *unit, const double *w);
/* Its gradient [n_features + 1] (for the loss `tutorial`: what takes the gradient's place). */
void reference_gradient(const reference_unit *unit, const double *w, double *gradient);

/* Rows of a mini-batch; NULL rows: all of the unit's. */
typedef struct reference_batch {
    const int32_t *rows;
    size_t n_rows;
} reference_batch;
void reference_batch_gradient(const reference_unit *unit, const reference_batch *batch, const double *w,
                              double *gradient);

/* Where a unit stands. */
typedef struct reference_point {
    double *w, *m, *v;     /* [n_features + 1] each: weights and moments */
    int64_t epochs, steps; /* done */
} reference_point;

/* All zero; closed by free(point.w). */
reference_point reference_point_open(size_t n_features);

double reference_schedule(const reference_unit *unit, int64_t epoch);
/* One step; `gradient` [n_features + 1] is room to work in. */
void reference_step(const reference_unit *unit, const reference_batch *batch, reference_point *at, double *gradient);
/* One epoch with all rows at once. */
void reference_epoch(const reference_unit *unit, reference_point *at, double *gradient);

/* The largest |distance from the optimum's conditions|: of the gradient with l2 and, where a weight is 0, what l1
 * cannot hold. */
double reference_residual(const reference_unit *unit, const double *w, double *gradient);

/* Measures on the rows it learns from, or on those held out. */
double reference_mean_loss(const reference_unit *unit, const double *w);
double reference_error_sum(const reference_unit *unit, const double *w);
double reference_accuracy(const reference_unit *unit, const double *w);
double reference_auc(const reference_unit *unit, const double *w);
/* The same unit seen from outside: it learns from the rows that it held out, by their sample weights. */
reference_unit reference_held_out(const reference_unit *unit, uint8_t *counts);

#endif
