/* Rows where lanes are rows: UNIT_VECTOR rows as one unit sees them. What a row means is written in row.cl. */

/* One unit's record, in all lanes. */
static inline row_units row_unit_load(const row_sources *from, int unit) {
    __global const float *value_g = from->U_g + unit;
    __global const int *integer_g = (__global const int *)value_g;
    const size_t stride = (size_t)from->u_stride;
    row_units units;
    units.unit = unit;
    units.target = integer_g[UNIT_TARGET * stride];
    units.loss = (vint)(integer_g[UNIT_LOSS * stride]);
    units.positive_class = (vfloat)(value_g[UNIT_POSITIVE_CLASS * stride]);
    units.excluded_fold = (vfloat)((float)integer_g[UNIT_EXCLUDED_FOLD * stride]);
    units.bootstrap = (vint)(integer_g[UNIT_BOOTSTRAP * stride]);
    units.weight_negative = (vfloat)(value_g[UNIT_WEIGHT_NEGATIVE * stride]);
    units.weight_positive = (vfloat)(value_g[UNIT_WEIGHT_POSITIVE * stride]);
    return units;
}

/* What stands for the rows place ... place + UNIT_VECTOR - 1 in a row of Y_g or S_g. */
static inline vfloat row_floats(const row_sources *from, __global const float *column_g, int place) {
    if (!(from->uses & USE_SHUFFLE)) return LOAD(__global, column_g + place);
    vfloat value;
    float *lane = (float *)&value;
#pragma unroll
    for (int c = 0; c < UNIT_VECTOR; c++) lane[c] = column_g[from->row_g[place + c]];
    return value;
}

/* The same in F_g, whose stride is 1, or in a column of C_g. */
static inline vfloat row_bytes(const row_sources *from, __global const uchar *column_g, size_t stride, int place) {
    if (stride == 1 && !(from->uses & USE_SHUFFLE)) return LOAD_BYTES(column_g + place);
    vfloat value;
    float *lane = (float *)&value;
#pragma unroll
    for (int c = 0; c < UNIT_VECTOR; c++) {
        const size_t i = from->uses & USE_SHUFFLE ? (size_t)from->row_g[place + c] : (size_t)(place + c);
        lane[c] = (float)column_g[i * stride];
    }
    return value;
}

static inline row_view row_load_lanes(const row_sources *from, const row_units *units, int place) {
    const vfloat value = row_floats(from, from->Y_g + (size_t)units->target * from->y_stride, place);
    vfloat weight = (vfloat)(1.0f), fold = (vfloat)(0.0f), count = (vfloat)(1.0f);
    if (from->uses & USE_ROW_WEIGHTS) {
        const int column = ((__global const int *)from->U_g)[(size_t)UNIT_WEIGHT_COLUMN * from->u_stride + units->unit];
        if (column >= 0) weight = row_floats(from, from->S_g + (size_t)column * from->y_stride, place);
    }
    if (from->uses & USE_FOLDS) fold = row_bytes(from, from->F_g, 1, place);
    if (from->uses & USE_BOOTSTRAP) count = row_bytes(from, from->C_g + units->unit, (size_t)from->u_stride, place);
    row_view row;
    row_of(from, units, value, weight, fold, count, &row);
    return row;
}

/* weight x dL/dz of the rows from z. */
static inline vfloat row_lanes_delta(const row_sources *from, const row_units *units, int place, vfloat z) {
    const row_view row = row_load_lanes(from, units, place);
    return row_delta(sigmoid(z), row.y, row_full_weight(from, units, &row), units->loss, from->uses);
}
