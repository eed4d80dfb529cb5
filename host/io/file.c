#include "file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PIPE_FIRST_BYTES = 1 << 16 };

plethron_status file_error(const char *path, const char *action, int code, plethron_error *err) {
    return error_set(err, PLETHRON_ERROR_FILE, "%s: cannot %s: %s", path, action, strerror(code));
}

const char *file_show(const char *text, char shown[FILE_SHOWN_SIZE]) {
    static const char cut_mark[] = "...";
    size_t n = strlen(text);
    const bool is_cut = n >= FILE_SHOWN_SIZE;
    if (is_cut) {
        n = FILE_SHOWN_SIZE - sizeof cut_mark;
        while (n > 0 && ((unsigned char)text[n] & 0xC0) == 0x80) n--; /* not inside a UTF-8 character */
    }
    memcpy(shown, text, n);
    strcpy(shown + n, is_cut ? cut_mark : "");
    return shown;
}

/* Opens what can be read to its end, and guesses its length, which a pipe does not tell. */
static plethron_status open_to_read(const char *path, int *out, size_t *guess, plethron_error *err) {
    if (!path) return error_set(err, PLETHRON_ERROR_ARGUMENT, "the path of the file to read is NULL");
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return file_error(path, "be opened", errno, err);
    struct stat info;
    plethron_status status = PLETHRON_OK;
    if (fstat(fd, &info) != 0)
        status = file_error(path, "be examined", errno, err);
    else if (S_ISDIR(info.st_mode))
        status = file_error(path, "be read", EISDIR, err);
    else if (!S_ISREG(info.st_mode) && !S_ISFIFO(info.st_mode))
        status = error_set(err, PLETHRON_ERROR_FILE, "%s: is neither a plain file nor a pipe", path);
    if (status != PLETHRON_OK) {
        close(fd);
        return status;
    }
    *guess = info.st_size > 0 ? (size_t)info.st_size : PIPE_FIRST_BYTES;
    *out = fd;
    return PLETHRON_OK;
}

static plethron_status grow(void **bytes, size_t n_bytes, size_t *capacity, plethron_error *err) {
    void *larger = NULL;
    size_t twice;
    if (!size_multiply(*capacity, 2, &twice)) twice = SIZE_MAX; /* which memory_allocate refuses */
    const plethron_status status = memory_allocate(twice, 1, "a file's content", &larger, err);
    if (status != PLETHRON_OK) return status;
    memcpy(larger, *bytes, n_bytes);
    free(*bytes);
    *bytes = larger;
    *capacity = twice;
    return PLETHRON_OK;
}

plethron_status file_read(const char *path, void **bytes, size_t *n_bytes, plethron_error *err) {
    plethron_status status;
    int fd = -1;
    size_t capacity = 0, n = 0;
    void *content = NULL;
    TRY(open_to_read(path, &fd, &capacity, err));
    capacity++; /* room to see the end of a file of the guessed length */
    TRY(memory_allocate(capacity, 1, path, &content, err));
    for (;;) {
        if (n == capacity) TRY(grow(&content, n, &capacity, err));
        const ssize_t n_read = read(fd, (char *)content + n, capacity - n);
        if (n_read == 0) break;
        if (n_read > 0)
            n += (size_t)n_read;
        else if (errno != EINTR)
            TRY(file_error(path, "be read", errno, err));
    }
    *bytes = content;
    *n_bytes = n;
    content = NULL;
out:
    free(content);
    if (fd >= 0) close(fd);
    return status;
}
