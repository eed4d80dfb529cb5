/* Model files: what is saved comes back, and what is no model is refused. The container's own malformations are tested
 * in test_io_safetensors.c; here the files are sound safetensors with content that is wrong for a bank. */
#include "bank.h"
#include "io/safetensors.h"
#include "io_files.h"

#include <math.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>

#define MODEL_TEST(function) IO_TEST(function, "model.safetensors")

enum { N_FEATURES = 2, N_UNITS = 3 };

/* ---- Saving and loading ------------------------------------------------------------------------------------------ */

/* A bank in which nothing has its default. */
static plethron_bank *full_bank(void) {
    const float rate[] = {0.5f, 0.25f, 0x1p-149f}, l2[] = {0.0f, 1e-30f, 3e38f};
    const int64_t epochs[] = {0, 7, INT32_MAX}, loss[] = {0, 1, 2}, target[] = {0, 1, 1 << 30},
                  class[] = {-1, 2, 65534};
    const int64_t seed[] = {1, 2, (1LL << 53) - 1}, id[] = {30, 20, 10};
    const float l1[] = {3e38f, 1e-3f, 0x1p-149f}, momentum[] = {0.0f, 0.5f, 0x1.fffffep-1f}, beta2[] = {0.5f, 0, 0.75f};
    const float epsilon[] = {1.0f, 1e-30f, 1e-3f}, decay[] = {4.0f, 0.0f, 1.0f}, tolerance[] = {1.0f, 1e-30f, 3e38f};
    const int64_t optimizer[] = {3, 2, 1}, schedule[] = {2, 1, 0}, balanced[] = {1, 0, 1}, fold[] = {0, 7, 254};
    const float start[] = {1.5f, -0.0f, NAN, 3.0f, 0x1p-149f, -3e38f, 7.0f, INFINITY, 9.0f};
    const char *features[] = {"with \"quotes\", commas\nand lines", "Größe ☺"}, *targets[] = {"", "b"};
    const char *labels[] = {"no", "yes", "\\"};
    plethron_error err;
    const plethron_bank_options options = {
        .struct_size = sizeof options,
        .learning_rate = {rate, N_UNITS},
        .l2 = {l2, N_UNITS},
        .epochs = {epochs, N_UNITS},
        .loss = {loss, N_UNITS},
        .target = {target, N_UNITS},
        .positive_class = {class, N_UNITS},
        .seed = {seed, N_UNITS},
        .id = {id, N_UNITS},
        .reduction = PLETHRON_REDUCTION_SUM,
        .l1 = {l1, N_UNITS},
        .optimizer = {optimizer, N_UNITS},
        .momentum = {momentum, N_UNITS},
        .beta2 = {beta2, N_UNITS},
        .epsilon = {epsilon, N_UNITS},
        .schedule = {schedule, N_UNITS},
        .decay = {decay, N_UNITS},
        .tolerance = {tolerance, N_UNITS},
        .patience = {epochs, N_UNITS},
        .check_every = INT32_MAX,
        .weight_negative = {l1, N_UNITS},
        .weight_positive = {l2, N_UNITS},
        .balanced = {balanced, N_UNITS},
        .weight_column = {target, N_UNITS},
        .excluded_fold = {fold, N_UNITS},
        .bootstrap = {balanced, N_UNITS},
        .entity = {target, N_UNITS},
        .batch_size = 1 << 30,
        .batch_seed = (1LL << 53) - 1,
    };
    plethron_bank *bank = support_bank(N_FEATURES, N_UNITS, &options);
    memcpy(bank->weights, start, sizeof start); /* as a unit that diverged leaves them */
    for (size_t j = 0; j < N_UNITS; j++) {
        bank->state[j] = (int64_t)j + PLETHRON_UNIT_DIVERGED;
        bank->epochs_done[j] = (int64_t)j * 1000000007;
        bank->accuracy[j] = bank->auc[j] = 0.5f * (float)j;
        bank->held_out_accuracy[j] = bank->held_out_auc[j] = 0.25f * (float)j;
        bank->row_weight[j] = bank->gradient_norm[j] = 1e30f * (float)j;
    }
    bank->held_out_loss[2] = bank->held_out_error_sum[0] = -INFINITY;
    bank->final_loss[0] = INFINITY;
    bank->error_sum[1] = -INFINITY;
    strcpy(bank->strategy, "fifteen-letters");
    assert_works(plethron_bank_name_features(bank, features, &err), &err);
    assert_works(plethron_bank_name_targets(bank, 2, targets, &err), &err);
    assert_works(plethron_bank_name_classes(bank, 1, 3, labels, &err), &err);
    return bank;
}

