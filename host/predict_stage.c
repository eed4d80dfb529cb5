#include "predict_stage.h"

#include "host_loops.h"
#include "tiling.h"

#include <stdlib.h>
#include <string.h>

enum { STRIP_ROWS = 512 }; /* of an item on CPUs: enough to be worth loading the weights */

/* What an item of predict_item.cl holds in registers. */
typedef struct item_shape {
    size_t lanes, vectors, rows;
} item_shape;

struct predict_stage {
    plethron_device *device;
    size_t n_features;
    size_t n_units;
    size_t panel_units;
    tile_sizes tiling;       /* with groups */
    device_buffer *panels;   /* [n_panels, n_features + 1, panel_units], bias last, padded with zeros */
    device_program *program; /* NULL on the host */
    device_kernel *kernel;
};

/* As many lanes as there are units, up to the device's vectors, and a second vector when there are units for it. Two
 * vectors of 8 leave room for the sums of six rows in the 16 registers of AVX2. */
static item_shape choose_shape(size_t width, size_t n_units) {
    item_shape shape = {1, 1, 8};
    if (n_units > 1 && width > 1) shape.lanes = width < 4 ? width : 4;
    while (shape.lanes < n_units && shape.lanes < width) shape.lanes *= 2;
    if (n_units > shape.lanes) shape.vectors = 2;
    if (shape.lanes == 8 && shape.vectors == 2) shape.rows = 6;
    return shape;
}

static plethron_status open_items(predict_stage *stage, plethron_error *err) {
    char options[128];
    const unsigned width = device_vector_width(stage->device);
    const item_shape shape = choose_shape(width, stage->n_units);
    const char *kernel = shape.vectors == 1 ? "predict_few.cl" : "predict_many.cl";
    const char *const sources[] = {"arithmetic.cl", "predict_item.cl", kernel};
    stage->panel_units = shape.lanes * shape.vectors;
    snprintf(options, sizeof options, "-DUNIT_VECTOR=%u -DLANES=%zu -DITEM_VECTORS=%zu -DITEM_ROWS=%zu -DSTRIP_ROWS=%d",
             width, shape.lanes, shape.vectors, shape.rows, STRIP_ROWS);
    return program_open(stage->device, sources, sizeof sources / sizeof *sources, options, &stage->program, err);
}

static plethron_status open_groups(predict_stage *stage, plethron_error *err) {
    static const char *const sources[] = {"arithmetic.cl", "store.cl", "tile.cl", "predict_group.cl"};
    const tile_sizes *tiling = &stage->tiling;
    stage->panel_units = (size_t)tiling->unit_vector * tiling->item_vectors * tiling->local_units;
    return tiling_program(stage->device, tiling, 0, PLETHRON_STORAGE_F32, sources, sizeof sources / sizeof *sources,
                          &stage->program, err);
}

static size_t n_panels(const predict_stage *stage) {
    return size_divide_up(stage->n_units, stage->panel_units);
}

static plethron_status upload_panels(predict_stage *stage, const plethron_bank *bank, plethron_error *err) {
    plethron_status status;
    void *memory = NULL;
    const size_t n_lines = stage->n_features + 1, width = stage->panel_units;
    const size_t n_floats = n_panels(stage) * n_lines * width;
    TRY(memory_allocate(n_floats, sizeof(float), "the weights", &memory, err));
    float *panels = memory;
    for (size_t unit = 0; unit < bank->n_units; unit += width) {
        const size_t left = bank->n_units - unit, n = left < width ? left : width;
        for (size_t k = 0; k < n_lines; k++)
            memcpy(panels + unit * n_lines + k * width, bank->weights + k * bank->n_units + unit, n * sizeof *panels);
    }
    TRY(device_buffer_create(stage->device, n_floats * sizeof *panels, "the weights", &stage->panels, err));
    TRY(device_buffer_upload(stage->panels, 0, n_floats * sizeof *panels, panels, err));
out:
    free(memory);
    return status;
}

plethron_status predict_stage_open(plethron_device *device, const plethron_bank *bank, predict_stage **out,
                                   plethron_error *err) {
    plethron_status status;
    void *memory = NULL;
    predict_stage *stage = NULL;
    TRY(memory_allocate(1, sizeof *stage, "a stage", &memory, err));
    stage = memory;
    stage->device = device;
    stage->n_features = bank->n_features;
    stage->n_units = bank->n_units;
    stage->tiling = tiling_choose(device, bank->n_units);
    if (device_is_host(device))
        stage->panel_units = host_panel_units(bank->n_units);
    else
        TRY((stage->tiling.local_memory ? open_groups : open_items)(stage, err));
    if (stage->program) TRY(program_kernel(stage->program, "predict", &stage->kernel, err));
    TRY(upload_panels(stage, bank, err));
    *out = stage;
    stage = NULL;
out:
    predict_stage_close(stage);
    return status;
}

void predict_stage_close(predict_stage *stage) {
    if (!stage) return;
    kernel_close(stage->kernel);
    program_close(stage->program);
    device_buffer_close(stage->panels);
    free(stage);
}

/* The panels of one strip follow each other: its rows are in cache. */
static void run_on_host(const predict_stage *stage, const float *X, size_t n_rows, float *P) {
    const host_loops *loops = host_loops_best();
    const float *panels = device_buffer_on_host(stage->panels);
    const size_t n_strips = size_divide_up(n_rows, STRIP_ROWS);
#pragma omp parallel for schedule(dynamic)
    for (size_t s = 0; s < n_strips; s++) {
        const size_t row = s * STRIP_ROWS, left = n_rows - row;
        for (size_t unit = 0; unit < stage->n_units; unit += stage->panel_units) {
            const host_panel panel = {.weights = panels + unit * (stage->n_features + 1),
                                      .n_features = stage->n_features,
                                      .n_units = stage->n_units,
                                      .unit = unit};
            loops->predict_panel(&panel, X + row * stage->n_features, left < STRIP_ROWS ? left : STRIP_ROWS,
                                 P + row * stage->n_units);
        }
    }
}

static kernel_range launch_range(const predict_stage *stage, size_t n_rows) {
    if (stage->tiling.local_memory) return tiling_tiles(&stage->tiling, stage->n_units, n_rows, 1);
    return (kernel_range){.global = {n_panels(stage), size_divide_up(n_rows, STRIP_ROWS), 1}, .local = {1, 1, 1}};
}

plethron_status predict_stage_run(const predict_stage *stage, device_buffer *X, size_t n_rows, device_buffer *P,
                                  plethron_error *err) {
    if (!stage->kernel) {
        run_on_host(stage, device_buffer_on_host(X), n_rows, device_buffer_on_host(P));
        return PLETHRON_OK;
    }
    const kernel_range range = launch_range(stage, n_rows);
    return kernel_launch(stage->kernel, &range, err, "bbbiii", X, stage->panels, P, (int)stage->n_features, (int)n_rows,
                         (int)stage->n_units);
}
