/* The ceilings of this machine's cores, for the device `host`: the same measurements in C with OpenMP, by the best
 * variant of ceilings_loops.h that the processor runs. The file is built with contraction on (CMakeLists.txt), so that
 * a product and a sum become an fma where there is one. */
#include "ceilings.h"

#include <stdlib.h>
#include <string.h>

#ifdef _OPENMP
#include <omp.h>
#endif

enum { CHAINS = 12, READS = 8, MIN_STEPS = 1 << 10, MAX_STEPS = 1 << 26, MEMORY_PARTS = 64, MAX_VECTOR_BYTES = 64 };

typedef struct ceiling_loops {
    int lanes; /* floats of a vector */
    float (*fma_chains)(int n_steps);
    float (*read_all)(const float *memory, size_t n); /* n floats: a multiple of READS vectors */
} ceiling_loops;

#define VARIANT plain
#define VARIANT_BYTES 16
#define VARIANT_TARGET
#include "ceilings_loops.h"

#ifdef PLETHRON_X86_VARIANTS
#define VARIANT avx2
#define VARIANT_BYTES 32
#define VARIANT_TARGET __attribute__((target("avx2,fma")))
#include "ceilings_loops.h"

#define VARIANT avx512
#define VARIANT_BYTES 64
#define VARIANT_TARGET __attribute__((target("avx512f")))
#include "ceilings_loops.h"
#endif

static const ceiling_loops *best_loops(void) {
#ifdef PLETHRON_X86_VARIANTS
    if (__builtin_cpu_supports("avx512f")) return &avx512_loops;
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return &avx2_loops;
#endif
    return &plain_loops;
}

static int n_cores(void) {
#ifdef _OPENMP
    return omp_get_max_threads();
#else
    return 1;
#endif
}

/* Takes what the loops computed, so that they cannot be left out. */
static volatile float sink;

static double time_fma(const ceiling_loops *loops, int n_steps) {
    float total = 0.0f;
    const double start_s = ceilings_clock_s();
#pragma omp parallel reduction(+ : total)
    total += loops->fma_chains(n_steps);
    const double seconds = ceilings_clock_s() - start_s;
    sink = total;
    return seconds;
}

/* The shortest of three: other work on the cores must not pass for the loop's own time. */
static double shortest_fma(const ceiling_loops *loops, int n_steps) {
    double shortest_s = time_fma(loops, n_steps);
    for (int repeat = 1; repeat < 3; repeat++) {
        const double seconds = time_fma(loops, n_steps);
        if (seconds < shortest_s) shortest_s = seconds;
    }
    return shortest_s;
}

static void measure_fma(const ceilings_effort *effort, const ceiling_loops *loops, plethron_ceilings *out) {
    int n_steps = MIN_STEPS;
    while (n_steps < MAX_STEPS && shortest_fma(loops, n_steps) < effort->seconds) n_steps *= 2;
    for (int repeat = 0; repeat < effort->n_repeats; repeat++) {
        const double rate = 2.0 * loops->lanes * CHAINS * (double)n_steps * n_cores() / time_fma(loops, n_steps);
        if (rate > out->fma_flops_per_s) out->fma_flops_per_s = rate;
    }
}

static void measure_read(const ceilings_effort *effort, const ceiling_loops *loops, float *memory, size_t n_bytes,
                         plethron_ceilings *out) {
    const size_t part_bytes = n_bytes / MEMORY_PARTS / (READS * MAX_VECTOR_BYTES) * (READS * MAX_VECTOR_BYTES);
    const size_t part = part_bytes / sizeof(float);
    for (int repeat = 0; repeat < effort->n_repeats; repeat++) {
        float total = 0.0f;
        const double start_s = ceilings_clock_s();
#pragma omp parallel for reduction(+ : total) schedule(dynamic)
        for (size_t i = 0; i < MEMORY_PARTS; i++) total += loops->read_all(memory + i * part, part);
        const double rate = (double)(part_bytes * MEMORY_PARTS) / (ceilings_clock_s() - start_s);
        sink = total;
        if (rate > out->read_bytes_per_s) out->read_bytes_per_s = rate;
    }
}

/* What starts all cores on a loop is the host's launch; the host waits for each. */
static void measure_launches(const ceilings_effort *effort, plethron_ceilings *out) {
    for (int repeat = 0; repeat < effort->n_repeats; repeat++) {
        const double start_s = ceilings_clock_s();
        for (int i = 0; i < effort->n_launches; i++) {
#pragma omp parallel
            sink = 0.0f;
        }
        const double seconds = (ceilings_clock_s() - start_s) / effort->n_launches;
        if (repeat == 0 || seconds < out->launch_s) out->launch_s = seconds;
    }
    out->batched_launch_s = out->launch_s;
}

/* An upload to the host is a copy in memory. */
static void measure_copies(const ceilings_effort *effort, char *memory, size_t n_bytes, plethron_ceilings *out) {
    for (int repeat = 0; repeat < effort->n_repeats; repeat++) {
        const double start_s = ceilings_clock_s();
        memcpy(memory, memory + n_bytes, n_bytes);
        const double rate = (double)n_bytes / (ceilings_clock_s() - start_s);
        if (rate > out->upload_bytes_per_s) out->upload_bytes_per_s = rate;
    }
    out->download_bytes_per_s = out->upload_bytes_per_s;
}

plethron_status ceilings_measure_host(const ceilings_effort *effort, plethron_ceilings *out, plethron_error *err) {
    void *memory = NULL;
    const ceiling_loops *loops = best_loops();
    const size_t n_bytes = effort->read_bytes > 2 * effort->copy_bytes ? effort->read_bytes : 2 * effort->copy_bytes;
    plethron_status status = memory_allocate(n_bytes, 1, "the memory to be read", &memory, err);
    if (status != PLETHRON_OK) return status;
    memset(memory, 1, n_bytes); /* memory that was never written is not there yet */
    measure_fma(effort, loops, out);
    measure_read(effort, loops, memory, n_bytes, out);
    measure_launches(effort, out);
    measure_copies(effort, memory, effort->copy_bytes, out);
    free(memory);
    return PLETHRON_OK;
}
