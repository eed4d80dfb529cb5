/* Tables and sentences about a bank's units. */
#ifndef PLETHRON_CLI_REPORT_H
#define PLETHRON_CLI_REPORT_H

#include "cli.h"

extern const char *const loss_names[];      /* in the order of plethron_loss, NULL-ended */
extern const char *const reduction_names[]; /* in the order of plethron_reduction, NULL-ended */

/* "label     text" on stdout. */
void report_line(const char *label, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Prints a table of all units. */
void report_units(const plethron_bank *bank);

/* Prints a table of all units when they are few; else how many are in which state, and the best and the worst. */
void report_units_briefly(const plethron_bank *bank);

/* Says on stderr what the states that ask for the reader's attention mean, and what helps. */
void report_warnings(const plethron_bank *bank);

#endif
