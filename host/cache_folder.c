#include "cache_folder.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Writes the folder's path; false when there is none. */
static bool folder_path(char path[CACHE_MAX_PATH]) {
    const char *own = getenv("PLETHRON_CACHE_DIR"), *xdg = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
    int length = -1;
    if (own)
        length = *own ? snprintf(path, CACHE_MAX_PATH, "%s", own) : -1;
    else if (xdg && *xdg == '/')
        length = snprintf(path, CACHE_MAX_PATH, "%s/plethron", xdg);
    else if (home && *home)
        length = snprintf(path, CACHE_MAX_PATH, "%s/.cache/plethron", home);
    return length > 0 && length < CACHE_MAX_PATH;
}

bool cache_file_path(const char *name, char path[CACHE_MAX_PATH]) {
    if (!folder_path(path)) return false;
    const size_t used = strlen(path);
    return snprintf(path + used, CACHE_MAX_PATH - used, "/%s", name) < (int)(CACHE_MAX_PATH - used);
}

/* Makes the folder and the folders above it. */
static bool make_folder(char *path) {
    for (char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        bool made = mkdir(path, 0700) == 0 || errno == EEXIST;
        *slash = '/';
        if (!made) return false;
    }
    return mkdir(path, 0700) == 0 || errno == EEXIST;
}

static bool write_pieces(int file, const cache_piece *pieces, size_t n_pieces) {
    bool written = true;
    for (size_t i = 0; i < n_pieces && written; i++)
        written = write(file, pieces[i].bytes, pieces[i].n_bytes) == (ssize_t)pieces[i].n_bytes;
    return written;
}

bool cache_file_write(const char *name, const cache_piece *pieces, size_t n_pieces) {
    char path[CACHE_MAX_PATH], temporary[CACHE_MAX_PATH];
    if (!folder_path(path) || !make_folder(path) ||
        snprintf(temporary, sizeof temporary, "%s/.new-XXXXXX", path) >= (int)sizeof temporary ||
        !cache_file_path(name, path))
        return false;
    const int file = mkstemp(temporary);
    if (file < 0) return false;
    bool written = write_pieces(file, pieces, n_pieces);
    written = close(file) == 0 && written;
    if (written && rename(temporary, path) == 0) return true;
    unlink(temporary);
    return false;
}

unsigned char *cache_file_read(const char *name, size_t max_bytes, size_t *n_bytes) {
    char path[CACHE_MAX_PATH];
    struct stat about;
    void *bytes = NULL;
    if (!cache_file_path(name, path)) return NULL;
    const int file = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (file < 0) return NULL;
    if (fstat(file, &about) == 0 && S_ISREG(about.st_mode) && about.st_size > 0 &&
        (uintmax_t)about.st_size <= max_bytes &&
        memory_allocate((size_t)about.st_size + 1, 1, path, &bytes, NULL) == PLETHRON_OK) {
        size_t done = 0, wanted = (size_t)about.st_size;
        ssize_t n = 1;
        while (done < wanted && (n = read(file, (char *)bytes + done, wanted - done)) > 0) done += (size_t)n;
        *n_bytes = wanted;
        if (done < wanted) {
            free(bytes);
            bytes = NULL;
        }
    }
    close(file);
    return bytes;
}
