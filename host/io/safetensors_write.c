#include "file.h"
#include "json_text.h"
#include "safetensors_format.h"

#include <stdlib.h>
#include <string.h>

static plethron_status no_json_memory(const char *path, plethron_error *err) {
    return error_set(err, PLETHRON_ERROR_MEMORY, "%s: no memory for the header", path);
}

/* Adds a new key; takes over `value`, which is NULL where jansson had no memory or the text is not UTF-8. */
static plethron_status add_key(json_t *object, const char *path, const char *key, json_t *value, plethron_error *err) {
    char shown[FILE_SHOWN_SIZE];
    if (json_object_get(object, key)) {
        json_decref(value);
        return error_set(err, PLETHRON_ERROR_ARGUMENT, "%s: the name '%s' stands twice: distinct names were expected",
                         path, file_show(key, shown));
    }
    if (json_object_set_new(object, key, value) == 0) return PLETHRON_OK;
    return error_set(err, PLETHRON_ERROR_ARGUMENT, "%s: '%s' cannot be written: names and texts in UTF-8 were expected",
                     path, file_show(key, shown));
}

static plethron_status add_texts(json_t *header, const char *path, const safetensors_text *texts, size_t n_texts,
                                 plethron_error *err) {
    if (n_texts == 0) return PLETHRON_OK;
    json_t *metadata = json_object();
    if (json_object_set_new(header, SAFETENSORS_METADATA, metadata) != 0) return no_json_memory(path, err);
    for (size_t i = 0; i < n_texts; i++) {
        const plethron_status status = add_key(metadata, path, texts[i].key, json_string(texts[i].value), err);
        if (status != PLETHRON_OK) return status;
    }
    return PLETHRON_OK;
}

static plethron_status tensor_bytes(const safetensors_tensor *tensor, const char *path, size_t *n_bytes,
                                    plethron_error *err) {
    size_t product = safetensors_types[tensor->type].bits / 8;
    bool fits = tensor->n_dimensions >= 0 && tensor->n_dimensions <= SAFETENSORS_MAX_DIMENSIONS;
    for (int d = 0; fits && d < tensor->n_dimensions; d++) fits = size_multiply(product, tensor->shape[d], &product);
    if (!fits)
        return error_set(err, PLETHRON_ERROR_ARGUMENT,
                         "%s: tensor '%s': at most %d dimensions and less than 2^64 bytes were expected", path,
                         tensor->name, SAFETENSORS_MAX_DIMENSIONS);
    *n_bytes = product;
    return PLETHRON_OK;
}

/* The JSON of a list of sizes, or NULL without memory. */
static json_t *sizes_to_json(const size_t *sizes, int n) {
    json_t *array = json_array();
    for (int i = 0; array && i < n; i++) {
        if (json_array_append_new(array, json_integer((json_int_t)sizes[i])) == 0) continue;
        json_decref(array);
        array = NULL;
    }
    return array;
}

/* Adds the tensor's entry; its data begins at *offset, which is moved to its end. */
static plethron_status add_tensor(json_t *header, const char *path, const safetensors_tensor *tensor, size_t *offset,
                                  plethron_error *err) {
    size_t n_bytes = 0;
    if (strcmp(tensor->name, SAFETENSORS_METADATA) == 0)
        return error_set(err, PLETHRON_ERROR_ARGUMENT, "%s: a tensor is named %s: another name was expected", path,
                         SAFETENSORS_METADATA);
    const plethron_status status = tensor_bytes(tensor, path, &n_bytes, err);
    if (status != PLETHRON_OK) return status;
    const size_t offsets[2] = {*offset, *offset + n_bytes};
    json_t *entry =
        json_pack("{s:s, s:o, s:o}", "dtype", safetensors_types[tensor->type].name, "shape",
                  sizes_to_json(tensor->shape, tensor->n_dimensions), "data_offsets", sizes_to_json(offsets, 2));
    if (!entry) return no_json_memory(path, err);
    *offset = offsets[1];
    return add_key(header, path, tensor->name, entry, err);
}

/* The header as text, for free. */
static plethron_status make_header(const char *path, const safetensors_tensor *tensors, size_t n_tensors,
                                   const safetensors_text *texts, size_t n_texts, char **out, plethron_error *err) {
    plethron_status status;
    json_t *header = json_object();
    size_t offset = 0;
    if (!header) return no_json_memory(path, err);
    TRY(add_texts(header, path, texts, n_texts, err));
    for (size_t i = 0; i < n_tensors; i++) TRY(add_tensor(header, path, &tensors[i], &offset, err));
    TRY(json_text(header, path, out, err));
out:
    json_decref(header);
    return status;
}

/* Length, header, and blanks up to a multiple of 8 bytes, where the data begins. */
static plethron_status write_header(FILE *stream, const char *path, const char *header, plethron_error *err) {
    const size_t n = strlen(header),
                 n_blanks = (SAFETENSORS_LENGTH_BYTES - n % SAFETENSORS_LENGTH_BYTES) % SAFETENSORS_LENGTH_BYTES;
    if (n + n_blanks > SAFETENSORS_MAX_HEADER_BYTES)
        return error_set(err, PLETHRON_ERROR_ARGUMENT,
                         "%s: the names and texts make a header of %zu bytes: at most %d were expected", path, n,
                         SAFETENSORS_MAX_HEADER_BYTES);
    const uint64_t length = n + n_blanks;
    fwrite(&length, 1, sizeof length, stream);
    fwrite(header, 1, n, stream);
    fprintf(stream, "%*s", (int)n_blanks, "");
    return PLETHRON_OK;
}

plethron_status safetensors_write(const char *path, const safetensors_tensor *tensors, size_t n_tensors,
                                  const safetensors_text *texts, size_t n_texts, plethron_error *err) {
    plethron_status status;
    char *header = NULL;
    plethron_output *output = NULL;
    TRY(make_header(path, tensors, n_tensors, texts, n_texts, &header, err));
    TRY(plethron_output_open(path, &output, err));
    FILE *stream = plethron_output_stream(output);
    TRY(write_header(stream, path, header, err));
    for (size_t i = 0; i < n_tensors; i++) {
        size_t n_bytes = 0;
        TRY(tensor_bytes(&tensors[i], path, &n_bytes, err));
        if (n_bytes > 0) fwrite(tensors[i].data, 1, n_bytes, stream);
    }
    TRY(plethron_output_commit(output, err)); /* reports what any write above met */
out:
    plethron_output_close(output);
    free(header);
    return status;
}
