/* A data set and banks with all that there is, for test_faults.c: so small that every call of a training can fail once.
 */
#ifndef PLETHRON_TEST_FAULTS_FULL_H
#define PLETHRON_TEST_FAULTS_FULL_H

#include "plethron.h"

enum { FULL_FEATURES = 3 };

/* With sample weights, folds, a missing target, standardised. */
plethron_status full_dataset(plethron_device *device, plethron_dataset **out, plethron_error *err);
/* The same with sparse features. */
plethron_status full_sparse_dataset(plethron_device *device, plethron_dataset **out, plethron_error *err);
/* The first, its rows those of two entities. */
plethron_status entity_dataset(plethron_device *device, plethron_dataset **out, plethron_error *err);
/* Every optimiser, penalties, schedules, class weights, bootstraps, folds; most units stop at the first look at their
 * rules, so that the others go on alone. */
plethron_status full_bank(plethron_bank **out, plethron_error *err);
/* The same in mini-batches, one unit. */
plethron_status batched_bank(plethron_bank **out, plethron_error *err);
/* The first for entities, without bootstraps. */
plethron_status entity_bank(plethron_bank **out, plethron_error *err);

#endif
