/* Training with tile sizes given, for tests and for measuring. */
#ifndef PLETHRON_TRAIN_H
#define PLETHRON_TRAIN_H

#include "plan.h"

/* plethron_train with the tile sizes `tiling` instead of the planner's; NULL leaves them to the planner. */
plethron_status train_with_tiling(plethron_dataset *dataset, plethron_bank *bank, const plethron_train_options *options,
                                  const tile_sizes *tiling, plethron_error *err);

#endif
