/* The distinct values of a table's column as classes. */
#include "file.h"
#include "table.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_CLASSES = 65535, MAX_ENTITIES = 1 << 24 /* codes are exact as floats */ };

/* From 2^24 on, float holds not every whole number: different ones would become one class. */
#define EXACT_LIMIT 16777216.0f

struct plethron_classes {
    size_t count;
    char **labels; /* [count] */
    float *codes;  /* [n_rows] */
    bool numeric;
};

/* ---- Checking ---------------------------------------------------------------------------------------------------- */

static plethron_status check_exact(const plethron_table *table, const table_column *column, plethron_error *err) {
    char name[FILE_SHOWN_SIZE], printed[NUMBER_PRINTED_SIZE];
    if (column->rounded)
        return table_cell_error(table, column, column->rounded,
                                "a class of at most 6 digits, or a number that float holds,", err);
    const float *values = table->values + (column - table->columns);
    for (size_t i = 0; i < table->n_rows; i++) {
        const float value = values[i * table->n_columns];
        if (isnan(value) || fabsf(value) < EXACT_LIMIT) continue;
        number_print(value, printed);
        return error_set(err, PLETHRON_ERROR_UNSUPPORTED,
                         "%s: column '%s' holds %s: as classes, numbers below %.0f are allowed, since float does not "
                         "tell larger ones apart",
                         table->path, file_show(column->name, name), printed, (double)EXACT_LIMIT);
    }
    return PLETHRON_OK;
}

static plethron_status check_classes(const plethron_table *table, const table_column *column, bool missing_allowed,
                                     plethron_error *err) {
    const table_cell *refused = column->cells ? column->missing : column->no_number;
    if (refused && !missing_allowed) return table_cell_error(table, column, refused, "a class", err);
    return column->cells ? PLETHRON_OK : check_exact(table, column, err);
}

/* ---- Sorting ----------------------------------------------------------------------------------------------------- */

/* The cells of a column that are not missing, float or const char *, in any order: pointers into `first`. */
typedef struct cell_order {
    const void **cells; /* [n_cells] */
    size_t n_cells;
    const char *first;
    size_t stride; /* from a cell to the next row's, in bytes */
    int (*compare)(const void *a, const void *b);
} cell_order;

static int compare_numbers(const void *a, const void *b) {
    const float x = **(const float *const *)a, y = **(const float *const *)b;
    return (x > y) - (x < y);
}

static int compare_texts(const void *a, const void *b) {
    return strcmp(**(const char *const *const *)a, **(const char *const *const *)b);
}

static bool is_missing(const plethron_table *table, const table_column *column, size_t row) {
    if (column->cells) return *column->cells[row] == '\0';
    return isnan(table->values[row * table->n_columns + (size_t)(column - table->columns)]);
}

static plethron_status sort_cells(const plethron_table *table, const table_column *column, cell_order *order,
                                  plethron_error *err) {
    void *cells = NULL;
    const plethron_status status =
        memory_allocate(table->n_rows, sizeof *order->cells, "a column's order", &cells, err);
    if (status != PLETHRON_OK) return status;
    if (column->cells)
        *order = (cell_order){cells, 0, (const char *)column->cells, sizeof *column->cells, compare_texts};
    else
        *order = (cell_order){cells, 0, (const char *)(table->values + (column - table->columns)),
                              table->n_columns * sizeof *table->values, compare_numbers};
    for (size_t i = 0; i < table->n_rows; i++)
        if (!is_missing(table, column, i)) order->cells[order->n_cells++] = order->first + i * order->stride;
    qsort(order->cells, order->n_cells, sizeof *order->cells, order->compare);
    return PLETHRON_OK;
}

/* True where a new class begins. */
static bool differs_from_previous(const cell_order *order, size_t i) {
    return i == 0 || order->compare(&order->cells[i - 1], &order->cells[i]) != 0;
}

/* ---- Making ------------------------------------------------------------------------------------------------------ */

static plethron_status copy_label(const plethron_classes *classes, const void *cell, char **out, plethron_error *err) {
    if (!classes->numeric) return memory_copy_text(*(const char *const *)cell, out, err);
    char printed[NUMBER_PRINTED_SIZE];
    number_print(*(const float *)cell + 0.0f, printed); /* -0 becomes 0, which it equals */
    return memory_copy_text(printed, out, err);
}

