#include "kernel_cache.h"

#include "cache_folder.h"
#include "digest.h"

#include <stdlib.h>
#include <string.h>

/* A file: the magic, the payload's digest, the payload. The number changes with the layout. */
static const unsigned char magic[8] = {'P', 'L', 'E', 'K', 'E', 'R', 'N', '1'};

enum { HEADER_BYTES = sizeof magic + SHA256_DIGEST_LENGTH, MAX_FILE_BYTES = 256 << 20 };

void kernel_cache_key(const plethron_device *device, const char *const *texts, size_t n_texts, const char *options,
                      char key[PROGRAM_KEY_LENGTH + 1]) {
    const plethron_device_info *info = &device->info;
    SHA2_CTX context;
    SHA256Init(&context);
    for (size_t i = 0; i < n_texts; i++) digest_add_text(&context, texts[i]);
    digest_add_text(&context, options);
    digest_add_text(&context, info->platform);
    digest_add_text(&context, info->platform_version);
    digest_add_text(&context, info->name);
    digest_add_text(&context, info->version);
    digest_add_text(&context, info->driver);
    digest_end(&context, key);
}

static void digest_of(const unsigned char *bytes, size_t n_bytes, uint8_t digest[SHA256_DIGEST_LENGTH]) {
    SHA2_CTX context;
    SHA256Init(&context);
    SHA256Update(&context, bytes, n_bytes);
    SHA256Final(digest, &context);
}

static void file_name(const char *key, char name[PROGRAM_KEY_LENGTH + sizeof ".bin"]) {
    snprintf(name, PROGRAM_KEY_LENGTH + sizeof ".bin", "%s.bin", key);
}

unsigned char *kernel_cache_read(const char *key, size_t *n_bytes) {
    char name[PROGRAM_KEY_LENGTH + sizeof ".bin"];
    size_t file_bytes = 0;
    uint8_t digest[SHA256_DIGEST_LENGTH];
    file_name(key, name);
    unsigned char *file = cache_file_read(name, MAX_FILE_BYTES, &file_bytes);
    if (!file || file_bytes <= HEADER_BYTES) {
        free(file);
        return NULL;
    }
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

void kernel_cache_write(const char *key, cl_program program) {
    char name[PROGRAM_KEY_LENGTH + sizeof ".bin"], path[CACHE_MAX_PATH];
    size_t n_bytes = 0;
    uint8_t digest[SHA256_DIGEST_LENGTH];
    file_name(key, name);
    if (!cache_file_path(name, path)) return; /* nowhere to keep it */
    unsigned char *binary = program_binary(program, &n_bytes);
    if (!binary) return;
    digest_of(binary, n_bytes, digest);
    cache_file_write(name, (const cache_piece[]){{magic, sizeof magic}, {digest, sizeof digest}, {binary, n_bytes}}, 3);
    free(binary);
}
