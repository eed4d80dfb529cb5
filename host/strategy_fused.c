/* The strategy `fused`: one pass over X an epoch (fused.cl). With the update two launches an epoch and shard, and
 * nothing of size [n_samples, n_units] in memory. On an OpenCL device. */
#include "strategy.h"

#include <stdlib.h>

typedef struct fused_run {
    live_set *live;
    device_program *program;
    device_kernel *gradient;
    device_buffer *weight_sums, *bias_sums; /* of one shard */
} fused_run;

/* ---- Tile sizes and memory --------------------------------------------------------------------------------------- */

/* Local memory of a work-group: deltas (DELTA_FLOATS of fused.cl) and slices of both factors. */
static size_t local_bytes(const tile_sizes *tiling) {
    enum { DELTA_FLOATS = 4096, DEPTH = 16, SLICE_PADDING = 4 };
    const size_t units = (size_t)tiling->unit_vector * tiling->item_vectors * tiling->local_units;
    const size_t rows = (size_t)tiling->item_rows * tiling->local_rows;
    return tiling->local_memory ? (DELTA_FLOATS + DEPTH * (rows + SLICE_PADDING + units)) * sizeof(float) : 0;
}

/* Rows of a block that a CPU folds in one go: so many that these and as many behind them, which are asked for
 * meanwhile, stay in the second cache. Most CPUs with vectors of 16 have 1 MiB or more, others from 256 KiB on. */
static size_t rows_in_one_go(const plethron_dataset *dataset) {
    enum { LEAST = 2 * DATASET_TILE, BYTES = 256 << 10, WIDE_BYTES = 512 << 10, WIDE = 16 };
    const size_t bytes = device_vector_width(dataset->device) >= WIDE ? WIDE_BYTES : BYTES;
    const size_t row_bytes = dataset->n_features * dataset_value_bytes(dataset->storage);
    const size_t rows = bytes / row_bytes / DATASET_TILE * DATASET_TILE;
    return rows < LEAST ? LEAST : size_smaller(rows, DATASET_BLOCK_ROWS);
}

/* Matrices of sums: the parts, and one where the block's sums wait between two goes beside a part that is of several
 * blocks. */
static size_t n_matrices(const train_problem *problem, size_t n_parts) {
    const bool waits = n_parts < problem_batch_blocks(problem) && rows_in_one_go(problem->dataset) < DATASET_BLOCK_ROWS;
    return n_parts + (waits ? 1 : 0);
}

/* Bytes of the sums of a shard. */
static bool sums_bytes(const train_problem *problem, size_t shard_units, size_t n_parts, size_t *bytes) {
    return size_multiply(n_matrices(problem, n_parts) * (problem->dataset->n_features + 1), shard_units * sizeof(float),
                         bytes);
}

/* Half of the device's memory is left to the data set and to others. */
static bool fits(const train_problem *problem, size_t shard_units, size_t n_parts) {
    const plethron_device_info *info = plethron_device_describe(problem->dataset->device);
    size_t bytes;
    return sums_bytes(problem, shard_units, n_parts, &bytes) && bytes <= info->max_alloc_bytes &&
           bytes <= info->memory_bytes / 2;
}

static size_t unit_groups(const tile_sizes *tiling, size_t n_units) {
    return size_divide_up(n_units, (size_t)tiling->unit_vector * tiling->item_vectors * tiling->local_units);
}

/* The share of the device that `n_groups` equal groups keep busy. */
static double busy_share(const plethron_device_info *info, size_t n_groups) {
    return (double)n_groups / (double)(size_divide_up(n_groups, info->compute_units) * info->compute_units);
}

/* One part, when an item may walk through all blocks and units alone keep the device busy: parts cost a write and a
 * read of the block's sums, about a seventh of the time. */
static size_t wanted_parts(const train_problem *problem, const tile_sizes *tiling, size_t shard_units) {
    static const double price = 1.0 / 7;
    const plethron_device_info *info = plethron_device_describe(problem->dataset->device);
    const size_t groups = unit_groups(tiling, size_smaller(shard_units, problem->n_units)),
                 blocks = problem_batch_blocks(problem);
    if (tiling->local_memory) return blocks;
    return busy_share(info, groups) >= (1.0 - price) * busy_share(info, groups * blocks) ? 1 : blocks;
}

