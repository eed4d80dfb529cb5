/* plethron predict: a model applied to a table. */
#define _POSIX_C_SOURCE 200809L

#include "entity_models.h"

#include <getopt.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static const char help[] =
    "Applies a model to a table and writes the predictions as CSV: a column a unit, a line a row.\n"
    "\n"
    "usage: plethron predict MODEL DATA [OPTIONS]\n"
    "\n"
    "DATA is a CSV file with a header, or NPY, NPZ, HDF5, safetensors or svmlight; FILE:NAME names an array in it, -\n"
    "is standard input. The model's features are found by name and DATA may hold other columns too; without names, on\n"
    "either side, all columns are taken in order.\n"
    "\n"
    "  -c, --classes       write the predicted label of each target instead: of several classes the likeliest, of two\n"
    "                      the second from a probability of 0.5 on\n"
    "  -o, --output FILE   write to FILE.csv, which appears whole or not at all (default: stdout)\n"
    "  -d, --device SEL    gpu, cpu, host, an index, PLATFORM:DEVICE or a part of a name (default: see 'plethron\n"
    "                      devices')\n"
    "  -h, --help          this text\n"
    "\n"
    "A model of 'train --entity' predicts each row by the units of the row's entity; a row of an entity that it does "
    "not\n"
    "know, and one with a feature that is not a number, gets an empty cell.\n"
    "\n"
    "A column is called after its target; with several classes TARGET=LABEL; units that share a name get their "
    "number,\n"
    "as in 'digit=3 #17'.\n"
    "\n"
    "examples:\n"
    "  plethron predict d.safetensors examples/people.csv\n"
    "  plethron predict digits.safetensors examples/digits.csv --classes -o predicted.csv\n";

static const char verb[] = "predict";

typedef struct arguments {
    const char *model;
    const char *data;
    const char *output; /* NULL: stdout */
    const char *device;
    bool classes;
} arguments;

static int parse(int argc, char **argv, arguments *a) {
    static const struct option options[] = {
        {"classes", no_argument, NULL, 'c'},
        {"output", required_argument, NULL, 'o'},
        {"device", required_argument, NULL, 'd'},
        {"help", no_argument, NULL, 'h'},
        {0},
    };
    opterr = 0;
    for (int answer; (answer = getopt_long(argc, argv, ":co:d:h", options, NULL)) != -1;) {
        switch (answer) {
        case 'c': a->classes = true; break;
        case 'o': a->output = optarg; break;
        case 'd': a->device = optarg; break;
        case 'h': return print_help(help);
        default: return option_refused(verb, answer, argv);
        }
    }
    const char *operands[2];
    if (!operands_take(verb, argc, argv, 2, "MODEL and DATA", operands)) return CLI_USAGE;
    a->model = operands[0];
    a->data = operands[1];
    if (file_same(a->output, a->model)) return usage_error(verb, "-o '%s' would overwrite MODEL", a->output);
    if (file_same(a->output, a->data)) return usage_error(verb, "-o '%s' would overwrite DATA", a->output);
    return CLI_GO_ON;
}

/* ---- Features --------------------------------------------------------------------------------------------------- */

/* True when the columns are called 0, 1, ...: the file had no names for them. */
static bool table_is_nameless(const plethron_table *table) {
    for (size_t column = 0; column < plethron_table_n_columns(table); column++) {
        char number[NUMBER_TEXT];
        snprintf(number, sizeof number, "%zu", column);
        if (strcmp(plethron_table_column_name(table, column), number) != 0) return false;
    }
    return true;
}

static plethron_status features_by_name(const plethron_table *table, const plethron_bank *bank, size_t *columns,
                                        plethron_error *err) {
    plethron_status status = PLETHRON_OK;
    for (size_t k = 0; k < plethron_bank_n_features(bank) && status == PLETHRON_OK; k++)
        status = plethron_table_find(table, plethron_bank_feature_name(bank, k), &columns[k], err);
    return status;
}

static plethron_status features_in_order(const plethron_table *table, const plethron_bank *bank, const char *path,
                                         size_t *columns, plethron_error *err) {
    size_t n_features = plethron_bank_n_features(bank);
    if (plethron_table_n_columns(table) != n_features)
        return fail(err, PLETHRON_ERROR_FORMAT,
                    "%s: has %zu columns, but the model has %zu features and no names tell "
                    "which",
                    path, plethron_table_n_columns(table), n_features);
    for (size_t k = 0; k < n_features; k++) columns[k] = k;
    return PLETHRON_OK;
}

