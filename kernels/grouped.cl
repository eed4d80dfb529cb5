/* The strategy `grouped`: units that learn from rows of their own (grouped_block.cl).
 *
 *   grouped        all epochs of a chunk inside one launch: a group takes UNITS_AT_ONCE units from a queue, runs their
 *                  epochs, takes the next
 *   grouped_sums   for units with so many rows that one group would be long about them: the gradient sums of one of
 *                  their blocks, a group a block
 *   grouped_step   adds those up and takes one step, a group a unit
 *
 *   X_g  tiles of X      W_g [n_features + 1, u_stride], M_g [2, n_features + 1, u_stride], D_g, A_g: as in update.cl
 *   order_g          [n_units]: the units, those with most rows first
 *   first_block_g    [n_units + 1]: the blocks of the units in that order, numbered through
 *   block_owner_g    [n_blocks]: the place in order_g of the block's unit
 *   queue_g          [1]: how many places of order_g have been taken
 *   scratch_g        [groups, UNITS_AT_ONCE, SLOT], one element where slots lie in local memory
 *   G_g              [n_blocks, SLOT_MATRIX]: sums of blocks
 *
 * Launch: dimension 1 covers the groups, of GROUP_ITEMS items in dimension 0. Which group does what changes no bit.
 */
#ifndef UNITS_AT_ONCE /* units a group trains side by side: one's arithmetic fills the other's waits */
#define UNITS_AT_ONCE 1
#endif

/* The slots of this group. */
#if SLOT_FEATURES > 0
#define OPEN_SLOTS                                                         \
    __local float slots[SLOT(SLOT_FEATURES)] __attribute__((aligned(64))); \
    (void)scratch_g
#else
#define OPEN_SLOTS __global float *slots = scratch_g + (size_t)get_global_id(1) * UNITS_AT_ONCE * SLOT(n_features)
#endif

/* sum_block needs room for lanes in local memory. */
#if LOCAL_MEMORY
#define OPEN_LANES __local float lanes_l[FEATURES_AT_ONCE * LANE_SLICE]
#define SUM_BLOCK(x_g, slot, n_tiles, is_first) sum_block(x_g, slot, n_tiles, n_features, is_first, lanes_l)
#else
#define OPEN_LANES
#define SUM_BLOCK(x_g, slot, n_tiles, is_first) sum_block(x_g, slot, n_tiles, n_features, is_first)
#endif

typedef struct step_place {
    __global const float *U_g;
    int u_stride;
    int unit;
    int epoch;
    int n_features;
    int uses;
    bool keep; /* leave the distances from the optimum (update.cl) where the sums were */
} step_place;

/* One step of all weights in the slot, with the sums there. */
static inline void step_slot(const step_place *at, SLOT_SPACE float *slot) {
    const int bias = SLOT_BIAS(at->n_features), uses = at->uses;
    const unit_step s = unit_step_load(at->U_g, at->u_stride, at->unit, at->epoch, at->epoch, uses);
    SLOT_SPACE float *sums = slot + SLOT_SUMS(at->n_features), *moments = slot + SLOT_MOMENTS(at->n_features);
    for (int k = GROUP_ITEM * UNIT_VECTOR; k <= bias; k += GROUP_ITEMS * UNIT_VECTOR) {
        SLOT_SPACE float *w_at = slot + SLOT_WEIGHTS + k, *m_at = moments + k,
                         *v_at = m_at + SLOT_MATRIX(at->n_features);
        const vfloat w = LOAD(SLOT_SPACE, w_at);
        const vfloat slope = step_slope(&s, k == bias, w, LOAD(SLOT_SPACE, sums + k));
        vfloat m = (vfloat)(0.0f), v = (vfloat)(0.0f);
        if (uses & (USE_MOMENTUM | USE_ADAM)) m = LOAD(SLOT_SPACE, m_at);
        if (uses & USE_ADAM) v = LOAD(SLOT_SPACE, v_at);
        if (at->keep) STORE(SLOT_SPACE, sums + k, step_residual(&s, k == bias, w, slope, uses));
        STORE(SLOT_SPACE, w_at, step_weight(&s, k == bias, w, slope, &m, &v, uses));
        if (uses & (USE_MOMENTUM | USE_ADAM)) STORE(SLOT_SPACE, m_at, m);
        if (uses & USE_ADAM) STORE(SLOT_SPACE, v_at, v);
    }
    SLOT_BARRIER;
}

