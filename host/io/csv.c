#include "csv.h"

#include "csv_cell.h"
#include "csv_split.h"
#include "file.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- What a chunk knows ------------------------------------------------------------------------------------------ */

/* What a column's cells may be, besides numbers that float holds: for each, where the first is. */
enum { CELL_NO_NUMBER, CELL_MISSING, CELL_ROUNDED, N_CELL_KINDS };

typedef struct csv_note {
    number_kind kind;
    size_t row; /* of the chunk */
    size_t line;
    csv_cell cell;
} csv_note;

typedef struct csv_column {
    bool is_text, exists[N_CELL_KINDS];
    csv_note notes[N_CELL_KINDS];
} csv_column;

typedef struct csv_chunk {
    csv_span span;
    size_t max_rows;
    float *values; /* [max_rows, n_columns] */
    size_t n_rows;
    size_t first_row;    /* in the table, once all chunks are read */
    csv_column *columns; /* [n_columns] */
    plethron_status status;
    plethron_error err;
} csv_chunk;

typedef struct csv_reader {
    plethron_table *table;
    char delimiter;
    const char *begin, *end; /* of the text */
    const char *rows;        /* what follows the header */
    size_t rows_line;
    size_t n_chunks;
    csv_chunk *chunks;
    csv_column *columns; /* [n_chunks, n_columns] */
} csv_reader;

/* ---- Errors of one record ---------------------------------------------------------------------------------------- */

static plethron_status quote_error(const csv_reader *reader, const csv_cell *cell, size_t record_line,
                                   const char *record, const char *at, plethron_error *err) {
    const char *path = reader->table->path, *line_begin = record;
    if (cell->is_never_closed)
        return error_set(err, PLETHRON_ERROR_FORMAT, "%s: line %zu: a quote is opened in this row and never closed",
                         path, record_line);
    for (const char *c = record; c < at; c++) {
        if (*c != '\n' && (*c != '\r' || c[1] == '\n')) continue;
        record_line++;
        line_begin = c + 1;
    }
    return error_set(err, PLETHRON_ERROR_FORMAT,
                     "%s: line %zu, byte %zu: a quote within a cell: quotes around the whole cell, and doubled within "
                     "it, were expected",
                     path, record_line, (size_t)(at - line_begin) + 1);
}

static plethron_status width_error(const csv_reader *reader, size_t n_cells, size_t line, plethron_error *err) {
    return error_set(err, PLETHRON_ERROR_FORMAT,
                     "%s: line %zu: %zu cells found, %zu expected, one for each name of the header",
                     reader->table->path, line, n_cells, reader->table->n_columns);
}

/* ---- The header -------------------------------------------------------------------------------------------------- */

/* The delimiter that stands most often outside of quotes in the line; a comma where there is none. */
static char find_delimiter(const char *at) {
    static const char delimiters[] = {',', '\t', ';'};
    size_t counts[sizeof delimiters] = {0}, best = 0;
    bool is_within_cell = false;
    for (; *at && (is_within_cell || !csv_is_line_end(*at)); at++) {
        is_within_cell ^= *at == '"';
        for (size_t d = 0; d < sizeof delimiters; d++) counts[d] += !is_within_cell && *at == delimiters[d];
    }
    for (size_t d = 1; d < sizeof delimiters; d++)
        if (counts[d] > counts[best]) best = d;
    return delimiters[best];
}

/* Moves *at over blank lines, to the begin of the next line. */
static void skip_blank_lines(const char **at, char delimiter, size_t *line) {
    for (;;) {
        const char *end = csv_skip_blanks(*at, delimiter);
        if (!csv_is_line_end(*end)) return;
        if (*end == '\0') {
            *at = end;
            return;
        }
        *at = csv_skip_line_end(end);
        ++*line;
    }
}

