/* What a strategy is: a way to compute the gradients of many units on a device, or to run whole epochs of them.
 *
 * train.c prepares a problem, plan.c chooses a strategy and its tile sizes, live.c puts the units on the device. A
 * strategy knows nothing of banks or files. */
#ifndef PLETHRON_STRATEGY_H
#define PLETHRON_STRATEGY_H

#include "live.h"

/* The order in which a strategy adds up a gradient (docs/architecture.md). Strategies of one order give the same bits.
 */
typedef enum sum_order {
    ORDER_OF_UNITS,
    ORDER_OF_LANES,
    ORDER_OF_ENTITIES /* weights as ORDER_OF_LANES, measures are summed likewise */
} sum_order;

struct strategy {
    const char *name;
    sum_order order;
    bool is_sparse; /* it is for sparse features, and for no others; else for dense ones */
    /* True when the strategy can run this problem; else `why` says why not. */
    bool (*applicable)(const train_problem *problem, char *why, size_t why_bytes);
    /* Predicted seconds of an epoch. */
    double (*cost)(const train_problem *problem);
    /* Fills tile sizes, shard and text of the plan. `tiling` NULL: the strategy's choice. PLETHRON_ERROR_MEMORY when
     * not even the smallest shard fits the device. */
    plethron_status (*prepare)(const train_problem *problem, const tile_sizes *tiling, train_plan *plan,
                               plethron_error *err);
    /* A run keeps the live set borrowed. */
    plethron_status (*open)(live_set *live, void **run, plethron_error *err);
    void (*close)(void *run);

    /* One of these two is NULL. */

    /* Queues the gradient sums of a shard of units over the rows of a batch, at the live set's weights; says where they
     * will be. */
    plethron_status (*gradient)(void *run, unit_shard shard, const row_batch *batch, gradient_sums *sums,
                                plethron_error *err);
    /* Queues the epochs first ... first + count - 1, counted from the training's start, steps included. After each
     * `look_every` epochs, counted likewise, the distances from the optimum are stored (update.cl); 0: never. */
    plethron_status (*epochs)(void *run, int64_t first, int64_t count, int64_t look_every, plethron_error *err);
    /* With `epochs`: true when it looks at the stopping rules then, too (rules.cl). Else it is never asked for epochs
     * across a look, which is `check`'s, at the end. */
    bool (*looks)(const void *run);

    /* Sums over the rows, to `totals` [WEIGH_SUMS or MEASURE_SUMS, unit_stride]; NULL: those of live.c, where all units
     * learn from all rows. */
    plethron_status (*weigh)(void *run, device_buffer *totals, plethron_error *err);
    plethron_status (*measure)(void *run, device_buffer *totals, plethron_error *err);
};

/* What a launch adds to a cost: 2.5 us, in the nominal seconds of cost(), a quarter as long as real ones. */
#define STRATEGY_LAUNCH_COST 1e-5

/* What steps by kernels of their own take, a weight: they read and write a unit's arrays, which `resident` keeps. */
#define STRATEGY_STEP_COST 1.2e-9

/* Reading a float of X from memory takes as long as so many features of a unit. */
#define STRATEGY_READING_FEATURES 6.0

/* A row and unit's sigmoid, where it is not hidden: as much as so many features. */
#define STRATEGY_SIGMOID_FEATURES 14.0

extern const strategy strategy_rows;
extern const strategy strategy_fused;
extern const strategy strategy_staged;
extern const strategy strategy_resident;
extern const strategy strategy_grouped;
extern const strategy strategy_sparse;
extern const strategy strategy_host;

#endif
