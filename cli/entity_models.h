/* A model with units for each entity, seen as one small model a row: that of the row's entity. */
#ifndef PLETHRON_CLI_ENTITY_MODELS_H
#define PLETHRON_CLI_ENTITY_MODELS_H

#include "labels.h"

typedef struct entity_models {
    const plethron_bank *bank; /* borrowed */
    plethron_bank *first;      /* the first entity's units: what all entities have, by name */
    size_t n_columns;          /* units of an entity */
    int64_t *units;            /* [n_entities, n_columns] */
} entity_models;

/* Fails unless every entity has the same kinds of units. */
plethron_status entity_models_make(const plethron_bank *bank, entity_models *out, plethron_error *err);
void entity_models_release(entity_models *self);

/* The entity of each row of the table, by the column that the model names; PLETHRON_NONE for one that the model does
 * not know, how many in *n_unknown. */
plethron_status entity_models_find(const entity_models *self, const plethron_table *table, int64_t *entities,
                                   size_t *n_unknown, plethron_error *err);

/* As predict_blocks, with n_columns predictions a row. */
plethron_status entity_models_predict(const entity_models *self, const float *X, const int64_t *entities, size_t n_rows,
                                      block_visitor visit, void *context, plethron_error *err);

#endif
