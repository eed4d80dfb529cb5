/* The table of plethron bench on the terminal, and the ratios to an older run. */
#define _POSIX_C_SOURCE 200809L

#include "bench_document.h"

#include <math.h>
#include <string.h>

enum { CELL = 32 };

/* Four figures and a unit: "12.3 ms". Returns `text`. */
static const char *seconds_text(double seconds, char text[CELL]) {
    if (isnan(seconds))
        snprintf(text, CELL, "-");
    else if (seconds >= 1.0)
        snprintf(text, CELL, "%.3g s", seconds);
    else if (seconds >= 1e-3)
        snprintf(text, CELL, "%.3g ms", 1e3 * seconds);
    else
        snprintf(text, CELL, "%.3g us", 1e6 * seconds);
    return text;
}

/* `format` takes the value; "-" where there is none. */
static const char *value_text(double value, const char *suffix, int decimals, char text[CELL]) {
    if (isnan(value))
        snprintf(text, CELL, "-");
    else
        snprintf(text, CELL, "%.*f%s", decimals, value, suffix);
    return text;
}

static void print_device(const json_t *device) {
    const json_t *ceilings = json_object_get(device, "ceilings");
    char launch[CELL], batched[CELL];
    printf("%s: %s\n", bench_text(device, "selector"), bench_text(device, "name"));
    printf(
        "    at most %.0f GFLOP/s by fma, reads %.1f GB/s, a launch %s (%s of many), upload %.1f GB/s, download %.1f "
        "GB/s\n",
        bench_number(ceilings, "fma_flops_per_s") / 1e9, bench_number(ceilings, "read_bytes_per_s") / 1e9,
        seconds_text(bench_number(ceilings, "launch_s"), launch),
        seconds_text(bench_number(ceilings, "batched_launch_s"), batched),
        bench_number(ceilings, "upload_bytes_per_s") / 1e9, bench_number(ceilings, "download_bytes_per_s") / 1e9);
}

static void print_row(const json_t *row) {
    const json_t *seconds = json_object_get(row, "seconds"), *speedups = json_object_get(row, "speedup_over");
    char cells[11][CELL], share[2 * CELL];
    const double fraction = bench_number(row, "fraction_of_ceiling");
    const bench_seconds time = bench_row_seconds(row);
    snprintf(share, sizeof share, "%s %s", value_text(fraction, "", 2, cells[0]), bench_text(row, "bound"));
    printf("%-15s %-12.12s %-9.9s %9s %9s %9s %9s %6s %9s %8s %7s %-13s %7s %8s %8.1e\n", bench_text(row, "case"),
           bench_text(row, "device"), *bench_text(row, "strategy") ? bench_text(row, "strategy") : "-",
           seconds_text(bench_number(seconds, "cold"), cells[1]), seconds_text(bench_number(seconds, "warm"), cells[2]),
           seconds_text(bench_number(seconds, "upload"), cells[3]),
           seconds_text(bench_number(seconds, "device"), cells[4]),
           value_text(100.0 * (time.max - time.min) / time.median, "%", 0, cells[10]),
           seconds_text(bench_number(seconds, "end_to_end"), cells[5]),
           value_text(bench_number(row, "gflops"), "", 1, cells[6]),
           value_text(bench_number(row, "gbytes_per_s"), "", 1, cells[7]), share,
           value_text(bench_number(speedups, "host"), "x", 2, cells[8]),
           value_text(bench_number(speedups, "openblas"), "x", 2, cells[9]), bench_number(row, "verified_error"));
}

/* Times as long as without, of the cases that add features of a bank. */
static void print_prices(const json_t *document) {
    size_t i, n_prices = 0;
    json_t *row;
    json_array_foreach(json_object_get(document, "rows"), i, row) {
        const double price = bench_number(row, "price");
        if (isnan(price)) continue;
        if (n_prices++ == 0) printf("\nWhat features cost: times as long as the case without\n");
        printf("%-15s %-12.12s %6.2f\n", bench_text(row, "case"), bench_text(row, "device"), price);
    }
}

void bench_print_table(const json_t *document) {
    size_t i;
    json_t *device, *row;
    json_array_foreach(json_object_get(document, "devices"), i, device) print_device(device);
    if (json_array_size(json_object_get(document, "rows")) == 0) return;
    printf("\n%-15s %-12s %-9s %9s %9s %9s %9s %6s %9s %8s %7s %-13s %7s %8s %8s\n", "case", "device", "strategy",
           "cold", "warm", "upload", "device", "spread", "in all", "GFLOP/s", "GB/s", "of ceiling", "to host",
           "to BLAS", "error");
    json_array_foreach(json_object_get(document, "rows"), i, row) print_row(row);
    print_prices(document);
}

/* ---- Ratios ------------------------------------------------------------------------------------------------------ */

static const json_t *find_old(const json_t *old, const json_t *row) {
    size_t i;
    json_t *other;
    json_array_foreach(json_object_get(old, "rows"), i, other) {
        if (bench_same_case(row, other) && bench_number(row, "n_units") == bench_number(other, "n_units") &&
            strcmp(bench_text(row, "device"), bench_text(other, "device")) == 0)
            return other;
    }
    return NULL;
}

/* Rates, not seconds: the runs may have had different numbers of epochs. The noise is what the spreads of both allow.
 */
static void print_ratio(const json_t *row, const json_t *before) {
    const bench_seconds now_s = bench_row_seconds(row), then_s = bench_row_seconds(before);
    const double ratio = bench_number(row, "gflops") / bench_number(before, "gflops");
    const double least = ratio * (now_s.median / now_s.max) * (then_s.min / then_s.median);
    const double most = ratio * (now_s.median / now_s.min) * (then_s.max / then_s.median);
    const char *verdict = least > 1.0 ? "faster" : most < 1.0 ? "slower" : "within the noise";
    printf("%-15s %-12.12s %6.2fx  [%.2f %.2f]  %s\n", bench_text(row, "case"), bench_text(row, "device"), ratio, least,
           most, verdict);
}

void bench_print_ratios(const json_t *document, const json_t *old, const char *old_name) {
    size_t i;
    json_t *row;
    printf("\nAgainst %s (%s %s): how many times as fast, and what the spreads of both runs leave open\n", old_name,
           bench_text(old, "created"), bench_text(old, "commit"));
    json_array_foreach(json_object_get(document, "rows"), i, row) {
        const json_t *before = find_old(old, row);
        if (before)
            print_ratio(row, before);
        else
            printf("%-15s %-12.12s is not in it\n", bench_text(row, "case"), bench_text(row, "device"));
    }
}
