/* The data set: X in tiles, targets, row weights and folds, on its device. */
#ifndef PLETHRON_DATASET_H
#define PLETHRON_DATASET_H

#include "dataset_sparse.h"

enum {
    DATASET_TILE = 16,           /* samples of a tile of X: one AVX-512 vector, one 64-byte access of a GPU */
    DATASET_BLOCK_ROWS = 256,    /* samples of a summation block: part of the bit contract, never tuned */
    DATASET_ROW_PADDING = 64,    /* the most rows of a kernel's tile (ROWS in tile.cl); divides no block */
    DATASET_MAX_COUNT = 1 << 30, /* samples, features or units: kernels count in int */
    DATASET_MAX_CLASSES = 65535,
    DATASET_MAX_FOLDS = 255 /* a fold's number is a byte */
};

/* A row's *place* is its position in X's tiles and in everything that has a value a row: its number, or, where rows
 * belong to entities, further on, because each entity begins with a tile of its own. */
struct plethron_dataset {
    plethron_device *device;
    size_t n_samples;
    size_t n_features;
    size_t n_targets;
    size_t n_tiles;
    size_t n_blocks;
    size_t y_stride; /* places: n_tiles * DATASET_TILE */
    plethron_storage storage;
    device_buffer *X;       /* [n_tiles, n_features, DATASET_TILE] and padding; NULL where features are sparse */
    device_buffer *steps;   /* [n_ranges, n_features, 2] and padding: of bytes (kernels/store.cl), else NULL */
    dataset_sparse *sparse; /* NULL where they are dense */
    device_buffer *Y;       /* [n_targets, y_stride], NULL without targets; may hold NaN: missing */
    device_buffer *weights; /* [n_weight_columns, y_stride], or NULL */
    device_buffer *folds;   /* bytes [y_stride], or NULL */
    size_t n_weight_columns;
    size_t n_folds;    /* 0 without folds */
    size_t n_entities; /* 0: the rows are those of every unit */
    struct dataset_range {
        size_t first_tile;
        size_t n_rows;
    } * ranges;        /* [n_entities], or one of all rows */
    double *mean;      /* [n_ranges, n_features], NULL when not standardised */
    double *deviation; /* [n_ranges, n_features], 1 for a constant feature */
    struct target_summary {
        float min, max; /* of the values that are not missing; NaN when all are */
        bool is_codes;  /* all of them are class codes */
        bool is_binary; /* all of them are 0 or 1 */
        bool has_missing;
    } * targets; /* [n_targets] */
};

size_t dataset_n_ranges(const plethron_dataset *dataset);

/* Values that are multiplied by a weight in a pass over all rows. */
double dataset_n_products(const plethron_dataset *dataset);
/* Bytes of the features on the device. */
uint64_t dataset_feature_bytes(const plethron_dataset *dataset);
/* Whether X is more than the device's last cache holds, if it has one. */
bool dataset_exceeds_cache(const plethron_dataset *dataset);

/* Bytes of a value of X; what its storage is called. */
size_t dataset_value_bytes(plethron_storage storage);
const char *dataset_storage_name(plethron_storage storage);

/* Floats that `n_rows` rows of X take in tiles, with the padding that kernels may read behind them. */
bool dataset_tiles_size(size_t n_rows, size_t n_features, size_t *n_floats);

/* Lays rows of X [n_rows, n_features] out in tiles [.., n_features, DATASET_TILE], the last tile padded with zeros. */
void dataset_pack_tiles(const float *X, size_t n_rows, size_t n_features, float *tiles);

/* Lays out all rows of X, each entity's from its own first tile on. */
void dataset_pack_ranges(const plethron_dataset *dataset, const float *X, float *tiles);

/* A new buffer on the data set's device with a copy of `memory`. */
plethron_status dataset_upload(plethron_dataset *dataset, const void *memory, size_t bytes, const char *what,
                               device_buffer **out, plethron_error *err);

/* Finds means and deviations, and standardises the features in tiles of floats, by kernels on a device: the data set's
 * or the host (dataset_standardize.c). */
plethron_status dataset_standardize(plethron_dataset *dataset, plethron_device *device, device_buffer *tiles,
                                    plethron_error *err);

/* Places features that are not stored as floats (dataset_store.c). */
plethron_status dataset_store(plethron_dataset *dataset, const float *X, bool standardize, plethron_error *err);

#endif
