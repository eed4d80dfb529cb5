/* Programs: sources, build errors, and the cache of binaries, which must never do harm.
 *
 * Linked with --wrap for the two functions that make a program, so that the tests see where a program came from. */
#include "support.h"

#include "device_cl.h"
#include "kernel_cache.h"
#include "program.h"

#include <CL/cl.h>
#include <dirent.h>
#include <sha2.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- Counting where programs come from --------------------------------------------------------------------------- */

static struct { unsigned from_source, from_binary; } made;

cl_program __real_clCreateProgramWithSource(cl_context, cl_uint, const char **, const size_t *, cl_int *);
cl_program __wrap_clCreateProgramWithSource(cl_context, cl_uint, const char **, const size_t *, cl_int *);
cl_program __real_clCreateProgramWithBinary(cl_context, cl_uint, const cl_device_id *, const size_t *,
                                            const unsigned char **, cl_int *, cl_int *);
cl_program __wrap_clCreateProgramWithBinary(cl_context, cl_uint, const cl_device_id *, const size_t *,
                                            const unsigned char **, cl_int *, cl_int *);

cl_program __wrap_clCreateProgramWithSource(cl_context context, cl_uint n, const char **texts, const size_t *lengths,
                                            cl_int *code) {
    made.from_source++;
    return __real_clCreateProgramWithSource(context, n, texts, lengths, code);
}

cl_program __wrap_clCreateProgramWithBinary(cl_context context, cl_uint n, const cl_device_id *devices,
                                            const size_t *lengths, const unsigned char **binaries, cl_int *loaded,
                                            cl_int *code) {
    made.from_binary++;
    return __real_clCreateProgramWithBinary(context, n, devices, lengths, binaries, loaded, code);
}

/* ---- A small kernel in a folder of its own ----------------------------------------------------------------------- */

static const char answer_source[] = "__kernel void answer(__global int *P_g) { P_g[get_global_id(0)] = ANSWER; }\n";

typedef struct workshop {
    plethron_device *device; /* NULL without an OpenCL device */
    bool forgets;            /* what it built before, as a process that begins */
    char kernels[SUPPORT_PATH_BYTES];
    char cache[SUPPORT_PATH_BYTES];
} workshop;

static void write_kernel(const workshop *shop, const char *name, const char *source) {
    char path[SUPPORT_PATH_BYTES];
    support_path(path, shop->kernels, name);
    support_write(path, source, strlen(source));
}

static int open_workshop(void **state) {
    workshop *shop = calloc(1, sizeof *shop);
    plethron_device *device = support_device(NULL);
    if (device_is_host(device))
        plethron_device_close(device);
    else
        shop->device = device;
    if (shop->device) shop->device->keeps_kernels = false; /* PoCL does */
    shop->forgets = true;
    support_folder_open(shop->kernels);
    support_folder_open(shop->cache);
    write_kernel(shop, "answer.cl", answer_source);
    setenv("PLETHRON_KERNEL_DIR", shop->kernels, 1);
    setenv("PLETHRON_CACHE_DIR", shop->cache, 1);
    made.from_source = made.from_binary = 0;
    *state = shop;
    return 0;
}

static int close_workshop(void **state) {
    workshop *shop = *state;
    unsetenv("PLETHRON_KERNEL_DIR");
    unsetenv("PLETHRON_CACHE_DIR");
    support_folder_close(shop->cache);
    support_folder_close(shop->kernels);
    plethron_device_close(shop->device);
    free(shop);
    return 0;
}

static const workshop *need_opencl(void **state) {
    const workshop *shop = *state;
    if (!shop->device) skip();
    return shop;
}

static plethron_status build_program(const workshop *shop, const char *const *sources, size_t n_sources,
                                     const char *options, device_program **out, plethron_error *err) {
    device_program *program = NULL;
    if (shop->forgets) device_forget_programs(shop->device);
    plethron_status status = program_open(shop->device, sources, n_sources, options, &program, err);
    if (status == PLETHRON_OK) status = program_build(program, err);
    if (status == PLETHRON_OK)
        *out = program;
    else
        program_close(program);
    return status;
}

static plethron_status open_program(const workshop *shop, const char *source, const char *options,
                                    device_program **program, plethron_error *err) {
    return build_program(shop, &source, 1, options, program, err);
}

