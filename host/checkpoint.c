#include "checkpoint.h"

#include "model.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

typedef enum part_place { IN_WEIGHTS, IN_MOMENTS, IN_BEST, IN_STATE } part_place;

/* Where a part stands in a problem, and in a file. */
static const struct part_kind {
    const char *name;
    part_place place;
    int state_field; /* IN_STATE */
    bool is_integer;
    int64_t high; /* of integers, from 0 on */
} kinds[CHECKPOINT_PARTS] = {
    [CHECKPOINT_WEIGHTS] = {"training.weights", IN_WEIGHTS, 0, false, 0},
    [CHECKPOINT_MOMENTS] = {"training.moments", IN_MOMENTS, 0, false, 0},
    [CHECKPOINT_BEST] = {"training.best_weights", IN_BEST, 0, false, 0},
    [CHECKPOINT_ACTIVE] = {"training.active", IN_STATE, STATE_ACTIVE, true, 1},
    [CHECKPOINT_REASON] = {"training.reason", IN_STATE, STATE_REASON, true, REASON_DIVERGED},
    [CHECKPOINT_STOPPED_AT] = {"training.stopped_at", IN_STATE, STATE_EPOCHS, true, INT32_MAX},
    [CHECKPOINT_BEST_EPOCH] = {"training.best_epoch", IN_STATE, STATE_BEST_EPOCH, true, INT32_MAX},
    [CHECKPOINT_BEST_LOSS] = {"training.best_loss", IN_STATE, STATE_BEST_LOSS, false, 0},
    [CHECKPOINT_NORM] = {"training.gradient_norm", IN_STATE, STATE_NORM, false, 0},
};

/* Rows of a part, with a value a unit each. */
static size_t part_rows(int part, size_t n_features) {
    switch (kinds[part].place) {
    case IN_MOMENTS: return 2 * (n_features + 1);
    case IN_STATE: return 1;
    default: return n_features + 1;
    }
}

static size_t value_bytes(int part) {
    return kinds[part].is_integer ? sizeof(int64_t) : sizeof(float);
}

/* The part's memory in a problem, [rows, unit_stride]; NULL where it has none. */
static float *part_of(const train_problem *problem, int part) {
    switch (kinds[part].place) {
    case IN_WEIGHTS: return problem->weights;
    case IN_MOMENTS: return problem->moments;
    case IN_BEST: return problem->best;
    default: return problem->state + (size_t)kinds[part].state_field * problem->unit_stride;
    }
}

/* ---- Taking and putting back ------------------------------------------------------------------------------------- */

static plethron_status allocate_part(plethron_checkpoint *checkpoint, int part, plethron_error *err) {
    const plethron_bank *bank = checkpoint->bank;
    return memory_allocate(part_rows(part, bank->n_features) * bank->n_units, value_bytes(part), kinds[part].name,
                           &checkpoint->parts[part], err);
}

plethron_status checkpoint_open(const plethron_bank *bank, const train_problem *problem, const char *strategy,
                                const dataset_digest *data, plethron_checkpoint **out, plethron_error *err) {
    plethron_status status;
    void *memory = NULL;
    plethron_checkpoint *checkpoint = NULL;
    TRY(memory_allocate(1, sizeof *checkpoint, "a checkpoint", &memory, err));
    checkpoint = memory;
    checkpoint->bank = bank;
    checkpoint->data = *data;
    snprintf(checkpoint->strategy, sizeof checkpoint->strategy, "%s", strategy);
    for (int part = 0; part < CHECKPOINT_PARTS; part++)
        if (part_of(problem, part)) TRY(allocate_part(checkpoint, part, err));
    *out = checkpoint;
    checkpoint = NULL;
out:
    plethron_checkpoint_close(checkpoint);
    return status;
}

void plethron_checkpoint_close(plethron_checkpoint *checkpoint) {
    if (!checkpoint) return;
    for (int part = 0; part < CHECKPOINT_PARTS; part++) free(checkpoint->parts[part]);
    plethron_bank_close(checkpoint->loaded);
    free(checkpoint->path);
    free(checkpoint);
}

int64_t plethron_checkpoint_epochs(const plethron_checkpoint *checkpoint) {
    return checkpoint->epochs_run;
}

