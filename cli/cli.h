/* What every verb of the program uses: exit codes, messages, options, and the text of numbers. */
#ifndef PLETHRON_CLI_H
#define PLETHRON_CLI_H

#include <plethron.h>

enum { CLI_DONE = 0, CLI_FAILED = 1, CLI_USAGE = 2, CLI_INTERRUPTED = 130 };
enum { CLI_GO_ON = -1 }; /* an argument parser's answer when there is work to do */

/* The verbs; each returns the program's exit code. */
int devices_main(int argc, char **argv);
int train_main(int argc, char **argv);
int predict_main(int argc, char **argv);
int inspect_main(int argc, char **argv);
int sweep_main(int argc, char **argv);
int bench_main(int argc, char **argv);
int export_main(int argc, char **argv);
int plot_main(int argc, char **argv);

/* ---- Errors and messages (print.c) ------------------------------------------------------------------------------ */

/* Leaves the function through its `out:` label when a call fails. Needs a local `plethron_status status`. */
#define TRY(call)                            \
    do {                                     \
        status = (call);                     \
        if (status != PLETHRON_OK) goto out; \
    } while (0)

/* Fills `err` and returns `status`. */
plethron_status fail(plethron_error *err, plethron_status status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Zeroed memory at *out, for free; PLETHRON_ERROR_MEMORY when there is not enough. */
plethron_status allocate(size_t count, size_t size, void *out, plethron_error *err);

/* Seconds since some moment. */
double now_s(void);

/* One line on stderr, after the program's name. */
void say(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Says what is wrong with the command line and where help is; returns CLI_USAGE. `verb` may be NULL. */
int usage_error(const char *verb, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Prints a help text on stdout; returns the exit code. */
int print_help(const char *text);
/* The same for a text in parts, NULL-ended: C promises string constants of 4095 characters only. */
int print_help_parts(const char *const *parts);

/* Flushes stdout. False, after a message, when anything written to it was lost. */
bool stdout_finish(void);

/* ---- Numbers and names as text (print.c) ------------------------------------------------------------------------ */

enum { NUMBER_TEXT = 32 };

/* The fewest digits that read back as the same float, without an exponent unless the value is below 1e-9 or above 1e9.
 * Returns `text`. */
const char *number_text(float value, char text[NUMBER_TEXT]);

/* "1.5 GiB". Returns `text`. */
const char *bytes_text(uint64_t bytes, char text[NUMBER_TEXT]);

enum { NAME_SHOWN = 64 };

/* A name as a table shows it: control characters as '?', and a long one cut. Returns `shown`. */
const char *name_show(const char *name, char shown[NAME_SHOWN]);

/* Writes a CSV field, quoted where it must be. */
void csv_field(FILE *stream, const char *text);

/* ---- Options (options.c) ---------------------------------------------------------------------------------------- */

typedef struct number_list {
    float *values;
    size_t count;
} number_list;

typedef struct name_list {
    char **names;
    size_t count;
} name_list;

/* Positions among the choices of an option. */
typedef struct choice_list {
    int64_t *values;
    size_t count;
} choice_list;

void number_list_release(number_list *list);
void choice_list_release(choice_list *list);
void name_list_release(name_list *list);

/* Each reads the value of an option of `verb` into *out, in place of what stood there; false after a usage error that
 * names the value and what is allowed. */
bool option_whole(const char *verb, const char *option, const char *text, int64_t min, int64_t max, int64_t *out);
bool option_numbers(const char *verb, const char *option, const char *text, bool zero_allowed, number_list *out);
/* Names between commas, all different; a comma inside a name is written "\,". */
bool option_names(const char *verb, const char *option, const char *text, name_list *out);
/* One number from `min` to `max`. */
bool option_number(const char *verb, const char *option, const char *text, double min, double max, float *out);
/* A span of time in seconds, above 0: a number and s, m, h or d, such as 90, 1.5h or 15m. */
bool option_seconds(const char *verb, const char *option, const char *text, double *out);
/* A number of bytes: digits and K, M, G or T for powers of 1024, such as 512M. */
bool option_bytes(const char *verb, const char *option, const char *text, uint64_t min, uint64_t *out);
/* The positions in the NULL-ended `choices` of names between commas, each once. */
bool option_choices(const char *verb, const char *option, const char *text, const char *const *choices,
                    choice_list *out);
/* The position of `text` in the NULL-ended `choices`. */
bool option_choice(const char *verb, const char *option, const char *text, const char *const *choices, int64_t *out);

/* The usage error for getopt_long's answers '?' and ':', with opterr 0 and a short-option string that begins with ':'.
 */
int option_refused(const char *verb, int answer, char **argv);

/* Takes `count` operands at argv[optind]; false after a usage error when there are fewer or more. `names` describes
 * them in the error. */
bool operands_take(const char *verb, int argc, char **argv, int count, const char *names, const char **out);

/* ---- Files (files.c) -------------------------------------------------------------------------------------------- */

/* Checks, before any work, that `path` can be written: its folder exists and takes a new file. */
plethron_status file_check_writable(const char *path, plethron_error *err);

/* True when both paths name the same file; either may be NULL. */
bool file_same(const char *a, const char *b);

#endif
