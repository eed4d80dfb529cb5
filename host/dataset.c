#include "dataset.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

size_t dataset_n_ranges(const plethron_dataset *dataset) {
    return dataset->n_entities ? dataset->n_entities : 1;
}

double dataset_n_products(const plethron_dataset *dataset) {
    if (dataset->sparse) return (double)dataset->sparse->n_values;
    return (double)dataset->n_samples * (double)dataset->n_features;
}

uint64_t dataset_feature_bytes(const plethron_dataset *dataset) {
    if (dataset->sparse) return sparse_bytes(dataset->sparse, dataset->n_samples, dataset->n_features);
    const uint64_t steps = dataset->storage == PLETHRON_STORAGE_U8 ? 2 * dataset_n_ranges(dataset) * sizeof(float) : 0;
    return ((uint64_t)dataset->y_stride * dataset_value_bytes(dataset->storage) + steps) * dataset->n_features;
}

bool dataset_exceeds_cache(const plethron_dataset *dataset) {
    const uint64_t cache_bytes = device_cache_share(dataset->device);
    return cache_bytes > 0 && dataset_feature_bytes(dataset) > cache_bytes;
}

static const struct {
    const char *name;
    size_t bytes;
} storages[] = {[PLETHRON_STORAGE_F32] = {"f32", sizeof(float)},
                [PLETHRON_STORAGE_F16] = {"f16", sizeof(uint16_t)},
                [PLETHRON_STORAGE_BF16] = {"bf16", sizeof(uint16_t)},
                [PLETHRON_STORAGE_U8] = {"u8", sizeof(uint8_t)}};
enum { N_STORAGES = sizeof storages / sizeof *storages };

size_t dataset_value_bytes(plethron_storage storage) {
    return storages[storage].bytes;
}

const char *dataset_storage_name(plethron_storage storage) {
    return storages[storage].name;
}

bool dataset_tiles_size(size_t n_rows, size_t n_features, size_t *n_floats) {
    const size_t padding = (size_t)DATASET_ROW_PADDING * DATASET_TILE;
    size_t rounded = size_divide_up(n_rows, DATASET_TILE) * DATASET_TILE, n;
    if (!size_multiply(rounded, n_features, &n) || n > SIZE_MAX / sizeof(float) - padding) return false;
    *n_floats = n + padding;
    return true;
}

typedef float quad __attribute__((vector_size(4 * sizeof(float)))); /* what every processor has registers for */

static inline quad load_quad(const float *from) {
    quad value;
    memcpy(&value, from, sizeof value);
    return value;
}

/* The first 4 values of 4 rows, whose first lies at x, become 4 features of 4 lanes of a tile. */
static inline void transpose_quads(const float *x, size_t row_stride, float *to) {
    const quad a = load_quad(x), b = load_quad(x + row_stride);
    const quad c = load_quad(x + 2 * row_stride), d = load_quad(x + 3 * row_stride);
    const quad ab = {a[0], b[0], a[1], b[1]}, cd = {c[0], d[0], c[1], d[1]};
    const quad ab_high = {a[2], b[2], a[3], b[3]}, cd_high = {c[2], d[2], c[3], d[3]};
    const quad columns[4] = {{ab[0], ab[1], cd[0], cd[1]},
                             {ab[2], ab[3], cd[2], cd[3]},
                             {ab_high[0], ab_high[1], cd_high[0], cd_high[1]},
                             {ab_high[2], ab_high[3], cd_high[2], cd_high[3]}};
    for (size_t k = 0; k < 4; k++) memcpy(to + k * DATASET_TILE, &columns[k], sizeof columns[k]);
}

/* The features from first on of the first n_rows rows; 0 in the lanes behind them. */
static void pack_values(const float *x, size_t n_rows, size_t first, size_t n_features, float *tile) {
    for (size_t lane = 0; lane < DATASET_TILE; lane++)
        for (size_t k = first; k < n_features; k++)
            tile[k * DATASET_TILE + lane] = lane < n_rows ? x[lane * n_features + k] : 0.0f;
}

