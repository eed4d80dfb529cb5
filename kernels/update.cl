/* Stage 4: adds up the parts of the gradient and takes one step of gradient descent.
 *
 *   W_g  [n_features + 1, w_stride], bias in the last row, in and out; G_g and B_g hold the units from first_unit on
 *   G_g  [n_parts, n_features, g_stride], B_g [n_blocks, g_stride]: gradient sums of weights and of the bias
 *   scale_g          1 / (sum of row weights), or 1 for the reduction `sum`
 *   epochs_g         a unit moves only while epoch is below its number of epochs
 *
 * Launch: dimension 0 covers the units, UNIT_VECTOR an item; dimension 1 the n_features + 1 rows of W.
 * Order: parts are added ascending to 0. w -= learning_rate (scale G + l2 w); the bias has no l2.
 */
__kernel void update(__global float *W_g, __global const float *G_g, __global const float *B_g,
                     __global const float *scale_g, __global const float *learning_rate_g, __global const float *l2_g,
                     __global const int *epochs_g, int n_features, int first_unit, int n_units, int n_parts,
                     int n_blocks, int w_stride, int g_stride, int epoch) {
    const int unit = get_global_id(0) * UNIT_VECTOR;
    const int row = get_global_id(1);
    if (unit >= n_units) return;
    const bool is_bias = row == n_features;
    const size_t part_stride = is_bias ? (size_t)g_stride : (size_t)n_features * g_stride;
    __global const float *part_g = (is_bias ? B_g : G_g + (size_t)row * g_stride) + unit;
    vfloat sum = (vfloat)(0.0f);
    for (int part = 0; part < (is_bias ? n_blocks : n_parts); part++)
        sum += LOAD(__global, part_g + part * part_stride);

    const int bank_unit = first_unit + unit;
    __global float *w_g = W_g + (size_t)row * w_stride + bank_unit;
    const vfloat w = LOAD(__global, w_g);
    vfloat slope = sum * LOAD(__global, scale_g + bank_unit);
    if (!is_bias) slope = fma(LOAD(__global, l2_g + bank_unit), w, slope);
    const vfloat moved = fma(-LOAD(__global, learning_rate_g + bank_unit), slope, w);
    STORE(__global, w_g, (vint)(epoch) < *(__global const vint *)(epochs_g + bank_unit) ? moved : w);
}
