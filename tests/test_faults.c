/* Fault injection: the Nth OpenCL call or allocation of each stage of work fails, for every N. Each time the stage must
 * answer with an error and one line of text, leave its outputs as they were, and leak nothing. When N exceeds what the
 * stage needs, it works. */
#include "support.h"

#include "cases.h"
#include "ceilings.h"
#include "device_cl.h"
#include "faults_full.h"
#include "faults_wrap.h"
#include "train.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { N = 5, N_FEATURES = 3, N_UNITS = 3, N_TARGETS = 2 }; /* a number of units that fills no vector */
static const float X[N * N_FEATURES] = {0, 1, 0, 0, 0, 1, 1, 0, 0, 1, 1, 0, 1, 1, 1};
static const float Y[N * N_TARGETS] = {1, 2, 0, 1, 0, 0, 1, 0, 1, 1};

/* What the stages work on. */
typedef struct scene {
    const char *selector;
    char folder[SUPPORT_PATH_BYTES]; /* the model file stands here, alone */
    char model[SUPPORT_PATH_BYTES];
    char checkpoint_folder[SUPPORT_PATH_BYTES], checkpoint_path[SUPPORT_PATH_BYTES]; /* one of `begin_training` */
    char cache[SUPPORT_PATH_BYTES];                                                  /* of kernels; may not exist */
    plethron_device *device;
    plethron_dataset *dataset;
    plethron_bank *bank;
    plethron_checkpoint *checkpoint;
    plethron_table *table;
    plethron_sparse_table *sparse;
    plethron_classes *classes;
    float P[N * N_UNITS];
} scene;

/* ---- Stages ------------------------------------------------------------------------------------------------------ */

static const char *const features[] = {"smoking", "obesity", "exercise"};
static const char *const targets[] = {"diabetic", "group"};
static const char *const labels[] = {"a", "b", "c"};

static plethron_status open_device(scene *s, plethron_error *err) {
    const plethron_status status = plethron_device_open(s->selector, &s->device, err);
    if (status == PLETHRON_OK) s->device->keeps_kernels = false; /* the library's own cache is to fail, too */
    return status;
}

static plethron_status create_dataset(scene *s, plethron_error *err) {
    const plethron_dataset_options options = {.struct_size = sizeof options, .standardize = true};
    return plethron_dataset_create(s->device, X, N, N_FEATURES, Y, N_TARGETS, &options, &s->dataset, err);
}

static plethron_status create_bank_of(int64_t epochs, scene *s, plethron_error *err) {
    static const int64_t target[N_UNITS] = {0, 1, 1}, class[N_UNITS] = {PLETHRON_NO_CLASS, 2, 0};
    const plethron_bank_options options = {
        .struct_size = sizeof options,
        .epochs = {&epochs, 1},
        .target = {target, N_UNITS},
        .positive_class = {class, N_UNITS},
        .init = PLETHRON_INIT_NORMAL,
    };
    return plethron_bank_create(N_FEATURES, N_UNITS, &options, &s->bank, err);
}

static plethron_status create_bank(scene *s, plethron_error *err) {
    return create_bank_of(2, s, err);
}

/* Epochs enough for a flush: 64 launches. */
static plethron_status create_patient_bank(scene *s, plethron_error *err) {
    return create_bank_of(20, s, err);
}

static plethron_status name_features(scene *s, plethron_error *err) {
    return plethron_bank_name_features(s->bank, features, err);
}

static plethron_status name_targets(scene *s, plethron_error *err) {
    return plethron_bank_name_targets(s->bank, N_TARGETS, targets, err);
}

static plethron_status name_classes(scene *s, plethron_error *err) {
    return plethron_bank_name_classes(s->bank, 1, COUNT(labels), labels, err);
}

static const tile_sizes *narrow_tiling(void) {
    size_t count = 0;
    const tile_sizes *tilings = tilings_all(&count);
    for (size_t i = 0; i < count; i++)
        if (strcmp(tilings[i].name, "wide-1") == 0) return &tilings[i];
    return NULL;
}

