/* From predictions to names: the column of each unit, and which class a row of predictions tells. */
#ifndef PLETHRON_CLI_LABELS_H
#define PLETHRON_CLI_LABELS_H

#include "cli.h"

/* Called for each block of rows in order; P [n_rows, n_units] begins at row `first_row`. */
typedef plethron_status (*block_visitor)(void *context, const float *P, size_t first_row, size_t n_rows,
                                         plethron_error *err);

/* Rows of features: dense ones [n_rows, n_features], or sparse ones. */
typedef struct feature_rows {
    const float *X; /* NULL where they are sparse */
    plethron_sparse sparse;
    size_t n_rows;
} feature_rows;

/* Some rows of many, copied. */
typedef struct feature_copy {
    feature_rows rows;
    void *memory[3];
} feature_copy;
plethron_status feature_copy_make(const feature_rows *from, size_t n_features, const size_t *rows, size_t n_rows,
                                  feature_copy *out, plethron_error *err);
void feature_copy_release(feature_copy *copy);

/* Predicts for rows in blocks, so that P never takes much memory. */
plethron_status predict_blocks(plethron_device *device, const plethron_bank *bank, const feature_rows *rows,
                               block_visitor visit, void *context, plethron_error *err);

/* One name a unit: its target's name or, of several classes, "target=label"; " #unit" follows where units share a name.
 * Release with unit_names_release. */
plethron_status unit_names_make(const plethron_bank *bank, char ***out, plethron_error *err);
void unit_names_release(char **names, size_t n_units);

enum { NO_UNIT = -1 };

/* The units that tell the classes of one target apart: exactly one a class, or one unit for two classes. */
typedef struct class_decision {
    size_t target;
    size_t n_classes;
    int64_t *units; /* [n_classes]; NO_UNIT for the other of two classes */
} class_decision;

/* Fails with an explanation when the target has no class labels, a class has no unit, or several units learn it. */
plethron_status decision_make(const plethron_bank *bank, size_t target, class_decision *out, plethron_error *err);
void decision_release(class_decision *decision);

/* False where one of the predictions p [n_units] that the decision needs is NaN. */
bool decision_known(const class_decision *decision, const float *p);

/* The class that a row of predictions p [n_units] tells: the likeliest, and with one unit its own from p = 0.5 on. */
size_t decision_pick(const class_decision *decision, const float *p);

#endif