/* The largest shard that fits; false when not even the smallest does. */
static bool size_shard(const train_problem *problem, const tile_sizes *tiling, train_plan *plan) {
    for (size_t shard = problem->unit_stride;; shard = size_divide_up(shard / 2, UNIT_PADDING) * UNIT_PADDING) {
        plan->shard_units = shard;
        plan->n_parts = wanted_parts(problem, tiling, shard);
        if (fits(problem, shard, plan->n_parts)) return true;
        plan->n_parts = 1;
        if (!tiling->local_memory && fits(problem, shard, 1)) return true;
        if (shard == UNIT_PADDING) return false;
    }
}

static bool applicable(const train_problem *problem, char *why, size_t why_bytes) {
    const plethron_device *device = problem->dataset->device;
    const plethron_device_info *info = plethron_device_describe(device);
    train_plan plan;
    if (device_is_host(device)) {
        snprintf(why, why_bytes, "it needs an OpenCL device, the data set is on the host");
        return false;
    }
    const tile_sizes tiling = tiling_choose(device, problem->n_units);
    if (problem->has_ranges)
        snprintf(why, why_bytes, "its units all learn from the same rows, these have an entity each");
    else if (local_bytes(&tiling) > info->local_bytes)
        snprintf(why, why_bytes, "it needs %zu bytes of local memory, %s has %llu", local_bytes(&tiling), info->name,
                 (unsigned long long)info->local_bytes);
    else if (!size_shard(problem, &tiling, &plan))
        snprintf(why, why_bytes, "the sums of %zu blocks of rows do not fit %s", problem_batch_blocks(problem),
                 info->name);
    else
        return true;
    return false;
}

/* Flops over a nominal rate; only comparisons between strategies of one device count. `staged` moves predictions and
 * deltas, 16 bytes a sample and unit, to memory and back; with groups this one moves 8 bytes of sums a feature, block
 * and unit. On CPUs few units wait for X where a tile of rows is wider than the first cache, and six rows of two
 * vectors at once (fused.cl) wait less for each other. */
static double cost(const train_problem *problem) {
    enum { FEW_UNITS = 16, WIDE_FEATURES = 512 };
    const plethron_dataset *dataset = problem->dataset;
    const double n_units = (double)tiling_lanes(dataset->device, problem->n_units);
    const double n_features = (double)dataset->n_features + STRATEGY_SIGMOID_FEATURES;
    const bool has_groups = plethron_device_describe(dataset->device)->local_is_dedicated;
    const bool waits = !has_groups && n_units <= FEW_UNITS && dataset->n_features > WIDE_FEATURES;
    const tile_sizes tiling = tiling_choose(dataset->device, problem->n_units);
    const bool waits_less = tiling.unit_vector == 8 && tiling.item_vectors == 2;
    const double flops =
        (waits ? 1.5 : 1.0) * (waits_less ? 0.92 : 1.0) * 4.0 * (double)dataset->n_samples * n_features * n_units;
    const bool moves_more = 8 * dataset->n_features > 16 * (size_t)DATASET_BLOCK_ROWS;
    const double steps_s = n_units * (double)(dataset->n_features + 1) * STRATEGY_STEP_COST;
    return flops / 1e11 * (has_groups && moves_more ? 1.1 : 0.8) + steps_s + 2 * STRATEGY_LAUNCH_COST;
}

