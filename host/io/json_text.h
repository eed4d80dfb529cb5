/* JSON values as text. */
#ifndef PLETHRON_IO_JSON_TEXT_H
#define PLETHRON_IO_JSON_TEXT_H

#include "../status.h"

#include <jansson.h>

/* The value, without blanks, as a text for free. A value that is NULL, as jansson gives it without memory, and a text
 * that finds no memory are PLETHRON_ERROR_MEMORY; `path` names the file in it. */
plethron_status json_text(const json_t *value, const char *path, char **out, plethron_error *err);

#endif
