/* Prediction on CPUs: P = sigmoid(X W + b), rows as the caller has them.
 *
 *   X_g [n_rows, n_features]     W_g panels [n_panels][n_features + 1][UNITS], bias last, padded with zeros
 *   P_g [n_rows, n_units]        neither X_g nor P_g need be aligned to more than a float
 *
 * The product's vectors hold LANES units, ITEM_VECTORS of them a panel; a value of X goes to all of their lanes. z of
 * CHUNK_ROWS rows is gathered before it is activated, so that the sigmoid's vectors of UNIT_VECTOR lanes are full
 * however few units there are.
 *
 * Launch: dimension 0 the panels, dimension 1 strips of STRIP_ROWS rows, local size 1. The items of one strip come one
 * after the other: its rows are in cache. Order: z starts at the bias and gains one fma a feature, features ascending.
 * No macro changes a bit of any result.
 *
 * CPUs alone run this; predict_group.cl is for GPUs.
 */
#ifndef LANES /* 1, 4, 8 or 16, at most UNIT_VECTOR */
#define LANES 1
#endif
#ifndef ITEM_VECTORS /* 1 to 4 */
#define ITEM_VECTORS 1
#endif
#ifndef ITEM_ROWS /* rows in registers at once: 1 to 16 */
#define ITEM_ROWS 8
#endif
#ifndef STRIP_ROWS
#error "STRIP_ROWS, the rows of an item, must be defined"
#endif

#define UNITS (LANES * ITEM_VECTORS)
#define CHUNK_ROWS (8 * ITEM_ROWS)
#define CHUNK_VECTORS (CHUNK_ROWS * UNITS / UNIT_VECTOR)

#if CHUNK_ROWS * UNITS % UNIT_VECTOR != 0
#error "z of a chunk must be whole vectors"
#endif

#if LANES == 1
typedef float lanes;
#define STORE_LANES(value, pointer) (*(pointer) = (value))
#else
typedef JOIN(float, LANES) lanes;
#define STORE_LANES(value, pointer) JOIN(vstore, LANES)(value, 0, pointer)
#endif

#if UNIT_VECTOR == 1
#define STORE_ANYWHERE(value, pointer) (*(pointer) = (value))
#else
#define STORE_ANYWHERE(value, pointer) JOIN(vstore, UNIT_VECTOR)(value, 0, pointer)
#endif

/* Ask for a cache line of rows further on, since the hardware's own prefetching ends with a page; and of predictions,
 * which are written a line or two a row, each in a page of its own. */
#ifdef __has_builtin
#if __has_builtin(__builtin_prefetch)
#define PREFETCH(pointer) __builtin_prefetch((const void *)(size_t)(pointer))
#define PREFETCH_TO_WRITE(pointer) __builtin_prefetch((const void *)(size_t)(pointer), 1)
#endif
#endif
#ifndef PREFETCH
#define PREFETCH(pointer)
#define PREFETCH_TO_WRITE(pointer)
#endif

/* z [n_rows, z_stride] of up to CHUNK_ROWS rows, which P_g will have. Rows are written ascending, a whole panel each:
 * where z_stride is less, the next row overwrites the rest. Behind the last row stands the last one again, which is not
 * stored. */
static inline void multiply_rows(__global const float *X_g, __global const float *W_g, __global const float *P_g,
                                 int n_features, int n_rows, int n_units, float *z, int z_stride) {
    for (int i = 0; i < n_rows; i += ITEM_ROWS) {
        __global const float *x_g[ITEM_ROWS], *w_g = W_g, *ahead_g = X_g + (size_t)(i + ITEM_ROWS) * n_features;
        lanes sum[ITEM_ROWS][ITEM_VECTORS];
        EACH(a, ITEM_ROWS) EACH(v, ITEM_VECTORS) PREFETCH_TO_WRITE(P_g + (size_t)(i + a) * n_units + v * LANES);
        EACH(a, ITEM_ROWS) x_g[a] = X_g + (size_t)min(i + a, n_rows - 1) * n_features;
        EACH(a, ITEM_ROWS)
        EACH(v, ITEM_VECTORS)
        sum[a][v] = *(__global const lanes *)(W_g + (size_t)n_features * UNITS + v * LANES);
        for (int k = 0; k < n_features; k++, w_g += UNITS) {
            lanes w[ITEM_VECTORS];
            EACH(v, ITEM_VECTORS) w[v] = *(__global const lanes *)(w_g + v * LANES);
            PREFETCH(ahead_g + k * ITEM_ROWS);
            EACH(a, ITEM_ROWS) {
                const lanes x = (lanes)(x_g[a][k]);
                EACH(v, ITEM_VECTORS) sum[a][v] = fma(x, w[v], sum[a][v]);
            }
        }
        EACH(a, ITEM_ROWS) {
            if (i + a < n_rows) {
                EACH(v, ITEM_VECTORS) STORE_LANES(sum[a][v], z + (i + a) * z_stride + v * LANES);
            }
        }
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
    const int unit = get_global_id(0) * UNITS, row = get_global_id(1) * STRIP_ROWS;
    const int end = min(n_rows, row + STRIP_ROWS), n_stored = min(n_units - unit, UNITS);
    __global const float *panel_g = W_g + (size_t)unit * (n_features + 1);
    const bool is_alone = n_units <= UNITS; /* rows of P_g then lie one behind the other */
    const int z_stride = is_alone ? n_units : UNITS;
    vfloat z[CHUNK_VECTORS + IN_STEP];
    for (int v = 0; v < CHUNK_VECTORS + IN_STEP; v++) z[v] = (vfloat)(0.0f);
    for (int i = row; i < end; i += CHUNK_ROWS) {
        const int count = min(end - i, CHUNK_ROWS);
        __global float *p_g = P_g + (size_t)i * n_units + unit;
        multiply_rows(X_g + (size_t)i * n_features, panel_g, p_g, n_features, count, n_units, (float *)z, z_stride);
        activate(z, count * z_stride);
        if (is_alone)
            copy_floats(p_g, (const float *)z, count * n_units);
        else
            for (int a = 0; a < count; a++)
                copy_floats(p_g + (size_t)a * n_units, (const float *)z + a * UNITS, n_stored);
    }
}
