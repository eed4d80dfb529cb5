/* Reader of NPZ, numpy's ZIP archive of NPY files. libzip unpacks it. */
#ifndef PLETHRON_IO_NPZ_H
#define PLETHRON_IO_NPZ_H

#include "table.h"

/* Whether the content begins as a ZIP archive does. */
bool npz_recognise(const void *bytes, size_t n_bytes);

/* Fills the empty table from the array `name`, or with NULL from the only one. */
plethron_status npz_read(const char *file, const char *name, plethron_table *table, plethron_error *err);

#endif
