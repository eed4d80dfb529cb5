#include "bank.h"

#include "dataset.h"
#include "random.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* 2^53 - 1: up to here a double, and so a JSON reader, tells each integer from the next. */
#define INTEGER_MAX 9007199254740991.0
#define BELOW_ONE (1.0 - 0x1p-24) /* the largest float below 1 */

#define OPTION(field) offsetof(plethron_bank_options, field)
#define FLOATS(field, otherwise, low, high) \
    { #field, false, offsetof(plethron_bank, field), OPTION(field), otherwise, low, high, false }
#define INTEGERS(field, otherwise, low, high) \
    { #field, true, offsetof(plethron_bank, field), OPTION(field), otherwise, low, high, false }
#define COUNT(field, high) \
    { #field, true, offsetof(plethron_bank, field), BANK_NO_OPTION, 0.0, 0.0, high, false }
#define MEASURE(field, low, high) \
    { #field, false, offsetof(plethron_bank, field), BANK_NO_OPTION, NAN, low, high, true }

const bank_array bank_arrays[BANK_N_ARRAYS] = {
    FLOATS(learning_rate, 0.1, 0.0, INFINITY),
    FLOATS(l2, 0.0, 0.0, INFINITY),
    INTEGERS(epochs, 1000, 0, INT32_MAX),
    INTEGERS(loss, PLETHRON_LOSS_LOG, PLETHRON_LOSS_LOG, PLETHRON_LOSS_TUTORIAL),
    INTEGERS(target, 0, 0, DATASET_MAX_COUNT),
    INTEGERS(positive_class, PLETHRON_NO_CLASS, PLETHRON_NO_CLASS, DATASET_MAX_CLASSES - 1),
    INTEGERS(seed, 0, 0, INTEGER_MAX),
    INTEGERS(id, 0, 0, INTEGER_MAX),
    COUNT(state, PLETHRON_UNIT_NO_ROWS),
    COUNT(epochs_done, INTEGER_MAX),
    MEASURE(final_loss, -INFINITY, INFINITY),
    MEASURE(error_sum, -INFINITY, INFINITY),
    MEASURE(accuracy, 0.0, 1.0),
    FLOATS(l1, 0.0, 0.0, INFINITY),
    INTEGERS(optimizer, PLETHRON_OPTIMIZER_GD, PLETHRON_OPTIMIZER_GD, PLETHRON_OPTIMIZER_ADAM),
    FLOATS(momentum, 0.9, 0.0, BELOW_ONE),
    FLOATS(beta2, 0.999, 0.0, BELOW_ONE),
    FLOATS(epsilon, 1e-8, 1e-30, 1.0),
    INTEGERS(schedule, PLETHRON_SCHEDULE_CONSTANT, PLETHRON_SCHEDULE_CONSTANT, PLETHRON_SCHEDULE_COSINE),
    FLOATS(decay, 0.5, 0.0, 4.0),
    FLOATS(tolerance, 0.0, 0.0, INFINITY),
    INTEGERS(patience, 0, 0, INT32_MAX),
    FLOATS(weight_negative, 1.0, 0.0, INFINITY),
    FLOATS(weight_positive, 1.0, 0.0, INFINITY),
    INTEGERS(balanced, 0, 0, 1),
    INTEGERS(weight_column, PLETHRON_NONE, PLETHRON_NONE, DATASET_MAX_COUNT),
    INTEGERS(excluded_fold, PLETHRON_NONE, PLETHRON_NONE, DATASET_MAX_FOLDS - 1),
    INTEGERS(bootstrap, 0, 0, 1),
    INTEGERS(entity, PLETHRON_NONE, PLETHRON_NONE, DATASET_MAX_COUNT),
    COUNT(best_epoch, INTEGER_MAX),
    MEASURE(row_weight, 0.0, INFINITY),
    MEASURE(gradient_norm, 0.0, INFINITY),
    MEASURE(auc, 0.0, 1.0),
    MEASURE(held_out_loss, -INFINITY, INFINITY),
    MEASURE(held_out_error_sum, -INFINITY, INFINITY),
    MEASURE(held_out_accuracy, 0.0, 1.0),
    MEASURE(held_out_auc, 0.0, 1.0),
};

void *bank_array_memory(const plethron_bank *bank, const bank_array *array) {
    void *memory;
    memcpy(&memory, (const char *)bank + array->offset, sizeof memory);
    return memory;
}

void bank_array_reset(plethron_bank *bank, const bank_array *array) {
    void *memory = bank_array_memory(bank, array);
    for (size_t j = 0; j < bank->n_units; j++) {
        if (array->is_integer)
            ((int64_t *)memory)[j] = (int64_t)array->otherwise;
        else
            ((float *)memory)[j] = (float)array->otherwise;
    }
}

/* ---- Making ------------------------------------------------------------------------------------------------------ */

plethron_status bank_allocate(size_t n_features, size_t n_units, plethron_bank **out, plethron_error *err) {
    plethron_status status;
    void *memory = NULL, *array = NULL;
    plethron_bank *bank = NULL;
    size_t n_weights;
    if (n_features == 0 || n_features > DATASET_MAX_COUNT)
        return error_set(err, PLETHRON_ERROR_ARGUMENT, "n_features is %zu: 1 to %d is allowed", n_features,
                         DATASET_MAX_COUNT);
    if (n_units == 0 || n_units > DATASET_MAX_COUNT)
        return error_set(err, PLETHRON_ERROR_ARGUMENT, "n_units is %zu: 1 to %d is allowed", n_units,
                         DATASET_MAX_COUNT);
    if (!size_multiply(n_features + 1, n_units, &n_weights))
        return error_set(err, PLETHRON_ERROR_MEMORY, "%zu features x %zu units cannot be addressed", n_features,
                         n_units);
    TRY(memory_allocate(1, sizeof *bank, "a bank", &memory, err));
    bank = memory;
    bank->n_features = n_features;
    bank->n_units = n_units;
    TRY(memory_allocate(n_weights, sizeof(float), "the bank's weights", &array, err));
    bank->weights = array;
    bank->biases = bank->weights + n_features * n_units;
    for (size_t a = 0; a < BANK_N_ARRAYS; a++) {
        const size_t size = bank_arrays[a].is_integer ? sizeof(int64_t) : sizeof(float);
        TRY(memory_allocate(n_units, size, bank_arrays[a].name, &array, err));
        memcpy((char *)bank + bank_arrays[a].offset, &array, sizeof array);
    }
    *out = bank;
    bank = NULL;
out:
    plethron_bank_close(bank);
    return status;
}

void plethron_bank_close(plethron_bank *bank) {
    if (!bank) return;
    for (size_t a = 0; a < BANK_N_ARRAYS; a++) free(bank_array_memory(bank, &bank_arrays[a]));
    free(bank->weights);
    bank_names_close(bank);
    free(bank);
}

static plethron_status check_count(size_t count, const void *values, size_t n_units, const char *name,
                                   plethron_error *err) {
    if (count == 0 || (values && (count == 1 || count == n_units))) return PLETHRON_OK;
    return error_set(err, PLETHRON_ERROR_ARGUMENT,
                     "%s has %zu values%s: 0 (the default), 1 (for all units) or %zu (one a unit) are allowed", name,
                     count, values ? "" : " but no array", n_units);
}

static plethron_status fill_floats(float *to, size_t n_units, plethron_floats from, const bank_array *array,
                                   plethron_error *err) {
    plethron_status status = check_count(from.count, from.values, n_units, array->name, err);
    for (size_t j = 0; status == PLETHRON_OK && j < n_units; j++)
        to[j] = from.count == 0 ? (float)array->otherwise : from.values[from.count == 1 ? 0 : j];
    return status;
}

static plethron_status fill_integers(int64_t *to, size_t n_units, plethron_integers from, const bank_array *array,
                                     plethron_error *err) {
    plethron_status status = check_count(from.count, from.values, n_units, array->name, err);
    for (size_t j = 0; status == PLETHRON_OK && j < n_units; j++)
        to[j] = from.count == 0 ? (int64_t)array->otherwise : from.values[from.count == 1 ? 0 : j];
    return status;
}

/* Takes an array from the options; a result starts at its `otherwise`. */
static plethron_status fill_array(plethron_bank *bank, const bank_array *array, const plethron_bank_options *options,
                                  plethron_error *err) {
    const bool given = array->option_offset != BANK_NO_OPTION;
    const char *option = given ? (const char *)options + array->option_offset : NULL;
    if (array->is_integer) {
        plethron_integers integers = {0};
        if (given) memcpy(&integers, option, sizeof integers);
        return fill_integers(bank_array_memory(bank, array), bank->n_units, integers, array, err);
    }
    plethron_floats floats = {0};
    if (given) memcpy(&floats, option, sizeof floats);
    return fill_floats(bank_array_memory(bank, array), bank->n_units, floats, array, err);
}

static plethron_status fill(plethron_bank *bank, const plethron_bank_options *options, plethron_error *err) {
    plethron_status status;
    for (size_t a = 0; a < BANK_N_ARRAYS; a++) TRY(fill_array(bank, &bank_arrays[a], options, err));
    for (size_t j = 0; j < bank->n_units && options->id.count == 0; j++) bank->id[j] = (int64_t)j;
    bank->reduction = options->reduction;
    bank->check_every = options->check_every ? options->check_every : BANK_CHECK_EVERY;
    bank->batch_size = options->batch_size > INT64_MAX ? INT64_MAX : (int64_t)options->batch_size;
    bank->batch_seed = options->batch_seed;
out:
    return status;
}

static plethron_status check_scalars(const plethron_bank *bank, const char *file, plethron_status status_if_bad,
                                     plethron_error *err) {
    const char *before = file ? file : "", *colon = file ? ": " : "";
    if (bank->reduction != PLETHRON_REDUCTION_MEAN && bank->reduction != PLETHRON_REDUCTION_SUM)
        return error_set(err, status_if_bad, "%s%sreduction is %d: 0 (mean) and 1 (sum) are allowed", before, colon,
                         (int)bank->reduction);
    if (bank->check_every < 1 || bank->check_every > INT32_MAX)
        return error_set(err, status_if_bad, "%s%scheck_every is %lld: 1 to %d is allowed", before, colon,
                         (long long)bank->check_every, INT32_MAX);
    if (bank->batch_size < 0 || bank->batch_size > DATASET_MAX_COUNT || bank->batch_size % DATASET_TILE != 0)
        return error_set(err, status_if_bad, "%s%sbatch_size is %lld: 0 or a multiple of %d up to %d is allowed",
                         before, colon, (long long)bank->batch_size, DATASET_TILE, DATASET_MAX_COUNT);
    if (bank->batch_seed < 0 || (double)bank->batch_seed > INTEGER_MAX)
        return error_set(err, status_if_bad, "%s%sbatch_seed is %lld: 0 to %.0f is allowed", before, colon,
                         (long long)bank->batch_seed, INTEGER_MAX);
    return PLETHRON_OK;
}

static plethron_status bad_value(const char *file, plethron_status status, const bank_array *array, size_t unit,
                                 double value, plethron_error *err) {
    const bool open_low = strcmp(array->name, "learning_rate") == 0;
    return error_set(err, status, "%s%s%s of unit %zu is %.9g: a value %s %.17g%s%.17g is allowed", file ? file : "",
                     file ? ": " : "", array->name, unit, value, open_low ? "above" : "from", array->low,
                     isinf(array->high) ? " and below " : " to ", array->high);
}

plethron_status bank_check(const plethron_bank *bank, const char *file, plethron_status status_if_bad,
                           plethron_error *err) {
    for (size_t a = 0; a < BANK_N_ARRAYS; a++) {
        const bank_array *array = &bank_arrays[a];
        const void *memory = bank_array_memory(bank, array);
        for (size_t j = 0; j < bank->n_units; j++) {
            const double value = array->is_integer ? (double)((const int64_t *)memory)[j] : ((const float *)memory)[j];
            const bool inside = array->nan_allowed ? isnan(value) || (value >= array->low && value <= array->high)
                                                   : value >= array->low && value <= array->high && !isinf(value);
            const bool zero_rate = array->offset == offsetof(plethron_bank, learning_rate) && value == 0.0;
            if (!inside || zero_rate) return bad_value(file, status_if_bad, array, j, value, err);
        }
    }
    return check_scalars(bank, file, status_if_bad, err);
}

/* ---- Start weights ----------------------------------------------------------------------------------------------- */

/* Uniform in [-1, 1) from the top 24 bits, exactly. */
static float uniform(uint32_t bits) {
    return (float)((int32_t)(bits >> 8) - (1 << 23)) * 0x1p-23f;
}

/* The sum of twelve uniforms in [0, 1) less 6 has mean 0 and deviation 1 and is nearly normal, to 6 deviations (Irwin
 * and Hall); it needs no logarithm or cosine, so it has the same bits everywhere. */
static float normal(const uint32_t bits[12]) {
    int64_t sum = 0;
    for (int i = 0; i < 12; i++) sum += (int64_t)(bits[i] >> 8);
    return (float)(sum - (6 << 24)) * 0x1p-24f;
}

/* The start of weight k of a unit: a function of (seed, id, k). */
static float start_weight(plethron_init init, int64_t seed, int64_t id, size_t k) {
    const uint32_t key[2] = {(uint32_t)seed, (uint32_t)((uint64_t)seed >> 32)};
    uint32_t bits[12];
    for (uint32_t part = 0; part < 3; part++) {
        const uint32_t counter[4] = {(uint32_t)k, (uint32_t)id, (uint32_t)((uint64_t)id >> 32),
                                     part << 8 | RANDOM_FOR_START_WEIGHTS};
        random_numbers(counter, key, bits + 4 * part);
    }
    return init == PLETHRON_INIT_UNIFORM ? uniform(bits[0]) : normal(bits);
}

static plethron_status start(plethron_bank *bank, const plethron_bank_options *options, plethron_error *err) {
    const size_t n_values = (bank->n_features + 1) * bank->n_units;
    if (options->start) {
        for (size_t i = 0; i < n_values; i++)
            if (!isfinite(options->start[i]))
                return error_set(err, PLETHRON_ERROR_ARGUMENT, "start[%zu, %zu] is %g: a finite number was expected",
                                 i / bank->n_units, i % bank->n_units, (double)options->start[i]);
        memcpy(bank->weights, options->start, n_values * sizeof *bank->weights);
        return PLETHRON_OK;
    }
    switch (options->init) {
    case PLETHRON_INIT_ZEROS: return PLETHRON_OK;
    case PLETHRON_INIT_UNIFORM:
    case PLETHRON_INIT_NORMAL: break;
    default:
        return error_set(err, PLETHRON_ERROR_ARGUMENT, "init is %d: 0 (zeros), 1 (uniform) and 2 (normal) are allowed",
                         (int)options->init);
    }
    const float spread = 1.0f / sqrtf((float)bank->n_features);
    for (size_t k = 0; k < bank->n_features; k++)
        for (size_t j = 0; j < bank->n_units; j++)
            bank->weights[k * bank->n_units + j] = spread * start_weight(options->init, bank->seed[j], bank->id[j], k);
    return PLETHRON_OK;
}

plethron_status plethron_bank_create(size_t n_features, size_t n_units, const plethron_bank_options *options,
                                     plethron_bank **out, plethron_error *err) {
    plethron_status status;
    plethron_bank *bank = NULL;
    plethron_bank_options chosen = {.struct_size = sizeof chosen};
    if (options) {
        TRY(error_check_struct(options->struct_size, sizeof chosen, "plethron_bank_options", err));
        memcpy(&chosen, options, options->struct_size);
    }
    TRY(bank_allocate(n_features, n_units, &bank, err));
    TRY(fill(bank, &chosen, err));
    TRY(bank_check(bank, NULL, PLETHRON_ERROR_ARGUMENT, err));
    TRY(start(bank, &chosen, err));
    *out = bank;
    bank = NULL;
out:
    plethron_bank_close(bank);
    return status;
}

/* ---- Asking ------------------------------------------------------------------------------------------------------ */

size_t plethron_bank_n_features(const plethron_bank *bank) {
    return bank->n_features;
}
size_t plethron_bank_n_units(const plethron_bank *bank) {
    return bank->n_units;
}
const float *plethron_bank_weights(const plethron_bank *bank) {
    return bank->weights;
}
const float *plethron_bank_biases(const plethron_bank *bank) {
    return bank->biases;
}
plethron_reduction plethron_bank_reduction(const plethron_bank *bank) {
    return bank->reduction;
}
int64_t plethron_bank_check_every(const plethron_bank *bank) {
    return bank->check_every;
}
size_t plethron_bank_batch_size(const plethron_bank *bank) {
    return (size_t)bank->batch_size;
}
int64_t plethron_bank_batch_seed(const plethron_bank *bank) {
    return bank->batch_seed;
}
const char *plethron_bank_strategy(const plethron_bank *bank) {
    return bank->strategy;
}

const char *plethron_bank_storage(const plethron_bank *bank) {
    return bank->storage;
}

plethron_status plethron_bank_unit(const plethron_bank *bank, size_t unit, plethron_unit *out, plethron_error *err) {
    const size_t struct_size = out->struct_size;
    plethron_status status = error_check_struct(struct_size, sizeof *out, "plethron_unit", err);
    if (status != PLETHRON_OK) return status;
    if (unit >= bank->n_units)
        return error_set(err, PLETHRON_ERROR_ARGUMENT, "unit %zu does not exist: the bank has %zu", unit,
                         bank->n_units);
    const plethron_unit found = {
        .struct_size = struct_size,
        .learning_rate = bank->learning_rate[unit],
        .l2 = bank->l2[unit],
        .epochs = bank->epochs[unit],
        .loss = (plethron_loss)bank->loss[unit],
        .target = bank->target[unit],
        .positive_class = bank->positive_class[unit],
        .seed = bank->seed[unit],
        .id = bank->id[unit],
        .state = (plethron_unit_state)bank->state[unit],
        .epochs_done = bank->epochs_done[unit],
        .final_loss = bank->final_loss[unit],
        .error_sum = bank->error_sum[unit],
        .accuracy = bank->accuracy[unit],
        .l1 = bank->l1[unit],
        .optimizer = (plethron_optimizer)bank->optimizer[unit],
        .momentum = bank->momentum[unit],
        .beta2 = bank->beta2[unit],
        .epsilon = bank->epsilon[unit],
        .schedule = (plethron_schedule)bank->schedule[unit],
        .decay = bank->decay[unit],
        .tolerance = bank->tolerance[unit],
        .patience = bank->patience[unit],
        .weight_negative = bank->weight_negative[unit],
        .weight_positive = bank->weight_positive[unit],
        .balanced = bank->balanced[unit],
        .weight_column = bank->weight_column[unit],
        .excluded_fold = bank->excluded_fold[unit],
        .bootstrap = bank->bootstrap[unit],
        .entity = bank->entity[unit],
        .best_epoch = bank->best_epoch[unit],
        .row_weight = bank->row_weight[unit],
        .gradient_norm = bank->gradient_norm[unit],
        .auc = bank->auc[unit],
        .held_out_loss = bank->held_out_loss[unit],
        .held_out_error_sum = bank->held_out_error_sum[unit],
        .held_out_accuracy = bank->held_out_accuracy[unit],
        .held_out_auc = bank->held_out_auc[unit],
    };
    memcpy(out, &found, struct_size);
    return PLETHRON_OK;
}

/* ---- Selecting --------------------------------------------------------------------------------------------------- */

/* Copies the chosen columns of rows [n_rows, from_units] of 4 or 8 byte values. */
static void select_columns(const void *from, size_t from_units, const size_t *units, size_t n_units, size_t n_rows,
                           size_t size, void *to) {
    for (size_t row = 0; row < n_rows; row++)
        for (size_t j = 0; j < n_units; j++)
            memcpy((char *)to + (row * n_units + j) * size, (const char *)from + (row * from_units + units[j]) * size,
                   size);
}

plethron_status plethron_bank_select(const plethron_bank *bank, const size_t *units, size_t n_units,
                                     plethron_bank **out, plethron_error *err) {
    plethron_status status;
    plethron_bank *selected = NULL;
    for (size_t j = 0; j < n_units; j++)
        if (units[j] >= bank->n_units)
            return error_set(err, PLETHRON_ERROR_ARGUMENT, "unit %zu does not exist: the bank has %zu", units[j],
                             bank->n_units);
    TRY(bank_allocate(bank->n_features, n_units, &selected, err));
    select_columns(bank->weights, bank->n_units, units, n_units, bank->n_features + 1, sizeof(float),
                   selected->weights);
    for (size_t a = 0; a < BANK_N_ARRAYS; a++)
        select_columns(bank_array_memory(bank, &bank_arrays[a]), bank->n_units, units, n_units, 1,
                       bank_arrays[a].is_integer ? sizeof(int64_t) : sizeof(float),
                       bank_array_memory(selected, &bank_arrays[a]));
    selected->reduction = bank->reduction;
    selected->check_every = bank->check_every;
    selected->batch_size = bank->batch_size;
    selected->batch_seed = bank->batch_seed;
    memcpy(selected->strategy, bank->strategy, sizeof selected->strategy);
    memcpy(selected->storage, bank->storage, sizeof selected->storage);
    TRY(bank_names_copy(bank, selected, err));
    *out = selected;
    selected = NULL;
out:
    plethron_bank_close(selected);
    return status;
}
