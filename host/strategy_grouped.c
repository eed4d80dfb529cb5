/* The strategy `grouped`: units that have rows of their own, all epochs of a chunk inside one launch; the few units
 * with so many rows that one group would be long about them are trained epoch by epoch by all groups
 * (kernels/grouped.cl). */
#include "strategy.h"

#include <math.h>
#include <stdlib.h>

/* A unit has many rows when they are at least so many blocks and more than a group's fair share of all: below it the
 * two launches an epoch cost more than they bring. */
enum { MANY_BLOCKS = 16 };

typedef struct grouped_run {
    live_set *live;
    device_program *program, *program_for_many;
    device_kernel *grouped, *sums, *step, *weigh, *measure, *add;
    size_t n_groups;
    size_t n_blocks;      /* of all units */
    size_t n_many;        /* units with many rows: the first of the order */
    size_t n_many_blocks; /* their blocks, which come first, too */
    device_buffer *order, *first_block, *block_owner, *queue, *scratch;
    device_buffer *gradients; /* [n_many_blocks, a matrix of a slot] */
    device_buffer *measures;  /* [MEASURE_SUMS, n_blocks] */
    device_buffer *X;         /* the data set's, borrowed; or what it is decoded to */
    device_buffer *decoded;
} grouped_run;

static bool applicable(const train_problem *problem, char *why, size_t why_bytes) {
    if (problem->batch_rows == 0) return true;
    snprintf(why, why_bytes, "it takes all rows at once, these units learn from batches of %zu", problem->batch_rows);
    return false;
}

/* ---- Shape ------------------------------------------------------------------------------------------------------- */

static bool has_local_memory(const train_plan *plan) {
    return plan->tiling.local_memory;
}

static tile_sizes widest_tiling(const train_problem *problem) {
    return tiling_choose(problem->dataset->device, DATASET_MAX_COUNT);
}

/* Lanes of a vector: on devices with local memory of their own a lane is an item. */
static unsigned vector_lanes(const train_plan *plan) {
    return has_local_memory(plan) ? 1 : plan->tiling.unit_vector;
}

static size_t rows_of(const train_problem *problem, size_t unit) {
    return (size_t)problem_integers(problem, UNIT_ROWS)[unit];
}

static size_t blocks_of(const train_problem *problem, size_t unit) {
    return problem_blocks(rows_of(problem, unit));
}

static size_t all_rows(const train_problem *problem) {
    size_t n = 0;
    for (size_t j = 0; j < problem->n_units; j++) n += rows_of(problem, j);
    return n;
}

static size_t all_tiles(const train_problem *problem) {
    size_t n = 0;
    for (size_t j = 0; j < problem->n_units; j++) n += size_divide_up(rows_of(problem, j), DATASET_TILE);
    return n;
}

static size_t all_blocks(const train_problem *problem) {
    size_t n = 0;
    for (size_t j = 0; j < problem->n_units; j++) n += blocks_of(problem, j);
    return n;
}

/* The floats of kernels/grouped_block.cl: SLOT_MATRIX and SLOT. */
static size_t slot_matrix(size_t n_features) {
    return size_divide_up(n_features, DATASET_TILE) * DATASET_TILE + DATASET_TILE;
}

static size_t slot_floats(size_t n_features) {
    return 3 * (size_t)DATASET_BLOCK_ROWS + 4 * slot_matrix(n_features);
}

/* Features that slots in local memory have room for, in few sizes so that few programs are built; 0: slots lie in
 * global memory. 1024 features take 20 of the 32 KiB that every device has. */
static size_t slot_features(const train_problem *problem, const train_plan *plan) {
    enum { LEAST = 16, MOST = 1024 };
    size_t n = LEAST;
    if (!has_local_memory(plan) || problem->dataset->n_features > MOST) return 0;
    while (n < problem->dataset->n_features) n *= 4;
    return n;
}

/* On CPUs, units that all learn from the same rows share what a group loads of them, where there are more than cores.
 */
