/* The strategy `staged`: forward, delta, gradient and update are kernels of their own, four launches an epoch and
 * shard. Always applicable on an OpenCL device. */
#include "program.h"
#include "strategy.h"

#include <stdlib.h>
#include <string.h>

/* Launches between two flushes: often enough that the device never starves, seldom enough to cost nothing. */
enum { LAUNCHES_A_FLUSH = 64, FLAT_GROUP_ITEMS = 64 };

typedef struct staged_run {
    const train_problem *problem;
    const train_plan *plan;
    plethron_device *device;
    device_program *program;
    device_kernel *forward, *delta, *gradient, *update, *measure, *measure_total;
    /* [n_features + 1, unit_stride], and a value a unit */
    device_buffer *weights, *learning_rate, *l2, *scale, *positive_class, *loss, *target, *epochs;
    /* of one shard: [rows, shard_units] predictions then deltas; sums of parts and blocks */
    device_buffer *predictions, *weight_sums, *bias_sums, *loss_sums, *error_sums, *correct_sums;
    unsigned launches_to_flush;
} staged_run;

/* A part of the units whose predictions are in memory at once. */
typedef struct unit_shard {
    int first;
    int count;
} unit_shard;

static bool applicable(const train_problem *problem, char *why, size_t why_bytes) {
    if (!device_is_host(problem->dataset->device)) return true;
    snprintf(why, why_bytes, "it needs an OpenCL device, the data set is on the host");
    return false;
}

/* Flops over a nominal rate; only comparisons between strategies of one device count. */
static double cost(const train_problem *problem) {
    return 4.0 * (double)problem->dataset->n_samples * (double)problem->dataset->n_features * (double)problem->n_units /
           1e11;
}

/* ---- Program and launch geometry --------------------------------------------------------------------------------- */

static plethron_status open_program(plethron_device *device, const tile_sizes *tiling, int losses, bool one_target,
                                    const char *const *sources, size_t n_sources, device_program **out,
                                    plethron_error *err) {
    char options[256];
    snprintf(options, sizeof options,
             "-DTILE=%d -DBLOCK_ROWS=%d -DLOSSES=%d -DONE_TARGET=%d -DLOCAL_MEMORY=%d -DUNIT_VECTOR=%u "
             "-DITEM_VECTORS=%u -DITEM_ROWS=%u -DLOCAL_UNITS=%u -DLOCAL_ROWS=%u",
             DATASET_TILE, DATASET_BLOCK_ROWS, losses, one_target, tiling->local_memory, tiling->unit_vector,
             tiling->item_vectors, tiling->item_rows, tiling->local_units, tiling->local_rows);
    return program_open(device, sources, n_sources, options, out, err);
}

static size_t divide_up(size_t a, size_t b) {
    return (a + b - 1) / b;
}

/* Tiles of ROWS x UNITS results (tile.cl). */
static kernel_range tile_range(const tile_sizes *tiling, size_t n_units, size_t n_rows, size_t n_parts) {
    const size_t units = (size_t)tiling->unit_vector * tiling->item_vectors * tiling->local_units;
    const size_t rows = (size_t)tiling->item_rows * tiling->local_rows;
    return (kernel_range){
        .global = {divide_up(n_units, units) * tiling->local_units, divide_up(n_rows, rows) * tiling->local_rows,
                   n_parts},
        .local = {tiling->local_units, tiling->local_rows, 1},
    };
}

/* An item a vector of units, for the kernels without tiles. */
static kernel_range flat_range(const tile_sizes *tiling, size_t n_units, size_t n_rows) {
    const size_t local = tiling->local_memory ? FLAT_GROUP_ITEMS : 1;
    return (kernel_range){
        .global = {divide_up(divide_up(n_units, tiling->unit_vector), local) * local, n_rows, 1},
        .local = {local, 1, 1},
    };
}

static size_t prediction_rows(size_t n_rows) {
    return divide_up(n_rows, DATASET_ROW_PADDING) * DATASET_ROW_PADDING;
}

/* ---- Opening ----------------------------------------------------------------------------------------------------- */

