#include "reference.h"

#include <math.h>
#include <stdlib.h>

/* ---- Rows -------------------------------------------------------------------------------------------------------- */

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

/* ---- Weights ----------------------------------------------------------------------------------------------------- */

static double sample_weight(const reference_unit *unit, size_t sample) {
    if (isnan(unit->Y[sample * unit->n_targets + unit->target])) return 0.0;
    return unit->sample_weights ? unit->sample_weights[sample * unit->n_weight_columns + unit->weight_column] : 1.0;
}

static bool is_held_out(const reference_unit *unit, size_t sample) {
    return unit->folds && unit->folds[sample] == unit->excluded_fold;
}

double reference_weight(const reference_unit *unit, size_t sample) {
    if (is_held_out(unit, sample)) return 0.0;
    return sample_weight(unit, sample) * (unit->counts ? unit->counts[sample] : 1.0);
}

double reference_held_weight(const reference_unit *unit, size_t sample) {
    return is_held_out(unit, sample) ? sample_weight(unit, sample) : 0.0;
}

/* Sum of the rows' weights times y, or times 1 - y. */
static double class_sum(const reference_unit *unit, bool positive) {
    double sum = 0.0;
    for (size_t i = 0; i < unit->n_samples; i++) {
        const double weight = reference_weight(unit, i);
        if (weight == 0.0) continue; /* the target may be missing */
        sum += weight * (positive ? reference_target(unit, i) : 1.0 - reference_target(unit, i));
    }
    return sum;
}

double reference_weight_sum(const reference_unit *unit) {
    double sum = 0.0;
    for (size_t i = 0; i < unit->n_samples; i++) sum += reference_weight(unit, i);
    return sum;
}

reference_classes reference_class_weights(const reference_unit *unit) {
    if (!unit->has_class_weights) return (reference_classes){1.0, 1.0};
    if (!unit->balanced) return (reference_classes){unit->weight_negative, unit->weight_positive};
    const double all = reference_weight_sum(unit), negative = class_sum(unit, false), positive = class_sum(unit, true);
    return (reference_classes){negative > 0.0 ? all / (2.0 * negative) : 1.0,
                               positive > 0.0 ? all / (2.0 * positive) : 1.0};
}

double reference_full_weight(const reference_unit *unit, const reference_classes *classes, size_t sample) {
    const double weight = reference_weight(unit, sample);
    if (weight == 0.0) return 0.0;
    const double y = reference_target(unit, sample);
    return weight * (y * classes->positive + (1.0 - y) * classes->negative);
}

double reference_full_weight_sum(const reference_unit *unit) {
    const reference_classes classes = reference_class_weights(unit);
    double sum = 0.0;
    for (size_t i = 0; i < unit->n_samples; i++) sum += reference_full_weight(unit, &classes, i);
    return sum;
}

double reference_scale(const reference_unit *unit) {
    return unit->reduction == PLETHRON_REDUCTION_SUM ? 1.0 : 1.0 / reference_full_weight_sum(unit);
}

/* ---- Objective and gradient -------------------------------------------------------------------------------------- */

double reference_objective(const reference_unit *unit, const double *w) {
    const reference_classes classes = reference_class_weights(unit);
    double loss = 0.0, squares = 0.0;
    for (size_t i = 0; i < unit->n_samples; i++) {
        const double weight = reference_full_weight(unit, &classes, i);
        if (weight > 0.0) loss += weight * reference_row_loss(unit, w, i);
    }
    for (size_t k = 0; k < unit->n_features; k++) squares += w[k] * w[k];
    return reference_scale(unit) * loss + unit->l2 / 2.0 * squares;
}

void reference_batch_gradient(const reference_unit *unit, const reference_batch *batch, const double *w,
                              double *gradient) {
    const reference_classes classes = reference_class_weights(unit);
    const size_t n_rows = batch->rows ? batch->n_rows : unit->n_samples;
    const double scale = reference_scale(unit) * (double)unit->n_samples / (double)n_rows;
    for (size_t k = 0; k <= unit->n_features; k++) gradient[k] = 0.0;
    for (size_t r = 0; r < n_rows; r++) {
        const size_t i = batch->rows ? (size_t)batch->rows[r] : r;
        const double weight = reference_full_weight(unit, &classes, i);
        if (weight == 0.0) continue;
        const double delta = weight * reference_row_delta(unit, w, i);
        for (size_t k = 0; k < unit->n_features; k++) gradient[k] += delta * unit->X[i * unit->n_features + k];
        gradient[unit->n_features] += delta;
    }
    for (size_t k = 0; k <= unit->n_features; k++) gradient[k] *= scale;
    for (size_t k = 0; k < unit->n_features; k++) gradient[k] += unit->l2 * w[k];
}

void reference_gradient(const reference_unit *unit, const double *w, double *gradient) {
    reference_batch_gradient(unit, &(reference_batch){NULL, 0}, w, gradient);
}

double reference_residual(const reference_unit *unit, const double *w, double *gradient) {
    double worst = 0.0;
    reference_gradient(unit, w, gradient);
    for (size_t k = 0; k <= unit->n_features; k++) {
        const double l1 = k < unit->n_features ? unit->l1 : 0.0;
        double distance = fabs(gradient[k] + copysign(l1, w[k]));
        if (w[k] == 0.0) distance = fmax(fabs(gradient[k]) - l1, 0.0);
        worst = fmax(worst, distance);
    }
    return worst;
}

/* ---- Steps ------------------------------------------------------------------------------------------------------- */

