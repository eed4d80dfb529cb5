/* Training as a caller sees it: what is refused, how units end, what callbacks are told, standardising. Each test runs
 * on the host and on the default device. */
#include "support.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* The tutorial's five people: smoking, obesity, exercise -> diabetic, which is obesity. */
enum { N = 5, N_FEATURES = 3 };
static const float people[N * N_FEATURES] = {0, 1, 0, 0, 0, 1, 1, 0, 0, 1, 1, 0, 1, 1, 1};
static const float diabetic[N] = {1, 0, 0, 1, 1};

typedef struct setting {
    plethron_device *device;
    plethron_dataset *dataset;
} setting;

static bool same_weights(const plethron_bank *a, const plethron_bank *b) {
    const size_t n_weights = plethron_bank_n_features(a) * plethron_bank_n_units(a);
    return memcmp(plethron_bank_weights(a), plethron_bank_weights(b), n_weights * sizeof(float)) == 0 &&
           memcmp(plethron_bank_biases(a), plethron_bank_biases(b), plethron_bank_n_units(a) * sizeof(float)) == 0;
}

/* Runs a test on each device, with the five people as data. */
static void on_each_device(void (*test)(const setting *on)) {
    const char *selectors[] = {"host", NULL};
    for (size_t d = 0; d < COUNT(selectors); d++) {
        setting on = {.device = support_device(selectors[d])};
        on.dataset = support_dataset(on.device, people, N, N_FEATURES, diabetic, 1, false);
        test(&on);
        plethron_dataset_close(on.dataset);
        plethron_device_close(on.device);
    }
}

static bool is_host(const setting *on) {
    return plethron_device_describe(on->device)->kind == PLETHRON_DEVICE_HOST;
}

/* ---- Refusals ---------------------------------------------------------------------------------------------------- */

/* The training must be refused and the bank stay as it was. */
static void expect_refused(plethron_dataset *dataset, const plethron_bank_options *bank_options,
                           const plethron_train_options *options, plethron_status expected, const char *text,
                           const char *more) {
    plethron_error err;
    plethron_bank *bank = support_bank(N_FEATURES, 2, bank_options),
                  *before = support_bank(N_FEATURES, 2, bank_options);
    assert_fails(expected, plethron_train(dataset, bank, options, &err), &err, text, more);
    assert_int_equal(plethron_train(dataset, bank, options, NULL), expected);
    assert_true(same_weights(bank, before));
    for (size_t j = 0; j < 2; j++) {
        const plethron_unit unit = support_unit(bank, j);
        assert_int_equal(unit.state, PLETHRON_UNIT_NEW);
        assert_int_equal(unit.epochs_done, 0);
        assert_true(isnan(unit.final_loss));
    }
    assert_string_equal(plethron_bank_strategy(bank), "");
    plethron_bank_close(before);
    plethron_bank_close(bank);
}

static void refuse_bad_options(const setting *on) {
    plethron_train_options options = {.struct_size = sizeof options, .measure_every = -1};
    expect_refused(on->dataset, NULL, &options, PLETHRON_ERROR_ARGUMENT, "measure_every is -1", "0 or more");
    options = (plethron_train_options){.struct_size = sizeof options, .strategy = "fast"};
    expect_refused(on->dataset, NULL, &options, PLETHRON_ERROR_ARGUMENT, "'fast'", "rows, fused, staged");
    options.strategy = is_host(on) ? "staged" : "host";
    expect_refused(on->dataset, NULL, &options, PLETHRON_ERROR_UNSUPPORTED,
                   is_host(on) ? "'staged' does not apply" : "'host' does not apply",
                   is_host(on) ? "needs an OpenCL device" : "open the device 'host'");
    options = (plethron_train_options){.struct_size = 0};
    expect_refused(on->dataset, NULL, &options, PLETHRON_ERROR_ARGUMENT, "plethron_train_options.struct_size", "is 0");
    options.struct_size = sizeof options + 1;
    expect_refused(on->dataset, NULL, &options, PLETHRON_ERROR_ARGUMENT, "plethron_train_options.struct_size",
                   "expected");
}

