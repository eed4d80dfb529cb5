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
typedef struct sparse_rows {
    __global const int *offset_g, *column_g, *order_g;
    __global const float *value_g;
    int first_row, is_ordered;
} sparse_rows;

INLINE void sparse_forward_rows(const int vectors, int unit, const sparse_rows *rows, int first, int end,
                                __global const float *W_g, __global float *P_g, int n_features, int w_stride,
                                int n_units, int p_stride, int activate) {
    int at[SPARSE_VECTORS];
    sparse_vector bias[SPARSE_VECTORS], z[SPARSE_VECTORS];
    sparse_places(vectors, unit, n_units, at);
    EACH(v, vectors) bias[v] = SPARSE_LOAD(W_g + (size_t)n_features * w_stride + unit + at[v]);
    for (int i = first; i < end; i++) {
        const int row = rows->is_ordered ? rows->order_g[rows->first_row + i] : rows->first_row + i;
        const int row_end = rows->offset_g[row + 1];
        EACH(v, vectors) z[v] = bias[v];
        for (int e = rows->offset_g[row]; e < row_end; e++)
            sparse_add(vectors, rows->value_g[e], W_g + (size_t)rows->column_g[e] * w_stride + unit, at, z);
        if (activate) EACH(v, vectors) z[v] = sparse_sigmoid(z[v]);
        EACH(v, vectors) SPARSE_STORE(P_g + (size_t)i * p_stride + unit + at[v], z[v]);
    }
}

__kernel void sparse_forward(__global const int *offset_g, __global const int *column_g, __global const float *value_g,
                             __global const int *order_g, __global const float *W_g, __global float *P_g,
                             int n_features, int w_stride, int first_row, int n_rows, int first_unit, int n_units,
                             int p_stride, int is_ordered, int activate, int run) {
    const int unit = get_global_id(0) * SPARSE_UNITS;
    const int first = get_global_id(1) * run, end = min(n_rows, first + run);
    if (unit >= n_units) return;
    const sparse_rows rows = {offset_g, column_g, order_g, value_g, first_row, is_ordered};
    SPARSE_ITEM(sparse_forward_rows, &rows, first, end, W_g + first_unit, P_g, n_features, w_stride, n_units, p_stride,
                activate);
}
