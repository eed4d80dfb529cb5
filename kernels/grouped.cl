/* The strategy `grouped`: all epochs of a chunk inside one launch, for units that learn from rows of their own
 * (grouped_block.cl). A group takes UNITS_AT_ONCE units from a queue, runs their epochs, and takes the next.
 *
 *   X_g, steps_g  tiles of X (store.cl)
 *   W_g [n_features + 1, u_stride], M_g [2, n_features + 1, u_stride], D_g, A_g: as in update.cl
 *   H_g, best_g: as in check.cl
 *   order_g     [n_units]: the units, those with most rows first; the kernel is about those from first_place on
 *   queue_g     [1]: how many of them have been taken
 *   scratch_g   [groups, UNITS_AT_ONCE, SLOT], one element where slots lie in local memory
 *
 * After each look_every epochs it looks at the stopping rules (grouped_look.cl); 0: never. `keep`: it leaves the
 * distances from the optimum at the last epoch in D_g, and `check` looks.
 *
 * Launch: dimension 1 covers the groups, of GROUP_ITEMS items in dimension 0. Which group does what changes no bit.
 */

/* Takes n places from the queue, for the whole group. */
#if LOCAL_MEMORY
#define OPEN_QUEUE __local int taken_l
#define TAKE(n) take(queue_g, n, &taken_l)
static inline int take(__global int *queue_g, int n, __local int *taken_l) {
    barrier(CLK_LOCAL_MEM_FENCE); /* all have read the last one, and are done with their slots */
    if (GROUP_ITEM == 0) *taken_l = atomic_add(queue_g, n);
    barrier(CLK_LOCAL_MEM_FENCE); /* publishes taken_l */
    return *taken_l;
}
#else
#define OPEN_QUEUE
#define TAKE(n) atomic_add(queue_g, n)
#endif

/* A unit that the group is about. */
typedef struct unit_task {
    int unit;
    int end; /* of its epochs in this chunk; the chunk's first when it has none */
    int n_blocks;
    SLOT_SPACE float *slot;
} unit_task;

/* The loops over epochs and blocks are as long as the longest of the group's units. */
static inline bool has_block(const unit_task *task, int epoch, int block) {
    return UNITS_AT_ONCE == 1 || (epoch < task->end && block < task->n_blocks);
}

/* z of a block of the units' rows. */
static inline void predict_units(const row_sources *from, const unit_task tasks[UNITS_AT_ONCE],
                                 __global const stored *X_g, __global const float *steps_g, int n_features, int epoch,
                                 int block) {
    row_block rows[UNITS_AT_ONCE];
    unit_features x[UNITS_AT_ONCE];
    for (int u = 0; u < UNITS_AT_ONCE; u++) {
        rows[u] = unit_block(from, tasks[u].unit, block);
        x[u] = block_features(from, tasks[u].unit, rows[u], X_g, steps_g, n_features);
        if (has_block(&tasks[u], epoch, block) && tasks[u].n_blocks > 1)
            load_rows(from, tasks[u].unit, rows[u], tasks[u].slot);
    }
#if SHARED_ROWS
    predict_shared(x[0], tasks[0].slot, rows[0].n_tiles, n_features);
    return;
#elif UNITS_AT_ONCE == 2
    if (rows[0].n_tiles == rows[1].n_tiles && rows[0].n_tiles <= TILES_AT_ONCE && has_block(&tasks[0], epoch, block) &&
        has_block(&tasks[1], epoch, block)) {
        __global float *slots_g[2] = {tasks[0].slot, tasks[1].slot};
        predict_pair(x, slots_g, rows[0].n_tiles, n_features);
        return;
    }
#endif
    for (int u = 0; u < UNITS_AT_ONCE; u++)
        if (has_block(&tasks[u], epoch, block)) predict_block(x[u], tasks[u].slot, rows[u].n_tiles, n_features);
}

#if !LOCAL_MEMORY
/* Looks at the rules of the units after an epoch. Those that stop end with it. */
static inline void look(const row_sources *from, unit_task tasks[UNITS_AT_ONCE], __global const stored *X_g,
                        __global const float *steps_g, __global float *A_g, __global const float *H_g,
                        __global float *best_g, int n_features, int epoch, int most_blocks) {
    float losses[UNITS_AT_ONCE]; /* held out */
    for (int u = 0; u < UNITS_AT_ONCE; u++) losses[u] = 0.0f;
    for (int block = 0; (from->uses & USE_PATIENCE) && block < most_blocks; block++) {
        predict_units(from, tasks, X_g, steps_g, n_features, epoch, block);
        for (int u = 0; u < UNITS_AT_ONCE; u++) {
            const unit_task task = tasks[u];
            if (has_block(&task, epoch, block))
                losses[u] += held_loss(from, task.unit, unit_block(from, task.unit, block), task.slot);
        }
    }
    for (int u = 0; u < UNITS_AT_ONCE; u++) {
        unit_task *task = &tasks[u];
        if (epoch < task->end &&
            look_at_unit(from, A_g, best_g, task->unit, n_features, losses[u] * H_g[task->unit], epoch + 1, task->slot))
            task->end = epoch + 1;
    }
}
#endif

