/* Stage 3: the weight gradients G = X^T R, a sum a block of samples.
 *
 *   X_g, steps_g  tiles of X (store.cl)
 *   R_g  [n_rows rounded up to TILE, r_stride], deltas of the rows from first_row on
 *   G_g  [n_parts, n_features, r_stride]
 *
 * Launch: dimension 0 covers the units, UNITS a group; dimension 1 the features, ROWS a group; dimension 2 the n_parts
 * parts. n_parts is n_blocks (each part is one block's sum, added up by the update) or 1 (this kernel adds the blocks
 * itself, in the same order).
 * Order: a block's sum starts at 0 and gains one fma a sample, samples ascending; block sums are added ascending.
 */
__kernel void gradient(__global const stored *X_g, __global const float *steps_g, __global const float *R_g,
                       __global float *G_g, int first_row, int n_rows, int n_features, int r_stride, int n_blocks) {
    const int unit = get_global_id(0) * ITEM_UNITS;
    const int row = get_global_id(1) * ITEM_ROWS;
    const int part = get_global_id(2);
    const int n_parts = get_global_size(2);

    vfloat total[ITEM_ROWS][ITEM_VECTORS];
#pragma unroll
    for (int a = 0; a < ITEM_ROWS; a++) {
#pragma unroll
        for (int v = 0; v < ITEM_VECTORS; v++) total[a][v] = (vfloat)(0.0f);
    }

#if LOCAL_MEMORY
    /* Four floats more a slice: the transposing store then spreads over the banks, and rows stay 16-byte aligned. */
    enum { X_SLICE = ROWS + 4 };
    __local float X_l[DEPTH * X_SLICE] __attribute__((aligned(64)));
    __local float R_l[DEPTH * UNITS] __attribute__((aligned(64)));
    const int item = get_local_id(1) * LOCAL_UNITS + get_local_id(0);
    const int group_unit = get_group_id(0) * UNITS;
    const int group_feature = get_group_id(1) * ROWS;
#endif

    for (int block = part; block < n_blocks; block += n_parts) {
        const int end = min(n_rows, (block + 1) * BLOCK_ROWS);
        vfloat sum[ITEM_ROWS][ITEM_VECTORS];
#pragma unroll
        for (int a = 0; a < ITEM_ROWS; a++) {
#pragma unroll
            for (int v = 0; v < ITEM_VECTORS; v++) sum[a][v] = (vfloat)(0.0f);
        }
#if LOCAL_MEMORY
        for (int i0 = block * BLOCK_ROWS; i0 < end; i0 += DEPTH) {
            const size_t tile_at = (size_t)((first_row + i0) / TILE) * n_features * TILE + i0 % TILE;
            for (int e = item; e < DEPTH * ROWS; e += LOCAL_ROWS * LOCAL_UNITS) {
                const int k = group_feature + e / DEPTH, i = e % DEPTH;
                __global const stored *x_g = X_g + tile_at + (size_t)k * TILE + i;
                X_l[i * X_SLICE + e / DEPTH] = k < n_features ? VALUE(x_g, steps_g + k * STEP) : 0.0f;
            }
            for (int e = item; e < DEPTH * UNITS; e += LOCAL_ROWS * LOCAL_UNITS) {
                const int i = e / UNITS, u = e % UNITS;
                R_l[e] = i0 + i < end ? R_g[(size_t)(i0 + i) * r_stride + group_unit + u] : 0.0f;
            }
            barrier(CLK_LOCAL_MEM_FENCE); /* publishes X_l and R_l */
            multiply_add(X_l + get_local_id(1) * ITEM_ROWS, X_SLICE, 1, R_l + get_local_id(0) * ITEM_UNITS, UNITS,
                         DEPTH, sum);
            barrier(CLK_LOCAL_MEM_FENCE); /* all have read before the next slices overwrite */
        }
#else
        for (int i0 = block * BLOCK_ROWS; i0 < end; i0 += TILE) {
            __global const stored *x_g = X_g + ((size_t)((first_row + i0) / TILE) * n_features + row) * TILE;
            float room[ITEM_ROWS * TILE] __attribute__((aligned(64)));
            multiply_add(decode_features(x_g, steps_g + row * STEP, room), 1, TILE, R_g + (size_t)i0 * r_stride + unit,
                         r_stride, min(TILE, end - i0), sum);
        }
#endif
#pragma unroll
        for (int a = 0; a < ITEM_ROWS; a++) {
#pragma unroll
            for (int v = 0; v < ITEM_VECTORS; v++) total[a][v] += sum[a][v];
        }
    }

#pragma unroll
    for (int a = 0; a < ITEM_ROWS; a++) {
#pragma unroll
        for (int v = 0; v < ITEM_VECTORS; v++) {
            const size_t at = ((size_t)part * n_features + row + a) * r_stride + unit + v * UNIT_VECTOR;
            if (row + a < n_features) STORE(__global, G_g + at, total[a][v]);
        }
    }
}