static void refused_options(void **state) {
    (void)state;
    on_each_device(refuse_bad_options);
}

static void refuse_bad_targets(const setting *on) {
    const float Y[N * 2] = {1, 0, 0, -0.5f, 0, 2, 1, 0.5f, 1, 1};
    const int64_t targets[] = {0, 1}, missing[] = {0, 2}, class = 2, epochs = 1;
    plethron_dataset *two = support_dataset(on->device, people, N, N_FEATURES, Y, 2, false);
    plethron_bank_options options = {.struct_size = sizeof options, .target = {missing, 2}};
    expect_refused(two, &options, NULL, PLETHRON_ERROR_ARGUMENT, "unit 1 learns target 2", "has 2 targets");
    options.target.values = targets;
    expect_refused(two, &options, NULL, PLETHRON_ERROR_ARGUMENT, "target 1 of unit 1 has values from -0.5 to 2",
                   "0 to 1 is allowed, or a positive class");
    plethron_error err;
    options.positive_class = (plethron_integers){&class, 1};
    options.epochs = (plethron_integers){&epochs, 1};
    expect_refused(two, &options, NULL, PLETHRON_ERROR_ARGUMENT, "target 1 of unit 1, which learns class 2",
                   "whole numbers from 0 to 65534 are allowed");
    options.target = (plethron_integers){targets, 1};
    plethron_bank *bank = support_bank(N_FEATURES, 2, &options);
    assert_works(plethron_train(two, bank, NULL, &err), &err);
    plethron_bank_close(bank);
    plethron_dataset_close(two);

    plethron_dataset *none = support_dataset(on->device, people, N, N_FEATURES, NULL, 0, false);
    expect_refused(none, NULL, NULL, PLETHRON_ERROR_ARGUMENT, "unit 0 learns target 0", "has 0 targets");
    plethron_dataset_close(none);

    plethron_dataset *narrow = support_dataset(on->device, people, N, 2, diabetic, 1, false);
    expect_refused(narrow, NULL, NULL, PLETHRON_ERROR_ARGUMENT, "the bank has 3 features", "the data set 2");
    plethron_dataset_close(narrow);
}

static void refused_targets(void **state) {
    (void)state;
    on_each_device(refuse_bad_targets);
}

/* ---- How units end ----------------------------------------------------------------------------------------------- */

static void end_in_every_state(const setting *on) {
    enum { MSE, LOG, LOG_L2, HUGE_RATE, ONE_CLASS, NO_SUCH_CLASS, NO_EPOCHS, N_UNITS };
    const float Y[N * 2] = {1, 1, 0, 1, 0, 1, 1, 1, 1, 1};
    const float rate[N_UNITS] = {1, 1, 1, 1e30f, 1, 1, 1}, l2[N_UNITS] = {0, 0, 1e-3f, 1e30f, 0, 0, 0};
    const int64_t loss[N_UNITS] = {PLETHRON_LOSS_MSE}, target[N_UNITS] = {[ONE_CLASS] = 1};
    const int64_t class[N_UNITS] = {-1, -1, -1, -1, -1, 9, -1}, epochs[N_UNITS] = {200, 200, 200, 200, 200, 200, 0};
    const plethron_unit_state expected[N_UNITS] = {
        [MSE] = PLETHRON_UNIT_MAX_EPOCHS,       [LOG] = PLETHRON_UNIT_SEPARABLE,
        [LOG_L2] = PLETHRON_UNIT_MAX_EPOCHS,    [HUGE_RATE] = PLETHRON_UNIT_DIVERGED,
        [ONE_CLASS] = PLETHRON_UNIT_ONE_CLASS,  [NO_SUCH_CLASS] = PLETHRON_UNIT_ONE_CLASS,
        [NO_EPOCHS] = PLETHRON_UNIT_MAX_EPOCHS,
    };
    plethron_error err;
    const plethron_bank_options options = {
        .struct_size = sizeof options,
        .learning_rate = {rate, N_UNITS},
        .l2 = {l2, N_UNITS},
        .epochs = {epochs, N_UNITS},
        .loss = {loss, N_UNITS},
        .target = {target, N_UNITS},
        .positive_class = {class, N_UNITS},
    };
    plethron_dataset *dataset = support_dataset(on->device, people, N, N_FEATURES, Y, 2, false);
    plethron_bank *bank = support_bank(N_FEATURES, N_UNITS, &options);
    plethron_plan plan = {.struct_size = sizeof plan};
    assert_works(plethron_train_plan(dataset, bank, NULL, &plan, &err), &err);
    assert_works(plethron_train(dataset, bank, NULL, &err), &err);
    for (size_t j = 0; j < N_UNITS; j++) {
        const plethron_unit unit = support_unit(bank, j);
        assert_int_equal(unit.state, expected[j]);
        assert_int_equal(unit.epochs_done, epochs[j]);
        if (j == HUGE_RATE) continue;
        assert_true(isfinite(unit.final_loss) && isfinite(unit.error_sum));
    }
    assert_true(support_unit(bank, LOG).accuracy == 1.0f);
    assert_true(support_unit(bank, NO_SUCH_CLASS).accuracy == 1.0f);
    assert_true(!isfinite(plethron_bank_weights(bank)[HUGE_RATE]));
    const char *strategy = plethron_bank_strategy(bank); /* the plan begins with its name */
    assert_true(*strategy && strncmp(plan.text, strategy, strlen(strategy)) == 0);
    plethron_bank_close(bank);
    plethron_dataset_close(dataset);
}