/* Builds the small kernel with a build option, runs it and checks what it wrote. */
static void expect_answer_of(const workshop *shop, int option, int answer) {
    enum { N = 4 };
    const kernel_range range = {{N, 1, 1}, {1, 1, 1}};
    plethron_error err;
    device_program *program = NULL;
    device_kernel *kernel = NULL;
    device_buffer *buffer = NULL;
    char options[32];
    int got[N] = {0};
    snprintf(options, sizeof options, "-DANSWER=%d", option);
    assert_works(open_program(shop, "answer.cl", options, &program, &err), &err);
    assert_works(program_kernel(program, "answer", &kernel, &err), &err);
    assert_works(device_buffer_create(shop->device, sizeof got, "answers", &buffer, &err), &err);
    assert_works(kernel_launch(kernel, &range, &err, "b", buffer), &err);
    assert_works(device_buffer_download(buffer, 0, sizeof got, got, &err), &err);
    for (size_t i = 0; i < N; i++) assert_int_equal(got[i], answer);
    device_buffer_close(buffer);
    kernel_close(kernel);
    program_close(program);
}

static void expect_answer(const workshop *shop, int answer) {
    expect_answer_of(shop, answer, answer);
}

/* The same, and where the program came from: `from_source` and `from_binary` programs were made. */
static void expect_made(const workshop *shop, int answer, unsigned from_source, unsigned from_binary) {
    made.from_source = made.from_binary = 0;
    expect_answer(shop, answer);
    assert_int_equal(made.from_source, from_source);
    assert_int_equal(made.from_binary, from_binary);
}

/* The one file in the cache. */
static void cached_path(const workshop *shop, char path[SUPPORT_PATH_BYTES]) {
    assert_int_equal(support_folder_count(shop->cache), 1);
    DIR *folder = opendir(shop->cache);
    assert_non_null(folder);
    for (struct dirent *entry = readdir(folder); entry; entry = readdir(folder))
        if (entry->d_name[0] != '.') support_path(path, shop->cache, entry->d_name);
    closedir(folder);
}

/* ---- Sources ----------------------------------------------------------------------------------------------------- */

static const char *embedded(const char *name) {
    for (const kernel_source *source = kernel_sources; source->name; source++)
        if (strcmp(source->name, name) == 0) return source->text;
    return NULL;
}

static void every_kernel_file_is_embedded(void **state) {
    (void)state;
    size_t n_files = 0, n_embedded = 0, n_bytes = 0;
    DIR *folder = opendir(PLETHRON_KERNELS);
    assert_non_null(folder);
    for (struct dirent *entry = readdir(folder); entry; entry = readdir(folder)) {
        char path[SUPPORT_PATH_BYTES];
        const char *ending = strrchr(entry->d_name, '.');
        if (!ending || strcmp(ending, ".cl") != 0) continue;
        support_path(path, PLETHRON_KERNELS, entry->d_name);
        char *text = support_read(path, &n_bytes);
        assert_non_null(embedded(entry->d_name));
        assert_string_equal(embedded(entry->d_name), text);
        free(text);
        n_files++;
    }
    closedir(folder);
    for (const kernel_source *source = kernel_sources; source->name; source++) n_embedded++;
    assert_int_equal(n_embedded, n_files);
    assert_true(n_files >= 8);
}

static void build_errors_name_file_and_line(void **state) {
    const workshop *shop = need_opencl(state);
    plethron_error err = {.text = ""};
    device_program *untouched = (device_program *)&err, *program = untouched;
    write_kernel(shop, "broken.cl", "__kernel void broken(__global int *P_g) {\n\n    P_g[0] = no_such_name;\n}\n");
    assert_int_equal(open_program(shop, "broken.cl", "", &program, &err), PLETHRON_ERROR_KERNEL);
    assert_int_equal(err.status, PLETHRON_ERROR_KERNEL);
    assert_int_equal(err.opencl_code, CL_BUILD_PROGRAM_FAILURE);
    assert_non_null(strstr(err.text, "cannot build the kernels"));
    assert_non_null(strstr(err.text, "broken.cl:3"));
    assert_int_equal(open_program(shop, "broken.cl", "", &program, NULL), PLETHRON_ERROR_KERNEL);
    /* the line is that of the file it stands in, whatever stands before */
    const char *sources[] = {"answer.cl", "broken.cl"};
    assert_int_equal(build_program(shop, sources, 2, "-DANSWER=1", &program, &err), PLETHRON_ERROR_KERNEL);
    assert_non_null(strstr(err.text, "broken.cl:3"));
    assert_ptr_equal(program, untouched);
    assert_int_equal(support_folder_count(shop->cache), 0);
}

