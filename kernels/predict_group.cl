/* Prediction on GPUs: P = sigmoid(X W + b), rows as the caller has them. LOCAL_MEMORY 1 (tile.cl).
 *
 *   X_g [n_rows, n_features]     W_g panels [n_panels][n_features + 1][UNITS], bias last, padded with zeros
 *   P_g [n_rows, n_units]
 *
 * Launch: dimension 0 covers the units, UNITS a group, dimension 1 the rows, ROWS a group. Neighbouring items read
 * neighbouring features of a row and turn them into a column of local memory, whose columns lie X_STRIDE apart: so
 * few of their writes meet in a bank, and an item's rows can be read as a vector. Order: z starts at the bias and gains
 * one fma a feature, features ascending.
 */
#define X_STRIDE (ROWS + 4)

static inline void store_units(vfloat value, __global float *p_g, int n) {
    const float *lane = (const float *)&value;
    EACH_OF(u, n, UNIT_VECTOR) p_g[u] = lane[u];
}

__kernel void predict(__global const float *X_g, __global const float *W_g, __global float *P_g, int n_features,
                      int n_rows, int n_units) {
    __local float X_l[DEPTH * X_STRIDE] __attribute__((aligned(64)));
    __local float W_l[DEPTH * UNITS] __attribute__((aligned(64)));
    const int unit = get_global_id(0) * ITEM_UNITS, row = get_global_id(1) * ITEM_ROWS;
    const int item = get_local_id(1) * LOCAL_UNITS + get_local_id(0), group_row = get_group_id(1) * ROWS;
    const int item_unit = get_local_id(0) * ITEM_UNITS;
    __global const float *panel_g = W_g + (size_t)get_group_id(0) * UNITS * (n_features + 1);

    vfloat z[ITEM_ROWS][ITEM_VECTORS];
    EACH(v, ITEM_VECTORS) {
        const vfloat bias = LOAD(__global, panel_g + (size_t)n_features * UNITS + item_unit + v * UNIT_VECTOR);
        EACH(a, ITEM_ROWS) z[a][v] = bias;
    }
    for (int k0 = 0; k0 < n_features; k0 += DEPTH) {
        for (int e = item; e < ROWS * DEPTH; e += LOCAL_ROWS * LOCAL_UNITS) {
            const int a = e / DEPTH, k = e % DEPTH;
            const bool inside = group_row + a < n_rows && k0 + k < n_features;
            X_l[k * X_STRIDE + a] = inside ? X_g[(size_t)(group_row + a) * n_features + k0 + k] : 0.0f;
        }
        for (int e = item; e < DEPTH * UNITS; e += LOCAL_ROWS * LOCAL_UNITS)
            W_l[e] = k0 + e / UNITS < n_features ? panel_g[(size_t)k0 * UNITS + e] : 0.0f;
        barrier(CLK_LOCAL_MEM_FENCE); /* publishes X_l and W_l */
        multiply_add(X_l + get_local_id(1) * ITEM_ROWS, X_STRIDE, 1, W_l + item_unit, UNITS, DEPTH, z);
        barrier(CLK_LOCAL_MEM_FENCE); /* all have read before the next slices overwrite */
    }
    EACH(a, ITEM_ROWS) {
        if (row + a < n_rows) {
            EACH(v, ITEM_VECTORS) {
                const int first = unit + v * UNIT_VECTOR;
                store_units(sigmoid(z[a][v]), P_g + (size_t)(row + a) * n_units + first, n_units - first);
            }
        }
    }
}
