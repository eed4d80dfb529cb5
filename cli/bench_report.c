#define _POSIX_C_SOURCE 200809L

#include "bench_report.h"

#include <math.h>
#include <string.h>

static const char style[] =
    ":root { color-scheme: light dark; --page: #fcfcfa; --ink: #22252b; --soft: #6a707b; --rule: #dcdfe4; }\n"
    "@media (prefers-color-scheme: dark) {\n"
    "  :root { --page: #16181c; --ink: #e4e6ea; --soft: #9aa1ad; --rule: #343840; } }\n"
    "body { font: 16px/1.5 system-ui, sans-serif; background: var(--page); color: var(--ink); max-width: 60rem;\n"
    "  margin: 2rem auto; padding: 0 1.2rem; }\n"
    "h1 { font-size: 1.7rem; } h2 { font-size: 1.25rem; margin: 2.4rem 0 .5rem; border-bottom: 1px solid var(--rule); "
    "}\n"
    "h3 { font-size: 1rem; margin: 1.4rem 0 .3rem; } p { max-width: 46rem; } .soft { color: var(--soft); }\n"
    "svg { width: 100%; height: auto; display: block; }\n"
    ".wide { overflow-x: auto; } table { border-collapse: collapse; font-size: .82rem; white-space: nowrap; }\n"
    "th, td { padding: .2rem .55rem; text-align: right; border-bottom: 1px solid var(--rule); }\n"
    "th:nth-child(-n+3), td:nth-child(-n+3) { text-align: left; }\n"
    "svg text { font-family: system-ui, sans-serif; }\n";

static const json_t *rows_of(const json_t *document) {
    return json_object_get(document, "rows");
}

/* True when no row before `row` is of its case. */
static bool is_first_of_case(const json_t *rows, size_t row) {
    const char *name = bench_text(json_array_get(rows, row), "case");
    for (size_t i = 0; i < row; i++)
        if (strcmp(bench_text(json_array_get(rows, i), "case"), name) == 0) return false;
    return true;
}

/* ---- Words ------------------------------------------------------------------------------------------------------- */

/* The row of the case with the highest rate, among the document's devices or among all others; NULL without any. */
static const json_t *fastest(const json_t *document, const char *name, bool of_devices) {
    const json_t *best = NULL;
    size_t i;
    json_t *row;
    json_array_foreach(rows_of(document), i, row) {
        const double rate = bench_number(row, "gflops");
        if (strcmp(bench_text(row, "case"), name) != 0 || bench_is_device(document, row) != of_devices ||
            !isfinite(rate))
            continue;
        if (!best || rate > bench_number(best, "gflops")) best = row;
    }
    return best;
}

/* One sentence a case: who is fastest, and by how much. */
static void write_verdict(FILE *page, const json_t *document, const char *name) {
    const json_t *ours = fastest(document, name, true), *other = fastest(document, name, false);
    if (!ours || !other) return;
    const double ratio = bench_number(ours, "gflops") / bench_number(other, "gflops");
    const double fraction = bench_number(ours, "fraction_of_ceiling");
    fputs("<li><b>", page);
    picture_html(page, name);
    fputs("</b>: ", page);
    if (ratio >= 1.0) {
        fputs("plethron on ", page);
        picture_html(page, bench_text(ours, "device"));
        fprintf(page, " is %.2f times as fast as the best of the others, ", ratio);
        picture_html(page, bench_text(other, "device"));
    } else {
        picture_html(page, bench_text(other, "device"));
        fprintf(page, " <b>wins</b>: it is %.2f times as fast as plethron on ", 1.0 / ratio);
        picture_html(page, bench_text(ours, "device"));
    }
    if (isfinite(fraction))
        fprintf(page, "; plethron reaches %.2f of the %s ceiling", fraction, bench_text(ours, "bound"));
    fputs(".</li>\n", page);
}

static void write_verdicts(FILE *page, const json_t *document) {
    const json_t *rows = rows_of(document);
    fputs("<h2>In short</h2>\n<ul>\n", page);
    for (size_t i = 0; i < json_array_size(rows); i++) {
        const char *name = bench_text(json_array_get(rows, i), "case");
        if (is_first_of_case(rows, i) && bench_is_plain(name)) write_verdict(page, document, name);
    }
    fputs("</ul>\n<p class=\"soft\">Rates of the epochs alone where a device's own time is known; uploads and starts "
          "are in "
          "the table at the end. OpenBLAS here is its best use: blocks that stay in the cache, on all cores.</p>\n",
          page);
}

