#include "dataset.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

bool dataset_tiles_size(size_t n_rows, size_t n_features, size_t *n_floats) {
    const size_t padding = (size_t)DATASET_ROW_PADDING * DATASET_TILE;
    size_t rounded = (n_rows + DATASET_TILE - 1) / DATASET_TILE * DATASET_TILE, n;
    if (!size_multiply(rounded, n_features, &n) || n > SIZE_MAX / sizeof(float) - padding) return false;
    *n_floats = n + padding;
    return true;
}

void dataset_pack_tiles(const float *X, size_t n_rows, size_t n_features, const double *mean, const double *deviation,
                        float *tiles) {
    const size_t n_tiles = (n_rows + DATASET_TILE - 1) / DATASET_TILE;
    for (size_t tile = 0; tile < n_tiles; tile++) {
        float *to = tiles + tile * n_features * DATASET_TILE;
        for (size_t lane = 0; lane < DATASET_TILE; lane++) {
            const size_t i = tile * DATASET_TILE + lane;
            for (size_t k = 0; k < n_features; k++) {
                float x = i < n_rows ? X[i * n_features + k] : 0.0f;
                if (mean && i < n_rows) x = (float)(((double)x - mean[k]) / deviation[k]);
                to[k * DATASET_TILE + lane] = x;
            }
        }
    }
}

static plethron_status check_finite(const float *values, size_t n_rows, size_t n_columns, const char *name,
                                    plethron_error *err) {
    for (size_t i = 0; i < n_rows * n_columns; i++)
        if (!isfinite(values[i]))
            return error_set(err, PLETHRON_ERROR_ARGUMENT, "%s[%zu, %zu] is %g: a finite number was expected", name,
                             i / n_columns, i % n_columns, (double)values[i]);
    return PLETHRON_OK;
}

static plethron_status check_sizes(const float *X, size_t n_samples, size_t n_features, const float *Y,
                                   size_t n_targets, plethron_error *err) {
    size_t n;
    if (n_samples == 0 || n_samples > DATASET_MAX_COUNT)
        return error_set(err, PLETHRON_ERROR_ARGUMENT, "n_samples is %zu: 1 to %d is allowed", n_samples,
                         DATASET_MAX_COUNT);
    if (n_features == 0 || n_features > DATASET_MAX_COUNT)
        return error_set(err, PLETHRON_ERROR_ARGUMENT, "n_features is %zu: 1 to %d is allowed", n_features,
                         DATASET_MAX_COUNT);
    if (n_targets > DATASET_MAX_COUNT || (n_targets > 0) != (Y != NULL) || !X)
        return error_set(err, PLETHRON_ERROR_ARGUMENT, "X must be given, and Y when n_targets (%zu) is not 0",
                         n_targets);
    if (!dataset_tiles_size(n_samples, n_features, &n) || !dataset_tiles_size(n_samples, n_targets, &n))
        return error_set(err, PLETHRON_ERROR_ARGUMENT, "%zu samples of %zu features are more than can be addressed",
                         n_samples, n_features);
    return PLETHRON_OK;
}

/* Mean and deviation of each feature, in double, by two passes: the second pass works on small differences. */
static plethron_status find_moments(plethron_dataset *dataset, const float *X, plethron_error *err) {
    plethron_status status;
    const size_t n = dataset->n_samples, n_features = dataset->n_features;
    void *mean = NULL, *deviation = NULL;
    TRY(memory_allocate(n_features, sizeof(double), "the features' means", &mean, err));
    dataset->mean = mean;
    TRY(memory_allocate(n_features, sizeof(double), "the features' deviations", &deviation, err));
    dataset->deviation = deviation;
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < n_features; k++) dataset->mean[k] += (double)X[i * n_features + k];
    for (size_t k = 0; k < n_features; k++) dataset->mean[k] /= (double)n;
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < n_features; k++) {
            double d = (double)X[i * n_features + k] - dataset->mean[k];
            dataset->deviation[k] += d * d;
        }
    for (size_t k = 0; k < n_features; k++) {
        double deviation_k = sqrt(dataset->deviation[k] / (double)n);
        /* A constant feature keeps a rounding error of its mean at most. */
        bool constant = deviation_k <= 1e-12 * fabs(dataset->mean[k]);
        dataset->deviation[k] = constant || deviation_k == 0.0 ? 1.0 : deviation_k;
    }
out:
    return status;
}

static bool all_codes(const float *values, size_t n) {
    for (size_t i = 0; i < n; i++)
        if (values[i] < 0.0f || values[i] >= DATASET_MAX_CLASSES || values[i] != floorf(values[i])) return false;
    return true;
}

static plethron_status summarise_target(struct target_summary *summary, const float *values, size_t n,
                                        plethron_error *err) {
    plethron_status status = PLETHRON_OK;
    void *counts = NULL;
    summary->min = summary->max = values[0];
    for (size_t i = 1; i < n; i++) {
        summary->min = fminf(summary->min, values[i]);
        summary->max = fmaxf(summary->max, values[i]);
    }
    if (!all_codes(values, n)) return PLETHRON_OK;
    summary->n_codes = (size_t)summary->max + 1;
    TRY(memory_allocate(summary->n_codes, sizeof(uint32_t), "the counts of classes", &counts, err));
    summary->class_counts = counts;
    for (size_t i = 0; i < n; i++) summary->class_counts[(size_t)values[i]]++;
out:
    return status;
}

