/* What a data set has a value a row: sample weights, folds, entities; how they are placed, what is refused, how folds
 * are made. */
#include "support.h"

#include "dataset.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { N = 50, N_FEATURES = 2, N_COLUMNS = 2, N_ENTITIES = 5 };

static float X[N * N_FEATURES], Y[N], weights[N * N_COLUMNS];
static uint8_t folds[N];
/* Entities of 3 rows, none, 16, 17 and 14. */
static const int64_t offsets[N_ENTITIES + 1] = {0, 3, 3, 19, 36, 50};
static const size_t first_tiles[N_ENTITIES] = {0, 1, 1, 2, 4};

static int fill(void **state) {
    (void)state;
    for (size_t i = 0; i < N; i++) {
        for (size_t k = 0; k < N_FEATURES; k++) X[i * N_FEATURES + k] = (float)(i * N_FEATURES + k + 1);
        Y[i] = (float)(i % 2);
        weights[i * N_COLUMNS] = (float)i;
        weights[i * N_COLUMNS + 1] = 0.5f * (float)i;
        folds[i] = (uint8_t)(i % 7);
    }
    return 0;
}

static plethron_dataset_options all_options(void) {
    return (plethron_dataset_options){.struct_size = sizeof(plethron_dataset_options),
                                      .sample_weights = weights,
                                      .n_weight_columns = N_COLUMNS,
                                      .folds = folds,
                                      .entity_offsets = offsets,
                                      .n_entities = N_ENTITIES};
}

static plethron_status create(plethron_device *device, const plethron_dataset_options *options, plethron_dataset **out,
                              plethron_error *err) {
    return plethron_dataset_create(device, X, N, N_FEATURES, Y, 1, options, out, err);
}

static void *downloaded(device_buffer *buffer, size_t bytes) {
    plethron_error err;
    void *memory = malloc(bytes);
    assert_non_null(memory);
    assert_works(device_buffer_download(buffer, 0, bytes, memory, &err), &err);
    return memory;
}

/* ---- Placing ----------------------------------------------------------------------------------------------------- */

/* Where row i stands when each entity begins with a tile of its own. */
static size_t place_of(size_t i, bool has_entities) {
    size_t e = 0;
    if (!has_entities) return i;
    while ((int64_t)i >= offsets[e + 1]) e++;
    return first_tiles[e] * DATASET_TILE + i - (size_t)offsets[e];
}

static void check_placing(plethron_device *device, bool has_entities) {
    plethron_error err;
    plethron_dataset *dataset = NULL;
    plethron_dataset_options options = all_options();
    if (!has_entities) {
        options.entity_offsets = NULL;
        options.n_entities = 0;
    }
    assert_works(create(device, &options, &dataset, &err), &err);
    const size_t n_tiles = has_entities ? 5 : 4, stride = n_tiles * DATASET_TILE;
    assert_int_equal(dataset->n_tiles, n_tiles);
    assert_int_equal(dataset->y_stride, stride);
    assert_int_equal(dataset->n_folds, 7);
    float *tiles = downloaded(dataset->X, stride * N_FEATURES * sizeof *tiles);
    float *targets = downloaded(dataset->Y, stride * sizeof *targets);
    float *columns = downloaded(dataset->weights, N_COLUMNS * stride * sizeof *columns);
    uint8_t *bytes = downloaded(dataset->folds, stride);
    size_t n_used = 0;
    for (size_t i = 0; i < N; i++) {
        const size_t place = place_of(i, has_entities);
        for (size_t k = 0; k < N_FEATURES; k++)
            assert_true(tiles[(place / DATASET_TILE * N_FEATURES + k) * DATASET_TILE + place % DATASET_TILE] ==
                        X[i * N_FEATURES + k]);
        assert_true(targets[place] == Y[i]);
        for (size_t c = 0; c < N_COLUMNS; c++) assert_true(columns[c * stride + place] == weights[i * N_COLUMNS + c]);
        assert_int_equal(bytes[place], folds[i]);
    }
    for (size_t e = 0; e < stride * N_FEATURES; e++) n_used += tiles[e] != 0.0f;
    assert_int_equal(n_used, N * N_FEATURES); /* zeros between entities */
    if (has_entities)
        for (size_t e = 0; e < N_ENTITIES; e++) {
            assert_int_equal(dataset->ranges[e].first_tile, first_tiles[e]);
            assert_int_equal(dataset->ranges[e].n_rows, offsets[e + 1] - offsets[e]);
        }
    free(bytes);
    free(columns);
    free(targets);
    free(tiles);
    plethron_dataset_close(dataset);
}

static void place(plethron_device *device) {
    check_placing(device, false);
    check_placing(device, true);
}

static void placing(void **state) {
    (void)state;
    support_on_two_devices(place);
}

