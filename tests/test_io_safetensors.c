/* Writing and reading safetensors files. */
#include "io/safetensors.h"
#include "io_files.h"

#include <sys/stat.h>
#include <unistd.h>

enum { LENGTH_BYTES = 8, MAX_BYTES = 4096 };

static const float W[] = {1.0f, -2.5f, 0.1f, 3.0f, 1e-30f, -0.0f};
static const float b[] = {7.0f, 8.0f, 9.0f};
static const int64_t n_epochs[] = {-1, INT64_MAX, INT64_MIN};

static const safetensors_tensor three_tensors[] = {
    {"W", SAFETENSORS_F32, 2, {2, 3}, W},
    {"b", SAFETENSORS_F32, 1, {3}, b},
    {"epochs", SAFETENSORS_I64, 1, {3}, n_epochs},
};
static const safetensors_text two_texts[] = {{"format", "1"}, {"name", "say \"\xC3\xA9t\xC3\xA9\"\n"}};

static void write_three(const char *path) {
    plethron_error err;
    assert_works(safetensors_write(path, three_tensors, COUNT(three_tensors), two_texts, COUNT(two_texts), &err), &err);
}

static safetensors_file *open_written(const char *path) {
    plethron_error err;
    safetensors_file *file = NULL;
    assert_works(safetensors_open(path, &file, &err), &err);
    return file;
}

/* The tensor is in the file, aligned, with this shape and content. */
static void expect_tensor(const safetensors_file *file, const safetensors_tensor *wanted) {
    plethron_error err;
    safetensors_tensor got;
    const size_t item_bytes = wanted->type == SAFETENSORS_F32 ? sizeof(float) : sizeof(int64_t);
    size_t n_bytes = item_bytes;
    assert_works(safetensors_tensor_get(file, wanted->name, wanted->type, wanted->n_dimensions, &got, &err), &err);
    assert_string_equal(got.name, wanted->name);
    assert_int_equal(got.type, wanted->type);
    assert_int_equal(got.n_dimensions, wanted->n_dimensions);
    for (int d = 0; d < wanted->n_dimensions; d++) {
        assert_int_equal(got.shape[d], wanted->shape[d]);
        n_bytes *= got.shape[d];
    }
    assert_int_equal((uintptr_t)got.data % item_bytes, 0);
    if (n_bytes > 0) assert_memory_equal(got.data, wanted->data, n_bytes);
}

/* Writes a file of a header's length, a header and some bytes 0, 1, 2, ... of data. */
static void write_raw(const io_file *file, const char *header, size_t n_data_bytes) {
    unsigned char bytes[MAX_BYTES];
    const uint64_t length = strlen(header);
    assert_true(LENGTH_BYTES + length + n_data_bytes <= sizeof bytes);
    memcpy(bytes, &length, LENGTH_BYTES);
    memcpy(bytes + LENGTH_BYTES, header, length);
    for (size_t i = 0; i < n_data_bytes; i++) bytes[LENGTH_BYTES + length + i] = (unsigned char)i;
    support_write(file->path, bytes, LENGTH_BYTES + length + n_data_bytes);
}

/* Opening the file at the path fails with a text that holds `expected`, and leaves the output alone. */
static void refuse_file(const io_file *file, plethron_status status, const char *expected) {
    plethron_error err;
    safetensors_file *opened = NULL;
    assert_fails(status, safetensors_open(file->path, &opened, &err), &err, "t.safetensors: ", expected);
    assert_null(opened);
}

static void refuse(void **state, const char *header, size_t n_data_bytes, const char *expected) {
    write_raw(*state, header, n_data_bytes);
    refuse_file(*state, PLETHRON_ERROR_FORMAT, expected);
}

/* ---- Round trips ------------------------------------------------------------------------------------------------- */

static void reads_what_it_wrote(void **state) {
    const io_file *file = *state;
    write_three(file->path);
    safetensors_file *opened = open_written(file->path);
    for (size_t t = 0; t < COUNT(three_tensors); t++) expect_tensor(opened, &three_tensors[t]);
    for (size_t t = 0; t < COUNT(two_texts); t++)
        assert_string_equal(safetensors_text_get(opened, two_texts[t].key), two_texts[t].value);
    assert_null(safetensors_text_get(opened, "missing"));
    safetensors_close(opened);
    safetensors_close(NULL);
}

