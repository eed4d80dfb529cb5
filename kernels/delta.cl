/* Stage 2: R = dL/dz from P, in place, and each block's sum of R: the bias gradient.
 *
 *   P_g  [n_samples, p_stride], predictions in, deltas out      Y_g  [n_targets, y_stride]
 *   B_g  [n_blocks, p_stride], out
 *   target_g, positive_class_g, loss_g: a value a unit of the bank; P_g holds those from first_unit on
 *
 * Launch: dimension 0 covers the units, UNIT_VECTOR an item; dimension 1 the blocks of BLOCK_ROWS samples.
 * Order: a block's sum starts at 0 and adds its samples ascending.
 */
__kernel void delta(__global float *P_g, __global const float *Y_g, __global float *B_g, __global const int *target_g,
                    __global const float *positive_class_g, __global const int *loss_g, int n_samples, int first_unit,
                    int n_units, int y_stride, int p_stride) {
    const int unit = get_global_id(0) * UNIT_VECTOR;
    const int block = get_global_id(1);
    if (unit >= n_units) return;
    const vint loss = *(__global const vint *)(loss_g + first_unit + unit);
    const int end = min(n_samples, (block + 1) * BLOCK_ROWS);
    vfloat sum = (vfloat)(0.0f);
    for (int i = block * BLOCK_ROWS; i < end; i++) {
        __global float *p_g = P_g + (size_t)i * p_stride + unit;
        const vfloat y = load_target(Y_g, y_stride, target_g, positive_class_g, i, first_unit + unit);
        const vfloat r = row_delta(LOAD(__global, p_g), y, loss, LOSSES);
        STORE(__global, p_g, r);
        sum += r;
    }
    STORE(__global, B_g + (size_t)block * p_stride + unit, sum);
}
