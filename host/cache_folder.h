/* Where the library keeps what it need not find out twice: PLETHRON_CACHE_DIR, else XDG_CACHE_HOME/plethron, else
 * HOME/.cache/plethron; PLETHRON_CACHE_DIR set empty: nowhere. */
#ifndef PLETHRON_CACHE_FOLDER_H
#define PLETHRON_CACHE_FOLDER_H

#include "status.h"

enum { CACHE_MAX_PATH = 1024 };

/* The path of a file in the folder; false when there is no folder. */
bool cache_file_path(const char *name, char path[CACHE_MAX_PATH]);

/* Writes a file of the folder, which is made where it is missing: the whole new content or none. The content is the
 * pieces one after another. False when that failed; a cache does without, then. */
typedef struct cache_piece {
    const void *bytes;
    size_t n_bytes;
} cache_piece;
bool cache_file_write(const char *name, const cache_piece *pieces, size_t n_pieces);

/* The content of a plain file of at most max_bytes, for free, with a NUL behind it; NULL when there is none. */
unsigned char *cache_file_read(const char *name, size_t max_bytes, size_t *n_bytes);

#endif
