#define _POSIX_C_SOURCE 200809L

#include "units.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* What a column of numbers can be to a sigmoid unit. */
typedef struct column_kind {
    bool has_three_values; /* three distinct values, or more */
    bool is_whole;
    bool is_probability;
    float fraction; /* a value that is not whole */
} column_kind;

static column_kind column_examine(const float *values, size_t n_rows) {
    column_kind kind = {.is_whole = true, .is_probability = true};
    float first = NAN, second = NAN;
    for (size_t i = 0; i < n_rows; i++) {
        float value = values[i];
        if (isnan(value)) continue;
        if (isnan(first)) first = value;
        if (value != first) {
            if (isnan(second)) second = value;
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
    if (plethron_table_number_or_missing(table, column, values, NULL) == PLETHRON_OK) {
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
    plethron_status status = plethron_table_classes_or_missing(table, column, &out->classes, err);
    if (status != PLETHRON_OK) return status;
    if (plethron_classes_count(out->classes) == 0)
        return fail(err, PLETHRON_ERROR_FORMAT, "%s: target '%s' is empty in every row", path, out->name);
    if (plethron_classes_count(out->classes) < 2)
        return fail(err, PLETHRON_ERROR_FORMAT, "%s: target '%s' is '%s' in every row: there is nothing to tell apart",
                    path, out->name, plethron_classes_label(out->classes, 0));
    const float *codes = plethron_classes_codes(out->classes);
    for (size_t i = 0; i < n_rows; i++) values[i] = codes[i];
    return PLETHRON_OK;
}

enum { LABELS_TEXT = 10 * (NAME_SHOWN + 4) };

static int64_t find_label(const plethron_classes *classes, const char *label) {
    for (size_t c = 0; classes && c < plethron_classes_count(classes); c++)
        if (strcmp(plethron_classes_label(classes, c), label) == 0) return (int64_t)c;
    return PLETHRON_NO_CLASS;
}

static bool is_wanted(const name_list *labels, const char *label) {
    for (size_t i = 0; i < labels->count; i++)
        if (strcmp(labels->names[i], label) == 0) return true;
    return labels->count == 0;
}

/* The classes that units learn: of two the second; of more each; of those named with --class each. */
static plethron_status choose_classes(target_column *target, const name_list *labels, plethron_error *err) {
    plethron_status status;
    const size_t n_classes = target->classes ? plethron_classes_count(target->classes) : 0;
    TRY(allocate(n_classes + 1, sizeof *target->learned, &target->learned, err));
    if (n_classes == 0) target->learned[target->n_learned++] = PLETHRON_NO_CLASS;
    const size_t first = n_classes == 2 && labels->count == 0 ? 1 : 0;
    for (size_t c = first; c < n_classes; c++)
        if (is_wanted(labels, plethron_classes_label(target->classes, c)))
            target->learned[target->n_learned++] = (int64_t)c;
out:
    return status;
}

/* "'0', '1', '2', ..." */
static const char *labels_text(const plethron_classes *classes, char text[LABELS_TEXT]) {
    enum { N_LABELS_SHOWN = 10 };
    char shown[NAME_SHOWN];
    size_t used = 0;
    *text = '\0';
    for (size_t c = 0; c < plethron_classes_count(classes) && c < N_LABELS_SHOWN && used < LABELS_TEXT; c++)
        used += (size_t)snprintf(text + used, LABELS_TEXT - used, "%s'%s'", c ? ", " : "",
                                 name_show(plethron_classes_label(classes, c), shown));
    if (used < LABELS_TEXT && plethron_classes_count(classes) > N_LABELS_SHOWN)
        snprintf(text + used, LABELS_TEXT - used, ", ...");
    return text;
}

/* Each label of --class is one of some target's classes, and each target with classes has one of the labels. */
static plethron_status check_labels(const target_list *list, const char *path, const name_list *labels,
                                    plethron_error *err) {
    char text[LABELS_TEXT];
    for (size_t t = 0; t < list->count; t++)
        if (list->targets[t].n_learned == 0)
            return fail(err, PLETHRON_ERROR_ARGUMENT,
                        "%s: target '%s' has none of the classes of --class ('%s'%s): its classes are %s", path,
                        list->targets[t].name, labels->names[0], labels->count > 1 ? ", ..." : "",
                        labels_text(list->targets[t].classes, text));
    for (size_t i = 0; i < labels->count; i++) {
        bool found = false;
        for (size_t t = 0; t < list->count && !found; t++)
            found = find_label(list->targets[t].classes, labels->names[i]) != PLETHRON_NO_CLASS;
        if (found) continue;
        if (!list->targets[0].classes)
            return fail(err, PLETHRON_ERROR_ARGUMENT,
                        "%s: no target has a class '%s' (--class): '%s' holds probabilities, which are learnt as they "
                        "are",
                        path, labels->names[i], list->targets[0].name);
        return fail(err, PLETHRON_ERROR_ARGUMENT,
                    "%s: no target has a class '%s' (--class): the classes of '%s' are %s", path, labels->names[i],
                    list->targets[0].name, labels_text(list->targets[0].classes, text));
    }
    return PLETHRON_OK;
}

plethron_status target_list_read(const plethron_table *table, const char *path, const size_t *columns, size_t count,
                                 const name_list *labels, target_list *out, plethron_error *err) {
    plethron_status status = PLETHRON_OK;
    size_t n_rows = plethron_table_n_rows(table);
    float *values = NULL;
    target_list list = {.count = count};
    TRY(allocate(n_rows, sizeof *values, &values, err));
    TRY(allocate(n_rows, count * sizeof *list.Y, &list.Y, err));
    TRY(allocate(count, sizeof *list.targets, &list.targets, err));
    for (size_t t = 0; t < count; t++) {
        TRY(target_read(table, path, columns[t], &list.targets[t], values, err));
        TRY(choose_classes(&list.targets[t], labels, err));
        for (size_t i = 0; i < n_rows; i++) list.Y[i * count + t] = values[i];
    }
    TRY(check_labels(&list, path, labels, err));
out:
    free(values);
    if (status == PLETHRON_OK)
        *out = list;
    else
        target_list_release(&list);
    return status;
}

void target_list_release(target_list *list) {
    for (size_t t = 0; list->targets && t < list->count; t++) {
        plethron_classes_close(list->targets[t].classes);
        free(list->targets[t].learned);
    }
    free(list->targets);
    free(list->Y);
    *list = (target_list){0};
}

size_t target_list_n_learned(const target_list *list) {
    size_t n = 0;
    for (size_t t = 0; t < list->count; t++) n += list->targets[t].n_learned;
    return n;
}

/* ---- Combinations ------------------------------------------------------------------------------------------------ */

plethron_status combinations_make(const bank_arguments *a, combination_list *out, plethron_error *err) {
    const size_t n_l1 = a->l1s.count, n_l2 = a->l2s.count, n_lr = a->learning_rates.count;
    const size_t n_optimizers = a->optimizers.count;
    combination_list list = {.count = a->losses.count * n_optimizers * n_lr * n_l2 * n_l1};
    plethron_status status = allocate(list.count, sizeof *list.values, &list.values, err);
    for (size_t c = 0; status == PLETHRON_OK && c < list.count; c++)
        list.values[c] = (combination){
            .loss = a->losses.values[c / (n_l1 * n_l2 * n_lr * n_optimizers)],
            .optimizer = a->optimizers.values[c / (n_l1 * n_l2 * n_lr) % n_optimizers],
            .learning_rate = a->learning_rates.values[c / (n_l1 * n_l2) % n_lr],
            .l2 = a->l2s.values[c / n_l1 % n_l2],
            .l1 = a->l1s.values[c % n_l1],
        };
    if (status == PLETHRON_OK) *out = list;
    return status;
}

void combination_list_release(combination_list *list) {
    free(list->values);
    *list = (combination_list){0};
}

/* ---- The grid ---------------------------------------------------------------------------------------------------- */

static plethron_status grid_allocate(unit_grid *grid, plethron_error *err) {
    plethron_status status = PLETHRON_OK;
    int64_t **integers[] = {&grid->entities,   &grid->targets, &grid->classes, &grid->losses,
                            &grid->optimizers, &grid->repeats, &grid->ids};
    float **floats[] = {&grid->learning_rates, &grid->l2s, &grid->l1s};
    for (size_t i = 0; i < sizeof integers / sizeof *integers; i++)
        TRY(allocate(grid->count, sizeof(int64_t), integers[i], err));
    for (size_t i = 0; i < sizeof floats / sizeof *floats; i++)
        TRY(allocate(grid->count, sizeof(float), floats[i], err));
out:
    return status;
}

/* Random numbers follow from (seed, id): the same for a class whatever else is trained. Entities have no repeats; from
 * 8,192 targets on some share numbers. */
static int64_t unit_id(size_t entity, size_t target, int64_t class_code, size_t repeat) {
    enum {
        LEARNED_BITS = 29
    }; /* below them the class and the target; above, 24 bits of what a sweep or entities repeat */
    const uint64_t learned = (target * 65536 + (uint64_t)(class_code + 1)) & ((UINT64_C(1) << LEARNED_BITS) - 1);
    return (int64_t)((uint64_t)(repeat + entity) << LEARNED_BITS | learned);
}

static void grid_add(unit_grid *grid, size_t entity, bool has_entities, size_t target, int64_t class_code,
                     const combination *c, size_t repeat) {
    const size_t unit = grid->count++;
    grid->entities[unit] = has_entities ? (int64_t)entity : PLETHRON_NONE;
    grid->targets[unit] = (int64_t)target;
    grid->classes[unit] = class_code;
    grid->losses[unit] = c->loss;
    grid->optimizers[unit] = c->optimizer;
    grid->learning_rates[unit] = c->learning_rate;
    grid->l2s[unit] = c->l2;
    grid->l1s[unit] = c->l1;
    grid->repeats[unit] = (int64_t)repeat;
    grid->ids[unit] = unit_id(entity, target, class_code, repeat);
}

plethron_status unit_grid_make(const target_list *list, const combination_list *combinations, size_t n_entities,
                               size_t n_repeats, unit_grid *out, plethron_error *err) {
    plethron_status status;
    const size_t n_ranges = n_entities ? n_entities : 1;
    const double wanted =
        (double)n_ranges * (double)target_list_n_learned(list) * (double)combinations->count * (double)n_repeats;
    unit_grid grid = {0};
    if (wanted > (double)(1 << 30))
        return fail(err, PLETHRON_ERROR_ARGUMENT, "%.0f units are asked for: %d at a time are allowed", wanted,
                    1 << 30);
    grid.count = (size_t)wanted;
    TRY(grid_allocate(&grid, err));
    grid.count = 0;
    for (size_t e = 0; e < n_ranges; e++)
        for (size_t t = 0; t < list->count; t++)
            for (size_t l = 0; l < list->targets[t].n_learned; l++)
                for (size_t c = 0; c < combinations->count; c++)
                    for (size_t r = 0; r < n_repeats; r++)
                        grid_add(&grid, e, n_entities > 0, t, list->targets[t].learned[l], &combinations->values[c], r);
    *out = grid;
    grid = (unit_grid){0};
out:
    unit_grid_release(&grid);
    return status;
}

void unit_grid_release(unit_grid *grid) {
    void *arrays[] = {grid->entities, grid->targets,        grid->classes, grid->losses, grid->optimizers,
                      grid->repeats,  grid->learning_rates, grid->l2s,     grid->l1s,    grid->ids};
    for (size_t i = 0; i < sizeof arrays / sizeof *arrays; i++) free(arrays[i]);
    *grid = (unit_grid){0};
}

plethron_status unit_grid_bank(const unit_grid *grid, const bank_arguments *a, size_t n_features,
                               const plethron_bank_options *more, plethron_bank **out, plethron_error *err) {
    const int64_t balanced = a->balanced, weight_column = a->weights ? 0 : PLETHRON_NONE;
    plethron_bank_options options = more ? *more : (plethron_bank_options){0};
    const bool has_class_weights = a->class_weights.count == 2;
    options.struct_size = sizeof options;
    options.learning_rate = (plethron_floats){grid->learning_rates, grid->count};
    options.l2 = (plethron_floats){grid->l2s, grid->count};
    options.l1 = (plethron_floats){grid->l1s, grid->count};
    options.loss = (plethron_integers){grid->losses, grid->count};
    options.optimizer = (plethron_integers){grid->optimizers, grid->count};
    options.target = (plethron_integers){grid->targets, grid->count};
    options.positive_class = (plethron_integers){grid->classes, grid->count};
    options.entity = (plethron_integers){grid->entities, grid->count};
    options.id = (plethron_integers){grid->ids, grid->count};
    if (options.epochs.count == 0) options.epochs = (plethron_integers){&a->epochs, 1};
    options.seed = (plethron_integers){&a->seed, 1};
    options.momentum = (plethron_floats){&a->momentum, 1};
    options.beta2 = (plethron_floats){&a->beta2, 1};
    options.epsilon = (plethron_floats){&a->epsilon, 1};
    options.schedule = (plethron_integers){&a->schedule, 1};
    options.decay = (plethron_floats){&a->decay, 1};
    options.tolerance = (plethron_floats){&a->tolerance, 1};
    options.check_every = a->check_every;
    options.balanced = (plethron_integers){&balanced, 1};
    options.weight_column = (plethron_integers){&weight_column, 1};
    if (has_class_weights) options.weight_negative = (plethron_floats){&a->class_weights.values[0], 1};
    if (has_class_weights) options.weight_positive = (plethron_floats){&a->class_weights.values[1], 1};
    options.reduction = (plethron_reduction)a->reduction;
    options.batch_size = (size_t)a->batch;
    options.batch_seed = a->seed;
    return plethron_bank_create(n_features, grid->count, &options, out, err);
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
