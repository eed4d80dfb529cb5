/* The ceilings of an OpenCL device, by the micro-kernels of kernels/ceilings.cl. */
#include "ceilings.h"

#include "program.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

/* How the micro-kernels are shaped for a device. */
typedef struct kernel_shape {
    int vector; /* floats of a load */
    int chains;
    int reads;
    size_t local;
    size_t items; /* of fma_chains */
    bool pieces;  /* an item reads one piece of memory */
} kernel_shape;

/* What an item of read_all reads. */
typedef struct read_shape {
    size_t items;
    int n_steps, item_step, stride;
} read_shape;

typedef struct ceiling_run {
    plethron_device *device;
    const ceilings_effort *effort;
    kernel_shape shape;
    device_program *program;
    device_kernel *fma_chains, *read_all, *nothing;
    device_buffer *results, *memory, *sums;
    size_t memory_bytes;
    read_shape read;
} ceiling_run;

enum {
    CPU_ITEMS_A_UNIT = 8,     /* so that cores that are late get less */
    GPU_ITEMS_A_UNIT = 2048,  /* what a compute unit holds at once */
    GPU_GROUP_ITEMS = 256,    /* every device of today takes it */
    CPU_PIECE_VECTORS = 4096, /* of read_all: an item's piece, some pages */
    MAX_STEPS = 1 << 26,
    MAX_LAUNCHES = 1 << 12
};

