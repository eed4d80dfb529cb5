/* Sparse features in the order of an epoch: the rows' entries by features once more, by the host. */
#include "live.h"

#include <stdlib.h>

struct sparse_shuffle {
    size_t n_rows, n_columns, n_values;
    int32_t *order;         /* [places] */
    sparse_arrays rows;     /* as they are in the data set */
    sparse_arrays features; /* in the order */
    sparse_lines there;     /* the same on the device */
};

static plethron_status download(device_buffer *from, size_t n, void *to, plethron_error *err) {
    return n == 0 ? PLETHRON_OK : device_buffer_download(from, 0, n * sizeof(int32_t), to, err);
}

static plethron_status download_rows(sparse_shuffle *self, const sparse_lines *rows, plethron_error *err) {
    plethron_status status;
    TRY(sparse_arrays_open(self->n_rows, self->n_values, &self->rows, err));
    TRY(download(rows->offsets, self->n_rows + 1, self->rows.offsets, err));
    TRY(download(rows->indices, self->n_values, self->rows.indices, err));
    TRY(download(rows->values, self->n_values, self->rows.values, err));
out:
    return status;
}

plethron_status sparse_shuffle_open(const live_set *live, sparse_shuffle **out, plethron_error *err) {
    plethron_status status;
    const plethron_dataset *dataset = live->problem->dataset;
    sparse_shuffle *self = NULL;
    void *memory = NULL;
    TRY(memory_allocate(1, sizeof *self, "the order of sparse features", &memory, err));
    self = memory;
    self->n_rows = dataset->n_samples;
    self->n_columns = dataset->n_features;
    self->n_values = dataset->sparse->n_values;
    TRY(memory_allocate(dataset->n_samples, sizeof *self->order, "the order of the rows", &memory, err));
    self->order = memory;
    TRY(download_rows(self, &dataset->sparse->rows, err));
    TRY(sparse_arrays_open(self->n_columns, self->n_values, &self->features, err));
    sparse_transpose(&self->rows, self->n_rows, self->n_columns, NULL, &self->features);
    TRY(sparse_lines_upload(live->device, &self->features, self->n_columns, self->n_values, &self->there, err));
    *out = self;
    self = NULL;
out:
    sparse_shuffle_close(self);
    return status;
}

/* The offsets are those of every order. */
plethron_status sparse_shuffle_run(sparse_shuffle *self, const live_set *live, sparse_lines *features,
                                   plethron_error *err) {
    plethron_status status;
    const size_t bytes = self->n_values * sizeof(float);
    TRY(device_buffer_download(live->rows.order, 0, self->n_rows * sizeof *self->order, self->order, err));
    sparse_transpose(&self->rows, self->n_rows, self->n_columns, self->order, &self->features);
    if (bytes > 0) {
        TRY(device_buffer_upload(self->there.indices, 0, bytes, self->features.indices, err));
        TRY(device_buffer_upload(self->there.values, 0, bytes, self->features.values, err));
    }
    *features = self->there;
out:
    return status;
}

void sparse_shuffle_close(sparse_shuffle *self) {
    if (!self) return;
    sparse_lines_close(&self->there);
    sparse_arrays_close(&self->features);
    sparse_arrays_close(&self->rows);
    free(self->order);
    free(self);
}