static void ignore_measures(void *context, const plethron_measures *measures) {
    (void)context;
    (void)measures;
}

static plethron_status train(scene *s, plethron_error *err) {
    const plethron_train_options options = {
        .struct_size = sizeof options, .measure_every = 2, .on_measures = ignore_measures};
    return train_with_tiling(s->dataset, s->bank, &options, narrow_tiling(), err);
}

/* Launches for each epoch, so that they are handed to the device in between. */
static plethron_status train_staged(scene *s, plethron_error *err) {
    const plethron_train_options options = {.struct_size = sizeof options, .strategy = "staged"};
    return train_with_tiling(s->dataset, s->bank, &options, narrow_tiling(), err);
}

static plethron_status create_full_dataset(scene *s, plethron_error *err) {
    return full_dataset(s->device, &s->dataset, err);
}

static plethron_status create_full_bank(scene *s, plethron_error *err) {
    return full_bank(&s->bank, err);
}

static plethron_status create_batched_bank(scene *s, plethron_error *err) {
    return batched_bank(&s->bank, err);
}

static plethron_status train_with_areas(scene *s, plethron_error *err) {
    const plethron_train_options options = {.struct_size = sizeof options, .measure_every = 2, .auc = true};
    return train_with_tiling(s->dataset, s->bank, &options, narrow_tiling(), err);
}

/* A strategy that the host has, too, so that a checkpoint from there serves on each device. */
static const char of_checkpoints[] = "grouped";

static bool stop_at_once(void *context, const plethron_progress *progress) {
    (void)context;
    return progress->epoch < 1;
}

static void keep_at_path(void *context, const plethron_checkpoint *checkpoint) {
    const scene *s = context;
    plethron_error err;
    assert_works(plethron_checkpoint_save(checkpoint, s->checkpoint_path, &err), &err);
}

static void ignore_checkpoint(void *context, const plethron_checkpoint *checkpoint) {
    (void)context;
    (void)checkpoint;
}

/* Stops after an epoch and leaves a checkpoint in its file. */
static plethron_status begin_training(scene *s, plethron_error *err) {
    const plethron_train_options options = {.struct_size = sizeof options,
                                            .strategy = of_checkpoints,
                                            .on_progress = stop_at_once,
                                            .on_checkpoint = keep_at_path,
                                            .context = s};
    return plethron_train(s->dataset, s->bank, &options, err);
}

static plethron_status load_checkpoint(scene *s, plethron_error *err) {
    return plethron_checkpoint_load(s->checkpoint_path, &s->checkpoint, err);
}

static plethron_status save_checkpoint(scene *s, plethron_error *err) {
    return plethron_checkpoint_save(s->checkpoint, s->model, err);
}

/* Goes on from the checkpoint, and gives others. */
static plethron_status resume(scene *s, plethron_error *err) {
    const plethron_train_options options = {.struct_size = sizeof options,
                                            .on_checkpoint = ignore_checkpoint,
                                            .checkpoint_every_s = 1e-9,
                                            .resume = s->checkpoint};
    return train_with_tiling(s->dataset, s->bank, &options, narrow_tiling(), err);
}

static plethron_status predict(scene *s, plethron_error *err) {
    return plethron_predict(s->device, s->bank, X, N, s->P, err);
}

static plethron_status save(scene *s, plethron_error *err) {
    return plethron_bank_save(s->bank, s->model, err);
}

static plethron_status export_json(scene *s, plethron_error *err) {
    return plethron_bank_export(s->bank, PLETHRON_EXPORT_JSON, s->model, err);
}

static plethron_status export_c(scene *s, plethron_error *err) {
    return plethron_bank_export(s->bank, PLETHRON_EXPORT_C, s->model, err);
}

static plethron_status export_onnx(scene *s, plethron_error *err) {
    return plethron_bank_export(s->bank, PLETHRON_EXPORT_ONNX, s->model, err);
}

static plethron_status load(scene *s, plethron_error *err) {
    return plethron_bank_load(s->model, &s->bank, err);
}

