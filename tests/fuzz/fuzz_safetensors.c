/* Tensors of safetensors files as tables: the only one, or "W". */
#include "fuzz.h"

#include "io/safetensors_table.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const char *const names[] = {NULL, "W"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        plethron_error err = {.text = ""};
        char *bytes = fuzz_copy(data, size);
        plethron_table *table = fuzz_table();
        fuzz_ask(table, safetensors_table_read(&bytes, size, names[i], table, &err), &err);
        free(bytes);
    }
    return 0;
}