/* ---- Sections ---------------------------------------------------------------------------------------------------- */

static void write_head(FILE *page, const json_t *document) {
    const json_t *machine = json_object_get(document, "machine");
    fputs("<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
          "<meta name=\"viewport\" content=\"width=device-width\">\n<title>plethron bench</title>\n",
          page);
    fputs("<style>\n", page);
    fputs(style, page);
    picture_style(page);
    fputs("</style>\n</head>\n<body>\n<h1>plethron bench</h1>\n<p>", page);
    picture_html(page, bench_text(machine, "processor"));
    fprintf(page, ", %.0f cores, %.0f GiB. Measured ", bench_number(machine, "cores"),
            bench_number(machine, "memory_bytes") / 0x1p30);
    picture_html(page, bench_text(document, "created"));
    fputs(" with plethron ", page);
    picture_html(page, bench_text(document, "plethron"));
    fputs(" ", page);
    picture_html(page, bench_text(document, "commit"));
    fputs(". Every result was checked against double precision before its time counted.</p>\n", page);
}

static plethron_status write_device(FILE *page, const json_t *document, const json_t *device, bool has_pictures,
                                    plethron_error *err) {
    const json_t *ceilings = json_object_get(device, "ceilings");
    fputs("<h3>", page);
    picture_html(page, bench_text(device, "selector"));
    fputs(": ", page);
    picture_html(page, bench_text(device, "name"));
    fprintf(
        page,
        "</h3>\n<p>At most %.0f GFLOP/s by fma and %.1f GB/s of reads; a launch %.3g us, %.3g us of many; upload %.1f "
        "GB/s, download %.1f GB/s.</p>\n",
        bench_number(ceilings, "fma_flops_per_s") / 1e9, bench_number(ceilings, "read_bytes_per_s") / 1e9,
        1e6 * bench_number(ceilings, "launch_s"), 1e6 * bench_number(ceilings, "batched_launch_s"),
        bench_number(ceilings, "upload_bytes_per_s") / 1e9, bench_number(ceilings, "download_bytes_per_s") / 1e9);
    return has_pictures ? bench_picture_roofline(page, document, device, err) : PLETHRON_OK;
}

static plethron_status write_devices(FILE *page, const json_t *document, bool has_pictures, plethron_error *err) {
    plethron_status status = PLETHRON_OK;
    size_t i;
    json_t *device;
    if (json_array_size(json_object_get(document, "devices")) == 0) return status;
    fputs("<h2>How near to the hardware's limit</h2>\n<p>The line is the roof that this run measured: memory to the "
          "left, "
          "arithmetic to the right. A point is a case; its height is what it reaches. Cases whose data fit a cache may "
          "stand above the slope.</p>\n",
          page);
    json_array_foreach(json_object_get(document, "devices"), i, device) {
        TRY(write_device(page, document, device, has_pictures, err));
    }
out:
    return status;
}

static plethron_status write_bars(FILE *page, const json_t *document, plethron_error *err) {
    plethron_status status = PLETHRON_OK;
    const json_t *rows = rows_of(document);
    fputs("<h2>Beside the others</h2>\n<p>Longer is faster, except where seconds are given. Coloured: plethron.</p>\n",
          page);
    for (size_t i = 0; i < json_array_size(rows); i++) {
        const json_t *row = json_array_get(rows, i);
        const char *name = bench_text(row, "case");
        if (!is_first_of_case(rows, i) || !bench_is_plain(name)) continue;
        fputs("<h3>", page);
        picture_html(page, name);
        fprintf(page, " <span class=\"soft\">%.0f samples, %.0f features, %.0f units</span></h3>\n",
                bench_number(row, "n_samples"), bench_number(row, "n_features"), bench_number(row, "n_units"));
        TRY(bench_picture_bars(page, document, name, err));
    }
out:
    return status;
}

/* The other device's seconds at this size; NAN when it has none. */
static double seconds_at(const json_t *rows, const char *prefix, const char *device, double size) {
    size_t i;
    json_t *row;
    double other_size, seconds;
    json_array_foreach(rows, i, row) {
        if (bench_curve_point(row, prefix, device, &other_size, &seconds) && other_size == size) return seconds;
    }
    return NAN;
}

