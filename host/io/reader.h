/* A file's rows, block after block. reader.c knows when a file is read so and has a thread read the next block while
 * the caller works on one; reader_array.c and reader_text.c know their formats. */
#ifndef PLETHRON_IO_READER_H
#define PLETHRON_IO_READER_H

#include "array.h"
#include "file.h"

#include <pthread.h>
#include <stdatomic.h>

/* A block as it lies in the file; filled by one thread, then taken by another. */
typedef struct reader_slot {
    char *bytes;
    size_t capacity;
    size_t n_bytes;       /* of a text, with the header before the rows; a NUL stands behind them */
    size_t n_lines;       /* of a text, behind its header */
    size_t n_rows;        /* of an array */
    file_mapping mapping; /* of an array, which then does not lie in bytes */
    bool is_last;
    plethron_status status;
    plethron_error err;
} reader_slot;

enum { READER_N_SLOTS = 2 };

struct plethron_reader {
    char *path;
    char *text_column; /* or NULL */
    bool (*on_wait)(void *context);
    void *context;
    size_t limit_bytes; /* of a table */
    size_t block_bytes;
    int fd;
    size_t n_file_bytes;        /* 0 for a pipe */
    atomic_size_t n_bytes_read; /* of the file */
    plethron_table *table;      /* the block that the caller has */
    bool is_whole;              /* it is all there is, read at once */
    bool is_over;               /* the caller has the last block */
    size_t n_rows;              /* given so far */
    size_t n_lines;             /* of a text's rows, likewise */

    reader_slot slots[READER_N_SLOTS];
    int filled;      /* the slot that is or will be filled next */
    bool has_thread; /* that fills it */
    pthread_t thread;
    pthread_mutex_t mutex;
    pthread_cond_t condition;
    bool is_filled; /* guarded by the mutex */
    atomic_bool must_stop;

    bool is_array;
    array_layout array; /* of the file */
    size_t data_start;
    size_t next_row, block_rows;

    char *header; /* of a text, up to its rows */
    size_t header_bytes;
    char *rest; /* what was read behind the last whole record */
    size_t rest_bytes;
};

/* Fill the slot with what comes next. On any thread. */
plethron_status reader_fill_array(plethron_reader *reader, reader_slot *slot, plethron_error *err);
plethron_status reader_fill_text(plethron_reader *reader, reader_slot *slot, plethron_error *err);

/* Make reader->table of a filled slot. */
plethron_status reader_take_array(plethron_reader *reader, const reader_slot *slot, plethron_error *err);
plethron_status reader_take_text(plethron_reader *reader, const reader_slot *slot, plethron_error *err);

/* Prepares reading an array, whose layout was checked. */
plethron_status reader_open_array(plethron_reader *reader, plethron_error *err);
/* Reads on in a file or pipe until the slot is full but for a NUL, or to the end, where the slot is the last. */
plethron_status reader_read_on(plethron_reader *reader, reader_slot *slot, plethron_error *err);
/* Prepares reading a CSV whose begin is in the slot: keeps the header, and what is behind it for the first block. The
 * slot is the last where all of the file came into it. */
plethron_status reader_open_text(plethron_reader *reader, reader_slot *slot, plethron_error *err);

/* Gives the slot at least so many bytes, and keeps the first n_kept. */
plethron_status reader_slot_reserve(const plethron_reader *reader, reader_slot *slot, size_t capacity, size_t n_kept,
                                    plethron_error *err);

#endif
