#include "reader.h"

#include "csv.h"
#include "file.h"
#include "hdf5.h"
#include "npy.h"
#include "npz.h"
#include "safetensors_table.h"
#include "svmlight.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

enum {
    MAX_BLOCK_BYTES = 8 << 20, /* larger ones are read no faster, and leave the processor's cache */
    MIN_BLOCK_BYTES = 1 << 12,
    MEMORY_BLOCKS = 8 /* blocks in what may be taken: two of the file, and the values of a CSV, twice as large */
};

plethron_status reader_slot_reserve(const plethron_reader *reader, reader_slot *slot, size_t capacity, size_t n_kept,
                                    plethron_error *err) {
    void *memory = NULL;
    if (capacity <= slot->capacity) return PLETHRON_OK;
    const plethron_status status = memory_allocate_unset(capacity, 1, reader->path, &memory, err);
    if (status != PLETHRON_OK) return status;
    if (n_kept > 0) memcpy(memory, slot->bytes, n_kept);
    free(slot->bytes);
    slot->bytes = memory;
    slot->capacity = capacity;
    return PLETHRON_OK;
}

/* ---- Filling, by a thread ---------------------------------------------------------------------------------------- */

static void fill(plethron_reader *reader) {
    reader_slot *slot = &reader->slots[reader->filled];
    slot->is_last = false;
    slot->status =
        reader->is_array ? reader_fill_array(reader, slot, &slot->err) : reader_fill_text(reader, slot, &slot->err);
}

static void *fill_in_thread(void *context) {
    plethron_reader *reader = context;
    fill(reader);
    pthread_mutex_lock(&reader->mutex);
    reader->is_filled = true;
    pthread_cond_signal(&reader->condition);
    pthread_mutex_unlock(&reader->mutex);
    return NULL;
}

/* Where there is no thread to be had, the block is read here and now. */
static void start_filling(plethron_reader *reader) {
    reader->is_filled = false;
    reader->has_thread = pthread_create(&reader->thread, NULL, fill_in_thread, reader) == 0;
    if (!reader->has_thread) fill(reader);
}

static void join(plethron_reader *reader) {
    if (reader->has_thread) pthread_join(reader->thread, NULL);
    reader->has_thread = false;
}

/* Waits for the thread, and asks now and then whether to go on; false when not. */
static bool wait_until_filled(plethron_reader *reader) {
    static const long ask_every_ns = 100000000;
    bool goes_on = true;
    if (!reader->has_thread) return true;
    pthread_mutex_lock(&reader->mutex);
    while (!reader->is_filled && goes_on) {
        struct timespec until;
        clock_gettime(CLOCK_REALTIME, &until);
        until.tv_nsec += ask_every_ns;
        until.tv_sec += until.tv_nsec / 1000000000;
        until.tv_nsec %= 1000000000;
        if (pthread_cond_timedwait(&reader->condition, &reader->mutex, &until) == ETIMEDOUT && reader->on_wait)
            goes_on = reader->on_wait(reader->context);
    }
    pthread_mutex_unlock(&reader->mutex);
    if (goes_on) join(reader);
    return goes_on;
}

/* ---- Opening ----------------------------------------------------------------------------------------------------- */

static plethron_status open_whole(plethron_reader *reader, plethron_error *err) {
    reader->is_whole = true;
    return table_open(reader->path, reader->limit_bytes, reader->text_column, &reader->table, err);
}

/* The layout of an NPY whose header lies in the head; false for one that reading it whole will refuse, too. */
static bool find_layout(plethron_reader *reader, const char *head, size_t n) {
    plethron_error ignored;
    return npy_read_header(head, n, reader->path, &reader->array, &reader->data_start, &ignored) == PLETHRON_OK &&
           array_check(&reader->array, reader->n_file_bytes - reader->data_start, reader->path, &ignored) ==
               PLETHRON_OK;
}

