#define _POSIX_C_SOURCE 200809L

#include "bench_device.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* What one run took. */
typedef struct run_seconds {
    double upload, device, end_to_end;
} run_seconds;

typedef struct training_clock {
    double first_s, last_s;
    char plan[BENCH_TEXT];
} training_clock;

/* Epochs run between the first call and the last one. */
static bool on_progress(void *context, const plethron_progress *progress) {
    training_clock *clock = context;
    if (progress->epoch == 0) clock->first_s = progress->elapsed_s;
    clock->last_s = progress->elapsed_s;
    if (progress->plan) snprintf(clock->plan, sizeof clock->plan, "%s", progress->plan);
    return true;
}

static plethron_status create_dataset(const bench_problem *p, plethron_device *device, plethron_dataset **out,
                                      plethron_error *err) {
    const bench_case *shape = p->shape;
    int64_t *offsets = NULL;
    plethron_dataset_options options = {
        .struct_size = sizeof options, .storage = shape->storage, .folds = shape->n_folds ? p->folds : NULL};
    plethron_status status = allocate(shape->n_units + 1, sizeof *offsets, &offsets, err);
    if (status != PLETHRON_OK) return status;
    for (size_t j = 0; j <= shape->n_units; j++) offsets[j] = (int64_t)(j * shape->n_entity_rows);
    if (shape->n_entity_rows) {
        options.entity_offsets = offsets;
        options.n_entities = shape->n_units;
    }
    status = plethron_dataset_create(device, p->X, shape->n_samples, shape->n_features, p->Y, 1, &options, out, err);
    free(offsets);
    return status;
}

static plethron_status create_bank(const bench_problem *p, int64_t epochs, plethron_bank **out, plethron_error *err) {
    const bench_case *shape = p->shape;
    const int64_t loss = shape->loss;
    const plethron_bank_options options = {
        .struct_size = sizeof options,
        .learning_rate = {p->learning_rate, shape->n_units},
        .l2 = {&shape->l2, 1},
        .tolerance = {&shape->tolerance, 1},
        .excluded_fold = {p->excluded_fold, shape->n_units},
        .epochs = {&epochs, 1},
        .loss = {&loss, 1},
        .positive_class = {p->positive_class, p->positive_class ? shape->n_units : 0},
        .reduction = shape->reduction,
        .start = p->start,
        .entity = {p->entity, shape->n_entity_rows ? shape->n_units : 0},
    };
    return plethron_bank_create(shape->n_features, shape->n_units, &options, out, err);
}

static plethron_status run_training(const bench_problem *p, plethron_device *device, int64_t epochs, run_seconds *took,
                                    bench_row *row, plethron_error *err) {
    plethron_status status = PLETHRON_OK;
    plethron_dataset *data = NULL;
    plethron_bank *bank = NULL;
    training_clock clock = {0};
    const plethron_train_options how = {.struct_size = sizeof how, .on_progress = on_progress, .context = &clock};
    const double start_s = bench_clock_s();
    TRY(create_dataset(p, device, &data, err));
    took->upload = bench_clock_s() - start_s;
    TRY(create_bank(p, epochs, &bank, err));
    TRY(plethron_train(data, bank, &how, err));
    took->end_to_end = bench_clock_s() - start_s;
    took->device = clock.last_s - clock.first_s;
    snprintf(row->strategy, sizeof row->strategy, "%s", plethron_bank_strategy(bank));
    snprintf(row->plan, sizeof row->plan, "%s", clock.plan);
    row->error = bench_error_of_weights(p, plethron_bank_weights(bank), plethron_bank_biases(bank));
out:
    plethron_bank_close(bank);
    plethron_dataset_close(data);
    return status;
}

static plethron_status run_prediction(const bench_problem *p, plethron_device *device, run_seconds *took,
                                      bench_row *row, plethron_error *err) {
    plethron_status status = PLETHRON_OK;
    plethron_bank *bank = NULL;
    float *P = NULL;
    TRY(allocate(p->shape->n_samples * p->shape->n_units, sizeof *P, &P, err));
    TRY(create_bank(p, 0, &bank, err));
    memset(P, 0, p->shape->n_samples * p->shape->n_units * sizeof *P); /* memory that was never written is not there */
    const double start_s = bench_clock_s();
    TRY(plethron_predict(device, bank, p->X, p->shape->n_samples, P, err));
    *took = (run_seconds){NAN, NAN, bench_clock_s() - start_s};
    row->error = bench_error_of_predictions(p, P);
out:
    plethron_bank_close(bank);
    free(P);
    return status;
}

static plethron_status run(const bench_problem *p, plethron_device *device, run_seconds *took, bench_row *row,
                           plethron_error *err) {
    if (p->shape->kind == BENCH_PREDICT) return run_prediction(p, device, took, row, err);
    return run_training(p, device, p->shape->epochs, took, row, err);
}

