#include "csv.h"

#include "file.h"

#include <csv.h> /* libcsv */
#include <stdlib.h>
#include <string.h>

/* One reading of the file. The first gives the header, the numbers and which columns hold text; only where some do,
 * a second one keeps their texts. */
typedef enum csv_pass { PASS_NUMBERS, PASS_TEXTS } csv_pass;

typedef struct csv_reader {
    const char *bytes;
    size_t n_bytes;
    plethron_table *table;
    csv_pass pass;
    bool has_header; /* the header is read */
    bool between_records;
    size_t record_line;     /* the record's first line, counted from 1 */
    size_t n_cells;         /* of the record so far */
    size_t n_rows;          /* below the header so far */
    plethron_status status; /* of libcsv's callbacks, which return nothing */
    plethron_error *err;
} csv_reader;

/* ---- Cells ------------------------------------------------------------------------------------------------------- */

static plethron_status take_number(csv_reader *reader, const char *text, size_t n_bytes) {
    table_column *column = &reader->table->columns[reader->n_cells];
    column->n_text_bytes += n_bytes + 1;
    const number_kind kind = number_read(text, &column->values[reader->n_rows]);
    if (kind == NUMBER_FINITE) return PLETHRON_OK;
    return table_note(column, kind, reader->n_rows, reader->record_line, text, reader->err);
}

static void take_text(csv_reader *reader, const char *text, size_t n_bytes) {
    table_column *column = &reader->table->columns[reader->n_cells];
    if (!column->is_text) return;
    column->cells[reader->n_rows] = memcpy(column->texts + column->n_text_bytes, text, n_bytes + 1);
    column->n_text_bytes += n_bytes + 1;
}

static plethron_status make_room(plethron_table *table, size_t n_rows, plethron_error *err) {
    enum { FIRST_ROWS = 16 };
    if (n_rows < table->row_capacity) return PLETHRON_OK;
    return table_reserve(table, n_rows ? 2 * n_rows : FIRST_ROWS, err);
}

static plethron_status take_cell(csv_reader *reader, const char *text, size_t n_bytes) {
    plethron_table *table = reader->table;
    if (!reader->has_header)
        return reader->pass == PASS_NUMBERS ? table_add_column(table, text, reader->err) : PLETHRON_OK;
    if (reader->n_cells >= table->n_columns) return PLETHRON_OK; /* take_record counts and refuses it */
    if (reader->pass == PASS_TEXTS) {
        take_text(reader, text, n_bytes);
        return PLETHRON_OK;
    }
    if (reader->n_cells == 0) {
        const plethron_status status = make_room(table, reader->n_rows, reader->err);
        if (status != PLETHRON_OK) return status;
    }
    return take_number(reader, text, n_bytes);
}

static void on_cell(void *text, size_t n_bytes, void *context) {
    csv_reader *reader = context;
    if (reader->status == PLETHRON_OK) reader->status = take_cell(reader, text, n_bytes);
    reader->n_cells++;
}

/* ---- Records ----------------------------------------------------------------------------------------------------- */

static int compare_names(const void *left, const void *right) {
    return strcmp(*(const char *const *)left, *(const char *const *)right);
}

static plethron_status check_header(const csv_reader *reader) {
    plethron_status status = PLETHRON_OK;
    const plethron_table *table = reader->table;
    void *memory = NULL;
    char shown[FILE_SHOWN_SIZE];
    TRY(memory_allocate(table->n_columns, sizeof(char *), "column names", &memory, reader->err));
    const char **names = memory;
    for (size_t c = 0; c < table->n_columns; c++) {
        names[c] = table->columns[c].name;
        if (*names[c]) continue;
        TRY(error_set(reader->err, PLETHRON_ERROR_FORMAT,
                      "%s: line %zu: column %zu of %zu has no name: a header line that names every column was expected",
                      table->path, reader->record_line, c + 1, table->n_columns));
    }
    qsort(names, table->n_columns, sizeof *names, compare_names);
    for (size_t c = 1; c < table->n_columns; c++)
        if (strcmp(names[c - 1], names[c]) == 0)
            TRY(error_set(reader->err, PLETHRON_ERROR_FORMAT,
                          "%s: line %zu: the column name '%s' stands there twice: distinct names were expected",
                          table->path, reader->record_line, file_show(names[c], shown)));
out:
    free(memory);
    return status;
}

