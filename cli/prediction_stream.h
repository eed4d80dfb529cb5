/* Predicts for a table that may be larger than memory: a block is read, one is computed and one is written at a time.
 */
#ifndef PLETHRON_CLI_PREDICTION_STREAM_H
#define PLETHRON_CLI_PREDICTION_STREAM_H

#include "entity_models.h"
#include "prediction_writer.h"

typedef struct prediction_task {
    const char *data;
    const char *device;
    uint64_t memory_bytes; /* what blocks of all kinds may take; 0: the default */
    bool quiet, verbose;
} prediction_task;

/* Every row by all units of the writer's bank or, where `entities` is not NULL, by the units of its entity, whose
 * `first` the writer's bank is. PLETHRON_ERROR_INTERRUPTED after a signal (watch_interrupts). */
plethron_status prediction_stream(const prediction_task *task, entity_models *entities, prediction_writer *writer,
                                  plethron_error *err);

/* The columns of the table that are the model's features: by name or, without names on either side, in order. */
plethron_status prediction_features(const plethron_table *table, const plethron_bank *bank, const char *path,
                                    size_t *columns, plethron_error *err);

#endif
