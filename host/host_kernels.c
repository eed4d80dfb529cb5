/* Kernels compiled as C (host_kernels.h). HOST_KERNELS names this variant's table. */
#include "host_kernels.h"

#include "dataset.h"
#include "opencl_c.h"

#ifndef HOST_KERNELS
#error "HOST_KERNELS, the name of this variant, must be defined"
#endif

#define __kernel static inline
#define TILE DATASET_TILE
#define BLOCK_ROWS DATASET_BLOCK_ROWS

/* The item that the calling thread works on. */
static _Thread_local int host_id[3];
#define get_global_id(dimension) host_id[dimension]

#include "arithmetic.cl"
#include "random.cl"
#include "store.cl"
#include "unit.cl"

#include "row.cl"
#include "rules.cl"
#include "step.cl"

#include "update.cl"

#include "delta.cl"
#include "measure.cl"

#include "sparse.cl"

#include "sparse_forward.cl"
#include "sparse_gradient.cl"

#include "auc_area.cl"

#include "auc.cl"
#include "bootstrap.cl"
#include "check.cl"
#include "shuffle.cl"
#include "standardize.cl"

#include "lanes.cl"

#include "grouped_block.cl"

#include "grouped_unit.cl"

#include "grouped_look.cl"

#include "grouped.cl"

#include "grouped_many.cl"

#include "grouped_measure.cl"

#include "auc_ranges.cl"

/* run_NAME calls the kernel NAME for each of the items. */
#define RUN(name, ...)                                                                             \
    static void run_##name(const host_argument *a, size_t first, size_t end, size_t y, size_t z) { \
        host_id[1] = (int)y;                                                                       \
        host_id[2] = (int)z;                                                                       \
        for (size_t x = first; x < end; x++) {                                                     \
            host_id[0] = (int)x;                                                                   \
            name(__VA_ARGS__);                                                                     \
        }                                                                                          \
    }

#define B(i) a[i].buffer
#define I(i) a[i].integer
#define F(i) a[i].real

#define ROWS_TYPES "bbbbbbiii"
#define ROWS_AT(i) B(i), B(i + 1), B(i + 2), B(i + 3), B(i + 4), B(i + 5), I(i + 6), I(i + 7), I(i + 8)

RUN(update, B(0), B(1), B(2), B(3), B(4), B(5), B(6), I(7), I(8), I(9), I(10), I(11), I(12), I(13), I(14), I(15), I(16),
    F(17), I(18))
RUN(delta, B(0), B(1), ROWS_AT(2), I(11), I(12), I(13), I(14), I(15))
RUN(sparse_forward, B(0), B(1), B(2), B(3), B(4), B(5), I(6), I(7), I(8), I(9), I(10), I(11), I(12), I(13), I(14),
    I(15))
RUN(sparse_pieces, B(0), B(1), B(2), B(3), B(4), I(5), I(6), I(7), I(8))
RUN(sparse_gradient, B(0), B(1), B(2), B(3), B(4), B(5), B(6), I(7), I(8), I(9), I(10), I(11), I(12), I(13), I(14))
RUN(weigh, B(0), ROWS_AT(1), I(10), I(11), I(12), I(13), I(14))
RUN(measure, B(0), B(1), ROWS_AT(2), I(11), I(12), I(13), I(14), I(15), I(16), I(17))
RUN(add_blocks, B(0), B(1), I(2), I(3), I(4), I(5), I(6))
RUN(check, B(0), B(1), B(2), B(3), B(4), I(5), I(6), I(7), I(8))
RUN(keep_best, B(0), B(1), B(2), I(3), I(4))
RUN(auc_keys, B(0), B(1), B(2), ROWS_AT(3), I(12), I(13), I(14), I(15), I(16), I(17), I(18))
RUN(auc_sort, B(0), B(1), I(2), I(3), I(4), I(5), I(6))
RUN(auc_sum, B(0), B(1), B(2), I(3), I(4), I(5), I(6), I(7))
RUN(auc_range_keys, B(0), B(1), B(2), B(3), B(4), B(5), B(6), ROWS_AT(7), I(16), I(17), I(18), I(19))
RUN(auc_range_sort, B(0), B(1), I(2), I(3), I(4), I(5), I(6))
RUN(auc_range_sum, B(0), B(1), B(2), B(3), B(4), I(5), I(6))
RUN(bootstrap, B(0), B(1), I(2), I(3), I(4))
RUN(order, B(0), I(1), I(2), I(3), I(4), I(5), I(6))
RUN(reorder, B(0), B(1), B(2), I(3), I(4), I(5))
RUN(moments, B(0), B(1), B(2), B(3), I(4), I(5))
RUN(add_moments, B(0), B(1), B(2), I(3))
RUN(standardize, B(0), B(1), B(2), I(3))
RUN(grouped, B(0), B(1), B(2), B(3), B(4), B(5), B(6), B(7), B(8), B(9), B(10), ROWS_AT(11), I(20), I(21), I(22), I(23),
    I(24), I(25), I(26))
