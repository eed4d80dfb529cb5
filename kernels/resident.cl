/* The strategy `resident`: all epochs of a chunk inside one launch, for many units and few features. Lanes are units;
 * an item keeps the weights, moments and sums of its own in registers, or in its own memory, and walks through all
 * rows.
 *
 *   X_g, steps_g           tiles of X (store.cl)
 *   W_g, M_g, D_g, A_g     as in update.cl; D_g is written after each look_every epochs
 *   H_g, best_g            as in check.cl
 *
 * CPUs look at the stopping rules after each look_every epochs; GPUs leave that to `check`, and a launch ends there.
 *
 * Launch: dimension 0 covers the units, ITEM_UNITS an item. Order: that of `staged`, bit by bit: z starts at the bias
 * and gains one fma a feature, features ascending; a block's sum starts at 0 and gains one fma a sample (an addition,
 * for the bias), samples ascending; block sums are added ascending to 0; then the step of update.cl. Held-out losses:
 * that of measure.cl.
 */
#ifndef FEATURES /* of a row, exactly: arrays of as many elements can be registers */
#define FEATURES 1
#endif
#ifndef ITEM_VECTORS /* 1 or 2, which share what is loaded of X */
#define ITEM_VECTORS 1
#endif
#ifndef LOCAL_MEMORY
#define LOCAL_MEMORY 0
#endif

#if TILE % 8 != 0 || BLOCK_ROWS % TILE != 0
#error "TILE must be a multiple of ROWS_AT_ONCE and divide BLOCK_ROWS"
#endif
#if ITEM_VECTORS != 1 && ITEM_VECTORS != 2
#error "ITEM_VECTORS must be 1 or 2"
#endif

#define ITEM_UNITS (ITEM_VECTORS * UNIT_VECTOR)
#define WEIGHTS (FEATURES + 1) /* the bias last */

#define EACH_LANES(v) EACH(v, ITEM_VECTORS)

/* GPUs: weights and sums are registers, which takes unrolled loops; a group shares a tile of X in local memory, rows
 * side by side, so that a row is read 16 bytes at a time. CPUs: weights and sums are in the first cache, and several
 * rows share what is loaded; registers, where they would do, bring nothing, and unrolled loops spill them. */
#if LOCAL_MEMORY
#define ROWS_AT_ONCE 1
#define EACH_FEATURE(k, n) EACH(k, n)
#define X_SPACE __local
#define ROW_STRIDE ((FEATURES + 3) / 4 * 4)
#define FEATURE(x, row, k) ((x)[(row)*ROW_STRIDE + (k)])
#else
#define ROWS_AT_ONCE (8 / ITEM_VECTORS) /* eight chains at once, which hide each other's latency */
#define EACH_FEATURE(k, n) for (int k = 0; k < (n); k++)
#if STORAGE == STORAGE_F32
#define X_SPACE __global
#else
#define X_SPACE __private
#endif
#define FEATURE(x, row, k) ((x)[(k)*TILE + (row)])
#endif

/* What an item knows of its units. */
typedef struct resident_item {
    row_sources from;
    row_units units[ITEM_VECTORS];
    vfloat w[WEIGHTS][ITEM_VECTORS];
    vfloat sum[WEIGHTS][ITEM_VECTORS];   /* of a block */
    vfloat total[WEIGHTS][ITEM_VECTORS]; /* of the blocks before */
    vfloat m[WEIGHTS][ITEM_VECTORS], v[WEIGHTS][ITEM_VECTORS];
} resident_item;

/* z of ROWS_AT_ONCE rows of a tile. */
static inline void predict_rows(const resident_item *item, X_SPACE const float *x, int i,
                                vfloat z[ROWS_AT_ONCE][ITEM_VECTORS]) {
    EACH(a, ROWS_AT_ONCE) EACH_LANES(v) z[a][v] = item->w[FEATURES][v];
    EACH_FEATURE(k, FEATURES)
    EACH(a, ROWS_AT_ONCE)
    EACH_LANES(v) z[a][v] = fma((vfloat)(FEATURE(x, i + a, k)), item->w[k][v], z[a][v]);
}

/* The block's sums gain n rows of a tile, the first of which is in this place. */
static inline void add_tile(resident_item *item, X_SPACE const float *x, int place, int n) {
    for (int i = 0; i < n; i += ROWS_AT_ONCE) {
        vfloat r[ROWS_AT_ONCE][ITEM_VECTORS]; /* z, then the delta */
        predict_rows(item, x, i, r);
        EACH(a, ROWS_AT_ONCE) EACH_LANES(v) {
            r[a][v] = row_delta_at(&item->from, &item->units[v], place + i + a, sigmoid(r[a][v]));
            if (ROWS_AT_ONCE > 1 && i + a >= n) r[a][v] = (vfloat)(0.0f); /* behind the last row, where X is 0, too */
            item->sum[FEATURES][v] += r[a][v];
        }
        EACH_FEATURE(k, FEATURES)
        EACH(a, ROWS_AT_ONCE)
        EACH_LANES(v) item->sum[k][v] = fma((vfloat)(FEATURE(x, i + a, k)), r[a][v], item->sum[k][v]);
    }
}

