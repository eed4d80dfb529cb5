/* Random numbers as a function of who asks, not of when: a counter-based generator, the same in kernels and in host
 * code (host/random.c). */

/* What the numbers are drawn for: the last word of the counter, so that no two uses share numbers. */
#define RANDOM_START_WEIGHTS 1u
#define RANDOM_BOOTSTRAP 2u
#define RANDOM_ORDER 3u
#define RANDOM_FOLDS 4u

/* Multipliers and key steps of the paper; the steps are the golden ratio and sqrt(3) - 1. */
#define PHILOX_MULTIPLIER_0 0xD2511F53u
#define PHILOX_MULTIPLIER_1 0xCD9E8D57u
#define PHILOX_KEY_STEP_0 0x9E3779B9u
#define PHILOX_KEY_STEP_1 0xBB67AE85u
#define PHILOX_ROUNDS 10

/* Philox4x32-10 (J. K. Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011): four independent 32-bit
 * numbers for each counter under a key. */
static inline void philox(const uint counter[4], uint key_0, uint key_1, uint out[4]) {
    uint c0 = counter[0], c1 = counter[1], c2 = counter[2], c3 = counter[3];
    for (int round = 0; round < PHILOX_ROUNDS; round++) {
        const uint high_0 = mul_hi(PHILOX_MULTIPLIER_0, c0), low_0 = PHILOX_MULTIPLIER_0 * c0;
        const uint high_1 = mul_hi(PHILOX_MULTIPLIER_1, c2), low_1 = PHILOX_MULTIPLIER_1 * c2;
        c0 = high_1 ^ c1 ^ key_0;
        c1 = low_1;
        c2 = high_0 ^ c3 ^ key_1;
        c3 = low_0;
        key_0 += PHILOX_KEY_STEP_0;
        key_1 += PHILOX_KEY_STEP_1;
    }
    out[0] = c0;
    out[1] = c1;
    out[2] = c2;
    out[3] = c3;
}

/* Place `x` of a permutation of 0 ... n - 1, a function of seed and epoch: a Feistel network of 8 rounds over two
 * halves of half_bits bits, 2^(2 half_bits) >= n; a number that falls outside is sent through again until it falls
 * inside (cycle walking: J. Black, P. Rogaway, "Ciphers with arbitrary finite domains", CT-RSA 2002). A round mixes
 * with a key by the finaliser of MurmurHash3 (A. Appleby). */
#define FEISTEL_ROUNDS 8
static inline uint permuted(uint x, uint n, int half_bits, uint seed_low, uint seed_high, uint use, uint epoch) {
    const uint mask = (1u << half_bits) - 1u;
    uint keys[FEISTEL_ROUNDS];
    for (uint part = 0; part < FEISTEL_ROUNDS / 4; part++) {
        const uint counter[4] = {epoch, part, 0, use};
        philox(counter, seed_low, seed_high, keys + 4 * part);
    }
    do {
        uint left = x >> half_bits, right = x & mask;
        for (int round = 0; round < FEISTEL_ROUNDS; round++) {
            uint h = right ^ keys[round];
            h = (h ^ (h >> 16)) * 0x85EBCA6Bu;
            h = (h ^ (h >> 13)) * 0xC2B2AE35u;
            h ^= h >> 16;
            const uint mixed = left ^ (h & mask);
            left = right;
            right = mixed;
        }
        x = left << half_bits | right;
    } while (x >= n);
    return x;
}
