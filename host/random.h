/* Random numbers as a function of who asks, not of when: a counter-based generator. */
#ifndef PLETHRON_RANDOM_H
#define PLETHRON_RANDOM_H

#include <stdint.h>

/* Philox4x32-10 (J. K. Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011): four independent 32-bit
 * numbers for each counter under a key. */
void random_numbers(const uint32_t counter[4], const uint32_t key[2], uint32_t out[4]);

/* What the numbers are drawn for: the last word of the counter, so that no two uses share numbers. */
enum random_use { RANDOM_START_WEIGHTS = 1 };

#endif