static void states(void **state) {
    (void)state;
    on_each_device(end_in_every_state);
}

/* A unit that overflows spoils no neighbour in its vector. */
static void keep_the_neighbours_of_a_diverged_unit(const setting *on) {
    enum { N_UNITS = 5 };
    const float sane[N_UNITS] = {0.5f, 0.25f, 0.5f, 1.0f, 2.0f}, wild[N_UNITS] = {0.5f, 0.25f, 1e38f, 1.0f, 2.0f};
    const float l2 = 1.0f;
    const int64_t epochs = 50;
    plethron_error err;
    plethron_bank_options options = {.struct_size = sizeof options,
                                     .learning_rate = {sane, N_UNITS},
                                     .l2 = {&l2, 1},
                                     .epochs = {&epochs, 1},
                                     .init = PLETHRON_INIT_NORMAL};
    plethron_bank *without = support_bank(N_FEATURES, N_UNITS, &options);
    options.learning_rate.values = wild;
    plethron_bank *with = support_bank(N_FEATURES, N_UNITS, &options);
    assert_works(plethron_train(on->dataset, without, NULL, &err), &err);
    assert_works(plethron_train(on->dataset, with, NULL, &err), &err);
    for (size_t j = 0; j < N_UNITS; j++) {
        assert_int_equal(support_unit(with, j).state == PLETHRON_UNIT_DIVERGED, j == 2);
        for (size_t k = 0; k < N_FEATURES && j != 2; k++)
            assert_memory_equal(plethron_bank_weights(with) + k * N_UNITS + j,
                                plethron_bank_weights(without) + k * N_UNITS + j, sizeof(float));
    }
    plethron_bank_close(with);
    plethron_bank_close(without);
}

static void neighbours_of_a_diverged_unit(void **state) {
    (void)state;
    on_each_device(keep_the_neighbours_of_a_diverged_unit);
}

static void train_a_finished_bank(const setting *on) {
    const int64_t epochs[] = {7, 0};
    plethron_error err;
    const plethron_bank_options options = {
        .struct_size = sizeof options, .epochs = {epochs, 2}, .init = PLETHRON_INIT_NORMAL};
    plethron_bank *bank = support_bank(N_FEATURES, 2, &options), *start = support_bank(N_FEATURES, 2, &options),
                  *once = support_bank(N_FEATURES, 2, &options);
    assert_works(plethron_train(on->dataset, bank, NULL, &err), &err);
    assert_works(plethron_train(on->dataset, once, NULL, &err), &err);
    for (size_t k = 0; k < N_FEATURES; k++) { /* epochs 0: not moved, but measured */
        assert_true(plethron_bank_weights(bank)[2 * k] != plethron_bank_weights(start)[2 * k]);
        assert_true(plethron_bank_weights(bank)[2 * k + 1] == plethron_bank_weights(start)[2 * k + 1]);
    }
    assert_true(isfinite(support_unit(bank, 1).final_loss));
    assert_works(plethron_train(on->dataset, bank, NULL, &err), &err);
    assert_true(same_weights(bank, once)); /* all epochs were done: nothing moves any more */
    assert_int_equal(support_unit(bank, 0).epochs_done, 7);
    assert_int_equal(support_unit(bank, 1).epochs_done, 0);
    plethron_bank_close(once);
    plethron_bank_close(start);
    plethron_bank_close(bank);
}

