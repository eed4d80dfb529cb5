#include "file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
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

/* ---- Reading ----------------------------------------------------------------------------------------------------- */

size_t file_memory_limit(void) {
    const long n_pages = sysconf(_SC_PHYS_PAGES), page_bytes = sysconf(_SC_PAGESIZE);
    size_t bytes;
    if (n_pages <= 0 || page_bytes <= 0 || !size_multiply((size_t)n_pages, (size_t)page_bytes, &bytes))
        bytes = SIZE_MAX;
    return bytes / 2;
}

static bool is_standard_input(const char *path) {
    return strcmp(path, "-") == 0;
}

void file_close(int fd) {
    if (fd > STDIN_FILENO) close(fd);
}

static plethron_status open_input(const char *path, int *out, struct stat *info, plethron_error *err) {
    if (!path) return error_set(err, PLETHRON_ERROR_ARGUMENT, "the path of the file to read is NULL");
    const int fd = is_standard_input(path) ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return file_error(path, "be opened", errno, err);
    plethron_status status = PLETHRON_OK;
    if (fstat(fd, info) != 0)
        status = file_error(path, "be examined", errno, err);
    else if (S_ISDIR(info->st_mode))
        status = file_error(path, "be read", EISDIR, err);
    else if (!S_ISREG(info->st_mode) && !S_ISFIFO(info->st_mode) && !S_ISSOCK(info->st_mode) && fd != STDIN_FILENO)
        status = error_set(err, PLETHRON_ERROR_FILE, "%s: is neither a plain file nor a pipe", path);
    if (status != PLETHRON_OK)
        file_close(fd);
    else
        *out = fd;
    return status;
}

plethron_status file_open(const char *path, int *fd, size_t *n_bytes, bool *is_plain, plethron_error *err) {
    struct stat info;
    const plethron_status status = open_input(path, fd, &info, err);
    if (status != PLETHRON_OK) return status;
    *is_plain = S_ISREG(info.st_mode) && *fd != STDIN_FILENO;
    *n_bytes = info.st_size > 0 ? (size_t)info.st_size : 0;
    return PLETHRON_OK;
}

/* A content while it is read. */
typedef struct file_content {
    const char *path;
    char *bytes;
    size_t n_bytes, capacity, limit;
} file_content;

static plethron_status check_limit(const file_content *content, size_t n_bytes, plethron_error *err) {
    if (n_bytes <= content->limit) return PLETHRON_OK;
    return error_set(err, PLETHRON_ERROR_MEMORY, "%s: holds %zu bytes or more: at most %zu are allowed", content->path,
                     n_bytes, content->limit);
}

static plethron_status set_capacity(file_content *content, size_t capacity, plethron_error *err) {
    void *larger = NULL;
    const plethron_status status = memory_allocate_unset(capacity, 1, content->path, &larger, err);
    if (status != PLETHRON_OK) return status;
    if (content->n_bytes > 0) memcpy(larger, content->bytes, content->n_bytes);
    free(content->bytes);
    content->bytes = larger;
    content->capacity = capacity;
    return PLETHRON_OK;
}

/* Reads what comes until the end, one byte more than it has room for. */
static plethron_status read_rest(file_content *content, int fd, plethron_error *err) {
    plethron_status status = PLETHRON_OK;
    for (;;) {
        if (content->n_bytes + 1 >= content->capacity) TRY(set_capacity(content, 2 * content->capacity, err));
        const ssize_t n =
            read(fd, content->bytes + content->n_bytes, content->capacity - content->n_bytes - sizeof(char));
        if (n == 0) break;
        if (n > 0)
            content->n_bytes += (size_t)n;
        else if (errno != EINTR)
            TRY(file_error(content->path, "be read", errno, err));
        TRY(check_limit(content, content->n_bytes, err));
    }
    content->bytes[content->n_bytes] = '\0';
out:
    return status;
}

