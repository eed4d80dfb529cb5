#define _POSIX_C_SOURCE 200809L

#include "prediction_stream.h"

#include "progress.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#ifdef _OPENMP
#include <omp.h>
#endif

/* ---- Features --------------------------------------------------------------------------------------------------- */

/* True when the columns are called 0, 1, ...: the file had no names for them. */
static bool table_is_nameless(const plethron_table *table) {
    for (size_t column = 0; column < plethron_table_n_columns(table); column++) {
        char number[NUMBER_TEXT];
        snprintf(number, sizeof number, "%zu", column);
        if (strcmp(plethron_table_column_name(table, column), number) != 0) return false;
    }
    return true;
}

static plethron_status features_by_name(const plethron_table *table, const plethron_bank *bank, size_t *columns,
                                        plethron_error *err) {
    plethron_status status = PLETHRON_OK;
    for (size_t k = 0; k < plethron_bank_n_features(bank) && status == PLETHRON_OK; k++)
        status = plethron_table_find(table, plethron_bank_feature_name(bank, k), &columns[k], err);
    return status;
}

static plethron_status features_in_order(const plethron_table *table, const plethron_bank *bank, const char *path,
                                         size_t *columns, plethron_error *err) {
    size_t n_features = plethron_bank_n_features(bank);
    if (plethron_table_n_columns(table) != n_features)
        return fail(err, PLETHRON_ERROR_FORMAT,
                    "%s: has %zu columns, but the model has %zu features and no names tell "
                    "which",
                    path, plethron_table_n_columns(table), n_features);
    for (size_t k = 0; k < n_features; k++) columns[k] = k;
    return PLETHRON_OK;
}

plethron_status prediction_features(const plethron_table *table, const plethron_bank *bank, const char *path,
                                    size_t *columns, plethron_error *err) {
    if (!plethron_bank_feature_name(bank, 0)) return features_in_order(table, bank, path, columns, err);
    plethron_status status = features_by_name(table, bank, columns, err);
    if (status == PLETHRON_OK || !table_is_nameless(table)) return status;
    return features_in_order(table, bank, path, columns, err);
}

/* ---- Writing, by a thread ---------------------------------------------------------------------------------------- */

typedef struct write_job {
    prediction_writer *writer;
    const predictions *block;
    size_t n_rows;
    bool has_thread;
    pthread_t thread;
    double busy_s;
    plethron_status status;
    plethron_error err;
} write_job;

static void *write_block(void *context) {
    write_job *job = context;
    const double start_s = now_s();
    job->status = prediction_writer_rows(job->writer, job->block, job->n_rows, &job->err);
    job->busy_s += now_s() - start_s;
    return NULL;
}

/* Waits for the block before. */
static plethron_status write_wait(write_job *job, plethron_error *err) {
    if (job->has_thread) pthread_join(job->thread, NULL);
    job->has_thread = false;
    if (job->status != PLETHRON_OK) *err = job->err;
    return job->status;
}

/* The block stays as it is until the next write_wait. */
static plethron_status write_start(write_job *job, const predictions *block, size_t n_rows, plethron_error *err) {
    const plethron_status status = write_wait(job, err);
    if (status != PLETHRON_OK) return status;
    job->block = block;
    job->n_rows = n_rows;
    job->has_thread = pthread_create(&job->thread, NULL, write_block, job) == 0;
    if (!job->has_thread) write_block(job);
    return PLETHRON_OK;
}

/* ---- Blocks ------------------------------------------------------------------------------------------------------ */

enum { N_BUFFERS = 2, MAX_BUFFER_BYTES = 16 << 20 };

/* Of what may be taken, the reader has a half, the predictor a quarter; the rest is for predictions and gathered rows.
 */
enum { READER_SHARE = 2, PREDICTOR_SHARE = 4, BUFFER_SHARE = 12 };

