/* The gradient of the strategy `fused`: one pass over X. A block of rows is multiplied with W, becomes deltas and is
 * folded into the gradient while it is in cache; predictions and deltas never leave the core.
 *
 *   X_g, steps_g  tiles of X (store.cl)      W_g  [n_features + 1, u_stride], bias in the last row
 *   G_g  [n_parts, n_features, g_stride], B_g [n_parts, g_stride], out: sums of the units from first_unit on; with one
 *        part of several blocks and rows that are folded in several goes, G_g has room for a second part
 *
 *   most_rows  without LOCAL_MEMORY: rows of a block that are folded in one go, at most
 *
 * Launch: dimension 0 covers the units, UNITS a group; dimension 1 is one group; dimension 2 the n_parts parts. n_parts
 * is n_blocks (each part is one block's sum, added up by the update) or, without LOCAL_MEMORY, 1 (the item walks
 * through all blocks and adds them in the same order). first_row is a multiple of TILE. Order: that of `staged`, bit by
 * bit. z starts at the bias and gains one fma a feature, features ascending; a block's sum starts at 0 and gains one
 * fma a sample (an addition, for the bias), samples ascending; block sums are added ascending to 0.
 */

#if LOCAL_MEMORY

/* Rows whose deltas are in local memory at once: in 16 KiB, so that a group has less than the 32 KiB that every device
 * has and several find room beside each other. A block of more is folded in that many rows at a time; its sums wait in
 * G_g in between. */
#define DELTA_FLOATS 4096
#define FOLD_ROWS (DELTA_FLOATS / UNITS < BLOCK_ROWS ? DELTA_FLOATS / UNITS : BLOCK_ROWS)
#define GROUP_ITEMS (LOCAL_ROWS * LOCAL_UNITS)
#define X_SLICE (ROWS + 4) /* floats of a slice of X, as in gradient.cl */

typedef struct fused_group {
    int item, first_tile, n_tiles, n_features;
} fused_group;

/* X_l[d][r]: features k0 + d of the ROWS rows from first_tile on, 0 behind the last. */
static inline void load_rows(const fused_group *group, __global const stored *X_g, __global const float *steps_g,
                             int first_tile, int k0, __local float *X_l) {
    for (int e = group->item; e < DEPTH * ROWS; e += GROUP_ITEMS) {
        const int tile = first_tile + e / (DEPTH * TILE), k = k0 + e / TILE % DEPTH, lane = e % TILE;
        const bool inside = tile < group->n_tiles && k < group->n_features;
        X_l[e / TILE % DEPTH * X_SLICE + e / (DEPTH * TILE) * TILE + lane] =
            inside ? VALUE(X_g + ((size_t)tile * group->n_features + k) * TILE + lane, steps_g + k * STEP) : 0.0f;
    }
}

/* X_l[d][f]: features k0 + f of the DEPTH rows of a tile from row d0 on. */
static inline void load_features(const fused_group *group, __global const stored *X_g, __global const float *steps_g,
                                 int tile, int d0, int k0, __local float *X_l) {
    for (int e = group->item; e < DEPTH * ROWS; e += GROUP_ITEMS) {
        const int f = e / DEPTH, d = e % DEPTH, k = k0 + f;
        const bool inside = tile < group->n_tiles && k < group->n_features;
        __global const stored *x_g = X_g + ((size_t)tile * group->n_features + k) * TILE + d0 + d;
        X_l[d * X_SLICE + f] = inside ? VALUE(x_g, steps_g + k * STEP) : 0.0f;
    }
}

