/* A sweep as a heat map: a measure, the mean over targets, classes and folds, over lr and l2. Each other combination of
 * loss, optimizer and l1 has a panel of its own. */
#define _POSIX_C_SOURCE 200809L

#include "plot.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_PANELS = 24, MAX_CELLS = 1 << 16, SCALE_WIDTH = 96, HEAD = 24, MAX_NAME = 48 };

/* The distinct values of a column, ascending. */
typedef struct value_list {
    float *values;
    size_t count;
} value_list;

typedef struct sweep_cell {
    double sum;
    size_t n_units;
    bool has_diverged;
} sweep_cell;

typedef struct sweep_map {
    size_t n_rows;
    value_list rates, l2s, l1s;
    float *rate, *l2, *l1, *measure; /* [n_rows] */
    plethron_classes *losses, *optimizers, *states;
    size_t n_panels;   /* losses x optimizers x l1s, those without units among them */
    sweep_cell *cells; /* [n_panels, l2s, rates] */
    double low, high;
    bool is_loss; /* lower is better */
} sweep_map;

static void map_release(sweep_map *self) {
    float *columns[] = {self->rate,         self->l2,         self->l1,        self->measure,
                        self->rates.values, self->l2s.values, self->l1s.values};
    for (size_t c = 0; c < sizeof columns / sizeof *columns; c++) free(columns[c]);
    plethron_classes_close(self->losses);
    plethron_classes_close(self->optimizers);
    plethron_classes_close(self->states);
    free(self->cells);
}

/* ---- Reading ----------------------------------------------------------------------------------------------------- */

static int compare_floats(const void *a, const void *b) {
    const float x = *(const float *)a, y = *(const float *)b;
    return (x > y) - (x < y);
}

/* The column, and its distinct values. */
static plethron_status read_axis(const plot_arguments *a, const plethron_table *table, const char *name, float **column,
                                 value_list *out, plethron_error *err) {
    plethron_status status;
    const size_t n = plethron_table_n_rows(table);
    TRY(plot_numbers(table, name, column, err));
    TRY(allocate(n, sizeof *out->values, &out->values, err));
    for (size_t i = 0; i < n; i++)
        if (isnan((*column)[i])) {
            status = fail(err, PLETHRON_ERROR_FORMAT, "%s: row %zu has no %s", a->file, i + 1, name);
            goto out;
        }
    memcpy(out->values, *column, n * sizeof **column);
    qsort(out->values, n, sizeof *out->values, compare_floats);
    for (size_t i = 0; i < n; i++)
        if (out->count == 0 || out->values[i] != out->values[out->count - 1])
            out->values[out->count++] = out->values[i];
out:
    return status;
}

static size_t place_of(const value_list *list, float value) {
    const float *found = bsearch(&value, list->values, list->count, sizeof value, compare_floats);
    return (size_t)(found - list->values); /* it is one of them */
}

/* The code of a label; a missing one counts as the first. */
static size_t code_of(const plethron_classes *labels, size_t row) {
    const float code = plethron_classes_codes(labels)[row];
    return isnan(code) ? 0 : (size_t)code;
}

static sweep_cell *cell_of(const sweep_map *self, size_t panel, size_t l2, size_t rate) {
    return &self->cells[(panel * self->l2s.count + l2) * self->rates.count + rate];
}

static void add_row(sweep_map *self, size_t row) {
    const size_t panel =
        (code_of(self->losses, row) * plethron_classes_count(self->optimizers) + code_of(self->optimizers, row)) *
            self->l1s.count +
        place_of(&self->l1s, self->l1[row]);
    sweep_cell *cell =
        cell_of(self, panel, place_of(&self->l2s, self->l2[row]), place_of(&self->rates, self->rate[row]));
    if (strcmp(plot_label(self->states, row), "diverged") == 0) cell->has_diverged = true;
    if (isnan(self->measure[row])) return;
    cell->sum += (double)self->measure[row];
    cell->n_units++;
}

/* The mean; NAN where no unit has the measure, or one has diverged. */
static double mean_of(const sweep_cell *cell) {
    return cell->has_diverged || cell->n_units == 0 ? NAN : cell->sum / (double)cell->n_units;
}

