#include "random.h"

#include "opencl_c.h"

#include "random.cl"

_Static_assert(RANDOM_FOR_START_WEIGHTS == RANDOM_START_WEIGHTS && RANDOM_FOR_FOLDS == RANDOM_FOLDS,
               "random.h repeats random.cl");

void random_numbers(const uint32_t counter[4], const uint32_t key[2], uint32_t out[4]) {
    philox(counter, key[0], key[1], out);
}

int random_half_bits(size_t n) {
    int half_bits = 1;
    while ((size_t)1 << (2 * half_bits) < n) half_bits++;
    return half_bits;
}

size_t random_permuted(size_t i, size_t n, int64_t seed, enum random_use use) {
    return permuted((uint)i, (uint)n, random_half_bits(n), (uint)seed, (uint)((uint64_t)seed >> 32), (uint)use, 0);
}
