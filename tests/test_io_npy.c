/* Tables from NPY: every type, byte order and memory order; malformed headers and data. */
#include "io/table.h"
#include "io_files.h"

#include <math.h>

enum { MAX_NPY_BYTES = 1024 };

typedef struct npy_content {
    unsigned char bytes[MAX_NPY_BYTES];
    size_t n_bytes;
} npy_content;

/* An NPY of this version, header text and data, that claims a header of header_bytes. */
static npy_content make_npy(int version, const char *header, uint32_t header_bytes, const void *data,
                            size_t n_data_bytes) {
    npy_content npy = {{0x93, 'N', 'U', 'M', 'P', 'Y', (unsigned char)version, 0}, 8};
    for (int i = 0; i < (version == 1 ? 2 : 4); i++) npy.bytes[npy.n_bytes++] = (unsigned char)(header_bytes >> 8 * i);
    assert_true(npy.n_bytes + strlen(header) + n_data_bytes <= MAX_NPY_BYTES);
    memcpy(npy.bytes + npy.n_bytes, header, strlen(header));
    npy.n_bytes += strlen(header);
    if (n_data_bytes) memcpy(npy.bytes + npy.n_bytes, data, n_data_bytes);
    npy.n_bytes += n_data_bytes;
    return npy;
}

static npy_content make_version_1(const char *header, const void *data, size_t n_data_bytes) {
    return make_npy(1, header, (uint32_t)strlen(header), data, n_data_bytes);
}

static npy_content make_array(const char *descr, const char *order, const char *shape, const void *data,
                              size_t n_data_bytes) {
    char header[256];
    snprintf(header, sizeof header, "{'descr': '%s', 'fortran_order': %s, 'shape': %s, }    \n", descr, order, shape);
    return make_version_1(header, data, n_data_bytes);
}

static plethron_status open_npy(void **state, const npy_content *npy, plethron_table **out, plethron_error *err) {
    const io_file *file = *state;
    support_write(file->path, npy->bytes, npy->n_bytes);
    return plethron_table_open(file->path, out, err);
}

static void expect_table(void **state, const npy_content *npy, size_t n_rows, size_t n_columns, const float *values) {
    plethron_error err;
    plethron_table *table = NULL;
    size_t columns[8];
    float X[64];
    assert_true(n_columns <= COUNT(columns) && n_rows * n_columns <= COUNT(X));
    assert_works(open_npy(state, npy, &table, &err), &err);
    assert_int_equal(plethron_table_n_rows(table), n_rows);
    assert_int_equal(plethron_table_n_columns(table), n_columns);
    for (size_t c = 0; c < n_columns; c++) {
        char name[8];
        columns[c] = c;
        snprintf(name, sizeof name, "%d", (int)c);
        assert_string_equal(plethron_table_column_name(table, c), name);
    }
    assert_works(plethron_table_numbers(table, columns, n_columns, X, &err), &err);
    for (size_t i = 0; i < n_rows * n_columns; i++) assert_true(X[i] == values[i]);
    plethron_table_close(table);
}

static void refuse(void **state, npy_content npy, const char *expected) {
    plethron_error err;
    plethron_table *table = NULL;
    assert_fails(PLETHRON_ERROR_FORMAT, open_npy(state, &npy, &table, &err), &err, "t.npy: ", expected);
    assert_null(table);
}

/* ---- Reading ----------------------------------------------------------------------------------------------------- */

