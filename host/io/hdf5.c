#include "hdf5.h"

#include "array.h"

#include <hdf5.h>
#include <stdlib.h>
#include <string.h>

/* Everything that is open while a dataset is read. */
typedef struct hdf5_job {
    plethron_table *table;
    hid_t file, dataset, type, space, creation; /* negative where they are not open */
} hdf5_job;

bool hdf5_recognise(const void *bytes, size_t n_bytes) {
    static const char magic[] = "\x89HDF\r\n\x1a\n";
    return n_bytes >= sizeof magic - 1 && memcmp(bytes, magic, sizeof magic - 1) == 0;
}

static plethron_status refuse(const hdf5_job *job, const char *found, const char *expected, plethron_error *err) {
    return error_set(err, PLETHRON_ERROR_FORMAT, "%s: %s: %s was expected", job->table->path, found, expected);
}

static void job_release(const hdf5_job *job) {
    if (job->creation >= 0) H5Pclose(job->creation);
    if (job->space >= 0) H5Sclose(job->space);
    if (job->type >= 0) H5Tclose(job->type);
    if (job->dataset >= 0) H5Dclose(job->dataset);
    if (job->file >= 0) H5Fclose(job->file);
}

/* ---- Finding the dataset ----------------------------------------------------------------------------------------- */

/* Finds the root's only dataset. */
static plethron_status open_only_dataset(hdf5_job *job, plethron_error *err) {
    static const char one[] = "one dataset in the root, or FILE:/PATH,";
    H5G_info_t root;
    if (H5Gget_info(job->file, &root) < 0 || root.nlinks != 1) return refuse(job, "no path is given", one, err);
    const hid_t object = H5Oopen_by_idx(job->file, "/", H5_INDEX_NAME, H5_ITER_INC, 0, H5P_DEFAULT);
    if (object < 0) return refuse(job, "no path is given", one, err);
    if (H5Iget_type(object) != H5I_DATASET) {
        H5Oclose(object);
        return refuse(job, "no path is given", one, err);
    }
    job->dataset = object;
    return PLETHRON_OK;
}

static plethron_status open_dataset(hdf5_job *job, const char *name, plethron_error *err) {
    if (!name) return open_only_dataset(job, err);
    job->dataset = H5Dopen2(job->file, name, H5P_DEFAULT);
    return job->dataset >= 0 ? PLETHRON_OK : refuse(job, "no such dataset", "the path of one behind the ':'", err);
}

/* A file can name others, which would be read in its place. */
static plethron_status refuse_other_files(const hdf5_job *job, plethron_error *err) {
    H5O_info_t root, dataset;
    if (H5Oget_info(job->file, &root) < 0 || H5Oget_info(job->dataset, &dataset) < 0)
        return refuse(job, "the dataset's header cannot be read", "a whole HDF5 file", err);
    const H5D_layout_t layout = H5Pget_layout(job->creation);
    const bool is_here = layout == H5D_COMPACT || layout == H5D_CONTIGUOUS || layout == H5D_CHUNKED;
    if (root.fileno == dataset.fileno && is_here && H5Pget_external_count(job->creation) == 0) return PLETHRON_OK;
    return refuse(job, "the dataset lies in another file", "one that is stored in this file", err);
}

/* ---- Its type and shape ------------------------------------------------------------------------------------------ */

/* The fields of IEEE 754's formats, from the lowest bit of the sign on. */
static bool is_ieee(hid_t type, size_t n_bytes) {
    static const struct {
        size_t n_bytes, n_fraction, n_exponent, bias;
    } formats[] = {{2, 10, 5, 15}, {4, 23, 8, 127}, {8, 52, 11, 1023}};
    size_t sign, exponent, n_exponent, fraction, n_fraction;
    if (H5Tget_fields(type, &sign, &exponent, &n_exponent, &fraction, &n_fraction) < 0) return false;
    for (size_t i = 0; i < sizeof formats / sizeof *formats; i++)
        if (n_bytes == formats[i].n_bytes && n_fraction == formats[i].n_fraction && fraction == 0 &&
            n_exponent == formats[i].n_exponent && exponent == n_fraction && sign == exponent + n_exponent &&
            H5Tget_ebias(type) == formats[i].bias && H5Tget_norm(type) == H5T_NORM_IMPLIED)
            return true;
    return false;
}

static bool is_whole_bytes(hid_t type, size_t n_bytes) {
    return H5Tget_precision(type) == 8 * n_bytes && H5Tget_offset(type) == 0 &&
           (n_bytes == 1 || n_bytes == 2 || n_bytes == 4 || n_bytes == 8);
}

/* An enumeration of one byte, as h5py keeps numpy's bool, is its number. */
static plethron_status read_type(const hdf5_job *job, array_layout *array, plethron_error *err) {
    const H5T_class_t class = H5Tget_class(job->type);
    array->item_bytes = H5Tget_size(job->type);
    const H5T_order_t order = H5Tget_order(job->type);
    array->big_endian = order == H5T_ORDER_BE;
    const bool has_order = order == H5T_ORDER_LE || order == H5T_ORDER_BE;
    if (class == H5T_FLOAT && has_order && is_ieee(job->type, array->item_bytes)) {
        array->kind = ARRAY_FLOAT;
        return PLETHRON_OK;
    }
    if (class == H5T_INTEGER && has_order && is_whole_bytes(job->type, array->item_bytes)) {
        array->kind = H5Tget_sign(job->type) == H5T_SGN_NONE ? ARRAY_UNSIGNED : ARRAY_SIGNED;
        return PLETHRON_OK;
    }
    if (class == H5T_ENUM && array->item_bytes == 1) {
        array->kind = ARRAY_SIGNED;
        return PLETHRON_OK;
    }
    return refuse(job, "the dataset holds no such numbers",
                  "a type of floats of 2, 4, 8 bytes, integers of 1, 2, 4, 8 bytes or bool", err);
}

