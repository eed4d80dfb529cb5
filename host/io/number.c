#include "number.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <strings.h>

plethron_status number_locale_enter(number_locale *out, plethron_error *err) {
    const locale_t c = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    if (!c) return error_set(err, PLETHRON_ERROR_MEMORY, "no memory for the locale \"C\"");
    *out = (number_locale){c, uselocale(c)};
    return PLETHRON_OK;
}

void number_locale_leave(number_locale locale) {
    uselocale(locale.before);
    freelocale(locale.c);
}

static const char *skip_sign(const char *text) {
    return *text == '+' || *text == '-' ? text + 1 : text;
}

static const char *skip_digits(const char *text) {
    while (*text >= '0' && *text <= '9') text++;
    return text;
}

/* [sign] digits [. digits] [e [sign] digits], with digits before or after the point. */
static bool is_decimal(const char *text) {
    const char *whole = skip_sign(text), *end = skip_digits(whole);
    bool has_digits = end > whole;
    if (*end == '.') {
        const char *fraction = end + 1;
        end = skip_digits(fraction);
        has_digits = has_digits || end > fraction;
    }
    if (!has_digits) return false;
    if (*end == 'e' || *end == 'E') {
        const char *exponent = skip_sign(end + 1);
        end = skip_digits(exponent);
        if (end == exponent) return false;
    }
    return *end == '\0';
}

number_kind number_read(const char *text, float *value) {
    if (*text == '\0') return NUMBER_MISSING;
    if (is_decimal(text)) {
        const float number = strtof(text, NULL);
        if (!isfinite(number)) return NUMBER_NOT_FINITE;
        *value = number;
        return NUMBER_FINITE;
    }
    const char *word = skip_sign(text);
    if (strcasecmp(word, "nan") == 0 || strcasecmp(word, "inf") == 0 || strcasecmp(word, "infinity") == 0)
        return NUMBER_NOT_FINITE;
    return NUMBER_TEXT;
}

void number_print(float value, char printed[NUMBER_PRINTED_SIZE]) {
    if (value == truncf(value)) {
        snprintf(printed, NUMBER_PRINTED_SIZE, "%.0f", (double)value);
        return;
    }
    for (int digits = 1; digits <= FLT_DECIMAL_DIG; digits++) {
        snprintf(printed, NUMBER_PRINTED_SIZE, "%.*g", digits, (double)value);
        if (strtof(printed, NULL) == value) return;
    }
}
