/* plethron export: a model in a format of other programs. */
#define _POSIX_C_SOURCE 200809L

#include "cli.h"

#include <getopt.h>
#include <string.h>

static const char help[] =
    "Writes a model in a format that other programs read.\n"
    "\n"
    "usage: plethron export MODEL -o FILE [OPTIONS]\n"
    "\n"
    "  -o, --output FILE   the file to write, which appears whole or not at all\n"
    "  -f, --format NAME   onnx, c or json (default: FILE's extension)\n"
    "  -h, --help          this text\n"
    "\n"
    "onnx  for ONNX Runtime and others: input 'features' [rows, features], then Gemm and Sigmoid; the output [rows,\n"
    "      units] has the name of the target, or 'predictions' where there are several. The names of features and "
    "units\n"
    "      are in the metadata, as JSON.\n"
    "c     a file in C99 with a function NAME_predict(const float *x, float *p), NAME that of FILE without extension. "
    "It\n"
    "      needs nothing but the C library, and its results are those of 'plethron predict' to the bit.\n"
    "json  all that the model holds: names, hyper-parameters, measures, weights. NaN is null.\n"
    "\n"
    "A model of 'train --entity' is exported as JSON only.\n"
    "\n"
    "examples:\n"
    "  plethron export digits.safetensors -o digits.onnx\n"
    "  plethron export digits.safetensors -o digits.c && cc -O2 -c digits.c\n"
    "  plethron export digits.safetensors --format json -o /dev/stdout | python3 -m json.tool\n";

static const char verb[] = "export";
static const char *const format_names[] = {"onnx", "c", "json", NULL}; /* in the order of plethron_export_format */

typedef struct arguments {
    const char *model;
    const char *output;
    int64_t format; /* a plethron_export_format, or -1 */
} arguments;

/* The format that the output's extension names; -1 for none. */
static int64_t format_of(const char *path) {
    const char *dot = strrchr(path, '.');
    for (int64_t i = 0; dot && format_names[i]; i++)
        if (strcmp(dot + 1, format_names[i]) == 0) return i;
    return -1;
}

static int check(arguments *a) {
    if (!a->output) return usage_error(verb, "-o FILE is missing");
    if (file_same(a->output, a->model)) return usage_error(verb, "-o '%s' would overwrite MODEL", a->output);
    if (a->format < 0) a->format = format_of(a->output);
    if (a->format < 0)
        return usage_error(verb, "-o '%s' ends in none of .onnx, .c, .json, and --format says none of them", a->output);
    return CLI_GO_ON;
}

static int parse(int argc, char **argv, arguments *a) {
    static const struct option options[] = {
        {"output", required_argument, NULL, 'o'},
        {"format", required_argument, NULL, 'f'},
        {"help", no_argument, NULL, 'h'},
        {0},
    };
    opterr = 0;
    for (int answer; (answer = getopt_long(argc, argv, ":o:f:h", options, NULL)) != -1;) {
        switch (answer) {
        case 'o': a->output = optarg; break;
        case 'f':
            if (!option_choice(verb, "--format", optarg, format_names, &a->format)) return CLI_USAGE;
            break;
        case 'h': return print_help(help);
        default: return option_refused(verb, answer, argv);
        }
    }
    if (!operands_take(verb, argc, argv, 1, "MODEL", &a->model)) return CLI_USAGE;
    return check(a);
}

int export_main(int argc, char **argv) {
    arguments a = {.format = -1};
    const int code = parse(argc, argv, &a);
    if (code != CLI_GO_ON) return code;
    plethron_bank *bank = NULL;
    plethron_error err;
    const bool failed = plethron_bank_load(a.model, &bank, &err) ||
                        plethron_bank_export(bank, (plethron_export_format)a.format, a.output, &err);
    if (failed) say("%s", err.text);
    plethron_bank_close(bank);
    return failed ? CLI_FAILED : CLI_DONE;
}
