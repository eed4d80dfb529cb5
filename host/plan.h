/* The planner: chooses a strategy and its tile sizes for a problem on its device. */
#ifndef PLETHRON_PLAN_H
#define PLETHRON_PLAN_H

#include "strategy.h"

/* Chooses the strategy of the lowest predicted cost, or the one named (`name` NULL or "" for a free choice).
 * `tiling`: the tile sizes to take, for tests and for measuring; NULL for the strategy's choice.
 * Errors: PLETHRON_ERROR_ARGUMENT for an unknown name, PLETHRON_ERROR_UNSUPPORTED with the reason when it does not
 * apply, PLETHRON_ERROR_MEMORY when not even the smallest shard fits the device. */
plethron_status plan_choose(const train_problem *problem, const char *name, const tile_sizes *tiling, train_plan *out,
                            plethron_error *err);

/* A plan and how it was found. */
typedef struct plan_candidates {
    train_plan *plans;
    size_t count;
} plan_candidates;

/* Every plan that applies: each strategy, or the one named, with each of its tile sizes. Errors as above. */
plethron_status plan_list(const train_problem *problem, const char *name, plan_candidates *out, plethron_error *err);
void plan_list_close(plan_candidates *list);

/* The plan of the lowest measured time: remembered, or each tried now (plan_measure.c). */
plethron_status plan_measure(const train_problem *problem, const char *name, train_plan *out, plethron_error *err);

/* Seconds an epoch of a plan, by running it for some 30 ms. */
plethron_status plan_time(const train_problem *problem, const train_plan *plan, double *seconds, plethron_error *err);

/* One of those that apply, the same for the same seed. */
plethron_status plan_random(const train_problem *problem, const char *name, int64_t seed, train_plan *out,
                            plethron_error *err);

/* All strategies. */
const strategy *const *plan_strategies(size_t *count);

#endif
