/* Stage 1: P = sigmoid(X W + b), dot product, bias and sigmoid in one pass.
 *
 *   X_g  tiles of X                               W_g  [n_features + 1, w_stride], bias in the last row
 *   P_g  [rows rounded up to ROWS, p_stride] of the units from first_unit and the rows from first_row on
 *
 * Launch: dimension 0 covers the units, UNITS a group; dimension 1 the rows, ROWS a group. first_row is a multiple of
 * TILE.
 * Order: z starts at the bias and gains one fma a feature, features ascending.
 * activate 0 stores z itself, which the log loss is measured from.
 */
__kernel void forward(__global const float *X_g, __global const float *W_g, __global float *P_g, int n_tiles,
                      int n_features, int w_stride, int first_row, int first_unit, int p_stride, int activate) {
    const int unit = get_global_id(0) * ITEM_UNITS;
    const int row = get_global_id(1) * ITEM_ROWS;
    __global const float *W_units_g = W_g + first_unit;
    const int first_tile = first_row / TILE;

    vfloat z[ITEM_ROWS][ITEM_VECTORS];
#pragma unroll
    for (int v = 0; v < ITEM_VECTORS; v++) {
        vfloat bias = LOAD(__global, W_units_g + (size_t)n_features * w_stride + unit + v * UNIT_VECTOR);
#pragma unroll
        for (int a = 0; a < ITEM_ROWS; a++) z[a][v] = bias;
    }

#if LOCAL_MEMORY
    __local float X_l[DEPTH * ROWS] __attribute__((aligned(64)));
    __local float W_l[DEPTH * UNITS] __attribute__((aligned(64)));
    const int item = get_local_id(1) * LOCAL_UNITS + get_local_id(0);
    const int group_unit = get_group_id(0) * UNITS;
    const int group_tile = first_tile + get_group_id(1) * (ROWS / TILE);
    for (int k0 = 0; k0 < n_features; k0 += DEPTH) {
        for (int e = item; e < DEPTH * ROWS; e += LOCAL_ROWS * LOCAL_UNITS) {
            const int tile = e / (DEPTH * TILE), k = e / TILE % DEPTH, lane = e % TILE;
            const bool inside = group_tile + tile < n_tiles && k0 + k < n_features;
            const size_t at = ((size_t)(group_tile + tile) * n_features + k0 + k) * TILE + lane;
            X_l[k * ROWS + tile * TILE + lane] = inside ? X_g[at] : 0.0f;
        }
        for (int e = item; e < DEPTH * UNITS; e += LOCAL_ROWS * LOCAL_UNITS) {
            const int k = e / UNITS, u = e % UNITS;
            W_l[e] = k0 + k < n_features ? W_units_g[(size_t)(k0 + k) * w_stride + group_unit + u] : 0.0f;
        }
        barrier(CLK_LOCAL_MEM_FENCE); /* publishes X_l and W_l */
        multiply_add(X_l + get_local_id(1) * ITEM_ROWS, ROWS, 1, W_l + get_local_id(0) * ITEM_UNITS, UNITS, DEPTH, z);
        barrier(CLK_LOCAL_MEM_FENCE); /* all have read before the next slices overwrite */
    }
#else
    (void)n_tiles; /* an item never leaves its tile */
    multiply_add(X_g + (size_t)(first_tile + row / TILE) * n_features * TILE + row % TILE, TILE, 1, W_units_g + unit,
                 w_stride, n_features, z);
#endif

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
