/* The micro-kernels of ceilings_host.c for one instruction set: a template, included once a variant.
 *
 *   VARIANT          the name that the functions begin with: plain, avx2, avx512
 *   VARIANT_BYTES    bytes of the set's widest vector
 *   VARIANT_TARGET   the attribute that lets a function use the set; may be empty
 *
 * It has no guard on purpose and undefines its parameters. */
#if !defined(VARIANT) || !defined(VARIANT_BYTES) || !defined(VARIANT_TARGET)
#error "VARIANT, VARIANT_BYTES and VARIANT_TARGET must be defined"
#endif

#define JOIN_(a, b) a##_##b
#define JOIN(a, b) JOIN_(a, b)
#define LANES JOIN(VARIANT, lanes)

typedef float LANES __attribute__((vector_size(VARIANT_BYTES)));

enum { JOIN(VARIANT, n_lanes) = VARIANT_BYTES / sizeof(float) };

VARIANT_TARGET static float JOIN(VARIANT, fma_chains)(int n_steps) {
    LANES sum[CHAINS], factor, term;
    for (int lane = 0; lane < JOIN(VARIANT, n_lanes); lane++) {
        factor[lane] = 0.999f;
        term[lane] = 0.001f;
    }
    for (int c = 0; c < CHAINS; c++) sum[c] = term * (float)(c + 1);
    for (int step = 0; step < n_steps; step++) {
#pragma GCC unroll 12
        for (int c = 0; c < CHAINS; c++) sum[c] = sum[c] * factor + term; /* built with -ffp-contract=fast */
    }
    float total = 0.0f;
    for (int c = 0; c < CHAINS; c++)
        for (int lane = 0; lane < JOIN(VARIANT, n_lanes); lane++) total += sum[c][lane];
    return total;
}

/* Reads n floats, a multiple of READS vectors. */
VARIANT_TARGET static float JOIN(VARIANT, read_all)(const float *memory, size_t n) {
    const LANES *x = (const LANES *)(const void *)memory;
    const size_t n_vectors = n / JOIN(VARIANT, n_lanes);
    LANES sum[READS];
    memset(sum, 0, sizeof sum);
    for (size_t i = 0; i + READS <= n_vectors; i += READS) {
#pragma GCC unroll 8
        for (size_t r = 0; r < READS; r++) sum[r] += x[i + r];
    }
    float total = 0.0f;
    for (size_t r = 0; r < READS; r++) total += sum[r][0];
    return total;
}

static const ceiling_loops JOIN(VARIANT, loops) = {
    .lanes = JOIN(VARIANT, n_lanes),
    .fma_chains = JOIN(VARIANT, fma_chains),
    .read_all = JOIN(VARIANT, read_all),
};

#undef LANES
#undef JOIN
#undef JOIN_
#undef VARIANT
#undef VARIANT_BYTES
#undef VARIANT_TARGET
