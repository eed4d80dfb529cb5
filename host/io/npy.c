#include "npy.h"

#include <float.h>
#include <math.h>
#include <string.h>

static const char magic[] = {'\x93', 'N', 'U', 'M', 'P', 'Y'};

/* What the header says of the array. */
typedef struct npy_array {
    char kind; /* 'f', 'i', 'u' or 'b' */
    size_t item_bytes;
    bool big_endian;
    bool fortran_order;
    size_t n_rows, n_columns;
} npy_array;

/* ---- The header: a dict of Python, such as {'descr': '<f4', 'fortran_order': False, 'shape': (5, 3), } ------------
 */

typedef struct npy_parser {
    const char *path;
    const char *begin, *at, *end; /* the file's first byte, the next one, and the header's end */
    plethron_error *err;
} npy_parser;

static plethron_status parse_error(const npy_parser *parser, const char *expected) {
    return error_set(parser->err, PLETHRON_ERROR_FORMAT, "%s: byte %zu, in the header: %s was expected", parser->path,
                     (size_t)(parser->at - parser->begin), expected);
}

static void skip_blanks(npy_parser *parser) {
    while (parser->at < parser->end && (*parser->at == ' ' || *parser->at == '\n')) parser->at++;
}

/* Takes a word or sign when it is the next thing. */
static bool accept(npy_parser *parser, const char *word) {
    const size_t n = strlen(word);
    skip_blanks(parser);
    if ((size_t)(parser->end - parser->at) < n || memcmp(parser->at, word, n) != 0) return false;
    parser->at += n;
    return true;
}

static plethron_status expect(npy_parser *parser, const char *word, const char *what) {
    return accept(parser, word) ? PLETHRON_OK : parse_error(parser, what);
}

/* A text in quotes of either kind; there are no escapes in what numpy writes. */
static plethron_status parse_text(npy_parser *parser, const char **text, size_t *n, const char *expected) {
    skip_blanks(parser);
    const char *start = parser->at;
    if (start == parser->end || (*start != '\'' && *start != '"')) return parse_error(parser, expected);
    const char *close = memchr(start + 1, *start, (size_t)(parser->end - start - 1));
    if (!close) return parse_error(parser, "a text with a closing quote");
    *text = start + 1;
    *n = (size_t)(close - start - 1);
    parser->at = close + 1;
    return PLETHRON_OK;
}

/* A type such as '<f4': byte order, kind, bytes of an item. */
static plethron_status parse_descr(npy_parser *parser, npy_array *array) {
    static const char expected[] = "a type of f2 f4 f8 i1 i2 i4 i8 u1 u2 u4 u8 b1 with its byte order, such as '<f4',";
    static const char types[][3] = {"f2", "f4", "f8", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "b1"};
    const char *text;
    size_t n;
    skip_blanks(parser);
    const char *start = parser->at;
    const plethron_status status = parse_text(parser, &text, &n, expected);
    if (status != PLETHRON_OK) return status;
    for (size_t t = 0; n == 3 && t < sizeof types / sizeof *types; t++) {
        if (memcmp(text + 1, types[t], 2) != 0) continue;
        array->kind = types[t][0];
        array->item_bytes = (size_t)(types[t][1] - '0');
        array->big_endian = *text == '>';
        if (*text == '<' || *text == '>' || (*text == '|' && array->item_bytes == 1)) return PLETHRON_OK;
    }
    parser->at = start;
    return parse_error(parser, expected);
}

static plethron_status parse_order(npy_parser *parser, npy_array *array) {
    array->fortran_order = accept(parser, "True");
    if (array->fortran_order || accept(parser, "False")) return PLETHRON_OK;
    return parse_error(parser, "True or False");
}

static plethron_status parse_count(npy_parser *parser, size_t *count) {
    skip_blanks(parser);
    const char *start = parser->at;
    size_t value = 0;
    for (; parser->at < parser->end && *parser->at >= '0' && *parser->at <= '9'; parser->at++)
        if (__builtin_mul_overflow(value, 10, &value) ||
            __builtin_add_overflow(value, (size_t)(*parser->at - '0'), &value)) {
            parser->at = start;
            return parse_error(parser, "a count that memory can hold");
        }
    if (parser->at == start) return parse_error(parser, "a count");
    *count = value;
    return PLETHRON_OK;
}

/* (n,) is n rows of one column, (n, m) is n rows of m. */
static plethron_status parse_shape(npy_parser *parser, npy_array *array) {
    static const char expected[] = "a shape of one or two dimensions, such as (5, 3),";
    plethron_status status;
    array->n_columns = 1;
    TRY(expect(parser, "(", expected));
    if (accept(parser, ")")) TRY(parse_error(parser, expected));
    TRY(parse_count(parser, &array->n_rows));
    TRY(expect(parser, ",", "','"));
    if (accept(parser, ")")) return PLETHRON_OK;
    TRY(parse_count(parser, &array->n_columns));
    (void)accept(parser, ",");
    TRY(expect(parser, ")", expected));
out:
    return status;
}

