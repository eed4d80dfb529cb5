/* Features in fewer bytes: what is stored of each value, and that training has the bits of floats of the same values,
 * in every way there is. */
#include "cases.h"
#include "dataset_digest.h"
#include "half.h"
#include "support.h"
#include "train.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static const plethron_storage small_storages[] = {PLETHRON_STORAGE_F16, PLETHRON_STORAGE_BF16, PLETHRON_STORAGE_U8};

static case_ways ways;

/* ---- Halves ------------------------------------------------------------------------------------------------------ */

/* By the definition. */
static double half_value(unsigned half) {
    const int exponent = (int)(half >> 10 & 0x1F), fraction = (int)(half & 0x3FF);
    const double magnitude = exponent == 0 ? ldexp(fraction, -24) : ldexp(fraction + 0x400, exponent - 25);
    return half >> 15 ? -magnitude : magnitude;
}

static void test_halves_are_floats(void **state) {
    enum { INFINITE = 0x7C00, SIGN = 0x8000 };
    (void)state;
    for (unsigned half = 0; half < 0x10000; half++) {
        const float x = half_to_float((uint16_t)half);
        const unsigned magnitude = half & ~(unsigned)SIGN;
        if (magnitude > INFINITE)
            assert_true(isnan(x));
        else if (magnitude == INFINITE)
            assert_true(x == (half & SIGN ? -INFINITY : INFINITY));
        else
            assert_true((double)x == half_value(half) && !signbit(x) == !(half & SIGN));
        if (magnitude <= INFINITE) assert_int_equal(half_from_float(x), half);
    }
    assert_true(isnan(half_to_float(half_from_float(NAN))));
}

/* Between neighbours: below the middle, on it, above it. */
static void test_floats_round_to_the_nearest_half(void **state) {
    enum { LAST = 0x7BFF };
    (void)state;
    for (unsigned half = 0; half <= LAST; half++) {
        const double above = half == LAST ? 65536.0 : half_value(half + 1);
        const float middle = (float)(0.5 * (half_value(half) + above));
        const unsigned even = half + (half & 1);
        assert_int_equal(half_from_float(nextafterf(middle, 0.0f)), half);
        assert_int_equal(half_from_float(middle), even);
        assert_int_equal(half_from_float(nextafterf(middle, INFINITY)), half + 1);
        assert_int_equal(half_from_float(-middle), even | 0x8000);
    }
    assert_int_equal(half_from_float(FLT_MAX), 0x7C00);
    assert_int_equal(half_from_float(FLT_TRUE_MIN), 0);
}

/* ---- What is stored ---------------------------------------------------------------------------------------------- */

static plethron_dataset *open_stored(const case_way *way, const test_case *c, plethron_storage storage) {
    test_case stored = *c;
    stored.storage = storage;
    return case_dataset(&stored, way);
}

static void *downloaded(device_buffer *buffer, size_t n_bytes) {
    void *bytes = malloc(n_bytes);
    assert_non_null(bytes);
    check_ok(device_buffer_download(buffer, 0, n_bytes, bytes, &case_error));
    return bytes;
}

/* The value of a stored one, by other means than the kernels'. */
static float decoded(plethron_storage storage, const unsigned char *X, size_t at, const float *step) {
    uint16_t word;
    memcpy(&word, X + (storage == PLETHRON_STORAGE_U8 ? 0 : at * sizeof word), sizeof word);
    switch (storage) {
    case PLETHRON_STORAGE_F16: return (float)half_value(word);
    case PLETHRON_STORAGE_BF16: return float_of_bits((uint32_t)word << 16);
    default: return fmaf((float)X[at], step[0], step[1]);
    }
}

/* The values of all rows, [n_samples, n_features], for free. */
static float *stored_values(const plethron_dataset *dataset) {
    const size_t n_features = dataset->n_features, n_ranges = dataset_n_ranges(dataset);
    unsigned char *X = downloaded(dataset->X, dataset->y_stride * n_features * dataset_value_bytes(dataset->storage));
    float *steps = dataset->steps ? downloaded(dataset->steps, n_ranges * n_features * 2 * sizeof *steps) : NULL;
    float *values = malloc(dataset->n_samples * n_features * sizeof *values), *value = values;
    assert_non_null(values);
    for (size_t r = 0; r < n_ranges; r++)
        for (size_t i = 0; i < dataset->ranges[r].n_rows; i++)
            for (size_t k = 0; k < n_features; k++) {
                const size_t tile = dataset->ranges[r].first_tile + i / DATASET_TILE;
                const float *step = steps ? steps + (r * n_features + k) * 2 : NULL;
                *value++ =
                    decoded(dataset->storage, X, (tile * n_features + k) * DATASET_TILE + i % DATASET_TILE, step);
            }
    free(steps);
    free(X);
    return values;
}

