/* The strategy `rows`: few units, lanes are rows, one pass over X (rows.cl). With the update four launches an epoch and
 * shard. On an OpenCL device. */
#include "strategy.h"

#include <math.h>
#include <stdlib.h>

/* How the kernels are shaped: the macros of rows_vector.cl, or of rows_group.cl. */
typedef struct rows_shape {
    unsigned group_items; /* 1: vectors */
    size_t pass_units;
    size_t forward_tiles, gradient_features;
    bool chains_in_memory;
    size_t most_values; /* 0: none are kept */
} rows_shape;

typedef struct rows_run {
    live_set *live;
    rows_shape shape;
    size_t n_groups; /* at most */
    device_program *program;
    device_kernel *pack, *sum, *add;
    device_buffer *packed, *block_sums, *chains; /* of one shard */
    device_buffer *weight_sums, *bias_sums;      /* [n_features, shard_units], [shard_units] */
} rows_run;

static size_t sum_stride(const train_problem *problem) {
    return size_divide_up(problem->dataset->n_features + 1, DATASET_TILE) * DATASET_TILE;
}

static size_t first_shard(const train_problem *problem) {
    return size_smaller(problem->n_units, UNIT_PADDING);
}

/* ---- Shape and memory -------------------------------------------------------------------------------------------- */

/* What n_units cost in passes of pass_units: each pass reads the rows twice, which is as much as two units. */
static size_t pass_cost(size_t n_units, size_t pass_units) {
    return size_divide_up(n_units, pass_units) * (pass_units + 2);
}

/* The number of units at once that costs least, and as many as a device's registers hold. */
static size_t choose_pass_units(size_t n_units, bool in_groups, unsigned width) {
    static const size_t choices[] = {1, 2, 3, 4, 5, 6, 8, 10};
    const size_t most = in_groups ? 8 : width >= DATASET_TILE ? 10 : 4;
    size_t best = 1;
    for (size_t i = 1; i < sizeof choices / sizeof *choices; i++)
        if (choices[i] <= most && pass_cost(n_units, choices[i]) < pass_cost(n_units, best)) best = choices[i];
    return best;
}

/* 4 things for each of the units where `registers` hold that many sums, else 2 or 1. */
static size_t at_once(size_t pass_units, size_t registers) {
    size_t n = 4;
    while (n > 1 && n * pass_units > registers) n /= 2;
    return n;
}

/* Vectors of 16 rows where the device computes 8 values at once or more: two thirds of a CPU's registers for sums.
 * Bytes take three operations to decode, and are kept as floats where those leave half of a first cache of 32 KiB. */
static rows_shape choose_shape(const train_problem *problem, const tile_sizes *tiling) {
    enum { MOST_CHAINS = 1024, MOST_CHAIN_UNITS = 4, MOST_VALUES = 256, SMALL_GROUP = 64 };
    const plethron_dataset *dataset = problem->dataset;
    const size_t n_units = first_shard(problem), n_features = dataset->n_features;
    const unsigned width = device_vector_width(dataset->device);
    rows_shape shape = {.group_items = 1};
    if (tiling->local_memory) shape.group_items = tiling->local_units * tiling->local_rows;
    if (!tiling->local_memory && width < DATASET_TILE / 2) shape.group_items = SMALL_GROUP;
    shape.pass_units = choose_pass_units(n_units, shape.group_items > 1, width);
    const size_t registers = width >= DATASET_TILE ? 24 : 6;
    shape.chains_in_memory = shape.pass_units <= MOST_CHAIN_UNITS && shape.pass_units * n_features <= MOST_CHAINS;
    shape.forward_tiles = at_once(shape.pass_units, shape.chains_in_memory ? registers / 3 : registers);
    shape.gradient_features = at_once(shape.pass_units, registers);
    if (dataset->storage == PLETHRON_STORAGE_U8 && shape.chains_in_memory &&
        shape.forward_tiles * n_features <= MOST_VALUES)
        shape.most_values = MOST_VALUES;
    return shape;
}