static void pack_whole_tile(const float *x, size_t n_features, float *tile) {
    size_t k = 0;
    for (; k + 4 <= n_features; k += 4)
        for (size_t lane = 0; lane < DATASET_TILE; lane += 4)
            transpose_quads(x + lane * n_features + k, n_features, tile + k * DATASET_TILE + lane);
    pack_values(x, DATASET_TILE, k, n_features, tile);
}

void dataset_pack_tiles(const float *X, size_t n_rows, size_t n_features, float *tiles) {
    const size_t n_tiles = size_divide_up(n_rows, DATASET_TILE);
#pragma omp parallel for if (n_rows * n_features > 1 << 16)
    for (size_t i = 0; i < n_tiles; i++) {
        const float *x = X + i * DATASET_TILE * n_features;
        float *tile = tiles + i * n_features * DATASET_TILE;
        if ((i + 1) * DATASET_TILE <= n_rows)
            pack_whole_tile(x, n_features, tile);
        else
            pack_values(x, n_rows - i * DATASET_TILE, 0, n_features, tile);
    }
}

/* ---- Checks ------------------------------------------------------------------------------------------------------ */

static plethron_status check_values(const float *values, size_t n_rows, size_t n_columns, const char *name,
                                    bool nan_allowed, plethron_error *err) {
    for (size_t i = 0; i < n_rows * n_columns; i++)
        if (!isfinite(values[i]) && !(nan_allowed && isnan(values[i])))
            return error_set(err, PLETHRON_ERROR_ARGUMENT, "%s[%zu, %zu] is %g: a finite number was expected%s", name,
                             i / n_columns, i % n_columns, (double)values[i],
                             nan_allowed ? ", or NaN for a missing target" : "");
    return PLETHRON_OK;
}

/* Features as the caller has them: one of X and sparse. */
typedef struct given_features {
    const float *X;
    const plethron_sparse *sparse;
    size_t n_samples, n_features;
} given_features;

static plethron_status check_sizes(const given_features *given, const float *Y, size_t n_targets, plethron_error *err) {
    const size_t n_samples = given->n_samples, n_features = given->n_features;
    size_t n;
    if (n_samples == 0 || n_samples > DATASET_MAX_COUNT)
        return error_set(err, PLETHRON_ERROR_ARGUMENT, "n_samples is %zu: 1 to %d is allowed", n_samples,
                         DATASET_MAX_COUNT);
    if (n_features == 0 || n_features > DATASET_MAX_COUNT)
        return error_set(err, PLETHRON_ERROR_ARGUMENT, "n_features is %zu: 1 to %d is allowed", n_features,
                         DATASET_MAX_COUNT);
    if (n_targets > DATASET_MAX_COUNT || (n_targets > 0) != (Y != NULL) || !(given->X || given->sparse))
        return error_set(err, PLETHRON_ERROR_ARGUMENT, "X must be given, and Y when n_targets (%zu) is not 0",
                         n_targets);
    if (!dataset_tiles_size(n_samples, n_features, &n) || !dataset_tiles_size(n_samples, n_targets, &n))
        return error_set(err, PLETHRON_ERROR_ARGUMENT, "%zu samples of %zu features are more than can be addressed",
                         n_samples, n_features);
    return PLETHRON_OK;
}

static plethron_status check_storage(const given_features *given, const plethron_dataset_options *options,
                                     plethron_error *err) {
    const plethron_storage storage = options->storage;
    if ((size_t)storage >= N_STORAGES)
        return error_set(err, PLETHRON_ERROR_ARGUMENT, "storage is %d: 0 to %d is allowed", (int)storage,
                         N_STORAGES - 1);
    if (given->sparse && storage != PLETHRON_STORAGE_F32)
        return error_set(err, PLETHRON_ERROR_UNSUPPORTED,
                         "sparse features are stored as f32: dense ones are needed to store them as %s",
                         storages[storage].name);
    return PLETHRON_OK;
}

