#define _XOPEN_SOURCE 700 /* realpath */

#include "faults_wrap.h"

#include <CL/cl.h>
#include <errno.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>

#define NAME(name) #name,
const char *const faults_names[FAULTS_N_WRAPPED] = {FAULTS_WRAPPED(NAME)};

unsigned long faults_calls[FAULTS_N_WRAPPED];
volatile faults_objects faults_live;

static bool armed;
static faults_plan plan;
static faults_result result;

void faults_arm(const faults_plan *new_plan) {
    plan = *new_plan;
    result = (faults_result){0};
    armed = true;
}

faults_result faults_disarm(void) {
    armed = false;
    return result;
}

static bool is_due(int function) {
    faults_calls[function]++;
    if (!armed || (plan.one_function && plan.function != function)) return false;
    result.n_calls++;
    return result.n_calls == plan.nth || (plan.later_too && result.n_calls > plan.nth);
}

static bool fails(int function) {
    const bool due = is_due(function);
    result.n_failed += due;
    return due;
}

/* A release that fails has released all the same: nobody could do it a second time. */
static bool release_fails(int function) {
    const bool due = is_due(function);
    result.n_failed_releases += due;
    return due;
}

/* ---- OpenCL ------------------------------------------------------------------------------------------------------ */

#define COMMAND(name, parameters, arguments)                                         \
    cl_int __real_##name parameters;                                                 \
    cl_int __wrap_##name parameters;                                                 \
    cl_int __wrap_##name parameters {                                                \
        return fails(FAULTS_##name) ? CL_OUT_OF_RESOURCES : __real_##name arguments; \
    }

#define CREATE(type, name, live, parameters, arguments) \
    type __real_##name parameters;                      \
    type __wrap_##name parameters;                      \
    type __wrap_##name parameters {                     \
        if (fails(FAULTS_##name)) {                     \
            if (code) *code = CL_OUT_OF_HOST_MEMORY;    \
            return NULL;                                \
        }                                               \
        type created = __real_##name arguments;         \
        faults_live.live += created != NULL;            \
        return created;                                 \
    }

#define RELEASE(type, name, live)                          \
    cl_int __real_##name(type);                            \
    cl_int __wrap_##name(type object);                     \
    cl_int __wrap_##name(type object) {                    \
        const bool failing = release_fails(FAULTS_##name); \
        const cl_int code = __real_##name(object);         \
        faults_live.live -= code == CL_SUCCESS;            \
        return failing ? CL_OUT_OF_RESOURCES : code;       \
    }

/* clang-format off */
COMMAND(clGetPlatformIDs, (cl_uint n, cl_platform_id *platforms, cl_uint *found), (n, platforms, found))
COMMAND(clGetPlatformInfo, (cl_platform_id platform, cl_platform_info what, size_t n, void *value, size_t *size),
        (platform, what, n, value, size))
COMMAND(clGetDeviceIDs, (cl_platform_id platform, cl_device_type type, cl_uint n, cl_device_id *devices, cl_uint *found),
        (platform, type, n, devices, found))
COMMAND(clGetDeviceInfo, (cl_device_id device, cl_device_info what, size_t n, void *value, size_t *size),
        (device, what, n, value, size))
COMMAND(clBuildProgram, (cl_program program, cl_uint n, const cl_device_id *devices, const char *options,
                         void(CL_CALLBACK *notify)(cl_program, void *), void *data),
        (program, n, devices, options, notify, data))
COMMAND(clGetProgramInfo, (cl_program program, cl_program_info what, size_t n, void *value, size_t *size),
        (program, what, n, value, size))
COMMAND(clGetProgramBuildInfo, (cl_program program, cl_device_id device, cl_program_build_info what, size_t n,
                                void *value, size_t *size),
        (program, device, what, n, value, size))
