/* A bank as a C99 source file that needs nothing but the standard library and predicts the same bits. */
#include "export.h"
#include "io/number.h"

#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* The same operations in the same order as sigmoid() in kernels/arithmetic.cl, where they are explained. */
static const char sigmoid_text[] =
    "/* 1 / (1 + exp(-z)): exp(-z) = q 2^n, q by a polynomial. Only operations that IEEE 754 rounds in one way. */\n"
    "static float sigmoid(float z) {\n"
    "    const float bound = 87.0f, round_to_integer = 12582912.0f;\n"
    "    float t, shifted, whole, r, q, power;\n"
    "    uint32_t n;\n"
    "    z = z > bound ? bound : z;\n"
    "    z = z < -bound ? -bound : z;\n"
    "    t = -z;\n"
    "    shifted = fmaf(t, 1.44269504f, round_to_integer);\n"
    "    whole = shifted - round_to_integer;\n"
    "    r = fmaf(whole, -0.693359375f, t);\n"
    "    r = fmaf(whole, 2.12194440e-4f, r);\n"
    "    q = 1.3843644e-3f;\n"
    "    q = fmaf(q, r, 8.374163e-3f);\n"
    "    q = fmaf(q, r, 4.1668e-2f);\n"
    "    q = fmaf(q, r, 1.6666432e-1f);\n"
    "    q = fmaf(q, r, 4.9999994e-1f);\n"
    "    q = fmaf(q, r, 1.0f);\n"
    "    q = fmaf(q, r, 1.0f);\n"
    "    memcpy(&n, &shifted, sizeof n);\n"
    "    n = (n << 23) + UINT32_C(0x3F800000);\n"
    "    memcpy(&power, &n, sizeof power);\n"
    "    return 1.0f / fmaf(q, power, 1.0f);\n"
    "}\n";

/* ---- Names ------------------------------------------------------------------------------------------------------- */

/* The file's name without folder and extension as the begin of an identifier; for free. */
static plethron_status make_prefix(const char *path, char **out, plethron_error *err) {
    static const char otherwise[] = "model_";
    const char *slash = strrchr(path, '/'), *base = slash ? slash + 1 : path;
    const char *dot = strrchr(base, '.');
    const size_t n = dot && dot > base ? (size_t)(dot - base) : strlen(base);
    void *memory = NULL;
    const plethron_status status = memory_allocate(sizeof otherwise + n, 1, path, &memory, err);
    if (status != PLETHRON_OK) return status;
    char *prefix = memory;
    if (n == 0 || !isalpha((unsigned char)*base)) strcpy(prefix, otherwise);
    size_t used = strlen(prefix);
    for (size_t i = 0; i < n; i++) prefix[used++] = isalnum((unsigned char)base[i]) ? base[i] : '_';
    *out = prefix;
    return PLETHRON_OK;
}

static void write_upper(FILE *stream, const char *text) {
    for (; *text; text++) fputc(toupper((unsigned char)*text), stream);
}

/* A string constant; what is not plain ASCII, and '?', which trigraphs begin with, in octal. */
static void write_text(FILE *stream, const char *text) {
    fputc('"', stream);
    for (; *text; text++) {
        const unsigned char c = (unsigned char)*text;
        if (c < 0x20 || c >= 0x7F || c == '"' || c == '\\' || c == '?')
            fprintf(stream, "\\%03o", c);
        else
            fputc(c, stream);
    }
    fputc('"', stream);
}

/* "target" or "target=class", as predictions' columns are called; "" where the target has no name. */
static void write_unit_name(FILE *stream, const plethron_bank *bank, size_t unit) {
    const int64_t target = bank->target[unit], class_code = bank->positive_class[unit];
    if ((uint64_t)target >= bank->targets.count) {
        fputs("\"\"", stream);
        return;
    }
    write_text(stream, bank->targets.names[target]);
    const name_list *labels = &bank->classes[target];
    if ((uint64_t)class_code >= labels->count || (labels->count == 2 && class_code == 1)) return;
    fputs(" \"=\" ", stream);
    write_text(stream, labels->names[class_code]);
}

/* ---- Parts of the file ------------------------------------------------------------------------------------------- */

