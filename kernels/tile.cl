/* The shape of work in the kernels of the strategy `staged`.
 *
 * Forward and gradient are both products whose result is [rows, units]: rows are samples in forward, features in
 * gradient. A work-item holds ITEM_ROWS x (ITEM_VECTORS x UNIT_VECTOR) results in registers; a work-group of
 * LOCAL_ROWS x LOCAL_UNITS items makes a tile of ROWS x UNITS results:
 *
 *             LOCAL_UNITS items, each ITEM_VECTORS vectors of UNIT_VECTOR units
 *             <----------------- UNITS ----------------->
 *         ^  +---------+---------+---------+---------+
 *         |  | item    |         |         |         |   each item: ITEM_ROWS rows
 *      ROWS  +---------+---------+---------+---------+
 *         |  |         |         |         |         |   LOCAL_ROWS items
 *         v  +---------+---------+---------+---------+
 *
 * LOCAL_MEMORY 1 (GPUs): the group copies DEPTH slices of both factors to local memory and multiplies from there.
 * LOCAL_MEMORY 0 (CPUs): an item is a group, reads the factors where they lie, and the caches do the rest.
 *
 * No macro here changes a bit of any result: each result is one chain of fma in ascending order, whoever computes it.
 *
 * X_g is laid out in tiles [n_tiles][n_features][TILE] (sample i in tile i / TILE, lane i % TILE), padded with zeros in
 * the last tile and by ROWS x TILE zeros after it; steps_g by ROWS features (store.cl).
 */

#ifndef LOCAL_MEMORY
#define LOCAL_MEMORY 0
#endif
#ifndef ITEM_VECTORS /* vectors of units an item: 1 to 4 */
#define ITEM_VECTORS 1
#endif
#ifndef ITEM_ROWS /* rows an item: 1, 2, 4 or 8 */
#define ITEM_ROWS 4
#endif
#ifndef LOCAL_UNITS /* items of a group along the units */
#define LOCAL_UNITS 1
#endif
#ifndef LOCAL_ROWS /* items of a group along the rows */
#define LOCAL_ROWS 1
#endif
#ifndef DEPTH /* slices in local memory at once: a divisor of TILE */
#define DEPTH 16
#endif

/* Fixed by the host (host/dataset.h); BLOCK_ROWS is part of the summation order and never a tunable. */
#ifndef TILE
#error "TILE, the samples of a tile of X, must be defined"
#endif
#ifndef BLOCK_ROWS
#error "BLOCK_ROWS, the samples of a summation block, must be defined"
#endif

#define ROWS (ITEM_ROWS * LOCAL_ROWS)
#define ITEM_UNITS (ITEM_VECTORS * UNIT_VECTOR)
#define UNITS (ITEM_UNITS * LOCAL_UNITS)

#if ITEM_VECTORS < 1 || ITEM_VECTORS > 4
#error "ITEM_VECTORS must be 1 to 4"
#endif
#if ITEM_ROWS != 1 && ITEM_ROWS != 2 && ITEM_ROWS != 4 && ITEM_ROWS != 8
#error "ITEM_ROWS must be 1, 2, 4 or 8"
#endif
#if TILE % DEPTH != 0 || BLOCK_ROWS % TILE != 0
#error "DEPTH must divide TILE, and TILE must divide BLOCK_ROWS"
#endif
#if LOCAL_MEMORY ? ROWS % TILE != 0 : LOCAL_ROWS != 1 || LOCAL_UNITS != 1
#error "with LOCAL_MEMORY, ROWS must be a multiple of TILE; without it a group is one item"
#endif

/* Where multiply_add finds its factors. X as floats is X_g itself, or what was decoded to private memory. */
#if LOCAL_MEMORY
#define X_FACTOR __local
#define FACTOR __local
#elif STORAGE == STORAGE_F32
#define X_FACTOR __global
#define FACTOR __global
#else
#define X_FACTOR __private
#define FACTOR __global
#endif

/* sum[a][v] += x[d * x_depth + a * x_row] * y[d * y_depth + v], d ascending from 0 to depth - 1: one fma a term. */
static inline void multiply_add(X_FACTOR const float *x, size_t x_depth, size_t x_row, FACTOR const float *y,
                                size_t y_depth, int depth, vfloat sum[ITEM_ROWS][ITEM_VECTORS]) {
    for (int d = 0; d < depth; d++) {
        vfloat y_d[ITEM_VECTORS];
#pragma unroll
        for (int v = 0; v < ITEM_VECTORS; v++) y_d[v] = LOAD(FACTOR, y + d * y_depth + v * UNIT_VECTOR);
#pragma unroll
        for (int a = 0; a < ITEM_ROWS; a++) {
            vfloat x_d = (vfloat)(x[d * x_depth + a * x_row]);
#pragma unroll
            for (int v = 0; v < ITEM_VECTORS; v++) sum[a][v] = fma(x_d, y_d[v], sum[a][v]);
        }
    }
}

