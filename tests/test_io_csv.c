/* Tables from CSV, and what is asked of any table: names, numbers, classes. */
#include "io_files.h"

#include <locale.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static plethron_table *open_bytes(void **state, const void *bytes, size_t n_bytes) {
    const io_file *file = *state;
    plethron_error err;
    plethron_table *table = NULL;
    support_write(file->path, bytes, n_bytes);
    assert_works(plethron_table_open(file->path, &table, &err), &err);
    return table;
}

static plethron_table *open_text(void **state, const char *text) {
    return open_bytes(state, text, strlen(text));
}

static plethron_status open_written(void **state, const void *bytes, size_t n_bytes, plethron_table **out,
                                    plethron_error *err) {
    const io_file *file = *state;
    support_write(file->path, bytes, n_bytes);
    return plethron_table_open(file->path, out, err);
}

/* Opening fails with a text that holds `expected`, and leaves the output alone. */
static void refuse_bytes(void **state, const void *bytes, size_t n_bytes, const char *expected) {
    plethron_error err;
    plethron_table *table = NULL;
    assert_fails(PLETHRON_ERROR_FORMAT, open_written(state, bytes, n_bytes, &table, &err), &err, "t.csv: ", expected);
    assert_null(table);
}

static void refuse(void **state, const char *text, const char *expected) {
    refuse_bytes(state, text, strlen(text), expected);
}

static void expect_names(const plethron_table *table, const char *const *names, size_t n_names) {
    assert_int_equal(plethron_table_n_columns(table), n_names);
    for (size_t c = 0; c < n_names; c++) assert_string_equal(plethron_table_column_name(table, c), names[c]);
}

/* A column of numbers holds these values. */
static void expect_column(const plethron_table *table, size_t column, const float *values, size_t n_values) {
    plethron_error err;
    assert_int_equal(plethron_table_n_rows(table), n_values);
    float *X = malloc(n_values * sizeof *X);
    assert_non_null(X);
    assert_works(plethron_table_numbers(table, &column, 1, X, &err), &err);
    for (size_t i = 0; i < n_values; i++) assert_true(X[i] == values[i]);
    free(X);
}

static void expect_no_numbers(const plethron_table *table, size_t column, const char *expected) {
    plethron_error err;
    float X[8] = {7.0f};
    assert_true(plethron_table_n_rows(table) <= COUNT(X));
    assert_fails(PLETHRON_ERROR_FORMAT, plethron_table_numbers(table, &column, 1, X, &err), &err, expected);
    assert_true(X[0] == 7.0f);
}

/* ---- Reading ----------------------------------------------------------------------------------------------------- */

static void reads_names_and_numbers(void **state) {
    plethron_table *table = open_text(state, "a,b c,\"d,\"\"e\"\"\"\n1,-2.5,3e2\n+4,.5,6.\n");
    const char *names[] = {"a", "b c", "d,\"e\""};
    expect_names(table, names, 3);
    plethron_error err;
    const size_t columns[] = {2, 0};
    const float expected[] = {300.0f, 1.0f, 6.0f, 4.0f};
    float X[4];
    assert_works(plethron_table_numbers(table, columns, 2, X, &err), &err);
    assert_memory_equal(X, expected, sizeof X);
    expect_column(table, 1, (const float[]){-2.5f, 0.5f}, 2);
    plethron_table_close(table);
    plethron_table_close(NULL);
}

/* The same two rows, however they are written. */
static void reads_every_dialect(void **state) {
    const char *texts[] = {
        "a,b\n1,2\n3,4\n",       /* plain */
        "a,b\n1,2\n3,4",         /* no newline at the end */
        "a,b\r\n1,2\r\n3,4\r\n", /* CR LF */
        "a,b\r1,2\r3,4\r",       /* CR */
        ("\xEF\xBB\xBF"
         "a,b\n1,2\n3,4\n"),                   /* byte-order mark */
        "\n \t\na,b\n\n1,2\n\n \r\n3,4\n\n",   /* blank lines */
        "\"a\",\"b\"\n\"1\",\"2\"\n3,\"4\"\n", /* quotes */
        " a , b\t\n 1 ,\t2 \n3, 4 \n",         /* blanks around cells */
        "a,b\n1e0,20e-1\n0.3e+1,4E0\n",        /* exponents */
    };
    const char *names[] = {"a", "b"};
    for (size_t t = 0; t < COUNT(texts); t++) {
        plethron_table *table = open_text(state, texts[t]);
        expect_names(table, names, 2);
        expect_column(table, 0, (const float[]){1.0f, 3.0f}, 2);
        expect_column(table, 1, (const float[]){2.0f, 4.0f}, 2);
        plethron_table_close(table);
    }
}

