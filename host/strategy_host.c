/* The strategy `host`: the gradient in C on all cores, for machines without OpenCL and as the kernels' twin.
 *
 * Units are worked on in chunks that fit vector registers. With many chunks each core takes chunks of its own; with
 * few, the cores share a chunk's blocks of rows. Either way a chunk's block sums are added in ascending order, so the
 * number of cores changes no bit. */
#include "host_loops.h"
#include "strategy.h"

#include <stdlib.h>
#include <string.h>

#ifdef _OPENMP
#include <omp.h>
#endif

enum { BLOCKS_A_CORE = 4 /* blocks in flight a core when the cores share a chunk */ };

static size_t n_cores(void) {
#ifdef _OPENMP
    return (size_t)omp_get_max_threads();
#else
    return 1;
#endif
}

static size_t core_number(void) {
#ifdef _OPENMP
    return (size_t)omp_get_thread_num();
#else
    return 0;
#endif
}

typedef struct host_run {
    live_set *live;
    const host_loops *loops;
    host_rows rows;
    size_t n_cores;
    int n_vectors; /* of a chunk */
    size_t width;  /* units of a chunk */
    size_t n_chunks;
    size_t n_slots;  /* blocks in flight when cores share a chunk */
    float *deltas;   /* [n_cores, DATASET_BLOCK_ROWS, width] */
    float *features; /* [n_cores, tiles of DATASET_BLOCK_ROWS rows and padding], where they are not stored as floats */
    size_t features_size;
    float *block_sums;          /* [slots, n_features + 1, width], slots = max(n_cores, n_slots) */
    float *totals;              /* [n_cores, n_features + 1, width] */
    device_buffer *weight_sums; /* [n_features, unit_stride] */
    device_buffer *bias_sums;   /* [unit_stride] */
} host_run;

static bool applicable(const train_problem *problem, char *why, size_t why_bytes) {
    if (!device_is_host(problem->dataset->device))
        snprintf(why, why_bytes, "the data set is on an OpenCL device; open the device 'host' for it");
    else if (problem->has_ranges)
        snprintf(why, why_bytes, "its units all learn from the same rows, these have an entity each");
    else
        return true;
    return false;
}

/* Flops over a nominal rate, in the currency of `grouped` on the host. Chunks of units and blocks of rows are spread
 * over the cores; of a chunk that is one vector the loads take a larger part. */
static double cost(const train_problem *problem) {
    static const double sigmoid_features = 24.0, chunk_s = 5e-7, epoch_s = 1.3e-6;
    const plethron_dataset *dataset = problem->dataset;
    const size_t n_cores = plethron_device_describe(dataset->device)->compute_units;
    const bool is_one_vector = problem->n_units <= HOST_LANES;
    const size_t n_chunks = size_divide_up(problem->n_units, HOST_LANES * HOST_MAX_VECTORS);
    const size_t n_items = n_chunks * size_divide_up(dataset->n_samples, DATASET_BLOCK_ROWS);
    const double idle = (double)(size_divide_up(n_items, n_cores) * n_cores) / (double)n_items;
    const double units = (double)(n_chunks * HOST_LANES * HOST_MAX_VECTORS) * (is_one_vector ? 0.65 : 1.0);
    const double flops = 4.0 * (double)dataset->n_samples * ((double)dataset->n_features + sigmoid_features) * units;
    return idle * flops / 2.2e11 + (double)n_chunks * chunk_s + epoch_s;
}

static plethron_status prepare(const train_problem *problem, const tile_sizes *tiling, train_plan *plan,
                               plethron_error *err) {
    const plethron_device *device = problem->dataset->device;
    (void)tiling;
    (void)err;
    plan->tiling = tiling_choose(device, problem->n_units);
    plan->shard_units = problem->unit_stride;
    plan->bytes = (problem->dataset->n_features + 1) * problem->unit_stride * sizeof(float);
    snprintf(plan->text, sizeof plan->text, "host: native C on %u cores",
             plethron_device_describe(device)->compute_units);
    return PLETHRON_OK;
}

