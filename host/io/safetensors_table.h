/* Tensors of safetensors files as tables. */
#ifndef PLETHRON_IO_SAFETENSORS_TABLE_H
#define PLETHRON_IO_SAFETENSORS_TABLE_H

#include "table.h"

/* Whether the content begins as a safetensors file does: a length that it has room for, and a brace. */
bool safetensors_recognise(const void *bytes, size_t n_bytes);

/* Fills the empty table from the tensor `name`, or with NULL from the only one: numbers of one or two dimensions.
 * *bytes is for free, and NULL when it was taken over. */
plethron_status safetensors_table_read(char **bytes, size_t n_bytes, const char *name, plethron_table *table,
                                       plethron_error *err);

#endif