static bool shares_rows(const train_problem *problem, const train_plan *plan) {
    enum { LEAST_LANES = 8 };
    return !problem->has_ranges && !has_local_memory(plan) && vector_lanes(plan) >= LEAST_LANES &&
           problem->n_units > plethron_device_describe(problem->dataset->device)->compute_units;
}

/* As many units as keep all cores busy equally long and whose sums fit in registers, where they share rows. Else two
 * fill the registers of a CPU with vectors of 16; but not where their rows push each other out of the nearest cache. */
static size_t units_at_once(const train_problem *problem, const train_plan *plan) {
    enum { LANES = 16, CACHE_BYTES = 32 << 10, MOST_SHARED = 8 };
    if (shares_rows(problem, plan)) {
        const size_t n_cores = plethron_device_describe(problem->dataset->device)->compute_units;
        const size_t most = MOST_SHARED * vector_lanes(plan) / LANES;
        return size_divide_up(problem->n_units, n_cores * size_divide_up(problem->n_units, n_cores * most));
    }
    const size_t row_bytes = problem->dataset->n_features * sizeof(float);
    return vector_lanes(plan) == LANES && all_rows(problem) / problem->n_units * row_bytes <= CACHE_BYTES ? 2 : 1;
}

/* Groups that keep a device busy. */
static size_t groups_of(const plethron_device *device, const train_plan *plan) {
    enum { GROUPS_A_CORE = 4, GROUPS_A_GPU_UNIT = 16 };
    return plethron_device_describe(device)->compute_units *
           (size_t)(has_local_memory(plan) ? GROUPS_A_GPU_UNIT : GROUPS_A_CORE);
}

static size_t scratch_floats(const train_problem *problem, const train_plan *plan) {
    if (slot_features(problem, plan) > 0) return 1;
    return groups_of(problem->dataset->device, plan) * units_at_once(problem, plan) *
           slot_floats(problem->dataset->n_features);
}

/* Flops over a nominal rate, and what each unit's step takes; only comparisons between strategies of one device count.
 */
static const double step_s = 6e-8;

/* Units that share rows: a group reads what it loads of them twice, which is as much as one unit more. It takes its
 * units through all epochs, so that cores do not wait for each other; but each reads all rows for itself. */
static double cost_of_sharing(const train_problem *problem, size_t n_together) {
    static const double sigmoid_features = 12.0;
    const plethron_dataset *dataset = problem->dataset;
    const size_t n_cores = plethron_device_describe(dataset->device)->compute_units;
    const size_t n_turns = size_divide_up(problem->n_units, n_together);
    const double busy = (double)(size_divide_up(n_turns, n_cores) * n_cores * (n_together + 1));
    const double rows = 4.0 * (double)(size_divide_up(dataset->n_samples, DATASET_TILE) * DATASET_TILE);
    const double n_features = (double)dataset->n_features;
    const double computing_s = busy * rows * (n_features + sigmoid_features) / 1.35e11;
    const double reading_s =
        dataset_exceeds_cache(dataset) ? (double)n_turns * rows * n_features * STRATEGY_READING_FEATURES / 1e11 : 0.0;
    return fmax(computing_s, reading_s) + step_s * (double)problem->n_units;
}

/* A unit with rows of its own is one core's, unless it has many: these are read anew each epoch, which takes longer
 * where no cache holds X, a little longer than `rows` takes to read floats (which it leaves ties to), whatever they are
 * stored as. */
static double cost(const train_problem *problem) {
    static const double sigmoid_features = 4.0, alone_features = 20.0, reading = 6.1;
    const plethron_dataset *dataset = problem->dataset;
    const size_t n_cores = plethron_device_describe(dataset->device)->compute_units;
    const train_plan plan = {.tiling = widest_tiling(problem)};
    const size_t n_together = units_at_once(problem, &plan);
    if (shares_rows(problem, &plan)) return cost_of_sharing(problem, n_together);
    const bool has_many = problem_max_rows(problem) > (size_t)MANY_BLOCKS * DATASET_BLOCK_ROWS;
    const bool is_read = has_many && dataset_exceeds_cache(dataset);
    const size_t busy = has_many ? problem->n_units : size_divide_up(problem->n_units, n_cores) * n_cores;
    const double rows = (double)all_tiles(problem) * DATASET_TILE / (double)problem->n_units;
    const double n_features = (double)dataset->n_features + (has_many ? alone_features : sigmoid_features);
    const double computing_s = 4.0 * rows * n_features / 5e10;
    const double reading_s = is_read ? 4.0 * rows * (double)dataset->n_features * reading / 1e11 : 0.0;
    return (double)busy * (fmax(computing_s, reading_s) + step_s) + (has_many ? 2 * STRATEGY_LAUNCH_COST : 0.0);
}

