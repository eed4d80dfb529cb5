/* The stopping rules, looked at between launches (rules.cl).
 *
 *   check      looks at the rules of each unit
 *   keep_best  copies the weights of the units that improved to best_g
 *
 *   D_g [n_features + 1, u_stride]   distances from the optimum, as `update` keeps them
 *   T_g [MEASURE_SUMS, u_stride]     measures of this moment; read where a unit has a patience
 *   H_g [u_stride]                   1 / (sum of held-out weights)
 *   A_g [STATE_FIELDS, u_stride]     in and out (unit.cl)
 *
 * `epochs` is the number of epochs done since this run's start.
 *
 * Launch: dimension 0 covers the units, UNIT_VECTOR an item; dimension 1 of keep_best the rows of W.
 */
__kernel void check(__global const float *D_g, __global const float *T_g, __global const float *H_g,
                    __global const float *U_g, __global float *A_g, int n_features, int n_units, int u_stride,
                    int epochs) {
    const int unit = get_global_id(0) * UNIT_VECTOR;
    if (unit >= n_units) return;
    const unit_norm norm = column_norm(D_g, n_features, u_stride, unit);
    const vfloat loss = LOAD(__global, T_g + (size_t)MEASURE_HELD_LOSS * u_stride + unit) * LOAD(__global, H_g + unit);
    look_at_rules(U_g, A_g, u_stride, unit, &norm, loss, epochs);
}

__kernel void keep_best(__global const float *W_g, __global float *best_g, __global const float *A_g, int n_units,
                        int u_stride) {
    const int unit = get_global_id(0) * UNIT_VECTOR;
    if (unit >= n_units) return;
    const size_t at = get_global_id(1) * (size_t)u_stride + unit;
    const vint improved = STATE_INTEGERS(STATE_IMPROVED, unit);
    STORE(__global, best_g + at, improved > (vint)(0) ? LOAD(__global, W_g + at) : LOAD(__global, best_g + at));
}
