/* Reader of svmlight (LIBSVM) files: a row a line, "LABEL[,LABEL...] [qid:N] INDEX:VALUE ... # comment". */
#ifndef PLETHRON_IO_SVMLIGHT_H
#define PLETHRON_IO_SVMLIGHT_H

#include "sparse.h"

/* Whether the text's first lines are such rows, at least one of them with a feature. bytes[n_bytes] is a NUL. */
bool svmlight_recognise(const char *bytes, size_t n_bytes);

/* Fills the empty table, dense: columns of features, called by their indices from 0 if there is an index 0, else from
 * 1; then "label", or where a row has not just one label, for each label a column "label=L" of 0 and 1. qid is checked
 * and left out. n_features, if it is not 0, is how many features there are, whatever indices the rows have. */
plethron_status svmlight_read(const char *bytes, size_t n_bytes, size_t n_features, plethron_table *table,
                              plethron_error *err);

/* Fills the empty sparse table; the columns that are no features go to its labels. Where n_known is set, n_features is
 * 0, and features of the file are those that are known. */
plethron_status svmlight_read_sparse(const char *bytes, size_t n_bytes, size_t n_features, plethron_sparse_table *table,
                                     plethron_error *err);

#endif
