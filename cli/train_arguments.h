/* What plethron train was asked to do. */
#ifndef PLETHRON_CLI_TRAIN_ARGUMENTS_H
#define PLETHRON_CLI_TRAIN_ARGUMENTS_H

#include "bank_arguments.h"

typedef struct train_arguments {
    bank_arguments bank;
    const char *model;
    const char *history;
    const char *init_file; /* NULL: bank.init */
    int64_t hold_out;      /* the fold to hold out; -1: none */
    int64_t history_every; /* 0: by the number of epochs */
    bool dry_run;
} train_arguments;

/* Reads the command line into *a. CLI_GO_ON when there is work to do; else the program's exit code. */
int train_arguments_parse(int argc, char **argv, train_arguments *a);
void train_arguments_release(train_arguments *a);

#endif
