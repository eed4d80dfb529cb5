/* plethron plot: pictures of what the other verbs write. */
#define _POSIX_C_SOURCE 200809L

#include "plot.h"
#include "bench_report.h"

#include <ctype.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

static const char help[] =
    "Draws what the other verbs write, as SVG or PNG. What is drawn follows from what FILE is.\n"
    "\n"
    "usage: plethron plot FILE -o PICTURE [OPTIONS]\n"
    "       plethron plot MODEL DATA -o PICTURE [OPTIONS]\n"
    "\n"
    "  history     of 'train --history': loss and sum of errors over the epochs; of more than 10 units bands of\n"
    "              quantiles, with the unit of the lowest loss drawn out\n"
    "  sweep       of 'sweep --table': a measure over lr and l2, a panel for each other combination\n"
    "  intervals   of 'sweep --intervals': the weights with their bootstrap intervals, without the bias\n"
    "  sigmoid     a model on DATA: the sigmoid of a unit, and the rows on it\n"
    "  roc         a model on DATA, with --kind roc: ROC curves of units, and the areas below them\n"
    "  bench       of 'bench --json': which part of its hardware's limit each case reaches on each device\n"
    "\n"
    "  -o, --output PICTURE   the picture to write, FILE.svg or FILE.png, which appears whole or not at all\n"
    "  -k, --kind KIND        one of the above (default: known by FILE's content)\n"
    "  -u, --unit N,...       units to draw, from 0: of a history (up to 10), of a sigmoid (one, default 0), of ROC\n"
    "                         curves (default: the first 10), of intervals (default: all)\n"
    "  -m, --measure COLUMN   of a sweep: held_out_loss (default), held_out_accuracy, held_out_auc, training_loss,\n"
    "                         training_accuracy or training_auc\n"
    "      --top N            of intervals: at most the N that are surest not to hold 0 (default 40)\n"
    "      --width W          pixels (default: as the picture needs)\n"
    "      --height H\n"
    "      --title TEXT       '' for none (default: what is drawn)\n"
    "      --theme THEME      auto: SVG that follows the screen, light or dark; light; dark (default auto; PNG light)\n"
    "  -h, --help             this text\n"
    "\n"
    "The pictures are drawn by gnuplot, which must be installed (Debian, Ubuntu: gnuplot-nox).\n"
    "\n"
    "examples:\n"
    "  plethron plot history.csv -o history.svg\n"
    "  plethron plot sweep.csv --measure held_out_accuracy -o sweep.png\n"
    "  plethron plot digits.safetensors examples/digits.csv --unit 3 -o three.svg\n"
    "  plethron plot digits.safetensors examples/digits.csv --kind roc -o roc.svg\n";

static const char verb[] = "plot";

typedef enum plot_kind { KIND_HISTORY, KIND_SWEEP, KIND_INTERVALS, KIND_SIGMOID, KIND_ROC, KIND_BENCH } plot_kind;
static const char *const kind_names[] = {"history", "sweep", "intervals", "sigmoid", "roc", "bench", NULL};
static const char *const theme_names[] = {"auto", "light", "dark", NULL}; /* in the order of picture_theme */
static const char *const measures[] = {
    "held_out_loss", "held_out_accuracy", "held_out_auc", "training_loss", "training_accuracy", "training_auc", NULL};

enum { MIN_SIZE = 200, MAX_SIZE = 10000, DEFAULT_TOP = 40, MAX_TOP = 500 };

/* ---- The command line -------------------------------------------------------------------------------------------- */

/* Whole numbers between commas. */
static bool take_units(const char *text, plot_arguments *a) {
    name_list names = {0};
    if (!option_names(verb, "--unit", text, &names)) return false;
    free(a->units);
    a->n_units = 0;
    a->units = calloc(names.count, sizeof *a->units);
    bool good = a->units != NULL;
    while (good && a->n_units < names.count) {
        good = option_whole(verb, "--unit", names.names[a->n_units], 0, INT32_MAX, &a->units[a->n_units]);
        a->n_units++;
    }
    name_list_release(&names);
    return good;
}

enum { TOP = 256, WIDTH, HEIGHT, TITLE, THEME };

