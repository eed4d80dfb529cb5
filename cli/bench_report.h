/* The report of plethron bench: one page of HTML with its pictures inside, for light and dark screens. */
#ifndef PLETHRON_CLI_BENCH_REPORT_H
#define PLETHRON_CLI_BENCH_REPORT_H

#include "bench_document.h"

plethron_status bench_report_write(const json_t *document, const char *path, plethron_error *err);

/* The pictures (bench_picture.c), as inline SVG. Each leaves out what has no numbers. */

/* Bars of one case, the longest first; rates in GFLOP/s, or seconds where no row has a rate. */
void bench_picture_bars(FILE *page, const json_t *document, const char *name);

/* Flops a byte against GFLOP/s of the device's rows, under its roof. */
void bench_picture_roofline(FILE *page, const json_t *document, const json_t *device);

/* Seconds from end to end over the size that the names of the rows end in: "units-16". A line a device. */
void bench_picture_curve(FILE *page, const json_t *rows, const char *prefix, const char *axis);

/* True for rows of the document's own devices, not of baselines and peers. */
bool bench_is_device(const json_t *document, const json_t *row);

/* Text with what HTML takes for its own replaced. */
void bench_html(FILE *page, const char *text);

#endif
