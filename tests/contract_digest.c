/* Prints a line for every way to run (cases.h): a digest of all results of some trainings, then the device and the
 * tiling. Where the bit contract holds all lines begin with the same digest; elsewhere they begin with "none".
 * Usage: contract_digest [small]. The small problems are for Oclgrind, which simulates a device; their digest leaves out
 * the accuracy, because Oclgrind (21.10) widens a true lane of a vector to 255 instead of 1. */
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

static const case_shape small_shapes[] = {
    {259, 3, 5, UNITS_MIXED, PLETHRON_REDUCTION_MEAN},
    {17, 18, 2, UNITS_MIXED, PLETHRON_REDUCTION_SUM},
};

/* FNV-1a, 64 bits (G. Fowler, L. C. Noll, K.-P. Vo). */
static void add_bytes(uint64_t *digest, const void *bytes, size_t n) {
    for (size_t i = 0; i < n; i++) *digest = (*digest ^ ((const unsigned char *)bytes)[i]) * 0x100000001B3u;
}

static void add_case(uint64_t *digest, const case_way *way, case_shape shape, bool with_accuracy) {
    enum { SEED = 1 };
    test_case *c = case_open(shape, SEED);
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

int main(int argc, char **argv) {
    const bool small = argc == 2 && strcmp(argv[1], "small") == 0;
    const case_shape *shapes = small ? small_shapes : usual_shapes;
    const size_t n_shapes = small ? sizeof small_shapes / sizeof *small_shapes : sizeof usual_shapes / sizeof *usual_shapes;
    static case_ways ways;
    case_ways_open(0, &ways);
    for (size_t w = 0; w < ways.n_ways; w++) {
        uint64_t digest = 0xCBF29CE484222325u;
        for (size_t s = 0; s < n_shapes; s++) add_case(&digest, &ways.ways[w], shapes[s], !small);
        if (case_bits_hold(&ways.ways[w]))
            printf("%016" PRIx64 " %s\n", digest, ways.ways[w].name);
        else
            printf("none %s\n", ways.ways[w].name);
    }
    case_ways_close(&ways);
    return EXIT_SUCCESS;
}
