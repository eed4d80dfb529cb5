/* A case on a device of the library. */
#ifndef PLETHRON_CLI_BENCH_DEVICE_H
#define PLETHRON_CLI_BENCH_DEVICE_H

#include "bench_row.h"

/* Runs the case once, checks the result, and runs it several times more, unless it is long (bench_repeats). Fails where
 * the result is wrong: its time does not count. `selector` names the device in the row. A training that would take
 * longer than most_s is refused as unsupported, after a few of its epochs. */
plethron_status bench_device_measure(const bench_problem *problem, plethron_device *device, const char *selector,
                                     double most_s, bench_row *row, plethron_error *err);

/* Measures the device's ceilings, and keeps the better of these and those in `kept`, field by field. Before the first
 * time, `kept` has zeros for rates and NAN for times. */
plethron_status bench_device_ceilings(plethron_device *device, plethron_ceilings *kept, plethron_error *err);

/* Seconds from opening the device to the end of the first epoch, in a process of its own: cold with empty kernel
 * caches, warm with full ones. NAN where such a process fails. The case is named by --case or --shape (`option`) and
 * its value. */
void bench_device_starts(const char *option, const char *value, const char *selector, int64_t seed, double *cold_s,
                         double *warm_s);

/* That process's work; prints the seconds on stdout. Returns the exit code. */
int bench_start_main(const bench_case *shape, const char *selector, int64_t seed);

#endif
