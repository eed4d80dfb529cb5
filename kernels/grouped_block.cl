/* A block of rows of one unit, as the strategy `grouped` works on it: prediction, deltas, gradient sums. Lanes are
 * samples (lanes.cl).
 *
 * A unit's rows are the tiles from UNIT_FIRST_TILE on; its blocks are BLOCK_ROWS rows each, counted from its first row,
 * so that nothing depends on where in X_g the unit lies.
 *
 * Order: z starts at the bias and gains one fma a feature, features ascending. A lane's gradient sum of a block starts
 * at 0 and gains one fma a tile (an addition, for the bias), tiles ascending; the lanes are added by the tree of
 * lanes.cl; the sums of a unit's blocks are added ascending.
 *
 * A group works on UNITS_AT_ONCE units and has all it needs of each in a *slot* of SLOT floats:
 *
 *     deltas, targets, row weights [BLOCK_ROWS] each | weights | gradient sums | moments m | moments v
 *
 * the last four [SLOT_MATRIX]: the features, padded to a whole number of tiles, and a tile for the bias. What is in the
 * padding is no result.
 *
 * LOCAL_MEMORY 0 (CPUs): a group is one item, a vector a tile or a part of one. LOCAL_MEMORY 1 (GPUs): GROUP_ITEMS
 * items, a lane of a tile each. No macro here changes a bit.
 */
#ifndef LOCAL_MEMORY
#define LOCAL_MEMORY 0
#endif
#ifndef SHARED_ROWS /* 1: all units learn from the same rows, and a group's share what is loaded of them */
#define SHARED_ROWS 0
#endif
/* Units a group trains side by side: with SHARED_ROWS 1 to 8, else 1 or 2, one's arithmetic filling the other's waits.
 */
#ifndef UNITS_AT_ONCE
#define UNITS_AT_ONCE 1
#endif
#if !SHARED_ROWS && (UNITS_AT_ONCE == 2 ? UNIT_VECTOR != 16 || LOCAL_MEMORY : UNITS_AT_ONCE != 1)
#error "UNITS_AT_ONCE must be 1, or 2 with vectors of 16 lanes"
#endif

#if LOCAL_MEMORY
#define GROUP_ITEMS 64
#define GROUP_ITEM ((int)get_local_id(0))
#if UNIT_VECTOR != 1
#error "with LOCAL_MEMORY an item is one lane"
#endif
#else
#define GROUP_ITEMS 1
#define GROUP_ITEM 0
#endif

/* Slots of up to SLOT_FEATURES features lie in local memory; 0: in scratch_g. */
#ifndef SLOT_FEATURES
#define SLOT_FEATURES 0
#endif
#if SLOT_FEATURES > 0
#define SLOT_SPACE __local
#else
#define SLOT_SPACE __global
#endif

/* Makes what the group's items have written to a slot visible to all of them. Outside of conditions, also of those that
 * all items share: PoCL copies the code behind a barrier for each way to it, and took five times as long to compile. */
#if LOCAL_MEMORY
#define SLOT_BARRIER barrier(CLK_LOCAL_MEM_FENCE | CLK_GLOBAL_MEM_FENCE)
#else
#define SLOT_BARRIER
#endif

#define BLOCK_TILES (BLOCK_ROWS / TILE)

#define SLOT_BIAS(n_features) (((n_features) + TILE - 1) / TILE * TILE) /* in a matrix of the slot */
#define SLOT_MATRIX(n_features) (SLOT_BIAS(n_features) + TILE)
#define SLOT_DELTAS 0 /* z before */
#define SLOT_TARGETS BLOCK_ROWS
#define SLOT_ROW_WEIGHTS (2 * BLOCK_ROWS)
#define SLOT_WEIGHTS (3 * BLOCK_ROWS)
#define SLOT_SUMS(n_features) (SLOT_WEIGHTS + SLOT_MATRIX(n_features))
#define SLOT_MOMENTS(n_features) (SLOT_WEIGHTS + 2 * SLOT_MATRIX(n_features))
#define SLOT(n_features) (SLOT_WEIGHTS + 4 * SLOT_MATRIX(n_features))