/* Each type in both byte orders: three items, little-endian here, and what they are. */
static void reads_every_type(void **state) {
    static const struct {
        const char *type;
        size_t item_bytes;
        uint64_t items[3];
        float values[3];
    } cases[] = {
        {"f2", 2, {0x3C00, 0xFBFF, 0x0001}, {1.0f, -65504.0f, 5.9604645e-8f}},
        {"f4", 4, {0x3F800000, 0xC0200000, 0x00000001}, {1.0f, -2.5f, 1.4012985e-45f}},
        {"f8", 8, {0x3FF0000000000000, 0xC004000000000000, 0x3FB999999999999A}, {1.0f, -2.5f, 0.1f}},
        {"i1", 1, {0x01, 0xFF, 0x80}, {1.0f, -1.0f, -128.0f}},
        {"i2", 2, {0x0102, 0xFFFF, 0x8000}, {258.0f, -1.0f, -32768.0f}},
        {"i4", 4, {0x01020304, 0xFFFFFFFF, 0x80000000}, {16909060.0f, -1.0f, -2147483648.0f}},
        {"i8", 8, {0x0000010203040506, 0xFFFFFFFFFFFFFFFF, 0x8000000000000000}, {1108152157446.0f, -1.0f, -0x1p63f}},
        {"u1", 1, {0x01, 0xFF, 0x80}, {1.0f, 255.0f, 128.0f}},
        {"u2", 2, {0x0102, 0xFFFF, 0x8000}, {258.0f, 65535.0f, 32768.0f}},
        {"u4", 4, {0x01020304, 0xFFFFFFFF, 0x80000000}, {16909060.0f, 4294967295.0f, 2147483648.0f}},
        {"u8", 8, {0x0000010203040506, 0xFFFFFFFFFFFFFFFF, 0x8000000000000000}, {1108152157446.0f, 0x1p64f, 0x1p63f}},
        {"b1", 1, {0, 1, 1}, {0.0f, 1.0f, 1.0f}},
        /* 2^60 + 2^36 + 1 lies just above the middle of two floats; rounded to a double first, it would be the middle
         */
        {"i8", 8, {0x1000001000000001, 0xEFFFFFEFFFFFFFFF, 0}, {0x1.000002p60f, -0x1.000002p60f, 0.0f}},
        {"u8", 8, {0x1000001000000001, 0, 1}, {0x1.000002p60f, 0.0f, 1.0f}},
    };
    for (size_t t = 0; t < COUNT(cases); t++) {
        const size_t n = cases[t].item_bytes;
        for (const char *order = n == 1 ? "<>|" : "<>"; *order; order++) {
            unsigned char data[24];
            char descr[8];
            for (size_t i = 0; i < 3; i++)
                for (size_t b = 0; b < n; b++)
                    data[i * n + (*order == '>' ? n - 1 - b : b)] = (unsigned char)(cases[t].items[i] >> 8 * b);
            snprintf(descr, sizeof descr, "%c%s", *order, cases[t].type);
            const npy_content npy = make_array(descr, "False", "(3,)", data, 3 * n);
            expect_table(state, &npy, 3, 1, cases[t].values);
        }
    }
}

static void reads_both_memory_orders(void **state) {
    const float rows[] = {1, 2, 3, 4, 5, 6}, columns[] = {1, 4, 2, 5, 3, 6};
    npy_content npy = make_array("<f4", "False", "(2, 3)", rows, sizeof rows);
    expect_table(state, &npy, 2, 3, rows);
    npy = make_array("<f4", "True", "(2, 3)", columns, sizeof columns);
    expect_table(state, &npy, 2, 3, rows);
    npy = make_array("<f4", "True", "(6,)", rows, sizeof rows);
    expect_table(state, &npy, 6, 1, rows);
    npy = make_array("<f4", "False", "(1, 6)", rows, sizeof rows);
    expect_table(state, &npy, 1, 6, rows);
}

static void reads_every_version_and_spelling(void **state) {
    const float data[] = {1, 2, 3, 4};
    const char *headers[] = {
        "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 2), }                                          \n",
        "{\"shape\":(2,2,),\"fortran_order\":False,\"descr\":\"<f4\"}\n",
        " { 'fortran_order' : False , 'descr' : '<f4' , 'shape' : ( 2 , 2 ) } \n",
    };
    for (size_t h = 0; h < COUNT(headers); h++)
        for (int version = 1; version <= 3; version++) {
            const npy_content npy = make_npy(version, headers[h], (uint32_t)strlen(headers[h]), data, sizeof data);
            expect_table(state, &npy, 2, 2, data);
        }
}

static void names_halves_that_are_not_finite(void **state) {
    const uint16_t data[] = {0x7C00, 0x7E00, 0xFC00, 0};
    const npy_content npy = make_array("<f2", "False", "(1, 4)", data, sizeof data);
    const char *expected[] = {"column '0' holds 'inf'", "column '1' holds 'nan'", "column '2' holds '-inf'"};
    plethron_error err;
    plethron_table *table = NULL;
    float value;
    assert_works(open_npy(state, &npy, &table, &err), &err);
    for (size_t column = 0; column < COUNT(expected); column++)
        assert_fails(PLETHRON_ERROR_FORMAT, plethron_table_numbers(table, &column, 1, &value, &err), &err,
                     "row 0: ", expected[column]);
    plethron_table_close(table);
}

