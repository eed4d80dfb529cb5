/* HDF5: the only part, or "x". */
#include "fuzz.h"

#include "io/hdf5.h"

#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const char *const names[] = {NULL, "x"};
    char path[FUZZ_PATH_BYTES];
    const int file = fuzz_file(data, size, path);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        plethron_error err = {.text = ""};
        plethron_table *table = fuzz_table();
        fuzz_ask(table, hdf5_read(path, names[i], table, &err), &err);
    }
    close(file);
    return 0;
}
