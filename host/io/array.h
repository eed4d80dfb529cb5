/* An array of numbers as NPY, NPZ, safetensors and HDF5 hold it, and its way into a table. */
#ifndef PLETHRON_IO_ARRAY_H
#define PLETHRON_IO_ARRAY_H

#include "table.h"

typedef enum array_kind { ARRAY_FLOAT, ARRAY_BFLOAT, ARRAY_SIGNED, ARRAY_UNSIGNED, ARRAY_BOOL } array_kind;

/* How the values lie. One dimension is one column. */
typedef struct array_layout {
    array_kind kind;
    size_t item_bytes; /* FLOAT: 2, 4, 8. BFLOAT: 2. SIGNED, UNSIGNED: 1, 2, 4, 8. BOOL: 1 */
    bool big_endian;
    bool by_columns; /* Fortran's order */
    size_t n_rows, n_columns;
} array_layout;

/* Checks that there is a row and a column and that exactly n_data_bytes hold the values. */
plethron_status array_check(const array_layout *array, size_t n_data_bytes, const char *path, plethron_error *err);

/* Fills the empty table from a checked array that begins at *memory + offset. Columns are named "0", "1", ... Each
 * value becomes the nearest float. *memory is for free; the table may take it over, and then it is NULL. */
plethron_status array_read(const array_layout *array, char **memory, size_t offset, plethron_table *table,
                           plethron_error *err);

/* The same for an array after the other, of the same columns and none with more rows than the first: `table` has the
 * columns already, and its values may lie in `bytes`, aligned for floats, until the next call. */
plethron_status array_read_again(const array_layout *array, char *bytes, plethron_table *table, plethron_error *err);

/* The n values of an array that begins at `data`, in their order there: the nearest floats, or whole numbers, which are
 * of a signed or unsigned kind. */
void array_floats(const array_layout *array, const void *data, size_t n, float *out);
void array_integers(const array_layout *array, const void *data, size_t n, int64_t *out);

#endif
