#define _XOPEN_SOURCE 700 /* realpath */

#include "file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

struct plethron_output {
    char *path;      /* as the caller named it, for messages */
    char *target;    /* the plain file to replace, absolute, links followed */
    char *temporary; /* beside the target; NULL once it is renamed, or where the path is written directly */
    FILE *stream;    /* NULL after the commit */
};

/* ---- Names ------------------------------------------------------------------------------------------------------- */

/* The folder of `path` as an absolute path without links, for free. */
static plethron_status folder_of(const char *path, char **out, plethron_error *err) {
    char *folder = NULL;
    const plethron_status status = memory_copy_text(path, &folder, err);
    if (status != PLETHRON_OK) return status;
    char *slash = strrchr(folder, '/');
    if (slash) slash[slash == folder ? 1 : 0] = '\0';
    char *absolute = realpath(slash ? folder : ".", NULL);
    const int code = errno;
    free(folder);
    if (!absolute) return file_error(path, "be written", code, err);
    *out = absolute;
    return PLETHRON_OK;
}

/* folder + "/" + name, for free. */
static plethron_status path_join(const char *folder, const char *name, char **out, plethron_error *err) {
    const size_t size = strlen(folder) + strlen(name) + 2;
    void *joined = NULL;
    const plethron_status status = memory_allocate(size, 1, "a path", &joined, err);
    if (status != PLETHRON_OK) return status;
    snprintf(joined, size, "%s/%s", folder, name);
    *out = joined;
    return PLETHRON_OK;
}

/* The plain file that `path` names or would create: absolute, links followed, also one that leads to no file yet. */
static plethron_status resolve(const char *path, char **out, plethron_error *err) {
    plethron_status status;
    char *folder = NULL, *next = NULL;
    char *absolute = realpath(path, NULL);
    if (absolute) {
        *out = absolute;
        return PLETHRON_OK;
    }
    if (errno != ENOENT) return file_error(path, "be written", errno, err);
    TRY(folder_of(path, &folder, err));
    char link[PATH_MAX];
    const ssize_t n = readlink(path, link, sizeof link - 1);
    if (n < 0) {
        const char *slash = strrchr(path, '/');
        TRY(path_join(folder, slash ? slash + 1 : path, out, err));
    } else {
        link[n] = '\0';
        if (link[0] == '/')
            TRY(memory_copy_text(link, &next, err));
        else
            TRY(path_join(folder, link, &next, err));
        TRY(resolve(next, out, err)); /* ends: realpath calls a ring of links ELOOP */
    }
out:
    free(folder);
    free(next);
    return status;
}

/* ---- Opening ----------------------------------------------------------------------------------------------------- */

/* Creates a file in the target's folder that did not exist. Not mkstemp: open applies the umask to the mode itself,
 * and the umask cannot be asked for without changing it for all threads. */
static plethron_status create_temporary(plethron_output *output, int *fd, plethron_error *err) {
    plethron_status status;
    char *folder = NULL, *temporary = NULL;
    TRY(folder_of(output->target, &folder, err));
    for (unsigned attempt = 0; *fd < 0; attempt++) {
        char name[64];
        snprintf(name, sizeof name, ".plethron-%ld-%u.tmp", (long)getpid(), attempt);
        free(temporary);
        temporary = NULL;
        TRY(path_join(folder, name, &temporary, err));
        *fd = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
        if (*fd < 0 && errno != EEXIST) TRY(file_error(output->path, "be written", errno, err));
    }
    output->temporary = temporary;
    temporary = NULL;
out:
    free(folder);
    free(temporary);
    return status;
}

/* Opens a temporary file that will replace the target and takes over the mode of what is there. */
static plethron_status open_beside(plethron_output *output, const struct stat *existing, int *fd, plethron_error *err) {
    enum { PERMISSIONS = S_IRWXU | S_IRWXG | S_IRWXO };
    plethron_status status;
    /* The rename would replace a file that is protected against writing. */
    if (existing && faccessat(AT_FDCWD, output->path, W_OK, AT_EACCESS) != 0)
        TRY(file_error(output->path, "be written", errno, err));
    TRY(resolve(output->path, &output->target, err));
    TRY(create_temporary(output, fd, err));
    if (existing && fchmod(*fd, existing->st_mode & PERMISSIONS) != 0)
        TRY(file_error(output->path, "take over the old file's mode", errno, err));
out:
    return status;
}

