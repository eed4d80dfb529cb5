#define _POSIX_C_SOURCE 200809L

#include "bench_cases.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Cross-entropy's mean over rows of floats, where nothing else is said. */
#define SHAPE(kind_, source_, n_samples_, n_features_, n_units_, epochs_)                                      \
    .kind = kind_, .source = source_, .n_samples = n_samples_, .n_features = n_features_, .n_units = n_units_, \
    .epochs = epochs_
#define TRAIN_MANY SHAPE(BENCH_TRAIN, BENCH_PLANE, 10240, 128, 1024, 20)
#define TRAIN_TEN SHAPE(BENCH_TRAIN, BENCH_PLANE, 60000, 784, 10, 20)
#define TRAIN_ONE SHAPE(BENCH_TRAIN, BENCH_PLANE, 1048576, 64, 1, 20)
#define TUTORIAL(n_units, epochs)                                                         \
    SHAPE(BENCH_TRAIN, BENCH_TUTORIAL, 5, 3, n_units, epochs), .loss = PLETHRON_LOSS_MSE, \
                                                               .reduction = PLETHRON_REDUCTION_SUM
#define SWEEP SHAPE(BENCH_TRAIN, BENCH_CLASSES, 1797, 64, 1000, 300)
#define ENTITIES SHAPE(BENCH_TRAIN, BENCH_PLANE, 1000000, 16, 10000, 1000), .n_entity_rows = 100

/* What real work asks for, and what it costs beside the case without. The tolerance is looked at and never met. */
#define PENALTY .l2 = 1e-3f
#define FOLD .n_folds = 5
#define STOP .tolerance = 1e-30f
#define ALL PENALTY, FOLD, STOP
#define ALL_ABOUT "the same with a penalty, folds and stopping tests: their price"

/* Where does a device overtake another one, transfers included? */
#define CURVE(n_samples, n_units) \
    .about = "a point of a curve of the report", SHAPE(BENCH_TRAIN, BENCH_PLANE, n_samples, 64, n_units, 50)

const bench_case bench_cases[] = {
    {.name = "train-many", .about = "1,024 units on one X: bound by fma", TRAIN_MANY},
    {.name = "train-many-l2", .about = "the same with a penalty: its price", TRAIN_MANY, PENALTY},
    {.name = "train-many-fold",
     .about = "the same, each unit without a fifth of the rows: its price",
     TRAIN_MANY,
     FOLD},
    {.name = "train-many-stop", .about = "the same with a stopping test every 10 epochs: its price", TRAIN_MANY, STOP},
    {.name = "train-many-all", .about = ALL_ABOUT, TRAIN_MANY, ALL},
    {.name = "train-ten", .about = "10 units on many samples and features", TRAIN_TEN},
    {.name = "train-ten-all", .about = ALL_ABOUT, TRAIN_TEN, ALL},
    {.name = "train-one", .about = "1 unit on a million samples: bound by memory", TRAIN_ONE},
    {.name = "train-one-all", .about = ALL_ABOUT, TRAIN_ONE, ALL},
    {.name = "train-one-f16", .about = "train-one with X stored as f16", TRAIN_ONE, .storage = PLETHRON_STORAGE_F16},
    {.name = "train-one-u8", .about = "train-one with X stored as u8", TRAIN_ONE, .storage = PLETHRON_STORAGE_U8},
    {.name = "predict-one",
     .about = "1 unit, a million samples, from and to the host's memory",
     SHAPE(BENCH_PREDICT, BENCH_PLANE, 1048576, 64, 1, 0)},
    {.name = "predict-many",
     .about = "256 units, 200,000 samples, from and to the host's memory",
     SHAPE(BENCH_PREDICT, BENCH_PLANE, 200000, 128, 256, 0)},
    {.name = "tiny",
     .about = "131,072 units on five samples: bound by sigmoids, which its flops leave out",
     TUTORIAL(131072, 2000)},
    {.name = "tiny-all", .about = ALL_ABOUT, TUTORIAL(131072, 2000), ALL},
    {.name = "seed", .about = "1 unit on five samples, 20,000 epochs: bound by latency", TUTORIAL(1, 20000)},
    {.name = "seed-all", .about = ALL_ABOUT, TUTORIAL(1, 20000), ALL},
    {.name = "sweep",
     .about = "1,000 units, a class against nine, of the digits' shape, with a penalty",
     SWEEP,
     PENALTY},
    {.name = "sweep-all", .about = ALL_ABOUT, SWEEP, ALL},
    {.name = "entities", .about = "10,000 units with 100 samples of their own each", ENTITIES},
    {.name = "entities-all", .about = ALL_ABOUT, ENTITIES, ALL},
    {.name = "units-1", CURVE(4096, 1)},
    {.name = "units-4", CURVE(4096, 4)},
    {.name = "units-16", CURVE(4096, 16)},
    {.name = "units-64", CURVE(4096, 64)},
    {.name = "units-256", CURVE(4096, 256)},
    {.name = "units-1024", CURVE(4096, 1024)},
    {.name = "samples-64", CURVE(64, 64)},
    {.name = "samples-512", CURVE(512, 64)},
    {.name = "samples-4096", CURVE(4096, 64)},
    {.name = "samples-32768", CURVE(32768, 64)},
};
const size_t bench_n_cases = sizeof bench_cases / sizeof *bench_cases;

