/* plethron predict: a model applied to a table. */
#define _POSIX_C_SOURCE 200809L

#include "prediction_sparse.h"
#include "progress.h"

#include <getopt.h>
#include <stdlib.h>
#include <string.h>

static const char help_usage[] =
    "Applies a model to a table and writes the predictions: a column a unit, a line a row.\n"
    "\n"
    "usage: plethron predict MODEL DATA [OPTIONS]\n"
    "\n"
    "DATA is a CSV file with a header, or NPY, NPZ, HDF5, safetensors or svmlight; FILE:NAME names an array in it, -\n"
    "is standard input. The model's features are found by name and DATA may hold other columns too; without names, on\n"
    "either side, all columns are taken in order. NPY and CSV may be larger than memory: they are read, predicted and\n"
    "written in blocks. svmlight, and an NPZ that scipy.sparse.save_npz wrote, are predicted sparse.\n"
    "\n"
    "  -c, --classes            write the predicted label of each target instead: of several classes the likeliest, "
    "of\n"
    "                           two the second from a probability of 0.5 on\n"
    "  -k, --top K              write the names and probabilities of the K likeliest units of each row instead, as\n"
    "                           columns top1, p1, top2, p2, ...\n"
    "  -o, --output FILE        write to FILE, which appears whole or not at all (default: stdout). FILE.npy is an\n"
    "                           array [rows, units] of floats; FILE.npz and FILE.safetensors hold it as P; every "
    "other\n"
    "                           FILE, and stdout, is CSV, as --classes and --top are\n"
    "  -m, --memory-limit SIZE  what blocks of data may take, 16M or more (default: what is needed to be fast; at "
    "most\n"
    "                           half of this machine's memory each for a file that is not read in blocks and for its\n"
    "                           values)\n"
    "  -d, --device SEL         gpu, cpu, host, an index, PLATFORM:DEVICE or a part of a name (default: see 'plethron\n"
    "                           devices')\n"
    "  -q, --quiet              no progress on stderr\n"
    "  -v, --verbose            say where the time went\n"
    "  -h, --help               this text\n"
    "\n";
static const char help_more[] =
    "A model of 'train --entity' predicts each row by the units of the row's entity, on this machine's cores; a row "
    "of\n"
    "an entity that it does not know gets an empty cell.\n"
    "\n"
    "A column is called after its target; with several classes TARGET=LABEL; units that share a name get their "
    "number,\n"
    "as in 'digit=3 #17'.\n"
    "\n"
    "An interrupt (Ctrl-C, SIGTERM) ends it with exit code 130, and FILE is as it was.\n"
    "\n"
    "examples:\n"
    "  plethron predict d.safetensors examples/people.csv\n"
    "  plethron predict digits.safetensors examples/digits.csv --classes -o predicted.csv\n"
    "  plethron predict digits.safetensors examples/digits.csv --top 3\n"
    "  plethron predict model.safetensors large.npy --memory-limit 512M -o predicted.npy\n";

static const char verb[] = "predict";
static const uint64_t min_memory_bytes = 16 << 20;

typedef struct arguments {
    const char *model;
    const char *output; /* NULL: stdout */
    prediction_task task;
    prediction_kind kind;
    prediction_format format;
    int64_t n_top;
} arguments;

static int check(arguments *a, bool wants_classes) {
    const char *data = a->task.data;
    if (file_same(a->output, a->model)) return usage_error(verb, "-o '%s' would overwrite MODEL", a->output);
    if (file_same(a->output, data)) return usage_error(verb, "-o '%s' would overwrite DATA", a->output);
    if (wants_classes && a->n_top) return usage_error(verb, "--classes and --top exclude each other");
    a->kind = wants_classes ? PREDICTION_CLASSES : a->n_top ? PREDICTION_TOP : PREDICTION_PROBABILITIES;
    if (!prediction_format_find(a->output, &a->format))
        return usage_error(verb, "-o '%s': predictions are written as .npy, .npz, .safetensors or CSV", a->output);
    if (a->format != PREDICTION_CSV && a->kind != PREDICTION_PROBABILITIES)
        return usage_error(verb, "-o '%s' holds numbers only: %s writes names, as CSV", a->output,
                           wants_classes ? "--classes" : "--top");
    return CLI_GO_ON;
}