static void writes_the_same_bytes_again(void **state) {
    const io_file *file = *state;
    size_t n_first, n_second;
    write_three(file->path);
    char *first = support_read(file->path, &n_first);
    write_three(file->path);
    char *second = support_read(file->path, &n_second);
    assert_int_equal(n_first, n_second);
    assert_memory_equal(first, second, n_first);
    assert_int_equal(support_folder_count(file->folder), 1);
    free(first);
    free(second);
}

/* The layout of the specification, and data that a reader may map: it begins at a multiple of 8 bytes. */
static void lays_the_file_out(void **state) {
    const io_file *file = *state;
    size_t n_bytes;
    uint64_t length;
    write_three(file->path);
    char *bytes = support_read(file->path, &n_bytes);
    memcpy(&length, bytes, sizeof length);
    assert_int_equal(length % 8, 0);
    assert_int_equal(n_bytes, LENGTH_BYTES + length + sizeof W + sizeof b + sizeof n_epochs);
    assert_memory_equal(bytes + LENGTH_BYTES, "{\"__metadata__\":{\"format\":\"1\",", 29);
    const char *data = bytes + LENGTH_BYTES + length;
    assert_memory_equal(data, W, sizeof W);
    assert_memory_equal(data + sizeof W, b, sizeof b);
    assert_memory_equal(data + sizeof W + sizeof b, n_epochs, sizeof n_epochs);
    free(bytes);
}

static void reads_and_writes_every_shape(void **state) {
    const io_file *file = *state;
    plethron_error err;
    const safetensors_tensor tensors[] = {
        {"empty", SAFETENSORS_F32, 1, {0}, NULL},    {"odd", SAFETENSORS_F32, 1, {1}, W},
        {"long", SAFETENSORS_I64, 1, {3}, n_epochs}, {"none by three", SAFETENSORS_I64, 2, {0, 3}, NULL},
        {"scalar", SAFETENSORS_F32, 0, {0}, b},      {"one by one", SAFETENSORS_I64, 2, {1, 1}, n_epochs},
    };
    assert_works(safetensors_write(file->path, tensors, COUNT(tensors), NULL, 0, &err), &err);
    safetensors_file *opened = open_written(file->path);
    for (size_t t = 0; t < COUNT(tensors); t++) expect_tensor(opened, &tensors[t]);
    assert_null(safetensors_text_get(opened, "format"));
    safetensors_close(opened);
    assert_works(safetensors_write(file->path, NULL, 0, NULL, 0, &err), &err);
    safetensors_close(open_written(file->path));
}

/* ---- What others write ------------------------------------------------------------------------------------------- */

static void reads_forms_that_others_write(void **state) {
    static const char *const headers[] = {
        "{\"W\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}",
        "{\"W\":{\"data_offsets\":[0,8],\"shape\":[2],\"dtype\":\"F32\"}}       ",
        "{ \"__metadata__\" : {} , \"W\" : { \"dtype\" : \"F32\", \"shape\" : [ 2 ], \"data_offsets\" : [ 0, 8 ] } }",
        "{\"\\u0057\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]},\"__metadata__\":{\"a\":\"b\"}}",
    };
    static const unsigned char data[] = {0, 1, 2, 3, 4, 5, 6, 7};
    const safetensors_tensor wanted = {"W", SAFETENSORS_F32, 1, {2}, data};
    for (size_t h = 0; h < COUNT(headers); h++) {
        write_raw(*state, headers[h], sizeof data);
        safetensors_file *opened = open_written(((const io_file *)*state)->path);
        expect_tensor(opened, &wanted);
        safetensors_close(opened);
    }
}

