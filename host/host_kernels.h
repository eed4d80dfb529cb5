/* The kernels that the device `host` runs: those of kernels/ that need no work-group, compiled as C, once for each
 * instruction set (cmake/host_loops.cmake). Where speed counts, the strategy `host` has loops of its own
 * (host_loops.h). */
#ifndef PLETHRON_HOST_KERNELS_H
#define PLETHRON_HOST_KERNELS_H

#include <stddef.h>

typedef union host_argument {
    void *buffer;
    int integer;
    float real;
} host_argument;

/* Runs the items (first ... end - 1, y, z) of dimension 0. */
typedef void (*host_items)(const host_argument *arguments, size_t first, size_t end, size_t y, size_t z);

typedef struct host_kernel {
    const char *name;
    const char *types; /* of its arguments: b a buffer, i an int, f a float */
    host_items run;
} host_kernel;

/* The variant for this processor. */
const host_kernel *host_kernels_best(void);

/* Each ends with {NULL}. */
#ifdef PLETHRON_X86_VARIANTS
extern const host_kernel host_kernels_avx512[], host_kernels_avx2[];
#endif
extern const host_kernel host_kernels_plain[];

#endif
