/* Features in fewer bytes than floats (kernels/store.cl): laid out in tiles, standardised and rounded on the host, so
 * that the device is sent, and holds, nothing else. */
#include "dataset.h"
#include "half.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>

enum { STEP = 2, MOST_BYTE = 255 }; /* floats of a feature's steps: scale, offset */

typedef struct storing {
    plethron_dataset *dataset;
    plethron_device *host;
    device_buffer *tiles; /* on the host: floats, as a data set of floats has them */
    size_t n_values;      /* of the tiles, with padding */
    float *steps;         /* [n_ranges, n_features, STEP] and padding, NULL without */
    size_t steps_bytes;
    unsigned char *stored; /* [n_values] elements */
} storing;

static void close(storing *self) {
    device_buffer_close(self->tiles);
    if (self->host != self->dataset->device) plethron_device_close(self->host);
    free(self->steps);
    free(self->stored);
}

static plethron_status open(storing *self, plethron_error *err) {
    plethron_status status;
    void *steps = NULL, *stored = NULL;
    const plethron_dataset *dataset = self->dataset;
    const size_t n_steps = (dataset_n_ranges(dataset) * dataset->n_features + DATASET_ROW_PADDING) * STEP;
    self->host = dataset->device;
    if (!device_is_host(dataset->device)) TRY(plethron_device_open("host", &self->host, err));
    dataset_tiles_size(dataset->y_stride, dataset->n_features, &self->n_values);
    TRY(device_buffer_create(self->host, self->n_values * sizeof(float), "the features in tiles", &self->tiles, err));
    TRY(device_buffer_zero(self->tiles, err));
    TRY(memory_allocate(self->n_values, dataset_value_bytes(dataset->storage), "the features to be stored", &stored,
                        err));
    self->stored = stored;
    if (dataset->storage == PLETHRON_STORAGE_U8) {
        TRY(memory_allocate(n_steps, sizeof(float), "the features' steps", &steps, err));
        self->steps = steps;
        self->steps_bytes = n_steps * sizeof(float);
    }
out:
    return status;
}

/* The first feature of the first tile of a range, as floats. */
static float *tiles_of(const storing *self, const struct dataset_range *range) {
    return (float *)device_buffer_on_host(self->tiles) + range->first_tile * self->dataset->n_features * DATASET_TILE;
}

static float *steps_of(const storing *self, size_t range) {
    return self->steps ? self->steps + range * self->dataset->n_features * STEP : NULL;
}

static float value_at(const float *tiles, size_t n_features, size_t row, size_t k) {
    return tiles[(row / DATASET_TILE * n_features + k) * DATASET_TILE + row % DATASET_TILE];
}

/* ---- What does not fit ------------------------------------------------------------------------------------------- */

/* The least magnitude that rounds to infinity; and the largest number there is. */
static float beyond(plethron_storage storage) {
    return storage == PLETHRON_STORAGE_F16 ? 65520.0f : storage == PLETHRON_STORAGE_BF16 ? 0x1.FFp127f : INFINITY;
}

static float largest(plethron_storage storage) {
    return storage == PLETHRON_STORAGE_F16 ? 65504.0f : 0x1.FEp127f;
}

static bool tiles_fit(const float *values, size_t n, float limit) {
    bool fits = true;
    for (size_t e = 0; e < n; e++) fits &= fabsf(values[e]) < limit;
    return fits;
}

static plethron_status refuse(const storing *self, size_t row, size_t k, float value, plethron_error *err) {
    const plethron_storage storage = self->dataset->storage;
    const bool is_standard = self->dataset->mean != NULL;
    return error_set(err, PLETHRON_ERROR_ARGUMENT, "X[%zu, %zu] is %g%s: %s holds numbers up to %g; %s%s would do", row,
                     k, (double)value, is_standard ? " when standardised" : "", dataset_storage_name(storage),
                     (double)largest(storage), storage == PLETHRON_STORAGE_F16 ? "bf16" : "f32",
                     is_standard ? "" : ", or --standardize,");
}

/* The first value that the storage cannot hold, where there is one. */
static plethron_status check_values(const storing *self, plethron_error *err) {
    const plethron_dataset *dataset = self->dataset;
    const size_t n_features = dataset->n_features;
    const float limit = beyond(dataset->storage);
    if (tiles_fit(device_buffer_on_host(self->tiles), self->n_values, limit)) return PLETHRON_OK;
    for (size_t r = 0, first_row = 0; r < dataset_n_ranges(dataset); first_row += dataset->ranges[r++].n_rows)
        for (size_t i = 0; i < dataset->ranges[r].n_rows; i++)
            for (size_t k = 0; k < n_features; k++) {
                const float value = value_at(tiles_of(self, &dataset->ranges[r]), n_features, i, k);
                if (!(fabsf(value) < limit)) return refuse(self, first_row + i, k, value, err);
            }
    return PLETHRON_OK;
}

/* ---- Steps of bytes ---------------------------------------------------------------------------------------------- */

/* Whole numbers that span no more than a byte are stored exactly; else the least is byte 0 and the greatest byte 255.
 */
