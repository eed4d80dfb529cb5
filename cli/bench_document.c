#define _POSIX_C_SOURCE 200809L

#include "bench_document.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

static const char format_name[] = "plethron-bench";
enum { FORMAT_VERSION = 1 };

#ifndef PLETHRON_COMMIT
#define PLETHRON_COMMIT "" /* built outside of a git checkout */
#endif

/* ---- Small values ------------------------------------------------------------------------------------------------ */

/* What is not known is null: JSON has no NaN. */
static json_t *number(double value) {
    return isfinite(value) ? json_real(value) : json_null();
}

static bool set(json_t *object, const char *key, json_t *value) {
    return json_object_set_new(object, key, value) == 0;
}

const char *bench_text(const json_t *object, const char *key) {
    const char *text = json_string_value(json_object_get(object, key));
    return text ? text : "";
}

double bench_number(const json_t *object, const char *key) {
    const json_t *value = json_object_get(object, key);
    return json_is_number(value) ? json_number_value(value) : NAN;
}

/* ---- The machine ------------------------------------------------------------------------------------------------- */

/* "model name" of /proc/cpuinfo. */
static void read_processor(char *text, size_t n_bytes) {
    char line[BENCH_TEXT];
    FILE *file = fopen("/proc/cpuinfo", "r");
    snprintf(text, n_bytes, "unknown");
    while (file && fgets(line, sizeof line, file)) {
        const char *colon = strchr(line, ':');
        if (strncmp(line, "model name", strlen("model name")) != 0 || !colon) continue;
        line[strcspn(line, "\n")] = '\0';
        snprintf(text, n_bytes, "%s", colon + 1 + (colon[1] == ' '));
        break;
    }
    if (file) fclose(file);
}

/* Settings that change what is measured. */
static json_t *environment(void) {
    static const char *const names[] = {"OMP_NUM_THREADS",  "OMP_WAIT_POLICY",   "OPENBLAS_CORETYPE",
                                        "OPENBLAS_L2_SIZE", "POCL_DEVICES",      "POCL_MAX_PTHREAD_COUNT",
                                        "PLETHRON_DEVICE",  "PLETHRON_CACHE_DIR"};
    json_t *object = json_object();
    for (size_t i = 0; object && i < sizeof names / sizeof *names; i++)
        if (getenv(names[i])) json_object_set_new(object, names[i], json_string(getenv(names[i])));
    return object;
}

static json_t *machine(void) {
    char processor[BENCH_TEXT];
    struct utsname system = {0};
    read_processor(processor, sizeof processor);
    uname(&system);
    const double memory = (double)sysconf(_SC_PHYS_PAGES) * (double)sysconf(_SC_PAGESIZE);
    return json_pack("{s:s, s:I, s:f, s:s, s:o}", "processor", processor, "cores",
                     (json_int_t)sysconf(_SC_NPROCESSORS_ONLN), "memory_bytes", memory, "system", system.sysname,
                     "environment", environment());
}

