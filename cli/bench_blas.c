/* OpenBLAS at its best: each thread takes units, or rows where units are few, and works on blocks of rows that stay in
 * its cache: sgemm, sigmoid and difference by vectors, sgemm again. */
#define _POSIX_C_SOURCE 200809L

#include "bench_baseline.h"

#include <dlfcn.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#ifdef _OPENMP
#include <omp.h>
#endif

/* Of cblas.h, whose package need not be there. */
enum { ROW_MAJOR = 101, NO_TRANSPOSE = 111, TRANSPOSE = 112 };
typedef void sgemm_function(int order, int transpose_a, int transpose_b, int m, int n, int k, float alpha,
                            const float *a, int lda, const float *b, int ldb, float beta, float *c, int ldc);

struct bench_blas {
    void *library;
    sgemm_function *sgemm;
    char description[BENCH_TEXT];
};

enum { BLOCK_ROWS = 512, MIN_UNITS_A_THREAD = 64 };

static int n_threads(void) {
#ifdef _OPENMP
    return omp_get_max_threads();
#else
    return 1;
#endif
}

static int thread_number(void) {
#ifdef _OPENMP
    return omp_get_thread_num();
#else
    return 0;
#endif
}

/* ---- The library ------------------------------------------------------------------------------------------------- */

/* POSIX lets a function's address stand in a void *, ISO C does not. */
static void function_at(void *library, const char *name, void *out) {
    void *address = dlsym(library, name);
    memcpy(out, &address, sizeof address);
}

bench_blas *bench_blas_open(void) {
    static const char *const names[] = {"libopenblas.so.0", "libopenblas.so", "libopenblas.dylib"};
    bench_blas *blas = calloc(1, sizeof *blas);
    void (*set_threads)(int) = NULL;
    char *(*config)(void) = NULL, *(*core)(void) = NULL;
    if (!blas) return NULL;
    for (size_t i = 0; !blas->library && i < sizeof names / sizeof *names; i++)
        blas->library = dlopen(names[i], RTLD_NOW | RTLD_LOCAL);
    if (blas->library) {
        function_at(blas->library, "cblas_sgemm", &blas->sgemm);
        function_at(blas->library, "openblas_set_num_threads", &set_threads);
        function_at(blas->library, "openblas_get_config", &config);
        function_at(blas->library, "openblas_get_corename", &core);
    }
    if (!blas->sgemm || !set_threads) {
        bench_blas_close(blas);
        return NULL;
    }
    set_threads(1); /* the threads here call it, one block each */
    const char *chosen = getenv("OPENBLAS_CORETYPE");
    snprintf(blas->description, sizeof blas->description, "%s, kernels for %s%s%s", config ? config() : "OpenBLAS",
             core ? core() : "an unknown core", chosen ? ", as OPENBLAS_CORETYPE asks: " : "", chosen ? chosen : "");
    return blas;
}

void bench_blas_close(bench_blas *blas) {
    if (!blas) return;
    if (blas->library) dlclose(blas->library);
    free(blas);
}

const char *bench_blas_describe(const bench_blas *blas) {
    return blas->description;
}

/* ---- The elementwise part, once for each instruction set --------------------------------------------------------- */

#if defined(PLETHRON_X86_VARIANTS) && __has_attribute(target_clones) && !defined(__SANITIZE_ADDRESS__)
#define ANY_VECTORS __attribute__((target_clones("avx512f", "avx2", "default")))
#else
#define ANY_VECTORS
#endif

/* exp by rounding to a power of two and a polynomial, so that compilers make vectors of it. */
static inline float fast_sigmoid(float z) {
    const float bounded = z < -87.0f ? -87.0f : z > 87.0f ? 87.0f : z;
    const float shifted = bounded * -1.44269504f + 12582912.0f;
    const float n = shifted - 12582912.0f, r = bounded * -1.0f - n * 0.693147181f;
    float q = 1.3843644e-3f;
    q = q * r + 8.374163e-3f;
    q = q * r + 4.1668e-2f;
    q = q * r + 1.6666432e-1f;
    q = q * r + 4.9999994e-1f;
    q = q * r + 1.0f;
    q = q * r + 1.0f;
    union {
        float f;
        uint32_t i;
    } scaled = {q}, bits = {shifted};
    scaled.i += (bits.i - 0x4B400000u) << 23; /* the bits of 12582912 */
    return 1.0f / (1.0f + scaled.f);
}

/* Z [n_rows, n_units] becomes sigmoid(Z + b). */
ANY_VECTORS static void activate(float *Z, size_t n_rows, size_t n_units, const float *b) {
    for (size_t i = 0; i < n_rows; i++)
        for (size_t j = 0; j < n_units; j++) Z[i * n_units + j] = fast_sigmoid(Z[i * n_units + j] + b[j]);
}

