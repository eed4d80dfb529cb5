#include "bank.h"

#include "dataset.h"
#include "random.h"

#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define ARRAY(field, is_integer, low, high, nan_allowed) \
    { #field, is_integer, offsetof(plethron_bank, field), low, high, nan_allowed }

/* 2^53 - 1: up to here a double, and so a JSON reader, tells each integer from the next. */
#define INTEGER_MAX 9007199254740991.0

const bank_array bank_arrays[BANK_N_ARRAYS] = {
    ARRAY(learning_rate, false, 0.0, INFINITY, false),
    ARRAY(l2, false, 0.0, INFINITY, false),
    ARRAY(epochs, true, 0.0, INT32_MAX, false),
    ARRAY(loss, true, PLETHRON_LOSS_LOG, PLETHRON_LOSS_TUTORIAL, false),
    ARRAY(target, true, 0.0, DATASET_MAX_COUNT, false),
    ARRAY(positive_class, true, PLETHRON_NO_CLASS, DATASET_MAX_CLASSES - 1, false),
    ARRAY(seed, true, 0.0, INTEGER_MAX, false),
    ARRAY(id, true, 0.0, INTEGER_MAX, false),
    ARRAY(state, true, PLETHRON_UNIT_NEW, PLETHRON_UNIT_ONE_CLASS, false),
    ARRAY(epochs_done, true, 0.0, INTEGER_MAX, false),
    ARRAY(final_loss, false, -INFINITY, INFINITY, true),
    ARRAY(error_sum, false, -INFINITY, INFINITY, true),
    ARRAY(accuracy, false, 0.0, 1.0, true),
};

void *bank_array_memory(const plethron_bank *bank, const bank_array *array) {
    void *memory;
    memcpy(&memory, (const char *)bank + array->offset, sizeof memory);
    return memory;
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

static void names_close(name_list *list) {
    for (size_t i = 0; i < list->count; i++) free(list->names[i]);
    free(list->names);
    *list = (name_list){0};
}

static void classes_close(plethron_bank *bank) {
    for (size_t t = 0; bank->classes && t < bank->targets.count; t++) names_close(&bank->classes[t]);
    free(bank->classes);
    bank->classes = NULL;
}

void plethron_bank_close(plethron_bank *bank) {
    if (!bank) return;
    for (size_t a = 0; a < BANK_N_ARRAYS; a++) free(bank_array_memory(bank, &bank_arrays[a]));
    free(bank->weights);
    classes_close(bank);
    names_close(&bank->targets);
    names_close(&bank->features);
    free(bank);
}

static plethron_status check_count(size_t count, const void *values, size_t n_units, const char *name,
                                   plethron_error *err) {
    if (count == 0 || (values && (count == 1 || count == n_units))) return PLETHRON_OK;
    return error_set(err, PLETHRON_ERROR_ARGUMENT,
                     "%s has %zu values%s: 0 (the default), 1 (for all units) or %zu (one a unit) are allowed", name,
                     count, values ? "" : " but no array", n_units);
}

static plethron_status fill_floats(float *to, size_t n_units, plethron_floats from, float otherwise, const char *name,
                                   plethron_error *err) {
    plethron_status status = check_count(from.count, from.values, n_units, name, err);
    for (size_t j = 0; status == PLETHRON_OK && j < n_units; j++)
        to[j] = from.count == 0 ? otherwise : from.values[from.count == 1 ? 0 : j];
    return status;
}

static plethron_status fill_integers(int64_t *to, size_t n_units, plethron_integers from, int64_t otherwise,
                                     const char *name, plethron_error *err) {
    plethron_status status = check_count(from.count, from.values, n_units, name, err);
    for (size_t j = 0; status == PLETHRON_OK && j < n_units; j++)
        to[j] = from.count == 0 ? otherwise : from.values[from.count == 1 ? 0 : j];
    return status;
}

static plethron_status fill(plethron_bank *bank, const plethron_bank_options *options, plethron_error *err) {
    enum { DEFAULT_EPOCHS = 1000 };
    const float default_learning_rate = 0.1f;
    const size_t n = bank->n_units;
    plethron_status status;
    TRY(fill_floats(bank->learning_rate, n, options->learning_rate, default_learning_rate, "learning_rate", err));
    TRY(fill_floats(bank->l2, n, options->l2, 0.0f, "l2", err));
    TRY(fill_integers(bank->epochs, n, options->epochs, DEFAULT_EPOCHS, "epochs", err));
    TRY(fill_integers(bank->loss, n, options->loss, PLETHRON_LOSS_LOG, "loss", err));
    TRY(fill_integers(bank->target, n, options->target, 0, "target", err));
    TRY(fill_integers(bank->positive_class, n, options->positive_class, PLETHRON_NO_CLASS, "positive_class", err));
    TRY(fill_integers(bank->seed, n, options->seed, 0, "seed", err));
    TRY(fill_integers(bank->id, n, options->id, 0, "id", err));
    for (size_t j = 0; j < n; j++) {
        if (options->id.count == 0) bank->id[j] = (int64_t)j;
        bank->final_loss[j] = bank->error_sum[j] = bank->accuracy[j] = NAN;
    }
    if (options->reduction != PLETHRON_REDUCTION_MEAN && options->reduction != PLETHRON_REDUCTION_SUM)
        return error_set(err, PLETHRON_ERROR_ARGUMENT, "reduction is %d: 0 (mean) and 1 (sum) are allowed",
                         (int)options->reduction);
    bank->reduction = options->reduction;
out:
    return status;
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
    return PLETHRON_OK;
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
                                     part << 8 | RANDOM_START_WEIGHTS};
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
const char *plethron_bank_strategy(const plethron_bank *bank) {
    return bank->strategy;
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
    };
    memcpy(out, &found, struct_size);
    return PLETHRON_OK;
}

/* ---- Names ------------------------------------------------------------------------------------------------------- */

static int compare_names(const void *a, const void *b) {
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static plethron_status check_different(const name_list *list, const char *what, plethron_error *err) {
    plethron_status status = PLETHRON_OK;
    void *memory = NULL;
    TRY(memory_allocate(list->count, sizeof(char *), what, &memory, err));
    char **sorted = memory;
    memcpy(sorted, list->names, list->count * sizeof *sorted);
    qsort(sorted, list->count, sizeof *sorted, compare_names);
    for (size_t i = 1; i < list->count && status == PLETHRON_OK; i++)
        if (strcmp(sorted[i - 1], sorted[i]) == 0)
            status =
                error_set(err, PLETHRON_ERROR_ARGUMENT, "the name '%s' stands twice among the %s", sorted[i], what);
out:
    free(memory);
    return status;
}

/* Names go into JSON when the bank is saved: what JSON cannot hold is refused now, not after hours of training. */
static plethron_status check_text(const char *name, const char *what, plethron_error *err) {
    json_t *text = json_string(name);
    if (!text) return error_set(err, PLETHRON_ERROR_ARGUMENT, "the name '%s' among the %s is not UTF-8", name, what);
    json_decref(text);
    return PLETHRON_OK;
}

static plethron_status copy_names(size_t count, const char *const *names, const char *what, name_list *out,
                                  plethron_error *err) {
    plethron_status status;
    void *memory = NULL;
    name_list list = {0};
    TRY(memory_allocate(count, sizeof(char *), what, &memory, err));
    list.names = memory;
    for (; list.count < count; list.count++) {
        if (!names || !names[list.count]) {
            status = error_set(err, PLETHRON_ERROR_ARGUMENT, "name %zu of the %s is NULL", list.count, what);
            goto out;
        }
        TRY(check_text(names[list.count], what, err));
        TRY(memory_copy_text(names[list.count], &list.names[list.count], err));
    }
    TRY(check_different(&list, what, err));
    *out = list;
    list = (name_list){0};
out:
    names_close(&list);
    return status;
}

plethron_status plethron_bank_name_features(plethron_bank *bank, const char *const *names, plethron_error *err) {
    name_list list = {0};
    plethron_status status = copy_names(bank->n_features, names, "features", &list, err);
    if (status != PLETHRON_OK) return status;
    names_close(&bank->features);
    bank->features = list;
    return PLETHRON_OK;
}

plethron_status plethron_bank_name_targets(plethron_bank *bank, size_t n_targets, const char *const *names,
                                           plethron_error *err) {
    plethron_status status;
    name_list list = {0};
    void *classes = NULL;
    TRY(copy_names(n_targets, names, "targets", &list, err));
    TRY(memory_allocate(n_targets, sizeof *bank->classes, "the classes of targets", &classes, err));
    classes_close(bank);
    names_close(&bank->targets);
    bank->targets = list;
    bank->classes = classes;
    list = (name_list){0};
out:
    names_close(&list);
    return status;
}

plethron_status plethron_bank_name_classes(plethron_bank *bank, size_t target, size_t n_labels,
                                           const char *const *labels, plethron_error *err) {
    name_list list = {0};
    if (target >= bank->targets.count)
        return error_set(err, PLETHRON_ERROR_ARGUMENT, "target %zu has no name yet: %zu targets are named", target,
                         bank->targets.count);
    plethron_status status = copy_names(n_labels, labels, "classes", &list, err);
    if (status != PLETHRON_OK) return status;
    names_close(&bank->classes[target]);
    bank->classes[target] = list;
    return PLETHRON_OK;
}

static const char *name_at(const name_list *list, size_t i) {
    return i < list->count ? list->names[i] : NULL;
}

const char *plethron_bank_feature_name(const plethron_bank *bank, size_t feature) {
    return name_at(&bank->features, feature);
}

size_t plethron_bank_n_targets(const plethron_bank *bank) {
    return bank->targets.count;
}

const char *plethron_bank_target_name(const plethron_bank *bank, size_t target) {
    return name_at(&bank->targets, target);
}

size_t plethron_bank_n_classes(const plethron_bank *bank, size_t target) {
    return target < bank->targets.count ? bank->classes[target].count : 0;
}

const char *plethron_bank_class_label(const plethron_bank *bank, size_t target, size_t class_code) {
    return target < bank->targets.count ? name_at(&bank->classes[target], class_code) : NULL;
}
