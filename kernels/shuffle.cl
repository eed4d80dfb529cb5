/* Puts the rows of X in another order, for mini-batches: the row in place i of the copy is row_g[i] of the original.
 *
 *   X_g, out_g   tiles [n_tiles][n_features][TILE]      row_g [n_tiles * TILE], out
 *
 *   order    draws the order of an epoch: a permutation of 0 ... n_samples - 1 as a function of seed and epoch; places
 *            behind them keep themselves
 *   reorder  copies the tiles
 *
 * Launch: dimension 0 covers the places, one an item, of reorder PLACES; dimension 1 of reorder the features.
 */
#if LOCAL_MEMORY
#define PLACES 1 /* neighbouring items write neighbouring floats */
#else
#define PLACES TILE /* an item is a group: it does a tile's */
#endif

__kernel void order(__global int *row_g, int n_samples, int n_places, int half_bits, int seed_low, int seed_high,
                    int epoch) {
    const int place = get_global_id(0);
    if (place >= n_places) return;
    uint row = (uint)place;
    if (place < n_samples)
        row = permuted(row, (uint)n_samples, half_bits, (uint)seed_low, (uint)seed_high, RANDOM_ORDER, (uint)epoch);
    row_g[place] = (int)row;
}

__kernel void reorder(__global const float *X_g, __global float *out_g, __global const int *row_g, int n_places,
                      int n_features) {
    const int first = get_global_id(0) * PLACES, k = get_global_id(1);
    for (int place = first; place < first + PLACES && place < n_places; place++) {
        const int row = row_g[place];
        const size_t from = ((size_t)(row / TILE) * n_features + k) * TILE + row % TILE;
        out_g[((size_t)(place / TILE) * n_features + k) * TILE + place % TILE] = X_g[from];
    }
}