static plethron_status find_features(const plethron_table *table, const plethron_bank *bank, const char *path,
                                     size_t *columns, plethron_error *err) {
    if (!plethron_bank_feature_name(bank, 0)) return features_in_order(table, bank, path, columns, err);
    plethron_status status = features_by_name(table, bank, columns, err);
    if (status == PLETHRON_OK || !table_is_nameless(table)) return status;
    return features_in_order(table, bank, path, columns, err);
}

static plethron_status read_features(const arguments *a, const plethron_bank *bank, const plethron_table *table,
                                     float **X, plethron_error *err) {
    plethron_status status = PLETHRON_OK;
    size_t n_features = plethron_bank_n_features(bank);
    size_t *columns = NULL;
    TRY(allocate(n_features, sizeof *columns, &columns, err));
    TRY(find_features(table, bank, a->data, columns, err));
    TRY(allocate(plethron_table_n_rows(table), n_features * sizeof **X, X, err));
    TRY(plethron_table_numbers(table, columns, n_features, *X, err));
out:
    free(columns);
    return status;
}

/* ---- Output ----------------------------------------------------------------------------------------------------- */

/* What is written, and how. */
typedef struct writer {
    FILE *stream;
    const plethron_bank *bank;
    class_decision *decisions; /* [n_decisions], for --classes */
    size_t n_decisions;
} writer;

static plethron_status check_stream(FILE *stream, plethron_error *err) {
    return ferror(stream) ? fail(err, PLETHRON_ERROR_FILE, "the predictions cannot be written") : PLETHRON_OK;
}

static plethron_status write_probabilities(void *context, const float *P, size_t first_row, size_t n_rows,
                                           plethron_error *err) {
    (void)first_row;
    const writer *out = context;
    size_t n_units = plethron_bank_n_units(out->bank);
    char text[NUMBER_TEXT];
    for (size_t i = 0; i < n_rows; i++) {
        for (size_t j = 0; j < n_units; j++) {
            if (j) fputc(',', out->stream);
            const float p = P[i * n_units + j];
            if (!isnan(p)) fputs(number_text(p, text), out->stream);
        }
        fputc('\n', out->stream);
    }
    return check_stream(out->stream, err);
}

static plethron_status write_labels(void *context, const float *P, size_t first_row, size_t n_rows,
                                    plethron_error *err) {
    (void)first_row;
    const writer *out = context;
    size_t n_units = plethron_bank_n_units(out->bank);
    for (size_t i = 0; i < n_rows; i++) {
        for (size_t d = 0; d < out->n_decisions; d++) {
            const class_decision *decision = &out->decisions[d];
            const float *p = P + i * n_units;
            if (d) fputc(',', out->stream);
            if (decision_known(decision, p))
                csv_field(out->stream,
                          plethron_bank_class_label(out->bank, decision->target, decision_pick(decision, p)));
        }
        fputc('\n', out->stream);
    }
    return check_stream(out->stream, err);
}

static plethron_status write_unit_header(const writer *out, plethron_error *err) {
    char **names = NULL;
    plethron_status status = unit_names_make(out->bank, &names, err);
    if (status != PLETHRON_OK) return status;
    size_t n_units = plethron_bank_n_units(out->bank);
    for (size_t j = 0; j < n_units; j++) {
        if (j) fputc(',', out->stream);
        csv_field(out->stream, names[j]);
    }
    fputc('\n', out->stream);
    unit_names_release(names, n_units);
    return PLETHRON_OK;
}

static void write_target_header(const writer *out) {
    for (size_t d = 0; d < out->n_decisions; d++) {
        if (d) fputc(',', out->stream);
        csv_field(out->stream, plethron_bank_target_name(out->bank, out->decisions[d].target));
    }
    fputc('\n', out->stream);
}

static plethron_status make_decisions(writer *out, plethron_error *err) {
    plethron_status status = PLETHRON_OK;
    size_t n_targets = plethron_bank_n_targets(out->bank);
    if (!n_targets)
        return fail(err, PLETHRON_ERROR_UNSUPPORTED, "the model holds no class labels; predict without --classes");
    TRY(allocate(n_targets, sizeof *out->decisions, &out->decisions, err));
    for (; out->n_decisions < n_targets; out->n_decisions++)
        TRY(decision_make(out->bank, out->n_decisions, &out->decisions[out->n_decisions], err));
out:
    return status;
}