/* Tensors in another order than their data, of types that are only passed over, and at odd bytes. */
static void reads_tensors_at_odd_bytes(void **state) {
    static const unsigned char data[] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13};
    const safetensors_tensor floats = {"f", SAFETENSORS_F32, 1, {1}, data + 1};
    const safetensors_tensor integers = {"i", SAFETENSORS_I64, 1, {1}, data + 5};
    write_raw(*state,
              "{\"i\":{\"dtype\":\"I64\",\"shape\":[1],\"data_offsets\":[5,13]},"
              "\"u\":{\"dtype\":\"U8\",\"shape\":[1,1,1],\"data_offsets\":[0,1]},"
              "\"f\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[1,5]},"
              "\"e\":{\"dtype\":\"F8_E5M2\",\"shape\":[1],\"data_offsets\":[13,14]}}",
              sizeof data);
    safetensors_file *opened = open_written(((const io_file *)*state)->path);
    expect_tensor(opened, &floats);
    expect_tensor(opened, &integers);
    safetensors_close(opened);
}

static void refuses_to_give_another_tensor(void **state) {
    const io_file *file = *state;
    plethron_error err;
    safetensors_tensor got = {.name = "untouched"};
    write_three(file->path);
    safetensors_file *opened = open_written(file->path);
    assert_fails(PLETHRON_ERROR_FORMAT, safetensors_tensor_get(opened, "w", SAFETENSORS_F32, 2, &got, &err), &err,
                 "t.safetensors: has no tensor 'w'");
    assert_fails(PLETHRON_ERROR_FORMAT, safetensors_tensor_get(opened, "W", SAFETENSORS_I64, 2, &got, &err), &err,
                 "t.safetensors: tensor 'W' is F32 of 2 dimensions: I64 of 2 was expected");
    assert_fails(PLETHRON_ERROR_FORMAT, safetensors_tensor_get(opened, "W", SAFETENSORS_F32, 1, &got, &err), &err,
                 "t.safetensors: tensor 'W' is F32 of 2 dimensions: F32 of 1 was expected");
    assert_fails(PLETHRON_ERROR_FORMAT, safetensors_tensor_get(opened, "__metadata__", SAFETENSORS_F32, 1, &got, &err),
                 &err, "has no tensor '__metadata__'");
    assert_string_equal(got.name, "untouched");
    safetensors_close(opened);
}

/* ---- Malformed files --------------------------------------------------------------------------------------------- */

static void refuses_lengths_that_do_not_fit(void **state) {
    const io_file *file = *state;
    static const uint64_t lengths[] = {3, 1000, 100000001, UINT64_C(1) << 60, UINT64_MAX};
    unsigned char bytes[LENGTH_BYTES + 2] = "12345678{}";
    support_write(file->path, bytes, 0);
    refuse_file(file, PLETHRON_ERROR_FORMAT, "0 bytes");
    support_write(file->path, bytes, 7);
    refuse_file(file, PLETHRON_ERROR_FORMAT, "7 bytes");
    for (size_t l = 0; l < COUNT(lengths); l++) {
        char expected[64];
        memcpy(bytes, &lengths[l], LENGTH_BYTES);
        support_write(file->path, bytes, sizeof bytes);
        snprintf(expected, sizeof expected, "the header's length is %llu bytes: at most 2 ",
                 (unsigned long long)lengths[l]);
        refuse_file(file, PLETHRON_ERROR_FORMAT, expected);
    }
}

static void refuses_what_is_no_json_object(void **state) {
    static const char *const headers[] = {
        "",
        "this is no JSON",
        "[]",
        "null",
        " {}",
        "{",
        "{\"a\"}",
        "{}{}",
        "{\"a\":{},\"a\":{}}",
        "{\"\xFF\":1}",
        "{\"a\\u0000b\":1}",
        "{'a':1}",
        "{\"a\":1,}",
    };
    for (size_t h = 0; h < COUNT(headers); h++) refuse(state, headers[h], 0, "header");
}

