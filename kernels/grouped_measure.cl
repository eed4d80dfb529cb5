/* Sums over the rows of units that have rows of their own (grouped_block.cl), as measure.cl has them for units that all
 * learn from the same rows.
 *
 *   grouped_weigh     [WEIGH_SUMS, n_blocks]: sums of blocks
 *   grouped_measure   [MEASURE_SUMS, n_blocks]
 *   grouped_add       [n_sums, n_blocks] -> T_g [n_sums, u_stride]
 *
 * order_g, first_block_g, block_owner_g, scratch_g: see grouped_many.cl.
 *
 * Launch: as grouped.cl; of grouped_add dimension 0 covers the units' places, one an item, dimension 1 the sums.
 * Order: as the gradient's.
 */

/* Vectors of a tile that one item adds up, and its first lane. */
#if LOCAL_MEMORY
#define SUM_VECTORS 1
#define SUM_LANE GROUP_ITEM
#define OPEN_SUM_LANES __local float lanes_l[MEASURE_SUMS * LANE_SLICE]
#else
#define SUM_VECTORS VECTORS
#define SUM_LANE 0
#define OPEN_SUM_LANES
#endif

INLINE void clear_measures(vfloat sums[MEASURE_SUMS][SUM_VECTORS]) {
    EACH(s, MEASURE_SUMS) {
        EACH(v, SUM_VECTORS) sums[s][v] = (vfloat)(0.0f);
    }
}

/* Adds up the lanes: sum s to sums_g[s * stride]. */
#if LOCAL_MEMORY
#define STORE_SUMS(sums, n_sums, sums_g, stride) store_sums(sums, n_sums, sums_g, stride, lanes_l)
static inline void store_sums(float sums[MEASURE_SUMS][SUM_VECTORS], int n_sums, __global float *sums_g, int stride,
                              __local float *lanes_l) {
    EACH(s, MEASURE_SUMS) {
        if (GROUP_ITEM < TILE) lanes_l[s * LANE_SLICE + GROUP_ITEM] = sums[s][0];
    }
    barrier(CLK_LOCAL_MEM_FENCE); /* publishes lanes_l */
    if (GROUP_ITEM < n_sums) sums_g[(size_t)GROUP_ITEM * stride] = tree(lanes_l + GROUP_ITEM * LANE_SLICE);
    barrier(CLK_LOCAL_MEM_FENCE); /* all have read lanes_l, and z in the slot, before they are overwritten */
}
#else
#define STORE_SUMS(sums, n_sums, sums_g, stride) store_sums(sums, n_sums, sums_g, stride)
INLINE void store_sums(vfloat sums[MEASURE_SUMS][SUM_VECTORS], int n_sums, __global float *sums_g, int stride) {
    EACH_OF(s, n_sums, MEASURE_SUMS) {
        const vfloat sum = lane_sum(sums[s]);
        sums_g[(size_t)s * stride] = ((const float *)&sum)[0];
    }
}
#endif

__kernel void grouped_weigh(__global const int *order_g, __global const int *first_block_g,
                            __global const int *block_owner_g, __global float *sums_g, ROW_PARAMETERS, int n_blocks,
                            int n_groups) {
    const row_sources from = ROW_SOURCES;
    OPEN_SUM_LANES;
    for (int b = get_global_id(1); b < n_blocks; b += n_groups) {
        const int place = block_owner_g[b], unit = order_g[place];
        const row_units units = row_units_load(&from, unit);
        const row_block rows = unit_block(&from, unit, b - first_block_g[place]);
        vfloat sums[MEASURE_SUMS][SUM_VECTORS];
        clear_measures(sums);
        for (int t = 0; SUM_LANE < TILE && t < rows.n_tiles; t++) {
            EACH(v, SUM_VECTORS) {
                const row_view row = load_inside(&from, &units, rows, t * TILE + SUM_LANE + v * UNIT_VECTOR);
                const vfloat positive = row.y, negative = (vfloat)(1.0f) - row.y;
                sums[WEIGH_NEGATIVE][v] += row.weight * negative;
                sums[WEIGH_POSITIVE][v] += row.weight * positive;
                sums[WEIGH_HELD_NEGATIVE][v] += row.held * negative;
                sums[WEIGH_HELD_POSITIVE][v] += row.held * positive;
            }
        }
        STORE_SUMS(sums, WEIGH_SUMS, sums_g + b, n_blocks);
    }
}

__kernel void grouped_measure(__global const stored *X_g, __global const float *steps_g, __global const float *W_g,
                              __global const int *order_g, __global const int *first_block_g,
                              __global const int *block_owner_g, __global float *sums_g, __global float *scratch_g,
                              ROW_PARAMETERS, int n_features, int n_blocks, int n_groups) {
    const row_sources from = ROW_SOURCES;
    OPEN_SLOTS;
    OPEN_SUM_LANES;
    for (int b = get_global_id(1); b < n_blocks; b += n_groups) {
        const int place = block_owner_g[b], unit = order_g[place];
        const row_units units = row_units_load(&from, unit);
        const row_block rows = unit_block(&from, unit, b - first_block_g[place]);
        vfloat sums[MEASURE_SUMS][SUM_VECTORS];
        clear_measures(sums);
        load_column(W_g + unit, u_stride, n_features, slots + SLOT_WEIGHTS);
        SLOT_BARRIER; /* publishes the weights */
        predict_block(block_features(&from, unit, rows, X_g, steps_g, n_features), slots, rows.n_tiles, n_features);
        for (int t = 0; SUM_LANE < TILE && t < rows.n_tiles; t++) {
            EACH(v, SUM_VECTORS) {
                const int i = t * TILE + SUM_LANE + v * UNIT_VECTOR;
                const vfloat z = LOAD(SLOT_SPACE, slots + SLOT_DELTAS + i);
                const row_view row = load_inside(&from, &units, rows, i);
                const vfloat p = sigmoid(z), error = p - row.y, loss = row_loss(z, p, row.y, units.loss);
                sums[MEASURE_LOSS][v] = fma(row_full_weight(&from, &units, &row), loss, sums[MEASURE_LOSS][v]);
                sums[MEASURE_ERROR][v] = fma(row.weight, error, sums[MEASURE_ERROR][v]);
                sums[MEASURE_CORRECT][v] += row_correct(p, row.y, row.weight);
                if (from.uses & USE_FOLDS) {
                    sums[MEASURE_HELD_LOSS][v] = fma(row.held, loss, sums[MEASURE_HELD_LOSS][v]);
                    sums[MEASURE_HELD_ERROR][v] = fma(row.held, error, sums[MEASURE_HELD_ERROR][v]);
                    sums[MEASURE_HELD_CORRECT][v] += row_correct(p, row.y, row.held);
                }
            }
        }
        STORE_SUMS(sums, MEASURE_SUMS, sums_g + b, n_blocks);
    }
}

__kernel void grouped_add(__global const float *sums_g, __global const int *order_g, __global const int *first_block_g,
                          __global float *T_g, int n_units, int n_blocks, int u_stride) {
    const int place = get_global_id(0), which = get_global_id(1);
    if (place >= n_units) return;
    float total = 0.0f;
    for (int b = first_block_g[place]; b < first_block_g[place + 1]; b++) total += sums_g[(size_t)which * n_blocks + b];
    T_g[(size_t)which * u_stride + order_g[place]] = total;
}