COMMAND(clSetKernelArg, (cl_kernel kernel, cl_uint i, size_t n, const void *value), (kernel, i, n, value))
COMMAND(clEnqueueNDRangeKernel, (cl_command_queue queue, cl_kernel kernel, cl_uint dimensions, const size_t *offset,
                                 const size_t *global, const size_t *local, cl_uint n, const cl_event *events,
                                 cl_event *event),
        (queue, kernel, dimensions, offset, global, local, n, events, event))
COMMAND(clEnqueueReadBuffer, (cl_command_queue queue, cl_mem buffer, cl_bool wait, size_t offset, size_t size,
                              void *to, cl_uint n, const cl_event *events, cl_event *event),
        (queue, buffer, wait, offset, size, to, n, events, event))
COMMAND(clEnqueueReadBufferRect,
        (cl_command_queue queue, cl_mem buffer, cl_bool wait, const size_t *from, const size_t *to_start,
         const size_t *region, size_t row, size_t slice, size_t to_row, size_t to_slice, void *to, cl_uint n,
         const cl_event *events, cl_event *event),
        (queue, buffer, wait, from, to_start, region, row, slice, to_row, to_slice, to, n, events, event))
COMMAND(clEnqueueWriteBuffer, (cl_command_queue queue, cl_mem buffer, cl_bool wait, size_t offset, size_t size,
                               const void *from, cl_uint n, const cl_event *events, cl_event *event),
        (queue, buffer, wait, offset, size, from, n, events, event))
COMMAND(clEnqueueFillBuffer, (cl_command_queue queue, cl_mem buffer, const void *pattern, size_t pattern_size,
                              size_t offset, size_t size, cl_uint n, const cl_event *events, cl_event *event),
        (queue, buffer, pattern, pattern_size, offset, size, n, events, event))
COMMAND(clSetMemObjectDestructorCallback, (cl_mem buffer, void(CL_CALLBACK *call)(cl_mem, void *), void *data),
        (buffer, call, data))
COMMAND(clFlush, (cl_command_queue queue), (queue))
COMMAND(clFinish, (cl_command_queue queue), (queue))

CREATE(cl_context, clCreateContext, contexts,
       (const cl_context_properties *properties, cl_uint n, const cl_device_id *devices,
        void(CL_CALLBACK *notify)(const char *, const void *, size_t, void *), void *data, cl_int *code),
       (properties, n, devices, notify, data, code))
CREATE(cl_command_queue, clCreateCommandQueue, queues,
       (cl_context context, cl_device_id device, cl_command_queue_properties properties, cl_int *code),
       (context, device, properties, code))
CREATE(cl_mem, clCreateBuffer, buffers, (cl_context context, cl_mem_flags flags, size_t size, void *host, cl_int *code),
       (context, flags, size, host, code))
CREATE(cl_mem, clCreateSubBuffer, buffers,
       (cl_mem whole, cl_mem_flags flags, cl_buffer_create_type type, const void *region, cl_int *code),
       (whole, flags, type, region, code))
CREATE(cl_program, clCreateProgramWithSource, programs,
       (cl_context context, cl_uint n, const char **texts, const size_t *lengths, cl_int *code),
       (context, n, texts, lengths, code))
CREATE(cl_program, clCreateProgramWithBinary, programs,
       (cl_context context, cl_uint n, const cl_device_id *devices, const size_t *lengths,
        const unsigned char **binaries, cl_int *loaded, cl_int *code),
       (context, n, devices, lengths, binaries, loaded, code))
CREATE(cl_kernel, clCreateKernel, kernels, (cl_program program, const char *name, cl_int *code), (program, name, code))

CREATE(void *, clEnqueueMapBuffer, mappings,
       (cl_command_queue queue, cl_mem buffer, cl_bool wait, cl_map_flags flags, size_t offset, size_t size, cl_uint n,
        const cl_event *events, cl_event *event, cl_int *code),
       (queue, buffer, wait, flags, offset, size, n, events, event, code))

RELEASE(cl_context, clReleaseContext, contexts)
RELEASE(cl_command_queue, clReleaseCommandQueue, queues)
RELEASE(cl_mem, clReleaseMemObject, buffers)
RELEASE(cl_program, clReleaseProgram, programs)
RELEASE(cl_kernel, clReleaseKernel, kernels)
/* clang-format on */

