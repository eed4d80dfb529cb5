#define _POSIX_C_SOURCE 200809L

#include "bench_report.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_BARS = 60, MAX_SERIES = 6, MAX_LABELS = 64, MAX_NAME = 40, WIDTH = 760, HEIGHT = 400, BAR_HEIGHT = 26 };

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
    char name[BENCH_TEXT], text[BENCH_TEXT]; /* left of it, and at its end */
} bar;

static int larger_first(const void *a, const void *b) {
    const double x = ((const bar *)a)->value, y = ((const bar *)b)->value;
    return (x < y) - (x > y);
}

static int smaller_first(const void *a, const void *b) {
    return larger_first(b, a);
}

/* A bar a line, the first on top; those of plethron coloured. */
static void draw_bars(picture *out, const json_t *document, const bar *bars, size_t n_bars) {
    double names = 0.0, texts = 0.0, most = 0.0;
    for (size_t i = 0; i < n_bars; i++) {
        names = fmax(names, picture_text_width(bars[i].name, MAX_NAME));
        texts = fmax(texts, picture_text_width(bars[i].text, MAX_NAME));
        most = fmax(most, bars[i].value);
    }
    picture_box(out, names + 16.0, texts + 16.0, picture_head(out), 6.0);
    if (!(most > 0.0)) most = 1.0;
    picture_say(out, "unset grid\nunset border\nunset xtics\nset xrange [0:%.9g]\nset yrange [%zu.5:-0.5]\n", most,
                n_bars - 1);
    picture_say(out, "set ytics scale 0 textcolor rgb '%s' (", picture_color(out, INK_TEXT));
    for (size_t i = 0; i < n_bars; i++) {
        picture_say(out, "%s", i ? ", " : "");
        picture_tic(out, bars[i].name, MAX_NAME);
        picture_say(out, " %zu", i);
    }
    picture_say(out, ")\n");
    for (size_t i = 0; i < n_bars; i++) {
        picture_say(out, "set label ");
        picture_text(out, bars[i].text, MAX_NAME);
        picture_say(out, " at first %.9g,%zu left offset character 0.7,0 textcolor rgb '%s'\n", bars[i].value, i,
                    picture_color(out, INK_SOFT));
    }
    picture_say(out, "$bars << END\n");
    for (size_t i = 0; i < n_bars; i++) {
        const bool is_ours = bench_is_device(document, bars[i].row);
        picture_say(out, "%.9g %zu %ld\n", fmax(bars[i].value, 0.002 * most), i,
                    strtol(picture_color(out, is_ours ? INK_SERIES : INK_OTHER) + 1, NULL, 16));
    }
    picture_say(out, "END\nplot $bars using ($1/2):2:($1/2):(0.35):3 with boxxyerror fillstyle solid noborder "
                     "linecolor rgb variable notitle\n");
}

/* "0.93 of fma", where it is known of a device. */
static void share_text(const json_t *document, const json_t *row, const char *before, char text[BENCH_TEXT]) {
    const double fraction = bench_number(row, "fraction_of_ceiling");
    text[0] = '\0';
    if (isfinite(fraction) && bench_is_device(document, row))
        snprintf(text, BENCH_TEXT, "%s%.2f of %s", before, fraction, bench_text(row, "bound"));
}

/* The rows of a case that have the number; `key` NULL asks for the seconds. */
static size_t gather(const json_t *document, const char *name, const char *key, bar *bars) {
    size_t i, count = 0;
    json_t *row;
    json_array_foreach(json_object_get(document, "rows"), i, row) {
        const double value = key ? bench_number(row, key) : bench_row_seconds(row).median;
        if (strcmp(bench_text(row, "case"), name) != 0 || !isfinite(value) || count == MAX_BARS) continue;
        char share[BENCH_TEXT];
        bar *made = &bars[count++];
        *made = (bar){.row = row, .value = value};
        share_text(document, row, ", ", share);
        snprintf(made->name, sizeof made->name, "%s", bench_text(row, "device"));
        snprintf(made->text, sizeof made->text, "%.3g %s%.64s", value, key ? "GFLOP/s" : "s", share);
    }
    return count;
}