/* ---- Rows -------------------------------------------------------------------------------------------------------- */

/* A block: rows of a unit from a tile on. */
typedef struct row_block {
    int first_tile;
    int n_rows;
    int n_tiles;
} row_block;

static inline row_block unit_block(const row_sources *from, int unit, int block) {
    __global const int *integers_g = (__global const int *)from->U_g + unit;
    row_block rows;
    rows.first_tile = integers_g[(size_t)UNIT_FIRST_TILE * from->u_stride] + block * BLOCK_TILES;
    rows.n_rows = min(integers_g[(size_t)UNIT_ROWS * from->u_stride] - block * BLOCK_ROWS, BLOCK_ROWS);
    rows.n_tiles = (rows.n_rows + TILE - 1) / TILE;
    return rows;
}

/* Features of a block: of its first row, and the steps of its unit's rows. */
typedef struct unit_features {
    __global const stored *x_g;
    __global const float *steps_g;
} unit_features;

static inline unit_features block_features(const row_sources *from, int unit, row_block rows,
                                           __global const stored *X_g, __global const float *steps_g, int n_features) {
    __global const int *range_g = (__global const int *)from->U_g + (size_t)UNIT_RANGE * from->u_stride;
    const size_t range = STORAGE == STORAGE_U8 ? range_g[unit] : 0;
    return (unit_features){X_g + (size_t)rows.first_tile * n_features * TILE, steps_g + range * n_features * STEP};
}

static inline int unit_blocks(const row_sources *from, int unit) {
    __global const int *rows_g = (__global const int *)from->U_g + (size_t)UNIT_ROWS * from->u_stride;
    return (rows_g[unit] + BLOCK_ROWS - 1) / BLOCK_ROWS;
}

/* Targets and weights of the block's rows to the slot; 0 behind the last row. predict_block publishes both. */
static inline void load_rows(const row_sources *from, int unit, row_block rows, SLOT_SPACE float *slot) {
    const row_units units = row_units_load(from, unit);
    for (int i = GROUP_ITEM * UNIT_VECTOR; i < rows.n_tiles * TILE; i += GROUP_ITEMS * UNIT_VECTOR) {
        const row_view row = row_load(from, &units, rows.first_tile * TILE + i);
        const vint inside = (vint)(i) + LANES < (vint)(rows.n_rows);
        const vfloat weight = row_full_weight(from, &units, &row);
        STORE(SLOT_SPACE, slot + SLOT_TARGETS + i, inside ? row.y : (vfloat)(0.0f));
        STORE(SLOT_SPACE, slot + SLOT_ROW_WEIGHTS + i, inside ? weight : (vfloat)(0.0f));
    }
}

/* The rows i ... of a block, with weight 0 behind its last. */
static inline row_view load_inside(const row_sources *from, const row_units *units, row_block rows, int i) {
    row_view row = row_load(from, units, rows.first_tile * TILE + i);
    const vint inside = (vint)(i) + LANES < (vint)(rows.n_rows);
    row.weight = inside ? row.weight : (vfloat)(0.0f);
    row.held = inside ? row.held : (vfloat)(0.0f);
    return row;
}

/* ---- The unit's weights ------------------------------------------------------------------------------------------ */

/* A column of a matrix [n_features + 1, u_stride], to a matrix of the slot, zeros to its padding; and back. */
static inline void load_column(__global const float *column_g, int u_stride, int n_features, SLOT_SPACE float *matrix) {
    const int bias = SLOT_BIAS(n_features);
    for (int k = GROUP_ITEM; k < SLOT_MATRIX(n_features); k += GROUP_ITEMS) {
        const int row = k == bias ? n_features : k;
        matrix[k] = row < n_features || k == bias ? column_g[(size_t)row * u_stride] : 0.0f;
    }
}

static inline void store_column(SLOT_SPACE const float *matrix, int u_stride, int n_features,
                                __global float *column_g) {
    for (int k = GROUP_ITEM; k <= n_features; k += GROUP_ITEMS)
        column_g[(size_t)k * u_stride] = matrix[k == n_features ? SLOT_BIAS(n_features) : k];
}

