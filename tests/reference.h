/* What training and prediction must give: one unit, in double, written as the formulas of docs and header read. It
 * shares nothing with the library but the public names of losses and reductions, and is never made faster. */
#ifndef PLETHRON_REFERENCE_H
#define PLETHRON_REFERENCE_H

#include "plethron.h"

/* One unit and the data it learns from. */
typedef struct reference_unit {
    const float *X; /* [n_samples, n_features] */
    const float *Y; /* [n_samples, n_targets] */
    size_t n_samples;
    size_t n_features;
    size_t n_targets;
    size_t target;
    int64_t positive_class; /* PLETHRON_NO_CLASS: the target itself */
    plethron_loss loss;
    plethron_reduction reduction;
    double learning_rate;
    double l2;
} reference_unit;

/* Weights `w` are [n_features + 1], bias last. */

double reference_target(const reference_unit *unit, size_t sample);
double reference_z(const reference_unit *unit, const double *w, size_t sample);
double reference_sigmoid(double z);

/* What one row adds to the loss, and dL/dz of it. */
double reference_row_loss(const reference_unit *unit, const double *w, size_t sample);
double reference_row_delta(const reference_unit *unit, const double *w, size_t sample);

/* 1 for the reduction `sum`, 1 / n_samples for `mean`. */
double reference_scale(const reference_unit *unit);

/* What gradient descent minimises: the reduced loss and l2 / 2 times the squared weights, the bias not among them. */
double reference_objective(const reference_unit *unit, const double *w);
/* Its gradient [n_features + 1] (for the loss `tutorial`: what takes the gradient's place). */
void reference_gradient(const reference_unit *unit, const double *w, double *gradient);
/* One step down the gradient; `gradient` [n_features + 1] is room to work in. */
void reference_epoch(const reference_unit *unit, double *w, double *gradient);

double reference_mean_loss(const reference_unit *unit, const double *w);
double reference_error_sum(const reference_unit *unit, const double *w);
double reference_accuracy(const reference_unit *unit, const double *w);

#endif
