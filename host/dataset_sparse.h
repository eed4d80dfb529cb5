/* Sparse features on a device: compressed rows, and the same entries by features, which gradients are summed by. */
#ifndef PLETHRON_DATASET_SPARSE_H
#define PLETHRON_DATASET_SPARSE_H

#include "device.h"

/* Line i, a row or a feature, has the entries offsets[i] ... offsets[i + 1] - 1. */
typedef struct sparse_lines {
    device_buffer *offsets; /* ints [n_lines + 1] */
    device_buffer *indices; /* ints [n_values]: an entry's feature or row, ascending within a line */
    device_buffer *values;  /* [n_values] */
} sparse_lines;

typedef struct dataset_sparse {
    size_t n_values;
    sparse_lines rows, features;
    /* Features that many rows have are cut into what each block of rows has of them (kernels/sparse_gradient.cl). */
    size_t n_pieces;
    device_buffer *pieces;      /* ints [n_pieces, 2] */
    device_buffer *first_piece; /* ints [n_features + 1] */
} dataset_sparse;

/* Checks that rows have their entries in ascending columns of n_columns, and that offsets ascend; with `finite` the
 * values, too. */
plethron_status sparse_check(const plethron_sparse *X, bool finite, plethron_error *err);

/* Entries of all rows. */
size_t sparse_n_values(const plethron_sparse *X);

/* Compressed rows as devices have them. */
typedef struct sparse_arrays {
    int32_t *offsets, *indices;
    float *values;
} sparse_arrays;

plethron_status sparse_arrays_open(size_t n_lines, size_t n_values, sparse_arrays *out, plethron_error *err);
void sparse_arrays_close(sparse_arrays *arrays);

/* The entries of rows by columns: of each column those of the rows order[0], order[1], ..., which are named by their
 * place in that order. order NULL: 0, 1, ... */
void sparse_transpose(const sparse_arrays *rows, size_t n_rows, size_t n_columns, const int32_t *order,
                      sparse_arrays *columns);

/* Makes the buffers of lines with their content. */
plethron_status sparse_lines_upload(plethron_device *device, const sparse_arrays *arrays, size_t n_lines,
                                    size_t n_values, sparse_lines *out, plethron_error *err);
void sparse_lines_close(sparse_lines *lines);

/* Puts checked features on the device, each divided by its deviation where `deviation` [n_columns] is not NULL: it is
 * filled. */
plethron_status sparse_open(plethron_device *device, const plethron_sparse *X, double *deviation, dataset_sparse **out,
                            plethron_error *err);
void sparse_close(dataset_sparse *sparse);

/* Bytes of entries on the device. */
size_t sparse_bytes(const dataset_sparse *sparse, size_t n_rows, size_t n_features);

#endif
