/* What a strategy is: a way to run epochs and predictions of many units on a device.
 *
 * train.c prepares a problem, plan.c chooses a strategy and its tile sizes, the strategy opens a run. A strategy knows
 * nothing of banks, files or stopping rules. */
#ifndef PLETHRON_STRATEGY_H
#define PLETHRON_STRATEGY_H

#include "dataset.h"

/* Arrays a unit are padded to a multiple of this: the most units of a work-group's tile (UNITS in tile.cl). Padding
 * units have zero weights and zero epochs. */
enum { UNIT_PADDING = 64 };

/* One training: the units as plain arrays [unit_stride], which stay the caller's. */
typedef struct train_problem {
    const plethron_dataset *dataset;
    size_t n_units;
    size_t unit_stride;
    float *weights; /* [n_features + 1, unit_stride], bias last; start weights in, trained ones out */
    float *learning_rate;
    float *l2;
    float *scale;          /* of a gradient sum: 1 / n_samples, or 1 */
    float *positive_class; /* class code, or -1 */
    int32_t *loss;
    int32_t *target;
    int32_t *epochs;
    int losses;      /* the set of losses that occur, a bit each */
    bool one_target; /* all units learn the same column of Y */
} train_problem;

/* Sums over the samples for each unit, arrays [unit_stride]. */
typedef struct measure_sums {
    float *loss;
    float *error;
    int32_t *correct;
} measure_sums;

/* Tile sizes of kernels/tile.cl. */
typedef struct tile_sizes {
    const char *name;
    bool local_memory;
    unsigned unit_vector;
    unsigned item_vectors;
    unsigned item_rows;
    unsigned local_units;
    unsigned local_rows;
} tile_sizes;

typedef struct strategy strategy;

typedef struct train_plan {
    const strategy *strategy;
    tile_sizes tiling;  /* of strategies with kernels */
    size_t shard_units; /* units whose predictions are in memory at once: a multiple of UNIT_PADDING */
    size_t n_parts;     /* parts of the gradient: 1 or n_blocks (gradient.cl) */
    char text[256];     /* the plan in one line */
} train_plan;

struct strategy {
    const char *name;
    /* True when the strategy can run this problem; else `why` says why not. */
    bool (*applicable)(const train_problem *problem, char *why, size_t why_bytes);
    /* Predicted seconds of an epoch. */
    double (*cost)(const train_problem *problem);
    /* A run keeps problem and plan borrowed. */
    plethron_status (*open)(const train_problem *problem, const train_plan *plan, void **run, plethron_error *err);
    /* Runs the epochs first ... first + count - 1 (counted from this run's start) and waits for them. Unit j moves in
     * those below epochs[j]. */
    plethron_status (*epochs)(void *run, int64_t first, int64_t count, plethron_error *err);
    plethron_status (*measure)(void *run, const measure_sums *sums, plethron_error *err);
    /* Brings the weights to problem->weights. */
    plethron_status (*weights)(void *run, plethron_error *err);
    void (*close)(void *run);
};

extern const strategy strategy_staged;
extern const strategy strategy_host;

/* Prediction with fixed weights [n_features + 1, unit_stride] on a device, block of rows by block of rows. */
typedef struct predict_problem {
    plethron_device *device;
    const float *weights;
    size_t n_features;
    size_t n_units;
    size_t unit_stride;
    size_t max_rows; /* of a block */
    tile_sizes tiling;
} predict_problem;

/* P [n_rows, unit_stride] of rows in tiles (dataset_pack_tiles), n_rows <= max_rows. */
plethron_status staged_predict_open(const predict_problem *predictor, void **state, plethron_error *err);
plethron_status staged_predict(void *state, const float *tiles, size_t n_rows, float *P, plethron_error *err);
void staged_predict_close(void *state);
void host_predict(const predict_problem *predictor, const float *tiles, size_t n_rows, float *P);

#endif