static plethron_status prepare(const train_problem *problem, const tile_sizes *tiling, train_plan *plan,
                               plethron_error *err) {
    const plethron_dataset *dataset = problem->dataset;
    const plethron_device_info *info = plethron_device_describe(dataset->device);
    plan->tiling = tiling ? *tiling : widest_tiling(problem);
    plan->shard_units = problem->unit_stride;
    const size_t n_blocks = all_blocks(problem), scratch_bytes = scratch_floats(problem, plan) * sizeof(float);
    const size_t gradient_bytes = n_blocks * slot_matrix(dataset->n_features) * sizeof(float);
    const size_t largest = gradient_bytes > scratch_bytes ? gradient_bytes : scratch_bytes;
    plan->bytes =
        scratch_bytes + gradient_bytes + n_blocks * (MEASURE_SUMS + 1) * sizeof(float) + forward_decoded_bytes(dataset);
    if (!device_is_host(dataset->device) && largest > info->max_alloc_bytes)
        return error_set(err, PLETHRON_ERROR_MEMORY, "grouped needs a buffer of %zu bytes; %s allows %llu", largest,
                         info->name, (unsigned long long)info->max_alloc_bytes);
    const size_t n_groups = groups_of(dataset->device, plan);
    char sharing[64] = "";
    if (shares_rows(problem, plan))
        snprintf(sharing, sizeof sharing, ", %zu units share rows", units_at_once(problem, plan));
    snprintf(plan->text, sizeof plan->text, "grouped on %s: %u lanes a vector, %zu group%s of %d%s%s", info->name,
             vector_lanes(plan), n_groups, n_groups == 1 ? "" : "s", has_local_memory(plan) ? 64 : 1, sharing,
             forward_decoded_bytes(dataset) ? ", features decoded to f32" : "");
    return PLETHRON_OK;
}

/* ---- Opening ----------------------------------------------------------------------------------------------------- */

static void run_close(void *state) {
    grouped_run *run = state;
    if (!run) return;
    device_buffer *buffers[] = {run->order,   run->first_block, run->block_owner, run->queue,
                                run->scratch, run->gradients,   run->measures,    run->decoded};
    device_kernel *kernels[] = {run->grouped, run->sums, run->step, run->weigh, run->measure, run->add};
    for (size_t i = 0; i < sizeof buffers / sizeof *buffers; i++) device_buffer_close(buffers[i]);
    for (size_t i = 0; i < sizeof kernels / sizeof *kernels; i++) kernel_close(kernels[i]);
    program_close(run->program_for_many);
    program_close(run->program);
    free(run);
}

static plethron_status open_program(const grouped_run *run, const char *const *sources, size_t n_sources,
                                    device_program **out, plethron_error *err) {
    const train_problem *p = run->live->problem;
    const train_plan *plan = run->live->plan;
    char options[256];
    const size_t n_units = units_at_once(p, plan);
    snprintf(options, sizeof options,
             "-DTILE=%d -DBLOCK_ROWS=%d -DUSES=%d -DSTORAGE=%d -DONE_UNIT=1 -DLOCAL_MEMORY=%d -DSLOT_FEATURES=%zu "
             "-DUNIT_VECTOR=%u -DUNITS_AT_ONCE=%zu -DSHARED_ROWS=%d",
             DATASET_TILE, DATASET_BLOCK_ROWS, p->uses, (int)p->dataset->storage, has_local_memory(plan),
             slot_features(p, plan), vector_lanes(plan), n_units, shares_rows(p, plan));
    return program_open(run->live->device, sources, n_sources, options, out, err);
}

