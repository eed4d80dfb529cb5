#define _POSIX_C_SOURCE 200809L

#include "bench_report.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_BARS = 24, MAX_SERIES = 6, MAX_LABELS = 64, WIDTH = 760, LETTER_WIDTH = 7 };

void bench_html(FILE *page, const char *text) {
    for (; *text; text++) {
        switch (*text) {
        case '<': fputs("&lt;", page); break;
        case '>': fputs("&gt;", page); break;
        case '&': fputs("&amp;", page); break;
        case '"': fputs("&quot;", page); break;
        default: fputc(*text, page);
        }
    }
}

static void open_picture(FILE *page, double height, const char *title) {
    fprintf(page, "<svg viewBox=\"0 0 %d %.0f\" role=\"img\" aria-label=\"", WIDTH, height);
    bench_html(page, title);
    fputs("\">\n", page);
}

/* `anchor` is start, middle or end. */
static void label(FILE *page, double x, double y, const char *anchor, const char *class, const char *text) {
    fprintf(page, "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"%s\" class=\"%s\">", x, y, anchor, class);
    bench_html(page, text);
    fputs("</text>\n", page);
}

static void line(FILE *page, double x1, double y1, double x2, double y2, const char *class) {
    fprintf(page, "<line x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\" class=\"%s\"/>\n", x1, y1, x2, y2, class);
}

bool bench_is_device(const json_t *document, const json_t *row) {
    size_t i;
    json_t *device;
    json_array_foreach(json_object_get(document, "devices"), i, device) {
        if (strcmp(bench_text(device, "selector"), bench_text(row, "device")) == 0) return true;
    }
    return false;
}

/* ---- Bars -------------------------------------------------------------------------------------------------------- */

typedef struct bar {
    const json_t *row;
    double value;
} bar;

static int larger_first(const void *a, const void *b) {
    const double x = ((const bar *)a)->value, y = ((const bar *)b)->value;
    return (x < y) - (x > y);
}

static int smaller_first(const void *a, const void *b) {
    return larger_first(b, a);
}

/* The rows of a case that have the number; `key` NULL asks for the seconds. */
static size_t gather(const json_t *rows, const char *name, const char *key, bar bars[MAX_BARS]) {
    size_t i, count = 0;
    json_t *row;
    json_array_foreach(rows, i, row) {
        const double value = key ? bench_number(row, key) : bench_row_seconds(row).median;
        if (strcmp(bench_text(row, "case"), name) == 0 && isfinite(value) && count < MAX_BARS)
            bars[count++] = (bar){row, value};
    }
    return count;
}

void bench_picture_bars(FILE *page, const json_t *document, const char *name) {
    enum { ROW_HEIGHT = 26, LEFT = 150, RIGHT = 230 };
    const json_t *rows = json_object_get(document, "rows");
    bar bars[MAX_BARS];
    const char *unit = "GFLOP/s";
    size_t count = gather(rows, name, "gflops", bars);
    if (count) {
        qsort(bars, count, sizeof *bars, larger_first);
    } else {
        count = gather(rows, name, NULL, bars);
        unit = "s";
        qsort(bars, count, sizeof *bars, smaller_first);
    }
    double most = 0.0;
    for (size_t i = 0; i < count; i++) most = fmax(most, bars[i].value);
    if (most <= 0.0) return;
    open_picture(page, (double)(count * ROW_HEIGHT + 8), name);
    for (size_t i = 0; i < count; i++) {
        const double y = (double)i * ROW_HEIGHT + 4.0, length = (WIDTH - LEFT - RIGHT) * bars[i].value / most;
        char text[BENCH_TEXT], share[64] = "";
        const double fraction = bench_number(bars[i].row, "fraction_of_ceiling");
        if (isfinite(fraction) && bench_is_device(document, bars[i].row))
            snprintf(share, sizeof share, ", %.2f of %s", fraction, bench_text(bars[i].row, "bound"));
        snprintf(text, sizeof text, "%.3g %s%s", bars[i].value, unit, share);
        label(page, LEFT - 8, y + 16.0, "end", "name", bench_text(bars[i].row, "device"));
        fprintf(page, "<rect x=\"%d\" y=\"%.1f\" width=\"%.1f\" height=\"18\" rx=\"2\" class=\"%s\"/>\n", LEFT, y + 2.0,
                fmax(length, 1.0), bench_is_device(document, bars[i].row) ? "ours" : "other");
        label(page, LEFT + length + 6.0, y + 16.0, "start", "value", text);
    }
    fputs("</svg>\n", page);
}

/* ---- Axes with logarithms ---------------------------------------------------------------------------------------- */

enum { PLOT_LEFT = 70, PLOT_RIGHT = 24, PLOT_TOP = 14, PLOT_BOTTOM = 46, PLOT_HEIGHT = 380 };

/* Whole decades. */
typedef struct axes {
    double x_low, x_high, y_low, y_high; /* powers of ten */
} axes;

