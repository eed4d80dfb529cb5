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
    const size_t slot_bytes = reader->block_rows * array->n_columns * array->item_bytes;
    for (int i = 0; i < READER_N_SLOTS; i++) TRY(reader_slot_reserve(reader, &reader->slots[i], slot_bytes, 0, err));
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

plethron_status reader_fill_array(plethron_reader *reader, reader_slot *slot, plethron_error *err) {
    const array_layout *array = &reader->array;
    slot->n_rows = size_smaller(reader->block_rows, array->n_rows - reader->next_row);
    if (!read_rows(reader, slot->n_rows, slot->bytes))
        return error_set(err, PLETHRON_ERROR_FILE,
                         "%s: rows %zu to %zu cannot be read: the %zu rows that its header names were expected to stay",
                         reader->path, reader->next_row, reader->next_row + slot->n_rows - 1, array->n_rows);
    reader->next_row += slot->n_rows;
    slot->is_last = reader->next_row == array->n_rows;
    reader->n_bytes_read += slot->n_rows * array->n_columns * array->item_bytes;
    return PLETHRON_OK;
}

plethron_status reader_take_array(plethron_reader *reader, const reader_slot *slot, plethron_error *err) {
    array_layout block = reader->array;
    block.n_rows = slot->n_rows;
    reader->table->n_rows_before = reader->n_rows;
    return array_read_again(&block, slot->bytes, reader->table, err);
}
