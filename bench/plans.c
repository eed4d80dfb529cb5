/* How well the planner chooses: bench_plans [-d DEVICE] [SAMPLES,FEATURES,UNITS...] prints, for each shape, the seconds
 * an epoch that every strategy predicts and takes, and how much longer the planner's choice takes than the best. */
#include "plan.h"

#include "bank.h"
#include "train_problem.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const char default_shapes[] =
    "5,3,1 5,3,16 5,3,1000 150,4,3 150,4,100 569,30,1 569,30,10 569,30,100 1797,64,1 1797,64,2 1797,64,4 1797,64,8 "
    "1797,64,10 1797,64,16 1797,64,17 1797,64,33 1797,64,64 1797,64,100 1797,64,1000 10240,128,1 10240,128,2 "
    "10240,128,4 10240,128,8 10240,128,10 10240,128,16 10240,128,17 10240,128,33 10240,128,64 10240,128,100 "
    "10240,128,1000 60000,784,1 60000,784,4 60000,784,10 60000,784,16 60000,784,33 262144,64,1 262144,64,4 262144,64,8 "
    "262144,64,10 262144,64,16 262144,64,33 100,10000,1 100,10000,10 100,10000,100 1000,1000,1 1000,1000,10 "
    "1000,1000,33 1000,1000,100";

typedef struct shape {
    size_t n_samples, n_features, n_units;
} shape;

static void fill(float *X, float *y, const shape *of) {
    uint32_t state = 1;
    for (size_t i = 0; i < of->n_samples * of->n_features; i++) {
        state = state * 1664525u + 1013904223u;
        X[i] = (float)(state >> 8) * 0x1p-23f - 1.0f;
    }
    for (size_t i = 0; i < of->n_samples; i++) y[i] = (float)(i % 3 == 0);
}

static plethron_status make_dataset(plethron_device *device, const shape *of, plethron_dataset **out,
                                    plethron_error *err) {
    plethron_status status;
    void *X = NULL, *y = NULL;
    TRY(memory_allocate(of->n_samples * of->n_features, sizeof(float), "X", &X, err));
    TRY(memory_allocate(of->n_samples, sizeof(float), "y", &y, err));
    fill(X, y, of);
    TRY(plethron_dataset_create(device, X, of->n_samples, of->n_features, y, 1, NULL, out, err));
out:
    free(X);
    free(y);
    return status;
}

/* The seconds of a strategy's own plan; infinite where it does not apply. */
static double measure(const train_problem *problem, const strategy *with, double *predicted) {
    plethron_error err;
    train_plan plan;
    double seconds = INFINITY;
    *predicted = INFINITY;
    if (plan_choose(problem, with->name, NULL, &plan, &err) != PLETHRON_OK) return INFINITY;
    *predicted = with->cost(problem);
    if (plan_time(problem, &plan, &seconds, &err) != PLETHRON_OK) return INFINITY;
    return seconds;
}

/* Prints a line; the ratio of the planner's choice to the best. */
static double compare(const train_problem *problem, const shape *of) {
    size_t n_strategies;
    const strategy *const *strategies = plan_strategies(&n_strategies);
    plethron_error err;
    train_plan plan;
    double best = INFINITY, chosen = NAN;
    plan_choose(problem, NULL, NULL, &plan, &err);
    printf("%8zu x %5zu x %5zu ", of->n_samples, of->n_features, of->n_units);
    for (size_t s = 0; s < n_strategies; s++) {
        double predicted;
        const double seconds = measure(problem, strategies[s], &predicted);
        if (isinf(seconds)) continue;
        best = fmin(best, seconds);
        if (strategies[s] == plan.strategy) chosen = seconds;
        printf(" %s%s %.1f (%.1f)", strategies[s]->name, strategies[s] == plan.strategy ? "*" : "", 1e6 * seconds,
               1e6 * predicted);
    }
    printf("  %.2f\n", chosen / best);
    fflush(stdout);
    return chosen / best;
}

static plethron_status run_shape(plethron_device *device, const shape *of, double *ratio, plethron_error *err) {
    plethron_status status;
    plethron_dataset *dataset = NULL;
    plethron_bank *bank = NULL;
    bank_problem whole = {0};
    TRY(make_dataset(device, of, &dataset, err));
    TRY(plethron_bank_create(of->n_features, of->n_units, NULL, &bank, err));
    TRY(bank_problem_open(bank, dataset, &whole, err));
    *ratio = compare(&whole.problem, of);
out:
    bank_problem_close(&whole);
    plethron_bank_close(bank);
    plethron_dataset_close(dataset);
    return status;
}

static int fail(const plethron_error *err) {
    fprintf(stderr, "%s\n", err->text);
    return EXIT_FAILURE;
}

int main(int argc, char **argv) {
    plethron_error err;
    plethron_device *device = NULL;
    char shapes[4096] = "";
    double log_sum = 0.0;
    int count = 0, first = 1;
    const bool has_device = argc > 2 && strcmp(argv[1], "-d") == 0;
    if (has_device) first = 3;
    for (int i = first; i < argc; i++)
        snprintf(shapes + strlen(shapes), sizeof shapes - strlen(shapes), "%s ", argv[i]);
    if (first == argc) snprintf(shapes, sizeof shapes, "%s", default_shapes);
    if (plethron_device_open(has_device ? argv[2] : NULL, &device, &err) != PLETHRON_OK) return fail(&err);
    printf(" samples x features x units: microseconds an epoch (predicted); *: chosen; chosen to best\n");
    for (char *word = strtok(shapes, " "); word; word = strtok(NULL, " ")) {
        shape of;
        double ratio;
        if (sscanf(word, "%zu,%zu,%zu", &of.n_samples, &of.n_features, &of.n_units) != 3) {
            fprintf(stderr, "'%s' is not SAMPLES,FEATURES,UNITS\n", word);
            return 2;
        }
        if (run_shape(device, &of, &ratio, &err) != PLETHRON_OK) return fail(&err);
        log_sum += log(ratio);
        count++;
    }
    printf("geometric mean of chosen to best: %.3f of %d shapes\n", exp(log_sum / count), count);
    plethron_device_close(device);
    return EXIT_SUCCESS;
}
