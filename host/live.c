#include "live.h"

#include "random.h"
#include "strategy.h"

#include <stdlib.h>

/* Launches between two flushes: often enough that the device never starves, seldom enough to cost nothing. */
enum { LAUNCHES_A_FLUSH = 64 };

/* Adam's bias corrections have long been 1 after so many steps, and an int holds them. */
enum { MAX_STEPS = 1 << 30 };

/* Room for z and for the sums of blocks while measuring: at most about this many floats each, beside which a data set
 * that matters is large. */
enum { MEASURE_FLOATS = 4 << 20 };

struct live_kernels {
    device_program *program;
    device_kernel *update, *weigh, *measure, *add_blocks, *check, *keep_best;
    device_program *draws; /* bootstrap.cl and shuffle.cl, where needed */
    device_kernel *bootstrap, *order, *reorder;
    forward_stage *forward;
    device_buffer *one;      /* an element for arguments that are not used */
    device_buffer *shuffled; /* X in another order */
    sparse_shuffle *sparse;  /* the same of sparse features */
    /* while measuring, made at the first use */
    size_t measure_units, measure_rows;
    device_buffer *z;    /* [measure_rows, measure_units] */
    device_buffer *sums; /* [WEIGH_SUMS or MEASURE_SUMS, n_blocks, measure_units] */
};

/* ---- Opening ----------------------------------------------------------------------------------------------------- */

static size_t matrix_bytes(const train_problem *problem) {
    return (problem->dataset->n_features + 1) * problem->unit_stride * sizeof(float);
}

/* `floats` shared out among things of `each`, rounded down to a multiple of `unit` and up to one. */
static size_t share(size_t floats, size_t each, size_t unit, size_t most) {
    const size_t n = floats / (each ? each : 1) / unit * unit;
    return size_smaller(n ? n : unit, most);
}

/* What measuring takes at once: units whose z is known for so many rows, and the sums of all blocks of these units. */
typedef struct measure_room {
    size_t units, rows;
    size_t z_bytes, sums_bytes;
} measure_room;

static measure_room measure_room_of(const train_problem *problem) {
    const plethron_dataset *dataset = problem->dataset;
    const size_t block_floats = size_smaller(DATASET_BLOCK_ROWS, dataset->n_samples);
    const size_t sum_floats = MEASURE_SUMS * dataset->n_blocks;
    measure_room room;
    room.units = share(MEASURE_FLOATS, block_floats > sum_floats ? block_floats : sum_floats, UNIT_PADDING,
                       problem->unit_stride);
    room.rows = share(MEASURE_FLOATS, room.units, DATASET_BLOCK_ROWS, dataset->n_blocks * DATASET_BLOCK_ROWS);
    room.z_bytes = forward_out_rows(room.rows) * room.units * sizeof(float);
    room.sums_bytes = sum_floats * room.units * sizeof(float);
    return room;
}

/* Of the features in another order. */
static size_t features_bytes(const plethron_dataset *dataset) {
    size_t n_values = 0;
    if (dataset->sparse) return 2 * dataset->sparse->n_values * sizeof(float);
    dataset_tiles_size(dataset->y_stride, dataset->n_features, &n_values); /* as for the data set's own */
    return n_values * dataset_value_bytes(dataset->storage);
}

live_size live_size_of(const train_problem *problem) {
    const size_t matrix = matrix_bytes(problem), values = problem->unit_stride * sizeof(float);
    const measure_room room = measure_room_of(problem);
    const size_t buffers[] = {
        matrix,
        problem->moments ? 2 * matrix : 0,
        problem->best ? matrix : 0,
        problem->has_rules ? matrix : 0,
        (UNIT_FIELDS + STATE_FIELDS + MEASURE_SUMS + 1) * values,
        problem->uses & USE_BOOTSTRAP ? problem->dataset->y_stride * problem->unit_stride : 0,
        problem->uses & USE_SHUFFLE ? features_bytes(problem->dataset) : 0,
        room.z_bytes,
        room.sums_bytes,
    };
    live_size size = {0, 0};
    for (size_t i = 0; i < sizeof buffers / sizeof *buffers; i++) {
        size.all += buffers[i];
        if (buffers[i] > size.largest) size.largest = buffers[i];
    }
    return size;
}