/* Nesting as deep as a file is long must not exhaust the stack. */
static void refuses_deep_nesting(void **state) {
    const io_file *file = *state;
    enum { DEPTH = 1000000 };
    const uint64_t length = 5 + DEPTH;
    char *bytes = malloc(LENGTH_BYTES + length);
    assert_non_null(bytes);
    memcpy(bytes, &length, LENGTH_BYTES);
    memcpy(bytes + LENGTH_BYTES, "{\"a\":", 5);
    memset(bytes + LENGTH_BYTES + 5, '[', DEPTH);
    support_write(file->path, bytes, LENGTH_BYTES + length);
    free(bytes);
    refuse_file(file, PLETHRON_ERROR_FORMAT, "header");
}

/* One tensor named t with these parts of its entry, and 8 bytes of data. */
static void refuse_entry(void **state, const char *entry, const char *expected) {
    char header[512];
    snprintf(header, sizeof header, "{\"t\":%s}", entry);
    refuse(state, header, 8, expected);
}

static void refuses_malformed_entries(void **state) {
    refuse_entry(state, "1", "tensor 't': an object");
    refuse_entry(state, "[]", "tensor 't': an object");
    refuse_entry(state, "{\"shape\":[2],\"data_offsets\":[0,8]}", "tensor 't': has no dtype");
    refuse_entry(state, "{\"dtype\":32,\"shape\":[2],\"data_offsets\":[0,8]}", "tensor 't': has no dtype");
    refuse_entry(state, "{\"dtype\":\"f32\",\"shape\":[2],\"data_offsets\":[0,8]}", "tensor 't': its dtype is none");
    refuse_entry(state, "{\"dtype\":\"F32\",\"data_offsets\":[0,8]}", "tensor 't': has no shape");
    refuse_entry(state, "{\"dtype\":\"F32\",\"shape\":2,\"data_offsets\":[0,8]}", "tensor 't': has no shape");
    refuse_entry(state, "{\"dtype\":\"F32\",\"shape\":[-2],\"data_offsets\":[0,8]}", "its shape holds no size");
    refuse_entry(state, "{\"dtype\":\"F32\",\"shape\":[2.0],\"data_offsets\":[0,8]}", "its shape holds no size");
    refuse_entry(state, "{\"dtype\":\"F32\",\"shape\":[\"2\"],\"data_offsets\":[0,8]}", "its shape holds no size");
    refuse_entry(state, "{\"dtype\":\"F32\",\"shape\":[2]}", "tensor 't': has no data_offsets");
    refuse_entry(state, "{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0]}", "has no data_offsets");
    refuse_entry(state, "{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8,8]}", "has no data_offsets");
    refuse_entry(state, "{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[-8,0]}", "has no data_offsets");
    refuse_entry(state, "{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":\"0,8\"}", "has no data_offsets");
    refuse_entry(state, "{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[8,0]}", "data_offsets are [8, 0]");
    refuse_entry(state, "{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[4,12]}", "data_offsets are [4, 12]");
    refuse_entry(state, "{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,8]}", "span 8 bytes: the 4");
    refuse_entry(state, "{\"dtype\":\"F4\",\"shape\":[15],\"data_offsets\":[0,8]}", "no whole bytes");
}

/* Counts are checked against the file's length before anything is allocated for them. */
static void refuses_absurd_shapes(void **state) {
    static const char *const shapes[] = {
        "[1099511627776,1099511627776]", "[9223372036854775807]",        "[4611686018427387904,4]",
        "[4294967296,4294967296]",       "[99999999999999999999999999]", "[1000000000]",
    };
    for (size_t s = 0; s < COUNT(shapes); s++) {
        char entry[256];
        snprintf(entry, sizeof entry, "{\"dtype\":\"F32\",\"shape\":%s,\"data_offsets\":[0,8]}", shapes[s]);
        refuse_entry(state, entry, "");
    }
    refuse_entry(state, "{\"dtype\":\"F32\",\"shape\":[1000000000],\"data_offsets\":[0,4000000000]}",
                 "up to the 8 bytes of data");
}

/* Two tensors of one byte each with these offsets, and 3 bytes of data. */
static void refuse_offsets(void **state, int first, int second, const char *expected) {
    char header[512];
    snprintf(header, sizeof header,
             "{\"s\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[%d,%d]},"
             "\"t\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[%d,%d]}}",
             first, first + 1, second, second + 1);
    refuse(state, header, 3, expected);
}