static void reads_the_nearest_float(void **state) {
    plethron_table *table = open_text(state, "x\n0.1\n16777217\n3.4028235e38\n1e-46\n-0\n1.17549429e-38\n");
    expect_column(table, 0, (const float[]){0.1f, 16777216.0f, 3.4028235e38f, 0.0f, 0.0f, 1.17549429e-38f}, 6);
    plethron_table_close(table);
}

/* More rows and columns, and a longer cell, than any first allocation holds. */
static void reads_a_large_table(void **state) {
    enum { N_ROWS = 3000, N_COLUMNS = 50, LONG_CELL = 200000 };
    char *text = malloc(N_COLUMNS * 8 + (N_ROWS + 1) * N_COLUMNS * 8 + LONG_CELL), *at = text;
    assert_non_null(text);
    for (int c = 0; c < N_COLUMNS; c++) at += sprintf(at, "%sc%d", c ? "," : "", c);
    for (int i = 0; i < N_ROWS; i++)
        for (int c = 0; c < N_COLUMNS; c++) at += sprintf(at, "%c%d", c ? ',' : '\n', i * N_COLUMNS + c);
    *at++ = '\n';
    memset(at, 'x', LONG_CELL);
    at += LONG_CELL;
    for (int c = 1; c < N_COLUMNS; c++) at += sprintf(at, ",%d", c);
    plethron_table *table = open_bytes(state, text, (size_t)(at - text));
    assert_int_equal(plethron_table_n_rows(table), N_ROWS + 1);
    plethron_error err;
    const size_t column = 7;
    float *X = malloc((N_ROWS + 1) * sizeof *X);
    assert_non_null(X);
    assert_works(plethron_table_numbers(table, &column, 1, X, &err), &err);
    for (int i = 0; i < N_ROWS; i++) assert_true(X[i] == (float)(i * N_COLUMNS + 7));
    assert_true(X[N_ROWS] == 7.0f);
    const size_t mixed = 0;
    assert_fails(PLETHRON_ERROR_FORMAT, plethron_table_numbers(table, &mixed, 1, X, &err), &err,
                 "line 3002: column 'c0' holds 'xxxxxxxx", "xxx...': a number was expected");
    free(X);
    free(text);
    plethron_table_close(table);
}

static void reads_points_in_every_locale(void **state) {
    const char *german = setlocale(LC_NUMERIC, "de_DE.UTF-8");
    if (!german) skip();
    plethron_table *table = open_text(state, "x\n1.5\n2.5\n");
    plethron_error err;
    plethron_classes *classes = NULL;
    expect_column(table, 0, (const float[]){1.5f, 2.5f}, 2);
    assert_works(plethron_table_classes(table, 0, &classes, &err), &err);
    assert_string_equal(plethron_classes_label(classes, 1), "2.5");
    char printed[16];
    snprintf(printed, sizeof printed, "%.1f", 2.5);
    assert_string_equal(printed, "2,5"); /* the caller's locale is back */
    setlocale(LC_NUMERIC, "C");
    plethron_classes_close(classes);
    plethron_table_close(table);
}

static void reads_a_pipe(void **state) {
    enum { N_ROWS = 30000 }; /* more than a pipe or the first buffer holds */
    const io_file *file = *state;
    assert_int_equal(mkfifo(file->path, 0600), 0);
    const pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        FILE *pipe = fopen(file->path, "w");
        if (!pipe) _exit(1);
        fprintf(pipe, "x\n");
        for (int i = 0; i < N_ROWS; i++) fprintf(pipe, "%d\n", i);
        _exit(fclose(pipe) != 0);
    }
    plethron_error err;
    plethron_table *table = NULL;
    assert_works(plethron_table_open(file->path, &table, &err), &err);
    assert_int_equal(plethron_table_n_rows(table), N_ROWS);
    plethron_table_close(table);
    int how;
    assert_int_equal(waitpid(child, &how, 0), child);
    assert_int_equal(how, 0);
}