/* A buffer for `data`, or the one element where there is none. */
static plethron_status place(live_set *live, const float *data, size_t bytes, const char *what, device_buffer **out,
                             plethron_error *err) {
    plethron_status status;
    if (!data) {
        *out = live->kernels->one;
        return PLETHRON_OK;
    }
    TRY(device_buffer_create(live->device, bytes, what, out, err));
    TRY(device_buffer_upload(*out, 0, bytes, data, err));
out:
    return status;
}

static plethron_status open_units(live_set *live, plethron_error *err) {
    plethron_status status;
    const train_problem *p = live->problem;
    const size_t bytes = p->unit_stride * sizeof(float);
    TRY(place(live, p->weights, matrix_bytes(p), "the weights", &live->weights, err));
    TRY(place(live, p->moments, 2 * matrix_bytes(p), "the moments", &live->moments, err));
    TRY(place(live, p->best, matrix_bytes(p), "the best weights", &live->best, err));
    TRY(place(live, p->units, UNIT_FIELDS * bytes, "the units' values", &live->units, err));
    TRY(place(live, p->state, STATE_FIELDS * bytes, "the units' states", &live->state, err));
    TRY(place(live, p->held_scale, bytes, "the units' held-out weights", &live->held_scale, err));
    live->distances = live->kernels->one;
    if (p->has_rules) TRY(device_buffer_create(live->device, matrix_bytes(p), "the gradients", &live->distances, err));
    TRY(device_buffer_create(live->device, MEASURE_SUMS * bytes, "the measures", &live->totals, err));
    TRY(device_buffer_zero(live->totals, err));
out:
    return status;
}

static plethron_status open_kernels(live_set *live, plethron_error *err) {
    plethron_status status;
    struct live_kernels *k = live->kernels;
    const char *const sources[] = {"arithmetic.cl", "unit.cl",   "row.cl",     "rules.cl",
                                   "step.cl",       "update.cl", "measure.cl", "check.cl"};
    TRY(tiling_program(live->device, &live->plan->tiling, live->problem->uses, PLETHRON_STORAGE_F32, sources,
                       sizeof sources / sizeof *sources, &k->program, err));
    TRY(program_kernel(k->program, "update", &k->update, err));
    TRY(program_kernel(k->program, "weigh", &k->weigh, err));
    TRY(program_kernel(k->program, "measure", &k->measure, err));
    TRY(program_kernel(k->program, "add_blocks", &k->add_blocks, err));
    TRY(program_kernel(k->program, "check", &k->check, err));
    TRY(program_kernel(k->program, "keep_best", &k->keep_best, err));
    const plethron_dataset *dataset = live->problem->dataset;
    TRY(forward_open(live->device, &live->plan->tiling, dataset->sparse != NULL, dataset->storage, &k->forward, err));
    TRY(device_buffer_create(live->device, sizeof(float), "an element", &k->one, err));
out:
    return status;
}

/* The order 0, 1, 2, ... until the first shuffle. */
static plethron_status upload_order(live_set *live, plethron_error *err) {
    plethron_status status;
    void *memory = NULL;
    const size_t n_places = live->problem->dataset->y_stride;
    TRY(memory_allocate(n_places, sizeof(int32_t), "the order of the rows", &memory, err));
    int32_t *order = memory;
    for (size_t i = 0; i < n_places; i++) order[i] = (int32_t)i;
    TRY(device_buffer_create(live->device, n_places * sizeof *order, "the order of the rows", &live->rows.order, err));
    TRY(device_buffer_upload(live->rows.order, 0, n_places * sizeof *order, order, err));
out:
    free(memory);
    return status;
}

