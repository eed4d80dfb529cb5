/* NPZ: a sparse matrix as scipy saves it. */
#include "fuzz.h"

#include "io/npz.h"

#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    char path[FUZZ_PATH_BYTES];
    bool is_one = false;
    const int file = fuzz_file(data, size, path);
    plethron_error err = {.text = ""};
    plethron_sparse_table *table = fuzz_sparse_table();
    const plethron_status status = npz_sparse_read(path, table, &is_one, &err);
    if (status != PLETHRON_OK || is_one)
        fuzz_ask_sparse(table, status, &err);
    else
        plethron_sparse_table_close(table);
    close(file);
    return 0;
}