/* Refuses what the device cannot hold, before anything is read or uploaded. */
static plethron_status check_memory(const plethron_device *device, size_t n_samples, size_t n_features,
                                    size_t n_targets, const plethron_dataset_options *options, plethron_error *err) {
    const plethron_device_info *info = plethron_device_describe(device);
    const uint64_t others_bytes = (n_targets + options->n_weight_columns) * sizeof(float) + (options->folds ? 1 : 0);
    const uint64_t largest = device_is_host(device) ? UINT64_MAX : info->max_alloc_bytes;
    uint64_t n_fit[N_STORAGES];
    for (int s = 0; s < N_STORAGES; s++) {
        const uint64_t features_bytes = n_features * storages[s].bytes;
        const uint64_t in_memory = info->memory_bytes / (features_bytes + others_bytes),
                       in_a_buffer = largest / features_bytes;
        n_fit[s] = in_memory < in_a_buffer ? in_memory : in_a_buffer;
    }
    if (n_samples <= n_fit[options->storage]) return PLETHRON_OK;
    int smaller = (int)options->storage;
    while (smaller < N_STORAGES && n_samples > n_fit[smaller]) smaller++;
    return error_set(err, PLETHRON_ERROR_MEMORY,
                     "%zu samples of %zu features, with their targets, need %llu bytes on the device, and training "
                     "some more; %s has %llu, and allows %llu in one buffer: %llu of these samples would fit%s%s",
                     n_samples, n_features,
                     (unsigned long long)(n_samples * (n_features * storages[options->storage].bytes + others_bytes)),
                     info->name, (unsigned long long)info->memory_bytes,
                     (unsigned long long)(device_is_host(device) ? info->memory_bytes : largest),
                     (unsigned long long)n_fit[options->storage],
                     smaller < N_STORAGES ? ", and all of them stored as " : "",
                     smaller < N_STORAGES ? storages[smaller].name : "");
}

static plethron_status check_features(const given_features *given, plethron_error *err) {
    if (given->sparse) return sparse_check(given->sparse, true, err);
    return check_values(given->X, given->n_samples, given->n_features, "X", false, err);
}

static plethron_status check_weights(const plethron_dataset_options *options, size_t n_samples, plethron_error *err) {
    const size_t n_columns = options->n_weight_columns;
    if ((n_columns > 0) != (options->sample_weights != NULL) || n_columns > DATASET_MAX_COUNT)
        return error_set(err, PLETHRON_ERROR_ARGUMENT,
                         "sample_weights must be given when n_weight_columns (%zu) is not 0, and only then", n_columns);
    for (size_t i = 0; i < n_samples * n_columns; i++)
        if (!(options->sample_weights[i] >= 0.0f) || isinf(options->sample_weights[i]))
            return error_set(err, PLETHRON_ERROR_ARGUMENT,
                             "sample_weights[%zu, %zu] is %g: a finite number, 0 or more, was expected", i / n_columns,
                             i % n_columns, (double)options->sample_weights[i]);
    return PLETHRON_OK;
}

static plethron_status check_folds(const plethron_dataset_options *options, size_t n_samples, plethron_error *err) {
    for (size_t i = 0; options->folds && i < n_samples; i++)
        if (options->folds[i] >= DATASET_MAX_FOLDS)
            return error_set(err, PLETHRON_ERROR_ARGUMENT, "folds[%zu] is %d: 0 to %d is allowed", i, options->folds[i],
                             DATASET_MAX_FOLDS - 1);
    return PLETHRON_OK;
}

static plethron_status check_entities(const plethron_dataset_options *options, size_t n_samples, plethron_error *err) {
    const size_t n = options->n_entities;
    const int64_t *offsets = options->entity_offsets;
    if ((n > 0) != (offsets != NULL) || n > DATASET_MAX_COUNT)
        return error_set(err, PLETHRON_ERROR_ARGUMENT,
                         "entity_offsets must be given when n_entities (%zu) is not 0, and only then", n);
    if (n == 0) return PLETHRON_OK;
    if (offsets[0] != 0 || (uint64_t)offsets[n] != n_samples)
        return error_set(err, PLETHRON_ERROR_ARGUMENT,
                         "entity_offsets go from %lld to %lld: from 0 to n_samples (%zu) was expected",
                         (long long)offsets[0], (long long)offsets[n], n_samples);
    for (size_t e = 0; e < n; e++)
        if (offsets[e + 1] < offsets[e])
            return error_set(err, PLETHRON_ERROR_ARGUMENT, "entity_offsets[%zu] is %lld after %lld: it may not fall",
                             e + 1, (long long)offsets[e + 1], (long long)offsets[e]);
    return PLETHRON_OK;
}