/* Weights and moments of a unit to the slot. */
static inline void load_unit(__global const float *W_g, __global const float *M_g, int u_stride, int unit,
                             int n_features, int uses, SLOT_SPACE float *slot) {
    const size_t matrix = (size_t)(n_features + 1) * u_stride;
    SLOT_SPACE float *moments = slot + SLOT_MOMENTS(n_features);
    load_column(W_g + unit, u_stride, n_features, slot + SLOT_WEIGHTS);
    if (uses & (USE_MOMENTUM | USE_ADAM)) load_column(M_g + unit, u_stride, n_features, moments);
    if (uses & USE_ADAM) load_column(M_g + matrix + unit, u_stride, n_features, moments + SLOT_MATRIX(n_features));
    SLOT_BARRIER;
}

/* And back; where `keep` is true the distances, too. */
static inline void store_unit(SLOT_SPACE const float *slot, int u_stride, int unit, int n_features, int uses, bool keep,
                              __global float *W_g, __global float *M_g, __global float *D_g) {
    const size_t matrix = (size_t)(n_features + 1) * u_stride;
    SLOT_SPACE const float *moments = slot + SLOT_MOMENTS(n_features);
    store_column(slot + SLOT_WEIGHTS, u_stride, n_features, W_g + unit);
    if (uses & (USE_MOMENTUM | USE_ADAM)) store_column(moments, u_stride, n_features, M_g + unit);
    if (uses & USE_ADAM) store_column(moments + SLOT_MATRIX(n_features), u_stride, n_features, M_g + matrix + unit);
    if (keep) store_column(slot + SLOT_SUMS(n_features), u_stride, n_features, D_g + unit);
}

/* Epochs of the unit in first ... end - 1: none when it has stopped. */
static inline int unit_end(const row_sources *from, __global const float *A_g, int unit, int first, int end) {
    const int epochs = ((__global const int *)from->U_g)[(size_t)UNIT_EPOCHS * from->u_stride + unit];
    const int active = ((__global const int *)A_g)[(size_t)STATE_ACTIVE * from->u_stride + unit];
    return active ? max(min(epochs, end), first) : first;
}

static inline int unit_loss(const row_sources *from, int unit) {
    return ((__global const int *)from->U_g)[(size_t)UNIT_LOSS * from->u_stride + unit];
}

/* ---- All epochs in one launch ------------------------------------------------------------------------------------ */

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

static inline bool has_block(const unit_task *task, int epoch, int block) {
    return epoch < task->end && block < task->n_blocks;
}

/* z of a block of the units' rows. */
static inline void predict_units(const row_sources *from, const unit_task tasks[UNITS_AT_ONCE],
                                 __global const float *X_g, int n_features, int epoch, int block) {
    row_block rows[UNITS_AT_ONCE];
    __global const float *x_g[UNITS_AT_ONCE];
    for (int u = 0; u < UNITS_AT_ONCE; u++) {
        rows[u] = unit_block(from, tasks[u].unit, block);
        x_g[u] = X_g + (size_t)rows[u].first_tile * n_features * TILE;
        if (has_block(&tasks[u], epoch, block) && tasks[u].n_blocks > 1)
            load_rows(from, tasks[u].unit, rows[u], tasks[u].slot);
    }
#if UNITS_AT_ONCE == 2
    if (rows[0].n_tiles == rows[1].n_tiles && rows[0].n_tiles <= TILES_AT_ONCE && has_block(&tasks[0], epoch, block) &&
        has_block(&tasks[1], epoch, block)) {
        __global float *slots_g[2] = {tasks[0].slot, tasks[1].slot};
        predict_pair(x_g, slots_g, rows[0].n_tiles, n_features);
        return;
    }
#endif
    for (int u = 0; u < UNITS_AT_ONCE; u++)
        if (has_block(&tasks[u], epoch, block)) predict_block(x_g[u], tasks[u].slot, rows[u].n_tiles, n_features);
}

