/* A bank in formats of other programs. export.c opens the file and knows what applies; each format has a file. */
#ifndef PLETHRON_EXPORT_H
#define PLETHRON_EXPORT_H

#include "bank.h"

/* Write to a stream whose errors the caller asks for at the end; all numbers in the locale "C". */
void export_json(const plethron_bank *bank, FILE *stream);
/* `path` gives the functions their names, and is named in errors. */
plethron_status export_c(const plethron_bank *bank, const char *path, FILE *stream, plethron_error *err);
plethron_status export_onnx(const plethron_bank *bank, const char *path, FILE *stream, plethron_error *err);

#endif