static plethron_status open_csv(scene *s, plethron_error *err) {
    return plethron_table_open(PLETHRON_EXAMPLES "/diabetes.csv", &s->table, err);
}

static plethron_status open_npy(scene *s, plethron_error *err) {
    return plethron_table_open(PLETHRON_EXAMPLES "/diabetes-init.npy", &s->table, err);
}

static plethron_status open_npz(scene *s, plethron_error *err) {
    return plethron_table_open(PLETHRON_CORPUS "/npz/deflated:x", &s->table, err);
}

static plethron_status open_hdf5(scene *s, plethron_error *err) {
    return plethron_table_open(PLETHRON_CORPUS "/hdf5/packed:/x", &s->table, err);
}

static plethron_status open_safetensors(scene *s, plethron_error *err) {
    return plethron_table_open(PLETHRON_CORPUS "/safetensors/types:W", &s->table, err);
}

static plethron_status open_svmlight(scene *s, plethron_error *err) {
    return plethron_table_open(PLETHRON_CORPUS "/svmlight/labels", &s->table, err);
}

static plethron_status open_sparse_svmlight(scene *s, plethron_error *err) {
    return plethron_sparse_table_open(PLETHRON_CORPUS "/svmlight/one-based", NULL, &s->sparse, err);
}

static plethron_status open_sparse_npz(scene *s, plethron_error *err) {
    return plethron_sparse_table_open(PLETHRON_CORPUS "/npz_sparse/doubled", NULL, &s->sparse, err);
}

static plethron_status create_sparse_dataset(scene *s, plethron_error *err) {
    return full_sparse_dataset(s->device, &s->dataset, err);
}

static plethron_status predict_sparse(scene *s, plethron_error *err) {
    static const int64_t offsets[] = {0, 2, 2, 3};
    static const int32_t columns[] = {0, 2, 1};
    static const float values[] = {1.0f, 2.0f, 3.0f};
    const plethron_sparse rows = {3, N_FEATURES, offsets, columns, values};
    return plethron_predict_sparse(s->device, s->bank, &rows, s->P, err);
}

static plethron_status find_classes(scene *s, plethron_error *err) {
    return plethron_table_classes(s->table, 0, &s->classes, err);
}

/* As little as can be measured; what was measured before stays after a failure. */
static plethron_status measure_ceilings(scene *s, plethron_error *err) {
    static const ceilings_effort little = {
        .n_repeats = 1, .n_launches = 1, .read_bytes = 1 << 16, .copy_bytes = 1 << 12};
    plethron_ceilings ceilings = {.struct_size = sizeof ceilings, .launch_s = -1.0};
    const plethron_status status = ceilings_measure(s->device, &little, &ceilings, err);
    assert_true(status == PLETHRON_OK ? ceilings.launch_s > 0.0 : ceilings.launch_s == -1.0);
    return status;
}

/* Closes what a scene holds; all closing functions take NULL. */
static void clear(scene *s) {
    plethron_classes_close(s->classes);
    plethron_sparse_table_close(s->sparse);
    plethron_table_close(s->table);
    plethron_checkpoint_close(s->checkpoint);
    plethron_bank_close(s->bank);
    plethron_dataset_close(s->dataset);
    plethron_device_close(s->device);
    s->classes = NULL;
    s->table = NULL;
    s->checkpoint = NULL;
    s->sparse = NULL;
    s->bank = NULL;
    s->dataset = NULL;
    s->device = NULL;
}

typedef plethron_status (*step)(scene *s, plethron_error *err);

