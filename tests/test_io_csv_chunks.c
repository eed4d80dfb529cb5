/* CSV in chunks, as all cores read it: the same tables and the same errors as from the top, within the memory allowed.
 */
#include "io/csv.h"
#include "io_files.h"

static plethron_status read_chunks(const char *text, size_t n, size_t chunk_bytes, plethron_table **out,
                                   plethron_error *err) {
    plethron_table *table = calloc(1, sizeof *table);
    assert_non_null(table);
    assert_works(memory_copy_text("t.csv", &table->path, err), err);
    table->limit_bytes = SIZE_MAX;
    const plethron_status status = csv_read(text, n, chunk_bytes, table, err);
    if (status != PLETHRON_OK) {
        plethron_table_close(table);
        table = NULL;
    }
    *out = table;
    return status;
}

static void expect_same_cell(const table_cell *a, const table_cell *b) {
    assert_int_equal(a != NULL, b != NULL);
    if (!a) return;
    assert_int_equal(a->kind, b->kind);
    assert_int_equal(a->row, b->row);
    assert_int_equal(a->line, b->line);
    assert_string_equal(a->text, b->text);
}

static void expect_same_tables(const plethron_table *a, const plethron_table *b) {
    assert_int_equal(a->n_rows, b->n_rows);
    assert_int_equal(a->n_columns, b->n_columns);
    assert_memory_equal(a->values, b->values, a->n_rows * a->n_columns * sizeof *a->values);
    for (size_t c = 0; c < a->n_columns; c++) {
        const table_column *x = &a->columns[c], *y = &b->columns[c];
        assert_string_equal(x->name, y->name);
        expect_same_cell(x->no_number, y->no_number);
        expect_same_cell(x->missing, y->missing);
        expect_same_cell(x->rounded, y->rounded);
        assert_int_equal(x->cells != NULL, y->cells != NULL);
        for (size_t i = 0; x->cells && i < a->n_rows; i++) assert_string_equal(x->cells[i], y->cells[i]);
    }
}

/* Rows of all kinds of cells and line ends, some cells of several lines, some lines blank. Gives the length. */
static size_t write_rows(char *text, size_t n_rows, uint32_t *random) {
    static const char *const cells[] = {"1",    "-2.5e-3", "0.12345678",       "\"7\"", "",         " 4 ",
                                        "\"\"", "nan",     "\"a, \"\"b\"\"\"", "text",  "\"x\ny\"", "\"\r\n,\""};
    static const char *const ends[] = {"\n", "\r\n", "\r", "\n\n", "\r\n \t\r\n"};
    char *at = text + sprintf(text, "a,b,c\n");
    for (size_t i = 0; i < n_rows; i++) {
        for (int c = 0; c < 3; c++) {
            *random = *random * 1664525u + 1013904223u;
            /* column a has numbers only, column b numbers and other cells, c all of them */
            const uint32_t n_choices = c == 0 ? 3 : c == 1 ? 8 : COUNT(cells);
            at += sprintf(at, "%s%s", c ? "," : "", cells[(*random >> 8) % n_choices]);
        }
        at += sprintf(at, "%s", ends[(*random >> 24) % (i + 1 == n_rows ? 2 : COUNT(ends))]);
    }
    return (size_t)(at - text);
}

static void reads_the_same_in_chunks(void **state) {
    (void)state;
    enum { N_ROWS = 20000, SEED = 20261125 };
    uint32_t random = SEED;
    char *text = malloc(N_ROWS * 48);
    assert_non_null(text);
    const size_t n = write_rows(text, N_ROWS, &random);
    plethron_error err;
    plethron_table *whole, *parts;
    assert_works(read_chunks(text, n, SIZE_MAX, &whole, &err), &err);
    assert_true(whole->columns[2].cells && !whole->columns[0].cells);
    const size_t chunk_bytes[] = {0, 10000, 50000, 100000};
    for (size_t i = 0; i < COUNT(chunk_bytes); i++) {
        assert_works(read_chunks(text, n, chunk_bytes[i], &parts, &err), &err);
        expect_same_tables(whole, parts);
        plethron_table_close(parts);
    }
    plethron_table_close(whole);
    free(text);
}

