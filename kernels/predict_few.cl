/* Prediction on CPUs by up to UNIT_VECTOR units, one panel (predict_item.cl). z of CHUNK_ROWS rows is gathered before
 * it is activated, so that the sigmoid's vectors of UNIT_VECTOR lanes are full however few units there are.
 *
 * CPUs alone run this.
 */
#define CHUNK_ROWS (8 * ITEM_ROWS)
#define CHUNK_VECTORS (CHUNK_ROWS * LANES / UNIT_VECTOR)

#if ITEM_VECTORS != 1
#error "ITEM_VECTORS must be 1"
#endif
#if CHUNK_ROWS * LANES % UNIT_VECTOR != 0
#error "z of a chunk must be whole vectors"
#endif

#if LANES == 1
#define STORE_LANES(value, pointer) (*(pointer) = (value))
#else
#define STORE_LANES(value, pointer) JOIN(vstore, LANES)(value, 0, pointer)
#endif

/* z [n_rows, n_units] of up to CHUNK_ROWS rows, which p_g will have. Rows are written ascending, all lanes of each: the
 * next row overwrites those behind n_units. */
static inline void multiply_rows(__global const float *X_g, __global const float *W_g, __global const float *p_g,
                                 int n_features, int n_rows, int n_units, float *z) {
    for (int i = 0; i < n_rows; i += ITEM_ROWS) {
        const item_rows rows = find_rows(X_g + (size_t)i * n_features, n_features, n_rows - i);
        lanes sum[ITEM_ROWS][ITEM_VECTORS];
        ask_for_predictions(p_g + (size_t)i * n_units, n_units);
        start_with_bias(W_g, n_features, sum);
        add_features(&rows, W_g, 0, n_features, sum);
        EACH(a, ITEM_ROWS) if (i + a < n_rows) STORE_LANES(sum[a][0], z + (i + a) * n_units);
    }
}

static inline void activate(vfloat *z, int n_floats) {
    for (int v = 0; v < (n_floats + UNIT_VECTOR - 1) / UNIT_VECTOR; v += IN_STEP) sigmoids(z + v, IN_STEP);
}

static inline void copy_floats(__global float *to_g, const float *from, int n) {
    int e = 0;
    for (; e + UNIT_VECTOR <= n; e += UNIT_VECTOR) STORE_ANYWHERE(LOAD(, from + e), to_g + e);
    for (; e < n; e++) to_g[e] = from[e];
}

__kernel void predict(__global const float *X_g, __global const float *W_g, __global float *P_g, int n_features,
                      int n_rows, int n_units) {
    const int row = get_global_id(1) * STRIP_ROWS, end = min(n_rows, row + STRIP_ROWS);
    vfloat z[CHUNK_VECTORS + IN_STEP];
    for (int v = 0; v < CHUNK_VECTORS + IN_STEP; v++) z[v] = (vfloat)(0.0f);
    for (int i = row; i < end; i += CHUNK_ROWS) {
        const int count = min(end - i, CHUNK_ROWS);
        __global float *p_g = P_g + (size_t)i * n_units;
        multiply_rows(X_g + (size_t)i * n_features, W_g, p_g, n_features, count, n_units, (float *)z);
        activate(z, count * n_units);
        copy_floats(p_g, (const float *)z, count * n_units);
    }
}