typedef struct stream {
    const prediction_task *task;
    const plethron_bank *bank;
    entity_models *entities; /* NULL: all rows by the bank */
    plethron_reader *reader;
    plethron_device *device;
    plethron_predictor *predictor;
    size_t *columns;         /* [n_features] */
    const plethron_top *top; /* what the writer takes */
    size_t max_rows;         /* that X, P and each block have room for */
    float *X;
    float *P; /* by the units of the rows' entities, where `top` is to be found among them; else NULL */
    predictions blocks[N_BUFFERS];
    size_t n_blocks;
    write_job writing;
    prediction_progress progress;
    double reading_s, predicting_s, waiting_s;
} stream;

static bool may_go_on(void *context) {
    stream *self = context;
    prediction_progress_show(&self->progress, self->reader);
    return !interrupt_came();
}

static void stream_release(stream *self) {
    plethron_error ignored;
    write_wait(&self->writing, &ignored);
    for (int i = 0; i < N_BUFFERS; i++) predictions_release(&self->blocks[i]);
    free(self->P);
    free(self->X);
    free(self->columns);
    plethron_predictor_close(self->predictor);
    plethron_device_close(self->device);
    plethron_reader_close(self->reader);
}

/* Bytes of a row in the widest of the buffers. */
static size_t widest_row(const stream *self, size_t n_features, size_t n_units) {
    const size_t block_bytes = predictions_row_bytes(self->bank, self->top);
    size_t widest = n_features * sizeof *self->X;
    if (widest < block_bytes) widest = block_bytes;
    if (self->entities && widest < n_units * sizeof *self->P) widest = n_units * sizeof *self->P;
    return widest;
}

static plethron_status make_buffers(stream *self, plethron_error *err) {
    plethron_status status = PLETHRON_OK;
    const size_t n_units = plethron_bank_n_units(self->bank), n_features = plethron_bank_n_features(self->bank);
    const uint64_t share = self->task->memory_bytes / BUFFER_SHARE;
    const size_t bytes = share > 0 && share < MAX_BUFFER_BYTES ? (size_t)share : MAX_BUFFER_BYTES;
    self->max_rows = bytes / widest_row(self, n_features, n_units);
    if (self->max_rows == 0) self->max_rows = 1;
    TRY(allocate(self->max_rows, n_features * sizeof *self->X, &self->X, err));
    if (self->entities && self->top) TRY(allocate(self->max_rows, n_units * sizeof *self->P, &self->P, err));
    for (int i = 0; i < N_BUFFERS; i++)
        TRY(predictions_make(self->bank, self->top, self->max_rows, &self->blocks[i], err));
out:
    return status;
}

/* After the first block was read: a table that cannot be used is told before a device is opened. */
static plethron_status stream_prepare(stream *self, const plethron_table *first, plethron_error *err) {
    plethron_status status;
    const plethron_predictor_options options = {.struct_size = sizeof options,
                                                .memory_bytes = (size_t)(self->task->memory_bytes / PREDICTOR_SHARE),
                                                .top = self->top};
    TRY(allocate(plethron_bank_n_features(self->bank), sizeof *self->columns, &self->columns, err));
    TRY(prediction_features(first, self->bank, self->task->data, self->columns, err));
    TRY(make_buffers(self, err));
    if (self->entities) return status;
    TRY(plethron_device_open(self->task->device, &self->device, err));
    TRY(plethron_predictor_open(self->device, self->bank, &options, &self->predictor, err));
out:
    return status;
}

static plethron_status predict_by_entities(stream *self, const plethron_table *table, size_t first, const float *X,
                                           size_t n, const predictions *out, plethron_error *err) {
    plethron_status status;
    if (!self->top) return entity_models_predict(self->entities, table, first, X, n, out->p, err);
    TRY(entity_models_predict(self->entities, table, first, X, n, self->P, err));
    TRY(plethron_top_find(self->top, self->P, n, plethron_bank_n_units(self->bank), out->units, out->p, err));
out:
    return status;
}

