/* Predictions on their way to a file: which of them, and in which format. Rows are written block by block. */
#ifndef PLETHRON_CLI_PREDICTION_WRITER_H
#define PLETHRON_CLI_PREDICTION_WRITER_H

#include "labels.h"
#include "predictions.h"

typedef enum prediction_kind { PREDICTION_PROBABILITIES, PREDICTION_CLASSES, PREDICTION_TOP } prediction_kind;
typedef enum prediction_format {
    PREDICTION_CSV,
    PREDICTION_NPY,
    PREDICTION_NPZ,
    PREDICTION_SAFETENSORS
} prediction_format;

typedef struct prediction_writer {
    FILE *stream;
    const plethron_bank *bank;
    prediction_kind kind;
    prediction_format format;
    plethron_top top;          /* of the other kinds than PREDICTION_PROBABILITIES; of PREDICTION_TOP n_top is given */
    class_decision *decisions; /* [n_decisions], of PREDICTION_CLASSES; each is a group of `top`: */
    int64_t *group_offsets;
    int32_t *group_units;
    size_t n_decisions;
    char **names; /* of the units, of the other kinds in a CSV */
    uint64_t n_rows;
    uint32_t crc; /* of the rows' bytes, in an NPZ */
} prediction_writer;

/* By the file's extension; CSV where it is none of a format's. False for formats that are read only. */
bool prediction_format_find(const char *path, prediction_format *out);

/* Prepares the kind that `self` says, with its bank; fails where the bank has not what it takes. */
plethron_status prediction_writer_open(prediction_writer *self, plethron_error *err);
void prediction_writer_release(prediction_writer *self);

/* What it takes of the predictions; NULL: all. */
const plethron_top *prediction_writer_top(const prediction_writer *self);

/* What stands before the rows, and, after the last, what was not known then. */
plethron_status prediction_writer_begin(prediction_writer *self, plethron_error *err);
plethron_status prediction_writer_end(prediction_writer *self, plethron_error *err);

/* Predictions of the bank, as prediction_writer_top says. */
plethron_status prediction_writer_rows(prediction_writer *self, const predictions *block, size_t n_rows,
                                       plethron_error *err);

#endif
