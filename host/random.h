/* Random numbers as a function of who asks, not of when: kernels/random.cl for host code. */
#ifndef PLETHRON_RANDOM_H
#define PLETHRON_RANDOM_H

#include <stddef.h>
#include <stdint.h>

/* Four independent 32-bit numbers for each counter under a key. */
void random_numbers(const uint32_t counter[4], const uint32_t key[2], uint32_t out[4]);

/* What only the host draws, and the values of the like RANDOM_ macros in kernels/random.cl. */
enum random_use { RANDOM_FOR_START_WEIGHTS = 1, RANDOM_FOR_FOLDS = 4, RANDOM_FOR_PLANS = 5 };

/* Half the bits of the smallest even power of two that is n or more, at least 1. */
int random_half_bits(size_t n);

/* Place `i` of a permutation of 0 ... n - 1 that is a function of seed and use. */
size_t random_permuted(size_t i, size_t n, int64_t seed, enum random_use use);

#endif
