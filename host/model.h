/* The content of a model file, which a checkpoint holds, too (docs/model-format.md). */
#ifndef PLETHRON_MODEL_H
#define PLETHRON_MODEL_H

#include "bank.h"
#include "io/safetensors.h"

/* The metadata value `format` of a model, and of a checkpoint. */
#define MODEL_FORMAT "plethron"
#define MODEL_CHECKPOINT_FORMAT "plethron-checkpoint"

enum { MODEL_N_PLAIN_TEXTS = 10, MODEL_N_JSON_TEXTS = 8, MODEL_N_TEXTS = MODEL_N_PLAIN_TEXTS + MODEL_N_JSON_TEXTS };
enum { MODEL_N_TENSORS = 2 + BANK_N_ARRAYS, MODEL_N_NUMBERS = 3, MODEL_NUMBER_TEXT = 24 };

/* A bank as tensors and texts, which point into the bank and to what stands below. */
typedef struct model_content {
    safetensors_tensor tensors[MODEL_N_TENSORS];
    safetensors_text texts[MODEL_N_TEXTS];
    char *json[MODEL_N_JSON_TEXTS];
    char numbers[MODEL_N_NUMBERS][MODEL_NUMBER_TEXT];
} model_content;

/* `out` is zero before, must stay in its place, and is released whether or not this works. `path` is for errors. */
plethron_status model_content_make(const plethron_bank *bank, const char *format, const char *path, model_content *out,
                                   plethron_error *err);
void model_content_release(model_content *content);

/* The bank in a file of that format, everything checked. */
plethron_status model_read(const safetensors_file *file, const char *path, const char *format, plethron_bank **out,
                           plethron_error *err);

/* The whole number in a metadata text, or `otherwise` where there is none. */
plethron_status model_number(const safetensors_file *file, const char *path, const char *key, int64_t otherwise,
                             int64_t *out, plethron_error *err);

#endif
