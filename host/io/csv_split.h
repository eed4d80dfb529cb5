/* Cuts the text of a CSV into chunks of whole records. */
#ifndef PLETHRON_IO_CSV_SPLIT_H
#define PLETHRON_IO_CSV_SPLIT_H

#include "../status.h"

/* The first NUL among the n bytes, or NULL. */
const char *csv_find_nul(const char *bytes, size_t n);

enum { CSV_MAX_CHUNKS = 64 };

typedef struct csv_span {
    const char *begin, *end;
    size_t line;    /* of its begin, counted from 1 */
    size_t n_lines; /* at least as many as it has records */
} csv_span;

/* Cuts the text, which begins with line `line`, into at most CSV_MAX_CHUNKS spans, none of them shorter than
 * chunk_bytes if it can be; some may be empty. Gives their number. `end` is a NUL, and the text has no other.
 * A quote opens or closes a cell, or is one of two within: so an odd number of quotes before a place means that it lies
 * within a cell. Where quotes stand elsewhere, the spans up to and with the first such place are right. */
size_t csv_split(const char *begin, const char *end, size_t line, size_t chunk_bytes, csv_span spans[CSV_MAX_CHUNKS]);

#endif
