/* Sparse features: the bits of the strategies for dense ones on the same data, and what is refused. The suites of every
 * strategy run `sparse`, too, on data without zeros. */
#include "cases.h"
#include "dataset.h"
#include "support.h"
#include "tolerance.h"
#include "train.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static case_ways ways;

static const case_way *host_way(void) {
    return &ways.ways[ways.n_ways - 1];
}

/* Leaves one value of `each` and zeros for the others; every fifth row is empty, and so is the second feature; the
 * first is that of all rows but the empty ones. */
static test_case *open_thin(case_shape shape, size_t each) {
    test_case *c = case_open(shape, case_seed());
    for (size_t i = 0; i < shape.n_samples; i++)
        for (size_t k = 0; k < shape.n_features; k++) {
            const bool is_given = i % 5 != 3 && k != 1 && (k == 0 || (i * 7 + k * 13) % each == 0);
            if (!is_given) c->X[i * shape.n_features + k] = 0.0f;
        }
    return c;
}

/* ---- The same bits ----------------------------------------------------------------------------------------------- */

static bool is_wanted(const case_way *way) {
    return way->is_sparse && case_bits_hold(way);
}

static void check_bits(const test_case *c, bool every_tiling) {
    plethron_bank *want = case_bank(c, NULL, c->shape.n_units);
    case_train_on(host_way(), c, want);
    for (size_t w = 0; w < ways.n_ways; w++) {
        const case_way *way = &ways.ways[w];
        if (!is_wanted(way) || (way->tiling && !every_tiling)) continue;
        plethron_bank *bank = case_bank(c, NULL, c->shape.n_units);
        case_train_on(way, c, bank);
        check_same_bank(want, bank, way->name);
        plethron_bank_close(bank);
    }
    plethron_bank_close(want);
}

static void test_bits_of_dense_features(void **state) {
    (void)state;
    const case_shape shapes[] = {
        {300, 19, 21, UNITS_FULL, PLETHRON_REDUCTION_MEAN},
        {1, 2, 1, UNITS_MIXED, PLETHRON_REDUCTION_MEAN},
        {257, 300, 33, UNITS_MIXED, PLETHRON_REDUCTION_SUM},
        {700, 40, 70, UNITS_FULL, PLETHRON_REDUCTION_MEAN},
    };
    for (size_t s = 0; s < COUNT(shapes); s++) {
        test_case *c = open_thin(shapes[s], 4);
        check_bits(c, s == 0);
        case_close(c);
    }
}

static void test_bits_in_batches(void **state) {
    (void)state;
    const case_shape shape = {1100, 23, 18, UNITS_FULL, PLETHRON_REDUCTION_MEAN};
    const int64_t batches[] = {16, 304, 1088, 1104};
    for (size_t b = 0; b < COUNT(batches); b++) {
        test_case *c = open_thin(shape, 3);
        for (size_t j = 0; j < shape.n_units; j++) c->units->tolerance[j] = 0.0f;
        c->units->batch_size = batches[b];
        c->units->batch_seed = 11;
        check_bits(c, false);
        case_close(c);
    }
}

/* The first feature has more than 4096 entries, many in each block: it is summed in pieces. Batches leave them out. */
static void test_long_features_in_pieces(void **state) {
    (void)state;
    const case_shape shape = {6000, 5, 17, UNITS_FULL, PLETHRON_REDUCTION_MEAN};
    test_case *c = open_thin(shape, 40);
    for (size_t w = 0; w < ways.n_ways; w++) {
        if (!ways.ways[w].is_sparse) continue;
        plethron_dataset *dataset = case_dataset(c, &ways.ways[w]);
        assert_int_equal(dataset->sparse->n_pieces, (6000 + 255) / 256);
        plethron_dataset_close(dataset);
    }
    check_bits(c, true);
    for (size_t j = 0; j < shape.n_units; j++) c->units->tolerance[j] = 0.0f;
    c->units->batch_size = 4096;
    check_bits(c, false);
    case_close(c);
}

/* Nothing is given: what is learnt is the biases. */
static void test_features_without_values(void **state) {
    (void)state;
    const case_shape shape = {20, 3, 4, UNITS_MIXED, PLETHRON_REDUCTION_MEAN};
    test_case *c = case_open(shape, case_seed());
    memset(c->X, 0, shape.n_samples * shape.n_features * sizeof *c->X);
    check_bits(c, false);
    c->units->batch_size = 16;
    check_bits(c, false);
    case_close(c);
}