static plethron_status open_kernels(staged_run *run, plethron_error *err) {
    plethron_status status;
    const char *const sources[] = {"arithmetic.cl", "row.cl",      "tile.cl",   "forward.cl",
                                   "delta.cl",      "gradient.cl", "update.cl", "measure.cl"};
    TRY(open_program(run->device, &run->plan->tiling, run->problem->losses, run->problem->one_target, sources,
                     sizeof sources / sizeof *sources, &run->program, err));
    TRY(program_kernel(run->program, "forward", &run->forward, err));
    TRY(program_kernel(run->program, "delta", &run->delta, err));
    TRY(program_kernel(run->program, "gradient", &run->gradient, err));
    TRY(program_kernel(run->program, "update", &run->update, err));
    TRY(program_kernel(run->program, "measure", &run->measure, err));
    TRY(program_kernel(run->program, "measure_total", &run->measure_total, err));
out:
    return status;
}

static plethron_status upload_new(plethron_device *device, size_t bytes, const void *data, const char *what,
                                  device_buffer **out, plethron_error *err) {
    plethron_status status;
    TRY(device_buffer_create(device, bytes, what, out, err));
    TRY(device_buffer_upload(*out, 0, bytes, data, err));
out:
    return status;
}

static plethron_status open_unit_buffers(staged_run *run, plethron_error *err) {
    plethron_status status;
    const train_problem *p = run->problem;
    const size_t bytes = p->unit_stride * sizeof(float); /* int32_t has the same size */
    TRY(upload_new(run->device, (p->dataset->n_features + 1) * bytes, p->weights, "the weights", &run->weights, err));
    TRY(upload_new(run->device, bytes, p->learning_rate, "the learning rates", &run->learning_rate, err));
    TRY(upload_new(run->device, bytes, p->l2, "the l2 penalties", &run->l2, err));
    TRY(upload_new(run->device, bytes, p->scale, "the gradients' scales", &run->scale, err));
    TRY(upload_new(run->device, bytes, p->positive_class, "the positive classes", &run->positive_class, err));
    TRY(upload_new(run->device, bytes, p->loss, "the losses", &run->loss, err));
    TRY(upload_new(run->device, bytes, p->target, "the targets' numbers", &run->target, err));
    TRY(upload_new(run->device, bytes, p->epochs, "the numbers of epochs", &run->epochs, err));
out:
    return status;
}

static plethron_status open_shard_buffers(staged_run *run, plethron_error *err) {
    plethron_status status;
    const plethron_dataset *dataset = run->problem->dataset;
    const size_t row_bytes = run->plan->shard_units * sizeof(float);
    const size_t block_bytes = dataset->n_blocks * row_bytes;
    TRY(device_buffer_create(run->device, prediction_rows(dataset->n_samples) * row_bytes, "the predictions",
                             &run->predictions, err));
    TRY(device_buffer_create(run->device, run->plan->n_parts * dataset->n_features * row_bytes, "the gradient's parts",
                             &run->weight_sums, err));
    TRY(device_buffer_create(run->device, block_bytes, "the bias gradient's parts", &run->bias_sums, err));
    TRY(device_buffer_create(run->device, block_bytes, "the losses of blocks", &run->loss_sums, err));
    TRY(device_buffer_create(run->device, block_bytes, "the errors of blocks", &run->error_sums, err));
    TRY(device_buffer_create(run->device, block_bytes, "the right rows of blocks", &run->correct_sums, err));
out:
    return status;
}

static void run_close(void *state) {
    staged_run *run = state;
    if (!run) return;
    device_buffer *buffers[] = {run->correct_sums,  run->error_sums,     run->loss_sums, run->bias_sums,
                                run->weight_sums,   run->predictions,    run->epochs,    run->target,
                                run->loss,          run->positive_class, run->scale,     run->l2,
                                run->learning_rate, run->weights};
    device_kernel *kernels[] = {run->measure_total, run->measure, run->update, run->gradient, run->delta, run->forward};
    for (size_t i = 0; i < sizeof buffers / sizeof *buffers; i++) device_buffer_close(buffers[i]);
    for (size_t i = 0; i < sizeof kernels / sizeof *kernels; i++) kernel_close(kernels[i]);
    program_close(run->program);
    free(run);
}

static plethron_status run_open(const train_problem *problem, const train_plan *plan, void **out, plethron_error *err) {
    plethron_status status;
    void *memory = NULL;
    staged_run *run = NULL;
    TRY(memory_allocate(1, sizeof *run, "a training run", &memory, err));
    run = memory;
    run->problem = problem;
    run->plan = plan;
    run->device = problem->dataset->device;
    TRY(open_kernels(run, err));
    TRY(open_unit_buffers(run, err));
    TRY(open_shard_buffers(run, err));
    *out = run;
    run = NULL;
out:
    run_close(run);
    return status;
}