bool bench_is_curve(const char *name) {
    return strncmp(name, "units-", strlen("units-")) == 0 || strncmp(name, "samples-", strlen("samples-")) == 0;
}

size_t bench_plain_length(const char *name) {
    static const char *const endings[] = {"-l2", "-fold", "-stop", "-all"};
    const char *ending = strrchr(name, '-');
    for (size_t i = 0; ending && i < sizeof endings / sizeof *endings; i++)
        if (strcmp(ending, endings[i]) == 0) return (size_t)(ending - name);
    return 0;
}

bool bench_is_plain(const char *name) {
    return !bench_is_curve(name) && bench_plain_length(name) == 0;
}

const bench_case *bench_case_find(const char *name) {
    for (size_t i = 0; i < bench_n_cases; i++)
        if (strcmp(bench_cases[i].name, name) == 0) return &bench_cases[i];
    return NULL;
}

size_t bench_unit_rows(const bench_case *shape, size_t unit, size_t *first) {
    *first = unit * shape->n_entity_rows;
    return shape->n_entity_rows ? shape->n_entity_rows : shape->n_samples;
}

double bench_flops(const bench_case *shape) {
    size_t first;
    const double rows = (double)bench_unit_rows(shape, 0, &first);
    const double products = 2.0 * rows * (double)shape->n_features * (double)shape->n_units;
    return shape->kind == BENCH_PREDICT ? products : 2.0 * products * (double)shape->epochs;
}

/* X once an epoch, but once in all where a unit's own rows stay in a cache; a prediction also writes its results. */
double bench_bytes(const bench_case *shape) {
    static const double value_bytes[] = {
        [PLETHRON_STORAGE_F32] = 4, [PLETHRON_STORAGE_F16] = 2, [PLETHRON_STORAGE_BF16] = 2, [PLETHRON_STORAGE_U8] = 1};
    const double x = (double)shape->n_samples * (double)shape->n_features * value_bytes[shape->storage];
    if (shape->kind == BENCH_TRAIN) return shape->n_entity_rows ? x : x * (double)shape->epochs;
    return x + (double)shape->n_samples * (double)shape->n_units * sizeof(float);
}

/* Rounding errors of 2^-24 add up like a random walk over the samples of a sum and over the epochs; 64 covers what the
 * features and the slopes multiply them by. */
double bench_tolerance(const bench_case *shape) {
    return 64.0 * 0x1p-24 * (sqrt((double)shape->n_samples) + sqrt((double)shape->epochs));
}

/* ---- Data: value i of a stream is a function of the seed, the stream and i --------------------------------------- */

enum { STREAM_X, STREAM_PLANE, STREAM_NOISE, STREAM_CLASS, STREAM_PROTOTYPE, STREAM_RATE, STREAM_START, STREAM_ROW };
enum { N_CLASSES = 10 };

