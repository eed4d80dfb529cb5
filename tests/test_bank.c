/* Banks: options and their checks, start weights, names, sizes. */
#include "support.h"

#include "bank.h"
#include "dataset.h"
#include "random.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { N_FEATURES = 3, N_UNITS = 2 };

/* ---- Options ----------------------------------------------------------------------------------------------------- */

static void defaults(void **state) {
    (void)state;
    plethron_bank *bank = support_bank(N_FEATURES, N_UNITS, NULL);
    assert_int_equal(plethron_bank_n_features(bank), N_FEATURES);
    assert_int_equal(plethron_bank_n_units(bank), N_UNITS);
    assert_int_equal(plethron_bank_reduction(bank), PLETHRON_REDUCTION_MEAN);
    assert_string_equal(plethron_bank_strategy(bank), "");
    for (size_t j = 0; j < N_UNITS; j++) {
        const plethron_unit unit = support_unit(bank, j);
        assert_true(unit.learning_rate == 0.1f && unit.l2 == 0.0f);
        assert_int_equal(unit.epochs, 1000);
        assert_int_equal(unit.loss, PLETHRON_LOSS_LOG);
        assert_int_equal(unit.target, 0);
        assert_int_equal(unit.positive_class, PLETHRON_NO_CLASS);
        assert_int_equal(unit.seed, 0);
        assert_int_equal(unit.id, j);
        assert_int_equal(unit.state, PLETHRON_UNIT_NEW);
        assert_int_equal(unit.epochs_done, 0);
        assert_true(isnan(unit.final_loss) && isnan(unit.error_sum) && isnan(unit.accuracy));
        assert_true(plethron_bank_biases(bank)[j] == 0.0f);
        assert_true(unit.l1 == 0.0f && unit.tolerance == 0.0f && unit.momentum == 0.9f && unit.beta2 == 0.999f);
        assert_true(unit.epsilon == 1e-8f && unit.decay == 0.5f);
        assert_true(unit.weight_negative == 1.0f && unit.weight_positive == 1.0f);
        assert_int_equal(unit.optimizer, PLETHRON_OPTIMIZER_GD);
        assert_int_equal(unit.schedule, PLETHRON_SCHEDULE_CONSTANT);
        assert_int_equal(unit.patience + unit.balanced + unit.bootstrap, 0);
        assert_int_equal(unit.weight_column, PLETHRON_NONE);
        assert_int_equal(unit.excluded_fold, PLETHRON_NONE);
        assert_int_equal(unit.entity, PLETHRON_NONE);
        assert_true(isnan(unit.row_weight) && isnan(unit.gradient_norm) && isnan(unit.auc));
        assert_true(isnan(unit.held_out_loss) && isnan(unit.held_out_error_sum) && isnan(unit.held_out_accuracy) &&
                    isnan(unit.held_out_auc));
    }
    assert_int_equal(plethron_bank_check_every(bank), 10);
    assert_int_equal(plethron_bank_batch_size(bank), 0);
    plethron_bank_close(bank);
    plethron_bank_close(NULL);
}

static void one_value_or_one_a_unit(void **state) {
    (void)state;
    const float one_rate[] = {0.5f}, l2[] = {0.25f, 0.125f};
    const int64_t epochs[] = {INT32_MAX}, loss[] = {PLETHRON_LOSS_MSE, PLETHRON_LOSS_TUTORIAL}, target[] = {7, 8};
    const int64_t class[] = {PLETHRON_NO_CLASS, DATASET_MAX_CLASSES - 1}, seed[] = {0, (1LL << 53) - 1}, id[] = {9, 4};
    const plethron_bank_options options = {
        .struct_size = sizeof options,
        .learning_rate = {one_rate, 1},
        .l2 = {l2, 2},
        .epochs = {epochs, 1},
        .loss = {loss, 2},
        .target = {target, 2},
        .positive_class = {class, 2},
        .seed = {seed, 2},
        .id = {id, 2},
        .reduction = PLETHRON_REDUCTION_SUM,
    };
    plethron_bank *bank = support_bank(N_FEATURES, N_UNITS, &options);
    assert_int_equal(plethron_bank_reduction(bank), PLETHRON_REDUCTION_SUM);
    for (size_t j = 0; j < N_UNITS; j++) {
        const plethron_unit unit = support_unit(bank, j);
        assert_true(unit.learning_rate == one_rate[0] && unit.l2 == l2[j]);
        assert_int_equal(unit.epochs, epochs[0]);
        assert_int_equal(unit.loss, loss[j]);
        assert_int_equal(unit.target, target[j]);
        assert_int_equal(unit.positive_class, class[j]);
        assert_int_equal(unit.seed, seed[j]);
        assert_int_equal(unit.id, id[j]);
    }
    plethron_bank_close(bank);
}