static plethron_status add_named_column(plethron_table *table, const csv_cell *cell, size_t line, plethron_error *err) {
    plethron_status status;
    void *name = NULL;
    if (cell->n == 0)
        TRY(error_set(err, PLETHRON_ERROR_FORMAT,
                      "%s: line %zu: column %zu has no name: a header line that names every column was expected",
                      table->path, line, table->n_columns + 1));
    TRY(memory_allocate(csv_cell_size(cell), 1, "a column's name", &name, err));
    csv_cell_copy(cell, name, csv_cell_size(cell));
    TRY(table_add_column(table, name, err));
out:
    free(name);
    return status;
}

static plethron_status check_names(plethron_table *table, size_t line, plethron_error *err) {
    char shown[FILE_SHOWN_SIZE];
    const plethron_status status = table_sort_names(table, err);
    if (status != PLETHRON_OK) return status;
    for (size_t c = 1; c < table->n_columns; c++) {
        const char *name = table->by_name[c]->name;
        if (strcmp(table->by_name[c - 1]->name, name) == 0)
            return error_set(err, PLETHRON_ERROR_FORMAT,
                             "%s: line %zu: the column name '%s' stands there twice: distinct names were expected",
                             table->path, line, file_show(name, shown));
    }
    return PLETHRON_OK;
}

static plethron_status read_header(csv_reader *reader, plethron_error *err) {
    plethron_status status;
    plethron_table *table = reader->table;
    const char *at = reader->begin;
    csv_cell cell;
    size_t line = 1;
    skip_blank_lines(&at, ',', &line);
    const char *record = at;
    if (*at == '\0')
        TRY(error_set(err, PLETHRON_ERROR_FORMAT, "%s: only blank lines: a header line of column names was expected",
                      table->path));
    reader->delimiter = find_delimiter(at);
    size_t n_line_ends = 0;
    for (bool is_last = false; !is_last; at += !is_last) {
        if (!csv_cell_scan(&at, reader->delimiter, &cell)) TRY(quote_error(reader, &cell, line, record, at, err));
        TRY(add_named_column(table, &cell, line, err));
        n_line_ends += cell.n_line_ends;
        is_last = csv_is_line_end(*at);
    }
    TRY(check_names(table, line, err));
    if (*at != '\0') at = csv_skip_line_end(at);
    reader->rows = at;
    reader->rows_line = line + n_line_ends + 1 + table->n_lines_before;
out:
    return status;
}

/* ---- A chunk's numbers ------------------------------------------------------------------------------------------- */

static void note(csv_column *column, int what, number_kind kind, const csv_chunk *chunk, size_t line,
                 const csv_cell *cell) {
    if (column->exists[what]) return;
    column->exists[what] = true;
    column->notes[what] = (csv_note){kind, chunk->n_rows, line, *cell};
}

/* The value of any cell; notes what is no number. */
static float take_cell(csv_column *column, const csv_chunk *chunk, size_t line, const csv_cell *cell) {
    number got;
    const number_kind kind = cell->n_doubled ? NUMBER_TEXT : number_read(cell->text, cell->n, &got);
    if (kind == NUMBER_FINITE) {
        if (got.is_rounded) note(column, CELL_ROUNDED, kind, chunk, line, cell);
        return got.value;
    }
    note(column, CELL_NO_NUMBER, kind, chunk, line, cell);
    if (kind == NUMBER_MISSING) note(column, CELL_MISSING, kind, chunk, line, cell);
    if (kind == NUMBER_TEXT) column->is_text = true;
    return NAN;
}

/* Reads a plain number of which there is nothing new to note, the usual cell, and moves *at to what ends it. False for
 * any other cell. */
static bool take_plain(const char **at, char delimiter, const csv_column *column, float *value) {
    number got;
    const char *end = number_scan(csv_skip_blanks(*at, delimiter), &got);
    if (!end || (got.is_rounded && !column->exists[CELL_ROUNDED]) || !(fabsf(got.value) < INFINITY)) return false;
    end = csv_skip_blanks(end, delimiter);
    if (*end != delimiter && !csv_is_line_end(*end)) return false;
    *value = got.value;
    *at = end;
    return true;
}

