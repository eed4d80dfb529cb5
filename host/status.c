#define _DEFAULT_SOURCE /* madvise */
#include "status.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define STRINGIFY_(x) #x
#define STRINGIFY(x) STRINGIFY_(x)

const char *plethron_version(void) {
    return STRINGIFY(PLETHRON_VERSION_MAJOR) "." STRINGIFY(PLETHRON_VERSION_MINOR) "." STRINGIFY(
        PLETHRON_VERSION_PATCH);
}

const char *plethron_status_name(plethron_status status) {
    switch (status) {
    case PLETHRON_OK: return "ok";
    case PLETHRON_ERROR_ARGUMENT: return "bad argument";
    case PLETHRON_ERROR_MEMORY: return "out of memory";
    case PLETHRON_ERROR_NO_DEVICE: return "no such device";
    case PLETHRON_ERROR_DEVICE: return "OpenCL call failed";
    case PLETHRON_ERROR_KERNEL: return "kernel build failed";
    case PLETHRON_ERROR_UNSUPPORTED: return "not supported";
    case PLETHRON_ERROR_FILE: return "file error";
    case PLETHRON_ERROR_FORMAT: return "bad file content";
    case PLETHRON_ERROR_INTERRUPTED: return "interrupted";
    }
    return "unknown status";
}

/* A text may quote names and values out of hostile files: it stays one line, without control characters. */
static void keep_one_line(char *text) {
    for (; *text; text++)
        if ((unsigned char)*text < ' ' || *text == 0x7F) *text = '?';
}

plethron_status error_set(plethron_error *err, plethron_status status, const char *format, ...) {
    if (err) {
        err->status = status;
        err->opencl_code = 0;
        va_list args;
        va_start(args, format);
        vsnprintf(err->text, sizeof err->text, format, args);
        va_end(args);
        keep_one_line(err->text);
    }
    return status;
}

plethron_status error_check_struct(size_t struct_size, size_t known, const char *name, plethron_error *err) {
    if (struct_size > 0 && struct_size <= known) return PLETHRON_OK;
    return error_set(err, PLETHRON_ERROR_ARGUMENT, "%s.struct_size is %zu: expected sizeof(%s) = %zu", name,
                     struct_size, name, known);
}

bool size_multiply(size_t a, size_t b, size_t *product) {
    return !__builtin_mul_overflow(a, b, product);
}

enum { ALIGNMENT = 64, HUGE_PAGE = 2 << 20 }; /* of memory: a cache line, and the widest vector */

/* In huge pages, where the system gives them: there are fewer to look up, and fewer that it has to clear. */
static void *allocate_huge(size_t bytes) {
    void *memory = aligned_alloc(HUGE_PAGE, size_divide_up(bytes, HUGE_PAGE) * HUGE_PAGE);
#ifdef MADV_HUGEPAGE
    if (memory) madvise(memory, bytes / HUGE_PAGE * HUGE_PAGE, MADV_HUGEPAGE);
#endif
    return memory;
}

plethron_status memory_allocate_unset(size_t count, size_t size, const char *what, void **out, plethron_error *err) {
    size_t bytes;
    if (!size_multiply(count, size, &bytes) || bytes > SIZE_MAX - HUGE_PAGE)
        return error_set(err, PLETHRON_ERROR_MEMORY, "%s: %zu x %zu bytes is more than can be addressed", what, count,
                         size);
    void *memory = bytes >= MEMORY_HUGE_BYTES
                       ? allocate_huge(bytes)
                       : aligned_alloc(ALIGNMENT, (bytes / ALIGNMENT + 1) * ALIGNMENT); /* never of zero bytes */
    if (!memory) return error_set(err, PLETHRON_ERROR_MEMORY, "%s: no memory for %zu bytes", what, bytes);
    *out = memory;
    return PLETHRON_OK;
}

plethron_status memory_allocate(size_t count, size_t size, const char *what, void **out, plethron_error *err) {
    const plethron_status status = memory_allocate_unset(count, size, what, out, err);
    if (status == PLETHRON_OK) memset(*out, 0, count * size);
    return status;
}

plethron_status memory_copy_text(const char *text, char **out, plethron_error *err) {
    size_t bytes = strlen(text) + 1;
    void *copy = NULL;
    plethron_status status = memory_allocate(bytes, 1, "a name", &copy, err);
    if (status == PLETHRON_OK) *out = memcpy(copy, text, bytes);
    return status;
}
