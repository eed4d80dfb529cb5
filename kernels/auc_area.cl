/* The sums that make the area under the ROC curve (auc.cl), of rows that come by ascending z. */

typedef struct auc_area {
    vfloat area, area_rest;                   /* the pairs in the right order */
    vfloat below, below_rest;                 /* the negative rows so far */
    vfloat positives, positives_rest;         /* the positive ones */
    vfloat tied_positive, tied_negative, key; /* the rows of the last z, which is `key` */
} auc_area;

static inline auc_area auc_begin(void) {
    const vfloat zero = (vfloat)(0.0f);
    const auc_area sums = {zero, zero, zero, zero, zero, zero, zero, zero, (vfloat)(-INFINITY)};
    return sums;
}

/* sum += x; what rounding loses goes to rest. */
static inline void auc_add(vfloat *sum, vfloat *rest, vfloat x) {
    const vfloat total = *sum + x;
    const vfloat added = total - *sum;
    *rest += (*sum - (total - added)) + (x - added);
    *sum = total;
}

/* The next row; `value` is its weight, negative of a negative row. */
static inline void auc_take(auc_area *sums, vfloat key, vfloat value) {
    const vfloat zero = (vfloat)(0.0f);
    /* a new key ends the rows that were tied */
    const vfloat ended_positive = key == sums->key ? zero : sums->tied_positive;
    const vfloat ended_negative = key == sums->key ? zero : sums->tied_negative;
    auc_add(&sums->area, &sums->area_rest,
            ended_positive * fma((vfloat)(0.5f), ended_negative, sums->below + sums->below_rest));
    auc_add(&sums->below, &sums->below_rest, ended_negative);
    auc_add(&sums->positives, &sums->positives_rest, ended_positive);
    sums->tied_positive = (key == sums->key ? sums->tied_positive : zero) + (value > zero ? value : zero);
    sums->tied_negative = (key == sums->key ? sums->tied_negative : zero) + (value < zero ? -value : zero);
    sums->key = key;
}

/* The end is a key unlike all. */
static inline void auc_end(auc_area *sums) {
    auc_take(sums, (vfloat)(NAN), (vfloat)(0.0f));
}
