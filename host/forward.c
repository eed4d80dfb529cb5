#include "forward.h"

#include "dataset.h"
#include "host_loops.h"

#include <stdlib.h>
#include <string.h>

struct forward_stage {
    plethron_device *device;
    tile_sizes tiling;
    bool is_sparse;
    plethron_storage storage;
    device_program *program; /* NULL for dense features on the host */
    device_kernel *kernel;
};

plethron_status forward_open(plethron_device *device, const tile_sizes *tiling, bool is_sparse,
                             plethron_storage storage, forward_stage **out, plethron_error *err) {
    static const char *const dense[] = {"arithmetic.cl", "store.cl", "tile.cl", "forward.cl"};
    static const char *const sparse[] = {"arithmetic.cl", "sparse.cl", "sparse_forward.cl"};
    const size_t n_sources = is_sparse ? sizeof sparse / sizeof *sparse : sizeof dense / sizeof *dense;
    plethron_status status;
    void *memory = NULL;
    forward_stage *stage = NULL;
    TRY(memory_allocate(1, sizeof *stage, "a stage", &memory, err));
    stage = memory;
    stage->device = device;
    stage->tiling = *tiling;
    stage->is_sparse = is_sparse;
    stage->storage = storage;
    if (is_sparse || !device_is_host(device)) {
        TRY(tiling_program(device, tiling, 0, storage, is_sparse ? sparse : dense, n_sources, &stage->program, err));
        TRY(program_kernel(stage->program, is_sparse ? "sparse_forward" : "forward", &stage->kernel, err));
    }
    *out = stage;
    stage = NULL;
out:
    forward_close(stage);
    return status;
}

void forward_close(forward_stage *stage) {
    if (!stage) return;
    kernel_close(stage->kernel);
    program_close(stage->program);
    free(stage);
}

size_t forward_out_rows(size_t n_rows) {
    return (n_rows + DATASET_ROW_PADDING - 1) / DATASET_ROW_PADDING * DATASET_ROW_PADDING;
}

/* Of `count` rows of a tile, HOST_LANES units at a time; out [count, out_stride]. */
static void predict_tile(const forward_task *task, const float *tile, const float *weights, size_t count, float *out) {
    const host_loops *loops = host_loops_best();
    for (size_t unit = 0; unit < task->n_units; unit += HOST_LANES) {
        float results[DATASET_TILE * HOST_LANES] __attribute__((aligned(64)));
        const host_block block = {
            .tiles = tile,
            .n_rows = (int)count,
            .n_features = (int)task->n_features,
            .n_vectors = 1,
            .weights = weights + unit,
            .weights_stride = task->weights_stride,
        };
        loops->forward(&block, task->activate, results);
        for (size_t i = 0; i < count; i++)
            memcpy(out + i * task->out_stride + unit, results + i * HOST_LANES, HOST_LANES * sizeof *out);
    }
}

/* The same for one unit. */
static void predict_tile_of_one(const forward_task *task, const float *tile, const float *weights, size_t count,
                                float *out) {
    float results[DATASET_TILE];
    host_loops_best()->forward_one(tile, weights, task->n_features, task->weights_stride, task->activate, results);
    for (size_t i = 0; i < count; i++) out[i * task->out_stride] = results[i];
}

/* Tiles of floats, from the task's first row on. */
static void run_tiles(const forward_task *task, const float *tiles, size_t first, size_t n_tiles) {
    const float *weights = (const float *)device_buffer_on_host(task->weights) + task->first_unit;
    float *out = device_buffer_on_host(task->out);
#pragma omp parallel for schedule(dynamic, 4)
    for (size_t t = 0; t < n_tiles; t++) {
        const size_t row = (first + t) * DATASET_TILE, left = task->n_rows - row;
        const size_t count = left < DATASET_TILE ? left : DATASET_TILE;
        (task->n_units > 1 ? predict_tile : predict_tile_of_one)(task, tiles + t * task->n_features * DATASET_TILE,
                                                                 weights, count, out + row * task->out_stride);
    }
}

void forward_decode(const stored_features *from, size_t range, size_t first_tile, size_t n_tiles, float *tiles) {
    const size_t value_bytes = dataset_value_bytes(from->storage);
    const unsigned char *X = device_buffer_on_host(from->X);
    const float *steps = device_buffer_on_host(from->steps);
    host_loops_best()->decode((int)from->storage, X + first_tile * from->n_features * DATASET_TILE * value_bytes,
                              from->storage == PLETHRON_STORAGE_U8 ? steps + range * from->n_features * 2 : steps,
                              n_tiles, from->n_features, tiles);
}

