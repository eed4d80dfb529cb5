/* What the units of a training learn: one unit for each entity, target, class, combination of hyper-parameters, and
 * fold. */
#ifndef PLETHRON_CLI_UNITS_H
#define PLETHRON_CLI_UNITS_H

#include "bank_arguments.h"

typedef struct target_column {
    const char *name;          /* borrowed from the table */
    plethron_classes *classes; /* NULL: the column holds probabilities, which a unit learns as they are */
    int64_t *learned;          /* [n_learned]: the classes that a unit each learns, or PLETHRON_NO_CLASS */
    size_t n_learned;
} target_column;

typedef struct target_list {
    target_column *targets;
    size_t count;
    float *Y; /* [n_rows, count]: class codes or probabilities */
} target_list;

/* Reads target columns of the table that came from `path`. Two distinct values are two classes, which one unit tells
 * apart; more are a class each, unless they are numbers in [0, 1] that are not all whole. `labels`: the classes to
 * learn; empty: all. */
plethron_status target_list_read(const plethron_table *table, const char *path, const size_t *columns, size_t count,
                                 const name_list *labels, target_list *out, plethron_error *err);
void target_list_release(target_list *list);

/* Units that learn something: pairs of target and class. */
size_t target_list_n_learned(const target_list *list);

/* A combination of hyper-parameters. */
typedef struct combination {
    int64_t loss;
    int64_t optimizer;
    float learning_rate;
    float l2;
    float l1;
} combination;

typedef struct combination_list {
    combination *values;
    size_t count;
} combination_list;

/* Every combination of the lists; the last of (loss, optimizer, lr, l2, l1) varies fastest. */
plethron_status combinations_make(const bank_arguments *a, combination_list *out, plethron_error *err);
void combination_list_release(combination_list *list);

/* Arrays [count]; the last of (entity, target, class, combination, repeat) varies fastest. */
typedef struct unit_grid {
    size_t count;
    int64_t *entities; /* PLETHRON_NONE without */
    int64_t *targets;
    int64_t *classes;
    int64_t *losses;
    int64_t *optimizers;
    float *learning_rates;
    float *l2s;
    float *l1s;
    int64_t *repeats; /* 0 ... n_repeats - 1 */
    int64_t *ids;     /* a function of target, class and entity, so that random numbers do not depend on the grid */
} unit_grid;

/* `n_entities` 0: without; n_repeats at least 1. */
plethron_status unit_grid_make(const target_list *list, const combination_list *combinations, size_t n_entities,
                               size_t n_repeats, unit_grid *out, plethron_error *err);
void unit_grid_release(unit_grid *grid);

/* A bank of the grid's units with the shared options of `a`; `more`, which may be NULL, are options to begin from. */
plethron_status unit_grid_bank(const unit_grid *grid, const bank_arguments *a, size_t n_features,
                               const plethron_bank_options *more, plethron_bank **out, plethron_error *err);

/* Gives the bank the names of its targets and the labels of their classes. */
plethron_status target_list_name(const target_list *list, plethron_bank *bank, plethron_error *err);

#endif
