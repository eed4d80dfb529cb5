/* Banks as safetensors files; docs/model-format.md describes them. */
#include "model.h"

#include "dataset.h"
#include "io/json_text.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const char format_version[] = "1";

/* The arrays that files had from the first on; later ones may be missing. */
enum { N_FIRST_ARRAYS = 13 };

#define COUNT(array) (sizeof(array) / sizeof *(array))

/* ---- Names as JSON ----------------------------------------------------------------------------------------------- */

static json_t *names_to_json(const char *const *names, size_t count) {
    json_t *array = json_array();
    for (size_t i = 0; array && i < count; i++) {
        if (json_array_append_new(array, json_string(names[i])) == 0) continue;
        json_decref(array);
        array = NULL;
    }
    return array;
}

static json_t *classes_to_json(const plethron_bank *bank) {
    json_t *array = json_array();
    for (size_t t = 0; array && t < bank->targets.count; t++) {
        const name_list *list = &bank->classes[t];
        if (json_array_append_new(array, names_to_json((const char *const *)list->names, list->count)) == 0) continue;
        json_decref(array);
        array = NULL;
    }
    return array;
}

/* Reads a metadata text as JSON; the result must be decref'ed. A text that is not there gives an empty array. */
static plethron_status text_to_json(const safetensors_file *file, const char *path, const char *key, json_t **out,
                                    plethron_error *err) {
    const char *text = safetensors_text_get(file, key);
    json_t *array = json_loads(text ? text : "[]", JSON_REJECT_DUPLICATES, NULL);
    if (!array || !json_is_array(array)) {
        json_decref(array);
        return error_set(err, PLETHRON_ERROR_FORMAT, "%s: metadata '%s' is '%.80s': a JSON array was expected", path,
                         key, text ? text : "");
    }
    *out = array;
    return PLETHRON_OK;
}

/* The texts of a JSON array as pointers into it, for free. */
static plethron_status json_to_names(const json_t *array, const char *path, const char *key, const char ***out,
                                     plethron_error *err) {
    plethron_status status;
    void *memory = NULL;
    const size_t count = json_array_size(array);
    TRY(memory_allocate(count, sizeof(char *), key, &memory, err));
    const char **names = memory;
    for (size_t i = 0; i < count; i++) {
        names[i] = json_string_value(json_array_get(array, i));
        if (names[i]) continue;
        status = error_set(err, PLETHRON_ERROR_FORMAT, "%s: metadata '%s': entry %zu is no text", path, key, i);
        goto out;
    }
    *out = names;
    memory = NULL;
out:
    free(memory);
    return status;
}

/* ---- Saving ------------------------------------------------------------------------------------------------------ */

/* The metadata values that are JSON: names, and the meaning of codes; for free each. */
static plethron_status write_json_texts(const plethron_bank *bank, const char *path,
                                        safetensors_text texts[MODEL_N_JSON_TEXTS], char *values[MODEL_N_JSON_TEXTS],
                                        plethron_error *err) {
    plethron_status status = PLETHRON_OK;
    const char *const keys[MODEL_N_JSON_TEXTS] = {"features", "targets",    "classes",   "losses",
                                                  "states",   "optimizers", "schedules", "entities"};
    json_t *const arrays[MODEL_N_JSON_TEXTS] = {
        names_to_json((const char *const *)bank->features.names, bank->features.count),
        names_to_json((const char *const *)bank->targets.names, bank->targets.count),
        classes_to_json(bank),
        names_to_json(bank_loss_names, COUNT(bank_loss_names)),
        names_to_json(bank_state_names, COUNT(bank_state_names)),
        names_to_json(bank_optimizer_names, COUNT(bank_optimizer_names)),
        names_to_json(bank_schedule_names, COUNT(bank_schedule_names)),
        names_to_json((const char *const *)bank->entities.names, bank->entities.count),
    };
    for (size_t i = 0; i < MODEL_N_JSON_TEXTS; i++) {
        if (status == PLETHRON_OK) status = json_text(arrays[i], path, &values[i], err);
        json_decref(arrays[i]);
        texts[i] = (safetensors_text){keys[i], values[i]};
    }
    return status;
}

static const char *number_text(int64_t number, char text[MODEL_NUMBER_TEXT]) {
    snprintf(text, MODEL_NUMBER_TEXT, "%lld", (long long)number);
    return text;
}

