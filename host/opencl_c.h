/* What of OpenCL C the kernels use, for compiling their text as C: one lane, one item at a time. */
#ifndef PLETHRON_OPENCL_C_H
#define PLETHRON_OPENCL_C_H

#include "half.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define COMPILED_AS_C 1
#define EXACT_DIVIDE 1 /* C's division is correctly rounded */

typedef float vfloat;
typedef int32_t vint;
typedef uint32_t uint;
typedef uint16_t ushort;
typedef unsigned char uchar;
typedef uint16_t half; /* what is stored; nothing computes with it */

#define UNIT_VECTOR 1
#define __global
#define TO_VFLOAT (float)
#define TO_VINT (vint)
#define SHIFT_LEFT(integer, n) ((vint)((uint)(integer) << (n))) /* C leaves a signed overflow open */
#define UNROLL
#define LOAD_BYTES(pointer) ((float)*(pointer))
#define FIRST_LANE(vector) (vector)
#define as_float(bits) float_of_bits(bits)
#define vload_half(at, pointer) half_to_float((pointer)[at])

#ifndef INFINITY
#define INFINITY __builtin_inff()
#endif
#ifndef NAN
#define NAN __builtin_nanf("")
#endif

/* Rounded once; without an fma instruction a call that is slow and right. */
#define fma(a, b, c) __builtin_fmaf(a, b, c)
#define fmin(a, b) ((a) < (b) ? (a) : (b)) /* no NaN comes here */
#define fabs(a) __builtin_fabsf(a)
#define min(a, b) ((a) < (b) ? (a) : (b))
#define max(a, b) ((a) > (b) ? (a) : (b))
#define atomic_add(pointer, n) __atomic_fetch_add(pointer, n, __ATOMIC_RELAXED)

static inline uint mul_hi(uint a, uint b) {
    return (uint)((uint64_t)a * b >> 32);
}

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
