#define _POSIX_C_SOURCE 200809L

#include "entity_models.h"

#include "report.h"

#include <stdlib.h>

enum { SOME_ROWS = 4096 };

void entity_models_release(entity_models *self) {
    plethron_bank_close(self->first);
    plethron_labels_close(self->labels);
    free(self->units);
    free(self->row_entities);
    free(self->row_units);
    free(self->column);
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

static plethron_status make_labels(entity_models *self, plethron_error *err) {
    plethron_status status;
    const char **texts = NULL;
    const size_t n_entities = plethron_bank_n_entities(self->bank);
    TRY(allocate(n_entities, sizeof *texts, &texts, err));
    for (size_t e = 0; e < n_entities; e++) texts[e] = plethron_bank_entity_label(self->bank, e);
    TRY(plethron_labels_make(n_entities, texts, &self->labels, err));
out:
    free(texts);
    return status;
}

static plethron_status make_room(entity_models *self, plethron_error *err) {
    plethron_status status;
    TRY(allocate(SOME_ROWS, sizeof *self->row_entities, &self->row_entities, err));
    TRY(allocate(SOME_ROWS, sizeof *self->row_units, &self->row_units, err));
    TRY(allocate(SOME_ROWS, sizeof *self->column, &self->column, err));
out:
    return status;
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
    TRY(make_labels(&self, err));
    TRY(make_room(&self, err));
    *out = self;
    self = (entity_models){0};
out:
    free(first);
    free(n);
    entity_models_release(&self);
    return status;
}

/* ---- Rows -------------------------------------------------------------------------------------------------------- */

const char *entity_models_text_column(const entity_models *self) {
    return plethron_labels_numeric(self->labels) ? NULL : plethron_bank_entity_column(self->bank);
}

/* Up to SOME_ROWS rows, whose entities are found, a column of P after another. */
static plethron_status predict_columns(entity_models *self, const float *X, size_t n_rows, float *P,
                                       plethron_error *err) {
    plethron_status status = PLETHRON_OK;
    for (size_t c = 0; c < self->n_columns; c++) {
        for (size_t i = 0; i < n_rows; i++) {
            const int64_t entity = self->row_entities[i];
            self->row_units[i] =
                entity == PLETHRON_NONE ? PLETHRON_NONE : self->units[(size_t)entity * self->n_columns + c];
        }
        TRY(plethron_predict_rows(self->bank, X, self->row_units, n_rows, self->column, err));
        for (size_t i = 0; i < n_rows; i++) P[i * self->n_columns + c] = self->column[i];
    }
out:
    return status;
}

plethron_status entity_models_predict(entity_models *self, const plethron_table *table, size_t first_row,
                                      const float *X, size_t n_rows, float *P, plethron_error *err) {
    plethron_status status;
    size_t column = 0;
    TRY(plethron_table_find(table, plethron_bank_entity_column(self->bank), &column, err));
    for (size_t i = 0; i < n_rows; i += SOME_ROWS) {
        const size_t n = n_rows - i < SOME_ROWS ? n_rows - i : SOME_ROWS;
        TRY(plethron_labels_find(self->labels, table, column, first_row + i, n, self->row_entities, err));
        for (size_t r = 0; r < n; r++) self->n_unknown += self->row_entities[r] == PLETHRON_NONE;
        TRY(predict_columns(self, X + i * plethron_bank_n_features(self->bank), n, P + i * self->n_columns, err));
    }
out:
    return status;
}
