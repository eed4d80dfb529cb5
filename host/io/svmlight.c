#include "svmlight.h"

#include "file.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_LABELS = 65535 }; /* as many as a target may have classes */

/* ---- The text, piece by piece ------------------------------------------------------------------------------------ */

typedef enum svm_event { SVM_LABEL, SVM_FEATURE, SVM_ROW_END, SVM_END, SVM_ERROR } svm_event;

typedef struct svm_parser {
    const char *path;
    const char *at;
    const char *line_begin;
    size_t line;
    bool is_in_row;   /* the row's first piece is read */
    bool has_feature; /* this row, and then `index` is its last */
    size_t index;     /* of SVM_FEATURE */
    number value;     /* of SVM_LABEL and SVM_FEATURE; NaN where it is not finite */
    const char *text; /* of the value, n bytes */
    size_t n;
    plethron_error *err;
} svm_parser;

static svm_parser parser_make(const char *bytes, const char *path, plethron_error *err) {
    return (svm_parser){.path = path, .at = bytes, .line_begin = bytes, .line = 1, .err = err};
}

static bool is_piece_end(char c) {
    return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '#' || c == '\0';
}

static svm_event refuse(svm_parser *parser, const char *expected) {
    char piece[FILE_SHOWN_SIZE + 1], shown[FILE_SHOWN_SIZE];
    size_t n = 0;
    while (n < FILE_SHOWN_SIZE && !is_piece_end(parser->at[n])) n++;
    memcpy(piece, parser->at, n);
    piece[n] = '\0';
    error_set(parser->err, PLETHRON_ERROR_FORMAT, "%s: line %zu, byte %zu: '%s' found: %s was expected", parser->path,
              parser->line, (size_t)(parser->at - parser->line_begin) + 1, file_show(piece, shown), expected);
    return SVM_ERROR;
}

/* A number up to a comma or the piece's end. */
static bool parse_value(svm_parser *parser, const char *begin) {
    const char *end = begin;
    while (!is_piece_end(*end) && *end != ',') end++;
    parser->text = begin;
    parser->n = (size_t)(end - begin);
    switch (number_read(begin, parser->n, &parser->value)) {
    case NUMBER_FINITE: break;
    case NUMBER_NOT_FINITE: parser->value = (number){NAN, false}; break;
    default: return false;
    }
    parser->at = end;
    return true;
}

static svm_event parse_label(svm_parser *parser) {
    if (!parse_value(parser, parser->at)) return refuse(parser, "a label, a number,");
    if (*parser->at == ',') parser->at++;
    return SVM_LABEL;
}

/* A whole number with a colon behind it; gives what follows, or NULL. */
static const char *parse_index(const char *at, size_t *index) {
    const char *begin = at;
    *index = 0;
    for (; *at >= '0' && *at <= '9'; at++)
        if (__builtin_mul_overflow(*index, 10, index) || __builtin_add_overflow(*index, (size_t)(*at - '0'), index))
            return NULL;
    return at > begin && *at == ':' ? at + 1 : NULL;
}

static svm_event parse_feature(svm_parser *parser) {
    static const char expected[] = "INDEX:VALUE, with indices that ascend,";
    size_t index;
    const char *value = parse_index(parser->at, &index);
    if (!value || (parser->has_feature && index <= parser->index)) return refuse(parser, expected);
    const char *begin = parser->at;
    if (!parse_value(parser, value) || *parser->at == ',') {
        parser->at = begin;
        return refuse(parser, expected);
    }
    parser->index = index;
    parser->has_feature = true;
    return SVM_FEATURE;
}

static bool skip_qid(svm_parser *parser) {
    static const char word[] = "qid:";
    const size_t n = sizeof word - 1;
    if (strncmp(parser->at, word, n) != 0) return false;
    const char *begin = parser->at + n, *end = begin;
    if (*end == '-') end++;
    while (*end >= '0' && *end <= '9') end++;
    if (end == begin || !is_piece_end(*end)) return false;
    parser->at = end;
    return true;
}

static void skip_blanks_and_comment(svm_parser *parser) {
    while (*parser->at == ' ' || *parser->at == '\t') parser->at++;
    if (*parser->at != '#') return;
    while (*parser->at && *parser->at != '\n' && *parser->at != '\r') parser->at++;
}