/* The size from which on the device is faster at all larger ones that were measured, between two of them by the
 * logarithms; the smallest where it always is. INFINITY when it is slower at the largest, NAN without a common size. */
static double overtaking_size(const json_t *rows, const char *prefix, const char *device, const char *other,
                              bool *always) {
    double from = NAN, size, seconds, size_before = 0.0, lag_before = 0.0;
    size_t i;
    json_t *row;
    *always = true;
    json_array_foreach(rows, i, row) {
        if (!bench_curve_point(row, prefix, device, &size, &seconds)) continue;
        const double lag = log(seconds / seconds_at(rows, prefix, other, size));
        if (isnan(lag)) continue;
        if (lag >= 0.0)
            from = INFINITY;
        else if (isnan(from))
            from = size;
        else if (isinf(from))
            from = size_before * pow(size / size_before, lag_before / (lag_before - lag));
        *always = *always && lag < 0.0;
        size_before = size;
        lag_before = lag;
    }
    return from;
}

static void write_overtaking(FILE *page, const json_t *rows, const char *prefix, const char *axis, const char *device,
                             const char *other) {
    bool always;
    const double from = overtaking_size(rows, prefix, device, other, &always);
    if (strcmp(device, other) == 0 || isnan(from)) return;
    fputs("<li><b>", page);
    picture_html(page, device);
    fputs("</b> ", page);
    if (isinf(from))
        fprintf(page, "is slower than %s up to the largest size measured.", other);
    else if (always)
        fprintf(page, "is faster than %s at every size measured.", other);
    else {
        const double digit = pow(10.0, fmax(floor(log10(from)) - 1.0, 0.0)); /* two digits say enough */
        fprintf(page, "overtakes %s at about %.0f %s.", other, round(from / digit) * digit, axis);
    }
    fputs("</li>\n", page);
}

/* When each device of the document overtakes the CPU by its two best other means. */
static void write_overtakings(FILE *page, const json_t *document, const char *prefix, const char *axis) {
    size_t i;
    json_t *device;
    fputs("<ul>\n", page);
    json_array_foreach(json_object_get(document, "devices"), i, device) {
        write_overtaking(page, rows_of(document), prefix, axis, bench_text(device, "selector"), "host");
        write_overtaking(page, rows_of(document), prefix, axis, bench_text(device, "selector"), "openblas");
    }
    fputs("</ul>\n", page);
}

static plethron_status write_curves(FILE *page, const json_t *document, bool has_pictures, plethron_error *err) {
    plethron_status status = PLETHRON_OK;
    const json_t *rows = rows_of(document);
    bool any = false;
    for (size_t i = 0; i < json_array_size(rows); i++)
        any = any || bench_is_curve(bench_text(json_array_get(rows, i), "case"));
    if (!any) return status;
    fputs("<h2>When does which device pay?</h2>\n<p>Seconds of a whole training, uploads included: 64 features, 50 "
          "epochs. "
          "Lower is faster; where two lines cross, one device overtakes the other. 4,096 samples, more and more units:"
          "</p>\n",
          page);
    if (has_pictures) TRY(bench_picture_curve(page, rows, "units-", "units", err));
    write_overtakings(page, document, "units-", "units");
    fputs("<p>64 units, more and more samples:</p>\n", page);
    if (has_pictures) TRY(bench_picture_curve(page, rows, "samples-", "samples", err));
    write_overtakings(page, document, "samples-", "samples");
out:
    return status;
}

/* Times as long as without, by device. */
static void write_prices(FILE *page, const json_t *document) {
    size_t i, n_prices = 0;
    json_t *row;
    json_array_foreach(rows_of(document), i, row) {
        const double price = bench_number(row, "price");
        if (!isfinite(price)) continue;
        if (n_prices++ == 0)
            fputs(
                "<h2>What features cost</h2>\n<p>Times as long as the case without: with a penalty (l2), a fold of the "
                "rows held out by each unit, a stopping test every 10 epochs, or all of them.</p>\n"
                "<table>\n<tr><th>case<th>device<th>price</tr>\n",
                page);
        fputs("<tr><td>", page);
        picture_html(page, bench_text(row, "case"));
        fputs("</td><td>", page);
        picture_html(page, bench_text(row, "device"));
        fprintf(page, "</td><td>%.2f</td></tr>\n", price);
    }
    if (n_prices) fputs("</table>\n", page);
}

