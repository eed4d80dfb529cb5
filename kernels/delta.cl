/* Stage 2 of `staged`: R = weight x dL/dz from P, in place, and each block's sum of R: the bias gradient.
 *
 *   P_g  [n_rows, p_stride] of the units from first_unit on and the rows from first_row on; predictions in, deltas out
 *   B_g  [n_blocks, p_stride], out
 *
 * Launch: dimension 0 covers the units, UNIT_VECTOR an item; dimension 1 the blocks of BLOCK_ROWS samples.
 * Order: a block's sum starts at 0 and adds its samples ascending.
 */
__kernel void delta(__global float *P_g, __global float *B_g, ROW_PARAMETERS, int first_row, int n_rows, int first_unit,
                    int n_units, int p_stride) {
    const int unit = get_global_id(0) * UNIT_VECTOR;
    const int block = get_global_id(1);
    if (unit >= n_units) return;
    const row_sources from = ROW_SOURCES;
    const row_units units = row_units_load(&from, first_unit + unit);
    const int end = min(n_rows, (block + 1) * BLOCK_ROWS);
    vfloat sum = (vfloat)(0.0f);
    for (int i = block * BLOCK_ROWS; i < end; i++) {
        __global float *p_g = P_g + (size_t)i * p_stride + unit;
        const row_view row = row_load(&from, &units, first_row + i);
        const vfloat r =
            row_delta(LOAD(__global, p_g), row.y, row_full_weight(&from, &units, &row), units.loss, from.uses);
        STORE(__global, p_g, r);
        sum += r;
    }
    STORE(__global, B_g + (size_t)block * p_stride + unit, sum);
}