/* Uniform in [0, 1), 24 bits: the finaliser of splitmix64 (G. Steele and others, OOPSLA 2014) on a counter.
 * bench/peers/data.py makes the same numbers. */
static float uniform(int64_t seed, int stream, size_t i) {
    uint64_t x = ((uint64_t)seed << 48) + ((uint64_t)stream << 40) + (uint64_t)i;
    x = (x + 1) * 0x9E3779B97F4A7C15u;
    x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9u;
    x = (x ^ (x >> 27)) * 0x94D049BB133111EBu;
    x ^= x >> 31;
    return (float)(x >> 40) * 0x1p-24f;
}

/* Uniform in [-1, 1). */
static float spread(int64_t seed, int stream, size_t i) {
    return 2.0f * uniform(seed, stream, i) - 1.0f;
}

/* Of a case that stores X in fewer bytes: one of 256 values that f16 has and, since a million of them reach both ends,
 * that are the steps of u8. */
static float storable(const bench_case *shape, float x) {
    return shape->storage == PLETHRON_STORAGE_F32 ? x : floorf(128.0f * x) * (1.0f / 128.0f);
}

static void fill_plane(bench_problem *p, int64_t seed) {
    const size_t n = p->shape->n_samples, n_features = p->shape->n_features;
#pragma omp parallel for
    for (size_t i = 0; i < n; i++) {
        double z = 2.0 * (double)spread(seed, STREAM_NOISE, i);
        for (size_t k = 0; k < n_features; k++) {
            const float x = storable(p->shape, spread(seed, STREAM_X, i * n_features + k));
            p->X[i * n_features + k] = x;
            z += (double)x * (double)spread(seed, STREAM_PLANE, k);
        }
        p->Y[i] = z > 0.0 ? 1.0f : 0.0f;
    }
}

static void fill_classes(bench_problem *p, int64_t seed) {
    const size_t n = p->shape->n_samples, n_features = p->shape->n_features;
#pragma omp parallel for
    for (size_t i = 0; i < n; i++) {
        const size_t class = (size_t)(N_CLASSES * uniform(seed, STREAM_CLASS, i));
        p->Y[i] = (float)class;
        for (size_t k = 0; k < n_features; k++)
            p->X[i * n_features + k] = spread(seed, STREAM_PROTOTYPE, class * n_features + k) +
                                       2.0f * spread(seed, STREAM_X, i * n_features + k);
    }
}

static void fill_tutorial(bench_problem *p) {
    static const float X[5 * 3] = {0, 1, 0, 0, 0, 1, 1, 0, 0, 1, 1, 0, 1, 1, 1};
    static const float Y[5] = {1, 0, 0, 1, 1};
    memcpy(p->X, X, sizeof X);
    memcpy(p->Y, Y, sizeof Y);
}

static void fill(bench_problem *p, int64_t seed) {
    const bench_case *shape = p->shape;
    switch (shape->source) {
    case BENCH_PLANE: fill_plane(p, seed); break;
    case BENCH_CLASSES: fill_classes(p, seed); break;
    case BENCH_TUTORIAL: fill_tutorial(p); break;
    }
    for (size_t j = 0; j < shape->n_units; j++) {
        p->learning_rate[j] = shape->source == BENCH_TUTORIAL ? 0.05f : 0.1f + 0.4f * uniform(seed, STREAM_RATE, j);
        p->entity[j] = (int64_t)j;
        p->excluded_fold[j] = shape->n_folds ? (int64_t)(j % shape->n_folds) : PLETHRON_NONE;
        if (p->positive_class) p->positive_class[j] = (int64_t)(j % N_CLASSES);
    }
    for (size_t i = 0; shape->n_folds && i < shape->n_samples; i++) p->folds[i] = (uint8_t)(i % shape->n_folds);
    const size_t n_weights = (shape->n_features + 1) * shape->n_units;
    for (size_t e = 0; shape->kind == BENCH_PREDICT && e < n_weights; e++)
        p->start[e] = 0.5f * spread(seed, STREAM_START, e);
}

/* ---- What must come out ------------------------------------------------------------------------------------------ */