/* With entities each is standardised by its own rows; one without rows has nothing to divide by. */
static void standardize_entities(plethron_device *device) {
    plethron_error err;
    plethron_dataset *dataset = NULL;
    plethron_dataset_options options = all_options();
    options.standardize = true;
    assert_works(create(device, &options, &dataset, &err), &err);
    for (size_t e = 0; e < N_ENTITIES; e++)
        for (size_t k = 0; k < N_FEATURES; k++) {
            const double n = (double)(offsets[e + 1] - offsets[e]);
            double mean = 0.0, variance = 0.0;
            for (int64_t i = offsets[e]; i < offsets[e + 1]; i++) mean += (double)X[i * N_FEATURES + (int64_t)k] / n;
            for (int64_t i = offsets[e]; i < offsets[e + 1]; i++)
                variance += pow((double)X[i * N_FEATURES + (int64_t)k] - mean, 2.0) / n;
            const double deviation = n > 0 ? sqrt(variance) : 1.0;
            assert_true(fabs(dataset->mean[e * N_FEATURES + k] - mean) <= 1e-12 * fabs(mean));
            assert_true(fabs(dataset->deviation[e * N_FEATURES + k] - deviation) <= 0x1p-23 * deviation);
        }
    plethron_dataset_close(dataset);
}

static void standardising_entities(void **state) {
    (void)state;
    support_on_two_devices(standardize_entities);
}

/* ---- Refusals ---------------------------------------------------------------------------------------------------- */

static void expect_refused(plethron_device *device, const plethron_dataset_options *options, const char *text,
                           const char *more) {
    plethron_error err;
    plethron_dataset *untouched = (plethron_dataset *)&err, *out = untouched;
    assert_fails(PLETHRON_ERROR_ARGUMENT, create(device, options, &out, &err), &err, text, more);
    assert_ptr_equal(out, untouched);
}

static void refuse_weights(plethron_device *device) {
    const float bad[] = {-1.0f, -1e-30f, NAN, INFINITY};
    const char *const texts[] = {"is -1:", "is -1e-30:", "is nan:", "is inf:"};
    plethron_dataset_options options = all_options();
    for (size_t b = 0; b < COUNT(bad); b++) {
        weights[7 * N_COLUMNS + 1] = bad[b];
        expect_refused(device, &options, "sample_weights[7, 1]", texts[b]);
    }
    weights[7 * N_COLUMNS + 1] = 3.5f;
    options.n_weight_columns = 0;
    expect_refused(device, &options, "sample_weights must be given when n_weight_columns (0)", "only then");
    options.n_weight_columns = SIZE_MAX;
    expect_refused(device, &options, "n_weight_columns (18446744073709551615)", "");
    options.sample_weights = NULL;
    options.n_weight_columns = 1;
    expect_refused(device, &options, "sample_weights must be given when n_weight_columns (1)", "");
}

static void refuse_folds(plethron_device *device) {
    plethron_dataset_options options = all_options();
    folds[N - 1] = 255;
    expect_refused(device, &options, "folds[49] is 255", "0 to 254 is allowed");
    folds[N - 1] = 0;
}

static void refuse_entities(plethron_device *device) {
    const struct {
        int64_t offsets[4];
        const char *text, *more;
    } cases[] = {
        {{1, 3, 3, N}, "from 1 to 50", "from 0 to n_samples (50)"},
        {{0, 3, 3, N - 1}, "from 0 to 49", "from 0 to n_samples (50)"},
        {{0, 3, 3, N + 1}, "from 0 to 51", "n_samples (50)"},
        {{0, 3, 3, -1}, "from 0 to -1", "n_samples (50)"},
        {{0, 30, 29, N}, "entity_offsets[2] is 29 after 30", "may not fall"},
        {{0, -5, 3, N}, "entity_offsets[1] is -5 after 0", "may not fall"},
        {{0, INT64_MAX, 3, N}, "entity_offsets[2] is 3 after 9223372036854775807", "may not fall"},
    };
    plethron_dataset_options options = all_options();
    options.n_entities = 3;
    for (size_t c = 0; c < COUNT(cases); c++) {
        options.entity_offsets = cases[c].offsets;
        expect_refused(device, &options, cases[c].text, cases[c].more);
    }
    options.n_entities = 0;
    expect_refused(device, &options, "n_entities (0)", "only then");
    options.entity_offsets = NULL;
    options.n_entities = 1;
    expect_refused(device, &options, "n_entities (1)", "only then");
}

static void refusals(void **state) {
    (void)state;
    support_on_two_devices(refuse_weights);
    support_on_two_devices(refuse_folds);
    support_on_two_devices(refuse_entities);
}

/* ---- Making folds ------------------------------------------------------------------------------------------------ */

enum { N_LABELLED = 1003, N_LABELS = 4 };

