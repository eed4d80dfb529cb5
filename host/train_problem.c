#include "train_problem.h"

#include "bank.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- Checks ------------------------------------------------------------------------------------------------------ */

static plethron_status check_target(const plethron_bank *bank, const plethron_dataset *dataset, size_t j,
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
    if (bank->positive_class[j] >= 0 && !summary->is_codes)
        return error_set(
            err, PLETHRON_ERROR_ARGUMENT,
            "target %lld of unit %zu, which learns class %lld, holds values that are no class codes: whole "
            "numbers from 0 to %d are allowed",
            (long long)target, j, (long long)bank->positive_class[j], DATASET_MAX_CLASSES - 1);
    return PLETHRON_OK;
}

static plethron_status check_rows(const plethron_bank *bank, const plethron_dataset *dataset, size_t j,
                                  plethron_error *err) {
    if (bank->weight_column[j] >= (int64_t)dataset->n_weight_columns)
        return error_set(err, PLETHRON_ERROR_ARGUMENT,
                         "weight_column of unit %zu is %lld: the data set has %zu columns of sample weights", j,
                         (long long)bank->weight_column[j], dataset->n_weight_columns);
    if (bank->excluded_fold[j] >= (int64_t)dataset->n_folds)
        return error_set(err, PLETHRON_ERROR_ARGUMENT, "excluded_fold of unit %zu is %lld: the data set has %zu folds",
                         j, (long long)bank->excluded_fold[j], dataset->n_folds);
    if (bank->entity[j] >= (int64_t)dataset->n_entities)
        return error_set(err, PLETHRON_ERROR_ARGUMENT, "entity of unit %zu is %lld: the data set has %zu entities", j,
                         (long long)bank->entity[j], dataset->n_entities);
    if (dataset->n_entities > 0 && bank->entity[j] < 0)
        return error_set(err, PLETHRON_ERROR_ARGUMENT,
                         "unit %zu has no entity: on a data set with %zu entities each unit needs one", j,
                         dataset->n_entities);
    if (dataset->n_entities > 0 && (bank->bootstrap[j] || bank->batch_size > 0))
        return error_set(err, PLETHRON_ERROR_UNSUPPORTED, "%s with entities (unit %zu) is not supported",
                         bank->bootstrap[j] ? "a bootstrap" : "a batch size", j);
    return PLETHRON_OK;
}

static plethron_status check_rules(const plethron_bank *bank, size_t j, plethron_error *err) {
    if (bank->patience[j] > 0 && bank->excluded_fold[j] < 0)
        return error_set(err, PLETHRON_ERROR_ARGUMENT,
                         "unit %zu has a patience of %lld epochs but no excluded fold to measure its loss on", j,
                         (long long)bank->patience[j]);
    if (bank->tolerance[j] > 0.0f && bank->batch_size > 0)
        return error_set(err, PLETHRON_ERROR_ARGUMENT,
                         "unit %zu has a tolerance of %g: with batches (batch_size %lld) the gradient of all rows is "
                         "never known; use a patience",
                         j, (double)bank->tolerance[j], (long long)bank->batch_size);
    return PLETHRON_OK;
}

static plethron_status check(const plethron_bank *bank, const plethron_dataset *dataset, plethron_error *err) {
    plethron_status status = PLETHRON_OK;
    if (bank->n_features != dataset->n_features)
        return error_set(err, PLETHRON_ERROR_ARGUMENT, "the bank has %zu features, the data set %zu", bank->n_features,
                         dataset->n_features);
    for (size_t j = 0; j < bank->n_units; j++) {
        TRY(check_target(bank, dataset, j, err));
        TRY(check_rows(bank, dataset, j, err));
        TRY(check_rules(bank, j, err));
    }
out:
    return status;
}

/* ---- Making ------------------------------------------------------------------------------------------------------ */

static bool has_batches(const plethron_bank *bank, const plethron_dataset *dataset) {
    return bank->batch_size > 0 && (size_t)bank->batch_size < dataset->n_samples;
}