static plethron_bank *load(const io_file *file) {
    plethron_error err;
    plethron_bank *bank = NULL;
    assert_works(plethron_bank_load(file->path, &bank, &err), &err);
    return bank;
}

static void save(const plethron_bank *bank, const io_file *file) {
    plethron_error err;
    assert_works(plethron_bank_save(bank, file->path, &err), &err);
    assert_int_equal(support_folder_count(file->folder), 1);
}

static void everything_comes_back(void **state) {
    const io_file *file = *state;
    plethron_bank *banks[] = {full_bank(), support_bank(1, 1, NULL), support_bank(700, 70, NULL)};
    for (size_t i = 0; i < COUNT(banks); i++) {
        save(banks[i], file);
        plethron_bank *loaded = load(file);
        assert_true(support_same_banks(loaded, banks[i]));
        assert_false(support_same_banks(loaded, banks[(i + 1) % COUNT(banks)]));
        plethron_bank_close(loaded);
    }
    for (size_t i = 0; i < COUNT(banks); i++) plethron_bank_close(banks[i]);
}

static void equal_banks_make_equal_files(void **state) {
    const io_file *file = *state;
    size_t n_first = 0, n_second = 0;
    plethron_bank *one = full_bank(), *other = full_bank();
    save(one, file);
    char *first = support_read(file->path, &n_first);
    save(other, file);
    char *second = support_read(file->path, &n_second);
    assert_int_equal(n_first, n_second);
    assert_memory_equal(first, second, n_first);
    free(second);
    plethron_bank *loaded = load(file);
    save(loaded, file);
    second = support_read(file->path, &n_second);
    assert_int_equal(n_first, n_second);
    assert_memory_equal(first, second, n_first);
    free(second);
    free(first);
    plethron_bank_close(loaded);
    plethron_bank_close(other);
    plethron_bank_close(one);
}

static bool stop_at_once(void *context, const plethron_progress *progress) {
    (void)context;
    return progress->epoch < 1;
}

/* A bank that is saved and loaded in the middle of its training goes on as if it had never left memory. */
static void training_goes_on_after_loading(void **state) {
    const io_file *file = *state;
    const float X[] = {0, 1, 1, 0, 1, 1, 0, 0}, Y[] = {1, 0, 1, 0};
    plethron_error err;
    plethron_device *device = support_device("host");
    plethron_dataset *dataset = support_dataset(device, X, 4, N_FEATURES, Y, 1, false);
    plethron_bank *whole = support_bank(N_FEATURES, N_UNITS, NULL), *bank = support_bank(N_FEATURES, N_UNITS, NULL);
    const plethron_train_options stop = {.struct_size = sizeof stop, .on_progress = stop_at_once};
    assert_works(plethron_train(dataset, whole, NULL, &err), &err);
    assert_int_equal(plethron_train(dataset, bank, &stop, &err), PLETHRON_ERROR_INTERRUPTED);
    save(bank, file);
    plethron_bank *loaded = load(file);
    assert_int_equal(support_unit(loaded, 0).state, PLETHRON_UNIT_INTERRUPTED);
    assert_works(plethron_train(dataset, loaded, NULL, &err), &err);
    assert_true(support_same_banks(loaded, whole));
    plethron_bank_close(loaded);
    plethron_bank_close(bank);
    plethron_bank_close(whole);
    plethron_dataset_close(dataset);
    plethron_device_close(device);
}