double ceilings_clock_s(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static kernel_shape choose_shape(const plethron_device *device) {
    const plethron_device_info *info = plethron_device_describe(device);
    if (info->local_is_dedicated) {
        const size_t most = device_max_group_items(device);
        const size_t local = most < GPU_GROUP_ITEMS ? most : GPU_GROUP_ITEMS;
        return (kernel_shape){.vector = 4,
                              .chains = 4,
                              .reads = 4,
                              .local = local,
                              .items = GPU_ITEMS_A_UNIT / local * local * info->compute_units};
    }
    const unsigned width = device_vector_width(device);
    return (kernel_shape){.vector = width >= 16  ? 16
                                    : width >= 8 ? 8
                                                 : 4,
                          .chains = 12,
                          .reads = 8,
                          .local = 1,
                          .items = (size_t)CPU_ITEMS_A_UNIT * info->compute_units,
                          .pieces = true};
}

static void close_run(ceiling_run *run) {
    device_buffer_close(run->sums);
    device_buffer_close(run->memory);
    device_buffer_close(run->results);
    kernel_close(run->nothing);
    kernel_close(run->read_all);
    kernel_close(run->fma_chains);
    program_close(run->program);
}

static plethron_status open_run(ceiling_run *run, plethron_error *err) {
    plethron_status status;
    const char *const sources[] = {"arithmetic.cl", "ceilings.cl"};
    char options[96];
    snprintf(options, sizeof options, "-DUNIT_VECTOR=%d -DCHAINS=%d -DREADS=%d", run->shape.vector, run->shape.chains,
             run->shape.reads);
    TRY(program_open(run->device, sources, sizeof sources / sizeof *sources, options, &run->program, err));
    TRY(program_kernel(run->program, "fma_chains", &run->fma_chains, err));
    TRY(program_kernel(run->program, "read_all", &run->read_all, err));
    TRY(program_kernel(run->program, "nothing", &run->nothing, err));
out:
    return status;
}

static kernel_range flat(const kernel_shape *shape, size_t items) {
    return (kernel_range){.global = {items, 1, 1}, .local = {shape->local, 1, 1}};
}

/* ---- Fma --------------------------------------------------------------------------------------------------------- */

static plethron_status time_fma(ceiling_run *run, int n_steps, double *seconds, plethron_error *err) {
    plethron_status status;
    const kernel_range range = flat(&run->shape, run->shape.items);
    const double start_s = ceilings_clock_s();
    TRY(kernel_launch(run->fma_chains, &range, err, "bi", run->results, n_steps));
    TRY(device_finish(run->device, err));
    *seconds = ceilings_clock_s() - start_s;
out:
    return status;
}

/* The shortest of three: other work on the device must not pass for the kernel's own time. */
static plethron_status shortest_fma(ceiling_run *run, int n_steps, double *seconds, plethron_error *err) {
    plethron_status status = PLETHRON_OK;
    double this_s = 0.0;
    for (int repeat = 0; repeat < 3; repeat++) {
        TRY(time_fma(run, n_steps, &this_s, err));
        if (repeat == 0 || this_s < *seconds) *seconds = this_s;
    }
out:
    return status;
}

static plethron_status measure_fma(ceiling_run *run, plethron_ceilings *out, plethron_error *err) {
    plethron_status status;
    double seconds = 0.0, best_s = 0.0;
    int n_steps = 1 << 8;
    TRY(device_buffer_create(run->device, run->shape.items * sizeof(float), "the results of a ceiling", &run->results,
                             err));
    TRY(shortest_fma(run, n_steps, &seconds, err)); /* a first launch may compile */
    while (seconds < run->effort->seconds && n_steps < MAX_STEPS) {
        n_steps *= 2;
        TRY(shortest_fma(run, n_steps, &seconds, err));
    }
    for (int repeat = 0; repeat < run->effort->n_repeats; repeat++) {
        TRY(time_fma(run, n_steps, &seconds, err));
        if (repeat == 0 || seconds < best_s) best_s = seconds;
    }
    out->fma_flops_per_s =
        2.0 * (double)run->shape.items * run->shape.vector * run->shape.chains * (double)n_steps / best_s;
out:
    return status;
}

/* ---- Memory ------------------------------------------------------------------------------------------------------ */

/* All of the memory, but for a remainder. */
static read_shape choose_read(const kernel_shape *shape, size_t n_bytes) {
    const size_t vectors = n_bytes / sizeof(float) / (size_t)shape->vector, reads = (size_t)shape->reads;
    if (shape->pieces) {
        const size_t piece = vectors < CPU_PIECE_VECTORS ? vectors : CPU_PIECE_VECTORS;
        return (read_shape){vectors / piece, (int)(piece / reads), (int)piece, 1};
    }
    const size_t items = vectors >= shape->items * reads ? shape->items : shape->local;
    return (read_shape){items, (int)(vectors / items / reads), 1, (int)items};
}

static plethron_status open_memory(ceiling_run *run, plethron_error *err) {
    plethron_status status;
    const plethron_device_info *info = plethron_device_describe(run->device);
    uint64_t bytes = run->effort->read_bytes;
    if (bytes > info->max_alloc_bytes) bytes = info->max_alloc_bytes;
    if (bytes > info->memory_bytes / 4) bytes = info->memory_bytes / 4;
    run->memory_bytes = (size_t)bytes;
    run->read = choose_read(&run->shape, run->memory_bytes);
    TRY(device_buffer_create(run->device, run->memory_bytes, "the memory to be read", &run->memory, err));
    TRY(device_buffer_zero(run->memory, err)); /* memory that was never written may not be there yet */
    TRY(device_buffer_create(run->device, run->read.items * sizeof(float), "the sums of what was read", &run->sums,
                             err));
out:
    return status;
}

/* Reads the memory n_launches times. */
static plethron_status time_read(ceiling_run *run, int n_launches, double *seconds, plethron_error *err) {
    plethron_status status;
    const kernel_range range = flat(&run->shape, run->read.items);
    const double start_s = ceilings_clock_s();
    for (int i = 0; i < n_launches; i++)
        TRY(kernel_launch(run->read_all, &range, err, "bbiii", run->memory, run->sums, run->read.n_steps,
                          run->read.item_step, run->read.stride));
    TRY(device_finish(run->device, err));
    *seconds = ceilings_clock_s() - start_s;
out:
    return status;
}

static plethron_status measure_read(ceiling_run *run, plethron_ceilings *out, plethron_error *err) {
    plethron_status status;
    double seconds = 0.0, best_s = 0.0;
    int n_launches = 1;
    TRY(open_memory(run, err));
    TRY(time_read(run, n_launches, &seconds, err));
    TRY(time_read(run, n_launches, &seconds, err));
    while (seconds < run->effort->seconds && n_launches < MAX_LAUNCHES) {
        n_launches *= 2;
        TRY(time_read(run, n_launches, &seconds, err));
    }
    for (int repeat = 0; repeat < run->effort->n_repeats; repeat++) {
        TRY(time_read(run, n_launches, &seconds, err));
        if (repeat == 0 || seconds < best_s) best_s = seconds;
    }
    const double floats = (double)run->read.items * run->read.n_steps * run->shape.reads * run->shape.vector;
    out->read_bytes_per_s = floats * sizeof(float) * n_launches / best_s;
out:
    return status;
}

/* ---- Launches and copies ----------------------------------------------------------------------------------------- */

/* Seconds a launch of the empty kernel, waiting after each or after the last. */
static plethron_status time_launches(ceiling_run *run, bool one_by_one, double *seconds, plethron_error *err) {
    plethron_status status;
    const kernel_range range = flat(&run->shape, run->shape.local);
    const int n = run->effort->n_launches;
    const double start_s = ceilings_clock_s();
    for (int i = 0; i < n; i++) {
        TRY(kernel_launch(run->nothing, &range, err, ""));
        if (one_by_one) TRY(device_finish(run->device, err));
    }
    TRY(device_finish(run->device, err));
    *seconds = (ceilings_clock_s() - start_s) / n;
out:
    return status;
}

static plethron_status measure_launches(ceiling_run *run, plethron_ceilings *out, plethron_error *err) {
    plethron_status status;
    double alone_s = 0.0, batched_s = 0.0;
    TRY(time_launches(run, true, &alone_s, err));
    for (int repeat = 0; repeat < run->effort->n_repeats; repeat++) {
        TRY(time_launches(run, true, &alone_s, err));
        TRY(time_launches(run, false, &batched_s, err));
        if (repeat == 0 || alone_s < out->launch_s) out->launch_s = alone_s;
        if (repeat == 0 || batched_s < out->batched_launch_s) out->batched_launch_s = batched_s;
    }
out:
    return status;
}

static plethron_status measure_copies(ceiling_run *run, plethron_ceilings *out, plethron_error *err) {
    plethron_status status;
    void *host_memory = NULL;
    const size_t n_bytes = run->effort->copy_bytes < run->memory_bytes ? run->effort->copy_bytes : run->memory_bytes;
    double up_s = 0.0, down_s = 0.0;
    TRY(memory_allocate(n_bytes, 1, "the memory to be copied", &host_memory, err));
    for (int repeat = -1; repeat < run->effort->n_repeats; repeat++) { /* the first one only warms up */
        const double start_s = ceilings_clock_s();
        TRY(device_buffer_upload(run->memory, 0, n_bytes, host_memory, err));
        const double middle_s = ceilings_clock_s();
        TRY(device_buffer_download(run->memory, 0, n_bytes, host_memory, err));
        const double end_s = ceilings_clock_s();
        if (repeat <= 0 || middle_s - start_s < up_s) up_s = middle_s - start_s;
        if (repeat <= 0 || end_s - middle_s < down_s) down_s = end_s - middle_s;
    }
    out->upload_bytes_per_s = (double)n_bytes / up_s;
    out->download_bytes_per_s = (double)n_bytes / down_s;
out:
    free(host_memory);
    return status;
}

/* ---- All of them ------------------------------------------------------------------------------------------------- */

static plethron_status measure_device(plethron_device *device, const ceilings_effort *effort, plethron_ceilings *out,
                                      plethron_error *err) {
    plethron_status status;
    ceiling_run run = {.device = device, .effort = effort, .shape = choose_shape(device)};
    TRY(device_check_process(device, err));
    TRY(open_run(&run, err));
    TRY(measure_fma(&run, out, err));
    TRY(measure_read(&run, out, err));
    TRY(measure_launches(&run, out, err));
    TRY(measure_copies(&run, out, err));
out:
    close_run(&run);
    return status;
}

plethron_status ceilings_measure(plethron_device *device, const ceilings_effort *effort, plethron_ceilings *out,
                                 plethron_error *err) {
    const size_t struct_size = out->struct_size;
    plethron_status status = error_check_struct(struct_size, sizeof *out, "plethron_ceilings", err);
    if (status != PLETHRON_OK) return status;
    plethron_ceilings measured = {.struct_size = struct_size};
    status = device_is_host(device) ? ceilings_measure_host(effort, &measured, err)
                                    : measure_device(device, effort, &measured, err);
    if (status == PLETHRON_OK) memcpy(out, &measured, struct_size);
    return status;
}

plethron_status plethron_ceilings_measure(plethron_device *device, plethron_ceilings *out, plethron_error *err) {
    ceilings_effort effort = {
        .seconds = 0.02, .n_repeats = 7, .n_launches = 200, .read_bytes = 256 << 20, .copy_bytes = 64 << 20};
    if (effort.read_bytes < 8 * device_cache_bytes(device)) effort.read_bytes = 8 * device_cache_bytes(device);
    return ceilings_measure(device, &effort, out, err);
}
