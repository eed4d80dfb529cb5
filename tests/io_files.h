/* What the tests of host/io share: one file in a folder of its own, and the harm that a file may come to. */
#ifndef PLETHRON_TEST_IO_FILES_H
#define PLETHRON_TEST_IO_FILES_H

#include "support.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef struct io_file {
    char folder[SUPPORT_PATH_BYTES];
    char path[SUPPORT_PATH_BYTES];
} io_file;

/* A test whose state is an io_file of that name, which does not exist yet. */
#define IO_TEST(function, name) cmocka_unit_test_prestate_setup_teardown(function, io_set_up, io_tear_down, name)

static inline int io_set_up(void **state) {
    const char *name = *state;
    io_file *file = malloc(sizeof *file);
    assert_non_null(file);
    support_folder_open(file->folder);
    support_path(file->path, file->folder, name);
    *state = file;
    return 0;
}

static inline int io_tear_down(void **state) {
    io_file *file = *state;
    support_folder_close(file->folder);
    free(file);
    return 0;
}

/* Makes a test that runs as root meet permissions as everyone does, and the reverse; false where it cannot. */
static inline bool io_drop_rights(void) {
    enum { NOBODY = 65534 };
    return geteuid() != 0 || seteuid(NOBODY) == 0;
}

static inline void io_regain_rights(void) {
    assert_int_equal(seteuid(getuid()), 0);
}

/* Reads the file in full; a file that is refused must be so with one line that names it. */
typedef plethron_status (*io_reader)(const char *path, plethron_error *err);

/* An io_reader: every column of a table as numbers and as classes, which each may refuse. */
static inline plethron_status io_read_table(const char *path, plethron_error *err) {
    plethron_table *table = NULL;
    const plethron_status status = plethron_table_open(path, &table, err);
    if (status != PLETHRON_OK) return status;
    float *X = malloc(plethron_table_n_rows(table) * sizeof *X);
    assert_non_null(X);
    for (size_t c = 0; c < plethron_table_n_columns(table); c++) {
        plethron_error ignored;
        plethron_classes *classes = NULL;
        assert_non_null(plethron_table_column_name(table, c));
        plethron_table_numbers(table, &c, 1, X, &ignored);
        plethron_table_classes(table, c, &classes, &ignored);
        plethron_classes_close(classes);
    }
    free(X);
    plethron_table_close(table);
    return PLETHRON_OK;
}

/* Writes the content and reads it; true when it was accepted. */
static inline bool io_is_accepted(const io_file *file, const void *bytes, size_t n_bytes, io_reader read) {
    plethron_error err = {.text = ""};
    support_write(file->path, bytes, n_bytes);
    const plethron_status status = read(file->path, &err);
    if (status == PLETHRON_OK) return true;
    assert_true(status == PLETHRON_ERROR_FORMAT || status == PLETHRON_ERROR_FILE);
    assert_int_equal(err.status, status);
    assert_non_null(strstr(err.text, file->path));
    assert_null(strchr(err.text, '\n'));
    return false;
}

/* Reads every beginning of a valid content, from none of it to all but the last byte; gives how many were accepted. */
static inline size_t io_cut(const io_file *file, const void *bytes, size_t n_bytes, io_reader read) {
    size_t n_accepted = 0;
    for (size_t n = 0; n < n_bytes; n++) n_accepted += io_is_accepted(file, bytes, n, read);
    return n_accepted;
}

/* Reads a valid content with one to four random bytes in wrong places, again and again. */
static inline void io_spoil(const io_file *file, const void *bytes, size_t n_bytes, io_reader read) {
    enum { SEED = 20261124, N_ROUNDS = 3000, MAX_FLIPS = 4 };
    uint32_t state = SEED;
    size_t n_accepted = 0;
    unsigned char *spoilt = malloc(n_bytes);
    assert_non_null(spoilt);
    for (int round = 0; round < N_ROUNDS; round++) {
        memcpy(spoilt, bytes, n_bytes);
        for (int flip = 0; flip <= round % MAX_FLIPS; flip++) {
            state = state * 1664525u + 1013904223u; /* Numerical Recipes' generator: its upper bits are good enough */
            const size_t at = (state >> 8) % n_bytes;
            state = state * 1664525u + 1013904223u;
            spoilt[at] = (unsigned char)(state >> 24);
        }
        n_accepted += io_is_accepted(file, spoilt, n_bytes, read);
    }
    free(spoilt);
    print_message("seed %d: %zu of %d spoilt files were still valid\n", SEED, n_accepted, N_ROUNDS);
}

#endif
