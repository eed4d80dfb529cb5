/* A sparse table in memory: its features as compressed rows, and what else the file says of the rows as a table. */
#ifndef PLETHRON_IO_SPARSE_H
#define PLETHRON_IO_SPARSE_H

#include "table.h"

enum { SPARSE_MAX_COUNT = 1 << 30 }; /* rows, columns or values */

struct plethron_sparse_table {
    char *path;
    size_t limit_bytes;     /* of the values, with their indices */
    size_t n_known;         /* columns that the caller knows, from first_known on; 0: those of the file */
    size_t first_known;     /* their indices begin with it */
    size_t first_index;     /* the index of the first column */
    plethron_sparse shown;  /* what follows, for readers */
    int64_t *offsets;       /* [n_rows + 1] */
    int32_t *columns;       /* [n_values] */
    float *values;          /* [n_values] */
    plethron_table *labels; /* NULL where the file has none */
};

/* Makes room for rows and values within the limit: offsets, columns and values are not set. */
plethron_status sparse_table_reserve(plethron_sparse_table *table, size_t n_rows, size_t n_columns, size_t n_values,
                                     plethron_error *err);

/* Entries in any order, as coo has them, into rows that ascend; those of one place are added, in their order. `rows`
 * and `columns` are within bounds; values come behind offsets, which must have room for n_values. */
plethron_status sparse_table_sort(plethron_sparse_table *table, const int64_t *rows, const int64_t *columns,
                                  const float *values, size_t n_values, plethron_error *err);

#endif