/* Reads the record at *at, which moves behind it, as the chunk's next row. */
static plethron_status read_record(const csv_reader *reader, csv_chunk *chunk, const char **at, size_t *line) {
    const size_t n_columns = reader->table->n_columns, record_line = *line;
    /* A record that begins where no whole one has room any more is only counted: it is too short. */
    const size_t n_kept = chunk->n_rows < chunk->max_rows ? n_columns : 0;
    float *row = chunk->values + chunk->n_rows * n_columns;
    const char *record = *at;
    size_t n_cells = 0;
    for (bool is_last = false; !is_last; *at += !is_last, n_cells++) {
        const bool is_kept = n_cells < n_kept;
        if (!is_kept || !take_plain(at, reader->delimiter, &chunk->columns[n_cells], &row[n_cells])) {
            csv_cell cell;
            if (!csv_cell_scan(at, reader->delimiter, &cell))
                return quote_error(reader, &cell, record_line, record, *at, &chunk->err);
            if (is_kept) row[n_cells] = take_cell(&chunk->columns[n_cells], chunk, record_line, &cell);
            *line += cell.n_line_ends;
        }
        is_last = csv_is_line_end(**at);
    }
    if (n_cells != n_columns) return width_error(reader, n_cells, record_line, &chunk->err);
    if (**at != '\0') *at = csv_skip_line_end(*at);
    ++*line;
    chunk->n_rows++;
    return PLETHRON_OK;
}

static plethron_status read_numbers(const csv_reader *reader, csv_chunk *chunk) {
    number_locale locale;
    plethron_status status = number_locale_enter(&locale, &chunk->err);
    if (status != PLETHRON_OK) return status;
    const char *at = chunk->span.begin;
    size_t line = chunk->span.line;
    while (status == PLETHRON_OK) {
        skip_blank_lines(&at, reader->delimiter, &line);
        if (at >= chunk->span.end) break;
        status = read_record(reader, chunk, &at, &line);
    }
    number_locale_leave(locale);
    return status;
}

/* ---- A chunk's texts --------------------------------------------------------------------------------------------- */

/* Visits the cells of the columns of text in a chunk that was read before. With `out` NULL it gives the bytes of all
 * of them, with a NUL each; else it writes them there and the table's cells point to them. */
static size_t visit_texts(const csv_reader *reader, const csv_chunk *chunk, char *out) {
    plethron_table *table = reader->table;
    const char *at = chunk->span.begin;
    size_t n_bytes = 0, ignored = 0;
    for (size_t i = 0; i < chunk->n_rows; i++) {
        skip_blank_lines(&at, reader->delimiter, &ignored);
        for (size_t c = 0; c < table->n_columns; c++) {
            csv_cell cell;
            csv_cell_scan(&at, reader->delimiter, &cell);
            if (c + 1 < table->n_columns) at++;
            if (!table->columns[c].cells) continue;
            if (out) {
                table->columns[c].cells[chunk->first_row + i] = out + n_bytes;
                csv_cell_copy(&cell, out + n_bytes, csv_cell_size(&cell));
            }
            n_bytes += csv_cell_size(&cell);
        }
        if (*at != '\0') at = csv_skip_line_end(at);
    }
    return n_bytes;
}

static plethron_status read_texts(const csv_reader *reader, csv_chunk *chunk, char **texts) {
    void *memory = NULL;
    const plethron_status status =
        memory_allocate_unset(visit_texts(reader, chunk, NULL), 1, "columns of text", &memory, &chunk->err);
    if (status != PLETHRON_OK) return status;
    *texts = memory;
    visit_texts(reader, chunk, *texts);
    return PLETHRON_OK;
}

/* ---- All chunks -------------------------------------------------------------------------------------------------- */

