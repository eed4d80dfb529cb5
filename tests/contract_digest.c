/* Prints digests of what trainings and predictions give, for comparing processes bit by bit (test_contract.sh,
 * oclgrind.sh). A line is a digest, the device, the strategy and the tiling; "none" stands instead of the digest where
 * the bit contract does not hold.
 *
 *     contract_digest                                       some trainings in every way there is (cases.h)
 *     contract_digest ways                                  the strategies with the tilings
 *     contract_digest likeliest SELECTOR                    the likeliest units that one predictor finds
 *     contract_digest STRATEGY TILING SAMPLES FEATURES UNITS [STORAGE]   one training; the tiling "planned": the
 *                                                                        strategy's choice, "native": the host's;
 * features stored as STORAGE (a number of plethron_storage) */
#include "bank.h"
#include "cases.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static const case_shape usual_shapes[] = {
    {300, 19, 21, UNITS_MIXED, PLETHRON_REDUCTION_MEAN},
    {530, 5, 70, UNITS_MIXED, PLETHRON_REDUCTION_SUM},
    {40, 33, 3, UNITS_ALIKE, PLETHRON_REDUCTION_MEAN},
};

/* FNV-1a, 64 bits (G. Fowler, L. C. Noll, K.-P. Vo). */
#define FIRST_DIGEST UINT64_C(0xCBF29CE484222325)
static void add_bytes(uint64_t *digest, const void *bytes, size_t n) {
    for (size_t i = 0; i < n; i++) *digest = (*digest ^ ((const unsigned char *)bytes)[i]) * 0x100000001B3u;
}

/* The likeliest units of each row: of two groups that share a unit. */
static void add_likeliest(uint64_t *digest, plethron_device *device, const test_case *c, const plethron_bank *bank) {
    enum { N_TOP = 2, N_GROUPS = 2 };
    const size_t n_results = c->shape.n_samples * N_GROUPS * N_TOP;
    const int64_t offsets[N_GROUPS + 1] = {0, 3, 20};
    const int32_t in_groups[] = {0, 2, 1, 1, 2, 2, 0, 1, 2, 0, 0, 1, 1, 2, 2, 1, 0, 0, 0, 2};
    const plethron_top top = {N_TOP, N_GROUPS, offsets, in_groups, true};
    const plethron_predictor_options options = {.struct_size = sizeof options, .top = &top};
    plethron_predictor *predictor = NULL;
    int32_t *units = malloc(n_results * sizeof *units);
    float *p = malloc(n_results * sizeof *p);
    if (!units || !p) exit(EXIT_FAILURE);
    check_ok(plethron_predictor_open(device, bank, &options, &predictor, &case_error));
    check_ok(plethron_predictor_top(predictor, c->X, c->shape.n_samples, units, p, &case_error));
    add_bytes(digest, units, n_results * sizeof *units);
    add_bytes(digest, p, n_results * sizeof *p);
    plethron_predictor_close(predictor);
    free(p);
    free(units);
}

/* Oclgrind (21.10) widens a true lane of a vector to 255 instead of 1, so its accuracy is left out on request. */
static void add_case(uint64_t *digest, const case_way *way, case_shape shape, plethron_storage storage,
                     bool with_accuracy) {
    enum { SEED = 1 };
    test_case *c = case_open(shape, SEED);
    c->storage = storage;
    plethron_bank *bank = case_bank(c, NULL, shape.n_units);
    float *P = malloc(shape.n_samples * shape.n_units * sizeof *P);
    if (!P) exit(EXIT_FAILURE);
    case_train_on(way, c, bank);
    check_ok(plethron_predict(way->device, bank, c->X, shape.n_samples, P, &case_error));
    add_bytes(digest, bank->weights, (shape.n_features + 1) * shape.n_units * sizeof *bank->weights);
    add_bytes(digest, bank->final_loss, shape.n_units * sizeof *bank->final_loss);
    add_bytes(digest, bank->error_sum, shape.n_units * sizeof *bank->error_sum);
    if (with_accuracy) add_bytes(digest, bank->accuracy, shape.n_units * sizeof *bank->accuracy);
    add_bytes(digest, P, shape.n_samples * shape.n_units * sizeof *P);
    free(P);
    plethron_bank_close(bank);
    case_close(c);
}