static void names_the_row_that_is_no_number(void **state) {
    const double data[] = {0, 1, 2, 1e39, (double)NAN, 5, -(double)INFINITY, -3.5e38};
    const npy_content npy = make_array("<f8", "False", "(4, 2)", data, sizeof data);
    plethron_error err;
    plethron_table *table = NULL;
    plethron_classes *classes = NULL;
    float X[8];
    assert_works(open_npy(state, &npy, &table, &err), &err);
    for (size_t column = 0; column < 2; column++)
        assert_fails(PLETHRON_ERROR_FORMAT, plethron_table_numbers(table, &column, 1, X, &err), &err,
                     column ? "t.npy: row 1: column '1' holds '1e+39': a finite number"
                            : "t.npy: row 2: column '0' holds 'nan': a finite number");
    const size_t both[] = {0, 1};
    assert_fails(PLETHRON_ERROR_FORMAT, plethron_table_numbers(table, both, 2, X, &err), &err, "row 1: column '1'");
    assert_fails(PLETHRON_ERROR_FORMAT, plethron_table_classes(table, 0, &classes, &err), &err, "row 2: column '0'");
    plethron_table_close(table);
}

static void makes_classes(void **state) {
    const int16_t data[] = {7, -2, 7, 100};
    const npy_content npy = make_array("<i2", "False", "(4,)", data, sizeof data);
    const float codes[] = {1, 0, 1, 2};
    plethron_error err;
    plethron_table *table = NULL;
    plethron_classes *classes = NULL;
    assert_works(open_npy(state, &npy, &table, &err), &err);
    assert_works(plethron_table_classes(table, 0, &classes, &err), &err);
    assert_int_equal(plethron_classes_count(classes), 3);
    assert_string_equal(plethron_classes_label(classes, 0), "-2");
    assert_string_equal(plethron_classes_label(classes, 2), "100");
    assert_memory_equal(plethron_classes_codes(classes), codes, sizeof codes);
    assert_true(plethron_classes_numeric(classes));
    plethron_classes_close(classes);
    plethron_table_close(table);
}

/* Doubles that become the same float would become one class. */
static void refuses_doubles_that_float_does_not_tell_apart_as_classes(void **state) {
    const double data[] = {1, 0.25, 2, 0.1, 3, 0.1000000001};
    const npy_content npy = make_array("<f8", "False", "(3, 2)", data, sizeof data);
    plethron_error err;
    plethron_table *table = NULL;
    plethron_classes *classes = NULL;
    assert_works(open_npy(state, &npy, &table, &err), &err);
    assert_works(plethron_table_classes(table, 0, &classes, &err), &err);
    plethron_classes_close(classes);
    classes = NULL;
    assert_fails(PLETHRON_ERROR_FORMAT, plethron_table_classes(table, 1, &classes, &err), &err,
                 "row 1: column '1' holds '0.1", "a number that float holds, was expected");
    assert_null(classes);
    plethron_table_close(table);
}

/* Infinity and what is beyond float are as missing as NaN to those who allow it. */
static void gives_missing_cells_as_nan(void **state) {
    const double data[] = {1, (double)INFINITY, 1e300, (double)NAN, 2};
    const npy_content npy = make_array("<f8", "False", "(5,)", data, sizeof data);
    plethron_error err;
    plethron_table *table = NULL;
    plethron_classes *classes = NULL;
    float values[5];
    assert_works(open_npy(state, &npy, &table, &err), &err);
    assert_works(plethron_table_number_or_missing(table, 0, values, &err), &err);
    assert_works(plethron_table_classes_or_missing(table, 0, &classes, &err), &err);
    assert_int_equal(plethron_classes_count(classes), 2);
    for (size_t i = 0; i < 5; i++) {
        const float code = plethron_classes_codes(classes)[i];
        const bool is_there = i == 0 || i == 4;
        assert_true(is_there ? values[i] == (float)data[i] : isnan(values[i]));
        assert_true(is_there ? code == (float)(i / 4) : isnan(code));
    }
    plethron_classes_close(classes);
    plethron_table_close(table);
}