/* ---- Stages ------------------------------------------------------------------------------------------------------ */

static plethron_status count_launches(staged_run *run, unsigned n, plethron_error *err) {
    run->launches_to_flush += n;
    if (run->launches_to_flush < LAUNCHES_A_FLUSH) return PLETHRON_OK;
    run->launches_to_flush = 0;
    return device_flush(run->device, err);
}

static plethron_status launch_forward(staged_run *run, unit_shard shard, bool activate, plethron_error *err) {
    const plethron_dataset *dataset = run->problem->dataset;
    const kernel_range range = tile_range(&run->plan->tiling, (size_t)shard.count, dataset->n_samples, 1);
    return kernel_launch(run->forward, &range, err, "bbbiiiiii", dataset->X, run->weights, run->predictions,
                         (int)dataset->n_tiles, (int)dataset->n_features, (int)run->problem->unit_stride, shard.first,
                         (int)run->plan->shard_units, (int)activate);
}

static plethron_status launch_delta(staged_run *run, unit_shard shard, plethron_error *err) {
    const plethron_dataset *dataset = run->problem->dataset;
    const kernel_range range = flat_range(&run->plan->tiling, (size_t)shard.count, dataset->n_blocks);
    return kernel_launch(run->delta, &range, err, "bbbbbbiiiii", run->predictions, dataset->Y, run->bias_sums,
                         run->target, run->positive_class, run->loss, (int)dataset->n_samples, shard.first, shard.count,
                         (int)dataset->y_stride, (int)run->plan->shard_units);
}

static plethron_status launch_gradient(staged_run *run, unit_shard shard, plethron_error *err) {
    const plethron_dataset *dataset = run->problem->dataset;
    const kernel_range range =
        tile_range(&run->plan->tiling, (size_t)shard.count, dataset->n_features, run->plan->n_parts);
    return kernel_launch(run->gradient, &range, err, "bbbiiii", dataset->X, run->predictions, run->weight_sums,
                         (int)dataset->n_samples, (int)dataset->n_features, (int)run->plan->shard_units,
                         (int)dataset->n_blocks);
}

static plethron_status launch_update(staged_run *run, unit_shard shard, int64_t epoch, plethron_error *err) {
    const plethron_dataset *dataset = run->problem->dataset;
    const kernel_range range = flat_range(&run->plan->tiling, (size_t)shard.count, dataset->n_features + 1);
    return kernel_launch(run->update, &range, err, "bbbbbbbiiiiiiii", run->weights, run->weight_sums, run->bias_sums,
                         run->scale, run->learning_rate, run->l2, run->epochs, (int)dataset->n_features, shard.first,
                         shard.count, (int)run->plan->n_parts, (int)dataset->n_blocks, (int)run->problem->unit_stride,
                         (int)run->plan->shard_units, (int)epoch);
}

static unit_shard shard_at(const staged_run *run, size_t first) {
    const size_t left = run->problem->n_units - first;
    const size_t count = left < run->plan->shard_units ? left : run->plan->shard_units;
    return (unit_shard){(int)first, (int)count};
}

static plethron_status run_epochs(void *state, int64_t first, int64_t count, plethron_error *err) {
    plethron_status status = PLETHRON_OK;
    staged_run *run = state;
    for (int64_t epoch = first; epoch < first + count; epoch++) {
        for (size_t unit = 0; unit < run->problem->n_units; unit += run->plan->shard_units) {
            const unit_shard shard = shard_at(run, unit);
            TRY(launch_forward(run, shard, true, err));
            TRY(launch_delta(run, shard, err));
            TRY(launch_gradient(run, shard, err));
            TRY(launch_update(run, shard, epoch, err));
            TRY(count_launches(run, 4, err));
        }
    }
    TRY(device_finish(run->device, err));
out:
    return status;
}

