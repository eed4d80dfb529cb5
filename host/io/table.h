/* A table in memory, as every reader (csv.c, npy.c) fills it. */
#ifndef PLETHRON_IO_TABLE_H
#define PLETHRON_IO_TABLE_H

#include "number.h"

/* A column costs some hundreds of bytes besides its values, but a file few: this bounds what a small file makes of it.
 */
enum { TABLE_MAX_COLUMNS = 1 << 20 };

/* Where a column has its first cell of some kind, for error messages. */
typedef struct table_cell {
    number_kind kind; /* NUMBER_FINITE: there is no such cell */
    size_t row;
    size_t line; /* 0 where the format has no lines */
    char *text;
} table_cell;

typedef struct table_column {
    char *name;
    float *values;        /* [capacity], columns of numbers only; any value where the cell is no finite number */
    table_cell no_number; /* the first cell that is no finite number */
    table_cell missing;   /* the first empty cell */
    bool is_text;         /* it holds a cell of kind NUMBER_TEXT */
    size_t n_text_bytes;  /* of all cells, with a NUL each */
    char *texts;          /* [n_text_bytes] and */
    const char **cells;   /* [n_rows] into it: columns of text only */
} table_column;

struct plethron_table {
    char *path;
    size_t n_rows, row_capacity;
    size_t n_columns, column_capacity;
    table_column *columns;
};

/* Appends a column, before the first row. */
plethron_status table_add_column(plethron_table *table, const char *name, plethron_error *err);

/* Makes room for n_rows in every column. */
plethron_status table_reserve(plethron_table *table, size_t n_rows, plethron_error *err);

/* Says of a column that a cell is no finite number; the first such cell is kept. */
plethron_status table_note(table_column *column, number_kind kind, size_t row, size_t line, const char *text,
                           plethron_error *err);

/* PLETHRON_ERROR_ARGUMENT when there is no such column. */
plethron_status table_check_column(const plethron_table *table, size_t column, plethron_error *err);

/* PLETHRON_ERROR_FORMAT that names file, line or row, column, the cell's text and what was expected instead. */
plethron_status table_cell_error(const plethron_table *table, const table_column *column, const table_cell *cell,
                                 const char *expected, plethron_error *err);

#endif
