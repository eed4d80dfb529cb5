/* A bank and a data set as a problem, and the results back into the bank. */
#ifndef PLETHRON_TRAIN_PROBLEM_H
#define PLETHRON_TRAIN_PROBLEM_H

#include "live.h"

/* Measures of each unit, [n_units]; NaN where there are none. */
typedef struct unit_measures {
    float *loss, *error_sum, *accuracy, *auc;
    float *held_loss, *held_error_sum, *held_accuracy, *held_auc;
    float *wrong; /* weight of the training rows on the wrong side of 0.5 */
} unit_measures;

typedef struct bank_problem {
    train_problem problem; /* all units of the bank */
    unit_measures measures;
    float *negative, *positive, *held; /* sums of row weights: with y = 0, with y = 1, held out; [n_units] */
} bank_problem;

/* Checks that bank and data set fit together, and fills the problem but for what depends on the rows' weights. */
plethron_status bank_problem_open(const plethron_bank *bank, const plethron_dataset *dataset, bank_problem *out,
                                  plethron_error *err);
void bank_problem_close(bank_problem *self);

/* Takes the sums of weights (WEIGH_ of unit.cl) [WEIGH_SUMS, stride] of all units: class weights, scales, and which
 * units have nothing to learn from. */
void bank_problem_weigh(bank_problem *self, const plethron_bank *bank, const float *totals, size_t stride);

/* Takes the sums of a measure (MEASURE_ of unit.cl) of unit j: totals[s * stride]. */
void bank_problem_measure(bank_problem *self, size_t j, const float *totals, size_t stride);

/* Takes the sums of the area under unit j's ROC curve (AUC_ of unit.cl), of its rows or of those held out. */
void bank_problem_auc(bank_problem *self, size_t j, bool held, const float *totals, size_t stride);

/* Units with a patience get the weights of their lowest held-out loss. */
void bank_problem_restore(bank_problem *self);

/* Weights, states and measures into the bank, after `epochs_run` epochs. */
void bank_problem_store(const bank_problem *self, int64_t epochs_run, const char *strategy_name, plethron_bank *bank);

#endif