static void write_head(FILE *stream, const plethron_bank *bank, const char *prefix) {
    fprintf(stream,
            "/* A model of Plethron %s: %zu perceptrons of %zu features, in C99.\n"
            " *\n"
            " *     void %s_predict(const float *x, float *p);\n"
            " *\n"
            " * p[j] becomes the probability that unit j gives to a row x of the features, in %s_features' order:\n"
            " * sigmoid(x . weights[.][j] + biases[j]). A compiler must not break the rules of IEEE 754 (-ffast-math)\n"
            " * for the same bits as those of 'plethron predict'. Link with -lm. */\n"
            "#include <math.h>\n"
            "#include <stdint.h>\n"
            "#include <string.h>\n\n",
            plethron_version(), bank->n_units, bank->n_features, prefix, prefix);
    fputs("enum { ", stream);
    write_upper(stream, prefix);
    fprintf(stream, "_N_FEATURES = %zu, ", bank->n_features);
    write_upper(stream, prefix);
    fprintf(stream, "_N_UNITS = %zu };\n\n", bank->n_units);
}

static void write_names(FILE *stream, const plethron_bank *bank, const char *prefix) {
    fprintf(stream, "/* What x holds, and what p. \"\" has no name. */\nconst char *const %s_features[%zu] = {", prefix,
            bank->n_features);
    for (size_t k = 0; k < bank->n_features; k++) {
        fputs(k ? ",\n    " : "\n    ", stream);
        write_text(stream, bank->features.count ? bank->features.names[k] : "");
    }
    fprintf(stream, "};\nconst char *const %s_units[%zu] = {", prefix, bank->n_units);
    for (size_t j = 0; j < bank->n_units; j++) {
        fputs(j ? ",\n    " : "\n    ", stream);
        write_unit_name(stream, bank, j);
    }
    fputs("};\n\n", stream);
}

/* A float constant of the same value. */
static void write_float(FILE *stream, float value) {
    char printed[NUMBER_PRINTED_SIZE];
    if (isnan(value))
        fputs("NAN", stream);
    else if (isinf(value))
        fputs(value > 0 ? "INFINITY" : "-INFINITY", stream);
    else {
        number_print(value, printed);
        fprintf(stream, strpbrk(printed, ".e") ? "%sf" : "%s.0f", printed);
    }
}

static void write_row(FILE *stream, const float *values, size_t n) {
    enum { A_LINE = 8 };
    for (size_t j = 0; j < n; j++) {
        fputs(j == 0 ? "" : j % A_LINE ? ", " : ",\n     ", stream);
        write_float(stream, values[j]);
    }
}

static void write_weights(FILE *stream, const plethron_bank *bank) {
    fprintf(stream, "static const float weights[%zu][%zu] = {", bank->n_features, bank->n_units);
    for (size_t k = 0; k < bank->n_features; k++) {
        fputs(k ? ",\n    {" : "\n    {", stream);
        write_row(stream, bank->weights + k * bank->n_units, bank->n_units);
        fputc('}', stream);
    }
    fprintf(stream, "};\nstatic const float biases[%zu] = {\n     ", bank->n_units);
    write_row(stream, bank->biases, bank->n_units);
    fputs("};\n\n", stream);
}

static void write_function(FILE *stream, const plethron_bank *bank, const char *prefix) {
    fprintf(stream,
            "\nvoid %s_predict(const float *x, float *p);\n\n"
            "void %s_predict(const float *x, float *p) {\n"
            "    size_t j, k;\n"
            "    for (j = 0; j < %zu; j++) p[j] = biases[j];\n"
            "    for (k = 0; k < %zu; k++)\n"
            "        for (j = 0; j < %zu; j++) p[j] = fmaf(x[k], weights[k][j], p[j]);\n"
            "    for (j = 0; j < %zu; j++) p[j] = sigmoid(p[j]);\n"
            "}\n",
            prefix, prefix, bank->n_units, bank->n_features, bank->n_units, bank->n_units);
}

plethron_status export_c(const plethron_bank *bank, const char *path, FILE *stream, plethron_error *err) {
    char *prefix = NULL;
    const plethron_status status = make_prefix(path, &prefix, err);
    if (status != PLETHRON_OK) return status;
    write_head(stream, bank, prefix);
    write_names(stream, bank, prefix);
    write_weights(stream, bank);
    fputs(sigmoid_text, stream);
    write_function(stream, bank, prefix);
    free(prefix);
    return PLETHRON_OK;
}