static void a_long_build_log_is_cut(void **state) {
    const workshop *shop = need_opencl(state);
    enum { LINES = 200 };
    plethron_error err = {.text = ""};
    device_program *program = NULL;
    char source[LINES * 40] = "__kernel void broken(void) {\n";
    for (size_t line = 0; line < LINES; line++) strcat(source, "    no_such_name++;\n");
    strcat(source, "}\n");
    write_kernel(shop, "broken.cl", source);
    assert_int_equal(open_program(shop, "broken.cl", "", &program, &err), PLETHRON_ERROR_KERNEL);
    assert_true(strlen(err.text) < sizeof err.text);
    assert_non_null(strstr(err.text, "broken.cl:2"));
}

/* The same for a kernel of the library, through the public interface. */
static void a_broken_stage_fails_the_training(void **state) {
    const workshop *shop = need_opencl(state);
    const float X[2] = {0, 1};
    plethron_error err = {.text = ""};
    for (const kernel_source *source = kernel_sources; source->name; source++)
        write_kernel(shop, source->name, source->text);
    plethron_dataset *dataset = support_dataset(shop->device, X, 2, 1, X, 1, false);
    plethron_bank *bank = support_bank(1, 1, NULL);
    const plethron_train_options how = {.struct_size = sizeof how, .strategy = "staged"};
    write_kernel(shop, "update.cl", "\n__kernel void update(int wrong, no_such_type x) {}\n");
    assert_int_equal(plethron_train(dataset, bank, &how, &err), PLETHRON_ERROR_KERNEL);
    assert_non_null(strstr(err.text, "update.cl:2"));
    assert_true(plethron_bank_weights(bank)[0] == 0.0f);
    write_kernel(shop, "update.cl", embedded("update.cl"));
    assert_works(plethron_train(dataset, bank, &how, &err), &err);
    plethron_bank_close(bank);
    plethron_dataset_close(dataset);
}

static void sources_that_are_not_there(void **state) {
    const workshop *shop = need_opencl(state);
    plethron_error err;
    device_program *program = NULL;
    char path[SUPPORT_PATH_BYTES];
    assert_fails(PLETHRON_ERROR_FILE, open_program(shop, "missing.cl", "", &program, &err), &err, shop->kernels,
                 "missing.cl", "cannot be opened", "PLETHRON_KERNEL_DIR");
    support_path(path, shop->kernels, "folder.cl");
    assert_int_equal(mkdir(path, 0700), 0);
    assert_fails(PLETHRON_ERROR_FILE, open_program(shop, "folder.cl", "", &program, &err), &err, "folder.cl",
                 "cannot be read");
    char *large = malloc((1 << 20) + 1);
    assert_non_null(large);
    memset(large, ' ', 1 << 20);
    large[1 << 20] = '\0';
    write_kernel(shop, "large.cl", large);
    free(large);
    assert_fails(PLETHRON_ERROR_FILE, open_program(shop, "large.cl", "", &program, &err), &err, "large.cl",
                 "over 1048575 bytes");
    unsetenv("PLETHRON_KERNEL_DIR");
    assert_fails(PLETHRON_ERROR_KERNEL, open_program(shop, "missing.cl", "", &program, &err), &err, "missing.cl",
                 "not part of this build");
    assert_null(program);
}

static void kernels_that_are_not_there(void **state) {
    const workshop *shop = need_opencl(state);
    const kernel_range once = {{1, 1, 1}, {1, 1, 1}};
    plethron_error err;
    device_program *program = NULL;
    device_kernel *kernel = NULL;
    assert_works(open_program(shop, "answer.cl", "-DANSWER=1", &program, &err), &err);
    assert_works(program_kernel(program, "question", &kernel, &err), &err);
    assert_fails(PLETHRON_ERROR_DEVICE, kernel_launch(kernel, &once, &err, ""), &err, "question", "OpenCL");
    assert_int_equal(err.opencl_code, CL_INVALID_KERNEL_NAME);
    kernel_close(kernel);
    program_close(program);
}

