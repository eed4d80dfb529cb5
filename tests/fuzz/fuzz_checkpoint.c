/* Checkpoint files. */
#include "fuzz.h"

#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    char path[FUZZ_PATH_BYTES];
    plethron_error err = {.text = ""};
    plethron_checkpoint *checkpoint = NULL;
    const int file = fuzz_file(data, size, path);
    const plethron_status status = plethron_checkpoint_load(path, &checkpoint, &err);
    fuzz_expect(status == PLETHRON_OK || (strlen(err.text) > 0 && !strchr(err.text, '\n')));
    plethron_checkpoint_close(checkpoint);
    close(file);
    return 0;
}
