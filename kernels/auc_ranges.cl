/* The area under the ROC curve (auc.cl) of units that have rows of their own: all units' rows lie in one array, each
 * unit's in a stretch of a power of two of places, at least a tile, the longest stretches first. So a stretch begins at
 * a multiple of its length, and one pass sorts in all of them that are as long as its runs.
 *
 *   auc_range_keys   X_g, steps_g (store.cl), W_g [n_features + 1, u_stride] -> K_g, V_g [n_places]: z, weights
 *   auc_range_sort   one pass of the bitonic sort
 *   auc_range_sum    K_g, V_g sorted -> T_g [AUC_SUMS, u_stride]
 *
 *   order_g          [n_units]: the units in the order of their stretches
 *   first_place_g    [n_units + 1]
 *
 * Lanes are places (lanes.cl), of auc_range_sum all of them the same one.
 * Launch: dimension 0 covers the vectors of places, the pairs of places, n_pairs an item, or the units.
 * Order: z as in grouped_block.cl; sums as in auc.cl.
 */

/* The unit in whose stretch the place lies. */
static inline int owner_of(__global const int *first_place_g, int n_units, int at) {
    int low = 0, high = n_units;
    while (high - low > 1) {
        const int middle = low + (high - low) / 2;
        if (first_place_g[middle] <= at)
            low = middle;
        else
            high = middle;
    }
    return low;
}

__kernel void auc_range_keys(__global const stored *X_g, __global const float *steps_g, __global const float *W_g,
                             __global const int *order_g, __global const int *first_place_g, __global float *K_g,
                             __global float *V_g, ROW_PARAMETERS, int n_features, int n_units, int n_places, int held) {
    const int at = get_global_id(0) * UNIT_VECTOR;
    if (at >= n_places) return;
    const int owner = owner_of(first_place_g, n_units, at), unit = order_g[owner], i = at - first_place_g[owner];
    const row_sources from = ROW_SOURCES;
    __global const int *integers_g = (__global const int *)U_g + unit;
    const int first_tile = integers_g[(size_t)UNIT_FIRST_TILE * u_stride];
    const vint inside = (vint)(i) + LANES < (vint)(integers_g[(size_t)UNIT_ROWS * u_stride]);
    vfloat z = (vfloat)(INFINITY), value = (vfloat)(0.0f);
    if (i < integers_g[(size_t)UNIT_ROWS * u_stride]) {
        const row_units units = row_units_load(&from, unit);
        const row_view row = row_load(&from, &units, first_tile * TILE + i);
        const vfloat weight = held ? row.held : row.weight;
        const size_t range = STORAGE == STORAGE_U8 ? integers_g[(size_t)UNIT_RANGE * u_stride] : 0;
        __global const float *step_g = steps_g + range * n_features * STEP;
        __global const stored *x_g = X_g + (size_t)(first_tile + i / TILE) * n_features * TILE + i % TILE;
        __global const float *w_g = W_g + unit;
        z = (vfloat)(w_g[(size_t)n_features * u_stride]);
        for (int k = 0; k < n_features; k++)
            z = fma(VALUE_VECTOR(x_g + (size_t)k * TILE, step_g + k * STEP), (vfloat)(w_g[(size_t)k * u_stride]), z);
        z = inside ? z : (vfloat)(INFINITY);
        value = inside ? (row.y >= (vfloat)(0.5f) ? weight : -weight) : value;
    }
    STORE(__global, K_g + at, z);
    STORE(__global, V_g + at, value);
}

/* `run`, `distance`: as in auc.cl. The stretches of `run` places, which begin at n_longer, are sorted ascending by it
 * whichever the run's number. */
__kernel void auc_range_sort(__global float *K_g, __global float *V_g, int n_all, int run, int distance, int n_longer,
                             int n_pairs) {
    const int first = get_global_id(0) * n_pairs;
    for (int pair = first; pair < min(first + n_pairs, n_all); pair++) {
        const int low = (pair & ~(distance - 1)) * 2 + (pair & (distance - 1)), high = low + distance;
        const float key_a = K_g[low], key_b = K_g[high], value_a = V_g[low], value_b = V_g[high];
        const bool descends = (low & run) != 0 && low < n_longer;
        const bool swaps = descends ? key_b > key_a : key_a > key_b;
        K_g[low] = swaps ? key_b : key_a;
        K_g[high] = swaps ? key_a : key_b;
        V_g[low] = swaps ? value_b : value_a;
        V_g[high] = swaps ? value_a : value_b;
    }
}

__kernel void auc_range_sum(__global const float *K_g, __global const float *V_g, __global const int *order_g,
                            __global const int *first_place_g, __global float *T_g, int n_units, int u_stride) {
    const int place = get_global_id(0);
    if (place >= n_units) return;
    auc_area sums = auc_begin();
    for (int i = first_place_g[place]; i < first_place_g[place + 1]; i++)
        auc_take(&sums, (vfloat)(K_g[i]), (vfloat)(V_g[i]));
    auc_end(&sums);
    const vfloat negatives = sums.below + sums.below_rest, positives = sums.positives + sums.positives_rest;
    __global float *total_g = T_g + order_g[place];
    total_g[(size_t)AUC_AREA * u_stride] = ((const float *)&sums.area)[0];
    total_g[(size_t)(AUC_AREA + 1) * u_stride] = ((const float *)&sums.area_rest)[0];
    total_g[(size_t)AUC_NEGATIVE * u_stride] = ((const float *)&negatives)[0];
    total_g[(size_t)AUC_POSITIVE * u_stride] = ((const float *)&positives)[0];
}