/* Large enough for all cores, in both orders, with cells of every kind far from the begin. */
static void reads_large_arrays(void **state) {
    enum { N_ROWS = 100003, N_COLUMNS = 5 };
    const io_file *file = *state;
    for (int by_columns = 0; by_columns < 2; by_columns++) {
        char shape[32];
        snprintf(shape, sizeof shape, "(%d, %d)", N_ROWS, N_COLUMNS);
        const npy_content head = make_array("<f8", by_columns ? "True" : "False", shape, NULL, 0);
        const size_t n_bytes = head.n_bytes + N_ROWS * N_COLUMNS * sizeof(double);
        char *bytes = malloc(n_bytes);
        float *X = malloc(N_ROWS * sizeof *X);
        assert_true(bytes && X);
        memcpy(bytes, head.bytes, head.n_bytes);
        for (size_t i = 0; i < N_ROWS; i++)
            for (size_t c = 0; c < N_COLUMNS; c++) {
                double value = (double)(i * N_COLUMNS + c);
                if (i >= 90000 && c == 1) value = (double)NAN;
                if (i >= 95000 && c == 2) value += 0.1;
                const size_t at = by_columns ? c * N_ROWS + i : i * N_COLUMNS + c;
                memcpy(bytes + head.n_bytes + at * sizeof value, &value, sizeof value);
            }
        support_write(file->path, bytes, n_bytes);
        free(bytes);
        plethron_error err;
        plethron_table *table = NULL;
        assert_works(plethron_table_open(file->path, &table, &err), &err);
        const size_t last = 4, broken = 1;
        assert_works(plethron_table_numbers(table, &last, 1, X, &err), &err);
        for (size_t i = 0; i < N_ROWS; i++) assert_true(X[i] == (float)(i * N_COLUMNS + 4));
        assert_fails(PLETHRON_ERROR_FORMAT, plethron_table_numbers(table, &broken, 1, X, &err), &err,
                     "row 90000: column '1' holds 'nan'");
        assert_true(table->columns[2].rounded && table->columns[2].rounded->row == 95000);
        assert_null(table->columns[3].rounded);
        plethron_table_close(table);
        free(X);
    }
}

/* ---- Refusing ---------------------------------------------------------------------------------------------------- */

static void refuses_malformed_headers(void **state) {
    static const struct {
        const char *header, *expected;
    } cases[] = {
        {"\n", "byte 11, in the header: '{' was expected"},
        {"{}\n", "'descr', 'fortran_order' or 'shape', each once, was expected"},
        {"['descr']\n", "'{' was expected"},
        {"{'descr' '<f4'}\n", "byte 19, in the header: ':' was expected"},
        {"{'descr': '<f4' 'shape': (1,)}\n", "',' or '}' was expected"},
        {"{'descr': '<f4', 'fortran_order': False}\n", "'descr', 'fortran_order' and 'shape' before the end"},
        {"{'descr': '<f4', 'descr': '<f4', 'shape': (1,)}\n", "byte 27, in the header: 'descr', 'fortran_order' or"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (1,), 'more': 1}\n", "each once, was expected"},
        {"{'descr': '<f4', 'fortran_order': 0, 'shape': (1,)}\n", "True or False was expected"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (1,)} x\n", "only blanks and a newline was expected"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (1,)}", "only blanks and a newline was expected"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (1,)", "',' or '}' was expected"},
        {"{'descr': '<f4", "a text with a closing quote was expected"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (1,), ,}\n", "each once, was expected"},
        {"{'descr': '<f4', 'fortran_order': Falsehood, 'shape': (1,)}\n", "',' or '}' was expected"},
        {"{descr: '<f4', 'fortran_order': False, 'shape': (1,)}\n", "each once, was expected"},
        {"{'desc", "a text with a closing quote was expected"},
        {"{'descr': '<f4\", 'fortran_order': False, 'shape': (1,)}\n", "a type of f2 f4 f8"},
    };
    for (size_t i = 0; i < COUNT(cases); i++)
        refuse(state, make_version_1(cases[i].header, "\0\0\0", 4), cases[i].expected);
}

static void refuses_other_types(void **state) {
    static const char *const descrs[] = {"|O",   "<c8", "|S4",  "<U4",  "<M8", "|V4", "f4",  "|f4", "=f4",
                                         "<f16", "<f3", "<f4 ", " <f4", "",    "<i0", "<b2", "<F4"};
    for (size_t i = 0; i < COUNT(descrs); i++)
        refuse(state, make_array(descrs[i], "False", "(1,)", "\0\0\0", 4),
               "byte 20, in the header: a type of f2 f4 f8");
    const char record[] = "{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (1,)}\n";
    refuse(state, make_version_1(record, "\0\0\0", 4), "a type of f2 f4 f8");
}