static plethron_status map_read(const plot_arguments *a, const plethron_table *table, sweep_map *self,
                                plethron_error *err) {
    plethron_status status = PLETHRON_OK;
    self->n_rows = plethron_table_n_rows(table);
    if (self->n_rows == 0) return fail(err, PLETHRON_ERROR_FORMAT, "%s: holds no unit", a->file);
    TRY(read_axis(a, table, "lr", &self->rate, &self->rates, err));
    TRY(read_axis(a, table, "l2", &self->l2, &self->l2s, err));
    TRY(read_axis(a, table, "l1", &self->l1, &self->l1s, err));
    TRY(plot_labels(table, "loss", &self->losses, err));
    TRY(plot_labels(table, "optimizer", &self->optimizers, err));
    TRY(plot_labels(table, "state", &self->states, err));
    TRY(plot_numbers(table, a->measure, &self->measure, err));
    self->n_panels = plethron_classes_count(self->losses) * plethron_classes_count(self->optimizers) * self->l1s.count;
    const double n_cells = (double)self->n_panels * (double)self->l2s.count * (double)self->rates.count;
    if (self->n_panels == 0 || n_cells > MAX_CELLS) {
        status = fail(err, PLETHRON_ERROR_UNSUPPORTED, "%s: holds %.0f combinations: 1 to %d can be drawn", a->file,
                      n_cells, MAX_CELLS);
        goto out;
    }
    TRY(allocate((size_t)n_cells, sizeof *self->cells, &self->cells, err));
    for (size_t i = 0; i < self->n_rows; i++) add_row(self, i);
    self->low = INFINITY;
    self->high = -INFINITY;
    for (size_t c = 0; c < (size_t)n_cells; c++) {
        self->low = fmin(self->low, mean_of(&self->cells[c])); /* fmin and fmax pass over NAN */
        self->high = fmax(self->high, mean_of(&self->cells[c]));
    }
    if (!isfinite(self->low))
        status =
            fail(err, PLETHRON_ERROR_FORMAT, "%s: no combination has a number in column '%s'", a->file, a->measure);
out:
    return status;
}

/* ---- Drawing ----------------------------------------------------------------------------------------------------- */

/* How good a mean is among all that are drawn: from 0 to 1. */
static double goodness(const sweep_map *self, double mean) {
    const bool is_log = picture_wants_log(self->low, self->high);
    const double low = is_log ? log(self->low) : self->low, high = is_log ? log(self->high) : self->high;
    if (high <= low) return 1.0;
    const double at = ((is_log ? log(mean) : mean) - low) / (high - low);
    return self->is_loss ? 1.0 - at : at;
}

/* Viridis (S. van der Walt, N. Smith): as light as it is good, on light and dark pages, to colour-blind eyes. */
static void write_palette(const sweep_map *self, picture *out) {
    static const char *const colors[] = {"#440154", "#482878", "#3e4989", "#31688e", "#26828e",
                                         "#1f9e89", "#35b779", "#6ece58", "#b5de2b", "#fde725"};
    enum { N_COLORS = sizeof colors / sizeof *colors };
    picture_say(out, "set palette maxcolors 64 defined (");
    for (size_t i = 0; i < N_COLORS; i++)
        picture_say(out, "%s%zu '%s'", i ? ", " : "", i, colors[self->is_loss ? N_COLORS - 1 - i : i]);
    picture_say(out, ")\n");
    const double room = self->high > self->low ? 0.0 : 1.0; /* a single value is the best */
    picture_say(out, "set cbrange [%.9g:%.9g]\n", self->low - (self->is_loss ? 0.0 : room),
                self->high + (self->is_loss ? room : 0.0));
    if (picture_wants_log(self->low, self->high)) picture_say(out, "set logscale cb\n");
}

static bool panel_has_units(const sweep_map *self, size_t panel) {
    const size_t n = self->l2s.count * self->rates.count;
    for (size_t c = 0; c < n; c++) {
        const sweep_cell *cell = &self->cells[panel * n + c];
        if (cell->n_units || cell->has_diverged) return true;
    }
    return false;
}

