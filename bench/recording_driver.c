#include "recording_driver.h"

#include <CL/cl.h>
#include <CL/cl_ext.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_PROGRAMS = 256, MAX_LAUNCHES = 1024, MAX_OPTIONS = 1024 };

/* OpenCL leaves these types to the driver. */
struct _cl_platform_id {
    int unused;
};
struct _cl_device_id {
    const char *name;
    size_t max_group_items;
};
struct _cl_program {
    char *text;
    int number; /* among the distinct ones, once built */
    int references;
};
struct _cl_kernel {
    struct _cl_program *program;
    char name[64];
};

static struct _cl_platform_id platform;
static struct _cl_device_id devices[RECORDING_DEVICES] = {{"GPU with groups of 1024", 1024},
                                                          {"GPU with groups of 64", 64}};
static int handle; /* whatever needs no content: contexts, queues, buffers */

typedef struct built_program {
    char *text;
    char options[MAX_OPTIONS];
} built_program;

typedef struct launch {
    char kernel[64];
    size_t items;
    int program;
} launch;

static struct {
    const char *label, *folder;
    built_program programs[MAX_PROGRAMS];
    launch launches[MAX_LAUNCHES];
    int n_programs, n_launches;
    bool broken;
} record;

void recording_begin(const char *label, const char *folder) {
    record.label = label;
    record.folder = folder;
}

bool recording_whole(void) {
    return !record.broken;
}

static void complain(const char *what, long which) {
    fprintf(stderr, "recording_driver.c: %s (%ld)\n", what, which);
    record.broken = true;
}

/* ---- What there is ----------------------------------------------------------------------------------------------- */

static cl_int answer(const void *value, size_t n_bytes, size_t room, void *out, size_t *n_out) {
    if (n_out) *n_out = n_bytes;
    if (out && room < n_bytes) return CL_INVALID_VALUE;
    if (out) memcpy(out, value, n_bytes);
    return CL_SUCCESS;
}

static cl_int answer_text(const char *text, size_t room, void *out, size_t *n_out) {
    return answer(text, strlen(text) + 1, room, out, n_out);
}

cl_int clGetPlatformIDs(cl_uint room, cl_platform_id *out, cl_uint *n_out) {
    if (out && room) *out = &platform;
    if (n_out) *n_out = 1;
    return CL_SUCCESS;
}

cl_int clGetPlatformInfo(cl_platform_id id, cl_platform_info property, size_t room, void *out, size_t *n_out) {
    (void)id;
    return answer_text(property == CL_PLATFORM_VERSION ? "OpenCL 1.2 recording" : "recording", room, out, n_out);
}

cl_int clGetDeviceIDs(cl_platform_id id, cl_device_type type, cl_uint room, cl_device_id *out, cl_uint *n_out) {
    (void)id;
    (void)type;
    for (cl_uint i = 0; out && i < room && i < RECORDING_DEVICES; i++) out[i] = &devices[i];
    if (n_out) *n_out = RECORDING_DEVICES;
    return CL_SUCCESS;
}

