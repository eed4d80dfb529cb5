/* What a row means to a unit: its target, its delta, its loss. Written once; every strategy includes it, the host's C
 * loops too (see arithmetic.cl).
 *
 * `losses` is the set of losses that occur in the bank, one bit each. It is a compile-time constant in kernels
 * (LOSSES), so that what no unit needs costs nothing; a unit's result does not depend on it.
 */

/* The values of plethron_loss. */
#define LOSS_LOG 0
#define LOSS_MSE 1
#define LOSS_TUTORIAL 2

/* y as the unit sees it: value == positive_class for a class against the rest, the value itself for class -1. Class
 * codes are whole numbers, so different codes are at least 1 apart; the difference is bounded instead of compared
 * because a comparison that chooses between constants becomes a masked load, which costs hundreds of cycles on some
 * CPUs. */
static inline vfloat row_target(vfloat value, vfloat positive_class) {
    vfloat is_class = (vfloat)(1.0f) - fmin(fabs(value - positive_class), (vfloat)(1.0f));
    return positive_class < (vfloat)(0.0f) ? value : is_class;
}

/* dL/dz. */
static inline vfloat row_delta(vfloat p, vfloat y, vint loss, int losses) {
    vfloat error = p - y;
    vfloat slope = (vfloat)(1.0f);
    if (losses & (1 << LOSS_MSE)) slope = loss == (vint)(LOSS_MSE) ? p * ((vfloat)(1.0f) - p) : slope;
    if (losses & (1 << LOSS_TUTORIAL)) {
        vfloat s = sigmoid(p);
        slope = loss == (vint)(LOSS_TUTORIAL) ? s * ((vfloat)(1.0f) - s) : slope;
    }
    return error * slope;
}

/* The row's loss: cross-entropy log(1 + exp(z)) - y z, or (p - y)^2 / 2. */
static inline vfloat row_loss(vfloat z, vfloat p, vfloat y, vint loss) {
    vfloat error = p - y;
    vfloat squared = (vfloat)(0.5f) * error * error;
    vfloat cross_entropy = softplus(z) - y * z;
    return loss == (vint)(LOSS_LOG) ? cross_entropy : squared;
}

/* 1 where p lies on the same side of 0.5 as y, else 0. */
static inline vint row_correct(vfloat p, vfloat y) {
    vint p_high = p >= (vfloat)(0.5f) ? (vint)(1) : (vint)(0);
    vint y_high = y >= (vfloat)(0.5f) ? (vint)(1) : (vint)(0);
    return p_high == y_high ? (vint)(1) : (vint)(0);
}