/* The columns are the place of lr and of l2, the mean, and how light a text on its colour is; $without: places of
 * combinations that have no number. */
static void write_cells(const sweep_map *self, picture *out, size_t panel) {
    picture_say(out, "$cells << END\n");
    for (size_t l2 = 0; l2 < self->l2s.count; l2++)
        for (size_t rate = 0; rate < self->rates.count; rate++) {
            const double mean = mean_of(cell_of(self, panel, l2, rate));
            if (!isnan(mean))
                picture_say(out, "%zu %zu %.9g %d\n", rate, l2, mean, goodness(self, mean) < 0.55 ? 0xffffff : 0);
        }
    picture_say(out, "END\n$without << END\n");
    for (size_t l2 = 0; l2 < self->l2s.count; l2++)
        for (size_t rate = 0; rate < self->rates.count; rate++)
            if (isnan(mean_of(cell_of(self, panel, l2, rate)))) picture_say(out, "%zu %zu\n", rate, l2);
    picture_say(out, "END\n");
}

/* A frame around each cell that nothing is better than. */
static void frame_best(const sweep_map *self, picture *out, size_t panel) {
    const double best = self->is_loss ? self->low : self->high;
    if (self->low == self->high) return;
    picture_say(out, "unset object\n");
    for (size_t l2 = 0; l2 < self->l2s.count; l2++)
        for (size_t rate = 0; rate < self->rates.count; rate++)
            if (mean_of(cell_of(self, panel, l2, rate)) == best)
                picture_say(out,
                            "set object rectangle center %zu,%zu size 0.94,0.94 front fillstyle empty "
                            "border linecolor rgb '%s' linewidth 3\n",
                            rate, l2, "#c4122f");
}

static const char *tic_text(float value, char text[NUMBER_TEXT]) {
    snprintf(text, NUMBER_TEXT, "%.4g", (double)value);
    return text;
}

static double widest_tic(const value_list *list) {
    char text[NUMBER_TEXT];
    double width = 0.0;
    for (size_t i = 0; i < list->count; i++)
        width = fmax(width, picture_text_width(tic_text(list->values[i], text), NUMBER_TEXT));
    return width;
}

/* A tic for each value, or for every n-th where they would touch. */
static void write_tics(picture *out, char axis, const value_list *list, double length, double tic_length,
                       bool has_labels) {
    size_t every = 1;
    while (every < list->count && length / (double)list->count * (double)every < tic_length) every++;
    picture_say(out, "set %ctics (", axis);
    for (size_t i = 0; i < list->count; i += every) {
        char text[NUMBER_TEXT] = "";
        if (has_labels) tic_text(list->values[i], text);
        picture_say(out, "%s'%s' %zu", i ? ", " : "", text, i);
    }
    picture_say(out, ")\nset %crange [-0.5:%zu.5]\n", axis, list->count - 1);
}

/* "log, gd, l1 0.01": what sets the panel apart. */
static void write_panel_name(const sweep_map *self, picture *out, size_t panel) {
    char name[3 * NAME_SHOWN], l1[NUMBER_TEXT], shown[NAME_SHOWN], optimizer[NAME_SHOWN];
    const size_t n_optimizers = plethron_classes_count(self->optimizers), n_l1s = self->l1s.count;
    snprintf(name, sizeof name, "%s, %s, l1 %s",
             name_show(plethron_classes_label(self->losses, panel / n_l1s / n_optimizers), shown),
             name_show(plethron_classes_label(self->optimizers, panel / n_l1s % n_optimizers), optimizer),
             number_text(self->l1s.values[panel % n_l1s], l1));
    picture_say(out, "set label 1 ");
    picture_text(out, name, MAX_NAME);
    picture_say(out, " at graph 0,1 left offset 0,0.7 textcolor rgb '%s'\n", picture_color(out, INK_TEXT));
}