static inline bool ends_block(int row, int n_rows) {
    return (row + TILE) % BLOCK_ROWS == 0 || row + TILE >= n_rows;
}

static inline void clear(vfloat sums[WEIGHTS][ITEM_VECTORS]) {
    EACH_FEATURE(k, WEIGHTS) EACH_LANES(v) sums[k][v] = (vfloat)(0.0f);
}

/* What moves the units of one vector in one epoch. */
typedef struct resident_step {
    unit_step step;
    vint moves; /* 0 where a unit has stopped, or has trained for all of its epochs */
} resident_step;

static inline void step_weights(resident_item *item, const resident_step steps[ITEM_VECTORS], int uses, bool keep,
                                __global float *D_g, int u_stride) {
    EACH_FEATURE(k, WEIGHTS) EACH_LANES(v) {
        const unit_step *s = &steps[v].step;
        const bool is_bias = k == FEATURES;
        const vfloat w = item->w[k][v], slope = step_slope(s, is_bias, w, item->total[k][v]);
        if (keep)
            STORE(__global, D_g + (size_t)k * u_stride + item->units[v].unit,
                  step_residual(s, is_bias, w, slope, uses));
        const vfloat moved = step_weight(s, is_bias, w, slope, &item->m[k][v], &item->v[k][v], uses);
        item->w[k][v] = steps[v].moves > (vint)(0) ? moved : w;
    }
}

/* Weights and moments of the item's units. */
static inline void load_item(resident_item *item, __global const float *W_g, __global const float *M_g, int u_stride,
                             int uses) {
    const size_t matrix = (size_t)WEIGHTS * u_stride;
    EACH_FEATURE(k, WEIGHTS) EACH_LANES(v) {
        const size_t at = (size_t)k * u_stride + item->units[v].unit;
        item->w[k][v] = LOAD(__global, W_g + at);
        item->m[k][v] = uses & (USE_MOMENTUM | USE_ADAM) ? LOAD(__global, M_g + at) : (vfloat)(0.0f);
        item->v[k][v] = uses & USE_ADAM ? LOAD(__global, M_g + matrix + at) : (vfloat)(0.0f);
    }
}

static inline void store_item(const resident_item *item, __global float *W_g, __global float *M_g, int u_stride,
                              int uses) {
    const size_t matrix = (size_t)WEIGHTS * u_stride;
    EACH_FEATURE(k, WEIGHTS) EACH_LANES(v) {
        const size_t at = (size_t)k * u_stride + item->units[v].unit;
        STORE(__global, W_g + at, item->w[k][v]);
        if (uses & (USE_MOMENTUM | USE_ADAM)) STORE(__global, M_g + at, item->m[k][v]);
        if (uses & USE_ADAM) STORE(__global, M_g + matrix + at, item->v[k][v]);
    }
}

#if LOCAL_MEMORY

/* A tile as floats, for the group. */
static inline void share_tile(__global const stored *tile_g, __global const float *steps_g, __local float *x_l) {
    barrier(CLK_LOCAL_MEM_FENCE); /* all have read the tile before */
    for (int e = get_local_id(0); e < TILE * FEATURES; e += get_local_size(0))
        FEATURE(x_l, e % TILE, e / TILE) = VALUE(tile_g + e, steps_g + e / TILE * STEP);
    barrier(CLK_LOCAL_MEM_FENCE); /* publishes x_l */
}

#else

/* A tile as floats: itself, or decoded to x. */
static inline X_SPACE const float *decode_tile(__global const stored *tile_g, __global const float *steps_g,
                                               __private float *x) {
#if STORAGE == STORAGE_F32
    (void)steps_g;
    (void)x;
    return tile_g;
#else
    for (int k = 0; k < FEATURES; k++)
        *(__private JOIN(float, TILE) *)(x + k * TILE) = VALUES(TILE, tile_g + k * TILE, steps_g + k * STEP);
    return x;
#endif
}

#endif

#if !LOCAL_MEMORY

/* ---- The stopping rules, on CPUs --------------------------------------------------------------------------------- */

/* The block's held-out losses gain n rows of a tile, the first of which is in this place. */
static inline void add_held_losses(const resident_item *item, X_SPACE const float *x, int place, int n,
                                   vfloat losses[ITEM_VECTORS]) {
    for (int i = 0; i < n; i += ROWS_AT_ONCE) {
        vfloat z[ROWS_AT_ONCE][ITEM_VECTORS];
        predict_rows(item, x, i, z);
        EACH(a, ROWS_AT_ONCE) EACH_LANES(v) {
            if (i + a >= n) continue;
            row_view row;
            row_read(&item->from, &item->units[v], place + i + a, &row);
            const vfloat loss = row_loss(z[a][v], sigmoid(z[a][v]), row.y, item->units[v].loss);
            losses[v] = fma(row.held, loss, losses[v]);
        }
    }
}

