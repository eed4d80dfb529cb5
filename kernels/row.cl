/* What a row means to a unit: its target, its weight, its delta, its loss. Written once; every strategy includes it,
 * the host's C loops too (see arithmetic.cl).
 *
 * A row's weight is  sample weight x class weight x bootstrap count,  and 0 in the unit's excluded fold and where its
 * target is missing. Factors that a unit does not have are 1, so `uses` (unit.cl) changes no bit.
 */

/* Arguments of each kernel that reads rows, and the struct that carries them:
 *   Y_g [n_targets, y_stride]   targets              S_g [n_columns, y_stride]   sample weights
 *   F_g [y_stride]              fold of a row        C_g [y_stride, u_stride]    bootstrap counts
 *   row_g [y_stride]            with USE_SHUFFLE: where the row in this place of X_g stands in all the others
 *   U_g [UNIT_FIELDS, u_stride] the units (unit.cl)
 * What is not used is a buffer of one element. */
#define ROW_PARAMETERS                                                                                          \
    __global const float *Y_g, __global const float *S_g, __global const uchar *F_g, __global const uchar *C_g, \
        __global const int *row_g, __global const float *U_g, int y_stride, int u_stride, int uses_given
#define ROW_SOURCES \
    { Y_g, S_g, F_g, C_g, row_g, U_g, (size_t)y_stride, u_stride, USES_OR(uses_given) }

typedef struct row_sources {
    __global const float *Y_g;
    __global const float *S_g;
    __global const uchar *F_g;
    __global const uchar *C_g;
    __global const int *row_g;
    __global const float *U_g;
    size_t y_stride;
    int u_stride;
    int uses;
} row_sources;

/* What rows need to know of the units: of unit ... unit + UNIT_VECTOR - 1 where lanes are units, of one unit in all
 * lanes where lanes are rows. */
typedef struct row_units {
    int unit;
    int target; /* of all units, without USE_MANY_TARGETS */
    vint loss;
    vfloat excluded_fold;
    vint bootstrap;
    vfloat positive_class;
    vfloat weight_negative;
    vfloat weight_positive;
} row_units;

/* One row as the units see it, or a row a lane as one unit sees them. */
typedef struct row_view {
    vfloat y;      /* the target, in [0, 1] */
    vfloat weight; /* without class weights, 0 where the row is not trained on */
    vfloat held;   /* the row's weight in the held-out fold, 0 outside it */
} row_view;

static inline row_units row_units_load(const row_sources *from, int unit) {
    __global const float *U_g = from->U_g;
    const int u_stride = from->u_stride;
    row_units units;
    units.unit = unit;
    units.target = ((__global const int *)U_g)[(size_t)UNIT_TARGET * u_stride];
    units.loss = UNIT_INTEGERS(UNIT_LOSS, unit);
    units.positive_class = UNIT_VALUES(UNIT_POSITIVE_CLASS, unit);
    units.excluded_fold = (vfloat)(-1.0f);
    if (from->uses & USE_FOLDS) units.excluded_fold = TO_VFLOAT(UNIT_INTEGERS(UNIT_EXCLUDED_FOLD, unit));
    units.bootstrap = from->uses & USE_BOOTSTRAP ? UNIT_INTEGERS(UNIT_BOOTSTRAP, unit) : (vint)(0);
    units.weight_negative = from->uses & USE_CLASS_WEIGHTS ? UNIT_VALUES(UNIT_WEIGHT_NEGATIVE, unit) : (vfloat)(1.0f);
    units.weight_positive = from->uses & USE_CLASS_WEIGHTS ? UNIT_VALUES(UNIT_WEIGHT_POSITIVE, unit) : (vfloat)(1.0f);
    return units;
}

/* y as the unit sees it: value == positive_class for a class against the rest, the value itself for class -1. Class
 * codes are whole numbers, so different codes are at least 1 apart; the difference is bounded instead of compared
 * because a comparison that chooses between constants becomes a masked load, which costs hundreds of cycles on some
 * CPUs. */
