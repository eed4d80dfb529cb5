#define _POSIX_C_SOURCE 200809L

#include "cli.h"

#include <ctype.h>
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

void number_list_release(number_list *list) {
    free(list->values);
    *list = (number_list){0};
}

void choice_list_release(choice_list *list) {
    free(list->values);
    *list = (choice_list){0};
}

void name_list_release(name_list *list) {
    for (size_t i = 0; i < list->count; i++) free(list->names[i]);
    free(list->names);
    *list = (name_list){0};
}

bool option_whole(const char *verb, const char *option, const char *text, int64_t min, int64_t max, int64_t *out) {
    char *end = NULL;
    errno = 0;
    long long value = strtoll(text, &end, 10);
    if (end == text || *end != '\0' || errno == ERANGE || value < min || value > max) {
        usage_error(verb, "%s '%s' is not a whole number from %" PRId64 " to %" PRId64, option, text, min, max);
        return false;
    }
    *out = value;
    return true;
}

bool option_bytes(const char *verb, const char *option, const char *text, uint64_t min, uint64_t *out) {
    static const char units[] = "KMGT";
    char *end = NULL, shown[NUMBER_TEXT];
    errno = 0;
    const unsigned long long count = strtoull(text, &end, 10);
    const char *unit = *end ? strchr(units, *end) : NULL;
    const int shift = unit ? 10 * (int)(unit - units + 1) : 0;
    const bool is_read = isdigit((unsigned char)*text) && errno == 0 && end[unit != NULL] == '\0';
    if (!is_read || count > UINT64_MAX >> shift || (uint64_t)count << shift < min) {
        usage_error(verb, "%s '%s' is not a size of %s or more, such as 512M or 4G", option, text,
                    bytes_text(min, shown));
        return false;
    }
    *out = (uint64_t)count << shift;
    return true;
}

bool option_seconds(const char *verb, const char *option, const char *text, double *out) {
    static const struct {
        const char *name;
        double seconds;
    } units[] = {{"", 1.0}, {"s", 1.0}, {"m", 60.0}, {"h", 3600.0}, {"d", 86400.0}};
    static const double most_s = 1e9; /* thirty years */
    char *end = NULL;
    const double count = strtod(text, &end);
    for (size_t u = 0; isdigit((unsigned char)*text) && u < sizeof units / sizeof *units; u++) {
        const double seconds = count * units[u].seconds;
        if (strcmp(end, units[u].name) != 0 || !(seconds > 0.0 && seconds <= most_s)) continue;
        *out = seconds;
        return true;
    }
    usage_error(verb, "%s '%s' is not a time above 0, such as 90, 15m or 2h", option, text);
    return false;
}

static size_t count_fields(const char *text) {
    size_t count = 1;
    for (; *text; text++) count += *text == ',';
    return count;
}

bool option_numbers(const char *verb, const char *option, const char *text, bool zero_allowed, number_list *out) {
    number_list list = {.values = calloc(count_fields(text), sizeof(float))};
    if (!list.values) {
        usage_error(verb, "%s: not enough memory", option);
        return false;
    }
    for (const char *field = text;; field++) {
        char *end = NULL;
        float value = strtof(field, &end);
        bool in_range = isfinite(value) && (zero_allowed ? value >= 0 : value > 0);
        if (end == field || (*end != ',' && *end != '\0') || !in_range) {
            int length = (int)strcspn(field, ",");
            usage_error(verb, "%s '%.*s' is not a finite number %s 0; several are written as 0.1,0.3", option, length,
                        field, zero_allowed ? ">=" : ">");
            number_list_release(&list);
            return false;
        }
        list.values[list.count++] = value;
        field = end;
        if (*field == '\0') break;
    }
    number_list_release(out);
    *out = list;
    return true;
}

bool option_number(const char *verb, const char *option, const char *text, double min, double max, float *out) {
    char *end = NULL;
    const float value = strtof(text, &end);
    if (end == text || *end || !((double)value >= min && (double)value <= max)) {
        usage_error(verb, "%s '%s' is not a number from %g to %.8g", option, text, min, max);
        return false;
    }
    *out = value;
    return true;
}

