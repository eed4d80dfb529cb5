/* plethron inspect: what is in a model. */
#define _POSIX_C_SOURCE 200809L

#include "report.h"

#include <getopt.h>
#include <string.h>

static const char help[] =
    "Shows what is in a model: its units, features, targets, classes, states, measures and, of small ones, weights.\n"
    "\n"
    "usage: plethron inspect MODEL\n"
    "\n"
    "  -h, --help   this text\n"
    "\n"
    "example:\n"
    "  plethron inspect d.safetensors\n";

static const char verb[] = "inspect";

enum { N_FEATURES_SHOWN = 20, N_UNITS_SHOWN = 8, N_LABELS_SHOWN = 20 };

static void print_target(const plethron_bank *bank, size_t target) {
    char shown[NAME_SHOWN];
    size_t n_classes = plethron_bank_n_classes(bank, target);
    printf("%-9s %s", "target", name_show(plethron_bank_target_name(bank, target), shown));
    if (n_classes) printf(", %zu classes:", n_classes);
    for (size_t c = 0; c < n_classes && c < N_LABELS_SHOWN; c++)
        printf("%s %s", c ? "," : "", name_show(plethron_bank_class_label(bank, target, c), shown));
    puts(n_classes > N_LABELS_SHOWN ? ", ..." : "");
}

static void print_entities(const plethron_bank *bank) {
    char shown[NAME_SHOWN];
    const char *column = plethron_bank_entity_column(bank);
    if (column) report_line("entity", "%s, %zu values", name_show(column, shown), plethron_bank_n_entities(bank));
}

static const char *feature_show(const plethron_bank *bank, size_t feature, char shown[NAME_SHOWN]) {
    const char *name = plethron_bank_feature_name(bank, feature);
    if (name) return name_show(name, shown);
    snprintf(shown, NAME_SHOWN, "%zu", feature);
    return shown;
}

static void print_row(const char *label, int width, const float *values, size_t n_units) {
    char text[NUMBER_TEXT];
    printf("%-*s", width, label);
    for (size_t j = 0; j < n_units; j++) printf("  %13s", number_text(values[j], text));
    putchar('\n');
}

static void print_weights(const plethron_bank *bank) {
    size_t n_features = plethron_bank_n_features(bank);
    size_t n_units = plethron_bank_n_units(bank);
    if (n_features > N_FEATURES_SHOWN || n_units > N_UNITS_SHOWN) {
        printf("\nweights   [%zu, %zu], too many to print: they are tensor W of the file\n", n_features, n_units);
        return;
    }
    char shown[NAME_SHOWN];
    int width = (int)strlen("weights");
    for (size_t k = 0; k < n_features; k++) {
        int length = (int)strlen(feature_show(bank, k, shown));
        if (length > width) width = length;
    }
    printf("\n%-*s", width, "weights");
    for (size_t j = 0; j < n_units; j++) printf("  %8s %4zu", "unit", j);
    putchar('\n');
    for (size_t k = 0; k < n_features; k++)
        print_row(feature_show(bank, k, shown), width, plethron_bank_weights(bank) + k * n_units, n_units);
    print_row("(bias)", width, plethron_bank_biases(bank), n_units);
}

static void print_bank(const char *path, const plethron_bank *bank) {
    const char *strategy = plethron_bank_strategy(bank);
    report_line("model", "%s", path);
    report_line("units", "%zu", plethron_bank_n_units(bank));
    const char *storage = plethron_bank_storage(bank);
    const bool is_small = *storage && strcmp(storage, "f32") != 0;
    report_line("features", "%zu%s%s", plethron_bank_n_features(bank), is_small ? ", trained as " : "",
                is_small ? storage : "");
    report_losses(bank);
    report_line("strategy", "%s", *strategy ? strategy : "not trained");
    for (size_t t = 0; t < plethron_bank_n_targets(bank); t++) print_target(bank, t);
    print_entities(bank);
    report_units(bank);
    print_weights(bank);
}

static int parse(int argc, char **argv, const char **path) {
    static const struct option options[] = {{"help", no_argument, NULL, 'h'}, {0}};
    opterr = 0;
    for (int answer; (answer = getopt_long(argc, argv, ":h", options, NULL)) != -1;) {
        if (answer == 'h') return print_help(help);
        return option_refused(verb, answer, argv);
    }
    return operands_take(verb, argc, argv, 1, "MODEL", path) ? CLI_GO_ON : CLI_USAGE;
}

int inspect_main(int argc, char **argv) {
    const char *path = NULL;
    int code = parse(argc, argv, &path);
    if (code != CLI_GO_ON) return code;
    plethron_bank *bank = NULL;
    plethron_error err;
    if (plethron_bank_load(path, &bank, &err)) {
        say("%s", err.text);
        return CLI_FAILED;
    }
    print_bank(path, bank);
    plethron_bank_close(bank);
    return stdout_finish() ? CLI_DONE : CLI_FAILED;
}
