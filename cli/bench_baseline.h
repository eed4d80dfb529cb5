/* What else a CPU can do with the same case: OpenBLAS on all cores, and plain C on one. */
#ifndef PLETHRON_CLI_BENCH_BASELINE_H
#define PLETHRON_CLI_BENCH_BASELINE_H

#include "bench_row.h"

/* OpenBLAS, found when it is asked for, so that nothing else of the program depends on it. NULL when it is not here. */
typedef struct bench_blas bench_blas;
bench_blas *bench_blas_open(void);
void bench_blas_close(bench_blas *blas);
/* Version, build and the processor whose kernels it runs. */
const char *bench_blas_describe(const bench_blas *blas);

/* Each fails where the result is wrong. */
plethron_status bench_blas_measure(const bench_problem *problem, const bench_blas *blas, bench_row *row,
                                   plethron_error *err);
/* One thread and no library; of a large case only as many units and epochs as take about a second. */
plethron_status bench_scalar_measure(const bench_problem *problem, bench_row *row, plethron_error *err);

#endif
