#include "safetensors.h"

#include "file.h"
#include "safetensors_format.h"

#include <stdlib.h>
#include <string.h>

const safetensors_type_info safetensors_types[SAFETENSORS_N_TYPES] = {
    [SAFETENSORS_F32] = {"F32", 32},
    [SAFETENSORS_I64] = {"I64", 64},
    {"BOOL", 8},
    {"F4", 4},
    {"F6_E2M3", 6},
    {"F6_E3M2", 6},
    {"U8", 8},
    {"I8", 8},
    {"F8_E5M2", 8},
    {"F8_E4M3", 8},
    {"F8_E8M0", 8},
    {"F8_E4M3FNUZ", 8},
    {"F8_E5M2FNUZ", 8},
    {"I16", 16},
    {"U16", 16},
    {"F16", 16},
    {"BF16", 16},
    {"I32", 32},
    {"U32", 32},
    {"C64", 64},
    {"F64", 64},
    {"U64", 64},
};

/* ---- Reading the header ------------------------------------------------------------------------------------------ */

static plethron_status read_length(const unsigned char *bytes, size_t n_bytes, const char *path, size_t *length,
                                   plethron_error *err) {
    if (n_bytes < SAFETENSORS_LENGTH_BYTES)
        return error_set(
            err, PLETHRON_ERROR_FORMAT,
            "%s: %zu bytes are too short for a safetensors file: the header's length in %d bytes was expected", path,
            n_bytes, SAFETENSORS_LENGTH_BYTES);
    uint64_t value;
    memcpy(&value, bytes, sizeof value);
    const size_t rest = n_bytes - SAFETENSORS_LENGTH_BYTES,
                 limit = rest < SAFETENSORS_MAX_HEADER_BYTES ? rest : SAFETENSORS_MAX_HEADER_BYTES;
    if (value > limit)
        return error_set(err, PLETHRON_ERROR_FORMAT,
                         "%s: no safetensors file, or not all of one: the header's length is %llu bytes: at most %zu "
                         "were expected, as the file is no longer or the format forbids it",
                         path, (unsigned long long)value, limit);
    *length = (size_t)value;
    return PLETHRON_OK;
}

static plethron_status parse_header(safetensors_file *file, const char *text, size_t length, plethron_error *err) {
    if (length == 0 || text[0] != '{')
        return error_set(err, PLETHRON_ERROR_FORMAT, "%s: byte %d: a header that begins with '{' was expected",
                         file->path, SAFETENSORS_LENGTH_BYTES);
    json_error_t problem;
    char shown[FILE_SHOWN_SIZE];
    file->header = json_loadb(text, length, JSON_REJECT_DUPLICATES, &problem);
    if (file->header) return PLETHRON_OK;
    return error_set(err, PLETHRON_ERROR_FORMAT, "%s: byte %d of the header: valid JSON was expected: %s", file->path,
                     problem.position, file_show(problem.text, shown));
}

static plethron_status check_texts(const safetensors_file *file, plethron_error *err) {
    json_t *metadata = json_object_get(file->header, SAFETENSORS_METADATA);
    if (!metadata) return PLETHRON_OK;
    if (!json_is_object(metadata))
        return error_set(err, PLETHRON_ERROR_FORMAT, "%s: %s: an object of texts was expected", file->path,
                         SAFETENSORS_METADATA);
    const char *key;
    json_t *value;
    char shown[FILE_SHOWN_SIZE];
    json_object_foreach(metadata, key, value) {
        if (json_is_string(value)) continue;
        return error_set(err, PLETHRON_ERROR_FORMAT, "%s: %s: '%s' is no text: a text was expected", file->path,
                         SAFETENSORS_METADATA, file_show(key, shown));
    }
    return PLETHRON_OK;
}

/* ---- Reading the tensors' entries -------------------------------------------------------------------------------- */

static plethron_status entry_error(const safetensors_file *file, const char *name, const char *problem,
                                   plethron_error *err) {
    char shown[FILE_SHOWN_SIZE];
    return error_set(err, PLETHRON_ERROR_FORMAT, "%s: tensor '%s': %s", file->path, file_show(name, shown), problem);
}

static bool json_to_size(const json_t *value, size_t *size) {
    if (!json_is_integer(value) || json_integer_value(value) < 0) return false;
    *size = (size_t)json_integer_value(value);
    return true;
}

static plethron_status read_type(const safetensors_file *file, const json_t *entry, safetensors_stored *tensor,
                                 plethron_error *err) {
    const char *name = json_string_value(json_object_get(entry, "dtype"));
    if (!name) return entry_error(file, tensor->name, "has no dtype: a text such as \"F32\" was expected", err);
    for (int t = 0; t < SAFETENSORS_N_TYPES; t++) {
        if (strcmp(safetensors_types[t].name, name) != 0) continue;
        tensor->type = t;
        return PLETHRON_OK;
    }
    return entry_error(file, tensor->name, "its dtype is none of the format's: one such as \"F32\" was expected", err);
}

