#include "table.h"

#include "file.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

plethron_status table_make(const char *path, size_t limit_bytes, plethron_table **out, plethron_error *err) {
    plethron_status status;
    void *memory = NULL;
    TRY(memory_allocate(1, sizeof(plethron_table), "a table", &memory, err));
    plethron_table *table = memory;
    table->limit_bytes = limit_bytes;
    TRY(memory_copy_text(path, &table->path, err));
    *out = table;
    memory = NULL;
out:
    free(memory);
    return status;
}

/* ---- Filling ----------------------------------------------------------------------------------------------------- */

static plethron_status reserve_columns(plethron_table *table, size_t capacity, plethron_error *err) {
    void *columns = NULL;
    if (capacity > TABLE_MAX_COLUMNS) capacity = TABLE_MAX_COLUMNS;
    const plethron_status status = memory_allocate(capacity, sizeof *table->columns, "columns", &columns, err);
    if (status != PLETHRON_OK) return status;
    if (table->n_columns > 0) memcpy(columns, table->columns, table->n_columns * sizeof *table->columns);
    free(table->columns);
    table->columns = columns;
    table->column_capacity = capacity;
    return PLETHRON_OK;
}

static plethron_status check_columns(const plethron_table *table, size_t n_columns, plethron_error *err) {
    if (n_columns <= TABLE_MAX_COLUMNS) return PLETHRON_OK;
    return error_set(err, PLETHRON_ERROR_FORMAT, "%s: has more columns than the %d that are allowed", table->path,
                     TABLE_MAX_COLUMNS);
}

plethron_status table_add_column(plethron_table *table, const char *name, plethron_error *err) {
    enum { FIRST_COLUMNS = 16 };
    plethron_status status;
    const size_t n = table->n_columns;
    TRY(check_columns(table, n + 1, err));
    if (n == table->column_capacity) TRY(reserve_columns(table, n ? 2 * n : FIRST_COLUMNS, err));
    TRY(memory_copy_text(name, &table->columns[n].name, err));
    table->n_columns++;
out:
    return status;
}

plethron_status table_add_numbered(plethron_table *table, size_t first, size_t n_columns, plethron_error *err) {
    enum { NAME_SIZE = sizeof "1048576" }; /* TABLE_MAX_COLUMNS, which first + n_columns may exceed by one */
    plethron_status status;
    void *names = NULL;
    TRY(check_columns(table, n_columns, err));
    TRY(reserve_columns(table, n_columns, err));
    TRY(memory_allocate(n_columns, NAME_SIZE, "column names", &names, err));
    table->number_names = names;
    table->first_number = first;
    table->n_columns = table->n_numbered = n_columns;
    for (size_t c = 0; c < n_columns; c++) {
        table->columns[c].name = table->number_names + c * NAME_SIZE;
        snprintf(table->columns[c].name, NAME_SIZE, "%u", (unsigned)(first + c));
    }
out:
    return status;
}

static int compare_names(const void *left, const void *right) {
    const table_column *const *a = left, *const *b = right;
    return strcmp((*a)->name, (*b)->name);
}

plethron_status table_sort_names(plethron_table *table, plethron_error *err) {
    void *sorted = NULL;
    const size_t n = table->n_columns - table->n_numbered;
    const plethron_status status = memory_allocate(n, sizeof *table->by_name, "column names", &sorted, err);
    if (status != PLETHRON_OK) return status;
    table->by_name = sorted;
    for (size_t i = 0; i < n; i++) table->by_name[i] = &table->columns[table->n_numbered + i];
    qsort(table->by_name, n, sizeof *table->by_name, compare_names);
    return PLETHRON_OK;
}

plethron_status table_check_size(const plethron_table *table, size_t n_rows, size_t n_columns, plethron_error *err) {
    size_t n_values, n_bytes;
    if (size_multiply(n_rows, n_columns, &n_values) && size_multiply(n_values, sizeof(float), &n_bytes) &&
        n_bytes <= table->limit_bytes)
        return PLETHRON_OK;
    return error_set(err, PLETHRON_ERROR_MEMORY, "%s: %zu rows x %zu columns of 4 bytes: at most %zu bytes are allowed",
                     table->path, n_rows, n_columns, table->limit_bytes);
}

plethron_status table_make_values(plethron_table *table, size_t n_rows, plethron_error *err) {
    plethron_status status;
    TRY(table_check_size(table, n_rows, table->n_columns, err));
    TRY(memory_allocate_unset(n_rows * table->n_columns, sizeof(float), table->path, &table->memory, err));
    table->values = table->memory;
    table->n_rows = n_rows;
out:
    return status;
}

