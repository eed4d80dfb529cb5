/* What a device can do at most; the public function with its effort given, for tests. */
#ifndef PLETHRON_CEILINGS_H
#define PLETHRON_CEILINGS_H

#include "device.h"

typedef struct ceilings_effort {
    double seconds;    /* one repeat of a rate takes at least so long */
    int n_repeats;     /* the best counts: a ceiling is what is possible */
    int n_launches;    /* of the batch, and of those waited for one by one */
    size_t read_bytes; /* memory that is read, if the device gives so much: beyond every cache */
    size_t copy_bytes;
} ceilings_effort;

plethron_status ceilings_measure(plethron_device *device, const ceilings_effort *effort, plethron_ceilings *out,
                                 plethron_error *err);

/* The same on this machine's cores (ceilings_host.c). */
plethron_status ceilings_measure_host(const ceilings_effort *effort, plethron_ceilings *out, plethron_error *err);

/* Seconds of a monotonic clock. */
double ceilings_clock_s(void);

#endif
