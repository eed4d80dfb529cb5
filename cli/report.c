#define _POSIX_C_SOURCE 200809L

#include "report.h"

#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

enum { N_UNITS_SHOWN = 20, N_STATES = PLETHRON_UNIT_NO_ROWS + 1 };

const char *const loss_names[] = {
    [PLETHRON_LOSS_LOG] = "log", [PLETHRON_LOSS_MSE] = "mse", [PLETHRON_LOSS_TUTORIAL] = "tutorial", NULL};
const char *const reduction_names[] = {[PLETHRON_REDUCTION_MEAN] = "mean", [PLETHRON_REDUCTION_SUM] = "sum", NULL};

const char *const optimizer_names[] = {[PLETHRON_OPTIMIZER_GD] = "gd",
                                       [PLETHRON_OPTIMIZER_MOMENTUM] = "momentum",
                                       [PLETHRON_OPTIMIZER_NESTEROV] = "nesterov",
                                       [PLETHRON_OPTIMIZER_ADAM] = "adam",
                                       NULL};
const char *const schedule_names[] = {[PLETHRON_SCHEDULE_CONSTANT] = "constant",
                                      [PLETHRON_SCHEDULE_INVERSE] = "inverse",
                                      [PLETHRON_SCHEDULE_COSINE] = "cosine",
                                      NULL};

const char *const state_names[] = {
    [PLETHRON_UNIT_NEW] = "new",
    [PLETHRON_UNIT_MAX_EPOCHS] = "max epochs",
    [PLETHRON_UNIT_DIVERGED] = "diverged",
    [PLETHRON_UNIT_SEPARABLE] = "separable",
    [PLETHRON_UNIT_INTERRUPTED] = "interrupted",
    [PLETHRON_UNIT_ONE_CLASS] = "one class",
    [PLETHRON_UNIT_CONVERGED] = "converged",
    [PLETHRON_UNIT_EARLY_STOPPED] = "early stopped",
    [PLETHRON_UNIT_NO_ROWS] = "no rows",
};

