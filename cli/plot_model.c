/* A model on the rows of a table: the sigmoid of one unit with its rows, and the ROC curves of units. */
#define _POSIX_C_SOURCE 200809L

#include "labels.h"
#include "plot.h"
#include "prediction_stream.h"
#include "report.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_POINTS = 4000, MAX_EXACT = 60, MAX_CURVE = 1000, MAX_NAME = 40 };

typedef struct judged_row {
    double z, y;
} judged_row;

typedef struct model_data {
    const plethron_bank *bank;
    const char *path;
    plethron_table *table;
    size_t n_rows, n_features;
    float *X;         /* [n_rows, n_features] */
    judged_row *rows; /* [n]: those of one unit */
    size_t n;
} model_data;

static void data_release(model_data *self) {
    free(self->rows);
    free(self->X);
    plethron_table_close(self->table);
}

static plethron_status data_read(const plot_arguments *a, const plethron_bank *bank, model_data *out,
                                 plethron_error *err) {
    plethron_status status;
    size_t *columns = NULL;
    model_data self = {.bank = bank, .path = a->data, .n_features = plethron_bank_n_features(bank)};
    if (plethron_bank_n_targets(bank) == 0)
        return fail(err, PLETHRON_ERROR_UNSUPPORTED,
                    "%s: the model names no target, so that %s cannot tell what its "
                    "units ought to say",
                    a->file, a->data);
    TRY(plethron_table_open(a->data, &self.table, err));
    self.n_rows = plethron_table_n_rows(self.table);
    TRY(allocate(self.n_features, sizeof *columns, &columns, err));
    TRY(prediction_features(self.table, bank, a->data, columns, err));
    TRY(allocate(self.n_rows, self.n_features * sizeof *self.X, &self.X, err));
    TRY(plethron_table_numbers(self.table, columns, self.n_features, self.X, err));
    TRY(allocate(self.n_rows, sizeof *self.rows, &self.rows, err));
    *out = self;
    self = (model_data){0};
out:
    free(columns);
    data_release(&self);
    return status;
}

/* ---- The rows of a unit ------------------------------------------------------------------------------------------ */

static bool any_class_is_known(const plethron_bank *bank, size_t target, const plethron_classes *classes) {
    for (size_t c = 0; c < plethron_classes_count(classes); c++)
        for (size_t k = 0; k < plethron_bank_n_classes(bank, target); k++)
            if (strcmp(plethron_classes_label(classes, c), plethron_bank_class_label(bank, target, k)) == 0)
                return true;
    return false;
}

/* y[i] becomes 1 where the row is of the unit's class, else 0, and NAN where its class is missing. */
static plethron_status read_classes(const model_data *self, const plethron_unit *unit, size_t column, float *y,
                                    plethron_error *err) {
    plethron_status status;
    plethron_classes *classes = NULL;
    const size_t target = (size_t)unit->target;
    const char *own = plethron_bank_class_label(self->bank, target, (size_t)unit->positive_class);
    TRY(plethron_table_classes_or_missing(self->table, column, &classes, err));
    if (!own || !any_class_is_known(self->bank, target, classes)) {
        status = fail(err, PLETHRON_ERROR_FORMAT, "%s: column '%s' holds none of the model's classes", self->path,
                      plethron_bank_target_name(self->bank, target));
        goto out;
    }
    for (size_t i = 0; i < self->n_rows; i++)
        y[i] = isnan(plethron_classes_codes(classes)[i]) ? NAN : (float)(strcmp(plot_label(classes, i), own) == 0);
out:
    plethron_classes_close(classes);
    return status;
}

/* The unit's targets: of classes 0 and 1, else the probabilities as they are. */
static plethron_status read_targets(const model_data *self, const plethron_unit *unit, float *y, plethron_error *err) {
    plethron_status status;
    size_t column = 0;
    const char *name = plethron_bank_target_name(self->bank, (size_t)unit->target);
    TRY(plethron_table_find(self->table, name, &column, err));
    if (unit->positive_class != PLETHRON_NO_CLASS) {
        status = read_classes(self, unit, column, y, err);
        goto out;
    }
    TRY(plethron_table_number_or_missing(self->table, column, y, err));
    for (size_t i = 0; i < self->n_rows && status == PLETHRON_OK; i++)
        if (y[i] < 0.0f || y[i] > 1.0f)
            status = fail(err, PLETHRON_ERROR_FORMAT, "%s: row %zu of '%s' is %g: a number in [0, 1] is allowed",
                          self->path, i + 1, name, (double)y[i]);
out:
    return status;
}

