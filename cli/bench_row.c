#define _POSIX_C_SOURCE 200809L

#include "bench_row.h"

#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

const bench_seconds bench_unmeasured = {NAN, NAN, NAN};
const char *const bench_bound_names[] = {
    [BENCH_BOUND_FMA] = "fma", [BENCH_BOUND_READ] = "read", [BENCH_BOUND_LATENCY] = "latency"};

static int compare(const void *a, const void *b) {
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

int bench_repeats(double took_s) {
    static const double enough_s = 1.0, long_s = 4.0;
    if (took_s > long_s) return 1;
    return (int)fmax(3.0, fmin(BENCH_REPEATS, ceil(enough_s / took_s)));
}

bench_seconds bench_summary(double *values, size_t count) {
    qsort(values, count, sizeof *values, compare);
    const double median = count % 2 ? values[count / 2] : 0.5 * (values[count / 2 - 1] + values[count / 2]);
    return (bench_seconds){median, values[0], values[count - 1]};
}

static bench_case ran(const bench_row *row) {
    bench_case shape = *row->shape;
    shape.n_units = row->n_units;
    shape.epochs = row->epochs;
    shape.storage = row->storage;
    return shape;
}

double bench_row_flops(const bench_row *row) {
    const bench_case shape = ran(row);
    return bench_flops(&shape);
}

double bench_row_bytes(const bench_row *row) {
    const bench_case shape = ran(row);
    return bench_bytes(&shape);
}

const bench_seconds *bench_row_time(const bench_row *row) {
    return isnan(row->device_time.median) ? &row->end_to_end : &row->device_time;
}

/* X of less than this may stay in a cache, so that memory is no bound. */
static const double cached_bytes = 16 << 20;
/* An epoch of fewer flops than this ends before the next one's start is felt: what counts is how fast one follows the
 * other. */
static const double latency_flops = 1e5;

bench_bound bench_row_bound(const bench_row *row, const plethron_ceilings *ceilings, double *fraction) {
    const bench_case shape = ran(row);
    const double epochs = shape.kind == BENCH_TRAIN ? (double)shape.epochs : 1.0;
    const double fma_s = bench_flops(&shape) / ceilings->fma_flops_per_s;
    double read_s = bench_bytes(&shape) / ceilings->read_bytes_per_s;
    if (bench_bytes(&shape) / epochs < cached_bytes) read_s = 0.0;
    *fraction = NAN;
    if (bench_flops(&shape) / epochs < latency_flops) return BENCH_BOUND_LATENCY;
    *fraction = (fma_s > read_s ? fma_s : read_s) / bench_row_time(row)->median;
    return fma_s > read_s ? BENCH_BOUND_FMA : BENCH_BOUND_READ;
}

/* ---- Progress ---------------------------------------------------------------------------------------------------- */

static const double plain_line_every_s = 2.0;

static bool is_terminal(void) {
    return isatty(STDERR_FILENO);
}

void bench_step(const char *format, ...) {
    static double last_s;
    const double now_s = bench_clock_s();
    if (!is_terminal() && last_s > 0.0 && now_s - last_s < plain_line_every_s) return;
    last_s = now_s;
    va_list arguments;
    va_start(arguments, format);
    if (is_terminal()) fputc('\r', stderr);
    fputs("bench: ", stderr);
    vfprintf(stderr, format, arguments);
    fputs(is_terminal() ? "\033[K" : "\n", stderr);
    fflush(stderr);
    va_end(arguments);
}

void bench_step_erase(void) {
    if (is_terminal()) fputs("\r\033[K", stderr);
}

double bench_clock_s(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}
