/* What a stored feature is worth, as a float: nothing else is computed with.
 *
 *   STORAGE_F32    the float itself
 *   STORAGE_F16    IEEE 754 binary16
 *   STORAGE_BF16   the upper half of a float
 *   STORAGE_U8     fma(byte, scale, offset)
 *
 *   X_g        tiles [n_tiles][n_features][TILE] of `stored`, and padding (tile.cl)
 *   steps_g    with STORAGE_U8 scale and offset of each feature, [n_features, 2] and padding, where units have ranges
 *              [n_ranges, n_features, 2]; else one element, which is not read
 *
 * In OpenCL kernels STORAGE is a constant. Compiled as C, the kernels have floats: host/host_loops.c decodes for them.
 */
#define STORAGE_F32 0 /* the values of plethron_storage */
#define STORAGE_F16 1
#define STORAGE_BF16 2
#define STORAGE_U8 3

#ifndef STORAGE
#define STORAGE STORAGE_F32
#endif

#define STEP 2 /* floats of a feature in steps_g */

/* The value at a pointer; `step_g` points at its feature's scale. */
#define VALUE_F32(x_g, step_g) ((void)(step_g), *(x_g))
#define VALUE_F16(x_g, step_g) ((void)(step_g), vload_half(0, x_g))
#define VALUE_BF16(x_g, step_g) ((void)(step_g), as_float((uint)(*(x_g)) << 16))
#define VALUE_U8(x_g, step_g) fma((float)*(x_g), (step_g)[0], (step_g)[1])

/* n values, 2 or more, that lie together at a multiple of n; of one feature. Loaded as a vector: what vload makes of
 * bytes is sixteen loads on PoCL. */
#define LOAD_VALUES(type, n, x_g) (*(__global const JOIN(type, n) *)(x_g))
#define VALUES_F32(n, x_g, step_g) LOAD_VALUES(float, n, x_g)
#define VALUES_F16(n, x_g, step_g) JOIN(vloada_half, n)(0, x_g)
#define VALUES_BF16(n, x_g, step_g) \
    JOIN(as_float, n)(JOIN(convert_uint, n)(LOAD_VALUES(ushort, n, x_g)) << (JOIN(uint, n))(16))
#define VALUES_U8(n, x_g, step_g)                                                          \
    fma(JOIN(convert_float, n)(LOAD_VALUES(uchar, n, x_g)), (JOIN(float, n))((step_g)[0]), \
        (JOIN(float, n))((step_g)[1]))

#if STORAGE == STORAGE_F32
typedef float stored;
#define VALUE VALUE_F32
#define VALUES VALUES_F32
#elif STORAGE == STORAGE_F16
typedef half stored;
#define VALUE VALUE_F16
#define VALUES VALUES_F16
#elif STORAGE == STORAGE_BF16
typedef ushort stored;
#define VALUE VALUE_BF16
#define VALUES VALUES_BF16
#elif STORAGE == STORAGE_U8
typedef uchar stored;
#define VALUE VALUE_U8
#define VALUES VALUES_U8
#else
#error "STORAGE must be 0, 1, 2 or 3"
#endif

/* UNIT_VECTOR values. */
#if UNIT_VECTOR == 1
#define VALUE_VECTOR VALUE
#else
#define VALUE_VECTOR(x_g, step_g) VALUES(UNIT_VECTOR, x_g, step_g)
#endif