__kernel void fused(__global const stored *X_g, __global const float *steps_g, __global const float *W_g,
                    __global float *G_g, __global float *B_g, ROW_PARAMETERS, int first_row, int n_rows, int n_features,
                    int first_unit, int g_stride, int n_blocks, int most_rows) {
    __local float X_l[DEPTH * X_SLICE] __attribute__((aligned(64)));
    __local float W_l[DEPTH * UNITS] __attribute__((aligned(64)));
    __local float R_l[FOLD_ROWS * UNITS] __attribute__((aligned(64)));
    const int unit = get_global_id(0) * ITEM_UNITS, local_unit = get_local_id(0) * ITEM_UNITS;
    const int group_unit = get_group_id(0) * UNITS;
    const int item_row = get_local_id(1) * ITEM_ROWS;
    const int block = get_global_id(2);
    const int n = min(n_rows - block * BLOCK_ROWS, BLOCK_ROWS);
    const int block_row = first_row + block * BLOCK_ROWS;
    const fused_group group = {get_local_id(1) * LOCAL_UNITS + get_local_id(0), block_row / TILE,
                               (first_row + n_rows + TILE - 1) / TILE, n_features};
    __global const float *W_item_g = W_g + first_unit + unit;
    const row_sources from = ROW_SOURCES;
    vfloat bias_sum[ITEM_VECTORS];
    (void)n_blocks, (void)most_rows; /* each block has a part; FOLD_ROWS */
#pragma unroll
    for (int v = 0; v < ITEM_VECTORS; v++) bias_sum[v] = (vfloat)(0.0f);

    for (int i0 = 0; i0 < n; i0 += FOLD_ROWS) {
        const int fold_rows = min(n - i0, FOLD_ROWS);
        for (int i = 0; i < fold_rows; i += ROWS) {
            vfloat z[ITEM_ROWS][ITEM_VECTORS];
#pragma unroll
            for (int v = 0; v < ITEM_VECTORS; v++) {
                const vfloat bias = LOAD(__global, W_item_g + (size_t)n_features * u_stride + v * UNIT_VECTOR);
#pragma unroll
                for (int a = 0; a < ITEM_ROWS; a++) z[a][v] = bias;
            }
            for (int k0 = 0; k0 < n_features; k0 += DEPTH) {
                load_rows(&group, X_g, steps_g, group.first_tile + (i0 + i) / TILE, k0, X_l);
                for (int e = group.item; e < DEPTH * UNITS; e += GROUP_ITEMS) {
                    const int k = k0 + e / UNITS;
                    W_l[e] = k < n_features ? W_g[(size_t)k * u_stride + first_unit + group_unit + e % UNITS] : 0.0f;
                }
                barrier(CLK_LOCAL_MEM_FENCE); /* publishes X_l and W_l */
                multiply_add(X_l + item_row, X_SLICE, 1, W_l + local_unit, UNITS, DEPTH, z);
                barrier(CLK_LOCAL_MEM_FENCE); /* all have read before the next slices overwrite */
            }
            __local float *r_l = R_l + (i + item_row) * UNITS + local_unit;
#pragma unroll
            for (int a = 0; a < ITEM_ROWS; a++) {
#pragma unroll
                for (int v = 0; v < ITEM_VECTORS; v++) STORE(__local, r_l + a * UNITS + v * UNIT_VECTOR, z[a][v]);
            }
            /* Not unrolled, to spare registers: this runs once in n_features fma. */
            for (int v = 0; v < ITEM_VECTORS; v++) {
                const row_units units = row_units_load(&from, first_unit + unit + v * UNIT_VECTOR);
#pragma unroll 1
                for (int a = 0; a < ITEM_ROWS; a++, r_l += UNITS) {
                    vfloat r = (vfloat)(0.0f);
                    const int row = i + item_row + a;
                    if (row < fold_rows)
                        r = row_delta_at(&from, &units, block_row + i0 + row, sigmoid(LOAD(__local, r_l)));
                    STORE(__local, r_l, r);
                }
                r_l += UNIT_VECTOR - ITEM_ROWS * UNITS;
            }
        }
        barrier(CLK_LOCAL_MEM_FENCE); /* publishes R_l */

        for (int row = 0; item_row == 0 && row < fold_rows; row++) {
#pragma unroll
            for (int v = 0; v < ITEM_VECTORS; v++)
                bias_sum[v] += LOAD(__local, R_l + row * UNITS + local_unit + v * UNIT_VECTOR);
        }
        for (int k0 = 0; k0 < n_features; k0 += ROWS) {
            __global float *G_item_g = G_g + ((size_t)block * n_features + k0 + item_row) * g_stride + unit;
            vfloat sum[ITEM_ROWS][ITEM_VECTORS];
#pragma unroll
            for (int a = 0; a < ITEM_ROWS; a++) {
                const bool resumes = i0 > 0 && k0 + item_row + a < n_features;
#pragma unroll
                for (int v = 0; v < ITEM_VECTORS; v++) {
                    sum[a][v] = (vfloat)(0.0f);
                    if (resumes) sum[a][v] = LOAD(__global, G_item_g + (size_t)a * g_stride + v * UNIT_VECTOR);
                }
            }
            for (int i = 0; i < fold_rows; i += DEPTH) {
                load_features(&group, X_g, steps_g, group.first_tile + (i0 + i) / TILE, i % TILE, k0, X_l);
                barrier(CLK_LOCAL_MEM_FENCE); /* publishes X_l */
                multiply_add(X_l + item_row, X_SLICE, 1, R_l + i * UNITS + local_unit, UNITS, DEPTH, sum);
                barrier(CLK_LOCAL_MEM_FENCE); /* all have read X_l, and R_l, before they are overwritten */
            }
#pragma unroll
            for (int a = 0; a < ITEM_ROWS; a++) {
#pragma unroll
                for (int v = 0; v < ITEM_VECTORS; v++)
                    if (k0 + item_row + a < n_features)
                        STORE(__global, G_item_g + (size_t)a * g_stride + v * UNIT_VECTOR, sum[a][v]);
            }
        }
    }
#pragma unroll
    for (int v = 0; v < ITEM_VECTORS; v++)
        if (item_row == 0) STORE(__global, B_g + (size_t)block * g_stride + unit + v * UNIT_VECTOR, bias_sum[v]);
}