static void refuses_other_shapes(void **state) {
    static const struct {
        const char *shape, *expected;
    } cases[] = {
        {"()", "a shape of one or two dimensions, such as (5, 3), was expected"},
        {"(1, 1, 1)", "a shape of one or two dimensions"},
        {"(1)", "',' was expected"},
        {"1", "a shape of one or two dimensions"},
        {"(-1, 1)", "a count was expected"},
        {"(1, -1)", "a count was expected"},
        {"(1.5,)", "',' was expected"},
        {"(,)", "a count was expected"},
        {"(1,,)", "a count was expected"},
        {"[1]", "a shape of one or two dimensions"},
        {"(0x1,)", "',' was expected"},
        {"(1, 1", "a shape of one or two dimensions"},
        {"(0,)", "an array of 0 x 1: at least one row and one column were expected"},
        {"(1, 0)", "an array of 1 x 0: at least one row"},
        {"(18446744073709551616,)", "a count that memory can hold was expected"},
        {"(99999999999999999999999999, 1)", "a count that memory can hold was expected"},
        {"(4294967296, 4294967296)", "is more than memory can hold: one that fits the file's 4 bytes"},
        {"(4611686018427387904, 1)", "is more than memory can hold"}, /* times 4 bytes */
        {"(1000000000000, 1000)", "4 bytes of data found, 4000000000000000 expected for 1000000000000 x 1000 values"},
        {"(2,)", "4 bytes of data found, 8 expected for 2 x 1 values of 4"},
    };
    for (size_t i = 0; i < COUNT(cases); i++)
        refuse(state, make_array("<f4", "False", cases[i].shape, "\0\0\0", 4), cases[i].expected);
}

static void refuses_wrong_lengths(void **state) {
    const float data[] = {1, 2};
    const char header[] = "{'descr': '<f4', 'fortran_order': False, 'shape': (2,), }\n";
    const uint32_t length = sizeof header - 1;
    refuse(state, make_version_1(header, data, 7), "7 bytes of data found, 8 expected");
    refuse(state, make_version_1(header, "123456789", 9), "9 bytes of data found, 8 expected");
    refuse(state, make_npy(1, header, length - 1, data, 8), "only blanks and a newline");
    refuse(state, make_npy(1, header, length + 8, data, 8), "only blanks and a newline");
    refuse(state, make_npy(1, header, length + 9, data, 8), "at most the 66 that follow in the file");
    refuse(state, make_npy(2, header, 0xFFFFFFFF, data, 8), "the header's length is 4294967295 bytes");
    refuse(state, make_npy(1, header, 0, data, 8), "'{' was expected");
    refuse(state, make_npy(4, header, length, data, 8), "NPY of version 4.0: 1.0, 2.0 or 3.0 was expected");
    refuse(state, make_npy(0, header, length, data, 8), "NPY of version 0.0");
    refuse(state, (npy_content){"\x93NUMPY", 6}, "the NPY ends at byte 6, before its version");
    refuse(state, (npy_content){"\x93NUMPY\1\0\7", 9}, "the NPY ends at byte 9, before its header");
}

static void refuses_more_columns_than_a_table_has(void **state) {
    enum { N_COLUMNS = TABLE_MAX_COLUMNS + 1 };
    const io_file *file = *state;
    char shape[32];
    snprintf(shape, sizeof shape, "(1, %d)", N_COLUMNS);
    const npy_content head = make_array("|i1", "False", shape, NULL, 0);
    unsigned char *bytes = calloc(1, head.n_bytes + N_COLUMNS);
    assert_non_null(bytes);
    memcpy(bytes, head.bytes, head.n_bytes);
    support_write(file->path, bytes, head.n_bytes + N_COLUMNS);
    free(bytes);
    plethron_error err;
    plethron_table *table = NULL;
    assert_fails(PLETHRON_ERROR_FORMAT, plethron_table_open(file->path, &table, &err), &err, "t.npy: ", "1048576");
    assert_null(table);
}

/* ---- Harm -------------------------------------------------------------------------------------------------------- */

static void survives_harm(void **state) {
    const char header[] = "{'descr': '<f4', 'fortran_order': True, 'shape': (2, 3), }\n";
    const float data[] = {1, 2, 3, 4, 5, 6};
    for (int version = 1; version <= 3; version++) {
        const npy_content npy = make_npy(version, header, sizeof header - 1, data, sizeof data);
        assert_true(io_is_accepted(*state, npy.bytes, npy.n_bytes, io_read_table));
        assert_int_equal(io_cut(*state, npy.bytes, npy.n_bytes, io_read_table), 0);
        io_spoil(*state, npy.bytes, npy.n_bytes, io_read_table);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
#define TEST(function) IO_TEST(function, "t.npy")
        TEST(reads_every_type),
        TEST(reads_both_memory_orders),
        TEST(reads_every_version_and_spelling),
        TEST(names_the_row_that_is_no_number),
        TEST(names_halves_that_are_not_finite),
        TEST(makes_classes),
        TEST(refuses_doubles_that_float_does_not_tell_apart_as_classes),
        TEST(gives_missing_cells_as_nan),
        TEST(reads_large_arrays),
        TEST(refuses_malformed_headers),
        TEST(refuses_other_types),
        TEST(refuses_other_shapes),
        TEST(refuses_wrong_lengths),
        TEST(refuses_more_columns_than_a_table_has),
        TEST(survives_harm),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