/* A zero that is given is a zero; -0 too. */
static void test_zeros_that_are_given(void **state) {
    (void)state;
    const float dense[3][3] = {{1.0f, 0.0f, -0.0f}, {0.0f, 2.0f, 0.5f}, {0.0f, 0.0f, 0.0f}}, Y[3] = {1, 0, 1};
    const int64_t offsets[] = {0, 3, 5, 6};
    const int32_t columns[] = {0, 1, 2, 1, 2, 0};
    const float values[] = {1.0f, 0.0f, -0.0f, 2.0f, 0.5f, 0.0f};
    const plethron_sparse X = {3, 3, offsets, columns, values};
    plethron_device *device = support_device("host");
    plethron_dataset *a = support_dataset(device, &dense[0][0], 3, 3, Y, 1, false), *b = NULL;
    check_ok(plethron_dataset_create_sparse(device, &X, Y, 1, NULL, &b, &case_error));
    plethron_bank *of_dense = support_bank(3, 1, NULL), *of_sparse = support_bank(3, 1, NULL);
    check_ok(plethron_train(a, of_dense, NULL, &case_error));
    check_ok(plethron_train(b, of_sparse, NULL, &case_error));
    check_same_unit(of_dense, 0, of_sparse, 0, "given zeros");
    assert_string_equal(plethron_bank_strategy(of_sparse), "sparse");
    plethron_bank_close(of_dense);
    plethron_bank_close(of_sparse);
    plethron_dataset_close(a);
    plethron_dataset_close(b);
    plethron_device_close(device);
}

/* The areas under the ROC curves are found from the same z. */
static plethron_bank *train_with_areas(const case_way *way, const test_case *c) {
    const plethron_train_options options = {.struct_size = sizeof options, .strategy = way->strategy, .auc = true};
    plethron_dataset *dataset = case_dataset(c, way);
    plethron_bank *bank = case_bank(c, NULL, c->shape.n_units);
    check_ok(plethron_train(dataset, bank, &options, &case_error));
    plethron_dataset_close(dataset);
    return bank;
}

static void test_areas(void **state) {
    (void)state;
    const case_shape shape = {150, 12, 9, UNITS_FULL, PLETHRON_REDUCTION_MEAN};
    test_case *c = open_thin(shape, 3);
    plethron_bank *want = train_with_areas(host_way(), c);
    for (size_t w = 0; w < ways.n_ways; w++) {
        if (!is_wanted(&ways.ways[w]) || ways.ways[w].tiling) continue;
        plethron_bank *bank = train_with_areas(&ways.ways[w], c);
        check_same_bank(want, bank, ways.ways[w].name);
        plethron_bank_close(bank);
    }
    plethron_bank_close(want);
    case_close(c);
}

/* ---- Beside the reference ---------------------------------------------------------------------------------------- */

static void check_unit(const test_case *c, const plethron_bank *bank, size_t j, const char *name) {
    const size_t n = c->shape.n_features + 1;
    uint8_t *counts = calloc(c->shape.n_samples, 1);
    double *work = calloc(4 * n, sizeof *work), *w = work + 3 * n;
    assert_true(counts && work);
    plethron_bank *start = case_bank(c, NULL, c->shape.n_units);
    const reference_unit unit = case_reference(c, j, counts);
    reference_point at = reference_point_open(n - 1), bound = reference_point_open(n - 1);
    case_weights(start, j, at.w);
    for (int64_t e = 0; e < unit.epochs; e++) tolerance_epoch(&unit, &at, &bound, work);
    case_weights(bank, j, w);
    for (size_t k = 0; k < n; k++) check_near(w[k], at.w[k], bound.w[k], "%s: weight %zu of unit %zu", name, k, j);
    plethron_bank_close(start);
    free(at.w);
    free(bound.w);
    free(counts);
    free(work);
}

static void test_beside_the_reference(void **state) {
    (void)state;
    const case_shape shape = {300, 19, 21, UNITS_FULL, PLETHRON_REDUCTION_MEAN};
    test_case *c = open_thin(shape, 4);
    case_drop_rules(c);
    for (size_t w = 0; w < ways.n_ways; w++) {
        if (!ways.ways[w].is_sparse || ways.ways[w].tiling) continue;
        plethron_bank *bank = case_bank(c, NULL, shape.n_units);
        case_train_on(&ways.ways[w], c, bank);
        for (size_t j = 0; j < shape.n_units; j++) check_unit(c, bank, j, ways.ways[w].name);
        plethron_bank_close(bank);
    }
    case_close(c);
}

/* ---- Standardised ------------------------------------------------------------------------------------------------ */

/* x / deviation, with the zeros among the rows; a constant feature stays. Training on data so scaled by hand has the
 * same weights, but for the scale. */
