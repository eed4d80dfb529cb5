#define _DEFAULT_SOURCE /* madvise */

#include "cli.h"

#include <ctype.h>
#include <errno.h>
#include <float.h>
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

plethron_status fail(plethron_error *err, plethron_status status, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    err->status = status;
    err->opencl_code = 0;
    vsnprintf(err->text, sizeof err->text, format, arguments);
    va_end(arguments);
    return status;
}

/* Large memory asks for huge pages, as numpy's arrays do: there are fewer to fill and to look up. */
static void ask_for_huge_pages(char *memory, size_t bytes) {
#ifdef MADV_HUGEPAGE
    enum { HUGE_PAGE = 2 << 20, LEAST = 2 * HUGE_PAGE };
    if (bytes < LEAST) return;
    const size_t before = (HUGE_PAGE - (uintptr_t)memory % HUGE_PAGE) % HUGE_PAGE;
    madvise(memory + before, (bytes - before) / HUGE_PAGE * HUGE_PAGE, MADV_HUGEPAGE);
#else
    (void)memory;
    (void)bytes;
#endif
}

plethron_status allocate(size_t count, size_t size, void *out, plethron_error *err) {
    void *memory = calloc(count ? count : 1, size);
    if (!memory) return fail(err, PLETHRON_ERROR_MEMORY, "not enough memory for %zu values of %zu bytes", count, size);
    ask_for_huge_pages(memory, count * size);
    memcpy(out, &memory, sizeof memory);
    return PLETHRON_OK;
}

double now_s(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

void say(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    fputs("plethron: ", stderr);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    va_end(arguments);
}

int usage_error(const char *verb, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    fprintf(stderr, "plethron%s%s: ", verb ? " " : "", verb ? verb : "");
    vfprintf(stderr, format, arguments);
    fprintf(stderr, "\ntry 'plethron%s%s --help'\n", verb ? " " : "", verb ? verb : "");
    va_end(arguments);
    return CLI_USAGE;
}

int print_help(const char *text) {
    return print_help_parts((const char *const[]){text, NULL});
}

int print_help_parts(const char *const *parts) {
    for (; *parts; parts++) fputs(*parts, stdout);
    return stdout_finish() ? CLI_DONE : CLI_FAILED;
}

bool stdout_finish(void) {
    bool lost_before = ferror(stdout) != 0;
    errno = 0;
    if (fflush(stdout) == 0 && !lost_before) return true;
    say("cannot write to stdout: %s", errno ? strerror(errno) : "write error");
    return false;
}

/* Rewrites "1.25e-05" as "0.0000125". */
static void expand_exponent(float value, char text[NUMBER_TEXT]) {
    const char *exponent_mark = strchr(text, 'e');
    if (!exponent_mark) return;
    int exponent = atoi(exponent_mark + 1);
    if (exponent < -9 || exponent > 9) return;
    int n_digits = 0;
    for (const char *c = text; c < exponent_mark; c++) n_digits += isdigit((unsigned char)*c) != 0;
    int n_decimals = n_digits - 1 - exponent;
    snprintf(text, NUMBER_TEXT, "%.*f", n_decimals > 0 ? n_decimals : 0, (double)value);
}

const char *number_text(float value, char text[NUMBER_TEXT]) {
    /* Six digits survive any float, and %g drops trailing zeros: fewer than six need no trial of their own. */
    for (int n_digits = FLT_DIG; n_digits <= FLT_DECIMAL_DIG; n_digits++) {
        snprintf(text, NUMBER_TEXT, "%.*g", n_digits, (double)value);
        if (strtof(text, NULL) == value) break;
    }
    if (isfinite(value)) expand_exponent(value, text);
    return text;
}

const char *bytes_text(uint64_t bytes, char text[NUMBER_TEXT]) {
    static const char *const units[] = {"bytes", "KiB", "MiB", "GiB", "TiB"};
    double value = (double)bytes;
    size_t unit = 0;
    while (value >= 1024.0 && unit + 1 < sizeof units / sizeof *units) {
        value /= 1024.0;
        unit++;
    }
    snprintf(text, NUMBER_TEXT, "%.*f %s", value == floor(value) ? 0 : 1, value, units[unit]);
    return text;
}

const char *name_show(const char *name, char shown[NAME_SHOWN]) {
    static const char dots[] = "...";
    size_t length = strlen(name);
    bool is_cut = length >= NAME_SHOWN;
    if (is_cut) {
        length = NAME_SHOWN - sizeof dots;
        while (length > 0 && (name[length] & 0xC0) == 0x80) length--; /* not inside a character of UTF-8 */
    }
    for (size_t i = 0; i < length; i++) shown[i] = iscntrl((unsigned char)name[i]) ? '?' : name[i];
    strcpy(shown + length, is_cut ? dots : "");
    return shown;
}

void csv_field(FILE *stream, const char *text) {
    if (*text && !strpbrk(text, ",\"\r\n")) {
        fputs(text, stream);
        return;
    }
    fputc('"', stream);
    for (; *text; text++) {
        if (*text == '"') fputc('"', stream);
        fputc(*text, stream);
    }
    fputc('"', stream);
}
