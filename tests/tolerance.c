#include "tolerance.h"

#include "dataset.h"

#include <math.h>
#include <stdlib.h>

static const double u = 0x1p-24;

static double gamma_of(size_t n_roundings) {
    return (double)n_roundings * u / (1.0 - (double)n_roundings * u);
}

/* Roundings in a row of a sum over so many rows. */
static size_t chain(size_t n_rows) {
    const size_t n_blocks = (n_rows + DATASET_BLOCK_ROWS - 1) / DATASET_BLOCK_ROWS;
    const size_t rows = n_rows < DATASET_BLOCK_ROWS ? n_rows : DATASET_BLOCK_ROWS;
    return rows + n_blocks + 1;
}

/* ---- Rows -------------------------------------------------------------------------------------------------------- */

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

/* ---- Weights ----------------------------------------------------------------------------------------------------- */

/* Sums of integers are exact. */
double tolerance_weight_sum(const reference_unit *unit) {
    for (size_t i = 0; i < unit->n_samples; i++) {
        const double weight = reference_weight(unit, i), held = reference_held_weight(unit, i);
        const double y = weight + held > 0.0 ? reference_target(unit, i) : 0.0;
        if (weight != floor(weight) || held != floor(held) || y != floor(y))
            return gamma_of(chain(unit->n_samples) + 2);
    }
    return 0.0;
}

/* Balanced class weights are a quotient of sums. */
static double class_weight_error(const reference_unit *unit) {
    return unit->has_class_weights && unit->balanced ? 2.0 * tolerance_weight_sum(unit) + 2.0 * u : 0.0;
}

static double full_sum_error(const reference_unit *unit) {
    if (!unit->has_class_weights) return tolerance_weight_sum(unit) + u;
    return tolerance_weight_sum(unit) + class_weight_error(unit) + 3.0 * u;
}

/* Of a row's weight in the training loss. */
static double full_weight_bound(const reference_unit *unit, const reference_classes *classes, size_t sample) {
    const double weight = reference_weight(unit, sample);
    if (weight == 0.0) return 0.0;
    const double y = reference_target(unit, sample);
    const double mixed = y * classes->positive + (1.0 - y) * classes->negative;
    const double spread = fabs(classes->positive - classes->negative);
    const double class_bound =
        unit->has_class_weights
            ? class_weight_error(unit) * (classes->positive + classes->negative) + u * (spread + mixed)
            : 0.0;
    return weight * (class_bound + 2.0 * u * mixed);
}

/* ---- Steps ------------------------------------------------------------------------------------------------------- */

void tolerance_gradient(const reference_unit *unit, const reference_batch *batch, const double *w, const double *bound,
                        double *out, double *work) {
    const size_t n_features = unit->n_features, n_rows = batch->rows ? batch->n_rows : unit->n_samples;
    const reference_classes classes = reference_class_weights(unit);
    const double scale = reference_scale(unit) * (double)unit->n_samples / (double)n_rows;
    const double sum_gamma = gamma_of(chain(n_rows));
    double *sum_bound = work, *sum_size = work + n_features + 1; /* the size is that of the sum of |x s r| */
    for (size_t k = 0; k <= n_features; k++) sum_bound[k] = sum_size[k] = 0.0;
    for (size_t r = 0; r < n_rows; r++) {
        const size_t i = batch->rows ? (size_t)batch->rows[r] : r;
        const double weight = reference_full_weight(unit, &classes, i);
        if (weight == 0.0) continue;
        const double weight_bound = full_weight_bound(unit, &classes, i);
        const double delta = fabs(reference_row_delta(unit, w, i));
        const double delta_bound = tolerance_prediction(unit, w, bound, i) + 3.0 * u;
        const double row_bound =
            (weight + weight_bound) * delta_bound + weight_bound * delta + u * weight * (delta + delta_bound);
        const double row_size = weight * delta + row_bound;
        for (size_t k = 0; k <= n_features; k++) {
            const double x = k < n_features ? fabs((double)unit->X[i * n_features + k]) : 1.0;
            sum_bound[k] += x * row_bound + sum_gamma * x * row_size;
            sum_size[k] += x * row_size;
        }
    }
    const double scale_error = unit->reduction == PLETHRON_REDUCTION_SUM ? 0.0 : full_sum_error(unit) + u;
    for (size_t k = 0; k <= n_features; k++) {
        const double l2 = k < n_features ? unit->l2 : 0.0, w_size = fabs(w[k]) + bound[k];
        const double size = scale * sum_size[k] + l2 * w_size;
        out[k] = scale * sum_bound[k] + l2 * bound[k] + scale_error * scale * sum_size[k] + 6.0 * u * size;
    }
}

/* |sqrt(a) - sqrt(b)| for |a - b| <= bound. */
static double root_bound(double a, double bound) {
    const double low = a > bound ? a - bound : 0.0;
    return low > 0.0 ? bound / (sqrt(a) + sqrt(low)) : sqrt(bound);
}

/* Of 1 - beta^t: the power has t - 1 roundings, and 1 less what is from 1/2 to 1 is exact. */
static double correction_bound(double beta, int64_t t) {
    const double power = pow(beta, (double)t);
    return (double)(t - 1) * u * power + (power >= 0.5 ? 0.0 : u);
}