/* The capabilities of a large GPU. */
cl_int clGetDeviceInfo(cl_device_id id, cl_device_info property, size_t room, void *out, size_t *n_out) {
    const cl_device_type type = CL_DEVICE_TYPE_GPU;
    const cl_device_local_mem_type local_type = CL_LOCAL;
    const cl_device_fp_config fp =
        CL_FP_DENORM | CL_FP_INF_NAN | CL_FP_ROUND_TO_NEAREST | CL_FP_FMA | CL_FP_CORRECTLY_ROUNDED_DIVIDE_SQRT;
    const cl_uint compute_units = 108, vector_width = 1, alignment_bits = 4096;
    const cl_ulong memory = 40ull << 30, max_alloc = 10ull << 30, local = 48 << 10, cache = 40 << 20;
    const cl_bool yes = CL_TRUE, is_unified = CL_FALSE;
    switch (property) {
    case CL_DEVICE_TYPE: return answer(&type, sizeof type, room, out, n_out);
    case CL_DEVICE_HOST_UNIFIED_MEMORY: return answer(&is_unified, sizeof is_unified, room, out, n_out);
    case CL_DEVICE_LOCAL_MEM_TYPE: return answer(&local_type, sizeof local_type, room, out, n_out);
    case CL_DEVICE_SINGLE_FP_CONFIG: return answer(&fp, sizeof fp, room, out, n_out);
    case CL_DEVICE_MAX_COMPUTE_UNITS: return answer(&compute_units, sizeof compute_units, room, out, n_out);
    case CL_DEVICE_NATIVE_VECTOR_WIDTH_FLOAT: return answer(&vector_width, sizeof vector_width, room, out, n_out);
    case CL_DEVICE_MEM_BASE_ADDR_ALIGN: return answer(&alignment_bits, sizeof alignment_bits, room, out, n_out);
    case CL_DEVICE_GLOBAL_MEM_SIZE: return answer(&memory, sizeof memory, room, out, n_out);
    case CL_DEVICE_MAX_MEM_ALLOC_SIZE: return answer(&max_alloc, sizeof max_alloc, room, out, n_out);
    case CL_DEVICE_LOCAL_MEM_SIZE: return answer(&local, sizeof local, room, out, n_out);
    case CL_DEVICE_GLOBAL_MEM_CACHE_SIZE: return answer(&cache, sizeof cache, room, out, n_out);
    case CL_DEVICE_AVAILABLE:
    case CL_DEVICE_COMPILER_AVAILABLE: return answer(&yes, sizeof yes, room, out, n_out);
    case CL_DEVICE_MAX_WORK_GROUP_SIZE:
        return answer(&id->max_group_items, sizeof id->max_group_items, room, out, n_out);
    case CL_DEVICE_NAME: return answer_text(id->name, room, out, n_out);
    case CL_DEVICE_PROFILE: return answer_text("FULL_PROFILE", room, out, n_out);
    case CL_DEVICE_VERSION:
    case CL_DRIVER_VERSION: return answer_text("OpenCL 1.2 recording", room, out, n_out);
    }
    complain("a device's property is asked for that has no answer here", (long)property);
    return CL_INVALID_VALUE;
}

/* ---- Handles without content ------------------------------------------------------------------------------------- */

static void *any_handle(cl_int *code) {
    if (code) *code = CL_SUCCESS;
    return &handle;
}

cl_context clCreateContext(const cl_context_properties *properties, cl_uint n, const cl_device_id *ids,
                           void(CL_CALLBACK *notify)(const char *, const void *, size_t, void *), void *user,
                           cl_int *code) {
    (void)properties;
    (void)n;
    (void)ids;
    (void)notify;
    (void)user;
    return any_handle(code);
}

cl_command_queue clCreateCommandQueue(cl_context context, cl_device_id id, cl_command_queue_properties properties,
                                      cl_int *code) {
    (void)context;
    (void)id;
    (void)properties;
    return any_handle(code);
}

cl_mem clCreateBuffer(cl_context context, cl_mem_flags flags, size_t n_bytes, void *data, cl_int *code) {
    (void)context;
    (void)flags;
    (void)n_bytes;
    (void)data;
    return any_handle(code);
}

cl_mem clCreateSubBuffer(cl_mem buffer, cl_mem_flags flags, cl_buffer_create_type type, const void *region,
                         cl_int *code) {
    (void)buffer;
    (void)flags;
    (void)type;
    (void)region;
    return any_handle(code);
}

cl_int clSetMemObjectDestructorCallback(cl_mem buffer, void(CL_CALLBACK *call)(cl_mem, void *), void *data) {
    (void)buffer;
    (void)call;
    (void)data;
    return CL_SUCCESS;
}

cl_int clReleaseContext(cl_context context) {
    (void)context;
    return CL_SUCCESS;
}
cl_int clReleaseCommandQueue(cl_command_queue queue) {
    (void)queue;
    return CL_SUCCESS;
}
cl_int clReleaseMemObject(cl_mem buffer) {
    (void)buffer;
    return CL_SUCCESS;
}
cl_int clFlush(cl_command_queue queue) {
    (void)queue;
    return CL_SUCCESS;
}
cl_int clFinish(cl_command_queue queue) {
    (void)queue;
    return CL_SUCCESS;
}

cl_int clEnqueueWriteBuffer(cl_command_queue queue, cl_mem buffer, cl_bool blocking, size_t offset, size_t n_bytes,
                            const void *data, cl_uint n_events, const cl_event *events, cl_event *event) {
    (void)queue;
    (void)buffer;
    (void)blocking;
    (void)offset;
    (void)n_bytes;
    (void)data;
    (void)n_events;
    (void)events;
    (void)event;
    return CL_SUCCESS;
}