static inline vfloat row_target(vfloat value, vfloat positive_class) {
    vfloat is_class = (vfloat)(1.0f) - fmin(fabs(value - positive_class), (vfloat)(1.0f));
    return positive_class < (vfloat)(0.0f) ? value : is_class;
}

/* Where the row in this place of X_g stands in everything else. */
static inline size_t row_at(const row_sources *from, int place) {
    return from->uses & USE_SHUFFLE ? (size_t)from->row_g[place] : (size_t)place;
}

/* What belongs to the row in a place: of M_g [.., y_stride] the row given by `field` of the units, or one for all; a
 * byte a row; the bootstrap's counts. With ONE_UNIT the lanes are UNIT_VECTOR places from this one on; else they share
 * it. */
#if ONE_UNIT
static inline vfloat row_values_of(const row_sources *from, __global const float *M_g, int row, int place) {
    __global const float *values_g = M_g + (size_t)row * from->y_stride;
    if (!(from->uses & USE_SHUFFLE)) return LOAD(__global, values_g + place);
    vfloat value = (vfloat)(0.0f);
    float *lane = (float *)&value;
    EACH(c, UNIT_VECTOR) lane[c] = values_g[row_at(from, place + c)];
    return value;
}

static inline vfloat row_values(const row_sources *from, __global const float *M_g, int field, int unit, int place) {
    const int row = ((__global const int *)from->U_g)[(size_t)field * from->u_stride + unit];
    return row < 0 ? (vfloat)(1.0f) : row_values_of(from, M_g, row, place);
}

/* Bytes that lie `stride` apart. */
static inline vfloat row_bytes(const row_sources *from, __global const uchar *bytes_g, size_t stride, int place) {
    vfloat value = (vfloat)(0.0f);
    float *lane = (float *)&value;
    EACH(c, UNIT_VECTOR) lane[c] = (float)bytes_g[row_at(from, place + c) * stride];
    return value;
}

static inline vfloat row_folds(const row_sources *from, int place) {
    return from->uses & USE_SHUFFLE ? row_bytes(from, from->F_g, 1, place) : LOAD_BYTES(from->F_g + place);
}

static inline vfloat row_counts(const row_sources *from, int unit, int place) {
    return row_bytes(from, from->C_g + unit, (size_t)from->u_stride, place);
}
#else
static inline vfloat row_values_of(const row_sources *from, __global const float *M_g, int row, int place) {
    return (vfloat)(M_g[(size_t)row * from->y_stride + row_at(from, place)]);
}

static inline vfloat row_values(const row_sources *from, __global const float *M_g, int field, int unit, int place) {
    vfloat value = (vfloat)(1.0f);
    float *lane = (float *)&value;
    __global const int *column_g = (__global const int *)from->U_g + (size_t)field * from->u_stride + unit;
    const size_t i = row_at(from, place);
#pragma unroll
    for (int c = 0; c < UNIT_VECTOR; c++)
        if (column_g[c] >= 0) lane[c] = M_g[(size_t)column_g[c] * from->y_stride + i];
    return value;
}

static inline vfloat row_folds(const row_sources *from, int place) {
    return (vfloat)((float)from->F_g[row_at(from, place)]);
}

static inline vfloat row_counts(const row_sources *from, int unit, int place) {
    return LOAD_BYTES(from->C_g + row_at(from, place) * (size_t)from->u_stride + unit);
}
#endif

