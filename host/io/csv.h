/* Reader of CSV (RFC 4180) with a header line. libcsv splits the text into cells. */
#ifndef PLETHRON_IO_CSV_H
#define PLETHRON_IO_CSV_H

#include "table.h"

/* Fills the empty table; its path is named in errors. */
plethron_status csv_read(const char *bytes, size_t n_bytes, plethron_table *table, plethron_error *err);

#endif
