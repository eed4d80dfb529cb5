/* Bootstrap intervals of weights: a line each, from low to high, with the model's weight on it. Those that do not hold
 * 0 are coloured. */
#define _POSIX_C_SOURCE 200809L

#include "plot.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_NAME = 32, LINE_HEIGHT = 17 };

typedef struct weight_interval {
    size_t row;
    double weight, low, high;
    double surety; /* how far 0 lies from the weight, in half lengths of its interval */
} weight_interval;

typedef struct interval_list {
    size_t n_rows, n_groups; /* a group is a target and a class */
    plethron_classes *targets, *classes, *features;
    float *weights, *lows, *highs;
    size_t *groups;          /* [n_rows] */
    weight_interval *chosen; /* [n_chosen], in the order of the file */
    size_t n_chosen, n_candidates;
} interval_list;

static void list_release(interval_list *self) {
    plethron_classes_close(self->targets);
    plethron_classes_close(self->classes);
    plethron_classes_close(self->features);
    free(self->weights);
    free(self->lows);
    free(self->highs);
    free(self->groups);
    free(self->chosen);
}

/* Rows of the same target and class follow each other. */
static void number_groups(interval_list *self) {
    for (size_t i = 0; i < self->n_rows; i++) {
        const bool is_first = i == 0 || strcmp(plot_label(self->targets, i), plot_label(self->targets, i - 1)) != 0 ||
                              strcmp(plot_label(self->classes, i), plot_label(self->classes, i - 1)) != 0;
        self->n_groups += is_first;
        self->groups[i] = self->n_groups - 1;
    }
}

static plethron_status list_read(const plot_arguments *a, const plethron_table *table, interval_list *self,
                                 plethron_error *err) {
    plethron_status status = PLETHRON_OK;
    self->n_rows = plethron_table_n_rows(table);
    if (self->n_rows == 0) return fail(err, PLETHRON_ERROR_FORMAT, "%s: holds no interval", a->file);
    TRY(plot_labels(table, "target", &self->targets, err));
    TRY(plot_labels(table, "class", &self->classes, err));
    TRY(plot_labels(table, "feature", &self->features, err));
    TRY(plot_numbers(table, "weight", &self->weights, err));
    TRY(plot_numbers(table, "low", &self->lows, err));
    TRY(plot_numbers(table, "high", &self->highs, err));
    TRY(allocate(self->n_rows, sizeof *self->groups, &self->groups, err));
    TRY(allocate(self->n_rows, sizeof *self->chosen, &self->chosen, err));
    number_groups(self);
    for (size_t u = 0; u < a->n_units; u++)
        if ((size_t)a->units[u] >= self->n_groups) {
            status = fail(err, PLETHRON_ERROR_ARGUMENT, "%s: holds no unit %lld; it has the units 0 to %zu", a->file,
                          (long long)a->units[u], self->n_groups - 1);
            goto out;
        }
out:
    return status;
}

static bool is_wanted(const plot_arguments *a, size_t group) {
    for (size_t u = 0; u < a->n_units; u++)
        if ((size_t)a->units[u] == group) return true;
    return a->n_units == 0;
}

static int surest_first(const void *a, const void *b) {
    const weight_interval *x = a, *y = b;
    if (x->surety != y->surety) return x->surety > y->surety ? -1 : 1;
    return (x->row > y->row) - (x->row < y->row);
}

static int in_order(const void *a, const void *b) {
    const weight_interval *x = a, *y = b;
    return (x->row > y->row) - (x->row < y->row);
}

/* The last row of a unit is its bias, which is no feature's weight and often dwarfs them. */
static bool is_bias(const interval_list *self, size_t row) {
    const bool is_last = row + 1 == self->n_rows || self->groups[row + 1] != self->groups[row];
    return is_last && strcmp(plot_label(self->features, row), "(bias)") == 0;
}