/* How often the bootstrap draws each row for each unit. */
static plethron_status draw_counts(live_set *live, plethron_error *err) {
    enum { DRAWS = 64 /* of an item: bootstrap.cl */ };
    plethron_status status;
    const train_problem *p = live->problem;
    const size_t n_samples = p->dataset->n_samples;
    const size_t group = p->unit_stride % UNIT_PADDING == 0 ? UNIT_PADDING : SPARSE_UNIT_PADDING;
    const kernel_range range = {
        .global = {p->unit_stride, (n_samples + DRAWS - 1) / DRAWS, 1},
        .local = {live->plan->tiling.local_memory ? group : 1, 1, 1},
    };
    TRY(device_buffer_create(live->device, p->dataset->y_stride * p->unit_stride, "the bootstrap's counts",
                             &live->rows.counts, err));
    TRY(device_buffer_zero(live->rows.counts, err));
    TRY(program_kernel(live->kernels->draws, "bootstrap", &live->kernels->bootstrap, err));
    TRY(kernel_launch(live->kernels->bootstrap, &range, err, "bbiii", live->rows.counts, live->units, (int)n_samples,
                      (int)p->n_units, (int)p->unit_stride));
out:
    return status;
}

/* Room for the features in another order. */
static plethron_status open_shuffle(live_set *live, plethron_error *err) {
    plethron_status status;
    const plethron_dataset *dataset = live->problem->dataset;
    struct live_kernels *k = live->kernels;
    TRY(upload_order(live, err));
    TRY(program_kernel(k->draws, "order", &k->order, err));
    if (dataset->sparse) {
        TRY(sparse_shuffle_open(live, &k->sparse, err));
        goto out;
    }
    TRY(device_buffer_create(live->device, features_bytes(dataset), "the features in another order", &k->shuffled,
                             err));
    TRY(device_buffer_zero(k->shuffled, err)); /* the padding behind the rows is read, too */
    TRY(program_kernel(k->draws, "reorder", &k->reorder, err));
out:
    return status;
}

/* Counts of the bootstrap, and the order of mini-batches. */
static plethron_status open_draws(live_set *live, plethron_error *err) {
    plethron_status status = PLETHRON_OK;
    const train_problem *p = live->problem;
    struct live_kernels *k = live->kernels;
    const char *const sources[] = {"arithmetic.cl", "random.cl", "unit.cl", "bootstrap.cl", "shuffle.cl"};
    if (!(p->uses & (USE_BOOTSTRAP | USE_SHUFFLE))) return status;
    TRY(tiling_program(live->device, &live->plan->tiling, p->uses, PLETHRON_STORAGE_F32, sources,
                       sizeof sources / sizeof *sources, &k->draws, err));
    if (p->uses & USE_BOOTSTRAP) TRY(draw_counts(live, err));
    if (p->uses & USE_SHUFFLE) TRY(open_shuffle(live, err));
out:
    return status;
}

static device_buffer *or_one(const live_set *live, device_buffer *buffer) {
    return buffer ? buffer : live->kernels->one;
}

plethron_status live_open(const train_problem *problem, const train_plan *plan, live_set **out, plethron_error *err) {
    plethron_status status;
    void *memory = NULL, *kernels = NULL;
    live_set *live = NULL;
    TRY(memory_allocate(1, sizeof *live, "the live units", &memory, err));
    live = memory;
    live->problem = problem;
    live->plan = plan;
    live->device = problem->dataset->device;
    TRY(memory_allocate(1, sizeof *live->kernels, "the live units", &kernels, err));
    live->kernels = kernels;
    TRY(open_kernels(live, err));
    TRY(open_units(live, err));
    live->rows.targets = or_one(live, problem->dataset->Y);
    live->rows.weights = or_one(live, problem->dataset->weights);
    live->rows.folds = or_one(live, problem->dataset->folds);
    TRY(open_draws(live, err));
    live->rows.counts = or_one(live, live->rows.counts);
    live->rows.order = or_one(live, live->rows.order);
    live->X = problem->dataset->X;
    live->steps = or_one(live, problem->dataset->steps);
    if (problem->dataset->sparse) live->features = problem->dataset->sparse->features;
    *out = live;
    live = NULL;
out:
    live_close(live);
    return status;
}

