/* The stopping rules, looked at every few epochs: the gradient's norm against the tolerance, the held-out loss against
 * the lowest so far. Written once; `check` looks between launches, strategies that run many epochs in a launch look
 * inside it.
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

/* What is found of a unit. */
typedef struct unit_verdict {
    vint ruled;    /* 1: it trains and has a rule */
    vint improved; /* 1: its held-out loss is the lowest so far */
    vint best_epoch;
    vfloat best_loss;
    vfloat norm;
    vint reason; /* to stop; REASON_NONE: it goes on */
} unit_verdict;

/* `epochs`: done since this run's start. `held_loss`: the mean of this moment, read where the unit has a patience. */
static inline unit_verdict rules_judge(__global const float *U_g, __global const float *A_g, int u_stride, int unit,
                                       const unit_norm *norm, vfloat held_loss, int epochs) {
    const vint zero = (vint)(0);
    const vfloat tolerance = UNIT_VALUES(UNIT_TOLERANCE, unit);
    const vint patience = UNIT_INTEGERS(UNIT_PATIENCE, unit), active = STATE_INTEGERS(STATE_ACTIVE, unit);
    unit_verdict verdict;

    /* All of these are 1 for yes and 0 for no. */
    const vint looks = UNIT_INTEGERS(UNIT_EPOCHS, unit) >= (vint)(epochs) ? active : zero;
    const vint waits = patience > zero ? looks : zero;
    verdict.ruled = tolerance > (vfloat)(0.0f) ? looks : waits;

    const vfloat best = STATE_VALUES(STATE_BEST_LOSS, unit);
    verdict.improved = held_loss < best ? waits : zero;
    verdict.best_loss = verdict.improved > zero ? held_loss : best;
    verdict.best_epoch = verdict.improved > zero ? (vint)(epochs) : STATE_INTEGERS(STATE_BEST_EPOCH, unit);
    verdict.norm = verdict.ruled > zero ? norm->largest : STATE_VALUES(STATE_NORM, unit);

    const vint tired = (vint)(epochs)-verdict.best_epoch >= patience ? waits : zero;
    const vint near_enough = norm->largest <= tolerance ? looks : zero;
    const vint near = tolerance > (vfloat)(0.0f) ? near_enough : zero;
    const vint diverged = norm->broken == (vfloat)(0.0f) ? zero : verdict.ruled;
    vint reason = tired > zero ? (vint)(REASON_EARLY_STOPPED) : (vint)(REASON_NONE);
    reason = near > zero ? (vint)(REASON_CONVERGED) : reason;
    verdict.reason = diverged > zero ? (vint)(REASON_DIVERGED) : reason;
    return verdict;
}

static inline void rules_note(__global float *A_g, int u_stride, int unit, const unit_verdict *verdict, int epochs) {
    const vint reason = verdict->reason, none = (vint)(REASON_NONE);
    const vint active = reason == none ? STATE_INTEGERS(STATE_ACTIVE, unit) : (vint)(0);
    const vint why = reason == none ? STATE_INTEGERS(STATE_REASON, unit) : reason;
    const vint when = reason == none ? STATE_INTEGERS(STATE_EPOCHS, unit) : (vint)(epochs);
    STORE_STATE_INTEGERS(STATE_IMPROVED, unit, verdict->improved);
    STORE_STATE_INTEGERS(STATE_BEST_EPOCH, unit, verdict->best_epoch);
    STORE_STATE(STATE_BEST_LOSS, unit, verdict->best_loss);
    STORE_STATE(STATE_NORM, unit, verdict->norm);
    STORE_STATE_INTEGERS(STATE_ACTIVE, unit, active);
    STORE_STATE_INTEGERS(STATE_REASON, unit, why);
    STORE_STATE_INTEGERS(STATE_EPOCHS, unit, when);
}