/* ---- Placing rows ------------------------------------------------------------------------------------------------ */

static plethron_status place_rows(plethron_dataset *dataset, const plethron_dataset_options *options,
                                  plethron_error *err) {
    plethron_status status;
    void *memory = NULL;
    dataset->n_entities = options->n_entities;
    TRY(memory_allocate(dataset_n_ranges(dataset), sizeof *dataset->ranges, "the rows of entities", &memory, err));
    dataset->ranges = memory;
    dataset->ranges[0].n_rows = dataset->n_samples;
    for (size_t e = 0; e < dataset_n_ranges(dataset); e++) {
        struct dataset_range *range = &dataset->ranges[e];
        if (options->n_entities) range->n_rows = (size_t)(options->entity_offsets[e + 1] - options->entity_offsets[e]);
        range->first_tile = dataset->n_tiles;
        dataset->n_tiles += size_divide_up(range->n_rows, DATASET_TILE);
    }
    dataset->y_stride = dataset->n_tiles * DATASET_TILE;
    dataset->n_blocks = size_divide_up(dataset->y_stride, DATASET_BLOCK_ROWS);
    if (dataset->y_stride > DATASET_MAX_COUNT)
        status =
            error_set(err, PLETHRON_ERROR_ARGUMENT,
                      "%zu samples of %zu entities, each in whole tiles of %d rows, take %zu places: %d are allowed",
                      dataset->n_samples, dataset->n_entities, DATASET_TILE, dataset->y_stride, DATASET_MAX_COUNT);
out:
    return status;
}

plethron_status dataset_upload(plethron_dataset *dataset, const void *memory, size_t bytes, const char *what,
                               device_buffer **out, plethron_error *err) {
    plethron_status status;
    TRY(device_buffer_create(dataset->device, bytes, what, out, err));
    TRY(device_buffer_upload(*out, 0, bytes, memory, err));
out:
    return status;
}

void dataset_pack_ranges(const plethron_dataset *dataset, const float *X, float *tiles) {
    const size_t n_features = dataset->n_features;
    for (size_t e = 0; e < dataset_n_ranges(dataset); e++) {
        const struct dataset_range *range = &dataset->ranges[e];
        dataset_pack_tiles(X, range->n_rows, n_features, tiles + range->first_tile * n_features * DATASET_TILE);
        X += range->n_rows * n_features;
    }
}

static plethron_status place_floats(plethron_dataset *dataset, const float *X, size_t n_floats, bool standardize,
                                    plethron_error *err) {
    plethron_status status;
    void *tiles = NULL;
    TRY(memory_allocate(n_floats, sizeof(float), "the features in tiles", &tiles, err));
    dataset_pack_ranges(dataset, X, tiles);
    TRY(dataset_upload(dataset, tiles, n_floats * sizeof(float), "the features on the device", &dataset->X, err));
    if (standardize) TRY(dataset_standardize(dataset, dataset->device, dataset->X, err));
out:
    free(tiles);
    return status;
}

static plethron_status place_features(plethron_dataset *dataset, const float *X, bool standardize,
                                      plethron_error *err) {
    size_t n_floats = 0;
    if (!dataset_tiles_size(dataset->y_stride, dataset->n_features, &n_floats))
        return error_set(err, PLETHRON_ERROR_ARGUMENT, "%zu samples of %zu features are more than can be addressed",
                         dataset->n_samples, dataset->n_features);
    if (dataset->storage != PLETHRON_STORAGE_F32) return dataset_store(dataset, X, standardize, err);
    return place_floats(dataset, X, n_floats, standardize, err);
}

