#define _POSIX_C_SOURCE 200809L

#include "prediction_sparse.h"

#include "progress.h"

#include <stdlib.h>
#include <string.h>

/* ---- Features ---------------------------------------------------------------------------------------------------- */

/* Whether the model's features are called f, f + 1, ..., as those of sparse files are; gives f. */
static bool are_numbered(const plethron_bank *bank, size_t *first) {
    const char *name = plethron_bank_feature_name(bank, 0);
    char number[NUMBER_TEXT];
    if (!name || strspn(name, "0123456789") != strlen(name) || strlen(name) > 9) return false;
    *first = (size_t)strtoull(name, NULL, 10);
    for (size_t k = 0; k < plethron_bank_n_features(bank); k++) {
        snprintf(number, sizeof number, "%zu", *first + k);
        if (strcmp(plethron_bank_feature_name(bank, k), number) != 0) return false;
    }
    return true;
}

/* Features are found by their indices where the model's have such names, else taken in order. */
static plethron_status open_table(const prediction_task *task, const plethron_bank *bank, plethron_sparse_table **out,
                                  plethron_sparse *X, plethron_error *err) {
    plethron_status status;
    const size_t n_features = plethron_bank_n_features(bank);
    plethron_sparse_table_options options = {.struct_size = sizeof options,
                                             .memory_bytes = (size_t)(task->memory_bytes / 2)};
    if (are_numbered(bank, &options.first_index)) options.n_columns = n_features;
    TRY(plethron_sparse_table_open(task->data, &options, out, err));
    if (!*out) return status;
    *X = *plethron_sparse_table_features(*out);
    const bool may_lack = plethron_sparse_table_labels(*out) != NULL; /* the last ones, that no row of svmlight has */
    if (X->n_columns > n_features || (X->n_columns < n_features && !may_lack))
        TRY(fail(err, PLETHRON_ERROR_FORMAT, "%s: has %zu features, but the model has %zu", task->data, X->n_columns,
                 n_features));
    X->n_columns = n_features;
out:
    return status;
}

/* ---- Predicting -------------------------------------------------------------------------------------------------- */

typedef struct sparse_job {
    plethron_sparse_table *table;
    plethron_device *device;
    plethron_predictor *predictor;
    size_t max_rows;
    predictions block; /* of max_rows rows */
} sparse_job;

static void job_release(sparse_job *job) {
    predictions_release(&job->block);
    plethron_predictor_close(job->predictor);
    plethron_device_close(job->device);
    plethron_sparse_table_close(job->table);
}

static plethron_status job_prepare(const prediction_task *task, const prediction_writer *writer, size_t n_rows,
                                   sparse_job *job, plethron_error *err) {
    enum { MAX_BLOCK_BYTES = 16 << 20, SHARE = 8 }; /* of --memory-limit, a half of which the file has */
    plethron_status status;
    const plethron_top *top = prediction_writer_top(writer);
    const uint64_t share = task->memory_bytes / SHARE;
    const plethron_predictor_options options = {
        .struct_size = sizeof options, .memory_bytes = (size_t)(2 * share), .sparse = true, .top = top};
    const size_t bytes = share > 0 && share < MAX_BLOCK_BYTES ? (size_t)share : MAX_BLOCK_BYTES;
    job->max_rows = bytes / predictions_row_bytes(writer->bank, top);
    if (job->max_rows == 0) job->max_rows = 1;
    if (job->max_rows > n_rows) job->max_rows = n_rows;
    TRY(plethron_device_open(task->device, &job->device, err));
    TRY(plethron_predictor_open(job->device, writer->bank, &options, &job->predictor, err));
    TRY(predictions_make(writer->bank, top, job->max_rows, &job->block, err));
out:
    return status;
}

static plethron_status predict(const sparse_job *job, const plethron_sparse *X, prediction_writer *writer,
                               plethron_error *err) {
    plethron_status status;
    TRY(prediction_writer_begin(writer, err));
    for (size_t first = 0, n; first < X->n_rows; first += n) {
        const size_t left = X->n_rows - first;
        n = left < job->max_rows ? left : job->max_rows;
        TRY(predictions_of_sparse(job->predictor, X, first, n, &job->block, err));
        TRY(prediction_writer_rows(writer, &job->block, n, err));
        if (interrupt_came()) TRY(fail(err, PLETHRON_ERROR_INTERRUPTED, "interrupted"));
    }
    TRY(prediction_writer_end(writer, err));
out:
    return status;
}

plethron_status prediction_sparse(const prediction_task *task, prediction_writer *writer, bool *is_one,
                                  plethron_error *err) {
    plethron_status status;
    sparse_job job = {0};
    plethron_sparse X;
    const double start_s = now_s();
    TRY(open_table(task, writer->bank, &job.table, &X, err));
    *is_one = job.table != NULL;
    if (!*is_one) goto out;
    const double read_s = now_s() - start_s;
    TRY(job_prepare(task, writer, X.n_rows, &job, err));
    TRY(predict(&job, &X, writer, err));
    if (task->verbose) say("%zu rows in %.3f s, of which reading took %.3f s", X.n_rows, now_s() - start_s, read_s);
out:
    job_release(&job);
    return status;
}
