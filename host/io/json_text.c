#include "json_text.h"

#include <stdlib.h>

/* Not json_dumps: without memory it leaves keys out and says nothing (jansson 2.14). */
plethron_status json_text(const json_t *value, const char *path, char **out, plethron_error *err) {
    plethron_status status;
    void *text = NULL;
    const size_t n = value ? json_dumpb(value, NULL, 0, JSON_COMPACT) : 0;
    if (n > 0) {
        TRY(memory_allocate(n + 1, 1, path, &text, err));
        if (json_dumpb(value, text, n, JSON_COMPACT) == n) {
            *out = text;
            return PLETHRON_OK;
        }
    }
    status = error_set(err, PLETHRON_ERROR_MEMORY, "%s: no memory for its names and texts", path);
out:
    free(text);
    return status;
}
