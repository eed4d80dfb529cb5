/* A table in memory, as every reader fills it. open.c finds the reader of a file. */
#ifndef PLETHRON_IO_TABLE_H
#define PLETHRON_IO_TABLE_H

#include "number.h"

/* A column costs some tens of bytes besides its values, but a file few: this bounds what a small file makes of it. */
enum { TABLE_MAX_COLUMNS = 1 << 20 };

/* Where a column has its first cell of some kind, for error messages. */
typedef struct table_cell {
    number_kind kind;
    size_t row;
    size_t line; /* 0 where the format has no lines */
    char text[]; /* cut to what an error shows */
} table_cell;

typedef struct table_column {
    char *name;
    table_cell *no_number; /* the first cell that is no finite number, or NULL */
    table_cell *missing;   /* the first empty cell, or NULL */
    table_cell *rounded;   /* the first number that float does not tell from its neighbours, or NULL */
    const char **cells;    /* [n_rows]: the texts of a column that holds text, else NULL */
} table_column;

struct plethron_table {
    char *path;              /* with the part after ":", as in the caller's words; for errors */
    size_t limit_bytes;      /* of the values */
    const char *text_column; /* keeps its texts, also where they are numbers; NULL: none. Borrowed while it is read */
    size_t n_rows;
    bool is_part;          /* of a file's rows, which may be none */
    size_t n_rows_before;  /* in the file, and */
    size_t n_lines_before; /* lines between its header and these rows */
    size_t n_columns, column_capacity;
    table_column *columns;
    size_t n_numbered, first_number; /* the first columns' names are numbers, and they lie in */
    char *number_names;              /* this */
    const table_column **by_name;    /* [n_columns - n_numbered]: the others, sorted */
    float *values;                   /* [n_rows, n_columns]; NaN where a cell is no finite number */
    void *memory;                    /* what the values lie in, for free */
    char **texts;                    /* [n_texts]: what the cells of columns of text point into */
    size_t n_texts;
};

/* Appends a column, before table_make_values. */
plethron_status table_add_column(plethron_table *table, const char *name, plethron_error *err);
/* Makes the first n_columns columns, called by their numbers, from `first` on: at little cost for each. */
plethron_status table_add_numbered(plethron_table *table, size_t first, size_t n_columns, plethron_error *err);

/* Sorts the columns by name, after the last was added; plethron_table_find needs it. */
plethron_status table_sort_names(plethron_table *table, plethron_error *err);

/* PLETHRON_ERROR_MEMORY when n_rows x n_columns floats are more than the table's limit. */
plethron_status table_check_size(const plethron_table *table, size_t n_rows, size_t n_columns, plethron_error *err);

/* Makes room for the values of n_rows, not set, within the limit; sets n_rows. */
plethron_status table_make_values(plethron_table *table, size_t n_rows, plethron_error *err);

/* Makes a first cell, where *cell is NULL; `text` of n bytes is copied as far as errors show it. */
plethron_status table_note(table_cell **cell, number_kind kind, size_t row, size_t line, const char *text, size_t n,
                           plethron_error *err);

/* Forgets all first cells that were noted. */
void table_forget_notes(plethron_table *table);

/* PLETHRON_ERROR_ARGUMENT when there is no such column. */
plethron_status table_check_column(const plethron_table *table, size_t column, plethron_error *err);

/* PLETHRON_ERROR_FORMAT that names file, line or row, column, the cell's text and what was expected instead. */
plethron_status table_cell_error(const plethron_table *table, const table_column *column, const table_cell *cell,
                                 const char *expected, plethron_error *err);

/* A table without columns and rows; `path` names it in errors. */
plethron_status table_make(const char *path, size_t limit_bytes, plethron_table **out, plethron_error *err);

/* plethron_table_open with a limit for the file's content and for the values, and a column that keeps its texts, or
 * NULL. */
plethron_status table_open(const char *path, size_t limit_bytes, const char *text_column, plethron_table **out,
                           plethron_error *err);

/* The same of a content at hand, behind which stands a NUL: *bytes is for free, and NULL when it was taken over. */
plethron_status table_open_content(const char *path, char **bytes, size_t n_bytes, size_t limit_bytes,
                                   const char *text_column, plethron_table **out, plethron_error *err);

#endif
