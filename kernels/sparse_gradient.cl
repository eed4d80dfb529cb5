/* The weight gradients G = X^T R of sparse features.
 *
 *   offset_g [n_features + 1], place_g, value_g   feature k has the entries offset_g[k] ... offset_g[k + 1] - 1, places
 *                                                 of rows ascending
 *   R_g  [n_rows, r_stride], deltas of the places from first_row on
 *   G_g  [n_features, r_stride], out
 *
 * A feature that many rows have is cut into pieces, so that no item has all of it: a piece is what the feature has in
 * one block of rows.
 *
 *   piece_g [n_pieces, 2]           where a piece's entries begin and end; pieces of a feature follow each other
 *   first_piece_g [n_features + 1]  a feature's pieces; none: it is not cut
 *   S_g [n_pieces, r_stride]        the pieces' sums: out of sparse_pieces, into sparse_gradient
 *
 * Launch: dimension 0 covers the units, SPARSE_UNITS an item; dimension 1 the pieces or the features, `run` an item.
 * Order: a block's sum starts at 0 and gains one fma an entry, places ascending; block sums are added ascending to 0. A
 * block without an entry would add 0.
 */
__kernel void sparse_pieces(__global const int *piece_g, __global const int *place_g, __global const float *value_g,
                            __global const float *R_g, __global float *S_g, int n_pieces, int n_units, int r_stride,
                            int run) {
    const int unit = get_global_id(0) * SPARSE_UNITS;
    const int first = get_global_id(1) * run, end = min(n_pieces, first + run);
    if (unit >= n_units) return;
    int at[SPARSE_VECTORS];
    sparse_places(unit, n_units, at);
    for (int piece = first; piece < end; piece++) {
        const int piece_end = piece_g[2 * piece + 1];
        vfloat sum[SPARSE_VECTORS];
        EACH(v, SPARSE_VECTORS) sum[v] = (vfloat)(0.0f);
        for (int e = piece_g[2 * piece]; e < piece_end; e++)
            sparse_add(value_g[e], R_g + (size_t)place_g[e] * r_stride + unit, at, sum);
        EACH(v, SPARSE_VECTORS) STORE(__global, S_g + (size_t)piece * r_stride + unit + at[v], sum[v]);
    }
}

/* The first of the entries e ... end - 1 whose place is not below `place`. */
static inline int sparse_find(__global const int *place_g, int e, int end, int place) {
    while (e < end) {
        const int middle = e + (end - e) / 2;
        if (place_g[middle] < place)
            e = middle + 1;
        else
            end = middle;
    }
    return e;
}

/* With is_batch 1 only the entries in the places first_row ... first_row + n_rows - 1 count; else all. */
__kernel void sparse_gradient(__global const int *offset_g, __global const int *place_g, __global const float *value_g,
                              __global const int *first_piece_g, __global const float *S_g, __global const float *R_g,
                              __global float *G_g, int n_features, int first_row, int n_rows, int n_units, int r_stride,
                              int is_batch, int is_cut, int run) {
    const int unit = get_global_id(0) * SPARSE_UNITS;
    const int first = get_global_id(1) * run, end = min(n_features, first + run);
    if (unit >= n_units) return;
    int at[SPARSE_VECTORS];
    sparse_places(unit, n_units, at);
    for (int k = first; k < end; k++) {
        const int first_piece = is_cut ? first_piece_g[k] : 0, end_piece = is_cut ? first_piece_g[k + 1] : 0;
        int e = offset_g[k], end_entry = offset_g[k + 1], block_end = 0;
        vfloat total[SPARSE_VECTORS], sum[SPARSE_VECTORS];
        EACH(v, SPARSE_VECTORS) total[v] = sum[v] = (vfloat)(0.0f);
        for (int piece = first_piece; piece < end_piece; piece++) {
            __global const float *s_g = S_g + (size_t)piece * r_stride + unit;
            EACH(v, SPARSE_VECTORS) total[v] += LOAD(__global, s_g + at[v]);
        }
        if (first_piece < end_piece) e = end_entry;
        if (is_batch) {
            e = sparse_find(place_g, e, end_entry, first_row);
            end_entry = sparse_find(place_g, e, end_entry, first_row + n_rows);
        }
        for (; e < end_entry; e++) {
            const int i = place_g[e] - first_row;
            if (i >= block_end) {
                EACH(v, SPARSE_VECTORS) {
                    total[v] += sum[v];
                    sum[v] = (vfloat)(0.0f);
                }
                block_end = (i / BLOCK_ROWS + 1) * BLOCK_ROWS;
            }
            sparse_add(value_g[e], R_g + (size_t)i * r_stride + unit, at, sum);
        }
        EACH(v, SPARSE_VECTORS) STORE(__global, G_g + (size_t)k * r_stride + unit + at[v], total[v] + sum[v]);
    }
}
