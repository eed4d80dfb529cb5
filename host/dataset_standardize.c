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

typedef struct segment_range {
    int32_t first;
    int32_t count;
} segment_range;

typedef struct standardizer {
    plethron_dataset *dataset;
    plethron_device *device;
    device_buffer *tiles; /* X */
    device_program *program;
    device_kernel *moments, *add_moments, *standardize;
    segment *segments;
    size_t n_segments;
    segment_range *ranges; /* [n_ranges] */
    size_t n_ranges;
    float *totals; /* [n_ranges, 4, n_features] */
    float *means;  /* [n_ranges, 3, n_features]: near, rest, 1 / deviation */
    device_buffer *segments_there, *ranges_there, *sums_there, *totals_there, *means_there;
} standardizer;

static void close(standardizer *self) {
    device_buffer *buffers[] = {self->means_there, self->totals_there, self->sums_there, self->ranges_there,
                                self->segments_there};
    for (size_t i = 0; i < sizeof buffers / sizeof *buffers; i++) device_buffer_close(buffers[i]);
    kernel_close(self->standardize);
    kernel_close(self->add_moments);
    kernel_close(self->moments);
    program_close(self->program);
    free(self->means);
    free(self->totals);
    free(self->ranges);
    free(self->segments);
}

static size_t segments_of(const struct dataset_range *range) {
    return size_divide_up(range->n_rows, DATASET_BLOCK_ROWS);
}

static plethron_status make_segments(standardizer *self, plethron_error *err) {
    plethron_status status;
    void *segments = NULL, *ranges = NULL;
    const struct dataset_range *rows = self->dataset->ranges;
    for (size_t r = 0; r < self->n_ranges; r++) self->n_segments += segments_of(&rows[r]);
    TRY(memory_allocate(self->n_segments, sizeof(segment), "the segments of rows", &segments, err));
    self->segments = segments;
    TRY(memory_allocate(self->n_ranges, sizeof(segment_range), "the ranges of segments", &ranges, err));
    self->ranges = ranges;
    segment *next = self->segments;
    for (size_t r = 0; r < self->n_ranges; r++) {
        self->ranges[r] = (segment_range){(int32_t)(next - self->segments), (int32_t)segments_of(&rows[r])};
        for (size_t row = 0; row < rows[r].n_rows; row += DATASET_BLOCK_ROWS) {
            const size_t left = rows[r].n_rows - row;
            *next++ = (segment){(int32_t)(rows[r].first_tile + row / DATASET_TILE),
                                (int32_t)(left < DATASET_BLOCK_ROWS ? left : DATASET_BLOCK_ROWS), (int32_t)r};
        }
    }
out:
    return status;
}

static plethron_status open_kernels(standardizer *self, plethron_error *err) {
    plethron_status status;
    const char *const sources[] = {"arithmetic.cl", "standardize.cl"}; /* the first turns contraction off */
    char options[32];
    snprintf(options, sizeof options, "-DTILE=%d", DATASET_TILE);
    TRY(program_open(self->device, sources, sizeof sources / sizeof *sources, options, &self->program, err));
    TRY(program_kernel(self->program, "moments", &self->moments, err));
    TRY(program_kernel(self->program, "add_moments", &self->add_moments, err));
    TRY(program_kernel(self->program, "standardize", &self->standardize, err));
out:
    return status;
}

static plethron_status open(standardizer *self, plethron_error *err) {
    plethron_status status;
    void *totals = NULL, *means = NULL;
    plethron_device *device = self->device;
    const size_t n_features = self->dataset->n_features, n_values = self->n_ranges * n_features;
    TRY(make_segments(self, err));
    TRY(open_kernels(self, err));
    TRY(memory_allocate(4 * n_values, sizeof(float), "the sums of features", &totals, err));
    self->totals = totals;
    TRY(memory_allocate(3 * n_values, sizeof(float), "the means of features", &means, err));
    self->means = means;
    const size_t segments_bytes = self->n_segments * sizeof(segment),
                 ranges_bytes = self->n_ranges * sizeof(segment_range);
    TRY(device_buffer_create(device, segments_bytes, "the segments of rows", &self->segments_there, err));
    TRY(device_buffer_upload(self->segments_there, 0, segments_bytes, self->segments, err));
    TRY(device_buffer_create(device, ranges_bytes, "the ranges of segments", &self->ranges_there, err));
    TRY(device_buffer_upload(self->ranges_there, 0, ranges_bytes, self->ranges, err));
    TRY(device_buffer_create(device, self->n_segments * 4 * n_features * sizeof(float), "the sums of features",
                             &self->sums_there, err));
    TRY(device_buffer_create(device, 4 * n_values * sizeof(float), "the sums of features", &self->totals_there, err));
    TRY(device_buffer_create(device, 3 * n_values * sizeof(float), "the means of features", &self->means_there, err));
out:
    return status;
}

