/* What the units of a training learn: one unit for each target, class, learning rate and l2. */
#ifndef PLETHRON_CLI_UNITS_H
#define PLETHRON_CLI_UNITS_H

#include "cli.h"

typedef struct target_column {
    const char *name;          /* borrowed from the table */
    plethron_classes *classes; /* NULL: the column holds probabilities, which a unit learns as they are */
} target_column;

typedef struct target_list {
    target_column *targets;
    size_t count;
    float *Y; /* [n_rows, count]: class codes or probabilities */
} target_list;

/* Reads target columns of the table that came from `path`. Two distinct values are two classes, which one unit tells
 * apart; more are a class each, unless they are numbers in [0, 1] that are not all whole. */
plethron_status target_list_read(const plethron_table *table, const char *path, const size_t *columns, size_t count,
                                 target_list *out, plethron_error *err);
void target_list_release(target_list *list);

/* Arrays [count]; the last of (target, class, learning rate, l2) varies fastest. */
typedef struct unit_grid {
    size_t count;
    int64_t *targets;
    int64_t *classes;
    float *learning_rates;
    float *l2s;
} unit_grid;

plethron_status unit_grid_make(const target_list *list, const number_list *learning_rates, const number_list *l2s,
                               unit_grid *out, plethron_error *err);
void unit_grid_release(unit_grid *grid);

/* Gives the bank the names of its targets and the labels of their classes. */
plethron_status target_list_name(const target_list *list, plethron_bank *bank, plethron_error *err);

#endif
