/* HDF5: the only part, or "x". */
#define _POSIX_C_SOURCE 200809L /* mkstemp */

#include "fuzz.h"

#include "io/hdf5.h"

#include <unistd.h>

/* A file in a folder: libhdf5 wants a path that realpath finds, which a file in memory has not. */
static void make_file(const uint8_t *data, size_t size, char path[]) {
    const int fd = mkstemp(path);
    fuzz_expect(fd >= 0 && write(fd, data, size) == (ssize_t)size);
    close(fd);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const char *const names[] = {NULL, "x"};
    char path[] = "/tmp/plethron-fuzz-XXXXXX";
    make_file(data, size, path);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        plethron_error err = {.text = ""};
        plethron_table *table = fuzz_table();
        fuzz_ask(table, hdf5_read(path, names[i], table, &err), &err);
    }
    unlink(path);
    return 0;
}