static void run_close(void *state) {
    host_run *run = state;
    if (!run) return;
    device_buffer_close(run->bias_sums);
    device_buffer_close(run->weight_sums);
    free(run->deltas);
    free(run->features);
    free(run->block_sums);
    free(run->totals);
    free(run);
}

static size_t sums_size(const host_run *run) {
    return (run->live->problem->dataset->n_features + 1) * run->width;
}

static host_rows rows_of(const live_set *live) {
    return (host_rows){
        .targets = device_buffer_on_host(live->rows.targets),
        .weights = device_buffer_on_host(live->rows.weights),
        .folds = device_buffer_on_host(live->rows.folds),
        .counts = device_buffer_on_host(live->rows.counts),
        .order = device_buffer_on_host(live->rows.order),
        .units = device_buffer_on_host(live->units),
        .y_stride = live->problem->dataset->y_stride,
        .u_stride = (int)live->problem->unit_stride,
        .uses = live->problem->uses,
    };
}

static plethron_status open_room(host_run *run, plethron_error *err) {
    plethron_status status;
    void *deltas = NULL, *features = NULL, *block_sums = NULL, *totals = NULL;
    const train_problem *p = run->live->problem;
    const size_t slots = run->n_slots > run->n_cores ? run->n_slots : run->n_cores;
    const size_t unit_bytes = p->unit_stride * sizeof(float);
    TRY(memory_allocate(run->n_cores * DATASET_BLOCK_ROWS * run->width, sizeof(float), "the deltas", &deltas, err));
    run->deltas = deltas;
    if (p->dataset->storage != PLETHRON_STORAGE_F32) {
        dataset_tiles_size(DATASET_BLOCK_ROWS, p->dataset->n_features, &run->features_size);
        TRY(memory_allocate(run->n_cores * run->features_size, sizeof(float), "features as floats", &features, err));
        run->features = features;
    }
    TRY(memory_allocate(slots * sums_size(run), sizeof(float), "the gradients of blocks", &block_sums, err));
    run->block_sums = block_sums;
    TRY(memory_allocate(run->n_cores * sums_size(run), sizeof(float), "the gradients", &totals, err));
    run->totals = totals;
    TRY(device_buffer_create(run->live->device, p->dataset->n_features * unit_bytes, "the gradients", &run->weight_sums,
                             err));
    TRY(device_buffer_create(run->live->device, unit_bytes, "the bias gradients", &run->bias_sums, err));
out:
    return status;
}

static plethron_status run_open(live_set *live, void **out, plethron_error *err) {
    plethron_status status;
    void *memory = NULL;
    host_run *run = NULL;
    TRY(memory_allocate(1, sizeof *run, "a training run", &memory, err));
    run = memory;
    run->live = live;
    run->loops = host_loops_best();
    run->rows = rows_of(live);
    run->n_cores = n_cores();
    run->n_vectors = live->problem->n_units > HOST_LANES ? 2 : 1;
    run->width = (size_t)run->n_vectors * HOST_LANES;
    run->n_chunks = (live->problem->n_units + run->width - 1) / run->width;
    const size_t blocks_wanted = BLOCKS_A_CORE * run->n_cores, n_blocks = live->problem->dataset->n_blocks;
    run->n_slots = n_blocks < blocks_wanted ? n_blocks : blocks_wanted;
    TRY(open_room(run, err));
    *out = run;
    run = NULL;
out:
    run_close(run);
    return status;
}

/* ---- Gradients --------------------------------------------------------------------------------------------------- */

/* Rows as floats: where they lie, or decoded to the core's room. */
static const float *features_of(const host_run *run, size_t first_row, size_t n_rows) {
    const plethron_dataset *dataset = run->live->problem->dataset;
    if (dataset->storage == PLETHRON_STORAGE_F32)
        return (const float *)device_buffer_on_host(run->live->X) + first_row * dataset->n_features;
    float *room = run->features + core_number() * run->features_size;
    const stored_features features = {dataset->storage, run->live->X, run->live->steps, dataset->n_features};
    forward_decode(&features, 0, first_row / DATASET_TILE, size_divide_up(n_rows, DATASET_TILE), room);
    return room;
}

