/* Training: a bank and a data set become a problem; a plan is chosen; its strategy runs epochs until every unit is
 * done. */
#include "train.h"

#include "bank.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* Epochs between two looks at progress: about this long. */
static const double chunk_s = 0.05;

typedef struct training {
    plethron_dataset *dataset;
    plethron_bank *bank;
    plethron_train_options options;
    train_problem problem;
    train_plan plan;
    void *run;
    measure_sums sums;
    float *mean_loss; /* with accuracy what a plethron_measures shows */
    float *accuracy;
    int64_t epochs_before; /* of the unit that was trained longest before */
    int64_t n_epochs;      /* of the unit that trains longest now */
    int64_t epochs_run;
    double start_s;
} training;

/* ---- Checks ------------------------------------------------------------------------------------------------------ */

static plethron_status check_unit(const plethron_bank *bank, const plethron_dataset *dataset, size_t j,
                                  plethron_error *err) {
    const int64_t target = bank->target[j];
    if ((uint64_t)target >= dataset->n_targets)
        return error_set(err, PLETHRON_ERROR_ARGUMENT, "unit %zu learns target %lld: the data set has %zu targets", j,
                         (long long)target, dataset->n_targets);
    const struct target_summary *summary = &dataset->targets[target];
    if (bank->positive_class[j] < 0 && (summary->min < 0.0f || summary->max > 1.0f))
        return error_set(err, PLETHRON_ERROR_ARGUMENT,
                         "target %lld of unit %zu has values from %.9g to %.9g: 0 to 1 is allowed, or a positive class",
                         (long long)target, j, (double)summary->min, (double)summary->max);
    if (bank->positive_class[j] >= 0 && !summary->class_counts)
        return error_set(
            err, PLETHRON_ERROR_ARGUMENT,
            "target %lld of unit %zu, which learns class %lld, holds values that are no class codes: whole "
            "numbers from 0 to %d are allowed",
            (long long)target, j, (long long)bank->positive_class[j], DATASET_MAX_CLASSES - 1);
    return PLETHRON_OK;
}

static plethron_status check(const plethron_bank *bank, const plethron_dataset *dataset, plethron_error *err) {
    plethron_status status = PLETHRON_OK;
    if (bank->n_features != dataset->n_features)
        return error_set(err, PLETHRON_ERROR_ARGUMENT, "the bank has %zu features, the data set %zu", bank->n_features,
                         dataset->n_features);
    for (size_t j = 0; j < bank->n_units; j++) TRY(check_unit(bank, dataset, j, err));
    TRY(device_check_process(dataset->device, err));
out:
    return status;
}

/* ---- Problem ----------------------------------------------------------------------------------------------------- */

static plethron_status allocate_floats(size_t n, float **out, plethron_error *err) {
    void *memory = NULL;
    plethron_status status = memory_allocate(n, sizeof(float), "the units' values", &memory, err);
    if (status == PLETHRON_OK) *out = memory;
    return status;
}

static plethron_status allocate_integers(size_t n, int32_t **out, plethron_error *err) {
    void *memory = NULL;
    plethron_status status = memory_allocate(n, sizeof(int32_t), "the units' values", &memory, err);
    if (status == PLETHRON_OK) *out = memory;
    return status;
}

static plethron_status allocate_problem(training *self, plethron_error *err) {
    plethron_status status;
    train_problem *p = &self->problem;
    const size_t n = p->unit_stride;
    TRY(allocate_floats((self->dataset->n_features + 1) * n, &p->weights, err));
    TRY(allocate_floats(n, &p->learning_rate, err));
    TRY(allocate_floats(n, &p->l2, err));
    TRY(allocate_floats(n, &p->scale, err));
    TRY(allocate_floats(n, &p->positive_class, err));
    TRY(allocate_integers(n, &p->loss, err));
    TRY(allocate_integers(n, &p->target, err));
    TRY(allocate_integers(n, &p->epochs, err));
    TRY(allocate_floats(n, &self->sums.loss, err));
    TRY(allocate_floats(n, &self->sums.error, err));
    TRY(allocate_integers(n, &self->sums.correct, err));
    TRY(allocate_floats(n, &self->mean_loss, err));
    TRY(allocate_floats(n, &self->accuracy, err));
out:
    return status;
}

/* The bank's weights are for raw data. On standardised data (x - mean) / deviation the same unit has the weights
 * w * deviation and the bias b + sum w * mean. */
static void copy_weights_in(training *self) {
    const plethron_dataset *dataset = self->dataset;
    const plethron_bank *bank = self->bank;
    const size_t n_units = bank->n_units, stride = self->problem.unit_stride;
    for (size_t j = 0; j < n_units; j++) {
        double bias = bank->biases[j];
        for (size_t k = 0; k < dataset->n_features; k++) {
            const double w = bank->weights[k * n_units + j];
            const bool standardised = dataset->mean != NULL;
            self->problem.weights[k * stride + j] = (float)(standardised ? w * dataset->deviation[k] : w);
            if (standardised) bias += w * dataset->mean[k];
        }
        self->problem.weights[dataset->n_features * stride + j] = (float)bias;
    }
}

