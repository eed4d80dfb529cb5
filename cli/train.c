/* plethron train: from a table to a model. */
#define _POSIX_C_SOURCE 200809L

#include "labels.h"
#include "progress.h"
#include "report.h"
#include "train_arguments.h"
#include "units.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { HISTORY_EPOCHS = 1000 }; /* measured when --history-every is not given */

/* ---- From files to a data set and a bank ------------------------------------------------------------------------ */

/* Everything that one training holds. */
typedef struct training_job {
    plethron_table *table;
    size_t *feature_columns;
    size_t n_features;
    size_t n_samples;
    float *X;
    target_list targets;
    unit_grid units;
    float *start;
    plethron_device *device;
    plethron_dataset *dataset;
    plethron_bank *bank;
    double seconds;
    char plan[PLAN_TEXT];
} training_job;

static void job_release(training_job *job) {
    plethron_bank_close(job->bank);
    plethron_dataset_close(job->dataset);
    plethron_device_close(job->device);
    free(job->start);
    unit_grid_release(&job->units);
    target_list_release(&job->targets);
    free(job->X);
    free(job->feature_columns);
    plethron_table_close(job->table);
}

static bool holds(const size_t *columns, size_t count, size_t column) {
    for (size_t i = 0; i < count; i++)
        if (columns[i] == column) return true;
    return false;
}

static plethron_status find_columns(const plethron_table *table, const name_list *list, size_t *columns,
                                    plethron_error *err) {
    plethron_status status = PLETHRON_OK;
    for (size_t i = 0; i < list->count && status == PLETHRON_OK; i++)
        status = plethron_table_find(table, list->names[i], &columns[i], err);
    return status;
}

/* The named features, or all columns but the targets. */
static plethron_status choose_features(const train_arguments *a, const size_t *target_columns, training_job *job,
                                       plethron_error *err) {
    size_t n_columns = plethron_table_n_columns(job->table);
    plethron_status status = allocate(n_columns + a->features.count, sizeof(size_t), &job->feature_columns, err);
    if (status != PLETHRON_OK) return status;
    if (a->features.count) {
        job->n_features = a->features.count;
        return find_columns(job->table, &a->features, job->feature_columns, err);
    }
    for (size_t column = 0; column < n_columns; column++)
        if (!holds(target_columns, a->targets.count, column)) job->feature_columns[job->n_features++] = column;
    if (!job->n_features)
        return fail(err, PLETHRON_ERROR_FORMAT, "%s: every column is a target: none is left to learn from", a->data);
    return PLETHRON_OK;
}

static plethron_status read_features(const train_arguments *a, training_job *job, plethron_error *err) {
    plethron_status status = PLETHRON_OK;
    plethron_error cause;
    TRY(allocate(job->n_samples, job->n_features * sizeof *job->X, &job->X, err));
    status = plethron_table_numbers(job->table, job->feature_columns, job->n_features, job->X, &cause);
    if (status != PLETHRON_OK)
        fail(err, status, "%s%s", cause.text, a->features.count ? "" : "; --features chooses columns");
out:
    return status;
}

static plethron_status read_data(const train_arguments *a, training_job *job, plethron_error *err) {
    plethron_status status = PLETHRON_OK;
    size_t *target_columns = NULL;
    TRY(plethron_table_open(a->data, &job->table, err));
    job->n_samples = plethron_table_n_rows(job->table);
    TRY(allocate(a->targets.count, sizeof *target_columns, &target_columns, err));
    TRY(find_columns(job->table, &a->targets, target_columns, err));
    TRY(choose_features(a, target_columns, job, err));
    TRY(target_list_read(job->table, a->data, target_columns, a->targets.count, &job->targets, err));
    TRY(read_features(a, job, err));
out:
    free(target_columns);
    return status;
}

/* Spreads the one column of values [n_rows] over n_columns; from the last row on, so that it can be done in place. */
static void spread(float *values, size_t n_rows, size_t n_columns) {
    for (size_t i = n_rows; i-- > 0;) {
        float value = values[i];
        for (size_t j = 0; j < n_columns; j++) values[i * n_columns + j] = value;
    }
}

