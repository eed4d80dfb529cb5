/* What several test programs need: checks of errors, objects, a folder of one's own, whole files, child processes. */
#ifndef PLETHRON_TEST_SUPPORT_H
#define PLETHRON_TEST_SUPPORT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "plethron.h"

/* Fails the test unless the call worked; shows the error's text. */
#define assert_works(call, err) support_works((call), (err), __FILE__, __LINE__)

/* Fails the test unless the call failed with the expected status and one line of text that holds every given part.
 * The call writes to the plethron_error that `err` points to. */
#define assert_fails(expected, call, err, ...) \
    support_fails((expected), (call), (err), (const char *const[]){__VA_ARGS__, NULL}, __FILE__, __LINE__)

void support_works(plethron_status status, const plethron_error *err, const char *file, int line);
void support_fails(plethron_status expected, plethron_status status, const plethron_error *err,
                   const char *const *parts, const char *file, int line);

/* A device, data set, bank or unit's values; the test fails where they cannot be had. `options` may be NULL. */
plethron_device *support_device(const char *selector);
/* Calls `check` with every device that is listed, its buffers between margins that must stay as they are; and with the
 * host and the default device. */
void support_on_every_device(void (*check)(plethron_device *device));
void support_on_two_devices(void (*check)(plethron_device *device));
plethron_dataset *support_dataset(plethron_device *device, const float *X, size_t n_samples, size_t n_features,
                                  const float *Y, size_t n_targets, bool standardize);
plethron_bank *support_bank(size_t n_features, size_t n_units, const plethron_bank_options *options);
plethron_unit support_unit(const plethron_bank *bank, size_t j);
/* Whether two banks hold the same, bit by bit. */
bool support_same_banks(const plethron_bank *a, const plethron_bank *b);

#define COUNT(array) (sizeof(array) / sizeof *(array))

enum { SUPPORT_PATH_BYTES = 512 };

/* A new empty folder, and its removal with all files in it. */
void support_folder_open(char path[SUPPORT_PATH_BYTES]);
void support_folder_close(const char *path);
size_t support_folder_count(const char *path);

/* "folder/name". */
void support_path(char path[SUPPORT_PATH_BYTES], const char *folder, const char *name);

void support_write(const char *path, const void *bytes, size_t n_bytes);
/* The file's bytes, with a NUL behind them, for free. */
char *support_read(const char *path, size_t *n_bytes);

/* Runs this program once more with `part` as its only argument and the settings "NAME=value" in its environment: what
 * is read once in a process's life can be tested only so. The child's exit code; a child that was killed fails the
 * test. */
int support_run_self(const char *part, const char *const *settings, size_t n_settings);

enum { CHILD_WORKED = 0, CHILD_FAILED = 1, CHILD_SKIPPED = 77 };

/* For a child: prints what is not so and exits. */
#define child_needs(condition) support_child_needs((condition), #condition, __FILE__, __LINE__)
void support_child_needs(bool condition, const char *text, const char *file, int line);

#endif