static void close_kernels(struct live_kernels *k) {
    device_kernel *kernels[] = {k->update,    k->weigh,     k->measure, k->add_blocks, k->check,
                                k->keep_best, k->bootstrap, k->order,   k->reorder};
    device_buffer *buffers[] = {k->one, k->shuffled, k->z, k->sums};
    for (size_t i = 0; i < sizeof kernels / sizeof *kernels; i++) kernel_close(kernels[i]);
    for (size_t i = 0; i < sizeof buffers / sizeof *buffers; i++) device_buffer_close(buffers[i]);
    sparse_shuffle_close(k->sparse);
    forward_close(k->forward);
    program_close(k->draws);
    program_close(k->program);
}

void live_close(live_set *live) {
    if (!live) return;
    if (live->kernels) {
        device_buffer *own[] = {live->weights, live->moments,    live->distances, live->best,        live->units,
                                live->state,   live->held_scale, live->totals,    live->rows.counts, live->rows.order};
        for (size_t i = 0; i < sizeof own / sizeof *own; i++)
            if (own[i] != live->kernels->one) device_buffer_close(own[i]);
        close_kernels(live->kernels);
        free(live->kernels);
    }
    free(live);
}

/* ---- Transfers --------------------------------------------------------------------------------------------------- */

plethron_status live_upload_units(live_set *live, plethron_error *err) {
    plethron_status status;
    const train_problem *p = live->problem;
    const size_t bytes = p->unit_stride * sizeof(float);
    TRY(device_buffer_upload(live->units, 0, UNIT_FIELDS * bytes, p->units, err));
    TRY(device_buffer_upload(live->state, 0, STATE_FIELDS * bytes, p->state, err));
    TRY(device_buffer_upload(live->held_scale, 0, bytes, p->held_scale, err));
out:
    return status;
}

plethron_status live_download_state(live_set *live, plethron_error *err) {
    const train_problem *p = live->problem;
    return device_buffer_download(live->state, 0, STATE_FIELDS * p->unit_stride * sizeof(float), p->state, err);
}

plethron_status live_download(live_set *live, plethron_error *err) {
    plethron_status status;
    const train_problem *p = live->problem;
    TRY(device_buffer_download(live->weights, 0, matrix_bytes(p), p->weights, err));
    if (p->moments) TRY(device_buffer_download(live->moments, 0, 2 * matrix_bytes(p), p->moments, err));
    if (p->best) TRY(device_buffer_download(live->best, 0, matrix_bytes(p), p->best, err));
    TRY(live_download_state(live, err));
out:
    return status;
}

plethron_status live_count_launches(live_set *live, unsigned n, plethron_error *err) {
    live->launches_to_flush += n;
    if (live->launches_to_flush < LAUNCHES_A_FLUSH) return PLETHRON_OK;
    live->launches_to_flush = 0;
    return device_flush(live->device, err);
}

/* ---- The order of the rows --------------------------------------------------------------------------------------- */

/* `items` in groups that GPUs fill, and `rows` of them. */
static kernel_range place_range(const live_set *live, size_t items, size_t rows) {
    enum { GROUP_ITEMS = 64 };
    const size_t local = live->plan->tiling.local_memory ? GROUP_ITEMS : 1;
    return (kernel_range){.global = {(items + local - 1) / local * local, rows, 1}, .local = {local, 1, 1}};
}

/* The first n_samples rows in the order of an epoch; 0: all stay in their own places. */
static plethron_status draw_order(live_set *live, size_t n_samples, int64_t epoch, plethron_error *err) {
    const int64_t seed = live->problem->batch_seed;
    const int n_places = (int)live->problem->dataset->y_stride;
    const kernel_range range = place_range(live, (size_t)n_places, 1);
    return kernel_launch(live->kernels->order, &range, err, "biiiiii", live->rows.order, (int)n_samples, n_places,
                         random_half_bits(live->problem->dataset->n_samples), (int)(uint32_t)seed,
                         (int)(uint32_t)((uint64_t)seed >> 32), (int)(uint32_t)epoch);
}

