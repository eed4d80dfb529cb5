/* The stopping rules inside a launch of `grouped` (rules.cl), where a group is one item: with vectors, not on GPUs,
 * which leave them to `check`.
 *
 * Order of held-out losses: as the gradient's (grouped_block.cl).
 */
#if !LOCAL_MEMORY

/* The sum over a block of rows, whose z are in the slot. */
static inline float held_loss(const row_sources *from, int unit, row_block rows, SLOT_SPACE const float *slot) {
    const row_units units = row_units_load(from, unit);
    vfloat losses[VECTORS];
    EACH(v, VECTORS) losses[v] = (vfloat)(0.0f);
    for (int t = 0; t < rows.n_tiles; t++) {
        EACH(v, VECTORS) {
            const int i = t * TILE + v * UNIT_VECTOR;
            const vfloat z = LOAD(SLOT_SPACE, slot + SLOT_DELTAS + i);
            const row_view row = load_inside(from, &units, rows, i);
            losses[v] = fma(row.held, row_loss(z, sigmoid(z), row.y, units.loss), losses[v]);
        }
    }
    return FIRST_LANE(lane_sum(losses));
}

/* The norm of the slot's distances, which are where its sums were. */
static inline unit_norm slot_norm(int n_features, SLOT_SPACE const float *slot) {
    SLOT_SPACE const float *distances = slot + SLOT_SUMS(n_features);
    unit_norm norm = {(vfloat)(0.0f), (vfloat)(0.0f)};
    for (int k = 0; k < n_features; k++) norm_gain(&norm, (vfloat)(distances[k]));
    norm_gain(&norm, (vfloat)(distances[SLOT_BIAS(n_features)]));
    return norm;
}

/* Looks at the rules of the unit in the slot, and keeps its weights where they are its best. True: it stops. */
static inline bool look_at_unit(const row_sources *from, __global float *A_g, __global float *best_g, int unit,
                                int n_features, float held_loss, int epochs, SLOT_SPACE const float *slot) {
    const int u_stride = from->u_stride;
    __global const int *state_g = (__global const int *)A_g + unit;
    const unit_norm norm = slot_norm(n_features, slot);
    look_at_rules(from->U_g, A_g, u_stride, unit, &norm, (vfloat)(held_loss), epochs);
    if (state_g[(size_t)STATE_IMPROVED * u_stride])
        store_column(slot + SLOT_WEIGHTS, u_stride, n_features, best_g + unit);
    return !state_g[(size_t)STATE_ACTIVE * u_stride];
}

#endif