static void warn_of_diverged(const plethron_bank *bank) {
    size_t n_diverged = 0;
    for (size_t j = 0; j < plethron_bank_n_units(bank); j++) {
        plethron_unit unit = {.struct_size = sizeof unit};
        n_diverged += !plethron_bank_unit(bank, j, &unit, NULL) && unit.state == PLETHRON_UNIT_DIVERGED;
    }
    if (n_diverged)
        say("%zu of %zu units diverged in training: their predictions mean nothing", n_diverged,
            plethron_bank_n_units(bank));
}

static plethron_status write_header(const arguments *a, const writer *out, plethron_error *err) {
    if (!a->classes) return write_unit_header(out, err);
    write_target_header(out);
    return PLETHRON_OK;
}

/* Every row by all units of the bank. */
static plethron_status write_of_all(const arguments *a, writer *out, const float *X, size_t n_rows,
                                    plethron_error *err) {
    plethron_status status;
    plethron_device *device = NULL;
    TRY(plethron_device_open(a->device, &device, err));
    TRY(write_header(a, out, err));
    TRY(predict_blocks(device, out->bank, X, n_rows, a->classes ? write_labels : write_probabilities, out, err));
out:
    plethron_device_close(device);
    return status;
}

/* Every row by the units of its entity. */
static plethron_status write_of_entities(const arguments *a, writer *out, const entity_models *models,
                                         const plethron_table *table, const float *X, plethron_error *err) {
    plethron_status status;
    const size_t n_rows = plethron_table_n_rows(table);
    size_t n_unknown = 0;
    int64_t *entities = NULL;
    TRY(allocate(n_rows, sizeof *entities, &entities, err));
    TRY(entity_models_find(models, table, entities, &n_unknown, err));
    if (n_unknown)
        say("%zu of %zu rows have a '%s' that the model does not know: they get no prediction", n_unknown, n_rows,
            plethron_bank_entity_column(models->bank));
    TRY(write_header(a, out, err));
    TRY(entity_models_predict(models, X, entities, n_rows, a->classes ? write_labels : write_probabilities, out, err));
out:
    free(entities);
    return status;
}

static plethron_status write_predictions(const arguments *a, writer *out, plethron_error *err) {
    plethron_status status = PLETHRON_OK;
    plethron_table *table = NULL;
    entity_models models = {0};
    float *X = NULL;
    const bool has_entities = plethron_bank_n_entities(out->bank) > 0;
    if (has_entities) {
        TRY(entity_models_make(out->bank, &models, err));
        out->bank = models.first;
    }
    if (a->classes) TRY(make_decisions(out, err));
    TRY(plethron_table_open(a->data, &table, err));
    TRY(read_features(a, out->bank, table, &X, err));
    if (has_entities)
        TRY(write_of_entities(a, out, &models, table, X, err));
    else
        TRY(write_of_all(a, out, X, plethron_table_n_rows(table), err));
out:
    free(X);
    plethron_table_close(table);
    entity_models_release(&models);
    return status;
}

static plethron_status predict(const arguments *a, plethron_error *err) {
    plethron_status status = PLETHRON_OK;
    plethron_bank *bank = NULL;
    plethron_output *file = NULL;
    writer out = {.stream = stdout};
    TRY(plethron_bank_load(a->model, &bank, err));
    out.bank = bank;
    warn_of_diverged(bank);
    if (a->output) {
        TRY(plethron_output_open(a->output, &file, err));
        out.stream = plethron_output_stream(file);
    }
    TRY(write_predictions(a, &out, err));
    if (file) TRY(plethron_output_commit(file, err));
out:
    for (size_t d = 0; d < out.n_decisions; d++) decision_release(&out.decisions[d]);
    free(out.decisions);
    plethron_output_close(file);
    plethron_bank_close(bank);
    return status;
}

int predict_main(int argc, char **argv) {
    arguments a = {0};
    int code = parse(argc, argv, &a);
    if (code != CLI_GO_ON) return code;
    plethron_error err;
    if (predict(&a, &err)) {
        say("%s", err.text);
        return CLI_FAILED;
    }
    return stdout_finish() ? CLI_DONE : CLI_FAILED;
}