static void expect_refused(const plethron_bank_options *options, const char *field, const char *what,
                           const char *allowed) {
    plethron_error err;
    plethron_bank *untouched = (plethron_bank *)&err, *bank = untouched;
    assert_fails(PLETHRON_ERROR_ARGUMENT, plethron_bank_create(N_FEATURES, N_UNITS, options, &bank, &err), &err, field,
                 what, allowed);
    assert_ptr_equal(bank, untouched);
    assert_int_equal(plethron_bank_create(N_FEATURES, N_UNITS, options, &bank, NULL), PLETHRON_ERROR_ARGUMENT);
}

/* The place of each per-unit field in the options. */
static const struct field {
    const char *name;
    size_t offset;
    bool is_integer;
} fields[] = {
    {"learning_rate", offsetof(plethron_bank_options, learning_rate), false},
    {"l2", offsetof(plethron_bank_options, l2), false},
    {"epochs", offsetof(plethron_bank_options, epochs), true},
    {"loss", offsetof(plethron_bank_options, loss), true},
    {"target", offsetof(plethron_bank_options, target), true},
    {"positive_class", offsetof(plethron_bank_options, positive_class), true},
    {"seed", offsetof(plethron_bank_options, seed), true},
    {"id", offsetof(plethron_bank_options, id), true},
    {"l1", offsetof(plethron_bank_options, l1), false},
    {"optimizer", offsetof(plethron_bank_options, optimizer), true},
    {"momentum", offsetof(plethron_bank_options, momentum), false},
    {"beta2", offsetof(plethron_bank_options, beta2), false},
    {"epsilon", offsetof(plethron_bank_options, epsilon), false},
    {"schedule", offsetof(plethron_bank_options, schedule), true},
    {"decay", offsetof(plethron_bank_options, decay), false},
    {"tolerance", offsetof(plethron_bank_options, tolerance), false},
    {"patience", offsetof(plethron_bank_options, patience), true},
    {"weight_negative", offsetof(plethron_bank_options, weight_negative), false},
    {"weight_positive", offsetof(plethron_bank_options, weight_positive), false},
    {"balanced", offsetof(plethron_bank_options, balanced), true},
    {"weight_column", offsetof(plethron_bank_options, weight_column), true},
    {"excluded_fold", offsetof(plethron_bank_options, excluded_fold), true},
    {"bootstrap", offsetof(plethron_bank_options, bootstrap), true},
    {"entity", offsetof(plethron_bank_options, entity), true},
};

/* Options whose one field takes its values from an array; plethron_floats and plethron_integers are laid out alike. */
static plethron_bank_options with_field(const struct field *field, const void *values, size_t count) {
    plethron_bank_options options = {.struct_size = sizeof options};
    if (field->is_integer)
        memcpy((char *)&options + field->offset, &(plethron_integers){values, count}, sizeof(plethron_integers));
    else
        memcpy((char *)&options + field->offset, &(plethron_floats){values, count}, sizeof(plethron_floats));
    return options;
}

static void wrong_lengths(void **state) {
    (void)state;
    const float floats[3] = {1, 1, 1};
    const int64_t integers[3] = {1, 1, 1};
    for (size_t f = 0; f < COUNT(fields); f++) {
        const void *values = fields[f].is_integer ? (const void *)integers : (const void *)floats;
        const plethron_bank_options too_many = with_field(&fields[f], values, 3);
        expect_refused(&too_many, fields[f].name, "3 values", "2 (one a unit)");
        const plethron_bank_options no_array = with_field(&fields[f], NULL, 2);
        expect_refused(&no_array, fields[f].name, "2 values but no array", "allowed");
        const plethron_bank_options no_count = with_field(&fields[f], values, 0);
        plethron_bank_close(support_bank(N_FEATURES, N_UNITS, &no_count));
    }
}

