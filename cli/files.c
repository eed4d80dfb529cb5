#define _POSIX_C_SOURCE 200809L

#include "cli.h"

#include <string.h>
#include <sys/stat.h>

plethron_status file_check_writable(const char *path, plethron_error *err) {
    struct stat info;
    if (stat(path, &info) == 0) {
        if (S_ISDIR(info.st_mode)) return fail(err, PLETHRON_ERROR_FILE, "%s: is a directory, not a file", path);
        /* To open and close a pipe would tell its reader that all is over. */
        if (!S_ISREG(info.st_mode)) return PLETHRON_OK;
    }
    plethron_output *trial = NULL;
    plethron_status status = plethron_output_open(path, &trial, err);
    plethron_output_close(trial);
    return status;
}

bool file_same(const char *a, const char *b) {
    if (!a || !b) return false;
    if (strcmp(a, b) == 0) return true;
    struct stat info_a, info_b;
    if (stat(a, &info_a) != 0 || stat(b, &info_b) != 0) return false;
    return info_a.st_dev == info_b.st_dev && info_a.st_ino == info_b.st_ino;
}