/* The data set that `X` makes, and its values as stored, on the first device and on the host: the same. */
static float *stored_everywhere(const float *X, size_t n_samples, size_t n_features, plethron_storage storage) {
    const plethron_dataset_options options = {.struct_size = sizeof options, .storage = storage};
    float *values[2];
    plethron_device *devices[] = {support_device(NULL), support_device("host")};
    for (size_t d = 0; d < COUNT(devices); d++) {
        plethron_dataset *dataset = NULL;
        check_ok(
            plethron_dataset_create(devices[d], X, n_samples, n_features, NULL, 0, &options, &dataset, &case_error));
        values[d] = stored_values(dataset);
        plethron_dataset_close(dataset);
        plethron_device_close(devices[d]);
    }
    assert_memory_equal(values[0], values[1], n_samples * n_features * sizeof **values);
    free(values[1]);
    return values[0];
}

static void test_values_are_rounded_to_the_nearest(void **state) {
    enum { N = 1000 };
    (void)state;
    float X[N];
    uint64_t random = case_seed();
    for (size_t i = 0; i < N; i++) {
        random = random * 6364136223846793005u + 1442695040888963407u;
        X[i] = ldexpf((float)(random >> 40) * 0x1p-24f - 0.5f, (int)(i % 12));
    }
    const float low = -1024.0f, high = 1024.0f;
    X[0] = low;
    X[1] = high;
    const double relative[] = {0x1p-11, 0x1p-8}, step = ((double)high - (double)low) / 255.0;
    for (size_t s = 0; s < COUNT(small_storages); s++) {
        float *values = stored_everywhere(X, N, 1, small_storages[s]);
        for (size_t i = 0; i < N; i++) {
            const double x = (double)X[i], error = fabs((double)values[i] - x);
            const bool is_byte = small_storages[s] == PLETHRON_STORAGE_U8;
            assert_true(error <= (is_byte ? 0.5001 * step : relative[s] * fabs(x) + 0x1p-25));
        }
        free(values);
    }
}

/* bf16 on ties, beside what half_from_float was tested for; and the largest. */
static void test_bfloats_round_to_even(void **state) {
    (void)state;
    const float X[] = {0x1.01p0f, 0x1.03p0f, 0x1.010002p0f, 0x1.FEp127f, -0.0f};
    const float want[] = {0x1.00p0f, 0x1.04p0f, 0x1.02p0f, 0x1.FEp127f, -0.0f};
    float *values = stored_everywhere(X, COUNT(X), 1, PLETHRON_STORAGE_BF16);
    assert_memory_equal(values, want, sizeof want);
    free(values);
}

/* Features: 0 to 255, the same moved, large, a constant fraction, two values, halves of a whole. */
static void test_whole_numbers_are_exact_bytes(void **state) {
    enum { N = 256, N_FEATURES = 5 };
    (void)state;
    float X[N * N_FEATURES];
    for (size_t i = 0; i < N; i++) {
        const float x[N_FEATURES] = {(float)(i * 7 % N), (float)i - 100.0f, (float)i + 12345678.0f, 0.1f,
                                     i % 2 ? -3.0f : 7.0f};
        memcpy(X + i * N_FEATURES, x, sizeof x);
    }
    float *values = stored_everywhere(X, N, N_FEATURES, PLETHRON_STORAGE_U8);
    assert_memory_equal(values, X, sizeof X);
    free(values);
}

/* ---- The same bits as floats ------------------------------------------------------------------------------------- */

static void *copied(const void *from, size_t n_bytes) {
    void *copy = malloc(n_bytes);
    assert_non_null(copy);
    return memcpy(copy, from, n_bytes);
}

