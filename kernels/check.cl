/* The stopping rules, looked at every few epochs.
 *
 *   check      for each unit: the gradient's norm against its tolerance, the held-out loss against the lowest so far
 *   keep_best  copies the weights of the units that improved to best_g
 *
 *   D_g [n_features + 1, u_stride]   distances from the optimum, as `update` keeps them
 *   T_g [MEASURE_SUMS, u_stride]     measures of this moment; read where a unit has a patience
 *   H_g [u_stride]                   1 / (sum of held-out weights)
 *   A_g [STATE_FIELDS, u_stride]     in and out (unit.cl)
 *
 * `epochs` is the number of epochs done since this run's start. Units without a rule are left alone.
 *
 * Launch: dimension 0 covers the units, UNIT_VECTOR an item; dimension 1 of keep_best the rows of W.
 */
__kernel void check(__global const float *D_g, __global const float *T_g, __global const float *H_g,
                    __global const float *U_g, __global float *A_g, int n_features, int n_units, int u_stride,
                    int epochs) {
    const int unit = get_global_id(0) * UNIT_VECTOR;
    if (unit >= n_units) return;
    const vint zero = (vint)(0), none = (vint)(REASON_NONE);
    const vfloat tolerance = UNIT_VALUES(UNIT_TOLERANCE, unit);
    const vint patience = UNIT_INTEGERS(UNIT_PATIENCE, unit), active = STATE_INTEGERS(STATE_ACTIVE, unit);

    vfloat norm = (vfloat)(0.0f), broken = (vfloat)(0.0f); /* broken: NaN once a distance is NaN or infinite */
    for (int row = 0; row <= n_features; row++) {
        const vfloat distance = LOAD(__global, D_g + (size_t)row * u_stride + unit);
        norm = distance > norm ? distance : norm;
        broken += distance - distance;
    }

    /* All of these are 1 for yes and 0 for no. */
    const vint looks = UNIT_INTEGERS(UNIT_EPOCHS, unit) >= (vint)(epochs) ? active : zero;
    const vint waits = patience > zero ? looks : zero;
    const vint ruled = tolerance > (vfloat)(0.0f) ? looks : waits;

    const vfloat loss = LOAD(__global, T_g + (size_t)MEASURE_HELD_LOSS * u_stride + unit) * LOAD(__global, H_g + unit);
    const vfloat best = LOAD(__global, A_g + (size_t)STATE_BEST_LOSS * u_stride + unit);
    const vint improved = loss < best ? waits : zero;
    const vint best_epoch = improved > zero ? (vint)(epochs) : STATE_INTEGERS(STATE_BEST_EPOCH, unit);

    const vint tired = (vint)(epochs)-best_epoch >= patience ? waits : zero;
    const vint near_enough = norm <= tolerance ? looks : zero;
    const vint near = tolerance > (vfloat)(0.0f) ? near_enough : zero;
    const vint diverged = broken == (vfloat)(0.0f) ? zero : ruled;
    vint reason = tired > zero ? (vint)(REASON_EARLY_STOPPED) : none;
    reason = near > zero ? (vint)(REASON_CONVERGED) : reason;
    reason = diverged > zero ? (vint)(REASON_DIVERGED) : reason;

    __global float *state_g = A_g + unit;
    STORE_INTEGERS(__global, state_g + (size_t)STATE_IMPROVED * u_stride, improved);
    STORE_INTEGERS(__global, state_g + (size_t)STATE_BEST_EPOCH * u_stride, best_epoch);
    STORE(__global, state_g + (size_t)STATE_BEST_LOSS * u_stride, improved > zero ? loss : best);
    STORE(__global, state_g + (size_t)STATE_NORM * u_stride,
          ruled > zero ? norm : LOAD(__global, state_g + (size_t)STATE_NORM * u_stride));
    STORE_INTEGERS(__global, state_g + (size_t)STATE_ACTIVE * u_stride, reason == none ? active : zero);
    STORE_INTEGERS(__global, state_g + (size_t)STATE_REASON * u_stride,
                   reason == none ? STATE_INTEGERS(STATE_REASON, unit) : reason);
    STORE_INTEGERS(__global, state_g + (size_t)STATE_EPOCHS * u_stride,
                   reason == none ? STATE_INTEGERS(STATE_EPOCHS, unit) : (vint)(epochs));
}

__kernel void keep_best(__global const float *W_g, __global float *best_g, __global const float *A_g, int n_units,
                        int u_stride) {
    const int unit = get_global_id(0) * UNIT_VECTOR;
    if (unit >= n_units) return;
    const size_t at = get_global_id(1) * (size_t)u_stride + unit;
    const vint improved = STATE_INTEGERS(STATE_IMPROVED, unit);
    STORE(__global, best_g + at, improved > (vint)(0) ? LOAD(__global, W_g + at) : LOAD(__global, best_g + at));
}
