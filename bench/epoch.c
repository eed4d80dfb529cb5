/* Seconds of an epoch for shapes that matter, on a device and on the host, beside this machine's ceilings.
 *
 *     bench_epoch [DEVICE] [N,D,M ...]        default: the planner's device and the shapes below
 *
 * Each shape is trained for two epochs on the device and on the host first, and the weights must be equal bit by bit: a
 * wrong result is not timed. A row is the median of REPEATS runs with the least and the greatest in brackets. Only
 * epochs count: upload, kernel builds and the first epoch are outside. */
#include "ceiling.h"
#include "plethron.h"

#include <stdlib.h>
#include <string.h>

enum { REPEATS = 5 };

static const double wanted_s = 0.5; /* length of one timed run */

typedef struct bench_shape {
    size_t n_samples, n_features, n_units;
} bench_shape;

static const bench_shape default_shapes[] = {
    {10240, 128, 1024}, /* train-many */
    {60000, 784, 10},   /* train-ten */
    {1048576, 64, 1},   /* train-one */
    {5, 3, 131072},     /* tiny */
    {5, 3, 1},          /* seed */
};

typedef struct epoch_timing {
    double first_s, last_s;
    int64_t first_epoch, last_epoch;
} epoch_timing;

static void check(plethron_status status, const plethron_error *err) {
    if (status == PLETHRON_OK) return;
    fprintf(stderr, "bench_epoch: %s\n", err->text);
    exit(EXIT_FAILURE);
}

static void *allocate(size_t bytes) {
    void *memory = malloc(bytes);
    if (memory) return memory;
    fprintf(stderr, "bench_epoch: no memory for %zu bytes\n", bytes);
    exit(EXIT_FAILURE);
}

/* Starts the clock after the first chunk of epochs. */
static bool on_progress(void *context, const plethron_progress *progress) {
    epoch_timing *timing = context;
    if (progress->epoch == 0) return true;
    if (timing->first_epoch == 0) {
        timing->first_epoch = progress->epoch;
        timing->first_s = progress->elapsed_s;
    }
    timing->last_epoch = progress->epoch;
    timing->last_s = progress->elapsed_s;
    return true;
}

static plethron_bank *train(plethron_dataset *data, bench_shape shape, int64_t epochs, epoch_timing *timing) {
    plethron_error err;
    plethron_bank *bank = NULL;
    const plethron_bank_options options = {
        .struct_size = sizeof options, .epochs = {&epochs, 1}, .init = PLETHRON_INIT_UNIFORM};
    const plethron_train_options how = {.struct_size = sizeof how, .on_progress = on_progress, .context = timing};
    check(plethron_bank_create(shape.n_features, shape.n_units, &options, &bank, &err), &err);
    check(plethron_train(data, bank, &how, &err), &err);
    return bank;
}

static double seconds_an_epoch(plethron_dataset *data, bench_shape shape, int64_t epochs) {
    epoch_timing timing = {0};
    plethron_bank_close(train(data, shape, epochs, &timing));
    return (timing.last_s - timing.first_s) / (double)(timing.last_epoch - timing.first_epoch);
}