static void list_tensors(const plethron_bank *bank, safetensors_tensor tensors[MODEL_N_TENSORS]) {
    tensors[0] = (safetensors_tensor){"W", SAFETENSORS_F32, 2, {bank->n_features, bank->n_units}, bank->weights};
    tensors[1] = (safetensors_tensor){"b", SAFETENSORS_F32, 1, {bank->n_units}, bank->biases};
    for (size_t a = 0; a < BANK_N_ARRAYS; a++)
        tensors[2 + a] = (safetensors_tensor){bank_arrays[a].name,
                                              bank_arrays[a].is_integer ? SAFETENSORS_I64 : SAFETENSORS_F32,
                                              1,
                                              {bank->n_units},
                                              bank_array_memory(bank, &bank_arrays[a])};
}

plethron_status model_content_make(const plethron_bank *bank, const char *format, const char *path, model_content *out,
                                   plethron_error *err) {
    const safetensors_text plain[MODEL_N_PLAIN_TEXTS] = {
        {"format", format},
        {"format_version", format_version},
        {"plethron_version", plethron_version()},
        {"reduction", bank_reduction_names[bank->reduction]},
        {"strategy", bank->strategy},
        {"storage", bank->storage},
        {"check_every", number_text(bank->check_every, out->numbers[0])},
        {"batch_size", number_text(bank->batch_size, out->numbers[1])},
        {"batch_seed", number_text(bank->batch_seed, out->numbers[2])},
        {"entity_column", bank->entity_column ? bank->entity_column : ""},
    };
    memcpy(out->texts, plain, sizeof plain);
    list_tensors(bank, out->tensors);
    return write_json_texts(bank, path, out->texts + MODEL_N_PLAIN_TEXTS, out->json, err);
}

void model_content_release(model_content *content) {
    for (size_t i = 0; i < MODEL_N_JSON_TEXTS; i++) free(content->json[i]);
}

plethron_status plethron_bank_save(const plethron_bank *bank, const char *path, plethron_error *err) {
    plethron_status status;
    model_content content = {0};
    TRY(model_content_make(bank, MODEL_FORMAT, path, &content, err));
    TRY(safetensors_write(path, content.tensors, MODEL_N_TENSORS, content.texts, MODEL_N_TEXTS, err));
out:
    model_content_release(&content);
    return status;
}

/* ---- Loading ----------------------------------------------------------------------------------------------------- */

static plethron_status check_format(const safetensors_file *file, const char *path, const char *format,
                                    plethron_error *err) {
    const char *name = safetensors_text_get(file, "format"), *version = safetensors_text_get(file, "format_version");
    const bool wants_model = strcmp(format, MODEL_FORMAT) == 0;
    if (name && wants_model && strcmp(name, MODEL_CHECKPOINT_FORMAT) == 0)
        return error_set(err, PLETHRON_ERROR_FORMAT,
                         "%s: is a checkpoint of a training, which can be resumed: a model was expected", path);
    if (!name || strcmp(name, format) != 0)
        return error_set(err, PLETHRON_ERROR_FORMAT,
                         "%s: metadata 'format' is '%.40s': '%s' was expected, so this is no plethron %s", path,
                         name ? name : "", format, wants_model ? "model" : "checkpoint");
    if (!version || strcmp(version, format_version) != 0)
        return error_set(err, PLETHRON_ERROR_FORMAT,
                         "%s: metadata 'format_version' is '%.40s': this version reads '%s'", path,
                         version ? version : "", format_version);
    return PLETHRON_OK;
}

static plethron_status check_length(const safetensors_tensor *tensor, const plethron_bank *bank, const char *path,
                                    plethron_error *err) {
    if (tensor->shape[0] == bank->n_units) return PLETHRON_OK;
    return error_set(err, PLETHRON_ERROR_FORMAT, "%s: tensor '%s' has %zu values: %zu were expected, one a unit of W",
                     path, tensor->name, tensor->shape[0], bank->n_units);
}

