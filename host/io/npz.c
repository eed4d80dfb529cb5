#include "npz.h"

#include "file.h"
#include "npy.h"

#include <stdlib.h>
#include <string.h>
#include <zip.h>

bool npz_recognise(const void *bytes, size_t n_bytes) {
    static const char member[] = "PK\3\4", empty[] = "PK\5\6";
    return n_bytes >= 4 && (memcmp(bytes, member, 4) == 0 || memcmp(bytes, empty, 4) == 0);
}

/* ---- Errors of libzip -------------------------------------------------------------------------------------------- */

static plethron_status zip_failure(const char *path, const char *what, zip_error_t *error, plethron_error *err) {
    const bool is_memory = zip_error_code_zip(error) == ZIP_ER_MEMORY;
    return error_set(err, is_memory ? PLETHRON_ERROR_MEMORY : PLETHRON_ERROR_FORMAT, "%s: %s: %s", path, what,
                     zip_error_strerror(error));
}

plethron_status npz_open(const char *file, zip_t **out, plethron_error *err) {
    int code = 0;
    zip_error_t error;
    zip_t *archive = zip_open(file, ZIP_RDONLY, &code);
    if (archive) {
        *out = archive;
        return PLETHRON_OK;
    }
    zip_error_init_with_code(&error, code);
    const plethron_status status = zip_failure(file, "the ZIP archive cannot be read", &error, err);
    zip_error_fini(&error);
    return status;
}

/* ---- Choosing an array ------------------------------------------------------------------------------------------- */

/* Writes the arrays' names into `list`, as many as fit. */
static void list_names(zip_t *archive, zip_uint64_t n_entries, char *list, size_t size) {
    char shown[FILE_SHOWN_SIZE];
    size_t used = 0;
    list[0] = '\0';
    for (zip_uint64_t i = 0; i < n_entries; i++) {
        if (size - used < FILE_SHOWN_SIZE + sizeof ", '', ...") {
            snprintf(list + used, size - used, ", ...");
            return;
        }
        const char *name = zip_get_name(archive, i, ZIP_FL_ENC_RAW);
        used += (size_t)snprintf(list + used, size - used, "%s'%s'", i ? ", " : "", file_show(name ? name : "", shown));
    }
}

/* Whether an entry is the array of that name: as numpy calls it, "name.npy", or just so. */
static bool is_called(const char *entry, const char *name) {
    const size_t n = strlen(name);
    return entry && strncmp(entry, name, n) == 0 && (entry[n] == '\0' || strcmp(entry + n, ".npy") == 0);
}

bool npz_find(zip_t *archive, const char *name, zip_uint64_t *index) {
    const zip_int64_t n = zip_get_num_entries(archive, 0);
    for (zip_int64_t i = 0; i < n; i++) {
        if (!is_called(zip_get_name(archive, (zip_uint64_t)i, ZIP_FL_ENC_RAW), name)) continue;
        *index = (zip_uint64_t)i;
        return true;
    }
    return false;
}

static plethron_status choose(zip_t *archive, const char *name, const plethron_table *table, zip_uint64_t *out,
                              plethron_error *err) {
    char list[512];
    const zip_int64_t n = zip_get_num_entries(archive, 0);
    const zip_uint64_t n_entries = n > 0 ? (zip_uint64_t)n : 0;
    for (zip_uint64_t i = 0; i < n_entries; i++) {
        if (name ? !is_called(zip_get_name(archive, i, ZIP_FL_ENC_RAW), name) : n_entries != 1) continue;
        *out = i;
        return PLETHRON_OK;
    }
    list_names(archive, n_entries, list, sizeof list);
    return error_set(err, PLETHRON_ERROR_FORMAT, "%s: the archive has %llu arrays, %s: %s was expected", table->path,
                     (unsigned long long)n_entries, list, name ? "the name of one behind the ':'" : "FILE:NAME");
}

/* ---- Unpacking --------------------------------------------------------------------------------------------------- */

