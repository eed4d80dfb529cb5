/* plethron train: from a table to a model. */
#define _POSIX_C_SOURCE 200809L

#include "history.h"
#include "labels.h"
#include "progress.h"
#include "report.h"
#include "train_arguments.h"
#include "training_data.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { HISTORY_EPOCHS = 1000 }; /* measured when --history-every is not given */

/* ---- From files to a data set and a bank ------------------------------------------------------------------------ */

/* Everything that one training holds. */
typedef struct training_job {
    training_data data;
    unit_grid units;
    float *start;
    plethron_bank *bank;
    plethron_checkpoint *resume; /* NULL: from the start */
    training_watch watch;
    double seconds;
} training_job;

static void job_release(training_job *job) {
    plethron_checkpoint_close(job->resume);
    plethron_bank_close(job->bank);
    free(job->start);
    unit_grid_release(&job->units);
    training_data_release(&job->data);
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
    if (n_rows != job->data.n_features + 1 || (n_columns != n_units && n_columns != 1)) {
        status = fail(err, PLETHRON_ERROR_FORMAT,
                      "%s: has shape [%zu, %zu], but [%zu, %zu] (features and bias, units) or [%zu, 1] is needed",
                      a->init_file, n_rows, n_columns, job->data.n_features + 1, n_units, job->data.n_features + 1);
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

static plethron_status make_bank(const train_arguments *a, training_job *job, plethron_error *err) {
    plethron_status status;
    combination_list combinations = {0};
    const size_t n_entities = training_data_n_entities(&job->data);
    TRY(combinations_make(&a->bank, &combinations, err));
    TRY(unit_grid_make(&job->data.targets, &combinations, n_entities, 1, &job->units, err));
    if (a->init_file) TRY(read_start(a, job, err));
    const plethron_bank_options more = {
        .excluded_fold = {&a->hold_out, 1},
        .patience = {&a->bank.patience, 1},
        .init = (plethron_init)a->bank.init,
        .start = job->start,
    };
    TRY(unit_grid_bank(&job->units, &a->bank, job->data.n_features, &more, &job->bank, err));
    TRY(training_data_name(&job->data, &a->bank, job->bank, err));
out:
    combination_list_release(&combinations);
    return status;
}

static plethron_status make_dataset(const train_arguments *a, training_job *job, plethron_error *err) {
    plethron_status status = PLETHRON_OK;
    if (a->hold_out >= 0) TRY(training_data_fold(&a->bank, &job->data, err));
    if (a->hold_out >= (int64_t)job->data.n_folds) {
        status = fail(err, PLETHRON_ERROR_ARGUMENT, "%s: --hold-out %" PRId64 " is none of the folds 0 to %zu of '%s'",
                      a->bank.data, a->hold_out, job->data.n_folds - 1, a->bank.folds_column);
        goto out;
    }
    TRY(training_data_upload(&job->data, &a->bank, err));
out:
    return status;
}

/* ---- Training --------------------------------------------------------------------------------------------------- */

static int64_t history_interval(const train_arguments *a) {
    if (!a->history) return 0;
    if (a->history_every) return a->history_every;
    int64_t interval = (a->bank.epochs + HISTORY_EPOCHS - 1) / HISTORY_EPOCHS;
    return interval ? interval : 1;
}

/* Trains and saves; PLETHRON_ERROR_INTERRUPTED when all was saved after an interrupt. */
static plethron_status train_and_save(const train_arguments *a, training_job *job, plethron_error *err) {
    plethron_status status = PLETHRON_OK;
    plethron_output *history = NULL;
    training_watch *watch = &job->watch;
    watch->checkpoint = a->bank.checkpoint;
    if (a->history) {
        TRY(plethron_output_open(a->history, &history, err));
        watch->history = plethron_output_stream(history);
        if (job->resume)
            TRY(history_go_on(a->history, plethron_checkpoint_epochs(job->resume), watch->history, err));
        else
            history_begin(watch->history);
    }
    const plethron_train_options train_options = {
        .struct_size = sizeof train_options,
        .strategy = a->bank.strategy,
        .planning = (plethron_planning)a->bank.planning,
        .measure_every = history_interval(a),
        .on_measures = watch_measures,
        .on_progress = watch_progress,
        .context = watch,
        .auc = a->bank.auc,
        .progress_loss = watch->is_wanted,
        .on_checkpoint = watch->checkpoint ? watch_checkpoint : NULL,
        .checkpoint_every_s = a->bank.every_s,
        .resume = job->resume,
    };
    double begin_s = now_s();
    plethron_status trained = plethron_train(job->data.dataset, job->bank, &train_options, err);
    job->seconds = now_s() - begin_s;
    watch_erase(watch);
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

/* Rows whose target is not missing, that were trained on, or that were held out. */
typedef struct row_count {
    size_t n_rows;
    size_t n_hits; /* put into the right class */
} row_count;

typedef struct hit_counter {
    const training_job *job;
    const class_decision *decision;
    int64_t hold_out;
    row_count trained, held_out;
} hit_counter;

static plethron_status count_hits(void *context, const predictions *block, size_t first_row, size_t n_rows,
                                  plethron_error *err) {
    (void)err;
    hit_counter *counter = context;
    const target_list *targets = &counter->job->data.targets;
    for (size_t i = 0; i < n_rows; i++) {
        const float wanted = targets->Y[(first_row + i) * targets->count + counter->decision->target];
        const bool is_held = counter->hold_out >= 0 && counter->job->data.folds[first_row + i] == counter->hold_out;
        row_count *count = is_held ? &counter->held_out : &counter->trained;
        if (isnan(wanted)) continue;
        count->n_rows++;
        count->n_hits +=
            (float)decision_class(counter->decision, counter->job->bank, block->units[i], block->p[i]) == wanted;
    }
    return PLETHRON_OK;
}

static void print_count(const training_job *job, size_t target, const char *rows, const row_count *count) {
    char shown[NAME_SHOWN];
    if (job->data.targets.count > 1) printf("%s: ", name_show(job->data.targets.targets[target].name, shown));
    printf("%s accuracy %.4f (%zu of %zu)\n", rows, (double)count->n_hits / (double)count->n_rows, count->n_hits,
           count->n_rows);
}

/* Prints how many samples a target's units put into the right class, where each class has one unit. */
static plethron_status print_accuracy(const train_arguments *a, const training_job *job, size_t target,
                                      plethron_error *err) {
    plethron_status status = PLETHRON_OK;
    class_decision decision = {0};
    plethron_error reason;
    if (decision_make(job->bank, target, &decision, &reason)) return PLETHRON_OK;
    hit_counter counter = {.job = job, .decision = &decision, .hold_out = a->hold_out};
    const feature_rows rows = training_data_rows(&job->data);
    const int64_t offsets[] = {0, (int64_t)decision.n_units};
    const plethron_top likeliest = {
        .n_top = 1, .n_groups = 1, .offsets = offsets, .units = decision.units, .needs_all = true};
    TRY(predict_blocks(job->data.device, job->bank, &rows, &likeliest, count_hits, &counter, err));
    if (counter.trained.n_rows) print_count(job, target, "training", &counter.trained);
    if (counter.held_out.n_rows) print_count(job, target, "held-out", &counter.held_out);
out:
    decision_release(&decision);
    return status;
}

static plethron_status print_summary(const train_arguments *a, const training_job *job, plethron_error *err) {
    plethron_status status = PLETHRON_OK;
    report_line("device", "%s", plethron_device_describe(job->data.device)->name);
    report_line("plan", "%s", *job->watch.plan ? job->watch.plan : plethron_bank_strategy(job->bank));
    report_line("samples", "%zu", job->data.n_samples);
    report_features(&job->data, &a->bank);
    if (a->bank.entity) report_line("entities", "%zu", training_data_n_entities(&job->data));
    report_line("units", "%zu", job->units.count);
    report_line("epochs", "%" PRId64, a->bank.epochs);
    report_losses(job->bank);
    report_line("seconds", "%.3f", job->seconds);
    if (a->bank.verbose)
        report_units(job->bank);
    else
        report_units_briefly(job->bank);
    for (size_t t = 0; !a->bank.entity && t < job->data.targets.count; t++) TRY(print_accuracy(a, job, t, err));
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

static plethron_status plan_only(const train_arguments *a, const training_job *job, plethron_error *err) {
    const plethron_train_options options = {
        .struct_size = sizeof options, .strategy = a->bank.strategy, .auc = a->bank.auc, .resume = job->resume};
    return report_plan(job->data.dataset, job->bank, &options, err);
}

static plethron_status check_outputs(const train_arguments *a, plethron_error *err) {
    plethron_status status;
    TRY(file_check_writable(a->model, err));
    if (a->history) TRY(file_check_writable(a->history, err));
    if (a->bank.checkpoint) TRY(file_check_writable(a->bank.checkpoint, err));
out:
    return status;
}

static plethron_status train(const train_arguments *a, training_job *job, plethron_error *err) {
    plethron_status status = PLETHRON_OK;
    job->watch = watch_make(&a->bank, now_s());
    if (!a->dry_run) TRY(check_outputs(a, err));
    if (a->bank.resume) TRY(plethron_checkpoint_load(a->bank.resume, &job->resume, err));
    TRY(training_data_read(&a->bank, &job->data, err));
    TRY(make_bank(a, job, err));
    TRY(make_dataset(a, job, err));
    if (a->dry_run) {
        status = plan_only(a, job, err);
        goto out;
    }
    watch_interrupts();
    if (a->bank.verbose)
        say("training %zu units on %s", job->units.count, plethron_device_describe(job->data.device)->name);
    status = train_and_save(a, job, err);
    if (status != PLETHRON_OK && status != PLETHRON_ERROR_INTERRUPTED) goto out;
    if (a->bank.verbose) say_transfers(job->data.device);
    report_warnings(job->bank);
    bool was_interrupted = status == PLETHRON_ERROR_INTERRUPTED;
    if (was_interrupted) {
        say("%s; what was trained is saved in %s", watch_reason(), a->model);
        watch_say_how_to_go_on(&job->watch);
    }
    if (!a->bank.quiet) TRY(print_summary(a, job, err));
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
        code = was_interrupted ? watch_exit_code(&job.watch) : status ? CLI_FAILED : CLI_DONE;
        if (code == CLI_FAILED) say("%s", err.text);
        if (!stdout_finish()) code = CLI_FAILED;
    }
    job_release(&job);
    train_arguments_release(&a);
    return code;
}
