/* A row of plethron bench: one case on one device or by one baseline. */
#ifndef PLETHRON_CLI_BENCH_ROW_H
#define PLETHRON_CLI_BENCH_ROW_H

#include "bench_cases.h"

enum { BENCH_REPEATS = 15, BENCH_NAME = 64, BENCH_TEXT = 256 };

/* Seconds of several repeats. */
typedef struct bench_seconds {
    double median, min, max; /* NAN: not measured */
} bench_seconds;

extern const bench_seconds bench_unmeasured;

/* How many runs of so many seconds are timed: a second's worth, which outlasts what others do on the machine, but three
 * to BENCH_REPEATS; of one that takes 4 s, the very run that was verified, so that all cases together take minutes. */
int bench_repeats(double took_s);

/* Sorts the values. */
bench_seconds bench_summary(double *values, size_t count);

typedef struct bench_row {
    const bench_case *shape;
    size_t n_units; /* what was run: less than the shape's for the slow baseline */
    int64_t epochs;
    plethron_storage storage; /* of X: baselines have floats */
    char device[BENCH_NAME];  /* the selector, or the baseline's name */
    char strategy[BENCH_NAME];
    char plan[BENCH_TEXT];
    int n_repeats;
    double cold_s, warm_s; /* NAN: not measured */
    bench_seconds upload, device_time, end_to_end;
    double error;
} bench_row;

/* Flops and bytes of what the row ran. */
double bench_row_flops(const bench_row *row);
double bench_row_bytes(const bench_row *row);

/* The time that rates are taken of: the device's own where it is known, else from end to end. */
const bench_seconds *bench_row_time(const bench_row *row);

typedef enum bench_bound { BENCH_BOUND_FMA, BENCH_BOUND_READ, BENCH_BOUND_LATENCY } bench_bound;
extern const char *const bench_bound_names[];

/* What bounds the row on a device of these ceilings, and the part of that ceiling which it reaches; NAN for latency. */
bench_bound bench_row_bound(const bench_row *row, const plethron_ceilings *ceilings, double *fraction);

/* Shows on stderr what is going on: on a terminal one line that is overwritten, else a line every few seconds. */
void bench_step(const char *format, ...) __attribute__((format(printf, 1, 2)));
void bench_step_erase(void);

/* Seconds of a monotonic clock. */
double bench_clock_s(void);

#endif
