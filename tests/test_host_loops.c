/* Every variant of host/host_loops.c and host/host_kernels.c that this processor can run gives the bits of the plain
 * one. */
#include "cases.h"
#include "host_kernels.h"
#include "host_loops.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { N_ROWS = 203, N_FEATURES = 21, N_UNITS = HOST_LANES * HOST_MAX_VECTORS, N_SUMS = (N_FEATURES + 1) * N_UNITS };

/* All that the loops give for one block. */
typedef struct block_results {
    float P[DATASET_BLOCK_ROWS * N_UNITS] __attribute__((aligned(64)));
    float Z[DATASET_BLOCK_ROWS * N_UNITS] __attribute__((aligned(64)));
    float R[DATASET_BLOCK_ROWS * N_UNITS] __attribute__((aligned(64)));
    float sums[N_SUMS] __attribute__((aligned(64)));
    float total[N_SUMS] __attribute__((aligned(64)));
    float measures[MEASURE_SUMS * N_UNITS] __attribute__((aligned(64)));
    float weights[(N_FEATURES + 1) * UNIT_PADDING] __attribute__((aligned(64)));
} block_results;

/* The loops and kernels of one instruction set. */
typedef struct variant {
    const char *name;
    const host_loops *loops;
    const host_kernel *kernels;
} variant;

static host_rows rows_of(const case_run *run) {
    const row_buffers *rows = &run->live->rows;
    return (host_rows){
        .targets = device_buffer_on_host(rows->targets),
        .weights = device_buffer_on_host(rows->weights),
        .folds = device_buffer_on_host(rows->folds),
        .counts = device_buffer_on_host(rows->counts),
        .order = device_buffer_on_host(rows->order),
        .units = device_buffer_on_host(run->live->units),
        .y_stride = run->dataset->y_stride,
        .u_stride = (int)run->whole.problem.unit_stride,
        .uses = run->whole.problem.uses,
    };
}

static void run_kernel(const variant *v, const char *name, const char *types, const host_argument *arguments, size_t n,
                       size_t y) {
    const host_kernel *kernel = v->kernels;
    while (kernel->name && strcmp(kernel->name, name) != 0) kernel++;
    assert_non_null(kernel->name);
    assert_string_equal(kernel->types, types);
    kernel->run(arguments, 0, n, y, 0);
}

#define B(memory) \
    { .buffer = (memory) }
#define I(value) \
    { .integer = (int)(value) }
#define F(value) \
    { .real = (value) }

/* The kernels that were loops of their own once: the measures at Z, and a step by the sums. */
static void run_kernels(const variant *v, const case_run *run, host_rows rows, block_results *results) {
    const int stride = rows.u_stride;
    float unused[1];
    memcpy(results->weights, device_buffer_on_host(run->live->weights), sizeof results->weights);
    const host_argument measure[] = {
        B(results->Z),
        B(results->measures),
        B((void *)rows.targets),
        B((void *)rows.weights),
        B((void *)rows.folds),
        B((void *)rows.counts),
        B((void *)rows.order),
        B((void *)rows.units),
        I(rows.y_stride),
        I(stride),
        I(rows.uses),
        I(0),
        I(N_ROWS),
        I(0),
        I(N_UNITS),
        I(1),
        I(N_UNITS),
        I(N_UNITS),
    };
    run_kernel(v, "measure", "bbbbbbbbiiiiiiiiii", measure, N_UNITS, 0);
    const host_argument update[] = {
        B(results->weights),
        B(unused),
        B(unused),
        B(results->sums),
        B(results->sums + N_FEATURES * N_UNITS),
        B((void *)rows.units),
        B(device_buffer_on_host(run->live->state)),
        I(N_FEATURES),
        I(0),
        I(N_UNITS),
        I(1),
        I(1),
        I(stride),
        I(N_UNITS),
        I(2),
        I(2),
        I(0),
        F(1.0f),
        I(rows.uses),
    };
    for (size_t row = 0; row <= N_FEATURES; row++) run_kernel(v, "update", "bbbbbbbiiiiiiiiiifi", update, N_UNITS, row);
}

static block_results *results_of(const variant *v, const case_run *run, int n_vectors) {
    void *memory = NULL;
    check_ok(memory_allocate(1, sizeof(block_results), "a test's results", &memory, &case_error));
    block_results *results = memory;
    const host_rows rows = rows_of(run);
    const host_block block = {
        .tiles = device_buffer_on_host(run->live->X),
        .n_rows = N_ROWS,
        .n_features = N_FEATURES,
        .n_vectors = n_vectors,
        .weights = device_buffer_on_host(run->live->weights),
        .weights_stride = run->whole.problem.unit_stride,
        .rows = &rows,
    };
    v->loops->forward(&block, 1, results->P);
    v->loops->forward(&block, 0, results->Z);
    v->loops->gradient(&block, results->R, results->sums);
    memcpy(results->total, results->sums, sizeof results->total);
    v->loops->add(results->total, results->sums, N_SUMS);
    if (n_vectors == HOST_MAX_VECTORS) run_kernels(v, run, rows, results);
    return results;
}

static const variant plain = {"plain", &host_loops_plain, host_kernels_plain};

static void check_variant(const variant *v) {
    const case_shape shape = {N_ROWS, N_FEATURES, N_UNITS, UNITS_MIXED, PLETHRON_REDUCTION_MEAN};
    test_case *c = case_open(shape, case_seed());
    case_way host = {.name = "host"};
    case_run run;
    check_ok(plethron_device_open("host", &host.device, &case_error));
    case_run_open(&host, c, 0, 0, &run);
    print_message("%s\n", v->name);
    for (int n_vectors = 1; n_vectors <= HOST_MAX_VECTORS; n_vectors++) {
        block_results *want = results_of(&plain, &run, n_vectors), *got = results_of(v, &run, n_vectors);
        assert_true(want->sums[0] != 0.0f && want->total[0] == 2.0f * want->sums[0]);
        if (n_vectors == HOST_MAX_VECTORS) {
            assert_memory_not_equal(want->weights, device_buffer_on_host(run.live->weights), sizeof want->weights);
            assert_true(want->measures[0] > 0.0f);
        }
        assert_memory_equal(got, want, sizeof *want);
        free(got);
        free(want);
    }
    case_run_close(&run);
    plethron_device_close(host.device);
    case_close(c);
}

static void test_variants_give_the_same_bits(void **state) {
    (void)state;
    check_variant(&plain);
#ifdef PLETHRON_X86_VARIANTS
    const variant avx2 = {"avx2", &host_loops_avx2, host_kernels_avx2};
    const variant avx512 = {"avx512", &host_loops_avx512, host_kernels_avx512};
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) check_variant(&avx2);
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq") &&
        __builtin_cpu_supports("avx512bw"))
        check_variant(&avx512);
#endif
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_variants_give_the_same_bits)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