static plethron_status open_kernels(grouped_run *run, plethron_error *err) {
    plethron_status status;
    const char *const sources[] = {"arithmetic.cl",    "store.cl",          "unit.cl",         "row.cl",
                                   "rules.cl",         "step.cl",           "measure.cl",      "lanes.cl",
                                   "grouped_block.cl", "grouped_shared.cl", "grouped_unit.cl", "grouped_look.cl",
                                   "grouped.cl",       "grouped_measure.cl"};
    TRY(open_program(run, sources, sizeof sources / sizeof *sources, &run->program, err));
    TRY(program_kernel(run->program, "grouped", &run->grouped, err));
    TRY(program_kernel(run->program, "grouped_weigh", &run->weigh, err));
    TRY(program_kernel(run->program, "grouped_measure", &run->measure, err));
    TRY(program_kernel(run->program, "grouped_add", &run->add, err));
out:
    return status;
}

/* For the units with many rows, where there are any. */
static plethron_status open_kernels_for_many(grouped_run *run, plethron_error *err) {
    plethron_status status = PLETHRON_OK;
    const char *const sources[] = {"arithmetic.cl", "store.cl",         "unit.cl",         "row.cl",         "step.cl",
                                   "lanes.cl",      "grouped_block.cl", "grouped_unit.cl", "grouped_many.cl"};
    if (run->n_many == 0) return status;
    TRY(open_program(run, sources, sizeof sources / sizeof *sources, &run->program_for_many, err));
    TRY(program_kernel(run->program_for_many, "grouped_sums", &run->sums, err));
    TRY(program_kernel(run->program_for_many, "grouped_step", &run->step, err));
out:
    return status;
}

typedef struct sized_unit {
    size_t n_rows;
    int32_t unit;
} sized_unit;

/* Most rows first; among equals the first unit first. */
static int compare_units(const void *a, const void *b) {
    const sized_unit *x = a, *y = b;
    if (x->n_rows != y->n_rows) return x->n_rows < y->n_rows ? 1 : -1;
    return (x->unit > y->unit) - (x->unit < y->unit);
}

/* The order of the units, and of it which have many rows. */
static plethron_status order_units(grouped_run *run, int32_t *order, plethron_error *err) {
    plethron_status status;
    void *memory = NULL;
    const train_problem *p = run->live->problem;
    const bool is_shared = shares_rows(p, run->live->plan);
    size_t n_rows = 0;
    TRY(memory_allocate(p->n_units, sizeof(sized_unit), "the order of the units", &memory, err));
    sized_unit *units = memory;
    for (size_t j = 0; j < p->n_units; j++) {
        units[j] = (sized_unit){rows_of(p, j), (int32_t)j};
        n_rows += units[j].n_rows;
    }
    qsort(units, p->n_units, sizeof *units, compare_units);
    for (size_t i = 0; i < p->n_units; i++) {
        const bool many = !is_shared && units[i].n_rows > (size_t)MANY_BLOCKS * DATASET_BLOCK_ROWS &&
                          units[i].n_rows > n_rows / run->n_groups;
        order[i] = units[i].unit;
        run->n_many += many;
        run->n_many_blocks += many ? blocks_of(p, (size_t)order[i]) : 0;
    }
out:
    free(memory);
    return status;
}

static plethron_status upload_integers(grouped_run *run, const int32_t *values, size_t n, const char *what,
                                       device_buffer **out, plethron_error *err) {
    plethron_status status;
    const size_t bytes = (n ? n : 1) * sizeof *values;
    TRY(device_buffer_create(run->live->device, bytes, what, out, err));
    if (n) TRY(device_buffer_upload(*out, 0, bytes, values, err));
out:
    return status;
}

