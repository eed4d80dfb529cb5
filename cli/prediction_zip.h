/* A ZIP archive of one entry that is stored, not packed: what stands before and behind the entry's bytes. Always Zip64,
 * so that the head's length does not depend on the entry's. Source: APPNOTE.TXT of PKWARE, 4.3 and 4.5.3. */
#ifndef PLETHRON_CLI_PREDICTION_ZIP_H
#define PLETHRON_CLI_PREDICTION_ZIP_H

#include <stdint.h>
#include <stdio.h>

typedef struct zip_entry {
    const char *name;
    uint64_t n_bytes;
    uint32_t crc; /* zlib's crc32 of the bytes */
} zip_entry;

void zip_write_head(const zip_entry *entry, FILE *stream);
void zip_write_tail(const zip_entry *entry, FILE *stream);

#endif