/* The bytes that shape and type make. */
static plethron_status read_shape(const safetensors_file *file, const json_t *entry, safetensors_stored *tensor,
                                  size_t *n_bytes, plethron_error *err) {
    tensor->shape = json_object_get(entry, "shape");
    if (!json_is_array(tensor->shape))
        return entry_error(file, tensor->name, "has no shape: a list of sizes was expected", err);
    size_t n_bits = safetensors_types[tensor->type].bits;
    for (size_t d = 0; d < json_array_size(tensor->shape); d++) {
        size_t size;
        if (!json_to_size(json_array_get(tensor->shape, d), &size))
            return entry_error(file, tensor->name, "its shape holds no size: whole numbers from 0 were expected", err);
        if (!size_multiply(n_bits, size, &n_bits))
            return entry_error(file, tensor->name, "its shape is more than memory can hold", err);
    }
    if (n_bits % 8 != 0) return entry_error(file, tensor->name, "its shape and dtype make no whole bytes", err);
    *n_bytes = n_bits / 8;
    return PLETHRON_OK;
}

static plethron_status read_offsets(const safetensors_file *file, const json_t *entry, size_t n_bytes,
                                    safetensors_stored *tensor, plethron_error *err) {
    const json_t *offsets = json_object_get(entry, "data_offsets");
    char shown[FILE_SHOWN_SIZE];
    if (json_array_size(offsets) != 2 || !json_to_size(json_array_get(offsets, 0), &tensor->begin) ||
        !json_to_size(json_array_get(offsets, 1), &tensor->end))
        return entry_error(file, tensor->name, "has no data_offsets: two whole numbers from 0 were expected", err);
    if (tensor->begin > tensor->end || tensor->end > file->n_data_bytes)
        return error_set(
            err, PLETHRON_ERROR_FORMAT,
            "%s: tensor '%s': data_offsets are [%zu, %zu]: ascending ones up to the %zu bytes of data were expected",
            file->path, file_show(tensor->name, shown), tensor->begin, tensor->end, file->n_data_bytes);
    if (tensor->end - tensor->begin != n_bytes)
        return error_set(err, PLETHRON_ERROR_FORMAT,
                         "%s: tensor '%s': data_offsets span %zu bytes: the %zu of its shape and dtype were expected",
                         file->path, file_show(tensor->name, shown), tensor->end - tensor->begin, n_bytes);
    return PLETHRON_OK;
}

static plethron_status read_entry(const safetensors_file *file, const char *name, const json_t *entry,
                                  safetensors_stored *tensor, plethron_error *err) {
    plethron_status status;
    size_t n_bytes = 0;
    tensor->name = name;
    if (!json_is_object(entry))
        TRY(entry_error(file, name, "an object of dtype, shape, data_offsets was expected", err));
    TRY(read_type(file, entry, tensor, err));
    TRY(read_shape(file, entry, tensor, &n_bytes, err));
    TRY(read_offsets(file, entry, n_bytes, tensor, err));
out:
    return status;
}

static int compare_offsets(const void *left, const void *right) {
    const safetensors_stored *a = left, *b = right;
    if (a->begin != b->begin) return a->begin > b->begin ? 1 : -1;
    return (a->end > b->end) - (a->end < b->end);
}

/* Whether the tensors, in the order of their data, cover it without overlap and gap. */
static plethron_status check_cover(const safetensors_file *file, plethron_error *err) {
    size_t covered = 0;
    char shown[FILE_SHOWN_SIZE];
    for (size_t i = 0; i < file->n_tensors; i++) {
        const safetensors_stored *tensor = &file->tensors[i];
        if (tensor->begin != covered)
            return error_set(err, PLETHRON_ERROR_FORMAT,
                             "%s: tensor '%s' begins at byte %zu of the data: byte %zu was expected, without %s",
                             file->path, file_show(tensor->name, shown), tensor->begin, covered,
                             tensor->begin < covered ? "overlap" : "gap");
        covered = tensor->end;
    }
    if (covered == file->n_data_bytes) return PLETHRON_OK;
    return error_set(err, PLETHRON_ERROR_FORMAT,
                     "%s: %zu bytes of data follow the header: %zu were expected, the end of the last tensor",
                     file->path, file->n_data_bytes, covered);
}

static plethron_status read_entries(safetensors_file *file, plethron_error *err) {
    plethron_status status;
    void *memory = NULL;
    TRY(memory_allocate(json_object_size(file->header), sizeof *file->tensors, "tensors", &memory, err));
    file->tensors = memory;
    const char *name;
    json_t *entry;
    json_object_foreach(file->header, name, entry) {
        if (strcmp(name, SAFETENSORS_METADATA) == 0) continue;
        TRY(read_entry(file, name, entry, &file->tensors[file->n_tensors], err));
        file->n_tensors++;
    }
    qsort(file->tensors, file->n_tensors, sizeof *file->tensors, compare_offsets);
    TRY(check_cover(file, err));
out:
    return status;
}

