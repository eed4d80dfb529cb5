/* Seconds that opening a table takes: bench_table FILE [REPEATS] prints one number a line. bench/tables.py compares. */
#include "plethron.h"

#include <stdlib.h>
#include <time.h>

static double now_s(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

int main(int argc, char **argv) {
    const int repeats = argc > 2 ? atoi(argv[2]) : 1;
    plethron_error err = {.text = "usage: bench_table FILE [REPEATS]"};
    bool is_read = argc > 1;
    for (int i = 0; is_read && i < repeats; i++) {
        plethron_table *table = NULL;
        const double begin_s = now_s();
        is_read = plethron_table_open(argv[1], &table, &err) == PLETHRON_OK;
        if (is_read) printf("%.6f\n", now_s() - begin_s);
        plethron_table_close(table);
    }
    if (!is_read) fprintf(stderr, "%s\n", err.text);
    return is_read ? EXIT_SUCCESS : EXIT_FAILURE;
}
