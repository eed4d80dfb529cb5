/* Stage 1: P = sigmoid(X W + b), dot product, bias and sigmoid in one pass.
 *
 *   X_g, steps_g  tiles of X (store.cl)           W_g  [n_features + 1, w_stride], bias in the last row
 *   P_g  [n_rows rounded up to ROWS, p_stride] of the units from first_unit and the rows from first_row on
 *
 * Launch: dimension 0 covers the units, UNITS a group; dimension 1 the rows: with LOCAL_MEMORY ROWS a group, else an
 * item walks through every get_global_size(1)-th block of BLOCK_ROWS. first_row is a multiple of TILE. Order: z starts
 * at the bias and gains one fma a feature, features ascending. activate 0 stores z itself, which the log loss is
 * measured from.
 */
#if LOCAL_MEMORY

__kernel void forward(__global const stored *X_g, __global const float *steps_g, __global const float *W_g,
                      __global float *P_g, int n_tiles, int n_features, int w_stride, int first_row, int n_rows,
                      int first_unit, int p_stride, int activate) {
    __local float X_l[DEPTH * ROWS] __attribute__((aligned(64)));
    __local float W_l[DEPTH * UNITS] __attribute__((aligned(64)));
    const int unit = get_global_id(0) * ITEM_UNITS;
    const int row = get_global_id(1) * ITEM_ROWS;
    const int item = get_local_id(1) * LOCAL_UNITS + get_local_id(0);
    const int group_unit = get_group_id(0) * UNITS;
    const int group_tile = first_row / TILE + get_group_id(1) * (ROWS / TILE);
    __global const float *W_units_g = W_g + first_unit;
    (void)n_rows; /* P_g has room for all rows of a group */

    vfloat z[ITEM_ROWS][ITEM_VECTORS];
#pragma unroll
    for (int v = 0; v < ITEM_VECTORS; v++) {
        vfloat bias = LOAD(__global, W_units_g + (size_t)n_features * w_stride + unit + v * UNIT_VECTOR);
#pragma unroll
        for (int a = 0; a < ITEM_ROWS; a++) z[a][v] = bias;
    }
    for (int k0 = 0; k0 < n_features; k0 += DEPTH) {
        for (int e = item; e < DEPTH * ROWS; e += LOCAL_ROWS * LOCAL_UNITS) {
            const int tile = e / (DEPTH * TILE), k = e / TILE % DEPTH, lane = e % TILE;
            const bool inside = group_tile + tile < n_tiles && k0 + k < n_features;
            const size_t at = ((size_t)(group_tile + tile) * n_features + k0 + k) * TILE + lane;
            X_l[k * ROWS + tile * TILE + lane] = inside ? VALUE(X_g + at, steps_g + (k0 + k) * STEP) : 0.0f;
        }
        for (int e = item; e < DEPTH * UNITS; e += LOCAL_ROWS * LOCAL_UNITS) {
            const int k = e / UNITS, u = e % UNITS;
            W_l[e] = k0 + k < n_features ? W_units_g[(size_t)(k0 + k) * w_stride + group_unit + u] : 0.0f;
        }
        barrier(CLK_LOCAL_MEM_FENCE); /* publishes X_l and W_l */
        multiply_add(X_l + get_local_id(1) * ITEM_ROWS, ROWS, 1, W_l + get_local_id(0) * ITEM_UNITS, UNITS, DEPTH, z);
        barrier(CLK_LOCAL_MEM_FENCE); /* all have read before the next slices overwrite */
    }
#pragma unroll
    for (int a = 0; a < ITEM_ROWS; a++) {
#pragma unroll
        for (int v = 0; v < ITEM_VECTORS; v++) {
            vfloat result = z[a][v];
            if (activate) result = sigmoid(result);
            STORE(__global, P_g + (size_t)(row + a) * p_stride + unit + v * UNIT_VECTOR, result);
        }
    }
}

#else

/* Rows of an item: enough to be worth loading the weights. The items of one strip come one after the other, so its
 * predictions are in cache until their lines are full. */
#ifndef STRIP_ROWS
#define STRIP_ROWS 512
#endif

