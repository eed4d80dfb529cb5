/* A model with units for each entity, seen as one small model a row: that of the row's entity. */
#ifndef PLETHRON_CLI_ENTITY_MODELS_H
#define PLETHRON_CLI_ENTITY_MODELS_H

#include "cli.h"

typedef struct entity_models {
    const plethron_bank *bank; /* borrowed */
    plethron_bank *first;      /* the first entity's units: what all entities have, by name */
    size_t n_columns;          /* units of an entity */
    int64_t *units;            /* [n_entities, n_columns] */
    plethron_labels *labels;   /* of the entities */
    size_t n_unknown;          /* rows predicted so far whose entity the model does not know */
    int64_t *row_entities;     /* of some rows, and */
    int64_t *row_units;        /* a unit of each, and */
    float *column;             /* what it predicts */
} entity_models;

/* Fails unless every entity has the same kinds of units. */
plethron_status entity_models_make(const plethron_bank *bank, entity_models *out, plethron_error *err);
void entity_models_release(entity_models *self);

/* For plethron_reader_options: the column of the entities, where its cells are told apart as texts; else NULL. */
const char *entity_models_text_column(const entity_models *self);

/* The rows from first_row on of a table, whose features are X [n_rows, n_features], by the units of their entities:
 * P [n_rows, n_columns], NaN for an entity that the model does not know. */
plethron_status entity_models_predict(entity_models *self, const plethron_table *table, size_t first_row,
                                      const float *X, size_t n_rows, float *P, plethron_error *err);

#endif