/* ---- Files that cannot be written or read ------------------------------------------------------------------------ */

static void saving_fails_where_no_file_can_be(void **state) {
    const io_file *file = *state;
    plethron_error err;
    char path[SUPPORT_PATH_BYTES];
    plethron_bank *bank = full_bank();
    assert_fails(PLETHRON_ERROR_FILE, plethron_bank_save(bank, file->folder, &err), &err, file->folder, "directory");
    support_path(path, file->folder, "missing/model.safetensors");
    assert_fails(PLETHRON_ERROR_FILE, plethron_bank_save(bank, path, &err), &err, path, "No such file or directory");
    assert_int_equal(plethron_bank_save(bank, path, NULL), PLETHRON_ERROR_FILE);
    assert_fails(PLETHRON_ERROR_ARGUMENT, plethron_bank_save(bank, "", &err), &err, "empty");
    assert_int_equal(support_folder_count(file->folder), 0);
    plethron_bank_close(bank);
}

/* A disk that fills up while the file is written, played by a limit on its size. */
static void a_failed_save_leaves_the_old_file(void **state) {
    const io_file *file = *state;
    plethron_error err = {.text = ""};
    struct rlimit before, tight;
    plethron_bank *old = support_bank(1, 1, NULL), *bank = support_bank(700, 70, NULL);
    save(old, file);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    tight = before;
    tight.rlim_cur = 4096;
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &tight), 0);
    const plethron_status status = plethron_bank_save(bank, file->path, &err);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    signal(SIGXFSZ, SIG_DFL);
    assert_fails(PLETHRON_ERROR_FILE, status, &err, file->path, "File too large");
    plethron_bank *loaded = load(file);
    assert_true(support_same_banks(loaded, old));
    assert_int_equal(support_folder_count(file->folder), 1);
    plethron_bank_close(loaded);
    plethron_bank_close(bank);
    plethron_bank_close(old);
}

static void loading_what_is_no_file(void **state) {
    const io_file *file = *state;
    plethron_error err;
    plethron_bank *untouched = (plethron_bank *)&err, *bank = untouched;
    assert_fails(PLETHRON_ERROR_FILE, plethron_bank_load(file->path, &bank, &err), &err, file->path,
                 "No such file or directory");
    assert_fails(PLETHRON_ERROR_FILE, plethron_bank_load(file->folder, &bank, &err), &err, file->folder);
    assert_ptr_equal(bank, untouched);
}

static plethron_status try_to_load(const char *path, plethron_error *err) {
    plethron_bank *bank = NULL;
    const plethron_status status = plethron_bank_load(path, &bank, err);
    assert_int_equal(status == PLETHRON_OK, bank != NULL);
    plethron_bank_close(bank);
    return status;
}

static void cut_and_spoilt_files(void **state) {
    const io_file *file = *state;
    size_t n_bytes = 0;
    plethron_bank *bank = full_bank();
    save(bank, file);
    char *bytes = support_read(file->path, &n_bytes);
    assert_int_equal(io_cut(file, bytes, n_bytes, try_to_load), 0);
    io_spoil(file, bytes, n_bytes, try_to_load);
    free(bytes);
    plethron_bank_close(bank);
}

/* ---- Sound safetensors, wrong models ----------------------------------------------------------------------------- */

enum { N_TEXTS = 11, N_TENSORS = 2 + BANK_N_ARRAYS, MAX_VALUES = 8 };

/* The arrays that a file must have; those of later releases may be missing. */
enum { N_FIRST_ARRAYS = 13 };