static void a_finished_bank(void **state) {
    (void)state;
    on_each_device(train_a_finished_bank);
}

/* ---- Callbacks --------------------------------------------------------------------------------------------------- */

enum { MAX_TOLD = 64 };

/* What callbacks were told. */
typedef struct record {
    size_t n_measures;
    int64_t measured[MAX_TOLD];
    float loss[MAX_TOLD], error_sum[MAX_TOLD], accuracy[MAX_TOLD]; /* of unit 0 */
    int64_t stop_at; /* ask to stop when so many epochs are done; -1: never */
    int64_t last_progress;
    int64_t n_epochs;
    double last_s;
    bool in_order;
} record;

static void on_measures(void *context, const plethron_measures *measures) {
    record *told = context;
    if (told->n_measures == MAX_TOLD || measures->struct_size != sizeof *measures) {
        told->in_order = false;
        return;
    }
    told->measured[told->n_measures] = measures->epoch;
    told->loss[told->n_measures] = measures->loss[0];
    told->error_sum[told->n_measures] = measures->error_sum[0];
    told->accuracy[told->n_measures++] = measures->accuracy[0];
}

static bool on_progress(void *context, const plethron_progress *progress) {
    record *told = context;
    told->in_order = told->in_order && progress->struct_size == sizeof *progress &&
                     progress->epoch >= told->last_progress && progress->epoch <= progress->n_epochs &&
                     progress->elapsed_s >= told->last_s && *progress->plan && !strchr(progress->plan, '\n');
    told->last_progress = progress->epoch;
    told->last_s = progress->elapsed_s;
    told->n_epochs = progress->n_epochs;
    return told->stop_at < 0 || progress->epoch < told->stop_at;
}

static plethron_train_options recorded(record *told, int64_t measure_every, int64_t stop_at) {
    *told = (record){.stop_at = stop_at, .in_order = true};
    return (plethron_train_options){.struct_size = sizeof(plethron_train_options),
                                    .measure_every = measure_every,
                                    .on_measures = on_measures,
                                    .on_progress = on_progress,
                                    .context = told};
}

static void expect_measured(const record *told, const int64_t *epochs, size_t n) {
    assert_true(told->in_order);
    assert_int_equal(told->n_measures, n);
    for (size_t i = 0; i < n; i++) assert_int_equal(told->measured[i], epochs[i]);
}

#define EXPECT_MEASURED(told, ...) \
    expect_measured(told, (const int64_t[]){__VA_ARGS__}, COUNT(((const int64_t[]){__VA_ARGS__})))

static plethron_bank *two_units(int64_t epochs) {
    const int64_t each[] = {epochs, epochs / 2};
    const plethron_bank_options options = {
        .struct_size = sizeof options, .epochs = {each, 2}, .init = PLETHRON_INIT_UNIFORM};
    return support_bank(N_FEATURES, 2, &options);
}

static record train_recorded(const setting *on, plethron_bank *bank, int64_t every) {
    plethron_error err;
    record told;
    const plethron_train_options options = recorded(&told, every, -1);
    assert_works(plethron_train(on->dataset, bank, &options, &err), &err);
    return told;
}

