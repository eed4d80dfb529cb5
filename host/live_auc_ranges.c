/* The area under the ROC curve of units that learn from rows of their own (kernels/auc_ranges.cl). */
#include "live.h"

#include <stdlib.h>

/* Places that are sorted at once, unless one unit needs more. */
enum { MOST_PLACES = 1 << 24 };

typedef struct ranges_run {
    live_set *live;
    device_program *program;
    device_kernel *keys, *sort, *sum;
    device_buffer *order, *first_place; /* [n_units], [n_units + 1] */
    device_buffer *places, *weights;    /* of the units that are sorted at once */
    device_buffer *totals;              /* [AUC_SUMS, unit_stride] */
    device_buffer *decoded;             /* the features, or NULL (forward_decode_all) */
    struct stretch *stretches;          /* [n_units] */
    int32_t *integers;                  /* [n_units + 1]: what is uploaded of some units */
} ranges_run;

/* The places of a unit. */
typedef struct stretch {
    int32_t unit;
    size_t n_places;
} stretch;

static size_t places_of(const train_problem *problem, size_t unit) {
    return live_auc_places((size_t)problem_integers(problem, UNIT_ROWS)[unit]);
}

size_t live_auc_ranges_bytes(const train_problem *problem) {
    size_t all = 0, longest = 0;
    for (size_t j = 0; j < problem->n_units; j++) {
        const size_t n = places_of(problem, j);
        all += n;
        if (n > longest) longest = n;
    }
    const size_t most = longest > MOST_PLACES ? longest : MOST_PLACES;
    return (all < most ? all : most) * sizeof(float);
}

/* ---- Opening ----------------------------------------------------------------------------------------------------- */

static void run_close(ranges_run *run) {
    device_buffer *buffers[] = {run->order, run->first_place, run->places, run->weights, run->totals, run->decoded};
    device_kernel *kernels[] = {run->keys, run->sort, run->sum};
    for (size_t i = 0; i < sizeof buffers / sizeof *buffers; i++) device_buffer_close(buffers[i]);
    for (size_t i = 0; i < sizeof kernels / sizeof *kernels; i++) kernel_close(kernels[i]);
    program_close(run->program);
    free(run->stretches);
    free(run->integers);
}

/* Lanes of a vector: on devices with local memory of their own a lane is an item. */
static unsigned vector_lanes(const ranges_run *run) {
    const tile_sizes *tiling = &run->live->plan->tiling;
    return tiling->local_memory ? 1 : tiling->unit_vector;
}

static plethron_status open_kernels(ranges_run *run, plethron_error *err) {
    plethron_status status;
    const char *const sources[] = {"arithmetic.cl", "store.cl",    "unit.cl",      "row.cl",
                                   "lanes.cl",      "auc_area.cl", "auc_ranges.cl"};
    char options[128];
    snprintf(options, sizeof options, "-DTILE=%d -DBLOCK_ROWS=%d -DUSES=%d -DSTORAGE=%d -DONE_UNIT=1 -DUNIT_VECTOR=%u",
             DATASET_TILE, DATASET_BLOCK_ROWS, run->live->problem->uses, (int)run->live->problem->dataset->storage,
             vector_lanes(run));
    TRY(program_open(run->live->device, sources, sizeof sources / sizeof *sources, options, &run->program, err));
    TRY(program_kernel(run->program, "auc_range_keys", &run->keys, err));
    TRY(program_kernel(run->program, "auc_range_sort", &run->sort, err));
    TRY(program_kernel(run->program, "auc_range_sum", &run->sum, err));
out:
    return status;
}

static plethron_status open_room(ranges_run *run, plethron_error *err) {
    plethron_status status;
    const train_problem *p = run->live->problem;
    plethron_device *device = run->live->device;
    const size_t bytes = live_auc_ranges_bytes(p), list_bytes = (p->n_units + 1) * sizeof(int32_t);
    TRY(device_buffer_create(device, list_bytes, "the order of the units", &run->order, err));
    TRY(device_buffer_create(device, list_bytes, "the units' rows to sort", &run->first_place, err));
    TRY(device_buffer_create(device, bytes, "the rows to sort", &run->places, err));
    TRY(device_buffer_create(device, bytes, "the weights of the rows to sort", &run->weights, err));
    TRY(device_buffer_create(device, AUC_SUMS * p->unit_stride * sizeof(float), "the areas", &run->totals, err));
out:
    return status;
}

/* Longest first; among equals the first unit first. */
static int compare_stretches(const void *a, const void *b) {
    const stretch *x = a, *y = b;
    if (x->n_places != y->n_places) return x->n_places < y->n_places ? 1 : -1;
    return (x->unit > y->unit) - (x->unit < y->unit);
}

static plethron_status order_units(ranges_run *run, plethron_error *err) {
    plethron_status status;
    void *memory = NULL;
    const train_problem *p = run->live->problem;
    TRY(memory_allocate(p->n_units + 1, sizeof *run->integers, "the order of the units", &memory, err));
    run->integers = memory;
    TRY(memory_allocate(p->n_units, sizeof *run->stretches, "the order of the units", &memory, err));
    run->stretches = memory;
    for (size_t j = 0; j < p->n_units; j++) run->stretches[j] = (stretch){(int32_t)j, places_of(p, j)};
    qsort(run->stretches, p->n_units, sizeof *run->stretches, compare_stretches);
out:
    return status;
}

