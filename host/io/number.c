#include "number.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
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

/* ---- Reading ----------------------------------------------------------------------------------------------------- */

enum {
    MAX_FAST_DIGITS = 18, /* of what fits into an int64_t whatever the digits */
    MIN_POWER = -56,      /* 18 digits and the smallest normal float, 1.2e-38 */
    MAX_POWER = 38        /* the largest float is 3.4e38 */
};

/* 10^MIN_POWER ... 10^MAX_POWER, each the nearest double. */
static const double powers[MAX_POWER - MIN_POWER + 1] = {
    1e-56, 1e-55, 1e-54, 1e-53, 1e-52, 1e-51, 1e-50, 1e-49, 1e-48, 1e-47, 1e-46, 1e-45, 1e-44, 1e-43, 1e-42, 1e-41,
    1e-40, 1e-39, 1e-38, 1e-37, 1e-36, 1e-35, 1e-34, 1e-33, 1e-32, 1e-31, 1e-30, 1e-29, 1e-28, 1e-27, 1e-26, 1e-25,
    1e-24, 1e-23, 1e-22, 1e-21, 1e-20, 1e-19, 1e-18, 1e-17, 1e-16, 1e-15, 1e-14, 1e-13, 1e-12, 1e-11, 1e-10, 1e-9,
    1e-8,  1e-7,  1e-6,  1e-5,  1e-4,  1e-3,  1e-2,  1e-1,  1e0,   1e1,   1e2,   1e3,   1e4,   1e5,   1e6,   1e7,
    1e8,   1e9,   1e10,  1e11,  1e12,  1e13,  1e14,  1e15,  1e16,  1e17,  1e18,  1e19,  1e20,  1e21,  1e22,  1e23,
    1e24,  1e25,  1e26,  1e27,  1e28,  1e29,  1e30,  1e31,  1e32,  1e33,  1e34,  1e35,  1e36,  1e37,  1e38,
};

/* The float nearest to digits * 10^power; false where this shorter way cannot tell.
 *
 * The double below is the result of three roundings, of the digits, of the power and of the product, so the true value
 * lies less than 4 of the double's last units away. It has 29 bits more than a float: unless they stand that near to
 * the middle between two floats, the double and the true value round to the same float. */
static bool convert(int64_t digits, int64_t power, number *out) {
    enum { SPARE_BITS = 29, MARGIN = 4, LONGER_THAN_FLT_DIG = 1000000 };
    static const double exact_enough = 0x1p-50; /* of the value: the roundings above */
    if (digits == 0 || power == 0) {            /* one rounding, from the integer to float */
        *out = (number){(float)digits, false};
        return true;
    }
    if (power < MIN_POWER || power > MAX_POWER) return false;
    const double value = (double)digits * powers[power - MIN_POWER];
    if (!(value >= (double)FLT_MIN && value <= (double)FLT_MAX)) return false;
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    const uint64_t middle = UINT64_C(1) << (SPARE_BITS - 1), spare = bits & ((UINT64_C(1) << SPARE_BITS) - 1);
    if (spare + MARGIN >= middle && spare <= middle + MARGIN) return false;
    out->value = (float)value;
    out->is_rounded = digits >= LONGER_THAN_FLT_DIG && fabs(value - (double)out->value) > exact_enough * value;
    return true;
}

static void convert_slowly(const char *text, number *out) {
    const double value = strtod(text, NULL);
    out->value = strtof(text, NULL);
    out->is_rounded = isfinite(out->value) && value != (double)out->value && value != trunc(value);
}

/* Appends the digits at `at` to *digits, which may overflow, and gives what follows them. */
static const char *scan_digits(const char *at, uint64_t *digits) {
    uint64_t value = *digits;
    for (unsigned digit; (digit = (unsigned char)*at - (unsigned)'0') <= 9; at++) value = 10 * value + digit;
    *digits = value;
    return at;
}

/* Adds the exponent at `at`, if there is one, to *power, and gives what follows it. */
static const char *scan_exponent(const char *at, int64_t *power) {
    enum { LIMIT = 1 << 20 }; /* far beyond every float; keeps the sum from overflowing */
    if (*at != 'e' && *at != 'E') return at;
    const bool is_negative = at[1] == '-';
    const char *start = at + 1 + (at[1] == '-' || at[1] == '+'), *end = start;
    int64_t value = 0;
    for (; *end >= '0' && *end <= '9'; end++)
        if (value < LIMIT) value = 10 * value + (*end - '0');
    if (end == start) return at; /* an 'e' alone belongs to no number */
    *power += is_negative ? -value : value;
    return end;
}

const char *number_scan(const char *text, number *out) {
    const bool is_negative = *text == '-';
    const char *start = text + (*text == '-' || *text == '+');
    uint64_t digits = 0;
    int64_t power = 0;
    const char *at = scan_digits(start, &digits);
    ptrdiff_t n_digits = at - start;
    if (*at == '.') {
        const char *fraction = at + 1;
        at = scan_digits(fraction, &digits);
        n_digits += at - fraction;
        power = fraction - at;
    }
    if (n_digits == 0) return NULL;
    at = scan_exponent(at, &power);
    for (; n_digits > MAX_FAST_DIGITS && (*start == '0' || *start == '.'); start++) n_digits -= *start == '0';
    if (n_digits > MAX_FAST_DIGITS || !convert((int64_t)digits, power, out))
        convert_slowly(text, out);
    else if (is_negative)
        out->value = -out->value;
    return at;
}

static bool is_word(const char *text, size_t n, const char *word) {
    return n == strlen(word) && strncasecmp(text, word, n) == 0;
}

number_kind number_read(const char *text, size_t n, number *out) {
    number scanned;
    if (n == 0) return NUMBER_MISSING;
    if (number_scan(text, &scanned) == text + n) {
        if (!isfinite(scanned.value)) return NUMBER_NOT_FINITE;
        *out = scanned;
        return NUMBER_FINITE;
    }
    const size_t n_sign = *text == '+' || *text == '-';
    text += n_sign;
    n -= n_sign;
    if (is_word(text, n, "nan") || is_word(text, n, "inf") || is_word(text, n, "infinity")) return NUMBER_NOT_FINITE;
    return NUMBER_TEXT;
}

/* ---- Printing ---------------------------------------------------------------------------------------------------- */

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