/* Which blocks there are, in the units' order. */
static plethron_status upload_lists(grouped_run *run, plethron_error *err) {
    plethron_status status;
    void *lists = NULL;
    const train_problem *p = run->live->problem;
    TRY(memory_allocate(2 * p->n_units + 1 + run->n_blocks, sizeof(int32_t), "the blocks of the units", &lists, err));
    int32_t *order = lists, *first_block = order + p->n_units, *owner = first_block + p->n_units + 1, n = 0;
    TRY(order_units(run, order, err));
    for (size_t i = 0; i < p->n_units; i++) {
        first_block[i] = n;
        for (size_t b = 0; b < blocks_of(p, (size_t)order[i]); b++) owner[n++] = (int32_t)i;
    }
    first_block[p->n_units] = n;
    TRY(upload_integers(run, order, p->n_units, "the order of the units", &run->order, err));
    TRY(upload_integers(run, first_block, p->n_units + 1, "the blocks of the units", &run->first_block, err));
    TRY(upload_integers(run, owner, run->n_blocks, "the owners of the blocks", &run->block_owner, err));
out:
    free(lists);
    return status;
}

static plethron_status open_room(grouped_run *run, plethron_error *err) {
    plethron_status status;
    plethron_device *device = run->live->device;
    const train_problem *p = run->live->problem;
    const size_t gradient_floats = run->n_many_blocks * slot_matrix(p->dataset->n_features);
    TRY(device_buffer_create(device, sizeof(int32_t), "the queue of the units", &run->queue, err));
    TRY(device_buffer_create(device, scratch_floats(p, run->live->plan) * sizeof(float), "the groups' room",
                             &run->scratch, err));
    TRY(device_buffer_create(device, (gradient_floats ? gradient_floats : 1) * sizeof(float), "the gradients of blocks",
                             &run->gradients, err));
    TRY(device_buffer_create(device, MEASURE_SUMS * (run->n_blocks ? run->n_blocks : 1) * sizeof(float),
                             "the sums of blocks", &run->measures, err));
out:
    return status;
}

static plethron_status run_open(live_set *live, void **out, plethron_error *err) {
    plethron_status status;
    void *memory = NULL;
    grouped_run *run = NULL;
    TRY(memory_allocate(1, sizeof *run, "a training run", &memory, err));
    run = memory;
    run->live = live;
    run->n_groups = groups_of(live->device, live->plan);
    run->n_blocks = all_blocks(live->problem);
    TRY(open_kernels(run, err));
    TRY(upload_lists(run, err));
    TRY(open_kernels_for_many(run, err));
    TRY(forward_decode_all(live->problem->dataset, &run->decoded, err));
    run->X = run->decoded ? run->decoded : live->X;
    TRY(open_room(run, err));
    *out = run;
    run = NULL;
out:
    run_close(run);
    return status;
}

/* ---- Launches ---------------------------------------------------------------------------------------------------- */

/* At most n groups. */
static kernel_range groups(const grouped_run *run, size_t n) {
    enum { GROUP_ITEMS = 64 };
    const size_t items = has_local_memory(run->live->plan) ? GROUP_ITEMS : 1;
    return (kernel_range){.global = {items, n < run->n_groups ? n : run->n_groups, 1}, .local = {items, 1, 1}};
}

/* The epochs of the units with few rows. */
static plethron_status run_few(const grouped_run *run, int64_t first, int64_t count, int64_t look_every, bool keep,
                               plethron_error *err) {
    plethron_status status = PLETHRON_OK;
    const live_set *live = run->live;
    const train_problem *p = live->problem;
    const kernel_range range = groups(run, p->n_units - run->n_many);
    if (run->n_many == p->n_units) return status;
    TRY(device_buffer_zero(run->queue, err));
    TRY(kernel_launch(run->grouped, &range, err, "bbbbbbbbbbb" ROW_TYPES "iiiiiii", run->X, live->steps, live->weights,
                      live->moments, live->distances, live->state, live->held_scale, live->best, run->order, run->queue,
                      run->scratch, ROW_ARGUMENTS(live), (int)p->dataset->n_features, (int)run->n_many, (int)p->n_units,
                      (int)first, (int)count, (int)look_every, (int)keep));
out:
    return status;
}

