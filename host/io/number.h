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

/* The calling thread's locale, to be put back. */
typedef struct number_locale {
    locale_t c, before;
} number_locale;

/* number_read and number_print are called between these two. */
plethron_status number_locale_enter(number_locale *out, plethron_error *err);
void number_locale_leave(number_locale locale);

/* Reads digits with an optional sign, point and exponent; *value is set for NUMBER_FINITE only. */
number_kind number_read(const char *text, float *value);

enum { NUMBER_PRINTED_SIZE = 64 };

/* Prints the shortest text that reads back as the same value; a whole number without an exponent. `value` is finite. */
void number_print(float value, char printed[NUMBER_PRINTED_SIZE]);

#endif