static plethron_status read_shape(const hdf5_job *job, array_layout *array, plethron_error *err) {
    enum { MAX_DIMENSIONS = 2 };
    hsize_t shape[MAX_DIMENSIONS] = {0, 1};
    const int n = H5Sget_simple_extent_ndims(job->space);
    if (n < 1 || n > MAX_DIMENSIONS || H5Sget_simple_extent_dims(job->space, shape, NULL) != n)
        return refuse(job, "the dataset's shape", "one of one or two dimensions", err);
    array->n_rows = (size_t)shape[0];
    array->n_columns = (size_t)shape[1];
    return PLETHRON_OK;
}

/* ---- Its values -------------------------------------------------------------------------------------------------- */

/* The bytes of all values, if what is stored can be so much; chunks that were never written would be filled. */
static plethron_status check_size(const hdf5_job *job, const array_layout *array, size_t *n_bytes,
                                  plethron_error *err) {
    enum { MAX_RATIO = 1032 }; /* deflate's, the strongest filter in use */
    plethron_status status;
    const hsize_t n_stored = H5Dget_storage_size(job->dataset);
    TRY(table_check_size(job->table, array->n_rows, array->n_columns, err));
    *n_bytes = array->n_rows * array->n_columns * array->item_bytes; /* no more than twice what was just checked */
    if (*n_bytes / MAX_RATIO > n_stored)
        TRY(error_set(err, PLETHRON_ERROR_FORMAT,
                      "%s: %zu bytes of which %llu are stored: at most %d times as many were expected",
                      job->table->path, *n_bytes, (unsigned long long)n_stored, MAX_RATIO));
    hsize_t chunk[2];
    if (H5Pget_layout(job->creation) == H5D_CHUNKED) {
        const int n = H5Pget_chunk(job->creation, 2, chunk);
        size_t n_items = array->item_bytes;
        for (int d = 0; d < n && d < 2; d++)
            if (!size_multiply(n_items, (size_t)chunk[d], &n_items)) n_items = SIZE_MAX;
        if (n_items > job->table->limit_bytes)
            TRY(error_set(err, PLETHRON_ERROR_MEMORY, "%s: a chunk of %zu bytes: at most %zu are allowed",
                          job->table->path, n_items, job->table->limit_bytes));
    }
out:
    return status;
}

/* Read as they are stored; array.c makes floats of them, as of other formats'. */
static plethron_status read_values(const hdf5_job *job, const array_layout *array, plethron_error *err) {
    plethron_status status;
    void *memory = NULL;
    char *bytes = NULL;
    size_t n_bytes = 0;
    TRY(check_size(job, array, &n_bytes, err));
    TRY(array_check(array, n_bytes, job->table->path, err));
    TRY(memory_allocate_unset(n_bytes, 1, job->table->path, &memory, err));
    bytes = memory;
    if (H5Dread(job->dataset, job->type, H5S_ALL, H5S_ALL, H5P_DEFAULT, bytes) < 0)
        TRY(refuse(job, "the dataset's values cannot be read", "a whole HDF5 file, packed by filters that are there",
                   err));
    TRY(array_read(array, &bytes, 0, job->table, err));
out:
    free(bytes);
    return status;
}

static plethron_status read_dataset(const char *path, const char *name, hdf5_job *job, plethron_error *err) {
    plethron_status status;
    array_layout array = {0};
    job->file = H5Fopen(path, H5F_ACC_RDONLY, H5P_DEFAULT);
    if (job->file < 0) TRY(refuse(job, "the file cannot be read", "a whole HDF5 file", err));
    TRY(open_dataset(job, name, err));
    job->type = H5Dget_type(job->dataset);
    job->space = H5Dget_space(job->dataset);
    job->creation = H5Dget_create_plist(job->dataset);
    if (job->type < 0 || job->space < 0 || job->creation < 0)
        TRY(refuse(job, "the dataset's header cannot be read", "a whole HDF5 file", err));
    TRY(refuse_other_files(job, err));
    TRY(read_type(job, &array, err));
    TRY(read_shape(job, &array, err));
    TRY(read_values(job, &array, err));
out:
    return status;
}

plethron_status hdf5_read(const char *file, const char *name, plethron_table *table, plethron_error *err) {
    hdf5_job job = {table, -1, -1, -1, -1, -1};
    H5E_auto2_t print = NULL;
    void *context = NULL;
    H5Eget_auto2(H5E_DEFAULT, &print, &context); /* the library prints nothing */
    H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
    const plethron_status status = read_dataset(file, name, &job, err);
    job_release(&job);
    H5Eset_auto2(H5E_DEFAULT, print, context);
    return status;
}
