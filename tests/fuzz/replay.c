/* Calls a harness for every file of the folder named: what was once a failure stays mended, without libFuzzer too. */
#include "fuzz.h"

#include <dirent.h>
#include <stdio.h>

static void replay(const char *folder, const char *name) {
    enum { MAX_BYTES = 1 << 20 };
    char path[4096];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    uint8_t *bytes = malloc(MAX_BYTES);
    FILE *file = fopen(path, "rb");
    fuzz_expect(bytes && file);
    const size_t n = fread(bytes, 1, MAX_BYTES, file);
    fuzz_expect(n < MAX_BYTES);
    fclose(file);
    LLVMFuzzerTestOneInput(bytes, n);
    free(bytes);
}

int main(int argc, char **argv) {
    int n_files = 0;
    DIR *folder = argc == 2 ? opendir(argv[1]) : NULL;
    if (!folder) {
        fprintf(stderr, "usage: replay_NAME FOLDER\n");
        return EXIT_FAILURE;
    }
    for (struct dirent *entry; (entry = readdir(folder)) != NULL;) {
        if (entry->d_name[0] == '.') continue;
        replay(argv[1], entry->d_name);
        n_files++;
    }
    closedir(folder);
    printf("%d files\n", n_files);
    return n_files > 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