static double at_x(const axes *a, double value) {
    return PLOT_LEFT + (WIDTH - PLOT_LEFT - PLOT_RIGHT) * (log10(value) - a->x_low) / (a->x_high - a->x_low);
}

static double at_y(const axes *a, double value) {
    return PLOT_HEIGHT - PLOT_BOTTOM -
           (PLOT_HEIGHT - PLOT_TOP - PLOT_BOTTOM) * (log10(value) - a->y_low) / (a->y_high - a->y_low);
}

static axes no_axes(void) {
    return (axes){INFINITY, -INFINITY, INFINITY, -INFINITY};
}

static void include(axes *a, double x, double y) {
    a->x_low = fmin(a->x_low, floor(log10(x)));
    a->x_high = fmax(a->x_high, ceil(log10(x)));
    a->y_low = fmin(a->y_low, floor(log10(y)));
    a->y_high = fmax(a->y_high, ceil(log10(y)));
}

/* False when nothing was included. An axis is at least a decade long. */
static bool finish(axes *a) {
    if (!isfinite(a->x_low) || !isfinite(a->y_low)) return false;
    if (a->x_high <= a->x_low) a->x_high = a->x_low + 1.0;
    if (a->y_high <= a->y_low) a->y_high = a->y_low + 1.0;
    return true;
}

/* "0.01" ... "1000", "10k", "1M". */
static void decade_text(double decade, char *text, size_t n_bytes) {
    const char *suffix = decade >= 9.0 ? "G" : decade >= 6.0 ? "M" : decade >= 4.0 ? "k" : "";
    const double power = decade >= 9.0 ? 9.0 : decade >= 6.0 ? 6.0 : decade >= 4.0 ? 3.0 : 0.0;
    snprintf(text, n_bytes, "%g%s", pow(10.0, decade - power), suffix);
}

static void draw_axes(FILE *page, const axes *a, const char *x_title, const char *y_title) {
    char text[32];
    for (double decade = a->x_low; decade <= a->x_high; decade++) {
        const double x = at_x(a, pow(10.0, decade));
        decade_text(decade, text, sizeof text);
        line(page, x, PLOT_TOP, x, PLOT_HEIGHT - PLOT_BOTTOM, "grid");
        label(page, x, PLOT_HEIGHT - PLOT_BOTTOM + 18.0, "middle", "tick", text);
    }
    for (double decade = a->y_low; decade <= a->y_high; decade++) {
        const double y = at_y(a, pow(10.0, decade));
        decade_text(decade, text, sizeof text);
        line(page, PLOT_LEFT, y, WIDTH - PLOT_RIGHT, y, "grid");
        label(page, PLOT_LEFT - 8.0, y + 4.0, "end", "tick", text);
    }
    label(page, 0.5 * (PLOT_LEFT + WIDTH - PLOT_RIGHT), PLOT_HEIGHT - 8.0, "middle", "title", x_title);
    fprintf(page, "<text transform=\"translate(16 %d) rotate(-90)\" text-anchor=\"middle\" class=\"title\">",
            (PLOT_HEIGHT - PLOT_BOTTOM + PLOT_TOP) / 2);
    bench_html(page, y_title);
    fputs("</text>\n", page);
}

/* ---- Roofline ---------------------------------------------------------------------------------------------------- */

/* Where a row stands; false for rows of others, without a rate, or of a chain of tiny epochs. */
static bool place(const json_t *row, const char *device, double *intensity, double *rate) {
    *rate = bench_number(row, "gflops");
    *intensity = *rate / bench_number(row, "gbytes_per_s");
    return strcmp(bench_text(row, "device"), device) == 0 && strcmp(bench_text(row, "bound"), "latency") != 0 &&
           strchr(bench_text(row, "case"), ',') == NULL && isfinite(*intensity) && *intensity > 0.0;
}

/* Where labels stand already. */
typedef struct placed_labels {
    double left[MAX_LABELS], right[MAX_LABELS], y[MAX_LABELS];
    size_t count;
} placed_labels;

/* The height nearest below `y` at which a label covers no other one. */
static double free_height(placed_labels *placed, double left, double right, double y) {
    const double height = 14.0;
    for (size_t i = 0; i < placed->count; i++) {
        const bool beside = placed->right[i] < left || right < placed->left[i];
        if (beside || fabs(placed->y[i] - y) >= height) continue;
        y = placed->y[i] + height;
        i = (size_t)-1; /* look at all of them again */
    }
    if (placed->count < MAX_LABELS) {
        placed->left[placed->count] = left;
        placed->right[placed->count] = right;
        placed->y[placed->count++] = y;
    }
    return y;
}