json_t *bench_document_new(int64_t seed) {
    char created[32];
    const time_t now = time(NULL);
    struct tm utc;
    strftime(created, sizeof created, "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&now, &utc));
    return json_pack("{s:s, s:i, s:s, s:s, s:s, s:I, s:o, s:[], s:{}, s:[]}", "format", format_name, "version",
                     FORMAT_VERSION, "plethron", plethron_version(), "commit", PLETHRON_COMMIT, "created", created,
                     "seed", (json_int_t)seed, "machine", machine(), "devices", "baselines", "rows");
}

/* ---- Adding ------------------------------------------------------------------------------------------------------ */

static const char *kind_name(plethron_device_kind kind) {
    switch (kind) {
    case PLETHRON_DEVICE_HOST: return "host";
    case PLETHRON_DEVICE_CPU: return "cpu";
    case PLETHRON_DEVICE_GPU: return "gpu";
    case PLETHRON_DEVICE_ACCELERATOR: return "accelerator";
    }
    return "unknown";
}

bool bench_document_add_device(json_t *document, const char *selector, const plethron_device_info *info,
                               const plethron_ceilings *ceilings) {
    json_t *measured = json_object();
    json_t *device =
        json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:i, s:f, s:o}", "selector", selector, "name", info->name,
                  "kind", kind_name(info->kind), "platform", info->platform, "platform_version", info->platform_version,
                  "version", info->version, "driver", info->driver, "compute_units", (int)info->compute_units,
                  "memory_bytes", (double)info->memory_bytes, "ceilings", measured);
    return device && set(measured, "fma_flops_per_s", number(ceilings->fma_flops_per_s)) &&
           set(measured, "read_bytes_per_s", number(ceilings->read_bytes_per_s)) &&
           set(measured, "launch_s", number(ceilings->launch_s)) &&
           set(measured, "batched_launch_s", number(ceilings->batched_launch_s)) &&
           set(measured, "upload_bytes_per_s", number(ceilings->upload_bytes_per_s)) &&
           set(measured, "download_bytes_per_s", number(ceilings->download_bytes_per_s)) &&
           json_array_append_new(json_object_get(document, "devices"), device) == 0;
}

bool bench_document_add_baseline(json_t *document, const char *name, const char *description) {
    return set(json_object_get(document, "baselines"), name, json_string(description));
}

static json_t *range(const bench_seconds *seconds) {
    return isnan(seconds->median) ? json_null() : json_pack("[f, f]", seconds->min, seconds->max);
}

bool bench_document_add_row(json_t *document, const bench_row *row, const plethron_ceilings *ceilings) {
    double fraction = NAN;
    const bench_bound bound = bench_row_bound(row, ceilings, &fraction);
    const double seconds = bench_row_time(row)->median;
    json_t *times = json_pack("{s:o, s:o, s:o, s:o, s:o}", "cold", number(row->cold_s), "warm", number(row->warm_s),
                              "upload", number(row->upload.median), "device", number(row->device_time.median),
                              "end_to_end", number(row->end_to_end.median));
    json_t *ranges = json_pack("{s:o, s:o}", "device", range(&row->device_time), "end_to_end", range(&row->end_to_end));
    json_t *object =
        json_pack("{s:s, s:s, s:s, s:s, s:I, s:I, s:I, s:I, s:i, s:o, s:o, s:o, s:o, s:s, s:o, s:{}, s:o}", "case",
                  row->shape->name, "device", row->device, "strategy", row->strategy, "plan", row->plan, "n_samples",
                  (json_int_t)row->shape->n_samples, "n_features", (json_int_t)row->shape->n_features, "n_units",
                  (json_int_t)row->n_units, "epochs", (json_int_t)row->epochs, "n_repeats", row->n_repeats, "seconds",
                  times, "spread", ranges, "gflops", number(bench_row_flops(row) / seconds / 1e9), "gbytes_per_s",
                  number(bench_row_bytes(row) / seconds / 1e9), "bound", bench_bound_names[bound],
                  "fraction_of_ceiling", number(fraction), "speedup_over", "verified_error", number(row->error));
    return object && json_array_append_new(json_object_get(document, "rows"), object) == 0;
}

/* ---- Rows beside each other -------------------------------------------------------------------------------------- */

bench_seconds bench_row_seconds(const json_t *row) {
    const json_t *seconds = json_object_get(row, "seconds"), *ranges = json_object_get(row, "spread");
    const char *key = json_is_number(json_object_get(seconds, "device")) ? "device" : "end_to_end";
    const json_t *spread = json_object_get(ranges, key);
    bench_seconds result = {.median = bench_number(seconds, key), .min = NAN, .max = NAN};
    result.min = json_array_size(spread) == 2 ? json_number_value(json_array_get(spread, 0)) : result.median;
    result.max = json_array_size(spread) == 2 ? json_number_value(json_array_get(spread, 1)) : result.median;
    return result;
}

