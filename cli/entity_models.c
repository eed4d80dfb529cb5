#define _POSIX_C_SOURCE 200809L

#include "entity_models.h"

#include "report.h"

#include <stdlib.h>
#include <string.h>

void entity_models_release(entity_models *self) {
    plethron_bank_close(self->first);
    free(self->units);
    *self = (entity_models){0};
}

/* Enters the units in their order; *n [n_entities] counts them. */
static plethron_status enter_units(entity_models *self, size_t *n, plethron_error *err) {
    const size_t n_entities = plethron_bank_n_entities(self->bank);
    for (size_t j = 0; j < plethron_bank_n_units(self->bank); j++) {
        const plethron_unit unit = unit_get(self->bank, j);
        if (unit.entity < 0 || (size_t)unit.entity >= n_entities || n[unit.entity] == self->n_columns)
            return fail(err, PLETHRON_ERROR_UNSUPPORTED,
                        "unit %zu belongs to no entity, or to one with more units than others", j);
        self->units[(size_t)unit.entity * self->n_columns + n[unit.entity]++] = (int64_t)j;
    }
    for (size_t e = 0; e < n_entities; e++)
        if (n[e] != self->n_columns)
            return fail(err, PLETHRON_ERROR_UNSUPPORTED, "the entity '%s' has %zu units, others have %zu",
                        plethron_bank_entity_label(self->bank, e), n[e], self->n_columns);
    return PLETHRON_OK;
}

/* The i-th unit of every entity must learn the same. */
static plethron_status check_kinds(const entity_models *self, plethron_error *err) {
    for (size_t e = 1; e < plethron_bank_n_entities(self->bank); e++)
        for (size_t i = 0; i < self->n_columns; i++) {
            const plethron_unit a = unit_get(self->bank, (size_t)self->units[i]);
            const plethron_unit b = unit_get(self->bank, (size_t)self->units[e * self->n_columns + i]);
            if (a.target != b.target || a.positive_class != b.positive_class)
                return fail(err, PLETHRON_ERROR_UNSUPPORTED,
                            "the units of entity '%s' learn other things than those of '%s'",
                            plethron_bank_entity_label(self->bank, e), plethron_bank_entity_label(self->bank, 0));
        }
    return PLETHRON_OK;
}

plethron_status entity_models_make(const plethron_bank *bank, entity_models *out, plethron_error *err) {
    plethron_status status;
    size_t *n = NULL, *first = NULL;
    const size_t n_entities = plethron_bank_n_entities(bank), n_units = plethron_bank_n_units(bank);
    entity_models self = {.bank = bank, .n_columns = n_units / n_entities};
    TRY(allocate(n_entities, sizeof *n, &n, err));
    TRY(allocate(n_units + 1, sizeof *self.units, &self.units, err));
    TRY(enter_units(&self, n, err));
    TRY(check_kinds(&self, err));
    TRY(allocate(self.n_columns, sizeof *first, &first, err));
    for (size_t i = 0; i < self.n_columns; i++) first[i] = (size_t)self.units[i];
    TRY(plethron_bank_select(bank, first, self.n_columns, &self.first, err));
    *out = self;
    self = (entity_models){0};
out:
    free(first);
    free(n);
    entity_models_release(&self);
    return status;
}

/* ---- Rows -------------------------------------------------------------------------------------------------------- */

typedef struct labelled_entity {
    const char *label;
    int64_t entity;
} labelled_entity;

static int compare(const void *a, const void *b) {
    return strcmp(((const labelled_entity *)a)->label, ((const labelled_entity *)b)->label);
}

/* The entities by label, sorted. */
static plethron_status sort_labels(const plethron_bank *bank, labelled_entity **out, plethron_error *err) {
    const size_t n = plethron_bank_n_entities(bank);
    plethron_status status = allocate(n, sizeof **out, out, err);
    for (size_t e = 0; status == PLETHRON_OK && e < n; e++)
        (*out)[e] = (labelled_entity){plethron_bank_entity_label(bank, e), (int64_t)e};
    if (status == PLETHRON_OK) qsort(*out, n, sizeof **out, compare);
    return status;
}

plethron_status entity_models_find(const entity_models *self, const plethron_table *table, int64_t *entities,
                                   size_t *n_unknown, plethron_error *err) {
    plethron_status status;
    size_t column = 0;
    plethron_classes *classes = NULL;
    labelled_entity *known = NULL;
    int64_t *of_class = NULL;
    TRY(plethron_table_find(table, plethron_bank_entity_column(self->bank), &column, err));
    TRY(plethron_table_entities(table, column, &classes, err));
    TRY(sort_labels(self->bank, &known, err));
    const size_t n_classes = plethron_classes_count(classes);
    TRY(allocate(n_classes, sizeof *of_class, &of_class, err));
    for (size_t c = 0; c < n_classes; c++) {
        const labelled_entity wanted = {plethron_classes_label(classes, c), 0};
        const labelled_entity *found =
            bsearch(&wanted, known, plethron_bank_n_entities(self->bank), sizeof *known, compare);
        of_class[c] = found ? found->entity : PLETHRON_NONE;
    }
    *n_unknown = 0;
    for (size_t i = 0; i < plethron_table_n_rows(table); i++) {
        entities[i] = of_class[(size_t)plethron_classes_codes(classes)[i]];
        *n_unknown += entities[i] == PLETHRON_NONE;
    }
out:
    free(of_class);
    free(known);
    plethron_classes_close(classes);
    return status;
}

/* Predicts a block of rows, a column after another. */
static plethron_status predict_columns(const entity_models *self, const float *X, const int64_t *entities,
                                       size_t n_rows, int64_t *units, float *column, float *P, plethron_error *err) {
    plethron_status status = PLETHRON_OK;
    for (size_t c = 0; c < self->n_columns; c++) {
        for (size_t i = 0; i < n_rows; i++)
            units[i] =
                entities[i] == PLETHRON_NONE ? PLETHRON_NONE : self->units[(size_t)entities[i] * self->n_columns + c];
        TRY(plethron_predict_rows(self->bank, X, units, n_rows, column, err));
        for (size_t i = 0; i < n_rows; i++) P[i * self->n_columns + c] = column[i];
    }
out:
    return status;
}

plethron_status entity_models_predict(const entity_models *self, const float *X, const int64_t *entities, size_t n_rows,
                                      block_visitor visit, void *context, plethron_error *err) {
    enum { BLOCK_ROWS = 4096 };
    plethron_status status;
    int64_t *units = NULL;
    float *column = NULL, *P = NULL;
    TRY(allocate(BLOCK_ROWS, sizeof *units, &units, err));
    TRY(allocate(BLOCK_ROWS, sizeof *column, &column, err));
    TRY(allocate(BLOCK_ROWS, self->n_columns * sizeof *P, &P, err));
    for (size_t first = 0; first < n_rows; first += BLOCK_ROWS) {
        const size_t left = n_rows - first, count = left < BLOCK_ROWS ? left : BLOCK_ROWS;
        TRY(predict_columns(self, X + first * plethron_bank_n_features(self->bank), entities + first, count, units,
                            column, P, err));
        TRY(visit(context, P, first, count, err));
    }
out:
    free(P);
    free(column);
    free(units);
    return status;
}
