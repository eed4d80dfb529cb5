/* The names of a bank's features, targets, classes and entities, and of the codes in its arrays. */
#include "bank.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

const char *const bank_loss_names[BANK_N_LOSSES] = {"log", "mse", "tutorial"};
const char *const bank_state_names[BANK_N_STATES] = {
    "new", "max_epochs", "diverged", "separable", "interrupted", "one_class", "converged", "early_stopped", "no_rows"};
const char *const bank_optimizer_names[BANK_N_OPTIMIZERS] = {"gd", "momentum", "nesterov", "adam"};
const char *const bank_schedule_names[BANK_N_SCHEDULES] = {"constant", "inverse", "cosine"};
const char *const bank_reduction_names[BANK_N_REDUCTIONS] = {"mean", "sum"};

static void names_close(name_list *list) {
    for (size_t i = 0; i < list->count; i++) free(list->names[i]);
    free(list->names);
    *list = (name_list){0};
}

static void classes_close(plethron_bank *bank) {
    for (size_t t = 0; bank->classes && t < bank->targets.count; t++) names_close(&bank->classes[t]);
    free(bank->classes);
    bank->classes = NULL;
}

void bank_names_close(plethron_bank *bank) {
    classes_close(bank);
    names_close(&bank->targets);
    names_close(&bank->features);
    names_close(&bank->entities);
    free(bank->entity_column);
}

static int compare_names(const void *a, const void *b) {
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static plethron_status check_different(const name_list *list, const char *what, plethron_error *err) {
    plethron_status status = PLETHRON_OK;
    void *memory = NULL;
    TRY(memory_allocate(list->count, sizeof(char *), what, &memory, err));
    char **sorted = memory;
    memcpy(sorted, list->names, list->count * sizeof *sorted);
    qsort(sorted, list->count, sizeof *sorted, compare_names);
    for (size_t i = 1; i < list->count && status == PLETHRON_OK; i++)
        if (strcmp(sorted[i - 1], sorted[i]) == 0)
            status =
                error_set(err, PLETHRON_ERROR_ARGUMENT, "the name '%s' stands twice among the %s", sorted[i], what);
out:
    free(memory);
    return status;
}

/* Names go into JSON when the bank is saved: what JSON cannot hold is refused now, not after hours of training. */
static plethron_status check_text(const char *name, const char *what, plethron_error *err) {
    json_t *text = json_string(name);
    if (!text) return error_set(err, PLETHRON_ERROR_ARGUMENT, "the name '%s' among the %s is not UTF-8", name, what);
    json_decref(text);
    return PLETHRON_OK;
}

static plethron_status copy_names(size_t count, const char *const *names, const char *what, name_list *out,
                                  plethron_error *err) {
    plethron_status status;
    void *memory = NULL;
    name_list list = {0};
    TRY(memory_allocate(count, sizeof(char *), what, &memory, err));
    list.names = memory;
    for (; list.count < count; list.count++) {
        if (!names || !names[list.count]) {
            status = error_set(err, PLETHRON_ERROR_ARGUMENT, "name %zu of the %s is NULL", list.count, what);
            goto out;
        }
        TRY(check_text(names[list.count], what, err));
        TRY(memory_copy_text(names[list.count], &list.names[list.count], err));
    }
    TRY(check_different(&list, what, err));
    *out = list;
    list = (name_list){0};
out:
    names_close(&list);
    return status;
}

plethron_status plethron_bank_name_features(plethron_bank *bank, const char *const *names, plethron_error *err) {
    name_list list = {0};
    plethron_status status = copy_names(bank->n_features, names, "features", &list, err);
    if (status != PLETHRON_OK) return status;
    names_close(&bank->features);
    bank->features = list;
    return PLETHRON_OK;
}

plethron_status plethron_bank_name_targets(plethron_bank *bank, size_t n_targets, const char *const *names,
                                           plethron_error *err) {
    plethron_status status;
    name_list list = {0};
    void *classes = NULL;
    TRY(copy_names(n_targets, names, "targets", &list, err));
    TRY(memory_allocate(n_targets, sizeof *bank->classes, "the classes of targets", &classes, err));
    classes_close(bank);
    names_close(&bank->targets);
    bank->targets = list;
    bank->classes = classes;
    list = (name_list){0};
out:
    names_close(&list);
    return status;
}

plethron_status plethron_bank_name_classes(plethron_bank *bank, size_t target, size_t n_labels,
                                           const char *const *labels, plethron_error *err) {
    name_list list = {0};
    if (target >= bank->targets.count)
        return error_set(err, PLETHRON_ERROR_ARGUMENT, "target %zu has no name yet: %zu targets are named", target,
                         bank->targets.count);
    plethron_status status = copy_names(n_labels, labels, "classes", &list, err);
    if (status != PLETHRON_OK) return status;
    names_close(&bank->classes[target]);
    bank->classes[target] = list;
    return PLETHRON_OK;
}

plethron_status plethron_bank_name_entities(plethron_bank *bank, const char *column, size_t n_entities,
                                            const char *const *labels, plethron_error *err) {
    plethron_status status;
    name_list list = {0};
    char *copy = NULL;
    if (!column) return error_set(err, PLETHRON_ERROR_ARGUMENT, "the column of the entities has no name");
    TRY(check_text(column, "columns", err));
    TRY(memory_copy_text(column, &copy, err));
    TRY(copy_names(n_entities, labels, "entities", &list, err));
    names_close(&bank->entities);
    free(bank->entity_column);
    bank->entities = list;
    bank->entity_column = copy;
    copy = NULL;
out:
    free(copy);
    return status;
}

static const char *const *borrowed(const name_list *list) {
    return (const char *const *)list->names;
}

plethron_status bank_names_copy(const plethron_bank *from, plethron_bank *to, plethron_error *err) {
    plethron_status status = PLETHRON_OK;
    if (from->features.count) TRY(plethron_bank_name_features(to, borrowed(&from->features), err));
    if (from->targets.count) TRY(plethron_bank_name_targets(to, from->targets.count, borrowed(&from->targets), err));
    for (size_t t = 0; t < from->targets.count; t++)
        TRY(plethron_bank_name_classes(to, t, from->classes[t].count, borrowed(&from->classes[t]), err));
    if (from->entity_column)
        TRY(plethron_bank_name_entities(to, from->entity_column, from->entities.count, borrowed(&from->entities), err));
out:
    return status;
}

static const char *name_at(const name_list *list, size_t i) {
    return i < list->count ? list->names[i] : NULL;
}

const char *plethron_bank_feature_name(const plethron_bank *bank, size_t feature) {
    return name_at(&bank->features, feature);
}

size_t plethron_bank_n_targets(const plethron_bank *bank) {
    return bank->targets.count;
}

const char *plethron_bank_target_name(const plethron_bank *bank, size_t target) {
    return name_at(&bank->targets, target);
}

size_t plethron_bank_n_classes(const plethron_bank *bank, size_t target) {
    return target < bank->targets.count ? bank->classes[target].count : 0;
}

const char *plethron_bank_class_label(const plethron_bank *bank, size_t target, size_t class_code) {
    return target < bank->targets.count ? name_at(&bank->classes[target], class_code) : NULL;
}

const char *plethron_bank_entity_column(const plethron_bank *bank) {
    return bank->entity_column;
}

size_t plethron_bank_n_entities(const plethron_bank *bank) {
    return bank->entities.count;
}

const char *plethron_bank_entity_label(const plethron_bank *bank, size_t entity) {
    return name_at(&bank->entities, entity);
}
