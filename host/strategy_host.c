/* The strategy `host`: the same epoch in C on all cores, for machines without OpenCL and as the kernels' twin.
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

static const host_loops *best_loops(void) {
#ifdef PLETHRON_X86_VARIANTS
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq") &&
        __builtin_cpu_supports("avx512bw"))
        return &host_loops_avx512;
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return &host_loops_avx2;
#endif
    return &host_loops_plain;
}

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
    const train_problem *problem;
    const host_loops *loops;
    size_t n_cores;
    int n_vectors; /* of a chunk */
    size_t width;  /* units of a chunk */
    size_t n_chunks;
    size_t n_slots;    /* blocks in flight when cores share a chunk */
    float *deltas;     /* [n_cores, DATASET_BLOCK_ROWS, width] */
    float *block_sums; /* [slots, n_features + 1, width], slots = max(n_cores, n_slots) */
    float *totals;     /* [n_cores, n_features + 1, width] */
} host_run;

static bool applicable(const train_problem *problem, char *why, size_t why_bytes) {
    if (device_is_host(problem->dataset->device)) return true;
    snprintf(why, why_bytes, "the data set is on an OpenCL device; open the device 'host' for it");
    return false;
}

static double cost(const train_problem *problem) {
    return 4.0 * (double)problem->dataset->n_samples * (double)problem->dataset->n_features * (double)problem->n_units /
           1e10;
}

static void run_close(void *state) {
    host_run *run = state;
    if (!run) return;
    free(run->deltas);
    free(run->block_sums);
    free(run->totals);
    free(run);
}

static size_t sums_size(const host_run *run) {
    return (run->problem->dataset->n_features + 1) * run->width;
}

static plethron_status run_open(const train_problem *problem, const train_plan *plan, void **out, plethron_error *err) {
    plethron_status status;
    void *memory = NULL, *deltas = NULL, *block_sums = NULL, *totals = NULL;
    host_run *run = NULL;
    (void)plan;
    TRY(memory_allocate(1, sizeof *run, "a training run", &memory, err));
    run = memory;
    run->problem = problem;
    run->loops = best_loops();
    run->n_cores = n_cores();
    run->n_vectors = problem->n_units > HOST_LANES ? 2 : 1;
    run->width = (size_t)run->n_vectors * HOST_LANES;
    run->n_chunks = (problem->n_units + run->width - 1) / run->width;
    const size_t blocks_wanted = BLOCKS_A_CORE * run->n_cores;
    run->n_slots = problem->dataset->n_blocks < blocks_wanted ? problem->dataset->n_blocks : blocks_wanted;
    const size_t slots = run->n_slots > run->n_cores ? run->n_slots : run->n_cores;
    TRY(memory_allocate(run->n_cores * DATASET_BLOCK_ROWS * run->width, sizeof(float), "the deltas", &deltas, err));
    run->deltas = deltas;
    TRY(memory_allocate(slots * sums_size(run), sizeof(float), "the gradients of blocks", &block_sums, err));
    run->block_sums = block_sums;
    TRY(memory_allocate(run->n_cores * sums_size(run), sizeof(float), "the gradients", &totals, err));
    run->totals = totals;
    *out = run;
    run = NULL;
out:
    run_close(run);
    return status;
}

static host_block block_of(const host_run *run, size_t chunk, size_t block) {
    const train_problem *p = run->problem;
    const plethron_dataset *dataset = p->dataset;
    const size_t first_row = block * DATASET_BLOCK_ROWS, first_unit = chunk * run->width;
    const size_t rows_left = dataset->n_samples - first_row;
    return (host_block){
        .tiles = dataset->X_host + first_row * dataset->n_features,
        .Y = dataset->Y_host + first_row,
        .y_stride = dataset->y_stride,
        .n_rows = (int)(rows_left < DATASET_BLOCK_ROWS ? rows_left : DATASET_BLOCK_ROWS),
        .n_features = (int)dataset->n_features,
        .n_vectors = run->n_vectors,
        .weights = p->weights + first_unit,
        .weights_stride = p->unit_stride,
        .positive_class = p->positive_class + first_unit,
        .loss = p->loss + first_unit,
        .target = p->target + first_unit,
        .losses = p->losses,
    };
}

static float *deltas_of_core(const host_run *run) {
    return run->deltas + core_number() * DATASET_BLOCK_ROWS * run->width;
}

static void step(const host_run *run, size_t chunk, int64_t epoch, const float *sums) {
    const train_problem *p = run->problem;
    const size_t first = chunk * run->width;
    const host_update update = {
        .weights = p->weights + first,
        .weights_stride = p->unit_stride,
        .n_features = (int)p->dataset->n_features,
        .n_vectors = run->n_vectors,
        .scale = p->scale + first,
        .learning_rate = p->learning_rate + first,
        .l2 = p->l2 + first,
        .epochs = p->epochs + first,
        .epoch = (int32_t)epoch,
    };
    run->loops->update(&update, sums);
}