static plethron_status open_directly(const plethron_output *output, int *fd, plethron_error *err) {
    *fd = open(output->path, O_WRONLY | O_CLOEXEC);
    return *fd < 0 ? file_error(output->path, "be written", errno, err) : PLETHRON_OK;
}

plethron_status plethron_output_open(const char *path, plethron_output **out, plethron_error *err) {
    plethron_status status;
    void *memory = NULL;
    plethron_output *output = NULL;
    int fd = -1;
    if (!path || !*path) return error_set(err, PLETHRON_ERROR_ARGUMENT, "the path of the file to write is empty");
    TRY(memory_allocate(1, sizeof *output, "an output", &memory, err));
    output = memory;
    TRY(memory_copy_text(path, &output->path, err));
    struct stat info;
    const bool exists = stat(path, &info) == 0;
    const size_t length = strlen(path);
    if ((exists && S_ISDIR(info.st_mode)) || path[length - 1] == '/') TRY(file_error(path, "be written", EISDIR, err));
    if (exists && !S_ISREG(info.st_mode))
        TRY(open_directly(output, &fd, err));
    else
        TRY(open_beside(output, exists ? &info : NULL, &fd, err));
    output->stream = fdopen(fd, "w");
    if (!output->stream) TRY(file_error(path, "be written", errno, err));
    fd = -1;
    *out = output;
    output = NULL;
out:
    if (fd >= 0) close(fd);
    plethron_output_close(output);
    return status;
}

FILE *plethron_output_stream(plethron_output *output) {
    return output->stream;
}

/* ---- Commit and close -------------------------------------------------------------------------------------------- */

/* The reason of a write that failed inside the stream some time ago, which stdio does not keep: one more byte, into a
 * temporary file that is given up anyway, meets it again. */
static int ask_reason(const plethron_output *output) {
    return output->temporary && write(fileno(output->stream), "", 1) < 0 ? errno : EIO;
}

/* PLETHRON_ERROR_FILE for a file that could not be written; of a full disk it says how much room there was. */
static plethron_status write_error(const plethron_output *output, int code, uint64_t n_written, uint64_t n_needed,
                                   plethron_error *err) {
    struct statvfs disk;
    if ((code != ENOSPC && code != EDQUOT) || !output->temporary || statvfs(output->temporary, &disk) != 0)
        return file_error(output->path, "be written", code, err);
    const uint64_t n_free = (uint64_t)disk.f_bavail * disk.f_frsize;
    return error_set(err, PLETHRON_ERROR_FILE,
                     "%s: cannot be written: %s: %llu bytes or more are needed, and there is room for %llu",
                     output->path, strerror(code), (unsigned long long)n_needed,
                     (unsigned long long)(n_free + n_written));
}

/* Writes out what is buffered and closes the stream. */
static plethron_status finish_stream(plethron_output *output, plethron_error *err) {
    FILE *stream = output->stream;
    int code = 0;
    if (fflush(stream) != 0)
        code = errno;
    else if (ferror(stream))
        code = ask_reason(output);
    else if (output->temporary && fsync(fileno(stream)) != 0)
        code = errno;
    struct stat info;
    const uint64_t n_written = fstat(fileno(stream), &info) == 0 ? (uint64_t)info.st_size : 0;
    const off_t end = ftello(stream); /* with what is still in the buffer */
    const uint64_t n_needed = end > 0 && (uint64_t)end > n_written ? (uint64_t)end : n_written + 1;
    output->stream = NULL;
    if (fclose(stream) != 0 && code == 0) code = errno;
    return code ? write_error(output, code, n_written, n_needed, err) : PLETHRON_OK;
}

plethron_status plethron_output_commit(plethron_output *output, plethron_error *err) {
    if (!output->stream)
        return error_set(err, PLETHRON_ERROR_ARGUMENT, "%s: was committed before: one commit was expected",
                         output->path);
    const plethron_status status = finish_stream(output, err);
    if (status != PLETHRON_OK || !output->temporary) return status;
    if (rename(output->temporary, output->target) != 0) return file_error(output->path, "be written", errno, err);
    free(output->temporary);
    output->temporary = NULL;
    return PLETHRON_OK;
}

void plethron_output_close(plethron_output *output) {
    if (!output) return;
    if (output->stream) fclose(output->stream);
    if (output->temporary) unlink(output->temporary);
    free(output->temporary);
    free(output->target);
    free(output->path);
    free(output);
}