/* Begins the picture, has it drawn into the page, and releases it. */
static plethron_status draw_inline(picture *self, FILE *page, plethron_error *err) {
    const plethron_status status = picture_draw(self, page, err);
    picture_release(self);
    return status;
}

static plethron_status begin_inline(picture *self, int height, const char *title, plethron_error *err) {
    *self = (picture){.is_inline = true, .width = WIDTH, .height = height};
    snprintf(self->title, sizeof self->title, "%s", title);
    return picture_begin(self, err);
}

plethron_status bench_picture_bars(FILE *page, const json_t *document, const char *name, plethron_error *err) {
    plethron_status status = PLETHRON_OK;
    bar *bars = NULL;
    picture drawing = {0};
    TRY(allocate(MAX_BARS, sizeof *bars, &bars, err));
    const size_t n_rates = gather(document, name, "gflops", bars);
    const size_t n_bars = n_rates ? n_rates : gather(document, name, NULL, bars);
    qsort(bars, n_bars, sizeof *bars, n_rates ? larger_first : smaller_first);
    if (n_bars == 0 || !(bars[0].value > 0.0 || bars[n_bars - 1].value > 0.0)) goto out;
    TRY(begin_inline(&drawing, bench_picture_height(n_bars), name, err));
    draw_bars(&drawing, document, bars, n_bars);
    status = draw_inline(&drawing, page, err);
out:
    picture_release(&drawing);
    free(bars);
    return status;
}

/* ---- What all rows reach of their ceilings ----------------------------------------------------------------------- */

static bool has_share(const json_t *document, const json_t *row) {
    return isfinite(bench_number(row, "fraction_of_ceiling")) && bench_is_device(document, row) &&
           bench_is_plain(bench_text(row, "case"));
}

size_t bench_picture_n_ceilings(const json_t *document) {
    size_t i, count = 0;
    json_t *row;
    json_array_foreach(json_object_get(document, "rows"), i, row) count += has_share(document, row);
    return count < MAX_BARS ? count : MAX_BARS;
}

int bench_picture_height(size_t n_bars) {
    return (int)n_bars * BAR_HEIGHT + 20;
}

plethron_status bench_picture_ceilings(const json_t *document, picture *out, plethron_error *err) {
    bar *bars = NULL;
    size_t n_bars = 0, i;
    json_t *row;
    const plethron_status status = allocate(MAX_BARS, sizeof *bars, &bars, err);
    if (status != PLETHRON_OK) return status;
    json_array_foreach(json_object_get(document, "rows"), i, row) {
        if (!has_share(document, row) || n_bars == MAX_BARS) continue;
        bar *made = &bars[n_bars++];
        *made = (bar){.row = row, .value = bench_number(row, "fraction_of_ceiling")};
        snprintf(made->name, sizeof made->name, "%.100s, %.100s", bench_text(row, "case"), bench_text(row, "device"));
        share_text(document, row, "", made->text);
    }
    draw_bars(out, document, bars, n_bars);
    free(bars);
    return status;
}

/* ---- Axes with logarithms ---------------------------------------------------------------------------------------- */

enum { LEFT = 78, RIGHT = 24, TOP = 14 };

/* Whole decades. */
typedef struct axes {
    double x_low, x_high, y_low, y_high; /* powers of ten */
} axes;

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

static void write_axes(picture *out, const axes *a, const char *x_name, const char *y_name) {
    picture_box(out, LEFT, RIGHT, TOP, PICTURE_FOOT);
    picture_say(out, "set logscale xy\nset xrange [1e%.0f:1e%.0f]\nset yrange [1e%.0f:1e%.0f]\n", a->x_low, a->x_high,
                a->y_low, a->y_high);
    picture_names(out, x_name, y_name, 14.0);
}

/* Pixels from the left and the bottom edge of the axes. */
static double at_x(const axes *a, double value) {
    return (WIDTH - LEFT - RIGHT) * (log10(value) - a->x_low) / (a->x_high - a->x_low);
}

static double at_y(const axes *a, double value) {
    return (HEIGHT - TOP - PICTURE_FOOT) * (log10(value) - a->y_low) / (a->y_high - a->y_low);
}

/* ---- Roofline ---------------------------------------------------------------------------------------------------- */

