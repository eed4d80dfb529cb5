#include "faults_full.h"

#include <math.h>

enum { N = 20, N_UNITS = 18, N_TARGETS = 2, N_ENTITIES = 2 };

static plethron_status create_sparse(plethron_device *device, const float X[N * FULL_FEATURES], const float *Y,
                                     const plethron_dataset_options *options, plethron_dataset **out,
                                     plethron_error *err) {
    int64_t offsets[N + 1] = {0};
    int32_t columns[N * FULL_FEATURES];
    float values[N * FULL_FEATURES];
    int64_t n = 0;
    for (int i = 0; i < N; i++) {
        for (int k = 0; k < FULL_FEATURES; k++) {
            if (X[i * FULL_FEATURES + k] == 0.0f) continue;
            columns[n] = k;
            values[n++] = X[i * FULL_FEATURES + k];
        }
        offsets[i + 1] = n;
    }
    const plethron_sparse sparse = {N, FULL_FEATURES, offsets, columns, values};
    return plethron_dataset_create_sparse(device, &sparse, Y, N_TARGETS, options, out, err);
}

typedef enum rows_kind { DENSE, SPARSE, OF_ENTITIES } rows_kind;

static plethron_status create_dataset(plethron_device *device, rows_kind kind, plethron_dataset **out,
                                      plethron_error *err) {
    static const int64_t entity_offsets[N_ENTITIES + 1] = {0, 12, N};
    float X[N * FULL_FEATURES], Y[N * N_TARGETS], weights[N];
    uint8_t folds[N];
    for (int i = 0; i < N; i++) {
        for (int k = 0; k < FULL_FEATURES; k++) X[i * FULL_FEATURES + k] = (float)((i * 7 + k * 5) % 11);
        Y[i * N_TARGETS] = (float)(i % 2);
        Y[i * N_TARGETS + 1] = i == 3 ? NAN : (float)(i % 3);
        weights[i] = 0.5f * (float)(i % 4);
        folds[i] = (uint8_t)(i % 5);
    }
    const plethron_dataset_options options = {.struct_size = sizeof options,
                                              .standardize = true,
                                              .sample_weights = weights,
                                              .n_weight_columns = 1,
                                              .folds = folds,
                                              .entity_offsets = kind == OF_ENTITIES ? entity_offsets : NULL,
                                              .n_entities = kind == OF_ENTITIES ? N_ENTITIES : 0};
    if (kind == SPARSE) return create_sparse(device, X, Y, &options, out, err);
    return plethron_dataset_create(device, X, N, FULL_FEATURES, Y, N_TARGETS, &options, out, err);
}

plethron_status full_dataset(plethron_device *device, plethron_dataset **out, plethron_error *err) {
    return create_dataset(device, DENSE, out, err);
}

plethron_status full_sparse_dataset(plethron_device *device, plethron_dataset **out, plethron_error *err) {
    return create_dataset(device, SPARSE, out, err);
}

plethron_status entity_dataset(plethron_device *device, plethron_dataset **out, plethron_error *err) {
    return create_dataset(device, OF_ENTITIES, out, err);
}

static plethron_status create(size_t n_units, size_t batch_size, bool has_entities, plethron_bank **out,
                              plethron_error *err) {
    float l1[N_UNITS] = {0}, tolerance[N_UNITS] = {0};
    int64_t epochs[N_UNITS], target[N_UNITS], class[N_UNITS], optimizer[N_UNITS], schedule[N_UNITS], bits[N_UNITS];
    int64_t fold[N_UNITS], patience[N_UNITS], column[N_UNITS], entity[N_UNITS];
    for (size_t j = 0; j < n_units; j++) {
        const bool stays = j < 2;
        l1[j] = 0.01f * (float)(j % 2);
        tolerance[j] = stays || batch_size > 0 ? 0.0f : 1e6f;
        epochs[j] = 3;
        target[j] = (int64_t)(j % N_TARGETS);
        class[j] = target[j] ? 2 : PLETHRON_NO_CLASS;
        optimizer[j] = (int64_t)(3 - j % 4);
        schedule[j] = (int64_t)(j % 3);
        bits[j] = j % 3 == 0;
        fold[j] = stays ? 4 : PLETHRON_NONE;
        patience[j] = stays ? 2 : 0;
        column[j] = j % 2 ? 0 : PLETHRON_NONE;
        entity[j] = has_entities ? (int64_t)(j % N_ENTITIES) : PLETHRON_NONE;
    }
    const plethron_bank_options options = {
        .struct_size = sizeof options,
        .epochs = {epochs, n_units},
        .target = {target, n_units},
        .positive_class = {class, n_units},
        .init = PLETHRON_INIT_NORMAL,
        .l1 = {l1, n_units},
        .optimizer = {optimizer, n_units},
        .schedule = {schedule, n_units},
        .tolerance = {tolerance, n_units},
        .patience = {patience, n_units},
        .check_every = 1,
        .balanced = {bits, n_units},
        .weight_column = {column, n_units},
        .excluded_fold = {fold, n_units},
        .bootstrap = {bits, has_entities ? 0 : n_units},
        .entity = {entity, n_units},
        .batch_size = batch_size,
    };
    return plethron_bank_create(FULL_FEATURES, n_units, &options, out, err);
}

plethron_status full_bank(plethron_bank **out, plethron_error *err) {
    return create(N_UNITS, 0, false, out, err);
}

plethron_status batched_bank(plethron_bank **out, plethron_error *err) {
    return create(1, 16, false, out, err);
}

plethron_status entity_bank(plethron_bank **out, plethron_error *err) {
    return create(N_UNITS, 0, true, out, err);
}
