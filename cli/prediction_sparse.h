/* Predicts for a file of sparse rows, which is read as a whole. */
#ifndef PLETHRON_CLI_PREDICTION_SPARSE_H
#define PLETHRON_CLI_PREDICTION_SPARSE_H

#include "prediction_stream.h"

/* As prediction_stream. *is_one is false, and nothing is done, where DATA is no such file. */
plethron_status prediction_sparse(const prediction_task *task, prediction_writer *writer, bool *is_one,
                                  plethron_error *err);

#endif
