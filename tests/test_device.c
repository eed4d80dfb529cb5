/* Devices: the list, selectors, the environment, fork, counters, buffers and their guards, two devices at once.
 *
 * The ICD loader and PoCL read their environment once in a process's life, so some tests run this program again with
 * the name of a child's part as argument. */
#include "support.h"

#include "device.h"
#include "program.h"

#include <ctype.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static plethron_device_list *open_list(void) {
    plethron_error err;
    plethron_device_list *list = NULL;
    assert_works(plethron_device_list_open(&list, &err), &err);
    return list;
}

/* Skips the test on a machine without an OpenCL device. */
static void need_opencl(void) {
    plethron_device_list *list = open_list();
    const size_t count = plethron_device_list_count(list);
    plethron_device_list_close(list);
    if (count == 1) skip();
}

/* ---- The list ---------------------------------------------------------------------------------------------------- */

static void listing(void **state) {
    (void)state;
    plethron_device_list *list = open_list();
    const size_t count = plethron_device_list_count(list);
    assert_true(count >= 1);
    for (size_t i = 0; i < count; i++) {
        const plethron_device_info *info = plethron_device_list_get(list, i);
        const bool last = i == count - 1;
        assert_int_equal(info->kind == PLETHRON_DEVICE_HOST, last);
        assert_int_equal(info->index, last ? -1 : (int)i);
        assert_int_equal(info->platform_index < 0, last);
        assert_int_equal(info->device_index < 0, last);
        assert_true(info->platform && info->platform_version && info->name && info->version && info->driver);
        assert_true(*info->platform && *info->name && *info->version);
        assert_true(info->compute_units > 0 && info->memory_bytes > 0);
        assert_true(info->max_alloc_bytes > 0 && info->max_alloc_bytes <= info->memory_bytes);
        assert_int_equal(info->local_bytes > 0, !last);
        assert_true(info->bits_note && (info->bits_hold || *info->bits_note));
    }
    assert_null(plethron_device_list_get(list, count));
    plethron_device_list_close(list);
    plethron_device_list_close(NULL);
}

/* ---- Selectors --------------------------------------------------------------------------------------------------- */

/* Opens by a selector and compares with an entry of the list. */
static void expect_opens(const char *selector, const plethron_device_info *expected) {
    plethron_device *device = support_device(selector);
    const plethron_device_info *info = plethron_device_describe(device);
    assert_int_equal(info->kind, expected->kind);
    assert_int_equal(info->index, expected->index);
    assert_string_equal(info->name, expected->name);
    plethron_device_close(device);
}

static void swap_case(const char *from, size_t n, char *to) {
    for (size_t i = 0; i < n; i++)
        to[i] =
            (char)(isupper((unsigned char)from[i]) ? tolower((unsigned char)from[i]) : toupper((unsigned char)from[i]));
    to[n] = '\0';
}

static const plethron_device_info *first_of(const plethron_device_list *list, plethron_device_kind kind) {
    for (size_t i = 0; i < plethron_device_list_count(list); i++)
        if (plethron_device_list_get(list, i)->kind == kind) return plethron_device_list_get(list, i);
    return NULL;
}

static void every_form_of_selector(void **state) {
    (void)state;
    need_opencl();
    plethron_device_list *list = open_list();
    const plethron_device_info *host = first_of(list, PLETHRON_DEVICE_HOST), *first = plethron_device_list_get(list, 0);
    const plethron_device_info *cpu = first_of(list, PLETHRON_DEVICE_CPU), *gpu = first_of(list, PLETHRON_DEVICE_GPU);
    char part[64], pair[32];
    expect_opens("host", host);
    expect_opens("0", first);
    snprintf(pair, sizeof pair, "%d:%d", first->platform_index, first->device_index);
    expect_opens(pair, first);
    if (cpu) expect_opens("cpu", cpu);
    if (gpu) expect_opens("gpu", gpu);
    swap_case(first->platform + 1, strlen(first->platform) / 2, part); /* a piece from its middle */
    expect_opens(part, first);
    const size_t name_bytes = strlen(first->name) < sizeof part ? strlen(first->name) : sizeof part - 1;
    swap_case(first->name, name_bytes, part);
    expect_opens(part, first);
    plethron_device_list_close(list);
}

