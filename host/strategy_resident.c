/* The strategy `resident`: many units on few features, all epochs of a chunk inside one launch (kernels/resident.cl).
 * On an OpenCL device. */
#include "strategy.h"

#include <math.h>
#include <stdlib.h>

/* How the kernel is shaped: its macros. */
typedef struct resident_shape {
    unsigned unit_vector, item_vectors;
    bool local_memory;
} resident_shape;

typedef struct resident_run {
    live_set *live;
    resident_shape shape;
    device_program *program;
    device_kernel *epochs;
} resident_run;

/* ---- Shape ------------------------------------------------------------------------------------------------------- */

/* Weights and sums lie in registers, on CPUs in the first cache. */
enum { MOST_IN_REGISTERS = 16, MOST_WITH_MOMENTS = 8, MOST_IN_CACHE = 128, MOST_BESIDE = MOST_IN_CACHE / 2 };

static size_t items_of(const train_problem *problem, unsigned item_units) {
    return size_divide_up(problem->n_units, item_units);
}

/* Two vectors an item where there are units enough for all cores, and both fit beside each other. Half a vector where
 * the cores suffice for so many items: an item takes no longer, and less on CPUs that compute wide vectors in halves.
 */
static resident_shape choose_shape(const train_problem *problem, const tile_sizes *tiling) {
    const plethron_device *device = problem->dataset->device;
    const size_t n_features = problem->dataset->n_features;
    resident_shape shape = {.unit_vector = 1, .item_vectors = 1, .local_memory = tiling->local_memory};
    if (shape.local_memory) return shape;
    shape.unit_vector = tiling->unit_vector;
    const size_t n_cores = plethron_device_describe(device)->compute_units;
    if (shape.unit_vector == 16 && items_of(problem, shape.unit_vector / 2) <= n_cores) shape.unit_vector /= 2;
    if (n_features <= MOST_BESIDE && items_of(problem, 2 * shape.unit_vector) >= n_cores) shape.item_vectors = 2;
    return shape;
}

static size_t most_features(const train_problem *problem) {
    if (!plethron_device_describe(problem->dataset->device)->local_is_dedicated) return MOST_IN_CACHE;
    return problem->uses & (USE_MOMENTUM | USE_ADAM) ? MOST_WITH_MOMENTS : MOST_IN_REGISTERS;
}

static bool applicable(const train_problem *problem, char *why, size_t why_bytes) {
    const plethron_device *device = problem->dataset->device;
    if (device_is_host(device))
        snprintf(why, why_bytes, "it needs an OpenCL device, the data set is on the host");
    else if (problem->has_ranges)
        snprintf(why, why_bytes, "its units all learn from the same rows, these have an entity each");
    else if (problem->batch_rows)
        snprintf(why, why_bytes, "it takes all rows at once, these units learn from batches of %zu",
                 problem->batch_rows);
    else if (problem->dataset->n_features > most_features(problem))
        snprintf(why, why_bytes, "it takes %zu features on %s, these are %zu", most_features(problem),
                 plethron_device_describe(device)->name, problem->dataset->n_features);
    else
        return true;
    return false;
}

/* Lanes that are busy while the items take their turns on the cores: a vector takes as long with fewer units. */
static size_t busy_lanes(const train_problem *problem, const resident_shape *shape) {
    const plethron_device *device = problem->dataset->device;
    const size_t n_cores = plethron_device_describe(device)->compute_units;
    const size_t item_units = shape->local_memory ? UNIT_PADDING : shape->unit_vector * shape->item_vectors;
    const size_t width = device_vector_width(device), lanes = item_units > width ? item_units : width;
    return size_divide_up(problem->n_units, item_units * n_cores) * n_cores * lanes;
}

/* Flops over a nominal rate, in the currency of `fused`. On GPUs one row follows the other, and waits for it. On CPUs a
 * vector alone takes longer where it is narrow or its arrays are large: each value of X is spread for little work. */