static plethron_status prepare(const train_problem *problem, const tile_sizes *tiling, train_plan *plan,
                               plethron_error *err) {
    const plethron_device *device = problem->dataset->device;
    const char *name = plethron_device_describe(device)->name;
    plan->tiling = tiling ? *tiling : tiling_choose(device, problem->n_units);
    if (local_bytes(&plan->tiling) > plethron_device_describe(device)->local_bytes)
        return error_set(err, PLETHRON_ERROR_UNSUPPORTED, "the tiling %s needs %zu bytes of local memory, %s has %llu",
                         plan->tiling.name, local_bytes(&plan->tiling), name,
                         (unsigned long long)plethron_device_describe(device)->local_bytes);
    if (!size_shard(problem, &plan->tiling, plan) ||
        !sums_bytes(problem, plan->shard_units, plan->n_parts, &plan->bytes))
        return error_set(err, PLETHRON_ERROR_MEMORY,
                         "training on %zu samples: the sums of %zu blocks of rows do not fit %s, even for %d units at "
                         "a time",
                         problem->dataset->n_samples, problem_batch_blocks(problem), name, UNIT_PADDING);
    const size_t n_units = size_smaller(plan->shard_units, problem->n_units);
    snprintf(plan->text, sizeof plan->text, "fused on %s: tiling %s, %zu unit%s at a time, gradient in %zu part%s",
             name, plan->tiling.name, n_units, n_units == 1 ? "" : "s", plan->n_parts, plan->n_parts == 1 ? "" : "s");
    return PLETHRON_OK;
}

/* Parts of the gradient of so many blocks. With groups a block is a part. */
static size_t parts_of(const train_plan *plan, size_t n_blocks) {
    return plan->tiling.local_memory ? n_blocks : size_smaller(plan->n_parts, n_blocks);
}

/* ---- The run ----------------------------------------------------------------------------------------------------- */

static void run_close(void *state) {
    fused_run *run = state;
    if (!run) return;
    device_buffer_close(run->bias_sums);
    device_buffer_close(run->weight_sums);
    kernel_close(run->gradient);
    program_close(run->program);
    free(run);
}

static plethron_status run_open(live_set *live, void **out, plethron_error *err) {
    plethron_status status;
    void *memory = NULL;
    fused_run *run = NULL;
    const train_plan *plan = live->plan;
    const size_t n_parts = parts_of(plan, problem_batch_blocks(live->problem));
    const size_t row_bytes = plan->shard_units * sizeof(float);
    const size_t n_rows = n_matrices(live->problem, n_parts) * live->problem->dataset->n_features;
    const char *const sources[] = {"arithmetic.cl", "store.cl", "unit.cl", "row.cl", "tile.cl", "fused.cl"};
    TRY(memory_allocate(1, sizeof *run, "a training run", &memory, err));
    run = memory;
    run->live = live;
    TRY(tiling_program(live->device, &plan->tiling, live->problem->uses, live->problem->dataset->storage, sources,
                       sizeof sources / sizeof *sources, &run->program, err));
    TRY(program_kernel(run->program, "fused", &run->gradient, err));
    TRY(device_buffer_create(live->device, n_rows * row_bytes, "the gradient's parts", &run->weight_sums, err));
    TRY(device_buffer_create(live->device, n_parts * row_bytes, "the bias gradient's parts", &run->bias_sums, err));
    *out = run;
    run = NULL;
out:
    run_close(run);
    return status;
}

static plethron_status gradient(void *state, unit_shard shard, const row_batch *batch, gradient_sums *sums,
                                plethron_error *err) {
    fused_run *run = state;
    const train_plan *plan = run->live->plan;
    const size_t n_blocks = problem_blocks(batch->count), n_parts = parts_of(plan, n_blocks);
    const kernel_range range = tiling_tiles(&plan->tiling, shard.count, 1, n_parts);
    *sums = (gradient_sums){
        .weights = run->weight_sums,
        .biases = run->bias_sums,
        .n_parts = n_parts,
        .n_bias_parts = n_parts,
        .stride = plan->shard_units,
    };
    return kernel_launch(run->gradient, &range, err, "bbbbb" ROW_TYPES "iiiiiii", run->live->X, run->live->steps,
                         run->live->weights, run->weight_sums, run->bias_sums, ROW_ARGUMENTS(run->live),
                         (int)batch->first, (int)batch->count, (int)run->live->problem->dataset->n_features,
                         (int)shard.first, (int)plan->shard_units, (int)n_blocks,
                         (int)rows_in_one_go(run->live->problem->dataset));
}

const strategy strategy_fused = {
    .name = "fused",
    .applicable = applicable,
    .cost = cost,
    .prepare = prepare,
    .open = run_open,
    .close = run_close,
    .gradient = gradient,
};
