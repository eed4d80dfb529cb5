/* The planner: chooses a strategy and its tile sizes for a problem on its device. */
#ifndef PLETHRON_PLAN_H
#define PLETHRON_PLAN_H

#include "strategy.h"

/* Chooses the strategy of the lowest predicted cost, or the one named (`name` NULL or "" for a free choice).
 * Errors: PLETHRON_ERROR_ARGUMENT for an unknown name, PLETHRON_ERROR_UNSUPPORTED with the reason when it does not
 * apply, PLETHRON_ERROR_MEMORY when not even the smallest shard fits the device. */
plethron_status plan_choose(const train_problem *problem, const char *name, train_plan *out, plethron_error *err);

/* The same with tile sizes given, for tests and for measuring. */
plethron_status plan_choose_with_tiling(const train_problem *problem, const char *name, const tile_sizes *tiling,
                                        train_plan *out, plethron_error *err);

/* The tile sizes that suit a device and a number of units. */
tile_sizes plan_tiling(const plethron_device *device, size_t n_units);

/* All tile sizes that are shipped and tested. */
const tile_sizes *plan_tilings(size_t *count);

/* False when the device's work-groups are too small for the tiling. */
bool plan_tiling_fits(const plethron_device *device, const tile_sizes *tiling);

#endif