__kernel void grouped(__global const float *X_g, __global float *W_g, __global float *M_g, __global float *D_g,
                      __global const float *A_g, __global const int *order_g, __global int *queue_g,
                      __global float *scratch_g, ROW_PARAMETERS, int n_features, int first_place, int n_units,
                      int first, int count, int keep) {
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
            if (task->end == first) continue;
            last_end = max(last_end, task->end);
            most_blocks = max(most_blocks, task->n_blocks);
            load_unit(W_g, M_g, u_stride, task->unit, n_features, uses, task->slot);
            if (task->n_blocks == 1) load_rows(&from, task->unit, unit_block(&from, task->unit, 0), task->slot);
        }
        /* Stage by stage, so that beside one unit's arithmetic stands another kind of the other's. */
        for (int epoch = first; epoch < last_end; epoch++) {
            for (int block = 0; block < most_blocks; block++) {
                predict_units(&from, tasks, X_g, n_features, epoch, block);
                for (int u = 0; u < UNITS_AT_ONCE; u++) {
                    const unit_task task = tasks[u];
                    if (!has_block(&task, epoch, block)) continue;
                    const row_block rows = unit_block(&from, task.unit, block);
                    delta_block(task.slot, rows.n_tiles, unit_loss(&from, task.unit), uses);
                }
                for (int u = 0; u < UNITS_AT_ONCE; u++) {
                    const unit_task task = tasks[u];
                    if (!has_block(&task, epoch, block)) continue;
                    const row_block rows = unit_block(&from, task.unit, block);
                    const step_place at = {
                        U_g, u_stride, task.unit, epoch, n_features, uses, keep && epoch == chunk_end - 1};
                    SUM_BLOCK(X_g + (size_t)rows.first_tile * n_features * TILE, task.slot, rows.n_tiles, block == 0);
                    if (block == task.n_blocks - 1) step_slot(&at, task.slot);
                }
            }
        }
        for (int u = 0; u < UNITS_AT_ONCE; u++)
            if (tasks[u].end > first)
                store_unit(tasks[u].slot, u_stride, tasks[u].unit, n_features, uses, keep && tasks[u].end == chunk_end,
                           W_g, M_g, D_g);
    }
}

/* ---- An epoch of units with many rows ---------------------------------------------------------------------------- */

__kernel void grouped_sums(__global const float *X_g, __global const float *W_g, __global const float *A_g,
                           __global const int *order_g, __global const int *first_block_g,
                           __global const int *block_owner_g, __global float *G_g, __global float *scratch_g,
                           ROW_PARAMETERS, int n_features, int n_blocks, int epoch, int n_groups) {
    const int uses = USES_OR(uses_given);
    const row_sources from = ROW_SOURCES;
    OPEN_SLOTS;
    OPEN_LANES;
    for (int b = get_global_id(1); b < n_blocks; b += n_groups) {
        const int place = block_owner_g[b], unit = order_g[place];
        if (unit_end(&from, A_g, unit, epoch, epoch + 1) == epoch) continue;
        const row_block rows = unit_block(&from, unit, b - first_block_g[place]);
        __global const float *x_g = X_g + (size_t)rows.first_tile * n_features * TILE;
        load_column(W_g + unit, u_stride, n_features, slots + SLOT_WEIGHTS);
        load_rows(&from, unit, rows, slots); /* its barrier publishes the weights, too */
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
        load_unit(W_g, M_g, u_stride, unit, n_features, uses, slots); /* its barrier publishes the sums, too */
        const step_place at = {U_g, u_stride, unit, epoch, n_features, uses, keep};
        step_slot(&at, slots);
        store_unit(slots, u_stride, unit, n_features, uses, keep, W_g, M_g, D_g);
        SLOT_BARRIER; /* all have read the slot before the next unit's is stored */
    }
}
