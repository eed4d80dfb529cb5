/* Fault injection: the Nth OpenCL call or allocation of each stage of work fails, for every N. Each time the stage must
 * answer with an error and one line of text, leave its outputs as they were, and leak nothing. When N exceeds what the
 * stage needs, it works. */
#include "support.h"

#include "cases.h"
#include "device_cl.h"
#include "faults_stages.h"
#include "faults_wrap.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* ---- One fault --------------------------------------------------------------------------------------------------- */

/* A buffer's memory goes with it, which may be when a kernel that was left at work is done. */
static void wait_for_memory(long count) {
    enum { MOST_MS = 10000 };
    for (int ms = 0; faults_live.memory != count && ms < MOST_MS; ms++)
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
}

static void expect_same_objects(const faults_objects *before) {
    wait_for_memory(before->memory);
    assert_int_equal(faults_live.memory, before->memory);
    assert_int_equal(faults_live.locales, before->locales);
    assert_int_equal(faults_live.files, before->files);
    assert_int_equal(faults_live.contexts, before->contexts);
    assert_int_equal(faults_live.queues, before->queues);
    assert_int_equal(faults_live.buffers, before->buffers);
    assert_int_equal(faults_live.mappings, before->mappings);
    assert_int_equal(faults_live.programs, before->programs);
    assert_int_equal(faults_live.kernels, before->kernels);
}

static void expect_error(plethron_status status, const plethron_error *err) {
    assert_true(status < 0 && status != PLETHRON_ERROR_INTERRUPTED);
    assert_int_equal(err->status, status);
    assert_true(*err->text);
    assert_non_null(memchr(err->text, '\0', sizeof err->text));
    if (status != PLETHRON_ERROR_KERNEL) assert_null(strchr(err->text, '\n')); /* a build log has lines */
}

static void expect_file(const char *path, const char *bytes, size_t n_bytes) {
    size_t n_now = 0;
    char *now = support_read(path, &n_now);
    assert_int_equal(n_now, n_bytes);
    assert_memory_equal(now, bytes, n_bytes);
    free(now);
}

/* Each prediction is as it was, or the right one. */
static void expect_predictions(const scene *now, const scene *before, const scene *reference) {
    for (size_t i = 0; i < SCENE_SAMPLES * SCENE_UNITS; i++)
        assert_true(memcmp(&now->P[i], &before->P[i], sizeof now->P[i]) == 0 ||
                    memcmp(&now->P[i], &reference->P[i], sizeof now->P[i]) == 0);
}

/* No output pointer was set, and the bank is as it was. */
static void expect_untouched(const scene *now, const scene *before, const plethron_bank *bank_before) {
    assert_ptr_equal(now->device, before->device);
    assert_ptr_equal(now->dataset, before->dataset);
    assert_ptr_equal(now->bank, before->bank);
    assert_ptr_equal(now->checkpoint, before->checkpoint);
    assert_ptr_equal(now->table, before->table);
    assert_ptr_equal(now->sparse, before->sparse);
    assert_ptr_equal(now->classes, before->classes);
    assert_ptr_equal(now->labels, before->labels);
    if (now->bank) assert_true(support_same_banks(now->bank, bank_before));
}

/* How a stage is run. */
typedef enum manner {
    /* Nothing to fall back on: any failed call but a release must end in an error. */
    PLAIN,
    /* With a kernel cache and guards work may go on without what failed, by design: a binary that cannot be read or
     * kept, a margin that cannot be checked (which then counts as violated). So success and error are both right; a
     * leak, a crash or a wrong result never is. */
    WARM_CACHE,
    COLD_CACHE
} manner;

static plethron_status run_with_fault(const stage *of, scene *s, const faults_plan *plan, manner how,
                                      faults_result *result) {
    plethron_error err = {.text = ""};
    faults_arm(plan);
    const plethron_status status = stage_last_step(of)(s, &err);
    *result = faults_disarm();
    if (how == PLAIN) assert_int_equal(status != PLETHRON_OK, result->n_failed > 0);
    if (result->n_failed == 0) assert_works(status, &err);
    if (status != PLETHRON_OK) expect_error(status, &err);
    return status;
}

/* ---- All faults of a stage --------------------------------------------------------------------------------------- */

/* What the stage gives without faults. */
static void expect_result(const scene *s, const scene *reference) {
    assert_int_equal(s->device != NULL, reference->device != NULL);
    assert_int_equal(s->dataset != NULL, reference->dataset != NULL);
    assert_int_equal(s->bank != NULL, reference->bank != NULL);
    assert_int_equal(s->checkpoint != NULL, reference->checkpoint != NULL);
    assert_int_equal(s->table != NULL, reference->table != NULL);
    assert_int_equal(s->sparse != NULL, reference->sparse != NULL);
    assert_int_equal(s->classes != NULL, reference->classes != NULL);
    assert_int_equal(s->labels != NULL, reference->labels != NULL);
    assert_memory_equal(s->P, reference->P, sizeof s->P);
    if (s->bank) assert_true(support_same_banks(s->bank, reference->bank));
}