static bool take_option(int option, const char *text, plot_arguments *a) {
    int64_t measure = 0;
    switch (option) {
    case 'o': a->output = text; return true;
    case 'k': return option_choice(verb, "--kind", text, kind_names, &a->kind);
    case 'u': return take_units(text, a);
    case 'm':
        if (!option_choice(verb, "--measure", text, measures, &measure)) return false;
        a->measure = measures[measure];
        return true;
    case TOP: return option_whole(verb, "--top", text, 1, MAX_TOP, &a->top);
    case WIDTH: return option_whole(verb, "--width", text, MIN_SIZE, MAX_SIZE, &a->width);
    case HEIGHT: return option_whole(verb, "--height", text, MIN_SIZE, MAX_SIZE, &a->height);
    case TITLE: a->title = text; return true;
    default: return option_choice(verb, "--theme", text, theme_names, &a->theme);
    }
}

static bool is_png(const char *path) {
    const char *dot = strrchr(path, '.');
    return dot && strcmp(dot, ".png") == 0;
}

static int check(const plot_arguments *a) {
    const char *dot = a->output ? strrchr(a->output, '.') : NULL;
    if (!a->output) return usage_error(verb, "-o PICTURE is missing");
    if (!is_png(a->output) && (!dot || strcmp(dot, ".svg") != 0))
        return usage_error(verb, "-o '%s' ends in neither .svg nor .png", a->output);
    if (file_same(a->output, a->file)) return usage_error(verb, "-o '%s' would overwrite FILE", a->output);
    if (file_same(a->output, a->data)) return usage_error(verb, "-o '%s' would overwrite DATA", a->output);
    if (a->kind != KIND_INTERVALS && a->n_units > PICTURE_SERIES)
        return usage_error(verb, "--unit names %zu units: a picture has colours for %d", a->n_units, PICTURE_SERIES);
    return CLI_GO_ON;
}

static int parse(int argc, char **argv, plot_arguments *a) {
    static const struct option options[] = {
        {"output", required_argument, NULL, 'o'},
        {"kind", required_argument, NULL, 'k'},
        {"unit", required_argument, NULL, 'u'},
        {"measure", required_argument, NULL, 'm'},
        {"top", required_argument, NULL, TOP},
        {"width", required_argument, NULL, WIDTH},
        {"height", required_argument, NULL, HEIGHT},
        {"title", required_argument, NULL, TITLE},
        {"theme", required_argument, NULL, THEME},
        {"help", no_argument, NULL, 'h'},
        {0},
    };
    const char *operands[2] = {NULL, NULL};
    opterr = 0;
    for (int answer; (answer = getopt_long(argc, argv, ":o:k:u:m:h", options, NULL)) != -1;) {
        if (answer == 'h') return print_help(help);
        if (answer == '?' || answer == ':') return option_refused(verb, answer, argv);
        if (!take_option(answer, optarg, a)) return CLI_USAGE;
    }
    const int count = argc - optind == 2 ? 2 : 1;
    if (!operands_take(verb, argc, argv, count, count == 2 ? "MODEL and DATA" : "FILE", operands)) return CLI_USAGE;
    a->file = operands[0];
    a->data = operands[1];
    return check(a);
}

/* ---- What a file is ---------------------------------------------------------------------------------------------- */

/* A safetensors file begins with the length of its header, 8 bytes, and the header with a brace. */
static bool is_model(const char *path) {
    unsigned char head[9] = {0};
    FILE *file = strcmp(path, "-") == 0 ? NULL : fopen(path, "rb");
    if (!file) return false;
    const bool is_read = fread(head, 1, sizeof head, file) == sizeof head;
    fclose(file);
    return is_read && head[8] == '{' && head[7] == 0;
}

/* Its first sign is a brace. */
static bool is_document(const char *path) {
    FILE *file = strcmp(path, "-") == 0 ? NULL : fopen(path, "rb");
    if (!file) return false;
    int sign = getc(file);
    while (isspace(sign)) sign = getc(file);
    fclose(file);
    return sign == '{';
}

static bool has_columns(const plethron_table *table, const char *const *names) {
    size_t column;
    for (; *names; names++)
        if (plethron_table_find(table, *names, &column, NULL) != PLETHRON_OK) return false;
    return true;
}

static plethron_status table_kind(const plot_arguments *a, const plethron_table *table, int64_t *kind,
                                  plethron_error *err) {
    static const char *const columns[][5] = {
        [KIND_HISTORY] = {"epoch", "unit", "error_sum", "loss"},
        [KIND_SWEEP] = {"lr", "l2", "l1", "held_out_loss"},
        [KIND_INTERVALS] = {"feature", "weight", "low", "high"},
    };
    if (a->kind >= 0) return PLETHRON_OK;
    for (*kind = KIND_HISTORY; *kind <= KIND_INTERVALS; ++*kind)
        if (has_columns(table, columns[*kind])) return PLETHRON_OK;
    return fail(err, PLETHRON_ERROR_FORMAT,
                "%s: is no model and has not the columns of a history (epoch, unit, error_sum, loss), of a sweep (lr, "
                "l2, l1, held_out_loss) or of intervals (feature, weight, low, high)",
                a->file);
}

