/* Tile sizes of the kernels that kernels/tile.cl shapes, and the launches that follow from them. */
#ifndef PLETHRON_TILING_H
#define PLETHRON_TILING_H

#include "program.h"

typedef struct tile_sizes {
    const char *name;
    bool local_memory;
    unsigned unit_vector;
    unsigned item_vectors;
    unsigned item_rows;
    unsigned local_units;
    unsigned local_rows;
} tile_sizes;

/* All tile sizes that are shipped and tested. */
const tile_sizes *tilings_all(size_t *count);

/* The tile sizes that suit a device and a number of units. */
tile_sizes tiling_choose(const plethron_device *device, size_t n_units);

/* False when the device's work-groups are too small for the tiling, or need none: the host. */
bool tiling_fits(const plethron_device *device, const tile_sizes *tiling);

/* How many units a device computes where there are n_units: lanes that hold none take as long. */
size_t tiling_lanes(const plethron_device *device, size_t n_units);

/* Builds kernels shaped by a tiling; `uses` as in unit.cl, `storage` of the features that they read (store.cl). */
plethron_status tiling_program(plethron_device *device, const tile_sizes *tiling, int uses, plethron_storage storage,
                               const char *const *sources, size_t n_sources, device_program **out, plethron_error *err);

/* Tiles of ROWS x UNITS results (tile.cl), `n_parts` in dimension 2. */
kernel_range tiling_tiles(const tile_sizes *tiling, size_t n_units, size_t n_rows, size_t n_parts);

/* Lines of sparse features (kernels/sparse.cl), several an item: how many goes to *run. */
kernel_range tiling_lines(const tile_sizes *tiling, bool on_host, size_t n_units, size_t n_lines, int *run);

/* An item a vector of units, `n_rows` in dimension 1: kernels without tiles. */
kernel_range tiling_flat(const tile_sizes *tiling, size_t n_units, size_t n_rows);

#endif
