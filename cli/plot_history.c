/* The training history: loss and error sum over the epochs. Few units, or those of --unit, are a line each; of many the
 * middle 90 % and the middle half are bands around the median, and the best unit is drawn out. */
#define _POSIX_C_SOURCE 200809L

#include "plot.h"

#include <math.h>
#include <stdlib.h>

enum { N_MEASURES = 2, PANEL_GAP = 18, MAX_MARKED = 30 /* epochs with a point each */ };

typedef struct history_row {
    float epoch, unit;
    float measures[N_MEASURES]; /* loss, error sum */
} history_row;

static const char *const axis_names[N_MEASURES] = {"loss", "sum of errors"};
static const double quantiles[] = {0.05, 0.25, 0.5, 0.75, 0.95};
enum { N_QUANTILES = sizeof quantiles / sizeof *quantiles };

typedef struct history {
    history_row *rows; /* [n_rows], by epoch and unit */
    size_t n_rows;
    size_t n_units, n_epochs;
    double legend;                            /* pixels */
    double low[N_MEASURES], high[N_MEASURES]; /* of what is drawn */
} history;

static int compare_rows(const void *a, const void *b) {
    const history_row *x = a, *y = b;
    if (x->epoch != y->epoch) return x->epoch < y->epoch ? -1 : 1;
    return (x->unit > y->unit) - (x->unit < y->unit);
}

static plethron_status history_read(const plot_arguments *a, const plethron_table *table, history *out,
                                    plethron_error *err) {
    static const char *const names[] = {"epoch", "unit", "loss", "error_sum"};
    plethron_status status = PLETHRON_OK;
    float *columns[4] = {NULL};
    const size_t n = plethron_table_n_rows(table);
    for (size_t c = 0; c < 4; c++) TRY(plot_numbers(table, names[c], &columns[c], err));
    TRY(allocate(n, sizeof *out->rows, &out->rows, err));
    for (size_t i = 0; i < n; i++) {
        if (isnan(columns[0][i]) || isnan(columns[1][i])) {
            status = fail(err, PLETHRON_ERROR_FORMAT, "%s: row %zu has no %s", a->file, i + 1,
                          isnan(columns[0][i]) ? "epoch" : "unit");
            goto out;
        }
        out->rows[i] = (history_row){columns[0][i], columns[1][i], {columns[2][i], columns[3][i]}};
    }
    if (n == 0) status = fail(err, PLETHRON_ERROR_FORMAT, "%s: holds no epoch", a->file);
    out->n_rows = n;
    qsort(out->rows, n, sizeof *out->rows, compare_rows);
out:
    for (size_t c = 0; c < 4; c++) free(columns[c]);
    return status;
}

/* The row behind the last one of the epoch that begins at `first`. */
static size_t epoch_end(const history *self, size_t first) {
    size_t end = first;
    while (end < self->n_rows && self->rows[end].epoch == self->rows[first].epoch) end++;
    return end;
}

static void widen(history *self, size_t measure, double value) {
    if (!isfinite(value)) return;
    self->low[measure] = fmin(self->low[measure], value);
    self->high[measure] = fmax(self->high[measure], value);
}

/* ---- Data -------------------------------------------------------------------------------------------------------- */

/* $lineL: epoch, loss, error sum. False when the unit is not there. */
static bool write_line(history *self, picture *out, size_t line, float unit) {
    bool found = false;
    picture_say(out, "$line%zu << END\n", line);
    for (size_t i = 0; i < self->n_rows; i++) {
        const history_row *row = &self->rows[i];
        if (row->unit != unit) continue;
        found = true;
        picture_say(out, "%.9g", (double)row->epoch);
        for (size_t m = 0; m < N_MEASURES; m++) {
            widen(self, m, (double)row->measures[m]);
            picture_say(out, " %.9g", (double)row->measures[m]);
        }
        picture_say(out, "\n");
    }
    picture_say(out, "END\n");
    return found;
}