static void find_step(const float *tiles, size_t n_features, size_t n_rows, size_t k, float step[STEP]) {
    float low = n_rows ? FLT_MAX : 0.0f, high = n_rows ? -FLT_MAX : 0.0f;
    bool is_whole = true;
    for (size_t i = 0; i < n_rows; i++) {
        const float x = value_at(tiles, n_features, i, k);
        low = x < low ? x : low;
        high = x > high ? x : high;
        is_whole &= x == rintf(x);
    }
    const double span = (double)high - (double)low;
    const bool is_exact = is_whole && span <= MOST_BYTE, is_byte = is_exact && low >= 0.0f && high <= MOST_BYTE;
    const float scale = is_exact ? 1.0f : (float)(span / MOST_BYTE);
    step[0] = scale > 0.0f ? scale : 1.0f;
    step[1] = is_byte ? 0.0f : low;
}

static void find_steps(storing *self) {
    const plethron_dataset *dataset = self->dataset;
    const size_t n_features = dataset->n_features;
    for (size_t r = 0; r < dataset_n_ranges(dataset); r++) {
        const struct dataset_range *range = &dataset->ranges[r];
#pragma omp parallel for if (range->n_rows * n_features > 1 << 16)
        for (size_t k = 0; k < n_features; k++)
            find_step(tiles_of(self, range), n_features, range->n_rows, k, steps_of(self, r) + k * STEP);
    }
}

/* Bytes of raw values stand for standardised ones from now on: whole numbers lose nothing then either. */
static void standardize_steps(storing *self) {
    const plethron_dataset *dataset = self->dataset;
    for (size_t e = 0; e < dataset_n_ranges(dataset) * dataset->n_features; e++) {
        float *step = self->steps + e * STEP;
        step[0] = (float)((double)step[0] / dataset->deviation[e]);
        step[1] = (float)(((double)step[1] - dataset->mean[e]) / dataset->deviation[e]);
    }
}

/* ---- Rounding ---------------------------------------------------------------------------------------------------- */

/* The nearest, ties to even. */
static uint16_t bfloat_from_float(float x) {
    const uint32_t bits = float_bits(x);
    return (uint16_t)((bits + 0x7FFF + (bits >> 16 & 1)) >> 16);
}

/* Adding 1.5 * 2^52 rounds to the nearest integer. */
static uint8_t byte_from_float(float x, double offset, double per_scale) {
    const double steps = (((double)x - offset) * per_scale + 0x1.8p52) - 0x1.8p52;
    return (uint8_t)(steps > MOST_BYTE ? MOST_BYTE : steps > 0.0 ? steps : 0.0);
}

/* A tile of one feature. */
static void store_values(plethron_storage storage, const float *x, const float *step, void *to) {
    for (size_t lane = 0; storage == PLETHRON_STORAGE_F16 && lane < DATASET_TILE; lane++)
        ((uint16_t *)to)[lane] = half_from_float(x[lane]);
    for (size_t lane = 0; storage == PLETHRON_STORAGE_BF16 && lane < DATASET_TILE; lane++)
        ((uint16_t *)to)[lane] = bfloat_from_float(x[lane]);
    const double offset = step ? (double)step[1] : 0.0, per_scale = step ? 1.0 / (double)step[0] : 0.0;
    for (size_t lane = 0; storage == PLETHRON_STORAGE_U8 && lane < DATASET_TILE; lane++)
        ((uint8_t *)to)[lane] = byte_from_float(x[lane], offset, per_scale);
}

static void store_range(const storing *self, size_t r) {
    const plethron_dataset *dataset = self->dataset;
    const struct dataset_range *range = &dataset->ranges[r];
    const size_t n_features = dataset->n_features, n_tiles = size_divide_up(range->n_rows, DATASET_TILE);
    const size_t values_bytes = DATASET_TILE * dataset_value_bytes(dataset->storage);
    unsigned char *stored = self->stored + range->first_tile * n_features * values_bytes;
    const float *tiles = tiles_of(self, range), *steps = steps_of(self, r);
#pragma omp parallel for if (range->n_rows * n_features > 1 << 16)
    for (size_t t = 0; t < n_tiles; t++)
        for (size_t k = 0; k < n_features; k++)
            store_values(dataset->storage, tiles + (t * n_features + k) * DATASET_TILE, steps ? steps + k * STEP : NULL,
                         stored + (t * n_features + k) * values_bytes);
}

static void store_ranges(const storing *self) {
    for (size_t r = 0; r < dataset_n_ranges(self->dataset); r++) store_range(self, r);
}

/* ---- All --------------------------------------------------------------------------------------------------------- */

/* What is rounded are standardised values, but bytes are those of the raw ones. */
static plethron_status store(storing *self, bool standardize, plethron_error *err) {
    plethron_status status = PLETHRON_OK;
    const bool is_bytes = self->dataset->storage == PLETHRON_STORAGE_U8;
    if (is_bytes) {
        find_steps(self);
        store_ranges(self);
    }
    if (standardize) TRY(dataset_standardize(self->dataset, self->host, self->tiles, err));
    if (is_bytes) {
        if (standardize) standardize_steps(self);
        return status;
    }
    TRY(check_values(self, err));
    store_ranges(self);
out:
    return status;
}

plethron_status dataset_store(plethron_dataset *dataset, const float *X, bool standardize, plethron_error *err) {
    plethron_status status;
    storing self = {.dataset = dataset};
    TRY(open(&self, err));
    dataset_pack_ranges(dataset, X, device_buffer_on_host(self.tiles));
    TRY(store(&self, standardize, err));
    TRY(dataset_upload(dataset, self.stored, self.n_values * dataset_value_bytes(dataset->storage),
                       "the features on the device", &dataset->X, err));
    if (self.steps)
        TRY(dataset_upload(dataset, self.steps, self.steps_bytes, "the features' steps", &dataset->steps, err));
out:
    close(&self);
    return status;
}
