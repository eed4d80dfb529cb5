/* From predictions to names: the column of each unit, and which class the likeliest unit tells. */
#ifndef PLETHRON_CLI_LABELS_H
#define PLETHRON_CLI_LABELS_H

#include "cli.h"

/* One name a unit: its target's name or, of several classes, "target=label"; " #unit" follows where units share a name.
 * Release with unit_names_release. */
plethron_status unit_names_make(const plethron_bank *bank, char ***out, plethron_error *err);
void unit_names_release(char **names, size_t n_units);

/* The units that tell the classes of one target apart: exactly one a class, or one unit for two classes. */
typedef struct class_decision {
    size_t target;
    size_t n_classes;
    size_t n_units;
    int32_t *units; /* [n_units], by class: a group of a plethron_top with needs_all */
} class_decision;

/* Fails with an explanation when the target has no class labels, a class has no unit, or several units learn it. */
plethron_status decision_make(const plethron_bank *bank, size_t target, class_decision *out, plethron_error *err);
void decision_release(class_decision *decision);

/* The class that the likeliest of a decision's units tells: its own, and of one unit for two classes the other below
 * p = 0.5. PLETHRON_NO_CLASS where there is no likeliest, PLETHRON_NONE. */
int64_t decision_class(const class_decision *decision, const plethron_bank *bank, int32_t unit, float p);

#endif