/* The scene in front of the stage. */
static void set_up(const stage *of, const scene *empty, manner how, scene *s) {
    enum { MARGIN_BYTES = 64 };
    *s = *empty;
    stage_prepare(of, s);
    if (s->device && how != PLAIN) device_guard_buffers(s->device, MARGIN_BYTES);
}

/* Each run builds what it needs, so that building fails, too. */
static void forget_programs(const scene *s) {
    if (s->device) device_forget_programs(s->device);
}

/* `plan` says which calls; its nth, the first at the start, is set here: every stride-th call. */
static void fail_calls(const stage *of, const scene *empty, faults_plan plan, unsigned long stride, manner how) {
    const faults_objects at_start = faults_live;
    plethron_error err;
    scene reference, unchanged, s;
    size_t n_model_bytes = 0;
    char *model = support_read(empty->model, &n_model_bytes);
    set_up(of, empty, how, &unchanged);
    set_up(of, empty, how, &s);
    set_up(of, empty, how, &reference);
    assert_works(stage_last_step(of)(&reference, &err), &err);
    unsigned long n_faults = 0;
    for (bool fault_free = false; !fault_free;) {
        const scene before = s;
        forget_programs(&s);
        const faults_objects live_before = faults_live;
        faults_result result;
        support_write(empty->model, model, n_model_bytes);
        if (how == COLD_CACHE && access(empty->cache, F_OK) == 0) support_folder_close(empty->cache);
        const plethron_status status = run_with_fault(of, &s, &plan, how, &result);
        if (status != PLETHRON_OK) {
            expect_untouched(&s, &before, unchanged.bank);
            expect_predictions(&s, &before, &reference);
            expect_file(empty->model, model, n_model_bytes);
        } else {
            expect_result(&s, &reference);
            scene_clear(&s);
            set_up(of, empty, how, &s);
        }
        forget_programs(&s);
        expect_same_objects(&live_before);
        assert_int_equal(support_folder_count(empty->folder), 1); /* no temporary file is left */
        fault_free = result.n_failed == 0 && result.n_failed_releases == 0;
        n_faults += !fault_free;
        plan.nth += stride;
    }
    assert_true(n_faults > 0); /* there was something to fail */
    print_message("%s: %lu faults, %s\n", of->name, n_faults, plan.later_too ? "each for good" : "one at a time");
    scene_clear(&s);
    scene_clear(&unchanged);
    scene_clear(&reference);
    support_write(empty->model, model, n_model_bytes);
    free(model);
    expect_same_objects(&at_start);
}

static void fail_every_call(const stage *of, const scene *empty, faults_plan plan, manner how) {
    plan.nth = 1;
    fail_calls(of, empty, plan, 1, how);
}

static void fail_everywhere(const scene *empty, size_t first, size_t end, bool later_too, manner how) {
    for (size_t i = first; i < end; i++) fail_every_call(&stages[i], empty, (faults_plan){.later_too = later_too}, how);
}

/* ---- The tests --------------------------------------------------------------------------------------------------- */

static void without_a_device(void **state) {
    fail_everywhere(*state, FIRST_WITHOUT_DEVICE, N_STAGES, false, PLAIN);
    fail_everywhere(*state, FIRST_WITHOUT_DEVICE, N_STAGES, true, PLAIN);
}

/* Opening the host is left out: an OpenCL device that cannot say whether it is available is passed over. */
static void on_the_host(void **state) {
    scene empty = *(const scene *)*state;
    empty.selector = "host";
    fail_everywhere(&empty, FIRST_WITH_KERNELS, FIRST_WITHOUT_DEVICE, false, PLAIN);
    fail_everywhere(&empty, FIRST_WITH_KERNELS, FIRST_WITHOUT_DEVICE, true, PLAIN);
}

static void on_a_device(void **state) {
    const scene *empty = *state;
    if (!scene_has_opencl(empty)) skip();
    fail_everywhere(empty, 0, FIRST_WITHOUT_DEVICE, false, PLAIN);
    fail_everywhere(empty, 0, FIRST_WITHOUT_DEVICE, true, PLAIN);
}

/* On the host each call; on a device, where an attempt builds ten programs, one call of STRIDE, and others in each run
 * of the tests that has another seed. */
static void with_everything(void **state) {
    enum { STRIDE = 23 };
    const scene *given = *state;
    scene host = *given;
    host.selector = "host";
    for (size_t i = 0; i < N_FULL_STAGES; i++) {
        fail_every_call(&full_stages[i], &host, (faults_plan){.later_too = false}, PLAIN);
        fail_every_call(&full_stages[i], &host, (faults_plan){.later_too = true}, PLAIN);
        if (scene_has_opencl(given)) {
            const unsigned long first = 1 + (unsigned long)(case_seed() % STRIDE);
            fail_calls(&full_stages[i], given, (faults_plan){.nth = first}, STRIDE, PLAIN);
        }
    }
}

/* Checkpoints are taken on the host, whatever the device. */
static void resumed(void **state) {
    scene host = *(const scene *)*state;
    host.selector = "host";
    fail_every_call(&resume_stage, &host, (faults_plan){.later_too = false}, PLAIN);
    fail_every_call(&resume_stage, &host, (faults_plan){.later_too = true}, PLAIN);
}

