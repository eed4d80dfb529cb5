/* Checkpoints: where a training stands, whole, so that it can be continued to the same bits. */
#ifndef PLETHRON_CHECKPOINT_H
#define PLETHRON_CHECKPOINT_H

#include "bank.h"
#include "dataset_digest.h"
#include "problem.h"

/* What changes while units train, of each unit: tensors of the file. */
enum checkpoint_part {
    CHECKPOINT_WEIGHTS, /* of the data as they are on the device */
    CHECKPOINT_MOMENTS,
    CHECKPOINT_BEST,
    CHECKPOINT_ACTIVE,
    CHECKPOINT_REASON,
    CHECKPOINT_STOPPED_AT,
    CHECKPOINT_BEST_EPOCH,
    CHECKPOINT_BEST_LOSS,
    CHECKPOINT_NORM,
    CHECKPOINT_PARTS
};

struct plethron_checkpoint {
    const plethron_bank *bank; /* as it was before the training: borrowed, or `loaded` */
    plethron_bank *loaded;
    char *path; /* of the file that it was loaded from, or NULL */
    char strategy[sizeof((plethron_bank *)0)->strategy];
    int64_t epochs_run; /* by the unit that trains longest */
    dataset_digest data;
    void *parts[CHECKPOINT_PARTS]; /* float or int64_t [rows, n_units]; NULL where the training has no such thing */
};

/* Room for a training's checkpoints. The bank stays borrowed, and as it is. */
plethron_status checkpoint_open(const plethron_bank *bank, const train_problem *problem, const char *strategy,
                                const dataset_digest *data, plethron_checkpoint **out, plethron_error *err);
/* Takes what the problem, of all units of the bank, has reached. */
void checkpoint_take(plethron_checkpoint *checkpoint, const train_problem *problem, int64_t epochs_run);

/* PLETHRON_ERROR_ARGUMENT, which names what differs, unless it is of this bank, these data and, where `strategy` is
 * neither NULL nor empty, this strategy. */
plethron_status checkpoint_check(const plethron_checkpoint *checkpoint, const plethron_bank *bank,
                                 const dataset_digest *data, const char *strategy, plethron_error *err);
/* Puts what was reached into the problem, of all units of the bank, whose other values are as at the training's start.
 */
void checkpoint_put(const plethron_checkpoint *checkpoint, train_problem *problem);

#endif
