#include "plan.h"

#include <string.h>

/* A row a strategy. When the predicted cost is equal, the first wins. */
static const strategy *const strategies[] = {&strategy_staged, &strategy_host};
enum { N_STRATEGIES = sizeof strategies / sizeof *strategies };

const strategy *const *plan_strategies(size_t *count) {
    *count = N_STRATEGIES;
    return strategies;
}

static plethron_status unknown_strategy(const char *name, plethron_error *err) {
    char names[128] = "";
    for (size_t i = 0; i < N_STRATEGIES; i++) {
        size_t used = strlen(names);
        snprintf(names + used, sizeof names - used, "%s%s", i ? ", " : "", strategies[i]->name);
    }
    return error_set(err, PLETHRON_ERROR_ARGUMENT, "unknown strategy '%s': %s are allowed", name, names);
}

static plethron_status choose_strategy(const train_problem *problem, const char *name, const strategy **out,
                                       plethron_error *err) {
    const bool by_name = name && *name;
    const strategy *best = NULL;
    bool known = false;
    char why[256] = "";
    for (size_t i = 0; i < N_STRATEGIES; i++) {
        if (by_name && strcmp(strategies[i]->name, name) != 0) continue;
        known = true;
        if (!strategies[i]->applicable(problem, why, sizeof why)) continue;
        if (!best || strategies[i]->cost(problem) < best->cost(problem)) best = strategies[i];
    }
    if (!known) return unknown_strategy(name, err);
    if (!best)
        return error_set(err, PLETHRON_ERROR_UNSUPPORTED, "the strategy '%s' does not apply: %s",
                         by_name ? name : "any", why);
    *out = best;
    return PLETHRON_OK;
}

plethron_status plan_choose(const train_problem *problem, const char *name, const tile_sizes *tiling, train_plan *out,
                            plethron_error *err) {
    plethron_status status;
    train_plan chosen = {.shard_units = problem->unit_stride, .n_parts = 1};
    TRY(choose_strategy(problem, name, &chosen.strategy, err));
    TRY(chosen.strategy->prepare(problem, tiling, &chosen, err));
    *out = chosen;
out:
    return status;
}
