#define _POSIX_C_SOURCE 200809L

#include "intervals.h"

#include "report.h"

#include <math.h>
#include <stdlib.h>

/* One weight over the replicates. */
typedef struct interval {
    double mean, deviation, low, high;
} interval;

static int compare(const void *a, const void *b) {
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* The percentile of n sorted values, linearly interpolated between the two nearest. */
static double percentile(const double *sorted, size_t n, double percent) {
    const double at = percent / 100.0 * (double)(n - 1);
    const size_t below = (size_t)at;
    if (below + 1 >= n) return sorted[n - 1];
    return sorted[below] + (at - (double)below) * (sorted[below + 1] - sorted[below]);
}

static interval summarise(double *values, size_t n, int64_t level) {
    interval found = {NAN, NAN, NAN, NAN};
    double sum = 0.0, squares = 0.0;
    if (n == 0) return found;
    qsort(values, n, sizeof *values, compare);
    for (size_t i = 0; i < n; i++) sum += values[i];
    found.mean = sum / (double)n;
    for (size_t i = 0; i < n; i++) squares += (values[i] - found.mean) * (values[i] - found.mean);
    found.deviation = n > 1 ? sqrt(squares / (double)(n - 1)) : 0.0;
    found.low = percentile(values, n, (100.0 - (double)level) / 2.0);
    found.high = percentile(values, n, (100.0 + (double)level) / 2.0);
    return found;
}

/* Weight k (n_features: the bias) of unit j of `whole` in the replicates that did not diverge. */
static interval of_weight(const plethron_bank *replicates, size_t n_replicates, size_t j, size_t k, int64_t level,
                          double *room) {
    const size_t n_units = plethron_bank_n_units(replicates), n_features = plethron_bank_n_features(replicates);
    size_t n = 0;
    for (size_t r = 0; r < n_replicates; r++) {
        const size_t unit = j * n_replicates + r;
        const float w = k == n_features ? plethron_bank_biases(replicates)[unit]
                                        : plethron_bank_weights(replicates)[k * n_units + unit];
        if (unit_get(replicates, unit).state != PLETHRON_UNIT_DIVERGED && isfinite(w)) room[n++] = (double)w;
    }
    return summarise(room, n, level);
}

static float weight_of(const plethron_bank *bank, size_t j, size_t k) {
    if (k == plethron_bank_n_features(bank)) return plethron_bank_biases(bank)[j];
    return plethron_bank_weights(bank)[k * plethron_bank_n_units(bank) + j];
}

/* By its number where it has no name; `number` is room for that. */
static const char *feature_name(const plethron_bank *bank, size_t k, char number[NUMBER_TEXT]) {
    const char *name = k == plethron_bank_n_features(bank) ? "(bias)" : plethron_bank_feature_name(bank, k);
    if (name) return name;
    snprintf(number, NUMBER_TEXT, "%zu", k);
    return number;
}

static void write_number(FILE *stream, double value) {
    putc(',', stream);
    if (!isnan(value)) fprintf(stream, "%.9g", value);
}

static void write_line(FILE *stream, const plethron_bank *whole, size_t j, size_t k, const interval *found) {
    char number[NUMBER_TEXT];
    const plethron_unit unit = unit_get(whole, j);
    unit_write_names(stream, whole, &unit);
    putc(',', stream);
    csv_field(stream, feature_name(whole, k, number));
    const double numbers[] = {(double)weight_of(whole, j, k), found->mean, found->deviation, found->low, found->high};
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) write_number(stream, numbers[i]);
    putc('\n', stream);
}

static void print_line(const plethron_bank *whole, size_t j, size_t k, const interval *found) {
    char target[NAME_SHOWN], class[NAME_SHOWN], feature[NAME_SHOWN], number[NUMBER_TEXT];
    const plethron_unit unit = unit_get(whole, j);
    printf("%-12s  %-8s  %-16s  %12.6g  %12.6g  %12.6g\n", unit_target_text(whole, &unit, target),
           unit_class_text(whole, &unit, class), name_show(feature_name(whole, k, number), feature),
           (double)weight_of(whole, j, k), found->low, found->high);
}

plethron_status intervals_report(const plethron_bank *whole, const plethron_bank *replicates, size_t n_replicates,
                                 int64_t level, const char *path, plethron_error *err) {
    plethron_status status;
    plethron_output *output = NULL;
    double *room = NULL;
    TRY(allocate(n_replicates, sizeof *room, &room, err));
    if (path) {
        TRY(plethron_output_open(path, &output, err));
        fputs("target,class,feature,weight,mean,deviation,low,high\n", plethron_output_stream(output));
    } else {
        printf("\nweights whose %lld%% interval does not hold 0\n", (long long)level);
        printf("%-12s  %-8s  %-16s  %12s  %12s  %12s\n", "target", "class", "feature", "weight", "low", "high");
    }
    for (size_t j = 0; j < plethron_bank_n_units(whole); j++)
        for (size_t k = 0; k <= plethron_bank_n_features(whole); k++) {
            const interval found = of_weight(replicates, n_replicates, j, k, level, room);
            if (path)
                write_line(plethron_output_stream(output), whole, j, k, &found);
            else if (found.low > 0.0 || found.high < 0.0)
                print_line(whole, j, k, &found);
        }
    if (path) TRY(plethron_output_commit(output, err));
out:
    plethron_output_close(output);
    free(room);
    return status;
}