/* Rows that are not of the unit's entity get the target NAN. */
static plethron_status drop_other_entities(const model_data *self, const plethron_unit *unit, float *y,
                                           plethron_error *err) {
    size_t column = 0;
    plethron_classes *entities = NULL;
    if (plethron_bank_n_entities(self->bank) == 0 || unit->entity < 0) return PLETHRON_OK;
    plethron_status status = plethron_table_find(self->table, plethron_bank_entity_column(self->bank), &column, err);
    if (status == PLETHRON_OK) status = plethron_table_entities(self->table, column, &entities, err);
    if (status != PLETHRON_OK) return status;
    const char *own = plethron_bank_entity_label(self->bank, (size_t)unit->entity);
    for (size_t i = 0; i < self->n_rows; i++)
        if (strcmp(plot_label(entities, i), own) != 0) y[i] = NAN;
    plethron_classes_close(entities);
    return PLETHRON_OK;
}

static double weighted_sum(const model_data *self, size_t row, size_t j) {
    const size_t n_units = plethron_bank_n_units(self->bank);
    const float *W = plethron_bank_weights(self->bank), *x = self->X + row * self->n_features;
    double z = (double)plethron_bank_biases(self->bank)[j];
    for (size_t k = 0; k < self->n_features; k++) z += (double)x[k] * (double)W[k * n_units + j];
    return z;
}

/* Fills rows: those that unit j knows the target of. */
static plethron_status take_unit(model_data *self, size_t j, plethron_error *err) {
    plethron_status status;
    float *y = NULL;
    const plethron_unit unit = unit_get(self->bank, j);
    self->n = 0;
    TRY(allocate(self->n_rows, sizeof *y, &y, err));
    TRY(read_targets(self, &unit, y, err));
    TRY(drop_other_entities(self, &unit, y, err));
    for (size_t i = 0; i < self->n_rows; i++) {
        if (isnan(y[i])) continue;
        self->rows[self->n] = (judged_row){weighted_sum(self, i, j), (double)y[i]};
        if (!isfinite(self->rows[self->n++].z)) {
            status = fail(err, PLETHRON_ERROR_UNSUPPORTED, "unit %zu (%s) has no finite answer to row %zu", j,
                          state_names[unit.state], i + 1);
            goto out;
        }
    }
    if (self->n == 0)
        status = fail(err, PLETHRON_ERROR_FORMAT, "%s: has no row for unit %zu: its target is missing in all",
                      self->path, j);
out:
    free(y);
    return status;
}

static plethron_status check_units(const plot_arguments *a, const plethron_bank *bank, plethron_error *err) {
    const size_t n_units = plethron_bank_n_units(bank);
    for (size_t u = 0; u < a->n_units; u++)
        if ((size_t)a->units[u] >= n_units)
            return fail(err, PLETHRON_ERROR_ARGUMENT, "%s: has no unit %lld; it has the units 0 to %zu", a->file,
                        (long long)a->units[u], n_units - 1);
    return PLETHRON_OK;
}

/* ---- The sigmoid ------------------------------------------------------------------------------------------------- */

/* Where a row stands beside the curve: on its target or, of many rows with a class, scattered in a strip beyond it. */
static double row_height(const model_data *self, size_t row) {
    const double y = self->rows[row].y, golden = 0.6180339887498949;
    const double scatter = fmod((double)(row + 1) * golden, 1.0);
    if (self->n <= MAX_EXACT || (y > 0.0 && y < 1.0)) return y;
    return y == 1.0 ? 1.03 + 0.1 * scatter : -0.03 - 0.1 * scatter;
}

/* Of very many rows every n-th is drawn. */
static size_t point_step(const model_data *self) {
    return (self->n + MAX_POINTS - 1) / MAX_POINTS;
}