static plethron_status check_result(const bench_row *row, plethron_error *err) {
    const double tolerance = bench_tolerance(row->shape);
    if (row->error <= tolerance) return PLETHRON_OK;
    return fail(err, PLETHRON_ERROR_DEVICE, "%s on %s: the result is wrong by %.3g where %.3g is allowed: not timed",
                row->shape->name, row->device, row->error, tolerance);
}

/* Runs a share of the epochs to see how long all of them would take; once more where that seems too long, since the
 * first run may have had kernels to compile. */
static plethron_status check_length(const bench_problem *p, plethron_device *device, double most_s, bench_row *row,
                                    plethron_error *err) {
    enum { SHARE = 100 };
    plethron_status status = PLETHRON_OK;
    const bench_case *shape = p->shape;
    run_seconds took = {0};
    if (!isfinite(most_s) || shape->kind != BENCH_TRAIN || shape->epochs < SHARE) return PLETHRON_OK;
    for (int i = 0; i == 0 || (i == 1 && SHARE * took.device > most_s); i++)
        TRY(run_training(p, device, shape->epochs / SHARE, &took, row, err));
    if (SHARE * took.device > most_s)
        status =
            fail(err, PLETHRON_ERROR_UNSUPPORTED,
                 "%s on %s: left out, since a run would take about %.0f s, of at most %.0f; '--case %s' measures it",
                 shape->name, row->device, SHARE * took.device, most_s, shape->name);
out:
    return status;
}

plethron_status bench_device_measure(const bench_problem *p, plethron_device *device, const char *selector,
                                     double most_s, bench_row *row, plethron_error *err) {
    plethron_status status = PLETHRON_OK;
    run_seconds took = {0};
    double upload_s[BENCH_REPEATS], device_s[BENCH_REPEATS], end_to_end_s[BENCH_REPEATS];
    *row = (bench_row){.shape = p->shape,
                       .n_units = p->shape->n_units,
                       .epochs = p->shape->epochs,
                       .storage = p->shape->storage,
                       .cold_s = NAN,
                       .warm_s = NAN};
    snprintf(row->device, sizeof row->device, "%s", selector);
    bench_step("%s on %s: verifying", p->shape->name, selector);
    TRY(check_length(p, device, most_s, row, err));
    TRY(run(p, device, &took, row, err));
    TRY(check_result(row, err));
    row->n_repeats = bench_repeats(took.end_to_end);
    for (int i = 0; i < row->n_repeats; i++) {
        bench_step("%s on %s: run %d of %d", p->shape->name, selector, i + 1, row->n_repeats);
        if (row->n_repeats > 1) TRY(run(p, device, &took, row, err));
        if (i == 0) row->n_repeats = bench_repeats(took.end_to_end); /* now without what compiling took */
        upload_s[i] = took.upload;
        device_s[i] = took.device;
        end_to_end_s[i] = took.end_to_end;
    }
    row->upload = bench_summary(upload_s, (size_t)row->n_repeats);
    row->device_time = bench_summary(device_s, (size_t)row->n_repeats);
    row->end_to_end = bench_summary(end_to_end_s, (size_t)row->n_repeats);
out:
    return status;
}

/* ---- Ceilings ---------------------------------------------------------------------------------------------------- */

static void keep_larger(double *kept, double measured) {
    if (measured > *kept) *kept = measured;
}

plethron_status bench_device_ceilings(plethron_device *device, plethron_ceilings *kept, plethron_error *err) {
    plethron_ceilings now = {.struct_size = sizeof now};
    const plethron_status status = plethron_ceilings_measure(device, &now, err);
    if (status != PLETHRON_OK) return status;
    keep_larger(&kept->fma_flops_per_s, now.fma_flops_per_s);
    keep_larger(&kept->read_bytes_per_s, now.read_bytes_per_s);
    keep_larger(&kept->upload_bytes_per_s, now.upload_bytes_per_s);
    keep_larger(&kept->download_bytes_per_s, now.download_bytes_per_s);
    if (!(kept->launch_s <= now.launch_s)) kept->launch_s = now.launch_s;
    if (!(kept->batched_launch_s <= now.batched_launch_s)) kept->batched_launch_s = now.batched_launch_s;
    return PLETHRON_OK;
}

/* ---- Starts ------------------------------------------------------------------------------------------------------ */

int bench_start_main(const bench_case *shape, const char *selector, int64_t seed) {
    plethron_status status = PLETHRON_OK;
    plethron_error err;
    bench_problem p = {0};
    bench_case brief = *shape;
    plethron_device *device = NULL;
    bench_row row = {.shape = &brief};
    run_seconds took = {0};
    brief.epochs = shape->kind == BENCH_TRAIN; /* one */
    TRY(bench_problem_open(&brief, seed, &p, &err));
    const double start_s = bench_clock_s();
    TRY(plethron_device_open(selector, &device, &err));
    TRY(run(&p, device, &took, &row, &err));
    printf("%.6f\n", bench_clock_s() - start_s);
out:
    plethron_device_close(device);
    bench_problem_close(&p);
    if (status != PLETHRON_OK) say("%s", err.text);
    return status == PLETHRON_OK && stdout_finish() ? CLI_DONE : CLI_FAILED;
}
