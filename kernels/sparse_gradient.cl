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
typedef struct sparse_entries {
    __global const int *place_g;
    __global const float *value_g;
    __global const float *R_g;
    int r_stride;
} sparse_entries;

INLINE void sparse_sum_pieces(const int vectors, int unit, const sparse_entries *entries, __global const int *piece_g,
                              __global float *S_g, int first, int end, int n_units) {
    int at[SPARSE_VECTORS];
    sparse_vector sum[SPARSE_VECTORS];
    sparse_places(vectors, unit, n_units, at);
    for (int piece = first; piece < end; piece++) {
        const int piece_end = piece_g[2 * piece + 1];
        EACH(v, vectors) sum[v] = SPARSE_ZERO;
        for (int e = piece_g[2 * piece]; e < piece_end; e++) {
            const size_t at_row = (size_t)entries->place_g[e] * entries->r_stride;
            sparse_add(vectors, entries->value_g[e], entries->R_g + at_row + unit, at, sum);
        }
        EACH(v, vectors) SPARSE_STORE(S_g + (size_t)piece * entries->r_stride + unit + at[v], sum[v]);
    }
}

__kernel void sparse_pieces(__global const int *piece_g, __global const int *place_g, __global const float *value_g,
                            __global const float *R_g, __global float *S_g, int n_pieces, int n_units, int r_stride,
                            int run) {
    const int unit = get_global_id(0) * SPARSE_UNITS;
    const int first = get_global_id(1) * run, end = min(n_pieces, first + run);
    if (unit >= n_units) return;
    const sparse_entries entries = {place_g, value_g, R_g, r_stride};
    SPARSE_ITEM(sparse_sum_pieces, &entries, piece_g, S_g, first, end, n_units);
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

/* total = the sum of the pieces first ... end - 1. */
INLINE void sparse_add_pieces(const int vectors, __global const float *s_g, int r_stride, int first, int end,
                              const int at[SPARSE_VECTORS], sparse_vector total[SPARSE_VECTORS]) {
    EACH(v, vectors) total[v] = SPARSE_ZERO;
    for (int piece = first; piece < end; piece++) {
        EACH(v, vectors) total[v] += SPARSE_LOAD(s_g + (size_t)piece * r_stride + at[v]);
    }
}

/* total = the sum of the entries e ... end - 1, block by block. */
INLINE void sparse_add_entries(const int vectors, const sparse_entries *entries, int unit, int first_row, int e,
                               int end, const int at[SPARSE_VECTORS], sparse_vector total[SPARSE_VECTORS]) {
    sparse_vector sum[SPARSE_VECTORS];
    EACH(v, vectors) total[v] = sum[v] = SPARSE_ZERO;
    for (int block_end = 0; e < end; e++) {
        const int i = entries->place_g[e] - first_row;
        if (i >= block_end) {
            EACH(v, vectors) {
                total[v] += sum[v];
                sum[v] = SPARSE_ZERO;
            }
            block_end = (i / BLOCK_ROWS + 1) * BLOCK_ROWS;
        }
        const size_t at_row = (size_t)i * entries->r_stride;
        sparse_add(vectors, entries->value_g[e], entries->R_g + at_row + unit, at, sum);
    }
    EACH(v, vectors) total[v] += sum[v];
}

/* What of a feature's entries counts. */
typedef struct sparse_features {
    __global const int *offset_g, *first_piece_g;
    int first_row, n_rows, is_batch, is_cut;
} sparse_features;

INLINE void sparse_sum_features(const int vectors, int unit, const sparse_entries *entries,
                                const sparse_features *features, __global const float *S_g, __global float *G_g,
                                int first, int end, int n_units) {
    int at[SPARSE_VECTORS];
    sparse_vector total[SPARSE_VECTORS];
    sparse_places(vectors, unit, n_units, at);
    for (int k = first; k < end; k++) {
        int e = features->offset_g[k], entry_end = features->offset_g[k + 1];
        const int piece = features->is_cut ? features->first_piece_g[k] : 0;
        const int piece_end = features->is_cut ? features->first_piece_g[k + 1] : 0;
        if (features->is_batch) {
            e = sparse_find(entries->place_g, e, entry_end, features->first_row);
            entry_end = sparse_find(entries->place_g, e, entry_end, features->first_row + features->n_rows);
        }
        if (piece < piece_end)
            sparse_add_pieces(vectors, S_g + unit, entries->r_stride, piece, piece_end, at, total);
        else
            sparse_add_entries(vectors, entries, unit, features->first_row, e, entry_end, at, total);
        EACH(v, vectors) SPARSE_STORE(G_g + (size_t)k * entries->r_stride + unit + at[v], total[v]);
    }
}

/* With is_batch 1 only the entries in the places first_row ... first_row + n_rows - 1 count; else all. */
__kernel void sparse_gradient(__global const int *offset_g, __global const int *place_g, __global const float *value_g,
                              __global const int *first_piece_g, __global const float *S_g, __global const float *R_g,
                              __global float *G_g, int n_features, int first_row, int n_rows, int n_units, int r_stride,
                              int is_batch, int is_cut, int run) {
    const int unit = get_global_id(0) * SPARSE_UNITS;
    const int first = get_global_id(1) * run, end = min(n_features, first + run);
    if (unit >= n_units) return;
    const sparse_entries entries = {place_g, value_g, R_g, r_stride};
    const sparse_features features = {offset_g, first_piece_g, first_row, n_rows, is_batch, is_cut};
    SPARSE_ITEM(sparse_sum_features, &entries, &features, S_g, G_g, first, end, n_units);
}
