/* Opening a table: the file's content says which reader reads it. */
#include "csv.h"
#include "file.h"
#include "hdf5.h"
#include "npy.h"
#include "npz.h"
#include "safetensors_table.h"
#include "svmlight.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* ---- FILE:PART --------------------------------------------------------------------------------------------------- */

/* A path as its user writes it. */
typedef struct open_path {
    char *file;
    const char *part; /* behind the ':', or NULL */
} open_path;

/* A path that names no file names, up to one of its colons, the last that does so, a file and then a part of it.
 * `part` points into `file`. */
static plethron_status split_path(const char *path, open_path *out, plethron_error *err) {
    struct stat info;
    char *file = NULL;
    const plethron_status status = memory_copy_text(path, &file, err);
    if (status != PLETHRON_OK) return status;
    *out = (open_path){file, NULL};
    if (stat(path, &info) == 0 || (errno != ENOENT && errno != ENOTDIR)) return PLETHRON_OK;
    for (char *colon = file + strlen(file); colon > file; colon--) {
        if (*colon != ':' || colon[1] == '\0') continue;
        *colon = '\0';
        if (stat(file, &info) == 0) {
            out->part = colon + 1;
            return PLETHRON_OK;
        }
        *colon = ':';
    }
    return PLETHRON_OK;
}

static plethron_status refuse_part(const open_path *path, const char *format, plethron_error *err) {
    if (!path->part) return PLETHRON_OK;
    char shown[FILE_SHOWN_SIZE];
    return error_set(err, PLETHRON_ERROR_FORMAT,
                     "%s: %s has no parts, but ':%s' asks for one: the file alone was expected", path->file, format,
                     file_show(path->part, shown));
}

/* The part of an svmlight file is its number of features. */
static plethron_status read_count(const open_path *path, size_t *count, plethron_error *err) {
    char shown[FILE_SHOWN_SIZE];
    *count = 0;
    if (!path->part) return PLETHRON_OK;
    for (const char *at = path->part; *at >= '0' && *at <= '9' && *count < TABLE_MAX_COLUMNS; at++)
        *count = 10 * *count + (size_t)(*at - '0');
    if (*count > 0 && strspn(path->part, "0123456789") == strlen(path->part)) return PLETHRON_OK;
    return error_set(err, PLETHRON_ERROR_FORMAT,
                     "%s: ':%s' found: the number of features of an svmlight file was expected", path->file,
                     file_show(path->part, shown));
}

/* ---- Formats ----------------------------------------------------------------------------------------------------- */

static plethron_status read_text(const open_path *path, const char *bytes, size_t n_bytes, plethron_table *table,
                                 plethron_error *err) {
    plethron_status status;
    number_locale locale;
    size_t n_features;
    TRY(number_locale_enter(&locale, err));
    const bool is_svmlight = svmlight_recognise(bytes, n_bytes);
    number_locale_leave(locale);
    if (is_svmlight) {
        TRY(read_count(path, &n_features, err));
        TRY(svmlight_read(bytes, n_bytes, n_features, table, err));
    } else {
        TRY(refuse_part(path, "a CSV", err));
        TRY(csv_read(bytes, n_bytes, CSV_CHUNK_BYTES, table, err));
    }
out:
    return status;
}

/* Formats that are read from memory. *content may be taken over. */
static plethron_status read_bytes(const open_path *path, char **content, size_t n_bytes, plethron_table *table,
                                  plethron_error *err) {
    plethron_status status;
    const char *bytes = *content;
    if (n_bytes == 0)
        TRY(error_set(err, PLETHRON_ERROR_FORMAT, "%s: the file is empty: a table was expected", path->file));
    if (npy_recognise(bytes, n_bytes)) {
        TRY(refuse_part(path, "an NPY", err));
        TRY(npy_read(content, n_bytes, table, err));
    } else if (npz_recognise(bytes, n_bytes) || hdf5_recognise(bytes, n_bytes)) {
        TRY(error_set(err, PLETHRON_ERROR_FORMAT, "%s: NPZ and HDF5 are read from plain files only, not from a pipe",
                      path->file));
    } else if (safetensors_recognise(bytes, n_bytes))
        TRY(safetensors_table_read(content, n_bytes, path->part, table, err));
    else
        TRY(read_text(path, bytes, n_bytes, table, err));
out:
    return status;
}

static plethron_status read_content(const open_path *path, plethron_table *table, plethron_error *err) {
    plethron_status status;
    char *bytes = NULL;
    size_t n_bytes = 0;
    TRY(file_read(path->file, table->limit_bytes, &bytes, &n_bytes, err));
    TRY(read_bytes(path, &bytes, n_bytes, table, err));
out:
    free(bytes);
    return status;
}

/* Of NPZ and HDF5 the libraries read no more than they need. */
static plethron_status read_table(const open_path *path, plethron_table *table, plethron_error *err) {
    plethron_status status;
    char head[16];
    size_t n = 0;
    TRY(file_read_head(path->file, head, sizeof head, &n, err));
    if (npz_recognise(head, n))
        TRY(npz_read(path->file, path->part, table, err));
    else if (hdf5_recognise(head, n))
        TRY(hdf5_read(path->file, path->part, table, err));
    else
        TRY(read_content(path, table, err));
out:
    return status;
}

