/* The strategy `sparse`, for sparse features: forward, delta and gradient as in `staged`, of the values that are given,
 * in the same orders. Lanes are units; the gradient of a feature is one item's sum over the rows that have it, but for
 * features that many rows have: those are summed a block of rows at a time (kernels/sparse_gradient.cl). */
#include "strategy.h"

#include <stdlib.h>

typedef struct sparse_run {
    live_set *live;
    device_program *program;
    device_kernel *delta, *pieces, *gradient;
    /* of one shard: [rows, shard_units] predictions, then deltas; sums of pieces, of features and of blocks */
    device_buffer *predictions, *piece_sums, *weight_sums, *bias_sums;
} sparse_run;

static bool applicable(const train_problem *problem, char *why, size_t why_bytes) {
    (void)problem;
    (void)why;
    (void)why_bytes;
    return true;
}

/* As of `staged`; only comparisons between strategies of one device count, and to sparse features no other applies. */
static double cost(const train_problem *problem) {
    const double n_units = (double)tiling_lanes(problem->dataset->device, problem->n_units);
    return 4.0 * dataset_n_products(problem->dataset) * n_units / 1e10 + 5 * STRATEGY_LAUNCH_COST;
}

/* ---- Memory ------------------------------------------------------------------------------------------------------ */

/* Pieces are whole blocks of rows in their own order. */
static size_t n_pieces(const train_problem *problem) {
    return problem->batch_rows ? 0 : problem->dataset->sparse->n_pieces;
}

/* Bytes of the largest buffer and of all besides the data set, for a shard of units. */
static bool shard_bytes(const train_problem *problem, size_t shard_units, size_t *largest, size_t *all) {
    const size_t rows = forward_out_rows(problem_batch_rows(problem)), features = problem->dataset->n_features;
    const size_t counts[] = {rows, features, n_pieces(problem), problem_blocks(rows)};
    *largest = *all = 0;
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
        size_t bytes;
        if (!size_multiply(counts[i], shard_units * sizeof(float), &bytes)) return false;
        *all += bytes;
        if (bytes > *largest) *largest = bytes;
    }
    return true;
}

/* On a CPU what a shard reads at random, its weights and deltas, should stay in the last cache. */
static size_t first_shard(const train_problem *problem) {
    const plethron_device *device = problem->dataset->device;
    const size_t features = problem->dataset->n_features, rows = problem_batch_rows(problem);
    if (plethron_device_describe(device)->local_is_dedicated) return problem->unit_stride;
    const size_t units = device_cache_share(device) / 2 / ((rows > features ? rows : features) * sizeof(float));
    const size_t shard = units / UNIT_PADDING * UNIT_PADDING;
    return size_smaller(shard ? shard : UNIT_PADDING, problem->unit_stride);
}

/* The largest shard that fits, half of the device's memory left to the data set and to others. */
static plethron_status size_shard(const train_problem *problem, train_plan *plan, plethron_error *err) {
    const plethron_device_info *info = plethron_device_describe(problem->dataset->device);
    const uint64_t max_bytes = device_is_host(problem->dataset->device) ? info->memory_bytes : info->max_alloc_bytes;
    size_t largest = 0;
    for (size_t shard = first_shard(problem);; shard = shard / 2 / SPARSE_UNIT_PADDING * SPARSE_UNIT_PADDING) {
        plan->shard_units = shard;
        if (shard == 0) break;
        if (shard_bytes(problem, shard, &largest, &plan->bytes) && largest <= max_bytes &&
            plan->bytes <= info->memory_bytes / 2)
            return PLETHRON_OK;
    }
    shard_bytes(problem, SPARSE_UNIT_PADDING, &largest, &plan->bytes);
    return error_set(err, PLETHRON_ERROR_MEMORY,
                     "training on %zu samples of %zu sparse features needs %zu bytes on the device, %zu in one buffer, "
                     "even for %d units at a time; %s has %llu, of which half may be used, %llu in one buffer",
                     problem_batch_rows(problem), problem->dataset->n_features, plan->bytes, largest,
                     SPARSE_UNIT_PADDING, info->name, (unsigned long long)info->memory_bytes,
                     (unsigned long long)max_bytes);
}

static plethron_status prepare(const train_problem *problem, const tile_sizes *tiling, train_plan *plan,
                               plethron_error *err) {
    plethron_status status;
    const plethron_device *device = problem->dataset->device;
    plan->tiling = tiling ? *tiling : tiling_choose(device, problem->n_units);
    plan->n_parts = 1;
    TRY(size_shard(problem, plan, err));
    const size_t n_units = size_smaller(plan->shard_units, problem->n_units);
    snprintf(plan->text, sizeof plan->text, "sparse on %s: tiling %s, %zu unit%s at a time, %zu values, %zu pieces",
             plethron_device_describe(device)->name, device_is_host(device) ? "native" : plan->tiling.name, n_units,
             n_units == 1 ? "" : "s", problem->dataset->sparse->n_values, n_pieces(problem));
out:
    return status;
}

/* ---- Opening ----------------------------------------------------------------------------------------------------- */

static void run_close(void *state) {
    sparse_run *run = state;
    if (!run) return;
    device_buffer_close(run->bias_sums);
    device_buffer_close(run->weight_sums);
    device_buffer_close(run->piece_sums);
    device_buffer_close(run->predictions);
    kernel_close(run->gradient);
    kernel_close(run->pieces);
    kernel_close(run->delta);
    program_close(run->program);
    free(run);
}