static void bad_selectors(void **state) {
    (void)state;
    plethron_device_list *list = open_list();
    const plethron_device_info *first = plethron_device_list_get(list, 0);
    const char *selectors[] = {
        "7777", "0:9999", "9999:0", "nosuch", "0:", ":0", "0:0:0", "-1", "0x0", "99999999999999999999999",
        "none"}; /* the host is found as "host" only, not by its platform's text */
    for (size_t s = 0; s < COUNT(selectors); s++) {
        plethron_error err;
        plethron_device *untouched = (plethron_device *)&err, *device = untouched;
        char quoted[64];
        snprintf(quoted, sizeof quoted, "'%s'", selectors[s]);
        assert_fails(PLETHRON_ERROR_NO_DEVICE, plethron_device_open(selectors[s], &device, &err), &err, quoted,
                     "allowed: gpu, cpu, host, an index, P:D, or a part of a name", "there is:", first->name, "host");
        assert_int_equal(plethron_device_open(selectors[s], &device, NULL), PLETHRON_ERROR_NO_DEVICE);
        assert_ptr_equal(device, untouched);
    }
    if (!first_of(list, PLETHRON_DEVICE_GPU)) {
        plethron_error err;
        plethron_device *device = NULL;
        assert_fails(PLETHRON_ERROR_NO_DEVICE, plethron_device_open("gpu", &device, &err), &err, "'gpu'", first->name);
    }
    plethron_device_list_close(list);
}

static void the_environment_variable(void **state) {
    (void)state;
    plethron_error err;
    plethron_device *device = NULL;
    plethron_device_list *list = open_list();
    const plethron_device_info *host = first_of(list, PLETHRON_DEVICE_HOST), *first = plethron_device_list_get(list, 0);
    setenv("PLETHRON_DEVICE", "host", 1);
    expect_opens(NULL, host);
    expect_opens("", host);
    if (first != host) expect_opens("0", first); /* the argument goes before the variable */
    setenv("PLETHRON_DEVICE", "nosuch", 1);
    assert_fails(PLETHRON_ERROR_NO_DEVICE, plethron_device_open(NULL, &device, &err), &err, "'nosuch'", "host");
    expect_opens("host", host);
    setenv("PLETHRON_DEVICE", "", 1);
    const plethron_device_kind order[] = {PLETHRON_DEVICE_GPU, PLETHRON_DEVICE_ACCELERATOR, PLETHRON_DEVICE_CPU,
                                          PLETHRON_DEVICE_HOST};
    const plethron_device_info *expected = NULL;
    for (size_t k = 0; !expected; k++) expected = first_of(list, order[k]);
    expect_opens(NULL, expected);
    unsetenv("PLETHRON_DEVICE");
    expect_opens(NULL, expected);
    plethron_device_list_close(list);
}

/* ---- Without any platform ---------------------------------------------------------------------------------------- */

static int child_without_platforms(void) {
    plethron_error err;
    plethron_device_list *list = NULL;
    plethron_device *device = NULL;
    child_needs(plethron_device_list_open(&list, &err) == PLETHRON_OK);
    child_needs(plethron_device_list_count(list) == 1);
    child_needs(plethron_device_list_get(list, 0)->kind == PLETHRON_DEVICE_HOST);
    child_needs(plethron_device_open(NULL, &device, &err) == PLETHRON_OK);
    child_needs(plethron_device_describe(device)->kind == PLETHRON_DEVICE_HOST);
    plethron_device_close(device);
    child_needs(plethron_device_open("cpu", &device, &err) == PLETHRON_ERROR_NO_DEVICE);
    child_needs(strstr(err.text, "'cpu'") && strstr(err.text, "host only. No OpenCL device was found"));
    plethron_device_list_close(list);
    return CHILD_WORKED;
}

static void without_platforms(void **state) {
    (void)state;
    char folder[SUPPORT_PATH_BYTES], setting[SUPPORT_PATH_BYTES + 32];
    support_folder_open(folder);
    snprintf(setting, sizeof setting, "OCL_ICD_VENDORS=%s", folder);
    assert_int_equal(support_run_self("without-platforms", (const char *const[]){setting}, 1), CHILD_WORKED);
    support_folder_close(folder);
}

/* ---- After a fork ------------------------------------------------------------------------------------------------ */