/* A data set of floats with the values that `stored` has, whose weights are folded for raw data alike. */
static plethron_dataset *open_floats(const case_way *way, const test_case *c, const plethron_dataset *stored) {
    float *values = stored_values(stored);
    test_case floats = *c;
    floats.X = values;
    floats.standardize = false;
    plethron_dataset *dataset = case_dataset(&floats, way);
    if (stored->mean) {
        const size_t n_bytes = dataset_n_ranges(stored) * stored->n_features * sizeof(double);
        dataset->mean = copied(stored->mean, n_bytes);
        dataset->deviation = copied(stored->deviation, n_bytes);
    }
    free(values);
    return dataset;
}

static void check_same_as_floats(const case_way *way, const test_case *c, plethron_storage storage) {
    char what[160];
    plethron_dataset *stored = open_stored(way, c, storage), *floats = open_floats(way, c, stored);
    plethron_bank *got = case_bank(c, NULL, c->shape.n_units), *want = case_bank(c, NULL, c->shape.n_units);
    snprintf(what, sizeof what, "%s, %s%s", way->name, dataset_storage_name(storage),
             c->standardize ? ", standardised" : "");
    case_train(way, stored, got);
    case_train(way, floats, want);
    check_same_bank(want, got, what);
    assert_string_equal(plethron_bank_storage(got), dataset_storage_name(storage));
    plethron_bank_close(want);
    plethron_bank_close(got);
    plethron_dataset_close(floats);
    plethron_dataset_close(stored);
}

/* Tile sizes of every kind: those that the planner chooses, and for bytes, whose values need most, some others. */
static bool is_tried(const case_way *way, plethron_storage storage) {
    static const char *const others[] = {"wide-8x2", "group-64"};
    if (way->is_sparse) return false;
    for (size_t i = 0; storage == PLETHRON_STORAGE_U8 && way->tiling && i < COUNT(others); i++)
        if (strcmp(way->tiling->name, others[i]) == 0) return true;
    return !way->tiling;
}

static void check_all(const test_case *c) {
    for (size_t w = 0; w < ways.n_ways; w++)
        for (size_t s = 0; s < COUNT(small_storages); s++)
            if (is_tried(&ways.ways[w], small_storages[s])) check_same_as_floats(&ways.ways[w], c, small_storages[s]);
}

static const case_shape mixed_shape = {300, 19, 21, UNITS_MIXED, PLETHRON_REDUCTION_MEAN};

static void test_same_bits_as_floats(void **state) {
    (void)state;
    test_case *c = case_open(mixed_shape, case_seed());
    check_all(c);
    c->standardize = true;
    check_all(c);
    case_close(c);
}

static void test_units_alone(void **state) {
    (void)state;
    const size_t units[] = {4, 11};
    test_case *c = case_open(mixed_shape, case_seed());
    c->storage = PLETHRON_STORAGE_U8;
    for (size_t w = 0; w < ways.n_ways; w++) {
        if (ways.ways[w].is_sparse || ways.ways[w].tiling) continue;
        plethron_bank *all = case_bank(c, NULL, c->shape.n_units);
        case_train_on(&ways.ways[w], c, all);
        check_units_alike(&ways.ways[w], c, all, units, COUNT(units));
        plethron_bank_close(all);
    }
    case_close(c);
}

/* Rows in another order are moved as they are stored: by a kernel of no strategy. */
static void test_batches(void **state) {
    (void)state;
    test_case *c = case_open(mixed_shape, case_seed());
    c->units->batch_size = 64;
    for (size_t w = 0; w < ways.n_ways; w++) {
        const case_way *way = &ways.ways[w];
        const bool is_host = strcmp(way->strategy, "host") == 0;
        if (is_host) check_same_as_floats(way, c, PLETHRON_STORAGE_F16);
        if (is_host || (strcmp(way->strategy, "rows") == 0 && !way->tiling))
            check_same_as_floats(way, c, PLETHRON_STORAGE_U8);
    }
    case_close(c);
}

/* ---- Entities ---------------------------------------------------------------------------------------------------- */

enum { N_ENTITIES = 3, ENTITY_FEATURES = 5 };
static const int64_t entity_offsets[N_ENTITIES + 1] = {0, 20, 27, 300};