/* An epoch of the units with many rows. */
static plethron_status run_many(const grouped_run *run, int64_t epoch, bool keep, plethron_error *err) {
    plethron_status status = PLETHRON_OK;
    live_set *live = run->live;
    const int n_features = (int)live->problem->dataset->n_features;
    const kernel_range of_blocks = groups(run, run->n_many_blocks), of_units = groups(run, run->n_many);
    if (run->n_many == 0) return status;
    TRY(kernel_launch(run->sums, &of_blocks, err, "bbbbbbbbb" ROW_TYPES "iiii", run->X, live->steps, live->weights,
                      live->state, run->order, run->first_block, run->block_owner, run->gradients, run->scratch,
                      ROW_ARGUMENTS(live), n_features, (int)run->n_many_blocks, (int)epoch, (int)of_blocks.global[1]));
    TRY(kernel_launch(run->step, &of_units, err, "bbbbbbbb" ROW_TYPES "iiiii", live->weights, live->moments,
                      live->distances, live->state, run->order, run->first_block, run->gradients, run->scratch,
                      ROW_ARGUMENTS(live), n_features, (int)run->n_many, (int)epoch, (int)keep,
                      (int)of_units.global[1]));
    TRY(live_count_launches(live, 2, err));
out:
    return status;
}

/* Units with many rows take launches of their own, after which `check` looks. */
static bool looks(const void *state) {
    const grouped_run *run = state;
    return run->n_many == 0 && !has_local_memory(run->live->plan);
}

static plethron_status epochs(void *state, int64_t first, int64_t count, int64_t look_every, plethron_error *err) {
    plethron_status status;
    const grouped_run *run = state;
    const bool keep = !looks(run) && look_every > 0 && (first + count) % look_every == 0;
    TRY(run_few(run, first, count, looks(run) ? look_every : 0, keep, err));
    for (int64_t e = 0; e < count; e++) TRY(run_many(run, first + e, keep && e == count - 1, err));
out:
    return status;
}

static plethron_status add(const grouped_run *run, size_t n_sums, device_buffer *totals, plethron_error *err) {
    const train_problem *p = run->live->problem;
    const kernel_range range = {.global = {p->unit_stride, n_sums, 1},
                                .local = {has_local_memory(run->live->plan) ? UNIT_PADDING : 1, 1, 1}};
    return kernel_launch(run->add, &range, err, "bbbbiii", run->measures, run->order, run->first_block, totals,
                         (int)p->n_units, (int)run->n_blocks, (int)p->unit_stride);
}

static plethron_status weigh(void *state, device_buffer *totals, plethron_error *err) {
    plethron_status status = PLETHRON_OK;
    const grouped_run *run = state;
    const kernel_range range = groups(run, run->n_blocks);
    if (run->n_blocks == 0) return status;
    TRY(kernel_launch(run->weigh, &range, err, "bbbb" ROW_TYPES "ii", run->order, run->first_block, run->block_owner,
                      run->measures, ROW_ARGUMENTS(run->live), (int)run->n_blocks, (int)range.global[1]));
    TRY(add(run, WEIGH_SUMS, totals, err));
out:
    return status;
}

static plethron_status measure(void *state, device_buffer *totals, plethron_error *err) {
    plethron_status status = PLETHRON_OK;
    const grouped_run *run = state;
    const live_set *live = run->live;
    const kernel_range range = groups(run, run->n_blocks);
    if (run->n_blocks == 0) return status;
    TRY(kernel_launch(run->measure, &range, err, "bbbbbbbb" ROW_TYPES "iii", run->X, live->steps, live->weights,
                      run->order, run->first_block, run->block_owner, run->measures, run->scratch, ROW_ARGUMENTS(live),
                      (int)live->problem->dataset->n_features, (int)run->n_blocks, (int)range.global[1]));
    TRY(add(run, MEASURE_SUMS, totals, err));
out:
    return status;
}

const strategy strategy_grouped = {
    .name = "grouped",
    .order = ORDER_OF_ENTITIES,
    .applicable = applicable,
    .cost = cost,
    .prepare = prepare,
    .open = run_open,
    .close = run_close,
    .epochs = epochs,
    .looks = looks,
    .weigh = weigh,
    .measure = measure,
};