static bool take_option(int answer, arguments *a) {
    switch (answer) {
    case 'k': return option_whole(verb, "--top", optarg, 1, INT32_MAX, &a->n_top);
    case 'm': return option_bytes(verb, "--memory-limit", optarg, min_memory_bytes, &a->task.memory_bytes);
    case 'o': a->output = optarg; break;
    case 'd': a->task.device = optarg; break;
    case 'q': a->task.quiet = true; break;
    case 'v': a->task.verbose = true; break;
    }
    return true;
}

static int parse(int argc, char **argv, arguments *a) {
    static const struct option options[] = {
        {"classes", no_argument, NULL, 'c'},
        {"top", required_argument, NULL, 'k'},
        {"output", required_argument, NULL, 'o'},
        {"memory-limit", required_argument, NULL, 'm'},
        {"device", required_argument, NULL, 'd'},
        {"quiet", no_argument, NULL, 'q'},
        {"verbose", no_argument, NULL, 'v'},
        {"help", no_argument, NULL, 'h'},
        {0},
    };
    bool wants_classes = false;
    opterr = 0;
    for (int answer; (answer = getopt_long(argc, argv, ":ck:o:m:d:qvh", options, NULL)) != -1;) {
        if (answer == 'h') return print_help_parts((const char *const[]){help_usage, help_more, NULL});
        if (answer == '?' || answer == ':') return option_refused(verb, answer, argv);
        if (answer == 'c') wants_classes = true;
        if (!take_option(answer, a)) return CLI_USAGE;
    }
    const char *operands[2];
    if (!operands_take(verb, argc, argv, 2, "MODEL and DATA", operands)) return CLI_USAGE;
    a->model = operands[0];
    a->task.data = operands[1];
    return check(a, wants_classes);
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

static plethron_status write_predictions(const arguments *a, const plethron_bank *bank, FILE *stream,
                                         plethron_error *err) {
    plethron_status status = PLETHRON_OK;
    bool is_sparse = false;
    entity_models models = {0};
    prediction_writer writer = {
        .stream = stream, .bank = bank, .kind = a->kind, .format = a->format, .top.n_top = (size_t)a->n_top};
    if (plethron_bank_n_entities(bank) > 0) {
        TRY(entity_models_make(bank, &models, err));
        writer.bank = models.first;
    }
    TRY(prediction_writer_open(&writer, err));
    if (!models.bank) TRY(prediction_sparse(&a->task, &writer, &is_sparse, err));
    if (!is_sparse) TRY(prediction_stream(&a->task, models.bank ? &models : NULL, &writer, err));
out:
    prediction_writer_release(&writer);
    entity_models_release(&models);
    return status;
}

static plethron_status predict(const arguments *a, plethron_error *err) {
    plethron_status status = PLETHRON_OK;
    plethron_bank *bank = NULL;
    plethron_output *file = NULL;
    TRY(plethron_bank_load(a->model, &bank, err));
    warn_of_diverged(bank);
    if (a->output) TRY(plethron_output_open(a->output, &file, err));
    watch_interrupts();
    status = write_predictions(a, bank, file ? plethron_output_stream(file) : stdout, err);
    /* What could not be written the file gives the reason of. */
    if (file && (status == PLETHRON_OK || ferror(plethron_output_stream(file))))
        status = plethron_output_commit(file, err);
out:
    plethron_output_close(file);
    plethron_bank_close(bank);
    return status;
}

int predict_main(int argc, char **argv) {
    arguments a = {0};
    int code = parse(argc, argv, &a);
    if (code != CLI_GO_ON) return code;
    plethron_error err;
    const plethron_status status = predict(&a, &err);
    if (status == PLETHRON_ERROR_INTERRUPTED) {
        say(a.output ? "interrupted: %s was not written" : "interrupted: not all rows were predicted", a.output);
        return CLI_INTERRUPTED;
    }
    if (status != PLETHRON_OK) {
        say("%s", err.text);
        return CLI_FAILED;
    }
    return stdout_finish() ? CLI_DONE : CLI_FAILED;
}
