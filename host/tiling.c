#include "tiling.h"

#include "dataset.h"

#include <string.h>

/* Tested combinations (tests/test_contract.c runs each). The wide ones hold their results in CPU vector registers; the
 * group ones share slices of both factors in local memory, 16 x 16 items a group. */
static const tile_sizes tilings[] = {
    /* name       local  unit    item     item  local  local
     *            memory vector  vectors  rows  units  rows */
    {"wide-32", false, 16, 2, 8, 1, 1},   {"wide-16", false, 16, 1, 8, 1, 1},  {"wide-8x4", false, 8, 4, 2, 1, 1},
    {"wide-8x2", false, 8, 2, 4, 1, 1},   {"wide-8", false, 8, 1, 8, 1, 1},    {"wide-4", false, 4, 1, 8, 1, 1},
    {"wide-1", false, 1, 1, 8, 1, 1},     {"group-64", true, 4, 1, 4, 16, 16}, {"group-16", true, 1, 1, 4, 16, 16},
    {"group-small", true, 1, 1, 2, 8, 8},
};

const tile_sizes *tilings_all(size_t *count) {
    *count = sizeof tilings / sizeof *tilings;
    return tilings;
}

bool tiling_fits(const plethron_device *device, const tile_sizes *tiling) {
    return !device_is_host(device) && tiling->local_units * tiling->local_rows <= device_max_group_items(device);
}

static const tile_sizes *find_tiling(const char *name) {
    for (size_t i = 0; i < sizeof tilings / sizeof *tilings; i++)
        if (strcmp(tilings[i].name, name) == 0) return &tilings[i];
    return NULL;
}

/* GPUs: local memory of its own says that a group should share what it loads. CPUs: as many units in a vector as the
 * device computes at once, and two vectors when there are units for them; four vectors of 8 and two rows take 4 to 12 %
 * less on Zen 1, up to 25 % more on Zen 3. The host runs its kernels a unit an item. */
tile_sizes tiling_choose(const plethron_device *device, size_t n_units) {
    const plethron_device_info *info = plethron_device_describe(device);
    const tile_sizes *wide[] = {find_tiling("wide-1"), find_tiling("wide-4"), find_tiling("wide-8"),
                                find_tiling("wide-16")};
    if (device_is_host(device)) return *wide[0];
    if (info->local_is_dedicated) {
        const tile_sizes *group = find_tiling(n_units > 16 ? "group-64" : "group-16");
        return tiling_fits(device, group) ? *group : *find_tiling("group-small");
    }
    const unsigned width = device_vector_width(device);
    const tile_sizes *chosen = wide[0];
    for (size_t i = 1; i < sizeof wide / sizeof *wide; i++)
        if (wide[i]->unit_vector <= width && n_units > wide[i - 1]->unit_vector) chosen = wide[i];
    if (chosen->unit_vector == 16 && n_units > 16) chosen = find_tiling("wide-32");
    if (chosen->unit_vector == 8 && width == 8 && n_units > 8) chosen = find_tiling("wide-8x2");
    return *chosen;
}

size_t tiling_lanes(const plethron_device *device, size_t n_units) {
    const tile_sizes tiling = tiling_choose(device, n_units);
    const size_t group_units = (size_t)tiling.unit_vector * tiling.item_vectors * tiling.local_units;
    const size_t width =
        device_is_host(device) || group_units > device_vector_width(device) ? group_units : device_vector_width(device);
    return size_divide_up(n_units, width) * width;
}

plethron_status tiling_program(plethron_device *device, const tile_sizes *tiling, int uses, plethron_storage storage,
                               const char *const *sources, size_t n_sources, device_program **out,
                               plethron_error *err) {
    char options[256];
    snprintf(options, sizeof options,
             "-DTILE=%d -DBLOCK_ROWS=%d -DUSES=%d -DLOCAL_MEMORY=%d -DUNIT_VECTOR=%u -DITEM_VECTORS=%u -DITEM_ROWS=%u "
             "-DLOCAL_UNITS=%u -DLOCAL_ROWS=%u -DSTORAGE=%d",
             DATASET_TILE, DATASET_BLOCK_ROWS, uses, tiling->local_memory, tiling->unit_vector, tiling->item_vectors,
             tiling->item_rows, tiling->local_units, tiling->local_rows, (int)storage);
    return program_open(device, sources, n_sources, options, out, err);
}

kernel_range tiling_tiles(const tile_sizes *tiling, size_t n_units, size_t n_rows, size_t n_parts) {
    const size_t units = (size_t)tiling->unit_vector * tiling->item_vectors * tiling->local_units;
    const size_t rows = (size_t)tiling->item_rows * tiling->local_rows;
    return (kernel_range){
        .global = {size_divide_up(n_units, units) * tiling->local_units,
                   size_divide_up(n_rows, rows) * tiling->local_rows, n_parts},
        .local = {tiling->local_units, tiling->local_rows, 1},
    };
}

kernel_range tiling_lines(const tile_sizes *tiling, bool on_host, size_t n_units, size_t n_lines, int *run) {
    enum { GROUP_ITEMS = 64, HOST_UNITS = 64, CPU_RUN = 32, CPU_VECTORS = 4 }; /* of sparse.cl */
    enum { MAX_GROUPS = 32768 }; /* of dimension 1: some devices count no further than 65,535 */
    const size_t vectors = tiling->local_memory || tiling->item_vectors == 1 ? tiling->item_vectors : CPU_VECTORS;
    const size_t item_units = on_host ? HOST_UNITS : tiling->unit_vector * vectors;
    const size_t items = size_divide_up(n_units, item_units);
    kernel_range range = {.local = {1, 1, 1}};
    while (tiling->local_memory && range.local[0] < items && range.local[0] < GROUP_ITEMS) range.local[0] *= 2;
    if (tiling->local_memory) range.local[1] = GROUP_ITEMS / range.local[0];
    const size_t least = size_divide_up(n_lines, MAX_GROUPS * range.local[1]),
                 wanted = tiling->local_memory ? 1 : CPU_RUN;
    const size_t lines = least > wanted ? least : wanted, groups = size_divide_up(n_lines, lines * range.local[1]);
    *run = (int)lines;
    range.global[0] = size_divide_up(items, range.local[0]) * range.local[0];
    range.global[1] = groups * range.local[1];
    range.global[2] = 1;
    return range;
}

kernel_range tiling_flat(const tile_sizes *tiling, size_t n_units, size_t n_rows) {
    enum { GROUP_ITEMS = 64 };
    const size_t local = tiling->local_memory ? GROUP_ITEMS : 1;
    return (kernel_range){
        .global = {size_divide_up(size_divide_up(n_units, tiling->unit_vector), local) * local, n_rows, 1},
        .local = {local, 1, 1},
    };
}
