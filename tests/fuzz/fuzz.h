/* What the fuzzing of readers shares. A harness fuzz_NAME.c has libFuzzer's LLVMFuzzerTestOneInput; replay.c calls it
 * for the files of corpus/NAME where libFuzzer is not at hand. */
#ifndef PLETHRON_FUZZ_H
#define PLETHRON_FUZZ_H

#include "io/sparse.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { FUZZ_LIMIT_BYTES = 1 << 26, FUZZ_PATH_BYTES = 64 };

/* Ends the process, which the fuzzer sees. */
#define fuzz_expect(condition)     \
    do {                           \
        if (!(condition)) abort(); \
    } while (0)

/* A copy of the input with a NUL behind it, as file_read gives it; for free. */
char *fuzz_copy(const uint8_t *data, size_t size);

/* An empty table, and everything that can be asked of one that was read; closes it. A refusal is one line. */
plethron_table *fuzz_table(void);
void fuzz_ask(plethron_table *table, plethron_status status, const plethron_error *err);

/* The same of sparse tables, whose rows must be such as the library takes. */
plethron_sparse_table *fuzz_sparse_table(void);
void fuzz_ask_sparse(plethron_sparse_table *table, plethron_status status, const plethron_error *err);

/* A file in memory that holds the input, for readers that want a path. Gives its descriptor, for close. */
int fuzz_file(const uint8_t *data, size_t size, char path[FUZZ_PATH_BYTES]);

#endif