/* The unpacked size, if what is packed can be so much. */
static plethron_status check_entry(zip_t *archive, zip_uint64_t index, const char *path, size_t limit_bytes,
                                   size_t *n_bytes, plethron_error *err) {
    enum { MAX_DEFLATE_RATIO = 1032 }; /* 258 bytes for 2 bits */
    const zip_uint64_t wanted = ZIP_STAT_SIZE | ZIP_STAT_COMP_SIZE | ZIP_STAT_COMP_METHOD | ZIP_STAT_ENCRYPTION_METHOD;
    zip_stat_t info;
    zip_stat_init(&info);
    if (zip_stat_index(archive, index, 0, &info) != 0)
        return zip_failure(path, "the array's entry cannot be read", zip_get_error(archive), err);
    if ((info.valid & wanted) != wanted || info.encryption_method != ZIP_EM_NONE ||
        (info.comp_method != ZIP_CM_STORE && info.comp_method != ZIP_CM_DEFLATE))
        return error_set(err, PLETHRON_ERROR_UNSUPPORTED,
                         "%s: packed by method %u, encrypted by method %u: 0 (stored) or 8 (deflated), and no "
                         "encryption were expected",
                         path, (unsigned)info.comp_method, (unsigned)info.encryption_method);
    const zip_uint64_t ratio = info.comp_method == ZIP_CM_STORE ? 1 : MAX_DEFLATE_RATIO;
    if (info.size / ratio > info.comp_size)
        return error_set(err, PLETHRON_ERROR_FORMAT,
                         "%s: %llu bytes packed as %llu: at most %llu times as many were expected", path,
                         (unsigned long long)info.size, (unsigned long long)info.comp_size, (unsigned long long)ratio);
    if (info.size > limit_bytes)
        return error_set(err, PLETHRON_ERROR_MEMORY, "%s: holds %llu bytes: at most %zu are allowed", path,
                         (unsigned long long)info.size, limit_bytes);
    *n_bytes = (size_t)info.size;
    return PLETHRON_OK;
}

/* Reads n_bytes and the end behind them, where libzip compares the checksum. */
static plethron_status read_entry(zip_file_t *entry, char *bytes, size_t n_bytes, const char *path,
                                  plethron_error *err) {
    size_t n = 0;
    for (zip_int64_t n_read; n <= n_bytes; n += (size_t)n_read) {
        n_read = zip_fread(entry, bytes + n, n_bytes + 1 - n); /* one more than there should be */
        if (n_read < 0) return zip_failure(path, "the array cannot be unpacked", zip_file_get_error(entry), err);
        if (n_read == 0) break;
    }
    if (n == n_bytes) return PLETHRON_OK;
    return error_set(err, PLETHRON_ERROR_FORMAT, "%s: the array's length is not the %zu bytes that its entry names",
                     path, n_bytes);
}

plethron_status npz_unpack(zip_t *archive, zip_uint64_t index, const char *path, size_t limit_bytes, char **out,
                           size_t *n_bytes, plethron_error *err) {
    plethron_status status;
    zip_file_t *entry = NULL;
    void *memory = NULL;
    char *bytes = NULL;
    TRY(check_entry(archive, index, path, limit_bytes, n_bytes, err));
    entry = zip_fopen_index(archive, index, 0);
    if (!entry) TRY(zip_failure(path, "the array cannot be unpacked", zip_get_error(archive), err));
    TRY(memory_allocate_unset(*n_bytes + 1, 1, path, &memory, err));
    bytes = memory;
    TRY(read_entry(entry, bytes, *n_bytes, path, err));
    if (!npy_recognise(bytes, *n_bytes))
        TRY(error_set(err, PLETHRON_ERROR_FORMAT, "%s: this part of the archive is no NPY: an array was expected",
                      path));
    *out = bytes;
    bytes = NULL;
out:
    if (entry) zip_fclose(entry);
    free(bytes);
    return status;
}

static plethron_status read_array(zip_t *archive, zip_uint64_t index, plethron_table *table, plethron_error *err) {
    plethron_status status;
    char *bytes = NULL;
    size_t n_bytes = 0;
    TRY(npz_unpack(archive, index, table->path, table->limit_bytes, &bytes, &n_bytes, err));
    TRY(npy_read(&bytes, n_bytes, table, err));
out:
    free(bytes);
    return status;
}

plethron_status npz_read(const char *file, const char *name, plethron_table *table, plethron_error *err) {
    plethron_status status;
    zip_t *archive = NULL;
    zip_uint64_t index = 0;
    TRY(npz_open(file, &archive, err));
    TRY(choose(archive, name, table, &index, err));
    TRY(read_array(archive, index, table, err));
out:
    if (archive) zip_discard(archive);
    return status;
}