/* The parts of a small valid model, for changing one of them. */
typedef struct parts {
    safetensors_text texts[N_TEXTS + 1];
    size_t n_texts;
    safetensors_tensor tensors[N_TENSORS + 1];
    size_t n_tensors;
    union {
        float floats[MAX_VALUES];
        int64_t integers[MAX_VALUES];
    } values[N_TENSORS];
} parts;

static void make_parts(parts *p) {
    *p = (parts){.texts = {{"format", "plethron"},
                           {"format_version", "1"},
                           {"plethron_version", "0.1.0"},
                           {"reduction", "mean"},
                           {"strategy", "staged"},
                           {"features", "[\"a\",\"b\"]"},
                           {"targets", "[\"t\"]"},
                           {"classes", "[[\"no\",\"yes\"]]"},
                           {"check_every", "7"},
                           {"batch_size", "32"},
                           {"batch_seed", "5"}},
                 .n_texts = N_TEXTS,
                 .tensors = {{"W", SAFETENSORS_F32, 2, {N_FEATURES, N_UNITS}, p->values[0].floats},
                             {"b", SAFETENSORS_F32, 1, {N_UNITS}, p->values[1].floats}},
                 .n_tensors = N_TENSORS};
    for (size_t a = 0; a < BANK_N_ARRAYS; a++)
        p->tensors[2 + a] = (safetensors_tensor){bank_arrays[a].name,
                                                 bank_arrays[a].is_integer ? SAFETENSORS_I64 : SAFETENSORS_F32,
                                                 1,
                                                 {N_UNITS},
                                                 p->values[2 + a].integers};
    for (size_t a = 0; a < BANK_N_ARRAYS; a++) /* where 0 is not allowed */
        for (size_t j = 0; j < N_UNITS; j++) {
            if (strcmp(bank_arrays[a].name, "learning_rate") == 0) p->values[2 + a].floats[j] = 0.5f;
            if (strcmp(bank_arrays[a].name, "epsilon") == 0) p->values[2 + a].floats[j] = 0.5f;
        }
}

static void write_parts(const parts *p, const io_file *file) {
    plethron_error err;
    assert_works(safetensors_write(file->path, p->tensors, p->n_tensors, p->texts, p->n_texts, &err), &err);
}

static void expect_accepted(const parts *p, const io_file *file) {
    write_parts(p, file);
    plethron_bank_close(load(file));
}

static void expect_refused(const parts *p, const io_file *file, const char *part, const char *expected) {
    plethron_error err;
    plethron_bank *untouched = (plethron_bank *)&err, *bank = untouched;
    write_parts(p, file);
    assert_fails(PLETHRON_ERROR_FORMAT, plethron_bank_load(file->path, &bank, &err), &err, file->path, part, expected);
    assert_ptr_equal(bank, untouched);
}

/* Gives a text another value, or takes it out with NULL. */
static void change_text(parts *p, const char *key, const char *value) {
    size_t i = 0;
    while (strcmp(p->texts[i].key, key) != 0) i++;
    p->texts[i].value = value;
    if (!value) p->texts[i] = p->texts[--p->n_texts];
}

static void models_of_other_writers(void **state) {
    const io_file *file = *state;
    parts p;
    make_parts(&p);
    expect_accepted(&p, file);
    p.tensors[p.n_tensors++] = (safetensors_tensor){"more", SAFETENSORS_F32, 1, {1}, p.values[0].floats};
    p.texts[p.n_texts++] = (safetensors_text){"more", "of a later release"};
    expect_accepted(&p, file);
    make_parts(&p);
    change_text(&p, "plethron_version", NULL);
    change_text(&p, "features", "[]");
    change_text(&p, "targets", NULL);
    change_text(&p, "classes", NULL);
    change_text(&p, "check_every", NULL);
    change_text(&p, "batch_size", NULL);
    change_text(&p, "batch_seed", NULL);
    write_parts(&p, file);
    plethron_bank *bank = load(file);
    assert_int_equal(plethron_bank_check_every(bank), 10);
    assert_int_equal(plethron_bank_batch_size(bank), 0);
    assert_int_equal(plethron_bank_batch_seed(bank), 0);
    plethron_bank_close(bank);
    p.tensors[0].shape[0] = 1; /* as many features as W has rows */
    expect_accepted(&p, file);
}