/* Copies the name that begins at `text` and returns where it ends; NULL without memory. */
static const char *name_copy(const char *text, char **out) {
    char *name = malloc(strlen(text) + 1);
    if (!name) return NULL;
    size_t length = 0;
    for (; *text && *text != ','; text++) {
        if (text[0] == '\\' && text[1] == ',') text++;
        name[length++] = *text;
    }
    name[length] = '\0';
    *out = name;
    return text;
}

static bool name_list_has(const name_list *list, const char *name) {
    for (size_t i = 0; i < list->count; i++)
        if (strcmp(list->names[i], name) == 0) return true;
    return false;
}

bool option_names(const char *verb, const char *option, const char *text, name_list *out) {
    name_list list = {.names = calloc(count_fields(text), sizeof(char *))};
    const char *end = list.names ? text : NULL;
    for (const char *field = text; end; field = end + 1) {
        char *name = NULL;
        end = name_copy(field, &name);
        if (!end) break;
        if (*name == '\0' || name_list_has(&list, name)) {
            usage_error(verb, "%s '%s' %s; column names stand between commas, each once", option, text,
                        *name ? "names a column twice" : "holds an empty name");
            free(name);
            name_list_release(&list);
            return false;
        }
        list.names[list.count++] = name;
        if (*end == '\0') break;
    }
    if (!end) {
        usage_error(verb, "%s: not enough memory", option);
        name_list_release(&list);
        return false;
    }
    name_list_release(out);
    *out = list;
    return true;
}

/* The position of the `length` letters at `text`; -1 where they are none of the choices. */
static int64_t find_choice(const char *text, size_t length, const char *const *choices) {
    for (int64_t i = 0; choices[i]; i++)
        if (strlen(choices[i]) == length && strncmp(text, choices[i], length) == 0) return i;
    return -1;
}

static void no_choice(const char *verb, const char *option, const char *text, size_t length,
                      const char *const *choices) {
    char allowed[256] = "";
    for (size_t i = 0; choices[i]; i++) {
        size_t used = strlen(allowed);
        snprintf(allowed + used, sizeof allowed - used, "%s%s", i ? ", " : "", choices[i]);
    }
    usage_error(verb, "%s '%.*s' is none of %s", option, (int)length, text, allowed);
}

bool option_choice(const char *verb, const char *option, const char *text, const char *const *choices, int64_t *out) {
    const int64_t found = find_choice(text, strlen(text), choices);
    if (found < 0)
        no_choice(verb, option, text, strlen(text), choices);
    else
        *out = found;
    return found >= 0;
}

bool option_choices(const char *verb, const char *option, const char *text, const char *const *choices,
                    choice_list *out) {
    choice_list list = {.values = calloc(count_fields(text), sizeof(int64_t))};
    bool good = list.values != NULL;
    if (!good) usage_error(verb, "%s: not enough memory", option);
    for (const char *field = text; good;) {
        const size_t length = strcspn(field, ",");
        const int64_t found = find_choice(field, length, choices);
        good = found >= 0;
        if (!good) no_choice(verb, option, field, length, choices);
        for (size_t i = 0; good && i < list.count; i++)
            if (list.values[i] == found) {
                usage_error(verb, "%s '%s' names %s twice", option, text, choices[found]);
                good = false;
            }
        if (good) list.values[list.count++] = found;
        if (field[length] == '\0') break;
        field += length + 1;
    }
    if (!good) {
        choice_list_release(&list);
        return false;
    }
    choice_list_release(out);
    *out = list;
    return true;
}

int option_refused(const char *verb, int answer, char **argv) {
    const char *text = argv[optind - 1];
    if (answer == ':') return usage_error(verb, "option '%s' needs a value", text);
    if (strncmp(text, "--", 2) != 0) return usage_error(verb, "unknown option '-%c'", optopt);
    if (optopt) return usage_error(verb, "option '%s' takes no value", text);
    return usage_error(verb, "unknown or ambiguous option '%s'", text);
}

bool operands_take(const char *verb, int argc, char **argv, int count, const char *names, const char **out) {
    if (argc - optind < count) {
        usage_error(verb, "needs %s", names);
        return false;
    }
    if (argc - optind > count) {
        usage_error(verb, "'%s' is one argument too many; %s expected", argv[optind + count], names);
        return false;
    }
    for (int i = 0; i < count; i++) out[i] = argv[optind + i];
    return true;
}
