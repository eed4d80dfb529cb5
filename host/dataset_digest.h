/* What a data set holds, in a few bytes: to tell whether another one holds the same. */
#ifndef PLETHRON_DATASET_DIGEST_H
#define PLETHRON_DATASET_DIGEST_H

#include "dataset.h"
#include "digest.h"

enum dataset_part {
    DATASET_FEATURES,
    DATASET_TARGETS,
    DATASET_WEIGHTS,
    DATASET_FOLDS,
    DATASET_ENTITIES,
    DATASET_PARTS
};

typedef struct dataset_digest {
    char parts[DATASET_PARTS][DIGEST_TEXT]; /* the features as they are on the device: standardised or not */
} dataset_digest;

/* What a part is called in messages, such as "the features". */
extern const char *const dataset_part_names[DATASET_PARTS];

/* Brings the data set back from its device, block by block. Cost: about 0.3 GB/s a core. */
plethron_status dataset_digest_find(const plethron_dataset *dataset, dataset_digest *out, plethron_error *err);

#endif
