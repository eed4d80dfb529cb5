/* Training: a bank and a data set become a problem (train_problem.c); a plan is chosen; its strategy runs epochs, and
 * units that have stopped leave, until none is left. */
#include "train.h"

#include "bank.h"
#include "checkpoint.h"
#include "strategy.h"
#include "train_problem.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* Epochs between two looks at progress: about this long. */
static const double chunk_s = 0.05;

/* Where the losses are measured for progress: the first time after so long, and for this share of the time at most. */
static const double first_loss_s = 2.0;
static const double loss_share = 0.02;

typedef struct training {
    plethron_dataset *dataset;
    plethron_bank *bank;
    plethron_train_options options;
    const char *strategy;     /* the one to take; NULL or "": the planner's choice */
    const tile_sizes *tiling; /* NULL: the strategy's choice */
    bank_problem whole;       /* all units of the bank */

    /* those that are on the device now */
    train_problem problem;
    size_t *chosen; /* [problem.n_units]: their positions in the bank */
    train_plan plan;
    live_set *live;
    void *run;

    int64_t n_epochs;      /* of the unit that trains longest now */
    int64_t epochs_before; /* that it had run before */
    int64_t epochs_run;
    double start_s;
    double measured_s, measuring_s; /* when the units were measured last, and how long that took */
    bool measured;
    plethron_checkpoint *checkpoint; /* NULL unless the caller wants them */
    double checkpoint_s;             /* when the last one was given */
    bool planned;
    bool interrupted;
} training;

