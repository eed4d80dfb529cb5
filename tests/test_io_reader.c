/* Readers: blocks of rows, one after another, are the table that is read as a whole. */
#include "io/array.h"
#include "io_files.h"

#include <math.h>
#include <pthread.h>
#include <sys/stat.h>

#define READER_TEST(function) IO_TEST(function, "table")

/* Of the least memory the blocks are 4 KiB, so a file of 100 KiB takes many. */
enum { MEMORY_BYTES = 1 << 18, SMALL_BYTES = 1 << 15, N_ROWS = 20011 };

static plethron_status open_reader(const char *path, size_t memory_bytes, plethron_reader **out, plethron_error *err) {
    const plethron_reader_options options = {.struct_size = sizeof options, .memory_bytes = memory_bytes};
    return plethron_reader_open(path, &options, out, err);
}

/* Reads on to the end or an error. */
static plethron_status read_all(plethron_reader *reader, size_t *n_rows, size_t *n_blocks, plethron_error *err) {
    const plethron_table *block = NULL;
    *n_rows = *n_blocks = 0;
    for (;;) {
        const plethron_status status = plethron_reader_next(reader, &block, err);
        if (status != PLETHRON_OK || !block) return status;
        *n_rows += plethron_table_n_rows(block);
        ++*n_blocks;
    }
}

/* The label of a cell of a column of classes. */
static const char *label_of(const plethron_classes *classes, size_t row) {
    return plethron_classes_label(classes, (size_t)plethron_classes_codes(classes)[row]);
}

static void same_labels(const plethron_table *whole, size_t first, const plethron_table *block, size_t column) {
    plethron_error err;
    plethron_classes *all = NULL, *some = NULL;
    assert_works(plethron_table_entities(whole, column, &all, &err), &err);
    assert_works(plethron_table_entities(block, column, &some, &err), &err);
    for (size_t i = 0; i < plethron_table_n_rows(block); i++)
        assert_string_equal(label_of(all, first + i), label_of(some, i));
    plethron_classes_close(some);
    plethron_classes_close(all);
}

static void same_numbers(const plethron_table *whole, size_t first, const plethron_table *block, const size_t *columns,
                         size_t n_columns) {
    plethron_error err;
    const size_t n = plethron_table_n_rows(block);
    const float *got = NULL, *want = NULL;
    float *X = malloc(n * n_columns * sizeof *X), *Y = malloc(n * n_columns * sizeof *Y);
    assert_non_null(X);
    assert_non_null(Y);
    assert_works(plethron_table_view(block, columns, n_columns, 0, n, X, &got, &err), &err);
    assert_works(plethron_table_view(whole, columns, n_columns, first, n, Y, &want, &err), &err);
    assert_memory_equal(got, want, n * n_columns * sizeof *X);
    free(Y);
    free(X);
}

/* Compares the file read in blocks with the file read whole: columns of numbers, and one of text or -1. */
static void same_in_blocks(const char *path, size_t memory_bytes, const size_t *columns, size_t n_columns, int text,
                           size_t min_blocks) {
    plethron_error err;
    plethron_table *whole = NULL;
    plethron_reader *reader = NULL;
    const plethron_table *block = NULL;
    size_t first = 0, n_blocks = 0;
    assert_works(plethron_table_open(path, &whole, &err), &err);
    assert_works(open_reader(path, memory_bytes, &reader, &err), &err);
    for (;; n_blocks++) {
        assert_works(plethron_reader_next(reader, &block, &err), &err);
        if (!block) break;
        assert_int_equal(plethron_table_n_columns(block), plethron_table_n_columns(whole));
        for (size_t c = 0; c < plethron_table_n_columns(block); c++)
            assert_string_equal(plethron_table_column_name(block, c), plethron_table_column_name(whole, c));
        same_numbers(whole, first, block, columns, n_columns);
        if (text >= 0) same_labels(whole, first, block, (size_t)text);
        first += plethron_table_n_rows(block);
    }
    assert_int_equal(first, plethron_table_n_rows(whole));
    assert_true(n_blocks >= min_blocks);
    plethron_reader_close(reader);
    plethron_table_close(whole);
}

/* ---- NPY --------------------------------------------------------------------------------------------------------- */

