/* rows_sums for CPUs (rows.cl): an item is a group, a vector has the 16 rows of a tile.
 *
 * The gradient is a second sweep over rows that have just been read. Where the chains of all features fit the first
 * cache (CHAINS_IN_MEMORY), FORWARD_TILES tiles are multiplied, then folded into the chains, which lie in memory; else
 * all tiles of a block are multiplied, and then GRADIENT_FEATURES features at a time keep their chains in registers.
 *
 *   chains_g [n_groups, n_features, PASS_UNITS, TILE]; one element without CHAINS_IN_MEMORY
 *
 * With MOST_VALUES the first sweep keeps what it has decoded in private memory, [n_features, FORWARD_TILES] vectors and
 * at most so many, and the second reads it there instead of decoding it again.
 *
 * CPUs alone run this.
 */
#ifndef CHAINS_IN_MEMORY
#define CHAINS_IN_MEMORY 0
#endif
#ifndef MOST_VALUES /* 0: none are kept */
#define MOST_VALUES 0
#endif
#ifndef FORWARD_TILES /* tiles multiplied at once: 1, 2, 4 or 8 */
#define FORWARD_TILES 4
#endif
#ifndef GRADIENT_FEATURES /* features at once: 1, 2, 4 or 8 */
#define GRADIENT_FEATURES 4
#endif

#if UNIT_VECTOR != TILE
#error "UNIT_VECTOR must be TILE"
#endif
#if MOST_VALUES && !CHAINS_IN_MEMORY
#error "MOST_VALUES needs CHAINS_IN_MEMORY"
#endif
#if BLOCK_TILES % FORWARD_TILES != 0 || TILE % GRADIENT_FEATURES != 0
#error "FORWARD_TILES must divide the tiles of a block, GRADIENT_FEATURES must divide TILE"
#endif

/* Tiles behind are asked for while tiles are multiplied: all where these are not folded, and else one half then and the
 * other while they are folded. A line of the cache is asked for once. */
#define MULTIPLYING_ASKS(t) (!CHAINS_IN_MEMORY || (t) % 2 == 0)
#define BEGINS_LINE(k) ((k) % (int)(sizeof(float) / sizeof(stored)) == 0)

/* From tiles to those that are asked for meanwhile. */
static inline size_t elements_ahead(size_t tile_size) {
    const size_t n = FORWARD_TILES * tile_size;
    return n * max((size_t)1, FAR_BYTES / (n * sizeof(stored)));
}

/* Sums over the lanes of 16 vectors: lane i of the result is that of v[i]. */
static inline vfloat add_lanes(vfloat v[TILE]) {
    EACH(i, 8) v[i] = (vfloat)(v[i].lo, v[i + 8].lo) + (vfloat)(v[i].hi, v[i + 8].hi);
    EACH(i, 4)
    v[i] = (vfloat)(v[i].s0123, v[i + 4].s0123, v[i].s89ab, v[i + 4].s89ab) +
           (vfloat)(v[i].s4567, v[i + 4].s4567, v[i].scdef, v[i + 4].scdef);
    EACH(i, 2)
    v[i] = (vfloat)(v[i].s01, v[i + 2].s01, v[i].s45, v[i + 2].s45, v[i].s89, v[i + 2].s89, v[i].scd, v[i + 2].scd) +
           (vfloat)(v[i].s23, v[i + 2].s23, v[i].s67, v[i + 2].s67, v[i].sab, v[i + 2].sab, v[i].sef, v[i + 2].sef);
    const vfloat a = v[0], b = v[1];
    return (vfloat)(a.s0, b.s0, a.s2, b.s2, a.s4, b.s4, a.s6, b.s6, a.s8, b.s8, a.sa, b.sa, a.sc, b.sc, a.se, b.se) +
           (vfloat)(a.s1, b.s1, a.s3, b.s3, a.s5, b.s5, a.s7, b.s7, a.s9, b.s9, a.sb, b.sb, a.sd, b.sd, a.sf, b.sf);
}

/* z of the tiles tile ... tile + FORWARD_TILES - 1; behind the last tile of the block it is the last one's again.
 * values [n_features, FORWARD_TILES], with MOST_VALUES, out: their features. */