static host_block block_of(const host_run *run, const row_batch *batch, size_t chunk, size_t block) {
    const train_problem *p = run->live->problem;
    const size_t row = block * DATASET_BLOCK_ROWS, left = batch->count - row, first_unit = chunk * run->width;
    const size_t n_rows = left < DATASET_BLOCK_ROWS ? left : DATASET_BLOCK_ROWS;
    const float *weights = device_buffer_on_host(run->live->weights);
    return (host_block){
        .tiles = features_of(run, batch->first + row, n_rows),
        .n_rows = (int)n_rows,
        .n_features = (int)p->dataset->n_features,
        .n_vectors = run->n_vectors,
        .weights = weights + first_unit,
        .weights_stride = p->unit_stride,
        .rows = &run->rows,
        .first_row = (int)(batch->first + row),
        .first_unit = (int)first_unit,
    };
}

static float *deltas_of_core(const host_run *run) {
    return run->deltas + core_number() * DATASET_BLOCK_ROWS * run->width;
}

/* Puts a chunk's sums [n_features + 1, width] to their places. */
static void store(const host_run *run, size_t chunk, const float *sums) {
    const size_t n_features = run->live->problem->dataset->n_features, stride = run->live->problem->unit_stride;
    float *weight_sums = device_buffer_on_host(run->weight_sums), *bias_sums = device_buffer_on_host(run->bias_sums);
    const size_t unit = chunk * run->width;
    for (size_t k = 0; k < n_features; k++)
        memcpy(weight_sums + k * stride + unit, sums + k * run->width, run->width * sizeof *sums);
    memcpy(bias_sums + unit, sums + n_features * run->width, run->width * sizeof *sums);
}

/* One core sums a chunk. */
static void sum_chunk(const host_run *run, const row_batch *batch, size_t chunk) {
    float *total = run->totals + core_number() * sums_size(run);
    float *sums = run->block_sums + core_number() * sums_size(run);
    memset(total, 0, sums_size(run) * sizeof *total);
    for (size_t b = 0; b < problem_blocks(batch->count); b++) {
        const host_block block = block_of(run, batch, chunk, b);
        run->loops->gradient(&block, deltas_of_core(run), sums);
        run->loops->add(total, sums, sums_size(run));
    }
    store(run, chunk, total);
}

/* All cores share the blocks of a chunk, n_slots at a time. */
static void sum_shared_chunk(const host_run *run, const row_batch *batch, size_t chunk) {
    const size_t n_blocks = problem_blocks(batch->count);
    float *total = run->totals;
    memset(total, 0, sums_size(run) * sizeof *total);
    for (size_t first = 0; first < n_blocks; first += run->n_slots) {
        const size_t left = n_blocks - first, count = left < run->n_slots ? left : run->n_slots;
#pragma omp parallel for schedule(dynamic) if (count > 1)
        for (size_t slot = 0; slot < count; slot++) {
            const host_block block = block_of(run, batch, chunk, first + slot);
            run->loops->gradient(&block, deltas_of_core(run), run->block_sums + slot * sums_size(run));
        }
        for (size_t slot = 0; slot < count; slot++)
            run->loops->add(total, run->block_sums + slot * sums_size(run), sums_size(run));
    }
    store(run, chunk, total);
}

static plethron_status gradient(void *state, unit_shard shard, const row_batch *batch, gradient_sums *sums,
                                plethron_error *err) {
    const host_run *run = state;
    (void)shard; /* of all units */
    (void)err;
    *sums = (gradient_sums){run->weight_sums, run->bias_sums, 1, 1, run->live->problem->unit_stride};
    if (run->n_chunks < run->n_cores) {
        for (size_t chunk = 0; chunk < run->n_chunks; chunk++) sum_shared_chunk(run, batch, chunk);
        return PLETHRON_OK;
    }
#pragma omp parallel for schedule(dynamic)
    for (size_t chunk = 0; chunk < run->n_chunks; chunk++) sum_chunk(run, batch, chunk);
    return PLETHRON_OK;
}

const strategy strategy_host = {
    .name = "host",
    .applicable = applicable,
    .cost = cost,
    .prepare = prepare,
    .open = run_open,
    .close = run_close,
    .gradient = gradient,
};
