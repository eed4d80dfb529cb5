/* The area under the ROC curve of each unit: the share of (positive, negative) pairs of rows in which the positive one
 * has the larger z, pairs weighted by both rows' weights, ties counting half.
 *
 *   auc_keys   Z_g [n_rows, z_stride], the z of the rows from first_row on -> K_g, V_g; n_rows 0: padding
 *   auc_sort   one pass of a bitonic sort of K_g ascending, V_g along with it (K. E. Batcher, AFIPS 1968)
 *   auc_sum    K_g, V_g sorted -> T_g [AUC_SUMS, u_stride]
 *
 *   K_g [n_places, stride]   z of the units from first_unit on; n_places is a power of two, padded by infinity
 *   V_g [n_places, stride]   the rows' weights, negative where y < 0.5; 0: the row does not count. `held` 1: the
 * weights in the held-out fold
 *
 * All lanes sort the same places: no lane diverges, all accesses are coalesced.
 *
 * Launch: dimension 0 covers the units, UNIT_VECTOR an item; dimension 1 the rows (auc_keys) or the pairs of places,
 * n_pairs an item (auc_sort).
 * Order: sums add the sorted places ascending, with what rounding loses kept apart.
 */
__kernel void auc_keys(__global const float *Z_g, __global float *K_g, __global float *V_g, ROW_PARAMETERS,
                       int first_row, int n_rows, int held, int first_unit, int n_units, int z_stride, int stride) {
    const int unit = get_global_id(0) * UNIT_VECTOR;
    const int i = get_global_id(1);
    if (unit >= n_units) return;
    const size_t at = (size_t)(first_row + i) * stride + unit;
    if (i >= n_rows) {
        STORE(__global, K_g + at, (vfloat)(INFINITY));
        STORE(__global, V_g + at, (vfloat)(0.0f));
        return;
    }
    const row_sources from = ROW_SOURCES;
    const row_units units = row_units_load(&from, first_unit + unit);
    const row_view row = row_load(&from, &units, first_row + i);
    const vfloat weight = held ? row.held : row.weight;
    STORE(__global, K_g + at, LOAD(__global, Z_g + (size_t)i * z_stride + unit));
    STORE(__global, V_g + at, row.y >= (vfloat)(0.5f) ? weight : -weight);
}

/* An item does n_pairs, a power of two. `run`: length of the sorted runs that this pass belongs to; `distance` between
 * the places of a pair. */
__kernel void auc_sort(__global float *K_g, __global float *V_g, int n_units, int run, int distance, int n_pairs,
                       int stride) {
    const int unit = get_global_id(0) * UNIT_VECTOR;
    if (unit >= n_units) return;
    for (int i = 0; i < n_pairs; i++) {
        const int pair = get_global_id(1) * n_pairs + i;
        const int low = (pair & ~(distance - 1)) * 2 + (pair & (distance - 1));
        const size_t a = (size_t)low * stride + unit, b = (size_t)(low + distance) * stride + unit;
        const vfloat key_a = LOAD(__global, K_g + a), key_b = LOAD(__global, K_g + b);
        const vfloat value_a = LOAD(__global, V_g + a), value_b = LOAD(__global, V_g + b);
        const vfloat first = low & run ? key_b : key_a, second = low & run ? key_a : key_b;
        STORE(__global, K_g + a, first > second ? key_b : key_a);
        STORE(__global, K_g + b, first > second ? key_a : key_b);
        STORE(__global, V_g + a, first > second ? value_b : value_a);
        STORE(__global, V_g + b, first > second ? value_a : value_b);
    }
}

__kernel void auc_sum(__global const float *K_g, __global const float *V_g, __global float *T_g, int n_places,
                      int first_unit, int n_units, int stride, int u_stride) {
    const int unit = get_global_id(0) * UNIT_VECTOR;
    if (unit >= n_units) return;
    auc_area sums = auc_begin();
    for (int i = 0; i < n_places; i++) {
        const size_t at = (size_t)i * stride + unit;
        auc_take(&sums, LOAD(__global, K_g + at), LOAD(__global, V_g + at));
    }
    auc_end(&sums);
    __global float *total_g = T_g + first_unit + unit;
    STORE(__global, total_g + (size_t)AUC_AREA * u_stride, sums.area);
    STORE(__global, total_g + (size_t)(AUC_AREA + 1) * u_stride, sums.area_rest);
    STORE(__global, total_g + (size_t)AUC_NEGATIVE * u_stride, sums.below + sums.below_rest);
    STORE(__global, total_g + (size_t)AUC_POSITIVE * u_stride, sums.positives + sums.positives_rest);
}