/* Relative errors of square_root and quotient in arithmetic.cl (test_arithmetic.c). */
static const double root_error = 3e-7, quotient_error = 2e-7;

/* Of a / b for |da| <= a_bound, |db| <= b_bound < b. */
static double quotient_bound(double a, double a_bound, double b, double b_bound) {
    return (a_bound + fabs(a) / b * b_bound) / (b - b_bound) + quotient_error * (fabs(a) + a_bound) / (b - b_bound);
}

/* The bounds of m and v follow the moments from `m`, `v` before to `new_m`, `new_v` after the step; the result is that
 * of the direction. Each fma adds a rounding. *stretch is what l1 is stretched by, with its bound. */
static double direction_bound(const reference_unit *unit, double slope, double slope_bound, int64_t t, double m,
                              double v, double new_m, double new_v, double *m_bound, double *v_bound, double *stretch,
                              double *stretch_bound) {
    const double beta = unit->momentum;
    *stretch = 1.0 / (1.0 - beta);
    *stretch_bound = quotient_bound(1.0, 0.0, 1.0 - beta, u);
    switch (unit->optimizer) {
    case PLETHRON_OPTIMIZER_GD:
        *stretch = 1.0;
        *stretch_bound = 0.0;
        return slope_bound;
    case PLETHRON_OPTIMIZER_MOMENTUM:
        *m_bound = beta * *m_bound + slope_bound;
        *m_bound += u * (fabs(new_m) + *m_bound);
        return *m_bound;
    case PLETHRON_OPTIMIZER_NESTEROV: {
        *m_bound = beta * *m_bound + slope_bound;
        *m_bound += u * (fabs(new_m) + *m_bound);
        const double moved = beta * *m_bound + slope_bound;
        return moved + u * (fabs(slope + beta * new_m) + moved);
    }
    case PLETHRON_OPTIMIZER_ADAM: break;
    }
    const double square_bound = 2.0 * fabs(slope) * slope_bound + slope_bound * slope_bound;
    const double square_size = slope * slope + square_bound;
    const double m_size = fabs(m) + *m_bound + fabs(slope) + slope_bound, v_size = v + *v_bound + square_size;
    *m_bound = beta * *m_bound + (1.0 - beta) * slope_bound + 2.0 * u * m_size;
    *v_bound = unit->beta2 * *v_bound + (1.0 - unit->beta2) * square_bound + 3.0 * u * v_size;
    const double c1 = 1.0 - pow(beta, (double)t), c2 = 1.0 - pow(unit->beta2, (double)t);
    const double first = quotient_bound(new_m, *m_bound, c1, correction_bound(beta, t));
    const double second = quotient_bound(new_v, *v_bound, c2, correction_bound(unit->beta2, t));
    const double root = sqrt(new_v / c2) + unit->epsilon;
    const double bound_of_root = root_bound(new_v / c2, second) + (root_error + 2.0 * u) * (root + sqrt(second));
    if (bound_of_root >= root) return INFINITY;
    *stretch = 1.0 / root;
    *stretch_bound = quotient_bound(1.0, 0.0, root, bound_of_root);
    return quotient_bound(new_m / c1, first, root, bound_of_root);
}

/* Relative, of the schedule's factor: the exponent -decay log(1 + t) has an error of 3e-7 relative (log_one_plus 2e-7,
 * the product, the fma), the exponential 9e-8; the cosine has 2e-7 and pi times the quotient's, absolute. */
static double schedule_error(const reference_unit *unit, int64_t epoch) {
    const double pi = acos(-1.0), factor = reference_schedule(unit, epoch);
    switch (unit->schedule) {
    case PLETHRON_SCHEDULE_CONSTANT: return 0.0;
    case PLETHRON_SCHEDULE_INVERSE: return unit->decay * log1p((double)epoch) * 4e-7 + 9e-8 + 2.0 * u;
    case PLETHRON_SCHEDULE_COSINE: return (1e-7 + pi / 2.0 * (quotient_error + u) + 2.0 * u) / factor + 2.0 * u;
    }
    return NAN;
}