static void measure_at_intervals(const setting *on) {
    const int64_t intervals[] = {0, 1, 3, 5, 10, 11, INT64_MAX};
    plethron_bank *unmeasured = two_units(10);
    plethron_error err;
    assert_works(plethron_train(on->dataset, unmeasured, NULL, &err), &err);
    for (size_t i = 0; i < COUNT(intervals); i++) {
        plethron_bank *bank = two_units(10);
        const record told = train_recorded(on, bank, intervals[i]);
        switch (intervals[i]) {
        case 0: EXPECT_MEASURED(&told, 10); break;
        case 1: EXPECT_MEASURED(&told, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10); break;
        case 3: EXPECT_MEASURED(&told, 0, 3, 6, 9, 10); break;
        case 5: EXPECT_MEASURED(&told, 0, 5, 10); break;
        default: EXPECT_MEASURED(&told, 0, 10);
        }
        assert_int_equal(told.last_progress, 10);
        assert_int_equal(told.n_epochs, 10);
        assert_true(same_weights(bank, unmeasured)); /* looking changes nothing */
        const plethron_unit unit = support_unit(bank, 0);
        assert_true(unit.final_loss == told.loss[told.n_measures - 1]);
        assert_true(unit.error_sum == told.error_sum[told.n_measures - 1]);
        assert_true(unit.accuracy == told.accuracy[told.n_measures - 1]);
        plethron_bank_close(bank);
    }
    plethron_bank *bank = two_units(0);
    const record told = train_recorded(on, bank, 1);
    EXPECT_MEASURED(&told, 0);
    plethron_bank_close(bank);
    plethron_bank_close(unmeasured);
}

static void intervals_of_measures(void **state) {
    (void)state;
    on_each_device(measure_at_intervals);
}

/* At zero weights every p is 0.5: the measures are known. */
static void measure_the_start(const setting *on) {
    const int64_t losses[] = {PLETHRON_LOSS_LOG, PLETHRON_LOSS_MSE, PLETHRON_LOSS_TUTORIAL}, epochs = 1;
    const double expected[] = {log(2.0), 0.125, 0.125};
    for (size_t l = 0; l < COUNT(losses); l++) {
        const plethron_bank_options options = {
            .struct_size = sizeof options, .loss = {&losses[l], 1}, .epochs = {&epochs, 1}};
        plethron_bank *bank = support_bank(N_FEATURES, 1, &options);
        const record told = train_recorded(on, bank, 1);
        assert_true(fabs(told.loss[0] - expected[l]) < 1e-6);
        assert_true(told.error_sum[0] == -0.5f); /* 5 x 0.5 - 3 */
        assert_true(told.accuracy[0] == 0.6f);   /* 0.5 counts as 1, and 3 of 5 are */
        plethron_bank_close(bank);
    }
}

static void measures_of_the_start(void **state) {
    (void)state;
    on_each_device(measure_the_start);
}

/* ---- Interruption ------------------------------------------------------------------------------------------------ */

static void interrupt_and_go_on(const setting *on) {
    const int64_t stops[] = {0, 1, 3, 6, 7, 12}; /* unit 1 ends at 10 */
    plethron_error err;
    record told;
    plethron_bank *whole = two_units(20);
    assert_works(plethron_train(on->dataset, whole, NULL, &err), &err);
    for (size_t s = 0; s < COUNT(stops); s++) {
        plethron_bank *bank = two_units(20);
        plethron_train_options options = recorded(&told, 3, stops[s]);
        char reached[64];
        const plethron_status status = plethron_train(on->dataset, bank, &options, &err);
        const int64_t done = told.last_progress;
        assert_true(done >= stops[s] && done < 20);
        snprintf(reached, sizeof reached, "stopped after %lld of 20 epochs", (long long)done);
        assert_fails(PLETHRON_ERROR_INTERRUPTED, status, &err, reached);
        assert_int_equal(told.measured[told.n_measures - 1], done);
        for (size_t i = 1; i < told.n_measures; i++) assert_true(told.measured[i] > told.measured[i - 1]);
        for (size_t j = 0; j < 2; j++) {
            const plethron_unit unit = support_unit(bank, j);
            const int64_t all = j == 0 ? 20 : 10;
            assert_int_equal(unit.epochs_done, done < all ? done : all);
            assert_int_equal(unit.state == PLETHRON_UNIT_INTERRUPTED, done < all);
            assert_true(isfinite(unit.final_loss));
        }
        told = train_recorded(on, bank, 0);
        EXPECT_MEASURED(&told, 20);
        assert_true(same_weights(bank, whole)); /* as if nothing had happened */
        for (size_t j = 0; j < 2; j++) assert_int_equal(support_unit(bank, j).state, support_unit(whole, j).state);
        plethron_bank_close(bank);
    }
    plethron_bank_close(whole);
}

