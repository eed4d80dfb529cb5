#define _POSIX_C_SOURCE 200809L

#include "labels.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* ---- Names of units --------------------------------------------------------------------------------------------- */

/* What a unit predicts, in words; returns the length as snprintf does. */
static int unit_describe(const plethron_bank *bank, const plethron_unit *unit, char *text, size_t size) {
    size_t target = (size_t)unit->target;
    const char *name = plethron_bank_target_name(bank, target);
    char number[NUMBER_TEXT];
    if (!name) {
        snprintf(number, sizeof number, "target %zu", target);
        name = number;
    }
    bool is_plain = unit->positive_class == PLETHRON_NO_CLASS ||
                    (unit->positive_class == 1 && plethron_bank_n_classes(bank, target) == 2);
    if (is_plain) return snprintf(text, size, "%s", name);
    const char *label = plethron_bank_class_label(bank, target, (size_t)unit->positive_class);
    if (label) return snprintf(text, size, "%s=%s", name, label);
    return snprintf(text, size, "%s=%" PRId64, name, unit->positive_class);
}

typedef struct named_unit {
    char *name;
    size_t unit;
} named_unit;

static int named_unit_compare(const void *a, const void *b) {
    return strcmp(((const named_unit *)a)->name, ((const named_unit *)b)->name);
}

static plethron_status named_unit_make(const plethron_bank *bank, size_t j, named_unit *out, plethron_error *err) {
    plethron_unit unit = {.struct_size = sizeof unit};
    plethron_status status = plethron_bank_unit(bank, j, &unit, err);
    if (status != PLETHRON_OK) return status;
    size_t size = (size_t)unit_describe(bank, &unit, NULL, 0) + NUMBER_TEXT; /* room for " #unit" */
    out->unit = j;
    status = allocate(size, 1, &out->name, err);
    if (status == PLETHRON_OK) unit_describe(bank, &unit, out->name, size);
    return status;
}

/* Appends the unit's number to each name that stands more than once; `units` are sorted by name. */
static void named_units_tell_apart(named_unit *units, size_t n_units) {
    for (size_t first = 0, next; first < n_units; first = next) {
        for (next = first + 1; next < n_units && strcmp(units[next].name, units[first].name) == 0;) next++;
        if (next - first == 1) continue;
        for (size_t i = first; i < next; i++)
            snprintf(units[i].name + strlen(units[i].name), NUMBER_TEXT, " #%zu", units[i].unit);
    }
}

plethron_status unit_names_make(const plethron_bank *bank, char ***out, plethron_error *err) {
    plethron_status status = PLETHRON_OK;
    size_t n_units = plethron_bank_n_units(bank);
    named_unit *units = NULL;
    char **names = NULL;
    TRY(allocate(n_units, sizeof *names, &names, err));
    TRY(allocate(n_units, sizeof *units, &units, err));
    for (size_t j = 0; j < n_units; j++) TRY(named_unit_make(bank, j, &units[j], err));
    qsort(units, n_units, sizeof *units, named_unit_compare);
    named_units_tell_apart(units, n_units);
    for (size_t i = 0; i < n_units; i++) {
        names[units[i].unit] = units[i].name;
        units[i].name = NULL;
    }
    *out = names;
    names = NULL;
out:
    for (size_t i = 0; units && i < n_units; i++) free(units[i].name);
    free(units);
    free(names);
    return status;
}

void unit_names_release(char **names, size_t n_units) {
    for (size_t j = 0; names && j < n_units; j++) free(names[j]);
    free(names);
}

/* ---- Decisions -------------------------------------------------------------------------------------------------- */

static const char *target_name(const plethron_bank *bank, size_t target) {
    const char *name = plethron_bank_target_name(bank, target);
    return name ? name : "";
}

/* Enters unit j as the one that knows its class, if it belongs to the target. */
static plethron_status decision_enter(const plethron_bank *bank, size_t j, class_decision *decision,
                                      plethron_error *err) {
    plethron_unit unit = {.struct_size = sizeof unit};
    plethron_status status = plethron_bank_unit(bank, j, &unit, err);
    if (status != PLETHRON_OK || unit.target != (int64_t)decision->target) return status;
    const char *name = target_name(bank, decision->target);
    if (unit.positive_class < 0 || (size_t)unit.positive_class >= decision->n_classes)
        return fail(err, PLETHRON_ERROR_UNSUPPORTED, "unit %zu of target '%s' learns none of its classes", j, name);
    int32_t *place = &decision->units[unit.positive_class];
    if (*place != PLETHRON_NONE)
        return fail(err, PLETHRON_ERROR_UNSUPPORTED,
                    "classes need exactly one unit a class of target '%s', but units %" PRId32
                    " and %zu both learn class '%s' (several values of --lr or --l2?)",
                    name, *place, j, plethron_bank_class_label(bank, decision->target, (size_t)unit.positive_class));
    *place = (int32_t)j;
    return PLETHRON_OK;
}

/* Leaves no gaps among the units; one of two classes may have none. */
static plethron_status decision_close_up(const plethron_bank *bank, class_decision *decision, plethron_error *err) {
    size_t missing = 0;
    for (size_t c = 0; c < decision->n_classes; c++) {
        if (decision->units[c] == PLETHRON_NONE)
            missing = c;
        else
            decision->units[decision->n_units++] = decision->units[c];
    }
    if (decision->n_units == decision->n_classes || (decision->n_units == 1 && decision->n_classes == 2))
        return PLETHRON_OK;
    return fail(err, PLETHRON_ERROR_UNSUPPORTED, "no unit learns class '%s' of target '%s'",
                plethron_bank_class_label(bank, decision->target, missing), target_name(bank, decision->target));
}

plethron_status decision_make(const plethron_bank *bank, size_t target, class_decision *out, plethron_error *err) {
    plethron_status status = PLETHRON_OK;
    class_decision made = {.target = target, .n_classes = plethron_bank_n_classes(bank, target)};
    if (made.n_classes < 2)
        return fail(err, PLETHRON_ERROR_UNSUPPORTED, "target '%s' has no class labels in the model",
                    target_name(bank, target));
    TRY(allocate(made.n_classes, sizeof *made.units, &made.units, err));
    for (size_t c = 0; c < made.n_classes; c++) made.units[c] = PLETHRON_NONE;
    for (size_t j = 0; j < plethron_bank_n_units(bank); j++) TRY(decision_enter(bank, j, &made, err));
    TRY(decision_close_up(bank, &made, err));
out:
    if (status == PLETHRON_OK)
        *out = made;
    else
        decision_release(&made);
    return status;
}

void decision_release(class_decision *decision) {
    free(decision->units);
    decision->units = NULL;
}

int64_t decision_class(const class_decision *decision, const plethron_bank *bank, int32_t unit, float p) {
    plethron_unit likeliest = {.struct_size = sizeof likeliest};
    if (unit == PLETHRON_NONE || plethron_bank_unit(bank, (size_t)unit, &likeliest, NULL)) return PLETHRON_NO_CLASS;
    const bool is_other = decision->n_units == 1 && p < 0.5f;
    return is_other ? 1 - likeliest.positive_class : likeliest.positive_class;
}
