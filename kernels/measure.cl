/* Sums over the samples for each unit, a block of BLOCK_ROWS samples at a time.
 *
 * The sums are numbered in unit.cl.
 *
 *   weigh    the rows' weights -> [WEIGH_SUMS, n_blocks, sum_stride]
 *   measure  Z_g [n_rows, z_stride], the z of the rows from first_row on -> [MEASURE_SUMS, n_blocks, sum_stride], of
 *            which it writes the blocks from first_row / BLOCK_ROWS on
 *   add_blocks   [n_sums, n_blocks, sum_stride] -> T_g [n_sums, u_stride]
 *
 * The sums are of the units from first_unit on.
 *
 * Launch: dimension 0 covers the units, UNIT_VECTOR an item; dimension 1 the blocks, of add_blocks the sums.
 * Order: a block's sums start at 0 and add its samples ascending; blocks are added ascending to 0.
 */
__kernel void weigh(__global float *sums_g, ROW_PARAMETERS, int n_samples, int first_unit, int n_units, int n_blocks,
                    int sum_stride) {
    const int unit = get_global_id(0) * UNIT_VECTOR;
    const int block = get_global_id(1);
    if (unit >= n_units) return;
    const row_sources from = ROW_SOURCES;
    const row_units units = row_units_load(&from, first_unit + unit);
    const int end = min(n_samples, (block + 1) * BLOCK_ROWS);
    vfloat sums[WEIGH_SUMS];
    for (int s = 0; s < WEIGH_SUMS; s++) sums[s] = (vfloat)(0.0f);
    for (int i = block * BLOCK_ROWS; i < end; i++) {
        const row_view row = row_load(&from, &units, i);
        const vfloat positive = row.y, negative = (vfloat)(1.0f) - row.y;
        sums[WEIGH_NEGATIVE] += row.weight * negative;
        sums[WEIGH_POSITIVE] += row.weight * positive;
        sums[WEIGH_HELD_NEGATIVE] += row.held * negative;
        sums[WEIGH_HELD_POSITIVE] += row.held * positive;
    }
    for (int s = 0; s < WEIGH_SUMS; s++)
        STORE(__global, sums_g + ((size_t)s * n_blocks + block) * sum_stride + unit, sums[s]);
}

__kernel void measure(__global const float *Z_g, __global float *sums_g, ROW_PARAMETERS, int first_row, int n_rows,
                      int first_unit, int n_units, int n_blocks, int z_stride, int sum_stride) {
    const int unit = get_global_id(0) * UNIT_VECTOR;
    const int block = get_global_id(1);
    if (unit >= n_units) return;
    const row_sources from = ROW_SOURCES;
    const row_units units = row_units_load(&from, first_unit + unit);
    const int end = min(n_rows, (block + 1) * BLOCK_ROWS);
    vfloat sums[MEASURE_SUMS];
    for (int s = 0; s < MEASURE_SUMS; s++) sums[s] = (vfloat)(0.0f);
    for (int i = block * BLOCK_ROWS; i < end; i++) {
        const vfloat z = LOAD(__global, Z_g + (size_t)i * z_stride + unit);
        const row_view row = row_load(&from, &units, first_row + i);
        const vfloat p = sigmoid(z), error = p - row.y, loss = row_loss(z, p, row.y, units.loss);
        sums[MEASURE_LOSS] = fma(row_full_weight(&from, &units, &row), loss, sums[MEASURE_LOSS]);
        sums[MEASURE_ERROR] = fma(row.weight, error, sums[MEASURE_ERROR]);
        sums[MEASURE_CORRECT] += row_correct(p, row.y, row.weight);
        if (from.uses & USE_FOLDS) {
            sums[MEASURE_HELD_LOSS] = fma(row.held, loss, sums[MEASURE_HELD_LOSS]);
            sums[MEASURE_HELD_ERROR] = fma(row.held, error, sums[MEASURE_HELD_ERROR]);
            sums[MEASURE_HELD_CORRECT] += row_correct(p, row.y, row.held);
        }
    }
    for (int s = 0; s < MEASURE_SUMS; s++)
        STORE(__global, sums_g + ((size_t)s * n_blocks + first_row / BLOCK_ROWS + block) * sum_stride + unit, sums[s]);
}

__kernel void add_blocks(__global const float *sums_g, __global float *T_g, int first_unit, int n_units, int n_blocks,
                         int sum_stride, int u_stride) {
    const int unit = get_global_id(0) * UNIT_VECTOR;
    const int which = get_global_id(1);
    if (unit >= n_units) return;
    vfloat total = (vfloat)(0.0f);
    for (int block = 0; block < n_blocks; block++)
        total += LOAD(__global, sums_g + ((size_t)which * n_blocks + block) * sum_stride + unit);
    STORE(__global, T_g + (size_t)which * u_stride + first_unit + unit, total);
}
