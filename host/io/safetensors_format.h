/* What the reader and the writer of safetensors share: the format's numbers and types, and a file that was read. */
#ifndef PLETHRON_IO_SAFETENSORS_FORMAT_H
#define PLETHRON_IO_SAFETENSORS_FORMAT_H

#include "safetensors.h"

#include <jansson.h>

#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "the format is little-endian, and this code swaps no bytes"
#endif

enum {
    SAFETENSORS_LENGTH_BYTES = 8,            /* of the header's length, before the header */
    SAFETENSORS_MAX_HEADER_BYTES = 100000000 /* the specification's limit */
};

#define SAFETENSORS_METADATA "__metadata__"

/* The specification's types; those of safetensors_type stand at their place. */
enum { SAFETENSORS_N_TYPES = 22 };
typedef struct safetensors_type_info {
    const char *name;
    unsigned bits;
} safetensors_type_info;
extern const safetensors_type_info safetensors_types[SAFETENSORS_N_TYPES];

typedef struct safetensors_stored {
    const char *name;    /* borrowed from the header, as is */
    const json_t *shape; /* this */
    int type;            /* index into `safetensors_types` */
    size_t begin, end;   /* bytes of the data */
    void *aligned;       /* a copy of data that is not aligned for its type, else NULL */
} safetensors_stored;

struct safetensors_file {
    char *path;
    json_t *header;
    char *data;
    size_t n_data_bytes;
    safetensors_stored *tensors; /* [n_tensors], in the order of the data */
    size_t n_tensors;
};

#endif