plethron_status table_open(const char *path, size_t limit_bytes, const char *text_column, plethron_table **out,
                           plethron_error *err) {
    plethron_status status;
    plethron_table *table = NULL;
    open_path split = {0};
    if (!path) return error_set(err, PLETHRON_ERROR_ARGUMENT, "the path of the file to read is NULL");
    TRY(split_path(path, &split, err));
    TRY(table_make(path, limit_bytes, &table, err));
    table->text_column = text_column;
    TRY(read_table(&split, table, err));
    if (!table->by_name) TRY(table_sort_names(table, err));
    *out = table;
    table = NULL;
out:
    plethron_table_close(table);
    free(split.file);
    return status;
}

plethron_status table_open_content(const char *path, char **bytes, size_t n_bytes, size_t limit_bytes,
                                   const char *text_column, plethron_table **out, plethron_error *err) {
    plethron_status status;
    plethron_table *table = NULL;
    char *file = NULL;
    TRY(memory_copy_text(path, &file, err));
    TRY(table_make(path, limit_bytes, &table, err));
    table->text_column = text_column;
    TRY(read_bytes(&(open_path){file, NULL}, bytes, n_bytes, table, err));
    if (!table->by_name) TRY(table_sort_names(table, err));
    *out = table;
    table = NULL;
out:
    plethron_table_close(table);
    free(file);
    return status;
}

plethron_status plethron_table_open(const char *path, plethron_table **out, plethron_error *err) {
    return table_open(path, file_memory_limit(), NULL, out, err);
}

/* ---- Sparse tables ----------------------------------------------------------------------------------------------- */

/* Whether a file begins as svmlight does, as far as its first bytes show, up to a piece that they may cut. */
static plethron_status is_svmlight(const char *file, bool *out, plethron_error *err) {
    enum { HEAD_BYTES = 1 << 16 };
    plethron_status status;
    void *memory = NULL;
    size_t n = 0;
    number_locale locale;
    TRY(memory_allocate(HEAD_BYTES + 1, 1, file, &memory, err));
    char *head = memory;
    TRY(file_read_head(file, head, HEAD_BYTES, &n, err));
    if (n == HEAD_BYTES)
        while (n > 0 && !strchr(" \t\n", head[n - 1])) n--;
    head[n] = '\0';
    TRY(number_locale_enter(&locale, err));
    *out = n > 0 && svmlight_recognise(head, n);
    number_locale_leave(locale);
out:
    free(memory);
    return status;
}

static plethron_status read_sparse_text(const open_path *path, plethron_sparse_table *table, plethron_error *err) {
    plethron_status status;
    char *bytes = NULL;
    size_t n_bytes = 0, n_features = 0;
    TRY(file_read(path->file, table->limit_bytes, &bytes, &n_bytes, err));
    TRY(read_count(path, &n_features, err));
    TRY(svmlight_read_sparse(bytes, n_bytes, table->n_known ? 0 : n_features, table, err));
out:
    free(bytes);
    return status;
}

static plethron_status read_sparse(const open_path *path, plethron_sparse_table *table, bool *is_one,
                                   plethron_error *err) {
    plethron_status status;
    char head[16];
    size_t n = 0;
    *is_one = false;
    TRY(file_read_head(path->file, head, sizeof head, &n, err));
    if (npz_recognise(head, n)) {
        if (!path->part) TRY(npz_sparse_read(path->file, table, is_one, err));
        goto out;
    }
    if (n == 0 || npy_recognise(head, n) || hdf5_recognise(head, n)) goto out;
    TRY(is_svmlight(path->file, is_one, err));
    if (*is_one) TRY(read_sparse_text(path, table, err));
out:
    return status;
}

plethron_status plethron_sparse_table_open(const char *path, const plethron_sparse_table_options *options,
                                           plethron_sparse_table **out, plethron_error *err) {
    plethron_status status;
    plethron_sparse_table *table = NULL;
    plethron_sparse_table_options known = {0};
    open_path split = {0};
    void *memory = NULL;
    bool is_one = false;
    if (!path) return error_set(err, PLETHRON_ERROR_ARGUMENT, "the path of the file to read is NULL");
    if (options) {
        TRY(error_check_struct(options->struct_size, sizeof known, "plethron_sparse_table_options", err));
        memcpy(&known, options, options->struct_size);
    }
    TRY(split_path(path, &split, err));
    TRY(memory_allocate(1, sizeof *table, "a sparse table", &memory, err));
    table = memory;
    table->limit_bytes = known.memory_bytes ? known.memory_bytes / 2 : file_memory_limit();
    table->n_known = known.n_columns;
    table->first_known = table->first_index = known.first_index;
    TRY(memory_copy_text(path, &table->path, err));
    TRY(read_sparse(&split, table, &is_one, err));
    *out = is_one ? table : NULL;
    if (is_one) table = NULL;
out:
    plethron_sparse_table_close(table);
    free(split.file);
    return status;
}
