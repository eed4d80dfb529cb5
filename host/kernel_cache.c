#include "kernel_cache.h"

#include <errno.h>
#include <fcntl.h>
#include <sha2.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* A file: the magic, the payload's digest, the payload. The number changes with the layout. */
static const unsigned char magic[8] = {'P', 'L', 'E', 'K', 'E', 'R', 'N', '1'};

enum { HEADER_BYTES = sizeof magic + SHA256_DIGEST_LENGTH, MAX_FILE_BYTES = 256 << 20, MAX_PATH = 1024 };

static void add_text(SHA2_CTX *context, const char *text) {
    SHA256Update(context, (const uint8_t *)text,
                 strlen(text) + 1); /* with its NUL, so that parts cannot run together */
}

void kernel_cache_key(const plethron_device *device, const char *const *texts, size_t n_texts, const char *options,
                      char key[KERNEL_CACHE_KEY_LENGTH + 1]) {
    const plethron_device_info *info = &device->info;
    uint8_t digest[SHA256_DIGEST_LENGTH];
    SHA2_CTX context;
    SHA256Init(&context);
    for (size_t i = 0; i < n_texts; i++) add_text(&context, texts[i]);
    add_text(&context, options);
    add_text(&context, info->platform);
    add_text(&context, info->platform_version);
    add_text(&context, info->name);
    add_text(&context, info->version);
    add_text(&context, info->driver);
    SHA256Final(digest, &context);
    for (size_t i = 0; i < sizeof digest; i++) snprintf(key + 2 * i, 3, "%02x", digest[i]);
}

static void digest_of(const unsigned char *bytes, size_t n_bytes, uint8_t digest[SHA256_DIGEST_LENGTH]) {
    SHA2_CTX context;
    SHA256Init(&context);
    SHA256Update(&context, bytes, n_bytes);
    SHA256Final(digest, &context);
}

/* Writes the folder's path; false when there is none. */
static bool folder_path(char path[MAX_PATH]) {
    const char *own = getenv("PLETHRON_CACHE_DIR"), *xdg = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
    int length = -1;
    if (own)
        length = *own ? snprintf(path, MAX_PATH, "%s", own) : -1;
    else if (xdg && *xdg == '/')
        length = snprintf(path, MAX_PATH, "%s/plethron", xdg);
    else if (home && *home)
        length = snprintf(path, MAX_PATH, "%s/.cache/plethron", home);
    return length > 0 && length < MAX_PATH;
}

static bool file_path(const char *key, char path[MAX_PATH]) {
    size_t used;
    if (!folder_path(path)) return false;
    used = strlen(path);
    return snprintf(path + used, MAX_PATH - used, "/%s.bin", key) < (int)(MAX_PATH - used);
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

/* Reads the whole file into memory for free, if its size is plausible. */
static unsigned char *read_file(const char *path, size_t *n_bytes) {
    struct stat about;
    void *bytes = NULL;
    int file = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (file < 0) return NULL;
    if (fstat(file, &about) == 0 && S_ISREG(about.st_mode) && about.st_size > HEADER_BYTES &&
        about.st_size <= MAX_FILE_BYTES &&
        memory_allocate((size_t)about.st_size, 1, path, &bytes, NULL) == PLETHRON_OK) {
        *n_bytes = (size_t)about.st_size;
        size_t done = 0;
        ssize_t n = 1;
        while (done < *n_bytes && (n = read(file, (char *)bytes + done, *n_bytes - done)) > 0) done += (size_t)n;
        if (done < *n_bytes) {
            free(bytes);
            bytes = NULL;
        }
    }
    close(file);
    return bytes;
}

unsigned char *kernel_cache_read(const char *key, size_t *n_bytes) {
    char path[MAX_PATH];
    size_t file_bytes = 0;
    uint8_t digest[SHA256_DIGEST_LENGTH];
    if (!file_path(key, path)) return NULL;
    unsigned char *file = read_file(path, &file_bytes);
    if (!file) return NULL;
    digest_of(file + HEADER_BYTES, file_bytes - HEADER_BYTES, digest);
    if (memcmp(file, magic, sizeof magic) != 0 || memcmp(file + sizeof magic, digest, sizeof digest) != 0) {
        free(file);
        return NULL;
    }
    *n_bytes = file_bytes - HEADER_BYTES;
    memmove(file, file + HEADER_BYTES, *n_bytes);
    return file;
}

/* The binary of a program that was built for one device, for free. */
static unsigned char *program_binary(cl_program program, size_t *n_bytes) {
    void *binary = NULL;
    if (clGetProgramInfo(program, CL_PROGRAM_BINARY_SIZES, sizeof *n_bytes, n_bytes, NULL) != CL_SUCCESS ||
        *n_bytes == 0 || *n_bytes > MAX_FILE_BYTES - HEADER_BYTES ||
        memory_allocate(*n_bytes, 1, "a program binary", &binary, NULL) != PLETHRON_OK)
        return NULL;
    if (clGetProgramInfo(program, CL_PROGRAM_BINARIES, sizeof binary, &binary, NULL) == CL_SUCCESS) return binary;
    free(binary);
    return NULL;
}

static bool write_file(int file, const unsigned char *binary, size_t n_bytes) {
    uint8_t digest[SHA256_DIGEST_LENGTH];
    digest_of(binary, n_bytes, digest);
    return write(file, magic, sizeof magic) == (ssize_t)sizeof magic &&
           write(file, digest, sizeof digest) == (ssize_t)sizeof digest &&
           write(file, binary, n_bytes) == (ssize_t)n_bytes;
}

void kernel_cache_write(const char *key, cl_program program) {
    char path[MAX_PATH], temporary[MAX_PATH];
    size_t n_bytes = 0;
    if (!folder_path(path) || !make_folder(path) ||
        snprintf(temporary, sizeof temporary, "%s/.new-XXXXXX", path) >= (int)sizeof temporary || !file_path(key, path))
        return;
    unsigned char *binary = program_binary(program, &n_bytes);
    if (!binary) return;
    int file = mkstemp(temporary);
    if (file >= 0) {
        bool written = write_file(file, binary, n_bytes);
        written = close(file) == 0 && written;
        if (!written || rename(temporary, path) != 0) unlink(temporary);
    }
    free(binary);
}