static plethron_status predict_rows(stream *self, const plethron_table *block, size_t first, size_t n,
                                    plethron_error *err) {
    plethron_status status;
    const predictions *out = &self->blocks[self->n_blocks++ % N_BUFFERS];
    const float *X = NULL;
    const double start_s = now_s();
    TRY(plethron_table_view(block, self->columns, plethron_bank_n_features(self->bank), first, n, self->X, &X, err));
    if (!self->writing.writer->n_rows && self->n_blocks == 1) TRY(prediction_writer_begin(self->writing.writer, err));
    if (self->entities)
        TRY(predict_by_entities(self, block, first, X, n, out, err));
    else
        TRY(predictions_of_rows(self->predictor, X, n, out, err));
    const double predicted_s = now_s();
    TRY(write_start(&self->writing, out, n, err));
    self->predicting_s += predicted_s - start_s;
    self->waiting_s += now_s() - predicted_s;
    self->progress.n_rows += n;
    if (!may_go_on(self)) status = fail(err, PLETHRON_ERROR_INTERRUPTED, "interrupted");
out:
    return status;
}

static plethron_status predict_block(stream *self, const plethron_table *block, plethron_error *err) {
    plethron_status status = PLETHRON_OK;
    const size_t n_rows = plethron_table_n_rows(block);
    if (!self->columns) TRY(stream_prepare(self, block, err));
    for (size_t first = 0; first < n_rows; first += self->max_rows) {
        const size_t left = n_rows - first;
        TRY(predict_rows(self, block, first, left < self->max_rows ? left : self->max_rows, err));
    }
out:
    return status;
}

static plethron_status next_block(stream *self, const plethron_table **block, plethron_error *err) {
    const double start_s = now_s();
    const plethron_status status = plethron_reader_next(self->reader, block, err);
    self->reading_s += now_s() - start_s;
    return status;
}

static void say_unknown(const stream *self) {
    if (!self->entities || !self->entities->n_unknown) return;
    say("%zu of %zu rows have a '%s' that the model does not know: they get no prediction", self->entities->n_unknown,
        (size_t)self->progress.n_rows, plethron_bank_entity_column(self->entities->bank));
}

static void say_times(const stream *self) {
    say("%zu rows in %.3f s: waited %.3f s for reading, predicted for %.3f s, waited %.3f s for writing, which took "
        "%.3f s",
        (size_t)self->progress.n_rows, now_s() - self->progress.start_s, self->reading_s, self->predicting_s,
        self->waiting_s, self->writing.busy_s);
}

/* Reading and writing want the cores, too, but libgomp's threads spin where they wait, for milliseconds; with more
 * threads than cores they soon sleep (libgomp's manual, GOMP_SPINCOUNT). Measured on two cores that others used as
 * well: 0.7 s in place of 11 s for 1 GiB. */
static void share_cores(void) {
#ifdef _OPENMP
    if (!getenv("OMP_NUM_THREADS")) omp_set_num_threads(omp_get_num_procs() + 1);
#endif
}

plethron_status prediction_stream(const prediction_task *task, entity_models *entities, prediction_writer *writer,
                                  plethron_error *err) {
    plethron_status status;
    stream self = {.task = task,
                   .bank = writer->bank,
                   .entities = entities,
                   .writing.writer = writer,
                   .top = prediction_writer_top(writer)};
    const plethron_reader_options options = {.struct_size = sizeof options,
                                             .memory_bytes = (size_t)(task->memory_bytes / READER_SHARE),
                                             .on_wait = may_go_on,
                                             .context = &self,
                                             .text_column = entities ? entity_models_text_column(entities) : NULL};
    const plethron_table *block = NULL;
    share_cores();
    prediction_progress_start(&self.progress, !task->quiet);
    TRY(plethron_reader_open(task->data, &options, &self.reader, err));
    for (;;) {
        TRY(next_block(&self, &block, err));
        if (!block) break;
        TRY(predict_block(&self, block, err));
    }
    TRY(write_wait(&self.writing, err));
    TRY(prediction_writer_end(writer, err));
    prediction_progress_erase(&self.progress);
    say_unknown(&self);
    if (task->verbose) say_times(&self);
out:
    prediction_progress_erase(&self.progress);
    stream_release(&self);
    return status;
}
