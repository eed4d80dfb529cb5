/* An OpenCL driver that computes nothing and records everything: which programs the library builds for a GPU, with
 * which options, and which of their kernels it launches with which group sizes. It stands in the place of the OpenCL
 * loader, so what is recorded is what a real driver would be given.
 *
 * It shows GPUs that differ in the largest work-group. A call or a property that the library newly uses must be added
 * in recording_driver.c; the linker, or a message on stderr, names it. */
#ifndef PLETHRON_RECORDING_DRIVER_H
#define PLETHRON_RECORDING_DRIVER_H

#include <stdbool.h>

enum { RECORDING_DEVICES = 2 };

/* From now on the distinct programs are written to folder/0.cl, folder/1.cl, ... and each launch that is the first of
 * its program, kernel and group size prints label <tab> kernel <tab> items of a group <tab> program's number <tab>
 * build options on stdout. Both texts stay borrowed. */
void recording_begin(const char *label, const char *folder);

/* True unless something could not be recorded. */
bool recording_whole(void);

#endif