/* Writes an NPY of n_rows x 3 values of item_bytes, whose content is a function of their number. */
static void write_npy(const char *path, const char *descr, size_t item_bytes, const char *order, size_t n_rows) {
    char header[128];
    memset(header, ' ', sizeof header);
    memcpy(header, "\x93NUMPY\x01\x00\x76", 9);
    header[9] = 0;
    const int n = snprintf(header + 10, sizeof header - 10, "{'descr': '%s', 'fortran_order': %s, 'shape': (%zu, 3), }",
                           descr, order, n_rows);
    header[10 + n] = ' ';
    header[sizeof header - 1] = '\n';
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(header, 1, sizeof header, file), sizeof header);
    for (size_t i = 0; i < 3 * n_rows; i++) {
        const float single = (float)i / 7.0f - 1000.0f;
        const double wide = (double)i / 7.0;
        const int16_t whole = (int16_t)(i * 31);
        const void *value = item_bytes == 4 ? (const void *)&single : item_bytes == 8 ? (const void *)&wide : &whole;
        assert_int_equal(fwrite(value, item_bytes, 1, file), 1);
    }
    assert_int_equal(fclose(file), 0);
}

static void npy_in_blocks(void **state) {
    static const struct {
        const char *descr, *order;
        size_t item_bytes;
    } kinds[] = {{"<f4", "False", 4}, {"<f8", "False", 8}, {"<i2", "False", 2},
                 {"<f4", "True", 4},  {"<f8", "True", 8},  {">i2", "True", 2}};
    const io_file *file = *state;
    const size_t all[] = {0, 1, 2}, some[] = {2, 0};
    for (size_t k = 0; k < COUNT(kinds); k++) {
        write_npy(file->path, kinds[k].descr, kinds[k].item_bytes, kinds[k].order, N_ROWS);
        same_in_blocks(file->path, MEMORY_BYTES, all, COUNT(all), -1, 3);
        same_in_blocks(file->path, SMALL_BYTES, some, COUNT(some), -1, 20);
        same_in_blocks(file->path, 0, all, COUNT(all), -1, 1);
    }
}

static void npy_rows_of_any_number(void **state) {
    const io_file *file = *state;
    const size_t all[] = {0, 1, 2};
    for (size_t n_rows = 1; n_rows < 1100; n_rows += n_rows < 300 ? 41 : 1 + n_rows % 7) {
        write_npy(file->path, "<f4", 4, "False", n_rows);
        same_in_blocks(file->path, 1 << 13, all, COUNT(all), -1, 1);
    }
}

static void npy_errors_name_the_row_of_the_file(void **state) {
    enum { BAD_ROW = 15000 };
    const io_file *file = *state;
    plethron_error err;
    plethron_reader *reader = NULL;
    const plethron_table *block = NULL;
    const size_t column = 1;
    const float bad = NAN, *view;
    float X[N_ROWS];
    write_npy(file->path, "<f4", 4, "False", N_ROWS);
    FILE *stream = fopen(file->path, "r+b");
    assert_non_null(stream);
    fseek(stream, 128 + (BAD_ROW * 3 + (long)column) * 4, SEEK_SET);
    assert_int_equal(fwrite(&bad, sizeof bad, 1, stream), 1);
    fclose(stream);
    assert_works(open_reader(file->path, MEMORY_BYTES, &reader, &err), &err);
    plethron_status status = PLETHRON_OK;
    while (status == PLETHRON_OK) {
        assert_works(plethron_reader_next(reader, &block, &err), &err);
        assert_non_null(block);
        status = plethron_table_view(block, &column, 1, 0, plethron_table_n_rows(block), X, &view, &err);
    }
    assert_fails(PLETHRON_ERROR_FORMAT, status, &err, file->path, "row 15000", "'1'", "nan");
    plethron_reader_close(reader);
}

static void npy_cut_while_it_is_read(void **state) {
    const io_file *file = *state;
    plethron_error err;
    plethron_reader *reader = NULL;
    size_t n_rows, n_blocks;
    write_npy(file->path, "<f4", 4, "False", N_ROWS);
    assert_works(open_reader(file->path, MEMORY_BYTES, &reader, &err), &err);
    assert_int_equal(truncate(file->path, 150000), 0);
    assert_fails(PLETHRON_ERROR_FILE, read_all(reader, &n_rows, &n_blocks, &err), &err, file->path, "20011 rows");
    plethron_reader_close(reader);
}