static double cost(const train_problem *problem) {
    static const double sigmoid_features = 10.0, wait_features = 25.0, gpu_s = 5e-9, alone = 1.3;
    enum { CHAINS_AT_ONCE = 8, WIDE_VECTOR = 16 };
    const plethron_dataset *dataset = problem->dataset;
    const double n_features = (double)dataset->n_features;
    const tile_sizes tiling = tiling_choose(dataset->device, problem->n_units);
    const resident_shape shape = choose_shape(problem, &tiling);
    const size_t rows_at_once = CHAINS_AT_ONCE / shape.item_vectors;
    const double n_rows = (double)(size_divide_up(dataset->n_samples, rows_at_once) * rows_at_once);
    const double flops = 4.0 * n_rows * (n_features + sigmoid_features) * (double)busy_lanes(problem, &shape);
    const double wait_s = shape.local_memory ? n_rows * (n_features + wait_features) * gpu_s : 0.0;
    const bool is_narrow = device_vector_width(dataset->device) < WIDE_VECTOR;
    const bool is_large = dataset->n_features > MOST_BESIDE;
    const bool is_alone = !shape.local_memory && shape.item_vectors == 1 && (is_narrow || is_large);
    return fmax(flops / 1e11 * 0.8 * (is_alone ? alone : 1.0), wait_s);
}

static plethron_status prepare(const train_problem *problem, const tile_sizes *tiling, train_plan *plan,
                               plethron_error *err) {
    const plethron_device *device = problem->dataset->device;
    (void)err;
    plan->tiling = tiling ? *tiling : tiling_choose(device, problem->n_units);
    plan->shard_units = problem->unit_stride;
    const resident_shape shape = choose_shape(problem, &plan->tiling);
    snprintf(plan->text, sizeof plan->text, "resident on %s: %u unit%s an item", plethron_device_describe(device)->name,
             shape.unit_vector * shape.item_vectors, shape.unit_vector * shape.item_vectors == 1 ? "" : "s");
    return PLETHRON_OK;
}

/* ---- The run ----------------------------------------------------------------------------------------------------- */

static void run_close(void *state) {
    resident_run *run = state;
    if (!run) return;
    kernel_close(run->epochs);
    program_close(run->program);
    free(run);
}

static plethron_status run_open(live_set *live, void **out, plethron_error *err) {
    plethron_status status;
    void *memory = NULL;
    resident_run *run = NULL;
    char options[256];
    const train_problem *p = live->problem;
    const char *const sources[] = {"arithmetic.cl", "store.cl", "unit.cl",    "row.cl",
                                   "rules.cl",      "step.cl",  "resident.cl"};
    TRY(memory_allocate(1, sizeof *run, "a training run", &memory, err));
    run = memory;
    run->live = live;
    run->shape = choose_shape(p, &live->plan->tiling);
    snprintf(options, sizeof options,
             "-DTILE=%d -DBLOCK_ROWS=%d -DUSES=%d -DLOCAL_MEMORY=%d -DUNIT_VECTOR=%u -DITEM_VECTORS=%u "
             "-DFEATURES=%zu -DSTORAGE=%d",
             DATASET_TILE, DATASET_BLOCK_ROWS, p->uses, run->shape.local_memory, run->shape.unit_vector,
             run->shape.item_vectors, p->dataset->n_features, (int)p->dataset->storage);
    TRY(program_open(live->device, sources, sizeof sources / sizeof *sources, options, &run->program, err));
    TRY(program_kernel(run->program, "resident", &run->epochs, err));
    *out = run;
    run = NULL;
out:
    run_close(run);
    return status;
}

static bool looks(const void *state) {
    const resident_run *run = state;
    return !run->shape.local_memory;
}

static plethron_status epochs(void *state, int64_t first, int64_t count, int64_t look_every, plethron_error *err) {
    const resident_run *run = state;
    const live_set *live = run->live;
    const train_problem *p = live->problem;
    const size_t group_items = run->shape.local_memory ? UNIT_PADDING : 1;
    const size_t items = items_of(p, run->shape.unit_vector * run->shape.item_vectors);
    const kernel_range range = {.global = {size_divide_up(items, group_items) * group_items, 1, 1},
                                .local = {group_items, 1, 1}};
    return kernel_launch(run->epochs, &range, err, "bbbbbbbb" ROW_TYPES "iiii", live->X, live->steps, live->weights,
                         live->moments, live->distances, live->state, live->held_scale, live->best, ROW_ARGUMENTS(live),
                         (int)p->dataset->n_samples, (int)first, (int)count, (int)look_every);
}

const strategy strategy_resident = {
    .name = "resident",
    .applicable = applicable,
    .cost = cost,
    .prepare = prepare,
    .open = run_open,
    .close = run_close,
    .epochs = epochs,
    .looks = looks,
};
