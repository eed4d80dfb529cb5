#define _POSIX_C_SOURCE 200809L

#include "training_data.h"

#include "report.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_FOLDS = 255 };

void training_data_release(training_data *data) {
    plethron_dataset_close(data->dataset);
    plethron_device_close(data->device);
    target_list_release(&data->targets);
    plethron_classes_close(data->entities);
    free(data->entity_offsets);
    free(data->folds);
    free(data->weights);
    free(data->X);
    free(data->feature_columns);
    plethron_table_close(data->labels);
    plethron_sparse_table_close(data->sparse);
    plethron_table_close(data->table);
    *data = (training_data){0};
}

/* ---- Files ------------------------------------------------------------------------------------------------------- */

/* As densely given as that, features are learnt faster as dense ones. */
static bool is_rather_dense(const plethron_sparse *X) {
    enum { SHARE = 10 };
    return (double)X->offsets[X->n_rows] * SHARE >= (double)X->n_rows * (double)X->n_columns;
}

static plethron_status check_storage(const bank_arguments *a, plethron_error *err) {
    if (a->storage == PLETHRON_STORAGE_F32) return PLETHRON_OK;
    return fail(err, PLETHRON_ERROR_UNSUPPORTED,
                "%s: --store %s: sparse features stay f32; --dense reads svmlight as dense ones", a->data,
                storage_names[a->storage]);
}

/* Sparse features, where DATA has such and may be read so. */
static plethron_status open_sparse(const bank_arguments *a, training_data *data, plethron_error *err) {
    plethron_status status = PLETHRON_OK;
    if (a->reading == READ_DENSE) return status;
    TRY(plethron_sparse_table_open(a->data, NULL, &data->sparse, err));
    if (!data->sparse && a->reading == READ_SPARSE)
        TRY(fail(err, PLETHRON_ERROR_FORMAT, "%s: --sparse: an svmlight file or a sparse matrix in an NPZ was expected",
                 a->data));
    if (!data->sparse) return status;
    const bool is_npz = !plethron_sparse_table_labels(data->sparse), needs_columns = a->features.count || a->entity;
    if (is_npz && needs_columns)
        TRY(fail(err, PLETHRON_ERROR_UNSUPPORTED, "%s: a sparse matrix: %s needs dense features", a->data,
                 a->entity ? "--entity" : "--features"));
    const bool suits = is_npz || !is_rather_dense(plethron_sparse_table_features(data->sparse));
    if (a->reading == READ_SPARSE || (suits && !needs_columns)) return check_storage(a, err);
    plethron_sparse_table_close(data->sparse);
    data->sparse = NULL;
out:
    return status;
}

/* DATA, and where its labels are. */
static plethron_status open_files(const bank_arguments *a, training_data *data, plethron_error *err) {
    plethron_status status;
    TRY(open_sparse(a, data, err));
    if (!data->sparse) TRY(plethron_table_open(a->data, &data->table, err));
    data->n_samples =
        data->sparse ? plethron_sparse_table_features(data->sparse)->n_rows : plethron_table_n_rows(data->table);
    data->columns = data->sparse ? plethron_sparse_table_labels(data->sparse) : data->table;
    if (a->labels) {
        TRY(plethron_table_open(a->labels, &data->labels, err));
        data->columns = data->labels;
    }
    if (!data->columns)
        TRY(fail(err, PLETHRON_ERROR_FORMAT, "%s: a sparse matrix, which has no labels: --labels FILE was expected",
                 a->data));
    if (plethron_table_n_rows(data->columns) != data->n_samples)
        TRY(fail(err, PLETHRON_ERROR_FORMAT, "%s: has %zu rows, but %s has %zu", a->labels,
                 plethron_table_n_rows(data->columns), a->data, data->n_samples));
out:
    return status;
}

/* ---- Columns ----------------------------------------------------------------------------------------------------- */

static bool holds(const size_t *columns, size_t count, size_t column) {
    for (size_t i = 0; i < count; i++)
        if (columns[i] == column) return true;
    return false;
}

static plethron_status find_columns(const plethron_table *table, const name_list *list, size_t *columns,
                                    plethron_error *err) {
    plethron_status status = PLETHRON_OK;
    for (size_t i = 0; i < list->count && status == PLETHRON_OK; i++)
        status = plethron_table_find(table, list->names[i], &columns[i], err);
    return status;
}

