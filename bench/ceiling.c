#include "ceiling.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* As wide as the widest vectors of today's CPUs; compilers split it where they are narrower. */
typedef float lanes __attribute__((vector_size(64)));

enum {
    CHAINS = 12,            /* independent sums: more than latency x units of any core, fewer than its registers */
    FMA_STEPS = 1 << 22,    /* a core: some tens of milliseconds */
    READ_BYTES = 256 << 20, /* beyond every cache */
    REPEATS = 5             /* the best counts: a ceiling is what is possible */
};

double clock_s(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

/* CHAINS independent chains of fma; returns a value that depends on all of them, so that none is left out. */
static float fma_chains(void) {
    lanes sum[CHAINS], factor, term;
    for (int lane = 0; lane < 16; lane++) {
        factor[lane] = 0.999f;
        term[lane] = 0.001f;
    }
    for (int c = 0; c < CHAINS; c++) sum[c] = term * (float)(c + 1);
    for (int step = 0; step < FMA_STEPS; step++)
#pragma GCC unroll 12
        for (int c = 0; c < CHAINS; c++) sum[c] = sum[c] * factor + term; /* built with -ffp-contract=fast */
    float total = 0.0f;
    for (int c = 0; c < CHAINS; c++)
        for (int lane = 0; lane < 16; lane++) total += sum[c][lane];
    return total;
}

double ceiling_fma_flops(void) {
    double best = 0.0;
    float total = 0.0f;
    for (int repeat = 0; repeat < REPEATS; repeat++) {
        int n_threads = 0;
        const double start_s = clock_s();
#pragma omp parallel reduction(+ : total, n_threads)
        {
            total += fma_chains();
            n_threads++;
        }
        if (n_threads == 0) n_threads = 1;
        const double rate = 2.0 * 16 * CHAINS * (double)FMA_STEPS * n_threads / (clock_s() - start_s);
        if (rate > best) best = rate;
    }
    return total > 0.0f ? best : 0.0;
}

double ceiling_read_bytes(void) {
    const size_t n = READ_BYTES / sizeof(lanes);
    lanes *memory = aligned_alloc(64, READ_BYTES);
    double best = 0.0;
    float total = 1.0f;
    if (!memory) return 0.0;
    memset(memory, 0, READ_BYTES);
    for (int repeat = 0; repeat < REPEATS; repeat++) {
        const double start_s = clock_s();
#pragma omp parallel for reduction(+ : total)
        for (size_t part = 0; part < 64; part++) {
            lanes sum[4] = {{0}};
            for (size_t i = part * n / 64; i + 4 <= (part + 1) * n / 64; i += 4)
                for (size_t c = 0; c < 4; c++) sum[c] += memory[i + c];
            total += sum[0][0] + sum[1][0] + sum[2][0] + sum[3][0];
        }
        const double rate = READ_BYTES / (clock_s() - start_s);
        if (rate > best) best = rate;
    }
    free(memory);
    return total > 0.0f ? best : 0.0;
}
