#include "faults_stages.h"

#include "ceilings.h"
#include "device_cl.h"
#include "faults_full.h"
#include "train.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { N = SCENE_SAMPLES, N_FEATURES = 3, N_UNITS = SCENE_UNITS, N_TARGETS = 2 };
static const float X[N * N_FEATURES] = {0, 1, 0, 0, 0, 1, 1, 0, 0, 1, 1, 0, 1, 1, 1};
static const float Y[N * N_TARGETS] = {1, 2, 0, 1, 0, 0, 1, 0, 1, 1};

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

static plethron_status create_entity_dataset(scene *s, plethron_error *err) {
    return entity_dataset(s->device, &s->dataset, err);
}

static plethron_status create_entity_bank(scene *s, plethron_error *err) {
    return entity_bank(&s->bank, err);
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

/* One of each group of the scene's units. */
static const int64_t group_offsets[] = {0, 2, 3};
static const int32_t group_units[] = {2, 0, 1};
static const plethron_top likeliest = {1, COUNT(group_offsets) - 1, group_offsets, group_units, true};

static plethron_status predict_top(scene *s, plethron_error *err) {
    plethron_status status;
    const plethron_predictor_options options = {.struct_size = sizeof options, .top = &likeliest};
    plethron_predictor *predictor = NULL;
    TRY(plethron_predictor_open(s->device, s->bank, &options, &predictor, err));
    TRY(plethron_predictor_top(predictor, X, N, s->units, s->P, err));
out:
    plethron_predictor_close(predictor);
    return status;
}

static plethron_status find_top(scene *s, plethron_error *err) {
    static const float P[N * N_UNITS] = {0.5f, 0.25f, 1.0f};
    return plethron_top_find(&likeliest, P, N, N_UNITS, s->units, s->P, err);
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

static const int64_t sparse_offsets[] = {0, 2, 2, 3};
static const int32_t sparse_columns[] = {0, 2, 1};
static const float sparse_values[] = {1.0f, 2.0f, 3.0f};
static const plethron_sparse sparse_rows = {3, N_FEATURES, sparse_offsets, sparse_columns, sparse_values};

static plethron_status predict_sparse(scene *s, plethron_error *err) {
    return plethron_predict_sparse(s->device, s->bank, &sparse_rows, s->P, err);
}

static plethron_status predict_top_sparse(scene *s, plethron_error *err) {
    plethron_status status;
    const plethron_predictor_options options = {.struct_size = sizeof options, .sparse = true, .top = &likeliest};
    plethron_predictor *predictor = NULL;
    TRY(plethron_predictor_open(s->device, s->bank, &options, &predictor, err));
    TRY(plethron_predictor_top_sparse(predictor, &sparse_rows, s->units, s->P, err));
out:
    plethron_predictor_close(predictor);
    return status;
}

static plethron_status find_classes(scene *s, plethron_error *err) {
    return plethron_table_classes(s->table, 0, &s->classes, err);
}

static plethron_status make_labels(scene *s, plethron_error *err) {
    static const char *const texts[] = {"Person 1", "Person 3"};
    return plethron_labels_make(COUNT(texts), texts, &s->labels, err);
}

static plethron_status find_labels(scene *s, plethron_error *err) {
    int64_t codes[SCENE_SAMPLES];
    return plethron_labels_find(s->labels, s->table, 1, 0, SCENE_SAMPLES, codes, err);
}

/* As little as can be measured, in a buffer of huge pages; what was measured before stays after a failure. */
static plethron_status measure_ceilings(scene *s, plethron_error *err) {
    static const ceilings_effort little = {
        .n_repeats = 1, .n_launches = 1, .read_bytes = MEMORY_HUGE_BYTES, .copy_bytes = 1 << 12};
    plethron_ceilings ceilings = {.struct_size = sizeof ceilings, .launch_s = -1.0};
    const plethron_status status = ceilings_measure(s->device, &little, &ceilings, err);
    assert_true(status == PLETHRON_OK ? ceilings.launch_s > 0.0 : ceilings.launch_s == -1.0);
    return status;
}

/* All closing functions take NULL. */
void scene_clear(scene *s) {
    plethron_labels_close(s->labels);
    plethron_classes_close(s->classes);
    plethron_sparse_table_close(s->sparse);
    plethron_table_close(s->table);
    plethron_checkpoint_close(s->checkpoint);
    plethron_bank_close(s->bank);
    plethron_dataset_close(s->dataset);
    plethron_device_close(s->device);
    s->labels = NULL;
    s->classes = NULL;
    s->table = NULL;
    s->checkpoint = NULL;
    s->sparse = NULL;
    s->bank = NULL;
    s->dataset = NULL;
    s->device = NULL;
}

const stage stages[N_STAGES] = {
    {"device", {open_device}},
    {"data set", {open_device, create_dataset}},
    {"train", {open_device, create_dataset, create_bank, train}},
    {"predict", {open_device, create_bank, predict}},
    {"predict the likeliest", {open_device, create_bank, predict_top}},
    {"ceilings", {open_device, measure_ceilings}},
    {"bank", {create_bank}},
    {"the likeliest at hand", {find_top}},
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
    {"labels", {make_labels}},
    {"labels of rows", {open_csv, make_labels, find_labels}},
};

const stage full_stages[N_FULL_STAGES] = {
    {"full data set", {open_device, create_full_dataset}},
    {"full bank", {create_full_bank}},
    {"train a full bank", {open_device, create_full_dataset, create_full_bank, train_with_areas}},
    {"train units of entities", {open_device, create_entity_dataset, create_entity_bank, train_with_areas}},
    {"train in batches", {open_device, create_full_dataset, create_batched_bank, train_with_areas}},
};

const stage sparse_stages[N_SPARSE_STAGES] = {
    {"sparse data set", {open_device, create_sparse_dataset}},
    {"train sparse", {open_device, create_sparse_dataset, create_full_bank, train_with_areas}},
    {"train sparse in batches", {open_device, create_sparse_dataset, create_batched_bank, train_with_areas}},
    {"predict sparse", {open_device, create_bank, predict_sparse}},
    {"predict the likeliest of sparse rows", {open_device, create_bank, predict_top_sparse}},
    {"sparse svmlight", {open_sparse_svmlight}},
    {"sparse npz", {open_sparse_npz}},
};

const stage resume_stage = {"resume", {open_device, create_full_dataset, create_full_bank, load_checkpoint, resume}};

const stage flush_stage = {"train, flush", {open_device, create_dataset, create_patient_bank, train_staged}};

void stage_prepare(const stage *of, scene *s) {
    plethron_error err;
    for (size_t i = 0; i + 1 < MAX_STEPS && of->steps[i + 1]; i++) assert_works(of->steps[i](s, &err), &err);
}

step stage_last_step(const stage *of) {
    size_t i = 0;
    while (i + 1 < MAX_STEPS && of->steps[i + 1]) i++;
    return of->steps[i];
}

/* ---- Scenes ------------------------------------------------------------------------------------------------------ */

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
    scene_clear(&begun);
}

int scene_open(void **state) {
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
    scene_clear(&first);
    make_checkpoint(empty);
    *state = empty;
    return 0;
}

int scene_close(void **state) {
    scene *empty = *state;
    if (access(empty->cache, F_OK) == 0) support_folder_close(empty->cache);
    support_folder_close(empty->checkpoint_folder);
    support_folder_close(empty->folder);
    free(empty);
    return 0;
}

bool scene_has_opencl(const scene *s) {
    return strcmp(s->selector, "host") != 0;
}