/* Cuts the text into chunks and gives each its room in the table. */
static plethron_status plan_chunks(csv_reader *reader, size_t chunk_bytes, plethron_error *err) {
    /* So that what the chunks note of the columns takes less than the text. */
    enum { MIN_CHUNK_BYTES_A_COLUMN = 2 * sizeof(csv_column) };
    plethron_status status;
    plethron_table *table = reader->table;
    const size_t n_columns = table->n_columns, min_bytes = MIN_CHUNK_BYTES_A_COLUMN * n_columns;
    csv_span spans[CSV_MAX_CHUNKS];
    void *memory = NULL;
    reader->n_chunks = csv_split(reader->rows, reader->end, reader->rows_line,
                                 chunk_bytes > min_bytes ? chunk_bytes : min_bytes, spans);
    TRY(memory_allocate(reader->n_chunks, sizeof *reader->chunks, "chunks", &memory, err));
    reader->chunks = memory;
    TRY(memory_allocate(reader->n_chunks * n_columns, sizeof *reader->columns, "columns", &memory, err));
    reader->columns = memory;
    size_t n_rows = 0;
    for (size_t i = 0; i < reader->n_chunks; i++) {
        csv_chunk *chunk = &reader->chunks[i];
        chunk->span = spans[i];
        chunk->columns = reader->columns + i * n_columns;
        /* A whole record has a delimiter or line end, or the text's end, behind each cell. */
        chunk->max_rows = size_smaller(spans[i].n_lines, ((size_t)(spans[i].end - spans[i].begin) + 1) / n_columns);
        chunk->first_row = n_rows;
        n_rows += chunk->max_rows;
    }
    TRY(table_make_values(table, n_rows, err));
    for (size_t i = 0; i < reader->n_chunks; i++)
        reader->chunks[i].values = table->values + reader->chunks[i].first_row * n_columns;
out:
    return status;
}

/* The error of the first chunk that has one: what reading from the top would have met. */
static plethron_status first_error(const csv_reader *reader, plethron_error *err) {
    for (size_t i = 0; i < reader->n_chunks; i++) {
        const csv_chunk *chunk = &reader->chunks[i];
        if (chunk->status == PLETHRON_OK) continue;
        if (err) *err = chunk->err;
        return chunk->status;
    }
    return PLETHRON_OK;
}

static plethron_status read_all_numbers(csv_reader *reader, plethron_error *err) {
    const size_t n = reader->n_chunks;
#pragma omp parallel for schedule(dynamic, 1) if (n > 1)
    for (size_t i = 0; i < n; i++) reader->chunks[i].status = read_numbers(reader, &reader->chunks[i]);
    return first_error(reader, err);
}

/* Moves the chunks' rows together where there were fewer than lines. */
static void join_rows(csv_reader *reader) {
    plethron_table *table = reader->table;
    size_t n_rows = 0;
    for (size_t i = 0; i < reader->n_chunks; i++) {
        csv_chunk *chunk = &reader->chunks[i];
        chunk->first_row = n_rows;
        float *values = table->values + n_rows * table->n_columns;
        if (values != chunk->values && chunk->n_rows > 0)
            memmove(values, chunk->values, chunk->n_rows * table->n_columns * sizeof *values);
        n_rows += chunk->n_rows;
    }
    table->n_rows = n_rows;
}

static plethron_status join_note(const csv_chunk *chunk, const csv_note *from, table_cell **to, plethron_error *err) {
    char shown[FILE_SHOWN_SIZE + 1];
    if (*to) return PLETHRON_OK;
    const size_t n = csv_cell_copy(&from->cell, shown, sizeof shown);
    return table_note(to, from->kind, chunk->first_row + from->row, from->line, shown, n, err);
}

