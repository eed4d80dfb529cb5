/* Prediction on CPUs by more units than a vector has lanes (predict_item.cl). Rows are activated before, or beside, the
 * product of the rows behind them (MANY_REGISTERS).
 *
 * CPUs alone run this.
 */
#if LANES != UNIT_VECTOR
#error "LANES must be UNIT_VECTOR"
#endif
#if ITEM_VECTORS != 2 || ITEM_ROWS % 2 != 0
#error "ITEM_VECTORS must be 2, ITEM_ROWS even"
#endif

/* Rows that are activated together, their sigmoids in step. */
#define FINISHED (ITEM_ROWS % 4 == 0 ? 4 : 2)

/* The first n predictions of a row. */
static inline void store_row(const vfloat p[ITEM_VECTORS], __global float *p_g, int n) {
    const float *lane = (const float *)p;
    EACH(v, ITEM_VECTORS) {
        if (n >= (v + 1) * UNIT_VECTOR)
            STORE_ANYWHERE(p[v], p_g + v * UNIT_VECTOR);
        else
            for (int u = v * UNIT_VECTOR; u < n; u++) p_g[u] = lane[u];
    }
}

/* A share of the features is multiplied for every so many rows that are activated. */
#define SHARE (MANY_REGISTERS ? FINISHED : ITEM_ROWS)

/* Activates FINISHED rows, and stores the first n of them, n_stored predictions each. */
static inline void finish_rows(vfloat (*z)[ITEM_VECTORS], __global float *p_g, int n_units, int n, int n_stored) {
    vfloat p[IN_STEP];
    EACH(a, FINISHED) EACH(v, ITEM_VECTORS) p[a * ITEM_VECTORS + v] = z[a][v];
    sigmoids(p, FINISHED * ITEM_VECTORS);
    EACH(a, FINISHED) {
        if (a < n) store_row(p + a * ITEM_VECTORS, p_g + (size_t)a * n_units, n_stored);
    }
}

__kernel void predict(__global const float *X_g, __global const float *W_g, __global float *P_g, int n_features,
                      int n_rows, int n_units) {
    const int unit = get_global_id(0) * UNITS, row = get_global_id(1) * STRIP_ROWS;
    const int end = min(n_rows, row + STRIP_ROWS), n_stored = min(n_units - unit, UNITS);
    __global const float *panel_g = W_g + (size_t)unit * (n_features + 1);
    __global float *P_units_g = P_g + unit;
    vfloat before[ITEM_ROWS][ITEM_VECTORS]; /* z of the rows before */
    for (int i = row; i < end + ITEM_ROWS; i += ITEM_ROWS) {
        const bool is_inside = i < end;
        const int first = is_inside ? i : row, depth = is_inside ? n_features : 0;
        const int done = max(i - ITEM_ROWS, row), n_done = i > row ? end - done : 0;
        const item_rows rows = find_rows(X_g + (size_t)first * n_features, n_features, end - first);
        __global float *done_g = P_units_g + (size_t)done * n_units;
        vfloat z[ITEM_ROWS][ITEM_VECTORS];
        if (is_inside) ask_for_predictions(P_units_g + (size_t)i * n_units, n_units);
        for (int a = 0; !MANY_REGISTERS && a < ITEM_ROWS; a += FINISHED)
            if (a < n_done) finish_rows(before + a, done_g + (size_t)a * n_units, n_units, n_done - a, n_stored);
        start_with_bias(panel_g, n_features, z);
        for (int a = 0, k = 0; a < ITEM_ROWS; a += SHARE) {
            const int share_end = (size_t)depth * (a + SHARE) / ITEM_ROWS;
            add_features(&rows, panel_g, k, share_end, z);
            if (MANY_REGISTERS && a < n_done)
                finish_rows(before + a, done_g + (size_t)a * n_units, n_units, n_done - a, n_stored);
            k = share_end;
        }
        EACH(a, ITEM_ROWS) EACH(v, ITEM_VECTORS) before[a][v] = z[a][v];
    }
}