/* Groups of rows_sums: one a block, or where an item is a group enough of them for the cores to share. */
static size_t most_groups(const train_problem *problem, const rows_shape *shape) {
    enum { GROUPS_A_CORE = 8 };
    const size_t n_cores = plethron_device_describe(problem->dataset->device)->compute_units;
    return shape->group_items > 1 ? problem_batch_blocks(problem)
                                  : size_smaller(problem_batch_blocks(problem), GROUPS_A_CORE * n_cores);
}

/* Floats of the buffers that depend on the shard; false when they are too many to count. */
typedef struct rows_floats {
    size_t packed, block_sums, chains;
} rows_floats;

static bool count_floats(const train_problem *problem, const rows_shape *shape, size_t shard_units, rows_floats *out) {
    const size_t n_features = problem->dataset->n_features;
    const size_t n_units = size_divide_up(shard_units, shape->pass_units) * shape->pass_units;
    const size_t chain_floats = shape->pass_units * n_features * DATASET_TILE;
    out->chains = 1;
    return size_multiply(n_units, n_features + 1, &out->packed) &&
           size_multiply(n_units * sum_stride(problem), problem_batch_blocks(problem), &out->block_sums) &&
           (!shape->chains_in_memory || size_multiply(most_groups(problem, shape), chain_floats, &out->chains));
}

/* Half of the device's memory is left to the data set and to others. */
static bool fits(const train_problem *problem, const rows_shape *shape, size_t *bytes) {
    const plethron_device_info *info = plethron_device_describe(problem->dataset->device);
    rows_floats floats;
    if (!count_floats(problem, shape, first_shard(problem), &floats)) return false;
    *bytes = (floats.packed + floats.block_sums + floats.chains) * sizeof(float);
    return floats.block_sums <= info->max_alloc_bytes / sizeof(float) && *bytes <= info->memory_bytes / 2;
}

static bool applicable(const train_problem *problem, char *why, size_t why_bytes) {
    const plethron_device *device = problem->dataset->device;
    size_t bytes;
    if (device_is_host(device)) {
        snprintf(why, why_bytes, "it needs an OpenCL device, the data set is on the host");
        return false;
    }
    const tile_sizes tiling = tiling_choose(device, problem->n_units);
    const rows_shape shape = choose_shape(problem, &tiling);
    if (problem->has_ranges)
        snprintf(why, why_bytes, "its units all learn from the same rows, these have an entity each");
    else if (!fits(problem, &shape, &bytes))
        snprintf(why, why_bytes, "the sums of %zu blocks of rows do not fit %s", problem_batch_blocks(problem),
                 plethron_device_describe(device)->name);
    else
        return true;
    return false;
}

/* Flops over a nominal rate, in the currency of `fused`, whose lanes are units. */
static double cost(const train_problem *problem) {
    const plethron_dataset *dataset = problem->dataset;
    const double reading = STRATEGY_READING_FEATURES * (double)dataset_value_bytes(dataset->storage) / sizeof(float);
    const tile_sizes tiling = tiling_choose(dataset->device, problem->n_units);
    const rows_shape shape = choose_shape(problem, &tiling);
    const double units = (double)pass_cost(problem->n_units, shape.pass_units);
    const double reading_s = reading * (double)dataset->n_features / 1e11;
    const double computing_s = units * ((double)dataset->n_features + STRATEGY_SIGMOID_FEATURES) / 8e10;
    return 4.0 * (double)dataset->n_samples * fmax(reading_s, computing_s) +
           4 * (double)size_divide_up(problem->n_units, UNIT_PADDING) * STRATEGY_LAUNCH_COST;
}

