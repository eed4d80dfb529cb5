/* Reading whole files, and naming them in errors. */
#ifndef PLETHRON_IO_FILE_H
#define PLETHRON_IO_FILE_H

#include "../status.h"

/* What a reader may allocate for a file's content, and again for what it makes of it: half of this machine's memory. */
size_t file_memory_limit(void);

/* Reads a plain file or a pipe to its end; "-" is standard input. `bytes` is for free, aligned to 64 bytes; *n_bytes of
 * it are the file's, and behind them stands a NUL. PLETHRON_ERROR_MEMORY when there is more than limit_bytes.
 * The file is read, not mapped: one that another process truncates meanwhile gives a short read, not a signal. */
plethron_status file_read(const char *path, size_t limit_bytes, char **bytes, size_t *n_bytes, plethron_error *err);

/* Reads the first bytes of a plain file, at most `size`; gives 0 bytes of what is no plain file. */
plethron_status file_read_head(const char *path, void *head, size_t size, size_t *n_bytes, plethron_error *err);

/* Opens a plain file or a pipe for reading; "-" is standard input. Gives its length, 0 for a pipe; and whether it is a
 * plain file that was opened here, in which one can read at any place. */
plethron_status file_open(const char *path, int *fd, size_t *n_bytes, bool *is_plain, plethron_error *err);
void file_close(int fd);

/* Reads n bytes from a place in a plain file; false where there are not so many, or they cannot be read. */
bool file_read_at(int fd, char *bytes, size_t n, size_t at);

/* A part of a file in memory, as long as it is mapped; all NULL and 0 where nothing is. */
typedef struct file_mapping {
    char *bytes;  /* of the file, from the place asked for on */
    void *memory; /* what is mapped: from a page's begin on */
    size_t n_memory_bytes;
} file_mapping;

/* Maps n bytes of a plain file that has them, and has the system begin to read them. They may be written to, which
 * changes the mapping alone. False where the system cannot. Unlike reading, use ends in the signal SIGBUS where another
 * process truncates the file before it is unmapped. */
bool file_map(int fd, size_t n, size_t at, file_mapping *out);
void file_unmap(file_mapping *mapping);

/* PLETHRON_ERROR_FILE with the path, what cannot be done ("be opened") and the reason of the system's error code. */
plethron_status file_error(const char *path, const char *action, int code, plethron_error *err);

enum { FILE_SHOWN_SIZE = 64 };

/* Makes a text out of a file fit for an error beside others: cut to the buffer's size. Returns `shown`. */
const char *file_show(const char *text, char shown[FILE_SHOWN_SIZE]);

#endif