/* A program that no kernel is launched of is not built. */
static void nothing_is_built_before_it_is_needed(void **state) {
    const workshop *shop = need_opencl(state);
    plethron_error err;
    const char *source = "broken.cl";
    device_program *program = NULL;
    device_kernel *kernel = NULL;
    write_kernel(shop, source, "__kernel void broken(no_such_type x) {}\n");
    assert_works(program_open(shop->device, &source, 1, "", &program, &err), &err);
    assert_works(program_kernel(program, "broken", &kernel, &err), &err);
    assert_int_equal(made.from_source, 0);
    kernel_close(kernel);
    program_close(program);
}

/* ---- What the device keeps --------------------------------------------------------------------------------------- */

static void a_program_is_built_once_a_device(void **state) {
    workshop *shop = *state;
    need_opencl(state);
    shop->forgets = false;
    setenv("PLETHRON_CACHE_DIR", "", 1);
    expect_made(shop, 42, 1, 0);
    expect_made(shop, 42, 0, 0);
    expect_made(shop, 43, 1, 0); /* other options */
    expect_made(shop, 42, 0, 0);
    write_kernel(shop, "answer.cl",
                 "__kernel void answer(__global int *P_g) { P_g[get_global_id(0)] = ANSWER + 1; }\n");
    made.from_source = 0;
    expect_answer_of(shop, 42, 43); /* another source */
    assert_int_equal(made.from_source, 1);
}

static void the_oldest_program_makes_room(void **state) {
    workshop *shop = *state;
    need_opencl(state);
    shop->forgets = false;
    setenv("PLETHRON_CACHE_DIR", "", 1);
    write_kernel(shop, "answer.cl", answer_source);
    for (int i = 0; i <= MAX_KEPT_PROGRAMS; i++) expect_made(shop, i, 1, 0);
    expect_made(shop, 1, 0, 0);
    expect_made(shop, 0, 1, 0);
    expect_made(shop, 1, 1, 0);
}

/* ---- The cache --------------------------------------------------------------------------------------------------- */

/* A runtime's own cache is enough. */
static void a_runtime_that_keeps_kernels(void **state) {
    const workshop *shop = need_opencl(state);
    shop->device->keeps_kernels = true;
    expect_made(shop, 42, 1, 0);
    assert_int_equal(support_folder_count(shop->cache), 0);
}

static void a_binary_is_written_once_and_read_later(void **state) {
    const workshop *shop = need_opencl(state);
    expect_made(shop, 42, 1, 0);
    assert_int_equal(support_folder_count(shop->cache), 1);
    expect_made(shop, 42, 0, 1);
    expect_made(shop, 42, 0, 1);
    assert_int_equal(support_folder_count(shop->cache), 1);
    expect_made(shop, 43, 1, 0); /* other options, another key */
    assert_int_equal(support_folder_count(shop->cache), 2);
    expect_made(shop, 42, 0, 1);
    write_kernel(shop, "answer.cl", "__kernel void answer(__global int *P_g) { P_g[get_global_id(0)] = 7; }\n");
    expect_made(shop, 7, 1, 0); /* another source, too */
    assert_int_equal(support_folder_count(shop->cache), 3);
}

static void an_empty_folder_name_turns_the_cache_off(void **state) {
    const workshop *shop = need_opencl(state);
    setenv("PLETHRON_CACHE_DIR", "", 1);
    expect_made(shop, 42, 1, 0);
    expect_made(shop, 42, 1, 0);
    assert_int_equal(support_folder_count(shop->cache), 0);
}