/* The child's part: every use must be refused, and nothing may hang. */
static int use_after_fork(plethron_device *device, plethron_dataset *dataset, plethron_bank *bank) {
    const float X[1] = {1}, Y[1] = {1};
    float P[1];
    plethron_error err;
    plethron_dataset *other = NULL;
    child_needs(plethron_dataset_create(device, X, 1, 1, Y, 1, NULL, &other, &err) == PLETHRON_ERROR_UNSUPPORTED);
    child_needs(strstr(err.text, "open devices after the fork") != NULL);
    child_needs(plethron_train(dataset, bank, NULL, &err) == PLETHRON_ERROR_UNSUPPORTED);
    child_needs(plethron_predict(device, bank, X, 1, P, &err) == PLETHRON_ERROR_UNSUPPORTED);
    return CHILD_WORKED;
}

static void after_a_fork(void **state) {
    (void)state;
    const float X[1] = {1}, Y[1] = {1};
    const char *selectors[] = {NULL, "host"};
    for (size_t s = 0; s < COUNT(selectors); s++) {
        plethron_device *device = support_device(selectors[s]);
        plethron_dataset *dataset = support_dataset(device, X, 1, 1, Y, 1, false);
        plethron_bank *bank = support_bank(1, 1, NULL);
        const pid_t child = fork();
        assert_true(child >= 0);
        if (child == 0) _exit(use_after_fork(device, dataset, bank));
        int how = 0;
        assert_int_equal(waitpid(child, &how, 0), child);
        assert_true(WIFEXITED(how) && WEXITSTATUS(how) == CHILD_WORKED);
        plethron_bank_close(bank);
        plethron_dataset_close(dataset);
        plethron_device_close(device);
    }
}

/* ---- Counters ---------------------------------------------------------------------------------------------------- */

static void counters(void **state) {
    (void)state;
    need_opencl();
    const float X[2] = {1, 2};
    float P[2];
    plethron_error err;
    plethron_device *device = support_device(NULL);
    plethron_bank *bank = support_bank(1, 1, NULL);
    plethron_counters all = {.struct_size = sizeof all};
    assert_works(plethron_device_counters(device, &all, &err), &err);
    assert_int_equal(all.uploads + all.upload_bytes + all.downloads + all.download_bytes + all.launches, 0);
    assert_works(plethron_predict(device, bank, X, 2, P, &err), &err);
    assert_works(plethron_device_counters(device, &all, &err), &err);
    assert_int_equal(all.struct_size, sizeof all);
    const bool is_lent = device_shares_memory(device);
    assert_int_equal(all.uploads, is_lent ? 1 : 2); /* weights, rows */
    assert_int_equal(all.downloads, is_lent ? 0 : 1);
    assert_int_equal(all.launches, 1);
    assert_true(all.upload_bytes >= sizeof X && all.download_bytes >= (is_lent ? 0 : sizeof P));

    plethron_counters some = {.struct_size = offsetof(plethron_counters, downloads), .downloads = 77};
    assert_works(plethron_device_counters(device, &some, &err), &err); /* an older caller */
    assert_int_equal(some.struct_size, offsetof(plethron_counters, downloads));
    assert_int_equal(some.upload_bytes, all.upload_bytes);
    assert_int_equal(some.downloads, 77);
    const size_t bad_sizes[] = {0, sizeof some + 1};
    for (size_t s = 0; s < COUNT(bad_sizes); s++) {
        some.struct_size = bad_sizes[s];
        assert_fails(PLETHRON_ERROR_ARGUMENT, plethron_device_counters(device, &some, &err), &err,
                     "plethron_counters.struct_size", "expected");
        assert_int_equal(some.downloads, 77);
    }
    plethron_bank_close(bank);
    plethron_device_close(device);
}

/* ---- Buffers ----------------------------------------------------------------------------------------------------- */

