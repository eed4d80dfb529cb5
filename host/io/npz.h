/* Reader of NPZ, numpy's ZIP archive of NPY files. libzip unpacks it. */
#ifndef PLETHRON_IO_NPZ_H
#define PLETHRON_IO_NPZ_H

#include "sparse.h"

#include <zip.h>

/* Whether the content begins as a ZIP archive does. */
bool npz_recognise(const void *bytes, size_t n_bytes);

/* Fills the empty table from the array `name`, or with NULL from the only one. */
plethron_status npz_read(const char *file, const char *name, plethron_table *table, plethron_error *err);

/* Opens an archive, for zip_discard; finds the array `name`; unpacks one, for free, an NPY of n_bytes. */
plethron_status npz_open(const char *file, zip_t **out, plethron_error *err);
bool npz_find(zip_t *archive, const char *name, zip_uint64_t *index);
plethron_status npz_unpack(zip_t *archive, zip_uint64_t index, const char *path, size_t limit_bytes, char **out,
                           size_t *n_bytes, plethron_error *err);

/* Fills the empty table from a sparse matrix as scipy.sparse.save_npz writes it: csr, csc or coo (npz_sparse.c).
 * *is_one is false, and nothing is read, where the archive holds none. */
plethron_status npz_sparse_read(const char *file, plethron_sparse_table *table, bool *is_one, plethron_error *err);

#endif