/* Reads start weights [n_features + 1, n_units]; one column serves all units. */
static plethron_status read_start(const train_arguments *a, training_job *job, plethron_error *err) {
    plethron_status status = PLETHRON_OK;
    plethron_table *table = NULL;
    size_t *columns = NULL;
    TRY(plethron_table_open(a->init_file, &table, err));
    size_t n_rows = plethron_table_n_rows(table);
    size_t n_columns = plethron_table_n_columns(table);
    size_t n_units = job->units.count;
    if (n_rows != job->n_features + 1 || (n_columns != n_units && n_columns != 1)) {
        status = fail(err, PLETHRON_ERROR_FORMAT,
                      "%s: has shape [%zu, %zu], but [%zu, %zu] (features and bias, units) or [%zu, 1] is needed",
                      a->init_file, n_rows, n_columns, job->n_features + 1, n_units, job->n_features + 1);
        goto out;
    }
    TRY(allocate(n_columns, sizeof *columns, &columns, err));
    for (size_t j = 0; j < n_columns; j++) columns[j] = j;
    TRY(allocate(n_rows, n_units * sizeof *job->start, &job->start, err));
    TRY(plethron_table_numbers(table, columns, n_columns, job->start, err));
    if (n_columns != n_units) spread(job->start, n_rows, n_units);
out:
    free(columns);
    plethron_table_close(table);
    return status;
}

static plethron_status name_bank(const training_job *job, plethron_error *err) {
    plethron_status status = PLETHRON_OK;
    const char **names = NULL;
    TRY(allocate(job->n_features, sizeof *names, &names, err));
    for (size_t k = 0; k < job->n_features; k++)
        names[k] = plethron_table_column_name(job->table, job->feature_columns[k]);
    TRY(plethron_bank_name_features(job->bank, names, err));
    TRY(target_list_name(&job->targets, job->bank, err));
out:
    free(names);
    return status;
}

static plethron_status make_bank(const train_arguments *a, training_job *job, plethron_error *err) {
    plethron_status status = PLETHRON_OK;
    TRY(unit_grid_make(&job->targets, &a->learning_rates, &a->l2s, &job->units, err));
    if (a->init_file) TRY(read_start(a, job, err));
    const plethron_bank_options bank_options = {
        .struct_size = sizeof bank_options,
        .learning_rate = {job->units.learning_rates, job->units.count},
        .l2 = {job->units.l2s, job->units.count},
        .epochs = {&a->epochs, 1},
        .loss = {&a->loss, 1},
        .target = {job->units.targets, job->units.count},
        .positive_class = {job->units.classes, job->units.count},
        .seed = {&a->seed, 1},
        .reduction = (plethron_reduction)a->reduction,
        .init = (plethron_init)a->init,
        .start = job->start,
    };
    TRY(plethron_bank_create(job->n_features, job->units.count, &bank_options, &job->bank, err));
    TRY(name_bank(job, err));
out:
    return status;
}

static plethron_status make_dataset(const train_arguments *a, training_job *job, plethron_error *err) {
    plethron_status status = PLETHRON_OK;
    const plethron_dataset_options dataset_options = {.struct_size = sizeof dataset_options,
                                                      .standardize = a->standardize};
    TRY(plethron_device_open(a->device, &job->device, err));
    TRY(plethron_dataset_create(job->device, job->X, job->n_samples, job->n_features, job->targets.Y,
                                job->targets.count, &dataset_options, &job->dataset, err));
out:
    return status;
}

/* ---- Training --------------------------------------------------------------------------------------------------- */

static int64_t history_interval(const train_arguments *a) {
    if (!a->history) return 0;
    if (a->history_every) return a->history_every;
    int64_t interval = (a->epochs + HISTORY_EPOCHS - 1) / HISTORY_EPOCHS;
    return interval ? interval : 1;
}