static void test_standardised_by_the_deviation_alone(void **state) {
    enum { N = 200, K = 4 };
    (void)state;
    const case_shape shape = {N, K, 3, UNITS_ALIKE, PLETHRON_REDUCTION_MEAN};
    test_case *raw = open_thin(shape, 3), *scaled = open_thin(shape, 3);
    double deviation[K];
    for (size_t k = 0; k < K; k++) {
        double mean = 0.0, variance = 0.0;
        for (size_t i = 0; i < N; i++) raw->X[i * K + k] = k == 2 ? 0.25f : 30.0f * raw->X[i * K + k];
        for (size_t i = 0; i < N; i++) mean += (double)raw->X[i * K + k] / N;
        for (size_t i = 0; i < N; i++) variance += pow((double)raw->X[i * K + k] - mean, 2.0) / N;
        deviation[k] = variance > 1e-12 ? sqrt(variance) : 1.0;
        for (size_t i = 0; i < N; i++) scaled->X[i * K + k] = (float)((double)raw->X[i * K + k] / deviation[k]);
    }
    raw->standardize = true;
    for (size_t w = 0; w < ways.n_ways; w++) {
        const case_way *way = &ways.ways[w];
        if (!way->is_sparse || way->tiling) continue;
        plethron_bank *a = support_bank(K, 1, NULL), *b = support_bank(K, 1, NULL);
        case_train_on(way, raw, a);
        case_train_on(way, scaled, b);
        for (size_t k = 0; k < K; k++) {
            const double want = (double)plethron_bank_weights(b)[k] / deviation[k];
            check_near((double)plethron_bank_weights(a)[k], want, 1e-4 * fabs(want) + 1e-7, "%s: weight %zu", way->name,
                       k);
        }
        plethron_bank_close(a);
        plethron_bank_close(b);
    }
    case_close(raw);
    case_close(scaled);
}

/* ---- Prediction -------------------------------------------------------------------------------------------------- */

enum { N_PREDICTED = 3000 };

/* All at once, in blocks as small as may be, and some rows of the many. */
static void predict_sparse(plethron_device *device, const plethron_bank *bank, const test_case *c, const float *want) {
    enum { FIRST = 17, N = 100 };
    const size_t n_units = plethron_bank_n_units(bank);
    float *P = calloc(N_PREDICTED * n_units, sizeof *P);
    assert_non_null(P);
    case_sparse sparse = case_sparse_open(c->X, N_PREDICTED, c->shape.n_features);
    check_ok(plethron_predict_sparse(device, bank, &sparse.X, P, &case_error));
    assert_memory_equal(P, want, N_PREDICTED * n_units * sizeof *P);

    plethron_predictor *predictor = NULL;
    const plethron_predictor_options options = {.struct_size = sizeof options, .memory_bytes = 1, .sparse = true};
    memset(P, 0, N_PREDICTED * n_units * sizeof *P);
    check_ok(plethron_predictor_open(device, bank, &options, &predictor, &case_error));
    const plethron_sparse some = {N, sparse.X.n_columns, sparse.offsets + FIRST, sparse.columns, sparse.values};
    check_ok(plethron_predictor_run_sparse(predictor, &some, P, &case_error));
    assert_memory_equal(P, want + FIRST * n_units, N * n_units * sizeof *P);
    check_ok(plethron_predictor_run_sparse(predictor, &sparse.X, P, &case_error));
    assert_memory_equal(P, want, N_PREDICTED * n_units * sizeof *P);
    plethron_predictor_close(predictor);
    case_sparse_close(&sparse);
    free(P);
}

static void test_predictions(void **state) {
    (void)state;
    const size_t n_units[] = {1, 16, 37};
    for (size_t u = 0; u < COUNT(n_units); u++) {
        const case_shape shape = {N_PREDICTED, 30, n_units[u], UNITS_MIXED, PLETHRON_REDUCTION_MEAN};
        test_case *c = open_thin(shape, 6);
        plethron_bank *bank = case_bank(c, NULL, n_units[u]);
        float *want = calloc(N_PREDICTED * n_units[u], sizeof *want);
        assert_non_null(want);
        check_ok(plethron_predict(host_way()->device, bank, c->X, N_PREDICTED, want, &case_error));
        for (size_t d = 0; d < ways.n_devices; d++)
            if (plethron_device_describe(ways.devices[d])->bits_hold) predict_sparse(ways.devices[d], bank, c, want);
        free(want);
        plethron_bank_close(bank);
        case_close(c);
    }
}

