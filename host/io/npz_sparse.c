/* Sparse matrices as scipy.sparse.save_npz writes them: an NPZ of `format`, `shape`, `data`, and of csr and csc
 * `indices` and `indptr`, of coo `row` and `col`, or `coords_0` and `coords_1`. */
#include "npz.h"

#include "file.h"
#include "npy.h"

#include <stdlib.h>
#include <string.h>

typedef enum sparse_format { FORMAT_CSR, FORMAT_CSC, FORMAT_COO, N_FORMATS } sparse_format;
static const char *const format_names[N_FORMATS] = {"csr", "csc", "coo"};

typedef struct npz_matrix {
    zip_t *archive;
    const plethron_sparse_table *table; /* for its path and limit */
    sparse_format format;
    size_t n_rows, n_columns, n_values;
    float *values;            /* [n_values] */
    int64_t *lines, *entries; /* of csr and csc: where each line begins; index of each value */
    int64_t *rows;            /* [n_values], of coo and csr */
} npz_matrix;

static void close(npz_matrix *self) {
    if (self->archive) zip_discard(self->archive);
    free(self->values);
    free(self->lines);
    free(self->entries);
    free(self->rows);
}

/* ---- Parts of the archive ---------------------------------------------------------------------------------------- */

static plethron_status unpack(const npz_matrix *self, const char *name, char **bytes, size_t *n_bytes,
                              plethron_error *err) {
    zip_uint64_t index;
    const plethron_sparse_table *table = self->table;
    if (!npz_find(self->archive, name, &index))
        return error_set(err, PLETHRON_ERROR_FORMAT, "%s: a sparse matrix of the format %s without '%s'", table->path,
                         format_names[self->format], name);
    return npz_unpack(self->archive, index, table->path, table->limit_bytes, bytes, n_bytes, err);
}

/* The one column of numbers of a part; `any`: how many is not known yet. */
typedef struct part {
    array_layout array;
    char *bytes;
    const char *data;
    size_t n;
} part;

static const size_t any = SIZE_MAX;

static plethron_status read_part(const npz_matrix *self, const char *name, size_t n, part *out, plethron_error *err) {
    plethron_status status;
    part read = {0};
    size_t n_bytes = 0, start = 0;
    TRY(unpack(self, name, &read.bytes, &n_bytes, err));
    TRY(npy_read_header(read.bytes, n_bytes, self->table->path, &read.array, &start, err));
    if (read.array.n_rows == 0 && n_bytes == start)
        read.array.n_columns = 1; /* no values are allowed here */
    else
        TRY(array_check(&read.array, n_bytes - start, self->table->path, err));
    read.data = read.bytes + start;
    read.n = read.array.n_rows;
    if (read.array.n_columns != 1 || (n != any && read.n != n))
        TRY(error_set(err, PLETHRON_ERROR_FORMAT,
                      "%s: '%s' has the shape (%zu, %zu): one dimension of %zu was expected", self->table->path, name,
                      read.array.n_rows, read.array.n_columns, n == any ? read.n : n));
    *out = read;
    read.bytes = NULL;
out:
    free(read.bytes);
    return status;
}

static plethron_status read_integers(const npz_matrix *self, const char *name, size_t n, int64_t **out, size_t *count,
                                     plethron_error *err) {
    plethron_status status;
    part read = {0};
    void *memory = NULL;
    TRY(read_part(self, name, n, &read, err));
    if (read.array.kind != ARRAY_SIGNED && read.array.kind != ARRAY_UNSIGNED)
        TRY(error_set(err, PLETHRON_ERROR_FORMAT, "%s: '%s' holds no whole numbers", self->table->path, name));
    TRY(memory_allocate_unset(read.n, sizeof **out, self->table->path, &memory, err));
    *out = memory;
    *count = read.n;
    array_integers(&read.array, read.data, read.n, *out);
out:
    free(read.bytes);
    return status;
}

