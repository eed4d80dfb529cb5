/* The part of plethron.h that is about files, and comes with it: tables, sparse ones too, block after block, and
 * outputs. The conventions are those of plethron.h. */
#ifndef PLETHRON_FILES_H
#define PLETHRON_FILES_H

#include "plethron.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- Tables: features and targets from files -------------------------------------------------------------------- */

typedef struct plethron_table plethron_table;
typedef struct plethron_classes plethron_classes;

/* Reads a table of columns from a file known by its content, or from standard input when path is "-". Formats, their
 * limits and how each is recognised: docs/data.md.
 *   CSV          with a header line (RFC 4180); cells between commas, tabs or semicolons, as the header has them
 *   svmlight     dense: the features by their indices, then "label" or columns "label=L"; FILE:N has N features
 *   NPY          one or two dimensions; columns are named "0", "1", ... here and below
 *   NPZ          FILE:NAME, or the only array
 *   HDF5         FILE:/PATH, or the only dataset
 *   safetensors  FILE:NAME, or the only tensor
 * Every value becomes the nearest 32-bit float. Neither the file's content nor the values may take more than half of
 * this machine's memory.
 * Errors name the file and the line or byte: PLETHRON_ERROR_FILE, PLETHRON_ERROR_FORMAT (no header, a name twice, a row
 * of the wrong length, a truncated or absurd array), PLETHRON_ERROR_UNSUPPORTED, PLETHRON_ERROR_MEMORY. Text or missing
 * cells are no error here: they are when a column is asked for as numbers.
 * Cost: one pass over a file of numbers, on all cores; columns of text cost a second one. */
PLETHRON_API plethron_status plethron_table_open(const char *path, plethron_table **out, plethron_error *err);
PLETHRON_API void plethron_table_close(plethron_table *table);
PLETHRON_API size_t plethron_table_n_rows(const plethron_table *table);
PLETHRON_API size_t plethron_table_n_columns(const plethron_table *table);
PLETHRON_API const char *plethron_table_column_name(const plethron_table *table, size_t column); /* borrowed */
/* The column of that name; the error lists the names that exist. */
PLETHRON_API plethron_status plethron_table_find(const plethron_table *table, const char *name, size_t *column,
                                                 plethron_error *err);
/* Gathers columns as numbers: X [n_rows, n_columns], row-major. A text, missing, NaN or infinite cell is an error that
 * names file, line, column and the cell's text. */
PLETHRON_API plethron_status plethron_table_numbers(const plethron_table *table, const size_t *columns,
                                                    size_t n_columns, float *X, plethron_error *err);
/* The distinct values of a column as classes: labels in ascending order (numbers by value, text by bytes) and a code
 * for each row. At most 65,535 classes; a missing cell is an error, and so is a number that a float cannot tell from
 * its neighbours: of 2^24 or more in magnitude, or one that no float is (a decimal of more than 6 digits, a double). */
PLETHRON_API plethron_status plethron_table_classes(const plethron_table *table, size_t column, plethron_classes **out,
                                                    plethron_error *err);
/* The same for a column that tells entities apart: up to 2^24 of them. */
PLETHRON_API plethron_status plethron_table_entities(const plethron_table *table, size_t column, plethron_classes **out,
                                                     plethron_error *err);
/* The same where cells may be missing: those that are empty, and numbers that are not finite. Their code is NaN. */
PLETHRON_API plethron_status plethron_table_classes_or_missing(const plethron_table *table, size_t column,
                                                               plethron_classes **out, plethron_error *err);
/* One column of numbers, values [n_rows], where cells may be missing likewise: NaN. Text is an error. */
PLETHRON_API plethron_status plethron_table_number_or_missing(const plethron_table *table, size_t column, float *values,
                                                              plethron_error *err);
PLETHRON_API void plethron_classes_close(plethron_classes *classes);
PLETHRON_API size_t plethron_classes_count(const plethron_classes *classes);
PLETHRON_API const char *plethron_classes_label(const plethron_classes *classes, size_t code); /* borrowed */
PLETHRON_API const float *plethron_classes_codes(const plethron_classes *classes);             /* [n_rows], borrowed */
/* True when every label is a number. */
PLETHRON_API bool plethron_classes_numeric(const plethron_classes *classes);

/* Known labels, such as those of a model's entities, to be found in the columns of other tables, which may hold some of
 * them only. texts [n_labels] are copied. Where each is a number, and all differ as numbers, cells are compared with
 * them as numbers ("007" is 7), else as texts: just as plethron_table_entities made them.
 * Cost: sorting; 24 bytes a label besides its text. */
typedef struct plethron_labels plethron_labels;
PLETHRON_API plethron_status plethron_labels_make(size_t n_labels, const char *const *texts, plethron_labels **out,
                                                  plethron_error *err);
PLETHRON_API void plethron_labels_close(plethron_labels *labels);
PLETHRON_API bool plethron_labels_numeric(const plethron_labels *labels);
/* Which label the cells of some rows are: codes [n_rows], PLETHRON_NONE for none of them. To be compared as texts, a
 * column of a CSV that holds numbers only needs plethron_reader_options.text_column; numbers of other formats are
 * compared as they are printed. Errors: PLETHRON_ERROR_FORMAT for an empty cell and, among numbers, for one that a
 * float cannot tell from its neighbours, in any row of the table. Cost: a bisection a row, on all cores. */