/* $rows0 and $rows1: z and height of the rows on either side of one half. */
static void write_rows(const model_data *self, picture *out) {
    const size_t step = point_step(self);
    for (int side = 0; side < 2; side++) {
        picture_say(out, "$rows%d << END\n", side);
        for (size_t i = 0; i < self->n; i += step)
            if ((self->rows[i].y >= 0.5) == (side == 1))
                picture_say(out, "%.9g %.6g\n", self->rows[i].z, row_height(self, i));
        picture_say(out, "END\n");
    }
}

static void write_curve(picture *out, double low, double high) {
    enum { N = 300 };
    picture_say(out, "$curve << END\n");
    for (int i = 0; i <= N; i++) {
        const double z = low + (high - low) * i / N;
        picture_say(out, "%.9g %.9g\n", z, 1.0 / (1.0 + exp(-z)));
    }
    picture_say(out, "END\n");
}

static void draw_sigmoid(const model_data *self, picture *out) {
    double low = -4.0, high = 4.0;
    const char *text = picture_color(out, INK_TEXT), *yes = picture_color(out, INK_SERIES);
    const char *no = picture_color(out, INK_SERIES + 1), *soft = picture_color(out, INK_SOFT);
    const bool is_many = self->n > MAX_EXACT;
    for (size_t i = 0; i < self->n; i++) {
        low = fmin(low, self->rows[i].z);
        high = fmax(high, self->rows[i].z);
    }
    const double margin = 0.03 * (high - low);
    low -= margin;
    high += margin;
    write_rows(self, out);
    write_curve(out, low, high);
    picture_box(out, 64.0, 20.0, picture_head(out), PICTURE_FOOT + 22.0);
    picture_say(out, "set xrange [%.9g:%.9g]\nset yrange [-0.16:1.16]\nset ytics 0,0.25,1\n", low, high);
    picture_names(out, "z = x . w + b", "y and p = sigmoid(z)", 14.0);
    picture_say(out, "set key horizontal center bottom at screen 0.5,%.4f\n", 8.0 / out->height);
    picture_say(
        out, "set arrow from first 0, graph 0 to first 0, graph 1 nohead dashtype '-' linecolor rgb '%s' back\n", soft);
    for (int side = 0; side < 2; side++)
        picture_say(out, "%s $rows%d using 1:2 with points pointtype 7 pointsize %s linecolor rgb '#%s%s' title '%s'",
                    side ? "," : "plot", side, is_many ? "0.45" : "1", is_many ? "80" : "00", (side ? yes : no) + 1,
                    side ? "y = 1" : "y = 0");
    picture_say(out, ", $curve with lines linewidth 2 linecolor rgb '%s' title 'p'\n", text);
}

plethron_status plot_sigmoid(const plot_arguments *a, const plethron_bank *bank, picture *out, plethron_error *err) {
    plethron_status status;
    model_data self = {0};
    char **names = NULL, title[PICTURE_TITLE], name[NAME_SHOWN], drawn[64] = "";
    const size_t j = a->n_units ? (size_t)a->units[0] : 0;
    size_t n_right = 0;
    TRY(check_units(a, bank, err));
    TRY(unit_names_make(bank, &names, err));
    TRY(data_read(a, bank, &self, err));
    TRY(take_unit(&self, j, err));
    for (size_t i = 0; i < self.n; i++) n_right += (self.rows[i].z >= 0.0) == (self.rows[i].y >= 0.5);
    if (point_step(&self) > 1) snprintf(drawn, sizeof drawn, "; one in %zu is drawn", point_step(&self));
    snprintf(title, sizeof title, "%s: %zu rows, %.2f %% on the right side%s", name_show(names[j], name), self.n,
             100.0 * (double)n_right / (double)self.n, drawn);
    TRY(plot_begin(a, 800, 460, title, out, err));
    draw_sigmoid(&self, out);
out:
    unit_names_release(names, plethron_bank_n_units(bank));
    data_release(&self);
    return status;
}

/* ---- ROC curves -------------------------------------------------------------------------------------------------- */

static int surest_first(const void *a, const void *b) {
    const double x = ((const judged_row *)a)->z, y = ((const judged_row *)b)->z;
    return (x < y) - (x > y);
}

