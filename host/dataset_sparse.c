#include "dataset_sparse.h"

#include "dataset.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* A feature is cut when it has more entries than an item should walk through alone, and enough of them in a block that
 * the blocks' sums are few beside them. */
enum { LONG_FEATURE = 4096, ENTRIES_A_PIECE = 8 };

size_t sparse_n_values(const plethron_sparse *X) {
    return (size_t)(X->offsets[X->n_rows] - X->offsets[0]);
}

/* ---- Checks ------------------------------------------------------------------------------------------------------ */

static plethron_status check_offsets(const plethron_sparse *X, plethron_error *err) {
    if (!X->offsets || X->offsets[0] < 0)
        return error_set(err, PLETHRON_ERROR_ARGUMENT,
                         "the offsets of sparse rows begin with %lld: 0 or more was "
                         "expected",
                         X->offsets ? (long long)X->offsets[0] : -1LL);
    for (size_t i = 0; i < X->n_rows; i++)
        if (X->offsets[i + 1] < X->offsets[i])
            return error_set(err, PLETHRON_ERROR_ARGUMENT, "offsets[%zu] is %lld after %lld: it may not fall", i + 1,
                             (long long)X->offsets[i + 1], (long long)X->offsets[i]);
    if (sparse_n_values(X) > DATASET_MAX_COUNT)
        return error_set(err, PLETHRON_ERROR_ARGUMENT, "sparse features with %zu values: at most %d are allowed",
                         sparse_n_values(X), DATASET_MAX_COUNT);
    if (sparse_n_values(X) > 0 && (!X->columns || !X->values))
        return error_set(err, PLETHRON_ERROR_ARGUMENT,
                         "sparse features with %zu values, but columns or values are NULL", sparse_n_values(X));
    return PLETHRON_OK;
}

static plethron_status check_row(const plethron_sparse *X, size_t row, bool finite, plethron_error *err) {
    int64_t before = -1;
    for (int64_t e = X->offsets[row]; e < X->offsets[row + 1]; e++) {
        const int64_t column = X->columns[e];
        if (column < 0 || (uint64_t)column >= X->n_columns)
            return error_set(err, PLETHRON_ERROR_ARGUMENT, "row %zu has a value in column %lld: 0 to %zu are allowed",
                             row, (long long)column, X->n_columns - 1);
        if (column <= before)
            return error_set(err, PLETHRON_ERROR_ARGUMENT,
                             "row %zu has column %lld after column %lld: columns that ascend were expected", row,
                             (long long)column, (long long)before);
        if (finite && !isfinite(X->values[e]))
            return error_set(err, PLETHRON_ERROR_ARGUMENT, "X[%zu, %lld] is %g: a finite number was expected", row,
                             (long long)column, (double)X->values[e]);
        before = column;
    }
    return PLETHRON_OK;
}

plethron_status sparse_check(const plethron_sparse *X, bool finite, plethron_error *err) {
    plethron_status status = check_offsets(X, err);
    for (size_t i = 0; i < X->n_rows && status == PLETHRON_OK; i++) status = check_row(X, i, finite, err);
    return status;
}

/* ---- Arrays ------------------------------------------------------------------------------------------------------ */

plethron_status sparse_arrays_open(size_t n_lines, size_t n_values, sparse_arrays *out, plethron_error *err) {
    plethron_status status;
    sparse_arrays arrays = {0};
    void *memory = NULL;
    TRY(memory_allocate_unset(n_lines + 1, sizeof *arrays.offsets, "offsets of sparse features", &memory, err));
    arrays.offsets = memory;
    TRY(memory_allocate_unset(n_values, sizeof *arrays.indices, "indices of sparse features", &memory, err));
    arrays.indices = memory;
    TRY(memory_allocate_unset(n_values, sizeof *arrays.values, "values of sparse features", &memory, err));
    arrays.values = memory;
    *out = arrays;
    arrays = (sparse_arrays){0};
out:
    sparse_arrays_close(&arrays);
    return status;
}

void sparse_arrays_close(sparse_arrays *arrays) {
    free(arrays->offsets);
    free(arrays->indices);
    free(arrays->values);
    *arrays = (sparse_arrays){0};
}

/* Makes offsets of counts: offsets[i + 1] holds the entries of line i. */
static void add_up(int32_t *offsets, size_t n_lines) {
    offsets[0] = 0;
    for (size_t i = 0; i < n_lines; i++) offsets[i + 1] += offsets[i];
}