/* ---- Deltas ------------------------------------------------------------------------------------------------------ */

/* The block's z become deltas. */
#if UNIT_VECTOR == 1
static inline void delta_block(SLOT_SPACE float *slot, int n_tiles, int loss, int uses) {
    for (int i = GROUP_ITEM; i < n_tiles * TILE; i += GROUP_ITEMS) {
        const float p = sigmoid(slot[SLOT_DELTAS + i]);
        slot[SLOT_DELTAS + i] = row_delta(p, slot[SLOT_TARGETS + i], slot[SLOT_ROW_WEIGHTS + i], loss, uses);
    }
    SLOT_BARRIER;
}

#else
INLINE void delta_vectors(__global float *slot_g, int first, int loss, int uses, const int n) {
    vfloat p[IN_STEP];
    EACH_OF(v, n, IN_STEP) p[v] = LOAD(__global, slot_g + SLOT_DELTAS + (first + v) * UNIT_VECTOR);
    sigmoids(p, n);
    EACH_OF(v, n, IN_STEP) {
        const int at = (first + v) * UNIT_VECTOR;
        const vfloat y = LOAD(__global, slot_g + SLOT_TARGETS + at);
        const vfloat weight = LOAD(__global, slot_g + SLOT_ROW_WEIGHTS + at);
        STORE(__global, slot_g + SLOT_DELTAS + at, row_delta(p[v], y, weight, (vint)(loss), uses));
    }
}

static inline void delta_block(SLOT_SPACE float *slot_g, int n_tiles, int loss, int uses) {
    const int n = n_tiles * VECTORS;
    int v = 0; /* the steps become smaller: 8 where registers are many, 4, 2, 1 */
    for (; v + IN_STEP <= n; v += IN_STEP) delta_vectors(slot_g, v, loss, uses, IN_STEP);
    for (; v + 4 <= n; v += 4) delta_vectors(slot_g, v, loss, uses, 4);
    for (; v + 2 <= n; v += 2) delta_vectors(slot_g, v, loss, uses, 2);
    for (; v < n; v++) delta_vectors(slot_g, v, loss, uses, 1);
}

#endif

#if LOCAL_MEMORY

/* ---- On GPUs ----------------------------------------------------------------------------------------------------- */

/* z of the block's rows. */
static inline void predict_block(unit_features x, SLOT_SPACE float *slot, int n_tiles, int n_features) {
    for (int i = GROUP_ITEM; i < n_tiles * TILE; i += GROUP_ITEMS) {
        __global const stored *x_row_g = x.x_g + (size_t)(i / TILE) * n_features * TILE + i % TILE;
        float z = slot[SLOT_WEIGHTS + SLOT_BIAS(n_features)];
        for (int k = 0; k < n_features; k++)
            z = fma(VALUE(x_row_g + k * TILE, x.steps_g + k * STEP), slot[SLOT_WEIGHTS + k], z);
        slot[SLOT_DELTAS + i] = z;
    }
    SLOT_BARRIER;
}

/* Items as [ITEM_ROWS, TILE]: the row of an item takes FEATURES_AT_ONCE / ITEM_ROWS features. */
#define FEATURES_AT_ONCE 16
#define ITEM_ROWS (GROUP_ITEMS / TILE)
#define ITEM_FEATURES (FEATURES_AT_ONCE / ITEM_ROWS)
#define LANE_SLICE \
    (TILE + 1) /* one more than the lanes: items that read lane l of neighbouring features hit other banks */

/* A feature's lanes in local memory, added by the tree. */
static inline float tree(__local const float *lanes_l) {
    float lanes[TILE];
    EACH(l, TILE) lanes[l] = lanes_l[l];
    return lane_sum(lanes);
}

/* The block's gradient sums are stored in the slot, or added to those of the blocks before. lanes_l has
 * FEATURES_AT_ONCE * LANE_SLICE floats. */
