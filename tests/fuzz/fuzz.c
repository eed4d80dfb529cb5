#define _GNU_SOURCE /* memfd_create */

#include "fuzz.h"

#include "dataset_sparse.h"

#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

char *fuzz_copy(const uint8_t *data, size_t size) {
    char *copy = malloc(size + 1);
    fuzz_expect(copy);
    if (size > 0) memcpy(copy, data, size);
    copy[size] = '\0';
    return copy;
}

plethron_table *fuzz_table(void) {
    plethron_table *table = calloc(1, sizeof *table);
    fuzz_expect(table);
    fuzz_expect(memory_copy_text("input", &table->path, NULL) == PLETHRON_OK);
    table->limit_bytes = FUZZ_LIMIT_BYTES;
    return table;
}

static void ask_column(const plethron_table *table, size_t column, float *X) {
    plethron_error err;
    plethron_classes *classes = NULL;
    const plethron_status status = plethron_table_numbers(table, &column, 1, X, &err);
    fuzz_expect(status == PLETHRON_OK || (strlen(err.text) > 0 && !strchr(err.text, '\n')));
    if (plethron_table_classes(table, column, &classes, &err) != PLETHRON_OK) return;
    const size_t n_classes = plethron_classes_count(classes);
    for (size_t i = 0; i < plethron_table_n_rows(table); i++)
        fuzz_expect(plethron_classes_codes(classes)[i] < (float)n_classes);
    plethron_classes_close(classes);
}

void fuzz_ask(plethron_table *table, plethron_status status, const plethron_error *err) {
    enum { MAX_ASKED = 16 };
    fuzz_expect(status == PLETHRON_OK || (err->status == status && strlen(err->text) > 0 && !strchr(err->text, '\n')));
    if (status == PLETHRON_OK) {
        float *X = malloc(plethron_table_n_rows(table) * sizeof *X);
        fuzz_expect(X);
        for (size_t c = 0; c < plethron_table_n_columns(table) && c < MAX_ASKED; c++) ask_column(table, c, X);
        free(X);
    }
    plethron_table_close(table);
}

plethron_sparse_table *fuzz_sparse_table(void) {
    plethron_sparse_table *table = calloc(1, sizeof *table);
    fuzz_expect(table);
    fuzz_expect(memory_copy_text("input", &table->path, NULL) == PLETHRON_OK);
    table->limit_bytes = FUZZ_LIMIT_BYTES;
    return table;
}

void fuzz_ask_sparse(plethron_sparse_table *table, plethron_status status, const plethron_error *err) {
    fuzz_expect(status == PLETHRON_OK || (err->status == status && strlen(err->text) > 0 && !strchr(err->text, '\n')));
    if (status == PLETHRON_OK) {
        const plethron_sparse *X = plethron_sparse_table_features(table);
        fuzz_expect(X->n_rows > 0 && X->n_columns > 0 && sparse_check(X, true, NULL) == PLETHRON_OK);
        const plethron_table *labels = plethron_sparse_table_labels(table);
        fuzz_expect(!labels || plethron_table_n_rows(labels) == X->n_rows);
    }
    plethron_sparse_table_close(table);
}

int fuzz_file(const uint8_t *data, size_t size, char path[FUZZ_PATH_BYTES]) {
    const int fd = memfd_create("fuzz", MFD_CLOEXEC);
    fuzz_expect(fd >= 0 && write(fd, data, size) == (ssize_t)size);
    snprintf(path, FUZZ_PATH_BYTES, "/proc/self/fd/%d", fd);
    return fd;
}
