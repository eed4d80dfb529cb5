/* Measures of each unit, from the z that forward stores with activate 0.
 *
 *   measure       Z_g [n_samples, z_stride] -> L_g, E_g, C_g [n_blocks, z_stride]: each block's sum of losses, sum of
 *                 errors p - y, and number of samples on the right side of 0.5
 *   measure_total adds the blocks into their first rows, blocks ascending
 *
 * Values a unit are those of the bank; Z_g holds the units from first_unit on.
 *
 * Launch: dimension 0 covers the units, UNIT_VECTOR an item; dimension 1 of measure the blocks of BLOCK_ROWS samples.
 * Order: a block's sums start at 0 and add its samples ascending.
 */
__kernel void measure(__global const float *Z_g, __global const float *Y_g, __global float *L_g, __global float *E_g,
                      __global int *C_g, __global const int *target_g, __global const float *positive_class_g,
                      __global const int *loss_g, int n_samples, int first_unit, int n_units, int y_stride,
                      int z_stride) {
    const int unit = get_global_id(0) * UNIT_VECTOR;
    const int block = get_global_id(1);
    if (unit >= n_units) return;
    const vint loss = *(__global const vint *)(loss_g + first_unit + unit);
    const int end = min(n_samples, (block + 1) * BLOCK_ROWS);
    vfloat losses = (vfloat)(0.0f), errors = (vfloat)(0.0f);
    vint correct = (vint)(0);
    for (int i = block * BLOCK_ROWS; i < end; i++) {
        const vfloat z = LOAD(__global, Z_g + (size_t)i * z_stride + unit);
        const vfloat y = load_target(Y_g, y_stride, target_g, positive_class_g, i, first_unit + unit);
        const vfloat p = sigmoid(z);
        losses += row_loss(z, p, y, loss);
        errors += p - y;
        correct += row_correct(p, y);
    }
    const size_t at = (size_t)block * z_stride + unit;
    STORE(__global, L_g + at, losses);
    STORE(__global, E_g + at, errors);
    *(__global vint *)(C_g + at) = correct;
}

__kernel void measure_total(__global float *L_g, __global float *E_g, __global int *C_g, int n_units, int n_blocks,
                            int stride) {
    const int unit = get_global_id(0) * UNIT_VECTOR;
    if (unit >= n_units) return;
    vfloat losses = (vfloat)(0.0f), errors = (vfloat)(0.0f);
    vint correct = (vint)(0);
    for (int block = 0; block < n_blocks; block++) {
        const size_t at = (size_t)block * stride + unit;
        losses += LOAD(__global, L_g + at);
        errors += LOAD(__global, E_g + at);
        correct += *(__global const vint *)(C_g + at);
    }
    STORE(__global, L_g + unit, losses);
    STORE(__global, E_g + unit, errors);
    *(__global vint *)(C_g + unit) = correct;
}