enum { MAX_CHECKED = 16, MAX_ROWS = 256 };
static const double max_reference_flops = 3e8; /* less than a second */

static double sigmoid(double z) {
    return 1.0 / (1.0 + exp(-z));
}

float bench_target(const bench_problem *p, size_t row, size_t unit) {
    return p->positive_class ? p->Y[row] == (float)p->positive_class[unit] : p->Y[row];
}

static bool learns(const bench_problem *p, size_t row, size_t unit) {
    return p->folds[row] != p->excluded_fold[unit];
}

plethron_status bench_reference(const bench_problem *p, size_t unit, int64_t epochs, double *weights,
                                plethron_error *err) {
    double *gradient = NULL;
    const bench_case *shape = p->shape;
    size_t first, n_learned = 0;
    const size_t n = bench_unit_rows(shape, unit, &first), n_features = shape->n_features;
    for (size_t i = first; i < first + n; i++) n_learned += learns(p, i, unit);
    const double scale = shape->reduction == PLETHRON_REDUCTION_MEAN ? 1.0 / (double)n_learned : 1.0;
    const double rate = (double)p->learning_rate[unit];
    plethron_status status = allocate(n_features + 1, sizeof *gradient, &gradient, err);
    if (status != PLETHRON_OK) return status;
    for (size_t k = 0; k <= n_features; k++) weights[k] = (double)p->start[k * shape->n_units + unit];
    for (int64_t epoch = 0; epoch < epochs; epoch++) {
        memset(gradient, 0, (n_features + 1) * sizeof *gradient);
        for (size_t i = first; i < first + n; i++) {
            if (!learns(p, i, unit)) continue;
            const float *x = p->X + i * n_features;
            double z = weights[n_features];
            for (size_t k = 0; k < n_features; k++) z += (double)x[k] * weights[k];
            const double probability = sigmoid(z), y = (double)bench_target(p, i, unit);
            const double slope = shape->loss == PLETHRON_LOSS_MSE ? probability * (1.0 - probability) : 1.0;
            const double delta = (probability - y) * slope;
            for (size_t k = 0; k < n_features; k++) gradient[k] += (double)x[k] * delta;
            gradient[n_features] += delta;
        }
        for (size_t k = 0; k < n_features; k++)
            weights[k] -= rate * (scale * gradient[k] + (double)shape->l2 * weights[k]);
        weights[n_features] -= rate * scale * gradient[n_features];
    }
    free(gradient);
    return PLETHRON_OK;
}

/* Units and rows to check: the first, the last, and some between. */
static void choose_checked(bench_problem *p, int64_t seed) {
    const bench_case *shape = p->shape;
    const double unit_flops = bench_flops(shape) / (double)shape->n_units;
    p->n_checked = MAX_CHECKED < shape->n_units ? MAX_CHECKED : shape->n_units;
    while (shape->kind == BENCH_TRAIN && p->n_checked > 1 && (double)p->n_checked * unit_flops > max_reference_flops)
        p->n_checked--;
    for (size_t c = 0; c < p->n_checked; c++)
        p->checked[c] = p->n_checked == 1 ? 0 : c * (shape->n_units - 1) / (p->n_checked - 1);
    p->n_rows = shape->kind == BENCH_PREDICT ? (MAX_ROWS < shape->n_samples ? MAX_ROWS : shape->n_samples) : 0;
    for (size_t r = 0; r < p->n_rows; r++)
        p->rows[r] = (size_t)(uniform(seed, STREAM_ROW, r) * (float)shape->n_samples) % shape->n_samples;
    if (p->n_rows) p->rows[p->n_rows - 1] = shape->n_samples - 1;
}

plethron_status bench_no_memory(plethron_error *err) {
    return fail(err, PLETHRON_ERROR_MEMORY, "not enough memory for the results");
}

static plethron_status expect_weights(const bench_problem *p, plethron_error *err) {
    const bench_case *shape = p->shape;
    bool failed = false;
#pragma omp parallel for reduction(|| : failed)
    for (size_t c = 0; c < p->n_checked; c++) {
        plethron_error ignored;
        double *expected = p->expected + c * (shape->n_features + 1);
        failed = bench_reference(p, p->checked[c], shape->epochs, expected, &ignored) != PLETHRON_OK || failed;
    }
    return failed ? bench_no_memory(err) : PLETHRON_OK;
}

