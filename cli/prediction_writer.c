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

/* Each decision's units are a group. */
static plethron_status make_groups(prediction_writer *self, plethron_error *err) {
    plethron_status status;
    size_t n = 0;
    for (size_t d = 0; d < self->n_decisions; d++) n += self->decisions[d].n_units;
    TRY(allocate(self->n_decisions + 1, sizeof *self->group_offsets, &self->group_offsets, err));
    TRY(allocate(n, sizeof *self->group_units, &self->group_units, err));
    n = 0;
    for (size_t d = 0; d < self->n_decisions; d++) {
        const class_decision *decision = &self->decisions[d];
        memcpy(self->group_units + n, decision->units, decision->n_units * sizeof *decision->units);
        n += decision->n_units;
        self->group_offsets[d + 1] = (int64_t)n;
    }
    self->top = (plethron_top){.n_top = 1,
                               .n_groups = self->n_decisions,
                               .offsets = self->group_offsets,
                               .units = self->group_units,
                               .needs_all = true};
out:
    return status;
}

static plethron_status make_decisions(prediction_writer *self, plethron_error *err) {
    plethron_status status = PLETHRON_OK;
    const size_t n_targets = plethron_bank_n_targets(self->bank);
    if (!n_targets)
        return fail(err, PLETHRON_ERROR_UNSUPPORTED, "the model holds no class labels; predict without --classes");
    TRY(allocate(n_targets, sizeof *self->decisions, &self->decisions, err));
    for (; self->n_decisions < n_targets; self->n_decisions++)
        TRY(decision_make(self->bank, self->n_decisions, &self->decisions[self->n_decisions], err));
    TRY(make_groups(self, err));
out:
    return status;
}

static plethron_status check_top(const prediction_writer *self, plethron_error *err) {
    const size_t n_units = plethron_bank_n_units(self->bank);
    if (self->top.n_top <= n_units) return PLETHRON_OK;
    return fail(err, PLETHRON_ERROR_UNSUPPORTED, "--top %zu: the model has %zu unit%s", self->top.n_top, n_units,
                n_units == 1 ? "" : "s");
}

plethron_status prediction_writer_open(prediction_writer *self, plethron_error *err) {
    plethron_status status = PLETHRON_OK;
    if (self->kind == PREDICTION_CLASSES) return make_decisions(self, err);
    if (self->kind == PREDICTION_TOP) TRY(check_top(self, err));
    if (self->format == PREDICTION_CSV) TRY(unit_names_make(self->bank, &self->names, err));
out:
    return status;
}

void prediction_writer_release(prediction_writer *self) {
    if (self->names) unit_names_release(self->names, plethron_bank_n_units(self->bank));
    for (size_t d = 0; d < self->n_decisions; d++) decision_release(&self->decisions[d]);
    free(self->decisions);
    free(self->group_offsets);
    free(self->group_units);
}

const plethron_top *prediction_writer_top(const prediction_writer *self) {
    return self->kind == PREDICTION_PROBABILITIES ? NULL : &self->top;
}

static plethron_status check_stream(const prediction_writer *self, plethron_error *err) {
    return ferror(self->stream) ? fail(err, PLETHRON_ERROR_FILE, "the predictions cannot be written") : PLETHRON_OK;
}

/* ---- CSV --------------------------------------------------------------------------------------------------------- */

static void write_csv_header(const prediction_writer *self) {
    const size_t n_columns = self->kind == PREDICTION_CLASSES ? self->n_decisions
                             : self->kind == PREDICTION_TOP   ? self->top.n_top
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

static void write_classes(const prediction_writer *self, const int32_t *units, const float *p) {
    for (size_t d = 0; d < self->n_decisions; d++) {
        const class_decision *decision = &self->decisions[d];
        const int64_t class = decision_class(decision, self->bank, units[d], p[d]);
        if (d) fputc(',', self->stream);
        if (class != PLETHRON_NO_CLASS)
            csv_field(self->stream, plethron_bank_class_label(self->bank, decision->target, (size_t) class));
    }
}

static void write_top(const prediction_writer *self, const int32_t *units, const float *p) {
    for (size_t c = 0; c < self->top.n_top; c++) {
        if (c) fputc(',', self->stream);
        if (!isnan(p[c])) csv_field(self->stream, self->names[units[c]]);
        fputc(',', self->stream);
        write_number(self->stream, p[c]);
    }
}

static void write_csv_rows(const prediction_writer *self, const predictions *block, size_t n_rows) {
    const size_t width = predictions_width(self->bank, prediction_writer_top(self));
    for (size_t i = 0; i < n_rows; i++) {
        const float *p = block->p + i * width;
        switch (self->kind) {
        case PREDICTION_PROBABILITIES: write_probabilities(self, p); break;
        case PREDICTION_CLASSES: write_classes(self, block->units + i * width, p); break;
        case PREDICTION_TOP: write_top(self, block->units + i * width, p); break;
        }
        fputc('\n', self->stream);
    }
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

plethron_status prediction_writer_rows(prediction_writer *self, const predictions *block, size_t n_rows,
                                       plethron_error *err) {
    const float *P = block->p;
    const size_t n_values = n_rows * plethron_bank_n_units(self->bank);
    if (self->format == PREDICTION_CSV)
        write_csv_rows(self, block, n_rows);
    else
        fwrite(P, sizeof *P, n_values, self->stream);
    if (self->format == PREDICTION_NPZ)
        self->crc = (uint32_t)crc32_z(self->crc, (const Bytef *)P, n_values * sizeof *P);
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
