/* The stopping rules, looked at every few epochs: the gradient's norm against the tolerance, the held-out loss against
 * the lowest so far. Written once: `check` looks between launches, and strategies that run many epochs in a launch look
 * inside it where an item has all it takes (vectors, but not groups).
 *
 *   U_g [UNIT_FIELDS, u_stride], A_g [STATE_FIELDS, u_stride]: see unit.cl
 *
 * Units without a rule are left alone.
 */

/* Of a unit's distances from its optimum (step_residual). */
typedef struct unit_norm {
    vfloat largest; /* that is a number */
    vfloat broken;  /* NaN once a distance is NaN or infinite, else 0 */
} unit_norm;

static inline void norm_gain(unit_norm *norm, vfloat distance) {
    norm->largest = distance > norm->largest ? distance : norm->largest;
    norm->broken += distance - distance;
}

/* The norm of a column of D_g [n_features + 1, u_stride]. */
static inline unit_norm column_norm(__global const float *D_g, int n_features, int u_stride, int unit) {
    unit_norm norm = {(vfloat)(0.0f), (vfloat)(0.0f)};
    for (int row = 0; row <= n_features; row++) norm_gain(&norm, LOAD(__global, D_g + (size_t)row * u_stride + unit));
    return norm;
}

/* Looks at the units' rules, `epochs` after this run's start. `held_loss`: the mean of this moment, used where a unit
 * has a patience. */
static inline void look_at_rules(__global const float *U_g, __global float *A_g, int u_stride, int unit,
                                 const unit_norm *norm, vfloat held_loss, int epochs) {
    const vint zero = (vint)(0), none = (vint)(REASON_NONE);
    const vfloat tolerance = UNIT_VALUES(UNIT_TOLERANCE, unit);
    const vint patience = UNIT_INTEGERS(UNIT_PATIENCE, unit), active = STATE_INTEGERS(STATE_ACTIVE, unit);

    /* All of these are 1 for yes and 0 for no. */
    const vint looks = UNIT_INTEGERS(UNIT_EPOCHS, unit) >= (vint)(epochs) ? active : zero;
    const vint waits = patience > zero ? looks : zero;
    const vint ruled = tolerance > (vfloat)(0.0f) ? looks : waits;

    const vfloat best = STATE_VALUES(STATE_BEST_LOSS, unit);
    const vint improved = held_loss < best ? waits : zero;
    const vint best_epoch = improved > zero ? (vint)(epochs) : STATE_INTEGERS(STATE_BEST_EPOCH, unit);

    const vint tired = (vint)(epochs)-best_epoch >= patience ? waits : zero;
    const vint near_enough = norm->largest <= tolerance ? looks : zero;
    const vint near = tolerance > (vfloat)(0.0f) ? near_enough : zero;
    const vint diverged = norm->broken == (vfloat)(0.0f) ? zero : ruled;
    vint reason = tired > zero ? (vint)(REASON_EARLY_STOPPED) : none;
    reason = near > zero ? (vint)(REASON_CONVERGED) : reason;
    reason = diverged > zero ? (vint)(REASON_DIVERGED) : reason;

    STORE_STATE_INTEGERS(STATE_IMPROVED, unit, improved);
    STORE_STATE_INTEGERS(STATE_BEST_EPOCH, unit, best_epoch);
    STORE_STATE(STATE_BEST_LOSS, unit, improved > zero ? held_loss : best);
    STORE_STATE(STATE_NORM, unit, ruled > zero ? norm->largest : STATE_VALUES(STATE_NORM, unit));
    STORE_STATE_INTEGERS(STATE_ACTIVE, unit, reason == none ? active : zero);
    STORE_STATE_INTEGERS(STATE_REASON, unit, reason == none ? STATE_INTEGERS(STATE_REASON, unit) : reason);
    STORE_STATE_INTEGERS(STATE_EPOCHS, unit, reason == none ? STATE_INTEGERS(STATE_EPOCHS, unit) : (vint)(epochs));
}
