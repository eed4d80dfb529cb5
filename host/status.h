/* Errors and memory: the bottom layer, which every other file of the library may use. */
#ifndef PLETHRON_STATUS_H
#define PLETHRON_STATUS_H

#include "plethron.h"

/* Leaves the function through its `out:` label when a call fails. Needs a local `plethron_status status`. */
#define TRY(call)                            \
    do {                                     \
        status = (call);                     \
        if (status != PLETHRON_OK) goto out; \
    } while (0)

/* Fills `err` (which may be NULL) with a formatted text and returns `status`. */
plethron_status error_set(plethron_error *err, plethron_status status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Checks a size given by struct_size: PLETHRON_ERROR_ARGUMENT unless it is between 1 and `known`. A caller that was
 * built against an older, shorter struct is served; one with a longer struct is refused. */
plethron_status error_check_struct(size_t struct_size, size_t known, const char *name, plethron_error *err);

/* Multiplies sizes; false when the product overflows. */
bool size_multiply(size_t a, size_t b, size_t *product);

static inline size_t size_smaller(size_t a, size_t b) {
    return a < b ? a : b;
}

/* a / b, rounded up. */
static inline size_t size_divide_up(size_t a, size_t b) {
    return (a + b - 1) / b;
}

/* Allocates count * size zeroed bytes at *out, aligned to 64 bytes; release with free. PLETHRON_ERROR_MEMORY names
 * `what` and the bytes. A count of zero gives a valid pointer. */
plethron_status memory_allocate(size_t count, size_t size, const char *what, void **out, plethron_error *err);

/* Memory of so many bytes or more lies in huge pages where it can. */
enum { MEMORY_HUGE_BYTES = 4 << 20 };

/* The same without the zeros: for what is filled at once, and for memory that several threads touch first. */
plethron_status memory_allocate_unset(size_t count, size_t size, const char *what, void **out, plethron_error *err);

/* A copy of a string, for free. */
plethron_status memory_copy_text(const char *text, char **out, plethron_error *err);

#endif
