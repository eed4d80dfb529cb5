/* Puts the rows of X in another order, for mini-batches: the row in place i of the copy is row_g[i] of the original.
 *
 *   X_g, out_g   tiles [n_tiles][n_features][TILE] of elements of so many bytes: 1, 2 or 4
 *   row_g        [n_tiles * TILE], out
 *
 *   order    draws the order of an epoch: a permutation of 0 ... n_samples - 1 as a function of seed and epoch; places
 *            behind them keep themselves
 *   reorder  copies the tiles
 *
 * Launch: dimension 0 covers the places, one an item, of reorder PLACES; dimension 1 of reorder the features.
 */
#if LOCAL_MEMORY
#define PLACES 1 /* neighbouring items write neighbouring elements */
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

static inline void copy_element(__global const uchar *from_g, size_t from, __global uchar *to_g, size_t to, int bytes) {
    if (bytes == 4)
        ((__global uint *)to_g)[to] = ((__global const uint *)from_g)[from];
    else if (bytes == 2)
        ((__global ushort *)to_g)[to] = ((__global const ushort *)from_g)[from];
    else
        to_g[to] = from_g[from];
}

__kernel void reorder(__global const uchar *X_g, __global uchar *out_g, __global const int *row_g, int n_places,
                      int n_features, int bytes) {
    const int first = get_global_id(0) * PLACES, k = get_global_id(1);
    for (int place = first; place < first + PLACES && place < n_places; place++) {
        const int row = row_g[place];
        const size_t from = ((size_t)(row / TILE) * n_features + k) * TILE + row % TILE;
        const size_t to = ((size_t)(place / TILE) * n_features + k) * TILE + place % TILE;
        copy_element(X_g, from, out_g, to, bytes);
    }
}
