/* Reader of CSV (RFC 4180) with a header line; cells are told apart by commas, tabs or semicolons. */
#ifndef PLETHRON_IO_CSV_H
#define PLETHRON_IO_CSV_H

#include "table.h"

/* The text is read by all cores, in chunks of at least so many bytes. */
enum { CSV_CHUNK_BYTES = 1 << 20 };

/* Fills the empty table; its path is named in errors. bytes[n_bytes] is a NUL. How the text is cut into chunks changes
 * nothing of the result. */
plethron_status csv_read(const char *bytes, size_t n_bytes, size_t chunk_bytes, plethron_table *table,
                         plethron_error *err);

#endif