static void wrong_texts(void **state) {
    const io_file *file = *state;
    const struct {
        const char *key, *value, *part, *expected;
    } cases[] = {
        {"format", NULL, "'format' is ''", "'plethron' was expected"},
        {"format", "pt", "'format' is 'pt'", "'plethron' was expected"},
        {"format_version", NULL, "'format_version' is ''", "reads '1'"},
        {"format_version", "2", "'format_version' is '2'", "reads '1'"},
        {"format_version", "1.0", "'format_version' is '1.0'", "reads '1'"},
        {"format_version", "", "'format_version' is ''", "reads '1'"},
        {"reduction", NULL, "'reduction' is ''", "mean or sum was expected"},
        {"reduction", "median", "'reduction' is 'median'", "mean or sum was expected"},
        {"strategy", NULL, "'strategy' is missing", "15 letters"},
        {"strategy", "sixteen-letters-", "'strategy' is missing or longer", "15 letters"},
        {"features", "[\"a\"]", "'features' has 1 names", "W has 2 features"},
        {"features", "[\"a\",\"b\",\"c\"]", "'features' has 3 names", "W has 2 features"},
        {"features", "[\"a\",\"a\"]", "'a' stands twice", "features"},
        {"features", "[\"a\",1]", "'features': entry 1", "is no text"},
        {"features", "[\"a\",null]", "'features': entry 1", "is no text"},
        {"features", "{\"a\":\"b\"}", "'features' is '{\"a\":\"b\"}'", "a JSON array was expected"},
        {"features", "a, b", "'features' is 'a, b'", "a JSON array was expected"},
        {"features", "[\"a\",\"b\"", "'features'", "a JSON array was expected"},
        {"features", "[\"a\",\"b\"]]", "'features'", "a JSON array was expected"},
        {"features", "", "'features' is ''", "a JSON array was expected"},
        {"features", "[\"a\\u0000\",\"b\"]", "'features'", "a JSON array was expected"},
        {"features", "[\"a\\ud800\",\"b\"]", "'features'", "a JSON array was expected"},
        {"targets", "3", "'targets' is '3'", "a JSON array was expected"},
        {"targets", NULL, "'classes' has 1 entries", "0 targets are named"},
        {"targets", "[\"t\",\"u\"]", "'classes' has 1 entries", "2 targets are named"},
        {"targets", "[[]]", "'targets': entry 0", "is no text"},
        {"classes", NULL, "'classes' has 0 entries", "1 targets are named"},
        {"classes", "[[],[]]", "'classes' has 2 entries", "1 targets are named"},
        {"classes", "[5]", "'classes': entry 0", "no array of up to 65535 labels"},
        {"classes", "[null]", "'classes': entry 0", "no array of up to 65535 labels"},
        {"classes", "[[\"a\",7]]", "'classes': entry 1", "is no text"},
        {"classes", "[[\"a\",\"a\"]]", "'a' stands twice", "classes"},
        {"classes", "\"x\"", "'classes' is '\"x\"'", "a JSON array was expected"},
        {"check_every", "often", "'check_every' is 'often'", "a whole number was expected"},
        {"check_every", "", "'check_every' is ''", "a whole number was expected"},
        {"check_every", "1e3", "'check_every' is '1e3'", "a whole number was expected"},
        {"check_every", "0", "check_every is 0", "1 to 2147483647 is allowed"},
        {"check_every", "2147483648", "check_every is 2147483648", "1 to 2147483647 is allowed"},
        {"batch_size", "99999999999999999999", "'batch_size' is '99999999999999999999'", "a whole number"},
        {"batch_size", "17", "batch_size is 17", "a multiple of 16"},
        {"batch_size", "-16", "batch_size is -16", "a multiple of 16"},
        {"batch_seed", "-1", "batch_seed is -1", "0 to 9007199254740991 is allowed"},
    };
    for (size_t c = 0; c < COUNT(cases); c++) {
        parts p;
        make_parts(&p);
        change_text(&p, cases[c].key, cases[c].value);
        expect_refused(&p, file, cases[c].part, cases[c].expected);
    }
    parts p;
    make_parts(&p);
    change_text(&p, "targets", "[\"t\",\"t\"]");
    change_text(&p, "classes", "[[],[]]");
    expect_refused(&p, file, "'t' stands twice", "targets");
    make_parts(&p);
    p.n_texts = 0; /* no __metadata__ at all */
    expect_refused(&p, file, "'format' is ''", "no plethron model");
}