static void floats_out_of_range(void **state) {
    (void)state;
    const struct {
        size_t field;
        float value;
        const char *text, *allowed;
    } cases[] = {
        {0, 0.0f, "unit 1 is 0:", "above 0 and below inf"},
        {0, -1.0f, "unit 1 is -1:", "above 0 and below inf"},
        {0, NAN, "unit 1 is nan:", "above 0 and below inf"},
        {0, INFINITY, "unit 1 is inf:", "above 0 and below inf"},
        {8, -1.0f, "unit 1 is -1:", "from 0 and below inf"},
        {8, INFINITY, "unit 1 is inf:", "from 0 and below inf"},
        {10, -0.5f, "unit 1 is -0.5:", "from 0 to 0.9999"},
        {10, 1.0f, "unit 1 is 1:", "from 0 to 0.9999"},
        {11, 1.0f, "unit 1 is 1:", "from 0 to 0.9999"},
        {11, NAN, "unit 1 is nan:", "from 0 to 0.9999"},
        {12, 0.0f, "unit 1 is 0:", "to 1 is allowed"},
        {12, 1.5f, "unit 1 is 1.5:", "to 1 is allowed"},
        {14, -1.0f, "unit 1 is -1:", "from 0 to 4"},
        {14, 4.5f, "unit 1 is 4.5:", "from 0 to 4"},
        {15, -1e-3f, "unit 1 is -0.001", "from 0 and below inf"},
        {15, NAN, "unit 1 is nan:", "from 0 and below inf"},
        {17, -1.0f, "unit 1 is -1:", "from 0 and below inf"},
        {18, -1.0f, "unit 1 is -1:", "from 0 and below inf"},
        {18, INFINITY, "unit 1 is inf:", "from 0 and below inf"},
        {0, -INFINITY, "unit 1 is -inf:", "above 0"},
        {1, -1e-30f, "unit 1 is -1", "from 0 and below inf"},
        {1, NAN, "unit 1 is nan:", "from 0 and below inf"},
        {1, INFINITY, "unit 1 is inf:", "from 0 and below inf"},
        {1, -INFINITY, "unit 1 is -inf:", "from 0 and below"},
    };
    for (size_t c = 0; c < COUNT(cases); c++) {
        const float values[] = {0.5f, cases[c].value}; /* the first is allowed everywhere */
        const plethron_bank_options options = with_field(&fields[cases[c].field], values, 2);
        expect_refused(&options, fields[cases[c].field].name, cases[c].text, cases[c].allowed);
    }
}

static void integers_out_of_range(void **state) {
    (void)state;
    const struct {
        size_t field;
        int64_t value;
        const char *allowed;
    } cases[] = {
        {2, -1, "from 0 to 2147483647"},
        {2, 1LL << 31, "from 0 to 2147483647"},
        {2, INT64_MAX, "from 0 to 2147483647"},
        {3, -1, "from 0 to 2"},
        {3, 3, "from 0 to 2"},
        {3, INT64_MIN, "from 0 to 2"},
        {4, -1, "from 0 to 1073741824"},
        {4, (1LL << 30) + 1, "from 0 to 1073741824"},
        {5, -2, "from -1 to 65534"},
        {5, 65535, "from -1 to 65534"},
        {6, -1, "from 0 to 9007199254740991"},
        {6, INT64_MAX, "from 0 to 9007199254740991"},
        {7, -1, "from 0 to 9007199254740991"},
        {7, 1LL << 53, "from 0 to 9007199254740991"},
        {9, -1, "from 0 to 3"},
        {9, 4, "from 0 to 3"},
        {13, -1, "from 0 to 2"},
        {13, 3, "from 0 to 2"},
        {16, -1, "from 0 to 2147483647"},
        {16, 1LL << 31, "from 0 to 2147483647"},
        {19, -1, "from 0 to 1"},
        {19, 2, "from 0 to 1"},
        {20, -2, "from -1 to 1073741824"},
        {20, INT64_MAX, "from -1 to 1073741824"},
        {21, -2, "from -1 to 254"},
        {21, 255, "from -1 to 254"},
        {22, 2, "from 0 to 1"},
        {23, -2, "from -1 to 1073741824"},
        {23, INT64_MIN, "from -1 to 1073741824"},
    };
    for (size_t c = 0; c < COUNT(cases); c++) {
        const int64_t values[] = {1, cases[c].value};
        const plethron_bank_options options = with_field(&fields[cases[c].field], values, 2);
        expect_refused(&options, fields[cases[c].field].name, "of unit 1 is ", cases[c].allowed);
    }
}