enum { N_KEYS = 3 };

static plethron_status parse_entry(npy_parser *parser, npy_array *array, bool is_seen[N_KEYS]) {
    static const char expected[] = "'descr', 'fortran_order' or 'shape', each once,";
    static const struct {
        const char *name;
        plethron_status (*parse)(npy_parser *, npy_array *);
    } keys[N_KEYS] = {{"descr", parse_descr}, {"fortran_order", parse_order}, {"shape", parse_shape}};
    const char *name;
    size_t n;
    skip_blanks(parser);
    const char *start = parser->at;
    plethron_status status = parse_text(parser, &name, &n, expected);
    if (status != PLETHRON_OK) return status;
    for (int k = 0; k < N_KEYS; k++) {
        if (n != strlen(keys[k].name) || memcmp(name, keys[k].name, n) != 0 || is_seen[k]) continue;
        is_seen[k] = true;
        status = expect(parser, ":", "':'");
        return status == PLETHRON_OK ? keys[k].parse(parser, array) : status;
    }
    parser->at = start;
    return parse_error(parser, expected);
}

static plethron_status parse_header(npy_parser *parser, npy_array *array) {
    plethron_status status;
    bool is_seen[N_KEYS] = {false};
    bool is_closed = false;
    TRY(expect(parser, "{", "'{'"));
    while (!is_closed) {
        TRY(parse_entry(parser, array, is_seen));
        const bool has_comma = accept(parser, ",");
        is_closed = accept(parser, "}");
        if (!has_comma && !is_closed) TRY(parse_error(parser, "',' or '}'"));
    }
    if (!is_seen[0] || !is_seen[1] || !is_seen[2])
        TRY(parse_error(parser, "'descr', 'fortran_order' and 'shape' before the end"));
    skip_blanks(parser);
    if (parser->at != parser->end || parser->end[-1] != '\n') TRY(parse_error(parser, "only blanks and a newline"));
out:
    return status;
}

/* ---- Before and after the header --------------------------------------------------------------------------------- */

bool npy_recognise(const void *bytes, size_t n_bytes) {
    return n_bytes >= sizeof magic && memcmp(bytes, magic, sizeof magic) == 0;
}

static uint64_t load(const unsigned char *bytes, size_t n, bool big_endian) {
    uint64_t bits = 0;
    for (size_t i = 0; i < n; i++) bits = bits << 8 | bytes[big_endian ? i : n - 1 - i];
    return bits;
}

/* Magic, version (2 bytes), length of the header (2 bytes in version 1, 4 in versions 2 and 3), header. */
static plethron_status read_header(const void *bytes, size_t n_bytes, const char *path, npy_array *array,
                                   size_t *data_start, plethron_error *err) {
    enum { VERSION_AT = sizeof magic, LENGTH_AT = VERSION_AT + 2 };
    const unsigned char *content = bytes;
    if (n_bytes < LENGTH_AT)
        return error_set(err, PLETHRON_ERROR_FORMAT, "%s: the NPY ends at byte %zu, before its version", path, n_bytes);
    const unsigned major = content[VERSION_AT], minor = content[VERSION_AT + 1];
    if (major < 1 || major > 3 || minor != 0)
        return error_set(err, PLETHRON_ERROR_FORMAT, "%s: NPY of version %u.%u: 1.0, 2.0 or 3.0 was expected", path,
                         major, minor);
    const size_t start = LENGTH_AT + (major == 1 ? 2 : 4);
    if (n_bytes < start)
        return error_set(err, PLETHRON_ERROR_FORMAT, "%s: the NPY ends at byte %zu, before its header", path, n_bytes);
    const size_t length = load(content + LENGTH_AT, start - LENGTH_AT, false);
    if (length > n_bytes - start)
        return error_set(err, PLETHRON_ERROR_FORMAT,
                         "%s: the header's length is %zu bytes: at most the %zu that follow in the file were expected",
                         path, length, n_bytes - start);
    const char *begin = bytes;
    *data_start = start + length;
    npy_parser parser = {path, begin, begin + start, begin + *data_start, err};
    return parse_header(&parser, array);
}

