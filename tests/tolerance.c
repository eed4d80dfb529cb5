#include "tolerance.h"

#include "dataset.h"

#include <math.h>

static const double u = 0x1p-24;

static double gamma_of(size_t n_roundings) {
    return (double)n_roundings * u / (1.0 - (double)n_roundings * u);
}

/* Roundings in a row of a sum over the samples. */
static size_t chain(const reference_unit *unit) {
    const size_t n_blocks = (unit->n_samples + DATASET_BLOCK_ROWS - 1) / DATASET_BLOCK_ROWS;
    const size_t rows = unit->n_samples < DATASET_BLOCK_ROWS ? unit->n_samples : DATASET_BLOCK_ROWS;
    return rows + n_blocks + 1;
}

static double z_bound(const reference_unit *unit, const double *w, const double *bound, size_t sample) {
    const double *bias = w + unit->n_features, *bias_bound = bound + unit->n_features;
    double moved = *bias_bound, size = fabs(*bias) + *bias_bound;
    for (size_t k = 0; k < unit->n_features; k++) {
        const double x = fabs((double)unit->X[sample * unit->n_features + k]);
        moved += x * bound[k];
        size += x * (fabs(w[k]) + bound[k]);
    }
    return moved + gamma_of(unit->n_features + 1) * size;
}

double tolerance_prediction(const reference_unit *unit, const double *w, const double *bound, size_t sample) {
    return z_bound(unit, w, bound, sample) / 4.0 + 3.0 * u;
}

void tolerance_epoch(const reference_unit *unit, const double *w, double *bound, double *work) {
    const size_t n_features = unit->n_features;
    double *sum_bound = work, *sum_size = work + n_features + 1; /* the size is that of the sum of |x r| */
    for (size_t k = 0; k <= n_features; k++) sum_bound[k] = sum_size[k] = 0.0;
    for (size_t i = 0; i < unit->n_samples; i++) {
        const double r_bound = tolerance_prediction(unit, w, bound, i) + 3.0 * u;
        const double r_size = fabs(reference_row_delta(unit, w, i)) + r_bound;
        for (size_t k = 0; k <= n_features; k++) {
            const double x = k < n_features ? fabs((double)unit->X[i * n_features + k]) : 1.0;
            sum_bound[k] += x * r_bound + gamma_of(chain(unit)) * x * r_size;
            sum_size[k] += x * r_size;
        }
    }
    for (size_t k = 0; k <= n_features; k++) {
        const double l2 = k < n_features ? unit->l2 : 0.0, w_size = fabs(w[k]) + bound[k];
        const double slope_size = reference_scale(unit) * sum_size[k] + l2 * w_size;
        const double slope_bound = reference_scale(unit) * sum_bound[k] + l2 * bound[k] + 4.0 * u * slope_size;
        bound[k] += unit->learning_rate * slope_bound + u * (w_size + unit->learning_rate * slope_size);
    }
}

/* log: softplus(z) - y z, where softplus and y z each move with z, softplus has a relative error of 5 u
 * (test_arithmetic.c), y z and the difference a rounding each. Else (p - y)^2 / 2 with five roundings. */
static double row_loss_bound(const reference_unit *unit, const double *w, const double *bound, size_t sample) {
    const double z = reference_z(unit, w, sample), loss = reference_row_loss(unit, w, sample);
    const double z_moved = z_bound(unit, w, bound, sample), p_moved = z_moved / 4.0 + 3.0 * u;
    if (unit->loss == PLETHRON_LOSS_LOG) return 2.0 * z_moved + 5.0 * u * log1p(exp(z)) + 2.0 * u * (fabs(z) + loss);
    return sqrt(2.0 * loss) * p_moved + p_moved * p_moved / 2.0 + 5.0 * u * loss;
}

double tolerance_mean_loss(const reference_unit *unit, const double *w, const double *bound) {
    double sum = 0.0;
    for (size_t i = 0; i < unit->n_samples; i++) {
        const double row = row_loss_bound(unit, w, bound, i);
        sum += row + gamma_of(chain(unit)) * (reference_row_loss(unit, w, i) + row);
    }
    return sum / (double)unit->n_samples + u * reference_mean_loss(unit, w);
}

double tolerance_error_sum(const reference_unit *unit, const double *w, const double *bound) {
    double sum = 0.0;
    for (size_t i = 0; i < unit->n_samples; i++) {
        const double row = tolerance_prediction(unit, w, bound, i) + u;
        const double error = fabs(reference_sigmoid(reference_z(unit, w, i)) - reference_target(unit, i));
        sum += row + gamma_of(chain(unit)) * (error + row);
    }
    return sum;
}

double tolerance_accuracy(const reference_unit *unit, const double *w, const double *bound) {
    size_t unclear = 0;
    for (size_t i = 0; i < unit->n_samples; i++) {
        const double p = reference_sigmoid(reference_z(unit, w, i));
        if (fabs(p - 0.5) <= tolerance_prediction(unit, w, bound, i)) unclear++;
    }
    return (double)unclear / (double)unit->n_samples + u;
}
