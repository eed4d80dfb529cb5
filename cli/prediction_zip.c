#include "prediction_zip.h"

#include <string.h>

enum { VERSION = 45 }; /* 4.5: Zip64 */
enum { IS_ZIP64 = 0xFFFF };
#define LENGTH_IS_ZIP64 UINT32_MAX

enum { HEAD_BYTES = 30, DIRECTORY_BYTES = 46, EXTRA_BYTES = 20 }; /* head and directory: without name and extra */

static void put(FILE *stream, int n_bytes, uint64_t value) {
    for (int i = 0; i < n_bytes; i++) fputc((int)(value >> 8 * i & 0xFF), stream);
}

static void put_signature(FILE *stream, int a, int b) {
    const char signature[] = {'P', 'K', (char)a, (char)b};
    fwrite(signature, 1, sizeof signature, stream);
}

/* What head and directory say alike, from the version on. */
static void put_entry(const zip_entry *entry, FILE *stream) {
    enum { DATE = 1 << 5 | 1 }; /* 1 January 1980: the same predictions are the same file */
    put(stream, 2, VERSION);
    put(stream, 2, 0); /* flags */
    put(stream, 2, 0); /* stored */
    put(stream, 2, 0); /* time */
    put(stream, 2, DATE);
    put(stream, 4, entry->crc);
    put(stream, 4, LENGTH_IS_ZIP64); /* stored */
    put(stream, 4, LENGTH_IS_ZIP64); /* unpacked */
    put(stream, 2, strlen(entry->name));
    put(stream, 2, EXTRA_BYTES);
}

static void put_name(const zip_entry *entry, FILE *stream) {
    enum { ZIP64 = 1 };
    fputs(entry->name, stream);
    put(stream, 2, ZIP64);
    put(stream, 2, EXTRA_BYTES - 4);
    put(stream, 8, entry->n_bytes); /* unpacked */
    put(stream, 8, entry->n_bytes); /* stored */
}

void zip_write_head(const zip_entry *entry, FILE *stream) {
    put_signature(stream, 3, 4);
    put_entry(entry, stream);
    put_name(entry, stream);
}

static void put_directory(const zip_entry *entry, FILE *stream) {
    enum { UNIX = 3 << 8 };
    const uint64_t plain_file = (uint64_t)0100644 << 16;
    put_signature(stream, 1, 2);
    put(stream, 2, UNIX | VERSION);
    put_entry(entry, stream);
    put(stream, 2, 0); /* comment */
    put(stream, 2, 0); /* disk */
    put(stream, 2, 0); /* internal attributes */
    put(stream, 4, plain_file);
    put(stream, 4, 0); /* where the head is */
    put_name(entry, stream);
}

static void put_end_zip64(uint64_t directory_at, uint64_t directory_bytes, FILE *stream) {
    enum { BYTES_BEHIND = 44 }; /* of this record behind its length */
    put_signature(stream, 6, 6);
    put(stream, 8, BYTES_BEHIND);
    put(stream, 2, VERSION);
    put(stream, 2, VERSION);
    put(stream, 4, 0); /* disk */
    put(stream, 4, 0);
    put(stream, 8, 1); /* entries */
    put(stream, 8, 1);
    put(stream, 8, directory_bytes);
    put(stream, 8, directory_at);
    put_signature(stream, 6, 7); /* where that record is */
    put(stream, 4, 0);
    put(stream, 8, directory_at + directory_bytes);
    put(stream, 4, 1); /* disks */
}

void zip_write_tail(const zip_entry *entry, FILE *stream) {
    const uint64_t n_name = strlen(entry->name), directory_at = HEAD_BYTES + n_name + EXTRA_BYTES + entry->n_bytes;
    put_directory(entry, stream);
    put_end_zip64(directory_at, DIRECTORY_BYTES + n_name + EXTRA_BYTES, stream);
    put_signature(stream, 5, 6);
    put(stream, 2, 0); /* disk */
    put(stream, 2, 0);
    put(stream, 2, IS_ZIP64); /* entries */
    put(stream, 2, IS_ZIP64);
    put(stream, 4, LENGTH_IS_ZIP64); /* of the directory */
    put(stream, 4, LENGTH_IS_ZIP64); /* where it is */
    put(stream, 2, 0);               /* comment */
}