/* The set of what occurs. */
static int uses_of(const plethron_bank *bank, const plethron_dataset *dataset) {
    int uses = has_batches(bank, dataset) ? USE_SHUFFLE : 0;
    for (size_t j = 0; j < bank->n_units; j++) {
        const bool class_weights =
            bank->balanced[j] || bank->weight_negative[j] != 1.0f || bank->weight_positive[j] != 1.0f;
        const int64_t optimizer = bank->optimizer[j];
        const bool momentum = optimizer == OPTIMIZER_MOMENTUM || optimizer == OPTIMIZER_NESTEROV;
        uses |= bank->loss[j] == LOSS_MSE ? USE_MSE : 0;
        uses |= bank->loss[j] == LOSS_TUTORIAL ? USE_TUTORIAL : 0;
        uses |= bank->target[j] != bank->target[0] ? USE_MANY_TARGETS : 0;
        uses |= dataset->targets[bank->target[j]].has_missing ? USE_MISSING : 0;
        uses |= bank->weight_column[j] >= 0 ? USE_ROW_WEIGHTS : 0;
        uses |= bank->excluded_fold[j] >= 0 ? USE_FOLDS : 0;
        uses |= bank->bootstrap[j] ? USE_BOOTSTRAP : 0;
        uses |= class_weights ? USE_CLASS_WEIGHTS : 0;
        uses |= bank->l1[j] > 0.0f ? USE_L1 : 0;
        uses |= momentum ? USE_MOMENTUM : 0;
        uses |= optimizer == OPTIMIZER_ADAM ? USE_ADAM : 0;
        uses |= bank->schedule[j] != SCHEDULE_CONSTANT ? USE_SCHEDULES : 0;
        uses |= bank->patience[j] > 0 ? USE_PATIENCE : 0;
    }
    return uses;
}

/* The mean and deviation of a unit's rows; NULL when not standardised. */
static const double *of_range(const plethron_dataset *dataset, const plethron_bank *bank, size_t j,
                              const double *moments) {
    if (!moments) return NULL;
    return moments + (dataset->n_entities ? (size_t)bank->entity[j] * dataset->n_features : 0);
}

/* The bank's weights are for raw data. On standardised data (x - mean) / deviation the same unit has the weights
 * w * deviation and the bias b + sum w * mean. */
static void copy_weights_in(const plethron_bank *bank, train_problem *p, size_t j) {
    const plethron_dataset *dataset = p->dataset;
    const double *mean = of_range(dataset, bank, j, dataset->mean);
    const double *deviation = of_range(dataset, bank, j, dataset->deviation);
    double bias = bank->biases[j];
    for (size_t k = 0; k < dataset->n_features; k++) {
        const double w = bank->weights[k * bank->n_units + j];
        p->weights[k * p->unit_stride + j] = (float)(mean ? w * deviation[k] : w);
        if (mean) bias += w * mean[k];
    }
    p->weights[dataset->n_features * p->unit_stride + j] = (float)bias;
}

/* The inverse: w / deviation, and b - sum w * mean / deviation. */
static void copy_weights_out(const train_problem *p, plethron_bank *bank, size_t j) {
    const plethron_dataset *dataset = p->dataset;
    const double *mean = of_range(dataset, bank, j, dataset->mean);
    const double *deviation = of_range(dataset, bank, j, dataset->deviation);
    double bias = p->weights[dataset->n_features * p->unit_stride + j];
    for (size_t k = 0; k < dataset->n_features; k++) {
        double w = p->weights[k * p->unit_stride + j];
        if (mean) {
            w /= deviation[k];
            bias -= w * mean[k];
        }
        bank->weights[k * bank->n_units + j] = (float)w;
    }
    bank->biases[j] = (float)bias;
}

static void set_halves(const train_problem *p, int field, size_t j, int64_t value) {
    problem_integers(p, field)[j] = (int32_t)(uint32_t)value;
    problem_integers(p, field + 1)[j] = (int32_t)(uint32_t)((uint64_t)value >> 32);
}

/* A unit that a rule has stopped stays stopped. */
static bool stopped_before(const plethron_bank *bank, size_t j) {
    return bank->state[j] == PLETHRON_UNIT_CONVERGED || bank->state[j] == PLETHRON_UNIT_EARLY_STOPPED;
}

