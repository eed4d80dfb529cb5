/* Opening a table: the file's content says which reader reads it. */
#include "csv.h"
#include "file.h"
#include "npy.h"

#include <stdlib.h>

static plethron_status read_content(const char *path, plethron_table *table, plethron_error *err) {
    plethron_status status;
    char *bytes = NULL;
    size_t n_bytes = 0;
    TRY(file_read(path, table->limit_bytes, &bytes, &n_bytes, err));
    if (n_bytes == 0)
        TRY(error_set(err, PLETHRON_ERROR_FORMAT,
                      "%s: the file is empty: a CSV with a header line, or an NPY, was expected", path));
    if (npy_recognise(bytes, n_bytes))
        TRY(npy_read(&bytes, n_bytes, table, err));
    else
        TRY(csv_read(bytes, n_bytes, CSV_CHUNK_BYTES, table, err));
out:
    free(bytes);
    return status;
}

plethron_status table_open(const char *path, size_t limit_bytes, plethron_table **out, plethron_error *err) {
    plethron_status status;
    void *memory = NULL;
    plethron_table *table = NULL;
    if (!path) return error_set(err, PLETHRON_ERROR_ARGUMENT, "the path of the file to read is NULL");
    TRY(memory_allocate(1, sizeof *table, "a table", &memory, err));
    table = memory;
    table->limit_bytes = limit_bytes;
    TRY(memory_copy_text(path, &table->path, err));
    TRY(read_content(path, table, err));
    if (!table->by_name) TRY(table_sort_names(table, err));
    *out = table;
    table = NULL;
out:
    plethron_table_close(table);
    return status;
}

plethron_status plethron_table_open(const char *path, plethron_table **out, plethron_error *err) {
    return table_open(path, file_memory_limit(), out, err);
}