static void unknown_reduction_and_init(void **state) {
    (void)state;
    plethron_bank_options options = {.struct_size = sizeof options};
    options.reduction = (plethron_reduction)2;
    expect_refused(&options, "reduction", "2", "0 (mean) and 1 (sum)");
    options.reduction = PLETHRON_REDUCTION_MEAN;
    options.init = (plethron_init)3;
    expect_refused(&options, "init", "3", "0 (zeros), 1 (uniform) and 2 (normal)");
}

static void scalars_out_of_range(void **state) {
    (void)state;
    plethron_bank_options options = {.struct_size = sizeof options, .check_every = -1};
    expect_refused(&options, "check_every is -1", "", "1 to 2147483647 is allowed");
    options.check_every = 1LL << 31;
    expect_refused(&options, "check_every is 2147483648", "", "1 to 2147483647 is allowed");
    options.check_every = 0;
    const size_t sizes[] = {1, 15, 17, 100, (1u << 30) + 16, SIZE_MAX};
    for (size_t s = 0; s < COUNT(sizes); s++) {
        options.batch_size = sizes[s];
        expect_refused(&options, "batch_size is ", "", "0 or a multiple of 16 up to 1073741824 is allowed");
    }
    options.batch_size = 16;
    options.batch_seed = -1;
    expect_refused(&options, "batch_seed is -1", "", "0 to 9007199254740991 is allowed");
    options.batch_seed = 1LL << 53;
    expect_refused(&options, "batch_seed is 9007199254740992", "", "0 to 9007199254740991 is allowed");
    options.batch_seed = 5;
    plethron_bank *bank = support_bank(N_FEATURES, N_UNITS, &options);
    assert_int_equal(plethron_bank_check_every(bank), 10);
    assert_int_equal(plethron_bank_batch_size(bank), 16);
    assert_int_equal(plethron_bank_batch_seed(bank), 5);
    plethron_bank_close(bank);
}

static void struct_sizes(void **state) {
    (void)state;
    plethron_bank_options options = {.struct_size = 0};
    expect_refused(&options, "plethron_bank_options.struct_size", "is 0", "expected sizeof");
    options.struct_size = sizeof options + 1;
    expect_refused(&options, "plethron_bank_options.struct_size", "expected", "sizeof");
    /* A caller built against an older header, whose struct ended before l2: what lies behind is not looked at. */
    const float rate = 0.5f, bad = -1.0f;
    options = (plethron_bank_options){.struct_size = offsetof(plethron_bank_options, l2),
                                      .learning_rate = {&rate, 1},
                                      .l2 = {&bad, 1},
                                      .reduction = (plethron_reduction)77};
    plethron_bank *bank = support_bank(N_FEATURES, N_UNITS, &options);
    assert_true(support_unit(bank, 1).learning_rate == rate);
    assert_true(support_unit(bank, 1).l2 == 0.0f);
    plethron_bank_close(bank);
}

static void sizes_of_banks(void **state) {
    (void)state;
    plethron_error err;
    plethron_bank *bank = NULL;
    const size_t most = DATASET_MAX_COUNT;
    const char *allowed = "1 to 1073741824 is allowed";
    assert_fails(PLETHRON_ERROR_ARGUMENT, plethron_bank_create(0, 1, NULL, &bank, &err), &err, "n_features is 0",
                 allowed);
    assert_fails(PLETHRON_ERROR_ARGUMENT, plethron_bank_create(1, 0, NULL, &bank, &err), &err, "n_units is 0", allowed);
    assert_fails(PLETHRON_ERROR_ARGUMENT, plethron_bank_create(most + 1, 1, NULL, &bank, &err), &err,
                 "n_features is 1073741825", allowed);
    assert_fails(PLETHRON_ERROR_ARGUMENT, plethron_bank_create(1, SIZE_MAX, NULL, &bank, &err), &err,
                 "n_units is 18446744073709551615", allowed);
    assert_fails(PLETHRON_ERROR_MEMORY, plethron_bank_create(most, most, NULL, &bank, &err), &err, "weights", "bytes");
    assert_null(bank);
}

