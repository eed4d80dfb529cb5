/* What a device can do at most, for host/ceilings.c. Nothing here depends on the device but the sizes below.
 *
 *   fma_chains   CHAINS independent chains of fma an item, n_steps long; out_g [items] takes a value that depends on
 * all read_all     every item reads n_steps x READS vectors: item i those at i * item_step + (s * READS + r) * stride.
 *                item_step 1 and stride = items: neighbours read neighbouring vectors, as GPUs want it.
 *                stride 1 and item_step = n_steps x READS: an item reads one piece, as CPUs want it.
 *   nothing      an empty kernel
 *
 * Launch: dimension 0 covers the items.
 */
#ifndef CHAINS /* more than the latency of an fma times the fma begun a cycle, and few enough for registers: 1 to 32 \
                */
#define CHAINS 8
#endif
#ifndef READS /* loads in flight: 1 to 16 */
#define READS 4
#endif
#if CHAINS < 1 || CHAINS > 32 || READS < 1 || READS > 16
#error "CHAINS must be 1 to 32 and READS 1 to 16"
#endif

static inline float lanes_total(vfloat value) {
    const float *lane = (const float *)&value;
    float total = 0.0f;
    for (int c = 0; c < UNIT_VECTOR; c++) total += lane[c];
    return total;
}

__kernel void fma_chains(__global float *out_g, int n_steps) {
    const vfloat factor = (vfloat)(0.999f), term = (vfloat)(0.001f);
    vfloat sum[CHAINS];
#pragma unroll
    for (int c = 0; c < CHAINS; c++) sum[c] = (vfloat)(0.5f + 0.01f * (float)c);
    for (int step = 0; step < n_steps; step++) {
#pragma unroll
        for (int c = 0; c < CHAINS; c++) sum[c] = fma(sum[c], factor, term);
    }
    vfloat all = (vfloat)(0.0f);
#pragma unroll
    for (int c = 0; c < CHAINS; c++) all += sum[c];
    out_g[get_global_id(0)] = lanes_total(all);
}

__kernel void read_all(__global const float *X_g, __global float *out_g, int n_steps, int item_step, int stride) {
    __global const vfloat *x_g = (__global const vfloat *)X_g + (size_t)get_global_id(0) * item_step;
    vfloat sum[READS];
#pragma unroll
    for (int r = 0; r < READS; r++) sum[r] = (vfloat)(0.0f);
    for (int step = 0; step < n_steps; step++) {
#pragma unroll
        for (int r = 0; r < READS; r++) sum[r] += x_g[((size_t)step * READS + r) * stride];
    }
    vfloat all = (vfloat)(0.0f);
#pragma unroll
    for (int r = 0; r < READS; r++) all += sum[r];
    out_g[get_global_id(0)] = lanes_total(all);
}

__kernel void nothing(void) {}