/* Adds the column of that name, if there is one, to those that are no features. */
static plethron_status take_column(const plethron_table *table, const char *name, size_t *taken, size_t *n_taken,
                                   plethron_error *err) {
    if (!name) return PLETHRON_OK;
    plethron_status status = plethron_table_find(table, name, &taken[*n_taken], err);
    if (status == PLETHRON_OK) ++*n_taken;
    return status;
}

/* The named features, or all columns but those taken for something else. */
static plethron_status choose_features(const bank_arguments *a, const size_t *taken, size_t n_taken,
                                       training_data *data, plethron_error *err) {
    if (data->sparse) {
        data->n_features = plethron_sparse_table_features(data->sparse)->n_columns;
        return PLETHRON_OK;
    }
    const size_t n_columns = plethron_table_n_columns(data->table);
    plethron_status status = allocate(n_columns + a->features.count, sizeof(size_t), &data->feature_columns, err);
    if (status != PLETHRON_OK) return status;
    if (a->features.count) {
        data->n_features = a->features.count;
        return find_columns(data->table, &a->features, data->feature_columns, err);
    }
    for (size_t column = 0; column < n_columns; column++)
        if (data->labels || !holds(taken, n_taken, column)) data->feature_columns[data->n_features++] = column;
    if (!data->n_features)
        return fail(err, PLETHRON_ERROR_FORMAT, "%s: every column is a target or the like: none is left to learn from",
                    a->data);
    return PLETHRON_OK;
}

static plethron_status read_features(const bank_arguments *a, training_data *data, plethron_error *err) {
    plethron_status status = PLETHRON_OK;
    plethron_error cause;
    if (data->sparse) return status;
    TRY(allocate(data->n_samples, data->n_features * sizeof *data->X, &data->X, err));
    status = plethron_table_numbers(data->table, data->feature_columns, data->n_features, data->X, &cause);
    if (status != PLETHRON_OK)
        fail(err, status, "%s%s", cause.text, a->features.count ? "" : "; --features chooses columns");
out:
    return status;
}

/* A column of numbers of its own. */
static plethron_status read_numbers(const training_data *data, const char *name, float **out, plethron_error *err) {
    plethron_status status;
    size_t column = 0;
    TRY(plethron_table_find(data->columns, name, &column, err));
    TRY(allocate(data->n_samples, sizeof **out, out, err));
    TRY(plethron_table_numbers(data->columns, &column, 1, *out, err));
out:
    return status;
}

static plethron_status read_weights(const bank_arguments *a, training_data *data, plethron_error *err) {
    plethron_status status = PLETHRON_OK;
    char text[NUMBER_TEXT];
    if (!a->weights) return status;
    TRY(read_numbers(data, a->weights, &data->weights, err));
    for (size_t i = 0; i < data->n_samples && status == PLETHRON_OK; i++)
        if (data->weights[i] < 0.0f)
            status =
                fail(err, PLETHRON_ERROR_FORMAT, "%s: row %zu has the weight %s in column '%s': 0 or more is allowed",
                     a->data, i + 1, number_text(data->weights[i], text), a->weights);
out:
    return status;
}

/* Every fold has rows, and there is more than one. */
static plethron_status check_folds(const bank_arguments *a, const training_data *data, plethron_error *err) {
    bool has_rows[MAX_FOLDS] = {false};
    for (size_t i = 0; i < data->n_samples; i++) has_rows[data->folds[i]] = true;
    for (size_t f = 0; f < data->n_folds; f++)
        if (!has_rows[f])
            return fail(err, PLETHRON_ERROR_FORMAT,
                        "%s: column '%s' has the fold %zu, but no row of fold %zu: folds are counted 0, 1, 2, ...",
                        a->data, a->folds_column, data->n_folds - 1, f);
    if (data->n_folds < 2)
        return fail(err, PLETHRON_ERROR_FORMAT, "%s: column '%s' holds one fold: two or more are needed", a->data,
                    a->folds_column);
    return PLETHRON_OK;
}

/* Folds given by a column of whole numbers from 0 on. */
static plethron_status read_folds(const bank_arguments *a, training_data *data, plethron_error *err) {
    plethron_status status = PLETHRON_OK;
    float *values = NULL;
    char text[NUMBER_TEXT];
    if (!a->folds_column) return status;
    TRY(read_numbers(data, a->folds_column, &values, err));
    TRY(allocate(data->n_samples, 1, &data->folds, err));
    for (size_t i = 0; i < data->n_samples; i++) {
        if (values[i] < 0.0f || values[i] >= (float)MAX_FOLDS || values[i] != floorf(values[i])) {
            status = fail(err, PLETHRON_ERROR_FORMAT,
                          "%s: row %zu has the fold %s in column '%s': a whole number from 0 to %d is allowed", a->data,
                          i + 1, number_text(values[i], text), a->folds_column, MAX_FOLDS - 1);
            goto out;
        }
        data->folds[i] = (uint8_t)values[i];
        if (data->folds[i] >= data->n_folds) data->n_folds = (size_t)data->folds[i] + 1;
    }
    status = check_folds(a, data, err);
out:
    free(values);
    return status;
}