/* Commas, tabs or semicolons: what stands most often in the header, outside of quotes, holds for the whole file. */
static void reads_every_delimiter(void **state) {
    const char *texts[] = {
        "a\tb\n1\t2\n3\t4\n",
        "a;b\r\n1;2\r\n3;4\r\n",
        "\"a\" \t b\n 1 \t2\n\"3\"\t 4 \n",
        "\xEF\xBB\xBF\"a\";\"b\"\n1; 2\n3 ;\"4\"",
    };
    const char *names[] = {"a", "b"};
    for (size_t t = 0; t < COUNT(texts); t++) {
        plethron_table *table = open_text(state, texts[t]);
        expect_names(table, names, 2);
        expect_column(table, 0, (const float[]){1.0f, 3.0f}, 2);
        expect_column(table, 1, (const float[]){2.0f, 4.0f}, 2);
        plethron_table_close(table);
    }
    plethron_table *table = open_text(state, "\"a;b;c\",d\n1,2\n");
    expect_names(table, (const char *const[]){"a;b;c", "d"}, 2);
    plethron_table_close(table);
    table = open_text(state, "a\tb\n\t\n1\t\n"); /* a line of tabs is no blank line where they tell cells apart */
    assert_int_equal(plethron_table_n_rows(table), 2);
    expect_no_numbers(table, 0, "line 2: column 'a' is empty");
    expect_no_numbers(table, 1, "line 2: column 'b' is empty");
    plethron_table_close(table);
    refuse(state, "a;b\n1,5;2\n1,5\n", "line 3: 1 cells found, 2 expected");
}

/* ---- Refusing ---------------------------------------------------------------------------------------------------- */

static void refuses_malformed_files(void **state) {
    refuse(state, "", "the file is empty");
    refuse(state, "\n", "only blank lines: a header line of column names was expected");
    refuse(state, "\xEF\xBB\xBF", "only blank lines");
    refuse(state, "a,b\n", "no rows below the header");
    refuse(state, "a,b", "no rows below the header");
    refuse(state, "a,,c\n1,2,3\n", "line 1: column 2 has no name");
    refuse(state, "\n\na,b,a\n1,2,3\n", "line 3: the column name 'a' stands there twice");
    refuse(state, "a,b,y\n0,1,0\n1,1\n1,0,1\n", "line 3: 2 cells found, 3 expected");
    refuse(state, "a,b,y\n0,1,0\n\n1,1,1,1\n", "line 4: 4 cells found, 3 expected");
    refuse(state, "a,b\n\"1\n2\n3\",4\n5\n", "line 5: 1 cells found, 2 expected"); /* a cell of three lines before */
    refuse(state, "a,b\r1,2\r3\r", "line 3: 1 cells found, 2 expected");
    refuse(state, "a,b\n1,2\n3,4\"5\"\n", "line 3, byte 4: a quote within a cell");
    refuse(state, "a,b\n1,2\n\"3\"4,5\n", "line 3, byte 4: a quote within a cell");
    refuse(state, "a,b\n1,\"2\n3,4\n5,6\n", "line 2: a quote is opened in this row and never closed");
    refuse(state, "a,\"b\n", "line 1: a quote is opened in this row and never closed");
    refuse_bytes(state, "a,b\n1,2\n\0,3\n", 12, "line 3: a NUL byte");
    refuse_bytes(state, "\0\1\2\3", 4, "line 1: a NUL byte");
    refuse(state, "a\x1b[31m,a\x1b[31m\n1,2\n", "'a?[31m'"); /* nothing reaches the terminal that steers it */
}