/* P becomes dL/dz; its sums over the rows are added to `bias`. Unit j learns y == class[j], or y for class -1. */
ANY_VECTORS static void subtract(float *P, size_t n_rows, size_t n_units, const float *y, const float *class, bool mse,
                                 float *bias) {
    for (size_t i = 0; i < n_rows; i++) {
        const float value = y[i];
        for (size_t j = 0; j < n_units; j++) {
            const float p = P[i * n_units + j];
            const float target = class[j] < 0.0f ? value : value == class[j] ? 1.0f : 0.0f;
            const float slope = mse ? p * (1.0f - p) : 1.0f;
            P[i * n_units + j] = (p - target) * slope;
            bias[j] += P[i * n_units + j];
        }
    }
}

/* ---- Work of a thread -------------------------------------------------------------------------------------------- */

typedef struct blas_run {
    const bench_problem *p;
    const bench_blas *blas;
    float *W;     /* [n_features + 1, n_units], bias last; kept in pieces of units, one a thread, one after the other */
    float *class; /* [n_units] */
    float *deltas;    /* [n_threads, BLOCK_ROWS, units of a piece] */
    float *gradients; /* [n_threads, n_features + 1, units of a piece] */
    size_t n_pieces;  /* of the units: one, one a thread, or one a unit */
} blas_run;

typedef struct piece {
    size_t first, count; /* units */
    float *W;            /* [n_features + 1, count] */
} piece;

static piece piece_of(const blas_run *run, size_t number) {
    const size_t n_units = run->p->shape->n_units;
    const size_t first = number * n_units / run->n_pieces, end = (number + 1) * n_units / run->n_pieces;
    return (piece){first, end - first, run->W + first * (run->p->shape->n_features + 1)};
}

static void forward(const blas_run *run, const piece *units, size_t row, size_t n_rows, float *Z) {
    const int n_features = (int)run->p->shape->n_features, n_units = (int)units->count;
    run->blas->sgemm(ROW_MAJOR, NO_TRANSPOSE, NO_TRANSPOSE, (int)n_rows, n_units, n_features, 1.0f,
                     run->p->X + row * (size_t)n_features, n_features, units->W, n_units, 0.0f, Z, n_units);
    activate(Z, n_rows, units->count, units->W + (size_t)n_features * units->count);
}

/* Adds the gradient sums of the rows. */
static void add_gradient(const blas_run *run, const piece *units, size_t row, size_t n_rows, float *R, float *G) {
    const int n_features = (int)run->p->shape->n_features, n_units = (int)units->count;
    forward(run, units, row, n_rows, R);
    subtract(R, n_rows, units->count, run->p->Y + row, run->class + units->first,
             run->p->shape->loss == PLETHRON_LOSS_MSE, G + (size_t)n_features * units->count);
    run->blas->sgemm(ROW_MAJOR, TRANSPOSE, NO_TRANSPOSE, n_features, n_units, (int)n_rows, 1.0f,
                     run->p->X + row * (size_t)n_features, n_features, R, n_units, 1.0f, G, n_units);
}

static void step(const blas_run *run, const piece *units, const float *G) {
    const bench_case *shape = run->p->shape;
    size_t first;
    const size_t n_rows = bench_unit_rows(shape, units->first, &first);
    const float scale = shape->reduction == PLETHRON_REDUCTION_MEAN ? 1.0f / (float)n_rows : 1.0f;
    for (size_t k = 0; k <= shape->n_features; k++) {
        const float l2 = k < shape->n_features ? shape->l2 : 0.0f;
        float *w = units->W + k * units->count;
        for (size_t j = 0; j < units->count; j++)
            w[j] -= run->p->learning_rate[units->first + j] * (scale * G[k * units->count + j] + l2 * w[j]);
    }
}

static size_t rows_of_block(size_t row, size_t end) {
    return end - row < BLOCK_ROWS ? end - row : BLOCK_ROWS;
}

static size_t gradient_size(const blas_run *run, const piece *units) {
    return (run->p->shape->n_features + 1) * units->count;
}

/* A piece of the units a thread, all epochs; units with rows of their own are a piece each. */
static void train_pieces(const blas_run *run) {
    const bench_case *shape = run->p->shape;
#pragma omp parallel for schedule(static, 1)
    for (size_t number = 0; number < run->n_pieces; number++) {
        const piece units = piece_of(run, number);
        float *R = run->deltas + units.first * BLOCK_ROWS;
        float *G = run->gradients + units.first * (shape->n_features + 1);
        size_t first;
        const size_t n_rows = bench_unit_rows(shape, units.first, &first);
        for (int64_t epoch = 0; epoch < shape->epochs; epoch++) {
            memset(G, 0, gradient_size(run, &units) * sizeof *G);
            for (size_t row = first; row < first + n_rows; row += BLOCK_ROWS)
                add_gradient(run, &units, row, rows_of_block(row, first + n_rows), R, G);
            step(run, &units, G);
        }
    }
}

