/* What a step is: from a gradient sum to a new weight. Written once; the kernel below and every strategy that steps
 * inside its own kernel use it.
 *
 *   slope      = scale * sum + l2 * w                          (the bias has no penalty)
 *   gd         w -= rate * slope
 *   momentum   m = momentum * m + slope;  w -= rate * m
 *   nesterov   m = momentum * m + slope;  w -= rate * (slope + momentum * m)
 *   adam       m = beta1 * m + (1 - beta1) * slope;  v = beta2 * v + (1 - beta2) * slope^2
 *              w -= rate * (m / (1 - beta1^t)) / (sqrt(v / (1 - beta2^t)) + epsilon),  t steps counted from 1
 *                                                              (D. P. Kingma, J. Ba, ICLR 2015)
 *   l1         w moves towards 0 by rate * l1 * stretch, and stops there (the proximal step)
 *
 * stretch is how far the optimiser goes for a slope that has long been 1: gd 1, momentum and nesterov
 * 1 / (1 - momentum), adam 1 / (sqrt(v / (1 - beta2^t)) + epsilon). So the pull of l1 balances a slope of l1, whatever
 * the optimiser, and all have the same optimum.
 *
 * The rate is learning_rate times the schedule's factor at epoch t, counted from 0:
 *   constant 1        inverse (1 + t)^-decay        cosine (1 + cos(pi t / epochs)) / 2
 */

/* What a step needs of the units unit ... unit + UNIT_VECTOR - 1 at one epoch. */
typedef struct unit_step {
    vfloat rate;
    vfloat scale;
    vfloat l2;
    vfloat l1;
    vint optimizer;
    vfloat momentum;
    vfloat beta2;
    vfloat epsilon;
    vfloat correction1; /* 1 - beta1^t */
    vfloat correction2;
} unit_step;

/* x^n by repeated squaring, n >= 0. */
static inline vfloat power(vfloat x, int n) {
    vfloat result = (vfloat)(1.0f);
    for (; n > 0; n >>= 1) {
        if (n & 1) result *= x;
        x *= x;
    }
    return result;
}

/* The factor of the learning rate after `done` epochs. */
static inline vfloat schedule_factor(vint schedule, vfloat done, vfloat epochs, vfloat decay) {
    const vfloat inverse = exp_bounded(-decay * log_from_one((vfloat)(1.0f) + done));
    const vfloat share = fmin(quotient(done, epochs), (vfloat)(1.0f));
    const vfloat cosine = (vfloat)(0.5f) + (vfloat)(0.5f) * cos_pi(share);
    vfloat factor = schedule == (vint)(SCHEDULE_INVERSE) ? inverse : (vfloat)(1.0f);
    return schedule == (vint)(SCHEDULE_COSINE) ? cosine : factor;
}

/* `epoch` and `steps` are those done since the training began, where moments are 0. */
static inline unit_step unit_step_load(__global const float *U_g, int u_stride, int unit, int epoch, int steps,
                                       int uses) {
    unit_step s;
    s.rate = UNIT_VALUES(UNIT_LEARNING_RATE, unit);
    s.scale = UNIT_VALUES(UNIT_SCALE, unit);
    s.l2 = UNIT_VALUES(UNIT_L2, unit);
    s.l1 = uses & USE_L1 ? UNIT_VALUES(UNIT_L1, unit) : (vfloat)(0.0f);
    s.optimizer = uses & (USE_MOMENTUM | USE_ADAM) ? UNIT_INTEGERS(UNIT_OPTIMIZER, unit) : (vint)(OPTIMIZER_GD);
    s.momentum = s.beta2 = s.epsilon = s.correction1 = s.correction2 = (vfloat)(0.0f);
    if (uses & (USE_MOMENTUM | USE_ADAM)) s.momentum = UNIT_VALUES(UNIT_MOMENTUM, unit);
    if (uses & USE_ADAM) {
        s.beta2 = UNIT_VALUES(UNIT_BETA2, unit);
        s.epsilon = UNIT_VALUES(UNIT_EPSILON, unit);
        s.correction1 = (vfloat)(1.0f) - power(s.momentum, steps + 1);
        s.correction2 = (vfloat)(1.0f) - power(s.beta2, steps + 1);
    }
    if (uses & USE_SCHEDULES) {
        const vint before = UNIT_INTEGERS(UNIT_EPOCHS_BEFORE, unit);
        const vint epochs = before + UNIT_INTEGERS(UNIT_EPOCHS, unit);
        s.rate *= schedule_factor(UNIT_INTEGERS(UNIT_SCHEDULE, unit), TO_VFLOAT(before + (vint)(epoch)),
                                  TO_VFLOAT(epochs), UNIT_VALUES(UNIT_DECAY, unit));
    }
    return s;
}