static int compare(const void *a, const void *b) {
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void time_shape(const char *name, plethron_dataset *data, bench_shape shape, double fma_flops,
                       double read_bytes) {
    const double flops = 4.0 * (double)shape.n_samples * (double)shape.n_features * (double)shape.n_units;
    const double bytes = 4.0 * (double)shape.n_samples * (double)shape.n_features;
    double s[REPEATS];
    const double guess_s = seconds_an_epoch(data, shape, 6);
    const int64_t epochs = 4 + (int64_t)(wanted_s / (guess_s > 1e-7 ? guess_s : 1e-7));
    for (int i = 0; i < REPEATS; i++) s[i] = seconds_an_epoch(data, shape, epochs);
    qsort(s, REPEATS, sizeof *s, compare);
    const double median = s[REPEATS / 2];
    printf("%-7zu x %-4zu %7zu units  %-6.20s %10.1f us [%.1f %.1f]  %7.1f GFLOP/s (%4.2f of fma)  X at %6.1f GB/s "
           "(%4.2f of read)  %.2e unit-epochs/s\n",
           shape.n_samples, shape.n_features, shape.n_units, name, 1e6 * median, 1e6 * s[0], 1e6 * s[REPEATS - 1],
           flops / median / 1e9, flops / median / fma_flops, bytes / median / 1e9, bytes / median / read_bytes,
           (double)shape.n_units / median);
    fflush(stdout);
}

static void verify(plethron_dataset *on_device, plethron_dataset *on_host, bench_shape shape) {
    epoch_timing unused = {0};
    plethron_bank *a = train(on_device, shape, 2, &unused), *b = train(on_host, shape, 2, &unused);
    const size_t bytes = (shape.n_features + 1) * shape.n_units * sizeof(float); /* biases lie behind the weights */
    if (memcmp(plethron_bank_weights(a), plethron_bank_weights(b), bytes - shape.n_units * sizeof(float)) != 0 ||
        memcmp(plethron_bank_biases(a), plethron_bank_biases(b), shape.n_units * sizeof(float)) != 0) {
        fprintf(stderr, "bench_epoch: device and host disagree on %zu x %zu with %zu units: not timed\n",
                shape.n_samples, shape.n_features, shape.n_units);
        exit(EXIT_FAILURE);
    }
    plethron_bank_close(a);
    plethron_bank_close(b);
}

static void run(plethron_device *device, plethron_device *host, bench_shape shape, double fma_flops,
                double read_bytes) {
    plethron_error err;
    plethron_dataset *on_device = NULL, *on_host = NULL;
    const size_t n = shape.n_samples * shape.n_features;
    float *X = allocate(n * sizeof *X), *Y = allocate(shape.n_samples * sizeof *Y);
    srand(1);
    for (size_t i = 0; i < n; i++) X[i] = (float)(rand() % 2001 - 1000) / 1000.0f;
    for (size_t i = 0; i < shape.n_samples; i++) Y[i] = (float)(rand() & 1);
    check(plethron_dataset_create(device, X, shape.n_samples, shape.n_features, Y, 1, NULL, &on_device, &err), &err);
    check(plethron_dataset_create(host, X, shape.n_samples, shape.n_features, Y, 1, NULL, &on_host, &err), &err);
    verify(on_device, on_host, shape);
    const bool two = plethron_device_describe(device)->kind != PLETHRON_DEVICE_HOST;
    if (two) time_shape("device", on_device, shape, fma_flops, read_bytes);
    time_shape("host", on_host, shape, fma_flops, read_bytes);
    plethron_dataset_close(on_device);
    plethron_dataset_close(on_host);
    free(X);
    free(Y);
}

int main(int argc, char **argv) {
    plethron_error err;
    plethron_device *device = NULL, *host = NULL;
    check(plethron_device_open(argc > 1 ? argv[1] : NULL, &device, &err), &err);
    check(plethron_device_open("host", &host, &err), &err);
    const plethron_device_info *info = plethron_device_describe(device);
    const double fma_flops = ceiling_fma_flops(), read_bytes = ceiling_read_bytes();
    printf("device: %s, %s\nhost ceilings: fma %.0f GFLOP/s, read %.1f GB/s\n", info->name, info->version,
           fma_flops / 1e9, read_bytes / 1e9);
    for (int i = 2; i < argc; i++) {
        bench_shape shape;
        if (sscanf(argv[i], "%zu,%zu,%zu", &shape.n_samples, &shape.n_features, &shape.n_units) != 3) {
            fprintf(stderr, "bench_epoch: '%s' is no shape: N,D,M was expected\n", argv[i]);
            return 2;
        }
        run(device, host, shape, fma_flops, read_bytes);
    }
    for (size_t i = 0; argc <= 2 && i < sizeof default_shapes / sizeof *default_shapes; i++)
        run(device, host, default_shapes[i], fma_flops, read_bytes);
    plethron_device_close(device);
    plethron_device_close(host);
    return 0;
}