static void refuses_overlaps_and_gaps(void **state) {
    refuse_offsets(state, 0, 0, "begins at byte 0 of the data: byte 1 was expected, without overlap");
    refuse_offsets(state, 0, 2, "tensor 't' begins at byte 2 of the data: byte 1 was expected, without gap");
    refuse_offsets(state, 2, 1, "tensor 't' begins at byte 1 of the data: byte 0 was expected, without gap");
    refuse_offsets(state, 1, 0, "3 bytes of data follow the header: 2 were expected");
    refuse(state, "{}", 1, "1 bytes of data follow the header: 0 were expected");
}

static void refuses_malformed_metadata(void **state) {
    refuse(state, "{\"__metadata__\":[]}", 0, "__metadata__: an object of texts was expected");
    refuse(state, "{\"__metadata__\":\"text\"}", 0, "__metadata__: an object of texts was expected");
    refuse(state, "{\"__metadata__\":{\"epochs\":20}}", 0, "__metadata__: 'epochs' is no text");
}

/* Names of a hostile file reach an error in one line, cut, and without control characters. */
static void shows_hostile_names(void **state) {
    char name[600], entry[700];
    refuse(state, "{\"a\\n\\u001b[31m\":1}", 0, "tensor 'a??[31m'");
    memset(name, 'x', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    snprintf(entry, sizeof entry, "{\"%s\":1}", name);
    refuse(state, entry, 0, "xxx...'");
}

static void refuses_what_is_no_file(void **state) {
    const io_file *file = *state;
    plethron_error err;
    safetensors_file *opened = NULL;
    refuse_file(file, PLETHRON_ERROR_FILE, "No such file or directory");
    assert_fails(PLETHRON_ERROR_FILE, safetensors_open(file->folder, &opened, &err), &err, file->folder,
                 "Is a directory");
    assert_int_equal(safetensors_open(file->path, &opened, NULL), PLETHRON_ERROR_FILE);
    assert_null(opened);
}

static void refuses_a_file_without_permission(void **state) {
    const io_file *file = *state;
    plethron_error err;
    safetensors_file *opened = NULL;
    write_three(file->path);
    assert_int_equal(chmod(file->path, 0), 0);
    assert_int_equal(chmod(file->folder, 0755), 0);
    if (!io_drop_rights()) skip();
    const plethron_status status = safetensors_open(file->path, &opened, &err);
    io_regain_rights();
    assert_fails(PLETHRON_ERROR_FILE, status, &err, "t.safetensors: cannot be opened: Permission denied");
    assert_null(opened);
}

/* ---- What is not written ----------------------------------------------------------------------------------------- */

static void refuse_to_write(const io_file *file, const safetensors_tensor *tensors, size_t n_tensors,
                            const safetensors_text *texts, size_t n_texts, const char *expected) {
    plethron_error err;
    support_write(file->path, "old", 3);
    assert_fails(PLETHRON_ERROR_ARGUMENT, safetensors_write(file->path, tensors, n_tensors, texts, n_texts, &err), &err,
                 "t.safetensors: ", expected);
    size_t n_bytes;
    char *content = support_read(file->path, &n_bytes);
    assert_string_equal(content, "old");
    free(content);
    assert_int_equal(support_folder_count(file->folder), 1);
}

static void refuses_to_write_what_cannot_be_read(void **state) {
    const safetensors_tensor twice[] = {{"b", SAFETENSORS_F32, 1, {3}, b}, {"b", SAFETENSORS_F32, 1, {3}, b}};
    const safetensors_tensor reserved = {"__metadata__", SAFETENSORS_F32, 1, {3}, b};
    const safetensors_tensor no_utf8 = {"\xFF", SAFETENSORS_F32, 1, {3}, b};
    const safetensors_tensor too_many_dimensions = {"b", SAFETENSORS_F32, 3, {1, 3}, b};
    const safetensors_tensor too_large = {"b", SAFETENSORS_I64, 2, {SIZE_MAX / 2, 3}, b};
    const safetensors_text text_twice[] = {{"a", "1"}, {"a", "2"}}, text_no_utf8 = {"a", "\xC3"};
    refuse_to_write(*state, twice, 2, NULL, 0, "'b' stands twice");
    refuse_to_write(*state, &reserved, 1, two_texts, 1, "a tensor is named __metadata__");
    refuse_to_write(*state, &no_utf8, 1, NULL, 0, "UTF-8");
    refuse_to_write(*state, &too_many_dimensions, 1, NULL, 0, "at most 2 dimensions");
    refuse_to_write(*state, &too_large, 1, NULL, 0, "less than 2^64 bytes");
    refuse_to_write(*state, NULL, 0, text_twice, 2, "'a' stands twice");
    refuse_to_write(*state, NULL, 0, &text_no_utf8, 1, "UTF-8");
}

static void reports_what_cannot_be_written(void **state) {
    const io_file *file = *state;
    plethron_error err;
    assert_fails(PLETHRON_ERROR_FILE, safetensors_write(file->folder, three_tensors, 1, NULL, 0, &err), &err,
                 file->folder, "Is a directory");
    if (access("/dev/full", W_OK) != 0) skip(); /* Linux has it */
    assert_fails(PLETHRON_ERROR_FILE, safetensors_write("/dev/full", three_tensors, 1, NULL, 0, &err), &err,
                 "/dev/full: ", "No space left");
}

/* ---- Harm -------------------------------------------------------------------------------------------------------- */

static plethron_status read_all(const char *path, plethron_error *err) {
    safetensors_file *file = NULL;
    const plethron_status status = safetensors_open(path, &file, err);
    if (status != PLETHRON_OK) return status;
    for (size_t t = 0; t < COUNT(three_tensors); t++) {
        const safetensors_tensor *tensor = &three_tensors[t];
        plethron_error ignored;
        safetensors_tensor got;
        if (safetensors_tensor_get(file, tensor->name, tensor->type, tensor->n_dimensions, &got, &ignored)) continue;
        size_t n_bytes = got.type == SAFETENSORS_F32 ? sizeof(float) : sizeof(int64_t);
        for (int d = 0; d < got.n_dimensions; d++) n_bytes *= got.shape[d];
        unsigned sum = 0;
        for (size_t i = 0; i < n_bytes; i++) sum += ((const unsigned char *)got.data)[i];
        assert_true(sum <= 0xFF * n_bytes);
    }
    const char *text = safetensors_text_get(file, "name");
    assert_true(!text || strlen(text) < MAX_BYTES);
    safetensors_close(file);
    return PLETHRON_OK;
}

static void survives_harm(void **state) {
    const io_file *file = *state;
    size_t n_bytes;
    write_three(file->path);
    char *bytes = support_read(file->path, &n_bytes);
    assert_true(io_is_accepted(file, bytes, n_bytes, read_all));
    assert_int_equal(io_cut(file, bytes, n_bytes, read_all), 0);
    io_spoil(file, bytes, n_bytes, read_all);
    free(bytes);
}

int main(void) {
    const struct CMUnitTest tests[] = {
#define TEST(function) IO_TEST(function, "t.safetensors")
        TEST(reads_what_it_wrote),
        TEST(writes_the_same_bytes_again),
        TEST(lays_the_file_out),
        TEST(reads_and_writes_every_shape),
        TEST(reads_forms_that_others_write),
        TEST(reads_tensors_at_odd_bytes),
        TEST(refuses_to_give_another_tensor),
        TEST(refuses_lengths_that_do_not_fit),
        TEST(refuses_what_is_no_json_object),
        TEST(refuses_deep_nesting),
        TEST(refuses_malformed_entries),
        TEST(refuses_absurd_shapes),
        TEST(refuses_overlaps_and_gaps),
        TEST(refuses_malformed_metadata),
        TEST(shows_hostile_names),
        TEST(refuses_what_is_no_file),
        TEST(refuses_a_file_without_permission),
        TEST(refuses_to_write_what_cannot_be_read),
        TEST(reports_what_cannot_be_written),
        TEST(survives_harm),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