void tolerance_step(const reference_unit *unit, const reference_batch *batch, reference_point *at,
                    reference_point *bound, double *work) {
    const size_t n_weights = unit->n_features + 1;
    double *slopes = work, *slope_bounds = work + n_weights, *room = work + n_weights;
    const double rate = unit->learning_rate * reference_schedule(unit, at->epochs);
    const double rate_error = schedule_error(unit, at->epochs);
    tolerance_gradient(unit, batch, at->w, bound->w, slopes, room); /* for a moment the bounds stand there */
    for (size_t k = 0; k < n_weights; k++) slope_bounds[k] = slopes[k];
    reference_point before = reference_point_open(unit->n_features);
    for (size_t k = 0; k < n_weights; k++) {
        before.w[k] = at->w[k];
        before.m[k] = at->m[k];
        before.v[k] = at->v[k];
    }
    reference_step(unit, batch, at, slopes);
    for (size_t k = 0; k < n_weights; k++) {
        double stretch, stretch_bound;
        const double moved = direction_bound(unit, slopes[k], slope_bounds[k], at->steps, before.m[k], before.v[k],
                                             at->m[k], at->v[k], &bound->m[k], &bound->v[k], &stretch, &stretch_bound);
        const double pull = k < unit->n_features ? rate * unit->l1 : 0.0, l1 = pull * stretch;
        /* the direction itself, from the step that was made; l1 may have swallowed up to its threshold of it */
        const double walked = fabs(before.w[k] - at->w[k]) + l1;
        const double w_size = fabs(before.w[k]) + bound->w[k] + walked;
        /* the fma to where the gradient leads; with l1 the threshold's subtraction from it is a rounding of its own */
        const double n_roundings = pull > 0.0 ? 2.0 : 1.0;
        bound->w[k] += rate * moved + rate_error * (walked + rate * moved) + n_roundings * u * (w_size + rate * moved);
        bound->w[k] += l1 * (rate_error + 4.0 * u) + pull * stretch_bound * (1.0 + rate_error + 4.0 * u);
    }
    free(before.w);
}

void tolerance_epoch(const reference_unit *unit, reference_point *at, reference_point *bound, double *work) {
    tolerance_step(unit, &(reference_batch){NULL, 0}, at, bound, work);
    at->epochs++;
}

/* ---- Measures ---------------------------------------------------------------------------------------------------- */

/* log: softplus(z) - y z, where softplus and y z each move with z, softplus has a relative error of 5 u
 * (test_arithmetic.c), y z and the difference a rounding each. Else (p - y)^2 / 2 with five roundings. */
static double row_loss_bound(const reference_unit *unit, const double *w, const double *bound, size_t sample) {
    const double z = reference_z(unit, w, sample), loss = reference_row_loss(unit, w, sample);
    const double z_moved = z_bound(unit, w, bound, sample), p_moved = z_moved / 4.0 + 3.0 * u;
    if (unit->loss == PLETHRON_LOSS_LOG) return 2.0 * z_moved + 5.0 * u * log1p(exp(z)) + 2.0 * u * (fabs(z) + loss);
    return sqrt(2.0 * loss) * p_moved + p_moved * p_moved / 2.0 + 5.0 * u * loss;
}

double tolerance_mean_loss(const reference_unit *unit, const double *w, const double *bound) {
    const reference_classes classes = reference_class_weights(unit);
    double sum = 0.0;
    for (size_t i = 0; i < unit->n_samples; i++) {
        const double weight = reference_full_weight(unit, &classes, i);
        if (weight == 0.0) continue;
        const double row = row_loss_bound(unit, w, bound, i), size = reference_row_loss(unit, w, i) + row;
        const double weight_bound = full_weight_bound(unit, &classes, i);
        sum += weight * row + weight_bound * size + gamma_of(chain(unit->n_samples)) * (weight + weight_bound) * size;
    }
    return sum / reference_full_weight_sum(unit) + (full_sum_error(unit) + u) * reference_mean_loss(unit, w);
}

double tolerance_error_sum(const reference_unit *unit, const double *w, const double *bound) {
    double sum = 0.0;
    for (size_t i = 0; i < unit->n_samples; i++) {
        const double weight = reference_weight(unit, i);
        if (weight == 0.0) continue;
        const double error = fabs(reference_sigmoid(reference_z(unit, w, i)) - reference_target(unit, i));
        const double row = tolerance_prediction(unit, w, bound, i) + u + u * error;
        sum += weight * (row + gamma_of(chain(unit->n_samples)) * (error + row));
    }
    return sum;
}

double tolerance_accuracy(const reference_unit *unit, const double *w, const double *bound) {
    double unclear = 0.0;
    for (size_t i = 0; i < unit->n_samples; i++) {
        const double p = reference_sigmoid(reference_z(unit, w, i));
        if (fabs(p - 0.5) <= tolerance_prediction(unit, w, bound, i)) unclear += reference_weight(unit, i);
    }
    return unclear / reference_weight_sum(unit) + 2.0 * tolerance_weight_sum(unit) + 2.0 * u;
}

/* The area is a compensated sum of products of sums; the two totals are such sums, too. */
double tolerance_auc(const reference_unit *unit, const double *w, const double *bound) {
    double unclear = 0.0, pairs = 0.0;
    for (size_t i = 0; i < unit->n_samples; i++) {
        const double weight = reference_weight(unit, i);
        if (weight == 0.0 || reference_target(unit, i) < 0.5) continue;
        const double z = reference_z(unit, w, i), z_moved = z_bound(unit, w, bound, i);
        for (size_t other = 0; other < unit->n_samples; other++) {
            const double pair = weight * reference_weight(unit, other);
            if (pair == 0.0 || reference_target(unit, other) >= 0.5) continue;
            const bool near = fabs(z - reference_z(unit, w, other)) <= z_moved + z_bound(unit, w, bound, other);
            unclear += near ? pair : 0.0;
            pairs += pair;
        }
    }
    return unclear / pairs + 3.0 * tolerance_weight_sum(unit) + 12.0 * u;
}