/* A slice of the features of a strip of rows. */
typedef struct forward_slice {
    __global const stored *x_g;   /* of the strip's first row */
    __global const float *step_g; /* of the slice's first feature */
    size_t tile_size;
    int n_rows, depth;
    bool is_first, is_activated;
} forward_slice;

/* n_rows rows of P_g gain a slice of the features. Rows are activated beside the product of the rows behind them, a row
 * after each share of the features: in one go the sigmoid's divisions and chains would be waited for. */
static inline void multiply_rows(const forward_slice *slice, const float *W, const vfloat bias[ITEM_VECTORS],
                                 __global float *P_g, size_t p_stride) {
    vfloat before[ITEM_ROWS][ITEM_VECTORS]; /* z of the rows before */
    const int n_behind = slice->is_activated ? ITEM_ROWS : 0;
    for (int i = 0; i < slice->n_rows + n_behind; i += ITEM_ROWS) {
        const bool is_inside = i < slice->n_rows;
        const int depth = is_inside ? slice->depth : 0;
        __global const stored *x_g = slice->x_g + i / TILE * slice->tile_size + i % TILE;
        vfloat z[ITEM_ROWS][ITEM_VECTORS];
#pragma unroll
        for (int a = 0; a < ITEM_ROWS; a++) {
#pragma unroll
            for (int v = 0; v < ITEM_VECTORS; v++) {
                z[a][v] = bias[v];
                if (is_inside && !slice->is_first) z[a][v] = LOAD(__global, P_g + (i + a) * p_stride + v * UNIT_VECTOR);
            }
        }
        for (int a = 0, k = 0; a < ITEM_ROWS; a++) {
            const int end = (a + 1) * depth / ITEM_ROWS;
            add_features(x_g + (size_t)k * TILE, slice->step_g + k * STEP, slice->tile_size, W + k * UNITS, end - k, z);
            if (slice->is_activated && i > 0) {
#pragma unroll
                for (int v = 0; v < ITEM_VECTORS; v++)
                    STORE(__global, P_g + (i - ITEM_ROWS + a) * p_stride + v * UNIT_VECTOR, sigmoid(before[a][v]));
            }
            k = end;
        }
#pragma unroll
        for (int a = 0; a < ITEM_ROWS; a++) {
#pragma unroll
            for (int v = 0; v < ITEM_VECTORS; v++) {
                if (slice->is_activated)
                    before[a][v] = z[a][v];
                else
                    STORE(__global, P_g + (i + a) * p_stride + v * UNIT_VECTOR, z[a][v]);
            }
        }
    }
}

__kernel void forward(__global const stored *X_g, __global const float *steps_g, __global const float *W_g,
                      __global float *P_g, int n_tiles, int n_features, int w_stride, int first_row, int n_rows,
                      int first_unit, int p_stride, int activate) {
    float W[SLICE * UNITS] __attribute__((aligned(64)));
    const int unit = get_global_id(0) * UNITS;
    const int row = get_global_id(1) * STRIP_ROWS;
    const int n_slices = (n_features + SLICE - 1) / SLICE, depth = (n_features + n_slices - 1) / n_slices;
    __global const float *W_units_g = W_g + first_unit + unit;
    vfloat bias[ITEM_VECTORS];
    (void)n_tiles; /* an item never leaves its tiles */
#pragma unroll
    for (int v = 0; v < ITEM_VECTORS; v++)
        bias[v] = LOAD(__global, W_units_g + (size_t)n_features * w_stride + v * UNIT_VECTOR);
    for (int k0 = 0; k0 < n_features; k0 += depth) {
        const forward_slice slice = {.x_g = X_g + ((size_t)first_row + row) * n_features + (size_t)k0 * TILE,
                                     .step_g = steps_g + k0 * STEP,
                                     .tile_size = (size_t)n_features * TILE,
                                     .n_rows = min(n_rows - row, STRIP_ROWS),
                                     .depth = min(depth, n_features - k0),
                                     .is_first = k0 == 0,
                                     .is_activated = activate && k0 + depth >= n_features};
        load_weights(W_units_g + (size_t)k0 * w_stride, (size_t)w_stride, slice.depth, W);
        multiply_rows(&slice, W, bias, P_g + (size_t)row * p_stride + unit, (size_t)p_stride);
    }
}

#endif
