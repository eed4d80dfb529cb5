/* What an item of prediction on CPUs is: predict_few.cl, for no more units than a vector has lanes, and
 * predict_many.cl compute P = sigmoid(X W + b) from rows as the caller has them.
 *
 *   X_g [n_rows, n_features]     W_g panels [n_panels][n_features + 1][UNITS], bias last, padded with zeros
 *   P_g [n_rows, n_units]        neither X_g nor P_g need be aligned to more than a float
 *
 * The product's vectors hold LANES units, ITEM_VECTORS of them a panel; a value of X goes to all of their lanes.
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

#if LANES == 1
typedef float lanes;
#else
typedef JOIN(float, LANES) lanes;
#endif

/* Compilers make a vstore to any address from pieces, each aligned to more than the whole: few of them cross a line of
 * the cache, and those that do cost some CPUs far more than the additional stores. */
#if UNIT_VECTOR == 1
#define STORE_ANYWHERE(value, pointer) (*(pointer) = (value))
#else
#define STORE_ANYWHERE(value, pointer) JOIN(vstore, UNIT_VECTOR)(value, 0, pointer)
#endif

/* ITEM_ROWS rows of X, and where as much is asked for meanwhile. */
typedef struct item_rows {
    __global const float *x_g[ITEM_ROWS];
    __global const float *ahead_g;
} item_rows;

/* The rows from X_g on, of which n_rows are left. Behind the last row stands the last one again. */
static inline item_rows find_rows(__global const float *X_g, int n_features, int n_rows) {
    item_rows rows;
    EACH(a, ITEM_ROWS) rows.x_g[a] = X_g + (size_t)min(a, n_rows - 1) * n_features;
    rows.ahead_g = X_g + (size_t)ITEM_ROWS * n_features + FAR_BYTES / sizeof(float);
    return rows;
}

/* Asks for the lines of P_g that these rows will fill: a line or two a row, each in a page of its own. */
static inline void ask_for_predictions(__global const float *p_g, int n_units) {
    EACH(a, ITEM_ROWS) EACH(v, ITEM_VECTORS) PREFETCH_TO_WRITE(p_g + (size_t)a * n_units + v * LANES);
}

static inline void start_with_bias(__global const float *panel_g, int n_features, lanes z[ITEM_ROWS][ITEM_VECTORS]) {
    EACH(a, ITEM_ROWS)
    EACH(v, ITEM_VECTORS) z[a][v] = *(__global const lanes *)(panel_g + (size_t)n_features * UNITS + v * LANES);
}

/* z gains the features k ... end - 1. */
static inline void add_features(const item_rows *rows, __global const float *panel_g, int k, int end,
                                lanes z[ITEM_ROWS][ITEM_VECTORS]) {
    __global const float *w_g = panel_g + (size_t)k * UNITS;
    for (; k < end; k++, w_g += UNITS) {
        lanes w[ITEM_VECTORS];
        EACH(v, ITEM_VECTORS) w[v] = *(__global const lanes *)(w_g + v * LANES);
        PREFETCH_FAR(rows->ahead_g + k * ITEM_ROWS);
        EACH(a, ITEM_ROWS) {
            const lanes x = (lanes)(rows->x_g[a][k]);
            EACH(v, ITEM_VECTORS) z[a][v] = fma(x, w[v], z[a][v]);
        }
    }
}