/* A row from what it is made of; fold and count are read only where `uses` says so. */
INLINE void row_of(const row_sources *from, const row_units *units, vfloat value, vfloat weight, vfloat fold,
                   vfloat count, row_view *row) {
    row->weight = weight;
    if (from->uses & USE_MISSING) {
        row->weight = value == value ? row->weight : (vfloat)(0.0f);
        value = value == value ? value : (vfloat)(0.0f);
    }
    row->y = row_target(value, units->positive_class);
    row->held = (vfloat)(0.0f);
    if (from->uses & USE_FOLDS) {
        row->held = fold == units->excluded_fold ? row->weight : (vfloat)(0.0f);
        row->weight = fold == units->excluded_fold ? (vfloat)(0.0f) : row->weight;
    }
    if (from->uses & USE_BOOTSTRAP) row->weight = units->bootstrap == (vint)(1) ? row->weight * count : row->weight;
}

/* The row in this place; with ONE_UNIT those in the places place ... place + UNIT_VECTOR - 1, in the order of X_g. */
INLINE void row_read(const row_sources *from, const row_units *units, int place, row_view *row) {
    const vfloat value = from->uses & USE_MANY_TARGETS ? row_values(from, from->Y_g, UNIT_TARGET, units->unit, place)
                                                       : row_values_of(from, from->Y_g, units->target, place);
    vfloat weight = (vfloat)(1.0f), fold = (vfloat)(0.0f), count = (vfloat)(1.0f);
    if (from->uses & USE_ROW_WEIGHTS) weight = row_values(from, from->S_g, UNIT_WEIGHT_COLUMN, units->unit, place);
    if (from->uses & USE_FOLDS) fold = row_folds(from, place);
    if (from->uses & USE_BOOTSTRAP) count = row_counts(from, units->unit, place);
    row_of(from, units, value, weight, fold, count, row);
}

/* The same, for kernels that read rows in one place: with two callers it may remain a call, which takes longer than the
 * rest of a row. */
static inline row_view row_load(const row_sources *from, const row_units *units, int place) {
    row_view row;
    row_read(from, units, place, &row);
    return row;
}

/* The weight of a row in the training loss: with its class's weight. */
static inline vfloat row_full_weight(const row_sources *from, const row_units *units, const row_view *row) {
    if (!(from->uses & USE_CLASS_WEIGHTS)) return row->weight;
    const vfloat spread = units->weight_positive - units->weight_negative;
    return row->weight * fma(row->y, spread, units->weight_negative);
}

/* dL/dz, times the weight. */
static inline vfloat row_delta(vfloat p, vfloat y, vfloat weight, vint loss, int uses) {
    vfloat error = p - y;
    vfloat slope = (vfloat)(1.0f);
    if (uses & USE_MSE) slope = loss == (vint)(LOSS_MSE) ? p * ((vfloat)(1.0f) - p) : slope;
    if (uses & USE_TUTORIAL) {
        vfloat s = sigmoid(p);
        slope = loss == (vint)(LOSS_TUTORIAL) ? s * ((vfloat)(1.0f) - s) : slope;
    }
    return error * slope * weight;
}

/* The same of the row in this place (row_load). */
static inline vfloat row_delta_at(const row_sources *from, const row_units *units, int place, vfloat p) {
    const row_view row = row_load(from, units, place);
    return row_delta(p, row.y, row_full_weight(from, units, &row), units->loss, from->uses);
}

/* The row's loss: cross-entropy log(1 + exp(z)) - y z, or (p - y)^2 / 2. */
static inline vfloat row_loss(vfloat z, vfloat p, vfloat y, vint loss) {
    vfloat error = p - y;
    vfloat squared = (vfloat)(0.5f) * error * error;
    vfloat cross_entropy = softplus(z) - y * z;
    return loss == (vint)(LOSS_LOG) ? cross_entropy : squared;
}

/* The weight where p lies on the same side of 0.5 as y, else 0. */
static inline vfloat row_correct(vfloat p, vfloat y, vfloat weight) {
    const vfloat middle = (vfloat)(0.5f);
    const vfloat if_high = p >= middle ? weight : (vfloat)(0.0f);
    const vfloat if_low = p < middle ? weight : (vfloat)(0.0f); /* neither for NaN */
    return y >= middle ? if_high : if_low;
}