/* What a file says stands in errors, which stay one line whatever it says. */
static void texts_with_lines(void **state) {
    const io_file *file = *state;
    const struct {
        const char *key, *value;
    } cases[] = {
        {"format", "a\nb"},
        {"format_version", "1\n"},
        {"reduction", "mean\n"},
        {"features", "a\nb"},
        {"targets", "a\nb"},
        {"features", "[\"a\\nb\",\"a\\nb\"]"},
        {"classes", "[[\"a\\nb\",\"a\\nb\"]]"},
    };
    for (size_t c = 0; c < COUNT(cases); c++) {
        parts p;
        make_parts(&p);
        change_text(&p, cases[c].key, cases[c].value);
        expect_refused(&p, file, "a", "e");
    }
}

/* '[["0","1",...]]' with as many labels, for free. */
static char *many_labels(size_t count) {
    char *text = malloc(count * 8 + 8), *at = text;
    assert_non_null(text);
    at += sprintf(at, "[[");
    for (size_t i = 0; i < count; i++) at += sprintf(at, "%s\"%zu\"", i ? "," : "", i);
    sprintf(at, "]]");
    return text;
}

static void as_many_classes_as_allowed(void **state) {
    const io_file *file = *state;
    parts p;
    make_parts(&p);
    char *allowed = many_labels(65535), *too_many = many_labels(65536);
    change_text(&p, "classes", allowed);
    write_parts(&p, file);
    plethron_bank *bank = load(file);
    assert_int_equal(plethron_bank_n_classes(bank, 0), 65535);
    assert_string_equal(plethron_bank_class_label(bank, 0, 65534), "65534");
    plethron_bank_close(bank);
    change_text(&p, "classes", too_many);
    expect_refused(&p, file, "'classes': entry 0", "up to 65535 labels");
    free(too_many);
    free(allowed);
}

/* Files of the first release lack what came later: each unit then has what no option would have given it. */
static void expect_default(const parts *p, const io_file *file, const bank_array *array) {
    write_parts(p, file);
    plethron_bank *bank = load(file);
    for (size_t j = 0; j < N_UNITS; j++) {
        const void *memory = bank_array_memory(bank, array);
        if (array->is_integer)
            assert_int_equal(((const int64_t *)memory)[j], (int64_t)array->otherwise);
        else if (isnan(array->otherwise))
            assert_true(isnan(((const float *)memory)[j]));
        else
            assert_true(((const float *)memory)[j] == (float)array->otherwise);
    }
    plethron_bank_close(bank);
}

