#include "forward.h"

#include "dataset.h"
#include "host_loops.h"

#include <stdlib.h>
#include <string.h>

struct forward_stage {
    plethron_device *device;
    tile_sizes tiling;
    bool is_sparse;
    device_program *program; /* NULL for dense features on the host */
    device_kernel *kernel;
};

plethron_status forward_open(plethron_device *device, const tile_sizes *tiling, bool is_sparse, forward_stage **out,
                             plethron_error *err) {
    enum { N_SOURCES = 3 };
    static const char *const dense[N_SOURCES] = {"arithmetic.cl", "tile.cl", "forward.cl"};
    static const char *const sparse[N_SOURCES] = {"arithmetic.cl", "sparse.cl", "sparse_forward.cl"};
    plethron_status status;
    void *memory = NULL;
    forward_stage *stage = NULL;
    TRY(memory_allocate(1, sizeof *stage, "a stage", &memory, err));
    stage = memory;
    stage->device = device;
    stage->tiling = *tiling;
    stage->is_sparse = is_sparse;
    if (is_sparse || !device_is_host(device)) {
        TRY(tiling_program(device, tiling, 0, is_sparse ? sparse : dense, N_SOURCES, &stage->program, err));
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

static void run_on_host(const forward_task *task) {
    const float *tiles = (const float *)device_buffer_on_host(task->X) + task->first_row * task->n_features;
    const float *weights = (const float *)device_buffer_on_host(task->weights) + task->first_unit;
    float *out = device_buffer_on_host(task->out);
    const size_t n_tiles = (task->n_rows + DATASET_TILE - 1) / DATASET_TILE;
#pragma omp parallel for schedule(dynamic, 4)
    for (size_t t = 0; t < n_tiles; t++) {
        const size_t row = t * DATASET_TILE, left = task->n_rows - row;
        const size_t count = left < DATASET_TILE ? left : DATASET_TILE;
        (task->n_units > 1 ? predict_tile : predict_tile_of_one)(task, tiles + row * task->n_features, weights, count,
                                                                 out + row * task->out_stride);
    }
}

/* Rows of an item: a tile with groups, else a strip (forward.cl). */
static kernel_range launch_range(const forward_stage *stage, const forward_task *task) {
    enum { STRIP_ROWS = 512 };
    kernel_range range = tiling_tiles(&stage->tiling, task->n_units, task->n_rows, 1);
    if (!stage->tiling.local_memory) range.global[1] = (task->n_rows + STRIP_ROWS - 1) / STRIP_ROWS;
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
    if (!stage->kernel) {
        run_on_host(task);
        return PLETHRON_OK;
    }
    const kernel_range range = launch_range(stage, task);
    return kernel_launch(stage->kernel, &range, err, "bbbiiiiiiii", task->X, task->weights, task->out,
                         (int)task->n_tiles, (int)task->n_features, (int)task->weights_stride, (int)task->first_row,
                         (int)task->n_rows, (int)task->first_unit, (int)task->out_stride, (int)task->activate);
}
