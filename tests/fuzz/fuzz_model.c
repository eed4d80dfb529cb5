/* Model files. */
#include "fuzz.h"

#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    char path[FUZZ_PATH_BYTES];
    plethron_error err = {.text = ""};
    plethron_bank *bank = NULL;
    const int file = fuzz_file(data, size, path);
    const plethron_status status = plethron_bank_load(path, &bank, &err);
    fuzz_expect(status == PLETHRON_OK || (strlen(err.text) > 0 && !strchr(err.text, '\n')));
    plethron_bank_close(bank);
    close(file);
    return 0;
}
