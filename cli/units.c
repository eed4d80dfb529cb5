#define _POSIX_C_SOURCE 200809L

#include "units.h"

#include <math.h>
#include <stdlib.h>

/* What a column of numbers can be to a sigmoid unit. */
typedef struct column_kind {
    bool has_three_values; /* three distinct values, or more */
    bool is_whole;
    bool is_probability;
    float fraction; /* a value that is not whole */
} column_kind;

static column_kind column_examine(const float *values, size_t n_rows) {
    column_kind kind = {.is_whole = true, .is_probability = true};
    float second = values[0];
    for (size_t i = 0; i < n_rows; i++) {
        float value = values[i];
        if (value != values[0]) {
            if (second == values[0]) second = value;
            if (value != second) kind.has_three_values = true;
        }
        if (value != floorf(value)) {
            kind.is_whole = false;
            kind.fraction = value;
        }
        if (value < 0.0f || value > 1.0f) kind.is_probability = false;
    }
    return kind;
}

/* Reads one target into `values` [n_rows] and, where it is classes, target->classes. */
static plethron_status target_read(const plethron_table *table, const char *path, size_t column, target_column *out,
                                   float *values, plethron_error *err) {
    size_t n_rows = plethron_table_n_rows(table);
    out->name = plethron_table_column_name(table, column);
    if (plethron_table_numbers(table, &column, 1, values, NULL) == PLETHRON_OK) {
        column_kind kind = column_examine(values, n_rows);
        if (kind.has_three_values && !kind.is_whole) {
            if (kind.is_probability) return PLETHRON_OK;
            char text[NUMBER_TEXT];
            return fail(err, PLETHRON_ERROR_FORMAT,
                        "%s: target '%s' is continuous (it holds %s): a sigmoid unit learns classes, or values in "
                        "[0, 1]",
                        path, out->name, number_text(kind.fraction, text));
        }
    }
    plethron_status status = plethron_table_classes(table, column, &out->classes, err);
    if (status != PLETHRON_OK) return status;
    if (plethron_classes_count(out->classes) < 2)
        return fail(err, PLETHRON_ERROR_FORMAT, "%s: target '%s' is '%s' in every row: there is nothing to tell apart",
                    path, out->name, plethron_classes_label(out->classes, 0));
    const float *codes = plethron_classes_codes(out->classes);
    for (size_t i = 0; i < n_rows; i++) values[i] = codes[i];
    return PLETHRON_OK;
}

plethron_status target_list_read(const plethron_table *table, const char *path, const size_t *columns, size_t count,
                                 target_list *out, plethron_error *err) {
    plethron_status status = PLETHRON_OK;
    size_t n_rows = plethron_table_n_rows(table);
    float *values = NULL;
    target_list list = {.count = count};
    TRY(allocate(n_rows, sizeof *values, &values, err));
    TRY(allocate(n_rows, count * sizeof *list.Y, &list.Y, err));
    TRY(allocate(count, sizeof *list.targets, &list.targets, err));
    for (size_t t = 0; t < count; t++) {
        TRY(target_read(table, path, columns[t], &list.targets[t], values, err));
        for (size_t i = 0; i < n_rows; i++) list.Y[i * count + t] = values[i];
    }
out:
    free(values);
    if (status == PLETHRON_OK)
        *out = list;
    else
        target_list_release(&list);
    return status;
}

void target_list_release(target_list *list) {
    for (size_t t = 0; list->targets && t < list->count; t++) plethron_classes_close(list->targets[t].classes);
    free(list->targets);
    free(list->Y);
    *list = (target_list){0};
}

/* How many units tell a target's classes apart. */
static size_t target_n_learned(const target_column *target) {
    size_t n_classes = target->classes ? plethron_classes_count(target->classes) : 0;
    return n_classes > 2 ? n_classes : 1;
}

/* The class that the target's `i`th unit learns: of two classes the second. */
static int64_t target_learned(const target_column *target, size_t i) {
    if (!target->classes) return PLETHRON_NO_CLASS;
    return plethron_classes_count(target->classes) > 2 ? (int64_t)i : 1;
}

static void unit_grid_add(unit_grid *grid, size_t target, int64_t class_code, float learning_rate, float l2) {
    size_t unit = grid->count++;
    grid->targets[unit] = (int64_t)target;
    grid->classes[unit] = class_code;
    grid->learning_rates[unit] = learning_rate;
    grid->l2s[unit] = l2;
}

plethron_status unit_grid_make(const target_list *list, const number_list *learning_rates, const number_list *l2s,
                               unit_grid *out, plethron_error *err) {
    plethron_status status = PLETHRON_OK;
    unit_grid grid = {0};
    size_t n_units = 0;
    for (size_t t = 0; t < list->count; t++)
        n_units += target_n_learned(&list->targets[t]) * learning_rates->count * l2s->count;
    TRY(allocate(n_units, sizeof *grid.targets, &grid.targets, err));
    TRY(allocate(n_units, sizeof *grid.classes, &grid.classes, err));
    TRY(allocate(n_units, sizeof *grid.learning_rates, &grid.learning_rates, err));
    TRY(allocate(n_units, sizeof *grid.l2s, &grid.l2s, err));
    for (size_t t = 0; t < list->count; t++)
        for (size_t c = 0; c < target_n_learned(&list->targets[t]); c++)
            for (size_t r = 0; r < learning_rates->count; r++)
                for (size_t p = 0; p < l2s->count; p++)
                    unit_grid_add(&grid, t, target_learned(&list->targets[t], c), learning_rates->values[r],
                                  l2s->values[p]);
out:
    if (status == PLETHRON_OK)
        *out = grid;
    else
        unit_grid_release(&grid);
    return status;
}

void unit_grid_release(unit_grid *grid) {
    free(grid->targets);
    free(grid->classes);
    free(grid->learning_rates);
    free(grid->l2s);
    *grid = (unit_grid){0};
}

static plethron_status classes_name(const plethron_classes *classes, size_t target, plethron_bank *bank,
                                    plethron_error *err) {
    plethron_status status = PLETHRON_OK;
    size_t n_labels = plethron_classes_count(classes);
    const char **labels = NULL;
    TRY(allocate(n_labels, sizeof *labels, &labels, err));
    for (size_t c = 0; c < n_labels; c++) labels[c] = plethron_classes_label(classes, c);
    TRY(plethron_bank_name_classes(bank, target, n_labels, labels, err));
out:
    free(labels);
    return status;
}

plethron_status target_list_name(const target_list *list, plethron_bank *bank, plethron_error *err) {
    plethron_status status = PLETHRON_OK;
    const char **names = NULL;
    TRY(allocate(list->count, sizeof *names, &names, err));
    for (size_t t = 0; t < list->count; t++) names[t] = list->targets[t].name;
    TRY(plethron_bank_name_targets(bank, list->count, names, err));
    for (size_t t = 0; t < list->count; t++)
        if (list->targets[t].classes) TRY(classes_name(list->targets[t].classes, t, bank, err));
out:
    free(names);
    return status;
}