static int compare_values(const void *a, const void *b) {
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Linearly interpolated between the two nearest of the n sorted values; NAN without any. */
static double quantile(const double *sorted, size_t n, double share) {
    const double at = share * (double)(n - 1);
    const size_t below = (size_t)at;
    if (n == 0) return NAN;
    if (below + 1 >= n) return sorted[n - 1];
    return sorted[below] + (at - (double)below) * (sorted[below + 1] - sorted[below]);
}

/* $bands: epoch, the quantiles of the loss, those of the error sum; over the units with a finite value. */
static void write_bands(history *self, picture *out, double *room) {
    picture_say(out, "$bands << END\n");
    for (size_t first = 0, end; first < self->n_rows; first = end) {
        end = epoch_end(self, first);
        picture_say(out, "%.9g", (double)self->rows[first].epoch);
        for (size_t m = 0; m < N_MEASURES; m++) {
            size_t n = 0;
            for (size_t i = first; i < end; i++)
                if (isfinite(self->rows[i].measures[m])) room[n++] = (double)self->rows[i].measures[m];
            qsort(room, n, sizeof *room, compare_values);
            for (size_t q = 0; q < N_QUANTILES; q++) {
                const double value = quantile(room, n, quantiles[q]);
                widen(self, m, value);
                picture_say(out, " %.9g", value);
            }
        }
        picture_say(out, "\n");
    }
    picture_say(out, "END\n");
}

/* The unit with the lowest loss in the last epoch; NAN when none has a finite one. */
static float best_unit(const history *self) {
    const history_row *best = NULL;
    for (size_t i = self->n_rows; i-- > 0 && self->rows[i].epoch == self->rows[self->n_rows - 1].epoch;)
        if (isfinite(self->rows[i].measures[0]) && (!best || self->rows[i].measures[0] <= best->measures[0]))
            best = &self->rows[i];
    return best ? best->unit : NAN;
}

/* ---- The picture ------------------------------------------------------------------------------------------------- */

static void plot_lines(const history *self, picture *out, const float *units, size_t n_units, size_t measure) {
    const char *style = self->n_epochs > MAX_MARKED ? "lines" : "linespoints pointtype 7 pointsize 0.5";
    for (size_t u = 0; u < n_units; u++)
        picture_say(out, "%s$line%zu using 1:%zu with %s linewidth 2 linecolor rgb '%s' title 'unit %.0f'",
                    u ? ", " : "plot ", u, measure + 2, style, picture_color(out, (picture_ink)(INK_SERIES + u)),
                    (double)units[u]);
    picture_say(out, "\n");
}

static void plot_bands(picture *out, float best, size_t measure) {
    const char *color = picture_color(out, INK_SERIES), *other = picture_color(out, INK_SERIES + 1);
    const size_t first = 2 + measure * N_QUANTILES;
    picture_say(out,
                "plot $bands using 1:%zu:%zu with filledcurves fillstyle transparent solid 0.18 noborder "
                "linecolor rgb '%s' title 'nine in ten units', "
                "$bands using 1:%zu:%zu with filledcurves fillstyle transparent solid 0.3 noborder "
                "linecolor rgb '%s' title 'half of the units', "
                "$bands using 1:%zu with lines linewidth 2 linecolor rgb '%s' title 'median'",
                first, first + 4, color, first + 1, first + 3, color, first + 2, color);
    if (!isnan(best))
        picture_say(out, ", $line0 using 1:%zu with lines linewidth 2 linecolor rgb '%s' title 'unit %.0f, the best'",
                    measure + 2, other, (double)best);
    picture_say(out, "\n");
}

/* The panel's place and axes; the loss above, the errors below. */
static void begin_panel(const history *self, picture *out, size_t measure) {
    const double head = picture_head(out), foot = PICTURE_FOOT;
    const double height = (out->height - head - foot - PANEL_GAP) / N_MEASURES;
    const double top = head + (double)measure * (height + PANEL_GAP);
    const bool is_log = picture_wants_log(self->low[measure], self->high[measure]);
    const bool is_last = measure + 1 == N_MEASURES, is_empty = !isfinite(self->low[measure]);
    picture_box(out, 78.0, self->legend, top, out->height - top - height);
    picture_say(out, "%s logscale y\nset yrange %s\n", is_log ? "set" : "unset", is_empty ? "[0:1]" : "[*:*]");
    picture_names(out, is_last ? "epoch" : "", axis_names[measure], 14.0);
    if (measure == 0)
        picture_say(out, "set key at screen %.4f,%.4f left top\nset format x ''\n",
                    1.0 - (self->legend - 8.0) / out->width, 1.0 - top / out->height);
    if (is_last) picture_say(out, "unset key\nunset label 99\nset format x '%%g'\n");
}

/* The column at the right that holds the longest of these texts and a sample of the line. */
static double legend_width(const char *text, float last_unit) {
    char unit[64];
    snprintf(unit, sizeof unit, "unit %.0f%s", (double)last_unit, *text ? ", the best" : "");
    return 50.0 + fmax(picture_text_width(text, sizeof unit), picture_text_width(unit, sizeof unit));
}

static plethron_status plot_chosen(const plot_arguments *a, history *self, const float *units, size_t n_units,
                                   picture *out, plethron_error *err) {
    for (size_t u = 0; u < n_units; u++)
        if (!write_line(self, out, u, units[u]))
            return fail(err, PLETHRON_ERROR_ARGUMENT, "%s: holds no unit %.0f; it has %zu units", a->file,
                        (double)units[u], self->n_units);
    for (size_t u = 0; u < n_units; u++) self->legend = fmax(self->legend, legend_width("", units[u]));
    picture_say(out, "set multiplot\n");
    for (size_t m = 0; m < N_MEASURES; m++) {
        begin_panel(self, out, m);
        plot_lines(self, out, units, n_units, m);
    }
    return PLETHRON_OK;
}

static plethron_status plot_many(history *self, picture *out, plethron_error *err) {
    double *room = NULL;
    const float best = best_unit(self);
    const plethron_status status = allocate(self->n_rows, sizeof *room, &room, err);
    if (status != PLETHRON_OK) return status;
    self->legend = legend_width("nine in ten units", best);
    write_bands(self, out, room);
    free(room);
    if (!isnan(best)) write_line(self, out, 0, best);
    picture_say(out, "set multiplot\n");
    for (size_t m = 0; m < N_MEASURES; m++) {
        begin_panel(self, out, m);
        plot_bands(out, best, m);
    }
    return PLETHRON_OK;
}

plethron_status plot_history(const plot_arguments *a, const plethron_table *table, picture *out, plethron_error *err) {
    plethron_status status;
    history self = {.low = {INFINITY, INFINITY}, .high = {-INFINITY, -INFINITY}};
    float units[PICTURE_SERIES];
    char title[64];
    TRY(history_read(a, table, &self, err));
    self.n_units = epoch_end(&self, 0);
    for (size_t row = 0; row < self.n_rows; row = epoch_end(&self, row)) self.n_epochs++;
    size_t n_lines = a->n_units;
    for (size_t u = 0; u < n_lines; u++) units[u] = (float)a->units[u];
    if (n_lines == 0 && self.n_units <= PICTURE_SERIES)
        for (; n_lines < self.n_units; n_lines++) units[n_lines] = self.rows[n_lines].unit;
    snprintf(title, sizeof title, "Training of %zu unit%s", self.n_units, self.n_units == 1 ? "" : "s");
    TRY(plot_begin(a, 800, 560, title, out, err));
    if (n_lines)
        TRY(plot_chosen(a, &self, units, n_lines, out, err));
    else
        TRY(plot_many(&self, out, err));
    if (!isfinite(self.low[0]) && !isfinite(self.low[1]))
        status =
            fail(err, PLETHRON_ERROR_FORMAT, "%s: no loss and no error sum of these units is a finite number", a->file);
out:
    free(self.rows);
    return status;
}