void checkpoint_take(plethron_checkpoint *checkpoint, const train_problem *problem, int64_t epochs_run) {
    checkpoint->epochs_run = epochs_run;
    for (int part = 0; part < CHECKPOINT_PARTS; part++) {
        const size_t n_rows = checkpoint->parts[part] ? part_rows(part, checkpoint->bank->n_features) : 0;
        for (size_t row = 0; row < n_rows; row++) {
            const float *from = part_of(problem, part) + row * problem->unit_stride;
            const size_t at = row * problem->n_units;
            if (kinds[part].is_integer)
                for (size_t j = 0; j < problem->n_units; j++)
                    ((int64_t *)checkpoint->parts[part])[at + j] = ((const int32_t *)(const void *)from)[j];
            else
                memcpy((float *)checkpoint->parts[part] + at, from, problem->n_units * sizeof *from);
        }
    }
}

void checkpoint_put(const plethron_checkpoint *checkpoint, train_problem *problem) {
    for (int part = 0; part < CHECKPOINT_PARTS; part++) {
        const size_t n_rows = checkpoint->parts[part] ? part_rows(part, checkpoint->bank->n_features) : 0;
        for (size_t row = 0; row < n_rows; row++) {
            float *to = part_of(problem, part) + row * problem->unit_stride;
            const size_t at = row * problem->n_units;
            if (kinds[part].is_integer)
                for (size_t j = 0; j < problem->n_units; j++)
                    ((int32_t *)(void *)to)[j] = (int32_t)((const int64_t *)checkpoint->parts[part])[at + j];
            else
                memcpy(to, (const float *)checkpoint->parts[part] + at, problem->n_units * sizeof *to);
        }
    }
}

/* ---- Is it of this training? ------------------------------------------------------------------------------------- */

