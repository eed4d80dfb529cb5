#include "support.h"

#include "bank.h"
#include "device.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

void support_works(plethron_status status, const plethron_error *err, const char *file, int line) {
    if (status == PLETHRON_OK) return;
    print_error("status %d: %s\n", (int)status, err->text);
    _fail(file, line);
}

void support_fails(plethron_status expected, plethron_status status, const plethron_error *err,
                   const char *const *parts, const char *file, int line) {
    bool right = status == expected && err->status == expected && *err->text && !strchr(err->text, '\n');
    for (size_t i = 0; right && parts[i]; i++) {
        right = strstr(err->text, parts[i]) != NULL;
        if (!right) print_error("missing '%s'\n", parts[i]);
    }
    if (right) return;
    print_error("status %d, expected %d: %s\n", (int)status, (int)expected, status ? err->text : "no error");
    _fail(file, line);
}

/* ---- Objects ----------------------------------------------------------------------------------------------------- */

plethron_device *support_device(const char *selector) {
    plethron_error err;
    plethron_device *device = NULL;
    assert_works(plethron_device_open(selector, &device, &err), &err);
    return device;
}

void support_on_every_device(void (*check)(plethron_device *device)) {
    enum { MARGIN = 64 };
    plethron_error err;
    plethron_device_list *devices = NULL;
    assert_works(plethron_device_list_open(&devices, &err), &err);
    for (size_t d = 0; d < plethron_device_list_count(devices); d++) {
        char selector[32] = "host";
        const int index = plethron_device_list_get(devices, d)->index;
        if (index >= 0) snprintf(selector, sizeof selector, "%d", index);
        plethron_device *device = support_device(selector);
        device_guard_buffers(device, MARGIN);
        check(device);
        assert_int_equal(device_guard_violations(device), 0);
        plethron_device_close(device);
    }
    plethron_device_list_close(devices);
}

void support_on_two_devices(void (*check)(plethron_device *device)) {
    const char *selectors[] = {"host", NULL};
    for (size_t d = 0; d < COUNT(selectors); d++) {
        plethron_device *device = support_device(selectors[d]);
        check(device);
        plethron_device_close(device);
    }
}

plethron_dataset *support_dataset(plethron_device *device, const float *X, size_t n_samples, size_t n_features,
                                  const float *Y, size_t n_targets, bool standardize) {
    plethron_error err;
    plethron_dataset *dataset = NULL;
    const plethron_dataset_options options = {.struct_size = sizeof options, .standardize = standardize};
    assert_works(plethron_dataset_create(device, X, n_samples, n_features, Y, n_targets, &options, &dataset, &err),
                 &err);
    return dataset;
}

plethron_bank *support_bank(size_t n_features, size_t n_units, const plethron_bank_options *options) {
    plethron_error err;
    plethron_bank *bank = NULL;
    assert_works(plethron_bank_create(n_features, n_units, options, &bank, &err), &err);
    return bank;
}

plethron_unit support_unit(const plethron_bank *bank, size_t j) {
    plethron_error err;
    plethron_unit unit = {.struct_size = sizeof unit};
    assert_works(plethron_bank_unit(bank, j, &unit, &err), &err);
    return unit;
}

static bool same_names(const name_list *a, const name_list *b) {
    bool same = a->count == b->count;
    for (size_t i = 0; same && i < a->count; i++) same = strcmp(a->names[i], b->names[i]) == 0;
    return same;
}

bool support_same_banks(const plethron_bank *a, const plethron_bank *b) {
    const size_t n = a->n_units;
    bool same = n == b->n_units && a->n_features == b->n_features && a->reduction == b->reduction &&
                a->check_every == b->check_every && a->batch_size == b->batch_size && a->batch_seed == b->batch_seed &&
                strcmp(a->strategy, b->strategy) == 0 &&
                memcmp(a->weights, b->weights, (a->n_features + 1) * n * sizeof(float)) == 0;
    for (size_t i = 0; same && i < BANK_N_ARRAYS; i++)
        same = memcmp(bank_array_memory(a, &bank_arrays[i]), bank_array_memory(b, &bank_arrays[i]),
                      n * (bank_arrays[i].is_integer ? sizeof(int64_t) : sizeof(float))) == 0;
    same = same && same_names(&a->features, &b->features) && same_names(&a->targets, &b->targets);
    for (size_t t = 0; same && t < a->targets.count; t++) same = same_names(&a->classes[t], &b->classes[t]);
    return same;
}

/* ---- Files ------------------------------------------------------------------------------------------------------- */

void support_folder_open(char path[SUPPORT_PATH_BYTES]) {
    const char *parent = getenv("TMPDIR");
    snprintf(path, SUPPORT_PATH_BYTES, "%s/plethron-test-XXXXXX", parent && *parent ? parent : "/tmp");
    assert_non_null(mkdtemp(path));
}

void support_path(char path[SUPPORT_PATH_BYTES], const char *folder, const char *name) {
    assert_true(snprintf(path, SUPPORT_PATH_BYTES, "%s/%s", folder, name) < SUPPORT_PATH_BYTES);
}

static bool is_entry(const char *name) {
    return strcmp(name, ".") != 0 && strcmp(name, "..") != 0;
}

void support_folder_close(const char *path) {
    char inner[SUPPORT_PATH_BYTES];
    DIR *folder = opendir(path);
    assert_non_null(folder);
    for (struct dirent *entry = readdir(folder); entry; entry = readdir(folder)) {
        if (!is_entry(entry->d_name)) continue;
        support_path(inner, path, entry->d_name);
        if (unlink(inner) != 0) support_folder_close(inner);
    }
    closedir(folder);
    assert_int_equal(rmdir(path), 0);
}

size_t support_folder_count(const char *path) {
    size_t count = 0;
    DIR *folder = opendir(path);
    assert_non_null(folder);
    for (struct dirent *entry = readdir(folder); entry; entry = readdir(folder)) count += is_entry(entry->d_name);
    closedir(folder);
    return count;
}

void support_write(const char *path, const void *bytes, size_t n_bytes) {
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, n_bytes, file), n_bytes);
    assert_int_equal(fclose(file), 0);
}

char *support_read(const char *path, size_t *n_bytes) {
    struct stat about;
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    assert_int_equal(fstat(fileno(file), &about), 0);
    const size_t n = (size_t)about.st_size;
    char *bytes = malloc(n + 1);
    assert_non_null(bytes);
    bytes[n] = '\0';
    assert_int_equal(fread(bytes, 1, n, file), n);
    fclose(file);
    *n_bytes = n;
    return bytes;
}

/* ---- Children ---------------------------------------------------------------------------------------------------- */

int support_run_self(const char *part, const char *const *settings, size_t n_settings) {
    const pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        for (size_t i = 0; i < n_settings; i++) {
            char name[64];
            const char *equals = strchr(settings[i], '=');
            snprintf(name, sizeof name, "%.*s", (int)(equals - settings[i]), settings[i]);
            setenv(name, equals + 1, 1);
        }
        execl("/proc/self/exe", part, part, (char *)NULL);
        _exit(127);
    }
    int how = 0;
    assert_int_equal(waitpid(child, &how, 0), child);
    if (!WIFEXITED(how)) fail_msg("the child '%s' ended with wait status %d", part, how);
    return WEXITSTATUS(how);
}

void support_child_needs(bool condition, const char *text, const char *file, int line) {
    if (condition) return;
    fprintf(stderr, "%s:%d: child: %s\n", file, line, text);
    _exit(CHILD_FAILED);
}