static plethron_status run_measure(void *state, const measure_sums *sums, plethron_error *err) {
    plethron_status status = PLETHRON_OK;
    staged_run *run = state;
    const plethron_dataset *dataset = run->problem->dataset;
    const int stride = (int)run->plan->shard_units;
    for (size_t unit = 0; unit < run->problem->n_units; unit += run->plan->shard_units) {
        const unit_shard shard = shard_at(run, unit);
        const size_t bytes = (size_t)shard.count * sizeof(float);
        kernel_range range = flat_range(&run->plan->tiling, (size_t)shard.count, dataset->n_blocks);
        TRY(launch_forward(run, shard, false, err));
        TRY(kernel_launch(run->measure, &range, err, "bbbbbbbbiiiii", run->predictions, dataset->Y, run->loss_sums,
                          run->error_sums, run->correct_sums, run->target, run->positive_class, run->loss,
                          (int)dataset->n_samples, shard.first, shard.count, (int)dataset->y_stride, stride));
        range.global[1] = 1;
        TRY(kernel_launch(run->measure_total, &range, err, "bbbiii", run->loss_sums, run->error_sums, run->correct_sums,
                          shard.count, (int)dataset->n_blocks, stride));
        TRY(device_buffer_download(run->loss_sums, 0, bytes, sums->loss + unit, err));
        TRY(device_buffer_download(run->error_sums, 0, bytes, sums->error + unit, err));
        TRY(device_buffer_download(run->correct_sums, 0, bytes, sums->correct + unit, err));
    }
out:
    return status;
}

static plethron_status run_weights(void *state, plethron_error *err) {
    staged_run *run = state;
    const train_problem *p = run->problem;
    return device_buffer_download(run->weights, 0, (p->dataset->n_features + 1) * p->unit_stride * sizeof(float),
                                  p->weights, err);
}

const strategy strategy_staged = {
    .name = "staged",
    .applicable = applicable,
    .cost = cost,
    .open = run_open,
    .epochs = run_epochs,
    .measure = run_measure,
    .weights = run_weights,
    .close = run_close,
};

/* ---- Prediction: the forward stage alone ------------------------------------------------------------------------- */

typedef struct staged_predictor {
    const predict_problem *predictor;
    device_program *program;
    device_kernel *forward;
    device_buffer *weights, *rows, *predictions;
} staged_predictor;

void staged_predict_close(void *state) {
    staged_predictor *self = state;
    if (!self) return;
    device_buffer_close(self->predictions);
    device_buffer_close(self->rows);
    device_buffer_close(self->weights);
    kernel_close(self->forward);
    program_close(self->program);
    free(self);
}

plethron_status staged_predict_open(const predict_problem *predictor, void **state, plethron_error *err) {
    plethron_status status;
    void *memory = NULL;
    staged_predictor *self = NULL;
    const char *const sources[] = {"arithmetic.cl", "row.cl", "tile.cl", "forward.cl"};
    size_t n_floats = 0;
    dataset_tiles_size(predictor->max_rows, predictor->n_features, &n_floats);
    TRY(memory_allocate(1, sizeof *self, "a prediction", &memory, err));
    self = memory;
    self->predictor = predictor;
    TRY(open_program(predictor->device, &predictor->tiling, 0, true, sources, sizeof sources / sizeof *sources,
                     &self->program, err));
    TRY(program_kernel(self->program, "forward", &self->forward, err));
    TRY(upload_new(predictor->device, (predictor->n_features + 1) * predictor->unit_stride * sizeof(float),
                   predictor->weights, "the weights", &self->weights, err));
    TRY(device_buffer_create(predictor->device, n_floats * sizeof(float), "the rows to predict", &self->rows, err));
    TRY(device_buffer_zero(self->rows, err)); /* the padding behind the rows is read, too */
    TRY(device_buffer_create(predictor->device,
                             prediction_rows(predictor->max_rows) * predictor->unit_stride * sizeof(float),
                             "the predictions", &self->predictions, err));
    *state = self;
    self = NULL;
out:
    staged_predict_close(self);
    return status;
}

plethron_status staged_predict(void *state, const float *tiles, size_t n_rows, float *P, plethron_error *err) {
    plethron_status status;
    staged_predictor *self = state;
    const predict_problem *p = self->predictor;
    const size_t n_tiles = divide_up(n_rows, DATASET_TILE);
    const kernel_range range = tile_range(&p->tiling, p->n_units, n_rows, 1);
    TRY(device_buffer_upload(self->rows, 0, n_tiles * DATASET_TILE * p->n_features * sizeof(float), tiles, err));
    TRY(kernel_launch(self->forward, &range, err, "bbbiiiiii", self->rows, self->weights, self->predictions,
                      (int)n_tiles, (int)p->n_features, (int)p->unit_stride, 0, (int)p->unit_stride, 1));
    TRY(device_buffer_download(self->predictions, 0, n_rows * p->unit_stride * sizeof(float), P, err));
out:
    return status;
}