/* ---- Some units -------------------------------------------------------------------------------------------------- */

/* Units of the order that are sorted at once. */
typedef struct unit_group {
    const stretch *stretches;
    size_t n_units;
    size_t n_places;
} unit_group;

static unit_group next_group(const stretch *stretches, size_t n_left) {
    unit_group group = {stretches, 0, 0};
    while (group.n_units < n_left) {
        const size_t n = stretches[group.n_units].n_places;
        if (group.n_units > 0 && group.n_places + n > MOST_PLACES) break;
        group.n_places += n;
        group.n_units++;
    }
    return group;
}

static plethron_status upload(ranges_run *run, const unit_group *group, plethron_error *err) {
    plethron_status status;
    const size_t n = group->n_units;
    for (size_t i = 0; i < n; i++) run->integers[i] = group->stretches[i].unit;
    TRY(device_buffer_upload(run->order, 0, n * sizeof *run->integers, run->integers, err));
    run->integers[0] = 0;
    for (size_t i = 0; i < n; i++) run->integers[i + 1] = run->integers[i] + (int32_t)group->stretches[i].n_places;
    TRY(device_buffer_upload(run->first_place, 0, (n + 1) * sizeof *run->integers, run->integers, err));
out:
    return status;
}

static kernel_range items(const ranges_run *run, size_t n) {
    enum { GROUP_ITEMS = 64 };
    const size_t local = run->live->plan->tiling.local_memory ? GROUP_ITEMS : 1;
    return (kernel_range){.global = {(n + local - 1) / local * local, 1, 1}, .local = {local, 1, 1}};
}

static plethron_status fill(ranges_run *run, const unit_group *group, bool held, plethron_error *err) {
    const live_set *live = run->live;
    const kernel_range range = items(run, group->n_places / vector_lanes(run));
    return kernel_launch(run->keys, &range, err, "bbbbbbb" ROW_TYPES "iiii", run->decoded ? run->decoded : live->X,
                         live->steps, live->weights, run->order, run->first_place, run->places, run->weights,
                         ROW_ARGUMENTS(live), (int)live->problem->dataset->n_features, (int)group->n_units,
                         (int)group->n_places, (int)held);
}

/* Places in stretches of `length` and more, or only of more. */
static size_t count_places(const unit_group *group, size_t length, bool only_longer) {
    size_t n_places = 0;
    for (size_t i = 0; i < group->n_units && group->stretches[i].n_places >= length + only_longer; i++)
        n_places += group->stretches[i].n_places;
    return n_places;
}

static plethron_status sort(ranges_run *run, const unit_group *group, plethron_error *err) {
    plethron_status status = PLETHRON_OK;
    enum { PAIRS = 64 }; /* of a group of one item, which CPUs want */
    const size_t n_pairs = run->live->plan->tiling.local_memory ? 1 : PAIRS;
    for (size_t length = 2; length <= group->stretches[0].n_places; length *= 2) {
        const size_t n_all = count_places(group, length, false) / 2, n_longer = count_places(group, length, true);
        const kernel_range range = items(run, (n_all + n_pairs - 1) / n_pairs);
        for (size_t distance = length / 2; distance > 0; distance /= 2) {
            TRY(kernel_launch(run->sort, &range, err, "bbiiiii", run->places, run->weights, (int)n_all, (int)length,
                              (int)distance, (int)n_longer, (int)n_pairs));
            TRY(live_count_launches(run->live, 1, err));
        }
    }
out:
    return status;
}

static plethron_status sum_group(ranges_run *run, const unit_group *group, bool held, plethron_error *err) {
    plethron_status status;
    const kernel_range range = items(run, group->n_units);
    TRY(upload(run, group, err));
    TRY(fill(run, group, held, err));
    TRY(sort(run, group, err));
    TRY(kernel_launch(run->sum, &range, err, "bbbbbii", run->places, run->weights, run->order, run->first_place,
                      run->totals, (int)group->n_units, (int)run->live->problem->unit_stride));
out:
    return status;
}

plethron_status live_auc_ranges(live_set *live, bool held, float *totals, plethron_error *err) {
    plethron_status status;
    ranges_run run = {.live = live};
    const train_problem *p = live->problem;
    TRY(order_units(&run, err));
    TRY(open_kernels(&run, err));
    TRY(open_room(&run, err));
    TRY(forward_decode_all(p->dataset, &run.decoded, err));
    for (size_t i = 0; i < p->n_units;) {
        const unit_group group = next_group(run.stretches + i, p->n_units - i);
        TRY(sum_group(&run, &group, held, err));
        i += group.n_units;
    }
    TRY(device_buffer_download(run.totals, 0, AUC_SUMS * p->unit_stride * sizeof *totals, totals, err));
out:
    run_close(&run);
    return status;
}