cl_int __real_clRetainProgram(cl_program);
cl_int __wrap_clRetainProgram(cl_program program);
cl_int __wrap_clRetainProgram(cl_program program) {
    if (fails(FAULTS_clRetainProgram)) return CL_OUT_OF_RESOURCES;
    const cl_int code = __real_clRetainProgram(program);
    faults_live.programs += code == CL_SUCCESS;
    return code;
}

cl_int __real_clEnqueueUnmapMemObject(cl_command_queue, cl_mem, void *, cl_uint, const cl_event *, cl_event *);
cl_int __wrap_clEnqueueUnmapMemObject(cl_command_queue, cl_mem, void *, cl_uint, const cl_event *, cl_event *);
cl_int __wrap_clEnqueueUnmapMemObject(cl_command_queue queue, cl_mem buffer, void *mapped, cl_uint n,
                                      const cl_event *events, cl_event *event) {
    const bool failing = fails(FAULTS_clEnqueueUnmapMemObject);
    const cl_int code = __real_clEnqueueUnmapMemObject(queue, buffer, mapped, n, events, event);
    faults_live.mappings -= code == CL_SUCCESS;
    return failing ? CL_OUT_OF_RESOURCES : code;
}

/* ---- Memory and files -------------------------------------------------------------------------------------------- */

/* Each fails as it does without memory. */
#define ALLOCATE(type, name, live, parameters, arguments) \
    type __real_##name parameters;                        \
    type __wrap_##name parameters;                        \
    type __wrap_##name parameters {                       \
        if (fails(FAULTS_##name)) {                       \
            errno = ENOMEM;                               \
            return (type)0;                               \
        }                                                 \
        type made = __real_##name arguments;              \
        faults_live.live += made != (type)0;              \
        return made;                                      \
    }

typedef void *memory;
typedef char *text;
typedef FILE *stream;

ALLOCATE(memory, malloc, memory, (size_t size), (size))
ALLOCATE(memory, aligned_alloc, memory, (size_t alignment, size_t size), (alignment, size))
ALLOCATE(text, realpath, memory, (const char *restrict path, char *restrict resolved), (path, resolved))
ALLOCATE(locale_t, newlocale, locales, (int mask, const char *name, locale_t base), (mask, name, base))
ALLOCATE(stream, fopen, files, (const char *restrict path, const char *restrict mode), (path, mode))
ALLOCATE(stream, fdopen, files, (int fd, const char *mode), (fd, mode))

void *__real_realloc(void *, size_t);
void *__wrap_realloc(void *, size_t);
void __real_free(void *);
void __wrap_free(void *);
void __real_freelocale(locale_t);
void __wrap_freelocale(locale_t);
int __real_fclose(FILE *);
int __wrap_fclose(FILE *);

void *__wrap_realloc(void *old, size_t size) {
    if (fails(FAULTS_realloc)) return NULL;
    void *grown = __real_realloc(old, size);
    faults_live.memory += grown && !old;
    return grown;
}

/* These three cannot fail, or not for want of anything, so they only count. */
void __wrap_free(void *old) {
    faults_calls[FAULTS_free]++;
    faults_live.memory -= old != NULL;
    __real_free(old);
}

void __wrap_freelocale(locale_t locale) {
    faults_calls[FAULTS_freelocale]++;
    faults_live.locales--;
    __real_freelocale(locale);
}

int __wrap_fclose(FILE *file) {
    faults_calls[FAULTS_fclose]++;
    faults_live.files--;
    return __real_fclose(file);
}

void *faults_jansson_malloc(size_t size) {
    enum { SMALLEST_GROWTH = 32 };
    const bool is_growth = size >= SMALLEST_GROWTH && (size & (size - 1)) == 0;
    if (!is_growth) return __wrap_malloc(size);
    void *made = __real_malloc(size);
    faults_live.memory += made != NULL;
    return made;
}

void faults_jansson_free(void *old) {
    __wrap_free(old);
}