static plethron_status read_values(npz_matrix *self, plethron_error *err) {
    plethron_status status;
    part read = {0};
    void *memory = NULL;
    TRY(read_part(self, "data", any, &read, err));
    TRY(memory_allocate_unset(read.n, sizeof *self->values, self->table->path, &memory, err));
    self->values = memory;
    self->n_values = read.n;
    array_floats(&read.array, read.data, read.n, self->values);
out:
    free(read.bytes);
    return status;
}

/* ---- Format and shape -------------------------------------------------------------------------------------------- */

/* An array of no dimension that holds a text: bytes, or characters of four bytes. */
static plethron_status read_format(npz_matrix *self, plethron_error *err) {
    plethron_status status;
    char *bytes = NULL, text[FILE_SHOWN_SIZE] = "", shown[FILE_SHOWN_SIZE];
    size_t n_bytes = 0, start = 0, end = 0, n = 0;
    TRY(unpack(self, "format", &bytes, &n_bytes, err));
    TRY(npy_find_header(bytes, n_bytes, self->table->path, &start, &end, err));
    for (size_t i = end; i < n_bytes && n + 1 < sizeof text; i++)
        if (bytes[i]) text[n++] = bytes[i];
    while (self->format < N_FORMATS && strcmp(text, format_names[self->format]) != 0) self->format++;
    if (self->format == N_FORMATS)
        TRY(error_set(err, PLETHRON_ERROR_UNSUPPORTED,
                      "%s: a sparse matrix of the format '%s': csr, csc or coo were expected; A.tocsr() makes one",
                      self->table->path, file_show(text, shown)));
out:
    free(bytes);
    return status;
}

static plethron_status read_shape(npz_matrix *self, plethron_error *err) {
    plethron_status status;
    int64_t *shape = NULL;
    size_t n;
    TRY(read_integers(self, "shape", 2, &shape, &n, err));
    for (size_t i = 0; i < 2; i++)
        if (shape[i] < 1 || shape[i] > SPARSE_MAX_COUNT)
            TRY(error_set(err, PLETHRON_ERROR_FORMAT, "%s: a sparse matrix of %lld x %lld: 1 to %d of each are allowed",
                          self->table->path, (long long)shape[0], (long long)shape[1], SPARSE_MAX_COUNT));
    self->n_rows = (size_t)shape[0];
    self->n_columns = (size_t)shape[1];
out:
    free(shape);
    return status;
}

/* ---- Indices ----------------------------------------------------------------------------------------------------- */

static plethron_status check_indices(const npz_matrix *self, const int64_t *indices, size_t bound, const char *name,
                                     plethron_error *err) {
    for (size_t e = 0; e < self->n_values; e++)
        if (indices[e] < 0 || (uint64_t)indices[e] >= bound)
            return error_set(err, PLETHRON_ERROR_FORMAT, "%s: '%s'[%zu] is %lld: 0 to %zu are allowed",
                             self->table->path, name, e, (long long)indices[e], bound - 1);
    return PLETHRON_OK;
}

/* Where lines begin, ascending from 0 to the number of values. */
static plethron_status check_lines(const npz_matrix *self, size_t n_lines, plethron_error *err) {
    const int64_t *at = self->lines;
    for (size_t i = 0; i < n_lines; i++)
        if (at[i + 1] < at[i])
            return error_set(err, PLETHRON_ERROR_FORMAT, "%s: 'indptr'[%zu] is %lld after %lld: it may not fall",
                             self->table->path, i + 1, (long long)at[i + 1], (long long)at[i]);
    if (at[0] == 0 && (uint64_t)at[n_lines] == self->n_values) return PLETHRON_OK;
    return error_set(err, PLETHRON_ERROR_FORMAT,
                     "%s: 'indptr' goes from %lld to %lld: from 0 to the %zu values was expected", self->table->path,
                     (long long)at[0], (long long)at[n_lines], self->n_values);
}

/* The line of each value. */
static plethron_status spread_lines(const npz_matrix *self, size_t n_lines, int64_t **out, plethron_error *err) {
    void *memory = NULL;
    const plethron_status status = memory_allocate_unset(self->n_values, sizeof **out, self->table->path, &memory, err);
    if (status != PLETHRON_OK) return status;
    *out = memory;
    for (size_t i = 0; i < n_lines; i++)
        for (int64_t e = self->lines[i]; e < self->lines[i + 1]; e++) (*out)[e] = (int64_t)i;
    return PLETHRON_OK;
}