/* A stage is the last step; those before it prepare, without faults. First stages with a device, then the others. */
enum { MAX_STEPS = 6, FIRST_WITH_KERNELS = 1, FIRST_WITHOUT_DEVICE = 5 };
static const struct stage {
    const char *name;
    step steps[MAX_STEPS];
} stages[] = {
    {"device", {open_device}},
    {"data set", {open_device, create_dataset}},
    {"train", {open_device, create_dataset, create_bank, train}},
    {"predict", {open_device, create_bank, predict}},
    {"ceilings", {open_device, measure_ceilings}},
    {"bank", {create_bank}},
    {"names of features", {create_bank, name_targets, name_features}},
    {"names of targets", {create_bank, name_features, name_targets}},
    {"names of classes", {create_bank, name_targets, name_classes}},
    {"names again", {create_bank, name_targets, name_classes, name_features, name_targets}},
    {"save", {create_bank, name_features, name_targets, name_classes, save}},
    {"export as JSON", {create_bank, name_features, name_targets, name_classes, export_json}},
    {"export as C", {create_bank, name_features, name_targets, name_classes, export_c}},
    {"export as ONNX", {create_bank, name_features, name_targets, name_classes, export_onnx}},
    {"load", {load}},
    {"load a checkpoint", {load_checkpoint}},
    {"save a checkpoint", {load_checkpoint, save_checkpoint}},
    {"csv", {open_csv}},
    {"npy", {open_npy}},
    {"npz", {open_npz}},
    {"hdf5", {open_hdf5}},
    {"safetensors", {open_safetensors}},
    {"svmlight", {open_svmlight}},
    {"classes", {open_csv, find_classes}},
};

/* With all that a data set and a bank may have. */
static const struct stage full_stages[] = {
    {"full data set", {open_device, create_full_dataset}},
    {"full bank", {create_full_bank}},
    {"train a full bank", {open_device, create_full_dataset, create_full_bank, train_with_areas}},
    {"train in batches", {open_device, create_full_dataset, create_batched_bank, train_with_areas}},
};

/* Sparse features. */
static const struct stage sparse_stages[] = {
    {"sparse data set", {open_device, create_sparse_dataset}},
    {"train sparse", {open_device, create_sparse_dataset, create_full_bank, train_with_areas}},
    {"train sparse in batches", {open_device, create_sparse_dataset, create_batched_bank, train_with_areas}},
    {"predict sparse", {open_device, create_bank, predict_sparse}},
    {"sparse svmlight", {open_sparse_svmlight}},
    {"sparse npz", {open_sparse_npz}},
};

static void prepare(const struct stage *stage, scene *s) {
    plethron_error err;
    for (size_t i = 0; i + 1 < MAX_STEPS && stage->steps[i + 1]; i++) assert_works(stage->steps[i](s, &err), &err);
}

static step last_step(const struct stage *stage) {
    size_t i = 0;
    while (i + 1 < MAX_STEPS && stage->steps[i + 1]) i++;
    return stage->steps[i];
}

/* ---- One fault --------------------------------------------------------------------------------------------------- */

