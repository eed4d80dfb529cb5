#include "table.h"

#include "csv.h"
#include "file.h"
#include "npy.h"

#include <stdlib.h>
#include <string.h>

/* ---- Filling ----------------------------------------------------------------------------------------------------- */

/* Replaces *array by one of `capacity` items that begins with the same n_items. */
static plethron_status resize(void **array, size_t n_items, size_t capacity, size_t size, const char *what,
                              plethron_error *err) {
    void *larger = NULL;
    const plethron_status status = memory_allocate(capacity, size, what, &larger, err);
    if (status != PLETHRON_OK) return status;
    if (n_items > 0) memcpy(larger, *array, n_items * size);
    free(*array);
    *array = larger;
    return PLETHRON_OK;
}

plethron_status table_add_column(plethron_table *table, const char *name, plethron_error *err) {
    enum { FIRST_COLUMNS = 16 };
    plethron_status status = PLETHRON_OK;
    if (table->n_columns == TABLE_MAX_COLUMNS)
        return error_set(err, PLETHRON_ERROR_FORMAT, "%s: has more columns than the %d that are allowed", table->path,
                         TABLE_MAX_COLUMNS);
    if (table->n_columns == table->column_capacity) {
        const size_t capacity = table->n_columns ? 2 * table->n_columns : FIRST_COLUMNS;
        void *columns = table->columns;
        TRY(resize(&columns, table->n_columns, capacity, sizeof *table->columns, "columns", err));
        table->columns = columns;
        table->column_capacity = capacity;
    }
    TRY(memory_copy_text(name, &table->columns[table->n_columns].name, err));
    table->n_columns++;
out:
    return status;
}

plethron_status table_reserve(plethron_table *table, size_t n_rows, plethron_error *err) {
    for (size_t c = 0; c < table->n_columns; c++) {
        void *values = table->columns[c].values;
        const plethron_status status = resize(&values, table->n_rows, n_rows, sizeof(float), "a column", err);
        if (status != PLETHRON_OK) return status;
        table->columns[c].values = values;
    }
    table->row_capacity = n_rows;
    return PLETHRON_OK;
}

static plethron_status note_first(table_cell *first, number_kind kind, size_t row, size_t line, const char *text,
                                  plethron_error *err) {
    if (first->kind != NUMBER_FINITE) return PLETHRON_OK;
    const plethron_status status = memory_copy_text(text, &first->text, err);
    if (status != PLETHRON_OK) return status;
    first->kind = kind;
    first->row = row;
    first->line = line;
    return PLETHRON_OK;
}

plethron_status table_note(table_column *column, number_kind kind, size_t row, size_t line, const char *text,
                           plethron_error *err) {
    if (kind == NUMBER_TEXT) column->is_text = true;
    plethron_status status = note_first(&column->no_number, kind, row, line, text, err);
    if (status == PLETHRON_OK && kind == NUMBER_MISSING)
        status = note_first(&column->missing, kind, row, line, text, err);
    return status;
}

/* ---- Opening and closing ----------------------------------------------------------------------------------------- */

plethron_status plethron_table_open(const char *path, plethron_table **out, plethron_error *err) {
    plethron_status status;
    void *bytes = NULL, *memory = NULL;
    plethron_table *table = NULL;
    size_t n_bytes;
    TRY(file_read(path, &bytes, &n_bytes, err));
    if (n_bytes == 0)
        TRY(error_set(err, PLETHRON_ERROR_FORMAT,
                      "%s: the file is empty: a CSV with a header line, or an NPY, was expected", path));
    TRY(memory_allocate(1, sizeof *table, "a table", &memory, err));
    table = memory;
    TRY(memory_copy_text(path, &table->path, err));
    if (npy_recognise(bytes, n_bytes))
        TRY(npy_read(bytes, n_bytes, table, err));
    else
        TRY(csv_read(bytes, n_bytes, table, err));
    *out = table;
    table = NULL;
out:
    plethron_table_close(table);
    free(bytes);
    return status;
}

void plethron_table_close(plethron_table *table) {
    if (!table) return;
    for (size_t c = 0; c < table->n_columns; c++) {
        table_column *column = &table->columns[c];
        free(column->name);
        free(column->values);
        free(column->no_number.text);
        free(column->missing.text);
        free(column->texts);
        free(column->cells);
    }
    free(table->columns);
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

plethron_status plethron_table_find(const plethron_table *table, const char *name, size_t *column,
                                    plethron_error *err) {
    for (size_t c = 0; c < table->n_columns; c++) {
        if (strcmp(table->columns[c].name, name) != 0) continue;
        *column = c;
        return PLETHRON_OK;
    }
    char shown[FILE_SHOWN_SIZE], list[640];
    list_names(table, list, sizeof list);
    return error_set(err, PLETHRON_ERROR_ARGUMENT, "%s: no column '%s': the file has %zu, %s", table->path,
                     file_show(name, shown), table->n_columns, list);
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
    const size_t position = cell->line ? cell->line : cell->row;
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
        if (column->no_number.kind == NUMBER_FINITE) continue;
        if (!first || column->no_number.row < first->no_number.row) first = column;
    }
    return first ? table_cell_error(table, first, &first->no_number, "a number", err) : PLETHRON_OK;
}

plethron_status plethron_table_numbers(const plethron_table *table, const size_t *columns, size_t n_columns, float *X,
                                       plethron_error *err) {
    const plethron_status status = check_numbers(table, columns, n_columns, err);
    if (status != PLETHRON_OK) return status;
    for (size_t i = 0; i < table->n_rows; i++)
        for (size_t k = 0; k < n_columns; k++) X[i * n_columns + k] = table->columns[columns[k]].values[i];
    return PLETHRON_OK;
}