/* $rocU: the shares of the rows of either side that have at least some z, from none to all; thinned where steps are too
 * small to see. Returns the area below, ties counting half. */
static double write_roc(model_data *self, picture *out, size_t u) {
    double n_positive = 0.0, n_negative = 0.0, area = 0.0, shown_x = 0.0, shown_y = 0.0;
    qsort(self->rows, self->n, sizeof *self->rows, surest_first);
    for (size_t i = 0; i < self->n; i++) n_positive += self->rows[i].y >= 0.5;
    n_negative = (double)self->n - n_positive;
    picture_say(out, "$roc%zu << END\n0 0\n", u);
    double x = 0.0, y = 0.0; /* rows of either side so far */
    for (size_t i = 0; i < self->n;) {
        double ended_x = x, ended_y = y;
        const double z = self->rows[i].z;
        for (; i < self->n && self->rows[i].z == z; i++) *(self->rows[i].y >= 0.5 ? &ended_y : &ended_x) += 1.0;
        area += (ended_x - x) * 0.5 * (ended_y + y);
        x = ended_x;
        y = ended_y;
        const double step = fmax((x - shown_x) / n_negative, (y - shown_y) / n_positive);
        if (step < 1.0 / MAX_CURVE && i < self->n) continue;
        picture_say(out, "%.9g %.9g\n", x / n_negative, y / n_positive);
        shown_x = x;
        shown_y = y;
    }
    picture_say(out, "END\n");
    return area / n_positive / n_negative;
}

static void draw_roc(picture *out, char *const *names, const size_t *units, const double *areas, size_t n_units) {
    const double side = fmin(out->width - 84.0, out->height - picture_head(out) - PICTURE_FOOT);
    const double right = out->width - 64.0 - side;
    picture_box(out, 64.0, right, picture_head(out), out->height - picture_head(out) - side);
    picture_say(out, "set xrange [0:1]\nset yrange [0:1]\nset key at graph 0.98,0.02 right bottom\n");
    picture_names(out, "false positives, of all negatives", "true positives, of all positives", 14.0);
    picture_say(out, "plot x with lines dashtype '-' linecolor rgb '%s' notitle", picture_color(out, INK_SOFT));
    for (size_t u = 0; u < n_units; u++) {
        char title[NAME_SHOWN + 32], name[NAME_SHOWN];
        picture_say(out, ", $roc%zu with lines linewidth 2 linecolor rgb '%s' title ", u,
                    picture_color(out, (picture_ink)(INK_SERIES + u)));
        snprintf(title, sizeof title, "AUC %.4f  %s", areas[u], name_show(names[units[u]], name));
        picture_text(out, title, MAX_NAME);
    }
    picture_say(out, "\n");
}

plethron_status plot_roc(const plot_arguments *a, const plethron_bank *bank, picture *out, plethron_error *err) {
    plethron_status status;
    model_data self = {0};
    char **names = NULL;
    size_t units[PICTURE_SERIES];
    double areas[PICTURE_SERIES];
    const size_t n_all = plethron_bank_n_units(bank);
    const size_t n_units = a->n_units ? a->n_units : n_all < PICTURE_SERIES ? n_all : PICTURE_SERIES;
    TRY(check_units(a, bank, err));
    TRY(unit_names_make(bank, &names, err));
    TRY(data_read(a, bank, &self, err));
    TRY(plot_begin(a, 620, 620, "ROC curves", out, err));
    for (size_t u = 0; u < n_units; u++) {
        units[u] = a->n_units ? (size_t)a->units[u] : u;
        TRY(take_unit(&self, units[u], err));
        areas[u] = write_roc(&self, out, u);
        if (isnan(areas[u])) {
            status = fail(err, PLETHRON_ERROR_FORMAT,
                          "%s: all rows are on one side for unit %zu, so that it has no ROC curve", a->data, units[u]);
            goto out;
        }
    }
    if (n_units < n_all && !a->n_units) say("the first %zu of %zu units; --unit chooses others", n_units, n_all);
    draw_roc(out, names, units, areas, n_units);
out:
    unit_names_release(names, n_all);
    data_release(&self);
    return status;
}