/* All units in one piece: the threads share the rows. */
static void train_rows(const blas_run *run) {
    const bench_case *shape = run->p->shape;
    const piece units = piece_of(run, 0);
    const size_t size = gradient_size(run, &units);
    for (int64_t epoch = 0; epoch < shape->epochs; epoch++) {
        memset(run->gradients, 0, (size_t)n_threads() * size * sizeof *run->gradients);
#pragma omp parallel for schedule(static) if (shape->n_samples > BLOCK_ROWS)
        for (size_t row = 0; row < shape->n_samples; row += BLOCK_ROWS)
            add_gradient(run, &units, row, rows_of_block(row, shape->n_samples),
                         run->deltas + (size_t)thread_number() * BLOCK_ROWS * units.count,
                         run->gradients + (size_t)thread_number() * size);
        for (int t = 1; t < n_threads(); t++)
            for (size_t e = 0; e < size; e++) run->gradients[e] += run->gradients[(size_t)t * size + e];
        step(run, &units, run->gradients);
    }
}

static void predict_rows(const blas_run *run, float *P) {
    const bench_case *shape = run->p->shape;
    const piece units = piece_of(run, 0);
#pragma omp parallel for schedule(static)
    for (size_t row = 0; row < shape->n_samples; row += BLOCK_ROWS)
        forward(run, &units, row, rows_of_block(row, shape->n_samples), P + row * shape->n_units);
}

/* ---- Measuring --------------------------------------------------------------------------------------------------- */

/* Weights in pieces from [n_features + 1, n_units], or back. */
static void move_weights(const blas_run *run, float *whole, bool back) {
    const bench_case *shape = run->p->shape;
    for (size_t number = 0; number < run->n_pieces; number++) {
        const piece units = piece_of(run, number);
        for (size_t k = 0; k <= shape->n_features; k++) {
            float *a = units.W + k * units.count, *b = whole + k * shape->n_units + units.first;
            memcpy(back ? b : a, back ? a : b, units.count * sizeof *a);
        }
    }
}

static plethron_status open_run(const bench_problem *p, const bench_blas *blas, blas_run *run, plethron_error *err) {
    plethron_status status = PLETHRON_OK;
    const bench_case *shape = p->shape;
    const size_t threads = (size_t)n_threads(), n_weights = (shape->n_features + 1) * shape->n_units;
    const bool by_units = shape->kind == BENCH_TRAIN && shape->n_units >= threads * MIN_UNITS_A_THREAD;
    const size_t n_pieces = shape->n_entity_rows ? shape->n_units : by_units ? threads : 1;
    *run = (blas_run){.p = p, .blas = blas, .n_pieces = n_pieces};
    const size_t copies = by_units ? 1 : threads;
    TRY(allocate(n_weights, sizeof *run->W, &run->W, err));
    TRY(allocate(shape->n_units, sizeof *run->class, &run->class, err));
    TRY(allocate(copies * BLOCK_ROWS, shape->n_units * sizeof *run->deltas, &run->deltas, err));
    TRY(allocate(copies * n_weights, sizeof *run->gradients, &run->gradients, err));
    for (size_t j = 0; j < shape->n_units; j++) run->class[j] = p->positive_class ? (float)p->positive_class[j] : -1.0f;
out:
    return status;
}

static void close_run(blas_run *run) {
    free(run->W);
    free(run->class);
    free(run->deltas);
    free(run->gradients);
}

/* One run; the seconds it took. */
static double run_once(const blas_run *run, float *P) {
    move_weights(run, run->p->start, false);
    const double start_s = bench_clock_s();
    if (P)
        predict_rows(run, P);
    else if (run->n_pieces > 1)
        train_pieces(run);
    else
        train_rows(run);
    return bench_clock_s() - start_s;
}

plethron_status bench_blas_measure(const bench_problem *p, const bench_blas *blas, bench_row *row,
                                   plethron_error *err) {
    plethron_status status = PLETHRON_OK;
    const bench_case *shape = p->shape;
    const size_t n_weights = (shape->n_features + 1) * shape->n_units;
    double seconds[BENCH_REPEATS];
    blas_run run = {0};
    float *result = NULL;
    *row = (bench_row){.shape = shape,
                       .n_units = shape->n_units,
                       .epochs = shape->epochs,
                       .device = "openblas",
                       .cold_s = NAN,
                       .warm_s = NAN,
                       .upload = bench_unmeasured};
    TRY(open_run(p, blas, &run, err));
    const bool predict = shape->kind == BENCH_PREDICT;
    TRY(allocate(predict ? shape->n_samples * shape->n_units : n_weights, sizeof *result, &result, err));
    bench_step("%s by OpenBLAS", shape->name);
    seconds[0] = run_once(&run, predict ? result : NULL);
    row->n_repeats = bench_repeats(seconds[0]);
    if (!predict) move_weights(&run, result, true);
    row->error = predict ? bench_error_of_predictions(p, result)
                         : bench_error_of_weights(p, result, result + shape->n_features * shape->n_units);
    if (!(row->error <= bench_tolerance(shape))) {
        status = fail(err, PLETHRON_ERROR_UNSUPPORTED, "%s by OpenBLAS: the result is wrong by %.3g (%s): not timed",
                      shape->name, row->error, blas->description);
        goto out;
    }
    for (int i = 0; row->n_repeats > 1 && i < row->n_repeats; i++) seconds[i] = run_once(&run, predict ? result : NULL);
    row->end_to_end = bench_summary(seconds, (size_t)row->n_repeats);
    row->device_time = row->end_to_end;
out:
    close_run(&run);
    free(result);
    return status;
}