void sparse_transpose(const sparse_arrays *rows, size_t n_rows, size_t n_columns, const int32_t *order,
                      sparse_arrays *columns) {
    int32_t *next = columns->offsets;
    memset(next, 0, (n_columns + 1) * sizeof *next);
    for (int32_t e = 0; e < rows->offsets[n_rows]; e++) next[rows->indices[e] + 1]++;
    add_up(next, n_columns);
    for (size_t place = 0; place < n_rows; place++) {
        const size_t row = order ? (size_t)order[place] : place;
        for (int32_t e = rows->offsets[row]; e < rows->offsets[row + 1]; e++) {
            const int32_t to = next[rows->indices[e]]++;
            columns->indices[to] = (int32_t)place;
            columns->values[to] = rows->values[e];
        }
    }
    memmove(next + 1, next, n_columns * sizeof *next); /* each is where the next column begins */
    next[0] = 0;
}

/* ---- Buffers ----------------------------------------------------------------------------------------------------- */

/* Of no values, too: a buffer has at least one. */
static plethron_status place(plethron_device *device, const void *from, size_t n, const char *what, device_buffer **out,
                             plethron_error *err) {
    plethron_status status;
    enum { ITEM_BYTES = sizeof(int32_t) };
    TRY(device_buffer_create(device, (n ? n : 1) * ITEM_BYTES, what, out, err));
    if (n > 0) TRY(device_buffer_upload(*out, 0, n * ITEM_BYTES, from, err));
out:
    return status;
}

plethron_status sparse_lines_upload(plethron_device *device, const sparse_arrays *arrays, size_t n_lines,
                                    size_t n_values, sparse_lines *out, plethron_error *err) {
    plethron_status status;
    sparse_lines lines = {0};
    TRY(place(device, arrays->offsets, n_lines + 1, "the offsets of sparse features", &lines.offsets, err));
    TRY(place(device, arrays->indices, n_values, "the indices of sparse features", &lines.indices, err));
    TRY(place(device, arrays->values, n_values, "the values of sparse features", &lines.values, err));
    *out = lines;
    lines = (sparse_lines){0};
out:
    sparse_lines_close(&lines);
    return status;
}

void sparse_lines_close(sparse_lines *lines) {
    device_buffer_close(lines->offsets);
    device_buffer_close(lines->indices);
    device_buffer_close(lines->values);
    *lines = (sparse_lines){0};
}

/* ---- Pieces of long features ------------------------------------------------------------------------------------- */

/* Blocks of rows that hold entries of the feature; their begins and ends go to `pieces`, if it is not NULL. */
static size_t cut(const sparse_arrays *features, size_t k, int32_t *pieces) {
    size_t n = 0;
    for (int32_t e = features->offsets[k], block = -1; e < features->offsets[k + 1]; e++) {
        if (features->indices[e] / DATASET_BLOCK_ROWS != block) {
            block = features->indices[e] / DATASET_BLOCK_ROWS;
            if (pieces) pieces[2 * n] = e;
            n++;
        }
        if (pieces) pieces[2 * n - 1] = e + 1;
    }
    return n;
}

/* 0: the feature stays whole. */
static size_t count_pieces(const sparse_arrays *features, size_t k) {
    const size_t n_entries = (size_t)(features->offsets[k + 1] - features->offsets[k]);
    if (n_entries <= LONG_FEATURE) return 0;
    const size_t n = cut(features, k, NULL);
    return n * ENTRIES_A_PIECE <= n_entries ? n : 0;
}

static plethron_status place_pieces(dataset_sparse *sparse, plethron_device *device, const sparse_arrays *features,
                                    size_t n_features, plethron_error *err) {
    plethron_status status;
    void *first = NULL, *pieces = NULL;
    TRY(memory_allocate(n_features + 1, sizeof(int32_t), "the pieces of features", &first, err));
    int32_t *first_piece = first;
    for (size_t k = 0; k < n_features; k++) first_piece[k + 1] = (int32_t)count_pieces(features, k);
    add_up(first_piece, n_features);
    sparse->n_pieces = (size_t)first_piece[n_features];
    TRY(memory_allocate(2 * sparse->n_pieces, sizeof(int32_t), "the pieces of features", &pieces, err));
    for (size_t k = 0; k < n_features; k++)
        if (first_piece[k] < first_piece[k + 1]) cut(features, k, (int32_t *)pieces + 2 * first_piece[k]);
    TRY(place(device, first, n_features + 1, "the pieces of features", &sparse->first_piece, err));
    TRY(place(device, pieces, 2 * sparse->n_pieces, "the pieces of features", &sparse->pieces, err));
out:
    free(pieces);
    free(first);
    return status;
}

/* ---- Standardisation --------------------------------------------------------------------------------------------- */

/* The deviation of a feature over n rows, most of which may have no entry: they hold 0. A deviation that floats do not
 * resolve beside the mean is a constant feature's, which gets 1. */
