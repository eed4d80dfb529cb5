/* The held-out losses of a block of rows of one unit (grouped_block.cl).
 *
 * Order: as the gradient's: a lane's sum of a block starts at 0 and gains one
 * fma a tile, the lanes are added by the tree of lanes.cl; the sums of a unit's
 * blocks are added ascending.
 */

/* Vectors of a tile that one item adds up, and its first lane. */
#if LOCAL_MEMORY
#define SUM_VECTORS 1
#define SUM_LANE GROUP_ITEM
#else
#define SUM_VECTORS VECTORS
#define SUM_LANE 0
#endif

/* The rows i ... of a block, with weight 0 behind its last. */
static inline row_view load_inside(const row_sources *from, const row_units *units, row_block rows, int i) {
    row_view row;
    row_load(from, units, rows.first_tile * TILE + i, &row);
    const vint inside = (vint)(i) + LANES < (vint)(rows.n_rows);
    row.weight = inside ? row.weight : (vfloat)(0.0f);
    row.held = inside ? row.held : (vfloat)(0.0f);
    return row;
}

/* The sum of the block whose z are in the slot, for all items of the group. */
static inline float held_loss(const row_sources *from, int unit, row_block rows,
                              SLOT_SPACE const float *slot LANES_PARAMETER) {
    const row_units units = row_units_load(from, unit);
    vfloat losses[SUM_VECTORS];
    EACH(v, SUM_VECTORS) losses[v] = (vfloat)(0.0f);
    for (int t = 0; SUM_LANE < TILE && t < rows.n_tiles; t++) {
        EACH(v, SUM_VECTORS) {
            const int i = t * TILE + SUM_LANE + v * UNIT_VECTOR;
            const vfloat z = LOAD(SLOT_SPACE, slot + SLOT_DELTAS + i);
            const row_view row = load_inside(from, &units, rows, i);
            losses[v] = fma(row.held, row_loss(z, sigmoid(z), row.y, units.loss), losses[v]);
        }
    }
#if LOCAL_MEMORY
    if (GROUP_ITEM < TILE) lanes_l[GROUP_ITEM] = losses[0];
    barrier(CLK_LOCAL_MEM_FENCE); /* publishes lanes_l */
    const float sum = tree(lanes_l);
    SLOT_BARRIER; /* all have read lanes_l, and z in the slot, before they are
                     overwritten */
    return sum;
#else
    const vfloat sum = lane_sum(losses);
    return ((const float *)&sum)[0];
#endif
}
