/* Every variant of host/host_loops.c that this processor can run gives the bits of the plain one. */
#include "cases.h"
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
    float R[DATASET_BLOCK_ROWS * N_UNITS] __attribute__((aligned(64)));
    float Z[DATASET_BLOCK_ROWS * N_UNITS] __attribute__((aligned(64)));
    float sums[N_SUMS] __attribute__((aligned(64)));
    float total[N_SUMS] __attribute__((aligned(64)));
    float weights[(N_FEATURES + 1) * UNIT_PADDING] __attribute__((aligned(64)));
    float loss[N_UNITS], error[N_UNITS];
    int32_t correct[N_UNITS];
} block_results;

static block_results *run(const host_loops *loops, const train_problem *p, int n_vectors) {
    void *memory = NULL;
    check_ok(memory_allocate(1, sizeof(block_results), "a test's results", &memory, &case_error));
    block_results *results = memory;
    const host_block block = {
        .tiles = p->dataset->X_host,
        .Y = p->dataset->Y_host,
        .y_stride = p->dataset->y_stride,
        .n_rows = N_ROWS,
        .n_features = N_FEATURES,
        .n_vectors = n_vectors,
        .weights = p->weights,
        .weights_stride = p->unit_stride,
        .positive_class = p->positive_class,
        .loss = p->loss,
        .target = p->target,
        .losses = p->losses,
    };
    loops->forward(&block, 1, results->P);
    loops->gradient(&block, results->R, results->sums);
    loops->measure(&block, results->Z, results->loss, results->error, results->correct);
    memcpy(results->total, results->sums, sizeof results->total);
    loops->add(results->total, results->sums, N_SUMS);
    memcpy(results->weights, p->weights, sizeof results->weights);
    const host_update update = {
        .weights = results->weights,
        .weights_stride = p->unit_stride,
        .n_features = N_FEATURES,
        .n_vectors = n_vectors,
        .scale = p->scale,
        .learning_rate = p->learning_rate,
        .l2 = p->l2,
        .epochs = p->epochs,
        .epoch = 2,
    };
    loops->update(&update, results->sums);
    return results;
}

static void check_variant(const host_loops *loops, const char *name) {
    const case_shape shape = {N_ROWS, N_FEATURES, N_UNITS, UNITS_MIXED, PLETHRON_REDUCTION_MEAN};
    test_case *c = case_open(shape, case_seed());
    plethron_device *host = NULL;
    check_ok(plethron_device_open("host", &host, &case_error));
    plethron_dataset *dataset = case_dataset(c, host);
    train_problem problem = case_problem(c, dataset);
    print_message("%s\n", name);
    for (int n_vectors = 1; n_vectors <= HOST_MAX_VECTORS; n_vectors++) {
        block_results *want = run(&host_loops_plain, &problem, n_vectors), *got = run(loops, &problem, n_vectors);
        assert_memory_not_equal(want->weights, problem.weights, sizeof want->weights);
        assert_memory_equal(got, want, sizeof *want);
        free(got);
        free(want);
    }
    case_problem_close(&problem);
    plethron_dataset_close(dataset);
    plethron_device_close(host);
    case_close(c);
}

static void test_variants_give_the_same_bits(void **state) {
    (void)state;
    check_variant(&host_loops_plain, "plain");
#ifdef PLETHRON_X86_VARIANTS
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) check_variant(&host_loops_avx2, "avx2");
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq") &&
        __builtin_cpu_supports("avx512bw"))
        check_variant(&host_loops_avx512, "avx512");
#endif
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_variants_give_the_same_bits)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
