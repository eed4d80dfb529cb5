/* Known labels, found in the columns of other tables. */
#include "io_files.h"
#include "status.h"

#define LABEL_TEST(function) IO_TEST(function, "table")

enum { N_CELLS = 8 };

/* Writes the cells, ended by NULL, as the second column of a CSV. */
static size_t write_cells(const char *path, const char *const *cells) {
    size_t n = 0;
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    fputs("x,store\n", file);
    for (; cells[n]; n++) fprintf(file, "%zu,%s\n", n, cells[n]);
    assert_int_equal(fclose(file), 0);
    return n;
}

static plethron_labels *make(size_t n, const char *const *texts, bool numeric) {
    plethron_error err;
    plethron_labels *labels = NULL;
    assert_works(plethron_labels_make(n, texts, &labels, &err), &err);
    assert_int_equal(plethron_labels_numeric(labels), numeric);
    return labels;
}

/* Finds labels in the first block, all of it, of a file of a few rows. */
static plethron_status find(const plethron_labels *labels, const char *path, const char *text_column,
                            const char *column, int64_t codes[N_CELLS], plethron_error *err) {
    plethron_status status;
    plethron_reader *reader = NULL;
    const plethron_table *block = NULL;
    size_t at = 0;
    const plethron_reader_options options = {.struct_size = sizeof options, .text_column = text_column};
    TRY(plethron_reader_open(path, &options, &reader, err));
    TRY(plethron_reader_next(reader, &block, err));
    TRY(plethron_table_find(block, column, &at, err));
    TRY(plethron_labels_find(labels, block, at, 0, plethron_table_n_rows(block), codes, err));
out:
    plethron_reader_close(reader);
    return status;
}

static void cells_are(const plethron_labels *labels, const io_file *file, const char *const *cells,
                      const int64_t *wanted) {
    plethron_error err;
    int64_t codes[N_CELLS];
    const char *text_column = plethron_labels_numeric(labels) ? NULL : "store";
    const size_t n = write_cells(file->path, cells);
    assert_works(find(labels, file->path, text_column, "store", codes, &err), &err);
    assert_memory_equal(codes, wanted, n * sizeof *codes);
}

static void numbers_are_found_by_value(void **state) {
    static const char *const texts[] = {"7", "-2.5", "0", "12"};
    plethron_labels *labels = make(4, texts, true);
    cells_are(labels, *state, (const char *[]){"007", "-0", "-25e-1", "12.0", "13", NULL},
              (int64_t[]){0, 2, 1, 3, PLETHRON_NONE});
    cells_are(labels, *state, (const char *[]){"7", "seven", "\"12\"", "nan", "inf", NULL},
              (int64_t[]){0, PLETHRON_NONE, 3, PLETHRON_NONE, PLETHRON_NONE});
    plethron_labels_close(labels);
}

static void texts_are_found_as_they_stand(void **state) {
    static const char *const texts[] = {"north", "007", "7", "a, \"b\""};
    plethron_labels *labels = make(4, texts, false);
    cells_are(labels, *state, (const char *[]){"7", "007", "07", "7.0", NULL},
              (int64_t[]){2, 1, PLETHRON_NONE, PLETHRON_NONE});
    cells_are(labels, *state, (const char *[]){"north", " 007 ", "\"a, \"\"b\"\"\"", "North", NULL},
              (int64_t[]){0, 1, 3, PLETHRON_NONE});
    plethron_labels_close(labels);
}

/* Of numbers that are one number only the texts tell. */
static void the_same_number_twice_is_two_texts(void **state) {
    static const char *const texts[] = {"01", "1"};
    plethron_labels *labels = make(2, texts, false);
    cells_are(labels, *state, (const char *[]){"1", "01", "1.0", NULL}, (int64_t[]){1, 0, PLETHRON_NONE});
    plethron_labels_close(labels);
}

static void write_npy(const char *path) {
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    fwrite("\x93NUMPY\x01\x00\x76\x00", 1, 10, file);
    fprintf(file, "%-117s\n", "{'descr': '|i1', 'fortran_order': False, 'shape': (3,), }");
    fwrite("\x07\xFF\x08", 1, 3, file);
    assert_int_equal(fclose(file), 0);
}

static void numbers_of_other_formats_are_texts_as_printed(void **state) {
    static const char *const texts[] = {"7", "north", "-1"};
    const io_file *file = *state;
    plethron_error err;
    int64_t codes[N_CELLS];
    plethron_labels *labels = make(3, texts, false);
    write_npy(file->path);
    assert_works(find(labels, file->path, "0", "0", codes, &err), &err);
    assert_memory_equal(codes, ((int64_t[]){0, 2, PLETHRON_NONE}), 3 * sizeof *codes);
    plethron_labels_close(labels);
}

static void cells_that_tell_nothing_are_refused(void **state) {
    static const char *const numbers[] = {"0.1", "2"}, *const texts[] = {"a", "b"};
    const io_file *file = *state;
    plethron_error err;
    int64_t codes[N_CELLS];
    plethron_labels *of_numbers = make(2, numbers, true), *of_texts = make(2, texts, false);
    write_cells(file->path, (const char *[]){"2", "0.1000000001", NULL});
    assert_fails(PLETHRON_ERROR_FORMAT, find(of_numbers, file->path, NULL, "store", codes, &err), &err, "line 3",
                 "'0.1000000001'", "6 digits");
    write_cells(file->path, (const char *[]){"a", "", "b", NULL});
    assert_fails(PLETHRON_ERROR_FORMAT, find(of_texts, file->path, "store", "store", codes, &err), &err, "line 3",
                 "empty");
    plethron_labels_close(of_texts);
    plethron_labels_close(of_numbers);
}

static void rows_and_columns_that_do_not_exist_are_refused(void **state) {
    static const char *const texts[] = {"1"};
    const io_file *file = *state;
    plethron_error err;
    plethron_table *table = NULL;
    int64_t codes[N_CELLS];
    plethron_labels *labels = make(1, texts, true);
    write_cells(file->path, (const char *[]){"1", "2", NULL});
    assert_works(plethron_table_open(file->path, &table, &err), &err);
    assert_works(plethron_labels_find(labels, table, 1, 2, 0, codes, &err), &err);
    assert_fails(PLETHRON_ERROR_ARGUMENT, plethron_labels_find(labels, table, 1, 1, 2, codes, &err), &err, "2 rows");
    assert_fails(PLETHRON_ERROR_ARGUMENT, plethron_labels_find(labels, table, 2, 0, 1, codes, &err), &err, "2 columns");
    plethron_table_close(table);
    plethron_labels_close(labels);
    plethron_labels_close(NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        LABEL_TEST(numbers_are_found_by_value),          LABEL_TEST(texts_are_found_as_they_stand),
        LABEL_TEST(the_same_number_twice_is_two_texts),  LABEL_TEST(numbers_of_other_formats_are_texts_as_printed),
        LABEL_TEST(cells_that_tell_nothing_are_refused), LABEL_TEST(rows_and_columns_that_do_not_exist_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