static void the_folder_is_made_and_found(void **state) {
    const workshop *shop = need_opencl(state);
    char deep[SUPPORT_PATH_BYTES], home[SUPPORT_PATH_BYTES] = "", xdg[SUPPORT_PATH_BYTES] = "";
    support_path(deep, shop->cache, "a/b/c");
    setenv("PLETHRON_CACHE_DIR", deep, 1);
    expect_made(shop, 42, 1, 0);
    assert_int_equal(support_folder_count(deep), 1);
    expect_made(shop, 42, 0, 1);
    /* without the variable: $XDG_CACHE_HOME/plethron, else $HOME/.cache/plethron */
    if (getenv("HOME")) snprintf(home, sizeof home, "%s", getenv("HOME"));
    if (getenv("XDG_CACHE_HOME")) snprintf(xdg, sizeof xdg, "%s", getenv("XDG_CACHE_HOME"));
    unsetenv("PLETHRON_CACHE_DIR");
    setenv("XDG_CACHE_HOME", shop->cache, 1);
    expect_made(shop, 42, 1, 0);
    support_path(deep, shop->cache, "plethron");
    assert_int_equal(support_folder_count(deep), 1);
    unsetenv("XDG_CACHE_HOME");
    setenv("HOME", shop->cache, 1);
    expect_made(shop, 42, 1, 0);
    support_path(deep, shop->cache, ".cache/plethron");
    assert_int_equal(support_folder_count(deep), 1);
    unsetenv("HOME");
    expect_made(shop, 42, 1, 0); /* nowhere to keep it */
    if (*home) setenv("HOME", home, 1);
    if (*xdg) setenv("XDG_CACHE_HOME", xdg, 1);
}

static void a_folder_that_cannot_be_used(void **state) {
    const workshop *shop = need_opencl(state);
    char path[SUPPORT_PATH_BYTES], long_path[4096];
    support_path(path, shop->kernels, "answer.cl/inside"); /* below a file */
    setenv("PLETHRON_CACHE_DIR", path, 1);
    expect_made(shop, 42, 1, 0);
    support_path(path, shop->kernels, "answer.cl"); /* a file itself */
    setenv("PLETHRON_CACHE_DIR", path, 1);
    expect_made(shop, 42, 1, 0);
    memset(long_path, 'x', sizeof long_path - 1);
    long_path[0] = '/';
    long_path[sizeof long_path - 1] = '\0';
    setenv("PLETHRON_CACHE_DIR", long_path, 1);
    expect_made(shop, 42, 1, 0);
    setenv("PLETHRON_CACHE_DIR", "/proc/no-such-folder", 1);
    expect_made(shop, 42, 1, 0);
    setenv("PLETHRON_CACHE_DIR", shop->cache, 1);
    assert_int_equal(chmod(shop->cache, 0500), 0); /* does not stop root, which then writes its file */
    expect_made(shop, 42, 1, 0);
    assert_int_equal(chmod(shop->cache, 0700), 0);
    assert_int_equal(support_folder_count(shop->cache), geteuid() == 0 ? 1 : 0);
}

/* A damaged file is never used, and a good one takes its place. */
static void expect_repaired(const workshop *shop, const char *path, const char *good, size_t n_bytes) {
    size_t n_now = 0;
    expect_made(shop, 42, 1, 0);
    char *now = support_read(path, &n_now);
    assert_int_equal(n_now, n_bytes);
    free(now);
    assert_int_equal(support_folder_count(shop->cache), 1); /* no temporary file is left */
    expect_made(shop, 42, 0, 1);
    support_write(path, good, n_bytes);
}

static void damaged_files(void **state) {
    const workshop *shop = need_opencl(state);
    enum { STEP = 97, STEPS_A_BUILD = 50, N_FLIPS = 16 };
    char path[SUPPORT_PATH_BYTES], key[PROGRAM_KEY_LENGTH + 1] = "";
    size_t n_bytes = 0, n_read = 0;
    expect_made(shop, 42, 1, 0);
    cached_path(shop, path);
    memcpy(key, strrchr(path, '/') + 1, sizeof key - 1);
    unsigned char *binary = kernel_cache_read(key, &n_read);
    assert_non_null(binary); /* the undamaged one */
    free(binary);
    char *good = support_read(path, &n_bytes), *bad = malloc(n_bytes + 1);
    assert_non_null(bad);
    for (size_t length = 0; length < n_bytes; length += STEP) {
        support_write(path, good, length);
        assert_null(kernel_cache_read(key, &n_read));
        if (length / STEP % STEPS_A_BUILD == 0) expect_repaired(shop, path, good, n_bytes);
    }
    for (size_t flip = 0; flip < N_FLIPS; flip++) { /* magic, digest, and all over the binary */
        const size_t at = flip < 4 ? flip * 10 : n_bytes * flip / N_FLIPS;
        memcpy(bad, good, n_bytes);
        bad[at] = (char)(bad[at] ^ 1 << flip % 8);
        support_write(path, bad, n_bytes);
        expect_repaired(shop, path, good, n_bytes);
    }
    memcpy(bad, good, n_bytes);
    bad[n_bytes] = 0;
    support_write(path, bad, n_bytes + 1); /* a byte too many */
    expect_repaired(shop, path, good, n_bytes);
    free(bad);
    free(good);
}

