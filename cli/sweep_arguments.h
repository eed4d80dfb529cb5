/* What plethron sweep was asked to do. */
#ifndef PLETHRON_CLI_SWEEP_ARGUMENTS_H
#define PLETHRON_CLI_SWEEP_ARGUMENTS_H

#include "bank_arguments.h"

typedef struct sweep_arguments {
    bank_arguments bank;
    const char *model; /* each of these may be NULL: not wanted */
    const char *table;
    const char *intervals;
    int64_t bootstrap; /* replicates of the best combination */
    int64_t level;     /* of the intervals, in percent */
    int64_t top;       /* combinations to print */
    bool dry_run;
} sweep_arguments;

/* Reads the command line into *a. CLI_GO_ON when there is work to do; else the program's exit code. */
int sweep_arguments_parse(int argc, char **argv, sweep_arguments *a);
void sweep_arguments_release(sweep_arguments *a);

#endif