static inline void find_held_losses(const resident_item *item, __global const stored *X_g,
                                    __global const float *steps_g, __private float *x, int n_rows,
                                    vfloat totals[ITEM_VECTORS]) {
    vfloat losses[ITEM_VECTORS]; /* of a block */
    for (int row = 0; row < n_rows; row += TILE) {
        if (row % BLOCK_ROWS == 0) EACH_LANES(v) losses[v] = (vfloat)(0.0f);
        X_SPACE const float *tile = decode_tile(X_g + (size_t)row * FEATURES, steps_g, x);
        add_held_losses(item, tile, row, min(n_rows - row, TILE), losses);
        if (ends_block(row, n_rows)) EACH_LANES(v) totals[v] += losses[v];
    }
}

/* Keeps the weights of the units that the look found improved. */
static inline void keep_best_weights(const resident_item *item, __global const float *A_g, __global float *best_g) {
    const int u_stride = item->from.u_stride;
    EACH_LANES(v) {
        const int unit = item->units[v].unit;
        const vint improved = STATE_INTEGERS(STATE_IMPROVED, unit);
        EACH_FEATURE(k, WEIGHTS) {
            __global float *at = best_g + (size_t)k * u_stride + unit;
            STORE(__global, at, improved > (vint)(0) ? item->w[k][v] : LOAD(__global, at));
        }
    }
}

/* Whether one of the units still trains after so many epochs. */
static inline bool any_trains(const resident_item *item, __global const float *A_g, int epochs) {
    __global const float *U_g = item->from.U_g;
    const int u_stride = item->from.u_stride;
    int any = 0;
    EACH_LANES(v) {
        const int unit = item->units[v].unit;
        const vint left = UNIT_INTEGERS(UNIT_EPOCHS, unit) - (vint)(epochs);
        const vint trains = left > (vint)(0) ? STATE_INTEGERS(STATE_ACTIVE, unit) : (vint)(0);
        EACH(c, UNIT_VECTOR) any |= ((const int *)&trains)[c];
    }
    return any;
}

#endif

__kernel void resident(__global const stored *X_g, __global const float *steps_g, __global float *W_g,
                       __global float *M_g, __global float *D_g, __global float *A_g, __global const float *H_g,
                       __global float *best_g, ROW_PARAMETERS, int n_rows, int first, int count, int look_every) {
    const int uses = USES_OR(uses_given), unit = get_global_id(0) * ITEM_UNITS;
    resident_item item = {.from = ROW_SOURCES};
#if LOCAL_MEMORY
    __local float x[TILE * ROW_STRIDE] __attribute__((aligned(16)));
#else
    float x[STORAGE == STORAGE_F32 ? 1 : TILE * FEATURES] __attribute__((aligned(64)));
#endif
    EACH_LANES(v) item.units[v] = row_units_load(&item.from, unit + v * UNIT_VECTOR);
    load_item(&item, W_g, M_g, u_stride, uses);
    for (int epoch = first; epoch < first + count; epoch++) {
        resident_step steps[ITEM_VECTORS];
        const bool looks = look_every > 0 && (epoch + 1) % look_every == 0;
        clear(item.total);
        for (int row = 0; row < n_rows; row += TILE) {
            __global const stored *tile_g = X_g + (size_t)row * FEATURES;
            if (row % BLOCK_ROWS == 0) clear(item.sum);
#if LOCAL_MEMORY
            share_tile(tile_g, steps_g, x);
            add_tile(&item, x, row, min(n_rows - row, TILE));
#else
            add_tile(&item, decode_tile(tile_g, steps_g, x), row, min(n_rows - row, TILE));
#endif
            if (ends_block(row, n_rows)) EACH_FEATURE(k, WEIGHTS) EACH_LANES(v) item.total[k][v] += item.sum[k][v];
        }
        EACH_LANES(v) {
            const int at = unit + v * UNIT_VECTOR;
            const vint left = UNIT_INTEGERS(UNIT_EPOCHS, at) - (vint)(epoch);
            steps[v].step = unit_step_load(U_g, u_stride, at, epoch, epoch, uses);
            steps[v].moves = left > (vint)(0) ? STATE_INTEGERS(STATE_ACTIVE, at) : (vint)(0);
        }
        step_weights(&item, steps, uses, looks, D_g, u_stride);
#if !LOCAL_MEMORY
        if (!looks) continue;
        vfloat losses[ITEM_VECTORS];
        EACH_LANES(v) losses[v] = (vfloat)(0.0f);
        if (uses & USE_PATIENCE) find_held_losses(&item, X_g, steps_g, x, n_rows, losses);
        EACH_LANES(v) {
            const int at = unit + v * UNIT_VECTOR;
            const unit_norm norm = column_norm(D_g, FEATURES, u_stride, at);
            look_at_rules(U_g, A_g, u_stride, at, &norm, losses[v] * LOAD(__global, H_g + at), epoch + 1);
        }
        if (uses & USE_PATIENCE) keep_best_weights(&item, A_g, best_g);
        if (!any_trains(&item, A_g, epoch + 1)) break;
#endif
    }
    store_item(&item, W_g, M_g, u_stride, uses);
}