#if !LOCAL_MEMORY

/* Features whose weights an item copies at once. In the copy they lie side by side; in W_g they are u_stride apart,
 * which would use few sets of a cache and a page each. So many that these weights, and as many features of a tile,
 * which is read several times, have room in a first cache of 32 KiB. The copy is private, not local: where a compiler
 * folds the address of a local array into constants, PoCL 3.1 leaves some uses with one array of all groups. */
#define SLICE 128

/* Lays the weights of n features side by side. */
static inline void load_weights(__global const float *w_g, size_t w_stride, int n, float *W) {
    for (int k = 0; k < n; k++) {
#pragma unroll
        for (int v = 0; v < ITEM_VECTORS; v++)
            STORE(__private, W + k * UNITS + v * UNIT_VECTOR, LOAD(__global, w_g + k * w_stride + v * UNIT_VECTOR));
    }
}

/* Features that are decoded at once, and floats from one to the next. */
#if STORAGE == STORAGE_F32
#define DECODED_FEATURES 1 /* room for none */
#define DECODED_STRIDE TILE
#else
#define DECODED_FEATURES 16
#define DECODED_STRIDE ITEM_ROWS
#endif

/* ITEM_ROWS rows of n features as floats, DECODED_STRIDE apart; n is at most DECODED_FEATURES unless they are floats.
 */
static inline X_FACTOR const float *decode_rows(__global const stored *x_g, __global const float *step_g, int n,
                                                __private float x[DECODED_FEATURES * ITEM_ROWS]) {
#if STORAGE == STORAGE_F32
    return x_g;
#else
    for (int k = 0; k < n; k++, x_g += TILE, step_g += STEP) {
#if ITEM_ROWS == 1
        x[k] = VALUE(x_g, step_g);
#else
        *(__private JOIN(float, ITEM_ROWS) *)(x + k * ITEM_ROWS) = VALUES(ITEM_ROWS, x_g, step_g);
#endif
    }
    return x;
#endif
}

/* ITEM_ROWS features of a tile as floats, TILE each. */
static inline X_FACTOR const float *decode_features(__global const stored *x_g, __global const float *step_g,
                                                    __private float x[ITEM_ROWS * TILE]) {
#if STORAGE == STORAGE_F32
    return x_g;
#else
    for (int a = 0; a < ITEM_ROWS; a++)
        *(__private JOIN(float, TILE) *)(x + a * TILE) = VALUES(TILE, x_g + a * TILE, step_g + a * STEP);
    return x;
#endif
}

/* z of ITEM_ROWS rows gains n features, ITEM_ROWS rows of them as floats. The same features of the tile behind are
 * asked for. */
static inline void add_decoded(X_FACTOR const float *x, __global const stored *behind_g, const float *W, int n,
                               vfloat z[ITEM_ROWS][ITEM_VECTORS]) {
    for (int k = 0; k < n; k++, x += DECODED_STRIDE, behind_g += TILE, W += UNITS) {
        vfloat w[ITEM_VECTORS];
        PREFETCH(behind_g);
#pragma unroll
        for (int v = 0; v < ITEM_VECTORS; v++) w[v] = LOAD(__private, W + v * UNIT_VECTOR);
#pragma unroll
        for (int a = 0; a < ITEM_ROWS; a++) {
            const vfloat x_a = (vfloat)(x[a]);
#pragma unroll
            for (int v = 0; v < ITEM_VECTORS; v++) z[a][v] = fma(x_a, w[v], z[a][v]);
        }
    }
}

/* The same of stored features. */
static inline void add_features(__global const stored *x_g, __global const float *step_g, size_t tile_size,
                                const float *W, int n, vfloat z[ITEM_ROWS][ITEM_VECTORS]) {
    float room[DECODED_FEATURES * ITEM_ROWS] __attribute__((aligned(64)));
    const int at_once = STORAGE == STORAGE_F32 ? n : DECODED_FEATURES;
    for (int k = 0; k < n; k += at_once) {
        const int count = min(n - k, at_once);
        __global const stored *x_k = x_g + (size_t)k * TILE;
        add_decoded(decode_rows(x_k, step_g + k * STEP, count, room), x_k + tile_size, W + k * UNITS, count, z);
    }
}

#endif