static void refuses_what_is_no_file(void **state) {
    const io_file *file = *state;
    plethron_error err;
    plethron_table *table = NULL;
    assert_fails(PLETHRON_ERROR_FILE, plethron_table_open(file->path, &table, &err), &err,
                 "t.csv: cannot be opened: No such file or directory");
    assert_fails(PLETHRON_ERROR_FILE, plethron_table_open(file->folder, &table, &err), &err, file->folder,
                 ": cannot be read: Is a directory");
    assert_fails(PLETHRON_ERROR_FILE, plethron_table_open("/dev/zero", &table, &err), &err,
                 "/dev/zero: is neither a plain file nor a pipe");
    assert_fails(PLETHRON_ERROR_ARGUMENT, plethron_table_open(NULL, &table, &err), &err, "NULL");
    assert_int_equal(plethron_table_open(file->path, &table, NULL), PLETHRON_ERROR_FILE);
    assert_null(table);
}

static void refuses_a_file_without_permission(void **state) {
    const io_file *file = *state;
    plethron_error err;
    plethron_table *table = NULL;
    support_write(file->path, "a\n1\n", 4);
    assert_int_equal(chmod(file->path, 0), 0);
    assert_int_equal(chmod(file->folder, 0755), 0);
    if (!io_drop_rights()) skip();
    const plethron_status status = plethron_table_open(file->path, &table, &err);
    io_regain_rights();
    assert_fails(PLETHRON_ERROR_FILE, status, &err, "t.csv: cannot be opened: Permission denied");
}

/* ---- Asking ------------------------------------------------------------------------------------------------------ */

static void finds_columns_by_name(void **state) {
    plethron_table *table = open_text(state, "Person,Smoking,Obesity\nA,0,1\n");
    plethron_error err;
    size_t column = 9;
    assert_fails(PLETHRON_ERROR_ARGUMENT, plethron_table_find(table, "smoking", &column, &err), &err,
                 "t.csv: no column 'smoking', but 'Smoking': the file has ", "'Person', 'Smoking', 'Obesity'");
    assert_int_equal(column, 9);
    assert_works(plethron_table_find(table, "Obesity", &column, &err), &err);
    assert_int_equal(column, 2);
    plethron_table_close(table);
}

static void lists_only_as_many_names_as_fit(void **state) {
    enum { N_COLUMNS = 500 };
    char text[N_COLUMNS * 16], *at = text;
    for (int c = 0; c < N_COLUMNS; c++) at += sprintf(at, "%scolumn-%d", c ? "," : "", c);
    for (int c = 0; c < N_COLUMNS; c++) at += sprintf(at, "%c1", c ? ',' : '\n');
    plethron_table *table = open_text(state, text);
    plethron_error err;
    size_t column;
    assert_fails(PLETHRON_ERROR_ARGUMENT, plethron_table_find(table, "x", &column, &err), &err, "500",
                 "'column-0', 'column-1'");
    assert_string_equal(err.text + strlen(err.text) - strlen(", ..."), ", ...");
    plethron_table_close(table);
}

static void names_the_cell_that_is_no_number(void **state) {
    plethron_table *table = open_text(state, "Person,Obesity,x,y\nA,1,1,nan\nB,abc,,1\nC,,-inf,1\nD,1,1,1e999\n");
    expect_no_numbers(table, 0, "t.csv: line 2: column 'Person' holds 'A': a number was expected");
    expect_no_numbers(table, 1, "t.csv: line 3: column 'Obesity' holds 'abc': a number was expected");
    expect_no_numbers(table, 2, "t.csv: line 3: column 'x' is empty: a number was expected");
    expect_no_numbers(table, 3, "t.csv: line 2: column 'y' holds 'nan': a finite number in the range of float was");
    plethron_error err;
    float X[16];
    const size_t all[] = {1, 2, 3};
    assert_fails(PLETHRON_ERROR_FORMAT, plethron_table_numbers(table, all, 3, X, &err), &err, "line 2: column 'y'");
    const size_t beyond = 4;
    assert_fails(PLETHRON_ERROR_ARGUMENT, plethron_table_numbers(table, &beyond, 1, X, &err), &err, "column 4");
    plethron_table_close(table);
}

