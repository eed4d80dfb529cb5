/* The shape of work where features are sparse: an item has SPARSE_VECTORS vectors of units and a run of lines, rows or
 * features, `run` of them. All lanes of a group that hold units read the same entry of a line, and units that lie
 * together: loads are coalesced, and no lane waits for another's longer line. Where units are fewer than a group's
 * items, the others take further lines.
 *
 * Entries are those values that are given; all others are 0 and add nothing to any sum: fma(0, y, s) is s for every
 * finite y, but for the sign of a zero, which no sum that follows can tell. So results have the bits of dense features.
 */
#ifdef COMPILED_AS_C
#define SPARSE_VECTORS 16 /* lanes of a vector that the C compiler makes */
#else
#define SPARSE_VECTORS ITEM_VECTORS
#endif
#define SPARSE_UNITS (SPARSE_VECTORS * UNIT_VECTOR)

/* Where the vectors of an item lie from its first unit on. Matrices of units are padded for one vector: one that holds
 * no unit is done as the first once more. */
INLINE void sparse_places(int unit, int n_units, int at[SPARSE_VECTORS]) {
    EACH(v, SPARSE_VECTORS) at[v] = unit + v * UNIT_VECTOR < n_units || UNIT_VECTOR == 1 ? v * UNIT_VECTOR : 0;
}

/* sum += x y, y_g at the item's first unit. */
INLINE void sparse_add(float x, __global const float *y_g, const int at[SPARSE_VECTORS], vfloat sum[SPARSE_VECTORS]) {
    EACH(v, SPARSE_VECTORS) sum[v] = fma((vfloat)(x), LOAD(__global, y_g + at[v]), sum[v]);
}
