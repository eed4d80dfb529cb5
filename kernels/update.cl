/* Adds up the parts of the gradient and takes one step (step.cl).
 *
 *   W_g  [n_features + 1, u_stride], bias in the last row, in and out
 *   M_g  [2, n_features + 1, u_stride], the moments m and v, in and out; one element without them
 *   D_g  [n_features + 1, u_stride], out where keep is 1: how far each weight is from its optimum
 *   G_g  [n_parts, n_features, g_stride], B_g [n_bias_parts, g_stride]: gradient sums of the units from first_unit on
 *   A_g  the units' state: a unit moves only while it is active and epoch is below its number of epochs
 *   batch_scale   1, or n_samples / rows of the batch
 *
 * Launch: dimension 0 covers the units, UNIT_VECTOR an item; dimension 1 the n_features + 1 rows of W.
 * Order: parts are added ascending to 0.
 */
__kernel void update(__global float *W_g, __global float *M_g, __global float *D_g, __global const float *G_g,
                     __global const float *B_g, __global const float *U_g, __global const float *A_g, int n_features,
                     int first_unit, int n_units, int n_parts, int n_bias_parts, int u_stride, int g_stride, int epoch,
                     int steps, int keep, float batch_scale, int uses_given) {
    const int uses = USES_OR(uses_given);
    const int unit = get_global_id(0) * UNIT_VECTOR;
    const int row = get_global_id(1);
    if (unit >= n_units) return;
    const bool is_bias = row == n_features;
    const size_t part_stride = is_bias ? (size_t)g_stride : (size_t)n_features * g_stride;
    __global const float *part_g = (is_bias ? B_g : G_g + (size_t)row * g_stride) + unit;
    vfloat sum = (vfloat)(0.0f);
    for (int part = 0; part < (is_bias ? n_bias_parts : n_parts); part++)
        sum += LOAD(__global, part_g + part * part_stride);

    const int bank_unit = first_unit + unit;
    const size_t at = (size_t)row * u_stride + bank_unit;
    const unit_step s = unit_step_load(U_g, u_stride, bank_unit, epoch, steps, uses);
    const vfloat w = LOAD(__global, W_g + at);
    const vfloat slope = step_slope(&s, is_bias, w, sum * (vfloat)(batch_scale));
    if (keep) STORE(__global, D_g + at, step_residual(&s, is_bias, w, slope, uses));

    const size_t v_at = (size_t)(n_features + 1) * u_stride + at;
    const vint zero = (vint)(0);
    const vint moves = STATE_INTEGERS(STATE_ACTIVE, bank_unit);
    const vint left = UNIT_INTEGERS(UNIT_EPOCHS, bank_unit) - (vint)(epoch);
    vfloat m = (vfloat)(0.0f), v = (vfloat)(0.0f);
    if (uses & (USE_MOMENTUM | USE_ADAM)) m = LOAD(__global, M_g + at);
    if (uses & USE_ADAM) v = LOAD(__global, M_g + v_at);
    vfloat moved = step_weight(&s, is_bias, w, slope, &m, &v, uses);
    moved = moves == zero ? w : moved;
    STORE(__global, W_g + at, left > zero ? moved : w);
    if (uses & (USE_MOMENTUM | USE_ADAM)) STORE(__global, M_g + at, m);
    if (uses & USE_ADAM) STORE(__global, M_g + v_at, v);
}