static void expect_predictions(bench_problem *p) {
    const size_t n_features = p->shape->n_features, n_units = p->shape->n_units;
    for (size_t r = 0; r < p->n_rows; r++) {
        const float *x = p->X + p->rows[r] * n_features;
        for (size_t c = 0; c < p->n_checked; c++) {
            const float *w = p->start + p->checked[c];
            double z = (double)w[n_features * n_units];
            for (size_t k = 0; k < n_features; k++) z += (double)x[k] * (double)w[k * n_units];
            p->expected[r * p->n_checked + c] = sigmoid(z);
        }
    }
}

static double larger_error(double error, double got, double expected) {
    const double this_error = fabs(got - expected) / (1.0 + fabs(expected));
    return this_error <= error ? error : this_error >= error ? this_error : INFINITY;
}

double bench_error_of_weights(const bench_problem *p, const float *W, const float *b) {
    const size_t n_features = p->shape->n_features, n_units = p->shape->n_units;
    double error = 0.0;
    for (size_t c = 0; c < p->n_checked; c++) {
        const double *expected = p->expected + c * (n_features + 1);
        for (size_t k = 0; k < n_features; k++)
            error = larger_error(error, (double)W[k * n_units + p->checked[c]], expected[k]);
        error = larger_error(error, (double)b[p->checked[c]], expected[n_features]);
    }
    return error;
}

double bench_error_of_predictions(const bench_problem *p, const float *P) {
    double error = 0.0;
    for (size_t r = 0; r < p->n_rows; r++)
        for (size_t c = 0; c < p->n_checked; c++)
            error = larger_error(error, (double)P[p->rows[r] * p->shape->n_units + p->checked[c]],
                                 p->expected[r * p->n_checked + c]);
    return error;
}

/* ---- Opening ----------------------------------------------------------------------------------------------------- */

void bench_problem_close(bench_problem *p) {
    void *memory[] = {p->entity,        p->X,     p->Y,       p->learning_rate, p->positive_class, p->folds,
                      p->excluded_fold, p->start, p->checked, p->rows,          p->expected};
    for (size_t i = 0; i < sizeof memory / sizeof *memory; i++) free(memory[i]);
    *p = (bench_problem){0};
}

plethron_status bench_problem_open(const bench_case *shape, int64_t seed, bench_problem *out, plethron_error *err) {
    plethron_status status = PLETHRON_OK;
    bench_problem p = {.shape = shape};
    const size_t n_weights = (shape->n_features + 1) * shape->n_units;
    TRY(allocate(shape->n_samples * shape->n_features, sizeof *p.X, &p.X, err));
    TRY(allocate(shape->n_samples, sizeof *p.Y, &p.Y, err));
    TRY(allocate(shape->n_units, sizeof *p.learning_rate, &p.learning_rate, err));
    if (shape->source == BENCH_CLASSES) TRY(allocate(shape->n_units, sizeof *p.positive_class, &p.positive_class, err));
    TRY(allocate(shape->n_units, sizeof *p.entity, &p.entity, err));
    TRY(allocate(shape->n_samples, sizeof *p.folds, &p.folds, err));
    TRY(allocate(shape->n_units, sizeof *p.excluded_fold, &p.excluded_fold, err));
    TRY(allocate(n_weights, sizeof *p.start, &p.start, err));
    TRY(allocate(MAX_CHECKED, sizeof *p.checked, &p.checked, err));
    TRY(allocate(MAX_ROWS, sizeof *p.rows, &p.rows, err));
    TRY(allocate(MAX_CHECKED * (shape->n_features + 1 + MAX_ROWS), sizeof *p.expected, &p.expected, err));
    fill(&p, seed);
    choose_checked(&p, seed);
    if (shape->kind == BENCH_PREDICT)
        expect_predictions(&p);
    else
        TRY(expect_weights(&p, err));
    *out = p;
    p = (bench_problem){0};
out:
    bench_problem_close(&p);
    return status;
}