/* A file whose digest is right but whose content no driver wrote: the driver refuses it, the source serves. */
static void a_foreign_binary_with_an_honest_digest(void **state) {
    const workshop *shop = need_opencl(state);
    static const char magic[8] = "PLEKERN1", payload[] = "this is no program binary of any driver at all";
    char path[SUPPORT_PATH_BYTES], file[sizeof magic + SHA256_DIGEST_LENGTH + sizeof payload];
    uint8_t digest[SHA256_DIGEST_LENGTH];
    SHA2_CTX context;
    size_t n_bytes = 0;
    expect_made(shop, 42, 1, 0);
    cached_path(shop, path);
    char *good = support_read(path, &n_bytes);
    SHA256Init(&context);
    SHA256Update(&context, (const uint8_t *)payload, sizeof payload);
    SHA256Final(digest, &context);
    memcpy(file, magic, sizeof magic);
    memcpy(file + sizeof magic, digest, sizeof digest);
    memcpy(file + sizeof magic + sizeof digest, payload, sizeof payload);
    assert_memory_equal(good, magic, sizeof magic); /* else this test would test nothing */
    support_write(path, file, sizeof file);
    expect_made(shop, 42, 1, 1); /* tried, refused */
    expect_made(shop, 42, 0, 1); /* and replaced */
    free(good);
}

static void something_else_in_the_files_place(void **state) {
    const workshop *shop = need_opencl(state);
    char path[SUPPORT_PATH_BYTES], other[SUPPORT_PATH_BYTES];
    size_t n_bytes = 0;
    expect_made(shop, 42, 1, 0);
    cached_path(shop, path);
    char *good = support_read(path, &n_bytes);
    support_path(other, shop->kernels, "elsewhere");
    support_write(other, good, n_bytes);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(mkdir(path, 0700), 0); /* a folder: cannot be read, nor replaced */
    expect_made(shop, 42, 1, 0);
    assert_int_equal(support_folder_count(shop->cache), 1);
    assert_int_equal(rmdir(path), 0);
    assert_int_equal(symlink(other, path), 0); /* a link is not followed, but replaced */
    expect_made(shop, 42, 1, 0);
    expect_made(shop, 42, 0, 1);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(mkfifo(path, 0600), 0); /* a pipe would block its reader for ever */
    alarm(60);
    expect_made(shop, 42, 1, 0);
    alarm(0);
    expect_made(shop, 42, 0, 1);
    free(good);
}

#define WITH_WORKSHOP(test) cmocka_unit_test_setup_teardown(test, open_workshop, close_workshop)

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_kernel_file_is_embedded),
        WITH_WORKSHOP(build_errors_name_file_and_line),
        WITH_WORKSHOP(a_long_build_log_is_cut),
        WITH_WORKSHOP(a_broken_stage_fails_the_training),
        WITH_WORKSHOP(sources_that_are_not_there),
        WITH_WORKSHOP(kernels_that_are_not_there),
        WITH_WORKSHOP(nothing_is_built_before_it_is_needed),
        WITH_WORKSHOP(a_program_is_built_once_a_device),
        WITH_WORKSHOP(the_oldest_program_makes_room),
        WITH_WORKSHOP(a_runtime_that_keeps_kernels),
        WITH_WORKSHOP(a_binary_is_written_once_and_read_later),
        WITH_WORKSHOP(an_empty_folder_name_turns_the_cache_off),
        WITH_WORKSHOP(the_folder_is_made_and_found),
        WITH_WORKSHOP(a_folder_that_cannot_be_used),
        WITH_WORKSHOP(damaged_files),
        WITH_WORKSHOP(a_foreign_binary_with_an_honest_digest),
        WITH_WORKSHOP(something_else_in_the_files_place),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
