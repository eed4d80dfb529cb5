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

typedef struct csv_counts {
    size_t n_quotes, n_line_ends;
} csv_counts;

/* Of the text before `end`, which may be read itself. */
csv_counts csv_count(const char *begin, const char *end);

/* Where the first record begins behind `at`; adds the line ends on the way. */
const char *csv_next_record(const char *at, const char *end, bool is_within_cell, size_t *n_line_ends);

/* The end of the last record of the text that is whole for certain: NULL where none is. The text begins with a record
 * and holds n_quotes quotes. */
const char *csv_last_record_end(const char *begin, const char *end, size_t n_quotes);

#endif
