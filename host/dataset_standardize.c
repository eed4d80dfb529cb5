/* Standardisation: means and deviations by kernels (kernels/standardize.cl), the rest in double here. */
#include "dataset.h"
#include "program.h"

#include <math.h>
#include <stdlib.h>

/* At most DATASET_BLOCK_ROWS rows of one range, as the kernels read it. */
typedef struct segment {
    int32_t first_tile;
    int32_t n_rows;
    int32_t range;
} segment;

typedef struct standardizer {
    plethron_dataset *dataset;
    device_program *program;
    device_kernel *moments, *standardize;
    segment *segments;
    size_t n_segments;
    float *sums;  /* [n_segments, 4, n_features] */
    float *means; /* [n_ranges, 3, n_features]: near, rest, 1 / deviation */
    device_buffer *segments_there, *sums_there, *means_there;
} standardizer;

static void close(standardizer *self) {
    device_buffer_close(self->means_there);
    device_buffer_close(self->sums_there);
    device_buffer_close(self->segments_there);
    kernel_close(self->standardize);
    kernel_close(self->moments);
    program_close(self->program);
    free(self->means);
    free(self->sums);
    free(self->segments);
}

static size_t segments_of(const struct dataset_range *range) {
    return (range->n_rows + DATASET_BLOCK_ROWS - 1) / DATASET_BLOCK_ROWS;
}

static plethron_status make_segments(standardizer *self, plethron_error *err) {
    plethron_status status;
    void *memory = NULL;
    const size_t n_ranges = dataset_n_ranges(self->dataset);
    for (size_t r = 0; r < n_ranges; r++) self->n_segments += segments_of(&self->dataset->ranges[r]);
    TRY(memory_allocate(self->n_segments, sizeof(segment), "the segments of rows", &memory, err));
    self->segments = memory;
    segment *next = self->segments;
    for (size_t r = 0; r < n_ranges; r++) {
        const struct dataset_range *range = &self->dataset->ranges[r];
        for (size_t row = 0; row < range->n_rows; row += DATASET_BLOCK_ROWS) {
            const size_t left = range->n_rows - row;
            *next++ = (segment){(int32_t)(range->first_tile + row / DATASET_TILE),
                                (int32_t)(left < DATASET_BLOCK_ROWS ? left : DATASET_BLOCK_ROWS), (int32_t)r};
        }
    }
out:
    return status;
}

static plethron_status open(standardizer *self, plethron_error *err) {
    plethron_status status;
    void *sums = NULL, *means = NULL;
    plethron_dataset *dataset = self->dataset;
    const char *const sources[] = {"standardize.cl"};
    char options[32];
    snprintf(options, sizeof options, "-DTILE=%d", DATASET_TILE);
    TRY(make_segments(self, err));
    const size_t n_sums = self->n_segments * 4 * dataset->n_features;
    const size_t n_means = dataset_n_ranges(dataset) * 3 * dataset->n_features;
    TRY(memory_allocate(n_sums, sizeof(float), "the sums of features", &sums, err));
    self->sums = sums;
    TRY(memory_allocate(n_means, sizeof(float), "the means of features", &means, err));
    self->means = means;
    TRY(program_open(dataset->device, sources, 1, options, &self->program, err));
    TRY(program_kernel(self->program, "moments", &self->moments, err));
    TRY(program_kernel(self->program, "standardize", &self->standardize, err));
    TRY(device_buffer_create(dataset->device, self->n_segments * sizeof(segment), "the segments of rows",
                             &self->segments_there, err));
    TRY(device_buffer_upload(self->segments_there, 0, self->n_segments * sizeof(segment), self->segments, err));
    TRY(device_buffer_create(dataset->device, n_sums * sizeof(float), "the sums of features", &self->sums_there, err));
    TRY(device_buffer_create(dataset->device, n_means * sizeof(float), "the means of features", &self->means_there,
                             err));
out:
    return status;
}

static kernel_range launch_range(const standardizer *self) {
    return (kernel_range){.global = {self->dataset->n_features, self->n_segments, 1}, .local = {1, 1, 1}};
}

