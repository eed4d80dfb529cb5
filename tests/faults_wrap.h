/* Fault injection: each OpenCL call and each allocation of the library goes through a wrapper that can fail.
 *
 * The linker puts the wrappers in place (-Wl,--wrap=NAME for each name of FAULTS_WRAPPED; CMake reads the list below).
 * Only the static library and the test program are wrapped, not what shared libraries do inside; jansson takes its
 * memory from the two functions at the end. One thread at a time. */
#ifndef PLETHRON_TEST_FAULTS_WRAP_H
#define PLETHRON_TEST_FAULTS_WRAP_H

#include <stdbool.h>
#include <stddef.h>

/* Every function that is wrapped: all OpenCL functions and all allocating functions that the library calls, and the
 * releases that belong to them. test_faults.c compares with the library's own list. */
#define FAULTS_WRAPPED(F)               \
    F(clBuildProgram)                   \
    F(clCreateBuffer)                   \
    F(clCreateCommandQueue)             \
    F(clCreateContext)                  \
    F(clCreateKernel)                   \
    F(clCreateProgramWithBinary)        \
    F(clCreateProgramWithSource)        \
    F(clCreateSubBuffer)                \
    F(clEnqueueFillBuffer)              \
    F(clEnqueueMapBuffer)               \
    F(clEnqueueNDRangeKernel)           \
    F(clEnqueueReadBuffer)              \
    F(clEnqueueReadBufferRect)          \
    F(clEnqueueUnmapMemObject)          \
    F(clEnqueueWriteBuffer)             \
    F(clFinish)                         \
    F(clFlush)                          \
    F(clGetDeviceIDs)                   \
    F(clGetDeviceInfo)                  \
    F(clGetPlatformIDs)                 \
    F(clGetPlatformInfo)                \
    F(clGetProgramBuildInfo)            \
    F(clGetProgramInfo)                 \
    F(clReleaseCommandQueue)            \
    F(clReleaseContext)                 \
    F(clReleaseKernel)                  \
    F(clReleaseMemObject)               \
    F(clReleaseProgram)                 \
    F(clRetainProgram)                  \
    F(clSetKernelArg)                   \
    F(clSetMemObjectDestructorCallback) \
    F(aligned_alloc)                    \
    F(malloc)                           \
    F(realloc)                          \
    F(free)                             \
    F(realpath)                         \
    F(newlocale)                        \
    F(freelocale)                       \
    F(fopen)                            \
    F(fdopen)                           \
    F(fclose)

#define FAULTS_CALL(name) FAULTS_##name,
enum { FAULTS_WRAPPED(FAULTS_CALL) FAULTS_N_WRAPPED };

extern const char *const faults_names[FAULTS_N_WRAPPED];

/* How often each function was called so far, failed or not. */
extern unsigned long faults_calls[FAULTS_N_WRAPPED];

/* What was created and not yet released; memory also by threads of OpenCL, for what was made for one of its buffers. */
typedef struct faults_objects {
    _Atomic long memory;
    long locales, files, contexts, queues, buffers, mappings, programs, kernels;
} faults_objects;

/* volatile: a compiler knows malloc and free, and would think that they change no variable. */
extern volatile faults_objects faults_live;

/* What shall fail: of the calls that can, the nth (from 1), and with `later_too` all after it as well. */
typedef struct faults_plan {
    unsigned long nth;
    bool later_too;
    bool one_function; /* count the calls of `function` only, such as FAULTS_clFlush */
    int function;
} faults_plan;

void faults_arm(const faults_plan *plan);

/* What happened between arm and disarm. */
typedef struct faults_result {
    unsigned long n_calls;  /* that could have failed */
    unsigned long n_failed; /* that did, but for failed releases */
    unsigned long n_failed_releases;
} faults_result;

faults_result faults_disarm(void);

/* For json_set_alloc_funcs. jansson 2.14 does not look whether its text buffer could grow: it loses bytes, then reads
 * beyond the buffer's end, which nobody outside can prevent. Those requests are powers of two from 32 on, and the only
 * ones here that never fail. */
void *faults_jansson_malloc(size_t size);
void faults_jansson_free(void *memory);

#endif
