/* The strategy `rows`: few units, lanes are rows, one pass over X.
 *
 *   rows_pack   W_g [n_features + 1, u_stride] -> V_g [n_passes, n_features + 1, PASS_UNITS]
 *   rows_sums   over each block of BLOCK_ROWS rows the sums of delta x feature, and of delta as if of one feature more
 *               -> sums_g [n_blocks, n_passes x PASS_UNITS, s_stride]; in rows_vector.cl and, for groups, rows_group.cl
 *   rows_add    blocks added -> G_g [n_features, g_stride], B_g [g_stride]; n_units of them, those behind n_sums are 0
 *
 * PASS_UNITS units are worked on at once; while a block is in a cache all n_passes sets of them follow. They count from
 * first_unit. s_stride is n_features + 1 rounded up to TILE. X_g, steps_g: store.cl.
 *
 * Order, the "lane order": z starts at the bias and gains one fma a feature, features ascending. A block has TILE
 * chains, one for each lane of its tiles: from 0 on one fma a row (an addition, for the bias), tiles ascending. Then
 * lanes l and l + 8 are added, then l + 4, l + 2, l + 1. Blocks are added ascending to 0. No macro changes it.
 *
 * Launch: one dimension; rows_pack and rows_add any size, rows_sums n_blocks groups or fewer, each of which has a run
 * of blocks.
 */
#ifndef PASS_UNITS /* 1 to 16 */
#define PASS_UNITS 1
#endif
#define BLOCK_TILES (BLOCK_ROWS / TILE)

#if TILE != 16 || BLOCK_ROWS % TILE != 0
#error "the sum over lanes is written for TILE 16, which must divide BLOCK_ROWS"
#endif
#if PASS_UNITS < 1 || PASS_UNITS > 16
#error "PASS_UNITS must be 1 to 16"
#endif

/* The blocks first ... end - 1 of this group. */
typedef struct rows_run {
    int first;
    int end;
} rows_run;

static inline rows_run rows_of_group(int n_blocks) {
    const size_t group = get_group_id(0), n_groups = get_num_groups(0);
    return (rows_run){(int)(group * n_blocks / n_groups), (int)((group + 1) * n_blocks / n_groups)};
}

/* Rows, tiles and place of a block. */
typedef struct rows_block {
    __global const stored *X_g;
    __global const float *steps_g;
    int place;
    int n_rows;
    int n_tiles;
} rows_block;

static inline rows_block rows_find_block(__global const stored *X_g, __global const float *steps_g, int block,
                                         int first_row, int n_rows, int n_features) {
    const int place = first_row + block * BLOCK_ROWS, count = min(n_rows - block * BLOCK_ROWS, BLOCK_ROWS);
    return (rows_block){X_g + (size_t)place * n_features, steps_g, place, count, (count + TILE - 1) / TILE};
}

__kernel void rows_pack(__global const float *W_g, __global float *V_g, int n_features, int n_passes, int first_unit,
                        int u_stride) {
    const int n = n_passes * (n_features + 1) * PASS_UNITS;
    for (int e = get_global_id(0); e < n; e += get_global_size(0)) {
        const int u = e % PASS_UNITS, k = e / PASS_UNITS % (n_features + 1), pass = e / PASS_UNITS / (n_features + 1);
        V_g[e] = W_g[(size_t)k * u_stride + first_unit + pass * PASS_UNITS + u];
    }
}

__kernel void rows_add(__global const float *sums_g, __global float *G_g, __global float *B_g, int n_blocks,
                       int n_features, int n_sums, int n_units, int s_stride, int g_stride) {
    const int n_vectors = s_stride / UNIT_VECTOR;
    for (int e = get_global_id(0); e < n_units * n_vectors; e += get_global_size(0)) {
        const int unit = e / n_vectors, k = e % n_vectors * UNIT_VECTOR;
        vfloat sum = (vfloat)(0.0f);
        for (int block = 0; block < (unit < n_sums ? n_blocks : 0); block++)
            sum += LOAD(__global, sums_g + ((size_t)block * n_sums + unit) * s_stride + k);
        const float *lane = (const float *)&sum;
        EACH(f, UNIT_VECTOR) {
            if (k + f < n_features) G_g[(size_t)(k + f) * g_stride + unit] = lane[f];
            if (k + f == n_features) B_g[unit] = lane[f];
        }
    }
}