#else

/* What an item knows of its units. */
typedef struct fused_item {
    row_sources from;
    row_units units[ITEM_VECTORS];
    vfloat bias[ITEM_VECTORS];
    vfloat bias_sum[ITEM_VECTORS]; /* of the block's deltas */
} fused_item;

/* Rows of a block that are folded in one go, all or some, and a slice of the features. */
typedef struct fused_block {
    __global const stored *X_g; /* of the first of the rows */
    __global const float *steps_g;
    int first_row, n_rows, n_features;
    int first_feature, depth;
} fused_block;

/* Rows that are multiplied at once, and features whose sums are in registers at once. With two vectors of 8 six, whose
 * sums fill twelve of 16 registers: four would wait for each other. */
#if STORAGE == STORAGE_F32 && UNIT_VECTOR == 8 && ITEM_VECTORS == 2
#define AT_ONCE 6
#else
#define AT_ONCE ITEM_ROWS
#endif

/* Rows that are finished together, their sigmoids in step: as many as go through it at once, or as there are. */
#define FINISHED (IN_STEP / ITEM_VECTORS < AT_ONCE ? IN_STEP / ITEM_VECTORS : AT_ONCE)
#if AT_ONCE % FINISHED != 0
#error "FINISHED must divide AT_ONCE"
#endif

/* z of the first n of FINISHED rows become deltas, which are added to the bias's sum. */
static inline void finish_rows(fused_item *item, int place, int n, vfloat (*r)[ITEM_VECTORS]) {
    vfloat p[IN_STEP];
    EACH(a, FINISHED) EACH(v, ITEM_VECTORS) p[a * ITEM_VECTORS + v] = r[a][v];
    sigmoids(p, FINISHED * ITEM_VECTORS);
    EACH(a, FINISHED) {
        if (a >= n) break;
        EACH(v, ITEM_VECTORS) {
            r[a][v] = row_delta_at(&item->from, &item->units[v], place + a, p[a * ITEM_VECTORS + v]);
            item->bias_sum[v] += r[a][v];
        }
    }
}

/* The same of rows from `row` on, where the block has such rows. */
static inline void finish_behind(const fused_block *block, fused_item *item, int row, vfloat (*R)[ITEM_VECTORS]) {
    if (row >= 0 && row < block->n_rows) finish_rows(item, block->first_row + row, block->n_rows - row, R + row);
}

/* z of AT_ONCE rows from i on gain n features from k on, counted from the slice's first. Behind the last row stands the
 * last one again. */
