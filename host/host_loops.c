/* The same sums in the same order as the kernels of `staged`, so host and staged agree bit by bit. The arithmetic of a
 * row is the kernels' own text, compiled as C. HOST_LOOPS names this variant's table. */
#include "host_loops.h"

#include "dataset.h"
#include "opencl_c.h"

#include "arithmetic.cl"
#include "store.cl"
#include "unit.cl"

#include "row.cl"

#ifndef HOST_LOOPS
#error "HOST_LOOPS, the name of this variant, must be defined"
#endif

enum { TILE = DATASET_TILE, ITEM_ROWS = 8, MAX_UNITS = HOST_LANES * HOST_MAX_VECTORS };

typedef float lanes __attribute__((vector_size(HOST_LANES * sizeof(float))));

static inline lanes lanes_fma(float x, lanes y, lanes sum) {
    for (int lane = 0; lane < HOST_LANES; lane++) sum[lane] = fma(x, y[lane], sum[lane]);
    return sum;
}

/* sum[a][v] += x[d * x_depth + a * x_row] * y[d * y_depth + v], d ascending: multiply_add of tile.cl. */
static inline __attribute__((always_inline)) void multiply_add(const float *x, size_t x_depth, size_t x_row,
                                                               const float *y, size_t y_depth, int depth,
                                                               const int n_vectors,
                                                               lanes sum[ITEM_ROWS][HOST_MAX_VECTORS]) {
    for (int d = 0; d < depth; d++) {
        const lanes *y_d = (const lanes *)(const void *)(y + (size_t)d * y_depth);
#pragma GCC unroll 8
        for (int a = 0; a < ITEM_ROWS; a++)
#pragma GCC unroll 2
            for (int v = 0; v < n_vectors; v++)
                sum[a][v] = lanes_fma(x[(size_t)d * x_depth + (size_t)a * x_row], y_d[v], sum[a][v]);
    }
}

/* ---- Forward ----------------------------------------------------------------------------------------------------- */

static inline __attribute__((always_inline)) void forward_rows(const host_block *block, const int n_vectors, float *Z) {
    const size_t n_features = (size_t)block->n_features, width = (size_t)n_vectors * HOST_LANES;
    const lanes *bias = (const lanes *)(const void *)(block->weights + n_features * block->weights_stride);
    for (int row = 0; row < block->n_rows; row += ITEM_ROWS) {
        const float *x = block->tiles + (size_t)(row / TILE) * n_features * TILE + row % TILE;
        lanes z[ITEM_ROWS][HOST_MAX_VECTORS];
        for (int a = 0; a < ITEM_ROWS; a++)
            for (int v = 0; v < n_vectors; v++) z[a][v] = bias[v];
        multiply_add(x, TILE, 1, block->weights, block->weights_stride, block->n_features, n_vectors, z);
        for (int a = 0; a < ITEM_ROWS; a++)
            for (int v = 0; v < n_vectors; v++)
                *(lanes *)(void *)(Z + (size_t)(row + a) * width + (size_t)v * HOST_LANES) = z[a][v];
    }
}

static void forward(const host_block *block, int activate, float *P) {
    if (block->n_vectors == 1)
        forward_rows(block, 1, P);
    else
        forward_rows(block, 2, P);
    const size_t n = (size_t)block->n_rows * (size_t)block->n_vectors * HOST_LANES;
    if (activate)
        for (size_t e = 0; e < n; e++) P[e] = sigmoid(P[e]);
}

static void forward_one(const float *tile, const float *w, size_t n_features, size_t stride, int activate, float *P) {
    for (int lane = 0; lane < TILE; lane++) P[lane] = w[n_features * stride];
    for (size_t k = 0; k < n_features; k++)
        for (int lane = 0; lane < TILE; lane++) P[lane] = fma(tile[k * TILE + (size_t)lane], w[k * stride], P[lane]);
    for (int lane = 0; activate && lane < TILE; lane++) P[lane] = sigmoid(P[lane]);
}