static void views_beyond_the_rows_are_refused(void **state) {
    const io_file *file = *state;
    plethron_error err;
    plethron_table *table = NULL;
    const size_t column = 0;
    const float *view = NULL;
    float X[5];
    write_npy(file->path, "<f4", 4, "False", 5);
    assert_works(plethron_table_open(file->path, &table, &err), &err);
    assert_works(plethron_table_view(table, &column, 1, 5, 0, X, &view, &err), &err);
    assert_fails(PLETHRON_ERROR_ARGUMENT, plethron_table_view(table, &column, 1, 3, 3, X, &view, &err), &err, "5 rows");
    assert_fails(PLETHRON_ERROR_ARGUMENT, plethron_table_view(table, &column, 1, 6, 0, X, &view, &err), &err, "5 rows");
    plethron_table_close(table);
}

/* ---- CSV --------------------------------------------------------------------------------------------------------- */

/* Rows with texts that hold delimiters, quotes and line ends, blank lines between them. */
static void write_csv(const char *path, const char *head, const char *line_end, size_t n_rows) {
    static const char *const texts[] = {"plain",         "\"a,b\"", "\"two\nlines\"", "\"say \"\"hi\"\"\"",
                                        "\"\r\n,\"\"\"", "x",       "\"\"",           "7"};
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    fprintf(file, "%sa,\"the \"\"text\"\"\nof it\",b%s", head, line_end);
    for (size_t i = 0; i < n_rows; i++) {
        const char *text = texts[i * 2654435761u >> 7 & 7];
        fprintf(file, "%zu,%s,%g%s", i, strcmp(text, "\"\"") == 0 ? "empty" : text, (double)i / 8, line_end);
        if (i % 97 == 0) fprintf(file, " %s", line_end);
    }
    assert_int_equal(fclose(file), 0);
}

static void csv_in_blocks(void **state) {
    static const char *const heads[] = {"", "\xEF\xBB\xBF", "\n  \n", "\xEF\xBB\xBF\r\n"};
    static const char *const line_ends[] = {"\n", "\r\n", "\r"};
    const io_file *file = *state;
    const size_t columns[] = {0, 2};
    for (size_t h = 0; h < COUNT(heads); h++)
        for (size_t e = 0; e < COUNT(line_ends); e++) {
            write_csv(file->path, heads[h], line_ends[e], 5003);
            same_in_blocks(file->path, MEMORY_BYTES, columns, COUNT(columns), 1, 2);
            same_in_blocks(file->path, SMALL_BYTES, columns, COUNT(columns), 1, 10);
        }
}

/* One line at a time more, so that every place of a record comes to lie at a block's end. */
static void csv_cut_anywhere(void **state) {
    const io_file *file = *state;
    const size_t columns[] = {0, 2};
    char head[64] = "";
    for (size_t n = 0; n < 40; n++) {
        memset(head, ' ', n);
        strcpy(head + n, "\n");
        write_csv(file->path, head, n % 2 ? "\r\n" : "\n", 700);
        same_in_blocks(file->path, SMALL_BYTES, columns, COUNT(columns), 1, 2);
    }
}

/* Behind `n_rows` good rows stands this one; the error is that of the whole file. */
static void csv_error_is_the_same(const io_file *file, size_t n_rows, const char *row) {
    plethron_error whole_err = {.text = ""}, err = {.text = ""};
    plethron_table *table = NULL;
    plethron_reader *reader = NULL;
    size_t n_read, n_blocks;
    write_csv(file->path, "\n", "\r\n", n_rows);
    FILE *stream = fopen(file->path, "ab");
    assert_non_null(stream);
    fprintf(stream, "%s\n1,x,2\n", row);
    fclose(stream);
    assert_int_equal(plethron_table_open(file->path, &table, &whole_err), PLETHRON_ERROR_FORMAT);
    assert_works(open_reader(file->path, SMALL_BYTES, &reader, &err), &err);
    assert_int_equal(read_all(reader, &n_read, &n_blocks, &err), PLETHRON_ERROR_FORMAT);
    assert_string_equal(err.text, whole_err.text);
    plethron_reader_close(reader);
}