/* Puts the features into the epoch's order. */
static plethron_status shuffle(live_set *live, int64_t epoch, plethron_error *err) {
    plethron_status status;
    const plethron_dataset *dataset = live->problem->dataset;
    const bool in_groups = live->plan->tiling.local_memory;
    const kernel_range range = place_range(live, in_groups ? dataset->y_stride : dataset->n_tiles, dataset->n_features);
    TRY(draw_order(live, dataset->n_samples, live->problem->batch_epoch + epoch, err));
    live->is_shuffled = true;
    if (dataset->sparse) {
        TRY(sparse_shuffle_run(live->kernels->sparse, live, &live->features, err));
        goto out;
    }
    TRY(kernel_launch(live->kernels->reorder, &range, err, "bbbiii", dataset->X, live->kernels->shuffled,
                      live->rows.order, (int)dataset->y_stride, (int)dataset->n_features,
                      (int)dataset_value_bytes(dataset->storage)));
    live->X = live->kernels->shuffled;
out:
    return status;
}

plethron_status live_restore_order(live_set *live, plethron_error *err) {
    const plethron_dataset *dataset = live->problem->dataset;
    if (!live->is_shuffled) return PLETHRON_OK;
    live->is_shuffled = false;
    live->X = dataset->X;
    if (dataset->sparse) live->features = dataset->sparse->features;
    return draw_order(live, 0, 0, err);
}

/* ---- Sums over rows ---------------------------------------------------------------------------------------------- */

static plethron_status open_measuring(live_set *live, plethron_error *err) {
    plethron_status status = PLETHRON_OK;
    struct live_kernels *k = live->kernels;
    if (k->z) return status;
    const measure_room room = measure_room_of(live->problem);
    k->measure_units = room.units;
    k->measure_rows = room.rows;
    TRY(device_buffer_create(live->device, room.z_bytes, "the predictions while measuring", &k->z, err));
    TRY(device_buffer_create(live->device, room.sums_bytes, "the sums while measuring", &k->sums, err));
out:
    return status;
}

static plethron_status add_blocks(live_set *live, unit_shard shard, int n_sums, plethron_error *err) {
    const kernel_range range = tiling_flat(&live->plan->tiling, shard.count, (size_t)n_sums);
    return kernel_launch(live->kernels->add_blocks, &range, err, "bbiiiii", live->kernels->sums, live->totals,
                         (int)shard.first, (int)shard.count, (int)live->problem->dataset->n_blocks,
                         (int)live->kernels->measure_units, (int)live->problem->unit_stride);
}

static plethron_status weigh_shard(live_set *live, unit_shard shard, plethron_error *err) {
    plethron_status status;
    const plethron_dataset *dataset = live->problem->dataset;
    const kernel_range range = tiling_flat(&live->plan->tiling, shard.count, dataset->n_blocks);
    TRY(kernel_launch(live->kernels->weigh, &range, err, "b" ROW_TYPES "iiiii", live->kernels->sums,
                      ROW_ARGUMENTS(live), (int)dataset->n_samples, (int)shard.first, (int)shard.count,
                      (int)dataset->n_blocks, (int)live->kernels->measure_units));
    TRY(add_blocks(live, shard, WEIGH_SUMS, err));
out:
    return status;
}

plethron_status live_forward(const live_set *live, unit_shard shard, const row_batch *rows, device_buffer *out,
                             size_t out_stride, bool activate, plethron_error *err) {
    const plethron_dataset *dataset = live->problem->dataset;
    const forward_task task = {
        .X = live->X,
        .steps = live->steps,
        .rows = dataset->sparse ? &dataset->sparse->rows : NULL,
        .order = live->is_shuffled ? live->rows.order : NULL,
        .weights = live->weights,
        .out = out,
        .n_tiles = dataset->n_tiles,
        .n_features = dataset->n_features,
        .weights_stride = live->problem->unit_stride,
        .first_row = rows->first,
        .n_rows = rows->count,
        .first_unit = shard.first,
        .n_units = shard.count,
        .out_stride = out_stride,
        .activate = activate,
    };
    return forward_run(live->kernels->forward, &task, err);
}