static void too_large_a_buffer(void **state) {
    (void)state;
    need_opencl();
    plethron_error err;
    plethron_device *device = support_device(NULL);
    const plethron_device_info *info = plethron_device_describe(device);
    const size_t bytes = (size_t)info->max_alloc_bytes + 1;
    device_buffer *untouched = (device_buffer *)&err, *buffer = untouched;
    char needed[64], allowed[64];
    snprintf(needed, sizeof needed, "the thing needs %zu bytes", bytes);
    snprintf(allowed, sizeof allowed, "%llu in one buffer", (unsigned long long)info->max_alloc_bytes);
    assert_fails(PLETHRON_ERROR_MEMORY, device_buffer_create(device, bytes, "the thing", &buffer, &err), &err, needed,
                 info->name, allowed);
    assert_fails(PLETHRON_ERROR_MEMORY, device_buffer_create(device, SIZE_MAX, "the thing", &buffer, &err), &err,
                 "18446744073709551615");
    assert_ptr_equal(buffer, untouched);
    plethron_device_close(device);
}

static void upload_and_download(void **state) {
    (void)state;
    need_opencl();
    plethron_error err;
    const float sent[4] = {1, 2, 3, 4}, expected[4] = {0, 1, 2, 0};
    float got[4];
    plethron_device *device = support_device(NULL);
    const size_t margins[] = {0, 1, 4096};
    for (size_t m = 0; m < COUNT(margins); m++) {
        device_buffer *buffer = NULL;
        device_guard_buffers(device, margins[m]);
        assert_works(device_buffer_create(device, sizeof sent, "numbers", &buffer, &err), &err);
        assert_works(device_buffer_zero(buffer, &err), &err);
        assert_works(device_buffer_upload(buffer, sizeof(float), 2 * sizeof(float), sent, &err), &err);
        assert_works(device_buffer_download(buffer, 0, sizeof got, got, &err), &err);
        assert_memory_equal(got, expected, sizeof got);
        device_buffer_close(buffer);
    }
    device_buffer_close(NULL);
    assert_int_equal(device_guard_violations(device), 0);
    plethron_device_close(device);
}

/* A kernel that writes one float at a place of its choice, inside its buffer or outside. */
static void guards_see_stray_writes(void **state) {
    (void)state;
    need_opencl();
    enum { N = 16, MARGIN_BYTES = 64 };
    static const char source[] = "__kernel void stray(__global float *P_g, int at) { P_g[at] = 1.0f; }\n";
    const struct {
        int at;
        size_t violations;
    } cases[] = {{0, 0}, {N - 1, 0}, {-1, 1}, {-MARGIN_BYTES / 4, 1}, {N, 1}, {N + MARGIN_BYTES / 4 - 1, 1}};
    const char *names[] = {"stray.cl"};
    const kernel_range once = {{1, 1, 1}, {1, 1, 1}};
    plethron_error err;
    char folder[SUPPORT_PATH_BYTES], path[SUPPORT_PATH_BYTES];
    device_program *program = NULL;
    device_kernel *stray = NULL;
    support_folder_open(folder);
    support_path(path, folder, names[0]);
    support_write(path, source, sizeof source - 1);
    setenv("PLETHRON_KERNEL_DIR", folder, 1);
    plethron_device *device = support_device(NULL);
    assert_works(program_open(device, names, 1, "", &program, &err), &err);
    assert_works(program_kernel(program, "stray", &stray, &err), &err);
    size_t expected = 0;
    for (size_t c = 0; c < COUNT(cases); c++) {
        device_buffer *buffer = NULL;
        device_guard_buffers(device, MARGIN_BYTES);
        assert_works(device_buffer_create(device, N * sizeof(float), "the guarded", &buffer, &err), &err);
        assert_works(kernel_launch(stray, &once, &err, "bi", buffer, cases[c].at), &err);
        assert_works(device_finish(device, &err), &err);
        device_buffer_close(buffer);
        expected += cases[c].violations;
        assert_int_equal(device_guard_violations(device), expected);
    }
    kernel_close(stray);
    kernel_close(NULL);
    program_close(program);
    program_close(NULL);
    plethron_device_close(device);
    unsetenv("PLETHRON_KERNEL_DIR");
    support_folder_close(folder);
}

/* ---- Two devices at once ----------------------------------------------------------------------------------------- */

enum { N_ROWS = 300, N_COLUMNS = 7, N_UNITS = 3 };

typedef struct job {
    const char *selector;
    plethron_status status;
    plethron_error err;
    float P[N_ROWS * N_UNITS];
} job;