/* At a line's end: moves to the next line. */
static void next_line(svm_parser *parser) {
    parser->at += *parser->at == '\r' && parser->at[1] == '\n' ? 2 : 1;
    parser->line_begin = parser->at;
    parser->line++;
    parser->is_in_row = false;
    parser->has_feature = false;
}

/* A row has labels if it does not begin with a blank or a feature. */
static bool has_labels(const char *at) {
    while (!is_piece_end(*at) && *at != ':') at++;
    return *at != ':';
}

static svm_event next_event(svm_parser *parser) {
    const bool follows_comma = parser->is_in_row && parser->at[-1] == ',';
    if (follows_comma) return parse_label(parser);
    for (;;) {
        skip_blanks_and_comment(parser);
        const char c = *parser->at;
        if (c != '\n' && c != '\r' && c != '\0') break;
        if (parser->is_in_row) {
            parser->is_in_row = false;
            return SVM_ROW_END;
        }
        if (c == '\0') return SVM_END;
        next_line(parser);
    }
    const bool is_first = !parser->is_in_row;
    parser->is_in_row = true;
    if (is_first && has_labels(parser->at)) return parse_label(parser);
    if (!parser->has_feature && skip_qid(parser)) return next_event(parser);
    return parse_feature(parser);
}

bool svmlight_recognise(const char *bytes, size_t n_bytes) {
    if (memchr(bytes, '\0', n_bytes)) return false;
    svm_parser parser = parser_make(bytes, "", NULL);
    svm_event event;
    do event = next_event(&parser);
    while (event == SVM_LABEL || event == SVM_ROW_END);
    return event == SVM_FEATURE;
}

/* ---- What the rows have ------------------------------------------------------------------------------------------ */

typedef struct svm_shape {
    plethron_sparse_table *sparse; /* where the features go; NULL: to the table, dense */
    size_t n_rows;
    size_t n_values;               /* of features */
    size_t first_index, end_index; /* of the features */
    size_t n_all_labels;           /* of all rows together */
    bool is_multilabel;            /* a row has none or several */
    size_t n_labels;               /* different ones, where is_multilabel */
    float *labels;                 /* [n_labels], ascending */
} svm_shape;

/* Whether a feature may have the parser's index. */
static plethron_status check_index(const svm_parser *parser, const svm_shape *shape, plethron_error *err) {
    const plethron_sparse_table *sparse = shape->sparse;
    if (!sparse && parser->index >= TABLE_MAX_COLUMNS)
        return error_set(err, PLETHRON_ERROR_FORMAT,
                         "%s: line %zu: feature %zu: at most %d features are allowed in a dense table", parser->path,
                         parser->line, parser->index, TABLE_MAX_COLUMNS - 1);
    if (sparse && parser->index >= SPARSE_MAX_COUNT)
        return error_set(err, PLETHRON_ERROR_FORMAT, "%s: line %zu: feature %zu: at most %d features are allowed",
                         parser->path, parser->line, parser->index, SPARSE_MAX_COUNT - 1);
    if (sparse && sparse->n_known && parser->index - sparse->first_known >= sparse->n_known)
        return error_set(err, PLETHRON_ERROR_FORMAT, "%s: line %zu: feature %zu: the features %zu to %zu are known",
                         parser->path, parser->line, parser->index, sparse->first_known,
                         sparse->first_known + sparse->n_known - 1);
    if (sparse && !(fabsf(parser->value.value) < INFINITY))
        return error_set(err, PLETHRON_ERROR_FORMAT,
                         "%s: line %zu: feature %zu holds '%.*s': a finite number in the range of float was expected",
                         parser->path, parser->line, parser->index, parser->n < 40 ? (int)parser->n : 40, parser->text);
    return PLETHRON_OK;
}

static plethron_status examine(const char *bytes, const plethron_table *table, svm_shape *shape, plethron_error *err) {
    plethron_status status = PLETHRON_OK;
    svm_parser parser = parser_make(bytes, table->path, err);
    size_t n_labels = 0; /* of the row */
    bool has_zero = false;
    for (svm_event event; (event = next_event(&parser)) != SVM_END;) {
        if (event == SVM_ERROR) return PLETHRON_ERROR_FORMAT;
        if (event == SVM_LABEL) n_labels++;
        if (event == SVM_FEATURE) {
            if (parser.index >= shape->end_index) shape->end_index = parser.index + 1;
            has_zero = has_zero || parser.index == 0;
            shape->n_values++;
            TRY(check_index(&parser, shape, err));
        }
        if (event == SVM_ROW_END) {
            shape->n_rows++;
            shape->n_all_labels += n_labels;
            shape->is_multilabel = shape->is_multilabel || n_labels != 1;
            n_labels = 0;
        }
    }
    shape->first_index = has_zero ? 0 : 1;
    if (shape->sparse && shape->sparse->n_known) {
        shape->first_index = shape->sparse->first_known;
        shape->end_index = shape->first_index + shape->sparse->n_known;
    }
out:
    return status;
}

