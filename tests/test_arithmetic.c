/* kernels/arithmetic.cl: its errors against double, its limits, and that every device computes the bits that C does. */
#include "arithmetic_c.h"
#include "cases.h"

#include <float.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const float z_max = 87.0f; /* where the sigmoid's argument is cut */

static uint32_t bits_of(float x) {
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}

static float float_of(uint32_t bits) {
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

/* ---- Errors ------------------------------------------------------------------------------------------------------ */

static double double_softplus(double z) {
    return z > 0.0 ? z + log1p(exp(-z)) : log1p(exp(z));
}

/* The largest relative error over every `stride`-th float from low to high > low >= 0, and over their negatives. */
static double worst_error(float (*function)(float), double (*exact)(double), float low, float high, uint32_t stride,
                          bool negatives) {
    double worst = 0.0;
    for (uint32_t bits = bits_of(low); bits <= bits_of(high); bits += stride) {
        for (int sign = 0; sign <= (negatives ? 1 : 0); sign++) {
            const float x = sign ? -float_of(bits) : float_of(bits);
            const double error = fabs((double)function(x) / exact((double)x) - 1.0);
            if (!(error <= worst)) worst = error;
        }
    }
    return worst;
}

/* Below `tiny` the results are 1 + x, x and log 2 + x / 2 but for less than a rounding. */
static const float tiny = 0x1p-30f;

static void test_exp(void **state) {
    (void)state;
    assert_true(worst_error(c_exp_bounded, exp, tiny, z_max, 31, true) < 9e-8);
    assert_true(c_exp_bounded(0.0f) == 1.0f);
}

static void test_logarithm(void **state) {
    (void)state;
    assert_true(worst_error(c_log_one_plus, log1p, tiny, 1.0f, 31, false) < 2e-7);
    assert_true(c_log_one_plus(0.0f) == 0.0f);
}

/* The relative error of five roundings that tolerance.h counts on. */
/* Of 1 and more: absolute below e, where the result passes through 0, relative above. */
static void test_logarithm_from_one(void **state) {
    (void)state;
    assert_true(c_log_from_one(1.0f) == 0.0f);
    assert_true(worst_error(c_log_from_one, log, 2.0f, FLT_MAX, 997, false) < 3e-7);
    assert_true(worst_error(c_log_from_one, log, 1.0f + 0x1p-20f, 2.0f, 7, false) < 3e-7);
}

static void test_cosine(void **state) {
    (void)state;
    const double pi = acos(-1.0);
    for (uint32_t bits = 0; bits <= bits_of(1.0f); bits += 499) {
        const float t = float_of(bits);
        if (!(fabs((double)c_cos_pi(t) - cos(pi * (double)t)) < 2e-7))
            fail_msg("cos(pi %a) is %a", (double)t, (double)c_cos_pi(t));
    }
    assert_true(fabs((double)c_cos_pi(0.0f) - 1.0) < 2e-7 && fabs((double)c_cos_pi(1.0f) + 1.0) < 2e-7);
    assert_true(fabsf(c_cos_pi(0.5f)) < 2e-7f);
}

static void test_square_root(void **state) {
    (void)state;
    assert_true(c_square_root(0.0f) == 0.0f);
    assert_true(worst_error(c_square_root, sqrt, 0x1p-120f, 0x1p120f, 997, false) < 3e-7);
}

static double third(double b) {
    return 1.0 / (3.0 * b);
}

static float c_third(float b) {
    return c_quotient(0x1.555556p-2f, b); /* the float nearest to 1/3, half a unit in the last place away */
}

static void test_quotient(void **state) {
    (void)state;
    assert_true(worst_error(c_third, third, 0x1p-120f, 0x1p120f, 997, false) < 2e-7 + 0x1p-24);
    assert_true(c_quotient(0.0f, 3.0f) == 0.0f && c_quotient(-6.0f, 3.0f) < 0.0f);
    assert_true(isnan(c_quotient(NAN, 3.0f)));
}

static void test_softplus(void **state) {
    (void)state;
    assert_true(worst_error(c_softplus, double_softplus, tiny, z_max, 31, true) < 5.0 * 0x1p-24);
    assert_true(c_softplus(200.0f) == 200.0f);
    assert_true(c_softplus(INFINITY) == INFINITY);
    assert_true(c_softplus(-200.0f) >= 0.0f && c_softplus(-200.0f) < 2.0f * FLT_MIN);
    assert_true(c_softplus(-INFINITY) >= 0.0f && c_softplus(-INFINITY) < 2.0f * FLT_MIN);
    assert_true(isnan(c_softplus(NAN)));
}

/* ---- Division ---------------------------------------------------------------------------------------------------- */

/* A division off by at most three units in the last place starts at one of the neighbours of the right quotient; below
 * a power of two the units are half as large, hence six neighbours there. */
static void check_reciprocals(uint32_t exponent) {
    enum { LOWEST = -6, HIGHEST = 3 };
    for (uint32_t significand = 0; significand < 1u << 23; significand++) {
        const float x = float_of(exponent << 23 | significand), right = 1.0f / x;
        for (int away = LOWEST; away <= HIGHEST; away++) {
            const float start = float_of(bits_of(right) + (uint32_t)away);
            const float refined = c_refine_reciprocal(x, start);
            if (refined != right)
                fail_msg("1 / %a from %a is %a: %a was expected", (double)x, (double)start, (double)refined,
                         (double)right);
        }
    }
}

/* Scaling x by a power of two scales every step, so one binade stands for all; the last one has its quotients at the
 * end of the normal numbers. */
static void test_reciprocal_is_correctly_rounded(void **state) {
    enum { FIRST_BINADE = 127, LAST_BINADE = 127 + 125 };
    (void)state;
    check_reciprocals(FIRST_BINADE);
    check_reciprocals(LAST_BINADE);
}

/* ---- Sigmoid ----------------------------------------------------------------------------------------------------- */

static void test_sigmoid_at_its_limits(void **state) {
    (void)state;
    assert_true(c_sigmoid(0.0f) == 0.5f);
    assert_true(c_sigmoid(-0.0f) == 0.5f);
    assert_true(isnan(c_sigmoid(NAN)));
    assert_true(isnan(c_sigmoid(-NAN)));
    assert_true(c_sigmoid(INFINITY) == 1.0f);
    assert_true(c_sigmoid(FLT_MAX) == 1.0f);
    assert_true(c_sigmoid(-INFINITY) == c_sigmoid(-z_max));
    assert_true(c_sigmoid(-FLT_MAX) == c_sigmoid(-z_max));
    assert_true(c_sigmoid(-z_max) >= FLT_MIN && c_sigmoid(-z_max) < 2e-38f); /* normal, so that no device flushes it */
}

/* p(1 - p) 9e-8 from the exponential and two roundings. */
static void test_sigmoid_error(void **state) {
    (void)state;
    for (uint32_t bits = bits_of(tiny); bits <= bits_of(z_max); bits += 31) {
        for (int sign = 0; sign <= 1; sign++) {
            const float z = sign ? -float_of(bits) : float_of(bits);
            const double p = 1.0 / (1.0 + exp(-(double)z)), allowed = p * ((1.0 - p) * 9e-8 + 2.02 * 0x1p-24);
            if (!(fabs((double)c_sigmoid(z) - p) <= allowed))
                fail_msg("sigmoid(%a) is %a: %a was expected", (double)z, (double)c_sigmoid(z), p);
        }
    }
}

/* From 0.5 up, neighbouring results may fall back by one unit in the last place, 2^-24; below 0.5 they never do. */
static void test_sigmoid_rises(void **state) {
    (void)state;
    float before = c_sigmoid(-z_max);
    for (uint32_t bits = bits_of(z_max); bits > bits_of(tiny); bits -= 29) {
        const float p = c_sigmoid(-float_of(bits));
        if (!(p >= before)) fail_msg("sigmoid(%a) is %a after %a", (double)-float_of(bits), (double)p, (double)before);
        before = p;
    }
    for (uint32_t bits = bits_of(tiny); bits < bits_of(z_max); bits += 29) {
        const float p = c_sigmoid(float_of(bits));
        if (!(p >= before - 0x1p-24f && p <= 1.0f))
            fail_msg("sigmoid(%a) is %a after %a", (double)float_of(bits), (double)p, (double)before);
        before = p;
    }
}

static void test_sigmoid_of_opposites_adds_to_one(void **state) {
    (void)state;
    for (uint32_t bits = 0; bits <= bits_of(2.0f * z_max); bits += 53) {
        const float z = float_of(bits);
        if (!(fabs((double)c_sigmoid(z) + (double)c_sigmoid(-z) - 1.0) <= 0x1p-23))
            fail_msg("sigmoid(%a) + sigmoid(-%a) is %a", (double)z, (double)z,
                     (double)c_sigmoid(z) + (double)c_sigmoid(-z));
    }
}

/* ---- Devices ----------------------------------------------------------------------------------------------------- */

static const float special_z[] = {
    0.0f,    -0.0f,    NAN,    INFINITY, -INFINITY, FLT_TRUE_MIN, -FLT_TRUE_MIN,  FLT_MIN,         -FLT_MIN,
    FLT_MAX, -FLT_MAX, 1.0f,   -1.0f,    87.0f,     -87.0f,       0x1.5c0002p+6f, -0x1.5c0002p+6f, 88.0f,
    -88.0f,  1e30f,    -1e30f, 0x1p-24f, -0x1p-24f, 0x1p-23f,     -0x1p-23f,      16.7f,           -16.7f};

enum { N_SPECIAL = sizeof special_z / sizeof *special_z };

/* The special values and a sweep over both signs where the sigmoid is no constant; for free. */
static float *list_of_z(size_t *n) {
    const uint32_t stride = 1009, low = bits_of(0x1p-10f), high = bits_of(90.0f);
    *n = N_SPECIAL + 2 * ((high - low) / stride + 1);
    float *z = malloc(*n * sizeof *z);
    assert_non_null(z);
    memcpy(z, special_z, sizeof special_z);
    size_t at = N_SPECIAL;
    for (uint32_t bits = low; bits <= high; bits += stride) {
        z[at++] = float_of(bits);
        z[at++] = -float_of(bits);
    }
    assert_int_equal(at, *n);
    return z;
}

/* One feature x = z with weight 1 and bias 0, so that the device computes sigmoid(z) for each unit. */
static void check_device(const case_way *way, size_t n_units) {
    size_t n = 0;
    float *z = list_of_z(&n), *start = calloc(2 * n_units, sizeof *start), *P = calloc(n * n_units, sizeof *P);
    assert_true(start && P);
    for (size_t j = 0; j < n_units; j++) start[j] = 1.0f;
    const plethron_bank_options options = {.struct_size = sizeof options, .start = start};
    plethron_bank *bank = NULL;
    check_ok(plethron_bank_create(1, n_units, &options, &bank, &case_error));
    check_ok(plethron_predict(way->device, bank, z, n, P, &case_error));
    for (size_t e = 0; e < n * n_units; e++) {
        const float want = c_sigmoid(z[e / n_units]);
        const bool same = isnan(want) ? isnan(P[e]) : bits_of(P[e]) == bits_of(want);
        if (!same)
            fail_msg("%s, %zu units: sigmoid(%a) is %a: %a was expected", way->name, n_units, (double)z[e / n_units],
                     (double)P[e], (double)want);
    }
    plethron_bank_close(bank);
    free(P);
    free(start);
    free(z);
}

static void test_devices_compute_the_same_bits(void **state) {
    (void)state;
    case_ways *ways = malloc(sizeof *ways);
    assert_non_null(ways);
    case_ways_open(0, ways);
    for (size_t w = 0; w < ways->n_ways; w++) {
        const case_way *way = &ways->ways[w];
        if (way->tiling || !case_bits_hold(way)) continue; /* prediction leaves the tiling to the planner */
        check_device(way, 1);
        check_device(way, 40); /* whole vectors */
    }
    case_ways_close(ways);
    free(ways);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_exp),
        cmocka_unit_test(test_logarithm),
        cmocka_unit_test(test_logarithm_from_one),
        cmocka_unit_test(test_cosine),
        cmocka_unit_test(test_square_root),
        cmocka_unit_test(test_quotient),
        cmocka_unit_test(test_softplus),
        cmocka_unit_test(test_reciprocal_is_correctly_rounded),
        cmocka_unit_test(test_sigmoid_at_its_limits),
        cmocka_unit_test(test_sigmoid_error),
        cmocka_unit_test(test_sigmoid_rises),
        cmocka_unit_test(test_sigmoid_of_opposites_adds_to_one),
        cmocka_unit_test(test_devices_compute_the_same_bits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
