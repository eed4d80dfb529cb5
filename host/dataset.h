/* The data set: X in tiles and Y, on a device or in host memory. */
#ifndef PLETHRON_DATASET_H
#define PLETHRON_DATASET_H

#include "device.h"

enum {
    DATASET_TILE = 16,           /* samples of a tile of X: one AVX-512 vector, one 64-byte access of a GPU */
    DATASET_BLOCK_ROWS = 256,    /* samples of a summation block: part of the bit contract, never tuned */
    DATASET_ROW_PADDING = 64,    /* the most rows of a kernel's tile (ROWS in tile.cl); divides no block */
    DATASET_MAX_COUNT = 1 << 30, /* samples, features or units: kernels count in int */
    DATASET_MAX_CLASSES = 65535
};

struct plethron_dataset {
    plethron_device *device;
    size_t n_samples;
    size_t n_features;
    size_t n_targets;
    size_t n_tiles;
    size_t n_blocks;
    size_t y_stride;  /* floats from one target's values to the next's in Y */
    device_buffer *X; /* [n_tiles, n_features, DATASET_TILE] and padding; NULL on the host */
    device_buffer *Y; /* [n_targets, y_stride]; NULL on the host, or without targets */
    float *X_host;    /* the same on the host, else NULL */
    float *Y_host;
    double *mean;      /* [n_features], NULL when not standardised */
    double *deviation; /* [n_features], 1 for a constant feature */
    struct target_summary {
        float min, max;
        uint32_t *class_counts; /* rows of each class code, NULL unless all values are codes */
        size_t n_codes;
    } * targets; /* [n_targets] */
};

/* Floats that `n_rows` rows of X take in tiles, with the padding that kernels may read behind them. */
bool dataset_tiles_size(size_t n_rows, size_t n_features, size_t *n_floats);

/* Lays rows of X [n_rows, n_features] out in tiles [.., n_features, DATASET_TILE], the last tile padded with zeros.
 * With mean and deviation (both or none), x becomes (x - mean) / deviation. */
void dataset_pack_tiles(const float *X, size_t n_rows, size_t n_features, const double *mean, const double *deviation,
                        float *tiles);

/* True when a unit that learns this target (against the rest, if positive_class >= 0) sees only zeros or only ones. */
bool dataset_one_class(const plethron_dataset *dataset, size_t target, int64_t positive_class);

#endif
