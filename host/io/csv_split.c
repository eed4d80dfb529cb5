#include "csv_split.h"

#include <string.h>

const char *csv_find_nul(const char *bytes, size_t n) {
    enum { PIECE_BYTES = 1 << 20 };
    const size_t n_pieces = n / PIECE_BYTES + 1;
    bool has_nul = false;
#pragma omp parallel for reduction(|| : has_nul) if (n_pieces > 1)
    for (size_t i = 0; i < n_pieces; i++) {
        const size_t begin = i * PIECE_BYTES, n_piece = n - begin < PIECE_BYTES ? n - begin : PIECE_BYTES;
        has_nul = memchr(bytes + begin, '\0', n_piece) != NULL || has_nul;
    }
    return has_nul ? memchr(bytes, '\0', n) : NULL;
}

/* Counts by bytes, in runs that cannot overflow one, so that the compiler can use its widest vectors. */
csv_counts csv_count(const char *begin, const char *end) {
    enum { MAX_RUN = 255 };
    csv_counts counts = {0};
    for (const char *at = begin; at < end;) {
        const size_t rest = (size_t)(end - at), n = rest < MAX_RUN ? rest : MAX_RUN;
        unsigned char n_quotes = 0, n_line_ends = 0;
        for (size_t i = 0; i < n; i++) {
            n_quotes = (unsigned char)(n_quotes + (at[i] == '"'));
            n_line_ends = (unsigned char)(n_line_ends + ((at[i] == '\n') | ((at[i] == '\r') & (at[i + 1] != '\n'))));
        }
        counts.n_quotes += n_quotes;
        counts.n_line_ends += n_line_ends;
        at += n;
    }
    return counts;
}

const char *csv_next_record(const char *at, const char *end, bool is_within_cell, size_t *n_line_ends) {
    for (; at < end; at++) {
        is_within_cell ^= *at == '"';
        const bool ends_line = *at == '\n' || (*at == '\r' && at[1] != '\n');
        *n_line_ends += ends_line;
        if (ends_line && !is_within_cell) return at + 1;
    }
    return end;
}

const char *csv_last_record_end(const char *begin, const char *end, size_t n_quotes) {
    for (const char *at = end; at-- > begin;) {
        n_quotes -= *at == '"';
        const bool ends_line = *at == '\n' || (*at == '\r' && at + 1 < end && at[1] != '\n');
        if (ends_line && n_quotes % 2 == 0) return at + 1;
    }
    return NULL;
}

size_t csv_split(const char *begin, const char *end, size_t line, size_t chunk_bytes, csv_span spans[CSV_MAX_CHUNKS]) {
    const size_t n_bytes = (size_t)(end - begin), n_whole = chunk_bytes ? n_bytes / chunk_bytes : n_bytes;
    const size_t n = n_whole < 1 ? 1 : n_whole < CSV_MAX_CHUNKS ? n_whole : CSV_MAX_CHUNKS;
    const char *pieces[CSV_MAX_CHUNKS + 1]; /* of equal length */
    csv_counts counts[CSV_MAX_CHUNKS];
    for (size_t i = 0; i < n; i++) pieces[i] = begin + n_bytes / n * i;
    pieces[n] = end;
#pragma omp parallel for schedule(dynamic, 1) if (n > 1)
    for (size_t i = 0; i < n; i++) counts[i] = csv_count(pieces[i], pieces[i + 1]);

    size_t n_quotes = 0, n_line_ends = 0; /* before the piece */
    for (size_t i = 0; i < n; i++) {
        size_t n_skipped = 0;
        spans[i].begin = i == 0 ? begin : csv_next_record(pieces[i], end, n_quotes % 2 == 1, &n_skipped);
        spans[i].line = line + n_line_ends + n_skipped;
        n_quotes += counts[i].n_quotes;
        n_line_ends += counts[i].n_line_ends;
    }
    const bool is_last_line_open = end > begin && end[-1] != '\n' && end[-1] != '\r';
    for (size_t i = 0; i < n; i++) {
        spans[i].end = i + 1 < n ? spans[i + 1].begin : end;
        /* The open line may begin long before the last span, which is then empty. */
        const bool has_open_line = is_last_line_open && spans[i].begin < end && spans[i].end == end;
        spans[i].n_lines = (i + 1 < n ? spans[i + 1].line : line + n_line_ends) - spans[i].line + has_open_line;
    }
    return n;
}