static const struct {
    plethron_unit_state state;
    const char *meaning;
} warnings[] = {
    {PLETHRON_UNIT_SEPARABLE, "a plane splits their classes without error, so that the log loss has no finite optimum "
                              "and the weights grow with every epoch; a small --l2 such as 0.001 gives it one"},
    {PLETHRON_UNIT_DIVERGED, "their weights or their loss ceased to be finite; a smaller --lr or --standardize helps"},
    {PLETHRON_UNIT_NO_ROWS, "no row counts for them, so that they were not trained"},
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

plethron_unit unit_get(const plethron_bank *bank, size_t j) {
    plethron_unit unit = {.struct_size = sizeof unit};
    plethron_bank_unit(bank, j, &unit, NULL); /* j is a unit of the bank: nothing can fail */
    return unit;
}

void report_losses(const plethron_bank *bank) {
    bool is_there[PLETHRON_LOSS_TUTORIAL + 1] = {false};
    for (size_t j = 0; j < plethron_bank_n_units(bank); j++) is_there[unit_get(bank, j).loss] = true;
    printf("%-9s ", "loss");
    for (size_t i = 0; loss_names[i]; i++)
        if (is_there[i]) printf("%s, ", loss_names[i]);
    puts(reduction_names[plethron_bank_reduction(bank)]);
}

plethron_status report_plan(const plethron_dataset *dataset, const plethron_bank *bank,
                            const plethron_train_options *options, plethron_error *err) {
    char data_bytes[NUMBER_TEXT], bank_bytes[NUMBER_TEXT];
    plethron_plan plan = {.struct_size = sizeof plan};
    plethron_status status = plethron_train_plan(dataset, bank, options, &plan, err);
    if (status != PLETHRON_OK) return status;
    report_line("units", "%zu", plethron_bank_n_units(bank));
    report_line("plan", "%s", plan.text);
    report_line("memory", "%s of data, %s of units, on the device", bytes_text(plan.data_bytes, data_bytes),
                bytes_text(plan.bank_bytes, bank_bytes));
    report_line("work", "%.3g GFLOP if no unit stops early", plan.flops / 1e9);
    report_line("time", "about %.2g s at most", plan.seconds);
    return PLETHRON_OK;
}

/* ---- The table of units ----------------------------------------------------------------------------------------- */

const char *unit_target_text(const plethron_bank *bank, const plethron_unit *unit, char text[NAME_SHOWN]) {
    const char *name = plethron_bank_target_name(bank, (size_t)unit->target);
    if (name) return name_show(name, text);
    snprintf(text, NAME_SHOWN, "%" PRId64, unit->target);
    return text;
}

const char *unit_class_text(const plethron_bank *bank, const plethron_unit *unit, char text[NAME_SHOWN]) {
    if (unit->positive_class == PLETHRON_NO_CLASS) return "-";
    const char *label = plethron_bank_class_label(bank, (size_t)unit->target, (size_t)unit->positive_class);
    if (label) return name_show(label, text);
    snprintf(text, NAME_SHOWN, "%" PRId64, unit->positive_class);
    return text;
}

static void write_name(FILE *stream, const char *name, int64_t number) {
    if (name)
        csv_field(stream, name);
    else if (number >= 0)
        fprintf(stream, "%" PRId64, number);
}

void unit_write_names(FILE *stream, const plethron_bank *bank, const plethron_unit *unit) {
    const int64_t class_code = unit->positive_class;
    write_name(stream, plethron_bank_target_name(bank, (size_t)unit->target), unit->target);
    putc(',', stream);
    write_name(stream,
               class_code < 0 ? NULL : plethron_bank_class_label(bank, (size_t)unit->target, (size_t)class_code),
               class_code);
}

static int wider(int width, const char *text) {
    int length = (int)strlen(text);
    return length > width ? length : width;
}

/* True when one of the units has the measure that stands at `offset` in plethron_unit. */
static bool any_number(const plethron_bank *bank, const size_t *listed, size_t n_listed, size_t offset) {
    for (size_t i = 0; i < n_listed; i++) {
        const plethron_unit unit = unit_get(bank, listed ? listed[i] : i);
        float value;
        memcpy(&value, (const char *)&unit + offset, sizeof value);
        if (!isnan(value)) return true;
    }
    return false;
}

/* A column of the table that is left out where it would tell nothing. */
typedef struct unit_columns {
    int entity_width, target_width, class_width; /* 0: without */
    bool loss_name, optimizer, l1, auc, held_out;
} unit_columns;

static const char *entity_text(const plethron_bank *bank, const plethron_unit *unit, char text[NAME_SHOWN]) {
    const char *label = unit->entity < 0 ? NULL : plethron_bank_entity_label(bank, (size_t)unit->entity);
    return label ? name_show(label, text) : "-";
}

static unit_columns choose_columns(const plethron_bank *bank, const size_t *listed, size_t n_listed) {
    char text[NAME_SHOWN];
    unit_columns columns = {.target_width = (int)strlen("target"), .class_width = (int)strlen("class")};
    if (plethron_bank_n_entities(bank)) columns.entity_width = (int)strlen("entity");
    for (size_t i = 0; i < n_listed; i++) {
        const plethron_unit unit = unit_get(bank, listed ? listed[i] : i);
        if (columns.entity_width) columns.entity_width = wider(columns.entity_width, entity_text(bank, &unit, text));
        columns.target_width = wider(columns.target_width, unit_target_text(bank, &unit, text));
        columns.class_width = wider(columns.class_width, unit_class_text(bank, &unit, text));
    }
    for (size_t j = 0; j < plethron_bank_n_units(bank); j++) {
        const plethron_unit unit = unit_get(bank, j);
        columns.loss_name = columns.loss_name || unit.loss != unit_get(bank, 0).loss;
        columns.optimizer = columns.optimizer || unit.optimizer != PLETHRON_OPTIMIZER_GD;
        columns.l1 = columns.l1 || unit.l1 > 0.0f;
    }
    columns.auc = any_number(bank, listed, n_listed, offsetof(plethron_unit, auc));
    columns.held_out = any_number(bank, listed, n_listed, offsetof(plethron_unit, held_out_accuracy));
    return columns;
}

static void print_units_head(const unit_columns *columns) {
    printf("\n%6s", "unit");
    if (columns->entity_width) printf("  %-*s", columns->entity_width, "entity");
    printf("  %-*s  %-*s", columns->target_width, "target", columns->class_width, "class");
    if (columns->loss_name) printf("  %-9s", "loss name");
    if (columns->optimizer) printf("  %-9s", "optimizer");
    printf("  %8s  %8s", "lr", "l2");
    if (columns->l1) printf("  %8s", "l1");
    printf("  %9s  %-13s  %11s  %12s  %8s", "epochs", "state", "loss", "error sum", "accuracy");
    if (columns->auc) printf("  %8s", "auc");
    if (columns->held_out) printf("  %8s", "held out");
    printf("  %12s\n", "bias");
}

static void print_unit(const plethron_bank *bank, size_t j, const unit_columns *columns) {
    char text[NAME_SHOWN], number[NUMBER_TEXT];
    const plethron_unit unit = unit_get(bank, j);
    printf("%6zu", j);
    if (columns->entity_width) printf("  %-*s", columns->entity_width, entity_text(bank, &unit, text));
    printf("  %-*s", columns->target_width, unit_target_text(bank, &unit, text));
    printf("  %-*s", columns->class_width, unit_class_text(bank, &unit, text));
    if (columns->loss_name) printf("  %-9s", loss_names[unit.loss]);
    if (columns->optimizer) printf("  %-9s", optimizer_names[unit.optimizer]);
    printf("  %8s", number_text(unit.learning_rate, number));
    printf("  %8s", number_text(unit.l2, number));
    if (columns->l1) printf("  %8s", number_text(unit.l1, number));
    printf("  %9" PRId64 "  %-13s  %11.6g  %12.6g  %8.4f", unit.epochs_done, state_names[unit.state],
           (double)unit.final_loss, (double)unit.error_sum, (double)unit.accuracy);
    if (columns->auc) printf("  %8.4f", (double)unit.auc);
    if (columns->held_out) printf("  %8.4f", (double)unit.held_out_accuracy);
    printf("  %12.6g\n", (double)plethron_bank_biases(bank)[j]);
}

/* Prints the units listed, or the first n_listed ones where `listed` is NULL. */
static void print_units(const plethron_bank *bank, const size_t *listed, size_t n_listed) {
    const unit_columns columns = choose_columns(bank, listed, n_listed);
    print_units_head(&columns);
    for (size_t i = 0; i < n_listed; i++) print_unit(bank, listed ? listed[i] : i, &columns);
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

/* Trained to the end, and worse off than without any training. */
static bool has_learnt_nothing(const plethron_unit *unit) {
    const float log_loss = 0.6931472f, squared_loss = 0.125f; /* the most that p = 0.5 costs: log 2, and 0.5^2 / 2 */
    return unit->state == PLETHRON_UNIT_MAX_EPOCHS && unit->epochs_done > 0 &&
           unit->final_loss > 1.001f * (unit->loss == PLETHRON_LOSS_LOG ? log_loss : squared_loss);
}

static void warn_of_losses(const plethron_bank *bank) {
    size_t n = 0;
    for (size_t j = 0; j < plethron_bank_n_units(bank); j++) {
        const plethron_unit unit = unit_get(bank, j);
        n += has_learnt_nothing(&unit);
    }
    if (n)
        say("%zu of %zu units: their loss is above that of p = 0.5 for every row; --standardize or a smaller --lr "
            "helps",
            n, plethron_bank_n_units(bank));
}

void report_warnings(const plethron_bank *bank) {
    size_t counts[N_STATES];
    count_states(bank, counts);
    warn_of_losses(bank);
    for (size_t i = 0; i < sizeof warnings / sizeof *warnings; i++)
        if (counts[warnings[i].state])
            say("%zu of %zu units: %s: %s", counts[warnings[i].state], plethron_bank_n_units(bank),
                state_names[warnings[i].state], warnings[i].meaning);
}