static plethron_status fill(plethron_classes *classes, const cell_order *order, size_t n_rows, plethron_error *err) {
    for (size_t i = 0; i < n_rows; i++) classes->codes[i] = NAN;
    for (size_t i = 0; i < order->n_cells; i++) {
        const char *cell = order->cells[i];
        if (differs_from_previous(order, i)) {
            const plethron_status status = copy_label(classes, cell, &classes->labels[classes->count], err);
            if (status != PLETHRON_OK) return status;
            classes->count++;
        }
        classes->codes[(size_t)(cell - order->first) / order->stride] = (float)(classes->count - 1);
    }
    return PLETHRON_OK;
}

static plethron_status count_classes(const plethron_table *table, const table_column *column, const cell_order *order,
                                     size_t most, size_t *count, plethron_error *err) {
    char name[FILE_SHOWN_SIZE];
    *count = 0;
    for (size_t i = 0; i < order->n_cells; i++) *count += differs_from_previous(order, i);
    if (*count <= most) return PLETHRON_OK;
    return error_set(err, PLETHRON_ERROR_UNSUPPORTED,
                     "%s: column '%s' has %zu distinct values: as classes, at most %zu are allowed", table->path,
                     file_show(column->name, name), *count, most);
}

/* Room for the labels and codes, none filled in yet. */
static plethron_status allocate(size_t count, size_t n_rows, bool numeric, plethron_classes **out,
                                plethron_error *err) {
    plethron_status status;
    void *memory = NULL;
    plethron_classes *classes = NULL;
    TRY(memory_allocate(1, sizeof *classes, "classes", &memory, err));
    classes = memory;
    classes->numeric = numeric;
    TRY(memory_allocate(count, sizeof *classes->labels, "class labels", &memory, err));
    classes->labels = memory;
    TRY(memory_allocate(n_rows, sizeof *classes->codes, "class codes", &memory, err));
    classes->codes = memory;
    *out = classes;
    classes = NULL;
out:
    plethron_classes_close(classes);
    return status;
}

/* Within number_locale_enter and _leave. */
static plethron_status make(const plethron_table *table, const table_column *column, bool missing_allowed, size_t most,
                            plethron_classes **out, plethron_error *err) {
    plethron_status status;
    plethron_classes *classes = NULL;
    cell_order order = {0};
    size_t count;
    TRY(check_classes(table, column, missing_allowed, err));
    TRY(sort_cells(table, column, &order, err));
    TRY(count_classes(table, column, &order, most, &count, err));
    TRY(allocate(count, table->n_rows, !column->cells, &classes, err));
    TRY(fill(classes, &order, table->n_rows, err));
    *out = classes;
    classes = NULL;
out:
    free(order.cells);
    plethron_classes_close(classes);
    return status;
}

static plethron_status make_classes(const plethron_table *table, size_t column, bool missing_allowed, size_t most,
                                    plethron_classes **out, plethron_error *err) {
    number_locale locale;
    plethron_status status = table_check_column(table, column, err);
    if (status == PLETHRON_OK) status = number_locale_enter(&locale, err);
    if (status != PLETHRON_OK) return status;
    status = make(table, &table->columns[column], missing_allowed, most, out, err);
    number_locale_leave(locale);
    return status;
}

plethron_status plethron_table_classes(const plethron_table *table, size_t column, plethron_classes **out,
                                       plethron_error *err) {
    return make_classes(table, column, false, MAX_CLASSES, out, err);
}

plethron_status plethron_table_entities(const plethron_table *table, size_t column, plethron_classes **out,
                                        plethron_error *err) {
    return make_classes(table, column, false, MAX_ENTITIES, out, err);
}

plethron_status plethron_table_classes_or_missing(const plethron_table *table, size_t column, plethron_classes **out,
                                                  plethron_error *err) {
    return make_classes(table, column, true, MAX_CLASSES, out, err);
}

void plethron_classes_close(plethron_classes *classes) {
    if (!classes) return;
    for (size_t c = 0; c < classes->count; c++) free(classes->labels[c]);
    free(classes->labels);
    free(classes->codes);
    free(classes);
}

/* ---- Asking ------------------------------------------------------------------------------------------------------ */

size_t plethron_classes_count(const plethron_classes *classes) {
    return classes->count;
}

const char *plethron_classes_label(const plethron_classes *classes, size_t code) {
    return classes->labels[code];
}

const float *plethron_classes_codes(const plethron_classes *classes) {
    return classes->codes;
}

bool plethron_classes_numeric(const plethron_classes *classes) {
    return classes->numeric;
}