static void asking_for_units(void **state) {
    (void)state;
    plethron_error err;
    plethron_bank *bank = support_bank(N_FEATURES, N_UNITS, NULL);
    plethron_unit unit = {.struct_size = sizeof unit, .epochs = 77};
    assert_fails(PLETHRON_ERROR_ARGUMENT, plethron_bank_unit(bank, N_UNITS, &unit, &err), &err, "unit 2", "has 2");
    unit.struct_size = 0;
    assert_fails(PLETHRON_ERROR_ARGUMENT, plethron_bank_unit(bank, 0, &unit, &err), &err, "plethron_unit.struct_size");
    unit.struct_size = sizeof unit + 1;
    assert_fails(PLETHRON_ERROR_ARGUMENT, plethron_bank_unit(bank, 0, &unit, &err), &err, "plethron_unit.struct_size");
    assert_int_equal(unit.epochs, 77);
    unit.struct_size = offsetof(plethron_unit, epochs); /* an older caller */
    assert_works(plethron_bank_unit(bank, 0, &unit, &err), &err);
    assert_int_equal(unit.struct_size, offsetof(plethron_unit, epochs));
    assert_true(unit.learning_rate == 0.1f);
    assert_int_equal(unit.epochs, 77);
    plethron_bank_close(bank);
}

/* ---- Start weights ----------------------------------------------------------------------------------------------- */

