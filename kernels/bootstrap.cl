/* Bootstrap replicates: each unit draws n_samples rows with replacement; how often a row was drawn is its count.
 *
 *   C_g  [y_stride, u_stride] bytes, zero before; four units' counts are a word. That a count passes 255 and spills
 * into its neighbour has a chance below 10^-300.
 *
 * The k-th draw is a function of the unit's seed and id: word k % 4 of Philox4x32-10 at counter (k / 4, id, use) under
 * the key `seed`. A word becomes a row by multiplying with n_samples and keeping the high half: rows differ in chance
 * by less than n_samples / 2^32.
 *
 * Launch: dimension 0 covers the units, one an item; dimension 1 the draws, DRAWS an item. Additions of integers give
 * the same counts in any order.
 */
#define DRAWS 64

__kernel void bootstrap(__global uint *C_g, __global const float *U_g, int n_samples, int n_units, int u_stride) {
    const int unit = get_global_id(0);
    if (unit >= n_units) return;
    __global const uint *words_g = (__global const uint *)U_g + unit;
    if (words_g[(size_t)UNIT_BOOTSTRAP * u_stride] == 0u) return;
    const uint key_0 = words_g[(size_t)UNIT_SEED * u_stride], key_1 = words_g[(size_t)(UNIT_SEED + 1) * u_stride];
    const uint id_0 = words_g[(size_t)UNIT_ID * u_stride], id_1 = words_g[(size_t)(UNIT_ID + 1) * u_stride];
    const uint one = 1u << (unit % 4 * 8); /* of this unit in its word, whose bytes ascend */
    const uint first = (uint)get_global_id(1) * DRAWS;
    const uint end = (uint)n_samples - first < DRAWS ? (uint)n_samples : first + DRAWS;
    for (uint k = first; k < end; k += 4) {
        const uint counter[4] = {k / 4, id_0, id_1, RANDOM_BOOTSTRAP};
        uint words[4];
        philox(counter, key_0, key_1, words);
        for (uint w = 0; w < 4 && k + w < end; w++)
            atomic_add(C_g + ((size_t)mul_hi(words[w], (uint)n_samples) * u_stride + unit) / 4, one);
    }
}
