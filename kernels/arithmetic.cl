/* The arithmetic that every strategy shares: sigmoid, and the logarithm that the log loss needs.
 *
 * The same text is compiled twice: as OpenCL C in front of each kernel, and as C by host/host_loops.c (through
 * host/opencl_c.h, which supplies the few built-ins used). So both compute the same bits.
 *
 * Why not the built-in exp, log and divide: their accuracy differs from vendor to vendor. Only operations whose result
 * IEEE 754 fixes are used: + - * fma, comparisons, and integers. The division is fixed either by the device
 * (EXACT_DIVIDE) or by reciprocal() below. Contraction is off, so that a*b+c is two roundings unless written as fma.
 *
 * vfloat is a float or a vector of floats, one a lane; vint the matching integers. `condition ? a : b` chooses lane by
 * lane. NaN passes through sigmoid and softplus.
 */
#ifdef __FAST_RELAXED_MATH__
#error "plethron needs strict arithmetic: do not build with -cl-fast-relaxed-math"
#endif

#ifndef COMPILED_AS_C
#pragma OPENCL FP_CONTRACT OFF

/* Lanes of a vfloat: 1, 2, 4, 8 or 16. */
#ifndef UNIT_VECTOR
#define UNIT_VECTOR 1
#endif

#define JOIN_(a, b) a##b
#define JOIN(a, b) JOIN_(a, b)
#if UNIT_VECTOR == 1
typedef float vfloat;
typedef int vint;
#define as_vfloat as_float
#define as_vint as_int
#define TO_VFLOAT convert_float
#define TO_VINT convert_int
#define LOAD_BYTES(pointer) convert_float(*(pointer))
#define FIRST_LANE(vector) (vector)
#elif UNIT_VECTOR == 2 || UNIT_VECTOR == 4 || UNIT_VECTOR == 8 || UNIT_VECTOR == 16
typedef JOIN(float, UNIT_VECTOR) vfloat;
typedef JOIN(int, UNIT_VECTOR) vint;
#define as_vfloat JOIN(as_float, UNIT_VECTOR)
#define as_vint JOIN(as_int, UNIT_VECTOR)
#define TO_VFLOAT JOIN(convert_float, UNIT_VECTOR)
#define TO_VINT JOIN(convert_int, UNIT_VECTOR)
#define LOAD_BYTES(pointer) TO_VFLOAT(JOIN(vload, UNIT_VECTOR)(0, pointer))
#define FIRST_LANE(vector) ((vector).s0)
#else
#error "UNIT_VECTOR must be 1, 2, 4, 8 or 16"
#endif
#define SHIFT_LEFT(integers, n) ((integers) << (vint)(n))
#define UNROLL _Pragma("unroll")
#endif

/* Loops that are to be unrolled, so that private arrays become registers: over n, a constant; over n of at most `most`,
 * where n is a constant only once the function, an INLINE one, is part of its caller. */
#define INLINE static inline __attribute__((always_inline))
#define EACH(i, n) UNROLL for (int i = 0; i < (n); i++)
#define EACH_OF(i, n, most) EACH(i, most) if (i < (n))

#define LOAD(space, pointer) (*(space const vfloat *)(pointer))
#define LOAD_INTEGERS(space, pointer) (*(space const vint *)(pointer))
#define STORE(space, pointer, value) (*(space vfloat *)(pointer) = (value))
#define STORE_INTEGERS(space, pointer, value) (*(space vint *)(pointer) = (value))

#ifndef COMPILED_AS_C
/* Ask for a line of a CPU's first cache, to read it or to write all of it, or of its second, for what is FAR_BYTES
 * ahead: the first is full by then. OpenCL's prefetch() is empty on PoCL, and the hardware's own prefetching ends with
 * a page. */
#define FAR_BYTES 32768
#ifndef CACHE_LINES /* 1 on CPUs */
#define CACHE_LINES 0
#endif
#if CACHE_LINES && defined(__has_builtin)
#if __has_builtin(__builtin_prefetch)
#define PREFETCH(pointer) __builtin_prefetch((const void *)(size_t)(pointer))
#define PREFETCH_TO_WRITE(pointer) __builtin_prefetch((const void *)(size_t)(pointer), 1)
#define PREFETCH_FAR(pointer) __builtin_prefetch((const void *)(size_t)(pointer), 0, 2)
#endif
#endif
#ifndef PREFETCH
#define PREFETCH(pointer)
#define PREFETCH_TO_WRITE(pointer)
#define PREFETCH_FAR(pointer)
#endif
#endif

/* Vectors of 16 come with 32 registers, shorter ones with 16. Where they are many, kernels activate rows beside the
 * product of the rows behind, some after each share of the features: in one go the sigmoid's divisions and chains would
 * be waited for. Where they are few, all rows go before the sums of the next take the registers: the chains would lead
 * through memory. */
#define MANY_REGISTERS (UNIT_VECTOR == 16)