static void test_predicted_values_may_be_any(void **state) {
    (void)state;
    const int64_t offsets[] = {0, 1, 2, 3};
    const int32_t columns[] = {0, 0, 1};
    const float values[] = {NAN, 1.0f, INFINITY}, start[] = {1.0f, 2.0f, 0.0f};
    const plethron_sparse X = {3, 2, offsets, columns, values};
    const plethron_bank_options options = {.struct_size = sizeof options, .start = start};
    plethron_bank *bank = support_bank(2, 1, &options);
    plethron_device *device = support_device("host");
    float P[3];
    check_ok(plethron_predict_sparse(device, bank, &X, P, &case_error));
    assert_true(isnan(P[0]) && P[1] > 0.7f && P[1] < 0.8f && P[2] == 1.0f);
    plethron_device_close(device);
    plethron_bank_close(bank);
}

/* ---- Transfers --------------------------------------------------------------------------------------------------- */

/* Rows, the same by features, their pieces and the targets go up once; a training adds its units alone. */
static void test_features_are_uploaded_once(void **state) {
    enum { N = 300, K = 40, UNIT_ARRAYS = 7 };
    (void)state;
    const case_shape shape = {N, K, 2, UNITS_ALIKE, PLETHRON_REDUCTION_MEAN};
    test_case *c = open_thin(shape, 4);
    for (size_t w = 0; w < ways.n_ways; w++) {
        const case_way *way = &ways.ways[w];
        if (!way->is_sparse || way->tiling || device_is_host(way->device)) continue;
        plethron_counters before = {.struct_size = sizeof before}, after = before;
        check_ok(plethron_device_counters(way->device, &before, &case_error));
        plethron_dataset *dataset = case_dataset(c, way);
        check_ok(plethron_device_counters(way->device, &after, &case_error));
        const dataset_sparse *sparse = dataset->sparse;
        const size_t n_items = 4 * sparse->n_values + (N + 1) + 2 * (K + 1) + CASE_TARGETS * dataset->y_stride;
        assert_int_equal(sparse->n_pieces, 0);
        assert_int_equal(after.uploads - before.uploads, 3 + 3 + 1 + 1);
        assert_int_equal(after.upload_bytes - before.upload_bytes, n_items * sizeof(float));
        plethron_bank *bank = support_bank(K, 2, NULL);
        check_ok(plethron_train(dataset, bank, NULL, &case_error));
        check_ok(plethron_device_counters(way->device, &before, &case_error));
        assert_int_equal(before.uploads - after.uploads, UNIT_ARRAYS);
        plethron_bank_close(bank);
        plethron_dataset_close(dataset);
    }
    case_close(c);
}

/* ---- What is refused --------------------------------------------------------------------------------------------- */

typedef struct refusal {
    plethron_sparse X;
    const char *part;
} refusal;

static void test_bad_rows(void **state) {
    (void)state;
    static const int64_t good[] = {0, 2, 3}, falls[] = {0, 2, 1}, negative[] = {-1, 2, 3}, huge[] = {0, 2, 1LL << 40};
    static const int32_t ascend[] = {0, 1, 2}, twice[] = {1, 1, 0}, back[] = {2, 0, 0}, outside[] = {0, 3, 0},
                         below[] = {-1, 1, 0};
    static const float values[] = {1, 2, 3}, infinite[] = {1, INFINITY, 3}, nan[] = {1, 2, NAN};
    const refusal refusals[] = {
        {{2, 3, falls, ascend, values}, "offsets[2] is 1 after 2"},
        {{2, 3, negative, ascend, values}, "begin with -1"},
        {{2, 3, NULL, ascend, values}, "begin with -1"},
        {{2, 3, huge, ascend, values}, "1099511627776 values"},
        {{2, 3, good, NULL, values}, "NULL"},
        {{2, 3, good, ascend, NULL}, "NULL"},
        {{2, 3, good, twice, values}, "row 0 has column 1 after column 1"},
        {{2, 3, good, back, values}, "row 0 has column 0 after column 2"},
        {{2, 3, good, outside, values}, "column 3: 0 to 2"},
        {{2, 3, good, below, values}, "column -1"},
        {{2, 3, good, ascend, infinite}, "X[0, 1] is inf"},
        {{2, 3, good, ascend, nan}, "X[1, 2] is nan"},
        {{0, 3, good, ascend, values}, "n_samples is 0"},
        {{2, 0, good, ascend, values}, "n_features is 0"},
        {{2, (size_t)1 << 31, good, ascend, values}, "n_features is 2147483648"},
    };
    const float Y[2] = {0, 1};
    plethron_device *device = support_device("host");
    plethron_error err;
    for (size_t r = 0; r < COUNT(refusals); r++) {
        plethron_dataset *dataset = NULL;
        assert_fails(PLETHRON_ERROR_ARGUMENT,
                     plethron_dataset_create_sparse(device, &refusals[r].X, Y, 1, NULL, &dataset, &err), &err,
                     refusals[r].part);
        assert_null(dataset);
    }
    plethron_dataset *dataset = NULL;
    assert_fails(PLETHRON_ERROR_ARGUMENT, plethron_dataset_create_sparse(device, NULL, Y, 1, NULL, &dataset, &err),
                 &err, "n_samples is 0");
    plethron_device_close(device);
}