static double now_s(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

/* Trains and saves; PLETHRON_ERROR_INTERRUPTED when all was saved after an interrupt. */
static plethron_status train_and_save(const train_arguments *a, training_job *job, plethron_error *err) {
    plethron_status status = PLETHRON_OK;
    plethron_output *history = NULL;
    training_watch watch = {.wants_line = !a->quiet && isatty(STDERR_FILENO)};
    if (a->history) {
        TRY(plethron_output_open(a->history, &history, err));
        watch.history = plethron_output_stream(history);
        watch_history_header(&watch);
    }
    const plethron_train_options train_options = {
        .struct_size = sizeof train_options,
        .strategy = a->strategy,
        .measure_every = history_interval(a),
        .on_measures = watch_measures,
        .on_progress = watch_progress,
        .context = &watch,
    };
    double begin_s = now_s();
    plethron_status trained = plethron_train(job->dataset, job->bank, &train_options, err);
    job->seconds = now_s() - begin_s;
    watch_erase(&watch);
    memcpy(job->plan, watch.plan, sizeof job->plan);
    if (trained != PLETHRON_OK && trained != PLETHRON_ERROR_INTERRUPTED) {
        status = trained;
        goto out;
    }
    TRY(plethron_bank_save(job->bank, a->model, err));
    if (history) TRY(plethron_output_commit(history, err));
    status = trained;
out:
    plethron_output_close(history);
    return status;
}

/* ---- The summary ------------------------------------------------------------------------------------------------ */

typedef struct hit_counter {
    const training_job *job;
    const class_decision *decision;
    size_t n_hits;
} hit_counter;

static plethron_status count_hits(void *context, const float *P, size_t first_row, size_t n_rows, plethron_error *err) {
    (void)err;
    hit_counter *counter = context;
    const target_list *targets = &counter->job->targets;
    for (size_t i = 0; i < n_rows; i++) {
        size_t picked = decision_pick(counter->decision, P + i * counter->job->units.count);
        float wanted = targets->Y[(first_row + i) * targets->count + counter->decision->target];
        counter->n_hits += (float)picked == wanted;
    }
    return PLETHRON_OK;
}

/* Prints how many samples a target's units put into the right class, where each class has one unit. */
static plethron_status print_accuracy(const training_job *job, size_t target, plethron_error *err) {
    plethron_status status = PLETHRON_OK;
    class_decision decision = {0};
    plethron_error reason;
    if (decision_make(job->bank, target, &decision, &reason)) return PLETHRON_OK;
    hit_counter counter = {.job = job, .decision = &decision};
    TRY(predict_blocks(job->device, job->bank, job->X, job->n_samples, count_hits, &counter, err));
    char shown[NAME_SHOWN];
    if (job->targets.count > 1) printf("%s: ", name_show(job->targets.targets[target].name, shown));
    printf("training accuracy %.4f (%zu of %zu)\n", (double)counter.n_hits / (double)job->n_samples, counter.n_hits,
           job->n_samples);
out:
    decision_release(&decision);
    return status;
}

static plethron_status print_summary(const train_arguments *a, const training_job *job, plethron_error *err) {
    plethron_status status = PLETHRON_OK;
    report_line("device", "%s", plethron_device_describe(job->device)->name);
    report_line("plan", "%s", *job->plan ? job->plan : plethron_bank_strategy(job->bank));
    report_line("samples", "%zu", job->n_samples);
    report_line("features", "%zu%s", job->n_features, a->standardize ? ", standardized" : "");
    report_line("units", "%zu", job->units.count);
    report_line("epochs", "%" PRId64, a->epochs);
    report_line("loss", "%s, %s", loss_names[a->loss], reduction_names[a->reduction]);
    report_line("seconds", "%.3f", job->seconds);
    if (a->verbose)
        report_units(job->bank);
    else
        report_units_briefly(job->bank);
    for (size_t t = 0; t < job->targets.count; t++) TRY(print_accuracy(job, t, err));
out:
    return status;
}

static void say_transfers(const plethron_device *device) {
    plethron_counters counters = {.struct_size = sizeof counters};
    char up[NUMBER_TEXT], down[NUMBER_TEXT];
    if (plethron_device_counters(device, &counters, NULL)) return;
    say("%" PRIu64 " uploads (%s), %" PRIu64 " downloads (%s), %" PRIu64 " launches", counters.uploads,
        bytes_text(counters.upload_bytes, up), counters.downloads, bytes_text(counters.download_bytes, down),
        counters.launches);
}

static plethron_status train(const train_arguments *a, training_job *job, plethron_error *err) {
    plethron_status status = PLETHRON_OK;
    TRY(file_check_writable(a->model, err));
    TRY(read_data(a, job, err));
    TRY(make_bank(a, job, err));
    TRY(make_dataset(a, job, err));
    watch_interrupts();
    if (a->verbose) say("training %zu units on %s", job->units.count, plethron_device_describe(job->device)->name);
    status = train_and_save(a, job, err);
    if (status != PLETHRON_OK && status != PLETHRON_ERROR_INTERRUPTED) goto out;
    if (a->verbose) say_transfers(job->device);
    report_warnings(job->bank);
    bool was_interrupted = status == PLETHRON_ERROR_INTERRUPTED;
    if (was_interrupted) say("interrupted; what was trained is saved in %s", a->model);
    if (!a->quiet) TRY(print_summary(a, job, err));
    if (was_interrupted) status = PLETHRON_ERROR_INTERRUPTED;
out:
    return status;
}

int train_main(int argc, char **argv) {
    train_arguments a;
    training_job job = {0};
    plethron_error err;
    int code = train_arguments_parse(argc, argv, &a);
    if (code == CLI_GO_ON) {
        plethron_status status = train(&a, &job, &err);
        bool was_interrupted = status == PLETHRON_ERROR_INTERRUPTED;
        code = was_interrupted ? CLI_INTERRUPTED : status ? CLI_FAILED : CLI_DONE;
        if (code == CLI_FAILED) say("%s", err.text);
        if (!stdout_finish()) code = CLI_FAILED;
    }
    job_release(&job);
    train_arguments_release(&a);
    return code;
}