static inline void multiply_tiles(const rows_block *block, __global const float *w_g, int tile, int n_features,
                                  vfloat *values, vfloat z[FORWARD_TILES][PASS_UNITS]) {
    const size_t tile_size = (size_t)n_features * TILE, ahead = elements_ahead(tile_size);
    __global const stored *x_g[FORWARD_TILES];
    EACH(t, FORWARD_TILES) x_g[t] = block->X_g + min(tile + t, block->n_tiles - 1) * tile_size;
    EACH(t, FORWARD_TILES) EACH(u, PASS_UNITS) z[t][u] = (vfloat)(w_g[n_features * PASS_UNITS + u]);
#pragma unroll 4
    for (int k = 0; k < n_features; k++) {
        EACH(t, FORWARD_TILES) {
            if (MULTIPLYING_ASKS(t) && BEGINS_LINE(k)) PREFETCH_FAR(x_g[t] + ahead + k * TILE);
            const vfloat x = VALUE_VECTOR(x_g[t] + k * TILE, block->steps_g + k * STEP);
            if (MOST_VALUES) values[k * FORWARD_TILES + t] = x;
            EACH(u, PASS_UNITS) z[t][u] = fma(x, (vfloat)(w_g[k * PASS_UNITS + u]), z[t][u]);
        }
    }
}

