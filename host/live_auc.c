/* The area under the ROC curve of the live units (kernels/auc.cl). */
#include "live.h"

#include <stdlib.h>

/* Units whose rows are sorted at once. */
enum { SHARD_UNITS = UNIT_PADDING };

typedef struct auc_run {
    live_set *live;
    device_program *program;
    device_kernel *keys, *sort, *sum;
    device_buffer *z;                /* [z_rows, SHARD_UNITS] */
    device_buffer *places, *weights; /* [n_places, SHARD_UNITS] */
    device_buffer *totals;           /* [AUC_SUMS, unit_stride] */
    size_t n_places;
    size_t z_rows;
} auc_run;

size_t live_auc_places(size_t n_rows) {
    size_t power = DATASET_TILE;
    while (power < n_rows) power *= 2;
    return power;
}

size_t live_auc_bytes(const train_problem *problem) {
    if (problem->has_ranges) return live_auc_ranges_bytes(problem);
    return live_auc_places(problem->dataset->n_samples) * SHARD_UNITS * sizeof(float);
}

static void run_close(auc_run *run) {
    device_buffer_close(run->totals);
    device_buffer_close(run->weights);
    device_buffer_close(run->places);
    device_buffer_close(run->z);
    kernel_close(run->sum);
    kernel_close(run->sort);
    kernel_close(run->keys);
    program_close(run->program);
}

static plethron_status run_open(auc_run *run, plethron_error *err) {
    enum { Z_ROWS = 64 * DATASET_BLOCK_ROWS };
    plethron_status status;
    const train_problem *p = run->live->problem;
    plethron_device *device = run->live->device;
    const char *const sources[] = {"arithmetic.cl", "unit.cl", "row.cl", "auc_area.cl", "auc.cl"};
    const size_t bytes = live_auc_bytes(p);
    run->n_places = live_auc_places(p->dataset->n_samples);
    run->z_rows = run->n_places < Z_ROWS ? run->n_places : Z_ROWS;
    TRY(tiling_program(device, &run->live->plan->tiling, p->uses, PLETHRON_STORAGE_F32, sources,
                       sizeof sources / sizeof *sources, &run->program, err));
    TRY(program_kernel(run->program, "auc_keys", &run->keys, err));
    TRY(program_kernel(run->program, "auc_sort", &run->sort, err));
    TRY(program_kernel(run->program, "auc_sum", &run->sum, err));
    TRY(device_buffer_create(device, forward_out_rows(run->z_rows) * SHARD_UNITS * sizeof(float), "the predictions",
                             &run->z, err));
    TRY(device_buffer_create(device, bytes, "the rows to sort", &run->places, err));
    TRY(device_buffer_create(device, bytes, "the weights of the rows to sort", &run->weights, err));
    TRY(device_buffer_create(device, AUC_SUMS * p->unit_stride * sizeof(float), "the areas", &run->totals, err));
out:
    return status;
}

static plethron_status launch_keys(auc_run *run, unit_shard shard, row_batch rows, size_t n_real, bool held,
                                   plethron_error *err) {
    const kernel_range range = tiling_flat(&run->live->plan->tiling, shard.count, rows.count);
    return kernel_launch(run->keys, &range, err, "bbb" ROW_TYPES "iiiiiii", run->z, run->places, run->weights,
                         ROW_ARGUMENTS(run->live), (int)rows.first, (int)n_real, (int)held, (int)shard.first,
                         (int)shard.count, SHARD_UNITS, SHARD_UNITS);
}

static plethron_status fill(auc_run *run, unit_shard shard, bool held, plethron_error *err) {
    plethron_status status = PLETHRON_OK;
    const size_t n_samples = run->live->problem->dataset->n_samples;
    for (size_t row = 0; row < n_samples; row += run->z_rows) {
        const size_t left = n_samples - row;
        const row_batch rows = {row, left < run->z_rows ? left : run->z_rows};
        TRY(live_forward(run->live, shard, &rows, run->z, SHARD_UNITS, false, err));
        TRY(launch_keys(run, shard, rows, rows.count, held, err));
    }
    if (run->n_places > n_samples)
        TRY(launch_keys(run, shard, (row_batch){n_samples, run->n_places - n_samples}, 0, held, err));
out:
    return status;
}

static plethron_status sort(auc_run *run, unit_shard shard, plethron_error *err) {
    plethron_status status = PLETHRON_OK;
    enum { PAIRS = 64 }; /* of a group of one item, which CPUs want */
    const tile_sizes *tiling = &run->live->plan->tiling;
    size_t n_pairs = tiling->local_memory ? 1 : PAIRS;
    if (n_pairs > run->n_places / 2) n_pairs = run->n_places / 2;
    const kernel_range range = tiling_flat(tiling, shard.count, run->n_places / 2 / n_pairs);
    for (size_t length = 2; length <= run->n_places; length *= 2)
        for (size_t distance = length / 2; distance > 0; distance /= 2) {
            TRY(kernel_launch(run->sort, &range, err, "bbiiiii", run->places, run->weights, (int)shard.count,
                              (int)length, (int)distance, (int)n_pairs, SHARD_UNITS));
            TRY(live_count_launches(run->live, 1, err));
        }
out:
    return status;
}

static plethron_status sum_shard(auc_run *run, unit_shard shard, bool held, plethron_error *err) {
    plethron_status status;
    const kernel_range range = tiling_flat(&run->live->plan->tiling, shard.count, 1);
    TRY(fill(run, shard, held, err));
    TRY(sort(run, shard, err));
    TRY(kernel_launch(run->sum, &range, err, "bbbiiiii", run->places, run->weights, run->totals, (int)run->n_places,
                      (int)shard.first, (int)shard.count, SHARD_UNITS, (int)run->live->problem->unit_stride));
out:
    return status;
}

plethron_status live_auc(live_set *live, bool held, float *totals, plethron_error *err) {
    plethron_status status;
    auc_run run = {.live = live};
    const train_problem *p = live->problem;
    if (p->has_ranges) return live_auc_ranges(live, held, totals, err);
    TRY(live_restore_order(live, err));
    TRY(run_open(&run, err));
    for (size_t unit = 0; unit < p->n_units; unit += SHARD_UNITS) {
        const size_t left = p->n_units - unit;
        TRY(sum_shard(&run, (unit_shard){unit, left < SHARD_UNITS ? left : SHARD_UNITS}, held, err));
    }
    TRY(device_buffer_download(run.totals, 0, AUC_SUMS * p->unit_stride * sizeof *totals, totals, err));
out:
    run_close(&run);
    return status;
}
