#define _POSIX_C_SOURCE 200809L

#include "prediction_writer.h"

#include "prediction_zip.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

bool prediction_format_find(const char *path, prediction_format *out) {
    static const char *const read_only[] = {".h5", ".hdf5", ".svm"};
    const char *dot = path ? strrchr(path, '.') : NULL;
    *out = PREDICTION_CSV;
    if (!dot) return true;
    if (strcmp(dot, ".npy") == 0) *out = PREDICTION_NPY;
    if (strcmp(dot, ".npz") == 0) *out = PREDICTION_NPZ;
    if (strcmp(dot, ".safetensors") == 0) *out = PREDICTION_SAFETENSORS;
    for (size_t i = 0; i < sizeof read_only / sizeof *read_only; i++)
        if (strcmp(dot, read_only[i]) == 0) return false;
    return true;
}

/* ---- Opening ---------------------------------------------------------------------------------------------------- */

static plethron_status make_decisions(prediction_writer *self, plethron_error *err) {
    plethron_status status = PLETHRON_OK;
    const size_t n_targets = plethron_bank_n_targets(self->bank);
    if (!n_targets)
        return fail(err, PLETHRON_ERROR_UNSUPPORTED, "the model holds no class labels; predict without --classes");
    TRY(allocate(n_targets, sizeof *self->decisions, &self->decisions, err));
    for (; self->n_decisions < n_targets; self->n_decisions++)
        TRY(decision_make(self->bank, self->n_decisions, &self->decisions[self->n_decisions], err));
out:
    return status;
}

static plethron_status make_top(prediction_writer *self, plethron_error *err) {
    const size_t n_units = plethron_bank_n_units(self->bank);
    if (self->n_top > n_units)
        return fail(err, PLETHRON_ERROR_UNSUPPORTED, "--top %zu: the model has %zu unit%s", self->n_top, n_units,
                    n_units == 1 ? "" : "s");
    return allocate(self->n_top, sizeof *self->top, &self->top, err);
}

plethron_status prediction_writer_open(prediction_writer *self, plethron_error *err) {
    plethron_status status = PLETHRON_OK;
    if (self->kind == PREDICTION_CLASSES) return make_decisions(self, err);
    if (self->kind == PREDICTION_TOP) TRY(make_top(self, err));
    if (self->format == PREDICTION_CSV) TRY(unit_names_make(self->bank, &self->names, err));
out:
    return status;
}

void prediction_writer_release(prediction_writer *self) {
    if (self->names) unit_names_release(self->names, plethron_bank_n_units(self->bank));
    for (size_t d = 0; d < self->n_decisions; d++) decision_release(&self->decisions[d]);
    free(self->decisions);
    free(self->top);
}

static plethron_status check_stream(const prediction_writer *self, plethron_error *err) {
    return ferror(self->stream) ? fail(err, PLETHRON_ERROR_FILE, "the predictions cannot be written") : PLETHRON_OK;
}

/* ---- CSV --------------------------------------------------------------------------------------------------------- */

static void write_csv_header(const prediction_writer *self) {
    const size_t n_columns = self->kind == PREDICTION_CLASSES ? self->n_decisions
                             : self->kind == PREDICTION_TOP   ? self->n_top
                                                              : plethron_bank_n_units(self->bank);
    for (size_t c = 0; c < n_columns; c++) {
        if (c) fputc(',', self->stream);
        if (self->kind == PREDICTION_CLASSES)
            csv_field(self->stream, plethron_bank_target_name(self->bank, self->decisions[c].target));
        else if (self->kind == PREDICTION_TOP)
            fprintf(self->stream, "top%zu,p%zu", c + 1, c + 1);
        else
            csv_field(self->stream, self->names[c]);
    }
    fputc('\n', self->stream);
}

static void write_number(FILE *stream, float p) {
    char text[NUMBER_TEXT];
    if (!isnan(p)) fputs(number_text(p, text), stream);
}

static void write_probabilities(const prediction_writer *self, const float *p) {
    const size_t n_units = plethron_bank_n_units(self->bank);
    for (size_t j = 0; j < n_units; j++) {
        if (j) fputc(',', self->stream);
        write_number(self->stream, p[j]);
    }
}

static void write_classes(const prediction_writer *self, const float *p) {
    for (size_t d = 0; d < self->n_decisions; d++) {
        const class_decision *decision = &self->decisions[d];
        if (d) fputc(',', self->stream);
        if (decision_known(decision, p))
            csv_field(self->stream,
                      plethron_bank_class_label(self->bank, decision->target, decision_pick(decision, p)));
    }
}

/* Whether p[a] stands before p[b]: the larger one, of equal ones the first, NaN last. */
static bool stands_before(const float *p, size_t a, size_t b) {
    return p[a] > p[b] || (isnan(p[b]) && !isnan(p[a]));
}

static void find_top(const prediction_writer *self, const float *p) {
    const size_t n_units = plethron_bank_n_units(self->bank);
    size_t n = 0;
    for (size_t j = 0; j < n_units; j++) {
        if (n == self->n_top && !stands_before(p, j, self->top[n - 1])) continue;
        size_t at = n < self->n_top ? n++ : n - 1;
        for (; at > 0 && stands_before(p, j, self->top[at - 1]); at--) self->top[at] = self->top[at - 1];
        self->top[at] = j;
    }
}

static void write_top(const prediction_writer *self, const float *p) {
    find_top(self, p);
    for (size_t c = 0; c < self->n_top; c++) {
        const size_t j = self->top[c];
        if (c) fputc(',', self->stream);
        if (!isnan(p[j])) csv_field(self->stream, self->names[j]);
        fputc(',', self->stream);
        write_number(self->stream, p[j]);
    }
}

