/* The inner loops of the strategy `host`, compiled once for each instruction set (cmake/host_loops.cmake) from
 * host_loops.c. All variants give the same bits. */
#ifndef PLETHRON_HOST_LOOPS_H
#define PLETHRON_HOST_LOOPS_H

#include <stddef.h>
#include <stdint.h>

enum {
    HOST_LANES = 16,     /* units of a vector */
    HOST_MAX_VECTORS = 2 /* vectors of a chunk of units */
};

/* Rows of one summation block (or fewer) and a chunk of n_vectors x HOST_LANES units. Matrices of the chunk have a
 * stride of n_vectors x HOST_LANES; matrices of the bank are given at the chunk's first unit. */
typedef struct host_block {
    const float *tiles; /* X [n_tiles, n_features, TILE] at the first row, padded (dataset.h) */
    int n_rows;
    int n_features;
    int n_vectors;
    const float *weights; /* [n_features + 1, weights_stride], bias last */
    size_t weights_stride;
    const struct host_rows *rows; /* for gradients */
    int first_row;                /* place of the first row */
    int first_unit;
} host_block;

/* What rows hold besides X: the fields of row_sources in row.cl. */
typedef struct host_rows {
    const float *targets;
    const float *weights;
    const unsigned char *folds;
    const unsigned char *counts;
    const int *order;
    const float *units;
    size_t y_stride;
    int u_stride;
    int uses;
} host_rows;

/* Some units of a bank: the weights [n_features + 1, host_panel_units(n_units)], bias last, of those from `unit` on. */
typedef struct host_panel {
    const float *weights;
    size_t n_features;
    size_t n_units; /* of the bank */
    size_t unit;
} host_panel;

static inline size_t host_panel_units(size_t n_units) {
    return n_units == 1 ? 1 : n_units <= HOST_LANES ? HOST_LANES : HOST_LANES * HOST_MAX_VECTORS;
}

typedef struct host_loops {
    /* P = sigmoid(X W + b), or X W + b itself: [n_rows rounded up to TILE, chunk]. */
    void (*forward)(const host_block *block, int activate, float *P);
    /* The same of a tile [n_features, TILE] for one unit: w [n_features + 1], its bias last, `stride` apart; P [TILE].
     */
    void (*forward_one)(const float *tile, const float *w, size_t n_features, size_t stride, int activate, float *P);
    /* sigmoid(X W + b) of rows X [n_rows, n_features] and a panel's units, in their places of P [n_rows, n_units]. */
    void (*predict_panel)(const host_panel *panel, const float *X, size_t n_rows, float *P);
    /* The block's gradient sums [n_features + 1, chunk], bias last; `R` is room for [n_rows rounded up to TILE, chunk].
     */
    void (*gradient)(const host_block *block, float *R, float *sums);
    /* sigmoid(x . w + b) of one row x [n_features] and one unit: w [n_features + 1], its bias last, `stride` apart. */
    float (*predict)(const float *x, const float *w, size_t n_features, size_t stride);
    /* n_tiles tiles of features that are not stored as floats (kernels/store.cl) as floats. */
    void (*decode)(int storage, const void *stored, const float *steps, size_t n_tiles, size_t n_features,
                   float *tiles);
    /* total += part, [n]. */
    void (*add)(float *total, const float *part, size_t n);
} host_loops;

/* The variant for this processor. */
const host_loops *host_loops_best(void);

#ifdef PLETHRON_X86_VARIANTS
extern const host_loops host_loops_avx512, host_loops_avx2;
#endif
extern const host_loops host_loops_plain;

#endif