static double now_s(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static int64_t smaller(int64_t a, int64_t b) {
    return a < b ? a : b;
}

/* ---- Units on the device ----------------------------------------------------------------------------------------- */

static void leave_device(training *self) {
    if (self->run) self->plan.strategy->close(self->run);
    live_close(self->live);
    problem_close(&self->problem);
    free(self->chosen);
    self->run = NULL;
    self->live = NULL;
    self->chosen = NULL;
}

static uint64_t data_bytes(const plethron_dataset *dataset) {
    const uint64_t values_a_row = dataset->n_targets + dataset->n_weight_columns;
    return dataset_feature_bytes(dataset) +
           dataset->y_stride * (values_a_row * sizeof(float) + (dataset->n_folds ? 1 : 0));
}

/* Units that would find room, where p->n_units need `unit_bytes` in all. */
static size_t units_that_fit(const train_problem *p, uint64_t memory_bytes, uint64_t unit_bytes) {
    const uint64_t data = data_bytes(p->dataset);
    const uint64_t room = memory_bytes > data ? memory_bytes - data : 0;
    return (size_t)((double)p->n_units * ((double)room / (double)unit_bytes));
}

/* Refuses what the device cannot hold, before anything is trained. While the areas are found the strategy is gone. */
static plethron_status check_memory(const train_problem *p, const train_plan *plan, bool auc, plethron_error *err) {
    const plethron_device_info *info = plethron_device_describe(p->dataset->device);
    const live_size live = live_size_of(p);
    const uint64_t sorted = auc ? live_auc_bytes(p) : 0;
    const uint64_t besides = plan->bytes > 2 * sorted ? plan->bytes : 2 * sorted;
    const uint64_t needed = data_bytes(p->dataset) + live.all + besides;
    const uint64_t largest = sorted > live.largest ? sorted : live.largest;
    if (needed > info->memory_bytes)
        return error_set(err, PLETHRON_ERROR_MEMORY,
                         "training %zu units needs %llu bytes on the device, %llu of them for the data%s%s; %s has "
                         "%llu: about %zu units at a time would fit",
                         p->n_units, (unsigned long long)needed, (unsigned long long)data_bytes(p->dataset),
                         auc ? ", some for the area under the ROC curve" : "",
                         p->uses & USE_SHUFFLE ? ", some for the features in each batch's order" : "", info->name,
                         (unsigned long long)info->memory_bytes,
                         units_that_fit(p, info->memory_bytes, live.all + besides));
    if (!device_is_host(p->dataset->device) && largest > info->max_alloc_bytes)
        return error_set(err, PLETHRON_ERROR_MEMORY,
                         "training %zu units needs a buffer of %llu bytes%s; %s allows %llu in one", p->n_units,
                         (unsigned long long)largest, sorted == largest ? " for the area under the ROC curve" : "",
                         info->name, (unsigned long long)info->max_alloc_bytes);
    return PLETHRON_OK;
}

/* The planner's choice, at first; later, for fewer units, with the same strategy by estimate. */
static plethron_status choose_plan(training *self, plethron_error *err) {
    const plethron_planning planning = self->planned ? PLETHRON_PLANNING_ESTIMATE : self->options.planning;
    self->planned = true;
    switch (planning) {
    case PLETHRON_PLANNING_MEASURE: return plan_measure(&self->problem, self->strategy, &self->plan, err);
    case PLETHRON_PLANNING_RANDOM:
        return plan_random(&self->problem, self->strategy, self->options.planning_seed, &self->plan, err);
    default: return plan_choose(&self->problem, self->strategy, self->tiling, &self->plan, err);
    }
}

/* Puts the units at `chosen` in the bank, n of them, on the device; `chosen` becomes the training's. */
static plethron_status enter_device(training *self, size_t *chosen, size_t n, plethron_error *err) {
    plethron_status status;
    self->chosen = chosen;
    TRY(problem_open(&self->whole.problem, n, &self->problem, err));
    problem_take(&self->whole.problem, chosen, &self->problem);
    TRY(choose_plan(self, err));
    TRY(check_memory(&self->problem, &self->plan, self->options.auc, err));
    TRY(live_open(&self->problem, &self->plan, &self->live, err));
    TRY(self->plan.strategy->open(self->live, &self->run, err));
out:
    return status;
}

/* Positions in the bank of the units that `wanted` says yes to. */
static plethron_status list_units(const training *self, bool (*wanted)(const training *, size_t), size_t **out,
                                  size_t *n, plethron_error *err) {
    plethron_status status;
    void *memory = NULL;
    const size_t n_units = self->bank->n_units;
    TRY(memory_allocate(n_units, sizeof(size_t), "the live units", &memory, err));
    *out = memory;
    *n = 0;
    for (size_t j = 0; j < n_units; j++)
        if (wanted(self, j)) (*out)[(*n)++] = j;
out:
    return status;
}

static bool every_unit(const training *self, size_t j) {
    (void)self;
    (void)j;
    return true;
}

static bool still_trains(const training *self, size_t j) {
    const train_problem *whole = &self->whole.problem;
    return problem_state_integers(whole, STATE_ACTIVE)[j] && self->epochs_run < problem_integers(whole, UNIT_EPOCHS)[j];
}

/* Weighs the rows of all units, and with the sums completes the problem. */
static plethron_status weigh(training *self, plethron_error *err) {
    plethron_status status;
    void *totals = NULL;
    TRY(memory_allocate(WEIGH_SUMS * self->problem.unit_stride, sizeof(float), "the sums of weights", &totals, err));
    TRY(live_weigh(self->live, self->run, totals, err));
    bank_problem_weigh(&self->whole, self->bank, totals, self->problem.unit_stride);
    problem_take(&self->whole.problem, self->chosen, &self->problem);
    TRY(live_upload_units(self->live, err));
out:
    free(totals);
    return status;
}

/* ---- Measures ---------------------------------------------------------------------------------------------------- */

static plethron_status measure(training *self, plethron_error *err) {
    plethron_status status;
    void *totals = NULL;
    const double begin_s = now_s();
    TRY(memory_allocate(MEASURE_SUMS * self->problem.unit_stride, sizeof(float), "the measures", &totals, err));
    TRY(live_measure(self->live, self->run, totals, err));
    for (size_t j = 0; j < self->problem.n_units; j++)
        bank_problem_measure(&self->whole, self->chosen[j], (const float *)totals + j, self->problem.unit_stride);
    self->measured = true;
    self->measured_s = now_s();
    self->measuring_s = self->measured_s - begin_s;
out:
    free(totals);
    return status;
}

static plethron_status find_auc(training *self, bool held, plethron_error *err) {
    plethron_status status;
    void *totals = NULL;
    TRY(memory_allocate(AUC_SUMS * self->problem.unit_stride, sizeof(float), "the areas", &totals, err));
    TRY(live_auc(self->live, held, totals, err));
    for (size_t j = 0; j < self->problem.n_units; j++)
        bank_problem_auc(&self->whole, self->chosen[j], held, (const float *)totals + j, self->problem.unit_stride);
out:
    free(totals);
    return status;
}

static void tell_measures(const training *self) {
    const unit_measures *measures = &self->whole.measures;
    if (!self->options.on_measures) return;
    const plethron_measures told = {
        .struct_size = sizeof told,
        .epoch = self->epochs_before + self->epochs_run,
        .n_units = self->bank->n_units,
        .loss = measures->loss,
        .error_sum = measures->error_sum,
        .accuracy = measures->accuracy,
    };
    self->options.on_measures(self->options.context, &told);
}

/* ---- Leaving ----------------------------------------------------------------------------------------------------- */

static plethron_status bring_home(training *self, plethron_error *err) {
    plethron_status status = live_download(self->live, err);
    if (status == PLETHRON_OK) problem_put_back(&self->problem, self->chosen, &self->whole.problem);
    return status;
}

/* Units on the device that still train. */
static size_t count_live(const training *self) {
    const int32_t *active = problem_state_integers(&self->problem, STATE_ACTIVE);
    const int32_t *epochs = problem_integers(&self->problem, UNIT_EPOCHS);
    size_t n = 0;
    for (size_t j = 0; j < self->problem.n_units; j++) n += active[j] && self->epochs_run < epochs[j];
    return n;
}

/* Lets the stopped units go when they are half of those on the device or more: what is moved is then paid for by what
 * is saved. The others go on with the same bits. */
static plethron_status compact(training *self, size_t n_live, plethron_error *err) {
    enum { FEW_UNITS = 16 };
    plethron_status status = PLETHRON_OK;
    size_t *chosen = NULL, n = 0;
    if (n_live == 0 || 2 * n_live > self->problem.n_units || self->problem.n_units <= FEW_UNITS) return status;
    if (self->measured) TRY(measure(self, err)); /* what is shown of them from now on */
    TRY(bring_home(self, err));
    TRY(list_units(self, still_trains, &chosen, &n, err));
    leave_device(self);
    TRY(enter_device(self, chosen, n, err));
out:
    return status;
}

/* All units get their last weights, on the device too, and are measured there. */
static plethron_status finish(training *self, plethron_error *err) {
    plethron_status status;
    size_t *chosen = NULL, n = 0;
    TRY(bring_home(self, err));
    if ((self->whole.problem.uses & USE_PATIENCE) || self->problem.n_units < self->bank->n_units) {
        bank_problem_restore(&self->whole);
        TRY(list_units(self, every_unit, &chosen, &n, err));
        leave_device(self);
        TRY(enter_device(self, chosen, n, err));
    }
    TRY(measure(self, err));
    self->plan.strategy->close(self->run); /* makes room */
    self->run = NULL;
    if (self->options.auc) TRY(find_auc(self, false, err));
    if (self->options.auc && self->problem.uses & USE_FOLDS) TRY(find_auc(self, true, err));
out:
    return status;
}

/* ---- Running ----------------------------------------------------------------------------------------------------- */

/* The lowest of the last measured losses; NaN without. */
static float best_loss(const training *self) {
    float best = NAN;
    for (size_t j = 0; self->measured && j < self->bank->n_units; j++)
        best = fminf(best, self->whole.measures.loss[j]); /* of a number and NaN: the number */
    return best;
}

static bool loss_is_due(const training *self) {
    if (!self->options.progress_loss) return false;
    if (!self->measured) return now_s() - self->start_s >= first_loss_s;
    return (now_s() - self->measured_s) * loss_share >= self->measuring_s;
}

/* False when the callback asks to stop. */
static bool tell_progress(const training *self, size_t n_live) {
    if (!self->options.on_progress) return true;
    const plethron_progress progress = {
        .struct_size = sizeof progress,
        .epoch = self->epochs_before + self->epochs_run,
        .n_epochs = self->epochs_before + self->n_epochs,
        .elapsed_s = now_s() - self->start_s,
        .plan = self->plan.text,
        .n_live = n_live,
        .n_units = self->bank->n_units,
        .best_loss = best_loss(self),
    };
    return self->options.on_progress(self->options.context, &progress);
}

/* As many epochs as take half of chunk_s, by what the last ones took, but no leap: the first are few and say little. */
static int64_t adapt_chunk(int64_t chunk, double took_s) {
    enum { MOST_GROWTH = 16 };
    const double growth = fmin(0.5 * chunk_s / took_s, MOST_GROWTH);
    if (growth > 1.0) return (int64_t)fmin(ceil(growth * (double)chunk), INT32_MAX);
    if (took_s > 2.0 * chunk_s && chunk > 1) return chunk / 2;
    return chunk;
}

static plethron_status give_checkpoint(training *self, plethron_error *err) {
    plethron_status status = PLETHRON_OK;
    if (!self->checkpoint) return status;
    TRY(bring_home(self, err));
    checkpoint_take(self->checkpoint, &self->whole.problem, self->epochs_run);
    self->options.on_checkpoint(self->options.context, self->checkpoint);
    self->checkpoint_s = now_s(); /* counted from the end of the work for it */
out:
    return status;
}

static bool checkpoint_is_due(const training *self) {
    const double every_s = self->options.checkpoint_every_s;
    return self->checkpoint && every_s > 0.0 && now_s() - self->checkpoint_s >= every_s;
}

static plethron_status run_epochs(training *self, plethron_error *err) {
    plethron_status status = PLETHRON_OK;
    const int64_t every = self->options.measure_every;
    size_t n_live = count_live(self);
    bool go_on = tell_progress(self, n_live) && n_live > 0;
    if (go_on && every > 0) {
        TRY(measure(self, err));
        if (self->epochs_run % every == 0) tell_measures(self);
    }
    for (int64_t chunk = 1; go_on;) {
        TRY(compact(self, n_live, err));
        int64_t count = smaller(chunk, self->n_epochs - self->epochs_run);
        if (every > 0) count = smaller(count, every - self->epochs_run % every);
        const double before_s = now_s();
        TRY(live_epochs(self->live, self->run, self->epochs_run, count, err));
        if (self->problem.has_rules) TRY(live_download_state(self->live, err));
        if (count == chunk) chunk = adapt_chunk(chunk, now_s() - before_s);
        self->epochs_run += count;
        n_live = count_live(self);
        if (loss_is_due(self)) TRY(measure(self, err));
        go_on = tell_progress(self, n_live) && n_live > 0;
        if (go_on && checkpoint_is_due(self)) TRY(give_checkpoint(self, err));
        if (go_on && every > 0 && self->epochs_run % every == 0) {
            TRY(measure(self, err));
            tell_measures(self);
        }
    }
    self->interrupted = n_live > 0;
    TRY(give_checkpoint(self, err));
out:
    return status;
}

/* ---- All of it --------------------------------------------------------------------------------------------------- */

static plethron_status check_options(const plethron_train_options *options, plethron_error *err) {
    if (options->measure_every < 0)
        return error_set(err, PLETHRON_ERROR_ARGUMENT, "measure_every is %lld: 0 or more is allowed",
                         (long long)options->measure_every);
    if ((int)options->planning < PLETHRON_PLANNING_ESTIMATE || options->planning > PLETHRON_PLANNING_RANDOM)
        return error_set(err, PLETHRON_ERROR_ARGUMENT,
                         "planning is %d: 0 (estimate), 1 (measure) and 2 (random) are allowed",
                         (int)options->planning);
    if (!(options->checkpoint_every_s >= 0.0))
        return error_set(err, PLETHRON_ERROR_ARGUMENT, "checkpoint_every_s is %g: 0 or more is allowed",
                         options->checkpoint_every_s);
    return PLETHRON_OK;
}

/* Takes up a checkpoint: the problem becomes what it had reached, and its strategy stays. */
static plethron_status resume(const plethron_train_options *options, const plethron_bank *bank,
                              const dataset_digest *data, bank_problem *whole, const char **strategy_name,
                              int64_t *epochs_run, plethron_error *err) {
    const plethron_checkpoint *from = options->resume;
    *strategy_name = options->strategy;
    if (!from) return PLETHRON_OK;
    const plethron_status status = checkpoint_check(from, bank, data, options->strategy, err);
    if (status != PLETHRON_OK) return status;
    checkpoint_put(from, &whole->problem);
    *strategy_name = from->strategy;
    *epochs_run = from->epochs_run;
    return PLETHRON_OK;
}

static plethron_status train(training *self, plethron_error *err) {
    plethron_status status;
    size_t *all = NULL, n = 0;
    dataset_digest data;
    self->start_s = now_s();
    TRY(check_options(&self->options, err));
    TRY(device_check_process(self->dataset->device, err));
    TRY(bank_problem_open(self->bank, self->dataset, &self->whole, err));
    if (self->options.on_checkpoint || self->options.resume) TRY(dataset_digest_find(self->dataset, &data, err));
    TRY(resume(&self->options, self->bank, &data, &self->whole, &self->strategy, &self->epochs_run, err));
    for (size_t j = 0; j < self->bank->n_units; j++) {
        const int64_t epochs = problem_integers(&self->whole.problem, UNIT_EPOCHS)[j];
        if (epochs <= self->n_epochs) continue;
        self->n_epochs = epochs;
        self->epochs_before = self->bank->epochs_done[j];
    }
    TRY(list_units(self, every_unit, &all, &n, err));
    TRY(enter_device(self, all, n, err));
    self->strategy = self->plan.strategy->name; /* of all units, whoever is left */
    TRY(weigh(self, err));
    if (self->options.on_checkpoint)
        TRY(checkpoint_open(self->bank, &self->whole.problem, self->strategy, &data, &self->checkpoint, err));
    self->checkpoint_s = now_s();
    TRY(run_epochs(self, err));
    TRY(finish(self, err));
    tell_measures(self);
    bank_problem_store(&self->whole, self->epochs_run, self->strategy, self->bank);
    if (self->interrupted)
        status = error_set(err, PLETHRON_ERROR_INTERRUPTED, "stopped after %lld of %lld epochs",
                           (long long)self->epochs_run, (long long)self->n_epochs);
out:
    return status;
}

plethron_status train_with_tiling(plethron_dataset *dataset, plethron_bank *bank, const plethron_train_options *options,
                                  const tile_sizes *tiling, plethron_error *err) {
    training self = {
        .dataset = dataset, .bank = bank, .tiling = tiling, .options = {.struct_size = sizeof self.options}};
    if (options) {
        plethron_status status =
            error_check_struct(options->struct_size, sizeof self.options, "plethron_train_options", err);
        if (status != PLETHRON_OK) return status;
        memcpy(&self.options, options, options->struct_size);
    }
    plethron_status status = train(&self, err);
    plethron_checkpoint_close(self.checkpoint);
    leave_device(&self);
    bank_problem_close(&self.whole);
    return status;
}

plethron_status plethron_train(plethron_dataset *dataset, plethron_bank *bank, const plethron_train_options *options,
                               plethron_error *err) {
    return train_with_tiling(dataset, bank, options, NULL, err);
}

/* ---- Planning only ----------------------------------------------------------------------------------------------- */

/* Epochs that a unit has still to run at most. */
static int64_t epochs_left(const train_problem *p, size_t j, int64_t epochs_run) {
    const int64_t left = problem_integers(p, UNIT_EPOCHS)[j] - epochs_run;
    return problem_state_integers(p, STATE_ACTIVE)[j] && left > 0 ? left : 0;
}

static void describe_plan(const train_problem *p, const train_plan *plan, int64_t epochs_run, plethron_plan *out) {
    double unit_rows = 0.0; /* rows times epochs, of all units */
    int64_t n_epochs = 0;
    for (size_t j = 0; j < p->n_units; j++) {
        const int64_t epochs = epochs_left(p, j, epochs_run);
        unit_rows += (double)epochs * (double)problem_integers(p, UNIT_ROWS)[j];
        if (epochs > n_epochs) n_epochs = epochs;
    }
    snprintf(out->text, sizeof out->text, "%s", plan->text);
    out->data_bytes = data_bytes(p->dataset);
    out->bank_bytes = live_size_of(p).all + plan->bytes;
    out->flops = 4.0 * unit_rows * dataset_n_products(p->dataset) / (double)p->dataset->n_samples;
    out->seconds = plan->strategy->cost(p) * (double)n_epochs;
}

plethron_status plethron_train_plan(const plethron_dataset *dataset, const plethron_bank *bank,
                                    const plethron_train_options *options, plethron_plan *out, plethron_error *err) {
    plethron_status status;
    bank_problem whole = {0};
    train_plan plan;
    dataset_digest data;
    const char *strategy_name;
    int64_t epochs_run = 0;
    plethron_train_options chosen = {.struct_size = sizeof chosen};
    const size_t struct_size = out->struct_size;
    plethron_plan found = {.struct_size = struct_size};
    TRY(error_check_struct(struct_size, sizeof found, "plethron_plan", err));
    if (options) {
        TRY(error_check_struct(options->struct_size, sizeof chosen, "plethron_train_options", err));
        memcpy(&chosen, options, options->struct_size);
    }
    TRY(check_options(&chosen, err));
    TRY(bank_problem_open(bank, dataset, &whole, err));
    if (chosen.resume) TRY(dataset_digest_find(dataset, &data, err));
    TRY(resume(&chosen, bank, &data, &whole, &strategy_name, &epochs_run, err));
    TRY(plan_choose(&whole.problem, strategy_name, NULL, &plan, err));
    TRY(check_memory(&whole.problem, &plan, chosen.auc, err));
    describe_plan(&whole.problem, &plan, epochs_run, &found);
    memcpy(out, &found, struct_size);
out:
    bank_problem_close(&whole);
    return status;
}