__kernel void grouped(__global const stored *X_g, __global const float *steps_g, __global float *W_g,
                      __global float *M_g, __global float *D_g, __global float *A_g, __global const float *H_g,
                      __global float *best_g, __global const int *order_g, __global int *queue_g,
                      __global float *scratch_g, ROW_PARAMETERS, int n_features, int first_place, int n_units,
                      int first, int count, int look_every, int keep) {
    const int uses = USES_OR(uses_given), chunk_end = first + count;
    const row_sources from = ROW_SOURCES;
    OPEN_SLOTS;
    OPEN_LANES;
    OPEN_QUEUE;
    for (int taken = first_place + TAKE(UNITS_AT_ONCE); taken < n_units; taken = first_place + TAKE(UNITS_AT_ONCE)) {
        unit_task tasks[UNITS_AT_ONCE];
        int last_end = first, most_blocks = 0;
        for (int u = 0; u < UNITS_AT_ONCE; u++) {
            unit_task *task = &tasks[u];
            task->unit = order_g[min(taken + u, n_units - 1)];
            task->end = taken + u < n_units ? unit_end(&from, A_g, task->unit, first, chunk_end) : first;
            task->n_blocks = unit_blocks(&from, task->unit);
            task->slot = slots + u * SLOT(n_features);
            if (!SHARED_ROWS && task->end == first) continue; /* else it is in the sums, whose slots must be numbers */
            last_end = max(last_end, task->end);
            most_blocks = max(most_blocks, task->n_blocks);
            clear_sums(n_features, task->slot);
            load_unit(W_g, M_g, u_stride, task->unit, n_features, uses, task->slot);
            if (task->n_blocks == 1) load_rows(&from, task->unit, unit_block(&from, task->unit, 0), task->slot);
        }
        SLOT_BARRIER; /* publishes the slots */
        /* Stage by stage, so that beside one unit's arithmetic stands another kind of the other's. */
        for (int epoch = first; epoch < last_end; epoch++) {
            const bool looks = !LOCAL_MEMORY && look_every > 0 && (epoch + 1) % look_every == 0;
            const bool keeps = looks || (keep && epoch == chunk_end - 1);
            for (int block = 0; block < most_blocks; block++) {
                predict_units(&from, tasks, X_g, steps_g, n_features, epoch, block);
                for (int u = 0; u < UNITS_AT_ONCE; u++) {
                    const unit_task task = tasks[u];
                    if (!has_block(&task, epoch, block)) continue;
                    const row_block rows = unit_block(&from, task.unit, block);
                    delta_block(task.slot, rows.n_tiles, unit_loss(&from, task.unit), uses);
                }
#if SHARED_ROWS
                const row_block shared = unit_block(&from, tasks[0].unit, block);
                sum_shared(block_features(&from, tasks[0].unit, shared, X_g, steps_g, n_features), slots,
                           shared.n_tiles, n_features, block == 0);
#endif
                for (int u = 0; u < UNITS_AT_ONCE; u++) {
                    const unit_task task = tasks[u];
                    if (!has_block(&task, epoch, block)) continue;
                    const row_block rows = unit_block(&from, task.unit, block);
                    if (!SHARED_ROWS)
                        SUM_BLOCK(block_features(&from, task.unit, rows, X_g, steps_g, n_features), task.slot,
                                  rows.n_tiles, block == 0);
                }
            }
            for (int u = 0; u < UNITS_AT_ONCE; u++) {
                const step_place at = {U_g, u_stride, tasks[u].unit, epoch, n_features, uses, keeps};
                if (has_block(&tasks[u], epoch, 0)) step_slot(&at, tasks[u].slot);
            }
#if !LOCAL_MEMORY
            if (!looks) continue;
            look(&from, tasks, X_g, steps_g, A_g, H_g, best_g, n_features, epoch, most_blocks);
            last_end = first;
            for (int u = 0; u < UNITS_AT_ONCE; u++) last_end = max(last_end, tasks[u].end);
#endif
        }
        for (int u = 0; u < UNITS_AT_ONCE; u++)
            if (tasks[u].end > first)
                store_unit(tasks[u].slot, u_stride, tasks[u].unit, n_features, uses, keep && tasks[u].end == chunk_end,
                           W_g, M_g, D_g);
    }
}
