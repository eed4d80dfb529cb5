/* An epoch of the units of `grouped` that have so many rows that one group would be long about them.
 *
 *   grouped_sums   the gradient sums of one of their blocks, a group a block
 *   grouped_step   adds those up and takes one step, a group a unit
 *
 *   X_g, steps_g, order_g, scratch_g, W_g, M_g, D_g, A_g: as in grouped.cl
 *   first_block_g    [n_units + 1]: the blocks of the units in the order of order_g, numbered through
 *   block_owner_g    [n_blocks]: the place in order_g of the block's unit
 *   G_g              [n_blocks, SLOT_MATRIX]: sums of blocks
 *
 * Launch: as grouped.cl, n_groups groups.
 */

__kernel void grouped_sums(__global const stored *X_g, __global const float *steps_g, __global const float *W_g,
                           __global const float *A_g, __global const int *order_g, __global const int *first_block_g,
                           __global const int *block_owner_g, __global float *G_g, __global float *scratch_g,
                           ROW_PARAMETERS, int n_features, int n_blocks, int epoch, int n_groups) {
    const int uses = USES_OR(uses_given);
    const row_sources from = ROW_SOURCES;
    OPEN_SLOTS;
    OPEN_LANES;
    clear_sums(n_features, slots);
    for (int b = get_global_id(1); b < n_blocks; b += n_groups) {
        const int place = block_owner_g[b], unit = order_g[place];
        if (unit_end(&from, A_g, unit, epoch, epoch + 1) == epoch) continue;
        const row_block rows = unit_block(&from, unit, b - first_block_g[place]);
        const unit_features x_g = block_features(&from, unit, rows, X_g, steps_g, n_features);
        load_column(W_g + unit, u_stride, n_features, slots + SLOT_WEIGHTS);
        load_rows(&from, unit, rows, slots);
        SLOT_BARRIER; /* publishes the weights */
        predict_block(x_g, slots, rows.n_tiles, n_features);
        delta_block(slots, rows.n_tiles, unit_loss(&from, unit), uses);
        SUM_BLOCK(x_g, slots, rows.n_tiles, true);
        __global float *sums_g = G_g + (size_t)b * SLOT_MATRIX(n_features);
        for (int k = GROUP_ITEM * UNIT_VECTOR; k < SLOT_MATRIX(n_features); k += GROUP_ITEMS * UNIT_VECTOR)
            STORE(__global, sums_g + k, LOAD(SLOT_SPACE, slots + SLOT_SUMS(n_features) + k));
        SLOT_BARRIER; /* all have read the sums before the next block's are stored */
    }
}

__kernel void grouped_step(__global float *W_g, __global float *M_g, __global float *D_g, __global const float *A_g,
                           __global const int *order_g, __global const int *first_block_g, __global const float *G_g,
                           __global float *scratch_g, ROW_PARAMETERS, int n_features, int n_units, int epoch, int keep,
                           int n_groups) {
    const int uses = USES_OR(uses_given);
    const row_sources from = ROW_SOURCES;
    OPEN_SLOTS;
    for (int place = get_global_id(1); place < n_units; place += n_groups) {
        const int unit = order_g[place], first_block = first_block_g[place], end_block = first_block_g[place + 1];
        if (unit_end(&from, A_g, unit, epoch, epoch + 1) == epoch) continue;
        for (int k = GROUP_ITEM * UNIT_VECTOR; k < SLOT_MATRIX(n_features); k += GROUP_ITEMS * UNIT_VECTOR) {
            __global const float *sums_g = G_g + k;
            vfloat sum = LOAD(__global, sums_g + (size_t)first_block * SLOT_MATRIX(n_features));
            for (int b = first_block + 1; b < end_block; b++)
                sum += LOAD(__global, sums_g + (size_t)b * SLOT_MATRIX(n_features));
            STORE(SLOT_SPACE, slots + SLOT_SUMS(n_features) + k, sum);
        }
        load_unit(W_g, M_g, u_stride, unit, n_features, uses, slots);
        SLOT_BARRIER; /* publishes weights and sums */
        const step_place at = {U_g, u_stride, unit, epoch, n_features, uses, keep};
        step_slot(&at, slots);
        store_unit(slots, u_stride, unit, n_features, uses, keep, W_g, M_g, D_g);
        SLOT_BARRIER; /* all have read the slot before the next unit's is stored */
    }
}
