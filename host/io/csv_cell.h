/* The cells of a CSV's text, one after another. */
#ifndef PLETHRON_IO_CSV_CELL_H
#define PLETHRON_IO_CSV_CELL_H

#include "../status.h"

/* A cell's text in the file: without the blanks and quotes around it, quotes within still doubled. */
typedef struct csv_cell {
    const char *text;
    size_t n;
    size_t n_doubled;     /* doubled quotes within */
    size_t n_line_ends;   /* within */
    bool is_never_closed; /* of a cell that csv_cell_scan refuses: its quote is never closed */
} csv_cell;

/* What ends a line in the text: LF, CR LF or CR; NUL, which ends the text, included. */
static inline bool csv_is_line_end(char c) {
    return c == '\n' || c == '\r' || c == '\0';
}

/* A space, or a tab where that is not the delimiter. */
static inline const char *csv_skip_blanks(const char *at, char delimiter) {
    while (*at == ' ' || (*at == '\t' && delimiter != '\t')) at++;
    return at;
}

/* What follows the line end at `at`, which is no NUL. */
static inline const char *csv_skip_line_end(const char *at) {
    return *at == '\r' && at[1] == '\n' ? at + 2 : at + 1;
}

/* Reads the cell that begins at *at, and moves *at to the delimiter or line end behind it. False where quotes stand
 * otherwise than around the whole cell and doubled within: *at is then the place, and is_never_closed says which. */
bool csv_cell_scan(const char **at, char delimiter, csv_cell *out);

/* Writes the cell, cut to size - 1 bytes, and a NUL. Gives the bytes before the NUL. */
size_t csv_cell_copy(const csv_cell *cell, char *out, size_t size);

/* The bytes that csv_cell_copy needs for the whole. */
static inline size_t csv_cell_size(const csv_cell *cell) {
    return cell->n - cell->n_doubled + 1;
}

#endif
