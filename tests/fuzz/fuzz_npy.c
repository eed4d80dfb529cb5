/* NPY. */
#include "fuzz.h"

#include "io/npy.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    plethron_error err = {.text = ""};
    char *bytes = fuzz_copy(data, size);
    plethron_table *table = fuzz_table();
    const plethron_status status = npy_recognise(bytes, size) ? npy_read(&bytes, size, table, &err) : PLETHRON_OK;
    if (npy_recognise(data, size))
        fuzz_ask(table, status, &err);
    else
        plethron_table_close(table);
    free(bytes);
    return 0;
}