/* All of the file in the slot. */
static plethron_status open_content(plethron_reader *reader, reader_slot *slot, plethron_error *err) {
    plethron_status status = PLETHRON_OK;
    while (!slot->is_last) {
        if (slot->n_bytes > reader->limit_bytes)
            TRY(error_set(err, PLETHRON_ERROR_MEMORY, "%s: holds %zu bytes or more: at most %zu are allowed",
                          reader->path, slot->n_bytes, reader->limit_bytes));
        TRY(reader_slot_reserve(reader, slot, 2 * slot->capacity, slot->n_bytes, err));
        TRY(reader_read_on(reader, slot, err));
    }
    reader->is_whole = true;
    TRY(table_open_content(reader->path, &slot->bytes, slot->n_bytes, reader->limit_bytes, reader->text_column,
                           &reader->table, err));
out:
    return status;
}

/* True for a text that may be a CSV: the begin of one is in the slot. */
static plethron_status recognise_csv(const reader_slot *slot, bool *is_csv, plethron_error *err) {
    const char *bytes = slot->bytes;
    const size_t n = slot->n_bytes;
    number_locale locale;
    const plethron_status status = number_locale_enter(&locale, err);
    if (status != PLETHRON_OK) return status;
    *is_csv = !npy_recognise(bytes, n) && !npz_recognise(bytes, n) && !hdf5_recognise(bytes, n) &&
              !safetensors_recognise(bytes, n) && !svmlight_recognise(bytes, n);
    number_locale_leave(locale);
    return PLETHRON_OK;
}

static plethron_status open_text(plethron_reader *reader, plethron_error *err) {
    plethron_status status;
    reader_slot *slot = &reader->slots[0];
    bool is_csv = false;
    TRY(reader_slot_reserve(reader, slot, reader->block_bytes + 1, 0, err));
    TRY(reader_read_on(reader, slot, err));
    if (!slot->is_last) TRY(recognise_csv(slot, &is_csv, err));
    if (is_csv) TRY(reader_open_text(reader, slot, err));
    if (!is_csv || slot->is_last) TRY(open_content(reader, slot, err));
out:
    return status;
}

/* A plain file that is longer than a block. */
static plethron_status open_long_file(plethron_reader *reader, plethron_error *err) {
    enum { HEAD_BYTES = 1 << 12 }; /* more than an NPY's header takes, of which numpy makes 128 bytes */
    char head[HEAD_BYTES];
    size_t n = 0;
    const plethron_status status = file_read_head(reader->path, head, sizeof head, &n, err);
    if (status != PLETHRON_OK) return status;
    if (npy_recognise(head, n) && find_layout(reader, head, n)) return reader_open_array(reader, err);
    if (npy_recognise(head, n) || npz_recognise(head, n) || hdf5_recognise(head, n) ||
        safetensors_recognise(head, reader->n_file_bytes))
        return open_whole(reader, err);
    return open_text(reader, err);
}

static plethron_status open_file(plethron_reader *reader, plethron_error *err) {
    struct stat info;
    bool is_plain = false;
    if (stat(reader->path, &info) != 0 && strcmp(reader->path, "-") != 0) return open_whole(reader, err);
    const plethron_status status = file_open(reader->path, &reader->fd, &reader->n_file_bytes, &is_plain, err);
    if (status != PLETHRON_OK) return status;
    if (!is_plain) return open_text(reader, err);
    if (reader->n_file_bytes <= reader->block_bytes) return open_whole(reader, err);
    (void)posix_fadvise(reader->fd, 0, 0, POSIX_FADV_SEQUENTIAL);
    return open_long_file(reader, err);
}

static size_t block_size(size_t memory_bytes) {
    const size_t n = memory_bytes / MEMORY_BLOCKS;
    return n < MIN_BLOCK_BYTES ? MIN_BLOCK_BYTES : n > MAX_BLOCK_BYTES ? MAX_BLOCK_BYTES : n;
}

