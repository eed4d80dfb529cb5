/* What plethron train was asked to do. */
#ifndef PLETHRON_CLI_TRAIN_ARGUMENTS_H
#define PLETHRON_CLI_TRAIN_ARGUMENTS_H

#include "cli.h"

typedef struct train_arguments {
    const char *data;
    const char *model;
    const char *device;
    const char *strategy;
    const char *history;
    const char *init_file; /* NULL: `init` */
    name_list targets;
    name_list features;
    number_list learning_rates;
    number_list l2s;
    int64_t loss;
    int64_t reduction;
    int64_t init;
    int64_t epochs;
    int64_t seed;
    int64_t history_every; /* 0: by the number of epochs */
    bool standardize;
    bool quiet;
    bool verbose;
} train_arguments;

/* Reads the command line into *a. CLI_GO_ON when there is work to do; else the program's exit code. */
int train_arguments_parse(int argc, char **argv, train_arguments *a);
void train_arguments_release(train_arguments *a);

#endif
