#define _POSIX_C_SOURCE 200809L

#include "labels.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Predictions held at once: 16 MiB. Less work than FEW_FLOPS is done on the host, to the same bits: elsewhere the
 * kernel may have to be compiled for it. */
enum { BLOCK_VALUES = 1 << 22, FEW_FLOPS = 1 << 28 };

static bool is_little_work(const plethron_bank *bank, const feature_rows *rows) {
    const plethron_sparse *sparse = &rows->sparse;
    const double n_values = rows->X ? (double)plethron_bank_n_features(bank) * (double)rows->n_rows
                                    : (double)(sparse->offsets[rows->n_rows] - sparse->offsets[0]);
    return 2.0 * n_values * (double)plethron_bank_n_units(bank) < FEW_FLOPS;
}

static plethron_status predict_some(plethron_predictor *predictor, const feature_rows *rows, size_t n_features,
                                    size_t first, size_t n, float *P, plethron_error *err) {
    if (rows->X) return plethron_predictor_run(predictor, rows->X + first * n_features, n, P, err);
    plethron_sparse some = rows->sparse;
    some.offsets += first;
    some.n_rows = n;
    return plethron_predictor_run_sparse(predictor, &some, P, err);
}

plethron_status predict_blocks(plethron_device *device, const plethron_bank *bank, const feature_rows *rows,
                               block_visitor visit, void *context, plethron_error *err) {
    plethron_status status = PLETHRON_OK;
    const size_t n_units = plethron_bank_n_units(bank), n_features = plethron_bank_n_features(bank);
    const plethron_predictor_options options = {.struct_size = sizeof options, .sparse = !rows->X};
    size_t n_block = n_units < BLOCK_VALUES ? BLOCK_VALUES / n_units : 1;
    if (n_block > rows->n_rows) n_block = rows->n_rows;
    plethron_device *host = NULL;
    plethron_predictor *predictor = NULL;
    float *P = NULL;
    TRY(allocate(n_block, n_units * sizeof *P, &P, err));
    if (is_little_work(bank, rows)) TRY(plethron_device_open("host", &host, err));
    TRY(plethron_predictor_open(host ? host : device, bank, &options, &predictor, err));
    for (size_t first = 0; first < rows->n_rows; first += n_block) {
        size_t n = rows->n_rows - first < n_block ? rows->n_rows - first : n_block;
        TRY(predict_some(predictor, rows, n_features, first, n, P, err));
        TRY(visit(context, P, first, n, err));
    }
out:
    plethron_predictor_close(predictor);
    plethron_device_close(host);
    free(P);
    return status;
}

/* ---- Some rows of many ------------------------------------------------------------------------------------------- */

void feature_copy_release(feature_copy *copy) {
    for (size_t i = 0; i < sizeof copy->memory / sizeof *copy->memory; i++) free(copy->memory[i]);
    *copy = (feature_copy){0};
}

static plethron_status copy_sparse(const plethron_sparse *from, const size_t *rows, size_t n_rows, feature_copy *copy,
                                   plethron_error *err) {
    plethron_status status;
    int64_t *offsets = NULL;
    int32_t *columns = NULL;
    float *values = NULL;
    TRY(allocate(n_rows + 1, sizeof *offsets, &offsets, err));
    copy->memory[0] = offsets;
    for (size_t i = 0; i < n_rows; i++)
        offsets[i + 1] = offsets[i] + from->offsets[rows[i] + 1] - from->offsets[rows[i]];
    TRY(allocate((size_t)offsets[n_rows], sizeof *columns, &columns, err));
    copy->memory[1] = columns;
    TRY(allocate((size_t)offsets[n_rows], sizeof *values, &values, err));
    copy->memory[2] = values;
    for (size_t i = 0; i < n_rows; i++) {
        const size_t n = (size_t)(offsets[i + 1] - offsets[i]);
        memcpy(columns + offsets[i], from->columns + from->offsets[rows[i]], n * sizeof *columns);
        memcpy(values + offsets[i], from->values + from->offsets[rows[i]], n * sizeof *values);
    }
    copy->rows.sparse = (plethron_sparse){n_rows, from->n_columns, offsets, columns, values};
out:
    return status;
}

plethron_status feature_copy_make(const feature_rows *from, size_t n_features, const size_t *rows, size_t n_rows,
                                  feature_copy *out, plethron_error *err) {
    plethron_status status;
    feature_copy copy = {.rows.n_rows = n_rows};
    float *X = NULL;
    if (!from->X) {
        TRY(copy_sparse(&from->sparse, rows, n_rows, &copy, err));
    } else {
        TRY(allocate(n_rows, n_features * sizeof *X, &X, err));
        copy.memory[0] = X;
        copy.rows.X = X;
        for (size_t i = 0; i < n_rows; i++)
            memcpy(X + i * n_features, from->X + rows[i] * n_features, n_features * sizeof *X);
    }
    *out = copy;
    copy = (feature_copy){0};
out:
    feature_copy_release(&copy);
    return status;
}

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
    int64_t *place = &decision->units[unit.positive_class];
    if (*place != NO_UNIT)
        return fail(err, PLETHRON_ERROR_UNSUPPORTED,
                    "classes need exactly one unit a class of target '%s', but units %" PRId64
                    " and %zu both learn class '%s' (several values of --lr or --l2?)",
                    name, *place, j, plethron_bank_class_label(bank, decision->target, (size_t)unit.positive_class));
    *place = (int64_t)j;
    return PLETHRON_OK;
}

static plethron_status decision_check(const plethron_bank *bank, const class_decision *decision, plethron_error *err) {
    size_t n_missing = 0, missing = 0;
    for (size_t c = 0; c < decision->n_classes; c++) {
        if (decision->units[c] != NO_UNIT) continue;
        n_missing++;
        missing = c;
    }
    if (n_missing == 0 || (n_missing == 1 && decision->n_classes == 2)) return PLETHRON_OK;
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
    for (size_t c = 0; c < made.n_classes; c++) made.units[c] = NO_UNIT;
    for (size_t j = 0; j < plethron_bank_n_units(bank); j++) TRY(decision_enter(bank, j, &made, err));
    TRY(decision_check(bank, &made, err));
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

bool decision_known(const class_decision *decision, const float *p) {
    for (size_t c = 0; c < decision->n_classes; c++)
        if (decision->units[c] != NO_UNIT && isnan(p[decision->units[c]])) return false;
    return true;
}

size_t decision_pick(const class_decision *decision, const float *p) {
    if (decision->n_classes == 2 && decision->units[0] == NO_UNIT) return p[decision->units[1]] >= 0.5f ? 1 : 0;
    if (decision->n_classes == 2 && decision->units[1] == NO_UNIT) return p[decision->units[0]] >= 0.5f ? 0 : 1;
    size_t best = 0;
    for (size_t c = 1; c < decision->n_classes; c++)
        if (p[decision->units[c]] > p[decision->units[best]]) best = c;
    return best;
}
