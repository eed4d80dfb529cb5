/* Reading whole files, and naming them in errors. */
#ifndef PLETHRON_IO_FILE_H
#define PLETHRON_IO_FILE_H

#include "../status.h"

/* Reads a plain file or a pipe to its end. `bytes` is for free, aligned to 64 bytes, and *n_bytes of it are the file's.
 * The file is read, not mapped: one that another process truncates meanwhile gives a short read, not a signal. */
plethron_status file_read(const char *path, void **bytes, size_t *n_bytes, plethron_error *err);

/* PLETHRON_ERROR_FILE with the path, what cannot be done ("be opened") and the reason of the system's error code. */
plethron_status file_error(const char *path, const char *action, int code, plethron_error *err);

enum { FILE_SHOWN_SIZE = 64 };

/* Makes a text out of a file fit for an error beside others: cut to the buffer's size. Returns `shown`. */
const char *file_show(const char *text, char shown[FILE_SHOWN_SIZE]);

#endif
