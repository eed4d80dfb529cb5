/* Numbers as text: decimal, with a point, whatever the program's locale. */
#ifndef PLETHRON_IO_NUMBER_H
#define PLETHRON_IO_NUMBER_H

#include "../status.h"

#include <locale.h>

/* What a text is when a number is wanted. */
typedef enum number_kind {
    NUMBER_FINITE,
    NUMBER_MISSING,    /* empty */
    NUMBER_NOT_FINITE, /* inf or nan spelled out, or beyond the range of float */
    NUMBER_TEXT
} number_kind;

/* A number read. Decimal texts of up to FLT_DIG (6) significant digits that differ become floats that differ; of longer
 * ones several may become the same float. */
typedef struct number {
    float value;     /* the nearest float: rounded once, to even; infinite beyond the range */
    bool is_rounded; /* a longer text whose value no float has, and no whole number */
} number;

/* The calling thread's locale, to be put back. */
typedef struct number_locale {
    locale_t c, before;
} number_locale;

/* The functions below are called between these two, on the same thread. */
plethron_status number_locale_enter(number_locale *out, plethron_error *err);
void number_locale_leave(number_locale locale);

/* Reads the number that the text begins with: digits with an optional sign, point and exponent. Gives what follows it,
 * or NULL where there is no number. Somewhere behind the text stands a NUL. */
const char *number_scan(const char *text, number *out);

/* What the n bytes are as a whole; *out is set for NUMBER_FINITE only. Behind them stands what is no part of a number:
 * a blank, a quote, a comma, a NUL. */
number_kind number_read(const char *text, size_t n, number *out);

enum { NUMBER_PRINTED_SIZE = 64 };

/* Prints the shortest text that reads back as the same value; a whole number without an exponent. `value` is finite. */
void number_print(float value, char printed[NUMBER_PRINTED_SIZE]);

#endif