/* Sets the number of features that the caller knows. */
static plethron_status widen(svm_shape *shape, size_t n_features, const plethron_table *table, plethron_error *err) {
    if (n_features == 0) return PLETHRON_OK;
    const size_t n_found = shape->end_index - shape->first_index;
    const size_t most = (shape->sparse ? SPARSE_MAX_COUNT : TABLE_MAX_COLUMNS) - 1;
    if (n_found > n_features || n_features > most)
        return error_set(err, PLETHRON_ERROR_FORMAT, "%s: %zu features found, %zu expected: at most %zu are allowed",
                         table->path, n_found, n_features, most);
    shape->end_index = shape->first_index + n_features;
    return PLETHRON_OK;
}

static int compare_floats(const void *a, const void *b) {
    const float x = *(const float *)a, y = *(const float *)b;
    return (x > y) - (x < y);
}

static plethron_status collect_labels(const char *bytes, const plethron_table *table, svm_shape *shape,
                                      plethron_error *err) {
    void *memory = NULL;
    const plethron_status status = memory_allocate(shape->n_all_labels, sizeof(float), "labels", &memory, err);
    if (status != PLETHRON_OK) return status;
    shape->labels = memory;
    svm_parser parser = parser_make(bytes, table->path, NULL);
    size_t n = 0;
    for (svm_event event; (event = next_event(&parser)) != SVM_END;) {
        if (event != SVM_LABEL) continue;
        if (parser.value.is_rounded || !(fabsf(parser.value.value) < INFINITY))
            return error_set(err, PLETHRON_ERROR_FORMAT,
                             "%s: line %zu: a row with several labels: labels of at most 6 digits were expected",
                             table->path, parser.line);
        shape->labels[n++] = parser.value.value + 0.0f; /* -0 becomes 0, which it equals */
    }
    qsort(shape->labels, n, sizeof *shape->labels, compare_floats);
    for (size_t i = 0; i < n; i++)
        if (i == 0 || shape->labels[i] != shape->labels[shape->n_labels - 1])
            shape->labels[shape->n_labels++] = shape->labels[i];
    if (shape->n_labels <= MAX_LABELS) return PLETHRON_OK;
    return error_set(err, PLETHRON_ERROR_UNSUPPORTED, "%s: %zu different labels: at most %d are allowed", table->path,
                     shape->n_labels, MAX_LABELS);
}

/* ---- The table --------------------------------------------------------------------------------------------------- */

static size_t count_features(const svm_shape *shape) {
    return shape->end_index > shape->first_index ? shape->end_index - shape->first_index : 0;
}

/* Columns of the table that are features. */
static size_t count_dense(const svm_shape *shape) {
    return shape->sparse ? 0 : count_features(shape);
}

/* Within number_locale_enter and _leave. */
static plethron_status add_label_columns(const svm_shape *shape, plethron_table *table, plethron_error *err) {
    plethron_status status = PLETHRON_OK;
    if (!shape->is_multilabel) return table_add_column(table, "label", err);
    for (size_t l = 0; l < shape->n_labels && status == PLETHRON_OK; l++) {
        char printed[NUMBER_PRINTED_SIZE], name[NUMBER_PRINTED_SIZE + 8];
        number_print(shape->labels[l], printed);
        snprintf(name, sizeof name, "label=%s", printed);
        status = table_add_column(table, name, err);
    }
    return status;
}

static plethron_status put_value(const svm_parser *parser, size_t row, size_t column, plethron_table *table,
                                 plethron_error *err) {
    table_column *at = &table->columns[column];
    table->values[row * table->n_columns + column] = parser->value.value;
    if (isnan(parser->value.value) && !at->no_number)
        return table_note(&at->no_number, NUMBER_NOT_FINITE, row, parser->line, parser->text, parser->n, err);
    if (parser->value.is_rounded && !at->rounded)
        return table_note(&at->rounded, NUMBER_FINITE, row, parser->line, parser->text, parser->n, err);
    return PLETHRON_OK;
}

