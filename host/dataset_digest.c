/* A part's digest is the SHA-256 of its length and of the SHA-256s of its pieces, which all cores find together; of
 * several buffers, of each in turn. */
#include "dataset_digest.h"

#include <stdlib.h>

enum { PIECE_BYTES = 1 << 18, PIECES_AT_ONCE = 64 };

const char *const dataset_part_names[DATASET_PARTS] = {"the features", "the targets", "the sample weights", "the folds",
                                                       "the entities' rows"};

typedef struct piece_digest {
    uint8_t bytes[SHA256_DIGEST_LENGTH];
} piece_digest;

static void add_pieces(const unsigned char *block, size_t n_bytes, SHA2_CTX *of_part) {
    piece_digest digests[PIECES_AT_ONCE];
    const size_t n_pieces = (n_bytes + PIECE_BYTES - 1) / PIECE_BYTES;
#pragma omp parallel for if (n_pieces > 1)
    for (size_t p = 0; p < n_pieces; p++) {
        const size_t left = n_bytes - p * PIECE_BYTES;
        SHA2_CTX of_piece;
        SHA256Init(&of_piece);
        SHA256Update(&of_piece, block + p * PIECE_BYTES, left < PIECE_BYTES ? left : PIECE_BYTES);
        SHA256Final(digests[p].bytes, &of_piece);
    }
    SHA256Update(of_part, digests[0].bytes, n_pieces * sizeof *digests);
}

/* Where there is no such buffer it has no bytes. */
static plethron_status add_buffer(device_buffer *buffer, size_t n_bytes, unsigned char *block, SHA2_CTX *of_part,
                                  plethron_error *err) {
    const size_t block_bytes = (size_t)PIECES_AT_ONCE * PIECE_BYTES;
    const uint64_t length = buffer ? n_bytes : 0;
    SHA256Update(of_part, (const uint8_t *)&length, sizeof length);
    for (size_t at = 0; at < length; at += block_bytes) {
        const size_t count = length - at < block_bytes ? (size_t)length - at : block_bytes;
        const plethron_status status = device_buffer_download(buffer, at, count, block, err);
        if (status != PLETHRON_OK) return status;
        add_pieces(block, count, of_part);
    }
    return PLETHRON_OK;
}

static void add_ranges(const plethron_dataset *dataset, SHA2_CTX *of_part) {
    for (size_t e = 0; e < dataset_n_ranges(dataset); e++) {
        const uint64_t n_rows = dataset->ranges[e].n_rows;
        SHA256Update(of_part, (const uint8_t *)&n_rows, sizeof n_rows);
    }
}

plethron_status dataset_digest_find(const plethron_dataset *dataset, dataset_digest *out, plethron_error *err) {
    plethron_status status;
    void *block = NULL;
    SHA2_CTX of_parts[DATASET_PARTS];
    const dataset_sparse none = {0}, *sparse = dataset->sparse ? dataset->sparse : &none;
    const size_t column_bytes = dataset->y_stride * sizeof(float);
    const struct {
        enum dataset_part part;
        device_buffer *buffer;
        size_t n_bytes;
    } buffers[] = {
        {DATASET_FEATURES, dataset->X, dataset->n_features * dataset->y_stride * dataset_value_bytes(dataset->storage)},
        {DATASET_FEATURES, sparse->rows.offsets, (dataset->n_samples + 1) * sizeof(int32_t)},
        {DATASET_FEATURES, sparse->rows.indices, sparse->n_values * sizeof(int32_t)},
        {DATASET_FEATURES, sparse->rows.values, sparse->n_values * sizeof(float)},
        {DATASET_TARGETS, dataset->Y, dataset->n_targets * column_bytes},
        {DATASET_WEIGHTS, dataset->weights, dataset->n_weight_columns * column_bytes},
        {DATASET_FOLDS, dataset->folds, dataset->y_stride},
    };
    TRY(memory_allocate_unset(PIECES_AT_ONCE, PIECE_BYTES, "a block of the data set", &block, err));
    for (int part = 0; part < DATASET_PARTS; part++) SHA256Init(&of_parts[part]);
    if (dataset->storage != PLETHRON_STORAGE_F32) {
        digest_add_text(&of_parts[DATASET_FEATURES], dataset_storage_name(dataset->storage));
        TRY(add_buffer(dataset->steps, dataset_n_ranges(dataset) * dataset->n_features * 2 * sizeof(float), block,
                       &of_parts[DATASET_FEATURES], err));
    }
    for (size_t b = 0; b < sizeof buffers / sizeof *buffers; b++)
        TRY(add_buffer(buffers[b].buffer, buffers[b].n_bytes, block, &of_parts[buffers[b].part], err));
    add_ranges(dataset, &of_parts[DATASET_ENTITIES]);
    for (int part = 0; part < DATASET_PARTS; part++) digest_end(&of_parts[part], out->parts[part]);
out:
    free(block);
    return status;
}