static plethron_status measure_shard(live_set *live, unit_shard shard, plethron_error *err) {
    plethron_status status = PLETHRON_OK;
    struct live_kernels *k = live->kernels;
    const plethron_dataset *dataset = live->problem->dataset;
    for (size_t row = 0; row < dataset->n_samples; row += k->measure_rows) {
        const size_t count = size_smaller(k->measure_rows, dataset->n_samples - row);
        const row_batch rows = {row, count};
        const kernel_range range = tiling_flat(&live->plan->tiling, shard.count, problem_blocks(count));
        TRY(live_forward(live, shard, &rows, k->z, k->measure_units, false, err));
        TRY(kernel_launch(k->measure, &range, err, "bb" ROW_TYPES "iiiiiii", k->z, k->sums, ROW_ARGUMENTS(live),
                          (int)row, (int)count, (int)shard.first, (int)shard.count, (int)dataset->n_blocks,
                          (int)k->measure_units, (int)k->measure_units));
        TRY(live_count_launches(live, 2, err));
    }
    TRY(add_blocks(live, shard, MEASURE_SUMS, err));
out:
    return status;
}

/* Runs `of_shard` on all units, a shard after another. */
static plethron_status sum_rows(live_set *live, plethron_status (*of_shard)(live_set *, unit_shard, plethron_error *),
                                plethron_error *err) {
    plethron_status status;
    TRY(live_restore_order(live, err));
    TRY(open_measuring(live, err));
    for (size_t unit = 0; unit < live->problem->n_units; unit += live->kernels->measure_units)
        TRY(of_shard(
            live, (unit_shard){unit, size_smaller(live->kernels->measure_units, live->problem->n_units - unit)}, err));
out:
    return status;
}

plethron_status live_weigh(live_set *live, void *run, float *totals, plethron_error *err) {
    plethron_status status;
    const strategy *chosen = live->plan->strategy;
    if (chosen->weigh)
        TRY(chosen->weigh(run, live->totals, err));
    else
        TRY(sum_rows(live, weigh_shard, err));
    TRY(device_buffer_download(live->totals, 0, WEIGH_SUMS * live->problem->unit_stride * sizeof *totals, totals, err));
out:
    return status;
}

static plethron_status measure(live_set *live, void *run, plethron_error *err) {
    const strategy *chosen = live->plan->strategy;
    return chosen->measure ? chosen->measure(run, live->totals, err) : sum_rows(live, measure_shard, err);
}

plethron_status live_measure(live_set *live, void *run, float *totals, plethron_error *err) {
    plethron_status status;
    TRY(measure(live, run, err));
    TRY(device_buffer_download(live->totals, 0, MEASURE_SUMS * live->problem->unit_stride * sizeof *totals, totals,
                               err));
out:
    return status;
}

/* ---- Epochs ------------------------------------------------------------------------------------------------------ */

typedef struct step_number {
    int64_t epoch;
    int64_t steps;      /* done since the training began */
    double batch_scale; /* n_samples / rows of the batch */
    bool keep;
} step_number;

static plethron_status update(live_set *live, unit_shard shard, const gradient_sums *sums, const step_number *number,
                              plethron_error *err) {
    const train_problem *p = live->problem;
    const kernel_range range = tiling_flat(&live->plan->tiling, shard.count, p->dataset->n_features + 1);
    return kernel_launch(live->kernels->update, &range, err, "bbbbbbbiiiiiiiiiifi", live->weights, live->moments,
                         live->distances, sums->weights, sums->biases, live->units, live->state,
                         (int)p->dataset->n_features, (int)shard.first, (int)shard.count, (int)sums->n_parts,
                         (int)sums->n_bias_parts, (int)p->unit_stride, (int)sums->stride, (int)number->epoch,
                         (int)(number->steps < MAX_STEPS ? number->steps : MAX_STEPS), (int)number->keep,
                         number->batch_scale, p->uses);
}

