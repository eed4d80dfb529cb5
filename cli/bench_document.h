/* The document that plethron bench writes and reads: JSON, described in docs/benchmark.md. */
#ifndef PLETHRON_CLI_BENCH_DOCUMENT_H
#define PLETHRON_CLI_BENCH_DOCUMENT_H

#include "bench_row.h"

#include <jansson.h>

/* A document about this machine, without devices and rows; NULL without memory. Release with json_decref. */
json_t *bench_document_new(int64_t seed);

/* Each is false without memory. */
bool bench_document_add_device(json_t *document, const char *selector, const plethron_device_info *info,
                               const plethron_ceilings *ceilings);
bool bench_document_add_baseline(json_t *document, const char *name, const char *description);
/* `ceilings` are those of the device that ran the row; a baseline's are the host's. */
bool bench_document_add_row(json_t *document, const bench_row *row, const plethron_ceilings *ceilings);

/* Sets speedup_over of every row of the document: its rate over that of the host and of OpenBLAS in the same case. */
bool bench_document_compare_rows(json_t *document);

/* Reads a document; the error says what is missing. */
plethron_status bench_document_read(const char *path, json_t **out, plethron_error *err);
plethron_status bench_document_write(const json_t *document, const char *path, plethron_error *err);

/* Adds the rows of the document `other`, such as the peers', and the description of what made them. */
bool bench_document_merge(json_t *document, const json_t *other);

/* ---- Reading rows; a missing text is "", a missing number NAN ---------------------------------------------------- */

const char *bench_text(const json_t *object, const char *key);
double bench_number(const json_t *object, const char *key);
/* The median of the seconds that rates are taken of, and its spread. */
bench_seconds bench_row_seconds(const json_t *row);
/* True for rows of the same case, shape and epochs. */
bool bench_same_case(const json_t *a, const json_t *b);

/* Prints the table; and the ratios to an older document with what is outside of their noise. */
void bench_print_table(const json_t *document);
void bench_print_ratios(const json_t *document, const json_t *old, const char *old_name);

#endif