/* Gives self->rows and self->entries, the columns. */
static plethron_status read_compressed(npz_matrix *self, plethron_error *err) {
    plethron_status status;
    const bool by_rows = self->format == FORMAT_CSR;
    const size_t n_lines = by_rows ? self->n_rows : self->n_columns;
    const size_t bound = by_rows ? self->n_columns : self->n_rows;
    int64_t *of_lines = NULL;
    size_t n;
    TRY(read_integers(self, "indptr", n_lines + 1, &self->lines, &n, err));
    TRY(check_lines(self, n_lines, err));
    TRY(read_integers(self, "indices", self->n_values, &self->entries, &n, err));
    TRY(check_indices(self, self->entries, bound, "indices", err));
    TRY(spread_lines(self, n_lines, &of_lines, err));
    self->rows = by_rows ? of_lines : self->entries;
    self->entries = by_rows ? self->entries : of_lines;
out:
    return status;
}

static plethron_status read_coordinates(npz_matrix *self, plethron_error *err) {
    plethron_status status;
    zip_uint64_t index;
    const bool is_array = npz_find(self->archive, "coords_0", &index); /* scipy's sparse arrays, not its matrices */
    const char *rows = is_array ? "coords_0" : "row", *columns = is_array ? "coords_1" : "col";
    size_t n;
    TRY(read_integers(self, rows, self->n_values, &self->rows, &n, err));
    TRY(check_indices(self, self->rows, self->n_rows, rows, err));
    TRY(read_integers(self, columns, self->n_values, &self->entries, &n, err));
    TRY(check_indices(self, self->entries, self->n_columns, columns, err));
out:
    return status;
}

/* ---- The whole --------------------------------------------------------------------------------------------------- */

/* Rows that no part of the file bears out may not be many: of csr, there is one in `indptr` for each. */
static plethron_status check_rows(const npz_matrix *self, plethron_error *err) {
    enum { ROWS_AT_LEAST = 1 << 20, ROWS_A_VALUE = 64 };
    if (self->format == FORMAT_CSR || self->n_rows <= ROWS_AT_LEAST || self->n_rows / ROWS_A_VALUE <= self->n_values)
        return PLETHRON_OK;
    return error_set(err, PLETHRON_ERROR_FORMAT, "%s: %zu rows with %zu values in all: as csr they may be so empty",
                     self->table->path, self->n_rows, self->n_values);
}

static plethron_status read_matrix(npz_matrix *self, plethron_sparse_table *table, plethron_error *err) {
    plethron_status status;
    TRY(read_format(self, err));
    TRY(read_shape(self, err));
    if (table->n_known && self->n_columns != table->n_known)
        TRY(error_set(err, PLETHRON_ERROR_FORMAT, "%s: has %zu columns, %zu features were expected", table->path,
                      self->n_columns, table->n_known));
    TRY(read_values(self, err));
    TRY(check_rows(self, err));
    TRY(self->format == FORMAT_COO ? read_coordinates(self, err) : read_compressed(self, err));
    TRY(sparse_table_reserve(table, self->n_rows, self->n_columns, self->n_values, err));
    TRY(sparse_table_sort(table, self->rows, self->entries, self->values, self->n_values, err));
out:
    return status;
}

plethron_status npz_sparse_read(const char *file, plethron_sparse_table *table, bool *is_one, plethron_error *err) {
    plethron_status status;
    zip_uint64_t index;
    npz_matrix matrix = {.table = table};
    *is_one = false;
    TRY(npz_open(file, &matrix.archive, err));
    *is_one = npz_find(matrix.archive, "format", &index) && npz_find(matrix.archive, "shape", &index) &&
              npz_find(matrix.archive, "data", &index);
    if (*is_one) TRY(read_matrix(&matrix, table, err));
out:
    close(&matrix);
    return status;
}