/* ---- Drawing ----------------------------------------------------------------------------------------------------- */

plethron_status plot_begin(const plot_arguments *a, int width, int height, const char *title, picture *out,
                           plethron_error *err) {
    out->is_png = is_png(a->output);
    out->theme = (picture_theme)a->theme;
    out->width = a->width ? (int)a->width : width;
    out->height = a->height ? (int)a->height : height;
    snprintf(out->title, sizeof out->title, "%s", a->title ? a->title : title);
    return picture_begin(out, err);
}

static plethron_status plot_bank(const plot_arguments *a, picture *out, plethron_error *err) {
    plethron_status status;
    plethron_bank *bank = NULL;
    TRY(plethron_bank_load(a->file, &bank, err));
    if (!a->data)
        status = fail(err, PLETHRON_ERROR_ARGUMENT, "%s: is a model: DATA to draw it on is missing", a->file);
    else if (a->kind == KIND_ROC)
        status = plot_roc(a, bank, out, err);
    else if (a->n_units > 1)
        status = fail(err, PLETHRON_ERROR_ARGUMENT, "--unit names %zu units: a sigmoid is drawn of one", a->n_units);
    else
        status = plot_sigmoid(a, bank, out, err);
out:
    plethron_bank_close(bank);
    return status;
}

static plethron_status plot_table(const plot_arguments *a, picture *out, plethron_error *err) {
    plethron_status status;
    int64_t kind = a->kind;
    plethron_table *table = NULL;
    TRY(plethron_table_open(a->file, &table, err));
    TRY(table_kind(a, table, &kind, err));
    if (a->data)
        status = fail(err, PLETHRON_ERROR_ARGUMENT, "%s: %s are drawn without DATA", a->file,
                      kind == KIND_HISTORY ? "histories"
                      : kind == KIND_SWEEP ? "sweeps"
                                           : "intervals");
    else if (kind == KIND_HISTORY)
        status = plot_history(a, table, out, err);
    else if (kind == KIND_SWEEP)
        status = plot_sweep(a, table, out, err);
    else
        status = plot_intervals(a, table, out, err);
out:
    plethron_table_close(table);
    return status;
}

static plethron_status plot_bench(const plot_arguments *a, picture *out, plethron_error *err) {
    plethron_status status;
    json_t *document = NULL;
    size_t n_bars = 0;
    TRY(bench_document_read(a->file, &document, err));
    n_bars = bench_picture_n_ceilings(document);
    if (a->data)
        status = fail(err, PLETHRON_ERROR_ARGUMENT, "%s: measurements are drawn without DATA", a->file);
    else if (n_bars == 0)
        status = fail(err, PLETHRON_ERROR_FORMAT, "%s: no row of a device has a fraction of its ceiling", a->file);
    if (status != PLETHRON_OK) goto out;
    TRY(plot_begin(a, 800, bench_picture_height(n_bars) + 26, "What is reached of the hardware's limit", out, err));
    status = bench_picture_ceilings(document, out, err);
out:
    json_decref(document);
    return status;
}

static plethron_status plot(const plot_arguments *a, plethron_error *err) {
    plethron_status status;
    picture drawing = {0};
    plethron_output *output = NULL;
    const bool wants_model = a->kind == KIND_SIGMOID || a->kind == KIND_ROC;
    TRY(file_check_writable(a->output, err));
    if (wants_model || (a->kind < 0 && is_model(a->file)))
        TRY(plot_bank(a, &drawing, err));
    else if (a->kind == KIND_BENCH || (a->kind < 0 && is_document(a->file)))
        TRY(plot_bench(a, &drawing, err));
    else
        TRY(plot_table(a, &drawing, err));
    TRY(plethron_output_open(a->output, &output, err));
    TRY(picture_draw(&drawing, plethron_output_stream(output), err));
    TRY(plethron_output_commit(output, err));
out:
    picture_release(&drawing);
    plethron_output_close(output);
    return status;
}

int plot_main(int argc, char **argv) {
    plot_arguments a = {.kind = -1, .measure = measures[0], .top = DEFAULT_TOP};
    int code = parse(argc, argv, &a);
    if (code == CLI_GO_ON) {
        plethron_error err;
        code = plot(&a, &err) ? CLI_FAILED : CLI_DONE;
        if (code == CLI_FAILED) say("%s", err.text);
    }
    free(a.units);
    return code;
}