/* Rows of each label in each fold; labels 0 ... N_LABELS - 1 come more and more often. */
static void count(const uint8_t *made, const float *labels, size_t n_folds, size_t *counts, size_t *sizes) {
    memset(counts, 0, N_LABELS * n_folds * sizeof *counts);
    memset(sizes, 0, n_folds * sizeof *sizes);
    for (size_t i = 0; i < N_LABELLED; i++) {
        assert_true(made[i] < n_folds);
        counts[(size_t)labels[i] * n_folds + made[i]]++;
        sizes[made[i]]++;
    }
}

static void expect_even(const size_t *counts, size_t n) {
    size_t least = counts[0], most = counts[0];
    for (size_t i = 1; i < n; i++) {
        if (counts[i] < least) least = counts[i];
        if (counts[i] > most) most = counts[i];
    }
    assert_true(most - least <= 1);
}

static void folds_are_even(void **state) {
    (void)state;
    enum { MOST_FOLDS = 255 };
    const size_t numbers[] = {2, 3, 5, 10, MOST_FOLDS};
    static size_t counts[N_LABELS * MOST_FOLDS], sizes[MOST_FOLDS];
    static uint8_t made[N_LABELLED], plain[N_LABELLED];
    float labels[N_LABELLED];
    plethron_error err;
    for (size_t i = 0; i < N_LABELLED; i++) labels[i] = (float)(i % 10 < 1 ? 0 : i % 10 < 3 ? 1 : i % 10 < 6 ? 2 : 3);
    for (size_t f = 0; f < COUNT(numbers); f++) {
        const size_t n_folds = numbers[f];
        assert_works(plethron_folds_make(N_LABELLED, labels, n_folds, 7, made, &err), &err);
        count(made, labels, n_folds, counts, sizes);
        expect_even(sizes, n_folds);
        for (size_t label = 0; label < N_LABELS; label++) expect_even(counts + label * n_folds, n_folds);
        assert_works(plethron_folds_make(N_LABELLED, NULL, n_folds, 7, plain, &err), &err);
        count(plain, labels, n_folds, counts, sizes);
        expect_even(sizes, n_folds);
        assert_memory_not_equal(plain, made, sizeof made);
    }
}

static void folds_follow_the_seed(void **state) {
    (void)state;
    const int64_t seeds[] = {0, 1, 1LL << 32, (1LL << 53) - 1};
    uint8_t made[COUNT(seeds)][N_LABELLED], again[N_LABELLED];
    plethron_error err;
    for (size_t s = 0; s < COUNT(seeds); s++) {
        assert_works(plethron_folds_make(N_LABELLED, NULL, 5, seeds[s], made[s], &err), &err);
        assert_works(plethron_folds_make(N_LABELLED, NULL, 5, seeds[s], again, &err), &err);
        assert_memory_equal(made[s], again, sizeof again);
        for (size_t other = 0; other < s; other++) assert_memory_not_equal(made[s], made[other], sizeof again);
        size_t n_in_turn = 0; /* rows are shuffled: a fifth stands where it would without */
        for (size_t i = 0; i < N_LABELLED; i++) n_in_turn += made[s][i] == i % 5;
        assert_true(n_in_turn > N_LABELLED / 5 - 70 && n_in_turn < N_LABELLED / 5 + 70); /* 5 deviations of 12.7 */
    }
    uint8_t two[2];
    assert_works(plethron_folds_make(2, NULL, 2, 0, two, &err), &err);
    assert_true(two[0] + two[1] == 1);
}

static void folds_that_cannot_be(void **state) {
    (void)state;
    plethron_error err;
    uint8_t made[N] = {99};
    const struct {
        size_t n_samples, n_folds;
        const char *text, *more;
    } cases[] = {
        {N, 0, "n_folds is 0", "2 to 255"},
        {N, 1, "n_folds is 1", "2 to 255"},
        {N, 51, "n_folds is 51", "the 50 samples"},
        {1000, 256, "n_folds is 256", "2 to 255"},
        {0, 2, "n_samples is 0", "1 to 1073741824"},
        {SIZE_MAX, 2, "n_samples is 18446744073709551615", "1 to 1073741824"},
        {1, 2, "n_folds is 2", "the 1 samples"},
    };
    for (size_t c = 0; c < COUNT(cases); c++)
        assert_fails(PLETHRON_ERROR_ARGUMENT,
                     plethron_folds_make(cases[c].n_samples, NULL, cases[c].n_folds, 0, made, &err), &err,
                     cases[c].text, cases[c].more);
    assert_int_equal(plethron_folds_make(N, NULL, 1, 0, made, NULL), PLETHRON_ERROR_ARGUMENT);
    assert_int_equal(made[0], 99);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(placing),
        cmocka_unit_test(standardising_entities),
        cmocka_unit_test(refusals),
        cmocka_unit_test(folds_are_even),
        cmocka_unit_test(folds_follow_the_seed),
        cmocka_unit_test(folds_that_cannot_be),
    };
    return cmocka_run_group_tests(tests, fill, NULL);
}
