/* What a unit's distances from its optimum (step_residual) say: that it is near enough, or that it has diverged.
 * Written once; `check` looks after an epoch, strategies that run many epochs in a launch look inside it. */

/* Of the distances of all weights, a unit a lane. */
typedef struct unit_norm {
    vfloat largest; /* that is a number */
    vfloat broken;  /* NaN once a distance is NaN or infinite, else 0 */
} unit_norm;

static inline void norm_gain(unit_norm *norm, vfloat distance) {
    norm->largest = distance > norm->largest ? distance : norm->largest;
    norm->broken += distance - distance;
}

/* The reason to stop, or `otherwise`. `looks`: 1 for units that still train; `ruled`: 1 for those of them that have a
 * rule, else 0. */
static inline vint rule_reason(const unit_norm *norm, vfloat tolerance, vint looks, vint ruled, vint otherwise) {
    const vint zero = (vint)(0);
    const vint near_enough = norm->largest <= tolerance ? looks : zero;
    const vint near = tolerance > (vfloat)(0.0f) ? near_enough : zero;
    const vint diverged = norm->broken == (vfloat)(0.0f) ? zero : ruled;
    const vint reason = near > zero ? (vint)(REASON_CONVERGED) : otherwise;
    return diverged > zero ? (vint)(REASON_DIVERGED) : reason;
}

#if !ONE_UNIT
/* Notes in A_g what was found of the units unit ... unit + UNIT_VECTOR - 1 after so many epochs; `reason` REASON_NONE:
 * they go on. */
static inline void rule_note(__global float *A_g, int u_stride, int unit, const unit_norm *norm, vint ruled,
                             vint reason, int epochs) {
    const vint zero = (vint)(0), none = (vint)(REASON_NONE);
    __global float *state_g = A_g + unit;
    STORE(__global, state_g + (size_t)STATE_NORM * u_stride,
          ruled > zero ? norm->largest : LOAD(__global, state_g + (size_t)STATE_NORM * u_stride));
    STORE_INTEGERS(__global, state_g + (size_t)STATE_ACTIVE * u_stride,
                   reason == none ? STATE_INTEGERS(STATE_ACTIVE, unit) : zero);
    STORE_INTEGERS(__global, state_g + (size_t)STATE_REASON * u_stride,
                   reason == none ? STATE_INTEGERS(STATE_REASON, unit) : reason);
    STORE_INTEGERS(__global, state_g + (size_t)STATE_EPOCHS * u_stride,
                   reason == none ? STATE_INTEGERS(STATE_EPOCHS, unit) : (vint)(epochs));
}

/* The rule of a tolerance, of units that have no other; `looks` as above. */
static inline void rule_look(__global const float *U_g, __global float *A_g, int u_stride, int unit,
                             const unit_norm *norm, vint looks, int epochs) {
    const vfloat tolerance = UNIT_VALUES(UNIT_TOLERANCE, unit);
    const vint ruled = tolerance > (vfloat)(0.0f) ? looks : (vint)(0);
    const vint reason = rule_reason(norm, tolerance, looks, ruled, (vint)(REASON_NONE));
    rule_note(A_g, u_stride, unit, norm, ruled, reason, epochs);
}
#endif