static void print_digest(const case_way *way, const case_shape *shapes, size_t n_shapes, plethron_storage storage,
                         bool with_accuracy) {
    uint64_t digest = FIRST_DIGEST;
    for (size_t s = 0; s < n_shapes; s++) add_case(&digest, way, shapes[s], storage, with_accuracy);
    if (case_bits_hold(way))
        printf("%016" PRIx64 " %s\n", digest, way->name);
    else
        printf("none %s\n", way->name);
}

static int print_likeliest(const char *selector) {
    const case_shape shape = {17, 18, 3, UNITS_ALIKE, PLETHRON_REDUCTION_MEAN};
    const plethron_bank_options options = {.struct_size = sizeof options, .init = PLETHRON_INIT_NORMAL};
    uint64_t digest = FIRST_DIGEST;
    plethron_device *device = NULL;
    plethron_bank *bank = NULL;
    test_case *c = case_open(shape, 1);
    check_ok(plethron_device_open(selector, &device, &case_error));
    check_ok(plethron_bank_create(shape.n_features, shape.n_units, &options, &bank, &case_error));
    add_likeliest(&digest, device, c, bank);
    printf("%016" PRIx64 " %s\n", digest, plethron_device_describe(device)->name);
    plethron_bank_close(bank);
    plethron_device_close(device);
    case_close(c);
    return EXIT_SUCCESS;
}

static int print_ways(void) {
    size_t n_tilings = 0, n_strategies = 0;
    const tile_sizes *tilings = tilings_all(&n_tilings);
    const strategy *const *strategies = plan_strategies(&n_strategies);
    for (size_t s = 0; s < n_strategies; s++)
        for (size_t t = 0; strategies[s] != &strategy_host && t < n_tilings; t++)
            if (case_wants(strategies[s], &tilings[t])) printf("%s %s\n", strategies[s]->name, tilings[t].name);
    return EXIT_SUCCESS;
}

static bool is_called(const case_way *way, const char *strategy_name, const char *tiling) {
    const char *choice = device_is_host(way->device) ? "native" : "planned";
    return strcmp(strategy_name, way->strategy) == 0 && strcmp(tiling, way->tiling ? way->tiling->name : choice) == 0;
}

static size_t number(const char *text) {
    return (size_t)strtoull(text, NULL, 10);
}

int main(int argc, char **argv) {
    enum { ALL = 1, WAYS = 2, LIKELIEST = 3, ONE = 6, ONE_STORED = 7 }; /* argc */
    static case_ways ways;
    if (argc == WAYS) return print_ways();
    if (argc == LIKELIEST) return print_likeliest(argv[2]);
    if (argc != ALL && argc != ONE && argc != ONE_STORED) return EXIT_FAILURE;
    const plethron_storage storage = argc == ONE_STORED ? (plethron_storage)number(argv[ONE]) : PLETHRON_STORAGE_F32;
    case_has_few_features = argc != ALL && number(argv[4]) <= 16;
    case_ways_open(0, &ways);
    for (size_t w = 0; w < ways.n_ways; w++) {
        if (argc == ALL) {
            print_digest(&ways.ways[w], usual_shapes, sizeof usual_shapes / sizeof *usual_shapes, storage, true);
        } else if (is_called(&ways.ways[w], argv[1], argv[2])) {
            const case_shape shape = {number(argv[3]), number(argv[4]), number(argv[5]), UNITS_MIXED,
                                      PLETHRON_REDUCTION_MEAN};
            print_digest(&ways.ways[w], &shape, 1, storage, false);
        }
    }
    case_ways_close(&ways);
    return EXIT_SUCCESS;
}