/* The format lets a tensor begin at any byte; one that its type's loads could not read is copied. */
static plethron_status align_tensors(safetensors_file *file, plethron_error *err) {
    for (size_t i = 0; i < file->n_tensors; i++) {
        safetensors_stored *tensor = &file->tensors[i];
        if (tensor->begin % sizeof(int64_t) == 0 || tensor->begin * 8 % safetensors_types[tensor->type].bits == 0)
            continue;
        const size_t n_bytes = tensor->end - tensor->begin;
        const plethron_status status = memory_allocate(n_bytes, 1, "a tensor", &tensor->aligned, err);
        if (status != PLETHRON_OK) return status;
        memcpy(tensor->aligned, file->data + tensor->begin, n_bytes);
    }
    return PLETHRON_OK;
}

/* ---- The file ---------------------------------------------------------------------------------------------------- */

plethron_status safetensors_take(char **bytes, size_t n_bytes, const char *path, safetensors_file **out,
                                 plethron_error *err) {
    plethron_status status;
    void *memory = NULL;
    safetensors_file *file = NULL;
    size_t length = 0;
    TRY(memory_allocate(1, sizeof *file, "a safetensors file", &memory, err));
    file = memory;
    TRY(memory_copy_text(path, &file->path, err));
    TRY(read_length((const unsigned char *)*bytes, n_bytes, path, &length, err));
    TRY(parse_header(file, *bytes + SAFETENSORS_LENGTH_BYTES, length, err));
    TRY(check_texts(file, err));
    /* The data moves to the front, where the memory is aligned; the header is no longer needed. */
    file->data = *bytes;
    *bytes = NULL;
    file->n_data_bytes = n_bytes - SAFETENSORS_LENGTH_BYTES - length;
    memmove(file->data, file->data + SAFETENSORS_LENGTH_BYTES + length, file->n_data_bytes);
    TRY(read_entries(file, err));
    TRY(align_tensors(file, err));
    *out = file;
    file = NULL;
out:
    safetensors_close(file);
    return status;
}

plethron_status safetensors_open(const char *path, safetensors_file **out, plethron_error *err) {
    char *bytes = NULL;
    size_t n_bytes;
    plethron_status status = file_read(path, file_memory_limit(), &bytes, &n_bytes, err);
    if (status != PLETHRON_OK) return status;
    status = safetensors_take(&bytes, n_bytes, path, out, err);
    free(bytes);
    return status;
}

void safetensors_close(safetensors_file *file) {
    if (!file) return;
    for (size_t i = 0; i < file->n_tensors; i++) free(file->tensors[i].aligned);
    free(file->tensors);
    free(file->data);
    json_decref(file->header);
    free(file->path);
    free(file);
}

static const safetensors_stored *find(const safetensors_file *file, const char *name) {
    for (size_t i = 0; i < file->n_tensors; i++)
        if (strcmp(file->tensors[i].name, name) == 0) return &file->tensors[i];
    return NULL;
}

bool safetensors_has(const safetensors_file *file, const char *name) {
    return find(file, name) != NULL;
}

plethron_status safetensors_tensor_get(const safetensors_file *file, const char *name, safetensors_type type,
                                       int n_dimensions, safetensors_tensor *out, plethron_error *err) {
    const safetensors_stored *found = find(file, name);
    if (!found)
        return error_set(err, PLETHRON_ERROR_FORMAT, "%s: has no tensor '%s': %s of %d dimensions was expected",
                         file->path, name, safetensors_types[type].name, n_dimensions);
    const size_t n_found = json_array_size(found->shape);
    if (found->type != (int)type || n_found != (size_t)n_dimensions)
        return error_set(err, PLETHRON_ERROR_FORMAT, "%s: tensor '%s' is %s of %zu dimensions: %s of %d was expected",
                         file->path, name, safetensors_types[found->type].name, n_found, safetensors_types[type].name,
                         n_dimensions);
    safetensors_tensor tensor = {.name = found->name, .type = type, .n_dimensions = n_dimensions};
    for (int d = 0; d < n_dimensions && d < SAFETENSORS_MAX_DIMENSIONS; d++)
        tensor.shape[d] = (size_t)json_integer_value(json_array_get(found->shape, (size_t)d));
    tensor.data = found->aligned ? found->aligned : file->data + found->begin;
    *out = tensor;
    return PLETHRON_OK;
}

const char *safetensors_text_get(const safetensors_file *file, const char *key) {
    return json_string_value(json_object_get(json_object_get(file->header, SAFETENSORS_METADATA), key));
}
