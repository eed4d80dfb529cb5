/* Cross-validation: which fold each row belongs to. */
#include "dataset.h"
#include "random.h"

#include <stdlib.h>
#include <string.h>

typedef struct card {
    uint32_t label; /* its bits; all alike without labels */
    uint32_t place; /* in a shuffled order */
    uint32_t row;
} card;

static int compare_cards(const void *a, const void *b) {
    const card *x = a, *y = b;
    if (x->label != y->label) return x->label < y->label ? -1 : 1;
    return (x->place > y->place) - (x->place < y->place);
}

/* Rows are shuffled, sorted by label, and dealt to the folds in turn: every class is spread as evenly as can be, and so
 * is the whole. */
plethron_status plethron_folds_make(size_t n_samples, const float *labels, size_t n_folds, int64_t seed, uint8_t *folds,
                                    plethron_error *err) {
    plethron_status status;
    void *memory = NULL;
    if (n_samples == 0 || n_samples > DATASET_MAX_COUNT)
        return error_set(err, PLETHRON_ERROR_ARGUMENT, "n_samples is %zu: 1 to %d is allowed", n_samples,
                         DATASET_MAX_COUNT);
    if (n_folds < 2 || n_folds > DATASET_MAX_FOLDS || n_folds > n_samples)
        return error_set(err, PLETHRON_ERROR_ARGUMENT,
                         "n_folds is %zu: 2 to %d is allowed, and no more than the %zu samples", n_folds,
                         DATASET_MAX_FOLDS, n_samples);
    TRY(memory_allocate(n_samples, sizeof(card), "the order of the folds", &memory, err));
    card *cards = memory;
    for (size_t i = 0; i < n_samples; i++) {
        cards[i].row = (uint32_t)i;
        cards[i].place = (uint32_t)random_permuted(i, n_samples, seed, RANDOM_FOR_FOLDS);
        if (labels) memcpy(&cards[i].label, &labels[i], sizeof cards[i].label);
    }
    qsort(cards, n_samples, sizeof *cards, compare_cards);
    for (size_t i = 0; i < n_samples; i++) folds[cards[i].row] = (uint8_t)(i % n_folds);
out:
    free(memory);
    return status;
}