/* Standardised, their means stay: what is folded into the weights is a scale alone. */
static plethron_status place_sparse(plethron_dataset *dataset, const plethron_sparse *X, bool standardize,
                                    plethron_error *err) {
    plethron_status status = PLETHRON_OK;
    void *mean = NULL, *deviation = NULL;
    if (standardize) {
        TRY(memory_allocate(dataset->n_features, sizeof(double), "the features' means", &mean, err));
        dataset->mean = mean;
        TRY(memory_allocate(dataset->n_features, sizeof(double), "the features' deviations", &deviation, err));
        dataset->deviation = deviation;
    }
    TRY(sparse_open(dataset->device, X, deviation, &dataset->sparse, err));
out:
    return status;
}

/* Columns [n_columns, y_stride] of a matrix with a value a row, n_columns of them a row; `empty` between entities. */
static void pack_columns(const plethron_dataset *dataset, const float *values, size_t n_columns, float empty,
                         float *to) {
    for (size_t c = 0; c < n_columns; c++) {
        const float *from = values + c;
        float *column = to + c * dataset->y_stride;
        for (size_t place = 0; place < dataset->y_stride; place++) column[place] = empty;
        for (size_t e = 0; e < dataset_n_ranges(dataset); e++) {
            const struct dataset_range *range = &dataset->ranges[e];
            for (size_t i = 0; i < range->n_rows; i++, from += n_columns)
                column[range->first_tile * DATASET_TILE + i] = *from;
        }
    }
}

static plethron_status place_columns(plethron_dataset *dataset, const float *values, size_t n_columns, const char *what,
                                     device_buffer **out, plethron_error *err) {
    plethron_status status;
    void *columns = NULL;
    TRY(memory_allocate(n_columns * dataset->y_stride, sizeof(float), what, &columns, err));
    pack_columns(dataset, values, n_columns, 0.0f, columns);
    TRY(dataset_upload(dataset, columns, n_columns * dataset->y_stride * sizeof(float), what, out, err));
out:
    free(columns);
    return status;
}

static plethron_status place_folds(plethron_dataset *dataset, const uint8_t *folds, plethron_error *err) {
    plethron_status status;
    void *memory = NULL;
    TRY(memory_allocate(dataset->y_stride, 1, "the folds", &memory, err));
    uint8_t *bytes = memory;
    for (size_t e = 0, row = 0; e < dataset_n_ranges(dataset); e++) {
        const struct dataset_range *range = &dataset->ranges[e];
        memcpy(bytes + range->first_tile * DATASET_TILE, folds + row, range->n_rows);
        row += range->n_rows;
    }
    for (size_t i = 0; i < dataset->n_samples; i++)
        if (folds[i] >= dataset->n_folds) dataset->n_folds = (size_t)folds[i] + 1;
    TRY(dataset_upload(dataset, bytes, dataset->y_stride, "the folds on the device", &dataset->folds, err));
out:
    free(memory);
    return status;
}

/* ---- Targets ----------------------------------------------------------------------------------------------------- */

static struct target_summary summarise_target(const float *Y, size_t n_samples, size_t n_targets, size_t target) {
    struct target_summary summary = {.min = NAN, .max = NAN, .is_codes = true, .is_binary = true};
    for (size_t i = 0; i < n_samples; i++) {
        const float y = Y[i * n_targets + target];
        if (isnan(y)) {
            summary.has_missing = true;
            continue;
        }
        summary.min = fminf(summary.min, y); /* of a number and NaN: the number */
        summary.max = fmaxf(summary.max, y);
        if (y < 0.0f || y >= DATASET_MAX_CLASSES || y != floorf(y)) summary.is_codes = false;
        if (y != 0.0f && y != 1.0f) summary.is_binary = false;
    }
    return summary;
}

static plethron_status place_targets(plethron_dataset *dataset, const float *Y, plethron_error *err) {
    plethron_status status;
    void *summaries = NULL;
    TRY(memory_allocate(dataset->n_targets, sizeof *dataset->targets, "the summaries of targets", &summaries, err));
    dataset->targets = summaries;
    for (size_t t = 0; t < dataset->n_targets; t++)
        dataset->targets[t] = summarise_target(Y, dataset->n_samples, dataset->n_targets, t);
    TRY(place_columns(dataset, Y, dataset->n_targets, "the targets on the device", &dataset->Y, err));
out:
    return status;
}