static double deviation_of(const float *values, size_t n_entries, double n) {
    double sum = 0.0, squares = 0.0;
    for (size_t e = 0; e < n_entries; e++) sum += (double)values[e];
    const double mean = sum / n;
    for (size_t e = 0; e < n_entries; e++) squares += ((double)values[e] - mean) * ((double)values[e] - mean);
    const double deviation = sqrt((squares + (n - (double)n_entries) * mean * mean) / n);
    return deviation <= 1e-7 * fabs(mean) ? 1.0 : deviation;
}

/* Divides rows and features by their deviations. A mean is not taken off: zeros would no longer be zeros. */
static void scale(sparse_arrays *rows, size_t n_rows, sparse_arrays *features, size_t n_features, double *deviation) {
    for (size_t k = 0; k < n_features; k++) {
        float *values = features->values + features->offsets[k];
        const size_t n = (size_t)(features->offsets[k + 1] - features->offsets[k]);
        const float factor = (float)(1.0 / deviation_of(values, n, (double)n_rows));
        for (size_t e = 0; e < n; e++) values[e] *= factor;
        deviation[k] = 1.0 / (double)factor; /* what is folded into the weights is what is applied */
    }
    for (int32_t e = 0; e < rows->offsets[n_rows]; e++) rows->values[e] *= (float)(1.0 / deviation[rows->indices[e]]);
}

/* ---- All --------------------------------------------------------------------------------------------------------- */

static void copy_rows(const plethron_sparse *X, sparse_arrays *rows) {
    const size_t n_values = sparse_n_values(X);
    const int64_t base = X->offsets[0];
    for (size_t i = 0; i <= X->n_rows; i++) rows->offsets[i] = (int32_t)(X->offsets[i] - base);
    if (n_values == 0) return;
    memcpy(rows->indices, X->columns + base, n_values * sizeof *rows->indices);
    memcpy(rows->values, X->values + base, n_values * sizeof *rows->values);
}

/* A few bytes can name a feature that would take the offsets of a billion. Whatever trains on it takes weights, too:
 * those of 16 units at least, four times over (train_problem.c). */
static plethron_status check_memory(const plethron_device *device, const plethron_sparse *X, plethron_error *err) {
    enum { WEIGHT_BYTES = 16 * 4 * sizeof(float) };
    const plethron_device_info *info = plethron_device_describe(device);
    const dataset_sparse least = {.n_values = sparse_n_values(X)};
    const uint64_t bytes = sparse_bytes(&least, X->n_rows, X->n_columns) + (uint64_t)X->n_columns * WEIGHT_BYTES;
    if (bytes <= info->memory_bytes) return PLETHRON_OK;
    return error_set(err, PLETHRON_ERROR_MEMORY,
                     "%zu rows of %zu sparse features with %zu values need %llu bytes or more, with a weight for each "
                     "feature; %s has %llu",
                     X->n_rows, X->n_columns, least.n_values, (unsigned long long)bytes, info->name,
                     (unsigned long long)info->memory_bytes);
}

plethron_status sparse_open(plethron_device *device, const plethron_sparse *X, double *deviation, dataset_sparse **out,
                            plethron_error *err) {
    plethron_status status;
    const size_t n_values = sparse_n_values(X);
    sparse_arrays rows = {0}, features = {0};
    dataset_sparse *sparse = NULL;
    void *memory = NULL;
    TRY(check_memory(device, X, err));
    TRY(memory_allocate(1, sizeof *sparse, "sparse features", &memory, err));
    sparse = memory;
    sparse->n_values = n_values;
    TRY(sparse_arrays_open(X->n_rows, n_values, &rows, err));
    TRY(sparse_arrays_open(X->n_columns, n_values, &features, err));
    copy_rows(X, &rows);
    sparse_transpose(&rows, X->n_rows, X->n_columns, NULL, &features);
    if (deviation) scale(&rows, X->n_rows, &features, X->n_columns, deviation);
    TRY(sparse_lines_upload(device, &rows, X->n_rows, n_values, &sparse->rows, err));
    TRY(sparse_lines_upload(device, &features, X->n_columns, n_values, &sparse->features, err));
    TRY(place_pieces(sparse, device, &features, X->n_columns, err));
    *out = sparse;
    sparse = NULL;
out:
    sparse_close(sparse);
    sparse_arrays_close(&features);
    sparse_arrays_close(&rows);
    return status;
}

void sparse_close(dataset_sparse *sparse) {
    if (!sparse) return;
    sparse_lines_close(&sparse->rows);
    sparse_lines_close(&sparse->features);
    device_buffer_close(sparse->pieces);
    device_buffer_close(sparse->first_piece);
    free(sparse);
}

size_t sparse_bytes(const dataset_sparse *sparse, size_t n_rows, size_t n_features) {
    const size_t n_items = 4 * sparse->n_values + n_rows + 2 * n_features + 2 * sparse->n_pieces;
    return n_items * sizeof(int32_t);
}