/* The deltas of one unit in a tile of the block, 0 behind its last row. */
static inline vfloat tile_delta(const row_sources *from, const row_units *unit, const rows_block *block, int tile,
                                vfloat z) {
    const vint row = (vint)(tile * TILE) + (vint)(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
    if (tile >= block->n_tiles) return (vfloat)(0.0f);
    const vfloat delta = row_delta_at(from, unit, block->place + tile * TILE, sigmoid(z));
    return row < (vint)(block->n_rows) ? delta : (vfloat)(0.0f);
}

#if CHAINS_IN_MEMORY

/* Goes on with the chains of all features over the tiles that were multiplied. */
static inline void fold_tiles(const rows_block *block, vfloat r[FORWARD_TILES][PASS_UNITS], int tile, int n_features,
                              const vfloat *values, __global float *chains_g) {
    const size_t tile_size = (size_t)n_features * TILE, ahead = elements_ahead(tile_size);
    __global const stored *x_g[FORWARD_TILES];
    EACH(t, FORWARD_TILES) x_g[t] = block->X_g + min(tile + t, block->n_tiles - 1) * tile_size;
#pragma unroll 2
    for (int k = 0; k < n_features; k++) {
        __global float *chain_g = chains_g + k * PASS_UNITS * TILE;
        vfloat chain[PASS_UNITS];
        EACH(u, PASS_UNITS) chain[u] = tile ? LOAD(__global, chain_g + u * TILE) : (vfloat)(0.0f);
        EACH(t, FORWARD_TILES) {
            if (!MULTIPLYING_ASKS(t) && BEGINS_LINE(k)) PREFETCH_FAR(x_g[t] + ahead + k * TILE);
        }
        EACH(t, FORWARD_TILES) {
            const vfloat x = MOST_VALUES ? values[k * FORWARD_TILES + t]
                                         : VALUE_VECTOR(x_g[t] + k * TILE, block->steps_g + k * STEP);
            EACH(u, PASS_UNITS) chain[u] = fma(x, r[t][u], chain[u]);
        }
        EACH(u, PASS_UNITS) STORE(__global, chain_g + u * TILE, chain[u]);
    }
}

static inline void sum_block(const row_sources *from, const rows_block *block, __global const float *w_g,
                             __global float *sum_g, __global float *chains_g, int n_features, int first_unit,
                             int s_stride) {
    vfloat values[MOST_VALUES + 1], bias[PASS_UNITS];
    EACH(u, PASS_UNITS) bias[u] = (vfloat)(0.0f);
    for (int tile = 0; tile < block->n_tiles; tile += FORWARD_TILES) {
        vfloat z[FORWARD_TILES][PASS_UNITS], r[FORWARD_TILES][PASS_UNITS];
        multiply_tiles(block, w_g, tile, n_features, values, z);
        EACH(u, PASS_UNITS) {
            const row_units unit = row_units_load(from, first_unit + u);
            EACH(t, FORWARD_TILES) {
                r[t][u] = tile_delta(from, &unit, block, tile + t, z[t][u]);
                bias[u] += r[t][u];
            }
        }
        fold_tiles(block, r, tile, n_features, values, chains_g);
    }
    for (int k0 = 0; k0 <= n_features; k0 += TILE) {
        for (int u = 0; u < PASS_UNITS; u++) {
            vfloat chains[TILE];
            EACH(f, TILE)
            chains[f] = k0 + f < n_features ? LOAD(__global, chains_g + ((k0 + f) * PASS_UNITS + u) * TILE) : bias[u];
            STORE(__global, sum_g + (size_t)u * s_stride + k0, add_lanes(chains));
        }
    }
}

#else

/* The chains of GRADIENT_FEATURES features over the whole block; behind the last feature it is the last one's again. */
static inline void sum_features(const rows_block *block, vfloat r[BLOCK_TILES][PASS_UNITS], int k, int n_features,
                                vfloat chain[GRADIENT_FEATURES][PASS_UNITS]) {
    const size_t tile_size = (size_t)n_features * TILE;
    __global const stored *x_g[GRADIENT_FEATURES];
    EACH(f, GRADIENT_FEATURES) x_g[f] = block->X_g + min(k + f, n_features - 1) * TILE;
    EACH(f, GRADIENT_FEATURES) EACH(u, PASS_UNITS) chain[f][u] = (vfloat)(0.0f);
    for (int tile = 0; tile < block->n_tiles; tile++) {
        EACH(f, GRADIENT_FEATURES) {
            const vfloat x = VALUE_VECTOR(x_g[f] + tile * tile_size, block->steps_g + (k + f) * STEP);
            EACH(u, PASS_UNITS) chain[f][u] = fma(x, r[tile][u], chain[f][u]);
        }
    }
}

static inline void sum_block(const row_sources *from, const rows_block *block, __global const float *w_g,
                             __global float *sum_g, __global float *chains_g, int n_features, int first_unit,
                             int s_stride) {
    vfloat r[BLOCK_TILES][PASS_UNITS], bias[PASS_UNITS];
    (void)chains_g;
    for (int u = 0; u < PASS_UNITS; u++) bias[u] = (vfloat)(0.0f);
    for (int tile = 0; tile < block->n_tiles; tile += FORWARD_TILES) {
        vfloat z[FORWARD_TILES][PASS_UNITS];
        multiply_tiles(block, w_g, tile, n_features, NULL, z);
        for (int u = 0; u < PASS_UNITS; u++) {
            const row_units unit = row_units_load(from, first_unit + u);
            for (int t = 0; t < FORWARD_TILES; t++) {
                r[tile + t][u] = tile_delta(from, &unit, block, tile + t, z[t][u]);
                bias[u] += r[tile + t][u];
            }
        }
    }
    for (int k0 = 0; k0 <= n_features; k0 += TILE) {
        vfloat chains[PASS_UNITS][TILE];
        for (int k = 0; k < TILE; k += GRADIENT_FEATURES) {
            vfloat chain[GRADIENT_FEATURES][PASS_UNITS];
            sum_features(block, r, k0 + k, n_features, chain);
            EACH(f, GRADIENT_FEATURES)
            EACH(u, PASS_UNITS) chains[u][k + f] = k0 + k + f < n_features ? chain[f][u] : bias[u];
        }
        for (int u = 0; u < PASS_UNITS; u++) STORE(__global, sum_g + (size_t)u * s_stride + k0, add_lanes(chains[u]));
    }
}
#endif

__kernel void rows_sums(__global const stored *X_g, __global const float *steps_g, __global const float *V_g,
                        __global float *sums_g, __global float *chains_g, ROW_PARAMETERS, int first_row, int n_rows,
                        int n_features, int n_passes, int first_unit, int s_stride, int n_blocks) {
    const row_sources from = ROW_SOURCES;
    const rows_run run = rows_of_group(n_blocks);
    __global float *group_chains_g = chains_g + get_group_id(0) * (size_t)n_features * PASS_UNITS * TILE;
    for (int b = run.first; b < run.end; b++) {
        const rows_block block = rows_find_block(X_g, steps_g, b, first_row, n_rows, n_features);
        for (int pass = 0; pass < n_passes; pass++)
            sum_block(&from, &block, V_g + (size_t)pass * (n_features + 1) * PASS_UNITS,
                      sums_g + ((size_t)b * n_passes + pass) * PASS_UNITS * s_stride, group_chains_g, n_features,
                      first_unit + pass * PASS_UNITS, s_stride);
    }
}