/* ---- Making ------------------------------------------------------------------------------------------------------ */

static plethron_status fill(plethron_dataset *dataset, const given_features *given, const float *Y,
                            const plethron_dataset_options *options, plethron_error *err) {
    plethron_status status;
    TRY(place_rows(dataset, options, err));
    if (given->sparse)
        TRY(place_sparse(dataset, given->sparse, options->standardize, err));
    else
        TRY(place_features(dataset, given->X, options->standardize, err));
    if (dataset->n_targets > 0) TRY(place_targets(dataset, Y, err));
    dataset->n_weight_columns = options->n_weight_columns;
    if (options->n_weight_columns > 0)
        TRY(place_columns(dataset, options->sample_weights, options->n_weight_columns, "the sample weights",
                          &dataset->weights, err));
    if (options->folds) TRY(place_folds(dataset, options->folds, err));
out:
    return status;
}

static plethron_status create(plethron_device *device, const given_features *given, const float *Y, size_t n_targets,
                              const plethron_dataset_options *options, plethron_dataset **out, plethron_error *err) {
    plethron_status status;
    void *memory = NULL;
    plethron_dataset *dataset = NULL;
    plethron_dataset_options chosen = {.struct_size = sizeof chosen};
    if (options) {
        TRY(error_check_struct(options->struct_size, sizeof chosen, "plethron_dataset_options", err));
        memcpy(&chosen, options, options->struct_size);
    }
    TRY(check_storage(given, &chosen, err));
    TRY(check_sizes(given, Y, n_targets, err));
    if (!given->sparse) TRY(check_memory(device, given->n_samples, given->n_features, n_targets, &chosen, err));
    TRY(check_features(given, err));
    TRY(check_values(Y, given->n_samples, n_targets, "Y", true, err));
    TRY(check_weights(&chosen, given->n_samples, err));
    TRY(check_folds(&chosen, given->n_samples, err));
    TRY(check_entities(&chosen, given->n_samples, err));
    if (given->sparse && chosen.n_entities > 0)
        TRY(error_set(err, PLETHRON_ERROR_UNSUPPORTED,
                      "%zu entities with sparse features are not supported: dense features are needed",
                      chosen.n_entities));
    TRY(device_check_process(device, err));
    TRY(memory_allocate(1, sizeof *dataset, "a data set", &memory, err));
    dataset = memory;
    dataset->device = device;
    dataset->n_samples = given->n_samples;
    dataset->n_features = given->n_features;
    dataset->n_targets = n_targets;
    dataset->storage = chosen.storage;
    TRY(fill(dataset, given, Y, &chosen, err));
    *out = dataset;
    dataset = NULL;
out:
    plethron_dataset_close(dataset);
    return status;
}

plethron_status plethron_dataset_create(plethron_device *device, const float *X, size_t n_samples, size_t n_features,
                                        const float *Y, size_t n_targets, const plethron_dataset_options *options,
                                        plethron_dataset **out, plethron_error *err) {
    const given_features given = {.X = X, .n_samples = n_samples, .n_features = n_features};
    return create(device, &given, Y, n_targets, options, out, err);
}

plethron_status plethron_dataset_create_sparse(plethron_device *device, const plethron_sparse *X, const float *Y,
                                               size_t n_targets, const plethron_dataset_options *options,
                                               plethron_dataset **out, plethron_error *err) {
    const given_features given = {.sparse = X, .n_samples = X ? X->n_rows : 0, .n_features = X ? X->n_columns : 0};
    return create(device, &given, Y, n_targets, options, out, err);
}

void plethron_dataset_close(plethron_dataset *dataset) {
    if (!dataset) return;
    device_buffer_close(dataset->X);
    device_buffer_close(dataset->steps);
    sparse_close(dataset->sparse);
    device_buffer_close(dataset->Y);
    device_buffer_close(dataset->weights);
    device_buffer_close(dataset->folds);
    free(dataset->ranges);
    free(dataset->mean);
    free(dataset->deviation);
    free(dataset->targets);
    free(dataset);
}
