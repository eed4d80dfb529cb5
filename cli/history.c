/* The history of a training: a line for each unit and epoch measured. */
#define _POSIX_C_SOURCE 200809L

#include "history.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static const char header[] = "epoch,unit,error_sum,loss\n";

void history_begin(FILE *history) {
    fputs(header, history);
}

/* Copies the lines of the epochs before `first_epoch`; false where there is a line of no epoch. */
static bool copy_lines(FILE *from, int64_t first_epoch, FILE *to) {
    char *line = NULL, *end;
    size_t size = 0;
    bool is_history = getline(&line, &size, from) > 0 && strcmp(line, header) == 0;
    while (is_history && getline(&line, &size, from) > 0) {
        const int64_t epoch = strtoimax(line, &end, 10);
        is_history = end > line && *end == ',';
        if (is_history && epoch < first_epoch) fputs(line, to);
    }
    free(line);
    return is_history;
}

plethron_status history_go_on(const char *path, int64_t first_epoch, FILE *history, plethron_error *err) {
    history_begin(history);
    FILE *before = fopen(path, "r");
    if (!before && errno == ENOENT) {
        say("%s: there is none to go on with: it begins at epoch %" PRId64, path, first_epoch);
        return PLETHRON_OK;
    }
    if (!before) return fail(err, PLETHRON_ERROR_FILE, "%s: cannot be read: %s", path, strerror(errno));
    const bool is_history = copy_lines(before, first_epoch, history);
    fclose(before);
    return is_history ? PLETHRON_OK : fail(err, PLETHRON_ERROR_FORMAT, "%s: is no history to go on with", path);
}

void history_write(FILE *history, const plethron_measures *measures) {
    char error_sum[NUMBER_TEXT], loss[NUMBER_TEXT];
    for (size_t j = 0; j < measures->n_units; j++)
        fprintf(history, "%" PRId64 ",%zu,%s,%s\n", measures->epoch, j, number_text(measures->error_sum[j], error_sum),
                number_text(measures->loss[j], loss));
}