static plethron_status make(const char *path, const plethron_reader_options *options, plethron_reader **out,
                            plethron_error *err) {
    plethron_status status;
    void *memory = NULL;
    TRY(memory_allocate(1, sizeof(plethron_reader), "a reader", &memory, err));
    plethron_reader *reader = memory;
    reader->fd = -1;
    reader->on_wait = options->on_wait;
    reader->context = options->context;
    reader->limit_bytes = options->memory_bytes ? options->memory_bytes / 2 : file_memory_limit();
    reader->block_bytes = block_size(options->memory_bytes ? options->memory_bytes : SIZE_MAX);
    pthread_mutex_init(&reader->mutex, NULL);
    pthread_cond_init(&reader->condition, NULL);
    TRY(memory_copy_text(path, &reader->path, err));
    if (options->text_column) TRY(memory_copy_text(options->text_column, &reader->text_column, err));
    *out = reader;
    memory = NULL;
out:
    plethron_reader_close(memory);
    return status;
}

plethron_status plethron_reader_open(const char *path, const plethron_reader_options *options, plethron_reader **out,
                                     plethron_error *err) {
    plethron_status status;
    plethron_reader_options known = {0};
    plethron_reader *reader = NULL;
    if (!path) return error_set(err, PLETHRON_ERROR_ARGUMENT, "the path of the file to read is NULL");
    if (options) {
        TRY(error_check_struct(options->struct_size, sizeof known, "plethron_reader_options", err));
        memcpy(&known, options, options->struct_size);
    }
    TRY(make(path, &known, &reader, err));
    TRY(open_file(reader, err));
    if (!reader->is_whole) start_filling(reader);
    *out = reader;
    reader = NULL;
out:
    plethron_reader_close(reader);
    return status;
}

void plethron_reader_close(plethron_reader *reader) {
    if (!reader) return;
    atomic_store(&reader->must_stop, true);
    join(reader);
    for (int i = 0; i < READER_N_SLOTS; i++) {
        free(reader->slots[i].bytes);
        file_unmap(&reader->slots[i].mapping);
    }
    free(reader->header);
    free(reader->rest);
    plethron_table_close(reader->table);
    if (reader->fd >= 0) file_close(reader->fd);
    pthread_cond_destroy(&reader->condition);
    pthread_mutex_destroy(&reader->mutex);
    free(reader->text_column);
    free(reader->path);
    free(reader);
}

/* ---- Blocks ------------------------------------------------------------------------------------------------------ */

/* Takes what the thread has filled, and lets it fill the other slot meanwhile. */
static plethron_status take_next(plethron_reader *reader, plethron_error *err) {
    if (!wait_until_filled(reader))
        return error_set(err, PLETHRON_ERROR_INTERRUPTED, "%s: reading was stopped", reader->path);
    const reader_slot *slot = &reader->slots[reader->filled];
    if (slot->status != PLETHRON_OK) {
        if (err) *err = slot->err;
        return slot->status;
    }
    reader->filled = (reader->filled + 1) % READER_N_SLOTS;
    if (!slot->is_last) start_filling(reader);
    reader->is_over = slot->is_last;
    return reader->is_array ? reader_take_array(reader, slot, err) : reader_take_text(reader, slot, err);
}

plethron_status plethron_reader_next(plethron_reader *reader, const plethron_table **block, plethron_error *err) {
    plethron_status status = PLETHRON_OK;
    if (reader->is_whole) {
        *block = reader->is_over ? NULL : reader->table;
        reader->is_over = true;
        return PLETHRON_OK;
    }
    do {
        *block = NULL;
        if (reader->is_over) return PLETHRON_OK;
        TRY(take_next(reader, err));
        reader->n_rows += reader->table->n_rows;
    } while (reader->table->n_rows == 0);
    *block = reader->table;
out:
    return status;
}

void plethron_reader_bytes(const plethron_reader *reader, uint64_t *n_read, uint64_t *n_all) {
    *n_read = atomic_load(&reader->n_bytes_read);
    *n_all = reader->n_file_bytes;
}
