/* Kernels whose lanes are the samples of a tile, for one unit: ONE_UNIT 1.
 *
 * A vfloat holds UNIT_VECTOR neighbouring samples, VECTORS of them a tile. Sums over a tile's lanes are a fixed tree,
 * whatever the vector's width: lanes l and l + 8, then l + 4, l + 2, l + 1.
 */
#define VECTORS (TILE / UNIT_VECTOR)

#if !defined(COMPILED_AS_C) && TILE != 16 /* an enumeration there */
#error "the tree over the lanes is for tiles of 16 samples"
#endif

#if UNIT_VECTOR == 16
#define LANES ((vint)(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15))
#define SWAP_8(a) ((a).s89abcdef01234567)
#define SWAP_4(a) ((a).s45670123cdef89ab)
#define SWAP_2(a) ((a).s23016745ab89efcd)
#define SWAP_1(a) ((a).s1032547698badcfe)
#elif UNIT_VECTOR == 8
#define LANES ((vint)(0, 1, 2, 3, 4, 5, 6, 7))
#define SWAP_4(a) ((a).s45670123)
#define SWAP_2(a) ((a).s23016745)
#define SWAP_1(a) ((a).s10325476)
#elif UNIT_VECTOR == 4
#define LANES ((vint)(0, 1, 2, 3))
#define SWAP_2(a) ((a).s2301)
#define SWAP_1(a) ((a).s1032)
#elif UNIT_VECTOR == 2
#define LANES ((vint)(0, 1))
#define SWAP_1(a) ((a).s10)
#else
#define LANES ((vint)(0))
#endif

/* Adds lanes l and l + width, of a for lanes without the bit `width` and of b for those with it. */
#define FOLD(a, b, width)                                 \
    (((LANES & (vint)(width)) != (vint)(0) ? (b) : (a)) + \
     SWAP_##width((LANES & (vint)(width)) != (vint)(0) ? (a) : (b)))

/* The sum of a tile of values, in every lane. Spoils g. */
INLINE vfloat lane_sum(vfloat g[VECTORS]) {
    UNROLL for (int width = VECTORS / 2; width > 0; width /= 2) {
        EACH_OF(v, width, VECTORS / 2) g[v] += g[v + width];
    }
    vfloat sum = g[0];
#if UNIT_VECTOR >= 16
    sum += SWAP_8(sum);
#endif
#if UNIT_VECTOR >= 8
    sum += SWAP_4(sum);
#endif
#if UNIT_VECTOR >= 4
    sum += SWAP_2(sum);
#endif
#if UNIT_VECTOR >= 2
    sum += SWAP_1(sum);
#endif
    return sum;
}

/* The sums of n tiles of values, n a power of 2 and at most UNIT_VECTOR: that of g[f] in lane f, and again in every
 * n-th lane after it. Spoils g. */
#define FOLD_LANES(width)                                      \
    EACH(f, width) {                                           \
        if (n > (width))                                       \
            g[f][0] = FOLD(g[f][0], g[f + (width)][0], width); \
        else if (f < n)                                        \
            g[f][0] = g[f][0] + SWAP_##width(g[f][0]);         \
    }
INLINE vfloat lane_sums(vfloat g[UNIT_VECTOR][VECTORS], const int n) {
    UNROLL for (int width = VECTORS / 2; width > 0; width /= 2) {
        EACH_OF(v, width, VECTORS / 2) {
            EACH_OF(f, n, UNIT_VECTOR) g[f][v] += g[f][v + width];
        }
    }
#if UNIT_VECTOR >= 16
    FOLD_LANES(8)
#endif
#if UNIT_VECTOR >= 8
    FOLD_LANES(4)
#endif
#if UNIT_VECTOR >= 4
    FOLD_LANES(2)
#endif
#if UNIT_VECTOR >= 2
    FOLD_LANES(1)
#endif
    return g[0][0];
}