static plethron_status prepare(const train_problem *problem, const tile_sizes *tiling, train_plan *plan,
                               plethron_error *err) {
    const plethron_device *device = problem->dataset->device;
    const char *name = plethron_device_describe(device)->name;
    plan->tiling = tiling ? *tiling : tiling_choose(device, problem->n_units);
    plan->shard_units = UNIT_PADDING;
    const rows_shape shape = choose_shape(problem, &plan->tiling);
    if (!fits(problem, &shape, &plan->bytes))
        return error_set(err, PLETHRON_ERROR_MEMORY,
                         "training on %zu samples: the sums of %zu blocks of rows do not fit %s",
                         problem->dataset->n_samples, problem_batch_blocks(problem), name);
    if (shape.group_items > 1)
        snprintf(plan->text, sizeof plan->text, "rows on %s: groups of %u items, %zu unit%s a pass", name,
                 shape.group_items, shape.pass_units, shape.pass_units == 1 ? "" : "s");
    else
        snprintf(plan->text, sizeof plan->text, "rows on %s: vectors of %d rows, %zu unit%s a pass, sums in %s", name,
                 DATASET_TILE, shape.pass_units, shape.pass_units == 1 ? "" : "s",
                 shape.chains_in_memory ? "memory" : "registers");
    return PLETHRON_OK;
}

/* ---- Opening ----------------------------------------------------------------------------------------------------- */

static void run_close(void *state) {
    rows_run *run = state;
    if (!run) return;
    device_buffer_close(run->bias_sums);
    device_buffer_close(run->weight_sums);
    device_buffer_close(run->chains);
    device_buffer_close(run->block_sums);
    device_buffer_close(run->packed);
    kernel_close(run->add);
    kernel_close(run->sum);
    kernel_close(run->pack);
    program_close(run->program);
    free(run);
}

static plethron_status open_kernels(rows_run *run, plethron_error *err) {
    plethron_status status;
    const rows_shape *shape = &run->shape;
    const bool in_groups = shape->group_items > 1;
    const char *const sources[] = {"arithmetic.cl", "store.cl", "unit.cl",
                                   "row.cl",        "rows.cl",  in_groups ? "rows_group.cl" : "rows_vector.cl"};
    char options[256];
    int used =
        snprintf(options, sizeof options,
                 "-DTILE=%d -DBLOCK_ROWS=%d -DUSES=%d -DSTORAGE=%d -DONE_UNIT=1 -DUNIT_VECTOR=%d -DPASS_UNITS=%zu",
                 DATASET_TILE, DATASET_BLOCK_ROWS, run->live->problem->uses, (int)run->live->problem->dataset->storage,
                 in_groups ? 1 : DATASET_TILE, shape->pass_units);
    if (in_groups)
        snprintf(options + used, sizeof options - (size_t)used, " -DGROUP_ITEMS=%u", shape->group_items);
    else
        snprintf(options + used, sizeof options - (size_t)used,
                 " -DCHAINS_IN_MEMORY=%d -DMOST_VALUES=%zu -DFORWARD_TILES=%zu -DGRADIENT_FEATURES=%zu",
                 shape->chains_in_memory, shape->most_values, shape->forward_tiles, shape->gradient_features);
    TRY(program_open(run->live->device, sources, sizeof sources / sizeof *sources, options, &run->program, err));
    TRY(program_kernel(run->program, "rows_pack", &run->pack, err));
    TRY(program_kernel(run->program, "rows_sums", &run->sum, err));
    TRY(program_kernel(run->program, "rows_add", &run->add, err));
out:
    return status;
}

static plethron_status open_buffers(rows_run *run, plethron_error *err) {
    plethron_status status;
    const train_problem *p = run->live->problem;
    plethron_device *device = run->live->device;
    const size_t shard_units = run->live->plan->shard_units, row_bytes = shard_units * sizeof(float);
    rows_floats floats;
    count_floats(p, &run->shape, size_smaller(shard_units, p->n_units), &floats);
    TRY(device_buffer_create(device, floats.packed * sizeof(float), "the packed weights", &run->packed, err));
    TRY(device_buffer_create(device, floats.block_sums * sizeof(float), "the sums of blocks", &run->block_sums, err));
    TRY(device_buffer_create(device, floats.chains * sizeof(float), "the sums of lanes", &run->chains, err));
    TRY(device_buffer_create(device, p->dataset->n_features * row_bytes, "the gradients", &run->weight_sums, err));
    TRY(device_buffer_create(device, row_bytes, "the bias gradients", &run->bias_sums, err));
out:
    return status;
}

