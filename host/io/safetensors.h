/* Reader and writer of the safetensors format: 8 bytes little-endian header length, a JSON header, then the tensors.
 * Specification: the README of the safetensors project. */
#ifndef PLETHRON_IO_SAFETENSORS_H
#define PLETHRON_IO_SAFETENSORS_H

#include "../status.h"

typedef enum safetensors_type { SAFETENSORS_F32, SAFETENSORS_I64 } safetensors_type;

enum { SAFETENSORS_MAX_DIMENSIONS = 2 };

/* One tensor; `data` holds the product of the shape's values of the type, row-major. */
typedef struct safetensors_tensor {
    const char *name;
    safetensors_type type;
    int n_dimensions;
    size_t shape[SAFETENSORS_MAX_DIMENSIONS];
    const void *data;
} safetensors_tensor;

typedef struct safetensors_text {
    const char *key;
    const char *value;
} safetensors_text;

/* Writes tensors in the order given, and texts as `__metadata__`. The same input gives the same bytes. `path` appears
 * whole or not at all. */
plethron_status safetensors_write(const char *path, const safetensors_tensor *tensors, size_t n_tensors,
                                  const safetensors_text *texts, size_t n_texts, plethron_error *err);

typedef struct safetensors_file safetensors_file;

/* Reads and checks the whole file: header length against the file's length before anything is allocated, valid JSON
 * without duplicate keys, offsets in range, without overlap and gap, sizes equal to shape times type. Tensors of types
 * other than those above are accepted in the file but cannot be asked for. */
plethron_status safetensors_open(const char *path, safetensors_file **out, plethron_error *err);
/* The same with the file's content at hand: *bytes is for free, and NULL when it was taken over. */
plethron_status safetensors_take(char **bytes, size_t n_bytes, const char *path, safetensors_file **out,
                                 plethron_error *err);
void safetensors_close(safetensors_file *file);

/* True when there is a tensor of that name. */
bool safetensors_has(const safetensors_file *file, const char *name);

/* The tensor of that name, type and number of dimensions; its data is borrowed and aligned for the type. The error
 * names the file, the tensor, what was found and what was expected. */
plethron_status safetensors_tensor_get(const safetensors_file *file, const char *name, safetensors_type type,
                                       int n_dimensions, safetensors_tensor *out, plethron_error *err);

/* A text of the metadata, borrowed; NULL when it is not there. */
const char *safetensors_text_get(const safetensors_file *file, const char *key);

#endif