static plethron_status load_arrays(const safetensors_file *file, const char *path, plethron_bank *bank,
                                   plethron_error *err) {
    plethron_status status;
    safetensors_tensor tensor;
    TRY(safetensors_tensor_get(file, "W", SAFETENSORS_F32, 2, &tensor, err));
    memcpy(bank->weights, tensor.data, bank->n_features * bank->n_units * sizeof(float));
    TRY(safetensors_tensor_get(file, "b", SAFETENSORS_F32, 1, &tensor, err));
    TRY(check_length(&tensor, bank, path, err));
    memcpy(bank->biases, tensor.data, bank->n_units * sizeof(float));
    for (size_t a = 0; a < BANK_N_ARRAYS; a++) {
        const bank_array *array = &bank_arrays[a];
        if (a >= N_FIRST_ARRAYS && !safetensors_has(file, array->name)) {
            bank_array_reset(bank, array);
            continue;
        }
        TRY(safetensors_tensor_get(file, array->name, array->is_integer ? SAFETENSORS_I64 : SAFETENSORS_F32, 1, &tensor,
                                   err));
        TRY(check_length(&tensor, bank, path, err));
        memcpy(bank_array_memory(bank, array), tensor.data,
               bank->n_units * (array->is_integer ? sizeof(int64_t) : sizeof(float)));
    }
out:
    return status;
}

plethron_status model_number(const safetensors_file *file, const char *path, const char *key, int64_t otherwise,
                             int64_t *out, plethron_error *err) {
    const char *text = safetensors_text_get(file, key);
    char *end = NULL;
    if (!text) {
        *out = otherwise;
        return PLETHRON_OK;
    }
    errno = 0;
    const long long number = strtoll(text, &end, 10);
    if (end == text || *end || errno)
        return error_set(err, PLETHRON_ERROR_FORMAT, "%s: metadata '%s' is '%.40s': a whole number was expected", path,
                         key, text);
    *out = number;
    return PLETHRON_OK;
}

static plethron_status load_numbers(const safetensors_file *file, const char *path, plethron_bank *bank,
                                    plethron_error *err) {
    plethron_status status;
    TRY(model_number(file, path, "check_every", BANK_CHECK_EVERY, &bank->check_every, err));
    TRY(model_number(file, path, "batch_size", 0, &bank->batch_size, err));
    TRY(model_number(file, path, "batch_seed", 0, &bank->batch_seed, err));
out:
    return status;
}

static plethron_status load_words(const safetensors_file *file, const char *path, plethron_bank *bank,
                                  plethron_error *err) {
    const char *reduction = safetensors_text_get(file, "reduction"), *strategy = safetensors_text_get(file, "strategy");
    const char *storage = safetensors_text_get(file, "storage"); /* older files have none */
    if (!reduction || (strcmp(reduction, "mean") != 0 && strcmp(reduction, "sum") != 0))
        return error_set(err, PLETHRON_ERROR_FORMAT, "%s: metadata 'reduction' is '%.40s': mean or sum was expected",
                         path, reduction ? reduction : "");
    if (!strategy || strlen(strategy) >= sizeof bank->strategy)
        return error_set(err, PLETHRON_ERROR_FORMAT, "%s: metadata 'strategy' is missing or longer than %zu letters",
                         path, sizeof bank->strategy - 1);
    if (storage && strlen(storage) >= sizeof bank->storage)
        return error_set(err, PLETHRON_ERROR_FORMAT, "%s: metadata 'storage' is longer than %zu letters", path,
                         sizeof bank->storage - 1);
    if (storage) memcpy(bank->storage, storage, strlen(storage) + 1);
    bank->reduction = strcmp(reduction, "sum") == 0 ? PLETHRON_REDUCTION_SUM : PLETHRON_REDUCTION_MEAN;
    memcpy(bank->strategy, strategy, strlen(strategy) + 1);
    return PLETHRON_OK;
}

/* Puts the file's name before an error of the naming functions, which know no file. */
static plethron_status in_file(plethron_status status, const char *path, plethron_error *cause, plethron_error *err) {
    if (status == PLETHRON_OK || status == PLETHRON_ERROR_MEMORY) {
        if (err && status != PLETHRON_OK) *err = *cause;
        return status;
    }
    return error_set(err, PLETHRON_ERROR_FORMAT, "%s: %.900s", path, cause->text);
}

