/* Exported models: what the library alone decides. What other programs make of them is tested in tests/cli. */
#include "export.h"
#include "io_files.h"

#include <jansson.h>
#include <math.h>
#include <signal.h>
#include <sys/resource.h>

#include "onnx.pb-c.h"

#define EXPORT_TEST(function) IO_TEST(function, "model")

enum { N_FEATURES = 2, N_UNITS = 3 };

static const float start[(N_FEATURES + 1) * N_UNITS] = {1.5f,      -0.0f, NAN,  1e-45f,     0.1f,
                                                        -INFINITY, 3e38f, 7.0f, 16777217.0f};

static plethron_bank *make_bank(void) {
    const int64_t target[] = {0, 1, 5}, class[] = {-1, 2, 7};
    const char *labels[] = {"no", "yes", "tab\there"}, *targets[] = {"", "q\"\\"};
    plethron_error err;
    const plethron_bank_options options = {
        .struct_size = sizeof options, .target = {target, N_UNITS}, .positive_class = {class, N_UNITS}};
    plethron_bank *bank = support_bank(N_FEATURES, N_UNITS, &options);
    memcpy(bank->weights, start, sizeof start); /* after training they may be what no start may */
    assert_works(plethron_bank_name_targets(bank, 2, targets, &err), &err);
    assert_works(plethron_bank_name_classes(bank, 1, 3, labels, &err), &err);
    return bank;
}

/* The file that the format makes, for free. */
static char *export_as(const plethron_bank *bank, plethron_export_format format, const io_file *file, size_t *n) {
    plethron_error err;
    assert_works(plethron_bank_export(bank, format, file->path, &err), &err);
    return support_read(file->path, n);
}

/* ---- JSON -------------------------------------------------------------------------------------------------------- */

static float number_of(const json_t *value) {
    if (json_is_null(value)) return NAN;
    if (json_is_string(value)) return strcmp(json_string_value(value), "Infinity") == 0 ? INFINITY : -INFINITY;
    return (float)json_number_value(value);
}

static void json_keeps_every_bit(void **state) {
    size_t n;
    plethron_bank *bank = make_bank();
    char *text = export_as(bank, PLETHRON_EXPORT_JSON, *state, &n);
    json_t *model = json_loadb(text, n, JSON_REJECT_DUPLICATES, NULL);
    assert_non_null(model);
    const json_t *units = json_object_get(model, "units");
    assert_int_equal(json_array_size(units), N_UNITS);
    for (size_t j = 0; j < N_UNITS; j++) {
        const json_t *unit = json_array_get(units, j), *weights = json_object_get(unit, "weights");
        for (size_t k = 0; k <= N_FEATURES; k++) {
            const json_t *value = k < N_FEATURES ? json_array_get(weights, k) : json_object_get(unit, "bias");
            const float got = number_of(value), want = start[k * N_UNITS + j];
            assert_true(isnan(want) ? isnan(got) : got == want && !signbit(got) == !signbit(want));
        }
    }
    json_decref(model);
    free(text);
    plethron_bank_close(bank);
}

static void json_names_what_has_names(void **state) {
    size_t n;
    plethron_bank *bank = make_bank();
    char *text = export_as(bank, PLETHRON_EXPORT_JSON, *state, &n);
    json_t *model = json_loadb(text, n, 0, NULL);
    assert_non_null(model);
    const json_t *units = json_object_get(model, "units");
    const json_t *plain = json_array_get(units, 0), *named = json_array_get(units, 1),
                 *beyond = json_array_get(units, 2);
    assert_string_equal(json_string_value(json_object_get(plain, "target")), "");
    assert_true(json_is_null(json_object_get(plain, "positive_class")));
    assert_string_equal(json_string_value(json_object_get(named, "target")), "q\"\\");
    assert_string_equal(json_string_value(json_object_get(named, "positive_class")), "tab\there");
    assert_int_equal(json_integer_value(json_object_get(beyond, "target")), 5);
    assert_int_equal(json_integer_value(json_object_get(beyond, "positive_class")), 7);
    json_decref(model);
    free(text);
    plethron_bank_close(bank);
}

