/* Tables and sentences about a bank's units. */
#ifndef PLETHRON_CLI_REPORT_H
#define PLETHRON_CLI_REPORT_H

#include "cli.h"

extern const char *const loss_names[];      /* in the order of plethron_loss, NULL-ended */
extern const char *const reduction_names[]; /* in the order of plethron_reduction, NULL-ended */
extern const char *const optimizer_names[]; /* in the order of plethron_optimizer, NULL-ended */
extern const char *const schedule_names[];  /* in the order of plethron_schedule, NULL-ended */
extern const char *const state_names[];     /* in the order of plethron_unit_state */

/* "label     text" on stdout. */
void report_line(const char *label, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* A unit that exists. */
plethron_unit unit_get(const plethron_bank *bank, size_t j);

/* What a unit learns, as a table shows it: the names of its target and of its class ("-" for none). Return `text` or a
 * constant. */
const char *unit_target_text(const plethron_bank *bank, const plethron_unit *unit, char text[NAME_SHOWN]);
const char *unit_class_text(const plethron_bank *bank, const plethron_unit *unit, char text[NAME_SHOWN]);

/* Writes both as two CSV fields: whole, numbers where there are no names, and an empty class for none. */
void unit_write_names(FILE *stream, const plethron_bank *bank, const plethron_unit *unit);

/* Prints which losses occur in the bank, and its reduction. */
void report_losses(const plethron_bank *bank);

/* Prints what a training would take, without training: units, plan, memory, time. */
plethron_status report_plan(const plethron_dataset *dataset, const plethron_bank *bank,
                            const plethron_train_options *options, plethron_error *err);

/* Prints a table of all units. */
void report_units(const plethron_bank *bank);

/* Prints a table of all units when they are few; else how many are in which state, and the best and the worst. */
void report_units_briefly(const plethron_bank *bank);

/* Says on stderr what the states that ask for the reader's attention mean, and what helps. */
void report_warnings(const plethron_bank *bank);

#endif
