/* The cases of plethron bench: what is measured, its data, and what must come out. */
#ifndef PLETHRON_CLI_BENCH_CASES_H
#define PLETHRON_CLI_BENCH_CASES_H

#include "cli.h"

typedef enum bench_kind { BENCH_TRAIN, BENCH_PREDICT } bench_kind;

/* Where a case's data come from; every value is a function of the seed and its position (bench_cases.c). */
typedef enum bench_source {
    BENCH_PLANE,   /* features uniform in [-1, 1), targets 0 and 1 by a hidden plane with noise */
    BENCH_CLASSES, /* features around one of ten hidden prototypes, targets its number */
    BENCH_TUTORIAL /* five people with three features */
} bench_source;

typedef struct bench_case {
    const char *name;
    const char *about;
    bench_kind kind;
    bench_source source;
    size_t n_samples, n_features, n_units;
    int64_t epochs; /* 0 for prediction */
    plethron_loss loss;
    plethron_reduction reduction;
    float l2;
    size_t n_folds;           /* row i is of fold i modulo so many, which unit i, modulo as many, leaves out; 0: none */
    float tolerance;          /* of a test every 10 epochs, never met; 0: no test */
    size_t n_entity_rows;     /* unit j learns from the j-th so many rows; 0: every unit from all */
    plethron_storage storage; /* of X on devices; its values lose nothing */
} bench_case;

extern const bench_case bench_cases[];
extern const size_t bench_n_cases;

/* True for the names of the cases that differ in one size, which a report draws as a curve. */
bool bench_is_curve(const char *name);

/* So long is the beginning of the name that names the case which this one adds features of a bank to, to tell their
 * price; 0: it is none such. */
size_t bench_plain_length(const char *name);

/* True for the names of all other cases. */
bool bench_is_plain(const char *name);

/* NULL when there is none of that name. */
const bench_case *bench_case_find(const char *name);

/* PLETHRON_ERROR_MEMORY */
plethron_status bench_no_memory(plethron_error *err);

/* A case with its data, the units' values, and the expected results of a few units: all that are checked. */
typedef struct bench_problem {
    const bench_case *shape;
    float *X;                /* [n_samples, n_features] */
    float *Y;                /* [n_samples] */
    float *learning_rate;    /* [n_units] */
    int64_t *positive_class; /* [n_units]; NULL where units learn Y itself */
    int64_t *entity;         /* [n_units]: 0, 1, 2, ... */
    uint8_t *folds;          /* [n_samples] */
    int64_t *excluded_fold;  /* [n_units] */
    float *start;            /* [n_features + 1, n_units], bias last: the weights to predict with, or zeros */
    size_t n_checked;        /* units */
    size_t *checked;         /* [n_checked] */
    size_t n_rows;           /* rows of which predictions are checked */
    size_t *rows;            /* [n_rows] */
    double *expected;        /* training: [n_checked, n_features + 1]; prediction: [n_rows, n_checked] */
} bench_problem;

plethron_status bench_problem_open(const bench_case *shape, int64_t seed, bench_problem *out, plethron_error *err);
void bench_problem_close(bench_problem *problem);

/* Weights [n_features + 1] of one unit after `epochs`, by plain loops in double precision. */
plethron_status bench_reference(const bench_problem *problem, size_t unit, int64_t epochs, double *weights,
                                plethron_error *err);

/* The rows that a unit learns from: the first one, and their number. */
size_t bench_unit_rows(const bench_case *shape, size_t unit, size_t *first);

/* The target of a row as a unit sees it. */
float bench_target(const bench_problem *problem, size_t row, size_t unit);

/* The largest |got - expected| / (1 + |expected|) of the checked units; NaN counts as infinite.
 *   W [n_features, n_units], b [n_units];  P [n_samples, n_units] */
double bench_error_of_weights(const bench_problem *problem, const float *W, const float *b);
double bench_error_of_predictions(const bench_problem *problem, const float *P);

/* The error beyond which a result is wrong. */
double bench_tolerance(const bench_case *shape);

/* Flops and the least bytes of memory that the whole case needs. */
double bench_flops(const bench_case *shape);
double bench_bytes(const bench_case *shape);

#endif