reference_point reference_point_open(size_t n_features) {
    double *memory = calloc(3 * (n_features + 1), sizeof *memory);
    if (!memory) abort();
    return (reference_point){memory, memory + n_features + 1, memory + 2 * (n_features + 1), 0, 0};
}

double reference_schedule(const reference_unit *unit, int64_t epoch) {
    switch (unit->schedule) {
    case PLETHRON_SCHEDULE_CONSTANT: return 1.0;
    case PLETHRON_SCHEDULE_INVERSE: return pow(1.0 + (double)epoch, -unit->decay);
    case PLETHRON_SCHEDULE_COSINE: return (1.0 + cos(acos(-1.0) * (double)epoch / (double)unit->epochs)) / 2.0;
    }
    return NAN;
}

/* Where the optimiser goes, from the slope; m and v follow. */
static double direction(const reference_unit *unit, double slope, int64_t t, double *m, double *v) {
    switch (unit->optimizer) {
    case PLETHRON_OPTIMIZER_GD: return slope;
    case PLETHRON_OPTIMIZER_MOMENTUM: return *m = unit->momentum * *m + slope;
    case PLETHRON_OPTIMIZER_NESTEROV: *m = unit->momentum * *m + slope; return slope + unit->momentum * *m;
    case PLETHRON_OPTIMIZER_ADAM:
        *m = unit->momentum * *m + (1.0 - unit->momentum) * slope;
        *v = unit->beta2 * *v + (1.0 - unit->beta2) * slope * slope;
        return *m / (1.0 - pow(unit->momentum, (double)t)) /
               (sqrt(*v / (1.0 - pow(unit->beta2, (double)t))) + unit->epsilon);
    }
    return NAN;
}

/* How far the optimiser goes for a slope that has long been 1; v and t as after the step. */
static double stretch(const reference_unit *unit, int64_t t, double v) {
    switch (unit->optimizer) {
    case PLETHRON_OPTIMIZER_GD: return 1.0;
    case PLETHRON_OPTIMIZER_MOMENTUM:
    case PLETHRON_OPTIMIZER_NESTEROV: return 1.0 / (1.0 - unit->momentum);
    case PLETHRON_OPTIMIZER_ADAM: return 1.0 / (sqrt(v / (1.0 - pow(unit->beta2, (double)t))) + unit->epsilon);
    }
    return NAN;
}

void reference_step(const reference_unit *unit, const reference_batch *batch, reference_point *at, double *gradient) {
    const double rate = unit->learning_rate * reference_schedule(unit, at->epochs);
    reference_batch_gradient(unit, batch, at->w, gradient);
    at->steps++;
    for (size_t k = 0; k <= unit->n_features; k++) {
        const double w = at->w[k] - rate * direction(unit, gradient[k], at->steps, &at->m[k], &at->v[k]);
        const double l1 = k < unit->n_features ? rate * unit->l1 * stretch(unit, at->steps, at->v[k]) : 0.0;
        at->w[k] = fabs(w) > l1 ? w - copysign(l1, w) : 0.0;
    }
}

void reference_epoch(const reference_unit *unit, reference_point *at, double *gradient) {
    reference_step(unit, &(reference_batch){NULL, 0}, at, gradient);
    at->epochs++;
}

/* ---- Measures ---------------------------------------------------------------------------------------------------- */

double reference_mean_loss(const reference_unit *unit, const double *w) {
    const reference_classes classes = reference_class_weights(unit);
    double sum = 0.0;
    for (size_t i = 0; i < unit->n_samples; i++) {
        const double weight = reference_full_weight(unit, &classes, i);
        if (weight > 0.0) sum += weight * reference_row_loss(unit, w, i);
    }
    return sum / reference_full_weight_sum(unit);
}

double reference_error_sum(const reference_unit *unit, const double *w) {
    double sum = 0.0;
    for (size_t i = 0; i < unit->n_samples; i++) {
        const double weight = reference_weight(unit, i);
        if (weight > 0.0) sum += weight * (reference_sigmoid(reference_z(unit, w, i)) - reference_target(unit, i));
    }
    return sum;
}

double reference_accuracy(const reference_unit *unit, const double *w) {
    double right = 0.0;
    for (size_t i = 0; i < unit->n_samples; i++)
        if ((reference_sigmoid(reference_z(unit, w, i)) >= 0.5) == (reference_target(unit, i) >= 0.5))
            right += reference_weight(unit, i);
    return right / reference_weight_sum(unit);
}

double reference_auc(const reference_unit *unit, const double *w) {
    double area = 0.0, pairs = 0.0;
    for (size_t i = 0; i < unit->n_samples; i++) {
        if (!(reference_target(unit, i) >= 0.5)) continue;
        const double z = reference_z(unit, w, i), weight = reference_weight(unit, i);
        for (size_t other = 0; other < unit->n_samples; other++) {
            if (!(reference_target(unit, other) < 0.5)) continue;
            const double z_other = reference_z(unit, w, other), pair = weight * reference_weight(unit, other);
            area += z > z_other ? pair : z == z_other ? pair / 2.0 : 0.0;
            pairs += pair;
        }
    }
    return area / pairs;
}

reference_unit reference_held_out(const reference_unit *unit, uint8_t *counts) {
    reference_unit held = *unit;
    for (size_t i = 0; i < unit->n_samples; i++) counts[i] = is_held_out(unit, i);
    held.folds = NULL;
    held.counts = counts;
    held.has_class_weights = false;
    return held;
}