static void with_sparse_features(void **state) {
    scene host = *(const scene *)*state;
    host.selector = "host";
    for (size_t i = 0; i < N_SPARSE_STAGES; i++) {
        fail_every_call(&sparse_stages[i], &host, (faults_plan){.later_too = false}, PLAIN);
        fail_every_call(&sparse_stages[i], &host, (faults_plan){.later_too = true}, PLAIN);
    }
}

static void sparse_predictions_on_a_device(void **state) {
    enum { PREDICT = 3, PREDICT_TOP = 4 };
    if (!scene_has_opencl(*state)) skip();
    for (size_t i = PREDICT; i <= PREDICT_TOP; i++) {
        fail_every_call(&sparse_stages[i], *state, (faults_plan){.later_too = false}, PLAIN);
        fail_every_call(&sparse_stages[i], *state, (faults_plan){.later_too = true}, PLAIN);
    }
}

static void a_failing_flush(void **state) {
    if (!scene_has_opencl(*state)) skip();
    fail_every_call(&flush_stage, *state, (faults_plan){.one_function = true, .function = FAULTS_clFlush}, PLAIN);
}

static void on_a_device_with_cache(void **state) {
    const scene *empty = *state;
    if (!scene_has_opencl(empty)) skip();
    setenv("PLETHRON_CACHE_DIR", empty->cache, 1);
    fail_everywhere(empty, FIRST_WITH_KERNELS, FIRST_WITHOUT_DEVICE, false, WARM_CACHE);
#ifndef __SANITIZE_ADDRESS__ /* each fault compiles the kernels anew, which is what takes long there */
    fail_everywhere(empty, FIRST_WITH_KERNELS, FIRST_WITHOUT_DEVICE, false, COLD_CACHE);
#endif
    setenv("PLETHRON_CACHE_DIR", "", 1);
}

/* ---- Nothing is forgotten ---------------------------------------------------------------------------------------- */

/* Functions of the C library that allocate, or make something that must be closed. Not mmap: what cannot be mapped is
 * read instead, by a thread whose calls have no fixed order. */
static const char *const allocating[] = {
    "malloc",    "calloc",    "realloc",  "reallocarray", "aligned_alloc",  "posix_memalign", "memalign", "valloc",
    "strdup",    "strndup",   "asprintf", "vasprintf",    "getline",        "getdelim",       "realpath", "getcwd",
    "newlocale", "duplocale", "fopen",    "fdopen",       "open_memstream", "fmemopen",       "tmpfile",  "popen",
    "opendir",   "fdopendir", "scandir",  "regcomp",      "getaddrinfo",    "dlopen",
};

static bool must_be_wrapped(const char *symbol) {
    if (strncmp(symbol, "cl", 2) == 0 && symbol[2] >= 'A' && symbol[2] <= 'Z') return true;
    for (size_t i = 0; i < COUNT(allocating); i++)
        if (strcmp(symbol, allocating[i]) == 0) return true;
    return false;
}

static bool is_wrapped(const char *symbol) {
    for (size_t i = 0; i < FAULTS_N_WRAPPED; i++)
        if (strcmp(symbol, faults_names[i]) == 0) return true;
    return false;
}

/* Every such function that the static library calls, as nm lists them. */
static void all_calls_are_wrapped(void **state) {
    (void)state;
    char line[256], symbol[256];
    size_t n_found = 0;
    FILE *list = popen(PLETHRON_NM " -u '" PLETHRON_STATIC_LIBRARY "'", "r");
    assert_non_null(list);
    while (fgets(line, sizeof line, list)) {
        if (sscanf(line, " U %255s", symbol) != 1 || !must_be_wrapped(symbol)) continue;
        n_found++;
        if (!is_wrapped(symbol)) fail_msg("the library calls %s, which faults_wrap.h does not list", symbol);
    }
    assert_int_equal(pclose(list), 0);
    assert_true(n_found > 0);
}

/* And every wrapper was called by the tests above: it is in its place, and the stages lead past it. */
static void all_wrappers_were_called(void **state) {
    if (!scene_has_opencl(*state)) skip();
    for (size_t i = 0; i < FAULTS_N_WRAPPED; i++)
        if (faults_calls[i] == 0) fail_msg("%s was never called", faults_names[i]);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_calls_are_wrapped),
        cmocka_unit_test(without_a_device),
        cmocka_unit_test(on_the_host),
        cmocka_unit_test(on_a_device),
        cmocka_unit_test(with_everything),
        cmocka_unit_test(resumed),
        cmocka_unit_test(with_sparse_features),
        cmocka_unit_test(sparse_predictions_on_a_device),
        cmocka_unit_test(a_failing_flush),
        cmocka_unit_test(on_a_device_with_cache),
        cmocka_unit_test(all_wrappers_were_called),
    };
    json_set_alloc_funcs(faults_jansson_malloc, faults_jansson_free);
    return cmocka_run_group_tests(tests, scene_open, scene_close);
}