static bool goes_on(const plethron_bank *bank, size_t j) {
    return !stopped_before(bank, j) && bank->epochs_done[j] < bank->epochs[j];
}

static void fill_unit(const plethron_bank *bank, train_problem *p, size_t j) {
    const plethron_dataset *dataset = p->dataset;
    const struct dataset_range *range = &dataset->ranges[dataset->n_entities ? bank->entity[j] : 0];
    const struct {
        int field;
        float value;
    } floats[] = {
        {UNIT_LEARNING_RATE, bank->learning_rate[j]},
        {UNIT_L2, bank->l2[j]},
        {UNIT_L1, bank->l1[j]},
        {UNIT_POSITIVE_CLASS, (float)bank->positive_class[j]},
        {UNIT_WEIGHT_NEGATIVE, bank->weight_negative[j]},
        {UNIT_WEIGHT_POSITIVE, bank->weight_positive[j]},
        {UNIT_MOMENTUM, bank->momentum[j]},
        {UNIT_BETA2, bank->beta2[j]},
        {UNIT_EPSILON, bank->epsilon[j]},
        {UNIT_DECAY, bank->decay[j]},
        {UNIT_TOLERANCE, bank->tolerance[j]},
    };
    const struct {
        int field;
        int64_t value;
    } integers[] = {
        {UNIT_LOSS, bank->loss[j]},
        {UNIT_TARGET, bank->target[j]},
        {UNIT_WEIGHT_COLUMN, bank->weight_column[j]},
        {UNIT_EXCLUDED_FOLD, bank->excluded_fold[j]},
        {UNIT_BOOTSTRAP, bank->bootstrap[j]},
        {UNIT_OPTIMIZER, bank->optimizer[j]},
        {UNIT_SCHEDULE, bank->schedule[j]},
        {UNIT_EPOCHS, goes_on(bank, j) ? bank->epochs[j] - bank->epochs_done[j] : 0},
        {UNIT_EPOCHS_BEFORE, goes_on(bank, j) ? bank->epochs_done[j] : 0},
        {UNIT_PATIENCE, bank->patience[j]},
        {UNIT_FIRST_TILE, (int64_t)range->first_tile},
        {UNIT_ROWS, (int64_t)range->n_rows},
        {UNIT_RANGE, (int64_t)(range - p->dataset->ranges)},
    };
    for (size_t f = 0; f < sizeof floats / sizeof *floats; f++) problem_floats(p, floats[f].field)[j] = floats[f].value;
    for (size_t f = 0; f < sizeof integers / sizeof *integers; f++)
        problem_integers(p, integers[f].field)[j] = (int32_t)integers[f].value;
    set_halves(p, UNIT_SEED, j, bank->seed[j]);
    set_halves(p, UNIT_ID, j, bank->id[j]);
    problem_state_integers(p, STATE_ACTIVE)[j] = 1;
    p->state[(size_t)STATE_BEST_LOSS * p->unit_stride + j] = INFINITY;
    p->state[(size_t)STATE_NORM * p->unit_stride + j] = NAN;
    copy_weights_in(bank, p, j);
}

static plethron_status open_measures(bank_problem *self, size_t n_units, plethron_error *err) {
    plethron_status status = PLETHRON_OK;
    unit_measures *m = &self->measures;
    float **arrays[] = {&m->loss,      &m->error_sum,      &m->accuracy,      &m->auc,
                        &m->held_loss, &m->held_error_sum, &m->held_accuracy, &m->held_auc,
                        &m->wrong,     &self->negative,    &self->positive,   &self->held};
    for (size_t a = 0; a < sizeof arrays / sizeof *arrays; a++) {
        void *memory = NULL;
        TRY(memory_allocate(n_units, sizeof(float), "the units' measures", &memory, err));
        *arrays[a] = memory;
        for (size_t j = 0; j < n_units; j++) (*arrays[a])[j] = NAN;
    }
out:
    return status;
}

/* Weights are here twice while some of the units train, and once on the device; with what a gradient takes, that is the
 * least. Sparse features may be so many that it is told before any memory is touched. */
