/* The likeliest units of each row: of each group of units the n_top with the largest p.
 *
 *   P_g [n_rows, p_stride]       p of the groups' units, group after group, in [0, 1] or NaN
 *   offset_g [n_groups + 1]      where in a row each group begins
 *   unit_g [offset_g[n_groups]]  which unit stands at each place of a row
 *   units_g, top_g [n_rows, n_groups, n_top]   out: the unit, or -1, and its p, or NaN
 *
 * The order: larger p first, equal ones as they stand, NaN last. With needs_all NaN stands first, and a group where it
 * does gives -1 and NaN alone.
 *
 * LANES items, neighbours, share a group of a row; each has every LANES-th place, or vector of places. n_top times the
 * first in the order of all lanes is taken, and whose it was looks for its next. On GPUs lanes are items, which meet in
 * local memory; on CPUs there is one item, whose lanes are those of its vectors.
 *
 * Launch: dimension 0 covers the groups of the rows, ITEM_GROUPS an item, one after the other; WORK_GROUP items a
 * work-group. No macro changes a result.
 */
#ifndef LANES /* a power of two, at most WORK_GROUP */
#define LANES 1
#endif
#ifndef WORK_GROUP
#define WORK_GROUP 1
#endif
#ifndef ITEM_GROUPS
#define ITEM_GROUPS 1
#endif

#if WORK_GROUP % LANES != 0 || (LANES > 1 && UNIT_VECTOR > 1)
#error "LANES must divide WORK_GROUP, and are either items or a vector's"
#endif

#define NOBODY (-2.0f) /* keys are p, but for NaN: below all of them, */
#define NAN_LAST (-1.0f)
#define NAN_FIRST 2.0f /* or above */

typedef struct place {
    float key;
    int at;
} place;

static inline bool stands_before(place a, place b) {
    return a.key > b.key || (a.key == b.key && a.at < b.at);
}

/* Vectors of places, a lane each. */
typedef struct places {
    vfloat key;
    vint at;
} places;

/* Up to UNIT_VECTOR of n predictions; behind them NOBODY. */
static inline vfloat load_predictions(__global const float *p_g, int n) {
#if UNIT_VECTOR == 1
    return *p_g;
#else
    if (n >= UNIT_VECTOR) return JOIN(vload, UNIT_VECTOR)(0, p_g);
    vfloat p = (vfloat)(NOBODY);
    for (int u = 0; u < n; u++) ((float *)&p)[u] = p_g[u];
    return p;
#endif
}

/* The first of a lane's places that stand behind `last`. */
static inline places find_next(__global const float *p_g, int n, int lane, place last, float nan_key) {
    places found = {(vfloat)(NOBODY), (vint)(n)};
    vint at;
    EACH(u, UNIT_VECTOR)((int *)&at)[u] = lane * UNIT_VECTOR + u;
    for (int m = lane * UNIT_VECTOR; m < n; m += LANES * UNIT_VECTOR, at += (vint)(LANES * UNIT_VECTOR)) {
        const vfloat p = load_predictions(p_g + m, n - m);
        const vfloat key = p == p ? p : (vfloat)(nan_key);
        const vint is_behind = (key < (vfloat)(last.key)) | ((key == (vfloat)(last.key)) & (at > (vint)(last.at)));
        const vint is_better = is_behind & (key > found.key);
        found.key = is_better ? key : found.key;
        found.at = is_better ? at : found.at;
    }
    return found;
}

/* The first of all lanes; of WORK_GROUP places in local memory. */
static inline place first_of_lanes(places of_item, int item, __local place *places_l) {
#if LANES == 1
    place first = {NOBODY, 0};
    EACH(u, UNIT_VECTOR) {
        const place lane = {((const float *)&of_item.key)[u], ((const int *)&of_item.at)[u]};
        if (stands_before(lane, first)) first = lane;
    }
    return first;
#else
    const int lane = item % LANES;
    places_l[item].key = of_item.key;
    places_l[item].at = of_item.at;
    for (int half_of = LANES / 2; half_of > 0; half_of /= 2) {
        barrier(CLK_LOCAL_MEM_FENCE); /* publishes places_l of twice as many lanes */
        if (lane < half_of && stands_before(places_l[item + half_of], places_l[item]))
            places_l[item] = places_l[item + half_of];
    }
    barrier(CLK_LOCAL_MEM_FENCE); /* publishes the first */
    const place first = places_l[item - lane];
    barrier(CLK_LOCAL_MEM_FENCE); /* all have read before the next places overwrite */
    return first;
#endif
}

__kernel void top(__global const float *P_g, __global const int *offset_g, __global const int *unit_g,
                  __global int *units_g, __global float *top_g, int p_stride, int n_rows, int n_groups, int n_top,
                  int needs_all) {
    __local place places_l[WORK_GROUP];
    const int item = get_local_id(0), lane = item % LANES;
    const float nan_key = needs_all ? NAN_FIRST : NAN_LAST;
    for (int i = 0; i < ITEM_GROUPS; i++) {
        const size_t result = get_global_id(0) / LANES * ITEM_GROUPS + i, row = result / n_groups;
        const int group = result % n_groups, begin = offset_g[group];
        const int n = row < n_rows ? offset_g[group + 1] - begin : 0; /* none of rows that are not there */
        __global const float *p_g = P_g + row * p_stride + begin;
        place last = {INFINITY, -1};
        bool is_known = true;
        places next;
        for (int t = 0; t < n_top; t++) {
            if (t == 0 || last.at / UNIT_VECTOR % LANES == lane) next = find_next(p_g, n, lane, last, nan_key);
            last = first_of_lanes(next, item, places_l);
            is_known = is_known && last.key <= 1.0f;
            if (lane == 0 && n > 0) {
                units_g[result * n_top + t] = is_known ? unit_g[begin + last.at] : -1;
                top_g[result * n_top + t] = is_known && last.key >= 0.0f ? last.key : NAN;
            }
        }
    }
}