static void write_no_pictures(FILE *page, const char *reason) {
    fputs("<p class=\"soft\">The pictures are missing: ", page);
    picture_html(page, reason);
    fputs(".</p>\n", page);
}

static void write_cell(FILE *page, double value, const char *format) {
    fputs("<td>", page);
    if (isfinite(value))
        fprintf(page, format[0] == 'e' ? "%.1e" : format[0] == 's' ? "%.3g" : "%.2f", value);
    else
        fputs("–", page);
    fputs("</td>", page);
}

static void write_table(FILE *page, const json_t *document) {
    static const char *const times[] = {"cold", "warm", "upload", "device", "end_to_end"};
    size_t i;
    json_t *row;
    fputs(
        "<h2>All figures</h2>\n<p class=\"soft\">Times in seconds, medians. The plan of each row stands in the JSON "
        "document.</p>\n<div class=\"wide\"><table>\n<tr><th>case<th>device<th>strategy<th>units<th>epochs<th>cold<th>"
        "warm<th>upload<th>device<th>in all<th>GFLOP/s<th>GB/s<th>of ceiling<th>bound<th>to host<th>to BLAS<th>error"
        "</tr>\n",
        page);
    json_array_foreach(rows_of(document), i, row) {
        const json_t *seconds = json_object_get(row, "seconds"), *speedups = json_object_get(row, "speedup_over");
        fputs("<tr><td>", page);
        picture_html(page, bench_text(row, "case"));
        fputs("</td><td>", page);
        picture_html(page, bench_text(row, "device"));
        fputs("</td><td>", page);
        picture_html(page, bench_text(row, "strategy"));
        fprintf(page, "</td><td>%.0f</td><td>%.0f</td>", bench_number(row, "n_units"), bench_number(row, "epochs"));
        for (size_t t = 0; t < sizeof times / sizeof *times; t++)
            write_cell(page, bench_number(seconds, times[t]), "s");
        write_cell(page, bench_number(row, "gflops"), "s");
        write_cell(page, bench_number(row, "gbytes_per_s"), "s");
        write_cell(page, bench_number(row, "fraction_of_ceiling"), "");
        fputs("<td>", page);
        picture_html(page, bench_text(row, "bound"));
        fputs("</td>", page);
        write_cell(page, bench_number(speedups, "host"), "");
        write_cell(page, bench_number(speedups, "openblas"), "");
        write_cell(page, bench_number(row, "verified_error"), "e");
        fputs("</tr>\n", page);
    }
    fputs("</table></div>\n", page);
}

static void write_baselines(FILE *page, const json_t *document) {
    const char *name;
    json_t *description;
    fputs("<h2>The others</h2>\n<ul>\n", page);
    json_object_foreach(json_object_get(document, "baselines"), name, description) {
        fputs("<li>", page);
        picture_html(page, name);
        fputs(": ", page);
        picture_html(page, json_is_string(description) ? json_string_value(description) : "");
        fputs("</li>\n", page);
    }
    size_t i;
    json_t *row;
    json_array_foreach(rows_of(document), i, row) { /* whole fits tell in their plan what they did */
        if (bench_is_device(document, row) || isfinite(bench_number(row, "gflops"))) continue;
        fputs("<li>", page);
        picture_html(page, bench_text(row, "case"));
        fputs(": ", page);
        picture_html(page, bench_text(row, "plan"));
        fputs("</li>\n", page);
    }
    fputs("</ul>\n</body>\n</html>\n", page);
}

plethron_status bench_report_write(const json_t *document, const char *path, plethron_error *err) {
    plethron_status status = PLETHRON_OK;
    plethron_output *output = NULL;
    plethron_error reason;
    const bool has_pictures = picture_can_be_drawn(&reason);
    TRY(plethron_output_open(path, &output, err));
    FILE *page = plethron_output_stream(output);
    write_head(page, document);
    write_verdicts(page, document);
    if (!has_pictures) write_no_pictures(page, reason.text);
    if (has_pictures) TRY(write_bars(page, document, err));
    TRY(write_devices(page, document, has_pictures, err));
    TRY(write_curves(page, document, has_pictures, err));
    write_prices(page, document);
    write_table(page, document);
    write_baselines(page, document);
    TRY(plethron_output_commit(output, err));
out:
    plethron_output_close(output);
    return status;
}
