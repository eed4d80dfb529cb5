#include "plan.h"

#include <string.h>

/* A row a strategy. When the predicted cost is equal, the first wins. */
static const strategy *const strategies[] = {&strategy_staged, &strategy_host};
enum { N_STRATEGIES = sizeof strategies / sizeof *strategies };

/* Tested combinations (tests/test_contract.c runs each). The wide ones hold their results in CPU vector registers; the
 * group ones share slices of both factors in local memory, 16 x 16 items a group. */
static const tile_sizes tilings[] = {
    /* name       local  unit    item     item  local  local
     *            memory vector  vectors  rows  units  rows */
    {"wide-32", false, 16, 2, 8, 1, 1},   {"wide-16", false, 16, 1, 8, 1, 1},  {"wide-8x2", false, 8, 2, 4, 1, 1},
    {"wide-8", false, 8, 1, 8, 1, 1},     {"wide-4", false, 4, 1, 8, 1, 1},    {"wide-2", false, 2, 1, 8, 1, 1},
    {"wide-1", false, 1, 1, 8, 1, 1},     {"group-64", true, 4, 1, 4, 16, 16}, {"group-16", true, 1, 1, 4, 16, 16},
    {"group-small", true, 1, 1, 2, 8, 8},
};

const tile_sizes *plan_tilings(size_t *count) {
    *count = sizeof tilings / sizeof *tilings;
    return tilings;
}

bool plan_tiling_fits(const plethron_device *device, const tile_sizes *tiling) {
    return tiling->local_units * tiling->local_rows <= device_max_group_items(device);
}

static const tile_sizes *find_tiling(const char *name) {
    for (size_t i = 0; i < sizeof tilings / sizeof *tilings; i++)
        if (strcmp(tilings[i].name, name) == 0) return &tilings[i];
    return NULL;
}

/* GPUs: local memory of its own says that a group should share what it loads. CPUs: as many units in a vector as the
 * device computes at once, and a second vector when there are units for it. */
tile_sizes plan_tiling(const plethron_device *device, size_t n_units) {
    const plethron_device_info *info = plethron_device_describe(device);
    const tile_sizes *wide[] = {find_tiling("wide-1"), find_tiling("wide-2"), find_tiling("wide-4"),
                                find_tiling("wide-8"), find_tiling("wide-16")};
    if (info->local_is_dedicated) {
        const tile_sizes *group = find_tiling(n_units > 16 ? "group-64" : "group-16");
        return plan_tiling_fits(device, group) ? *group : *find_tiling("group-small");
    }
    const unsigned width = device_vector_width(device);
    const tile_sizes *chosen = wide[0];
    for (size_t i = 1; i < sizeof wide / sizeof *wide; i++)
        if (wide[i]->unit_vector <= width && n_units > wide[i - 1]->unit_vector) chosen = wide[i];
    if (chosen->unit_vector == 16 && n_units > 16) chosen = find_tiling("wide-32");
    if (chosen->unit_vector == 8 && width == 8 && n_units > 8) chosen = find_tiling("wide-8x2");
    return *chosen;
}

/* ---- Memory ------------------------------------------------------------------------------------------------------ */

/* Bytes of the largest buffer and of all buffers of `staged` besides the data set, for a shard of units. */
static bool staged_bytes(const train_problem *problem, size_t shard_units, size_t n_parts, size_t *largest,
                         size_t *all) {
    const plethron_dataset *dataset = problem->dataset;
    size_t rows = dataset->n_samples + DATASET_ROW_PADDING, predictions, parts, weights;
    if (!size_multiply(rows, shard_units * sizeof(float), &predictions) ||
        !size_multiply(n_parts * dataset->n_features, shard_units * sizeof(float), &parts) ||
        !size_multiply(dataset->n_features + 1, problem->unit_stride * sizeof(float), &weights))
        return false;
    size_t sums = 4 * dataset->n_blocks * shard_units * sizeof(float);
    *largest = predictions > parts ? predictions : parts;
    if (weights > *largest) *largest = weights;
    *all = predictions + parts + weights + sums;
    return true;
}

/* Half of the device's memory is left to the data set and to others. */
static bool fits(const plethron_device_info *info, const train_problem *problem, size_t shard_units, size_t n_parts) {
    size_t largest, all;
    return staged_bytes(problem, shard_units, n_parts, &largest, &all) && largest <= info->max_alloc_bytes &&
           all <= info->memory_bytes / 2;
}