/* The inverse: w / deviation, and b - sum w * mean / deviation. */
static void copy_weights_out(const training *self) {
    const plethron_dataset *dataset = self->dataset;
    plethron_bank *bank = self->bank;
    const size_t n_units = bank->n_units, stride = self->problem.unit_stride;
    for (size_t j = 0; j < n_units; j++) {
        double bias = self->problem.weights[dataset->n_features * stride + j];
        for (size_t k = 0; k < dataset->n_features; k++) {
            double w = self->problem.weights[k * stride + j];
            if (dataset->mean) {
                w /= dataset->deviation[k];
                bias -= w * dataset->mean[k];
            }
            bank->weights[k * n_units + j] = (float)w;
        }
        bank->biases[j] = (float)bias;
    }
}

static plethron_status open_problem(training *self, plethron_error *err) {
    plethron_status status;
    const plethron_bank *bank = self->bank;
    train_problem *p = &self->problem;
    const float mean_scale = 1.0f / (float)self->dataset->n_samples;
    p->dataset = self->dataset;
    p->n_units = bank->n_units;
    p->unit_stride = (bank->n_units + UNIT_PADDING - 1) / UNIT_PADDING * UNIT_PADDING;
    p->one_target = true;
    TRY(allocate_problem(self, err));
    for (size_t j = 0; j < bank->n_units; j++) {
        const int64_t left = bank->epochs[j] - bank->epochs_done[j];
        p->learning_rate[j] = bank->learning_rate[j];
        p->l2[j] = bank->l2[j];
        p->scale[j] = bank->reduction == PLETHRON_REDUCTION_MEAN ? mean_scale : 1.0f;
        p->positive_class[j] = (float)bank->positive_class[j];
        p->loss[j] = (int32_t)bank->loss[j];
        p->target[j] = (int32_t)bank->target[j];
        p->epochs[j] = left > 0 ? (int32_t)left : 0;
        p->losses |= 1 << bank->loss[j];
        p->one_target = p->one_target && bank->target[j] == bank->target[0];
        if (p->epochs[j] > self->n_epochs) self->n_epochs = p->epochs[j];
        if (bank->epochs_done[j] > self->epochs_before) self->epochs_before = bank->epochs_done[j];
    }
    /* A vector of units at the end may hold padding units; they read the same column as the others. */
    for (size_t j = bank->n_units; j < p->unit_stride; j++) p->target[j] = p->target[0];
    copy_weights_in(self);
out:
    return status;
}

static void close_training(training *self) {
    if (self->run) self->plan.strategy->close(self->run);
    train_problem *p = &self->problem;
    void *memory[] = {
        p->weights,    p->learning_rate, p->l2,           p->scale,         p->positive_class,  p->loss,
        p->target,     p->epochs,        self->sums.loss, self->sums.error, self->sums.correct, self->mean_loss,
        self->accuracy};
    for (size_t i = 0; i < sizeof memory / sizeof *memory; i++) free(memory[i]);
}

/* ---- Running ----------------------------------------------------------------------------------------------------- */

