/* P = sigmoid(X W + b) of sparse rows.
 *
 *   offset_g [n_lines + 1], column_g, value_g    row i has the entries offset_g[i] ... offset_g[i + 1] - 1, columns
 *                                                ascending
 *   order_g  where is_ordered is 1: the row in each place; else places are rows
 *   W_g      [n_features + 1, w_stride], bias in the last row
 *   P_g      [n_rows, p_stride] of the units from first_unit and the places from first_row on
 *
 * Launch: dimension 0 covers the units, SPARSE_UNITS an item; dimension 1 the rows, `run` an item.
 * Order: z starts at the bias and gains one fma an entry, features ascending. activate 0 stores z itself.
 */
__kernel void sparse_forward(__global const int *offset_g, __global const int *column_g, __global const float *value_g,
                             __global const int *order_g, __global const float *W_g, __global float *P_g,
                             int n_features, int w_stride, int first_row, int n_rows, int first_unit, int n_units,
                             int p_stride, int is_ordered, int activate, int run) {
    const int unit = get_global_id(0) * SPARSE_UNITS;
    const int first = get_global_id(1) * run, end = min(n_rows, first + run);
    if (unit >= n_units) return;
    __global const float *w_g = W_g + first_unit + unit;
    int at[SPARSE_VECTORS];
    vfloat bias[SPARSE_VECTORS];
    sparse_places(unit, n_units, at);
    EACH(v, SPARSE_VECTORS) bias[v] = LOAD(__global, w_g + (size_t)n_features * w_stride + at[v]);
    for (int i = first; i < end; i++) {
        const int row = is_ordered ? order_g[first_row + i] : first_row + i;
        const int row_end = offset_g[row + 1];
        vfloat z[SPARSE_VECTORS];
        EACH(v, SPARSE_VECTORS) z[v] = bias[v];
        for (int e = offset_g[row]; e < row_end; e++)
            sparse_add(value_g[e], w_g + (size_t)column_g[e] * w_stride, at, z);
        __global float *p_g = P_g + (size_t)i * p_stride + unit;
        if (activate) EACH(v, SPARSE_VECTORS) z[v] = sigmoid(z[v]);
        EACH(v, SPARSE_VECTORS) STORE(__global, p_g + at[v], z[v]);
    }
}