bool dataset_one_class(const plethron_dataset *dataset, size_t target, int64_t positive_class) {
    const struct target_summary *summary = &dataset->targets[target];
    if (positive_class < 0) return summary->min == summary->max && (summary->min == 0.0f || summary->min == 1.0f);
    if (!summary->class_counts) return false;
    if ((uint64_t)positive_class >= summary->n_codes) return true;
    uint32_t count = summary->class_counts[positive_class];
    return count == 0 || count == dataset->n_samples;
}

/* Puts host memory where the strategies read it: uploaded, or kept as it is on the host device. */
static plethron_status place(plethron_dataset *dataset, float **memory, size_t n_floats, const char *what,
                             device_buffer **buffer, float **on_host, plethron_error *err) {
    plethron_status status = PLETHRON_OK;
    if (device_is_host(dataset->device)) {
        *on_host = *memory;
        *memory = NULL;
        return status;
    }
    TRY(device_buffer_create(dataset->device, n_floats * sizeof(float), what, buffer, err));
    TRY(device_buffer_upload(*buffer, 0, n_floats * sizeof(float), *memory, err));
out:
    return status;
}

static plethron_status place_features(plethron_dataset *dataset, const float *X, plethron_error *err) {
    plethron_status status;
    void *memory = NULL;
    float *tiles = NULL;
    size_t n_floats = 0;
    dataset_tiles_size(dataset->n_samples, dataset->n_features, &n_floats);
    TRY(memory_allocate(n_floats, sizeof(float), "the features in tiles", &memory, err));
    tiles = memory;
    dataset_pack_tiles(X, dataset->n_samples, dataset->n_features, dataset->mean, dataset->deviation, tiles);
    TRY(place(dataset, &tiles, n_floats, "the features on the device", &dataset->X, &dataset->X_host, err));
out:
    free(tiles);
    return status;
}

static plethron_status place_targets(plethron_dataset *dataset, const float *Y, plethron_error *err) {
    plethron_status status;
    void *memory = NULL, *summaries = NULL;
    float *columns = NULL;
    const size_t n_targets = dataset->n_targets;
    TRY(memory_allocate(n_targets, sizeof *dataset->targets, "the summaries of targets", &summaries, err));
    dataset->targets = summaries;
    TRY(memory_allocate(n_targets * dataset->y_stride, sizeof(float), "the targets in columns", &memory, err));
    columns = memory;
    for (size_t t = 0; t < n_targets; t++) {
        float *column = columns + t * dataset->y_stride;
        for (size_t i = 0; i < dataset->n_samples; i++) column[i] = Y[i * n_targets + t];
        TRY(summarise_target(&dataset->targets[t], column, dataset->n_samples, err));
    }
    TRY(place(dataset, &columns, n_targets * dataset->y_stride, "the targets on the device", &dataset->Y,
              &dataset->Y_host, err));
out:
    free(columns);
    return status;
}

plethron_status plethron_dataset_create(plethron_device *device, const float *X, size_t n_samples, size_t n_features,
                                        const float *Y, size_t n_targets, const plethron_dataset_options *options,
                                        plethron_dataset **out, plethron_error *err) {
    plethron_status status;
    void *memory = NULL;
    plethron_dataset *dataset = NULL;
    plethron_dataset_options chosen = {sizeof chosen, false};
    if (options) {
        TRY(error_check_struct(options->struct_size, sizeof chosen, "plethron_dataset_options", err));
        memcpy(&chosen, options, options->struct_size);
    }
    TRY(check_sizes(X, n_samples, n_features, Y, n_targets, err));
    TRY(check_finite(X, n_samples, n_features, "X", err));
    TRY(check_finite(Y, n_samples, n_targets, "Y", err));
    TRY(device_check_process(device, err));
    TRY(memory_allocate(1, sizeof *dataset, "a data set", &memory, err));
    dataset = memory;
    dataset->device = device;
    dataset->n_samples = n_samples;
    dataset->n_features = n_features;
    dataset->n_targets = n_targets;
    dataset->n_tiles = (n_samples + DATASET_TILE - 1) / DATASET_TILE;
    dataset->n_blocks = (n_samples + DATASET_BLOCK_ROWS - 1) / DATASET_BLOCK_ROWS;
    dataset->y_stride = dataset->n_tiles * DATASET_TILE;
    if (chosen.standardize) TRY(find_moments(dataset, X, err));
    TRY(place_features(dataset, X, err));
    if (n_targets > 0) TRY(place_targets(dataset, Y, err));
    *out = dataset;
    dataset = NULL;
out:
    plethron_dataset_close(dataset);
    return status;
}

void plethron_dataset_close(plethron_dataset *dataset) {
    if (!dataset) return;
    device_buffer_close(dataset->X);
    device_buffer_close(dataset->Y);
    free(dataset->X_host);
    free(dataset->Y_host);
    free(dataset->mean);
    free(dataset->deviation);
    for (size_t t = 0; dataset->targets && t < dataset->n_targets; t++) free(dataset->targets[t].class_counts);
    free(dataset->targets);
    free(dataset);
}
