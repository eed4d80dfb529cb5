/* Percentile intervals of weights from bootstrap replicates. */
#ifndef PLETHRON_CLI_INTERVALS_H
#define PLETHRON_CLI_INTERVALS_H

#include "training_data.h"

/* `replicates` is trained on a grid whose repeats are n_replicates replicates; `whole`, on the same targets and classes
 * without repeats, on all rows. Writes target, class, feature, the weight of `whole`, mean, deviation, and the
 * (100 - level) / 2 and (100 + level) / 2 percentiles, linearly interpolated; to `path`, or, when that is NULL, a table
 * of the weights whose interval does not hold 0 to stdout. Replicates that diverged are left out. */
plethron_status intervals_report(const plethron_bank *whole, const plethron_bank *replicates, size_t n_replicates,
                                 int64_t level, const char *path, plethron_error *err);

#endif