static inline vfloat step_slope(const unit_step *s, bool is_bias, vfloat w, vfloat sum) {
    const vfloat slope = sum * s->scale;
    return is_bias ? slope : fma(s->l2, w, slope);
}

/* The new weight; m and v are the weight's moments. */
static inline vfloat step_weight(const unit_step *s, bool is_bias, vfloat w, vfloat slope, vfloat *m, vfloat *v,
                                 int uses) {
    vfloat direction = slope;
    vfloat stretch = (vfloat)(1.0f);
    if (uses & USE_MOMENTUM) {
        const vfloat moved = fma(s->momentum, *m, slope);
        const vfloat ahead = fma(s->momentum, moved, slope);
        const vfloat sum_of_powers = quotient((vfloat)(1.0f), (vfloat)(1.0f) - s->momentum);
        direction = s->optimizer == (vint)(OPTIMIZER_MOMENTUM) ? moved : direction;
        direction = s->optimizer == (vint)(OPTIMIZER_NESTEROV) ? ahead : direction;
        stretch = s->optimizer == (vint)(OPTIMIZER_MOMENTUM) ? sum_of_powers : stretch;
        stretch = s->optimizer == (vint)(OPTIMIZER_NESTEROV) ? sum_of_powers : stretch;
        *m = s->optimizer == (vint)(OPTIMIZER_ADAM) ? *m : moved;
    }
    if (uses & USE_ADAM) {
        const vfloat first = fma(s->momentum, *m - slope, slope);
        const vfloat squared = slope * slope;
        const vfloat second = fma(s->beta2, *v - squared, squared);
        const vfloat root = square_root(quotient(second, s->correction2)) + s->epsilon;
        const vfloat adam = quotient(quotient(first, s->correction1), root);
        direction = s->optimizer == (vint)(OPTIMIZER_ADAM) ? adam : direction;
        stretch = s->optimizer == (vint)(OPTIMIZER_ADAM) ? quotient((vfloat)(1.0f), root) : stretch;
        *m = s->optimizer == (vint)(OPTIMIZER_ADAM) ? first : *m;
        *v = s->optimizer == (vint)(OPTIMIZER_ADAM) ? second : *v;
    }
    vfloat moved = fma(-s->rate, direction, w);
    if ((uses & USE_L1) && !is_bias) {
        const vfloat threshold = s->rate * s->l1 * stretch;
        const vfloat size = fabs(moved) - threshold;
        const vfloat shrunk = moved < (vfloat)(0.0f) ? -size : size;
        vfloat kept = size > (vfloat)(0.0f) ? shrunk : (vfloat)(0.0f);
        moved = moved == moved ? kept : moved; /* NaN stays NaN */
    }
    return moved;
}

/* How far the weight is from its optimum: the slope with the l1 penalty's subgradient of least size. */
static inline vfloat step_residual(const unit_step *s, bool is_bias, vfloat w, vfloat slope, int uses) {
    vfloat residual = fabs(slope);
    if ((uses & USE_L1) && !is_bias) {
        const vfloat at_zero = residual - s->l1;
        const vfloat off_zero = fabs(w < (vfloat)(0.0f) ? slope - s->l1 : slope + s->l1);
        const vfloat inside = at_zero > (vfloat)(0.0f) ? at_zero : (vfloat)(0.0f);
        residual = w == (vfloat)(0.0f) ? inside : off_zero;
        residual = slope == slope ? residual : slope;
    }
    return residual;
}
