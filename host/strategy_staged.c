/* The strategy `staged`: forward, delta and gradient are kernels of their own; with the update four launches an epoch
 * and shard. Always applicable on an OpenCL device. */
#include "strategy.h"

#include <stdlib.h>

typedef struct staged_run {
    live_set *live;
    device_program *program;
    device_kernel *delta, *gradient;
    /* of one shard: [rows, shard_units] predictions, then deltas; sums of parts and of blocks */
    device_buffer *predictions, *weight_sums, *bias_sums;
} staged_run;

static bool applicable(const train_problem *problem, char *why, size_t why_bytes) {
    if (device_is_host(problem->dataset->device))
        snprintf(why, why_bytes, "it needs an OpenCL device, the data set is on the host");
    else if (problem->has_ranges)
        snprintf(why, why_bytes, "its units all learn from the same rows, these have an entity each");
    else
        return true;
    return false;
}

/* Flops over a nominal rate; only comparisons between strategies of one device count. Where no cache holds X, each of
 * the two products waits for it, as long as `rows` takes to read it. */
static double cost(const train_problem *problem) {
    const plethron_dataset *dataset = problem->dataset;
    const double n_units = (double)tiling_lanes(dataset->device, problem->n_units);
    const double n_features = (double)dataset->n_features + STRATEGY_SIGMOID_FEATURES;
    const double x_floats = 2.0 * (double)dataset->n_samples * (double)dataset->n_features;
    const double x_s = dataset_exceeds_cache(dataset) ? 4.0 * x_floats * STRATEGY_READING_FEATURES / 1e11 : 0.0;
    const double steps_s = n_units * (double)(dataset->n_features + 1) * STRATEGY_STEP_COST;
    return 4.0 * (double)dataset->n_samples * n_features * n_units / 1e11 + x_s + steps_s + 4 * STRATEGY_LAUNCH_COST;
}

/* ---- Memory ------------------------------------------------------------------------------------------------------ */

/* Bytes of the largest buffer and of all buffers of `staged` besides the data set, for a shard of units. */
static bool staged_bytes(const train_problem *problem, size_t shard_units, size_t n_parts, size_t *largest,
                         size_t *all) {
    const plethron_dataset *dataset = problem->dataset;
    size_t rows = problem_batch_rows(problem) + DATASET_ROW_PADDING, predictions, parts;
    if (!size_multiply(rows, shard_units * sizeof(float), &predictions) ||
        !size_multiply(n_parts * dataset->n_features, shard_units * sizeof(float), &parts))
        return false;
    size_t sums = problem_batch_blocks(problem) * shard_units * sizeof(float);
    *largest = predictions > parts ? predictions : parts;
    *all = predictions + parts + sums;
    return true;
}

/* Half of the device's memory is left to the data set and to others. */
static bool fits(const plethron_device_info *info, const train_problem *problem, size_t shard_units, size_t n_parts) {
    size_t largest, all;
    return staged_bytes(problem, shard_units, n_parts, &largest, &all) && largest <= info->max_alloc_bytes &&
           all <= info->memory_bytes / 2;
}

/* Groups that the gradient has without splitting it by blocks. */
static size_t gradient_groups(const train_plan *plan, size_t n_features, size_t shard_units) {
    const size_t unit_tile = (size_t)plan->tiling.unit_vector * plan->tiling.item_vectors * plan->tiling.local_units;
    const size_t row_tile = (size_t)plan->tiling.item_rows * plan->tiling.local_rows;
    return (shard_units + unit_tile - 1) / unit_tile * ((n_features + row_tile - 1) / row_tile);
}

/* Many groups sum the blocks (n_blocks parts) where that keeps a block's deltas in a CPU's caches, or where units and
 * features alone would leave a GPU's compute units idle; else one group sums all (1 part) and saves memory. */
static size_t wanted_parts(const train_problem *problem, const train_plan *plan, size_t shard_units) {
    const plethron_device_info *info = plethron_device_describe(problem->dataset->device);
    const size_t groups_wanted = 4 * (size_t)info->compute_units;
    const bool few_groups = gradient_groups(plan, problem->dataset->n_features, shard_units) < groups_wanted;
    return !info->local_is_dedicated || few_groups ? problem_batch_blocks(problem) : 1;
}

/* On a CPU the predictions of a shard should stay in its last cache, a quarter of which they may take. */
static size_t first_shard(const train_problem *problem) {
    const plethron_device *device = problem->dataset->device;
    if (plethron_device_describe(device)->local_is_dedicated) return problem->unit_stride;
    const size_t units = device_cache_share(device) / 4 / (problem_batch_rows(problem) * sizeof(float));
    const size_t shard = units / UNIT_PADDING * UNIT_PADDING;
    if (shard < UNIT_PADDING) return UNIT_PADDING;
    return shard < problem->unit_stride ? shard : problem->unit_stride;
}

/* The largest shard that fits. */
static plethron_status size_shard(const train_problem *problem, train_plan *plan, plethron_error *err) {
    const plethron_device_info *info = plethron_device_describe(problem->dataset->device);
    for (size_t shard = first_shard(problem);; shard = (shard / 2 + UNIT_PADDING - 1) / UNIT_PADDING * UNIT_PADDING) {
        plan->shard_units = shard;
        plan->n_parts = wanted_parts(problem, plan, shard);
        if (fits(info, problem, shard, plan->n_parts)) return PLETHRON_OK;
        plan->n_parts = 1;
        if (fits(info, problem, shard, plan->n_parts)) return PLETHRON_OK;
        if (shard == UNIT_PADDING) break;
    }
    size_t largest = 0, all = 0;
    staged_bytes(problem, UNIT_PADDING, 1, &largest, &all);
    return error_set(err, PLETHRON_ERROR_MEMORY,
                     "training on %zu samples needs %zu bytes on the device, %zu in one buffer, even for %d units at a "
                     "time; %s has %llu, of which half may be used, %llu in one buffer",
                     problem_batch_rows(problem), all, largest, UNIT_PADDING, info->name,
                     (unsigned long long)info->memory_bytes, (unsigned long long)info->max_alloc_bytes);
}