/* Groups that the gradient has without splitting it by blocks. */
static size_t gradient_groups(const train_plan *plan, size_t n_features, size_t shard_units) {
    const size_t unit_tile = (size_t)plan->tiling.unit_vector * plan->tiling.item_vectors * plan->tiling.local_units;
    const size_t row_tile = (size_t)plan->tiling.item_rows * plan->tiling.local_rows;
    return (shard_units + unit_tile - 1) / unit_tile * ((n_features + row_tile - 1) / row_tile);
}

/* Many groups sum the blocks (n_blocks parts) where that keeps a block's deltas in a CPU's caches, or where units and
 * features alone would leave a GPU's compute units idle; else one group sums all (1 part) and saves memory. */
static size_t wanted_parts(const train_problem *problem, const train_plan *plan, size_t shard_units) {
    const plethron_device_info *info = plethron_device_describe(problem->dataset->device);
    const size_t groups_wanted = 4 * (size_t)info->compute_units;
    const bool few_groups = gradient_groups(plan, problem->dataset->n_features, shard_units) < groups_wanted;
    return !info->local_is_dedicated || few_groups ? problem->dataset->n_blocks : 1;
}

/* On a CPU the predictions of a shard should stay in its last cache, a quarter of which they may take. */
static size_t first_shard(const train_problem *problem) {
    const plethron_device *device = problem->dataset->device;
    if (plethron_device_describe(device)->local_is_dedicated) return problem->unit_stride;
    const size_t units = device_cache_bytes(device) / 4 / (problem->dataset->n_samples * sizeof(float));
    const size_t shard = units / UNIT_PADDING * UNIT_PADDING;
    if (shard < UNIT_PADDING) return UNIT_PADDING;
    return shard < problem->unit_stride ? shard : problem->unit_stride;
}

/* The largest shard that fits. */
static plethron_status size_shard(const train_problem *problem, train_plan *plan, plethron_error *err) {
    const plethron_device_info *info = plethron_device_describe(problem->dataset->device);
    for (size_t shard = first_shard(problem);; shard = (shard / 2 + UNIT_PADDING - 1) / UNIT_PADDING * UNIT_PADDING) {
        plan->shard_units = shard;
        plan->n_parts = wanted_parts(problem, plan, shard);
        if (fits(info, problem, shard, plan->n_parts)) return PLETHRON_OK;
        plan->n_parts = 1;
        if (fits(info, problem, shard, plan->n_parts)) return PLETHRON_OK;
        if (shard == UNIT_PADDING) break;
    }
    size_t largest = 0, all = 0;
    staged_bytes(problem, UNIT_PADDING, 1, &largest, &all);
    return error_set(err, PLETHRON_ERROR_MEMORY,
                     "training on %zu samples needs %zu bytes on the device, %zu in one buffer, even for %d units at a "
                     "time; %s has %llu, of which half may be used, %llu in one buffer",
                     problem->dataset->n_samples, all, largest, UNIT_PADDING, info->name,
                     (unsigned long long)info->memory_bytes, (unsigned long long)info->max_alloc_bytes);
}

/* ---- Choice ------------------------------------------------------------------------------------------------------ */

static void describe(const train_problem *problem, train_plan *plan) {
    const plethron_device_info *info = plethron_device_describe(problem->dataset->device);
    const size_t n_units = plan->shard_units < problem->n_units ? plan->shard_units : problem->n_units;
    if (device_is_host(problem->dataset->device))
        snprintf(plan->text, sizeof plan->text, "%s: native C on %u cores", plan->strategy->name, info->compute_units);
    else
        snprintf(plan->text, sizeof plan->text, "%s on %s: tiling %s, %zu unit%s at a time, gradient in %zu part%s",
                 plan->strategy->name, info->name, plan->tiling.name, n_units, n_units == 1 ? "" : "s", plan->n_parts,
                 plan->n_parts == 1 ? "" : "s");
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

plethron_status plan_choose_with_tiling(const train_problem *problem, const char *name, const tile_sizes *tiling,
                                        train_plan *out, plethron_error *err) {
    plethron_status status;
    train_plan chosen = {.tiling = *tiling, .shard_units = problem->unit_stride, .n_parts = 1};
    TRY(choose_strategy(problem, name, &chosen.strategy, err));
    if (!device_is_host(problem->dataset->device)) TRY(size_shard(problem, &chosen, err));
    describe(problem, &chosen);
    *out = chosen;
out:
    return status;
}

plethron_status plan_choose(const train_problem *problem, const char *name, train_plan *out, plethron_error *err) {
    tile_sizes tiling = plan_tiling(problem->dataset->device, problem->n_units);
    return plan_choose_with_tiling(problem, name, &tiling, out, err);
}
