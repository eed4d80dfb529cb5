#include "reference.h"

#include <math.h>

double reference_target(const reference_unit *unit, size_t sample) {
    const double value = unit->Y[sample * unit->n_targets + unit->target];
    if (unit->positive_class == PLETHRON_NO_CLASS) return value;
    return value == (double)unit->positive_class ? 1.0 : 0.0;
}

double reference_z(const reference_unit *unit, const double *w, size_t sample) {
    double z = w[unit->n_features];
    for (size_t k = 0; k < unit->n_features; k++) z += unit->X[sample * unit->n_features + k] * w[k];
    return z;
}

double reference_sigmoid(double z) {
    return 1.0 / (1.0 + exp(-z));
}

double reference_row_loss(const reference_unit *unit, const double *w, size_t sample) {
    const double z = reference_z(unit, w, sample), y = reference_target(unit, sample);
    const double error = reference_sigmoid(z) - y;
    /* -y log p - (1 - y) log(1 - p), where log p = -log(1 + exp(-z)) and log(1 - p) = -log(1 + exp(z)) */
    if (unit->loss == PLETHRON_LOSS_LOG) return y * log1p(exp(-z)) + (1.0 - y) * log1p(exp(z));
    return error * error / 2.0;
}

double reference_row_delta(const reference_unit *unit, const double *w, size_t sample) {
    const double p = reference_sigmoid(reference_z(unit, w, sample)), error = p - reference_target(unit, sample);
    const double s = reference_sigmoid(p);
    switch (unit->loss) {
    case PLETHRON_LOSS_LOG: return error;
    case PLETHRON_LOSS_MSE: return error * p * (1.0 - p);
    case PLETHRON_LOSS_TUTORIAL: return error * s * (1.0 - s);
    }
    return NAN;
}

double reference_scale(const reference_unit *unit) {
    return unit->reduction == PLETHRON_REDUCTION_SUM ? 1.0 : 1.0 / (double)unit->n_samples;
}

double reference_objective(const reference_unit *unit, const double *w) {
    double loss = 0.0, squares = 0.0;
    for (size_t i = 0; i < unit->n_samples; i++) loss += reference_row_loss(unit, w, i);
    for (size_t k = 0; k < unit->n_features; k++) squares += w[k] * w[k];
    return reference_scale(unit) * loss + unit->l2 / 2.0 * squares;
}

void reference_gradient(const reference_unit *unit, const double *w, double *gradient) {
    for (size_t k = 0; k <= unit->n_features; k++) gradient[k] = 0.0;
    for (size_t i = 0; i < unit->n_samples; i++) {
        const double delta = reference_row_delta(unit, w, i);
        for (size_t k = 0; k < unit->n_features; k++) gradient[k] += delta * unit->X[i * unit->n_features + k];
        gradient[unit->n_features] += delta;
    }
    for (size_t k = 0; k <= unit->n_features; k++) gradient[k] *= reference_scale(unit);
    for (size_t k = 0; k < unit->n_features; k++) gradient[k] += unit->l2 * w[k];
}

void reference_epoch(const reference_unit *unit, double *w, double *gradient) {
    reference_gradient(unit, w, gradient);
    for (size_t k = 0; k <= unit->n_features; k++) w[k] -= unit->learning_rate * gradient[k];
}

double reference_mean_loss(const reference_unit *unit, const double *w) {
    double sum = 0.0;
    for (size_t i = 0; i < unit->n_samples; i++) sum += reference_row_loss(unit, w, i);
    return sum / (double)unit->n_samples;
}

double reference_error_sum(const reference_unit *unit, const double *w) {
    double sum = 0.0;
    for (size_t i = 0; i < unit->n_samples; i++)
        sum += reference_sigmoid(reference_z(unit, w, i)) - reference_target(unit, i);
    return sum;
}

double reference_accuracy(const reference_unit *unit, const double *w) {
    size_t right = 0;
    for (size_t i = 0; i < unit->n_samples; i++)
        if ((reference_sigmoid(reference_z(unit, w, i)) >= 0.5) == (reference_target(unit, i) >= 0.5)) right++;
    return (double)right / (double)unit->n_samples;
}