/* The scale of colours, at the right edge. */
static void write_scale(picture *out) {
    const double top = picture_head(out) + HEAD;
    picture_say(out,
                "set colorbox user origin screen %.4f,%.4f size screen %.4f,%.4f noborder\n"
                "set cbtics textcolor rgb '%s'\n",
                1.0 - (SCALE_WIDTH - 20.0) / out->width, PICTURE_FOOT / (double)out->height, 14.0 / out->width,
                1.0 - (top + PICTURE_FOOT) / out->height, picture_color(out, INK_SOFT));
}

static void draw_cells(picture *out, bool has_numbers) {
    picture_say(out,
                "plot $cells using 1:2:(0.5):(0.5):3 with boxxyerror fillstyle solid noborder linecolor palette "
                "notitle, $without using 1:2:(0.5):(0.5) with boxxyerror fillstyle solid noborder linecolor rgb '%s' "
                "notitle",
                picture_color(out, INK_RULE));
    if (has_numbers)
        picture_say(out,
                    ", $cells using 1:2:(sprintf('%%.4g', $3)):4 with labels textcolor rgb variable notitle, "
                    "$without using 1:2:('-') with labels textcolor rgb '%s' notitle",
                    picture_color(out, INK_SOFT));
    picture_say(out, "\n");
}

static void draw_panels(const sweep_map *self, picture *out, size_t n_shown) {
    const size_t n_columns = (size_t)ceil(sqrt((double)n_shown)), n_lines = (n_shown + n_columns - 1) / n_columns;
    const double left = 34.0 + widest_tic(&self->l2s), top = picture_head(out), gap = 14.0;
    const double width = (out->width - left - SCALE_WIDTH - gap * (double)(n_columns - 1)) / (double)n_columns;
    const double height = (out->height - top - PICTURE_FOOT - HEAD * (double)n_lines) / (double)n_lines;
    const bool has_numbers = width / (double)self->rates.count >= 48.0 && height / (double)self->l2s.count >= 16.0;
    size_t shown = 0;
    for (size_t panel = 0; panel < self->n_panels; panel++) {
        if (!panel_has_units(self, panel)) continue;
        const size_t column = shown % n_columns, line = shown / n_columns;
        const double x = left + (double)column * (width + gap), y = top + HEAD + (double)line * (height + HEAD);
        picture_box(out, x, out->width - x - width, y, out->height - y - height);
        picture_say(out, "unset colorbox\n");
        if (++shown == n_shown && self->high > self->low) write_scale(out);
        const bool is_lowest = shown + n_columns > n_shown;
        picture_names(out, is_lowest ? "lr" : "", column ? "" : "l2", 14.0);
        write_cells(self, out, panel);
        frame_best(self, out, panel);
        write_panel_name(self, out, panel);
        write_tics(out, 'x', &self->rates, width, widest_tic(&self->rates) + 8.0, is_lowest);
        write_tics(out, 'y', &self->l2s, height, 16.0, column == 0);
        draw_cells(out, has_numbers);
        picture_say(out, "unset label 99\n");
    }
}

plethron_status plot_sweep(const plot_arguments *a, const plethron_table *table, picture *out, plethron_error *err) {
    plethron_status status;
    sweep_map self = {.is_loss = strstr(a->measure, "loss") != NULL};
    char title[PICTURE_TITLE];
    size_t n_shown = 0;
    TRY(map_read(a, table, &self, err));
    for (size_t panel = 0; panel < self.n_panels; panel++) n_shown += panel_has_units(&self, panel);
    if (n_shown > MAX_PANELS) {
        status = fail(err, PLETHRON_ERROR_UNSUPPORTED,
                      "%s: holds %zu combinations of loss, optimizer and l1: at most %d have room in a picture",
                      a->file, n_shown, MAX_PANELS);
        goto out;
    }
    snprintf(title, sizeof title, "%s: the mean over targets, classes and folds", a->measure);
    TRY(plot_begin(a, 800, n_shown > 2 ? 640 : 440, title, out, err));
    picture_say(out, "unset grid\nset border 0\nset multiplot\n");
    write_palette(&self, out);
    draw_panels(&self, out, n_shown);
out:
    map_release(&self);
    return status;
}