static void interrupted_and_continued(void **state) {
    (void)state;
    on_each_device(interrupt_and_go_on);
}

/* ---- Standardising ----------------------------------------------------------------------------------------------- */

enum { N_TALL = 301, N_WIDE = 4 };

/* Features with offsets and scales far from 0 and 1; the target depends on two of them. */
static void make_skewed(float X[N_TALL * N_WIDE], float Y[N_TALL]) {
    for (size_t i = 0; i < N_TALL; i++) {
        const double a = (double)(i * 7919 % 997) / 997.0, b = (double)(i * 104729 % 991) / 991.0;
        X[i * N_WIDE] = (float)(100.0 + 10.0 * a);
        X[i * N_WIDE + 1] = (float)(1e-3 * b);
        X[i * N_WIDE + 2] = (float)(-5.0 + a * b);
        X[i * N_WIDE + 3] = 7.25f; /* constant */
        Y[i] = a + b > 1.0;
    }
}

static void standardise_by_hand(const float *X, float *S) {
    for (size_t k = 0; k < N_WIDE; k++) {
        double mean = 0.0, variance = 0.0;
        for (size_t i = 0; i < N_TALL; i++) mean += (double)X[i * N_WIDE + k] / N_TALL;
        for (size_t i = 0; i < N_TALL; i++) variance += pow((double)X[i * N_WIDE + k] - mean, 2.0) / N_TALL;
        const double deviation = variance > 1e-20 ? sqrt(variance) : 1.0;
        for (size_t i = 0; i < N_TALL; i++) S[i * N_WIDE + k] = (float)(((double)X[i * N_WIDE + k] - mean) / deviation);
    }
}

static plethron_bank *train_and_predict(const setting *on, const float *X, const float *Y, bool standardize, float *P) {
    const float rate = 2.0f;
    const int64_t epochs = 300;
    plethron_error err;
    const plethron_bank_options options = {
        .struct_size = sizeof options, .learning_rate = {&rate, 1}, .epochs = {&epochs, 1}};
    plethron_dataset *dataset = support_dataset(on->device, X, N_TALL, N_WIDE, Y, 1, standardize);
    plethron_bank *bank = support_bank(N_WIDE, 1, &options);
    assert_works(plethron_train(dataset, bank, NULL, &err), &err);
    assert_works(plethron_predict(on->device, bank, X, N_TALL, P, &err), &err);
    plethron_dataset_close(dataset);
    return bank;
}

/* Folding rounds each weight once, and the prediction then rounds products and sums as large as |w x|, where the
 * standardised data would have given small ones: |dz| <= (n + 2) u (sum |w x| + |b|), and |dp| <= |dz| / 4. The
 * training itself sees the same data but for the last place of a mean, which is why the bound is taken twice. */
static double fold_bound(const plethron_bank *bank, const float *x) {
    const double unit_roundoff = 0x1p-24;
    double size = fabs((double)plethron_bank_biases(bank)[0]);
    for (size_t k = 0; k < N_WIDE; k++) size += fabs((double)plethron_bank_weights(bank)[k] * (double)x[k]);
    return 2.0 * 0.25 * (N_WIDE + 2) * unit_roundoff * size;
}

static void fold_into_the_weights(const setting *on) {
    static float X[N_TALL * N_WIDE], S[N_TALL * N_WIDE], Y[N_TALL], P_raw[N_TALL], P_by_hand[N_TALL];
    make_skewed(X, Y);
    standardise_by_hand(X, S);
    plethron_bank *raw = train_and_predict(on, X, Y, true, P_raw);
    plethron_bank *by_hand = train_and_predict(on, S, Y, false, P_by_hand);
    assert_true(support_unit(by_hand, 0).accuracy > 0.95f);
    assert_true(fabsf(support_unit(raw, 0).final_loss - support_unit(by_hand, 0).final_loss) < 1e-5f);
    for (size_t i = 0; i < N_TALL; i++)
        assert_true(fabs((double)P_raw[i] - (double)P_by_hand[i]) <= fold_bound(raw, X + i * N_WIDE));
    plethron_bank_close(by_hand);
    plethron_bank_close(raw);
}