static void csv_errors_are_those_of_the_whole(void **state) {
    for (size_t n_rows = 1000; n_rows < 1100; n_rows += 9) {
        csv_error_is_the_same(*state, n_rows, "1,2");
        csv_error_is_the_same(*state, n_rows, "1,2,3,4");
        csv_error_is_the_same(*state, n_rows, "1,x\"y,3");
    }
}

static void csv_cells_are_named_by_the_line_of_the_file(void **state) {
    const io_file *file = *state;
    plethron_error whole_err, err;
    plethron_table *table = NULL;
    plethron_reader *reader = NULL;
    const plethron_table *block = NULL;
    const size_t column = 0;
    const float *view;
    float X[8192];
    write_csv(file->path, "", "\n", 3000);
    FILE *stream = fopen(file->path, "ab");
    assert_non_null(stream);
    fputs("oops,x,1\n", stream);
    fclose(stream);
    assert_works(plethron_table_open(file->path, &table, &err), &err);
    const plethron_status refused = plethron_table_numbers(table, &column, 1, X, &whole_err);
    assert_int_equal(refused, PLETHRON_ERROR_FORMAT);
    assert_works(open_reader(file->path, SMALL_BYTES, &reader, &err), &err);
    plethron_status status = PLETHRON_OK;
    while (status == PLETHRON_OK) {
        assert_works(plethron_reader_next(reader, &block, &err), &err);
        assert_non_null(block);
        status = plethron_table_view(block, &column, 1, 0, plethron_table_n_rows(block), X, &view, &err);
    }
    assert_int_equal(status, PLETHRON_ERROR_FORMAT);
    assert_string_equal(err.text, whole_err.text);
    plethron_reader_close(reader);
    plethron_table_close(table);
}

static void a_quote_never_closed_does_not_eat_the_memory(void **state) {
    const io_file *file = *state;
    plethron_error err;
    plethron_reader *reader = NULL;
    size_t n_rows, n_blocks;
    FILE *stream = fopen(file->path, "wb");
    assert_non_null(stream);
    fputs("a,b\n1,\"", stream);
    for (size_t i = 0; i < 1 << 18; i++) fputs("x\n", stream);
    fclose(stream);
    assert_works(open_reader(file->path, SMALL_BYTES, &reader, &err), &err);
    assert_fails(PLETHRON_ERROR_MEMORY, read_all(reader, &n_rows, &n_blocks, &err), &err, file->path, "quote");
    plethron_reader_close(reader);
}

/* ---- Other formats, pipes, and the end --------------------------------------------------------------------------- */

static void other_formats_are_one_block(void **state) {
    const io_file *file = *state;
    const size_t columns[] = {0, 1, 2};
    FILE *stream = fopen(file->path, "wb");
    assert_non_null(stream);
    for (size_t i = 0; i < 2000; i++) fprintf(stream, "%zu 1:%zu 2:5\n", i % 3, i);
    fclose(stream);
    same_in_blocks(file->path, MEMORY_BYTES, columns, COUNT(columns), -1, 1);
    plethron_error err;
    plethron_reader *reader = NULL;
    assert_fails(PLETHRON_ERROR_MEMORY, open_reader(file->path, 1 << 12, &reader, &err), &err, file->path, "allowed");
}

static void missing_files_are_refused(void **state) {
    const io_file *file = *state;
    plethron_error err;
    plethron_reader *reader = NULL;
    assert_fails(PLETHRON_ERROR_FILE, open_reader(file->path, 0, &reader, &err), &err, file->path);
    assert_fails(PLETHRON_ERROR_FILE, open_reader(file->folder, 0, &reader, &err), &err, file->folder);
    assert_fails(PLETHRON_ERROR_ARGUMENT, open_reader(NULL, 0, &reader, &err), &err, "NULL");
    assert_null(reader);
}

typedef struct pipe_writer {
    const char *from, *to;
} pipe_writer;