static plethron_status run_open(live_set *live, void **out, plethron_error *err) {
    plethron_status status;
    void *memory = NULL;
    rows_run *run = NULL;
    TRY(memory_allocate(1, sizeof *run, "a training run", &memory, err));
    run = memory;
    run->live = live;
    run->shape = choose_shape(live->problem, &live->plan->tiling);
    run->n_groups = most_groups(live->problem, &run->shape);
    TRY(open_kernels(run, err));
    TRY(open_buffers(run, err));
    *out = run;
    run = NULL;
out:
    run_close(run);
    return status;
}

/* ---- Gradients --------------------------------------------------------------------------------------------------- */

/* n items, in groups where the device wants them. */
static kernel_range items(const rows_run *run, size_t n) {
    enum { GROUP = 64 };
    const size_t local = run->shape.group_items > 1 ? GROUP : 1;
    return (kernel_range){.global = {size_divide_up(n, local) * local, 1, 1}, .local = {local, 1, 1}};
}

static plethron_status pack(const rows_run *run, unit_shard shard, size_t n_passes, plethron_error *err) {
    const train_problem *p = run->live->problem;
    const size_t n_groups = plethron_device_describe(run->live->device)->compute_units;
    const kernel_range range = items(run, run->shape.group_items > 1 ? p->dataset->n_features + 1 : n_groups);
    return kernel_launch(run->pack, &range, err, "bbiiii", run->live->weights, run->packed, (int)p->dataset->n_features,
                         (int)n_passes, (int)shard.first, (int)p->unit_stride);
}

static plethron_status sum(const rows_run *run, unit_shard shard, const row_batch *batch, size_t n_passes,
                           plethron_error *err) {
    const train_problem *p = run->live->problem;
    const size_t n_blocks = problem_blocks(batch->count), local = run->shape.group_items;
    const kernel_range range = {.global = {size_smaller(run->n_groups, n_blocks) * local, 1, 1},
                                .local = {local, 1, 1}};
    return kernel_launch(run->sum, &range, err, "bbbbb" ROW_TYPES "iiiiiii", run->live->X, run->live->steps,
                         run->packed, run->block_sums, run->chains, ROW_ARGUMENTS(run->live), (int)batch->first,
                         (int)batch->count, (int)p->dataset->n_features, (int)n_passes, (int)shard.first,
                         (int)sum_stride(p), (int)n_blocks);
}

static plethron_status add(const rows_run *run, unit_shard shard, const row_batch *batch, size_t n_passes,
                           plethron_error *err) {
    const train_problem *p = run->live->problem;
    const size_t vector = run->shape.group_items > 1 ? 1 : DATASET_TILE;
    const size_t unit_vector = run->live->plan->tiling.unit_vector; /* the update reads whole vectors of units */
    const size_t n_units = size_divide_up(shard.count, unit_vector) * unit_vector;
    const kernel_range range = items(run, n_units * sum_stride(p) / vector);
    return kernel_launch(run->add, &range, err, "bbbiiiiii", run->block_sums, run->weight_sums, run->bias_sums,
                         (int)problem_blocks(batch->count), (int)p->dataset->n_features,
                         (int)(n_passes * run->shape.pass_units), (int)n_units, (int)sum_stride(p),
                         (int)run->live->plan->shard_units);
}

static plethron_status gradient(void *state, unit_shard shard, const row_batch *batch, gradient_sums *sums,
                                plethron_error *err) {
    plethron_status status;
    rows_run *run = state;
    const size_t n_passes = size_divide_up(shard.count, run->shape.pass_units);
    *sums = (gradient_sums){run->weight_sums, run->bias_sums, 1, 1, run->live->plan->shard_units};
    TRY(pack(run, shard, n_passes, err));
    TRY(sum(run, shard, batch, n_passes, err));
    TRY(add(run, shard, batch, n_passes, err));
out:
    return status;
}

const strategy strategy_rows = {
    .name = "rows",
    .order = ORDER_OF_LANES,
    .applicable = applicable,
    .cost = cost,
    .prepare = prepare,
    .open = run_open,
    .close = run_close,
    .gradient = gradient,
};