/* A last row without a line end that is as long as several chunks. */
static void keeps_a_long_open_row_in_chunks(void **state) {
    (void)state;
    enum { N_BLANKS = 100000, N_ROUNDS = 7 };
    char *text = malloc(N_BLANKS + 64);
    assert_non_null(text);
    for (int round = 0; round < N_ROUNDS; round++) {
        char *at = text + sprintf(text, "a,b\n");
        for (int i = 0; i < round; i++) at += sprintf(at, "%d,0.5\n", i);
        at += sprintf(at, "-1,%*s", N_BLANKS, "2.5");
        plethron_error err;
        plethron_table *table;
        assert_works(read_chunks(text, (size_t)(at - text), 0, &table, &err), &err);
        assert_int_equal(table->n_rows, round + 1);
        assert_true(table->values[2 * round] == -1.0f && table->values[2 * round + 1] == 2.5f);
        plethron_table_close(table);
    }
    free(text);
}

/* Text that is malformed at some place gives the error that reading from the top gives. */
static void refuses_the_same_in_chunks(void **state) {
    (void)state;
    enum { N_ROWS = 3000, N_ROUNDS = 300, SEED = 20261126 };
    static const char harm[] = "\",\n\r\"x";
    uint32_t random = SEED;
    char *text = malloc(N_ROWS * 48);
    assert_non_null(text);
    size_t n_refused = 0;
    for (int round = 0; round < N_ROUNDS; round++) {
        const size_t n = write_rows(text, N_ROWS, &random);
        for (int i = 0; i <= round % 3; i++) {
            random = random * 1664525u + 1013904223u;
            text[6 + (random >> 4) % (n - 6)] = harm[(random >> 27) % (sizeof harm - 1)];
        }
        plethron_error whole_err, parts_err;
        plethron_table *whole, *parts;
        const plethron_status status = read_chunks(text, n, SIZE_MAX, &whole, &whole_err);
        assert_int_equal(read_chunks(text, n, 0, &parts, &parts_err), status);
        if (status == PLETHRON_OK)
            expect_same_tables(whole, parts);
        else
            assert_string_equal(whole_err.text, parts_err.text);
        n_refused += status != PLETHRON_OK;
        plethron_table_close(whole);
        plethron_table_close(parts);
    }
    free(text);
    print_message("seed %d: %zu of %d spoilt texts were refused\n", SEED, n_refused, N_ROUNDS);
    assert_true(n_refused > 0 && n_refused < N_ROUNDS);
}

/* A few bytes make no table that memory cannot hold, and a table is held to its limit. */
static void keeps_to_the_limit(void **state) {
    const io_file *file = *state;
    plethron_error err;
    plethron_table *table = NULL;
    support_write(file->path, "a,b\n1,2\n3,4\n", 12);
    assert_fails(PLETHRON_ERROR_MEMORY, table_open(file->path, 15, NULL, &table, &err), &err,
                 "2 rows x 2 columns of 4 bytes: at most 15 bytes are allowed");
    assert_fails(PLETHRON_ERROR_MEMORY, table_open(file->path, 11, NULL, &table, &err), &err,
                 "t.csv: holds 12 bytes or more: at most 11 are allowed");
    assert_null(table);
    assert_works(table_open(file->path, 16, NULL, &table, &err), &err);
    plethron_table_close(table);
    /* As many lines as bytes, and a row of many columns: not a row a line. */
    enum { N_COLUMNS = 1000, N_LINES = 100000 };
    char *text = malloc(N_COLUMNS * 16 + N_LINES), *at = text;
    assert_non_null(text);
    for (int c = 0; c < N_COLUMNS; c++) at += sprintf(at, "%sc%d", c ? "," : "", c);
    memset(at, '\n', N_LINES);
    at += N_LINES;
    for (int c = 0; c < N_COLUMNS; c++) at += sprintf(at, "%s%d", c ? "," : "", c);
    const size_t n = (size_t)(at - text);
    support_write(file->path, text, n);
    free(text);
    assert_works(table_open(file->path, 8 * n, NULL, &table, &err), &err);
    assert_int_equal(plethron_table_n_rows(table), 1);
    plethron_table_close(table);
}

int main(void) {
    const struct CMUnitTest tests[] = {
#define TEST(function) IO_TEST(function, "t.csv")
        TEST(reads_the_same_in_chunks),
        TEST(keeps_a_long_open_row_in_chunks),
        TEST(refuses_the_same_in_chunks),
        TEST(keeps_to_the_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