/* Every buffer holds zeros. */
cl_int clEnqueueReadBuffer(cl_command_queue queue, cl_mem buffer, cl_bool blocking, size_t offset, size_t n_bytes,
                           void *data, cl_uint n_events, const cl_event *events, cl_event *event) {
    (void)queue;
    (void)buffer;
    (void)blocking;
    (void)offset;
    (void)n_events;
    (void)events;
    (void)event;
    /* Ones: rows weigh something and units are active, so that the library goes on to its epochs. */
    for (size_t at = 0; at + sizeof(float) <= n_bytes; at += sizeof(float))
        memcpy((char *)data + at, &(const float){1.0f}, sizeof(float));
    return CL_SUCCESS;
}

cl_int clEnqueueReadBufferRect(cl_command_queue queue, cl_mem buffer, cl_bool blocking, const size_t *start,
                               const size_t *data_start, const size_t *region, size_t row_pitch, size_t slice_pitch,
                               size_t data_row_pitch, size_t data_slice_pitch, void *data, cl_uint n_events,
                               const cl_event *events, cl_event *event) {
    (void)start;
    (void)data_start;
    (void)row_pitch;
    (void)slice_pitch;
    (void)data_row_pitch;
    (void)data_slice_pitch;
    return clEnqueueReadBuffer(queue, buffer, blocking, 0, region[0] * region[1], data, n_events, events, event);
}

void *clEnqueueMapBuffer(cl_command_queue queue, cl_mem buffer, cl_bool blocking, cl_map_flags flags, size_t offset,
                         size_t n_bytes, cl_uint n_events, const cl_event *events, cl_event *event, cl_int *code) {
    void *mapped = malloc(n_bytes);
    (void)flags;
    *code = mapped ? clEnqueueReadBuffer(queue, buffer, blocking, offset, n_bytes, mapped, n_events, events, event)
                   : CL_OUT_OF_HOST_MEMORY;
    return mapped;
}

cl_int clEnqueueUnmapMemObject(cl_command_queue queue, cl_mem buffer, void *mapped, cl_uint n_events,
                               const cl_event *events, cl_event *event) {
    (void)queue;
    (void)buffer;
    (void)n_events;
    (void)events;
    (void)event;
    free(mapped);
    return CL_SUCCESS;
}

cl_int clEnqueueFillBuffer(cl_command_queue queue, cl_mem buffer, const void *pattern, size_t pattern_bytes,
                           size_t offset, size_t n_bytes, cl_uint n_events, const cl_event *events, cl_event *event) {
    (void)queue;
    (void)buffer;
    (void)pattern;
    (void)pattern_bytes;
    (void)offset;
    (void)n_bytes;
    (void)n_events;
    (void)events;
    (void)event;
    return CL_SUCCESS;
}

/* ---- Programs ---------------------------------------------------------------------------------------------------- */

cl_program clCreateProgramWithSource(cl_context context, cl_uint n, const char **texts, const size_t *lengths,
                                     cl_int *code) {
    size_t n_bytes = 1;
    (void)context;
    (void)lengths; /* the library's texts end in NUL */
    for (cl_uint i = 0; i < n; i++) n_bytes += strlen(texts[i]);
    cl_program program = calloc(1, sizeof *program);
    if (program) program->text = calloc(n_bytes, 1);
    if (!program || !program->text) {
        *code = CL_OUT_OF_HOST_MEMORY;
        free(program);
        return NULL;
    }
    for (cl_uint i = 0; i < n; i++) strcat(program->text, texts[i]);
    program->references = 1;
    *code = CL_SUCCESS;
    return program;
}

cl_program clCreateProgramWithBinary(cl_context context, cl_uint n, const cl_device_id *ids, const size_t *lengths,
                                     const unsigned char **binaries, cl_int *loaded, cl_int *code) {
    (void)context;
    (void)n;
    (void)ids;
    (void)lengths;
    (void)binaries;
    (void)loaded;
    *code = CL_INVALID_BINARY;
    return NULL;
}