size_t forward_decoded_bytes(const plethron_dataset *dataset) {
    size_t n_values = 0;
    if (!device_is_host(dataset->device) || dataset->storage == PLETHRON_STORAGE_F32) return 0;
    dataset_tiles_size(dataset->y_stride, dataset->n_features, &n_values);
    return n_values * sizeof(float);
}

plethron_status forward_decode_all(const plethron_dataset *dataset, device_buffer **out, plethron_error *err) {
    plethron_status status;
    *out = NULL;
    if (forward_decoded_bytes(dataset) == 0) return PLETHRON_OK;
    TRY(device_buffer_create(dataset->device, forward_decoded_bytes(dataset), "features as floats", out, err));
    TRY(device_buffer_zero(*out, err));
    device_buffer *steps = dataset->steps ? dataset->steps : dataset->X; /* which are not read */
    const stored_features features = {dataset->storage, dataset->X, steps, dataset->n_features};
    float *floats = device_buffer_on_host(*out);
#pragma omp parallel for schedule(dynamic, 16)
    for (size_t r = 0; r < dataset_n_ranges(dataset); r++) {
        const struct dataset_range *range = &dataset->ranges[r];
        forward_decode(&features, r, range->first_tile, size_divide_up(range->n_rows, DATASET_TILE),
                       floats + range->first_tile * dataset->n_features * DATASET_TILE);
    }
out:
    return status;
}

/* Features that are not floats are decoded some tiles at a time. */
static plethron_status run_stored(const forward_stage *stage, const forward_task *task, plethron_error *err) {
    enum { MOST_FLOATS = 1 << 18 };
    plethron_status status;
    void *room = NULL;
    const stored_features features = {stage->storage, task->X, task->steps, task->n_features};
    const size_t tile_size = task->n_features * DATASET_TILE, n_tiles = size_divide_up(task->n_rows, DATASET_TILE);
    const size_t most = tile_size < MOST_FLOATS ? MOST_FLOATS / tile_size : 1;
    TRY(memory_allocate_unset(most < n_tiles ? most : n_tiles, tile_size * sizeof(float), "features as floats", &room,
                              err));
    for (size_t first = 0; first < n_tiles; first += most) {
        const size_t left = n_tiles - first, count = left < most ? left : most;
        forward_decode(&features, 0, task->first_row / DATASET_TILE + first, count, room);
        run_tiles(task, room, first, count);
    }
out:
    free(room);
    return status;
}

static plethron_status run_on_host(const forward_stage *stage, const forward_task *task, plethron_error *err) {
    if (stage->storage != PLETHRON_STORAGE_F32) return run_stored(stage, task, err);
    run_tiles(task, (const float *)device_buffer_on_host(task->X) + task->first_row * task->n_features, 0,
              size_divide_up(task->n_rows, DATASET_TILE));
    return PLETHRON_OK;
}

/* Rows of an item: a tile with groups, else a strip (forward.cl). */
static kernel_range launch_range(const forward_stage *stage, const forward_task *task) {
    enum { STRIP_ROWS = 512 };
    kernel_range range = tiling_tiles(&stage->tiling, task->n_units, task->n_rows, 1);
    if (!stage->tiling.local_memory) range.global[1] = size_divide_up(task->n_rows, STRIP_ROWS);
    return range;
}

static plethron_status run_sparse(const forward_stage *stage, const forward_task *task, plethron_error *err) {
    int run;
    const kernel_range range =
        tiling_lines(&stage->tiling, device_is_host(stage->device), task->n_units, task->n_rows, &run);
    device_buffer *order = task->order ? task->order : task->rows->offsets; /* which is not read */
    return kernel_launch(stage->kernel, &range, err, "bbbbbbiiiiiiiiii", task->rows->offsets, task->rows->indices,
                         task->rows->values, order, task->weights, task->out, (int)task->n_features,
                         (int)task->weights_stride, (int)task->first_row, (int)task->n_rows, (int)task->first_unit,
                         (int)task->n_units, (int)task->out_stride, (int)(task->order != NULL), (int)task->activate,
                         run);
}

plethron_status forward_run(const forward_stage *stage, const forward_task *task, plethron_error *err) {
    if (stage->is_sparse) return run_sparse(stage, task, err);
    if (!stage->kernel) return run_on_host(stage, task, err);
    const kernel_range range = launch_range(stage, task);
    device_buffer *steps = task->steps ? task->steps : task->weights; /* which are not read */
    return kernel_launch(stage->kernel, &range, err, "bbbbiiiiiiii", task->X, steps, task->weights, task->out,
                         (int)task->n_tiles, (int)task->n_features, (int)task->weights_stride, (int)task->first_row,
                         (int)task->n_rows, (int)task->first_unit, (int)task->out_stride, (int)task->activate);
}
