/* What this machine's cores can do at most, measured in the same run as the rows that are compared with it. */
#ifndef PLETHRON_BENCH_CEILING_H
#define PLETHRON_BENCH_CEILING_H

/* Single-precision fma rate of all cores in flops per second (an fma is two). */
double ceiling_fma_flops(void);

/* Read bandwidth of all cores from memory in bytes per second. */
double ceiling_read_bytes(void);

/* Seconds of a monotonic clock. */
double clock_s(void);

#endif