/* ---- Prediction -------------------------------------------------------------------------------------------------- */

/* Pointers to ITEM_ROWS rows; behind the last row stands the last one again. */
static inline __attribute__((always_inline)) void find_rows(const float *X, size_t n_features, size_t row,
                                                            size_t n_rows, const float *x[ITEM_ROWS]) {
    for (size_t a = 0; a < ITEM_ROWS; a++) x[a] = X + (row + a < n_rows ? row + a : n_rows - 1) * n_features;
}

static inline __attribute__((always_inline)) void predict_vectors(const host_panel *panel, const float *X,
                                                                  size_t n_rows, const int n_vectors, float *P) {
    const size_t n_features = panel->n_features, width = (size_t)n_vectors * HOST_LANES;
    const size_t left = panel->n_units - panel->unit, n = left < width ? left : width;
    const float *bias = panel->weights + n_features * width;
    for (size_t row = 0; row < n_rows; row += ITEM_ROWS) {
        const float *x[ITEM_ROWS];
        lanes z[ITEM_ROWS][HOST_MAX_VECTORS];
        find_rows(X, n_features, row, n_rows, x);
        for (int a = 0; a < ITEM_ROWS; a++) memcpy(z[a], bias, width * sizeof *bias);
        for (size_t k = 0; k < n_features; k++) {
            const lanes *w = (const lanes *)(const void *)(panel->weights + k * width);
#pragma GCC unroll 8
            for (int a = 0; a < ITEM_ROWS; a++)
#pragma GCC unroll 2
                for (int v = 0; v < n_vectors; v++) z[a][v] = lanes_fma(x[a][k], w[v], z[a][v]);
        }
        for (size_t a = 0; a < ITEM_ROWS && row + a < n_rows; a++) {
            float p[HOST_LANES * HOST_MAX_VECTORS];
            memcpy(p, z[a], width * sizeof *p);
            for (size_t u = 0; u < width; u++) p[u] = sigmoid(p[u]);
            memcpy(P + (row + a) * panel->n_units + panel->unit, p, n * sizeof *p);
        }
    }
}

static void predict_one(const host_panel *panel, const float *X, size_t n_rows, float *P) {
    const size_t n_features = panel->n_features;
    for (size_t row = 0; row < n_rows; row += ITEM_ROWS) {
        const float *x[ITEM_ROWS];
        float z[ITEM_ROWS];
        find_rows(X, n_features, row, n_rows, x);
        for (int a = 0; a < ITEM_ROWS; a++) z[a] = panel->weights[n_features];
        for (size_t k = 0; k < n_features; k++)
#pragma GCC unroll 8
            for (int a = 0; a < ITEM_ROWS; a++) z[a] = fma(x[a][k], panel->weights[k], z[a]);
        for (size_t a = 0; a < ITEM_ROWS && row + a < n_rows; a++) P[row + a] = z[a];
    }
    for (size_t i = 0; i < n_rows; i++) P[i] = sigmoid(P[i]);
}

static void predict_panel(const host_panel *panel, const float *X, size_t n_rows, float *P) {
    switch (host_panel_units(panel->n_units)) {
    case 1: predict_one(panel, X, n_rows, P); break;
    case HOST_LANES: predict_vectors(panel, X, n_rows, 1, P); break;
    default: predict_vectors(panel, X, n_rows, HOST_MAX_VECTORS, P); break;
    }
}

/* ---- Gradient ---------------------------------------------------------------------------------------------------- */

