/* A bank as JSON: everything that its model file holds, for people and for programs without safetensors. */
#include "export.h"
#include "io/number.h"

#include <float.h>
#include <math.h>
#include <string.h>

/* ---- Values ------------------------------------------------------------------------------------------------------ */

static void write_text(FILE *stream, const char *text) {
    fputc('"', stream);
    for (; *text; text++) {
        const unsigned char c = (unsigned char)*text;
        if (c < 0x20)
            fprintf(stream, "\\u%04x", c);
        else {
            if (c == '"' || c == '\\') fputc('\\', stream);
            fputc(c, stream);
        }
    }
    fputc('"', stream);
}

/* From here on a whole number is written with an exponent: readers that tell integers apart may have only 64 bits for
 * them. */
#define LARGEST_WHOLE 0x1p53f

static void write_number(FILE *stream, float value) {
    char printed[NUMBER_PRINTED_SIZE];
    if (isnan(value)) {
        fputs("null", stream);
    } else if (isinf(value)) {
        fputs(value > 0 ? "\"Infinity\"" : "\"-Infinity\"", stream);
    } else if (value == 0.0f) {
        fputs(signbit(value) ? "-0.0" : "0", stream); /* "-0" may be read as an integer, whose 0 has no sign */
    } else if (fabsf(value) >= LARGEST_WHOLE) {
        fprintf(stream, "%.*g", FLT_DECIMAL_DIG, (double)value);
    } else {
        number_print(value, printed);
        fputs(printed, stream);
    }
}

static void write_integer(FILE *stream, int64_t value) {
    fprintf(stream, "%lld", (long long)value);
}

static void write_names(FILE *stream, const name_list *names) {
    fputc('[', stream);
    for (size_t i = 0; i < names->count; i++) {
        if (i) fputs(", ", stream);
        write_text(stream, names->names[i]);
    }
    fputc(']', stream);
}

/* A position in a list of names: the name, the number where the list does not reach, null for PLETHRON_NONE. */
static void write_position(FILE *stream, const name_list *names, int64_t position) {
    if (position == PLETHRON_NONE)
        fputs("null", stream);
    else if ((uint64_t)position < names->count)
        write_text(stream, names->names[position]);
    else
        write_integer(stream, position);
}

static void write_target(FILE *stream, const plethron_bank *bank, size_t unit) {
    write_position(stream, &bank->targets, bank->target[unit]);
}

static void write_class(FILE *stream, const plethron_bank *bank, size_t unit) {
    const name_list none = {0};
    const int64_t target = bank->target[unit];
    write_position(stream, (uint64_t)target < bank->targets.count ? &bank->classes[target] : &none,
                   bank->positive_class[unit]);
}

/* ---- Units ------------------------------------------------------------------------------------------------------- */

/* Arrays whose integers stand for names. */
static const struct {
    const char *array;
    const char *const *names;
} coded_arrays[] = {
    {"loss", bank_loss_names},
    {"state", bank_state_names},
    {"optimizer", bank_optimizer_names},
    {"schedule", bank_schedule_names},
};

static void write_integer_of(FILE *stream, const plethron_bank *bank, const bank_array *array, size_t unit) {
    const int64_t value = ((const int64_t *)bank_array_memory(bank, array))[unit];
    for (size_t i = 0; i < sizeof coded_arrays / sizeof *coded_arrays; i++)
        if (strcmp(array->name, coded_arrays[i].array) == 0) {
            write_text(stream, coded_arrays[i].names[value]);
            return;
        }
    if (strcmp(array->name, "target") == 0)
        write_target(stream, bank, unit);
    else if (strcmp(array->name, "positive_class") == 0)
        write_class(stream, bank, unit);
    else if (strcmp(array->name, "entity") == 0)
        write_position(stream, &bank->entities, value);
    else if (value == PLETHRON_NONE)
        fputs("null", stream);
    else
        write_integer(stream, value);
}

static void write_unit(FILE *stream, const plethron_bank *bank, size_t unit) {
    fputs("{", stream);
    for (size_t a = 0; a < BANK_N_ARRAYS; a++) {
        const bank_array *array = &bank_arrays[a];
        fprintf(stream, "\"%s\": ", array->name);
        if (array->is_integer)
            write_integer_of(stream, bank, array, unit);
        else
            write_number(stream, ((const float *)bank_array_memory(bank, array))[unit]);
        fputs(", ", stream);
    }
    fputs("\"bias\": ", stream);
    write_number(stream, bank->biases[unit]);
    fputs(", \"weights\": [", stream);
    for (size_t k = 0; k < bank->n_features; k++) {
        if (k) fputs(", ", stream);
        write_number(stream, bank->weights[k * bank->n_units + unit]);
    }
    fputs("]}", stream);
}

/* ---- The bank ---------------------------------------------------------------------------------------------------- */

static void write_targets(FILE *stream, const plethron_bank *bank) {
    fputs(" \"targets\": [", stream);
    for (size_t t = 0; t < bank->targets.count; t++) {
        fputs(t ? ",\n  {\"name\": " : "\n  {\"name\": ", stream);
        write_text(stream, bank->targets.names[t]);
        fputs(", \"classes\": ", stream);
        write_names(stream, &bank->classes[t]);
        fputc('}', stream);
    }
    fputs("],\n", stream);
}

static void write_named_list(FILE *stream, const char *key, const name_list *names) {
    fprintf(stream, " \"%s\": ", key);
    write_names(stream, names);
    fputs(",\n", stream);
}

void export_json(const plethron_bank *bank, FILE *stream) {
    fprintf(stream, "{\"plethron_version\": \"%s\",\n", plethron_version());
    fprintf(stream, " \"reduction\": \"%s\",\n", bank_reduction_names[bank->reduction]);
    fputs(" \"strategy\": ", stream);
    write_text(stream, bank->strategy);
    fprintf(stream, ",\n \"check_every\": %lld,\n \"batch_size\": %lld,\n \"batch_seed\": %lld,\n",
            (long long)bank->check_every, (long long)bank->batch_size, (long long)bank->batch_seed);
    fprintf(stream, " \"n_features\": %zu,\n \"n_units\": %zu,\n", bank->n_features, bank->n_units);
    write_named_list(stream, "features", &bank->features);
    write_targets(stream, bank);
    fputs(" \"entity_column\": ", stream);
    if (bank->entity_column)
        write_text(stream, bank->entity_column);
    else
        fputs("null", stream);
    fputs(",\n", stream);
    write_named_list(stream, "entities", &bank->entities);
    fputs(" \"units\": [", stream);
    for (size_t j = 0; j < bank->n_units; j++) {
        fputs(j ? ",\n  " : "\n  ", stream);
        write_unit(stream, bank, j);
    }
    fputs("]}\n", stream);
}