bool file_read_at(int fd, char *bytes, size_t n, size_t at) {
    while (n > 0) {
        const ssize_t n_read = pread(fd, bytes, n, (off_t)at);
        if (n_read == 0 || (n_read < 0 && errno != EINTR)) return false;
        if (n_read < 0) continue;
        bytes += n_read;
        at += (size_t)n_read;
        n -= (size_t)n_read;
    }
    return true;
}

static bool has_bytes(int fd, size_t n) {
    struct stat info;
    return fstat(fd, &info) == 0 && info.st_size > 0 && (size_t)info.st_size >= n;
}

bool file_map(int fd, size_t n, size_t at, file_mapping *out) {
    const long page_bytes = sysconf(_SC_PAGESIZE);
    const size_t n_before = page_bytes > 0 ? at % (size_t)page_bytes : 0;
    if (page_bytes <= 0 || !has_bytes(fd, at + n)) return false;
    void *memory = mmap(NULL, n_before + n, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, (off_t)(at - n_before));
    if (memory == MAP_FAILED) return false;
    *out = (file_mapping){(char *)memory + n_before, memory, n_before + n};
    (void)posix_madvise(memory, out->n_memory_bytes, POSIX_MADV_WILLNEED);
    return true;
}

void file_unmap(file_mapping *mapping) {
    if (mapping->memory) munmap(mapping->memory, mapping->n_memory_bytes);
    *mapping = (file_mapping){0};
}

/* Reads the n_bytes that a plain file says it has, by all cores: much of the time is the memory's first touch. What is
 * missing then is left to read_rest. */
static plethron_status read_pieces(file_content *content, int fd, size_t n_bytes, plethron_error *err) {
    enum { PIECE_BYTES = 1 << 23 };
    const size_t n_pieces = n_bytes / PIECE_BYTES;
    bool are_whole = true;
#pragma omp parallel for schedule(dynamic, 1) reduction(&& : are_whole) if (n_pieces > 1)
    for (size_t i = 0; i < n_pieces; i++)
        are_whole = file_read_at(fd, content->bytes + i * PIECE_BYTES, PIECE_BYTES, i * PIECE_BYTES) && are_whole;
    if (are_whole) content->n_bytes = n_pieces * PIECE_BYTES;
    if (lseek(fd, (off_t)content->n_bytes, SEEK_SET) >= 0) return PLETHRON_OK;
    return file_error(content->path, "be read", errno, err);
}

plethron_status file_read(const char *path, size_t limit_bytes, char **bytes, size_t *n_bytes, plethron_error *err) {
    plethron_status status;
    int fd = -1;
    struct stat info;
    file_content content = {.path = path, .limit = limit_bytes < SIZE_MAX / 4 ? limit_bytes : SIZE_MAX / 4};
    TRY(open_input(path, &fd, &info, err));
    const size_t guess = info.st_size > 0 ? (size_t)info.st_size : PIPE_FIRST_BYTES;
    if (info.st_size > 0) TRY(check_limit(&content, guess, err));
    TRY(set_capacity(&content, guess + 2, err)); /* one byte to see the end, and the NUL */
    if (S_ISREG(info.st_mode) && fd != STDIN_FILENO) TRY(read_pieces(&content, fd, (size_t)info.st_size, err));
    TRY(read_rest(&content, fd, err));
    *bytes = content.bytes;
    *n_bytes = content.n_bytes;
    content.bytes = NULL;
out:
    free(content.bytes);
    file_close(fd);
    return status;
}

plethron_status file_read_head(const char *path, void *head, size_t size, size_t *n_bytes, plethron_error *err) {
    plethron_status status;
    int fd = -1;
    struct stat info;
    ssize_t n = 0;
    TRY(open_input(path, &fd, &info, err));
    if (S_ISREG(info.st_mode) && fd != STDIN_FILENO) {
        do n = pread(fd, head, size, 0);
        while (n < 0 && errno == EINTR);
        if (n < 0) TRY(file_error(path, "be read", errno, err));
    }
    *n_bytes = (size_t)n;
out:
    file_close(fd);
    return status;
}