PLETHRON_API plethron_status plethron_labels_find(const plethron_labels *labels, const plethron_table *table,
                                                  size_t column, size_t first_row, size_t n_rows, int64_t *codes,
                                                  plethron_error *err);

/* The numbers of some rows and columns, X [n_rows, n_columns]: *out points into the table where they lie there together
 * already, else to X, to which they are copied. Errors as plethron_table_numbers, of any row of the table. */
PLETHRON_API plethron_status plethron_table_view(const plethron_table *table, const size_t *columns, size_t n_columns,
                                                 size_t first_row, size_t n_rows, float *X, const float **out,
                                                 plethron_error *err);

/* ---- Sparse tables: features that are mostly zero ---------------------------------------------------------------- */

typedef struct plethron_sparse_table plethron_sparse_table;

typedef struct plethron_sparse_table_options {
    size_t struct_size;
    size_t memory_bytes; /* what the file's content and the values may take, a half each; 0: the limits of
                            plethron_table_open */
    size_t n_columns;    /* the features are known, such as those of a model: the columns first_index ... first_index +
                            n_columns - 1 of svmlight, where the last ones may be missing; all columns of an NPZ. 0: they
                            are those that the file has */
    size_t first_index;  /* with n_columns */
} plethron_sparse_table_options;

/* Reads a plain file of one of the sparse formats, known by its content; of another, and of standard input, *out
 * becomes NULL without an error.
 *   svmlight    features by their indices, and the labels as columns "label" or "label=L" of a table; FILE:N has N
 *               features
 *   NPZ         as scipy.sparse.save_npz writes it, of the formats csr, csc and coo; entries of one place are added up
 * Errors as plethron_table_open; a value that is not finite is PLETHRON_ERROR_FORMAT. */
PLETHRON_API plethron_status plethron_sparse_table_open(const char *path, const plethron_sparse_table_options *options,
                                                        plethron_sparse_table **out, plethron_error *err);
PLETHRON_API void plethron_sparse_table_close(plethron_sparse_table *table);
PLETHRON_API const plethron_sparse *plethron_sparse_table_features(const plethron_sparse_table *table); /* borrowed */
/* The index of the first feature in an svmlight file: 0 if one has the index 0, else 1. 0 of an NPZ. */
PLETHRON_API size_t plethron_sparse_table_first_index(const plethron_sparse_table *table);
/* What the file holds of the rows besides, borrowed; NULL of an NPZ. */
PLETHRON_API const plethron_table *plethron_sparse_table_labels(const plethron_sparse_table *table);

/* ---- Readers: a table that is larger than memory, block after block ---------------------------------------------- */

typedef struct plethron_reader plethron_reader;

typedef struct plethron_reader_options {
    size_t struct_size;
    size_t memory_bytes; /* what the blocks may take, and what is read as a whole; 0: blocks of 8 MiB, and the limits of
                            plethron_table_open */
    bool (*on_wait)(void *context); /* called several times a second while plethron_reader_next waits for the file;
                                       false makes it return PLETHRON_ERROR_INTERRUPTED. NULL: it waits */
    void *context;
    const char *text_column; /* of a CSV: keeps its texts in every block, also where they are numbers; NULL: none. A
                                name that no column has changes nothing */
} plethron_reader_options;

/* Opens what plethron_table_open opens. NPY from a plain file, and CSV also from a pipe, are read in blocks of rows,
 * the next one by a thread while the caller works on one; a short file, and every other format, is one block.
 * An NPY in C order is mapped: one that another process truncates meanwhile may end in the signal SIGBUS. */
PLETHRON_API plethron_status plethron_reader_open(const char *path, const plethron_reader_options *options,
                                                  plethron_reader **out, plethron_error *err);
/* The next rows, borrowed until the next call; NULL behind the last. All blocks have the same columns. A column of a
 * CSV may hold texts in one block and numbers only in another. Errors as plethron_table_open, with rows and lines
 * counted from the file's begin; after one, the reader can only be closed. */
PLETHRON_API plethron_status plethron_reader_next(plethron_reader *reader, const plethron_table **block,
                                                  plethron_error *err);
/* How much of the file was read, ahead of the caller, and its length: 0 for a pipe, and both are 0 for one block. */
PLETHRON_API void plethron_reader_bytes(const plethron_reader *reader, uint64_t *n_read, uint64_t *n_all);
PLETHRON_API void plethron_reader_close(plethron_reader *reader);

/* ---- Outputs: a file appears whole or not at all ----------------------------------------------------------------- */

typedef struct plethron_output plethron_output;

/* Opens a temporary file beside `path`; commit renames it to `path`, close without commit removes it. A path that is a
 * symbolic link is followed; something that is no plain file (a pipe, /dev/null) is written directly.
 * Errors: PLETHRON_ERROR_FILE with the path and the system's reason. */
PLETHRON_API plethron_status plethron_output_open(const char *path, plethron_output **out, plethron_error *err);
PLETHRON_API FILE *plethron_output_stream(plethron_output *output); /* borrowed; do not fclose */
PLETHRON_API plethron_status plethron_output_commit(plethron_output *output, plethron_error *err);
PLETHRON_API void plethron_output_close(plethron_output *output);

#ifdef __cplusplus
}
#endif

#endif