/* Bounds of z in the sigmoid: exp(87) and 1 / exp(87) are normal floats. */
#define Z_MAX 87.0f

/* Vectors that go through the exponential and the sigmoid in step, at most. One alone is a chain of operations that
 * each wait for the one before: a core that looks a hundred operations ahead sees only a few such chains, but many
 * vectors that are at the same place of theirs. More than the registers hold would go through memory at each step. */
#ifdef COMPILED_AS_C
#define IN_STEP 1 /* compilers put the loop around a call into vectors, if there is none in it */
#define THE_VECTOR enum { i = 0 }
#define EACH_VECTOR if (i < count)
#else
#define IN_STEP (MANY_REGISTERS ? 8 : 4)
#define THE_VECTOR
#define EACH_VECTOR EACH_OF(i, count, IN_STEP)
#endif

/* exp(t) = q 2^n for |t| <= Z_MAX, relative error below 9e-8; gives q, and n in the low nine bits of n.
 * t = n ln 2 + r with |r| <= ln 2 / 2; q = exp(r) = 1 + r p(r), p a minimax polynomial fitted to the relative error.
 * Adding 1.5 * 2^23 rounds to the nearest integer and leaves n in the low bits. ln 2 is split into a part whose product
 * with n is exact and the rest. */
INLINE void exp_powers(const vfloat *t, vfloat *q, vint *n, const int count) {
    THE_VECTOR;
    const vfloat round_to_integer = (vfloat)(12582912.0f);
    vfloat shifted[IN_STEP], r[IN_STEP];
    EACH_VECTOR shifted[i] = fma(t[i], (vfloat)(1.44269504f), round_to_integer);
    EACH_VECTOR n[i] = as_vint(shifted[i]);
    EACH_VECTOR shifted[i] = shifted[i] - round_to_integer;
    EACH_VECTOR r[i] = fma(shifted[i], (vfloat)(-0.693359375f), t[i]);
    EACH_VECTOR r[i] = fma(shifted[i], (vfloat)(2.12194440e-4f), r[i]);
    EACH_VECTOR q[i] = fma((vfloat)(1.3843644e-3f), r[i], (vfloat)(8.374163e-3f));
    EACH_VECTOR q[i] = fma(q[i], r[i], (vfloat)(4.1668e-2f));
    EACH_VECTOR q[i] = fma(q[i], r[i], (vfloat)(1.6666432e-1f));
    EACH_VECTOR q[i] = fma(q[i], r[i], (vfloat)(4.9999994e-1f));
    EACH_VECTOR q[i] = fma(q[i], r[i], (vfloat)(1.0f));
    EACH_VECTOR q[i] = fma(q[i], r[i], (vfloat)(1.0f));
}

/* exp(t) for |t| <= Z_MAX: n is added to the exponent field. */
static inline vfloat exp_bounded(vfloat t) {
    vfloat q;
    vint n;
    exp_powers(&t, &q, &n, 1);
    return as_vfloat(as_vint(q) + SHIFT_LEFT(n, 23));
}

/* 1 / x rounded to nearest, from an approximation y up to 3 units in the last place away, for 1 <= x < 2^126: two
 * Newton steps by fma. They are right for every significand but the greatest, all ones, (P. Markstein, IBM J. R&D
 * 34(1), 1990; tests/test_arithmetic.c tries all 2^23), where they end on a tie: there 1 / x is one unit above a power
 * of two. */
static inline vfloat refine_reciprocal(vfloat x, vfloat y) {
    y = fma(y, fma(-x, y, (vfloat)(1.0f)), y);
    y = fma(y, fma(-x, y, (vfloat)(1.0f)), y);
    const vint significand = as_vint(x) & (vint)(0x7FFFFF), exponent = as_vint(x) & (vint)(0x7F800000);
    const vfloat on_tie = x == x ? as_vfloat((vint)(0x7E800001) - exponent) : x; /* some NaN are all ones, too */
    return significand == (vint)(0x7FFFFF) ? on_tie : y;
}

/* 1 / x, rounded to nearest on every device: OpenCL allows a division 2.5 units in the last place of error, 3 in the
 * embedded profile. */
static inline vfloat reciprocal(vfloat x) {
    const vfloat y = (vfloat)(1.0f) / x;
#ifdef EXACT_DIVIDE
    return y;
#else
    return refine_reciprocal(x, y);
#endif
}

/* z becomes 1 / (1 + exp(-z)), exp(-z) = q 2^n. The sum 1 + q 2^n is one fma, as exact as the sum with 2^n in the
 * exponent field because the product is; and a NaN in q stays one. */
