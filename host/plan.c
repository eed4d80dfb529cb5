#include "plan.h"

#include "random.h"

#include <stdlib.h>
#include <string.h>

/* A row a strategy. When the predicted cost is equal, the first wins. */
static const strategy *const strategies[] = {&strategy_rows,    &strategy_fused,  &strategy_staged, &strategy_resident,
                                             &strategy_grouped, &strategy_sparse, &strategy_host};
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

static bool applies(const strategy *to, const train_problem *problem, char *why, size_t why_bytes) {
    const bool is_sparse = problem->dataset->sparse != NULL;
    if (to->is_sparse == is_sparse) return to->applicable(problem, why, why_bytes);
    snprintf(why, why_bytes, "it needs %s features, the data set's are %s", to->is_sparse ? "sparse" : "dense",
             is_sparse ? "sparse" : "dense");
    return false;
}

static plethron_status choose_strategy(const train_problem *problem, const char *name, const strategy **out,
                                       plethron_error *err) {
    const bool by_name = name && *name;
    const strategy *best = NULL;
    bool known = false;
    char reasons[768] = "";
    for (size_t i = 0; i < N_STRATEGIES; i++) {
        char why[256] = "";
        if (by_name && strcmp(strategies[i]->name, name) != 0) continue;
        known = true;
        if (!applies(strategies[i], problem, why, sizeof why)) {
            const size_t used = strlen(reasons);
            snprintf(reasons + used, sizeof reasons - used, "%s%s: %s", used ? "; " : "", strategies[i]->name, why);
            continue;
        }
        if (!best || strategies[i]->cost(problem) < best->cost(problem)) best = strategies[i];
    }
    if (!known) return unknown_strategy(name, err);
    if (!best && by_name)
        return error_set(err, PLETHRON_ERROR_UNSUPPORTED, "the strategy '%s' does not apply: %s", name,
                         reasons + strlen(name) + strlen(": "));
    if (!best) return error_set(err, PLETHRON_ERROR_UNSUPPORTED, "no strategy applies: %s", reasons);
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

/* ---- All that apply ---------------------------------------------------------------------------------------------- */

void plan_list_close(plan_candidates *list) {
    free(list->plans);
    *list = (plan_candidates){0};
}

/* Adds the strategy's plan with these tile sizes, if it can be had and is not there yet. */
static void add_plan(const train_problem *problem, const strategy *with, const tile_sizes *tiling,
                     plan_candidates *list) {
    train_plan plan = {.strategy = with, .shard_units = problem->unit_stride, .n_parts = 1};
    if (with->prepare(problem, tiling, &plan, NULL) != PLETHRON_OK) return;
    for (size_t i = 0; i < list->count; i++)
        if (strcmp(list->plans[i].text, plan.text) == 0) return;
    list->plans[list->count++] = plan;
}

plethron_status plan_list(const train_problem *problem, const char *name, plan_candidates *out, plethron_error *err) {
    plethron_status status;
    const strategy *cheapest;
    void *memory = NULL;
    size_t n_tilings;
    char why[256];
    const bool by_name = name && *name;
    const tile_sizes *tilings = tilings_all(&n_tilings);
    plan_candidates list = {0};
    TRY(choose_strategy(problem, name, &cheapest, err)); /* so that there is one */
    TRY(memory_allocate(N_STRATEGIES * (n_tilings + 1), sizeof(train_plan), "plans", &memory, err));
    list.plans = memory;
    for (size_t s = 0; s < N_STRATEGIES; s++) {
        if (by_name && strcmp(strategies[s]->name, name) != 0) continue;
        if (!applies(strategies[s], problem, why, sizeof why)) continue;
        add_plan(problem, strategies[s], NULL, &list);
        for (size_t t = 0; t < n_tilings; t++)
            if (tiling_fits(problem->dataset->device, &tilings[t]))
                add_plan(problem, strategies[s], &tilings[t], &list);
    }
    if (list.count == 0) TRY(plan_choose(problem, name, NULL, list.plans, err)); /* fails as it does */
    *out = list;
    list = (plan_candidates){0};
out:
    plan_list_close(&list);
    return status;
}

plethron_status plan_random(const train_problem *problem, const char *name, int64_t seed, train_plan *out,
                            plethron_error *err) {
    plan_candidates list = {0};
    plethron_status status = plan_list(problem, name, &list, err);
    if (status != PLETHRON_OK) return status;
    *out = list.plans[random_permuted(0, list.count, seed, RANDOM_FOR_PLANS)];
    plan_list_close(&list);
    return PLETHRON_OK;
}
