/* A block of rows that UNITS_AT_ONCE units share, as the strategy `grouped` works on it on CPUs: what is loaded of X
 * serves all of them. Slots, and the order of all sums: grouped_block.cl. The units' slots lie one behind the other.
 *
 * CPUs alone run this.
 */
#if SHARED_ROWS

#if LOCAL_MEMORY || UNIT_VECTOR < 8
#error "SHARED_ROWS needs vectors of 8 or 16 lanes"
#endif

/* Tiles whose z, and features whose sums are in registers at once: of as many vectors, three quarters of all. */
#define REGISTERS (UNIT_VECTOR == 16 ? 24 : 12)
#define VECTORS_OF(n) ((n)*UNITS_AT_ONCE * VECTORS)
#define SHARED_AT_ONCE \
    (VECTORS_OF(8) <= REGISTERS ? 8 : VECTORS_OF(4) <= REGISTERS ? 4 : VECTORS_OF(2) <= REGISTERS ? 2 : 1)

/* z of the block's rows; behind the last tile it is the last one's again, which is not stored. */
static inline void predict_shared(unit_features x, __global float *slots_g, int n_tiles, int n_features) {
    const size_t slot = SLOT(n_features);
    for (int tile = 0; tile < n_tiles; tile += SHARED_AT_ONCE) {
        __global const stored *x_g[SHARED_AT_ONCE];
        vfloat z[SHARED_AT_ONCE][UNITS_AT_ONCE][VECTORS];
        EACH(t, SHARED_AT_ONCE) x_g[t] = x.x_g + (size_t)min(tile + t, n_tiles - 1) * n_features * TILE;
        EACH(u, UNITS_AT_ONCE) {
            const vfloat bias = (vfloat)(slots_g[u * slot + SLOT_WEIGHTS + SLOT_BIAS(n_features)]);
            EACH(t, SHARED_AT_ONCE) EACH(v, VECTORS) z[t][u][v] = bias;
        }
        for (int k = 0; k < n_features; k++) {
            vfloat w[UNITS_AT_ONCE];
            EACH(u, UNITS_AT_ONCE) w[u] = (vfloat)(slots_g[u * slot + SLOT_WEIGHTS + k]);
            EACH(t, SHARED_AT_ONCE) PREFETCH_FAR(x_g[t] + FAR_BYTES / sizeof(stored) + k * TILE);
            EACH(t, SHARED_AT_ONCE) EACH(v, VECTORS) {
                const vfloat x_v = VALUE_VECTOR(x_g[t] + k * TILE + v * UNIT_VECTOR, x.steps_g + k * STEP);
                EACH(u, UNITS_AT_ONCE) z[t][u][v] = fma(x_v, w[u], z[t][u][v]);
            }
        }
        EACH(t, SHARED_AT_ONCE) {
            __global float *z_g = slots_g + SLOT_DELTAS + (tile + t) * TILE;
            if (tile + t < n_tiles)
                EACH(u, UNITS_AT_ONCE) EACH(v, VECTORS) STORE(__global, z_g + u * slot + v * UNIT_VECTOR, z[t][u][v]);
        }
    }
}

/* The lanes' sums of SHARED_AT_ONCE features from k on, some of which may be padding. */
static inline void sum_lanes(unit_features x, __global const float *slots_g, int n_tiles, int n_features, int k,
                             vfloat g[SHARED_AT_ONCE][UNITS_AT_ONCE][VECTORS]) {
    const size_t slot = SLOT(n_features);
    EACH(f, SHARED_AT_ONCE) EACH(u, UNITS_AT_ONCE) EACH(v, VECTORS) g[f][u][v] = (vfloat)(0.0f);
    for (int t = 0; t < n_tiles; t++) {
        __global const stored *x_g = x.x_g + ((size_t)t * n_features + k) * TILE;
        __global const float *r_g = slots_g + SLOT_DELTAS + t * TILE;
        EACH(v, VECTORS) {
            vfloat r[UNITS_AT_ONCE];
            EACH(u, UNITS_AT_ONCE) r[u] = LOAD(__global, r_g + u * slot + v * UNIT_VECTOR);
            EACH(f, SHARED_AT_ONCE) {
                const vfloat x_v = VALUE_VECTOR(x_g + f * TILE + v * UNIT_VECTOR, x.steps_g + (k + f) * STEP);
                EACH(u, UNITS_AT_ONCE) g[f][u][v] = fma(x_v, r[u], g[f][u][v]);
            }
        }
    }
}

static inline void sum_bias(__global float *slots_g, int n_tiles, int n_features, bool is_first) {
    for (int u = 0; u < UNITS_AT_ONCE; u++, slots_g += SLOT(n_features)) {
        vfloat b[VECTORS];
        EACH(v, VECTORS) b[v] = (vfloat)(0.0f);
        for (int t = 0; t < n_tiles; t++)
            EACH(v, VECTORS) b[v] += LOAD(__global, slots_g + SLOT_DELTAS + t * TILE + v * UNIT_VECTOR);
        add_sums(slots_g + SLOT_SUMS(n_features) + SLOT_BIAS(n_features), lane_sum(b), is_first);
    }
}

/* The block's gradient sums are stored in the slots, or added to those of the blocks before. */
static inline void sum_shared(unit_features x, __global float *slots_g, int n_tiles, int n_features, bool is_first) {
    for (int k0 = 0; k0 < n_features; k0 += UNIT_VECTOR) {
        vfloat lanes[UNITS_AT_ONCE][UNIT_VECTOR][VECTORS];
        for (int f0 = 0; f0 < UNIT_VECTOR; f0 += SHARED_AT_ONCE) {
            vfloat g[SHARED_AT_ONCE][UNITS_AT_ONCE][VECTORS];
            sum_lanes(x, slots_g, k0 + f0 < n_features ? n_tiles : 0, n_features, k0 + f0, g);
            EACH(f, SHARED_AT_ONCE) EACH(u, UNITS_AT_ONCE) EACH(v, VECTORS) lanes[u][f0 + f][v] = g[f][u][v];
        }
        for (int u = 0; u < UNITS_AT_ONCE; u++)
            add_sums(slots_g + u * (size_t)SLOT(n_features) + SLOT_SUMS(n_features) + k0,
                     lane_sums(lanes[u], UNIT_VECTOR), is_first);
    }
    sum_bias(slots_g, n_tiles, n_features, is_first);
}

#endif