static double now_s(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static plethron_status measure(training *self, plethron_error *err) {
    const double n = (double)self->dataset->n_samples;
    plethron_status status = self->plan.strategy->measure(self->run, &self->sums, err);
    for (size_t j = 0; status == PLETHRON_OK && j < self->bank->n_units; j++) {
        self->mean_loss[j] = (float)((double)self->sums.loss[j] / n);
        self->accuracy[j] = (float)((double)self->sums.correct[j] / n);
    }
    return status;
}

static plethron_status measure_and_tell(training *self, plethron_error *err) {
    plethron_status status = measure(self, err);
    if (status != PLETHRON_OK || !self->options.on_measures) return status;
    const plethron_measures measures = {
        .struct_size = sizeof measures,
        .epoch = self->epochs_before + self->epochs_run,
        .n_units = self->bank->n_units,
        .loss = self->mean_loss,
        .error_sum = self->sums.error,
        .accuracy = self->accuracy,
    };
    self->options.on_measures(self->options.context, &measures);
    return PLETHRON_OK;
}

/* False when the callback asks to stop. */
static bool tell_progress(const training *self) {
    if (!self->options.on_progress) return true;
    const plethron_progress progress = {
        .struct_size = sizeof progress,
        .epoch = self->epochs_before + self->epochs_run,
        .n_epochs = self->epochs_before + self->n_epochs,
        .elapsed_s = now_s() - self->start_s,
        .plan = self->plan.text,
    };
    return self->options.on_progress(self->options.context, &progress);
}

static int64_t smaller(int64_t a, int64_t b) {
    return a < b ? a : b;
}

/* Twice as many epochs while a chunk takes less than half of chunk_s, half as many when it takes more than twice. */
static int64_t adapt_chunk(int64_t chunk, double took_s) {
    if (took_s < 0.5 * chunk_s && chunk < INT32_MAX) return 2 * chunk;
    if (took_s > 2.0 * chunk_s && chunk > 1) return chunk / 2;
    return chunk;
}

static plethron_status run_epochs(training *self, plethron_error *err) {
    plethron_status status = PLETHRON_OK;
    const int64_t every = self->options.measure_every;
    bool go_on = tell_progress(self) && self->n_epochs > 0;
    if (go_on && every > 0) TRY(measure_and_tell(self, err));
    for (int64_t chunk = 1; go_on;) {
        int64_t count = smaller(chunk, self->n_epochs - self->epochs_run);
        if (every > 0) count = smaller(count, every - self->epochs_run % every);
        const double before_s = now_s();
        TRY(self->plan.strategy->epochs(self->run, self->epochs_run, count, err));
        if (count == chunk) chunk = adapt_chunk(chunk, now_s() - before_s);
        self->epochs_run += count;
        go_on = tell_progress(self) && self->epochs_run < self->n_epochs;
        if (go_on && every > 0 && self->epochs_run % every == 0) TRY(measure_and_tell(self, err));
    }
out:
    return status;
}

/* ---- Results ----------------------------------------------------------------------------------------------------- */

static bool finite_unit(const plethron_bank *bank, size_t j) {
    bool finite = isfinite(bank->biases[j]) && isfinite(bank->final_loss[j]);
    for (size_t k = 0; finite && k < bank->n_features; k++) finite = isfinite(bank->weights[k * bank->n_units + j]);
    return finite;
}

static plethron_unit_state state_of(const training *self, size_t j) {
    const plethron_bank *bank = self->bank;
    if (!finite_unit(bank, j)) return PLETHRON_UNIT_DIVERGED;
    if (bank->epochs_done[j] < bank->epochs[j]) return PLETHRON_UNIT_INTERRUPTED;
    if (dataset_one_class(self->dataset, (size_t)bank->target[j], bank->positive_class[j]))
        return PLETHRON_UNIT_ONE_CLASS;
    const bool no_error = (size_t)self->sums.correct[j] == self->dataset->n_samples;
    if (no_error && bank->loss[j] == PLETHRON_LOSS_LOG && bank->l2[j] == 0.0f) return PLETHRON_UNIT_SEPARABLE;
    return PLETHRON_UNIT_MAX_EPOCHS;
}

static void store_results(const training *self) {
    plethron_bank *bank = self->bank;
    copy_weights_out(self);
    snprintf(bank->strategy, sizeof bank->strategy, "%s", self->plan.strategy->name);
    for (size_t j = 0; j < bank->n_units; j++) {
        bank->epochs_done[j] += smaller(self->epochs_run, self->problem.epochs[j]);
        bank->final_loss[j] = self->mean_loss[j];
        bank->error_sum[j] = self->sums.error[j];
        bank->accuracy[j] = self->accuracy[j];
        bank->state[j] = state_of(self, j);
    }
}

static plethron_status train(training *self, const tile_sizes *tiling, plethron_error *err) {
    plethron_status status;
    self->start_s = now_s();
    TRY(check(self->bank, self->dataset, err));
    if (self->options.measure_every < 0) {
        status = error_set(err, PLETHRON_ERROR_ARGUMENT, "measure_every is %lld: 0 or more is allowed",
                           (long long)self->options.measure_every);
        goto out;
    }
    TRY(open_problem(self, err));
    if (tiling)
        TRY(plan_choose_with_tiling(&self->problem, self->options.strategy, tiling, &self->plan, err));
    else
        TRY(plan_choose(&self->problem, self->options.strategy, &self->plan, err));
    TRY(self->plan.strategy->open(&self->problem, &self->plan, &self->run, err));
    TRY(run_epochs(self, err));
    TRY(measure_and_tell(self, err));
    TRY(self->plan.strategy->weights(self->run, err));
    store_results(self);
    if (self->epochs_run < self->n_epochs)
        status = error_set(err, PLETHRON_ERROR_INTERRUPTED, "stopped after %lld of %lld epochs",
                           (long long)self->epochs_run, (long long)self->n_epochs);
out:
    return status;
}

plethron_status train_with_tiling(plethron_dataset *dataset, plethron_bank *bank, const plethron_train_options *options,
                                  const tile_sizes *tiling, plethron_error *err) {
    training self = {.dataset = dataset, .bank = bank, .options = {.struct_size = sizeof self.options}};
    if (options) {
        plethron_status status =
            error_check_struct(options->struct_size, sizeof self.options, "plethron_train_options", err);
        if (status != PLETHRON_OK) return status;
        memcpy(&self.options, options, options->struct_size);
    }
    plethron_status status = train(&self, tiling, err);
    close_training(&self);
    return status;
}

plethron_status plethron_train(plethron_dataset *dataset, plethron_bank *bank, const plethron_train_options *options,
                               plethron_error *err) {
    return train_with_tiling(dataset, bank, options, NULL, err);
}