plethron_status table_note(table_cell **cell, number_kind kind, size_t row, size_t line, const char *text, size_t n,
                           plethron_error *err) {
    void *memory = NULL;
    const size_t n_shown = n < FILE_SHOWN_SIZE ? n : FILE_SHOWN_SIZE; /* file_show cuts this as it would the whole */
    const plethron_status status = memory_allocate(1, sizeof **cell + n_shown + 1, "a cell's text", &memory, err);
    if (status != PLETHRON_OK) return status;
    *cell = memory;
    (*cell)->kind = kind;
    (*cell)->row = row;
    (*cell)->line = line;
    if (n_shown > 0) memcpy((*cell)->text, text, n_shown);
    return PLETHRON_OK;
}

void table_forget_notes(plethron_table *table) {
    for (size_t c = 0; c < table->n_columns; c++) {
        table_column *column = &table->columns[c];
        free(column->no_number);
        free(column->missing);
        free(column->rounded);
        column->no_number = column->missing = column->rounded = NULL;
    }
}

void plethron_table_close(plethron_table *table) {
    if (!table) return;
    table_forget_notes(table);
    for (size_t c = 0; c < table->n_columns; c++) {
        if (c >= table->n_numbered) free(table->columns[c].name);
        free(table->columns[c].cells);
    }
    for (size_t t = 0; t < table->n_texts; t++) free(table->texts[t]);
    free(table->texts);
    free(table->columns);
    free(table->number_names);
    free(table->by_name);
    free(table->memory);
    free(table->path);
    free(table);
}

/* ---- Asking ------------------------------------------------------------------------------------------------------ */

size_t plethron_table_n_rows(const plethron_table *table) {
    return table->n_rows;
}

size_t plethron_table_n_columns(const plethron_table *table) {
    return table->n_columns;
}

const char *plethron_table_column_name(const plethron_table *table, size_t column) {
    return table->columns[column].name;
}

/* Writes the columns' names into `list`, as many as fit. */
static void list_names(const plethron_table *table, char *list, size_t size) {
    char shown[FILE_SHOWN_SIZE];
    size_t used = 0;
    for (size_t c = 0; c < table->n_columns; c++) {
        if (size - used < FILE_SHOWN_SIZE + sizeof ", '', ...") {
            snprintf(list + used, size - used, ", ...");
            return;
        }
        used += (size_t)snprintf(list + used, size - used, "%s'%s'", c ? ", " : "",
                                 file_show(table->columns[c].name, shown));
    }
}

/* Finds a column whose name is a number. */
static bool find_number(const plethron_table *table, const char *name, size_t *column) {
    size_t value = 0;
    for (const char *at = name; *at >= '0' && *at <= '9' && value <= TABLE_MAX_COLUMNS; at++)
        value = 10 * value + (size_t)(*at - '0');
    const size_t c = value - table->first_number; /* of a number below the first this is beyond the last */
    if (c >= table->n_numbered || strcmp(table->columns[c].name, name) != 0) return false;
    *column = c;
    return true;
}

static int compare_name(const void *name, const void *column) {
    return strcmp(name, (*(const table_column *const *)column)->name);
}

/* The first name that differs in upper and lower case only, or NULL. */
static const char *find_in_other_case(const plethron_table *table, const char *name) {
    for (size_t c = 0; c < table->n_columns; c++)
        if (strcasecmp(table->columns[c].name, name) == 0) return table->columns[c].name;
    return NULL;
}

plethron_status plethron_table_find(const plethron_table *table, const char *name, size_t *column,
                                    plethron_error *err) {
    if (find_number(table, name, column)) return PLETHRON_OK;
    const table_column *const *found =
        bsearch(name, table->by_name, table->n_columns - table->n_numbered, sizeof *table->by_name, compare_name);
    if (found) {
        *column = (size_t)(*found - table->columns);
        return PLETHRON_OK;
    }
    char shown[FILE_SHOWN_SIZE], alike[FILE_SHOWN_SIZE], list[640];
    list_names(table, list, sizeof list);
    const char *other = find_in_other_case(table, name);
    return error_set(err, PLETHRON_ERROR_ARGUMENT, "%s: no column '%s'%s%s%s: the file has %zu, %s", table->path,
                     file_show(name, shown), other ? ", but '" : "", other ? file_show(other, alike) : "",
                     other ? "'" : "", table->n_columns, list);
}