static void missing_and_misshapen_tensors(void **state) {
    const io_file *file = *state;
    for (size_t t = 0; t < N_TENSORS; t++) {
        parts p;
        char quoted[32];
        make_parts(&p);
        safetensors_tensor *tensor = &p.tensors[t];
        snprintf(quoted, sizeof quoted, "'%s'", tensor->name);
        tensor->n_dimensions = 3 - tensor->n_dimensions;
        tensor->shape[1] = 1;
        expect_refused(&p, file, quoted, t == 0 ? "F32 of 1 dimensions" : "of 2 dimensions");
        make_parts(&p);
        tensor->type = tensor->type == SAFETENSORS_F32 ? SAFETENSORS_I64 : SAFETENSORS_F32;
        expect_refused(&p, file, quoted, tensor->type == SAFETENSORS_F32 ? "is F32" : "is I64");
        const size_t lengths[] = {0, N_UNITS - 1, N_UNITS + 1};
        for (size_t l = 0; t > 0 && l < COUNT(lengths); l++) {
            char found[32];
            make_parts(&p);
            tensor->shape[0] = lengths[l];
            snprintf(found, sizeof found, "has %zu values", lengths[l]);
            expect_refused(&p, file, quoted, found);
        }
        make_parts(&p);
        *tensor = p.tensors[--p.n_tensors];
        if (t < 2 + N_FIRST_ARRAYS)
            expect_refused(&p, file, "has no tensor", quoted);
        else
            expect_default(&p, file, &bank_arrays[t - 2]);
    }
}

static void absurd_shapes_of_W(void **state) {
    const io_file *file = *state;
    const struct {
        size_t n_features, n_units;
        const char *part, *expected;
    } cases[] = {
        {N_FEATURES, 0, "n_units is 0", "1 to 1073741824"},
        {0, N_UNITS, "n_features is 0", "1 to 1073741824"},
        {0, 0, "n_features is 0", "1 to 1073741824"},
        {0, (size_t)1 << 40, "n_features is 0", "1 to 1073741824"},
        {(size_t)1 << 40, 0, "n_features is 1099511627776", "1 to 1073741824"},
        {N_FEATURES, N_UNITS - 1, "'b' has 3 values", "2 were expected"},
    };
    for (size_t c = 0; c < COUNT(cases); c++) {
        parts p;
        make_parts(&p);
        p.tensors[0].shape[0] = cases[c].n_features;
        p.tensors[0].shape[1] = cases[c].n_units;
        expect_refused(&p, file, cases[c].part, cases[c].expected);
    }
}

static void values_out_of_range(void **state) {
    const io_file *file = *state;
    for (size_t a = 0; a < BANK_N_ARRAYS; a++) {
        const bank_array *array = &bank_arrays[a];
        const int64_t integers[] = {-2, INT64_MIN, INT64_MAX}; /* no array allows less than -1 */
        const float floats[] = {-1.0f, NAN, INFINITY, -INFINITY, 2.0f};
        char named[64];
        snprintf(named, sizeof named, "%s of unit 1 is ", array->name);
        for (size_t v = 0; v < (array->is_integer ? COUNT(integers) : COUNT(floats)); v++) {
            parts p;
            make_parts(&p);
            const bool allowed =
                !array->is_integer &&
                ((array->nan_allowed && isnan(floats[v])) ||
                 (floats[v] >= array->low && floats[v] <= array->high && (array->nan_allowed || !isinf(floats[v]))));
            if (array->is_integer)
                p.values[2 + a].integers[1] = integers[v];
            else
                p.values[2 + a].floats[1] = floats[v];
            if (allowed)
                expect_accepted(&p, file);
            else
                expect_refused(&p, file, named, "allowed");
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        MODEL_TEST(everything_comes_back),
        MODEL_TEST(equal_banks_make_equal_files),
        MODEL_TEST(training_goes_on_after_loading),
        MODEL_TEST(saving_fails_where_no_file_can_be),
        MODEL_TEST(a_failed_save_leaves_the_old_file),
        MODEL_TEST(loading_what_is_no_file),
        MODEL_TEST(cut_and_spoilt_files),
        MODEL_TEST(models_of_other_writers),
        MODEL_TEST(wrong_texts),
        MODEL_TEST(texts_with_lines),
        MODEL_TEST(as_many_classes_as_allowed),
        MODEL_TEST(missing_and_misshapen_tensors),
        MODEL_TEST(absurd_shapes_of_W),
        MODEL_TEST(values_out_of_range),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