static plethron_status work(job *self, plethron_device **device, plethron_dataset **dataset, plethron_bank **bank) {
    static const int64_t epochs = 60;
    const plethron_bank_options options = {
        .struct_size = sizeof options, .epochs = {&epochs, 1}, .init = PLETHRON_INIT_NORMAL};
    float X[N_ROWS * N_COLUMNS], Y[N_ROWS];
    for (int e = 0; e < N_ROWS * N_COLUMNS; e++) X[e] = (float)(e * 7919 % 1009) / 500.0f - 1.0f;
    for (int i = 0; i < N_ROWS; i++) Y[i] = (float)(i % 2);
    plethron_status status = plethron_device_open(self->selector, device, &self->err);
    if (status == PLETHRON_OK)
        status = plethron_dataset_create(*device, X, N_ROWS, N_COLUMNS, Y, 1, NULL, dataset, &self->err);
    if (status == PLETHRON_OK) status = plethron_bank_create(N_COLUMNS, N_UNITS, &options, bank, &self->err);
    if (status == PLETHRON_OK) status = plethron_train(*dataset, *bank, NULL, &self->err);
    if (status == PLETHRON_OK) status = plethron_predict(*device, *bank, X, N_ROWS, self->P, &self->err);
    return status;
}

static void *run_job(void *memory) {
    job *self = memory;
    plethron_device *device = NULL;
    plethron_dataset *dataset = NULL;
    plethron_bank *bank = NULL;
    self->status = work(self, &device, &dataset, &bank);
    plethron_bank_close(bank);
    plethron_dataset_close(dataset);
    plethron_device_close(device);
    return NULL;
}

static int child_two_devices(void) {
    static job jobs[] = {{.selector = "0:0"}, {.selector = "0:1"}, {.selector = "host"}};
    plethron_device_list *list = NULL;
    plethron_error err;
    pthread_t threads[COUNT(jobs)];
    child_needs(plethron_device_list_open(&list, &err) == PLETHRON_OK);
    const size_t count = plethron_device_list_count(list);
    plethron_device_list_close(list);
    if (count < COUNT(jobs)) return CHILD_SKIPPED; /* no PoCL, or one that knows its device by another name */
    for (size_t t = 0; t < COUNT(jobs); t++) child_needs(pthread_create(&threads[t], NULL, run_job, &jobs[t]) == 0);
    for (size_t t = 0; t < COUNT(jobs); t++) child_needs(pthread_join(threads[t], NULL) == 0);
    for (size_t t = 0; t < COUNT(jobs); t++) {
        if (jobs[t].status != PLETHRON_OK) fprintf(stderr, "%s: %s\n", jobs[t].selector, jobs[t].err.text);
        child_needs(jobs[t].status == PLETHRON_OK);
        child_needs(memcmp(jobs[t].P, jobs[0].P, sizeof jobs[0].P) == 0);
    }
    return CHILD_WORKED;
}

static void two_devices_in_two_threads(void **state) {
    (void)state;
    need_opencl();
    /* PoCL's driver is `pthread` up to 3.1 and `cpu` later; with an unknown name it shows no device. */
    const char *settings[] = {"POCL_DEVICES=pthread pthread", "POCL_DEVICES=cpu cpu"};
    bool skipped = true;
    for (size_t s = 0; s < COUNT(settings); s++) {
        const int code = support_run_self("two-devices", &settings[s], 1);
        assert_true(code == CHILD_WORKED || code == CHILD_SKIPPED);
        skipped = skipped && code == CHILD_SKIPPED;
    }
    if (skipped) skip();
}

static int child(const char *part) {
    if (strcmp(part, "without-platforms") == 0) return child_without_platforms();
    if (strcmp(part, "two-devices") == 0) return child_two_devices();
    return CHILD_FAILED;
}

int main(int n_arguments, char **arguments) {
    if (n_arguments == 2) return child(arguments[1]);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(listing),
        cmocka_unit_test(every_form_of_selector),
        cmocka_unit_test(bad_selectors),
        cmocka_unit_test(the_environment_variable),
        cmocka_unit_test(without_platforms),
        cmocka_unit_test(after_a_fork),
        cmocka_unit_test(counters),
        cmocka_unit_test(too_large_a_buffer),
        cmocka_unit_test(upload_and_download),
        cmocka_unit_test(guards_see_stray_writes),
        cmocka_unit_test(two_devices_in_two_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