/* Sums over each range's rows: first[r, k] of x or d, second[r, k] of d * d. */
static plethron_status sum(standardizer *self, int around, double *first, double *second, plethron_error *err) {
    plethron_status status;
    const size_t n_features = self->dataset->n_features, n_ranges = dataset_n_ranges(self->dataset);
    const kernel_range range = launch_range(self);
    TRY(device_buffer_upload(self->means_there, 0, n_ranges * 3 * n_features * sizeof(float), self->means, err));
    TRY(kernel_launch(self->moments, &range, err, "bbbbii", self->dataset->X, self->segments_there, self->means_there,
                      self->sums_there, (int)n_features, around));
    TRY(device_buffer_download(self->sums_there, 0, self->n_segments * 4 * n_features * sizeof(float), self->sums,
                               err));
    for (size_t i = 0; i < n_ranges * n_features; i++) first[i] = second[i] = 0.0;
    for (size_t s = 0; s < self->n_segments; s++) {
        const float *sums = self->sums + s * 4 * n_features;
        const size_t at = (size_t)self->segments[s].range * n_features;
        for (size_t k = 0; k < n_features; k++) {
            first[at + k] += (double)sums[k] + (double)sums[n_features + k];
            second[at + k] += (double)sums[2 * n_features + k] + (double)sums[3 * n_features + k];
        }
    }
out:
    return status;
}

/* From sums of d = x - near and d * d to mean and deviation; a constant feature keeps a rounding error of its mean at
 * most, and gets the deviation 1. */
static void finish(double near, double n, double first, double second, double *mean, double *deviation) {
    const double variance = (second - first * first / n) / n;
    *mean = near + first / n;
    *deviation = variance > 0.0 ? sqrt(variance) : 0.0;
    if (*deviation <= 1e-7 * fabs(*mean) || *deviation == 0.0) *deviation = 1.0;
}

static plethron_status find_moments(standardizer *self, double *first, double *second, plethron_error *err) {
    plethron_status status;
    plethron_dataset *dataset = self->dataset;
    const size_t n_features = dataset->n_features;
    TRY(sum(self, 0, first, second, err));
    for (size_t r = 0; r < dataset_n_ranges(dataset); r++)
        for (size_t k = 0; k < n_features; k++)
            if (dataset->ranges[r].n_rows > 0)
                self->means[r * 3 * n_features + k] =
                    (float)(first[r * n_features + k] / (double)dataset->ranges[r].n_rows);
    TRY(sum(self, 1, first, second, err));
    for (size_t r = 0; r < dataset_n_ranges(dataset); r++)
        for (size_t k = 0; k < n_features; k++) {
            float *near = self->means + r * 3 * n_features + k;
            const size_t at = r * n_features + k;
            dataset->deviation[at] = 1.0;
            if (dataset->ranges[r].n_rows > 0)
                finish((double)*near, (double)dataset->ranges[r].n_rows, first[at], second[at], &dataset->mean[at],
                       &dataset->deviation[at]);
            near[n_features] = (float)(dataset->mean[at] - (double)*near);
            near[2 * n_features] = (float)(1.0 / dataset->deviation[at]);
            /* What is folded into the weights is what the kernel applies. */
            dataset->mean[at] = (double)*near + (double)near[n_features];
            dataset->deviation[at] = 1.0 / (double)near[2 * n_features];
        }
out:
    return status;
}

plethron_status dataset_standardize(plethron_dataset *dataset, plethron_error *err) {
    plethron_status status;
    standardizer self = {.dataset = dataset};
    void *mean = NULL, *deviation = NULL, *first = NULL, *second = NULL;
    const size_t n = dataset_n_ranges(dataset) * dataset->n_features;
    const size_t means_bytes = 3 * n * sizeof(float);
    TRY(memory_allocate(n, sizeof(double), "the features' means", &mean, err));
    dataset->mean = mean;
    TRY(memory_allocate(n, sizeof(double), "the features' deviations", &deviation, err));
    dataset->deviation = deviation;
    TRY(memory_allocate(n, sizeof(double), "the sums of features", &first, err));
    TRY(memory_allocate(n, sizeof(double), "the sums of features", &second, err));
    TRY(open(&self, err));
    TRY(find_moments(&self, first, second, err));
    const kernel_range range = launch_range(&self);
    TRY(device_buffer_upload(self.means_there, 0, means_bytes, self.means, err));
    TRY(kernel_launch(self.standardize, &range, err, "bbbi", dataset->X, self.segments_there, self.means_there,
                      (int)dataset->n_features));
    TRY(device_finish(dataset->device, err));
out:
    free(second);
    free(first);
    close(&self);
    return status;
}