static void write_csv_row(const prediction_writer *self, const float *p) {
    switch (self->kind) {
    case PREDICTION_PROBABILITIES: write_probabilities(self, p); break;
    case PREDICTION_CLASSES: write_classes(self, p); break;
    case PREDICTION_TOP: write_top(self, p); break;
    }
    fputc('\n', self->stream);
}

/* ---- Arrays: a header of a fixed length, which is written again when the number of rows is known ----------------- */

enum { HEADER_BYTES = 256 }; /* more than two numbers of 20 digits and the words take; a multiple of 64 */

static void make_npy_header(const prediction_writer *self, size_t n_units, char header[HEADER_BYTES]) {
    enum { LENGTH_AT = 8, DICT_AT = 10 };
    const size_t length = HEADER_BYTES - DICT_AT;
    memset(header, ' ', HEADER_BYTES);
    memcpy(header, "\x93NUMPY\x01", LENGTH_AT); /* version 1.0: the 0 is the text's end */
    header[LENGTH_AT] = (char)(length & 0xFF);
    header[LENGTH_AT + 1] = (char)(length >> 8);
    const int n =
        snprintf(header + DICT_AT, length, "{'descr': '<f4', 'fortran_order': False, 'shape': (%" PRIu64 ", %zu), }",
                 self->n_rows, n_units);
    header[DICT_AT + n] = ' ';
    header[HEADER_BYTES - 1] = '\n';
}

static void make_safetensors_header(const prediction_writer *self, size_t n_units, char header[HEADER_BYTES]) {
    enum { JSON_AT = 8 };
    const uint64_t length = HEADER_BYTES - JSON_AT;
    memset(header, ' ', HEADER_BYTES);
    for (int i = 0; i < JSON_AT; i++) header[i] = (char)(length >> 8 * i & 0xFF);
    const int n =
        snprintf(header + JSON_AT, length,
                 "{\"P\": {\"dtype\": \"F32\", \"shape\": [%" PRIu64 ", %zu], \"data_offsets\": [0, %" PRIu64 "]}}",
                 self->n_rows, n_units, self->n_rows * n_units * sizeof(float));
    header[JSON_AT + n] = ' ';
}

static void make_header(const prediction_writer *self, char header[HEADER_BYTES]) {
    const size_t n_units = plethron_bank_n_units(self->bank);
    if (self->format == PREDICTION_SAFETENSORS)
        make_safetensors_header(self, n_units, header);
    else
        make_npy_header(self, n_units, header);
}

/* The NPY that an NPZ holds: its header and the rows. */
static zip_entry npz_entry(const prediction_writer *self, const char header[HEADER_BYTES]) {
    const uint64_t n_bytes = self->n_rows * plethron_bank_n_units(self->bank) * sizeof(float);
    const uLong header_crc = crc32(0, (const Bytef *)header, HEADER_BYTES);
    const uLong crc = crc32_combine(header_crc, self->crc, (z_off_t)n_bytes);
    return (zip_entry){"P.npy", HEADER_BYTES + n_bytes, (uint32_t)crc};
}

static void write_array_head(const prediction_writer *self) {
    char header[HEADER_BYTES];
    make_header(self, header);
    const zip_entry entry = npz_entry(self, header);
    if (self->format == PREDICTION_NPZ) zip_write_head(&entry, self->stream);
    fwrite(header, 1, sizeof header, self->stream);
}

static void write_npz_tail(const prediction_writer *self) {
    char header[HEADER_BYTES];
    make_header(self, header);
    const zip_entry entry = npz_entry(self, header);
    zip_write_tail(&entry, self->stream);
}

/* ---- All --------------------------------------------------------------------------------------------------------- */

plethron_status prediction_writer_begin(prediction_writer *self, plethron_error *err) {
    if (self->format == PREDICTION_CSV)
        write_csv_header(self);
    else if (fseek(self->stream, 0, SEEK_SET) != 0)
        return fail(err, PLETHRON_ERROR_FILE,
                    "NPY, NPZ and safetensors are written to plain files only: their header "
                    "needs the number of rows, which is known at the end");
    else
        write_array_head(self);
    return check_stream(self, err);
}

plethron_status prediction_writer_rows(void *context, const float *P, size_t first_row, size_t n_rows,
                                       plethron_error *err) {
    (void)first_row;
    prediction_writer *self = context;
    const size_t n_units = plethron_bank_n_units(self->bank);
    if (self->format == PREDICTION_CSV)
        for (size_t i = 0; i < n_rows; i++) write_csv_row(self, P + i * n_units);
    else
        fwrite(P, sizeof *P, n_rows * n_units, self->stream);
    if (self->format == PREDICTION_NPZ)
        self->crc = (uint32_t)crc32_z(self->crc, (const Bytef *)P, n_rows * n_units * sizeof *P);
    self->n_rows += n_rows;
    return check_stream(self, err);
}

/* What stands behind the rows of an NPZ, and the header once more, now that the number of rows is known. */
static plethron_status finish_array(const prediction_writer *self, plethron_error *err) {
    if (self->format == PREDICTION_NPZ) write_npz_tail(self);
    if (fseek(self->stream, 0, SEEK_SET) != 0)
        return fail(err, PLETHRON_ERROR_FILE, "the predictions' header cannot be written");
    write_array_head(self);
    return PLETHRON_OK;
}

plethron_status prediction_writer_end(prediction_writer *self, plethron_error *err) {
    const plethron_status status = self->format == PREDICTION_CSV ? PLETHRON_OK : finish_array(self, err);
    return status == PLETHRON_OK ? check_stream(self, err) : status;
}
