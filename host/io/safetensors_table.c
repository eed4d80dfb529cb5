#include "safetensors_table.h"

#include "array.h"
#include "file.h"
#include "safetensors_format.h"

#include <stdlib.h>
#include <string.h>

bool safetensors_recognise(const void *bytes, size_t n_bytes) {
    uint64_t length;
    if (n_bytes <= SAFETENSORS_LENGTH_BYTES) return false;
    memcpy(&length, bytes, sizeof length);
    return length <= SAFETENSORS_MAX_HEADER_BYTES && length <= n_bytes - SAFETENSORS_LENGTH_BYTES &&
           ((const char *)bytes)[SAFETENSORS_LENGTH_BYTES] == '{';
}

static plethron_status choose(const safetensors_file *file, const char *name, const safetensors_stored **out,
                              plethron_error *err) {
    char shown[FILE_SHOWN_SIZE];
    for (size_t i = 0; i < file->n_tensors; i++) {
        if (name ? strcmp(file->tensors[i].name, name) != 0 : file->n_tensors != 1) continue;
        *out = &file->tensors[i];
        return PLETHRON_OK;
    }
    return error_set(err, PLETHRON_ERROR_FORMAT, "%s: the file has %zu tensors%s%s%s: %s was expected", file->path,
                     file->n_tensors, file->n_tensors ? ", the first is '" : "",
                     file->n_tensors ? file_show(file->tensors[0].name, shown) : "", file->n_tensors ? "'" : "",
                     name ? "the name of one behind the ':'" : "FILE:NAME");
}

static bool find_kind(const char *type, array_kind *kind) {
    static const struct {
        const char *name;
        array_kind kind;
    } kinds[] = {{"F16", ARRAY_FLOAT},   {"F32", ARRAY_FLOAT},    {"F64", ARRAY_FLOAT},    {"BF16", ARRAY_BFLOAT},
                 {"I8", ARRAY_SIGNED},   {"I16", ARRAY_SIGNED},   {"I32", ARRAY_SIGNED},   {"I64", ARRAY_SIGNED},
                 {"U8", ARRAY_UNSIGNED}, {"U16", ARRAY_UNSIGNED}, {"U32", ARRAY_UNSIGNED}, {"U64", ARRAY_UNSIGNED},
                 {"BOOL", ARRAY_BOOL}};
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        if (strcmp(kinds[i].name, type) != 0) continue;
        *kind = kinds[i].kind;
        return true;
    }
    return false;
}

static plethron_status make_layout(const safetensors_stored *tensor, const char *path, array_layout *array,
                                   plethron_error *err) {
    const safetensors_type_info *type = &safetensors_types[tensor->type];
    const size_t n_dimensions = json_array_size(tensor->shape);
    char shown[FILE_SHOWN_SIZE];
    if (!find_kind(type->name, &array->kind) || n_dimensions < 1 || n_dimensions > 2)
        return error_set(err, PLETHRON_ERROR_FORMAT,
                         "%s: tensor '%s' is %s of %zu dimensions: F16 F32 F64 BF16 I8 to I64 U8 to U64 or BOOL of one "
                         "or two was expected",
                         path, file_show(tensor->name, shown), type->name, n_dimensions);
    array->item_bytes = type->bits / 8;
    array->n_rows = (size_t)json_integer_value(json_array_get(tensor->shape, 0));
    array->n_columns = n_dimensions == 2 ? (size_t)json_integer_value(json_array_get(tensor->shape, 1)) : 1;
    return PLETHRON_OK;
}

plethron_status safetensors_table_read(char **bytes, size_t n_bytes, const char *name, plethron_table *table,
                                       plethron_error *err) {
    plethron_status status;
    safetensors_file *file = NULL;
    const safetensors_stored *tensor = NULL;
    array_layout array = {0};
    TRY(safetensors_take(bytes, n_bytes, table->path, &file, err));
    TRY(choose(file, name, &tensor, err));
    TRY(make_layout(tensor, table->path, &array, err));
    TRY(array_check(&array, tensor->end - tensor->begin, table->path, err));
    TRY(array_read(&array, &file->data, tensor->begin, table, err));
out:
    safetensors_close(file);
    return status;
}
