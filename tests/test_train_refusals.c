/* Banks and data sets that do not fit together are refused before anything is trained: the error names the value and
 * the limit, and the bank stays as it was, to the bit. */
#include "support.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { N = 12, N_FEATURES = 2, N_UNITS = 2 };

static const float X[N * N_FEATURES] = {0, 1, 1, 0, 1, 1, 0, 0, 2, 1, 1, 2, 2, 2, 0, 2, 2, 0, 3, 1, 1, 3, 3, 3};
static const float Y[N] = {0, 1, 1, 0, 1, 0, 1, 0, 1, 1, 0, 1};
static const float weights[N] = {1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1};
static const uint8_t folds[N] = {0, 1, 2, 0, 1, 2, 0, 1, 2, 0, 1, 2};
static const int64_t offsets[] = {0, 5, 5, N};

static plethron_dataset *make(plethron_device *device, bool with_entities) {
    plethron_error err;
    plethron_dataset *dataset = NULL;
    plethron_dataset_options options = {
        .struct_size = sizeof options, .sample_weights = weights, .n_weight_columns = 1, .folds = folds};
    if (with_entities) {
        options.entity_offsets = offsets;
        options.n_entities = COUNT(offsets) - 1;
    }
    assert_works(plethron_dataset_create(device, X, N, N_FEATURES, Y, 1, &options, &dataset, &err), &err);
    return dataset;
}

static void expect_refused(plethron_dataset *dataset, const plethron_bank_options *bank_options,
                           plethron_status expected, const char *text, const char *more) {
    plethron_error err;
    const plethron_train_options options = {.struct_size = sizeof options};
    plethron_bank *bank = support_bank(N_FEATURES, N_UNITS, bank_options),
                  *before = support_bank(N_FEATURES, N_UNITS, bank_options);
    plethron_plan plan = {.struct_size = sizeof plan, .seconds = 77.0};
    assert_fails(expected, plethron_train(dataset, bank, &options, &err), &err, text, more);
    assert_fails(expected, plethron_train_plan(dataset, bank, &options, &plan, &err), &err, text, more);
    assert_int_equal(plethron_train(dataset, bank, &options, NULL), expected);
    assert_true(support_same_banks(bank, before));
    assert_true(plan.seconds == 77.0);
    plethron_bank_close(before);
    plethron_bank_close(bank);
}

/* ---- Rows -------------------------------------------------------------------------------------------------------- */

static void refuse_rows(plethron_device *device) {
    const int64_t column[] = {0, 1}, fold[] = {2, 3}, entity[] = {PLETHRON_NONE, 0}, patience[] = {0, 5};
    const int64_t held[] = {PLETHRON_NONE, PLETHRON_NONE};
    const float tolerance[] = {0.0f, 0.25f};
    plethron_dataset *dataset = make(device, false);
    plethron_dataset *bare = support_dataset(device, X, N, N_FEATURES, Y, 1, false);
    plethron_bank_options options = {.struct_size = sizeof options, .weight_column = {column, N_UNITS}};
    const plethron_status argument = PLETHRON_ERROR_ARGUMENT;
    expect_refused(dataset, &options, argument, "weight_column of unit 1 is 1", "1 columns of sample weights");
    expect_refused(bare, &options, argument, "weight_column of unit 0 is 0", "0 columns of sample weights");
    options = (plethron_bank_options){.struct_size = sizeof options, .excluded_fold = {fold, N_UNITS}};
    expect_refused(dataset, &options, argument, "excluded_fold of unit 1 is 3", "3 folds");
    expect_refused(bare, &options, argument, "excluded_fold of unit 0 is 2", "0 folds");
    options = (plethron_bank_options){.struct_size = sizeof options, .entity = {entity, N_UNITS}};
    expect_refused(dataset, &options, argument, "entity of unit 1 is 0", "0 entities");
    options = (plethron_bank_options){
        .struct_size = sizeof options, .patience = {patience, N_UNITS}, .excluded_fold = {held, N_UNITS}};
    expect_refused(dataset, &options, argument, "unit 1 has a patience of 5 epochs", "no excluded fold");
    options =
        (plethron_bank_options){.struct_size = sizeof options, .tolerance = {tolerance, N_UNITS}, .batch_size = 16};
    expect_refused(dataset, &options, argument, "unit 1 has a tolerance of 0.25", "batch_size 16");
    plethron_dataset_close(bare);
    plethron_dataset_close(dataset);
}

static void rows_that_do_not_exist(void **state) {
    (void)state;
    support_on_two_devices(refuse_rows);
}

static void refuse_entities(plethron_device *device) {
    const int64_t some[] = {0, PLETHRON_NONE}, beyond[] = {2, 3}, entities[] = {0, 2}, yes[] = {0, 1};
    plethron_dataset *dataset = make(device, true);
    plethron_bank_options options = {.struct_size = sizeof options, .entity = {some, N_UNITS}};
    expect_refused(dataset, &options, PLETHRON_ERROR_ARGUMENT, "unit 1 has no entity", "3 entities");
    options.entity.values = beyond;
    expect_refused(dataset, &options, PLETHRON_ERROR_ARGUMENT, "entity of unit 1 is 3", "3 entities");
    options.entity.values = entities;
    options.bootstrap = (plethron_integers){yes, N_UNITS};
    expect_refused(dataset, &options, PLETHRON_ERROR_UNSUPPORTED, "a bootstrap with entities", "unit 1");
    options.bootstrap = (plethron_integers){0};
    options.batch_size = 16;
    expect_refused(dataset, &options, PLETHRON_ERROR_UNSUPPORTED, "a batch size with entities", "unit 0");
    plethron_dataset_close(dataset);
}

static void entities_that_do_not_fit(void **state) {
    (void)state;
    support_on_two_devices(refuse_entities);
}

/* ---- Memory ------------------------------------------------------------------------------------------------------ */

/* The counts of so many replicates of so many rows are more than any machine has. */
static void refuse_too_much(plethron_device *device) {
    enum { N_ROWS = 1 << 22, N_MANY = 1 << 19 };
    plethron_error err;
    float *ones = malloc(N_ROWS * sizeof *ones);
    assert_non_null(ones);
    for (size_t i = 0; i < N_ROWS; i++) ones[i] = (float)(i % 2);
    const int64_t yes = 1, epochs = 1;
    const plethron_bank_options options = {
        .struct_size = sizeof options, .epochs = {&epochs, 1}, .bootstrap = {&yes, 1}};
    plethron_dataset *dataset = support_dataset(device, ones, N_ROWS, 1, ones, 1, false);
    plethron_bank *bank = support_bank(1, N_MANY, &options), *before = support_bank(1, N_MANY, &options);
    plethron_plan plan = {.struct_size = sizeof plan};
    assert_fails(PLETHRON_ERROR_MEMORY, plethron_train(dataset, bank, NULL, &err), &err, "bytes",
                 "units at a time would fit");
    assert_fails(PLETHRON_ERROR_MEMORY, plethron_train_plan(dataset, bank, NULL, &plan, &err), &err, "bytes");
    assert_true(support_same_banks(bank, before));
    plethron_bank_close(before);
    plethron_bank_close(bank);
    plethron_dataset_close(dataset);
    free(ones);
}

static void banks_that_do_not_fit(void **state) {
    (void)state;
    support_on_two_devices(refuse_too_much);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_that_do_not_exist),
        cmocka_unit_test(entities_that_do_not_fit),
        cmocka_unit_test(banks_that_do_not_fit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
