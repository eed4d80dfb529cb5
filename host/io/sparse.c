#include "sparse.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

void plethron_sparse_table_close(plethron_sparse_table *table) {
    if (!table) return;
    plethron_table_close(table->labels);
    free(table->offsets);
    free(table->columns);
    free(table->values);
    free(table->path);
    free(table);
}

const plethron_sparse *plethron_sparse_table_features(const plethron_sparse_table *table) {
    return &table->shown;
}

size_t plethron_sparse_table_first_index(const plethron_sparse_table *table) {
    return table->first_index;
}

const plethron_table *plethron_sparse_table_labels(const plethron_sparse_table *table) {
    return table->labels;
}

static plethron_status check_counts(const plethron_sparse_table *table, size_t n_rows, size_t n_columns,
                                    size_t n_values, plethron_error *err) {
    const size_t value_bytes = sizeof *table->columns + sizeof *table->values;
    if (n_rows == 0 || n_columns == 0 || n_rows > SPARSE_MAX_COUNT || n_columns > SPARSE_MAX_COUNT ||
        n_values > SPARSE_MAX_COUNT)
        return error_set(err, PLETHRON_ERROR_FORMAT,
                         "%s: a sparse matrix of %zu x %zu with %zu values: 1 to %d rows and columns, and no more "
                         "values, are allowed",
                         table->path, n_rows, n_columns, n_values, SPARSE_MAX_COUNT);
    if (n_values * value_bytes + n_rows * sizeof *table->offsets <= table->limit_bytes) return PLETHRON_OK;
    return error_set(err, PLETHRON_ERROR_MEMORY,
                     "%s: %zu rows with %zu values of 8 bytes: at most %zu bytes are allowed", table->path, n_rows,
                     n_values, table->limit_bytes);
}

plethron_status sparse_table_reserve(plethron_sparse_table *table, size_t n_rows, size_t n_columns, size_t n_values,
                                     plethron_error *err) {
    plethron_status status;
    void *memory = NULL;
    TRY(check_counts(table, n_rows, n_columns, n_values, err));
    TRY(memory_allocate(n_rows + 1, sizeof *table->offsets, table->path, &memory, err));
    table->offsets = memory;
    TRY(memory_allocate_unset(n_values, sizeof *table->columns, table->path, &memory, err));
    table->columns = memory;
    TRY(memory_allocate_unset(n_values, sizeof *table->values, table->path, &memory, err));
    table->values = memory;
    table->shown = (plethron_sparse){n_rows, n_columns, table->offsets, table->columns, table->values};
out:
    return status;
}

/* ---- Entries in any order ---------------------------------------------------------------------------------------- */

typedef struct entry {
    int32_t column;
    uint32_t number; /* where it stood: the sort is stable */
    float value;
} entry;

static int compare_entries(const void *a, const void *b) {
    const entry *x = a, *y = b;
    if (x->column != y->column) return x->column < y->column ? -1 : 1;
    return (x->number > y->number) - (x->number < y->number);
}

static bool ascends(const entry *entries, size_t n) {
    for (size_t e = 1; e < n; e++)
        if (entries[e].column <= entries[e - 1].column) return false;
    return true;
}

/* Sorts a row and adds what stands in one place; says how many entries are left. */
static size_t sort_row(entry *entries, size_t n) {
    size_t last = 0;
    if (n == 0 || ascends(entries, n)) return n;
    qsort(entries, n, sizeof *entries, compare_entries);
    for (size_t e = 1; e < n; e++) {
        if (entries[e].column == entries[last].column)
            entries[last].value += entries[e].value;
        else
            entries[++last] = entries[e];
    }
    return last + 1;
}

/* An infinite sum of finite values comes to light here, too. */
static plethron_status check_value(const plethron_sparse_table *table, size_t row, const entry *e,
                                   plethron_error *err) {
    if (fabsf(e->value) < INFINITY) return PLETHRON_OK;
    return error_set(err, PLETHRON_ERROR_FORMAT,
                     "%s: row %zu, column %d holds %g: a finite number in the range of float was expected", table->path,
                     row, e->column, (double)e->value);
}

static plethron_status put_row(plethron_sparse_table *table, size_t row, entry *entries, size_t n,
                               plethron_error *err) {
    plethron_status status = PLETHRON_OK;
    const size_t left = sort_row(entries, n), at = (size_t)table->offsets[row];
    for (size_t e = 0; e < left && status == PLETHRON_OK; e++) {
        table->columns[at + e] = entries[e].column;
        table->values[at + e] = entries[e].value;
        status = check_value(table, row, &entries[e], err);
    }
    table->offsets[row + 1] = (int64_t)(at + left);
    return status;
}

plethron_status sparse_table_sort(plethron_sparse_table *table, const int64_t *rows, const int64_t *columns,
                                  const float *values, size_t n_values, plethron_error *err) {
    plethron_status status;
    void *entries_memory = NULL, *next_memory = NULL;
    const size_t n_rows = table->shown.n_rows;
    TRY(memory_allocate_unset(n_values, sizeof(entry), table->path, &entries_memory, err));
    TRY(memory_allocate(n_rows + 1, sizeof(size_t), table->path, &next_memory, err));
    entry *entries = entries_memory;
    size_t *next = next_memory; /* of each row, first where it begins, at last where it ends */
    for (size_t e = 0; e < n_values; e++) next[rows[e] + 1]++;
    for (size_t i = 0; i < n_rows; i++) next[i + 1] += next[i];
    for (size_t e = 0; e < n_values; e++)
        entries[next[rows[e]]++] = (entry){(int32_t)columns[e], (uint32_t)e, values[e]};
    for (size_t i = 0, begin = 0; i < n_rows; begin = next[i++])
        TRY(put_row(table, i, entries + begin, next[i] - begin, err));
out:
    free(next_memory);
    free(entries_memory);
    return status;
}
