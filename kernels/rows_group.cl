/* rows_sums for GPUs (rows.cl): a group of GROUP_ITEMS items has a block. An item multiplies a row (more, when there
 * are fewer items than rows); then it has a lane, and features GROUP_SLOTS apart. Both read X in 64-byte pieces a tile
 * and feature, those of neighbouring features side by side. */
#ifndef GROUP_ITEMS
#define GROUP_ITEMS 64
#endif
#define GROUP_SLOTS (GROUP_ITEMS / TILE)
/* Features an item has between two barriers: so many that each item then adds the lanes of one sum or more. */
#define SLOT_FEATURES (PASS_UNITS < 16 ? 16 / PASS_UNITS : 1)
#define N_CHAINS (GROUP_SLOTS * SLOT_FEATURES * PASS_UNITS)

#if UNIT_VECTOR != 1
#error "UNIT_VECTOR must be 1"
#endif
#if GROUP_ITEMS % TILE != 0 || BLOCK_ROWS % GROUP_ITEMS != 0
#error "GROUP_ITEMS must be a multiple of TILE and divide BLOCK_ROWS"
#endif

static inline float add_lanes(__local const float *chain_l) {
    float v[TILE / 2];
    EACH(l, 8) v[l] = chain_l[l] + chain_l[l + 8];
    EACH(l, 4) v[l] += v[l + 4];
    EACH(l, 2) v[l] += v[l + 2];
    return v[0] + v[1];
}

/* R_l[u][row]: the deltas of the block's rows, 0 behind the last of them. */
static inline void multiply_rows(const row_sources *from, const rows_block *block, __global const float *w_g,
                                 int n_features, int first_unit, __local float *R_l) {
    for (int row = get_local_id(0); row < BLOCK_ROWS; row += GROUP_ITEMS) {
        const int i = min(row, block->n_rows - 1);
        __global const stored *x_g = block->X_g + (size_t)(i / TILE) * n_features * TILE + i % TILE;
        float z[PASS_UNITS];
        EACH(u, PASS_UNITS) z[u] = w_g[n_features * PASS_UNITS + u];
#pragma unroll 8
        for (int k = 0; k < n_features; k++) {
            const float x = VALUE(x_g + k * TILE, block->steps_g + k * STEP);
            EACH(u, PASS_UNITS) z[u] = fma(x, w_g[k * PASS_UNITS + u], z[u]);
        }
        EACH(u, PASS_UNITS) {
            const row_units unit = row_units_load(from, first_unit + u);
            const float delta = row_delta_at(from, &unit, block->place + i, sigmoid(z[u]));
            R_l[u * BLOCK_ROWS + row] = row < block->n_rows ? delta : 0.0f;
        }
    }
}

/* The chains of a feature in the item's lane, for each unit; feature n_features is the bias, whose x is 1. */
static inline void sum_feature(const rows_block *block, __local const float *R_l, int k, int n_features,
                               float chain[PASS_UNITS]) {
    const int lane = get_local_id(0) % TILE;
    const size_t tile_size = (size_t)n_features * TILE;
    const int feature = min(k, n_features - 1);
    __global const stored *x_g = block->X_g + feature * TILE + lane;
    EACH(u, PASS_UNITS) chain[u] = 0.0f;
#pragma unroll 4
    for (int tile = 0; tile < block->n_tiles; tile++) {
        const float x = k < n_features ? VALUE(x_g + tile * tile_size, block->steps_g + feature * STEP) : 1.0f;
        EACH(u, PASS_UNITS) chain[u] = fma(x, R_l[u * BLOCK_ROWS + tile * TILE + lane], chain[u]);
    }
}

__kernel void rows_sums(__global const stored *X_g, __global const float *steps_g, __global const float *V_g,
                        __global float *sums_g, __global float *chains_g, ROW_PARAMETERS, int first_row, int n_rows,
                        int n_features, int n_passes, int first_unit, int s_stride, int n_blocks) {
    __local float R_l[PASS_UNITS * BLOCK_ROWS];
    __local float chains_l[N_CHAINS * (TILE + 1)]; /* one float more a chain: items then read different banks */
    const row_sources from = ROW_SOURCES;
    const rows_run run = rows_of_group(n_blocks);
    const int lane = get_local_id(0) % TILE, slot = get_local_id(0) / TILE;
    (void)chains_g;
    for (int b = run.first; b < run.end; b++) {
        const rows_block block = rows_find_block(X_g, steps_g, b, first_row, n_rows, n_features);
        for (int pass = 0; pass < n_passes; pass++) {
            __global float *sum_g = sums_g + ((size_t)b * n_passes + pass) * PASS_UNITS * s_stride;
            multiply_rows(&from, &block, V_g + (size_t)pass * (n_features + 1) * PASS_UNITS, n_features,
                          first_unit + pass * PASS_UNITS, R_l);
            barrier(CLK_LOCAL_MEM_FENCE); /* publishes R_l */
            for (int k0 = 0; k0 < s_stride; k0 += GROUP_SLOTS * SLOT_FEATURES) {
                EACH(c, SLOT_FEATURES) {
                    const int at = c * GROUP_SLOTS + slot;
                    float chain[PASS_UNITS];
                    sum_feature(&block, R_l, k0 + at, n_features, chain);
                    EACH(u, PASS_UNITS) chains_l[(at * PASS_UNITS + u) * (TILE + 1) + lane] = chain[u];
                }
                barrier(CLK_LOCAL_MEM_FENCE); /* publishes chains_l */
                for (int e = get_local_id(0); e < N_CHAINS; e += GROUP_ITEMS) {
                    const int k = k0 + e / PASS_UNITS, u = e % PASS_UNITS;
                    if (k < s_stride) sum_g[(size_t)u * s_stride + k] = add_lanes(chains_l + e * (TILE + 1));
                }
                barrier(CLK_LOCAL_MEM_FENCE); /* all have read chains_l and, in the end, R_l */
            }
        }
    }
}