bool bench_same_case(const json_t *a, const json_t *b) {
    return strcmp(bench_text(a, "case"), bench_text(b, "case")) == 0 &&
           bench_number(a, "n_samples") == bench_number(b, "n_samples") &&
           bench_number(a, "n_features") == bench_number(b, "n_features");
}

/* The seconds of the row over those of the case without its features on the same device; NAN where it adds none. */
static double price_of(const json_t *rows, const json_t *row) {
    const char *name = bench_text(row, "case");
    const size_t length = bench_plain_length(name);
    size_t i;
    json_t *other;
    json_array_foreach(rows, i, other) {
        const char *plain = bench_text(other, "case");
        if (length > 0 && strlen(plain) == length && strncmp(plain, name, length) == 0 &&
            strcmp(bench_text(other, "device"), bench_text(row, "device")) == 0)
            return bench_row_seconds(row).median / bench_row_seconds(other).median;
    }
    return NAN;
}

/* The rate of `device` in the row's case; NAN when it did not run it. */
static double rate_of(const json_t *rows, const json_t *row, const char *device) {
    size_t i;
    json_t *other;
    json_array_foreach(rows, i, other) {
        if (bench_same_case(row, other) && strcmp(bench_text(other, "device"), device) == 0)
            return bench_number(other, "gflops");
    }
    return NAN;
}

bool bench_document_compare_rows(json_t *document) {
    const json_t *rows = json_object_get(document, "rows");
    size_t i;
    json_t *row;
    json_array_foreach(rows, i, row) {
        const double rate = bench_number(row, "gflops");
        json_t *speedups = json_pack("{s:o, s:o}", "host", number(rate / rate_of(rows, row, "host")), "openblas",
                                     number(rate / rate_of(rows, row, "openblas")));
        if (!speedups || !set(row, "speedup_over", speedups)) return false;
        if (!set(row, "price", number(price_of(rows, row)))) return false;
    }
    return true;
}

bool bench_document_merge(json_t *document, const json_t *other) {
    const char *name;
    json_t *description;
    json_object_foreach(json_object_get(other, "baselines"), name, description) {
        if (json_object_set(json_object_get(document, "baselines"), name, description) != 0) return false;
    }
    return json_array_extend(json_object_get(document, "rows"), json_object_get(other, "rows")) == 0;
}

/* ---- Files ------------------------------------------------------------------------------------------------------- */

plethron_status bench_document_read(const char *path, json_t **out, plethron_error *err) {
    json_error_t reason;
    json_t *document = json_load_file(path, JSON_REJECT_DUPLICATES, &reason);
    if (!document) return fail(err, PLETHRON_ERROR_FORMAT, "%s: line %d: %s", path, reason.line, reason.text);
    if (strcmp(bench_text(document, "format"), format_name) != 0 ||
        bench_number(document, "version") != FORMAT_VERSION || !json_is_array(json_object_get(document, "rows"))) {
        json_decref(document);
        return fail(err, PLETHRON_ERROR_FORMAT,
                    "%s: is no document of 'plethron bench': format '%s', version %d and rows are expected", path,
                    format_name, FORMAT_VERSION);
    }
    size_t i;
    json_t *row;
    json_array_foreach(json_object_get(document, "rows"), i, row) {
        if (json_is_object(row)) continue;
        json_decref(document);
        return fail(err, PLETHRON_ERROR_FORMAT, "%s: row %zu is no object", path, i);
    }
    *out = document;
    return PLETHRON_OK;
}

plethron_status bench_document_write(const json_t *document, const char *path, plethron_error *err) {
    plethron_status status = PLETHRON_OK;
    plethron_output *output = NULL;
    TRY(plethron_output_open(path, &output, err));
    FILE *stream = plethron_output_stream(output);
    if (json_dumpf(document, stream, JSON_INDENT(2) | JSON_REAL_PRECISION(6)) != 0 || fputc('\n', stream) == EOF) {
        status = fail(err, PLETHRON_ERROR_FILE, "%s: cannot be written", path);
        goto out;
    }
    TRY(plethron_output_commit(output, err));
out:
    plethron_output_close(output);
    return status;
}