/* `items` of dimension 0 in groups that GPUs fill. */
static kernel_range launch_range(const standardizer *self, size_t items, size_t rows) {
    enum { GROUP_ITEMS = 64 };
    const bool in_groups = plethron_device_describe(self->device)->local_is_dedicated;
    const size_t local = in_groups ? GROUP_ITEMS : 1;
    return (kernel_range){.global = {(items + local - 1) / local * local, rows, 1}, .local = {local, 1, 1}};
}

static plethron_status upload_means(const standardizer *self, plethron_error *err) {
    const size_t bytes = self->n_ranges * 3 * self->dataset->n_features * sizeof(float);
    return device_buffer_upload(self->means_there, 0, bytes, self->means, err);
}

/* Sums over each range's rows, to self->totals. */
static plethron_status sum(standardizer *self, int around, plethron_error *err) {
    plethron_status status;
    const size_t n_features = self->dataset->n_features;
    const kernel_range segments = launch_range(self, n_features, self->n_segments);
    const kernel_range ranges = launch_range(self, n_features, self->n_ranges);
    TRY(upload_means(self, err));
    TRY(kernel_launch(self->moments, &segments, err, "bbbbii", self->tiles, self->segments_there, self->means_there,
                      self->sums_there, (int)n_features, around));
    TRY(kernel_launch(self->add_moments, &ranges, err, "bbbi", self->sums_there, self->ranges_there, self->totals_there,
                      (int)n_features));
    TRY(device_buffer_download(self->totals_there, 0, self->n_ranges * 4 * n_features * sizeof(float), self->totals,
                               err));
out:
    return status;
}

/* The sum of x or d (which 0) or of d * d (which 1) of feature k over a range. */
static double total(const standardizer *self, size_t range, size_t k, size_t which) {
    const float *totals = self->totals + (range * 4 + 2 * which) * self->dataset->n_features + k;
    return (double)totals[0] + (double)totals[self->dataset->n_features];
}

/* From sums of d = x - near and d * d over n rows to mean and deviation; a deviation that floats do not resolve beside
 * the mean is a constant feature's, which gets 1. */
static void finish(double near, double n, double first, double second, double *mean, double *deviation) {
    const double variance = (second - first * first / n) / n;
    *mean = near + first / n;
    *deviation = variance > 0.0 ? sqrt(variance) : 0.0;
    if (*deviation <= 1e-7 * fabs(*mean)) *deviation = 1.0;
}

static plethron_status find_moments(standardizer *self, plethron_error *err) {
    plethron_status status;
    plethron_dataset *dataset = self->dataset;
    const size_t n_features = dataset->n_features;
    TRY(sum(self, 0, err));
    for (size_t r = 0; r < self->n_ranges; r++)
        for (size_t k = 0; dataset->ranges[r].n_rows > 0 && k < n_features; k++)
            self->means[r * 3 * n_features + k] = (float)(total(self, r, k, 0) / (double)dataset->ranges[r].n_rows);
    TRY(sum(self, 1, err));
    for (size_t r = 0; r < self->n_ranges; r++)
        for (size_t k = 0; k < n_features; k++) {
            float *near = self->means + r * 3 * n_features + k;
            double *mean = &dataset->mean[r * n_features + k], *deviation = &dataset->deviation[r * n_features + k];
            *deviation = 1.0;
            if (dataset->ranges[r].n_rows > 0)
                finish((double)*near, (double)dataset->ranges[r].n_rows, total(self, r, k, 0), total(self, r, k, 1),
                       mean, deviation);
            near[n_features] = (float)(*mean - (double)*near);
            near[2 * n_features] = (float)(1.0 / *deviation);
            /* What is folded into the weights is what the kernel applies. */
            *mean = (double)*near + (double)near[n_features];
            *deviation = 1.0 / (double)near[2 * n_features];
        }
out:
    return status;
}

plethron_status dataset_standardize(plethron_dataset *dataset, plethron_device *device, device_buffer *tiles,
                                    plethron_error *err) {
    plethron_status status;
    standardizer self = {.dataset = dataset, .device = device, .tiles = tiles, .n_ranges = dataset_n_ranges(dataset)};
    void *mean = NULL, *deviation = NULL;
    const size_t n_values = self.n_ranges * dataset->n_features;
    TRY(memory_allocate(n_values, sizeof(double), "the features' means", &mean, err));
    dataset->mean = mean;
    TRY(memory_allocate(n_values, sizeof(double), "the features' deviations", &deviation, err));
    dataset->deviation = deviation;
    TRY(open(&self, err));
    TRY(find_moments(&self, err));
    TRY(upload_means(&self, err));
    const kernel_range range = launch_range(&self, dataset->n_features * DATASET_TILE, self.n_segments);
    TRY(kernel_launch(self.standardize, &range, err, "bbbi", tiles, self.segments_there, self.means_there,
                      (int)dataset->n_features));
    TRY(device_finish(device, err));
out:
    close(&self);
    return status;
}