static plethron_status check_memory(const plethron_bank *bank, const plethron_dataset *dataset, plethron_error *err) {
    enum { N_MATRICES = 4 };
    const plethron_device_info *info = plethron_device_describe(dataset->device);
    const double stride = (double)problem_unit_stride(bank->n_units, dataset->sparse != NULL);
    const double bytes = N_MATRICES * ((double)dataset->n_features + 1.0) * stride * sizeof(float);
    if (!dataset->sparse || bytes <= (double)info->memory_bytes) return PLETHRON_OK;
    return error_set(err, PLETHRON_ERROR_MEMORY,
                     "training %zu units of %zu features needs %.0f bytes or more; %s has %llu: fewer units at a time "
                     "need less",
                     bank->n_units, dataset->n_features, bytes, info->name, (unsigned long long)info->memory_bytes);
}

plethron_status bank_problem_open(const plethron_bank *bank, const plethron_dataset *dataset, bank_problem *out,
                                  plethron_error *err) {
    plethron_status status;
    bank_problem self = {0};
    TRY(check(bank, dataset, err));
    TRY(check_memory(bank, dataset, err));
    train_problem like = {
        .dataset = dataset,
        .uses = uses_of(bank, dataset),
        .has_ranges = dataset->n_entities > 0,
        .check_every = bank->check_every,
        .batch_rows = has_batches(bank, dataset) ? (size_t)bank->batch_size : 0,
        .batch_seed = bank->batch_seed,
    };
    bool any_goes_on = false;
    for (size_t j = 0; j < bank->n_units; j++) {
        like.has_rules = like.has_rules || bank->patience[j] > 0 || bank->tolerance[j] > 0.0f;
        if (!goes_on(bank, j)) continue;
        if (any_goes_on && like.batch_rows && bank->epochs_done[j] != like.batch_epoch)
            return error_set(err, PLETHRON_ERROR_ARGUMENT,
                             "with batches all units that go on must have run as many epochs: unit %zu has run %lld, "
                             "others %lld",
                             j, (long long)bank->epochs_done[j], (long long)like.batch_epoch);
        like.batch_epoch = bank->epochs_done[j];
        any_goes_on = true;
    }
    TRY(problem_open(&like, bank->n_units, &self.problem, err));
    TRY(open_measures(&self, bank->n_units, err));
    for (size_t j = 0; j < bank->n_units; j++) fill_unit(bank, &self.problem, j);
    *out = self;
    self = (bank_problem){0};
out:
    bank_problem_close(&self);
    return status;
}

void bank_problem_close(bank_problem *self) {
    unit_measures *m = &self->measures;
    void *arrays[] = {m->loss,          m->error_sum, m->accuracy, m->auc,         m->held_loss,   m->held_error_sum,
                      m->held_accuracy, m->held_auc,  m->wrong,    self->negative, self->positive, self->held};
    for (size_t a = 0; a < sizeof arrays / sizeof *arrays; a++) free(arrays[a]);
    problem_close(&self->problem);
}

/* ---- Weights of rows --------------------------------------------------------------------------------------------- */

static float row_weight(const bank_problem *self, size_t j) {
    return self->negative[j] + self->positive[j];
}

/* What the gradient and the loss are divided by: the rows' weight with class weights. */
static float full_weight(const bank_problem *self, size_t j) {
    if (!(self->problem.uses & USE_CLASS_WEIGHTS)) return row_weight(self, j);
    return problem_floats(&self->problem, UNIT_WEIGHT_NEGATIVE)[j] * self->negative[j] +
           problem_floats(&self->problem, UNIT_WEIGHT_POSITIVE)[j] * self->positive[j];
}

/* (weight of all rows) / (2 weight of the class's rows); a class without rows weighs 1. */
static float balanced_weight(const bank_problem *self, size_t j, float of_class) {
    return of_class > 0.0f ? row_weight(self, j) / (2.0f * of_class) : 1.0f;
}

