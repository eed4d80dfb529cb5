#define _POSIX_C_SOURCE 200809L

#include "report.h"

#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <string.h>

enum { N_UNITS_SHOWN = 20, N_STATES = PLETHRON_UNIT_ONE_CLASS + 1 };

const char *const loss_names[] = {
    [PLETHRON_LOSS_LOG] = "log", [PLETHRON_LOSS_MSE] = "mse", [PLETHRON_LOSS_TUTORIAL] = "tutorial", NULL};
const char *const reduction_names[] = {[PLETHRON_REDUCTION_MEAN] = "mean", [PLETHRON_REDUCTION_SUM] = "sum", NULL};

static const char *const state_names[N_STATES] = {
    [PLETHRON_UNIT_NEW] = "new",
    [PLETHRON_UNIT_MAX_EPOCHS] = "max epochs",
    [PLETHRON_UNIT_DIVERGED] = "diverged",
    [PLETHRON_UNIT_SEPARABLE] = "separable",
    [PLETHRON_UNIT_INTERRUPTED] = "interrupted",
    [PLETHRON_UNIT_ONE_CLASS] = "one class",
};

static const struct {
    plethron_unit_state state;
    const char *meaning;
} warnings[] = {
    {PLETHRON_UNIT_SEPARABLE, "a plane splits their classes without error, so that the log loss has no finite optimum "
                              "and the weights grow with every epoch; a small --l2 such as 0.001 gives it one"},
    {PLETHRON_UNIT_DIVERGED, "their weights or their loss ceased to be finite; a smaller --lr or --standardize helps"},
    {PLETHRON_UNIT_ONE_CLASS, "their targets are all 0 or all 1, so that there is nothing to tell apart"},
};

void report_line(const char *label, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    printf("%-9s ", label);
    vprintf(format, arguments);
    putchar('\n');
    va_end(arguments);
}

static plethron_unit unit_get(const plethron_bank *bank, size_t j) {
    plethron_unit unit = {.struct_size = sizeof unit};
    plethron_bank_unit(bank, j, &unit, NULL); /* j is a unit of the bank: nothing can fail */
    return unit;
}

/* ---- The table of units ----------------------------------------------------------------------------------------- */

static const char *target_text(const plethron_bank *bank, const plethron_unit *unit, char text[NAME_SHOWN]) {
    const char *name = plethron_bank_target_name(bank, (size_t)unit->target);
    if (name) return name_show(name, text);
    snprintf(text, NAME_SHOWN, "%" PRId64, unit->target);
    return text;
}

static const char *class_text(const plethron_bank *bank, const plethron_unit *unit, char text[NAME_SHOWN]) {
    if (unit->positive_class == PLETHRON_NO_CLASS) return "-";
    const char *label = plethron_bank_class_label(bank, (size_t)unit->target, (size_t)unit->positive_class);
    if (label) return name_show(label, text);
    snprintf(text, NAME_SHOWN, "%" PRId64, unit->positive_class);
    return text;
}

static int wider(int width, const char *text) {
    int length = (int)strlen(text);
    return length > width ? length : width;
}

/* Prints the units listed, or the first n_listed ones where `listed` is NULL. */
static void print_units(const plethron_bank *bank, const size_t *listed, size_t n_listed) {
    char target[NAME_SHOWN], label[NAME_SHOWN], learning_rate[NUMBER_TEXT], l2[NUMBER_TEXT];
    int target_width = (int)strlen("target"), class_width = (int)strlen("class");
    for (size_t i = 0; i < n_listed; i++) {
        plethron_unit unit = unit_get(bank, listed ? listed[i] : i);
        target_width = wider(target_width, target_text(bank, &unit, target));
        class_width = wider(class_width, class_text(bank, &unit, label));
    }
    printf("\n%6s  %-*s  %-*s  %8s  %8s  %9s  %-11s  %11s  %12s  %8s  %12s\n", "unit", target_width, "target",
           class_width, "class", "lr", "l2", "epochs", "state", "loss", "error sum", "accuracy", "bias");
    for (size_t i = 0; i < n_listed; i++) {
        size_t j = listed ? listed[i] : i;
        plethron_unit unit = unit_get(bank, j);
        printf("%6zu  %-*s  %-*s  %8s  %8s  %9" PRId64 "  %-11s  %11.6g  %12.6g  %8.4f  %12.6g\n", j, target_width,
               target_text(bank, &unit, target), class_width, class_text(bank, &unit, label),
               number_text(unit.learning_rate, learning_rate), number_text(unit.l2, l2), unit.epochs_done,
               state_names[unit.state], (double)unit.final_loss, (double)unit.error_sum, (double)unit.accuracy,
               (double)plethron_bank_biases(bank)[j]);
    }
}

void report_units(const plethron_bank *bank) {
    print_units(bank, NULL, plethron_bank_n_units(bank));
}

/* ---- The summary of many units ---------------------------------------------------------------------------------- */

static void count_states(const plethron_bank *bank, size_t counts[N_STATES]) {
    memset(counts, 0, N_STATES * sizeof *counts);
    for (size_t j = 0; j < plethron_bank_n_units(bank); j++) counts[unit_get(bank, j).state]++;
}

static void print_states(const plethron_bank *bank) {
    size_t counts[N_STATES];
    count_states(bank, counts);
    const char *separator = "";
    printf("%-9s ", "states");
    for (int state = 0; state < N_STATES; state++) {
        if (!counts[state]) continue;
        printf("%s%zu %s", separator, counts[state], state_names[state]);
        separator = ", ";
    }
    putchar('\n');
}

/* A loss that is not a number is worse than any. */
static float loss_order(const plethron_bank *bank, size_t j) {
    float loss = unit_get(bank, j).final_loss;
    return isnan(loss) ? INFINITY : loss;
}

void report_units_briefly(const plethron_bank *bank) {
    size_t n_units = plethron_bank_n_units(bank);
    if (n_units <= N_UNITS_SHOWN) {
        report_units(bank);
        return;
    }
    size_t best = 0, worst = 0;
    for (size_t j = 1; j < n_units; j++) {
        if (loss_order(bank, j) < loss_order(bank, best)) best = j;
        if (loss_order(bank, j) > loss_order(bank, worst)) worst = j;
    }
    print_states(bank);
    puts("\nthe units with the least and the greatest loss; 'plethron inspect' shows all");
    print_units(bank, (const size_t[]){best, worst}, 2);
}

void report_warnings(const plethron_bank *bank) {
    size_t counts[N_STATES];
    count_states(bank, counts);
    for (size_t i = 0; i < sizeof warnings / sizeof *warnings; i++)
        if (counts[warnings[i].state])
            say("%zu of %zu units: %s: %s", counts[warnings[i].state], plethron_bank_n_units(bank),
                state_names[warnings[i].state], warnings[i].meaning);
}
