/* The plainest C there is, on one thread: three nested loops in floats, a unit after the other. For scale. */
#define _POSIX_C_SOURCE 200809L

#include "bench_baseline.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const double wanted_flops = 1e9; /* about a second, and as much again for its check */

static void train_unit(const bench_problem *p, size_t unit, int64_t epochs, float *w, float *gradient) {
    const bench_case *shape = p->shape;
    size_t first;
    const size_t n = bench_unit_rows(shape, unit, &first), n_features = shape->n_features;
    const float scale = shape->reduction == PLETHRON_REDUCTION_MEAN ? 1.0f / (float)n : 1.0f;
    for (size_t k = 0; k <= n_features; k++) w[k] = p->start[k * shape->n_units + unit];
    for (int64_t epoch = 0; epoch < epochs; epoch++) {
        memset(gradient, 0, (n_features + 1) * sizeof *gradient);
        for (size_t i = first; i < first + n; i++) {
            const float *x = p->X + i * n_features;
            float z = w[n_features];
            for (size_t k = 0; k < n_features; k++) z += x[k] * w[k];
            const float probability = 1.0f / (1.0f + expf(-z));
            const float slope = shape->loss == PLETHRON_LOSS_MSE ? probability * (1.0f - probability) : 1.0f;
            const float delta = (probability - bench_target(p, i, unit)) * slope;
            for (size_t k = 0; k < n_features; k++) gradient[k] += x[k] * delta;
            gradient[n_features] += delta;
        }
        for (size_t k = 0; k < n_features; k++)
            w[k] -= p->learning_rate[unit] * (scale * gradient[k] + shape->l2 * w[k]);
        w[n_features] -= p->learning_rate[unit] * scale * gradient[n_features];
    }
}

/* P [n_samples, n_units], of the first n_units units. */
static void predict(const bench_problem *p, size_t n_units, float *P) {
    const size_t n_features = p->shape->n_features, stride = p->shape->n_units;
    for (size_t i = 0; i < p->shape->n_samples; i++)
        for (size_t j = 0; j < n_units; j++) {
            float z = p->start[n_features * stride + j];
            for (size_t k = 0; k < n_features; k++) z += p->X[i * n_features + k] * p->start[k * stride + j];
            P[i * stride + j] = 1.0f / (1.0f + expf(-z));
        }
}

/* As many units and epochs as are worth the time; at least one of each. */
static void choose_work(const bench_case *shape, bench_row *row) {
    bench_case one = *shape;
    one.n_units = 1;
    one.epochs = shape->kind == BENCH_TRAIN;
    const double most = wanted_flops / bench_flops(&one);
    row->epochs = shape->kind == BENCH_PREDICT ? 0 : most < (double)shape->epochs ? (int64_t)most : shape->epochs;
    if (shape->kind == BENCH_TRAIN && row->epochs < 1) row->epochs = 1;
    const double units = most / (row->epochs > 0 ? (double)row->epochs : 1.0);
    row->n_units = units < (double)shape->n_units ? (size_t)units : shape->n_units;
    if (row->n_units < 1) row->n_units = 1;
}

static double weights_error(const float *got, const double *expected, size_t n) {
    double error = 0.0;
    for (size_t k = 0; k < n; k++) {
        const double this_error = fabs((double)got[k] - expected[k]) / (1.0 + fabs(expected[k]));
        error = this_error <= error ? error : this_error;
    }
    return error;
}

static plethron_status train(const bench_problem *p, bench_row *row, double *seconds, plethron_error *err) {
    plethron_status status = PLETHRON_OK;
    const size_t n_weights = p->shape->n_features + 1;
    float *w = NULL, *gradient = NULL;
    double *expected = NULL;
    TRY(allocate(n_weights, sizeof *w, &w, err));
    TRY(allocate(n_weights, sizeof *gradient, &gradient, err));
    TRY(allocate(n_weights, sizeof *expected, &expected, err));
    const double start_s = bench_clock_s();
    for (size_t j = 0; j < row->n_units; j++) train_unit(p, j, row->epochs, w, gradient);
    *seconds = bench_clock_s() - start_s;
    TRY(bench_reference(p, row->n_units - 1, row->epochs, expected, err));
    row->error = weights_error(w, expected, n_weights);
out:
    free(w);
    free(gradient);
    free(expected);
    return status;
}

static plethron_status predict_and_check(const bench_problem *p, bench_row *row, double *seconds, plethron_error *err) {
    float *P = NULL;
    plethron_status status = allocate(p->shape->n_samples * p->shape->n_units, sizeof *P, &P, err);
    if (status != PLETHRON_OK) return status;
    const double start_s = bench_clock_s();
    predict(p, row->n_units, P);
    *seconds = bench_clock_s() - start_s;
    row->error = 0.0;
    for (size_t r = 0; r < p->n_rows; r++) /* unit 0 is checked always, and first */
        row->error = fmax(row->error, fabs((double)P[p->rows[r] * p->shape->n_units] - p->expected[r * p->n_checked]));
    free(P);
    return PLETHRON_OK;
}

plethron_status bench_scalar_measure(const bench_problem *p, bench_row *row, plethron_error *err) {
    double seconds = 0.0;
    *row = (bench_row){.shape = p->shape,
                       .device = "scalar",
                       .cold_s = NAN,
                       .warm_s = NAN,
                       .upload = bench_unmeasured,
                       .n_repeats = 1};
    choose_work(p->shape, row);
    bench_step("%s by plain C on one thread", p->shape->name);
    const plethron_status status =
        p->shape->kind == BENCH_PREDICT ? predict_and_check(p, row, &seconds, err) : train(p, row, &seconds, err);
    row->end_to_end = bench_summary(&seconds, 1);
    row->device_time = row->end_to_end;
    if (status == PLETHRON_OK && !(row->error <= bench_tolerance(p->shape)))
        return fail(err, PLETHRON_ERROR_UNSUPPORTED, "%s by plain C: the result is wrong by %.3g", p->shape->name,
                    row->error);
    return status;
}