/* ---- ONNX -------------------------------------------------------------------------------------------------------- */

static void onnx_holds_the_weights(void **state) {
    size_t n;
    plethron_bank *bank = make_bank();
    char *bytes = export_as(bank, PLETHRON_EXPORT_ONNX, *state, &n);
    Onnx__ModelProto *model = onnx__model_proto__unpack(NULL, n, (const uint8_t *)bytes);
    assert_non_null(model);
    const Onnx__GraphProto *graph = model->graph;
    assert_int_equal(graph->n_node, 2);
    assert_string_equal(graph->node[0]->op_type, "Gemm");
    assert_string_equal(graph->node[1]->op_type, "Sigmoid");
    assert_string_equal(graph->output[0]->name, "predictions");
    assert_int_equal(graph->n_initializer, 2);
    const ProtobufCBinaryData weights = graph->initializer[0]->raw_data, biases = graph->initializer[1]->raw_data;
    assert_int_equal(weights.len, N_FEATURES * N_UNITS * sizeof(float));
    assert_memory_equal(weights.data, start, weights.len);
    assert_int_equal(biases.len, N_UNITS * sizeof(float));
    assert_memory_equal(biases.data, start + N_FEATURES * N_UNITS, biases.len);
    onnx__model_proto__free_unpacked(model, NULL);
    free(bytes);
    plethron_bank_close(bank);
}

/* ---- What is refused --------------------------------------------------------------------------------------------- */

static void unknown_formats_are_refused(void **state) {
    const io_file *file = *state;
    plethron_error err;
    plethron_bank *bank = make_bank();
    for (int format = -1; format <= 3; format += 4)
        assert_fails(PLETHRON_ERROR_ARGUMENT,
                     plethron_bank_export(bank, (plethron_export_format)format, file->path, &err), &err, "format");
    assert_int_equal(support_folder_count(file->folder), 0);
    plethron_bank_close(bank);
}

static void entities_are_refused(void **state) {
    const io_file *file = *state;
    const char *labels[] = {"a"};
    plethron_error err;
    plethron_bank *bank = make_bank();
    assert_works(plethron_bank_name_entities(bank, "shop", 1, labels, &err), &err);
    assert_fails(PLETHRON_ERROR_UNSUPPORTED, plethron_bank_export(bank, PLETHRON_EXPORT_C, file->path, &err), &err,
                 file->path, "'shop'");
    assert_fails(PLETHRON_ERROR_UNSUPPORTED, plethron_bank_export(bank, PLETHRON_EXPORT_ONNX, file->path, &err), &err,
                 file->path, "'shop'");
    assert_int_equal(support_folder_count(file->folder), 0);
    assert_works(plethron_bank_export(bank, PLETHRON_EXPORT_JSON, file->path, &err), &err);
    plethron_bank_close(bank);
}

/* A file may grow to 64 bytes: as on a full disk, every write behind them fails. */
static void a_full_disk_leaves_no_file(void **state) {
    const io_file *file = *state;
    struct rlimit before, small;
    plethron_error err;
    plethron_bank *bank = make_bank();
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    small = (struct rlimit){64, before.rlim_max};
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    for (int format = PLETHRON_EXPORT_ONNX; format <= PLETHRON_EXPORT_JSON; format++)
        assert_fails(PLETHRON_ERROR_FILE, plethron_bank_export(bank, (plethron_export_format)format, file->path, &err),
                     &err, file->path);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    assert_int_equal(support_folder_count(file->folder), 0);
    plethron_bank_close(bank);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        EXPORT_TEST(json_keeps_every_bit),   EXPORT_TEST(json_names_what_has_names),
        EXPORT_TEST(onnx_holds_the_weights), EXPORT_TEST(unknown_formats_are_refused),
        EXPORT_TEST(entities_are_refused),   EXPORT_TEST(a_full_disk_leaves_no_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