static plethron_status open_buffers(sparse_run *run, plethron_error *err) {
    plethron_status status;
    const train_problem *p = run->live->problem;
    plethron_device *device = run->live->device;
    const size_t row_bytes = run->live->plan->shard_units * sizeof(float), n_rows = problem_batch_rows(p);
    const size_t pieces = n_pieces(p);
    TRY(device_buffer_create(device, forward_out_rows(n_rows) * row_bytes, "the predictions", &run->predictions, err));
    TRY(device_buffer_create(device, (pieces ? pieces : 1) * row_bytes, "the gradient's pieces", &run->piece_sums,
                             err));
    TRY(device_buffer_create(device, p->dataset->n_features * row_bytes, "the gradient", &run->weight_sums, err));
    TRY(device_buffer_create(device, problem_blocks(n_rows) * row_bytes, "the bias gradient's parts", &run->bias_sums,
                             err));
out:
    return status;
}

static plethron_status run_open(live_set *live, void **out, plethron_error *err) {
    plethron_status status;
    void *memory = NULL;
    sparse_run *run = NULL;
    const char *const sources[] = {"arithmetic.cl", "unit.cl", "row.cl", "delta.cl", "sparse.cl", "sparse_gradient.cl"};
    TRY(memory_allocate(1, sizeof *run, "a training run", &memory, err));
    run = memory;
    run->live = live;
    TRY(tiling_program(live->device, &live->plan->tiling, live->problem->uses, PLETHRON_STORAGE_F32, sources,
                       sizeof sources / sizeof *sources, &run->program, err));
    TRY(program_kernel(run->program, "delta", &run->delta, err));
    TRY(program_kernel(run->program, "sparse_pieces", &run->pieces, err));
    TRY(program_kernel(run->program, "sparse_gradient", &run->gradient, err));
    TRY(open_buffers(run, err));
    *out = run;
    run = NULL;
out:
    run_close(run);
    return status;
}

/* ---- Stages ------------------------------------------------------------------------------------------------------ */

static plethron_status delta(const sparse_run *run, unit_shard shard, const row_batch *batch, plethron_error *err) {
    const train_plan *plan = run->live->plan;
    const kernel_range range = tiling_flat(&plan->tiling, shard.count, problem_blocks(batch->count));
    return kernel_launch(run->delta, &range, err, "bb" ROW_TYPES "iiiii", run->predictions, run->bias_sums,
                         ROW_ARGUMENTS(run->live), (int)batch->first, (int)batch->count, (int)shard.first,
                         (int)shard.count, (int)plan->shard_units);
}

static kernel_range lines_range(const sparse_run *run, size_t n_units, size_t n_lines, int *lines) {
    return tiling_lines(&run->live->plan->tiling, device_is_host(run->live->device), n_units, n_lines, lines);
}

static plethron_status sum_pieces(const sparse_run *run, unit_shard shard, plethron_error *err) {
    const dataset_sparse *sparse = run->live->problem->dataset->sparse;
    const sparse_lines *features = &run->live->features;
    int lines;
    const kernel_range range = lines_range(run, shard.count, sparse->n_pieces, &lines);
    return kernel_launch(run->pieces, &range, err, "bbbbbiiii", sparse->pieces, features->indices, features->values,
                         run->predictions, run->piece_sums, (int)sparse->n_pieces, (int)shard.count,
                         (int)run->live->plan->shard_units, lines);
}

static plethron_status sum_features(const sparse_run *run, unit_shard shard, const row_batch *batch,
                                    plethron_error *err) {
    const train_problem *p = run->live->problem;
    const sparse_lines *features = &run->live->features;
    const size_t n_features = p->dataset->n_features;
    int lines;
    const kernel_range range = lines_range(run, shard.count, n_features, &lines);
    return kernel_launch(run->gradient, &range, err, "bbbbbbbiiiiiiii", features->offsets, features->indices,
                         features->values, p->dataset->sparse->first_piece, run->piece_sums, run->predictions,
                         run->weight_sums, (int)n_features, (int)batch->first, (int)batch->count, (int)shard.count,
                         (int)run->live->plan->shard_units, (int)(p->batch_rows > 0), (int)(n_pieces(p) > 0), lines);
}

static plethron_status gradient(void *state, unit_shard shard, const row_batch *batch, gradient_sums *sums,
                                plethron_error *err) {
    plethron_status status;
    sparse_run *run = state;
    const size_t stride = run->live->plan->shard_units;
    *sums = (gradient_sums){
        .weights = run->weight_sums,
        .biases = run->bias_sums,
        .n_parts = 1,
        .n_bias_parts = problem_blocks(batch->count),
        .stride = stride,
    };
    TRY(live_forward(run->live, shard, batch, run->predictions, stride, true, err));
    TRY(delta(run, shard, batch, err));
    if (n_pieces(run->live->problem) > 0) TRY(sum_pieces(run, shard, err));
    TRY(sum_features(run, shard, batch, err));
out:
    return status;
}

const strategy strategy_sparse = {
    .name = "sparse",
    .order = ORDER_OF_UNITS,
    .is_sparse = true,
    .applicable = applicable,
    .cost = cost,
    .prepare = prepare,
    .open = run_open,
    .close = run_close,
    .gradient = gradient,
};