/* The vectors that the authors of Philox publish: kat_vectors of the Random123 distribution, philox4x32, 10 rounds. */
static void philox_known_answers(void **state) {
    (void)state;
    const struct {
        uint32_t counter[4], key[2], expected[4];
    } cases[] = {
        {{0, 0, 0, 0}, {0, 0}, {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
        {{0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff},
         {0xffffffff, 0xffffffff},
         {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}},
        {{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, /* the digits of pi */
         {0xa4093822, 0x299f31d0},
         {0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}},
    };
    for (size_t c = 0; c < COUNT(cases); c++) {
        uint32_t got[4];
        random_numbers(cases[c].counter, cases[c].key, got);
        assert_memory_equal(got, cases[c].expected, sizeof got);
    }
}

/* Checks range, mean and deviation of 32,000 weights, each moment within 5 of its standard errors. */
static void check_distribution(plethron_init init, float limit, double deviation, double kurtosis) {
    enum { FEATURES = 64, UNITS = 500, N = FEATURES * UNITS };
    const plethron_bank_options options = {.struct_size = sizeof options, .init = init};
    plethron_bank *bank = support_bank(FEATURES, UNITS, &options);
    const float *w = plethron_bank_weights(bank);
    double sum = 0.0, squares = 0.0;
    for (size_t i = 0; i < N; i++) {
        assert_true(w[i] >= -limit && w[i] < limit);
        sum += w[i];
        squares += (double)w[i] * w[i];
    }
    for (size_t j = 0; j < UNITS; j++) assert_true(plethron_bank_biases(bank)[j] == 0.0f);
    const double mean_error = deviation / sqrt(N), variance_error = deviation * deviation * sqrt((kurtosis - 1.0) / N);
    assert_true(fabs(sum / N) < 5.0 * mean_error);
    assert_true(fabs(squares / N - deviation * deviation) < 5.0 * variance_error);
    plethron_bank_close(bank);
}

static void distributions(void **state) {
    (void)state;
    const float spread = 0.125f; /* 1 / sqrt(64 features) */
    check_distribution(PLETHRON_INIT_UNIFORM, spread, spread / sqrt(3.0), 1.8);
    check_distribution(PLETHRON_INIT_NORMAL, 6.0f * spread, spread, 2.9); /* twelve uniforms: 3 - 1.2 / 12 */
    plethron_bank *bank = support_bank(N_FEATURES, N_UNITS, NULL);
    const float zeros[(N_FEATURES + 1) * N_UNITS] = {0};
    assert_memory_equal(plethron_bank_weights(bank), zeros, sizeof zeros);
    plethron_bank_close(bank);
}

static plethron_bank *make_started(size_t n_units, const int64_t *seeds, const int64_t *ids, plethron_init init) {
    const plethron_bank_options options = {
        .struct_size = sizeof options, .seed = {seeds, n_units}, .id = {ids, n_units}, .init = init};
    return support_bank(N_FEATURES, n_units, &options);
}

/* True when two units have the same weights, bit by bit; a bank's weights stand in columns. */
static bool same_start(const plethron_bank *a, size_t unit_a, const plethron_bank *b, size_t unit_b) {
    bool same = true;
    for (size_t k = 0; k < N_FEATURES; k++)
        same = same && memcmp(plethron_bank_weights(a) + k * plethron_bank_n_units(a) + unit_a,
                              plethron_bank_weights(b) + k * plethron_bank_n_units(b) + unit_b, sizeof(float)) == 0;
    return same;
}

static void start_follows_seed_and_id(void **state) {
    (void)state;
    const plethron_init inits[] = {PLETHRON_INIT_UNIFORM, PLETHRON_INIT_NORMAL};
    const int64_t seeds_a[] = {3, 4}, ids_a[] = {10, 20};
    /* 2^32 more: a number that keeps only the low half would repeat itself */
    const int64_t seeds_b[] = {4, 3, 3, 3 + (1LL << 32), 3}, ids_b[] = {20, 20, 10, 10, 10 + (1LL << 32)};
    for (size_t i = 0; i < COUNT(inits); i++) {
        plethron_bank *a = make_started(2, seeds_a, ids_a, inits[i]), *b = make_started(5, seeds_b, ids_b, inits[i]);
        assert_true(same_start(a, 0, b, 2));
        assert_true(same_start(a, 1, b, 0));
        for (size_t j = 0; j < 5; j++)
            for (size_t other = 0; other < j; other++) assert_false(same_start(b, j, b, other));
        plethron_bank_close(a);
        plethron_bank_close(b);
    }
}

static void start_given(void **state) {
    (void)state;
    float start[(N_FEATURES + 1) * N_UNITS] = {1, 2, 3, 4, 5, 6, 7, 8};
    plethron_bank_options options = {.struct_size = sizeof options, .init = PLETHRON_INIT_NORMAL, .start = start};
    plethron_bank *bank = support_bank(N_FEATURES, N_UNITS, &options);
    assert_memory_equal(plethron_bank_weights(bank), start, N_FEATURES * N_UNITS * sizeof *start);
    assert_memory_equal(plethron_bank_biases(bank), start + N_FEATURES * N_UNITS, N_UNITS * sizeof *start);
    plethron_bank_close(bank);
    start[5] = NAN;
    expect_refused(&options, "start[2, 1]", "nan", "finite");
    start[5] = 0.0f;
    start[7] = -INFINITY; /* the bias of unit 1 */
    expect_refused(&options, "start[3, 1]", "-inf", "finite");
}

/* ---- Names ------------------------------------------------------------------------------------------------------- */

static void names_are_copied_and_replaced(void **state) {
    (void)state;
    plethron_error err;
    plethron_bank *bank = support_bank(N_FEATURES, N_UNITS, NULL);
    assert_null(plethron_bank_feature_name(bank, 0));
    assert_null(plethron_bank_target_name(bank, 0));
    assert_null(plethron_bank_class_label(bank, 0, 0));
    assert_int_equal(plethron_bank_n_targets(bank), 0);
    assert_int_equal(plethron_bank_n_classes(bank, 0), 0);

    char first[] = "smoking";
    const char *features[] = {first, "Größe", ""}, *others[] = {"x", "y", "z"};
    assert_works(plethron_bank_name_features(bank, features, &err), &err);
    first[0] = '?'; /* the bank's copy does not change */
    assert_string_equal(plethron_bank_feature_name(bank, 0), "smoking");
    assert_string_equal(plethron_bank_feature_name(bank, 1), "Größe");
    assert_string_equal(plethron_bank_feature_name(bank, 2), "");
    assert_null(plethron_bank_feature_name(bank, N_FEATURES));
    assert_works(plethron_bank_name_features(bank, others, &err), &err);
    assert_string_equal(plethron_bank_feature_name(bank, 2), "z");

    const char *targets[] = {"ill", "tall"}, *labels[] = {"no", "yes", "perhaps"};
    assert_works(plethron_bank_name_targets(bank, 2, targets, &err), &err);
    assert_works(plethron_bank_name_classes(bank, 1, 3, labels, &err), &err);
    assert_int_equal(plethron_bank_n_targets(bank), 2);
    assert_string_equal(plethron_bank_target_name(bank, 1), "tall");
    assert_null(plethron_bank_target_name(bank, 2));
    assert_int_equal(plethron_bank_n_classes(bank, 0), 0);
    assert_int_equal(plethron_bank_n_classes(bank, 1), 3);
    assert_int_equal(plethron_bank_n_classes(bank, 2), 0);
    assert_string_equal(plethron_bank_class_label(bank, 1, 2), "perhaps");
    assert_null(plethron_bank_class_label(bank, 1, 3));
    assert_works(plethron_bank_name_classes(bank, 1, 2, labels, &err), &err);
    assert_null(plethron_bank_class_label(bank, 1, 2));
    assert_works(plethron_bank_name_targets(bank, 1, targets, &err), &err); /* new targets have no classes yet */
    assert_int_equal(plethron_bank_n_classes(bank, 0), 0);
    assert_works(plethron_bank_name_targets(bank, 0, NULL, &err), &err);
    assert_int_equal(plethron_bank_n_targets(bank), 0);
    plethron_bank_close(bank);
}

static void bad_names_change_nothing(void **state) {
    (void)state;
    plethron_error err;
    plethron_bank *bank = support_bank(N_FEATURES, N_UNITS, NULL);
    const char *good[] = {"a", "b", "c"}, *twice[] = {"b", "c", "b"}, *missing[] = {"a", NULL, "c"};
    const char *latin_1[] = {"a", "Gr\366\337e", "c"};
    assert_works(plethron_bank_name_features(bank, good, &err), &err);
    assert_works(plethron_bank_name_targets(bank, 3, good, &err), &err);
    assert_works(plethron_bank_name_classes(bank, 2, 3, good, &err), &err);

    assert_fails(PLETHRON_ERROR_ARGUMENT, plethron_bank_name_features(bank, twice, &err), &err, "'b'", "twice",
                 "features");
    assert_fails(PLETHRON_ERROR_ARGUMENT, plethron_bank_name_features(bank, missing, &err), &err, "name 1", "features",
                 "NULL");
    assert_fails(PLETHRON_ERROR_ARGUMENT, plethron_bank_name_features(bank, NULL, &err), &err, "name 0", "NULL");
    assert_fails(PLETHRON_ERROR_ARGUMENT, plethron_bank_name_features(bank, latin_1, &err), &err, "features", "UTF-8");
    assert_fails(PLETHRON_ERROR_ARGUMENT, plethron_bank_name_targets(bank, 3, twice, &err), &err, "'b'", "targets");
    assert_fails(PLETHRON_ERROR_ARGUMENT, plethron_bank_name_targets(bank, 3, missing, &err), &err, "name 1", "NULL");
    assert_fails(PLETHRON_ERROR_ARGUMENT, plethron_bank_name_classes(bank, 2, 3, twice, &err), &err, "'b'", "classes");
    assert_fails(PLETHRON_ERROR_ARGUMENT, plethron_bank_name_classes(bank, 2, 3, latin_1, &err), &err, "UTF-8");
    assert_fails(PLETHRON_ERROR_ARGUMENT, plethron_bank_name_classes(bank, 3, 3, good, &err), &err, "target 3",
                 "3 targets are named");

    for (size_t i = 0; i < 3; i++) {
        assert_string_equal(plethron_bank_feature_name(bank, i), good[i]);
        assert_string_equal(plethron_bank_target_name(bank, i), good[i]);
        assert_string_equal(plethron_bank_class_label(bank, 2, i), good[i]);
    }
    plethron_bank_close(bank);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(defaults),
        cmocka_unit_test(one_value_or_one_a_unit),
        cmocka_unit_test(wrong_lengths),
        cmocka_unit_test(floats_out_of_range),
        cmocka_unit_test(integers_out_of_range),
        cmocka_unit_test(unknown_reduction_and_init),
        cmocka_unit_test(scalars_out_of_range),
        cmocka_unit_test(struct_sizes),
        cmocka_unit_test(sizes_of_banks),
        cmocka_unit_test(asking_for_units),
        cmocka_unit_test(philox_known_answers),
        cmocka_unit_test(distributions),
        cmocka_unit_test(start_follows_seed_and_id),
        cmocka_unit_test(start_given),
        cmocka_unit_test(names_are_copied_and_replaced),
        cmocka_unit_test(bad_names_change_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
