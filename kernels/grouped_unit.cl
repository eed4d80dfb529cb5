/* A unit in its slot (grouped_block.cl), as the kernels of `grouped` share it: loading, one step, storing. */

/* The slots of this group. */
#if SLOT_FEATURES > 0
#define OPEN_SLOTS                                                         \
    __local float slots[SLOT(SLOT_FEATURES)] __attribute__((aligned(64))); \
    (void)scratch_g
#else
#define OPEN_SLOTS __global float *slots = scratch_g + (size_t)get_global_id(1) * UNITS_AT_ONCE * SLOT(n_features)
#endif

/* sum_block needs room for lanes in local memory. */
#if LOCAL_MEMORY
#define OPEN_LANES __local float lanes_l[FEATURES_AT_ONCE * LANE_SLICE]
#define SUM_BLOCK(x_g, slot, n_tiles, is_first) sum_block(x_g, slot, n_tiles, n_features, is_first, lanes_l)
#else
#define OPEN_LANES
#define SUM_BLOCK(x_g, slot, n_tiles, is_first) sum_block(x_g, slot, n_tiles, n_features, is_first)
#endif

typedef struct step_place {
    __global const float *U_g;
    int u_stride;
    int unit;
    int epoch;
    int n_features;
    int uses;
    bool keep; /* leave the distances from the optimum (update.cl) where the sums were */
} step_place;

/* One step of all weights in the slot, with the sums there. */
static inline void step_slot(const step_place *at, SLOT_SPACE float *slot) {
    const int bias = SLOT_BIAS(at->n_features), uses = at->uses;
    const unit_step s = unit_step_load(at->U_g, at->u_stride, at->unit, at->epoch, at->epoch, uses);
    SLOT_SPACE float *sums = slot + SLOT_SUMS(at->n_features), *moments = slot + SLOT_MOMENTS(at->n_features);
    for (int k = GROUP_ITEM * UNIT_VECTOR; k <= bias; k += GROUP_ITEMS * UNIT_VECTOR) {
        SLOT_SPACE float *w_at = slot + SLOT_WEIGHTS + k, *m_at = moments + k,
                         *v_at = m_at + SLOT_MATRIX(at->n_features);
        const vfloat w = LOAD(SLOT_SPACE, w_at);
        const vfloat slope = step_slope(&s, k == bias, w, LOAD(SLOT_SPACE, sums + k));
        vfloat m = (vfloat)(0.0f), v = (vfloat)(0.0f);
        if (uses & (USE_MOMENTUM | USE_ADAM)) m = LOAD(SLOT_SPACE, m_at);
        if (uses & USE_ADAM) v = LOAD(SLOT_SPACE, v_at);
        if (at->keep) STORE(SLOT_SPACE, sums + k, step_residual(&s, k == bias, w, slope, uses));
        STORE(SLOT_SPACE, w_at, step_weight(&s, k == bias, w, slope, &m, &v, uses));
        if (uses & (USE_MOMENTUM | USE_ADAM)) STORE(SLOT_SPACE, m_at, m);
        if (uses & USE_ADAM) STORE(SLOT_SPACE, v_at, v);
    }
    SLOT_BARRIER;
}

/* The sums' padding is read along with them. */
static inline void clear_sums(int n_features, SLOT_SPACE float *slot) {
    for (int k = GROUP_ITEM; k < SLOT_MATRIX(n_features); k += GROUP_ITEMS) slot[SLOT_SUMS(n_features) + k] = 0.0f;
}

/* Weights and moments of a unit to the slot, for a barrier to publish. */
static inline void load_unit(__global const float *W_g, __global const float *M_g, int u_stride, int unit,
                             int n_features, int uses, SLOT_SPACE float *slot) {
    const size_t matrix = (size_t)(n_features + 1) * u_stride;
    SLOT_SPACE float *moments = slot + SLOT_MOMENTS(n_features);
    load_column(W_g + unit, u_stride, n_features, slot + SLOT_WEIGHTS);
    if (uses & (USE_MOMENTUM | USE_ADAM)) load_column(M_g + unit, u_stride, n_features, moments);
    if (uses & USE_ADAM) load_column(M_g + matrix + unit, u_stride, n_features, moments + SLOT_MATRIX(n_features));
}

/* And back; where `keep` is true the distances, too. */
static inline void store_unit(SLOT_SPACE const float *slot, int u_stride, int unit, int n_features, int uses, bool keep,
                              __global float *W_g, __global float *M_g, __global float *D_g) {
    const size_t matrix = (size_t)(n_features + 1) * u_stride;
    SLOT_SPACE const float *moments = slot + SLOT_MOMENTS(n_features);
    store_column(slot + SLOT_WEIGHTS, u_stride, n_features, W_g + unit);
    if (uses & (USE_MOMENTUM | USE_ADAM)) store_column(moments, u_stride, n_features, M_g + unit);
    if (uses & USE_ADAM) store_column(moments + SLOT_MATRIX(n_features), u_stride, n_features, M_g + matrix + unit);
    if (keep) store_column(slot + SLOT_SUMS(n_features), u_stride, n_features, D_g + unit);
}

/* Epochs of the unit in first ... end - 1: none when it has stopped. */
static inline int unit_end(const row_sources *from, __global const float *A_g, int unit, int first, int end) {
    const int epochs = ((__global const int *)from->U_g)[(size_t)UNIT_EPOCHS * from->u_stride + unit];
    const int active = ((__global const int *)A_g)[(size_t)STATE_ACTIVE * from->u_stride + unit];
    return active ? max(min(epochs, end), first) : first;
}

static inline int unit_loss(const row_sources *from, int unit) {
    return ((__global const int *)from->U_g)[(size_t)UNIT_LOSS * from->u_stride + unit];
}
