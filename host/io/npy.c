#include "npy.h"

#include "array.h"

#include <string.h>

static const char magic[] = {'\x93', 'N', 'U', 'M', 'P', 'Y'};

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
static plethron_status parse_descr(npy_parser *parser, array_layout *array) {
    static const char expected[] = "a type of f2 f4 f8 i1 i2 i4 i8 u1 u2 u4 u8 b1 with its byte order, such as '<f4',";
    static const char types[][3] = {"f2", "f4", "f8", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "b1"};
    static const array_kind kinds[] = {
        ARRAY_FLOAT,  ARRAY_FLOAT,    ARRAY_FLOAT,    ARRAY_SIGNED,   ARRAY_SIGNED,   ARRAY_SIGNED,
        ARRAY_SIGNED, ARRAY_UNSIGNED, ARRAY_UNSIGNED, ARRAY_UNSIGNED, ARRAY_UNSIGNED, ARRAY_BOOL,
    };
    const char *text;
    size_t n;
    skip_blanks(parser);
    const char *start = parser->at;
    const plethron_status status = parse_text(parser, &text, &n, expected);
    if (status != PLETHRON_OK) return status;
    for (size_t t = 0; n == 3 && t < sizeof types / sizeof *types; t++) {
        if (memcmp(text + 1, types[t], 2) != 0) continue;
        array->kind = kinds[t];
        array->item_bytes = (size_t)(types[t][1] - '0');
        array->big_endian = *text == '>';
        if (*text == '<' || *text == '>' || (*text == '|' && array->item_bytes == 1)) return PLETHRON_OK;
    }
    parser->at = start;
    return parse_error(parser, expected);
}

static plethron_status parse_order(npy_parser *parser, array_layout *array) {
    array->by_columns = accept(parser, "True");
    if (array->by_columns || accept(parser, "False")) return PLETHRON_OK;
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
static plethron_status parse_shape(npy_parser *parser, array_layout *array) {
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

static plethron_status parse_entry(npy_parser *parser, array_layout *array, bool is_seen[N_KEYS]) {
    static const char expected[] = "'descr', 'fortran_order' or 'shape', each once,";
    static const struct {
        const char *name;
        plethron_status (*parse)(npy_parser *, array_layout *);
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

static plethron_status parse_header(npy_parser *parser, array_layout *array) {
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

/* Magic, version (2 bytes), length of the header (2 bytes in version 1, 4 in versions 2 and 3), header. */
plethron_status npy_find_header(const void *bytes, size_t n_bytes, const char *path, size_t *start, size_t *end,
                                plethron_error *err) {
    enum { VERSION_AT = sizeof magic, LENGTH_AT = VERSION_AT + 2 };
    const unsigned char *content = bytes;
    if (n_bytes < LENGTH_AT)
        return error_set(err, PLETHRON_ERROR_FORMAT, "%s: the NPY ends at byte %zu, before its version", path, n_bytes);
    const unsigned major = content[VERSION_AT], minor = content[VERSION_AT + 1];
    if (major < 1 || major > 3 || minor != 0)
        return error_set(err, PLETHRON_ERROR_FORMAT, "%s: NPY of version %u.%u: 1.0, 2.0 or 3.0 was expected", path,
                         major, minor);
    *start = LENGTH_AT + (major == 1 ? 2 : 4);
    if (n_bytes < *start)
        return error_set(err, PLETHRON_ERROR_FORMAT, "%s: the NPY ends at byte %zu, before its header", path, n_bytes);
    size_t length = 0;
    for (size_t i = *start; i > LENGTH_AT; i--) length = length << 8 | content[i - 1];
    if (length > n_bytes - *start)
        return error_set(err, PLETHRON_ERROR_FORMAT,
                         "%s: the header's length is %zu bytes: at most the %zu that follow in the file were expected",
                         path, length, n_bytes - *start);
    *end = *start + length;
    return PLETHRON_OK;
}

plethron_status npy_read_header(const void *bytes, size_t n_bytes, const char *path, array_layout *array,
                                size_t *data_start, plethron_error *err) {
    const char *begin = bytes;
    size_t start;
    const plethron_status status = npy_find_header(bytes, n_bytes, path, &start, data_start, err);
    if (status != PLETHRON_OK) return status;
    npy_parser parser = {path, begin, begin + start, begin + *data_start, err};
    return parse_header(&parser, array);
}

plethron_status npy_read(char **bytes, size_t n_bytes, plethron_table *table, plethron_error *err) {
    plethron_status status;
    array_layout array = {0};
    size_t data_start = 0;
    TRY(npy_read_header(*bytes, n_bytes, table->path, &array, &data_start, err));
    TRY(array_check(&array, n_bytes - data_start, table->path, err));
    TRY(array_read(&array, bytes, data_start, table, err));
out:
    return status;
}