static plethron_status prepare(const train_problem *problem, const tile_sizes *tiling, train_plan *plan,
                               plethron_error *err) {
    plethron_status status;
    const plethron_device *device = problem->dataset->device;
    plan->tiling = tiling ? *tiling : tiling_choose(device, problem->n_units);
    TRY(size_shard(problem, plan, err));
    size_t largest = 0;
    staged_bytes(problem, plan->shard_units, plan->n_parts, &largest, &plan->bytes);
    const size_t n_units = plan->shard_units < problem->n_units ? plan->shard_units : problem->n_units;
    snprintf(plan->text, sizeof plan->text, "staged on %s: tiling %s, %zu unit%s at a time, gradient in %zu part%s",
             plethron_device_describe(device)->name, plan->tiling.name, n_units, n_units == 1 ? "" : "s", plan->n_parts,
             plan->n_parts == 1 ? "" : "s");
out:
    return status;
}

/* ---- Opening ----------------------------------------------------------------------------------------------------- */

static void run_close(void *state) {
    staged_run *run = state;
    if (!run) return;
    device_buffer_close(run->bias_sums);
    device_buffer_close(run->weight_sums);
    device_buffer_close(run->predictions);
    kernel_close(run->gradient);
    kernel_close(run->delta);
    program_close(run->program);
    free(run);
}

static plethron_status open_buffers(staged_run *run, plethron_error *err) {
    plethron_status status;
    const train_problem *p = run->live->problem;
    const train_plan *plan = run->live->plan;
    plethron_device *device = run->live->device;
    const size_t row_bytes = plan->shard_units * sizeof(float), n_rows = problem_batch_rows(p);
    TRY(device_buffer_create(device, forward_out_rows(n_rows) * row_bytes, "the predictions", &run->predictions, err));
    TRY(device_buffer_create(device, plan->n_parts * p->dataset->n_features * row_bytes, "the gradient's parts",
                             &run->weight_sums, err));
    TRY(device_buffer_create(device, problem_blocks(n_rows) * row_bytes, "the bias gradient's parts", &run->bias_sums,
                             err));
out:
    return status;
}

static plethron_status run_open(live_set *live, void **out, plethron_error *err) {
    plethron_status status;
    void *memory = NULL;
    staged_run *run = NULL;
    const char *const sources[] = {"arithmetic.cl", "store.cl", "unit.cl",    "row.cl",
                                   "tile.cl",       "delta.cl", "gradient.cl"};
    TRY(memory_allocate(1, sizeof *run, "a training run", &memory, err));
    run = memory;
    run->live = live;
    TRY(tiling_program(live->device, &live->plan->tiling, live->problem->uses, live->problem->dataset->storage, sources,
                       sizeof sources / sizeof *sources, &run->program, err));
    TRY(program_kernel(run->program, "delta", &run->delta, err));
    TRY(program_kernel(run->program, "gradient", &run->gradient, err));
    TRY(open_buffers(run, err));
    *out = run;
    run = NULL;
out:
    run_close(run);
    return status;
}

/* ---- Stages ------------------------------------------------------------------------------------------------------ */

static plethron_status delta(const staged_run *run, unit_shard shard, const row_batch *batch, plethron_error *err) {
    const train_plan *plan = run->live->plan;
    const kernel_range range = tiling_flat(&plan->tiling, shard.count, problem_blocks(batch->count));
    return kernel_launch(run->delta, &range, err, "bb" ROW_TYPES "iiiii", run->predictions, run->bias_sums,
                         ROW_ARGUMENTS(run->live), (int)batch->first, (int)batch->count, (int)shard.first,
                         (int)shard.count, (int)plan->shard_units);
}

static plethron_status multiply(const staged_run *run, unit_shard shard, const row_batch *batch, size_t n_parts,
                                plethron_error *err) {
    const train_plan *plan = run->live->plan;
    const size_t n_features = run->live->problem->dataset->n_features;
    const kernel_range range = tiling_tiles(&plan->tiling, shard.count, n_features, n_parts);
    return kernel_launch(run->gradient, &range, err, "bbbbiiiii", run->live->X, run->live->steps, run->predictions,
                         run->weight_sums, (int)batch->first, (int)batch->count, (int)n_features,
                         (int)plan->shard_units, (int)problem_blocks(batch->count));
}

static plethron_status gradient(void *state, unit_shard shard, const row_batch *batch, gradient_sums *sums,
                                plethron_error *err) {
    plethron_status status;
    staged_run *run = state;
    const size_t n_blocks = problem_blocks(batch->count), n_parts = run->live->plan->n_parts;
    *sums = (gradient_sums){
        .weights = run->weight_sums,
        .biases = run->bias_sums,
        .n_parts = n_parts < n_blocks ? n_parts : n_blocks,
        .n_bias_parts = n_blocks,
        .stride = run->live->plan->shard_units,
    };
    TRY(live_forward(run->live, shard, batch, run->predictions, sums->stride, true, err));
    TRY(delta(run, shard, batch, err));
    TRY(multiply(run, shard, batch, sums->n_parts, err));
out:
    return status;
}

const strategy strategy_staged = {
    .name = "staged",
    .applicable = applicable,
    .cost = cost,
    .prepare = prepare,
    .open = run_open,
    .close = run_close,
    .gradient = gradient,
};
