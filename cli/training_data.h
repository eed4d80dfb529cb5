/* From a table to a data set on a device: what train and sweep begin with. */
#ifndef PLETHRON_CLI_TRAINING_DATA_H
#define PLETHRON_CLI_TRAINING_DATA_H

#include "predictions.h"
#include "units.h"

typedef struct training_data {
    plethron_table *table;         /* of dense features */
    plethron_sparse_table *sparse; /* of sparse ones, in place of it */
    plethron_table *labels;        /* of --labels, or NULL */
    const plethron_table *columns; /* where the columns lie that are no features: one of these */
    size_t *feature_columns;
    size_t n_features;
    size_t n_samples;
    float *X; /* [n_samples, n_features]; with entities in their order; NULL where features are sparse */
    target_list targets;
    float *weights; /* [n_samples], or NULL */
    uint8_t *folds; /* [n_samples], or NULL */
    size_t n_folds;
    plethron_classes *entities; /* NULL without */
    int64_t *entity_offsets;    /* [n_entities + 1] */
    plethron_device *device;
    plethron_dataset *dataset;
} training_data;

/* Reads the table. With entities rows are sorted by them, in the order they have within one. */
plethron_status training_data_read(const bank_arguments *a, training_data *out, plethron_error *err);
void training_data_release(training_data *data);

/* All features. */
feature_rows training_data_rows(const training_data *data);

/* A line about them. */
void report_features(const training_data *data, const bank_arguments *a);

/* 0 without entities. */
size_t training_data_n_entities(const training_data *data);

/* Deals the rows to folds by the first target's classes, unless a column gave them. */
plethron_status training_data_fold(const bank_arguments *a, training_data *data, plethron_error *err);

/* Opens the device and uploads. */
plethron_status training_data_upload(training_data *data, const bank_arguments *a, plethron_error *err);

/* Gives the bank all names. */
plethron_status training_data_name(const training_data *data, const bank_arguments *a, plethron_bank *bank,
                                   plethron_error *err);

#endif