static inline void add_slice(const fused_block *block, int i, int k, int n, const float *W,
                             vfloat z[AT_ONCE][ITEM_VECTORS]) {
    const size_t tile_size = (size_t)block->n_features * TILE;
    __global const stored *x_g = block->X_g + (size_t)(block->first_feature + k) * TILE;
#if TILE % AT_ONCE == 0
    const size_t first = i / TILE * tile_size + i % TILE;
    add_features(x_g + first, block->steps_g + (block->first_feature + k) * STEP, tile_size, W + k * UNITS, n, z);
#else
    __global const float *row_g[AT_ONCE];
    EACH(a, AT_ONCE) {
        const int row = min(i + a, block->n_rows - 1);
        row_g[a] = x_g + row / TILE * tile_size + row % TILE;
    }
    W += k * UNITS;
    for (int d = 0; d < n; d++, W += UNITS) {
        vfloat w[ITEM_VECTORS];
        PREFETCH(row_g[0] + tile_size + d * TILE);
        EACH(v, ITEM_VECTORS) w[v] = LOAD(__private, W + v * UNIT_VECTOR);
        EACH(a, AT_ONCE) {
            const vfloat x = (vfloat)(row_g[a][d * TILE]);
            EACH(v, ITEM_VECTORS) z[a][v] = fma(x, w[v], z[a][v]);
        }
    }
#endif
}

/* The rows of R gain a slice of the features; after the last slice they are deltas, each AT_ONCE rows before, or
 * beside, the product of the rows behind (MANY_REGISTERS). */
static inline void multiply_block(const fused_block *block, const float *W, fused_item *item,
                                  vfloat (*R)[ITEM_VECTORS]) {
    enum { GROUPS = AT_ONCE / FINISHED, SHARES = MANY_REGISTERS ? GROUPS : 1 };
    const bool is_last = block->first_feature + block->depth == block->n_features;
    const int n_behind = is_last ? AT_ONCE : 0;
    for (int i = 0; i < block->n_rows + n_behind; i += AT_ONCE) {
        const bool resumes = block->first_feature > 0 && i < block->n_rows;
        const int depth = i < block->n_rows ? block->depth : 0;
        vfloat z[AT_ONCE][ITEM_VECTORS];
        if (is_last && !MANY_REGISTERS) EACH(g, GROUPS) finish_behind(block, item, i - AT_ONCE + g * FINISHED, R);
        EACH(a, AT_ONCE) EACH(v, ITEM_VECTORS) z[a][v] = resumes ? R[i + a][v] : item->bias[v];
        for (int share = 0, k = 0; share < SHARES; share++) {
            const int end = (share + 1) * depth / SHARES;
            add_slice(block, i, k, end - k, W, z);
            if (is_last && MANY_REGISTERS) finish_behind(block, item, i - AT_ONCE + share * FINISHED, R);
            k = end;
        }
        EACH(a, AT_ONCE) EACH(v, ITEM_VECTORS) R[i + a][v] = z[a][v];
    }
}

/* The sums of AT_ONCE features gain n rows of one tile. */
static inline void add_rows(X_FACTOR const float *x_i, vfloat (*r)[ITEM_VECTORS], int n,
                            vfloat sum[AT_ONCE][ITEM_VECTORS]) {
    for (int i = 0; i < n; i++, x_i++, r++) {
        EACH(a, AT_ONCE) {
            const vfloat x = (vfloat)(x_i[a * TILE]);
            EACH(v, ITEM_VECTORS) sum[a][v] = fma(x, (*r)[v], sum[a][v]);
        }
    }
}

static inline void add_to_total(__global float *total_g, bool is_first, vfloat sum) {
    const vfloat total = is_first ? (vfloat)(0.0f) : LOAD(__global, total_g);
    STORE(__global, total_g, total + sum);
}

/* Where the sums of an item's units go, [n_features, stride] each. */
typedef struct fused_sums {
    __global float *totals_g;
    __global float *waiting_g; /* a block's sums, between two goes */
    size_t stride;
    bool is_first_block, is_begin, is_end; /* of the totals; of the block's rows */
} fused_sums;