RUN(grouped_sums, B(0), B(1), B(2), B(3), B(4), B(5), B(6), B(7), B(8), ROWS_AT(9), I(18), I(19), I(20), I(21))
RUN(grouped_step, B(0), B(1), B(2), B(3), B(4), B(5), B(6), B(7), ROWS_AT(8), I(17), I(18), I(19), I(20), I(21))
RUN(grouped_weigh, B(0), B(1), B(2), B(3), ROWS_AT(4), I(13), I(14))
RUN(grouped_measure, B(0), B(1), B(2), B(3), B(4), B(5), B(6), B(7), ROWS_AT(8), I(17), I(18), I(19))
RUN(grouped_add, B(0), B(1), B(2), B(3), I(4), I(5), I(6))

const host_kernel HOST_KERNELS[] = {
    {"update", "bbbbbbbiiiiiiiiiifi", run_update},
    {"delta", "bb" ROWS_TYPES "iiiii", run_delta},
    {"sparse_forward", "bbbbbbiiiiiiiiii", run_sparse_forward},
    {"sparse_pieces", "bbbbbiiii", run_sparse_pieces},
    {"sparse_gradient", "bbbbbbbiiiiiiii", run_sparse_gradient},
    {"weigh", "b" ROWS_TYPES "iiiii", run_weigh},
    {"measure", "bb" ROWS_TYPES "iiiiiii", run_measure},
    {"add_blocks", "bbiiiii", run_add_blocks},
    {"check", "bbbbbiiii", run_check},
    {"keep_best", "bbbii", run_keep_best},
    {"auc_keys", "bbb" ROWS_TYPES "iiiiiii", run_auc_keys},
    {"auc_sort", "bbiiiii", run_auc_sort},
    {"auc_sum", "bbbiiiii", run_auc_sum},
    {"auc_range_keys", "bbbbbbb" ROWS_TYPES "iiii", run_auc_range_keys},
    {"auc_range_sort", "bbiiiii", run_auc_range_sort},
    {"auc_range_sum", "bbbbbii", run_auc_range_sum},
    {"bootstrap", "bbiii", run_bootstrap},
    {"order", "biiiiii", run_order},
    {"reorder", "bbbiii", run_reorder},
    {"moments", "bbbbii", run_moments},
    {"add_moments", "bbbi", run_add_moments},
    {"standardize", "bbbi", run_standardize},
    {"grouped", "bbbbbbbbbbb" ROWS_TYPES "iiiiiii", run_grouped},
    {"grouped_sums", "bbbbbbbbb" ROWS_TYPES "iiii", run_grouped_sums},
    {"grouped_step", "bbbbbbbb" ROWS_TYPES "iiiii", run_grouped_step},
    {"grouped_weigh", "bbbb" ROWS_TYPES "ii", run_grouped_weigh},
    {"grouped_measure", "bbbbbbbb" ROWS_TYPES "iii", run_grouped_measure},
    {"grouped_add", "bbbbiii", run_grouped_add},
    {NULL, NULL, NULL},
};
