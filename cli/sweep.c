/* plethron sweep: from a table and lists of hyper-parameters to a ranking and the best model. */
#define _POSIX_C_SOURCE 200809L

#include "intervals.h"
#include "progress.h"
#include "ranking.h"
#include "report.h"
#include "sweep_arguments.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Everything that one sweep holds. */
typedef struct sweep_job {
    training_data data;
    combination_list combinations;
    unit_grid grid; /* repeats are folds */
    plethron_bank *bank;
    ranking ranking;
    plethron_bank *best;         /* the best combination, trained on all rows */
    plethron_bank *replicates;   /* of it */
    plethron_checkpoint *resume; /* of the comparison; NULL: from the start */
    training_watch watch;        /* of the comparison, then of what comes after it */
    double begin_s;
    double seconds;
    char plan[PLAN_TEXT];
} sweep_job;

static void job_release(sweep_job *job) {
    plethron_checkpoint_close(job->resume);
    plethron_bank_close(job->replicates);
    plethron_bank_close(job->best);
    ranking_release(&job->ranking);
    plethron_bank_close(job->bank);
    unit_grid_release(&job->grid);
    combination_list_release(&job->combinations);
    training_data_release(&job->data);
}

/* ---- Banks ------------------------------------------------------------------------------------------------------- */

/* Every combination, class and fold. */
static plethron_status make_bank(const sweep_arguments *a, sweep_job *job, plethron_error *err) {
    plethron_status status;
    TRY(combinations_make(&a->bank, &job->combinations, err));
    TRY(unit_grid_make(&job->data.targets, &job->combinations, 0, job->data.n_folds, &job->grid, err));
    /* a fold is no replicate: all folds of a unit have its numbers */
    for (size_t j = 0; j < job->grid.count; j++) job->grid.ids[j] = job->grid.ids[j - j % job->data.n_folds];
    const plethron_bank_options more = {
        .excluded_fold = {job->grid.repeats, job->grid.count},
        .patience = {&a->bank.patience, 1},
    };
    TRY(unit_grid_bank(&job->grid, &a->bank, job->data.n_features, &more, &job->bank, err));
    TRY(training_data_name(&job->data, &a->bank, job->bank, err));
out:
    return status;
}

/* The best combination for all rows: one unit a class, or n_replicates bootstrap replicates each. Before there is a
 * ranking, the first combination stands for it. */
static plethron_status make_best(const sweep_arguments *a, const sweep_job *job, size_t n_replicates,
                                 plethron_bank **out, plethron_error *err) {
    plethron_status status;
    unit_grid grid = {0};
    const ranked *first = job->ranking.entries;
    const combination_list best = {&job->combinations.values[first ? first->combination : 0], 1};
    const int64_t bootstrap = n_replicates > 0;
    const int64_t epochs = first && a->bank.patience > 0 ? (int64_t)lround(first->epochs) : a->bank.epochs;
    TRY(unit_grid_make(&job->data.targets, &best, 0, bootstrap ? n_replicates : 1, &grid, err));
    const plethron_bank_options more = {.bootstrap = {&bootstrap, 1}, .epochs = {&epochs, 1}};
    TRY(unit_grid_bank(&grid, &a->bank, job->data.n_features, &more, out, err));
    TRY(training_data_name(&job->data, &a->bank, *out, err));
out:
    unit_grid_release(&grid);
    return status;
}

/* ---- Planning ---------------------------------------------------------------------------------------------------- */

/* Of what is trained from its start on. */
static plethron_train_options plan_options(const sweep_arguments *a) {
    return (plethron_train_options){
        .struct_size = sizeof(plethron_train_options), .strategy = a->bank.strategy, .auc = a->bank.auc};
}

/* Says what the comparison and the replicates would take. */
static plethron_status plan_only(const sweep_arguments *a, const sweep_job *job, const plethron_bank *replicates,
                                 plethron_error *err) {
    plethron_status status;
    const plethron_train_options options = plan_options(a);
    plethron_train_options comparison = options;
    comparison.resume = job->resume;
    TRY(report_plan(job->data.dataset, job->bank, &comparison, err));
    if (!replicates) goto out;
    puts("\nthen, of the best combination, the bootstrap replicates");
    TRY(report_plan(job->data.dataset, replicates, &options, err));
out:
    return status;
}

/* Refuses, before anything is trained, a comparison or replicates that cannot be; with --dry-run says what they take.
 */
static plethron_status plan(const sweep_arguments *a, const sweep_job *job, plethron_error *err) {
    plethron_status status = PLETHRON_OK;
    const plethron_train_options options = plan_options(a);
    plethron_plan found = {.struct_size = sizeof found};
    plethron_bank *replicates = NULL;
    if (a->bootstrap) TRY(make_best(a, job, (size_t)a->bootstrap, &replicates, err));
    if (a->dry_run)
        status = plan_only(a, job, replicates, err);
    else if (replicates)
        status = plethron_train_plan(job->data.dataset, replicates, &options, &found, err);
out:
    plethron_bank_close(replicates);
    return status;
}

