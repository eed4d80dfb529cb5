#include "predict_top.h"

#include "program.h"

#include <math.h>
#include <stdlib.h>

/* ---- Groups ------------------------------------------------------------------------------------------------------ */

static plethron_status check_units(const plethron_top *top, size_t n_units, plethron_error *err) {
    for (int64_t e = top->offsets[0]; e < top->offsets[top->n_groups]; e++)
        if (top->units[e] < 0 || (size_t)top->units[e] >= n_units)
            return error_set(err, PLETHRON_ERROR_ARGUMENT, "units[%lld] is %d: there are %zu units", (long long)e,
                             (int)top->units[e], n_units);
    return PLETHRON_OK;
}

static plethron_status check_groups(const plethron_top *top, plethron_error *err) {
    if (!top->offsets || !top->units)
        return error_set(err, PLETHRON_ERROR_ARGUMENT, "offsets or units of %zu groups are NULL", top->n_groups);
    if (top->offsets[0] < 0)
        return error_set(err, PLETHRON_ERROR_ARGUMENT, "offsets[0] is %lld: expected 0 or more",
                         (long long)top->offsets[0]);
    for (size_t g = 0; g < top->n_groups; g++)
        if (top->offsets[g + 1] <= top->offsets[g])
            return error_set(err, PLETHRON_ERROR_ARGUMENT, "offsets[%zu] is %lld after %lld: a group has units", g + 1,
                             (long long)top->offsets[g + 1], (long long)top->offsets[g]);
    return PLETHRON_OK;
}

static size_t smallest_group(const plethron_top *top, size_t n_units) {
    size_t least = top->n_groups ? SIZE_MAX : n_units;
    for (size_t g = 0; g < top->n_groups; g++)
        least = size_smaller(least, (size_t)(top->offsets[g + 1] - top->offsets[g]));
    return least;
}

static plethron_status check(const plethron_top *top, size_t n_units, size_t *n_members, plethron_error *err) {
    plethron_status status = PLETHRON_OK;
    if (top->n_groups > 0) TRY(check_groups(top, err));
    *n_members = top->n_groups ? (size_t)(top->offsets[top->n_groups] - top->offsets[0]) : n_units;
    const size_t least = smallest_group(top, n_units);
    if (n_units > INT32_MAX || *n_members > INT32_MAX)
        TRY(error_set(err, PLETHRON_ERROR_ARGUMENT, "groups of %zu of %zu units: at most %d are allowed", *n_members,
                      n_units, INT32_MAX));
    if (top->n_top == 0 || top->n_top > least)
        TRY(error_set(err, PLETHRON_ERROR_ARGUMENT, "n_top is %zu: 1 to %zu, the units of the smallest group, expected",
                      top->n_top, least));
    if (top->n_groups > 0) TRY(check_units(top, n_units, err));
out:
    return status;
}

plethron_status top_groups_make(const plethron_top *top, size_t n_units, top_groups *out, plethron_error *err) {
    plethron_status status;
    void *offsets = NULL, *units = NULL;
    size_t n_members = 0;
    TRY(check(top, n_units, &n_members, err));
    top_groups made = {.n_top = top->n_top, .n_groups = top->n_groups ? top->n_groups : 1, .needs_all = top->needs_all};
    TRY(memory_allocate(made.n_groups + 1, sizeof *made.offsets, "groups of units", &offsets, err));
    TRY(memory_allocate(n_members, sizeof *made.units, "groups of units", &units, err));
    made.n_results = made.n_groups * made.n_top;
    made.offsets = offsets;
    made.units = units;
    for (size_t g = 0; g < top->n_groups; g++) made.offsets[g] = (int32_t)(top->offsets[g] - top->offsets[0]);
    made.offsets[made.n_groups] = (int32_t)n_members;
    for (size_t e = 0; e < n_members; e++)
        made.units[e] = top->n_groups ? top->units[(size_t)top->offsets[0] + e] : (int32_t)e;
    *out = made;
    return PLETHRON_OK;
out:
    free(units);
    free(offsets);
    return status;
}

void top_groups_release(top_groups *groups) {
    free(groups->offsets);
    free(groups->units);
    groups->offsets = groups->units = NULL;
}

/* ---- The host ---------------------------------------------------------------------------------------------------- */

static bool stands_before(float a, float b) {
    return a > b || (isnan(b) && !isnan(a));
}

/* Of one group and row p; the first n_top of those seen so far stand sorted in the results. */
static void find_in_group(const top_groups *groups, size_t group, const float *p, int32_t *units, float *top) {
    const size_t n_top = groups->n_top;
    size_t n = 0;
    for (int32_t e = groups->offsets[group]; e < groups->offsets[group + 1]; e++) {
        const float candidate = p[groups->in_order ? e : groups->units[e]];
        if (groups->needs_all && isnan(candidate)) {
            for (size_t t = 0; t < n_top; t++) {
                units[t] = PLETHRON_NONE;
                top[t] = NAN;
            }
            return;
        }
        if (n == n_top && !stands_before(candidate, top[n - 1])) continue;
        size_t at = n < n_top ? n++ : n - 1;
        for (; at > 0 && stands_before(candidate, top[at - 1]); at--) {
            top[at] = top[at - 1];
            units[at] = units[at - 1];
        }
        top[at] = candidate;
        units[at] = groups->units[e];
    }
}

