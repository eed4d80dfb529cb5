/* The reference itself: its gradient is the slope of its loss, and it gives the numbers known for the tutorial's data
 * (computed with numpy in double precision). */
#include "cases.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

enum { N_FEATURES = 4, N_SAMPLES = 23 };

/* The slope by central differences: off by step^2 / 6 times the third derivative and by the rounding of two values over
 * the step. For |x| <= 1 a row's third derivative is below its weight for both losses. */
static void check_slopes(const reference_unit *unit, double *w) {
    const double step = 1e-4, rows = reference_scale(unit) * reference_full_weight_sum(unit);
    double gradient[N_FEATURES + 1];
    reference_gradient(unit, w, gradient);
    for (size_t k = 0; k <= N_FEATURES; k++) {
        const double at = w[k];
        w[k] = at + step;
        const double above = reference_objective(unit, w);
        w[k] = at - step;
        const double below = reference_objective(unit, w);
        w[k] = at;
        const double tolerance = step * step / 6.0 * rows + 1e-14 * (above + below) / step;
        check_near(gradient[k], (above - below) / (2.0 * step), tolerance, "slope %zu of loss %d", k, (int)unit->loss);
    }
}

static void test_gradient_is_the_slope_of_the_loss(void **state) {
    (void)state;
    const plethron_reduction reductions[] = {PLETHRON_REDUCTION_MEAN, PLETHRON_REDUCTION_SUM};
    const plethron_loss losses[] = {PLETHRON_LOSS_LOG, PLETHRON_LOSS_MSE};
    for (size_t r = 0; r < 2; r++) {
        const case_shape shape = {N_SAMPLES, N_FEATURES, 48, UNITS_FULL, reductions[r]};
        test_case *c = case_open(shape, case_seed());
        for (size_t j = 0; j < shape.n_units; j++) {
            uint8_t counts[N_SAMPLES]; /* of every target, with and without l2, with row weights of all kinds */
            reference_unit unit = case_reference(c, j, counts);
            if (reference_full_weight_sum(&unit) == 0.0) continue;
            double w[N_FEATURES + 1] = {0.9, -1.7, 0.3, 2.1, -0.4};
            for (size_t l = 0; l < 2; l++) {
                unit.loss = losses[l];
                check_slopes(&unit, w);
            }
        }
        case_close(c);
    }
}

/* Smoking, obesity, exercise -> diabetic. */
static const float tutorial_X[] = {0, 1, 0, 0, 0, 1, 1, 0, 0, 1, 1, 0, 1, 1, 1};
static const float tutorial_Y[] = {1, 0, 0, 1, 1};
static const float tutorial_people[] = {1, 0, 0, 0, 1, 0};

typedef struct tutorial_row {
    plethron_loss loss;
    double w[4], p[2], first_error, last_error; /* errors before the first and before the last epoch */
} tutorial_row;

static const tutorial_row tutorial_table[] = {
    {PLETHRON_LOSS_TUTORIAL,
     {-0.48098957, 10.88070047, -0.84160167, -4.46297896},
     {0.00707584, 0.99837029},
     1.14847651,
     0.00166753},
    {PLETHRON_LOSS_MSE,
     {-0.29017272, 7.52348689, -0.471369, -3.14383015},
     {0.03124953, 0.98762539},
     1.14847651,
     NAN}, /* not published */
};

static void check_tutorial_row(const tutorial_row *row) {
    enum { EPOCHS = 20000 };
    const double last_digit = 0.51e-8; /* of numbers printed with eight decimals */
    const reference_unit unit = {
        .X = tutorial_X,
        .Y = tutorial_Y,
        .n_samples = 5,
        .n_features = 3,
        .n_targets = 1,
        .positive_class = PLETHRON_NO_CLASS,
        .loss = row->loss,
        .reduction = PLETHRON_REDUCTION_SUM,
        .learning_rate = 0.05,
    };
    reference_unit people = unit;
    double w[] = {0.3745401188, 0.9507143064, 0.7319939418, 0.5986584842}, gradient[4];
    reference_point at = {.w = w, .m = gradient, .v = gradient}; /* without moments */
    people.X = tutorial_people;
    check_near(reference_error_sum(&unit, w), row->first_error, last_digit, "the error sum at the start");
    for (int epoch = 0; epoch < EPOCHS; epoch++) {
        if (epoch == EPOCHS - 1 && !isnan(row->last_error))
            check_near(reference_error_sum(&unit, w), row->last_error, last_digit, "the error sum at the end");
        reference_epoch(&unit, &at, gradient);
    }
    for (size_t k = 0; k < 4; k++) check_near(w[k], row->w[k], last_digit, "weight %zu", k);
    for (size_t i = 0; i < 2; i++)
        check_near(reference_sigmoid(reference_z(&people, w, i)), row->p[i], last_digit, "p of person %zu", i);
}

static void test_tutorial_table(void **state) {
    (void)state;
    for (size_t r = 0; r < sizeof tutorial_table / sizeof *tutorial_table; r++) check_tutorial_row(&tutorial_table[r]);
}

static void test_accuracy_and_loss_of_known_rows(void **state) {
    (void)state;
    const float X[] = {-2, -1, 0, 3}, Y[] = {0, 1, 1, 1};
    const double w[] = {1, 0};
    reference_unit unit = {.X = X,
                           .Y = Y,
                           .n_samples = 4,
                           .n_features = 1,
                           .n_targets = 1,
                           .positive_class = PLETHRON_NO_CLASS,
                           .loss = PLETHRON_LOSS_LOG};
    assert_true(reference_accuracy(&unit, w) == 0.75); /* -1 is wrong; p = 0.5 counts as 1 */
    const double p[] = {1 / (1 + exp(2)), 1 / (1 + exp(1)), 0.5, 1 / (1 + exp(-3))};
    check_near(reference_mean_loss(&unit, w), -(log(1 - p[0]) + log(p[1]) + log(p[2]) + log(p[3])) / 4, 1e-15,
               "the log loss");
    unit.loss = PLETHRON_LOSS_MSE;
    const double squares = p[0] * p[0] + (1 - p[1]) * (1 - p[1]) + (1 - p[2]) * (1 - p[2]) + (1 - p[3]) * (1 - p[3]);
    check_near(reference_mean_loss(&unit, w), squares / 8, 1e-15, "the squared loss");
    unit.positive_class = 0; /* what was 0 is now the one that counts */
    check_near(reference_error_sum(&unit, w), p[0] + p[1] + p[2] + p[3] - 1, 1e-15, "the error sum");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_gradient_is_the_slope_of_the_loss),
        cmocka_unit_test(test_tutorial_table),
        cmocka_unit_test(test_accuracy_and_loss_of_known_rows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