static plethron_dataset *open_entities(plethron_device *device, const float *X, const float *Y,
                                       const plethron_dataset_options *given, size_t first, size_t count) {
    plethron_dataset *dataset = NULL;
    plethron_dataset_options options = *given;
    int64_t offsets[N_ENTITIES + 1];
    for (size_t e = 0; e <= count; e++) offsets[e] = entity_offsets[first + e] - entity_offsets[first];
    options.struct_size = sizeof options;
    options.entity_offsets = offsets;
    options.n_entities = count;
    const size_t row = (size_t)entity_offsets[first];
    check_ok(plethron_dataset_create(device, X + row * ENTITY_FEATURES, (size_t)offsets[count], ENTITY_FEATURES,
                                     Y + row, 1, &options, &dataset, &case_error));
    return dataset;
}

static plethron_bank *train_entities(plethron_dataset *dataset, size_t count) {
    plethron_bank *bank = NULL;
    const int64_t entities[] = {0, 1, 2}, epochs = 5;
    const plethron_bank_options options = {
        .struct_size = sizeof options, .entity = {entities, count}, .epochs = {&epochs, 1}};
    check_ok(plethron_bank_create(ENTITY_FEATURES, count, &options, &bank, &case_error));
    check_ok(plethron_train(dataset, bank,
                            &(plethron_train_options){.struct_size = sizeof(plethron_train_options), .auc = true},
                            &case_error));
    return bank;
}

/* Each entity's features have steps of their own: its unit is the one that it alone would have. */
static void check_entities(plethron_device *device, const float *X, const float *Y, plethron_dataset_options options) {
    plethron_dataset *all = open_entities(device, X, Y, &options, 0, N_ENTITIES);
    plethron_bank *together = train_entities(all, N_ENTITIES);
    for (size_t e = 0; e < N_ENTITIES; e++) {
        plethron_dataset *one = open_entities(device, X, Y, &options, e, 1);
        plethron_bank *alone = train_entities(one, 1);
        check_same_weights(together, e, alone, 0, "an entity of its own");
        assert_true(together->auc[e] == alone->auc[0] && together->auc[e] > 0.0f);
        plethron_bank_close(alone);
        plethron_dataset_close(one);
    }
    if (!options.standardize) {
        float *values = stored_values(all);
        options.storage = PLETHRON_STORAGE_F32;
        plethron_dataset *floats = open_entities(device, values, Y, &options, 0, N_ENTITIES);
        plethron_bank *want = train_entities(floats, N_ENTITIES);
        for (size_t e = 0; e < N_ENTITIES; e++) {
            check_same_weights(want, e, together, e, "an entity's values as floats");
            assert_true(want->auc[e] == together->auc[e]);
        }
        plethron_bank_close(want);
        plethron_dataset_close(floats);
        free(values);
    }
    plethron_bank_close(together);
    plethron_dataset_close(all);
}

static void test_entities(void **state) {
    (void)state;
    test_case *c = case_open((case_shape){300, ENTITY_FEATURES, 1, UNITS_ALIKE, PLETHRON_REDUCTION_MEAN}, case_seed());
    float Y[300];
    for (size_t i = 0; i < COUNT(Y); i++) Y[i] = c->Y[i * CASE_TARGETS];
    for (size_t d = 0; d < ways.n_devices; d++)
        for (size_t s = 0; s < COUNT(small_storages); s++)
            for (int standardize = 0; standardize <= 1; standardize++)
                check_entities(ways.devices[d], c->X, Y,
                               (plethron_dataset_options){.storage = small_storages[s], .standardize = standardize});
    case_close(c);
}

/* ---- Refusals, and what is told of it ---------------------------------------------------------------------------- */