static plethron_status step(live_set *live, void *run, const row_batch *batch, const step_number *number,
                            plethron_error *err) {
    plethron_status status = PLETHRON_OK;
    const size_t n_units = live->problem->n_units, shard_units = live->plan->shard_units;
    for (size_t unit = 0; unit < n_units; unit += shard_units) {
        const unit_shard shard = {unit, size_smaller(shard_units, n_units - unit)};
        gradient_sums sums;
        TRY(live->plan->strategy->gradient(run, shard, batch, &sums, err));
        TRY(update(live, shard, &sums, number, err));
        TRY(live_count_launches(live, 4, err));
    }
out:
    return status;
}

/* One epoch: a step a batch. */
static plethron_status epoch_of_batches(live_set *live, void *run, int64_t epoch, bool keep, plethron_error *err) {
    plethron_status status = PLETHRON_OK;
    const size_t n_rows = live->problem->dataset->n_samples;
    const size_t batch_rows = live->problem->batch_rows ? live->problem->batch_rows : n_rows;
    const int64_t n_batches = (int64_t)((n_rows + batch_rows - 1) / batch_rows);
    if (live->problem->uses & USE_SHUFFLE) TRY(shuffle(live, epoch, err));
    for (int64_t b = 0; b < n_batches; b++) {
        const size_t first = (size_t)b * batch_rows;
        const row_batch batch = {first, size_smaller(batch_rows, n_rows - first)};
        const step_number number = {
            .epoch = epoch,
            .steps = epoch * n_batches + b,
            .batch_scale = (double)n_rows / (double)batch.count,
            .keep = keep && b == n_batches - 1,
        };
        TRY(step(live, run, &batch, &number, err));
    }
out:
    return status;
}

/* Looks at the stopping rules after `epochs` epochs. */
static plethron_status check(live_set *live, void *run, int64_t epochs, plethron_error *err) {
    plethron_status status = PLETHRON_OK;
    const train_problem *p = live->problem;
    const kernel_range units = tiling_flat(&live->plan->tiling, p->n_units, 1);
    const kernel_range weights = tiling_flat(&live->plan->tiling, p->n_units, p->dataset->n_features + 1);
    if (p->uses & USE_PATIENCE) TRY(measure(live, run, err));
    TRY(kernel_launch(live->kernels->check, &units, err, "bbbbbiiii", live->distances, live->totals, live->held_scale,
                      live->units, live->state, (int)p->dataset->n_features, (int)p->n_units, (int)p->unit_stride,
                      (int)epochs));
    if (p->uses & USE_PATIENCE)
        TRY(kernel_launch(live->kernels->keep_best, &weights, err, "bbbii", live->weights, live->best, live->state,
                          (int)p->n_units, (int)p->unit_stride));
    TRY(live_count_launches(live, 2, err));
out:
    return status;
}

plethron_status live_epochs(live_set *live, void *run, int64_t first, int64_t count, plethron_error *err) {
    plethron_status status = PLETHRON_OK;
    const strategy *chosen = live->plan->strategy;
    const int64_t look_every = live->problem->has_rules ? live->problem->check_every : 0;
    const bool looks = chosen->epochs && chosen->looks(run);
    const int64_t every = look_every > 0 && !looks ? look_every : INT64_MAX;
    for (int64_t epoch = first; epoch < first + count;) {
        const int64_t to_check = every - epoch % every, left = first + count - epoch;
        const int64_t n = to_check < left ? to_check : left;
        const bool checks = n == to_check;
        if (chosen->epochs)
            TRY(chosen->epochs(run, epoch, n, look_every, err));
        else
            for (int64_t e = 0; e < n; e++) TRY(epoch_of_batches(live, run, epoch + e, checks && e == n - 1, err));
        epoch += n;
        if (checks) TRY(check(live, run, epoch, err));
    }
    TRY(device_finish(live->device, err));
out:
    return status;
}