static plethron_status take_record(csv_reader *reader) {
    const plethron_table *table = reader->table;
    if (!reader->has_header) {
        reader->has_header = true;
        return reader->pass == PASS_NUMBERS ? check_header(reader) : PLETHRON_OK;
    }
    if (reader->n_cells != table->n_columns)
        return error_set(reader->err, PLETHRON_ERROR_FORMAT,
                         "%s: line %zu: %zu cells found, %zu expected, one for each name of the header", table->path,
                         reader->record_line, reader->n_cells, table->n_columns);
    reader->n_rows++;
    if (reader->pass == PASS_NUMBERS) reader->table->n_rows = reader->n_rows;
    return PLETHRON_OK;
}

static void on_record(int terminator, void *context) {
    (void)terminator;
    csv_reader *reader = context;
    if (reader->status == PLETHRON_OK) reader->status = take_record(reader);
    reader->n_cells = 0;
    reader->between_records = true;
}

/* ---- Lines ------------------------------------------------------------------------------------------------------- */

/* The length of the first line with its end: LF, CR LF, or CR. */
static size_t line_length(const char *bytes, size_t n_bytes) {
    size_t n = 0;
    while (n < n_bytes && bytes[n] != '\n' && bytes[n] != '\r') n++;
    if (n == n_bytes) return n;
    return bytes[n] == '\r' && n + 1 < n_bytes && bytes[n + 1] == '\n' ? n + 2 : n + 1;
}

static bool is_blank(const char *line, size_t n) {
    for (size_t i = 0; i < n; i++)
        if (!strchr(" \t\r\n", line[i])) return false;
    return true;
}

static plethron_status parser_error(const csv_reader *reader, struct csv_parser *parser, size_t line, size_t byte) {
    const char *path = reader->table->path;
    if (csv_error(parser) != CSV_EPARSE)
        return error_set(reader->err, PLETHRON_ERROR_MEMORY, "%s: line %zu: %s", path, line,
                         csv_strerror(csv_error(parser)));
    return error_set(reader->err, PLETHRON_ERROR_FORMAT,
                     "%s: line %zu, byte %zu: a quote within a cell: quotes around the whole cell, and doubled within "
                     "it, were expected",
                     path, line, byte);
}

/* libcsv is fed line by line, so that the line of every record and error is known. */
static plethron_status parse_lines(csv_reader *reader, struct csv_parser *parser) {
    size_t at = 0, line = 1;
    for (size_t n; at < reader->n_bytes; at += n, line++) {
        const char *text = reader->bytes + at;
        n = line_length(text, reader->n_bytes - at);
        if (reader->between_records) {
            if (is_blank(text, n)) continue;
            reader->between_records = false;
            reader->record_line = line;
        }
        const size_t n_parsed = csv_parse(parser, text, n, on_cell, on_record, reader);
        if (n_parsed != n) return parser_error(reader, parser, line, n_parsed + 1);
        if (reader->status != PLETHRON_OK) return reader->status;
    }
    if (csv_fini(parser, on_cell, on_record, reader) != 0)
        return error_set(reader->err, PLETHRON_ERROR_FORMAT,
                         "%s: line %zu: a quote is opened in this row and never closed", reader->table->path,
                         reader->record_line);
    return reader->status;
}