/* The surest `top` weights of the wanted units, those without an interval left out. */
static plethron_status choose(const plot_arguments *a, interval_list *self, plethron_error *err) {
    for (size_t i = 0; i < self->n_rows; i++) {
        const double weight = (double)self->weights[i], low = (double)self->lows[i], high = (double)self->highs[i];
        if (!is_wanted(a, self->groups[i]) || is_bias(self, i)) continue;
        if (isnan(weight) || isnan(low) || isnan(high)) continue;
        const double surety = high > low ? fabs(weight) / (high - low) : weight != 0.0 ? INFINITY : 0.0;
        self->chosen[self->n_candidates++] = (weight_interval){i, weight, low, high, surety};
    }
    if (self->n_candidates == 0)
        return fail(err, PLETHRON_ERROR_FORMAT, "%s: no weight of these units has an interval", a->file);
    self->n_chosen = self->n_candidates < (size_t)a->top ? self->n_candidates : (size_t)a->top;
    qsort(self->chosen, self->n_candidates, sizeof *self->chosen, surest_first);
    qsort(self->chosen, self->n_chosen, sizeof *self->chosen, in_order);
    return PLETHRON_OK;
}

/* "target=class: feature", the first part only where there are several. */
static void write_name(const interval_list *self, size_t row, char *name, size_t n_bytes) {
    const char *class = plot_label(self->classes, row), *feature = plot_label(self->features, row);
    if (self->n_groups == 1)
        snprintf(name, n_bytes, "%s", feature);
    else
        snprintf(name, n_bytes, "%s%s%s: %s", plot_label(self->targets, row), *class ? "=" : "", class, feature);
}

static double widest_name(const interval_list *self) {
    char name[4 * NAME_SHOWN];
    double width = 0.0;
    for (size_t i = 0; i < self->n_chosen; i++) {
        write_name(self, self->chosen[i].row, name, sizeof name);
        width = fmax(width, picture_text_width(name, MAX_NAME));
    }
    return width;
}

/* $sure and $unsure: weight, place, low, high. */
static void write_intervals(const interval_list *self, picture *out, bool sure) {
    picture_say(out, "%s << END\n", sure ? "$sure" : "$unsure");
    for (size_t i = 0; i < self->n_chosen; i++) {
        const weight_interval *w = &self->chosen[i];
        if ((w->low > 0.0 || w->high < 0.0) == sure)
            picture_say(out, "%.9g %zu %.9g %.9g\n", w->weight, i, w->low, w->high);
    }
    picture_say(out, "END\n");
}

static void draw(const interval_list *self, picture *out) {
    char name[4 * NAME_SHOWN];
    const char *colors[] = {picture_color(out, INK_OTHER), picture_color(out, INK_SERIES)};
    picture_box(out, 18.0 + widest_name(self), 24.0, picture_head(out), PICTURE_FOOT);
    picture_say(out, "set yrange [%zu.7:-0.7]\nset border 1\nunset grid\nset grid xtics\nset ytics scale 0 (",
                self->n_chosen - 1);
    for (size_t i = 0; i < self->n_chosen; i++) {
        write_name(self, self->chosen[i].row, name, sizeof name);
        picture_say(out, "%s", i ? ", " : "");
        picture_tic(out, name, MAX_NAME);
        picture_say(out, " %zu", i);
    }
    picture_say(out, ")\n");
    picture_names(out, "weight", "", 0.0);
    picture_say(out,
                "set arrow from first 0, graph 0 to first 0, graph 1 nohead linewidth 1.5 linecolor rgb '%s' back\n",
                picture_color(out, INK_SOFT));
    for (int sure = 0; sure < 2; sure++) {
        const char *data = sure ? "$sure" : "$unsure";
        picture_say(out,
                    "%s %s using 3:2:($4-$3):(0) with vectors nohead linewidth 3 linecolor rgb '%s' notitle, "
                    "%s using 1:2 with points pointtype 7 pointsize 0.7 linecolor rgb '%s' notitle",
                    sure ? "," : "plot", data, colors[sure], data, colors[sure]);
    }
    picture_say(out, "\n");
}

plethron_status plot_intervals(const plot_arguments *a, const plethron_table *table, picture *out,
                               plethron_error *err) {
    plethron_status status;
    interval_list self = {0};
    char title[PICTURE_TITLE];
    TRY(list_read(a, table, &self, err));
    TRY(choose(a, &self, err));
    if (self.n_chosen < self.n_candidates)
        snprintf(title, sizeof title, "Bootstrap intervals of the %zu surest of %zu weights", self.n_chosen,
                 self.n_candidates);
    else
        snprintf(title, sizeof title, "Bootstrap intervals of %zu weights", self.n_chosen);
    TRY(plot_begin(a, 800, (int)self.n_chosen * LINE_HEIGHT + 110, title, out, err));
    write_intervals(&self, out, false);
    write_intervals(&self, out, true);
    draw(&self, out);
out:
    list_release(&self);
    return status;
}