/* One core runs a whole epoch of a chunk. */
static void epoch_of_chunk(const host_run *run, size_t chunk, int64_t epoch) {
    float *total = run->totals + core_number() * sums_size(run);
    float *sums = run->block_sums + core_number() * sums_size(run);
    memset(total, 0, sums_size(run) * sizeof *total);
    for (size_t b = 0; b < run->problem->dataset->n_blocks; b++) {
        const host_block block = block_of(run, chunk, b);
        run->loops->gradient(&block, deltas_of_core(run), sums);
        run->loops->add(total, sums, sums_size(run));
    }
    step(run, chunk, epoch, total);
}

/* All cores share the blocks of a chunk, n_slots at a time. */
static void epoch_of_shared_chunk(const host_run *run, size_t chunk, int64_t epoch) {
    const size_t n_blocks = run->problem->dataset->n_blocks;
    float *total = run->totals;
    memset(total, 0, sums_size(run) * sizeof *total);
    for (size_t first = 0; first < n_blocks; first += run->n_slots) {
        const size_t left = n_blocks - first, count = left < run->n_slots ? left : run->n_slots;
#pragma omp parallel for schedule(dynamic) if (count > 1)
        for (size_t slot = 0; slot < count; slot++) {
            const host_block block = block_of(run, chunk, first + slot);
            run->loops->gradient(&block, deltas_of_core(run), run->block_sums + slot * sums_size(run));
        }
        for (size_t slot = 0; slot < count; slot++)
            run->loops->add(total, run->block_sums + slot * sums_size(run), sums_size(run));
    }
    step(run, chunk, epoch, total);
}

static plethron_status run_epochs(void *state, int64_t first, int64_t count, plethron_error *err) {
    const host_run *run = state;
    (void)err;
    if (run->n_chunks < run->n_cores) {
        for (int64_t epoch = first; epoch < first + count; epoch++)
            for (size_t chunk = 0; chunk < run->n_chunks; chunk++) epoch_of_shared_chunk(run, chunk, epoch);
        return PLETHRON_OK;
    }
#pragma omp parallel for schedule(dynamic)
    for (size_t chunk = 0; chunk < run->n_chunks; chunk++)
        for (int64_t epoch = first; epoch < first + count; epoch++) epoch_of_chunk(run, chunk, epoch);
    return PLETHRON_OK;
}

static plethron_status run_measure(void *state, const measure_sums *sums, plethron_error *err) {
    const host_run *run = state;
    const size_t n_blocks = run->problem->dataset->n_blocks;
    (void)err;
#pragma omp parallel for schedule(dynamic)
    for (size_t chunk = 0; chunk < run->n_chunks; chunk++) {
        const size_t at = chunk * run->width;
        memset(sums->loss + at, 0, run->width * sizeof(float));
        memset(sums->error + at, 0, run->width * sizeof(float));
        memset(sums->correct + at, 0, run->width * sizeof(int32_t));
        for (size_t b = 0; b < n_blocks; b++) {
            float loss[HOST_LANES * HOST_MAX_VECTORS], error[HOST_LANES * HOST_MAX_VECTORS];
            int32_t correct[HOST_LANES * HOST_MAX_VECTORS];
            const host_block block = block_of(run, chunk, b);
            run->loops->measure(&block, deltas_of_core(run), loss, error, correct);
            run->loops->add(sums->loss + at, loss, run->width);
            run->loops->add(sums->error + at, error, run->width);
            for (size_t u = 0; u < run->width; u++) sums->correct[at + u] += correct[u];
        }
    }
    return PLETHRON_OK;
}

/* The weights are the problem's own. */
static plethron_status run_weights(void *state, plethron_error *err) {
    (void)state;
    (void)err;
    return PLETHRON_OK;
}

const strategy strategy_host = {
    .name = "host",
    .applicable = applicable,
    .cost = cost,
    .open = run_open,
    .epochs = run_epochs,
    .measure = run_measure,
    .weights = run_weights,
    .close = run_close,
};

/* ---- Prediction -------------------------------------------------------------------------------------------------- */

void host_predict(const predict_problem *predictor, const float *tiles, size_t n_rows, float *P) {
    const host_loops *loops = best_loops();
    const size_t n_blocks = (n_rows + DATASET_TILE - 1) / DATASET_TILE;
#pragma omp parallel for schedule(dynamic, 4)
    for (size_t b = 0; b < n_blocks; b++) {
        const size_t first_row = b * DATASET_TILE, left = n_rows - first_row;
        const size_t count = left < DATASET_TILE ? left : DATASET_TILE;
        for (size_t unit = 0; unit < predictor->n_units; unit += HOST_LANES) {
            float results[DATASET_TILE * HOST_LANES] __attribute__((aligned(64)));
            const host_block block = {
                .tiles = tiles + first_row * predictor->n_features,
                .n_rows = (int)count,
                .n_features = (int)predictor->n_features,
                .n_vectors = 1,
                .weights = predictor->weights + unit,
                .weights_stride = predictor->unit_stride,
            };
            loops->forward(&block, 1, results);
            for (size_t i = 0; i < count; i++)
                memcpy(P + (first_row + i) * predictor->unit_stride + unit, results + i * HOST_LANES,
                       HOST_LANES * sizeof *P);
        }
    }
}
