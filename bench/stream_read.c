/* A loop like STREAM's that only reads: the sum of an array beyond every cache, on all cores. check_ceilings.sh
 * compiles it for the machine it runs on and compares. Prints bytes per second. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { N = 1 << 26, REPEATS = 15 };

static double clock_s(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

int main(void) {
    float *x = malloc(N * sizeof *x);
    double best_s = 1e9;
    if (!x) return 1;
#pragma omp parallel for
    for (size_t i = 0; i < N; i++) x[i] = 1.0f;
    for (int repeat = 0; repeat < REPEATS; repeat++) {
        float sum = 0.0f;
        const double start_s = clock_s();
#pragma omp parallel for reduction(+ : sum)
        for (size_t i = 0; i < N; i++) sum += x[i];
        const double seconds = clock_s() - start_s;
        if (sum > 0.0f && seconds < best_s) best_s = seconds;
    }
    printf("%.6g\n", N * sizeof *x / best_s);
    free(x);
    return 0;
}