void bank_problem_weigh(bank_problem *self, const plethron_bank *bank, const float *totals, size_t stride) {
    const train_problem *p = &self->problem;
    for (size_t j = 0; j < p->n_units; j++) {
        self->negative[j] = totals[WEIGH_NEGATIVE * stride + j];
        self->positive[j] = totals[WEIGH_POSITIVE * stride + j];
        self->held[j] = totals[WEIGH_HELD_NEGATIVE * stride + j] + totals[WEIGH_HELD_POSITIVE * stride + j];
        if (bank->balanced[j]) {
            problem_floats(p, UNIT_WEIGHT_NEGATIVE)[j] = balanced_weight(self, j, self->negative[j]);
            problem_floats(p, UNIT_WEIGHT_POSITIVE)[j] = balanced_weight(self, j, self->positive[j]);
        }
        const float full = full_weight(self, j);
        const bool has_rows = full > 0.0f;
        problem_floats(p, UNIT_SCALE)[j] = bank->reduction == PLETHRON_REDUCTION_SUM || !has_rows ? 1.0f : 1.0f / full;
        if (!has_rows) problem_state_integers(p, STATE_ACTIVE)[j] = 0;
        p->held_scale[j] = self->held[j] > 0.0f ? 1.0f / self->held[j] : 0.0f;
        if (!(self->held[j] > 0.0f)) problem_integers(p, UNIT_PATIENCE)[j] = 0; /* nothing to wait for */
    }
}

/* ---- Results ----------------------------------------------------------------------------------------------------- */

static float share(float sum, float of) {
    return of > 0.0f ? (float)((double)sum / (double)of) : NAN;
}

void bank_problem_measure(bank_problem *self, size_t j, const float *totals, size_t stride) {
    unit_measures *m = &self->measures;
    m->loss[j] = share(totals[MEASURE_LOSS * stride], full_weight(self, j));
    m->error_sum[j] = totals[MEASURE_ERROR * stride];
    m->accuracy[j] = fminf(share(totals[MEASURE_CORRECT * stride], row_weight(self, j)), 1.0f);
    m->wrong[j] = row_weight(self, j) - totals[MEASURE_CORRECT * stride];
    if (!(row_weight(self, j) > 0.0f)) m->accuracy[j] = m->error_sum[j] = NAN;
    if (!(self->held[j] > 0.0f)) return;
    m->held_loss[j] = share(totals[MEASURE_HELD_LOSS * stride], self->held[j]);
    m->held_error_sum[j] = totals[MEASURE_HELD_ERROR * stride];
    m->held_accuracy[j] = fminf(share(totals[MEASURE_HELD_CORRECT * stride], self->held[j]), 1.0f);
}

void bank_problem_auc(bank_problem *self, size_t j, bool held, const float *totals, size_t stride) {
    const double area = (double)totals[AUC_AREA * stride] + (double)totals[(AUC_AREA + 1) * stride];
    const double pairs = (double)totals[AUC_NEGATIVE * stride] * (double)totals[AUC_POSITIVE * stride];
    float *auc = held ? self->measures.held_auc : self->measures.auc;
    const bool known = pairs > 0.0 && isfinite(self->measures.loss[j]); /* a NaN would not have been sorted */
    auc[j] = known ? (float)fmin(area / pairs, 1.0) : NAN;
}

void bank_problem_restore(bank_problem *self) {
    const train_problem *p = &self->problem;
    for (size_t j = 0; p->best && j < p->n_units; j++) {
        const bool has_best = problem_state_integers(p, STATE_BEST_EPOCH)[j] > 0;
        if (problem_integers(p, UNIT_PATIENCE)[j] == 0 || !has_best) continue;
        for (size_t k = 0; k <= p->dataset->n_features; k++)
            p->weights[k * p->unit_stride + j] = p->best[k * p->unit_stride + j];
        /* one that broke later has sound weights all the same */
        int32_t *reason = &problem_state_integers(p, STATE_REASON)[j];
        if (*reason == REASON_DIVERGED) *reason = REASON_EARLY_STOPPED;
    }
}

static bool is_finite(const plethron_bank *bank, size_t j) {
    bool finite = isfinite(bank->biases[j]) && isfinite(bank->final_loss[j]);
    for (size_t k = 0; finite && k < bank->n_features; k++) finite = isfinite(bank->weights[k * bank->n_units + j]);
    return finite;
}

