#include "csv_cell.h"

/* From behind the opening quote to behind the closing one; false where there is none. */
static bool scan_quoted(const char **at, csv_cell *out) {
    const char *end = *at;
    for (;; end++) {
        if (*end == '\0') return false;
        if (*end == '\n' || (*end == '\r' && end[1] != '\n')) out->n_line_ends++;
        if (*end != '"') continue;
        if (end[1] != '"') break;
        out->n_doubled++;
        end++;
    }
    out->text = *at;
    out->n = (size_t)(end - *at);
    *at = end + 1;
    return true;
}

static void scan_plain(const char **at, char delimiter, csv_cell *out) {
    const char *end = *at;
    while (*end != delimiter && *end != '"' && !csv_is_line_end(*end)) end++;
    out->text = *at;
    out->n = (size_t)(end - *at);
    while (out->n > 0 && (out->text[out->n - 1] == ' ' || out->text[out->n - 1] == '\t')) out->n--;
    *at = end;
}

bool csv_cell_scan(const char **at, char delimiter, csv_cell *out) {
    *out = (csv_cell){0};
    *at = csv_skip_blanks(*at, delimiter);
    if (**at == '"') {
        ++*at;
        if (!scan_quoted(at, out)) {
            out->is_never_closed = true;
            return false;
        }
        *at = csv_skip_blanks(*at, delimiter);
    } else
        scan_plain(at, delimiter, out);
    return **at == delimiter || csv_is_line_end(**at);
}

size_t csv_cell_copy(const csv_cell *cell, char *out, size_t size) {
    size_t n = 0;
    for (size_t i = 0; i < cell->n && n + 1 < size; i++) {
        out[n++] = cell->text[i];
        if (cell->n_doubled > 0 && cell->text[i] == '"') i++; /* within a quoted cell every quote stands twice */
    }
    out[n] = '\0';
    return n;
}
