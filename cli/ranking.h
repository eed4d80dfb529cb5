/* Which combination of hyper-parameters does best on what it was not trained on. */
#ifndef PLETHRON_CLI_RANKING_H
#define PLETHRON_CLI_RANKING_H

#include "training_data.h"

typedef struct ranked {
    size_t combination; /* position in the list */
    double accuracy;    /* mean over folds and targets, on the rows held out */
    double deviation;   /* of the folds' accuracies */
    double loss;        /* means over the combination's units, on the rows held out */
    double auc;
    double epochs; /* until the lowest held-out loss where that was watched, else all that were run */
} ranked;

typedef struct ranking {
    ranked *entries; /* [count], the best first */
    size_t count;
    size_t n_folds;
} ranking;

/* `bank` is trained on `grid`, whose repeats are the folds. */
plethron_status ranking_make(const training_data *data, const combination_list *combinations, const unit_grid *grid,
                             const plethron_bank *bank, ranking *out, plethron_error *err);
void ranking_release(ranking *self);

/* Prints the first `top` entries. */
void ranking_print(const ranking *self, const combination_list *combinations, size_t top, bool with_auc);

/* Writes a line for each unit. */
plethron_status ranking_write_units(const unit_grid *grid, const plethron_bank *bank, const char *path,
                                    plethron_error *err);

#endif
