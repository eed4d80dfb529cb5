/* Built programs on disk: what was compiled once is not compiled again.
 *
 * A file is named by the SHA-256 of everything that decides its content, and carries the SHA-256 of its payload: a
 * damaged binary crashes some runtimes, so it must never reach them. Files appear by rename. Any trouble turns the
 * cache off for that program, silently: the program is then built from source. The folder is that of cache_folder.h. */
#ifndef PLETHRON_KERNEL_CACHE_H
#define PLETHRON_KERNEL_CACHE_H

#include "device_cl.h"

/* The key, a SHA-256, of sources and options on a device. */
void kernel_cache_key(const plethron_device *device, const char *const *texts, size_t n_texts, const char *options,
                      char key[PROGRAM_KEY_LENGTH + 1]);

/* The binary stored under the key, for free; NULL when there is none that is whole. */
unsigned char *kernel_cache_read(const char *key, size_t *n_bytes);

/* Stores the binary of a built program under the key. */
void kernel_cache_write(const char *key, cl_program program);

#endif