static plethron_status check_data(const npy_array *array, size_t n_data_bytes, const char *path, plethron_error *err) {
    size_t n_items, n_expected;
    if (array->n_rows == 0 || array->n_columns == 0)
        return error_set(err, PLETHRON_ERROR_FORMAT,
                         "%s: an array of %zu x %zu: at least one row and one column were expected", path,
                         array->n_rows, array->n_columns);
    if (!size_multiply(array->n_rows, array->n_columns, &n_items) ||
        !size_multiply(n_items, array->item_bytes, &n_expected))
        return error_set(
            err, PLETHRON_ERROR_FORMAT,
            "%s: an array of %zu x %zu is more than memory can hold: one that fits the file's %zu bytes of "
            "data was expected",
            path, array->n_rows, array->n_columns, n_data_bytes);
    if (n_data_bytes != n_expected)
        return error_set(err, PLETHRON_ERROR_FORMAT,
                         "%s: %zu bytes of data found, %zu expected for %zu x %zu values of %zu", path, n_data_bytes,
                         n_expected, array->n_rows, array->n_columns, array->item_bytes);
    return PLETHRON_OK;
}

/* ---- Values ------------------------------------------------------------------------------------------------------ */

/* IEEE 754 binary16: a sign, 5 bits of exponent, 10 of fraction. */
static double half_to_double(uint64_t bits) {
    const int exponent = (int)(bits >> 10 & 0x1F), fraction = (int)(bits & 0x3FF);
    double value;
    if (exponent == 0x1F)
        value = fraction ? (double)NAN : (double)INFINITY;
    else if (exponent == 0)
        value = ldexp(fraction, -24);
    else
        value = ldexp(fraction + 0x400, exponent - 25);
    return bits >> 15 ? -value : value;
}

static double float_to_double(uint64_t bits, size_t item_bytes) {
    if (item_bytes == 2) return half_to_double(bits);
    if (item_bytes == 4) {
        const uint32_t low = (uint32_t)bits;
        float value;
        memcpy(&value, &low, sizeof value);
        return (double)value;
    }
    double value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

/* Not by way of double, which would round integers of eight bytes a first time. */
static float integer_to_float(uint64_t bits, size_t item_bytes, bool is_signed) {
    const uint64_t sign = UINT64_C(1) << (8 * item_bytes - 1);
    if (!is_signed || !(bits & sign)) return (float)bits;
    return -(float)(sign - (bits & (sign - 1)));
}

static plethron_status read_item(const npy_array *array, const unsigned char *item, size_t row, table_column *column,
                                 plethron_error *err) {
    const uint64_t bits = load(item, array->item_bytes, array->big_endian);
    float *out = &column->values[row];
    if (array->kind == 'b') {
        *out = bits ? 1.0f : 0.0f;
        return PLETHRON_OK;
    }
    if (array->kind != 'f') {
        *out = integer_to_float(bits, array->item_bytes, array->kind == 'i');
        return PLETHRON_OK;
    }
    const double value = float_to_double(bits, array->item_bytes);
    if (fabs(value) <= (double)FLT_MAX) {
        *out = (float)value;
        return PLETHRON_OK;
    }
    char text[NUMBER_PRINTED_SIZE];
    snprintf(text, sizeof text, "%g", isnan(value) ? fabs(value) : value); /* some print the sign of a NaN */
    return table_note(column, NUMBER_NOT_FINITE, row, 0, text, err);
}

/* Reads in the order of the file: by rows, or in Fortran's order by columns. Within number_locale_enter and _leave. */
static plethron_status read_items(const npy_array *array, const unsigned char *item, plethron_table *table,
                                  plethron_error *err) {
    const bool by_columns = array->fortran_order;
    const size_t n_outer = by_columns ? array->n_columns : array->n_rows;
    const size_t n_inner = by_columns ? array->n_rows : array->n_columns;
    for (size_t outer = 0; outer < n_outer; outer++)
        for (size_t inner = 0; inner < n_inner; inner++, item += array->item_bytes) {
            table_column *column = &table->columns[by_columns ? outer : inner];
            const plethron_status status = read_item(array, item, by_columns ? inner : outer, column, err);
            if (status != PLETHRON_OK) return status;
        }
    return PLETHRON_OK;
}

static plethron_status add_columns(const npy_array *array, plethron_table *table, plethron_error *err) {
    for (size_t c = 0; c < array->n_columns; c++) {
        char name[32];
        snprintf(name, sizeof name, "%zu", c);
        const plethron_status status = table_add_column(table, name, err);
        if (status != PLETHRON_OK) return status;
    }
    const plethron_status status = table_reserve(table, array->n_rows, err);
    if (status == PLETHRON_OK) table->n_rows = array->n_rows;
    return status;
}

plethron_status npy_read(const void *bytes, size_t n_bytes, plethron_table *table, plethron_error *err) {
    plethron_status status;
    npy_array array;
    number_locale locale;
    size_t data_start = 0;
    TRY(read_header(bytes, n_bytes, table->path, &array, &data_start, err));
    TRY(check_data(&array, n_bytes - data_start, table->path, err));
    TRY(add_columns(&array, table, err));
    TRY(number_locale_enter(&locale, err));
    status = read_items(&array, (const unsigned char *)bytes + data_start, table, err);
    number_locale_leave(locale);
out:
    return status;
}
