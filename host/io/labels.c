/* Known labels, found in the columns of other tables. */
#include "file.h"
#include "table.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct label {
    const char *text;
    float value; /* where all labels are numbers */
    int64_t code;
} label;

struct plethron_labels {
    size_t count;
    bool numeric;
    label *sorted; /* [count], by value or by text */
    char *texts;
};

/* ---- Making ------------------------------------------------------------------------------------------------------ */

static int compare_values(const void *a, const void *b) {
    const label *x = a, *y = b;
    return (x->value > y->value) - (x->value < y->value);
}

static int compare_texts(const void *a, const void *b) {
    const label *x = a, *y = b;
    return strcmp(x->text, y->text);
}

static plethron_status copy_texts(plethron_labels *labels, const char *const *texts, plethron_error *err) {
    plethron_status status;
    void *memory = NULL;
    size_t n_bytes = 0;
    for (size_t i = 0; i < labels->count; i++) n_bytes += strlen(texts[i]) + 1;
    TRY(memory_allocate_unset(n_bytes, 1, "labels", &memory, err));
    labels->texts = memory;
    TRY(memory_allocate(labels->count, sizeof *labels->sorted, "labels", &memory, err));
    labels->sorted = memory;
    char *at = labels->texts;
    for (size_t i = 0; i < labels->count; i++) {
        const size_t n = strlen(texts[i]) + 1;
        labels->sorted[i] = (label){memcpy(at, texts[i], n), 0.0f, (int64_t)i};
        at += n;
    }
out:
    return status;
}

/* Gives the labels their values; false where one is no number. */
static bool read_values(plethron_labels *labels) {
    for (size_t i = 0; i < labels->count; i++) {
        label *one = &labels->sorted[i];
        number got;
        if (number_read(one->text, strlen(one->text), &got) != NUMBER_FINITE) return false;
        one->value = got.value;
    }
    return true;
}

/* Sorts them; as numbers only where these differ. */
static void sort(plethron_labels *labels) {
    labels->numeric = read_values(labels);
    if (labels->numeric) qsort(labels->sorted, labels->count, sizeof *labels->sorted, compare_values);
    for (size_t i = 1; labels->numeric && i < labels->count; i++)
        labels->numeric = labels->sorted[i - 1].value < labels->sorted[i].value;
    if (!labels->numeric) qsort(labels->sorted, labels->count, sizeof *labels->sorted, compare_texts);
}

plethron_status plethron_labels_make(size_t n_labels, const char *const *texts, plethron_labels **out,
                                     plethron_error *err) {
    plethron_status status;
    void *memory = NULL;
    number_locale locale;
    TRY(memory_allocate(1, sizeof(plethron_labels), "labels", &memory, err));
    plethron_labels *labels = memory;
    labels->count = n_labels;
    TRY(copy_texts(labels, texts, err));
    TRY(number_locale_enter(&locale, err));
    sort(labels);
    number_locale_leave(locale);
    *out = labels;
    memory = NULL;
out:
    plethron_labels_close(memory);
    return status;
}

void plethron_labels_close(plethron_labels *labels) {
    if (!labels) return;
    free(labels->sorted);
    free(labels->texts);
    free(labels);
}

bool plethron_labels_numeric(const plethron_labels *labels) {
    return labels->numeric;
}

/* ---- Finding ----------------------------------------------------------------------------------------------------- */

static int64_t find(const plethron_labels *labels, const label *wanted) {
    const label *found = bsearch(wanted, labels->sorted, labels->count, sizeof *labels->sorted,
                                 labels->numeric ? compare_values : compare_texts);
    return found ? found->code : PLETHRON_NONE;
}

static plethron_status check(const plethron_labels *labels, const plethron_table *table, size_t column,
                             size_t first_row, size_t n_rows, plethron_error *err) {
    const plethron_status status = table_check_column(table, column, err);
    if (status != PLETHRON_OK) return status;
    const table_column *asked = &table->columns[column];
    if (first_row > table->n_rows || n_rows > table->n_rows - first_row)
        return error_set(err, PLETHRON_ERROR_ARGUMENT, "%s: rows %zu to %zu: there are %zu rows, counted from 0",
                         table->path, first_row, first_row + n_rows, table->n_rows);
    if (asked->missing) return table_cell_error(table, asked, asked->missing, "a label", err);
    if (labels->numeric && asked->rounded)
        return table_cell_error(table, asked, asked->rounded,
                                "a label of at most 6 digits, or a number that float holds,", err);
    return PLETHRON_OK;
}

/* The values of a column lie `stride` apart. */
static void find_values(const plethron_labels *labels, const float *values, size_t stride, size_t n, int64_t *codes) {
#pragma omp parallel for if (n > 1024)
    for (size_t i = 0; i < n; i++) {
        const label wanted = {.value = values[i * stride]};
        codes[i] = isnan(wanted.value) ? PLETHRON_NONE : find(labels, &wanted);
    }
}

static void find_texts(const plethron_labels *labels, const char *const *cells, size_t n, int64_t *codes) {
#pragma omp parallel for if (n > 1024)
    for (size_t i = 0; i < n; i++) codes[i] = find(labels, &(label){.text = cells[i]});
}

/* Numbers as the texts that they are printed as. */
static plethron_status find_printed(const plethron_labels *labels, const float *values, size_t stride, size_t n,
                                    int64_t *codes, plethron_error *err) {
    char printed[NUMBER_PRINTED_SIZE];
    number_locale locale;
    const plethron_status status = number_locale_enter(&locale, err);
    if (status != PLETHRON_OK) return status;
    for (size_t i = 0; i < n; i++) {
        const float value = values[i * stride] + 0.0f; /* -0 becomes 0, which it equals */
        codes[i] = PLETHRON_NONE;
        if (!isfinite(value)) continue;
        number_print(value, printed);
        codes[i] = find(labels, &(label){.text = printed});
    }
    number_locale_leave(locale);
    return PLETHRON_OK;
}

plethron_status plethron_labels_find(const plethron_labels *labels, const plethron_table *table, size_t column,
                                     size_t first_row, size_t n_rows, int64_t *codes, plethron_error *err) {
    const plethron_status status = check(labels, table, column, first_row, n_rows, err);
    if (status != PLETHRON_OK) return status;
    const char *const *cells = table->columns[column].cells;
    const float *values = table->values + first_row * table->n_columns + column;
    if (!labels->numeric && !cells) return find_printed(labels, values, table->n_columns, n_rows, codes, err);
    if (labels->numeric)
        find_values(labels, values, table->n_columns, n_rows, codes);
    else
        find_texts(labels, cells + first_row, n_rows, codes);
    return PLETHRON_OK;
}