static plethron_status join_notes(const csv_reader *reader, plethron_error *err) {
    plethron_status status = PLETHRON_OK;
    for (size_t i = 0; i < reader->n_chunks; i++)
        for (size_t c = 0; c < reader->table->n_columns; c++) {
            const csv_chunk *chunk = &reader->chunks[i];
            const csv_column *from = &chunk->columns[c];
            table_column *to = &reader->table->columns[c];
            table_cell **const cells[N_CELL_KINDS] = {&to->no_number, &to->missing, &to->rounded};
            for (int what = 0; what < N_CELL_KINDS; what++)
                if (from->exists[what]) TRY(join_note(chunk, &from->notes[what], cells[what], err));
        }
out:
    return status;
}

/* Makes the cells of the columns that hold text; gives their number. */
static plethron_status make_cells(const csv_reader *reader, size_t *n_text_columns, plethron_error *err) {
    plethron_table *table = reader->table;
    *n_text_columns = 0;
    for (size_t c = 0; c < table->n_columns; c++) {
        bool is_text = table->text_column && strcmp(table->columns[c].name, table->text_column) == 0;
        for (size_t i = 0; i < reader->n_chunks; i++) is_text = is_text || reader->chunks[i].columns[c].is_text;
        if (!is_text) continue;
        void *cells = NULL;
        const plethron_status status =
            memory_allocate_unset(table->n_rows, sizeof(char *), "a column of text", &cells, err);
        if (status != PLETHRON_OK) return status;
        table->columns[c].cells = cells;
        ++*n_text_columns;
    }
    return PLETHRON_OK;
}

/* Keeps the texts of the columns that hold text. */
static plethron_status read_all_texts(csv_reader *reader, plethron_error *err) {
    plethron_status status;
    plethron_table *table = reader->table;
    void *memory = NULL;
    size_t n_text_columns;
    TRY(make_cells(reader, &n_text_columns, err));
    if (n_text_columns == 0) goto out;
    TRY(memory_allocate(reader->n_chunks, sizeof *table->texts, "columns of text", &memory, err));
    table->texts = memory;
    table->n_texts = reader->n_chunks;
    const size_t n = reader->n_chunks;
#pragma omp parallel for schedule(dynamic, 1) if (n > 1)
    for (size_t i = 0; i < n; i++) reader->chunks[i].status = read_texts(reader, &reader->chunks[i], &table->texts[i]);
    TRY(first_error(reader, err));
out:
    return status;
}

/* ---- The file ---------------------------------------------------------------------------------------------------- */

static plethron_status refuse_binary(const char *bytes, size_t n_bytes, const plethron_table *table,
                                     plethron_error *err) {
    const char *nul = csv_find_nul(bytes, n_bytes);
    if (!nul) return PLETHRON_OK;
    size_t line = 1;
    for (const char *at = bytes; at < nul; at++) line += *at == '\n' || (*at == '\r' && at[1] != '\n');
    return error_set(err, PLETHRON_ERROR_FORMAT,
                     "%s: line %zu: a NUL byte: the text of a CSV, or one of the other formats, was expected",
                     table->path, line);
}

plethron_status csv_read(const char *bytes, size_t n_bytes, size_t chunk_bytes, plethron_table *table,
                         plethron_error *err) {
    static const char byte_order_mark[] = "\xEF\xBB\xBF";
    const size_t mark_bytes = sizeof byte_order_mark - 1;
    plethron_status status;
    csv_reader reader = {.table = table, .begin = bytes, .end = bytes + n_bytes};
    TRY(refuse_binary(bytes, n_bytes, table, err));
    if (n_bytes >= mark_bytes && memcmp(bytes, byte_order_mark, mark_bytes) == 0) reader.begin += mark_bytes;
    TRY(read_header(&reader, err));
    TRY(plan_chunks(&reader, chunk_bytes, err));
    TRY(read_all_numbers(&reader, err));
    join_rows(&reader);
    if (table->n_rows == 0 && !table->is_part)
        TRY(error_set(err, PLETHRON_ERROR_FORMAT, "%s: no rows below the header: at least one was expected",
                      table->path));
    TRY(join_notes(&reader, err));
    TRY(read_all_texts(&reader, err));
out:
    free(reader.columns);
    free(reader.chunks);
    return status;
}
