/* Reader of datasets in HDF5 files, by libhdf5. */
#ifndef PLETHRON_IO_HDF5_H
#define PLETHRON_IO_HDF5_H

#include "table.h"

/* Whether the content begins as an HDF5 file does. */
bool hdf5_recognise(const void *bytes, size_t n_bytes);

/* Fills the empty table from the dataset at `name`, or with NULL from the only one of the root group: numbers of one or
 * two dimensions, stored in this file. */
plethron_status hdf5_read(const char *file, const char *name, plethron_table *table, plethron_error *err);

#endif
