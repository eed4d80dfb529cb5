/* The shape of work where features are sparse: an item has SPARSE_VECTORS vectors of units and a run of lines, rows or
 * features, `run` of them. All lanes of a group that hold units read the same entry of a line, and units that lie
 * together: loads are coalesced, and no lane waits for another's longer line. Where units are fewer than a group's
 * items, the others take further lines.
 *
 * Entries are those values that are given; all others are 0 and add nothing to any sum: fma(0, y, s) is s for every
 * finite y, but for the sign of a zero, which no sum that follows can tell. So results have the bits of dense features.
 */
#ifdef COMPILED_AS_C
#define SPARSE_LANES 16 /* of a vector that the C compiler makes */
#define SPARSE_VECTORS 4
typedef float sparse_vector __attribute__((vector_size(SPARSE_LANES * sizeof(float)), may_alias));
#define SPARSE_ZERO ((sparse_vector){0.0f})
#else
#define SPARSE_LANES UNIT_VECTOR
#if LOCAL_MEMORY || ITEM_VECTORS == 1
#define SPARSE_VECTORS ITEM_VECTORS
#else
#define SPARSE_VECTORS 4 /* on CPUs a row of many units is worth its way from memory */
#endif
typedef vfloat sparse_vector;
#define SPARSE_ZERO ((vfloat)(0.0f))
#endif
#define SPARSE_UNITS (SPARSE_VECTORS * SPARSE_LANES)

#define SPARSE_LOAD(pointer) (*(__global const sparse_vector *)(pointer))
#define SPARSE_STORE(pointer, value) (*(__global sparse_vector *)(pointer) = (value))

/* Calls function(vectors, unit, ...) for the units of an item, where the number of vectors is a constant. In C for all
 * of them at once, or where units are fewer a vector at a time. */
#ifdef COMPILED_AS_C
#define SPARSE_ITEM(function, ...)                    \
    if (n_units - unit > SPARSE_UNITS - SPARSE_LANES) \
        function(SPARSE_VECTORS, unit, __VA_ARGS__);  \
    else                                              \
        for (int u = unit; u < n_units; u += SPARSE_LANES) function(1, u, __VA_ARGS__)
#else
#define SPARSE_ITEM(function, ...) function(SPARSE_VECTORS, unit, __VA_ARGS__)
#endif

/* Where the vectors of an item lie from its first unit on. Matrices of units are padded for one vector: one that holds
 * no unit is done as the first once more. */
INLINE void sparse_places(const int vectors, int unit, int n_units, int at[SPARSE_VECTORS]) {
#ifdef COMPILED_AS_C
    (void)unit; /* each holds one */
    (void)n_units;
    EACH(v, vectors) at[v] = v * SPARSE_LANES;
#else
    EACH(v, vectors) at[v] = unit + v * SPARSE_LANES < n_units ? v * SPARSE_LANES : 0;
#endif
}

/* sum += x y, y_g at the item's first unit. */
INLINE void sparse_add(const int vectors, float x, __global const float *y_g, const int at[SPARSE_VECTORS],
                       sparse_vector sum[SPARSE_VECTORS]) {
#ifdef COMPILED_AS_C
    EACH(v, vectors) {
        const sparse_vector y = SPARSE_LOAD(y_g + at[v]);
        EACH(lane, SPARSE_LANES) sum[v][lane] = fma(x, y[lane], sum[v][lane]);
    }
#else
    EACH(v, vectors) sum[v] = fma((vfloat)(x), SPARSE_LOAD(y_g + at[v]), sum[v]);
#endif
}

INLINE sparse_vector sparse_sigmoid(sparse_vector z) {
#ifdef COMPILED_AS_C
    EACH(lane, SPARSE_LANES) z[lane] = sigmoid(z[lane]);
    return z;
#else
    return sigmoid(z);
#endif
}
