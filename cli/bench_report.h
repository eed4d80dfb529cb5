/* The report of plethron bench: one page of HTML with its pictures inside, for light and dark screens. */
#ifndef PLETHRON_CLI_BENCH_REPORT_H
#define PLETHRON_CLI_BENCH_REPORT_H

#include "bench_document.h"
#include "picture.h"

/* Without gnuplot the page has no pictures, and says so. */
plethron_status bench_report_write(const json_t *document, const char *path, plethron_error *err);

/* The pictures (bench_picture.c), as inline SVG. Each leaves out what has no numbers. */

/* Bars of one case, the longest first; rates in GFLOP/s, or seconds where no row has a rate. */
plethron_status bench_picture_bars(FILE *page, const json_t *document, const char *name, plethron_error *err);

/* Flops a byte against GFLOP/s of the device's rows, under its roof. */
plethron_status bench_picture_roofline(FILE *page, const json_t *document, const json_t *device, plethron_error *err);

/* Seconds from end to end over the size that the names of the rows end in: "units-16". A line a device. */
plethron_status bench_picture_curve(FILE *page, const json_t *rows, const char *prefix, const char *axis,
                                    plethron_error *err);

/* Writes a picture of its own, which was begun: the part of its ceiling that each row of a device reaches, for as many
 * rows as bench_picture_n_ceilings says. */
plethron_status bench_picture_ceilings(const json_t *document, picture *out, plethron_error *err);
size_t bench_picture_n_ceilings(const json_t *document);
/* Pixels that so many bars need, without a title. */
int bench_picture_height(size_t n_bars);

/* The number behind the prefix of a row's name, and its seconds from end to end; false for other rows, and for those of
 * other devices where `device` is not NULL. */
bool bench_curve_point(const json_t *row, const char *prefix, const char *device, double *size, double *seconds);

/* True for rows of the document's own devices, not of baselines and peers. */
bool bench_is_device(const json_t *document, const json_t *row);

#endif
