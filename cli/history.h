/* The history of a training: a line for each unit and epoch measured. */
#ifndef PLETHRON_CLI_HISTORY_H
#define PLETHRON_CLI_HISTORY_H

#include "cli.h"

void history_begin(FILE *history);

/* For a training that goes on at `first_epoch`: what the file `path` holds of the epochs before, if there is one. */
plethron_status history_go_on(const char *path, int64_t first_epoch, FILE *history, plethron_error *err);

void history_write(FILE *history, const plethron_measures *measures);

#endif