plethron_status table_check_column(const plethron_table *table, size_t column, plethron_error *err) {
    if (column < table->n_columns) return PLETHRON_OK;
    return error_set(err, PLETHRON_ERROR_ARGUMENT, "%s: column %zu: there are %zu columns, counted from 0", table->path,
                     column, table->n_columns);
}

plethron_status table_cell_error(const plethron_table *table, const table_column *column, const table_cell *cell,
                                 const char *expected, plethron_error *err) {
    char name[FILE_SHOWN_SIZE], text[FILE_SHOWN_SIZE];
    const char *place = cell->line ? "line" : "row";
    const size_t position = cell->line ? cell->line : table->n_rows_before + cell->row;
    file_show(column->name, name);
    if (cell->kind == NUMBER_MISSING)
        return error_set(err, PLETHRON_ERROR_FORMAT, "%s: %s %zu: column '%s' is empty: %s was expected", table->path,
                         place, position, name, expected);
    if (cell->kind == NUMBER_NOT_FINITE) expected = "a finite number in the range of float";
    return error_set(err, PLETHRON_ERROR_FORMAT, "%s: %s %zu: column '%s' holds '%s': %s was expected", table->path,
                     place, position, name, file_show(cell->text, text), expected);
}

/* Fails for the uppermost cell of these columns that is no finite number. */
static plethron_status check_numbers(const plethron_table *table, const size_t *columns, size_t n_columns,
                                     plethron_error *err) {
    const table_column *first = NULL;
    for (size_t k = 0; k < n_columns; k++) {
        const plethron_status status = table_check_column(table, columns[k], err);
        if (status != PLETHRON_OK) return status;
        const table_column *column = &table->columns[columns[k]];
        if (!column->no_number) continue;
        if (!first || column->no_number->row < first->no_number->row) first = column;
    }
    return first ? table_cell_error(table, first, first->no_number, "a number", err) : PLETHRON_OK;
}

plethron_status plethron_table_numbers(const plethron_table *table, const size_t *columns, size_t n_columns, float *X,
                                       plethron_error *err) {
    const plethron_status status = check_numbers(table, columns, n_columns, err);
    if (status != PLETHRON_OK) return status;
    for (size_t i = 0; i < table->n_rows; i++) {
        const float *row = table->values + i * table->n_columns;
        for (size_t k = 0; k < n_columns; k++) X[i * n_columns + k] = row[columns[k]];
    }
    return PLETHRON_OK;
}

/* Whether the table's columns are just these, in that order. */
static bool are_all_columns(const plethron_table *table, const size_t *columns, size_t n_columns) {
    if (n_columns != table->n_columns) return false;
    for (size_t k = 0; k < n_columns; k++)
        if (columns[k] != k) return false;
    return true;
}

plethron_status plethron_table_view(const plethron_table *table, const size_t *columns, size_t n_columns,
                                    size_t first_row, size_t n_rows, float *X, const float **out, plethron_error *err) {
    const plethron_status status = check_numbers(table, columns, n_columns, err);
    if (status != PLETHRON_OK) return status;
    if (first_row > table->n_rows || n_rows > table->n_rows - first_row)
        return error_set(err, PLETHRON_ERROR_ARGUMENT, "%s: rows %zu to %zu: there are %zu rows, counted from 0",
                         table->path, first_row, first_row + n_rows, table->n_rows);
    const float *from = table->values + first_row * table->n_columns;
    *out = from;
    if (are_all_columns(table, columns, n_columns)) return PLETHRON_OK;
#pragma omp parallel for if (n_rows * n_columns > 1 << 16)
    for (size_t i = 0; i < n_rows; i++)
        for (size_t k = 0; k < n_columns; k++) X[i * n_columns + k] = from[i * table->n_columns + columns[k]];
    *out = X;
    return PLETHRON_OK;
}

plethron_status plethron_table_number_or_missing(const plethron_table *table, size_t column, float *values,
                                                 plethron_error *err) {
    const plethron_status status = table_check_column(table, column, err);
    if (status != PLETHRON_OK) return status;
    const table_column *asked = &table->columns[column];
    if (asked->cells) return table_cell_error(table, asked, asked->no_number, "a number", err);
    for (size_t i = 0; i < table->n_rows; i++) values[i] = table->values[i * table->n_columns + column];
    return PLETHRON_OK;
}
