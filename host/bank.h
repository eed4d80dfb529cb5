/* The bank: weights, hyper-parameters and names of many units, in host memory. */
#ifndef PLETHRON_BANK_H
#define PLETHRON_BANK_H

#include "status.h"

typedef struct name_list {
    char **names;
    size_t count;
} name_list;

struct plethron_bank {
    size_t n_features;
    size_t n_units;
    plethron_reduction reduction;
    float *weights; /* [n_features, n_units], for raw data */
    float *biases;  /* [n_units], directly behind the weights: together [n_features + 1, n_units] */
    float *learning_rate;
    float *l2;
    int64_t *epochs;
    int64_t *loss;
    int64_t *target;
    int64_t *positive_class;
    int64_t *seed;
    int64_t *id;
    int64_t *state;
    int64_t *epochs_done;
    float *final_loss;
    float *error_sum;
    float *accuracy;
    char strategy[16]; /* that trained it; "" before */
    name_list features;
    name_list targets;
    name_list *classes; /* [targets.count] */
};

/* An array a unit of the bank, for code that walks over all of them: saving, loading, checking. */
typedef struct bank_array {
    const char *name; /* in files and messages */
    bool is_integer;
    size_t offset;    /* of the pointer in plethron_bank */
    double low, high; /* allowed values, inclusive; high may be infinite */
    bool nan_allowed;
} bank_array;

enum { BANK_N_ARRAYS = 13 };
extern const bank_array bank_arrays[BANK_N_ARRAYS];

/* The array's memory: float [n_units] or int64_t [n_units]. */
void *bank_array_memory(const plethron_bank *bank, const bank_array *array);

/* A bank with all arrays allocated and zero. */
plethron_status bank_allocate(size_t n_features, size_t n_units, plethron_bank **out, plethron_error *err);

/* Checks every value against bank_arrays; `file` (may be NULL) stands before the message. */
plethron_status bank_check(const plethron_bank *bank, const char *file, plethron_status status_if_bad,
                           plethron_error *err);

#endif