static plethron_status differs(const plethron_checkpoint *checkpoint, plethron_error *err, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* "FILE holds another training: WHAT" */
static plethron_status differs(const plethron_checkpoint *checkpoint, plethron_error *err, const char *format, ...) {
    char what[512];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(what, sizeof what, format, arguments);
    va_end(arguments);
    return error_set(err, PLETHRON_ERROR_ARGUMENT, "%s holds another training: %s",
                     checkpoint->path ? checkpoint->path : "the checkpoint", what);
}

static plethron_status check_array(const plethron_checkpoint *checkpoint, const plethron_bank *bank,
                                   const bank_array *array, plethron_error *err) {
    const void *there = bank_array_memory(checkpoint->bank, array), *here = bank_array_memory(bank, array);
    for (size_t j = 0; j < bank->n_units; j++) {
        if (array->is_integer) {
            const int64_t a = ((const int64_t *)there)[j], b = ((const int64_t *)here)[j];
            if (a != b)
                return differs(checkpoint, err, "%s of unit %zu is %lld there and %lld here", array->name, j,
                               (long long)a, (long long)b);
        } else if (memcmp((const float *)there + j, (const float *)here + j, sizeof(float)) != 0)
            return differs(checkpoint, err, "%s of unit %zu is %.7g there and %.7g here", array->name, j,
                           (double)((const float *)there)[j], (double)((const float *)here)[j]);
    }
    return PLETHRON_OK;
}

static plethron_status check_start(const plethron_checkpoint *checkpoint, const plethron_bank *bank,
                                   plethron_error *err) {
    const float *there = checkpoint->bank->weights, *here = bank->weights;
    for (size_t i = 0; i < (bank->n_features + 1) * bank->n_units; i++)
        if (memcmp(there + i, here + i, sizeof *there) != 0)
            return differs(checkpoint, err, "start weight %zu of unit %zu is %.7g there and %.7g here",
                           i / bank->n_units, i % bank->n_units, (double)there[i], (double)here[i]);
    return PLETHRON_OK;
}

static plethron_status check_names(const plethron_checkpoint *checkpoint, const name_list *there, const name_list *here,
                                   const char *what, plethron_error *err) {
    if (there->count != here->count)
        return differs(checkpoint, err, "%zu %s have names there and %zu here", there->count, what, here->count);
    for (size_t i = 0; i < here->count; i++)
        if (strcmp(there->names[i], here->names[i]) != 0)
            return differs(checkpoint, err, "the name of number %zu of the %s is '%.80s' there and '%.80s' here", i,
                           what, there->names[i], here->names[i]);
    return PLETHRON_OK;
}

static plethron_status check_all_names(const plethron_checkpoint *checkpoint, const plethron_bank *bank,
                                       plethron_error *err) {
    plethron_status status;
    const plethron_bank *other = checkpoint->bank;
    const char *there = other->entity_column ? other->entity_column : "";
    const char *here = bank->entity_column ? bank->entity_column : "";
    TRY(check_names(checkpoint, &other->features, &bank->features, "features", err));
    TRY(check_names(checkpoint, &other->targets, &bank->targets, "targets", err));
    for (size_t t = 0; t < bank->targets.count; t++)
        TRY(check_names(checkpoint, &other->classes[t], &bank->classes[t], "classes", err));
    if (strcmp(there, here) != 0)
        TRY(differs(checkpoint, err, "the entities' column is '%.80s' there and '%.80s' here", there, here));
    TRY(check_names(checkpoint, &other->entities, &bank->entities, "entities", err));
out:
    return status;
}

static plethron_status check_number(const plethron_checkpoint *checkpoint, const char *name, int64_t there,
                                    int64_t here, plethron_error *err) {
    if (there == here) return PLETHRON_OK;
    return differs(checkpoint, err, "%s is %lld there and %lld here", name, (long long)there, (long long)here);
}

static plethron_status check_bank(const plethron_checkpoint *checkpoint, const plethron_bank *bank,
                                  plethron_error *err) {
    plethron_status status;
    const plethron_bank *other = checkpoint->bank;
    TRY(check_number(checkpoint, "the number of features", (int64_t)other->n_features, (int64_t)bank->n_features, err));
    TRY(check_number(checkpoint, "the number of units", (int64_t)other->n_units, (int64_t)bank->n_units, err));
    TRY(check_number(checkpoint, "the reduction", other->reduction, bank->reduction, err));
    TRY(check_number(checkpoint, "check_every", other->check_every, bank->check_every, err));
    TRY(check_number(checkpoint, "batch_size", other->batch_size, bank->batch_size, err));
    TRY(check_number(checkpoint, "batch_seed", other->batch_seed, bank->batch_seed, err));
    TRY(check_all_names(checkpoint, bank, err));
    for (size_t a = 0; a < BANK_N_ARRAYS; a++) TRY(check_array(checkpoint, bank, &bank_arrays[a], err));
    TRY(check_start(checkpoint, bank, err));
out:
    return status;
}

plethron_status checkpoint_check(const plethron_checkpoint *checkpoint, const plethron_bank *bank,
                                 const dataset_digest *data, const char *strategy, plethron_error *err) {
    const plethron_status status = check_bank(checkpoint, bank, err);
    if (status != PLETHRON_OK) return status;
    for (int part = 0; part < DATASET_PARTS; part++)
        if (strcmp(checkpoint->data.parts[part], data->parts[part]) != 0)
            return differs(checkpoint, err, "%s differ%s", dataset_part_names[part],
                           part == DATASET_FEATURES ? ", or whether they are standardised, or how they are stored"
                                                    : "");
    if (strategy && *strategy && strcmp(strategy, checkpoint->strategy) != 0)
        return differs(checkpoint, err, "the strategy is '%s' there and '%s' here", checkpoint->strategy, strategy);
    return PLETHRON_OK;
}

/* ---- Files ------------------------------------------------------------------------------------------------------- */

enum { N_TEXTS = DATASET_PARTS + 3 };

/* The metadata's keys: of the data set's parts, of the rest. */
static const char *const data_keys[DATASET_PARTS] = {
    [DATASET_FEATURES] = "data_features", [DATASET_TARGETS] = "data_targets",   [DATASET_WEIGHTS] = "data_weights",
    [DATASET_FOLDS] = "data_folds",       [DATASET_ENTITIES] = "data_entities",
};
static const char strategy_key[] = "training_strategy", epochs_key[] = "epochs_run", checksum_key[] = "checksum";

static size_t list_parts(const plethron_checkpoint *checkpoint, safetensors_tensor tensors[CHECKPOINT_PARTS]) {
    size_t n = 0;
    for (int part = 0; part < CHECKPOINT_PARTS; part++)
        if (checkpoint->parts[part])
            tensors[n++] =
                (safetensors_tensor){kinds[part].name,
                                     kinds[part].is_integer ? SAFETENSORS_I64 : SAFETENSORS_F32,
                                     2,
                                     {part_rows(part, checkpoint->bank->n_features), checkpoint->bank->n_units},
                                     checkpoint->parts[part]};
    return n;
}

/* Of all numbers, and of what the texts say of the training: the rest of the texts must be the bank's in any case. */
static void find_checksum(const plethron_checkpoint *checkpoint, char text[DIGEST_TEXT]) {
    const plethron_bank *bank = checkpoint->bank;
    SHA2_CTX context;
    SHA256Init(&context);
    digest_add_text(&context, checkpoint->strategy);
    SHA256Update(&context, (const uint8_t *)&checkpoint->epochs_run, sizeof checkpoint->epochs_run);
    for (int part = 0; part < DATASET_PARTS; part++) digest_add_text(&context, checkpoint->data.parts[part]);
    SHA256Update(&context, (const uint8_t *)bank->weights,
                 (bank->n_features + 1) * bank->n_units * sizeof *bank->weights);
    for (size_t a = 0; a < BANK_N_ARRAYS; a++)
        SHA256Update(&context, bank_array_memory(bank, &bank_arrays[a]),
                     bank->n_units * (bank_arrays[a].is_integer ? sizeof(int64_t) : sizeof(float)));
    for (int part = 0; part < CHECKPOINT_PARTS; part++)
        if (checkpoint->parts[part])
            SHA256Update(&context, checkpoint->parts[part],
                         part_rows(part, bank->n_features) * bank->n_units * value_bytes(part));
    digest_end(&context, text);
}

plethron_status plethron_checkpoint_save(const plethron_checkpoint *checkpoint, const char *path, plethron_error *err) {
    plethron_status status;
    model_content content = {0};
    safetensors_tensor tensors[MODEL_N_TENSORS + CHECKPOINT_PARTS];
    safetensors_text texts[MODEL_N_TEXTS + N_TEXTS];
    char epochs_run[MODEL_NUMBER_TEXT], checksum[DIGEST_TEXT];
    snprintf(epochs_run, sizeof epochs_run, "%lld", (long long)checkpoint->epochs_run);
    find_checksum(checkpoint, checksum);
    TRY(model_content_make(checkpoint->bank, MODEL_CHECKPOINT_FORMAT, path, &content, err));
    memcpy(tensors, content.tensors, sizeof content.tensors);
    memcpy(texts, content.texts, sizeof content.texts);
    const size_t n_parts = list_parts(checkpoint, tensors + MODEL_N_TENSORS);
    safetensors_text *more = texts + MODEL_N_TEXTS;
    for (int part = 0; part < DATASET_PARTS; part++)
        *more++ = (safetensors_text){data_keys[part], checkpoint->data.parts[part]};
    *more++ = (safetensors_text){strategy_key, checkpoint->strategy};
    *more++ = (safetensors_text){epochs_key, epochs_run};
    *more++ = (safetensors_text){checksum_key, checksum};
    TRY(safetensors_write(path, tensors, MODEL_N_TENSORS + n_parts, texts, (size_t)(more - texts), err));
out:
    model_content_release(&content);
    return status;
}

/* ---- Loading ----------------------------------------------------------------------------------------------------- */

/* The whole range of each: what is in a problem is believed. */
static plethron_status check_integers(const plethron_checkpoint *checkpoint, int part, plethron_error *err) {
    const int64_t *values = checkpoint->parts[part];
    for (size_t j = 0; kinds[part].is_integer && j < checkpoint->bank->n_units; j++)
        if (values[j] < 0 || values[j] > kinds[part].high)
            return error_set(err, PLETHRON_ERROR_FORMAT, "%s: %s of unit %zu is %lld: 0 to %lld is allowed",
                             checkpoint->path, kinds[part].name, j, (long long)values[j], (long long)kinds[part].high);
    return PLETHRON_OK;
}

static plethron_status load_part(const safetensors_file *file, plethron_checkpoint *checkpoint, int part,
                                 plethron_error *err) {
    plethron_status status;
    safetensors_tensor tensor;
    const size_t n_rows = part_rows(part, checkpoint->bank->n_features), n_units = checkpoint->bank->n_units;
    TRY(safetensors_tensor_get(file, kinds[part].name, kinds[part].is_integer ? SAFETENSORS_I64 : SAFETENSORS_F32, 2,
                               &tensor, err));
    if (tensor.shape[0] != n_rows || tensor.shape[1] != n_units)
        return error_set(err, PLETHRON_ERROR_FORMAT, "%s: tensor '%s' is [%zu, %zu]: [%zu, %zu] was expected",
                         checkpoint->path, tensor.name, tensor.shape[0], tensor.shape[1], n_rows, n_units);
    TRY(allocate_part(checkpoint, part, err));
    memcpy(checkpoint->parts[part], tensor.data, n_rows * n_units * value_bytes(part));
    TRY(check_integers(checkpoint, part, err));
out:
    return status;
}

/* Moments and best weights are there where a unit's optimiser or rule needs them. */
static bool is_needed(const plethron_bank *bank, int part) {
    bool needed = kinds[part].place == IN_WEIGHTS || kinds[part].place == IN_STATE;
    for (size_t j = 0; !needed && j < bank->n_units; j++)
        needed = kinds[part].place == IN_BEST ? bank->patience[j] > 0 : bank->optimizer[j] != OPTIMIZER_GD;
    return needed;
}

static plethron_status load_text(const safetensors_file *file, const char *path, const char *key, char *to,
                                 size_t n_bytes, plethron_error *err) {
    const char *text = safetensors_text_get(file, key);
    if (!text || strlen(text) >= n_bytes)
        return error_set(err, PLETHRON_ERROR_FORMAT, "%s: metadata '%s' is missing or longer than %zu letters", path,
                         key, n_bytes - 1);
    memcpy(to, text, strlen(text) + 1);
    return PLETHRON_OK;
}

static plethron_status load_texts(const safetensors_file *file, const char *path, plethron_checkpoint *checkpoint,
                                  plethron_error *err) {
    plethron_status status;
    TRY(load_text(file, path, strategy_key, checkpoint->strategy, sizeof checkpoint->strategy, err));
    for (int part = 0; part < DATASET_PARTS; part++)
        TRY(load_text(file, path, data_keys[part], checkpoint->data.parts[part], DIGEST_TEXT, err));
    TRY(model_number(file, path, epochs_key, -1, &checkpoint->epochs_run, err));
    if (checkpoint->epochs_run < 0 || checkpoint->epochs_run > INT32_MAX)
        status = error_set(err, PLETHRON_ERROR_FORMAT, "%s: metadata '%s' is %lld: 0 to %d was expected", path,
                           epochs_key, (long long)checkpoint->epochs_run, INT32_MAX);
out:
    return status;
}

static plethron_status check_checksum(const safetensors_file *file, const plethron_checkpoint *checkpoint,
                                      plethron_error *err) {
    char stored[DIGEST_TEXT], found[DIGEST_TEXT];
    const plethron_status status = load_text(file, checkpoint->path, checksum_key, stored, sizeof stored, err);
    if (status != PLETHRON_OK) return status;
    find_checksum(checkpoint, found);
    if (strcmp(stored, found) == 0) return PLETHRON_OK;
    return error_set(err, PLETHRON_ERROR_FORMAT, "%s: is damaged: its checksum is %s, and of its content %s",
                     checkpoint->path, stored, found);
}

plethron_status plethron_checkpoint_load(const char *path, plethron_checkpoint **out, plethron_error *err) {
    plethron_status status;
    void *memory = NULL;
    safetensors_file *file = NULL;
    plethron_checkpoint *checkpoint = NULL;
    TRY(safetensors_open(path, &file, err));
    TRY(memory_allocate(1, sizeof *checkpoint, "a checkpoint", &memory, err));
    checkpoint = memory;
    TRY(memory_copy_text(path, &checkpoint->path, err));
    TRY(model_read(file, path, MODEL_CHECKPOINT_FORMAT, &checkpoint->loaded, err));
    checkpoint->bank = checkpoint->loaded;
    TRY(load_texts(file, path, checkpoint, err));
    for (int part = 0; part < CHECKPOINT_PARTS; part++)
        if (is_needed(checkpoint->bank, part)) TRY(load_part(file, checkpoint, part, err));
    TRY(check_checksum(file, checkpoint, err));
    *out = checkpoint;
    checkpoint = NULL;
out:
    plethron_checkpoint_close(checkpoint);
    safetensors_close(file);
    return status;
}