/* The block's sums gain X^T R of these rows; whole, they are added to the totals. As many rows behind are asked for. */
static inline void fold_rows(const fused_block *block, vfloat (*R)[ITEM_VECTORS], const fused_sums *sums) {
    const int n_features = block->n_features, n_rows = block->n_rows;
    const size_t behind = (size_t)n_rows * n_features;
    for (int k = 0; k < n_features; k += AT_ONCE) {
        __global const stored *x_g = block->X_g + (size_t)k * TILE;
        float room[AT_ONCE * TILE] __attribute__((aligned(64)));
        vfloat sum[AT_ONCE][ITEM_VECTORS];
        EACH(a, AT_ONCE) {
            const bool resumes = !sums->is_begin && k + a < n_features;
            EACH(v, ITEM_VECTORS) {
                sum[a][v] = (vfloat)(0.0f);
                if (resumes) sum[a][v] = LOAD(__global, sums->waiting_g + (k + a) * sums->stride + v * UNIT_VECTOR);
            }
        }
        for (int i = 0; i < n_rows; i += TILE, x_g += (size_t)n_features * TILE) {
            EACH(a, AT_ONCE) PREFETCH_FAR(x_g + behind + a * TILE);
            add_rows(decode_features(x_g, block->steps_g + k * STEP, room), R + i, min(TILE, n_rows - i), sum);
        }
        EACH(a, AT_ONCE) {
            const size_t at = (k + a) * sums->stride;
            if (k + a >= n_features) break;
            EACH(v, ITEM_VECTORS) {
                if (sums->is_end)
                    add_to_total(sums->totals_g + at + v * UNIT_VECTOR, sums->is_first_block, sum[a][v]);
                else
                    STORE(__global, sums->waiting_g + at + v * UNIT_VECTOR, sum[a][v]);
            }
        }
    }
}

__kernel void fused(__global const stored *X_g, __global const float *steps_g, __global const float *W_g,
                    __global float *G_g, __global float *B_g, ROW_PARAMETERS, int first_row, int n_rows, int n_features,
                    int first_unit, int g_stride, int n_blocks, int most_rows) {
    float W[SLICE * UNITS] __attribute__((aligned(64)));
    const int unit = get_global_id(0) * UNITS;
    const int part = get_global_id(2), n_parts = get_global_size(2);
    const int n_slices = (n_features + SLICE - 1) / SLICE, slice = (n_features + n_slices - 1) / n_slices;
    const size_t matrix = (size_t)n_features * g_stride;
    __global const float *W_units_g = W_g + first_unit + unit;
    __global float *G_units_g = G_g + unit;
    fused_item item = {.from = ROW_SOURCES};
    vfloat R[BLOCK_ROWS + 2 * AT_ONCE][ITEM_VECTORS]; /* z, then deltas; room for rows behind the last */
#pragma unroll
    for (int v = 0; v < ITEM_VECTORS; v++) {
        item.units[v] = row_units_load(&item.from, first_unit + unit + v * UNIT_VECTOR);
        item.bias[v] = LOAD(__global, W_units_g + (size_t)n_features * u_stride + v * UNIT_VECTOR);
    }

    for (int b = part; b < n_blocks; b += n_parts) {
        const int n = min(n_rows - b * BLOCK_ROWS, BLOCK_ROWS);
        fused_sums sums = {.totals_g = G_units_g + (size_t)part * matrix, .stride = (size_t)g_stride};
        sums.waiting_g = G_units_g + (size_t)(n_parts == n_blocks ? part : n_parts) * matrix;
        sums.is_first_block = b == part;
        EACH(v, ITEM_VECTORS) item.bias_sum[v] = (vfloat)(0.0f);
        for (int i = 0; i < n; i += most_rows) {
            fused_block block = {.first_row = first_row + b * BLOCK_ROWS + i,
                                 .n_rows = min(n - i, most_rows),
                                 .n_features = n_features,
                                 .steps_g = steps_g};
            block.X_g = X_g + (size_t)block.first_row * n_features;
            for (int k0 = 0; k0 < n_features; k0 += slice) {
                block.first_feature = k0;
                block.depth = min(slice, n_features - k0);
                const bool is_loaded = n_slices == 1 && (b > part || i > 0);
                if (!is_loaded) load_weights(W_units_g + (size_t)k0 * u_stride, (size_t)u_stride, block.depth, W);
                multiply_block(&block, W, &item, R);
            }
            sums.is_begin = i == 0;
            sums.is_end = i + block.n_rows == n;
            fold_rows(&block, R, &sums);
        }
        EACH(v, ITEM_VECTORS)
        add_to_total(B_g + (size_t)part * g_stride + unit + v * UNIT_VECTOR, sums.is_first_block, item.bias_sum[v]);
    }
}

#endif