/* ---- Entities ---------------------------------------------------------------------------------------------------- */

size_t training_data_n_entities(const training_data *data) {
    return data->entities ? plethron_classes_count(data->entities) : 0;
}

/* Brings rows of `width` bytes into the order of their entities; next[e] is where entity e's next row goes. */
static plethron_status sort_rows(const training_data *data, void *rows, size_t width, size_t *next,
                                 plethron_error *err) {
    const float *codes = plethron_classes_codes(data->entities);
    char *copy = NULL;
    if (!rows) return PLETHRON_OK;
    plethron_status status = allocate(data->n_samples, width, &copy, err);
    if (status != PLETHRON_OK) return status;
    memcpy(copy, rows, data->n_samples * width);
    for (size_t e = 0; e < training_data_n_entities(data); e++) next[e] = (size_t)data->entity_offsets[e];
    for (size_t i = 0; i < data->n_samples; i++)
        memcpy((char *)rows + next[(size_t)codes[i]]++ * width, copy + i * width, width);
    free(copy);
    return PLETHRON_OK;
}

static plethron_status read_entities(const char *entity, training_data *data, plethron_error *err) {
    plethron_status status = PLETHRON_OK;
    size_t column = 0, *next = NULL;
    if (!entity) return status;
    TRY(plethron_table_find(data->columns, entity, &column, err));
    TRY(plethron_table_entities(data->columns, column, &data->entities, err));
    const size_t n_entities = training_data_n_entities(data);
    TRY(allocate(n_entities + 1, sizeof *data->entity_offsets, &data->entity_offsets, err));
    TRY(allocate(n_entities, sizeof *next, &next, err));
    for (size_t i = 0; i < data->n_samples; i++)
        data->entity_offsets[(size_t)plethron_classes_codes(data->entities)[i] + 1]++;
    for (size_t e = 0; e < n_entities; e++) data->entity_offsets[e + 1] += data->entity_offsets[e];
    TRY(sort_rows(data, data->X, data->n_features * sizeof *data->X, next, err));
    TRY(sort_rows(data, data->targets.Y, data->targets.count * sizeof *data->targets.Y, next, err));
    TRY(sort_rows(data, data->weights, sizeof *data->weights, next, err));
    TRY(sort_rows(data, data->folds, sizeof *data->folds, next, err));
out:
    free(next);
    return status;
}

/* ---- All --------------------------------------------------------------------------------------------------------- */

plethron_status training_data_read(const bank_arguments *a, training_data *out, plethron_error *err) {
    plethron_status status;
    size_t *taken = NULL, n_taken = a->targets.count;
    training_data data = {0};
    TRY(open_files(a, &data, err));
    TRY(allocate(a->targets.count + 3, sizeof *taken, &taken, err));
    TRY(find_columns(data.columns, &a->targets, taken, err));
    TRY(target_list_read(data.columns, a->labels ? a->labels : a->data, taken, a->targets.count, &a->classes,
                         &data.targets, err));
    TRY(take_column(data.columns, a->weights, taken, &n_taken, err));
    TRY(take_column(data.columns, a->folds_column, taken, &n_taken, err));
    TRY(take_column(data.columns, a->entity, taken, &n_taken, err));
    TRY(choose_features(a, taken, n_taken, &data, err));
    TRY(read_features(a, &data, err));
    TRY(read_weights(a, &data, err));
    TRY(read_folds(a, &data, err));
    TRY(read_entities(a->entity, &data, err));
    *out = data;
    data = (training_data){0};
out:
    free(taken);
    training_data_release(&data);
    return status;
}

plethron_status training_data_fold(const bank_arguments *a, training_data *data, plethron_error *err) {
    plethron_status status = PLETHRON_OK;
    float *labels = NULL;
    if (data->folds) return status;
    TRY(allocate(data->n_samples, sizeof *labels, &labels, err));
    for (size_t i = 0; i < data->n_samples; i++) labels[i] = data->targets.Y[i * data->targets.count];
    TRY(allocate(data->n_samples, 1, &data->folds, err));
    TRY(plethron_folds_make(data->n_samples, data->targets.targets[0].classes ? labels : NULL, (size_t)a->folds,
                            a->seed, data->folds, err));
    data->n_folds = (size_t)a->folds;
out:
    free(labels);
    return status;
}