/* ---- Training ---------------------------------------------------------------------------------------------------- */

/* What is trained at once. */
typedef struct sweep_stage {
    plethron_bank *bank;
    const char *strategy;
    bool auc;
    const char *suffix; /* of the names of its checkpoints */
} sweep_stage;

/* file + suffix, for free; NULL without a file. */
static plethron_status stage_file(const char *file, const sweep_stage *stage, char **out, plethron_error *err) {
    if (!file) return PLETHRON_OK;
    const size_t size = strlen(file) + strlen(stage->suffix) + 1;
    const plethron_status status = allocate(size, 1, out, err);
    if (status == PLETHRON_OK) snprintf(*out, size, "%s%s", file, stage->suffix);
    return status;
}

/* The stage's checkpoint, if one was reached and is of this stage: that depends on what the stages before gave. */
static void find_resume(const sweep_job *job, const sweep_stage *stage, const char *file, plethron_checkpoint **out) {
    plethron_error reason;
    plethron_plan found = {.struct_size = sizeof found};
    if (access(file, F_OK) != 0) return;
    plethron_status status = plethron_checkpoint_load(file, out, &reason);
    if (status == PLETHRON_OK) {
        const plethron_train_options options = {
            .struct_size = sizeof options, .strategy = stage->strategy, .auc = stage->auc, .resume = *out};
        status = plethron_train_plan(job->data.dataset, stage->bank, &options, &found, &reason);
    }
    if (status == PLETHRON_OK) return;
    say("%s; this one begins at its start", reason.text);
    plethron_checkpoint_close(*out);
    *out = NULL;
}

static plethron_status train(const sweep_arguments *a, sweep_job *job, const sweep_stage *stage, plethron_error *err) {
    plethron_status status;
    char *checkpoint = NULL, *resume_file = NULL;
    plethron_checkpoint *resume = NULL;
    const bool checkpoint_failed = job->watch.checkpoint_failed;
    TRY(stage_file(a->bank.checkpoint, stage, &checkpoint, err));
    TRY(stage_file(a->bank.resume, stage, &resume_file, err));
    if (resume_file && stage->bank != job->bank) find_resume(job, stage, resume_file, &resume);
    job->watch = watch_make(&a->bank, job->begin_s);
    job->watch.checkpoint = checkpoint;
    job->watch.checkpoint_failed = checkpoint_failed;
    const plethron_train_options options = {
        .struct_size = sizeof options,
        .strategy = stage->strategy,
        .planning = (plethron_planning)a->bank.planning,
        .on_progress = watch_progress,
        .context = &job->watch,
        .auc = stage->auc,
        .progress_loss = job->watch.is_wanted,
        .on_checkpoint = checkpoint ? watch_checkpoint : NULL,
        .checkpoint_every_s = a->bank.every_s,
        .resume = stage->bank == job->bank ? job->resume : resume,
    };
    const double begin_s = now_s();
    status = plethron_train(job->data.dataset, stage->bank, &options, err);
    job->seconds += now_s() - begin_s;
    watch_erase(&job->watch);
    if (!*job->plan) memcpy(job->plan, job->watch.plan, sizeof job->plan);
out:
    job->watch.checkpoint = a->bank.checkpoint; /* what is named where going on is spoken of */
    plethron_checkpoint_close(resume);
    free(resume_file);
    free(checkpoint);
    return status;
}

static plethron_status compare(const sweep_arguments *a, sweep_job *job, plethron_error *err) {
    plethron_status status;
    if (a->bank.verbose)
        say("training %zu units on %s", job->grid.count, plethron_device_describe(job->data.device)->name);
    status = train(a, job, &(sweep_stage){job->bank, a->bank.strategy, a->bank.auc, ""}, err);
    if (status != PLETHRON_OK && status != PLETHRON_ERROR_INTERRUPTED) return status;
    const plethron_status trained = status;
    if (a->table) TRY(ranking_write_units(&job->grid, job->bank, a->table, err));
    TRY(ranking_make(&job->data, &job->combinations, &job->grid, job->bank, &job->ranking, err));
    status = trained;
out:
    return status;
}

/* The best on all rows, by the strategy that compared it. */
static plethron_status train_best(const sweep_arguments *a, sweep_job *job, plethron_error *err) {
    plethron_status status = PLETHRON_OK;
    const char *strategy = plethron_bank_strategy(job->bank);
    if (!a->model && !a->bootstrap) return status;
    if (a->bank.verbose) say("training the best combination on all %zu rows", job->data.n_samples);
    TRY(make_best(a, job, 0, &job->best, err));
    TRY(train(a, job, &(sweep_stage){job->best, strategy, a->bank.auc, ".best"}, err));
    if (a->model) TRY(plethron_bank_save(job->best, a->model, err));
    if (!a->bootstrap) goto out;
    if (a->bank.verbose) say("training %" PRId64 " bootstrap replicates of each of its units", a->bootstrap);
    TRY(make_best(a, job, (size_t)a->bootstrap, &job->replicates, err));
    TRY(train(a, job, &(sweep_stage){job->replicates, strategy, false, ".replicates"}, err));
out:
    return status;
}