static void takes_only_decimal_numbers(void **state) {
    const char *texts[] = {"0x10",      "1e",      "1e+",  ".",      "-",      "+-1", "1.2.3",    "1 2",
                           "1_0",       "\"1,5\"", "e5",   "\" 1\"", "0b1",    "1f",  "infinite", "inf",
                           "-Infinity", "NaN",     "+nan", "1e39",   "-1e999", "1d5"};
    for (size_t t = 0; t < COUNT(texts); t++) {
        char text[64];
        snprintf(text, sizeof text, "x\n1\n%s\n", texts[t]);
        plethron_table *table = open_text(state, text);
        expect_no_numbers(table, 0, "line 3: column 'x' holds '");
        plethron_table_close(table);
    }
}

/* ---- Classes ----------------------------------------------------------------------------------------------------- */

static void expect_classes(void **state, const char *text, bool numeric, const char *const *labels, size_t n_labels,
                           const float *codes, size_t n_rows) {
    plethron_error err;
    plethron_classes *classes = NULL;
    plethron_table *table = open_text(state, text);
    assert_works(plethron_table_classes(table, 0, &classes, &err), &err);
    plethron_table_close(table); /* classes stand on their own */
    assert_int_equal(plethron_classes_count(classes), n_labels);
    for (size_t c = 0; c < n_labels; c++) assert_string_equal(plethron_classes_label(classes, c), labels[c]);
    assert_memory_equal(plethron_classes_codes(classes), codes, n_rows * sizeof *codes);
    assert_int_equal(plethron_classes_numeric(classes), numeric);
    plethron_classes_close(classes);
}

static void makes_classes(void **state) {
    const char *numbers[] = {"-1", "0", "2", "10"};
    expect_classes(state, "x\n10\n2\n-1\n2.0\n-0\n0\n", true, numbers, 4, (const float[]){3, 2, 0, 2, 1, 1}, 6);
    const char *fractions[] = {"-1.5", "1e-05", "0.1", "100", "1234.5", "1000000"};
    expect_classes(state, "x\n0.1\n1e6\n100\n0.00001\n-1.50\n1234.5\n", true, fractions, 6,
                   (const float[]){2, 5, 3, 1, 0, 4}, 6);
    const char *texts[] = {"Zebra", "apple", "pear", "\xC3\xA9t\xC3\xA9"};
    expect_classes(state, "x\npear\n\xC3\xA9t\xC3\xA9\napple\nZebra\npear\n", false, texts, 4,
                   (const float[]){2, 3, 1, 0, 2}, 5);
    const char *mixed[] = {"1", "1.0", "nan", "yes"}; /* one text makes a column of texts, and of each cell its bytes */
    expect_classes(state, "x,y\n1.0,1\nnan,1\nyes,1\n1,a\n", false, mixed, 4, (const float[]){1, 2, 3, 0}, 4);
    const char *quoted[] = {" a", "a", "a\nb", "say \"a\""};
    expect_classes(state, "x\na\n\" a\"\n\"a\nb\"\n\"say \"\"a\"\"\"\n", false, quoted, 4, (const float[]){1, 0, 2, 3},
                   4);
    plethron_classes_close(NULL);
}

/* The label of every number reads back as that number. */
static void prints_labels_that_read_back(void **state) {
    enum { N_ROWS = 2000 };
    char *text = malloc(N_ROWS * 32), *at = text;
    assert_non_null(text);
    at += sprintf(at, "x\n");
    uint32_t random = 7;
    for (int i = 0; i < N_ROWS; i++) {
        random = random * 1664525u + 1013904223u;
        const uint32_t bits = (random >> 1 & 0x07FFFFFF) | 0x38000000; /* about 3e-5 to 1e5 */
        float value;
        memcpy(&value, &bits, sizeof value);
        at += sprintf(at, "%.6g\n", (double)value);
    }
    plethron_table *table = open_text(state, text);
    plethron_error err;
    plethron_classes *classes = NULL;
    const size_t column = 0;
    float *X = malloc(N_ROWS * sizeof *X);
    assert_non_null(X);
    assert_works(plethron_table_numbers(table, &column, 1, X, &err), &err);
    assert_works(plethron_table_classes(table, 0, &classes, &err), &err);
    for (int i = 0; i < N_ROWS; i++) {
        const char *label = plethron_classes_label(classes, (size_t)plethron_classes_codes(classes)[i]);
        assert_true(strtof(label, NULL) == X[i]);
    }
    free(X);
    free(text);
    plethron_classes_close(classes);
    plethron_table_close(table);
}