static void test_refusals(void **state) {
    (void)state;
    plethron_error err;
    plethron_dataset *dataset = NULL;
    plethron_device *device = support_device("host");
    const float X[] = {1.0f, -65519.0f, 2.0f, 65520.0f}, large[] = {1.0f, 3.4e38f};
    plethron_dataset_options options = {.struct_size = sizeof options, .storage = PLETHRON_STORAGE_F16};
    assert_fails(PLETHRON_ERROR_ARGUMENT, plethron_dataset_create(device, X, 2, 2, NULL, 0, &options, &dataset, &err),
                 &err, "X[1, 1] is 65520", "f16 holds numbers up to 65504", "bf16", "--standardize");
    assert_works(plethron_dataset_create(device, X, 1, 3, NULL, 0, &options, &dataset, &err), &err);
    plethron_dataset_close(dataset);
    options.standardize = true;
    assert_works(plethron_dataset_create(device, X, 2, 2, NULL, 0, &options, &dataset, &err), &err);
    plethron_dataset_close(dataset);
    options = (plethron_dataset_options){.struct_size = sizeof options, .storage = PLETHRON_STORAGE_BF16};
    assert_fails(PLETHRON_ERROR_ARGUMENT,
                 plethron_dataset_create(device, large, 2, 1, NULL, 0, &options, &dataset, &err), &err,
                 "X[1, 0] is 3.4e+38", "bf16 holds numbers up to 3.38953e+38", "f32");
    options.storage = (plethron_storage)4;
    assert_fails(PLETHRON_ERROR_ARGUMENT, plethron_dataset_create(device, X, 2, 2, NULL, 0, &options, &dataset, &err),
                 &err, "storage is 4", "0 to 3");
    options.storage = PLETHRON_STORAGE_U8;
    case_sparse sparse = case_sparse_open(X, 2, 2);
    assert_fails(PLETHRON_ERROR_UNSUPPORTED,
                 plethron_dataset_create_sparse(device, &sparse.X, NULL, 0, &options, &dataset, &err), &err,
                 "sparse features are stored as f32", "u8");
    case_sparse_close(&sparse);
    plethron_device_close(device);
}

/* A data set that fits as u8 alone: the message says so. */
static void test_smaller_storage_is_named(void **state) {
    enum { N_FEATURES = 4096 };
    (void)state;
    plethron_error err;
    plethron_dataset *dataset = NULL;
    plethron_device *device = support_device("host");
    const float x = 0.0f;
    const size_t n_samples = plethron_device_describe(device)->memory_bytes / (N_FEATURES + 8) / 3 * 2;
    assert_true(n_samples < DATASET_MAX_COUNT);
    assert_fails(PLETHRON_ERROR_MEMORY,
                 plethron_dataset_create(device, &x, n_samples, N_FEATURES, NULL, 0, NULL, &dataset, &err), &err,
                 "would fit, and all of them stored as u8");
    plethron_device_close(device);
}

/* Whole numbers that every storage holds: what is stored is told apart all the same, and takes its bytes. */
static void test_digests_and_sizes(void **state) {
    enum { N = 32, N_STORAGES = 4 };
    (void)state;
    float X[N];
    for (size_t i = 0; i < N; i++) X[i] = (float)i;
    plethron_device *device = support_device("host");
    dataset_digest digests[N_STORAGES];
    const uint64_t bytes[N_STORAGES] = {4 * N, 2 * N, 2 * N, N + 2 * sizeof(float)};
    for (int s = 0; s < N_STORAGES; s++) {
        const plethron_dataset_options options = {.struct_size = sizeof options, .storage = (plethron_storage)s};
        plethron_dataset *dataset = NULL;
        check_ok(plethron_dataset_create(device, X, N, 1, NULL, 0, &options, &dataset, &case_error));
        check_ok(dataset_digest_find(dataset, &digests[s], &case_error));
        assert_int_equal(dataset_feature_bytes(dataset), bytes[s]);
        for (int t = 0; t < s; t++)
            assert_string_not_equal(digests[s].parts[DATASET_FEATURES], digests[t].parts[DATASET_FEATURES]);
        plethron_dataset_close(dataset);
    }
    plethron_device_close(device);
}

static int open_ways(void **state) {
    (void)state;
    case_ways_open(1024, &ways);
    return 0;
}

static int close_ways(void **state) {
    (void)state;
    for (size_t d = 0; d < ways.n_devices; d++) assert_int_equal(device_guard_violations(ways.devices[d]), 0);
    case_ways_close(&ways);
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_halves_are_floats),
        cmocka_unit_test(test_floats_round_to_the_nearest_half),
        cmocka_unit_test(test_values_are_rounded_to_the_nearest),
        cmocka_unit_test(test_bfloats_round_to_even),
        cmocka_unit_test(test_whole_numbers_are_exact_bytes),
        cmocka_unit_test(test_same_bits_as_floats),
        cmocka_unit_test(test_units_alone),
        cmocka_unit_test(test_batches),
        cmocka_unit_test(test_entities),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_smaller_storage_is_named),
        cmocka_unit_test(test_digests_and_sizes),
    };
    return cmocka_run_group_tests(tests, open_ways, close_ways);
}
