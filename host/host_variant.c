/* Which variant of the host's compiled loops and kernels this processor runs (cmake/host_loops.cmake). */
#include "host_kernels.h"
#include "host_loops.h"

#include <stdbool.h>

#ifdef PLETHRON_X86_VARIANTS
static bool has_avx512(void) {
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") &&
           __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512bw");
}

static bool has_avx2(void) {
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
}
#endif

const host_loops *host_loops_best(void) {
#ifdef PLETHRON_X86_VARIANTS
    if (has_avx512()) return &host_loops_avx512;
    if (has_avx2()) return &host_loops_avx2;
#endif
    return &host_loops_plain;
}

const host_kernel *host_kernels_best(void) {
#ifdef PLETHRON_X86_VARIANTS
    if (has_avx512()) return host_kernels_avx512;
    if (has_avx2()) return host_kernels_avx2;
#endif
    return host_kernels_plain;
}