static inline void sum_block(unit_features x, SLOT_SPACE float *slot, int n_tiles, int n_features, bool is_first,
                             __local float *lanes_l) {
    const int lane = GROUP_ITEM % TILE, item_row = GROUP_ITEM / TILE;
    for (int k0 = 0; k0 <= n_features; k0 += FEATURES_AT_ONCE) {
        const int k = k0 + item_row * ITEM_FEATURES; /* feature n_features is the bias, with x = 1 */
        float g[ITEM_FEATURES];
        EACH(f, ITEM_FEATURES) g[f] = 0.0f;
        for (int t = 0; t < n_tiles; t++) {
            __global const stored *x_tile_g = x.x_g + ((size_t)t * n_features + k) * TILE + lane;
            const float r = slot[SLOT_DELTAS + t * TILE + lane];
            EACH(f, ITEM_FEATURES) {
                const bool inside = k + f < n_features;
                g[f] = fma(inside ? VALUE(x_tile_g + f * TILE, x.steps_g + (k + f) * STEP) : 1.0f, r, g[f]);
            }
        }
        EACH(f, ITEM_FEATURES) lanes_l[(item_row * ITEM_FEATURES + f) * LANE_SLICE + lane] = g[f];
        barrier(CLK_LOCAL_MEM_FENCE); /* publishes lanes_l */
        if (GROUP_ITEM < FEATURES_AT_ONCE && k0 + GROUP_ITEM <= n_features) {
            const int feature = k0 + GROUP_ITEM;
            const int at = SLOT_SUMS(n_features) + (feature == n_features ? SLOT_BIAS(n_features) : feature);
            const float sum = tree(lanes_l + GROUP_ITEM * LANE_SLICE);
            slot[at] = is_first ? sum : slot[at] + sum;
        }
        SLOT_BARRIER; /* publishes the sums; all have read lanes_l before it is overwritten */
    }
}

#else

/* ---- On CPUs ----------------------------------------------------------------------------------------------------- */

/* Tiles whose z are in registers at once, and features whose sums are. */
#if UNIT_VECTOR == 16 || UNIT_VECTOR == 1
#define TILES_AT_ONCE 8
#define FEATURES_AT_ONCE 16
#else
#define TILES_AT_ONCE 4
#define FEATURES_AT_ONCE 8
#endif
/* z of n tiles of each of n_units units side by side. */
INLINE void predict_tiles(const unit_features *x, __global float *const *slot_g, int tile, int n_features, const int n,
                          const int n_units) {
    vfloat z[2][TILES_AT_ONCE][VECTORS];
    EACH_OF(u, n_units, 2) {
        EACH_OF(t, n, TILES_AT_ONCE) {
            EACH(v, VECTORS) z[u][t][v] = (vfloat)(slot_g[u][SLOT_WEIGHTS + SLOT_BIAS(n_features)]);
        }
    }
    for (int k = 0; k < n_features; k++) {
        EACH_OF(u, n_units, 2) {
            const vfloat w = (vfloat)(slot_g[u][SLOT_WEIGHTS + k]);
            EACH_OF(t, n, TILES_AT_ONCE) {
                __global const stored *x_tile_g = x[u].x_g + ((size_t)(tile + t) * n_features + k) * TILE;
                EACH(v, VECTORS) {
                    const vfloat x_v = VALUE_VECTOR(x_tile_g + v * UNIT_VECTOR, x[u].steps_g + k * STEP);
                    z[u][t][v] = fma(x_v, w, z[u][t][v]);
                }
            }
        }
    }
    EACH_OF(u, n_units, 2) {
        EACH_OF(t, n, TILES_AT_ONCE) {
            __global float *z_g = slot_g[u] + SLOT_DELTAS + (tile + t) * TILE;
            EACH(v, VECTORS) STORE(__global, z_g + v * UNIT_VECTOR, z[u][t][v]);
        }
    }
}