static void find_in_rows(const top_groups *groups, const float *P, size_t p_stride, size_t n_rows, int32_t *units,
                         float *top) {
#pragma omp parallel for if (n_rows > 64)
    for (size_t i = 0; i < n_rows; i++)
        for (size_t g = 0; g < groups->n_groups; g++) {
            const size_t result = i * groups->n_results + g * groups->n_top;
            find_in_group(groups, g, P + i * p_stride, units + result, top + result);
        }
}

plethron_status plethron_top_find(const plethron_top *top, const float *P, size_t n_samples, size_t n_units,
                                  int32_t *units, float *p, plethron_error *err) {
    top_groups groups;
    const plethron_status status = top_groups_make(top, n_units, &groups, err);
    if (status != PLETHRON_OK) return status;
    find_in_rows(&groups, P, n_units, n_samples, units, p);
    top_groups_release(&groups);
    return PLETHRON_OK;
}

/* ---- The stage --------------------------------------------------------------------------------------------------- */

enum { WORK_GROUP = 64, MAX_LANES = 32, CPU_GROUPS = 32 };

struct top_stage {
    plethron_device *device;
    const top_groups *groups;
    size_t lanes, work_group, item_groups;
    device_buffer *offsets, *units;
    device_program *program; /* NULL on the host */
    device_kernel *kernel;
};

/* As many as a group has units, of those that there may be. */
static size_t choose_lanes(const top_groups *groups, size_t most) {
    const size_t n_units = (size_t)groups->offsets[groups->n_groups] / groups->n_groups;
    size_t lanes = 1;
    while (lanes < most && lanes < n_units) lanes *= 2;
    return lanes;
}

static plethron_status open_kernel(top_stage *stage, bool rows_are_shared, plethron_error *err) {
    static const char *const sources[] = {"arithmetic.cl", "top.cl"};
    plethron_status status;
    char options[128];
    const size_t most = rows_are_shared ? MAX_LANES : device_vector_width(stage->device);
    const size_t lanes = choose_lanes(stage->groups, most), vector = rows_are_shared ? 1 : lanes;
    stage->lanes = rows_are_shared ? lanes : 1;
    stage->work_group = rows_are_shared ? WORK_GROUP : 1;
    stage->item_groups = rows_are_shared ? 1 : CPU_GROUPS;
    snprintf(options, sizeof options, "-DUNIT_VECTOR=%zu -DLANES=%zu -DWORK_GROUP=%zu -DITEM_GROUPS=%zu", vector,
             stage->lanes, stage->work_group, stage->item_groups);
    TRY(program_open(stage->device, sources, sizeof sources / sizeof *sources, options, &stage->program, err));
    TRY(program_kernel(stage->program, "top", &stage->kernel, err));
out:
    return status;
}

static plethron_status upload(plethron_device *device, const int32_t *values, size_t n, device_buffer **out,
                              plethron_error *err) {
    plethron_status status;
    TRY(device_buffer_create(device, n * sizeof *values, "groups of units", out, err));
    TRY(device_buffer_upload(*out, 0, n * sizeof *values, values, err));
out:
    return status;
}

plethron_status top_stage_open(plethron_device *device, const top_groups *groups, bool rows_are_shared, top_stage **out,
                               plethron_error *err) {
    plethron_status status;
    void *memory = NULL;
    top_stage *stage = NULL;
    TRY(memory_allocate(1, sizeof *stage, "a stage", &memory, err));
    stage = memory;
    stage->device = device;
    stage->groups = groups;
    if (!device_is_host(device)) {
        TRY(open_kernel(stage, rows_are_shared, err));
        TRY(upload(device, groups->offsets, groups->n_groups + 1, &stage->offsets, err));
        TRY(upload(device, groups->units, (size_t)groups->offsets[groups->n_groups], &stage->units, err));
    }
    *out = stage;
    stage = NULL;
out:
    top_stage_close(stage);
    return status;
}

void top_stage_close(top_stage *stage) {
    if (!stage) return;
    kernel_close(stage->kernel);
    program_close(stage->program);
    device_buffer_close(stage->units);
    device_buffer_close(stage->offsets);
    free(stage);
}

plethron_status top_stage_run(const top_stage *stage, device_buffer *P, size_t p_stride, size_t n_rows,
                              device_buffer *units, device_buffer *p, plethron_error *err) {
    const top_groups *groups = stage->groups;
    if (!stage->kernel) {
        find_in_rows(groups, device_buffer_on_host(P), p_stride, n_rows, device_buffer_on_host(units),
                     device_buffer_on_host(p));
        return PLETHRON_OK;
    }
    const size_t n_items = size_divide_up(n_rows * groups->n_groups, stage->item_groups) * stage->lanes;
    const kernel_range range = {.global = {size_divide_up(n_items, stage->work_group) * stage->work_group, 1, 1},
                                .local = {stage->work_group, 1, 1}};
    return kernel_launch(stage->kernel, &range, err, "bbbbbiiiii", P, stage->offsets, stage->units, units, p,
                         (int)p_stride, (int)n_rows, (int)groups->n_groups, (int)groups->n_top, groups->needs_all);
}
