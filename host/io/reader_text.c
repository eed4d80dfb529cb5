#include "csv.h"
#include "csv_split.h"
#include "file.h"
#include "reader.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Waits until the file has something to read, or its end; false where the reader was closed meanwhile. */
static bool wait_for_bytes(const plethron_reader *reader) {
    enum { LOOK_EVERY_MS = 100 };
    struct pollfd waiting = {.fd = reader->fd, .events = POLLIN};
    while (!atomic_load(&reader->must_stop))
        if (poll(&waiting, 1, LOOK_EVERY_MS) != 0) return true;
    return false;
}

plethron_status reader_read_on(plethron_reader *reader, reader_slot *slot, plethron_error *err) {
    while (slot->n_bytes + 1 < slot->capacity && !slot->is_last) {
        if (!wait_for_bytes(reader))
            return error_set(err, PLETHRON_ERROR_INTERRUPTED, "%s: reading was stopped", reader->path);
        const ssize_t n = read(reader->fd, slot->bytes + slot->n_bytes, slot->capacity - slot->n_bytes - 1);
        if (n < 0 && errno != EINTR) return file_error(reader->path, "be read", errno, err);
        if (n < 0) continue;
        slot->is_last = n == 0;
        slot->n_bytes += (size_t)n;
        reader->n_bytes_read += (size_t)n;
    }
    slot->bytes[slot->n_bytes] = '\0';
    return PLETHRON_OK;
}

static plethron_status grow(const plethron_reader *reader, reader_slot *slot, plethron_error *err) {
    if (slot->capacity > reader->limit_bytes / 2)
        return error_set(err, PLETHRON_ERROR_MEMORY,
                         "%s: a row of more than %zu bytes, or a quote that is never closed: rows of at most half of "
                         "the %zu bytes that are allowed were expected",
                         reader->path, slot->n_bytes - reader->header_bytes, reader->limit_bytes);
    return reader_slot_reserve(reader, slot, 2 * slot->capacity, slot->n_bytes, err);
}

static plethron_status keep_rest(plethron_reader *reader, const char *bytes, size_t n, plethron_error *err) {
    void *memory = NULL;
    const plethron_status status = memory_allocate_unset(n, 1, reader->path, &memory, err);
    if (status != PLETHRON_OK) return status;
    memcpy(memory, bytes, n);
    free(reader->rest);
    reader->rest = memory;
    reader->rest_bytes = n;
    return PLETHRON_OK;
}

/* Cuts the slot behind its last whole record. */
static plethron_status cut(plethron_reader *reader, reader_slot *slot, const char *record_end, plethron_error *err) {
    const size_t n = (size_t)(record_end - slot->bytes);
    const plethron_status status = keep_rest(reader, record_end, slot->n_bytes - n, err);
    if (status != PLETHRON_OK) return status;
    slot->n_bytes = n;
    slot->bytes[n] = '\0';
    return PLETHRON_OK;
}

plethron_status reader_fill_text(plethron_reader *reader, reader_slot *slot, plethron_error *err) {
    plethron_status status;
    const size_t n_known = reader->header_bytes + reader->rest_bytes;
    const size_t n_wanted = n_known > reader->block_bytes ? n_known : reader->block_bytes;
    const char *record_end = NULL;
    TRY(reader_slot_reserve(reader, slot, n_wanted + 1, 0, err));
    if (reader->header_bytes) memcpy(slot->bytes, reader->header, reader->header_bytes);
    if (reader->rest_bytes) memcpy(slot->bytes + reader->header_bytes, reader->rest, reader->rest_bytes);
    slot->n_bytes = n_known;
    for (;;) {
        TRY(reader_read_on(reader, slot, err));
        const char *rows = slot->bytes + reader->header_bytes, *end = slot->bytes + slot->n_bytes;
        if (!slot->is_last) record_end = csv_last_record_end(rows, end, csv_count(rows, end).n_quotes);
        if (slot->is_last || record_end) break;
        TRY(grow(reader, slot, err));
    }
    slot->n_lines = csv_count(slot->bytes + reader->header_bytes, record_end ? record_end : slot->bytes + slot->n_bytes)
                        .n_line_ends;
    if (record_end) TRY(cut(reader, slot, record_end, err));
out:
    return status;
}

static bool is_blank(const char *begin, const char *end) {
    while (begin < end && strchr(" \t\r\n", *begin)) begin++;
    return begin == end;
}

/* The end of the header, the first line that is not blank; NULL where the text does not hold its end. */
static const char *find_rows(const char *begin, const char *end) {
    static const char byte_order_mark[] = "\xEF\xBB\xBF";
    const size_t mark_bytes = sizeof byte_order_mark - 1;
    const char *line = strncmp(begin, byte_order_mark, mark_bytes) == 0 ? begin + mark_bytes : begin;
    size_t n_lines = 0;
    for (const char *next; (next = csv_next_record(line, end, false, &n_lines)) < end; line = next)
        if (!is_blank(line, next)) return next;
    return NULL;
}

plethron_status reader_open_text(plethron_reader *reader, reader_slot *slot, plethron_error *err) {
    plethron_status status;
    void *memory = NULL;
    const char *rows;
    while (!(rows = find_rows(slot->bytes, slot->bytes + slot->n_bytes))) {
        TRY(grow(reader, slot, err));
        TRY(reader_read_on(reader, slot, err));
        if (slot->is_last) return PLETHRON_OK;
    }
    const size_t n = (size_t)(rows - slot->bytes);
    TRY(memory_allocate_unset(n, 1, reader->path, &memory, err));
    memcpy(memory, slot->bytes, n);
    reader->header = memory;
    reader->header_bytes = n;
    TRY(keep_rest(reader, rows, slot->n_bytes - n, err));
out:
    return status;
}

plethron_status reader_take_text(plethron_reader *reader, const reader_slot *slot, plethron_error *err) {
    plethron_status status;
    plethron_table_close(reader->table);
    reader->table = NULL;
    /* The block bounds its values; their room is reckoned by lines, which cells may hold, too. */
    TRY(table_make(reader->path, file_memory_limit(), &reader->table, err));
    reader->table->is_part = true;
    reader->table->text_column = reader->text_column;
    reader->table->n_rows_before = reader->n_rows;
    reader->table->n_lines_before = reader->n_lines;
    TRY(csv_read(slot->bytes, slot->n_bytes, CSV_CHUNK_BYTES, reader->table, err));
    reader->n_lines += slot->n_lines;
    if (slot->is_last && reader->n_rows + reader->table->n_rows == 0)
        TRY(error_set(err, PLETHRON_ERROR_FORMAT, "%s: no rows below the header: at least one was expected",
                      reader->path));
out:
    return status;
}