static void *write_pipe(void *context) {
    const pipe_writer *writer = context;
    size_t n;
    char *bytes = support_read(writer->from, &n);
    FILE *stream = fopen(writer->to, "wb");
    fwrite(bytes, 1, n, stream);
    fclose(stream);
    free(bytes);
    return NULL;
}

static void pipes_are_read_in_blocks(void **state) {
    const io_file *file = *state;
    plethron_error err;
    char path[SUPPORT_PATH_BYTES];
    const char *const contents[] = {"csv", "npy"};
    support_path(path, file->folder, "pipe");
    assert_int_equal(mkfifo(path, 0600), 0);
    for (size_t c = 0; c < COUNT(contents); c++) {
        pthread_t thread;
        plethron_reader *reader = NULL;
        size_t n_rows, n_blocks;
        if (c == 0)
            write_csv(file->path, "", "\n", N_ROWS);
        else
            write_npy(file->path, "<f4", 4, "False", N_ROWS);
        pipe_writer writer = {file->path, path};
        assert_int_equal(pthread_create(&thread, NULL, write_pipe, &writer), 0);
        assert_works(open_reader(path, c == 0 ? SMALL_BYTES : 1 << 20, &reader, &err), &err);
        assert_works(read_all(reader, &n_rows, &n_blocks, &err), &err);
        assert_int_equal(n_rows, N_ROWS);
        assert_true(c == 0 ? n_blocks > 10 : n_blocks == 1);
        pthread_join(thread, NULL);
        plethron_reader_close(reader);
    }
}

static bool stop_at_once(void *context) {
    ++*(size_t *)context;
    return false;
}

/* A writer that pauses for ever: the reader asks whether to go on, and can be closed. */
static void waiting_can_be_stopped(void **state) {
    const io_file *file = *state;
    plethron_error err;
    plethron_reader *reader = NULL;
    const plethron_table *block = NULL;
    size_t n_asked = 0;
    assert_int_equal(mkfifo(file->path, 0600), 0);
    FILE *stream = fopen(file->path, "r+b"); /* Linux opens both ends, and waits for nobody */
    assert_non_null(stream);
    fputs("a,b\n", stream);
    for (int i = 0; i < 1500; i++) fputs("1,2\n", stream);
    fflush(stream);
    const plethron_reader_options options = {
        .struct_size = sizeof options, .memory_bytes = 1 << 15, .on_wait = stop_at_once, .context = &n_asked};
    assert_works(plethron_reader_open(file->path, &options, &reader, &err), &err);
    plethron_status status;
    do status = plethron_reader_next(reader, &block, &err);
    while (status == PLETHRON_OK && block);
    assert_fails(PLETHRON_ERROR_INTERRUPTED, status, &err, file->path);
    assert_int_equal(n_asked, 1);
    plethron_reader_close(reader);
    fclose(stream);
}

static void readers_may_be_closed_at_any_time(void **state) {
    const io_file *file = *state;
    plethron_error err;
    write_csv(file->path, "", "\n", N_ROWS);
    for (int n_blocks = 0; n_blocks < 4; n_blocks++) {
        plethron_reader *reader = NULL;
        const plethron_table *block = NULL;
        assert_works(open_reader(file->path, SMALL_BYTES, &reader, &err), &err);
        for (int i = 0; i < n_blocks; i++) assert_works(plethron_reader_next(reader, &block, &err), &err);
        plethron_reader_close(reader);
    }
    plethron_reader_close(NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        READER_TEST(npy_in_blocks),
        READER_TEST(npy_rows_of_any_number),
        READER_TEST(npy_errors_name_the_row_of_the_file),
        READER_TEST(npy_cut_while_it_is_read),
        READER_TEST(views_beyond_the_rows_are_refused),
        READER_TEST(csv_in_blocks),
        READER_TEST(csv_cut_anywhere),
        READER_TEST(csv_errors_are_those_of_the_whole),
        READER_TEST(csv_cells_are_named_by_the_line_of_the_file),
        READER_TEST(a_quote_never_closed_does_not_eat_the_memory),
        READER_TEST(other_formats_are_one_block),
        READER_TEST(missing_files_are_refused),
        READER_TEST(pipes_are_read_in_blocks),
        READER_TEST(waiting_can_be_stopped),
        READER_TEST(readers_may_be_closed_at_any_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