static void expect_same_objects(const faults_objects *before) {
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

/* No output pointer was set, nothing predicted, and the bank is as it was. */
static void expect_untouched(const scene *now, const scene *before, const plethron_bank *bank_before) {
    assert_ptr_equal(now->device, before->device);
    assert_ptr_equal(now->dataset, before->dataset);
    assert_ptr_equal(now->bank, before->bank);
    assert_ptr_equal(now->checkpoint, before->checkpoint);
    assert_ptr_equal(now->table, before->table);
    assert_ptr_equal(now->sparse, before->sparse);
    assert_ptr_equal(now->classes, before->classes);
    assert_memory_equal(now->P, before->P, sizeof now->P);
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

static plethron_status run_with_fault(const struct stage *stage, scene *s, const faults_plan *plan, manner how,
                                      faults_result *result) {
    plethron_error err = {.text = ""};
    faults_arm(plan);
    const plethron_status status = last_step(stage)(s, &err);
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
    assert_memory_equal(s->P, reference->P, sizeof s->P);
    if (s->bank) assert_true(support_same_banks(s->bank, reference->bank));
}

/* The scene in front of the stage. */
static void set_up(const struct stage *stage, const scene *empty, manner how, scene *s) {
    enum { MARGIN_BYTES = 64 };
    *s = *empty;
    prepare(stage, s);
    if (s->device && how != PLAIN) device_guard_buffers(s->device, MARGIN_BYTES);
}

/* `plan` says which calls; its nth, the first at the start, is set here: every stride-th call. */
static void fail_calls(const struct stage *stage, const scene *empty, faults_plan plan, unsigned long stride,
                       manner how) {
    const faults_objects at_start = faults_live;
    plethron_error err;
    scene reference, unchanged, s;
    size_t n_model_bytes = 0;
    char *model = support_read(empty->model, &n_model_bytes);
    set_up(stage, empty, how, &unchanged);
    set_up(stage, empty, how, &s);
    set_up(stage, empty, how, &reference);
    assert_works(last_step(stage)(&reference, &err), &err);
    unsigned long n_faults = 0;
    for (bool fault_free = false; !fault_free;) {
        const scene before = s;
        const faults_objects live_before = faults_live;
        faults_result result;
        support_write(empty->model, model, n_model_bytes);
        if (how == COLD_CACHE && access(empty->cache, F_OK) == 0) support_folder_close(empty->cache);
        const plethron_status status = run_with_fault(stage, &s, &plan, how, &result);
        if (status != PLETHRON_OK) {
            expect_untouched(&s, &before, unchanged.bank);
            expect_file(empty->model, model, n_model_bytes);
        } else {
            expect_result(&s, &reference);
            clear(&s);
            set_up(stage, empty, how, &s);
        }
        expect_same_objects(&live_before);
        assert_int_equal(support_folder_count(empty->folder), 1); /* no temporary file is left */
        fault_free = result.n_failed == 0 && result.n_failed_releases == 0;
        n_faults += !fault_free;
        plan.nth += stride;
    }
    assert_true(n_faults > 0); /* there was something to fail */
    print_message("%s: %lu faults, %s\n", stage->name, n_faults, plan.later_too ? "each for good" : "one at a time");
    clear(&s);
    clear(&unchanged);
    clear(&reference);
    support_write(empty->model, model, n_model_bytes);
    free(model);
    expect_same_objects(&at_start);
}

static void fail_every_call(const struct stage *stage, const scene *empty, faults_plan plan, manner how) {
    plan.nth = 1;
    fail_calls(stage, empty, plan, 1, how);
}

static void fail_everywhere(const scene *empty, size_t first, size_t end, bool later_too, manner how) {
    for (size_t i = first; i < end; i++) fail_every_call(&stages[i], empty, (faults_plan){.later_too = later_too}, how);
}

/* ---- The tests --------------------------------------------------------------------------------------------------- */

/* Of a full bank, begun on the host. */
static void make_checkpoint(scene *empty) {
    plethron_error err;
    support_folder_open(empty->checkpoint_folder);
    support_path(empty->checkpoint_path, empty->checkpoint_folder, "checkpoint");
    scene begun = *empty;
    begun.selector = "host";
    assert_works(open_device(&begun, &err), &err);
    assert_works(create_full_dataset(&begun, &err), &err);
    assert_works(create_full_bank(&begun, &err), &err);
    assert_int_equal(begin_training(&begun, &err), PLETHRON_ERROR_INTERRUPTED);
    clear(&begun);
}

static int open_scene(void **state) {
    plethron_error err;
    scene *empty = malloc(sizeof *empty);
    assert_non_null(empty);
    *empty = (scene){.selector = "host"};
    plethron_device *device = support_device(NULL);
    if (plethron_device_describe(device)->kind != PLETHRON_DEVICE_HOST) empty->selector = "0:0";
    plethron_device_close(device);
    support_folder_open(empty->folder);
    support_folder_open(empty->cache);
    support_path(empty->model, empty->folder, "model.safetensors");
    setenv("PLETHRON_CACHE_DIR", "", 1);
    scene first = *empty; /* a model without names: another content than the stage `save` writes */
    assert_works(create_bank(&first, &err), &err);
    assert_works(save(&first, &err), &err);
    clear(&first);
    make_checkpoint(empty);
    *state = empty;
    return 0;
}

static int close_scene(void **state) {
    scene *empty = *state;
    if (access(empty->cache, F_OK) == 0) support_folder_close(empty->cache);
    support_folder_close(empty->checkpoint_folder);
    support_folder_close(empty->folder);
    free(empty);
    return 0;
}

static bool has_opencl(const scene *empty) {
    return strcmp(empty->selector, "host") != 0;
}

static void without_a_device(void **state) {
    fail_everywhere(*state, FIRST_WITHOUT_DEVICE, COUNT(stages), false, PLAIN);
    fail_everywhere(*state, FIRST_WITHOUT_DEVICE, COUNT(stages), true, PLAIN);
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
    if (!has_opencl(empty)) skip();
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
    for (size_t i = 0; i < COUNT(full_stages); i++) {
        fail_every_call(&full_stages[i], &host, (faults_plan){.later_too = false}, PLAIN);
        fail_every_call(&full_stages[i], &host, (faults_plan){.later_too = true}, PLAIN);
        if (has_opencl(given)) {
            const unsigned long first = 1 + (unsigned long)(case_seed() % STRIDE);
            fail_calls(&full_stages[i], given, (faults_plan){.nth = first}, STRIDE, PLAIN);
        }
    }
}

/* Checkpoints are taken on the host, whatever the device. */
static void resumed(void **state) {
    static const struct stage stage = {"resume",
                                       {open_device, create_full_dataset, create_full_bank, load_checkpoint, resume}};
    scene host = *(const scene *)*state;
    host.selector = "host";
    fail_every_call(&stage, &host, (faults_plan){.later_too = false}, PLAIN);
    fail_every_call(&stage, &host, (faults_plan){.later_too = true}, PLAIN);
}

static void with_sparse_features(void **state) {
    scene host = *(const scene *)*state;
    host.selector = "host";
    for (size_t i = 0; i < COUNT(sparse_stages); i++) {
        fail_every_call(&sparse_stages[i], &host, (faults_plan){.later_too = false}, PLAIN);
        fail_every_call(&sparse_stages[i], &host, (faults_plan){.later_too = true}, PLAIN);
    }
}

static void a_failing_flush(void **state) {
    static const struct stage patient = {"train, flush",
                                         {open_device, create_dataset, create_patient_bank, train_staged}};
    if (!has_opencl(*state)) skip();
    fail_every_call(&patient, *state, (faults_plan){.one_function = true, .function = FAULTS_clFlush}, PLAIN);
}

static void on_a_device_with_cache(void **state) {
    const scene *empty = *state;
    if (!has_opencl(empty)) skip();
    setenv("PLETHRON_CACHE_DIR", empty->cache, 1);
    fail_everywhere(empty, FIRST_WITH_KERNELS, FIRST_WITHOUT_DEVICE, false, WARM_CACHE);
    fail_everywhere(empty, FIRST_WITH_KERNELS, FIRST_WITHOUT_DEVICE, false, COLD_CACHE);
    setenv("PLETHRON_CACHE_DIR", "", 1);
}

/* ---- Nothing is forgotten ---------------------------------------------------------------------------------------- */

/* Functions of the C library that allocate, or make something that must be closed. */
static const char *const allocating[] = {
    "malloc",    "calloc",    "realloc",  "reallocarray", "aligned_alloc",  "posix_memalign", "memalign", "valloc",
    "strdup",    "strndup",   "asprintf", "vasprintf",    "getline",        "getdelim",       "realpath", "getcwd",
    "newlocale", "duplocale", "fopen",    "fdopen",       "open_memstream", "fmemopen",       "tmpfile",  "popen",
    "opendir",   "fdopendir", "scandir",  "mmap",         "regcomp",        "getaddrinfo",    "dlopen",
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
    if (!has_opencl(*state)) skip();
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
        cmocka_unit_test(a_failing_flush),
        cmocka_unit_test(on_a_device_with_cache),
        cmocka_unit_test(all_wrappers_were_called),
    };
    json_set_alloc_funcs(faults_jansson_malloc, faults_jansson_free);
    return cmocka_run_group_tests(tests, open_scene, close_scene);
}