typedef struct roof_point {
    const char *name;
    double intensity, rate; /* flops a byte, GFLOP/s */
} roof_point;

static int higher_first(const void *a, const void *b) {
    const double x = ((const roof_point *)a)->rate, y = ((const roof_point *)b)->rate;
    return (x < y) - (x > y);
}

/* The device's rows, without those that have no rate, those of a curve or of a price, and chains of tiny epochs; the
 * highest first.
 */
static size_t find_points(const json_t *rows, const char *device, roof_point points[MAX_LABELS]) {
    size_t i, count = 0;
    json_t *row;
    json_array_foreach(rows, i, row) {
        const char *name = bench_text(row, "case");
        const double rate = bench_number(row, "gflops"), intensity = rate / bench_number(row, "gbytes_per_s");
        const bool is_other = strcmp(bench_text(row, "device"), device) != 0 || !bench_is_plain(name) ||
                              strcmp(bench_text(row, "bound"), "latency") == 0;
        if (is_other || !isfinite(intensity) || !(intensity > 0.0) || !(rate > 0.0) || count == MAX_LABELS) continue;
        points[count++] = (roof_point){name, intensity, rate};
    }
    qsort(points, count, sizeof *points, higher_first);
    return count;
}

/* Where points and labels stand already, in pixels. */
typedef struct placed_labels {
    double left[2 * MAX_LABELS], right[2 * MAX_LABELS], y[2 * MAX_LABELS];
    size_t count;
} placed_labels;

static void occupy(placed_labels *placed, double left, double right, double y) {
    if (placed->count == 2 * MAX_LABELS) return;
    placed->left[placed->count] = left;
    placed->right[placed->count] = right;
    placed->y[placed->count++] = y;
}

/* The height nearest below `y` at which a label covers nothing. */
static double free_height(placed_labels *placed, double left, double right, double y) {
    const double height = 15.0;
    for (size_t i = 0; i < placed->count; i++) {
        const bool beside = placed->right[i] < left || right < placed->left[i];
        if (beside || fabs(placed->y[i] - y) >= height) continue;
        y = placed->y[i] - height;
        i = (size_t)-1; /* look at all of them again */
    }
    occupy(placed, left, right, y);
    return y;
}

/* The name beside its point and a little below, where the roof is not, on the side where there is room. */
static void write_name(picture *out, const axes *a, placed_labels *placed, const roof_point *point) {
    const double width = picture_text_width(point->name, MAX_NAME), gap = 8.0, x = at_x(a, point->intensity);
    const bool is_left = x + width > WIDTH - LEFT - RIGHT - 12.0;
    const double left = is_left ? x - gap - width : x + gap;
    const double height = free_height(placed, left, left + width, at_y(a, point->rate) - 9.0);
    picture_say(out, "set label ");
    picture_text(out, point->name, MAX_NAME);
    picture_say(out, " at screen %.5f,%.5f %s front textcolor rgb '%s'\n",
                (LEFT + (is_left ? left + width : left)) / WIDTH, (PICTURE_FOOT + height) / HEIGHT,
                is_left ? "right" : "left", picture_color(out, INK_SOFT));
}

static void draw_roofline(picture *out, const axes *a, const roof_point *points, size_t n_points, double reads,
                          double peak) {
    placed_labels placed = {0};
    write_axes(out, a, "flops a byte of X", "GFLOP/s");
    picture_say(out, "$points << END\n");
    for (size_t i = 0; i < n_points; i++) picture_say(out, "%.9g %.9g\n", points[i].intensity, points[i].rate);
    picture_say(out, "END\n");
    for (size_t i = 0; i < n_points; i++) {
        const double x = at_x(a, points[i].intensity), radius = 6.0;
        occupy(&placed, x - radius, x + radius, at_y(a, points[i].rate));
    }
    for (size_t i = 0; i < n_points; i++) write_name(out, a, &placed, &points[i]);
    picture_say(out, "set samples 500\nroof(x) = x * %.9g < %.9g ? x * %.9g : %.9g\n", reads, peak, reads, peak);
    picture_say(out,
                "plot roof(x) with lines linewidth 2 linecolor rgb '%s' notitle, "
                "$points with points pointtype 7 pointsize 1 linecolor rgb '%s' notitle\n",
                picture_color(out, INK_TEXT), picture_color(out, INK_SERIES));
}