/* ---- What is said ------------------------------------------------------------------------------------------------ */

static void print_head(const sweep_arguments *a, const sweep_job *job) {
    report_line("device", "%s", plethron_device_describe(job->data.device)->name);
    report_line("plan", "%s", job->plan);
    report_line("samples", "%zu", job->data.n_samples);
    report_features(&job->data, &a->bank);
    report_line("units", "%zu: %zu to learn x %zu combinations x %zu folds", job->grid.count,
                target_list_n_learned(&job->data.targets), job->combinations.count, job->data.n_folds);
    report_line("seconds", "%.3f", job->seconds);
}

static void say_interrupted(const sweep_arguments *a, const sweep_job *job) {
    if (!job->best)
        say("%s: the ranking is of what was reached%s%s; nothing was trained on all rows", watch_reason(),
            a->table ? ", written to " : "", a->table ? a->table : "");
    else if (!job->replicates)
        say("%s: the best combination was not trained on all rows to its end%s%s", watch_reason(),
            a->model ? ", and not written to " : "", a->model ? a->model : "");
    else
        say("%s: there are no intervals, as not all bootstrap replicates were trained%s%s", watch_reason(),
            a->model ? "; the best combination is in " : "", a->model ? a->model : "");
    watch_say_how_to_go_on(&job->watch);
}

static void print_best(const sweep_arguments *a, const sweep_job *job) {
    char rate[NUMBER_TEXT], l2[NUMBER_TEXT], l1[NUMBER_TEXT];
    const ranked *first = &job->ranking.entries[0];
    const combination *c = &job->combinations.values[first->combination];
    printf("\nbest: loss %s, optimizer %s, lr %s, l2 %s, l1 %s: mean held-out accuracy %.4f, deviation %.4f over %zu "
           "folds\n",
           loss_names[c->loss], optimizer_names[c->optimizer], number_text(c->learning_rate, rate),
           number_text(c->l2, l2), number_text(c->l1, l1), first->accuracy, first->deviation, job->data.n_folds);
    if (a->model) printf("trained on all %zu rows: %s\n", job->data.n_samples, a->model);
}

static plethron_status check_outputs(const sweep_arguments *a, plethron_error *err) {
    plethron_status status = PLETHRON_OK;
    const char *const paths[] = {a->model, a->table, a->intervals, a->bank.checkpoint};
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++)
        if (paths[i]) TRY(file_check_writable(paths[i], err));
out:
    return status;
}

static plethron_status sweep(const sweep_arguments *a, sweep_job *job, plethron_error *err) {
    plethron_status status = PLETHRON_OK;
    job->begin_s = now_s();
    if (!a->dry_run) TRY(check_outputs(a, err));
    if (a->bank.resume) TRY(plethron_checkpoint_load(a->bank.resume, &job->resume, err));
    TRY(training_data_read(&a->bank, &job->data, err));
    TRY(training_data_fold(&a->bank, &job->data, err));
    TRY(make_bank(a, job, err));
    TRY(training_data_upload(&job->data, &a->bank, err));
    TRY(plan(a, job, err));
    if (a->dry_run) goto out;
    watch_interrupts();
    status = compare(a, job, err);
    if (status != PLETHRON_OK && status != PLETHRON_ERROR_INTERRUPTED) goto out;
    report_warnings(job->bank);
    if (status == PLETHRON_OK) status = train_best(a, job, err);
    if (!a->bank.quiet) { /* whatever became of the best: the comparison is done */
        print_head(a, job);
        ranking_print(&job->ranking, &job->combinations, (size_t)a->top, a->bank.auc);
    }
    if (status != PLETHRON_OK && status != PLETHRON_ERROR_INTERRUPTED) goto out;
    if (status == PLETHRON_ERROR_INTERRUPTED) {
        say_interrupted(a, job);
        goto out;
    }
    if (!a->bank.quiet) print_best(a, job);
    if (a->bootstrap && (a->intervals || !a->bank.quiet))
        TRY(intervals_report(job->best, job->replicates, (size_t)a->bootstrap, a->level, a->intervals, err));
out:
    return status;
}

int sweep_main(int argc, char **argv) {
    sweep_arguments a;
    sweep_job job = {0};
    plethron_error err;
    int code = sweep_arguments_parse(argc, argv, &a);
    if (code == CLI_GO_ON) {
        const plethron_status status = sweep(&a, &job, &err);
        code = status == PLETHRON_ERROR_INTERRUPTED ? watch_exit_code(&job.watch) : status ? CLI_FAILED : CLI_DONE;
        if (code == CLI_FAILED) say("%s", err.text);
        if (!stdout_finish()) code = CLI_FAILED;
    }
    job_release(&job);
    sweep_arguments_release(&a);
    return code;
}