plethron_status training_data_upload(training_data *data, const bank_arguments *a, plethron_error *err) {
    plethron_status status;
    const plethron_dataset_options options = {
        .struct_size = sizeof options,
        .standardize = a->standardize,
        .storage = (plethron_storage)a->storage,
        .sample_weights = data->weights,
        .n_weight_columns = data->weights ? 1 : 0,
        .folds = data->folds,
        .entity_offsets = data->entity_offsets,
        .n_entities = training_data_n_entities(data),
    };
    TRY(plethron_device_open(a->device, &data->device, err));
    if (data->sparse)
        TRY(plethron_dataset_create_sparse(data->device, plethron_sparse_table_features(data->sparse), data->targets.Y,
                                           data->targets.count, &options, &data->dataset, err));
    else
        TRY(plethron_dataset_create(data->device, data->X, data->n_samples, data->n_features, data->targets.Y,
                                    data->targets.count, &options, &data->dataset, err));
out:
    return status;
}

static plethron_status name_entities(const training_data *data, const char *entity, plethron_bank *bank,
                                     plethron_error *err) {
    plethron_status status = PLETHRON_OK;
    const char **labels = NULL;
    const size_t n_entities = training_data_n_entities(data);
    if (n_entities == 0) return status;
    TRY(allocate(n_entities, sizeof *labels, &labels, err));
    for (size_t e = 0; e < n_entities; e++) labels[e] = plethron_classes_label(data->entities, e);
    TRY(plethron_bank_name_entities(bank, entity, n_entities, labels, err));
out:
    free(labels);
    return status;
}

feature_rows training_data_rows(const training_data *data) {
    feature_rows rows = {.X = data->X, .n_rows = data->n_samples};
    if (data->sparse) rows.sparse = *plethron_sparse_table_features(data->sparse);
    return rows;
}

void report_features(const training_data *data, const bank_arguments *a) {
    if (!data->sparse) {
        const bool is_small = a->storage != PLETHRON_STORAGE_F32;
        report_line("features", "%zu%s%s%s", data->n_features, a->standardize ? ", standardized" : "",
                    is_small ? ", stored as " : "", is_small ? storage_names[a->storage] : "");
        return;
    }
    const plethron_sparse *X = plethron_sparse_table_features(data->sparse);
    report_line("features", "%zu, sparse: %lld values given%s", data->n_features, (long long)X->offsets[X->n_rows],
                a->standardize ? ", scaled to deviation 1" : "");
}

/* Sparse features are called by their indices, unless they are so many that the names would be most of a model. */
static plethron_status name_sparse(const training_data *data, plethron_bank *bank, plethron_error *err) {
    enum { MOST = 1 << 20, NAME_SIZE = sizeof "1073741824" };
    plethron_status status = PLETHRON_OK;
    char *text = NULL;
    const char **names = NULL;
    const size_t n = data->n_features, first = plethron_sparse_table_first_index(data->sparse);
    if (n > MOST) return status;
    TRY(allocate(n, NAME_SIZE, &text, err));
    TRY(allocate(n, sizeof *names, &names, err));
    for (size_t k = 0; k < n; k++) {
        snprintf(text + k * NAME_SIZE, NAME_SIZE, "%u", (unsigned)(first + k));
        names[k] = text + k * NAME_SIZE;
    }
    TRY(plethron_bank_name_features(bank, names, err));
out:
    free(names);
    free(text);
    return status;
}

static plethron_status name_dense(const training_data *data, plethron_bank *bank, plethron_error *err) {
    plethron_status status;
    const char **names = NULL;
    TRY(allocate(data->n_features, sizeof *names, &names, err));
    for (size_t k = 0; k < data->n_features; k++)
        names[k] = plethron_table_column_name(data->table, data->feature_columns[k]);
    TRY(plethron_bank_name_features(bank, names, err));
out:
    free(names);
    return status;
}

plethron_status training_data_name(const training_data *data, const bank_arguments *a, plethron_bank *bank,
                                   plethron_error *err) {
    plethron_status status;
    TRY(data->sparse ? name_sparse(data, bank, err) : name_dense(data, bank, err));
    TRY(target_list_name(&data->targets, bank, err));
    TRY(name_entities(data, a->entity, bank, err));
out:
    return status;
}