plethron_status bench_picture_roofline(FILE *page, const json_t *document, const json_t *device, plethron_error *err) {
    plethron_status status = PLETHRON_OK;
    picture drawing = {0};
    roof_point points[MAX_LABELS];
    const json_t *ceilings = json_object_get(device, "ceilings");
    const double peak = bench_number(ceilings, "fma_flops_per_s") / 1e9;
    const double reads = bench_number(ceilings, "read_bytes_per_s") / 1e9;
    const size_t n_points = find_points(json_object_get(document, "rows"), bench_text(device, "selector"), points);
    axes a = no_axes();
    if (n_points == 0 || !(peak > 0.0) || !(reads > 0.0)) return status;
    for (size_t i = 0; i < n_points; i++) include(&a, points[i].intensity, points[i].rate);
    include(&a, peak / reads, peak);
    include(&a, pow(10.0, a.x_low), fmin(peak, reads * pow(10.0, a.x_low)));
    finish(&a);
    TRY(begin_inline(&drawing, HEIGHT, "roofline", err));
    draw_roofline(&drawing, &a, points, n_points, reads, peak);
    status = draw_inline(&drawing, page, err);
out:
    picture_release(&drawing);
    return status;
}

/* ---- Curves ------------------------------------------------------------------------------------------------------ */

bool bench_curve_point(const json_t *row, const char *prefix, const char *device, double *size, double *seconds) {
    const char *name = bench_text(row, "case");
    if (strncmp(name, prefix, strlen(prefix)) != 0) return false;
    if (device && strcmp(bench_text(row, "device"), device) != 0) return false;
    *size = strtod(name + strlen(prefix), NULL);
    *seconds = bench_number(json_object_get(row, "seconds"), "end_to_end");
    return *size > 0.0 && isfinite(*seconds) && *seconds > 0.0;
}

static void draw_curves(picture *out, const json_t *rows, const char *prefix, const char *const *devices,
                        size_t n_devices) {
    size_t i;
    json_t *row;
    double size, seconds;
    for (size_t d = 0; d < n_devices; d++) {
        picture_say(out, "$device%zu << END\n", d);
        json_array_foreach(rows, i, row) {
            if (bench_curve_point(row, prefix, devices[d], &size, &seconds))
                picture_say(out, "%.9g %.9g\n", size, seconds);
        }
        picture_say(out, "END\n");
    }
    picture_say(out, "set format x '%%.0s%%c'\nset key left top\n");
    for (size_t d = 0; d < n_devices; d++) {
        picture_say(out,
                    "%s$device%zu with linespoints pointtype 7 pointsize 0.8 linewidth 2 linecolor rgb '%s' title ",
                    d ? ", " : "plot ", d, picture_color(out, (picture_ink)(INK_SERIES + d)));
        picture_text(out, devices[d], MAX_NAME);
    }
    picture_say(out, "\n");
}

plethron_status bench_picture_curve(FILE *page, const json_t *rows, const char *prefix, const char *axis,
                                    plethron_error *err) {
    plethron_status status = PLETHRON_OK;
    picture drawing = {0};
    const char *devices[MAX_SERIES];
    size_t n_devices = 0, i;
    json_t *row;
    double size, seconds;
    axes a = no_axes();
    json_array_foreach(rows, i, row) {
        const char *device = bench_text(row, "device");
        if (!bench_curve_point(row, prefix, NULL, &size, &seconds) || strcmp(device, "scalar") == 0) continue;
        include(&a, size, seconds);
        size_t d = 0;
        while (d < n_devices && strcmp(devices[d], device) != 0) d++;
        if (d == n_devices && n_devices < MAX_SERIES) devices[n_devices++] = device;
    }
    if (!finish(&a)) return status;
    TRY(begin_inline(&drawing, HEIGHT, axis, err));
    write_axes(&drawing, &a, axis, "seconds from end to end");
    draw_curves(&drawing, rows, prefix, devices, n_devices);
    status = draw_inline(&drawing, page, err);
out:
    picture_release(&drawing);
    return status;
}
