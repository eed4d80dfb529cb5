#include "file.h"
#include "reader.h"

plethron_status reader_open_array(plethron_reader *reader, plethron_error *err) {
    plethron_status status;
    const array_layout *array = &reader->array;
    const size_t item_bytes = array->item_bytes > sizeof(float) ? array->item_bytes : sizeof(float);
    const size_t n_rows = reader->block_bytes / (array->n_columns * item_bytes);
    reader->is_array = true;
    reader->block_rows = size_smaller(n_rows ? n_rows : 1, array->n_rows);
    TRY(table_make(reader->path, reader->limit_bytes, &reader->table, err));
    TRY(table_add_numbered(reader->table, 0, array->n_columns, err));
    TRY(table_sort_names(reader->table, err));
out:
    return status;
}

/* Rows lie together, or each column's part of them does. */
static bool read_rows(const plethron_reader *reader, size_t n_rows, char *bytes) {
    const array_layout *array = &reader->array;
    const size_t n_runs = array->by_columns ? array->n_columns : 1;
    const size_t row_bytes = array->item_bytes * (array->by_columns ? 1 : array->n_columns);
    for (size_t i = 0; i < n_runs; i++) {
        const size_t at = reader->data_start + (i * array->n_rows + reader->next_row) * row_bytes;
        if (!file_read_at(reader->fd, bytes + i * n_rows * row_bytes, n_rows * row_bytes, at)) return false;
    }
    return true;
}

/* Rows that lie together, at places fit for floats, are mapped, which copies nothing. */
static bool map_rows(const plethron_reader *reader, reader_slot *slot, size_t n_bytes) {
    const array_layout *array = &reader->array;
    const size_t at = reader->data_start + reader->next_row * array->n_columns * array->item_bytes;
    return !array->by_columns && reader->data_start % sizeof(float) == 0 &&
           file_map(reader->fd, n_bytes, at, &slot->mapping);
}

static plethron_status load_rows(const plethron_reader *reader, reader_slot *slot, size_t n_bytes,
                                 plethron_error *err) {
    file_unmap(&slot->mapping);
    if (map_rows(reader, slot, n_bytes)) return PLETHRON_OK;
    const plethron_status status = reader_slot_reserve(reader, slot, n_bytes, 0, err);
    if (status != PLETHRON_OK || read_rows(reader, slot->n_rows, slot->bytes)) return status;
    return error_set(err, PLETHRON_ERROR_FILE,
                     "%s: rows %zu to %zu cannot be read: the %zu rows that its header names were expected to stay",
                     reader->path, reader->next_row, reader->next_row + slot->n_rows - 1, reader->array.n_rows);
}

plethron_status reader_fill_array(plethron_reader *reader, reader_slot *slot, plethron_error *err) {
    const array_layout *array = &reader->array;
    slot->n_rows = size_smaller(reader->block_rows, array->n_rows - reader->next_row);
    const size_t n_bytes = slot->n_rows * array->n_columns * array->item_bytes;
    const plethron_status status = load_rows(reader, slot, n_bytes, err);
    reader->next_row += slot->n_rows;
    slot->is_last = reader->next_row == array->n_rows;
    reader->n_bytes_read += n_bytes;
    return status;
}

plethron_status reader_take_array(plethron_reader *reader, const reader_slot *slot, plethron_error *err) {
    array_layout block = reader->array;
    block.n_rows = slot->n_rows;
    reader->table->n_rows_before = reader->n_rows;
    return array_read_again(&block, slot->mapping.bytes ? slot->mapping.bytes : slot->bytes, reader->table, err);
}
