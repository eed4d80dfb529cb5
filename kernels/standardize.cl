/* Standardisation of the features on the device.
 *
 *   X_g [n_tiles][n_features][TILE]     segment_g [n_segments, 3]: first tile, rows (at most BLOCK_ROWS), range
 *   M_g [n_ranges, 3, n_features]       a float near the mean, the rest of the mean, 1 / deviation
 *   S_g [n_segments, 4, n_features]     sums over a segment's rows
 *   T_g [n_ranges, 4, n_features]       sums over a range's rows
 *
 *   moments      X_g -> S_g; around = 0: sums of x and 0; around = 1: sums of d = x - near and of d * d
 *   add_moments  S_g -> T_g; range_g [n_ranges, 2]: first segment, segments
 *   standardize  x becomes ((x - near) - rest) / deviation
 *
 * Each sum is a float and the rest that it lost (D. E. Knuth, The Art of Computer Programming 2, 4.2.2, theorem B), so
 * that sums are nearly those in double. Two passes, the second over small differences, keep the deviation right where
 * the mean is large.
 *
 * Launch: dimension 0 covers the features, one an item, which reads the TILE floats of a tile that lie together; of
 * standardize the cells of a tile; dimension 1 the segments, of add_moments the ranges.
 * Order: rows ascending, segments ascending.
 */
typedef struct compensated {
    float sum;
    float rest;
} compensated;

static inline void compensated_add(compensated *c, float x) {
    const float sum = c->sum + x;
    const float added = sum - c->sum;
    c->rest += (c->sum - (sum - added)) + (x - added);
    c->sum = sum;
}

__kernel void moments(__global const float *X_g, __global const int *segment_g, __global const float *M_g,
                      __global float *S_g, int n_features, int around) {
    const int k = get_global_id(0), segment = get_global_id(1);
    if (k >= n_features) return;
    const int n_rows = segment_g[segment * 3 + 1], range = segment_g[segment * 3 + 2];
    __global const float *x_g = X_g + ((size_t)segment_g[segment * 3] * n_features + k) * TILE;
    const float near = around ? M_g[(size_t)range * 3 * n_features + k] : 0.0f;
    compensated first = {0.0f, 0.0f}, second = {0.0f, 0.0f};
    for (int i = 0; i < n_rows; i++) {
        const float d = x_g[(size_t)(i / TILE) * n_features * TILE + i % TILE] - near;
        compensated_add(&first, d);
        if (around) compensated_add(&second, d * d);
    }
    __global float *sums_g = S_g + (size_t)segment * 4 * n_features + k;
    sums_g[0] = first.sum;
    sums_g[(size_t)n_features] = first.rest;
    sums_g[(size_t)n_features * 2] = second.sum;
    sums_g[(size_t)n_features * 3] = second.rest;
}

__kernel void add_moments(__global const float *S_g, __global const int *range_g, __global float *T_g, int n_features) {
    const int k = get_global_id(0), range = get_global_id(1);
    if (k >= n_features) return;
    compensated first = {0.0f, 0.0f}, second = {0.0f, 0.0f};
    for (int s = 0; s < range_g[range * 2 + 1]; s++) {
        __global const float *sums_g = S_g + (size_t)(range_g[range * 2] + s) * 4 * n_features + k;
        compensated_add(&first, sums_g[0]);
        first.rest += sums_g[(size_t)n_features];
        compensated_add(&second, sums_g[(size_t)n_features * 2]);
        second.rest += sums_g[(size_t)n_features * 3];
    }
    __global float *total_g = T_g + (size_t)range * 4 * n_features + k;
    total_g[0] = first.sum;
    total_g[(size_t)n_features] = first.rest;
    total_g[(size_t)n_features * 2] = second.sum;
    total_g[(size_t)n_features * 3] = second.rest;
}

__kernel void standardize(__global float *X_g, __global const int *segment_g, __global const float *M_g,
                          int n_features) {
    const int cell = get_global_id(0), segment = get_global_id(1), n_cells = n_features * TILE;
    if (cell >= n_cells) return;
    const int n_rows = segment_g[segment * 3 + 1], range = segment_g[segment * 3 + 2], lane = cell % TILE;
    __global float *x_g = X_g + (size_t)segment_g[segment * 3] * n_cells + cell;
    __global const float *mean_g = M_g + (size_t)range * 3 * n_features + cell / TILE;
    const float near = mean_g[0], rest = mean_g[(size_t)n_features], factor = mean_g[(size_t)n_features * 2];
    for (int tile = 0; tile * TILE + lane < n_rows; tile++) {
        const size_t at = (size_t)tile * n_cells;
        x_g[at] = ((x_g[at] - near) - rest) * factor;
    }
}
