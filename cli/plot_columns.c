#define _POSIX_C_SOURCE 200809L

#include "plot.h"

#include <math.h>

plethron_status plot_numbers(const plethron_table *table, const char *name, float **out, plethron_error *err) {
    plethron_status status;
    size_t column = 0;
    TRY(plethron_table_find(table, name, &column, err));
    TRY(allocate(plethron_table_n_rows(table), sizeof **out, out, err));
    TRY(plethron_table_number_or_missing(table, column, *out, err));
out:
    return status;
}

plethron_status plot_labels(const plethron_table *table, const char *name, plethron_classes **out,
                            plethron_error *err) {
    size_t column = 0;
    const plethron_status status = plethron_table_find(table, name, &column, err);
    return status != PLETHRON_OK ? status : plethron_table_classes_or_missing(table, column, out, err);
}

const char *plot_label(const plethron_classes *labels, size_t row) {
    const float code = plethron_classes_codes(labels)[row];
    return isnan(code) ? "" : plethron_classes_label(labels, (size_t)code);
}