static void write_program(int number, const char *text) {
    char path[1024];
    FILE *file = NULL;
    if (snprintf(path, sizeof path, "%s/%d.cl", record.folder, number) < (int)sizeof path) file = fopen(path, "w");
    if (!file || fputs(text, file) < 0) complain("a program could not be written to the folder", number);
    if (file && fclose(file) != 0) complain("a program could not be written to the folder", number);
}

cl_int clBuildProgram(cl_program program, cl_uint n, const cl_device_id *ids, const char *options,
                      void(CL_CALLBACK *notify)(cl_program, void *), void *user) {
    (void)n;
    (void)ids;
    (void)notify;
    (void)user;
    for (int i = 0; i < record.n_programs; i++) {
        program->number = i;
        if (strcmp(record.programs[i].text, program->text) == 0 && strcmp(record.programs[i].options, options) == 0)
            return CL_SUCCESS;
    }
    if (record.n_programs == MAX_PROGRAMS || strlen(options) >= MAX_OPTIONS) {
        complain("too many programs, or too long options: the most is", MAX_PROGRAMS);
        return CL_OUT_OF_RESOURCES;
    }
    built_program *built = &record.programs[record.n_programs];
    built->text = program->text;
    program->text = NULL;
    strcpy(built->options, options);
    program->number = record.n_programs++;
    write_program(program->number, built->text);
    return CL_SUCCESS;
}

cl_int clGetProgramBuildInfo(cl_program program, cl_device_id id, cl_program_build_info property, size_t room,
                             void *out, size_t *n_out) {
    (void)program;
    (void)id;
    (void)property;
    return answer_text("", room, out, n_out);
}

cl_int clGetProgramInfo(cl_program program, cl_program_info property, size_t room, void *out, size_t *n_out) {
    (void)program;
    (void)property;
    (void)room;
    (void)out;
    (void)n_out;
    return CL_INVALID_VALUE; /* there are no binaries */
}

cl_int clRetainProgram(cl_program program) {
    program->references++;
    return CL_SUCCESS;
}

cl_int clReleaseProgram(cl_program program) {
    if (--program->references > 0) return CL_SUCCESS;
    free(program->text);
    free(program);
    return CL_SUCCESS;
}

/* ---- Kernels ----------------------------------------------------------------------------------------------------- */

cl_kernel clCreateKernel(cl_program program, const char *name, cl_int *code) {
    cl_kernel kernel = calloc(1, sizeof *kernel);
    *code = kernel ? CL_SUCCESS : CL_OUT_OF_HOST_MEMORY;
    if (!kernel) return NULL;
    kernel->program = program;
    snprintf(kernel->name, sizeof kernel->name, "%s", name);
    return kernel;
}

cl_int clReleaseKernel(cl_kernel kernel) {
    free(kernel);
    return CL_SUCCESS;
}

cl_int clSetKernelArg(cl_kernel kernel, cl_uint index, size_t n_bytes, const void *value) {
    (void)kernel;
    (void)index;
    (void)n_bytes;
    (void)value;
    return CL_SUCCESS;
}

cl_int clEnqueueNDRangeKernel(cl_command_queue queue, cl_kernel kernel, cl_uint n_dimensions, const size_t *offset,
                              const size_t *global, const size_t *local, cl_uint n_events, const cl_event *events,
                              cl_event *event) {
    (void)queue;
    (void)offset;
    (void)global;
    (void)n_events;
    (void)events;
    (void)event;
    size_t items = 1;
    for (cl_uint i = 0; i < n_dimensions; i++) items *= local[i];
    const int program = kernel->program->number;
    for (int i = 0; i < record.n_launches; i++) {
        const launch *known = &record.launches[i];
        if (known->program == program && known->items == items && strcmp(known->kernel, kernel->name) == 0)
            return CL_SUCCESS;
    }
    if (record.n_launches == MAX_LAUNCHES) {
        complain("too many kinds of launches: the most is", MAX_LAUNCHES);
        return CL_OUT_OF_RESOURCES;
    }
    launch *new = &record.launches[record.n_launches++];
    *new = (launch){.items = items, .program = program};
    strcpy(new->kernel, kernel->name);
    printf("%s\t%s\t%zu\t%d\t%s\n", record.label, kernel->name, items, program, record.programs[program].options);
    return CL_SUCCESS;
}
