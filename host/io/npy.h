/* Reader of NPY, numpy's file of one array. Specification: numpy.lib.format. */
#ifndef PLETHRON_IO_NPY_H
#define PLETHRON_IO_NPY_H

#include "array.h"

/* Whether the content begins as an NPY does. */
bool npy_recognise(const void *bytes, size_t n_bytes);

/* Fills the empty table; its path is named in errors. One dimension is one column; columns are named "0", "1", ...
 * *bytes is for free; the table may take it over, and then it is NULL. */
plethron_status npy_read(char **bytes, size_t n_bytes, plethron_table *table, plethron_error *err);

/* Where the header lies in the first n_bytes. */
plethron_status npy_find_header(const void *bytes, size_t n_bytes, const char *path, size_t *start, size_t *end,
                                plethron_error *err);

/* What the header in the first n_bytes says: how the values lie, and where they begin. */
plethron_status npy_read_header(const void *bytes, size_t n_bytes, const char *path, array_layout *array,
                                size_t *data_start, plethron_error *err);

#endif
