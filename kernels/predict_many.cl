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

/* Rows of a strip that are activated, once they are multiplied. */
typedef struct behind {
    lanes z[ITEM_ROWS][ITEM_VECTORS];
    __global float *p_g; /* of the first */
    int n_rows;          /* 0 or less: none */
    int n_units, n_stored;
} behind;

/* Activates FINISHED of the rows, from row a on, and stores n_stored predictions of each. */
static inline void finish_rows(const behind *rows, int a) {
    vfloat p[IN_STEP];
    if (a >= rows->n_rows) return;
    EACH(b, FINISHED) EACH(v, ITEM_VECTORS) p[b * ITEM_VECTORS + v] = rows->z[a + b][v];
    sigmoids(p, FINISHED * ITEM_VECTORS);
    EACH(b, FINISHED) {
        if (a + b < rows->n_rows)
            store_row(p + b * ITEM_VECTORS, rows->p_g + (size_t)(a + b) * rows->n_units, rows->n_stored);
    }
}

__kernel void predict(__global const float *X_g, __global const float *W_g, __global float *P_g, int n_features,
                      int n_rows, int n_units) {
    enum { GROUPS = ITEM_ROWS / FINISHED, SHARES = MANY_REGISTERS ? GROUPS : 1 };
    const int unit = get_global_id(0) * UNITS, row = get_global_id(1) * STRIP_ROWS;
    const int end = min(n_rows, row + STRIP_ROWS);
    __global const float *panel_g = W_g + (size_t)unit * (n_features + 1);
    __global float *P_units_g = P_g + unit;
    behind before = {.n_units = n_units, .n_stored = min(n_units - unit, UNITS)};
    for (int i = row; i < end + ITEM_ROWS; i += ITEM_ROWS) {
        const bool is_inside = i < end;
        const int first = is_inside ? i : row, depth = is_inside ? n_features : 0;
        const item_rows rows = find_rows(X_g + (size_t)first * n_features, n_features, end - first);
        vfloat z[ITEM_ROWS][ITEM_VECTORS];
        if (is_inside) ask_for_predictions(P_units_g + (size_t)i * n_units, n_units);
        if (!MANY_REGISTERS) EACH(g, GROUPS) finish_rows(&before, g * FINISHED);
        start_with_bias(panel_g, n_features, z);
        for (int share = 0, k = 0; share < SHARES; share++) {
            const int share_end = (size_t)depth * (share + 1) / SHARES;
            add_features(&rows, panel_g, k, share_end, z);
            if (MANY_REGISTERS) finish_rows(&before, share * FINISHED);
            k = share_end;
        }
        EACH(a, ITEM_ROWS) EACH(v, ITEM_VECTORS) before.z[a][v] = z[a][v];
        before.p_g = P_units_g + (size_t)i * n_units;
        before.n_rows = end - i;
    }
}
