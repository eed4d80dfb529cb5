/* A problem: some units of a bank as plain arrays, ready for a strategy. train.c makes it from a bank and a data set.
 */
#ifndef PLETHRON_PROBLEM_H
#define PLETHRON_PROBLEM_H

#include "dataset.h"

#include "unit.cl" /* the fields of a unit */

/* Arrays a unit are padded to a multiple of this: the most units of a work-group's tile (UNITS in tile.cl). Padding
 * units have zero weights and zero epochs. */
enum { UNIT_PADDING = 64 };

/* With sparse features, which may be millions, to a multiple of this: the most units of a vector. No kernel that runs
 * there has tiles. */
enum { SPARSE_UNIT_PADDING = 16 };

typedef struct train_problem {
    const plethron_dataset *dataset;
    size_t n_units;
    size_t unit_stride;
    float *weights;      /* [n_features + 1, unit_stride], bias last; start weights in, trained ones out */
    float *moments;      /* [2, n_features + 1, unit_stride], NULL without momentum and adam */
    float *best;         /* [n_features + 1, unit_stride]: weights of the lowest held-out loss, NULL without patience */
    float *units;        /* [UNIT_FIELDS, unit_stride], constant (unit.cl) */
    float *state;        /* [STATE_FIELDS, unit_stride] (unit.cl) */
    float *held_scale;   /* [unit_stride]: 1 / (sum of held-out weights), or 0 */
    int uses;            /* what occurs in the bank (unit.cl) */
    bool has_rules;      /* a unit has a tolerance or a patience */
    bool has_ranges;     /* units learn from the rows of one entity */
    int64_t check_every; /* epochs between two looks at the rules */
    size_t batch_rows;   /* of a mini-batch; 0: all rows at once */
    int64_t batch_seed;
    int64_t batch_epoch; /* epochs that were done before: the orders of the rows go on from there */
} train_problem;

/* Zeroed arrays for n_units units, padding units made harmless; uses, has_rules and the rest as in `like`. */
plethron_status problem_open(const train_problem *like, size_t n_units, train_problem *out, plethron_error *err);
void problem_close(train_problem *problem);

/* What a number of units is padded to. */
size_t problem_unit_stride(size_t n_units, bool is_sparse);

/* Blocks of summation that rows make; and of the largest batch, the rows and the blocks. */
size_t problem_blocks(size_t n_rows);
size_t problem_batch_rows(const train_problem *problem);
size_t problem_batch_blocks(const train_problem *problem);

/* A row of `units`: a value for each unit. */
float *problem_floats(const train_problem *problem, int field);
int32_t *problem_integers(const train_problem *problem, int field);
int32_t *problem_state_integers(const train_problem *problem, int field);

/* Copies the units numbered in `chosen` [to->n_units] out of `from`, or back into their places. */
void problem_take(const train_problem *from, const size_t *chosen, train_problem *to);
void problem_put_back(const train_problem *from, const size_t *chosen, train_problem *to);

/* Rows of a unit's range; all rows where units have none. */
size_t problem_max_rows(const train_problem *problem);

#endif