/* z of the block's rows. */
static inline void predict_block(unit_features x, SLOT_SPACE float *slot_g, int n_tiles, int n_features) {
    int tile = 0;
    for (; tile + TILES_AT_ONCE <= n_tiles; tile += TILES_AT_ONCE)
        predict_tiles(&x, &slot_g, tile, n_features, TILES_AT_ONCE, 1);
    for (; tile + 4 <= n_tiles; tile += 4) predict_tiles(&x, &slot_g, tile, n_features, 4, 1);
    for (; tile < n_tiles; tile++) predict_tiles(&x, &slot_g, tile, n_features, 1, 1);
}

#if UNITS_AT_ONCE == 2
/* The same of two units of as many tiles, at most 8: each number of them in a loop of its own. */
static inline void predict_pair(const unit_features *x, __global float *const *slots_g, int n_tiles, int n_features) {
    switch (n_tiles) {
    case 1: predict_tiles(x, slots_g, 0, n_features, 1, 2); break;
    case 2: predict_tiles(x, slots_g, 0, n_features, 2, 2); break;
    case 3: predict_tiles(x, slots_g, 0, n_features, 3, 2); break;
    case 4: predict_tiles(x, slots_g, 0, n_features, 4, 2); break;
    case 5: predict_tiles(x, slots_g, 0, n_features, 5, 2); break;
    case 6: predict_tiles(x, slots_g, 0, n_features, 6, 2); break;
    case 7: predict_tiles(x, slots_g, 0, n_features, 7, 2); break;
    default: predict_tiles(x, slots_g, 0, n_features, 8, 2); break;
    }
}
#endif

/* The first block's sums are stored, those of later ones added. */
INLINE void add_sums(__global float *sums_g, vfloat sums, bool is_first) {
    STORE(__global, sums_g, is_first ? sums : LOAD(__global, sums_g) + sums);
}

/* Of n features from k0 on, some of which may be padding; with those from 0 on of the bias, too. */
INLINE void sum_features(unit_features x, __global float *slot_g, int n_tiles, int n_features, int k0, const int n,
                         bool is_first) {
    vfloat g[FEATURES_AT_ONCE][VECTORS], b[VECTORS];
    EACH_OF(k, n, FEATURES_AT_ONCE) {
        EACH(v, VECTORS) g[k][v] = (vfloat)(0.0f);
    }
    EACH(v, VECTORS) b[v] = (vfloat)(0.0f);
    for (int t = 0; t < n_tiles; t++) {
        __global const stored *x_tile_g = x.x_g + ((size_t)t * n_features + k0) * TILE;
        EACH(v, VECTORS) {
            const vfloat r = LOAD(__global, slot_g + SLOT_DELTAS + t * TILE + v * UNIT_VECTOR);
            EACH_OF(k, n, FEATURES_AT_ONCE) {
                __global const stored *x_g = x_tile_g + k * TILE + v * UNIT_VECTOR;
                g[k][v] = fma(VALUE_VECTOR(x_g, x.steps_g + (k0 + k) * STEP), r, g[k][v]);
            }
            b[v] += r;
        }
    }
    /* Whole vectors, also where n is less: what is read back as a vector must have been stored as one to be fast. */
    __global float *sums_g = slot_g + SLOT_SUMS(n_features);
    const int n_lanes = n < UNIT_VECTOR ? n : UNIT_VECTOR;
    EACH_OF(f, n / n_lanes, FEATURES_AT_ONCE) {
        add_sums(sums_g + k0 + f * n_lanes, lane_sums(g + f * n_lanes, n_lanes), is_first);
    }
    if (k0 == 0) add_sums(sums_g + SLOT_BIAS(n_features), lane_sum(b), is_first);
}

/* The block's gradient sums are stored in the slot, or added to those of the blocks before. */
static inline void sum_block(unit_features x, SLOT_SPACE float *slot_g, int n_tiles, int n_features, bool is_first) {
    for (int k = 0; k < n_features; k += FEATURES_AT_ONCE) {
        if (n_features - k <= FEATURES_AT_ONCE / 4)
            sum_features(x, slot_g, n_tiles, n_features, k, FEATURES_AT_ONCE / 4, is_first);
        else
            sum_features(x, slot_g, n_tiles, n_features, k, FEATURES_AT_ONCE, is_first);
    }
}

#endif