/* P becomes R; the bias's sum starts at 0 and adds the rows ascending. */
static inline __attribute__((always_inline)) void delta_rows(const host_block *block, const int uses, float *P,
                                                             float *bias_sum) {
    const host_rows *rows = block->rows;
    const row_sources from = {rows->targets, rows->weights,  rows->folds,    rows->counts, rows->order,
                              rows->units,   rows->y_stride, rows->u_stride, uses};
    const int n_units = block->n_vectors * HOST_LANES;
    memset(bias_sum, 0, (size_t)n_units * sizeof *bias_sum);
    for (int i = 0; i < block->n_rows; i++) {
        float *p = P + (size_t)i * (size_t)n_units;
        for (int u = 0; u < n_units; u++) {
            const row_units units = row_units_load(&from, block->first_unit + u);
            const row_view row = row_load(&from, &units, block->first_row + i);
            p[u] = row_delta(p[u], row.y, row_full_weight(&from, &units, &row), units.loss, uses);
        }
        for (int u = 0; u < n_units; u++) bias_sum[u] += p[u];
    }
}

/* The same text with `uses` a constant in the usual cases, which the compiler then turns into vector code. */
static void delta(const host_block *block, float *P, float *bias_sum) {
    switch (block->rows->uses) {
    case 0: delta_rows(block, 0, P, bias_sum); break;
    case USE_MSE: delta_rows(block, USE_MSE, P, bias_sum); break;
    case USE_FOLDS: delta_rows(block, USE_FOLDS, P, bias_sum); break;
    default: delta_rows(block, block->rows->uses, P, bias_sum); break;
    }
}

static inline __attribute__((always_inline)) void weight_sums(const host_block *block, const int n_vectors,
                                                              const float *R, float *sums) {
    const size_t n_features = (size_t)block->n_features, width = (size_t)n_vectors * HOST_LANES;
    for (size_t k0 = 0; k0 < n_features; k0 += ITEM_ROWS) {
        lanes sum[ITEM_ROWS][HOST_MAX_VECTORS];
        memset(sum, 0, sizeof sum);
        for (int row = 0; row < block->n_rows; row += TILE) {
            const int depth = block->n_rows - row < TILE ? block->n_rows - row : TILE;
            multiply_add(block->tiles + ((size_t)(row / TILE) * n_features + k0) * TILE, 1, TILE,
                         R + (size_t)row * width, width, depth, n_vectors, sum);
        }
        for (size_t a = 0; a < ITEM_ROWS && k0 + a < n_features; a++)
            memcpy(sums + (k0 + a) * width, sum[a], width * sizeof *sums);
    }
}

static void gradient(const host_block *block, float *R, float *sums) {
    forward(block, 1, R);
    delta(block, R, sums + (size_t)block->n_features * (size_t)block->n_vectors * HOST_LANES);
    if (block->n_vectors == 1)
        weight_sums(block, 1, R, sums);
    else
        weight_sums(block, 2, R, sums);
}

static float predict(const float *x, const float *w, size_t n_features, size_t stride) {
    float z = w[n_features * stride];
    for (size_t k = 0; k < n_features; k++) z = fma(x[k], w[k * stride], z);
    return sigmoid(z);
}

#define DECODE(VALUE_OF, type)                                                                      \
    for (size_t t = 0; t < n_tiles; t++)                                                            \
        for (size_t k = 0; k < n_features; k++) {                                                   \
            const size_t at = (t * n_features + k) * TILE;                                          \
            const type *x = (const type *)stored_tiles + at;                                        \
            const float *step = steps + k * STEP;                                                   \
            for (size_t lane = 0; lane < TILE; lane++) tiles[at + lane] = VALUE_OF(x + lane, step); \
        }

static void decode(int storage, const void *stored_tiles, const float *steps, size_t n_tiles, size_t n_features,
                   float *tiles) {
    switch (storage) {
    case STORAGE_F16: DECODE(VALUE_F16, half) break;
    case STORAGE_BF16: DECODE(VALUE_BF16, ushort) break;
    default: DECODE(VALUE_U8, uchar) break;
    }
}

static void add(float *total, const float *part, size_t n) {
    for (size_t e = 0; e < n; e++) total[e] += part[e];
}

const host_loops HOST_LOOPS = {
    .forward = forward,
    .forward_one = forward_one,
    .predict_panel = predict_panel,
    .gradient = gradient,
    .predict = predict,
    .decode = decode,
    .add = add,
};
