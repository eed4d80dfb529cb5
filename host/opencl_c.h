/* The few OpenCL C built-ins that kernels/arithmetic.cl and kernels/row.cl use, for compiling them as C: one lane. */
#ifndef PLETHRON_OPENCL_C_H
#define PLETHRON_OPENCL_C_H

#include <stdint.h>
#include <string.h>

#define COMPILED_AS_C 1
#define EXACT_DIVIDE 1 /* C's division is correctly rounded */

typedef float vfloat;
typedef int32_t vint;

/* Rounded once; without an fma instruction a call that is slow and right. */
#define fma(a, b, c) __builtin_fmaf(a, b, c)
#define fmin(a, b) ((a) < (b) ? (a) : (b)) /* no NaN comes here */
#define fabs(a) __builtin_fabsf(a)

static inline vint as_vint(vfloat x) {
    vint i;
    memcpy(&i, &x, sizeof i);
    return i;
}

static inline vfloat as_vfloat(vint i) {
    vfloat x;
    memcpy(&x, &i, sizeof x);
    return x;
}

#endif