static plethron_status parse(const char *bytes, size_t n_bytes, csv_pass pass, plethron_table *table,
                             plethron_error *err) {
    enum { CELL_GROWTH_BYTES = 1 << 16 };
    csv_reader reader = {
        .bytes = bytes, .n_bytes = n_bytes, .table = table, .pass = pass, .between_records = true, .err = err};
    struct csv_parser parser;
    if (csv_init(&parser, CSV_STRICT | CSV_STRICT_FINI | CSV_APPEND_NULL) != 0)
        return error_set(err, PLETHRON_ERROR_MEMORY, "%s: no memory for a CSV parser", table->path);
    csv_set_blk_size(&parser, CELL_GROWTH_BYTES);
    plethron_status status = parse_lines(&reader, &parser);
    csv_free(&parser);
    if (status == PLETHRON_OK && !reader.has_header)
        status = error_set(err, PLETHRON_ERROR_FORMAT,
                           "%s: only blank lines: a header line of column names was expected", table->path);
    return status;
}

/* ---- The file ---------------------------------------------------------------------------------------------------- */

static plethron_status refuse_binary(const char *bytes, size_t n_bytes, const plethron_table *table,
                                     plethron_error *err) {
    const char *nul = memchr(bytes, '\0', n_bytes);
    if (!nul) return PLETHRON_OK;
    size_t line = 1;
    for (const char *at = bytes; at < nul;) {
        at += line_length(at, (size_t)(nul - at));
        line += at[-1] == '\n' || at[-1] == '\r';
    }
    return error_set(err, PLETHRON_ERROR_FORMAT, "%s: line %zu: a NUL byte: the text of a CSV, or an NPY, was expected",
                     table->path, line);
}

/* Makes the room that PASS_TEXTS fills, in place of the columns' values. */
static plethron_status prepare_texts(plethron_table *table, plethron_error *err) {
    plethron_status status = PLETHRON_OK;
    for (size_t c = 0; c < table->n_columns; c++) {
        table_column *column = &table->columns[c];
        if (!column->is_text) continue;
        void *texts = NULL, *cells = NULL;
        free(column->values);
        column->values = NULL;
        TRY(memory_allocate(column->n_text_bytes, 1, "a column of text", &texts, err));
        column->texts = texts;
        column->n_text_bytes = 0;
        TRY(memory_allocate(table->n_rows, sizeof(char *), "a column of text", &cells, err));
        column->cells = cells;
    }
out:
    return status;
}

static bool has_text(const plethron_table *table) {
    for (size_t c = 0; c < table->n_columns; c++)
        if (table->columns[c].is_text) return true;
    return false;
}

/* Within number_locale_enter and _leave. */
static plethron_status read_passes(const char *bytes, size_t n_bytes, plethron_table *table, plethron_error *err) {
    plethron_status status;
    TRY(parse(bytes, n_bytes, PASS_NUMBERS, table, err));
    if (table->n_rows == 0)
        TRY(error_set(err, PLETHRON_ERROR_FORMAT, "%s: no rows below the header: at least one was expected",
                      table->path));
    if (!has_text(table)) return PLETHRON_OK;
    TRY(prepare_texts(table, err));
    TRY(parse(bytes, n_bytes, PASS_TEXTS, table, err));
out:
    return status;
}

plethron_status csv_read(const char *bytes, size_t n_bytes, plethron_table *table, plethron_error *err) {
    static const char byte_order_mark[] = "\xEF\xBB\xBF";
    const size_t mark_bytes = sizeof byte_order_mark - 1;
    number_locale locale;
    plethron_status status = refuse_binary(bytes, n_bytes, table, err);
    if (status != PLETHRON_OK) return status;
    if (n_bytes >= mark_bytes && memcmp(bytes, byte_order_mark, mark_bytes) == 0) {
        bytes += mark_bytes;
        n_bytes -= mark_bytes;
    }
    status = number_locale_enter(&locale, err);
    if (status != PLETHRON_OK) return status;
    status = read_passes(bytes, n_bytes, table, err);
    number_locale_leave(locale);
    return status;
}
