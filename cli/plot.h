/* What plethron plot draws: each kind writes the script of its picture. */
#ifndef PLETHRON_CLI_PLOT_H
#define PLETHRON_CLI_PLOT_H

#include "picture.h"

typedef struct plot_arguments {
    const char *file, *data, *output;
    int64_t kind;   /* a plot_kind, or -1: known by the file's content */
    int64_t *units; /* [n_units] of --unit */
    size_t n_units;
    const char *measure;   /* column of a sweep's table */
    int64_t top;           /* intervals to draw at most */
    int64_t width, height; /* 0: as the kind has it */
    int64_t theme;
    const char *title; /* NULL: as the kind has it */
} plot_arguments;

/* Takes size and title of the arguments or, where they have none, these; then begins the picture. */
plethron_status plot_begin(const plot_arguments *a, int width, int height, const char *title, picture *out,
                           plethron_error *err);

/* Error and loss over the epochs, from what 'train --history' writes (plot_history.c). */
plethron_status plot_history(const plot_arguments *a, const plethron_table *table, picture *out, plethron_error *err);

/* A measure of a sweep over lr and l2, from what 'sweep --table' writes (plot_sweep.c). */
plethron_status plot_sweep(const plot_arguments *a, const plethron_table *table, picture *out, plethron_error *err);

/* Bootstrap intervals of weights, from what 'sweep --intervals' writes (plot_intervals.c). */
plethron_status plot_intervals(const plot_arguments *a, const plethron_table *table, picture *out, plethron_error *err);

/* A unit's sigmoid with the rows of a table on it; and the ROC curves of units (plot_model.c). */
plethron_status plot_sigmoid(const plot_arguments *a, const plethron_bank *bank, picture *out, plethron_error *err);
plethron_status plot_roc(const plot_arguments *a, const plethron_bank *bank, picture *out, plethron_error *err);

/* ---- Columns (plot_columns.c) ------------------------------------------------------------------------------------ */

/* The column of that name as numbers [n_rows], NaN where a cell is missing; for free. */
plethron_status plot_numbers(const plethron_table *table, const char *name, float **out, plethron_error *err);
/* The column of that name as labels. */
plethron_status plot_labels(const plethron_table *table, const char *name, plethron_classes **out, plethron_error *err);
/* The label of a row; "" where the cell is missing. */
const char *plot_label(const plethron_classes *labels, size_t row);

#endif