/* Counts of rows are exact as floats up to 2^24; sums of other weights round. */
static bool has_no_error(const bank_problem *self, size_t j) {
    const float rounding = self->problem.uses & USE_ROW_WEIGHTS ? 1e-6f : 0.0f;
    return self->measures.wrong[j] <= rounding * row_weight(self, j);
}

/* A plane that splits soft targets, such as 0.2 and 0.8, leaves the log loss an optimum. */
static bool has_hard_targets(const bank_problem *self, const plethron_bank *bank, size_t j) {
    return bank->positive_class[j] >= 0 || self->problem.dataset->targets[bank->target[j]].is_binary;
}

static plethron_unit_state state_of(const bank_problem *self, const plethron_bank *bank, size_t j) {
    const int32_t reason = problem_state_integers(&self->problem, STATE_REASON)[j];
    if (!(full_weight(self, j) > 0.0f)) return PLETHRON_UNIT_NO_ROWS;
    if (stopped_before(bank, j)) return (plethron_unit_state)bank->state[j];
    if (reason == REASON_DIVERGED || !is_finite(bank, j)) return PLETHRON_UNIT_DIVERGED;
    if (reason == REASON_EARLY_STOPPED) return PLETHRON_UNIT_EARLY_STOPPED;
    if (reason == REASON_NONE && bank->epochs_done[j] < bank->epochs[j]) return PLETHRON_UNIT_INTERRUPTED;
    if (self->negative[j] == 0.0f || self->positive[j] == 0.0f) return PLETHRON_UNIT_ONE_CLASS;
    const bool penalised = bank->l2[j] > 0.0f || bank->l1[j] > 0.0f;
    if (has_no_error(self, j) && has_hard_targets(self, bank, j) && bank->loss[j] == PLETHRON_LOSS_LOG && !penalised)
        return PLETHRON_UNIT_SEPARABLE;
    return reason == REASON_CONVERGED ? PLETHRON_UNIT_CONVERGED : PLETHRON_UNIT_MAX_EPOCHS;
}

static int64_t epochs_run_by(const train_problem *p, size_t j, int64_t epochs_run) {
    const int64_t left = problem_integers(p, UNIT_EPOCHS)[j];
    if (problem_state_integers(p, STATE_REASON)[j] != REASON_NONE) return problem_state_integers(p, STATE_EPOCHS)[j];
    if (!problem_state_integers(p, STATE_ACTIVE)[j]) return 0;
    return epochs_run < left ? epochs_run : left;
}

void bank_problem_store(const bank_problem *self, int64_t epochs_run, const char *strategy_name, plethron_bank *bank) {
    const train_problem *p = &self->problem;
    const unit_measures *m = &self->measures;
    snprintf(bank->strategy, sizeof bank->strategy, "%s", strategy_name);
    snprintf(bank->storage, sizeof bank->storage, "%s", dataset_storage_name(p->dataset->storage));
    for (size_t j = 0; j < bank->n_units; j++) {
        if (full_weight(self, j) > 0.0f) copy_weights_out(p, bank, j);
        const int64_t before = bank->epochs_done[j];
        bank->epochs_done[j] += epochs_run_by(p, j, epochs_run);
        bank->weight_negative[j] = problem_floats(p, UNIT_WEIGHT_NEGATIVE)[j];
        bank->weight_positive[j] = problem_floats(p, UNIT_WEIGHT_POSITIVE)[j];
        bank->row_weight[j] = row_weight(self, j);
        const int32_t best_epoch = problem_state_integers(p, STATE_BEST_EPOCH)[j];
        if (best_epoch > 0) bank->best_epoch[j] = before + best_epoch;
        bank->gradient_norm[j] = p->state[(size_t)STATE_NORM * p->unit_stride + j];
        bank->final_loss[j] = m->loss[j];
        bank->error_sum[j] = m->error_sum[j];
        bank->accuracy[j] = m->accuracy[j];
        bank->auc[j] = m->auc[j];
        bank->held_out_loss[j] = m->held_loss[j];
        bank->held_out_error_sum[j] = m->held_error_sum[j];
        bank->held_out_accuracy[j] = m->held_accuracy[j];
        bank->held_out_auc[j] = m->held_auc[j];
        bank->state[j] = state_of(self, bank, j);
    }
}