static void standardised_weights_apply_to_raw_data(void **state) {
    (void)state;
    on_each_device(fold_into_the_weights);
}

/* Start weights are for raw data, too: without an epoch a standardised training gives them back. */
static void keep_the_start(const setting *on) {
    static float X[N_TALL * N_WIDE], Y[N_TALL];
    const float start[N_WIDE + 1] = {0.5f, -3.0f, 0.25f, 1.0f, -2.0f};
    const int64_t epochs = 0;
    plethron_error err;
    make_skewed(X, Y);
    const plethron_bank_options options = {.struct_size = sizeof options, .epochs = {&epochs, 1}, .start = start};
    plethron_dataset *dataset = support_dataset(on->device, X, N_TALL, N_WIDE, Y, 1, true);
    plethron_bank *bank = support_bank(N_WIDE, 1, &options);
    assert_works(plethron_train(dataset, bank, NULL, &err), &err);
    for (size_t k = 0; k < N_WIDE; k++)
        assert_true(fabsf(plethron_bank_weights(bank)[k] - start[k]) <= 2.5e-7f * fabsf(start[k]));
    /* the bias passes through b + sum w mean, about 58 here, once in and once out */
    assert_true(fabsf(plethron_bank_biases(bank)[0] - start[N_WIDE]) < 4.0f * 58.0f * 0x1p-24f);
    plethron_bank_close(bank);
    plethron_dataset_close(dataset);
}

static void standardised_start(void **state) {
    (void)state;
    on_each_device(keep_the_start);
}

/* ---- What goes over the wire ------------------------------------------------------------------------------------- */

static void train_counted(const setting *on, int64_t epochs, plethron_counters *cost) {
    plethron_error err;
    plethron_counters before = {.struct_size = sizeof before}, after = before;
    const plethron_train_options options = {.struct_size = sizeof options, .strategy = is_host(on) ? "host" : "fused"};
    plethron_bank *bank = two_units(epochs);
    assert_works(plethron_device_counters(on->device, &before, &err), &err);
    assert_works(plethron_train(on->dataset, bank, &options, &err), &err);
    assert_works(plethron_device_counters(on->device, &after, &err), &err);
    *cost = (plethron_counters){
        .uploads = after.uploads - before.uploads,
        .upload_bytes = after.upload_bytes - before.upload_bytes,
        .downloads = after.downloads - before.downloads,
        .download_bytes = after.download_bytes - before.download_bytes,
        .launches = after.launches - before.launches,
    };
    plethron_bank_close(bank);
}

static void count_transfers(const setting *on) {
    plethron_counters few, many;
    train_counted(on, 2, &few);
    train_counted(on, 40, &many);
    assert_int_equal(few.uploads, many.uploads); /* whatever is uploaded is so before the first epoch */
    assert_int_equal(few.upload_bytes, many.upload_bytes);
    assert_int_equal(few.downloads, many.downloads);
    assert_int_equal(few.download_bytes, many.download_bytes);
    if (is_host(on))
        assert_int_equal(many.uploads + many.downloads + many.launches, 0);
    else
        assert_int_equal(many.launches - few.launches, 2 * (40 - 2)); /* fused, update */
}

static void transfers(void **state) {
    (void)state;
    on_each_device(count_transfers);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(refused_options),
        cmocka_unit_test(refused_targets),
        cmocka_unit_test(states),
        cmocka_unit_test(neighbours_of_a_diverged_unit),
        cmocka_unit_test(a_finished_bank),
        cmocka_unit_test(intervals_of_measures),
        cmocka_unit_test(measures_of_the_start),
        cmocka_unit_test(interrupted_and_continued),
        cmocka_unit_test(standardised_weights_apply_to_raw_data),
        cmocka_unit_test(standardised_start),
        cmocka_unit_test(transfers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