static plethron_status put_label(const svm_parser *parser, const svm_shape *shape, size_t row, plethron_table *table,
                                 plethron_error *err) {
    const size_t first = count_dense(shape);
    if (!shape->is_multilabel) return put_value(parser, row, first, table, err);
    const float *found =
        bsearch(&parser->value.value, shape->labels, shape->n_labels, sizeof *shape->labels, compare_floats);
    table->values[row * table->n_columns + first + (size_t)(found - shape->labels)] = 1.0f;
    return PLETHRON_OK;
}

static void put_entry(const svm_parser *parser, const svm_shape *shape, size_t row) {
    plethron_sparse_table *sparse = shape->sparse;
    const int64_t at = sparse->offsets[row + 1]++;
    sparse->columns[at] = (int32_t)(parser->index - shape->first_index);
    sparse->values[at] = parser->value.value;
}

static plethron_status put_rows(const char *bytes, const svm_shape *shape, plethron_table *table, plethron_error *err) {
    plethron_status status = PLETHRON_OK;
    svm_parser parser = parser_make(bytes, table->path, NULL);
    size_t row = 0;
    memset(table->values, 0, table->n_rows * table->n_columns * sizeof *table->values);
    for (svm_event event; status == PLETHRON_OK && (event = next_event(&parser)) != SVM_END;) {
        if (event == SVM_LABEL) status = put_label(&parser, shape, row, table, err);
        if (event == SVM_FEATURE && shape->sparse) put_entry(&parser, shape, row);
        if (event == SVM_FEATURE && !shape->sparse)
            status = put_value(&parser, row, parser.index - shape->first_index, table, err);
        if (event != SVM_ROW_END) continue;
        row++;
        if (shape->sparse && row < shape->n_rows) shape->sparse->offsets[row + 1] = shape->sparse->offsets[row];
    }
    return status;
}

/* Within number_locale_enter and _leave. */
static plethron_status read_rows(const char *bytes, size_t n_features, svm_shape *shape, plethron_table *table,
                                 plethron_error *err) {
    plethron_status status;
    TRY(examine(bytes, table, shape, err));
    TRY(widen(shape, n_features, table, err));
    if (shape->is_multilabel) TRY(collect_labels(bytes, table, shape, err));
    const size_t n_label_columns = shape->is_multilabel ? shape->n_labels : 1;
    TRY(table_check_size(table, shape->n_rows, count_dense(shape) + n_label_columns, err));
    if (shape->sparse)
        TRY(sparse_table_reserve(shape->sparse, shape->n_rows, count_features(shape), shape->n_values, err));
    TRY(table_add_numbered(table, shape->first_index, count_dense(shape), err));
    TRY(add_label_columns(shape, table, err));
    TRY(table_make_values(table, shape->n_rows, err));
    TRY(put_rows(bytes, shape, table, err));
out:
    return status;
}

static plethron_status read_text(const char *bytes, size_t n_bytes, size_t n_features, svm_shape *shape,
                                 plethron_table *table, plethron_error *err) {
    number_locale locale;
    if (memchr(bytes, '\0', n_bytes))
        return error_set(err, PLETHRON_ERROR_FORMAT, "%s: a NUL byte: the text of an svmlight file was expected",
                         table->path);
    plethron_status status = number_locale_enter(&locale, err);
    if (status != PLETHRON_OK) return status;
    status = read_rows(bytes, n_features, shape, table, err);
    number_locale_leave(locale);
    free(shape->labels);
    return status;
}

plethron_status svmlight_read(const char *bytes, size_t n_bytes, size_t n_features, plethron_table *table,
                              plethron_error *err) {
    svm_shape shape = {0};
    return read_text(bytes, n_bytes, n_features, &shape, table, err);
}

plethron_status svmlight_read_sparse(const char *bytes, size_t n_bytes, size_t n_features, plethron_sparse_table *table,
                                     plethron_error *err) {
    plethron_status status;
    svm_shape shape = {.sparse = table};
    TRY(table_make(table->path, table->limit_bytes, &table->labels, err));
    TRY(read_text(bytes, n_bytes, n_features, &shape, table->labels, err));
    TRY(table_sort_names(table->labels, err));
    table->first_index = shape.first_index;
out:
    return status;
}