INLINE void sigmoids(vfloat *z, const int count) {
    THE_VECTOR;
    const vfloat top = (vfloat)(Z_MAX), one = (vfloat)(1.0f);
    vfloat t[IN_STEP], q[IN_STEP];
    vint n[IN_STEP];
    EACH_VECTOR t[i] = z[i] > top ? top : z[i];
    EACH_VECTOR t[i] = t[i] < -top ? -top : t[i];
    EACH_VECTOR t[i] = -t[i];
    exp_powers(t, q, n, count);
    EACH_VECTOR t[i] = as_vfloat(SHIFT_LEFT(n[i], 23) + as_vint(one));
    EACH_VECTOR z[i] = reciprocal(fma(q[i], t[i], one));
}

static inline vfloat sigmoid(vfloat z) {
    sigmoids(&z, 1);
    return z;
}

/* log(1 + u) for 0 <= u <= 1, relative error below 2e-7.
 * 1 + u is brought into [sqrt(1/2), sqrt(2)) by halving where it is larger; log(1 + f) = f - f^2 / 2 + f^3 q(f), q a
 * minimax polynomial fitted to the relative error. */
static inline vfloat log_one_plus(vfloat u) {
    vint halve = u > (vfloat)(0.41421356f);
    vfloat f = halve ? (u - (vfloat)(1.0f)) * (vfloat)(0.5f) : u;
    vfloat q = (vfloat)(6.74674298e-2f);
    q = fma(q, f, (vfloat)(-1.16758319e-1f));
    q = fma(q, f, (vfloat)(1.18882152e-1f));
    q = fma(q, f, (vfloat)(-1.24055651e-1f));
    q = fma(q, f, (vfloat)(1.42195427e-1f));
    q = fma(q, f, (vfloat)(-1.66679967e-1f));
    q = fma(q, f, (vfloat)(2.00021191e-1f));
    q = fma(q, f, (vfloat)(-2.50000096e-1f));
    q = fma(q, f, (vfloat)(3.33333126e-1f));
    vfloat f2 = f * f;
    vfloat y = f * f2 * q;
    y = fma((vfloat)(-0.5f), f2, y);
    y = f + y;
    return halve ? y + (vfloat)(0.693147181f) : y;
}

/* log(1 + exp(z)) without overflow: the cross-entropy of target 0. */
static inline vfloat softplus(vfloat z) {
    vfloat t = z > (vfloat)(0.0f) ? -z : z;
    t = t > (vfloat)(-Z_MAX) ? t : (vfloat)(-Z_MAX);
    vfloat y = log_one_plus(exp_bounded(t));
    y = z > (vfloat)(0.0f) ? z + y : y;
    return z == z ? y : z;
}

/* log(x) for a normal x >= 1: the exponent times ln 2, and the significand's logarithm. */
static inline vfloat log_from_one(vfloat x) {
    const vint exponent = (as_vint(x) >> (vint)(23)) - (vint)(127);
    const vfloat significand = as_vfloat((as_vint(x) & (vint)(0x7FFFFF)) | (vint)(0x3F800000));
    /* an integer below 2^22 in the low bits of 1.5 * 2^23 is that float plus the integer */
    const vfloat n = as_vfloat(exponent + as_vint((vfloat)(12582912.0f))) - (vfloat)(12582912.0f);
    return fma(n, (vfloat)(0.693147181f), log_one_plus(significand - (vfloat)(1.0f)));
}

/* cos(pi t) for 0 <= t <= 1, absolute error below 2e-7: the Taylor polynomial of sin(a), a = pi (1/2 - t), of degree
 * 11. */
static inline vfloat cos_pi(vfloat t) {
    const vfloat a = ((vfloat)(0.5f) - t) * (vfloat)(3.14159265f), square = a * a;
    vfloat q = (vfloat)(-2.50521084e-8f);
    q = fma(q, square, (vfloat)(2.75573192e-6f));
    q = fma(q, square, (vfloat)(-1.98412698e-4f));
    q = fma(q, square, (vfloat)(8.33333333e-3f));
    q = fma(q, square, (vfloat)(-1.66666667e-1f));
    return fma(a * square, q, a);
}

/* sqrt(x) for x >= 0, relative error below 3e-7: x / sqrt(x) by Newton steps from an approximation that halves and
 * negates the exponent (D. Eberly, "Fast inverse square root revisited", 2010). Infinity gives NaN. */
static inline vfloat square_root(vfloat x) {
    vfloat y = as_vfloat((vint)(0x5F3759DF) - (as_vint(x) >> (vint)(1)));
    for (int i = 0; i < 3; i++) y = y * fma((vfloat)(-0.5f) * x * y, y, (vfloat)(1.5f));
    return x * y;
}

/* a / b for a normal b > 0 below 2^126, relative error below 2e-7: a times the reciprocal by Newton steps from an
 * approximation that negates the exponent. */
static inline vfloat quotient(vfloat a, vfloat b) {
    vfloat y = as_vfloat((vint)(0x7EF311C7) - as_vint(b));
    for (int i = 0; i < 4; i++) y = fma(y, fma(-b, y, (vfloat)(1.0f)), y);
    return a * y;
}