void bench_picture_roofline(FILE *page, const json_t *document, const json_t *device) {
    const json_t *rows = json_object_get(document, "rows"), *ceilings = json_object_get(device, "ceilings");
    const double peak = bench_number(ceilings, "fma_flops_per_s") / 1e9;
    const double reads = bench_number(ceilings, "read_bytes_per_s") / 1e9;
    const char *selector = bench_text(device, "selector");
    axes a = no_axes();
    size_t i;
    json_t *row;
    double intensity, rate;
    json_array_foreach(rows, i, row) {
        if (!bench_is_curve(bench_text(row, "case")) && place(row, selector, &intensity, &rate))
            include(&a, intensity, rate);
    }
    if (!isfinite(a.x_low) || !isfinite(peak) || !isfinite(reads)) return;
    include(&a, peak / reads, peak);
    include(&a, pow(10.0, a.x_low), fmin(peak, reads * pow(10.0, a.x_low)));
    if (!finish(&a)) return;
    open_picture(page, PLOT_HEIGHT, "roofline");
    draw_axes(page, &a, "flops a byte of X", "GFLOP/s");
    line(page, at_x(&a, pow(10.0, a.x_low)), at_y(&a, reads * pow(10.0, a.x_low)), at_x(&a, peak / reads),
         at_y(&a, peak), "roof");
    line(page, at_x(&a, peak / reads), at_y(&a, peak), WIDTH - PLOT_RIGHT, at_y(&a, peak), "roof");
    placed_labels placed = {0};
    json_array_foreach(rows, i, row) {
        if (bench_is_curve(bench_text(row, "case")) || !place(row, selector, &intensity, &rate)) continue;
        const double x = at_x(&a, intensity), y = at_y(&a, rate);
        const char *name = bench_text(row, "case");
        const double width = LETTER_WIDTH * (double)strlen(name);
        const bool at_right = x + width > WIDTH - PLOT_RIGHT - 12.0;
        const double left = at_right ? x - 9.0 - width : x + 9.0;
        fprintf(page, "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"5\" class=\"point\"/>\n", x, y);
        label(page, at_right ? x - 9.0 : x + 9.0, free_height(&placed, left, left + width, y + 4.0),
              at_right ? "end" : "start", "value", name);
    }
    fputs("</svg>\n", page);
}

/* ---- Curves ------------------------------------------------------------------------------------------------------ */

/* The number behind the prefix of a row's name, and the seconds; false for other rows. */
static bool curve_point(const json_t *row, const char *prefix, const char *device, double *size, double *seconds) {
    const char *name = bench_text(row, "case");
    if (strncmp(name, prefix, strlen(prefix)) != 0) return false;
    if (device && strcmp(bench_text(row, "device"), device) != 0) return false;
    *size = strtod(name + strlen(prefix), NULL);
    *seconds = bench_number(json_object_get(row, "seconds"), "end_to_end");
    return *size > 0.0 && isfinite(*seconds) && *seconds > 0.0;
}

static void draw_series(FILE *page, const axes *a, const json_t *rows, const char *prefix, const char *device,
                        size_t number) {
    size_t i;
    json_t *row;
    double size, seconds;
    fprintf(page, "<polyline class=\"series c%zu\" points=\"", number);
    json_array_foreach(rows, i, row) {
        if (curve_point(row, prefix, device, &size, &seconds))
            fprintf(page, "%.1f,%.1f ", at_x(a, size), at_y(a, seconds));
    }
    fputs("\"/>\n", page);
    json_array_foreach(rows, i, row) {
        if (curve_point(row, prefix, device, &size, &seconds))
            fprintf(page, "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"4\" class=\"dot c%zu\"/>\n", at_x(a, size),
                    at_y(a, seconds), number);
    }
    const double y = PLOT_TOP + 16.0 + 18.0 * (double)number;
    char class[32];
    snprintf(class, sizeof class, "series c%zu", number);
    line(page, PLOT_LEFT + 12.0, y, PLOT_LEFT + 36.0, y, class);
    label(page, PLOT_LEFT + 42.0, y + 4.0, "start", "value", device);
}

void bench_picture_curve(FILE *page, const json_t *rows, const char *prefix, const char *axis) {
    const char *devices[MAX_SERIES];
    size_t n_devices = 0, i;
    json_t *row;
    double size, seconds;
    axes a = no_axes();
    json_array_foreach(rows, i, row) {
        const char *device = bench_text(row, "device");
        if (!curve_point(row, prefix, NULL, &size, &seconds) || strcmp(device, "scalar") == 0) continue;
        include(&a, size, seconds);
        size_t d = 0;
        while (d < n_devices && strcmp(devices[d], device) != 0) d++;
        if (d == n_devices && n_devices < MAX_SERIES) devices[n_devices++] = device;
    }
    if (!finish(&a)) return;
    open_picture(page, PLOT_HEIGHT, axis);
    draw_axes(page, &a, axis, "seconds from end to end");
    for (size_t d = 0; d < n_devices; d++) draw_series(page, &a, rows, prefix, devices[d], d);
    fputs("</svg>\n", page);
}