static void refuse_classes(void **state, plethron_status status, const char *text, const char *expected) {
    plethron_error err;
    plethron_classes *classes = NULL;
    plethron_table *table = open_text(state, text);
    assert_fails(status, plethron_table_classes(table, 0, &classes, &err), &err, "t.csv: ", expected);
    assert_null(classes);
    plethron_table_close(table);
}

static void refuses_what_makes_no_classes(void **state) {
    refuse_classes(state, PLETHRON_ERROR_FORMAT, "x,y\na,1\n,1\n", "line 3: column 'x' is empty: a class was expected");
    refuse_classes(state, PLETHRON_ERROR_FORMAT, "x,y\n1,1\n,1\n", "line 3: column 'x' is empty: a class was expected");
    refuse_classes(state, PLETHRON_ERROR_FORMAT, "x\n1\ninf\n", "line 3: column 'x' holds 'inf': a finite number");
    refuse_classes(state, PLETHRON_ERROR_FORMAT, "x\n1\n0.10000001\n0.1\n",
                   "line 3: column 'x' holds '0.10000001': a class of at most 6 digits, or a number that float holds,");
    refuse_classes(state, PLETHRON_ERROR_UNSUPPORTED, "id\n1\n16777217\n", "column 'id' holds 16777216");
    plethron_error err;
    plethron_classes *classes = NULL;
    plethron_table *table = open_text(state, "x\n1\n");
    assert_fails(PLETHRON_ERROR_ARGUMENT, plethron_table_classes(table, 1, &classes, &err), &err, "column 1");
    plethron_table_close(table);
}

static void counts_classes_up_to_the_limit(void **state) {
    enum { LIMIT = 65535 };
    char *text = malloc((LIMIT + 2) * 8), *at = text;
    assert_non_null(text);
    at += sprintf(at, "x\n");
    for (int i = 0; i < LIMIT; i++) at += sprintf(at, "c%d\n", i);
    plethron_error err;
    plethron_classes *classes = NULL;
    plethron_table *table = open_text(state, text);
    assert_works(plethron_table_classes(table, 0, &classes, &err), &err);
    assert_int_equal(plethron_classes_count(classes), LIMIT);
    plethron_classes_close(classes);
    plethron_table_close(table);
    sprintf(at, "c%d\n", LIMIT);
    refuse_classes(state, PLETHRON_ERROR_UNSUPPORTED, text, "column 'x' has 65536 distinct values");
    free(text);
}

/* ---- Harm -------------------------------------------------------------------------------------------------------- */

static void survives_harm(void **state) {
    const char text[] = "\xEF\xBB\xBF"
                        "name,\"x, y\",z\r\n\"A \"\"1\"\"\",1.5,nan\r\n\r\nB,-2e3,\r\n\"C\nD\",3,inf\r\n";
    assert_true(io_is_accepted(*state, text, sizeof text - 1, io_read_table));
    const size_t n_accepted = io_cut(*state, text, sizeof text - 1, io_read_table);
    assert_true(n_accepted > 0 && n_accepted < sizeof text - 1);
    io_spoil(*state, text, sizeof text - 1, io_read_table);
}

int main(void) {
    const struct CMUnitTest tests[] = {
#define TEST(function) IO_TEST(function, "t.csv")
        TEST(reads_names_and_numbers),
        TEST(reads_every_delimiter),
        TEST(reads_every_dialect),
        TEST(reads_the_nearest_float),
        TEST(reads_a_large_table),
        TEST(reads_points_in_every_locale),
        TEST(reads_a_pipe),
        TEST(refuses_malformed_files),
        TEST(refuses_what_is_no_file),
        TEST(refuses_a_file_without_permission),
        TEST(finds_columns_by_name),
        TEST(lists_only_as_many_names_as_fit),
        TEST(names_the_cell_that_is_no_number),
        TEST(takes_only_decimal_numbers),
        TEST(makes_classes),
        TEST(prints_labels_that_read_back),
        TEST(refuses_what_makes_no_classes),
        TEST(counts_classes_up_to_the_limit),
        TEST(survives_harm),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