static plethron_status load_features(const safetensors_file *file, const char *path, plethron_bank *bank,
                                     plethron_error *err) {
    plethron_status status;
    plethron_error cause;
    json_t *array = NULL;
    const char **names = NULL;
    TRY(text_to_json(file, path, "features", &array, err));
    TRY(json_to_names(array, path, "features", &names, err));
    const size_t count = json_array_size(array);
    if (count == 0) goto out;
    if (count != bank->n_features) {
        status = error_set(err, PLETHRON_ERROR_FORMAT, "%s: metadata 'features' has %zu names: W has %zu features",
                           path, count, bank->n_features);
        goto out;
    }
    TRY(in_file(plethron_bank_name_features(bank, names, &cause), path, &cause, err));
out:
    free(names);
    json_decref(array);
    return status;
}

static plethron_status load_classes(const json_t *labels, const char *path, size_t target, plethron_bank *bank,
                                    plethron_error *err) {
    plethron_status status;
    plethron_error cause;
    const char **names = NULL;
    if (!json_is_array(labels) || json_array_size(labels) > DATASET_MAX_CLASSES)
        return error_set(err, PLETHRON_ERROR_FORMAT, "%s: metadata 'classes': entry %zu is no array of up to %d labels",
                         path, target, DATASET_MAX_CLASSES);
    TRY(json_to_names(labels, path, "classes", &names, err));
    TRY(in_file(plethron_bank_name_classes(bank, target, json_array_size(labels), names, &cause), path, &cause, err));
out:
    free(names);
    return status;
}

static plethron_status load_targets(const safetensors_file *file, const char *path, plethron_bank *bank,
                                    plethron_error *err) {
    plethron_status status;
    plethron_error cause;
    json_t *targets = NULL, *classes = NULL;
    const char **names = NULL;
    TRY(text_to_json(file, path, "targets", &targets, err));
    TRY(text_to_json(file, path, "classes", &classes, err));
    TRY(json_to_names(targets, path, "targets", &names, err));
    const size_t count = json_array_size(targets);
    if (json_array_size(classes) != count) {
        status = error_set(err, PLETHRON_ERROR_FORMAT, "%s: metadata 'classes' has %zu entries: %zu targets are named",
                           path, json_array_size(classes), count);
        goto out;
    }
    if (count > 0) TRY(in_file(plethron_bank_name_targets(bank, count, names, &cause), path, &cause, err));
    for (size_t t = 0; t < count; t++) TRY(load_classes(json_array_get(classes, t), path, t, bank, err));
out:
    free(names);
    json_decref(classes);
    json_decref(targets);
    return status;
}

static plethron_status load_entities(const safetensors_file *file, const char *path, plethron_bank *bank,
                                     plethron_error *err) {
    plethron_status status;
    plethron_error cause;
    json_t *array = NULL;
    const char **labels = NULL;
    const char *column = safetensors_text_get(file, "entity_column");
    TRY(text_to_json(file, path, "entities", &array, err));
    TRY(json_to_names(array, path, "entities", &labels, err));
    if (json_array_size(array) == 0) goto out;
    TRY(in_file(plethron_bank_name_entities(bank, column ? column : "", json_array_size(array), labels, &cause), path,
                &cause, err));
out:
    free(labels);
    json_decref(array);
    return status;
}

plethron_status model_read(const safetensors_file *file, const char *path, const char *format, plethron_bank **out,
                           plethron_error *err) {
    plethron_status status;
    plethron_error cause;
    safetensors_tensor weights;
    plethron_bank *bank = NULL;
    TRY(check_format(file, path, format, err));
    TRY(safetensors_tensor_get(file, "W", SAFETENSORS_F32, 2, &weights, err));
    TRY(in_file(bank_allocate(weights.shape[0], weights.shape[1], &bank, &cause), path, &cause, err));
    TRY(load_arrays(file, path, bank, err));
    TRY(load_words(file, path, bank, err));
    TRY(load_numbers(file, path, bank, err));
    TRY(bank_check(bank, path, PLETHRON_ERROR_FORMAT, err));
    TRY(load_features(file, path, bank, err));
    TRY(load_targets(file, path, bank, err));
    TRY(load_entities(file, path, bank, err));
    *out = bank;
    bank = NULL;
out:
    plethron_bank_close(bank);
    return status;
}

plethron_status plethron_bank_load(const char *path, plethron_bank **out, plethron_error *err) {
    plethron_status status;
    safetensors_file *file = NULL;
    TRY(safetensors_open(path, &file, err));
    TRY(model_read(file, path, MODEL_FORMAT, out, err));
out:
    safetensors_close(file);
    return status;
}
