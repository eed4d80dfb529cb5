/* The shape of work where features are sparse: an item has SPARSE_VECTORS vectors of units and a run of lines, rows or
 * features, `run` of them. All lanes of a group that hold units read the same entry of a line, and units that lie
 * together: loads are coalesced, and no lane waits for another's longer line. Where units are fewer than a group's
 * items, the others take further lines.
 *
 * Entries are those values that are given; all others are 0 and add nothing to any sum: fma(0, y, s) is s for every
 * finite y, but for the sign of a zero, which no sum that follows can tell. So results have the bits of dense features.
 */
#if defined(COMPILED_AS_C)
#define SPARSE_VECTORS 64 /* lanes of the vectors that the C compiler makes */
#elif LOCAL_MEMORY
#define SPARSE_VECTORS ITEM_VECTORS
#else
#define SPARSE_VECTORS (ITEM_VECTORS * ITEM_VECTORS) /* on CPUs a row of many units is worth its way from memory */
#endif
#define SPARSE_UNITS (SPARSE_VECTORS * UNIT_VECTOR)

/* Calls function(vectors, unit, ...) for the units of an item, where the number of vectors is a constant. In C, whose
 * matrices of units are padded to SPARSE_LEAST, for all of them at once or SPARSE_LEAST at a time. */
#ifdef COMPILED_AS_C
#define SPARSE_LEAST 16
#define SPARSE_ITEM(function, ...)                      \
    if (n_units - unit > SPARSE_VECTORS - SPARSE_LEAST) \
        function(SPARSE_VECTORS, unit, __VA_ARGS__);    \
    else                                                \
        for (int u = unit; u < n_units; u += SPARSE_LEAST) function(SPARSE_LEAST, u, __VA_ARGS__)
#else
#define SPARSE_ITEM(function, ...) function(SPARSE_VECTORS, unit, __VA_ARGS__)
#endif

/* Where the vectors of an item lie from its first unit on. Matrices of units are padded for one vector: one that holds
 * no unit is done as the first once more. */
INLINE void sparse_places(const int vectors, int unit, int n_units, int at[SPARSE_VECTORS]) {
    EACH(v, vectors) at[v] = UNIT_VECTOR == 1 || unit + v * UNIT_VECTOR < n_units ? v * UNIT_VECTOR : 0;
}

/* sum += x y, y_g at the item's first unit. */
INLINE void sparse_add(const int vectors, float x, __global const float *y_g, const int at[SPARSE_VECTORS],
                       vfloat sum[SPARSE_VECTORS]) {
    EACH(v, vectors) sum[v] = fma((vfloat)(x), LOAD(__global, y_g + at[v]), sum[v]);
}