static void test_what_does_not_go_together(void **state) {
    (void)state;
    const int64_t offsets[] = {0, 1, 2}, entities[] = {0, 1, 2};
    const int32_t columns[] = {0, 1};
    const float values[] = {1, 2}, Y[] = {0, 1}, dense[] = {1, 0, 0, 2};
    const plethron_sparse X = {2, 2, offsets, columns, values}, wide = {2, 3, offsets, columns, values};
    plethron_dataset_options options = {.struct_size = sizeof options, .entity_offsets = entities, .n_entities = 2};
    plethron_train_options how = {.struct_size = sizeof how};
    plethron_device *device = support_device("host");
    plethron_dataset *dataset = NULL;
    plethron_predictor *predictor = NULL;
    plethron_bank *bank = support_bank(2, 1, NULL);
    plethron_error err;
    float P[2];
    assert_fails(PLETHRON_ERROR_UNSUPPORTED, plethron_dataset_create_sparse(device, &X, Y, 1, &options, &dataset, &err),
                 &err, "2 entities", "sparse");
    check_ok(plethron_dataset_create_sparse(device, &X, Y, 1, NULL, &dataset, &case_error));
    how.strategy = "host";
    assert_fails(PLETHRON_ERROR_UNSUPPORTED, plethron_train(dataset, bank, &how, &err), &err, "'host'",
                 "needs dense features");
    plethron_dataset_close(dataset);
    dataset = support_dataset(device, dense, 2, 2, Y, 1, false);
    how.strategy = "sparse";
    assert_fails(PLETHRON_ERROR_UNSUPPORTED, plethron_train(dataset, bank, &how, &err), &err, "'sparse'",
                 "needs sparse features");
    assert_fails(PLETHRON_ERROR_ARGUMENT, plethron_predict_sparse(device, bank, &wide, P, &err), &err, "3 columns",
                 "2 features");
    check_ok(plethron_predictor_open(device, bank, NULL, &predictor, &case_error));
    assert_fails(PLETHRON_ERROR_ARGUMENT, plethron_predictor_run_sparse(predictor, &X, P, &err), &err, "for dense");
    plethron_predictor_close(predictor);
    const plethron_predictor_options sparse = {.struct_size = sizeof sparse, .sparse = true};
    check_ok(plethron_predictor_open(device, bank, &sparse, &predictor, &case_error));
    assert_fails(PLETHRON_ERROR_ARGUMENT, plethron_predictor_run(predictor, dense, 2, P, &err), &err, "for sparse");
    plethron_predictor_close(predictor);
    plethron_dataset_close(dataset);
    plethron_bank_close(bank);
    plethron_device_close(device);
}

/* ---- All --------------------------------------------------------------------------------------------------------- */

static int open_all(void **state) {
    (void)state;
    case_ways_open(4096, &ways);
    return 0;
}

static int close_all(void **state) {
    (void)state;
    size_t violations = 0;
    for (size_t d = 0; d < ways.n_devices; d++) violations += device_guard_violations(ways.devices[d]);
    case_ways_close(&ways);
    return violations > 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bits_of_dense_features),
        cmocka_unit_test(test_bits_in_batches),
        cmocka_unit_test(test_long_features_in_pieces),
        cmocka_unit_test(test_features_without_values),
        cmocka_unit_test(test_zeros_that_are_given),
        cmocka_unit_test(test_areas),
        cmocka_unit_test(test_beside_the_reference),
        cmocka_unit_test(test_standardised_by_the_deviation_alone),
        cmocka_unit_test(test_predictions),
        cmocka_unit_test(test_predicted_values_may_be_any),
        cmocka_unit_test(test_features_are_uploaded_once),
        cmocka_unit_test(test_bad_rows),
        cmocka_unit_test(test_what_does_not_go_together),
    };
    return cmocka_run_group_tests(tests, open_all, close_all);
}
