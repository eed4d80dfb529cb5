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
    /* a value a unit, [n_units]; those of plethron_unit */
    float *learning_rate, *l2, *l1, *momentum, *beta2, *epsilon, *decay, *tolerance, *weight_negative, *weight_positive;
    int64_t *epochs, *loss, *target, *positive_class, *seed, *id, *optimizer, *schedule, *patience, *balanced,
        *weight_column, *excluded_fold, *bootstrap, *entity;
    int64_t *state, *epochs_done, *best_epoch;
    float *final_loss, *error_sum, *accuracy, *row_weight, *gradient_norm, *auc;
    float *held_out_loss, *held_out_error_sum, *held_out_accuracy, *held_out_auc;
    int64_t check_every;
    int64_t batch_size;
    int64_t batch_seed;
    char strategy[16]; /* that trained it; "" before */
    char storage[8];   /* of the features that it was trained on; "" before */
    name_list features;
    name_list targets;
    name_list *classes;  /* [targets.count] */
    char *entity_column; /* NULL without */
    name_list entities;
};

/* An array a unit of the bank, for code that walks over all of them: making, checking, saving, loading. */
typedef struct bank_array {
    const char *name; /* in files and messages */
    bool is_integer;
    size_t offset;        /* of the pointer in plethron_bank */
    size_t option_offset; /* of the field of plethron_bank_options, or BANK_NO_OPTION: a result */
    double otherwise;     /* the value that was not given */
    double low, high;     /* allowed values, inclusive; high may be infinite */
    bool nan_allowed;
} bank_array;

#define BANK_NO_OPTION SIZE_MAX
enum { BANK_N_ARRAYS = 37 };
extern const bank_array bank_arrays[BANK_N_ARRAYS];

enum { BANK_CHECK_EVERY = 10 /* the default */ };

/* Every unit gets the value that stands for "not given". */
void bank_array_reset(plethron_bank *bank, const bank_array *array);

/* The array's memory: float [n_units] or int64_t [n_units]. */
void *bank_array_memory(const plethron_bank *bank, const bank_array *array);

/* The names behind the codes of the arrays `loss`, `state`, `optimizer` and `schedule` and of the reduction, by code
 * (bank_names.c). */
enum { BANK_N_LOSSES = 3, BANK_N_STATES = 9, BANK_N_OPTIMIZERS = 4, BANK_N_SCHEDULES = 3, BANK_N_REDUCTIONS = 2 };
extern const char *const bank_loss_names[BANK_N_LOSSES];
extern const char *const bank_state_names[BANK_N_STATES];
extern const char *const bank_optimizer_names[BANK_N_OPTIMIZERS];
extern const char *const bank_schedule_names[BANK_N_SCHEDULES];
extern const char *const bank_reduction_names[BANK_N_REDUCTIONS];

/* A bank with all arrays allocated and zero. */
plethron_status bank_allocate(size_t n_features, size_t n_units, plethron_bank **out, plethron_error *err);

/* All names (bank_names.c). */
void bank_names_close(plethron_bank *bank);
plethron_status bank_names_copy(const plethron_bank *from, plethron_bank *to, plethron_error *err);

/* Checks every value against bank_arrays; `file` (may be NULL) stands before the message. */
plethron_status bank_check(const plethron_bank *bank, const char *file, plethron_status status_if_bad,
                           plethron_error *err);

#endif
