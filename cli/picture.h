/* Pictures, drawn by gnuplot: a script goes in, SVG or PNG comes out, for light and dark screens. */
#ifndef PLETHRON_CLI_PICTURE_H
#define PLETHRON_CLI_PICTURE_H

#include "cli.h"

typedef enum picture_theme {
    PICTURE_AUTO = 0, /* SVG that follows the screen; PNG is light */
    PICTURE_LIGHT = 1,
    PICTURE_DARK = 2
} picture_theme;

enum {
    PICTURE_SERIES = 10, /* series that colours tell apart */
    PICTURE_TITLE = 256,
    PICTURE_FOOT = 54 /* pixels below the axes that tics and the x-axis' name need */
};

/* Colours by what they are for; the i-th series has INK_SERIES + i. */
typedef enum picture_ink { INK_TEXT, INK_SOFT, INK_RULE, INK_PAGE, INK_OTHER, INK_SERIES } picture_ink;

typedef struct picture {
    bool is_png;
    bool is_inline; /* SVG for a page of HTML that has picture_style in its head: no background, no style of its own,
                       and the title is for those who do not see the picture */
    picture_theme theme;
    int width, height;         /* pixels */
    char title[PICTURE_TITLE]; /* "": none */
    FILE *script;              /* gnuplot's commands */
    bool is_cramped;           /* some axes have no room */
    double bottom;             /* of the axes: pixels from the picture's edge */
} picture;

/* Opens the script and writes what all pictures begin with. */
plethron_status picture_begin(picture *self, plethron_error *err);
void picture_release(picture *self);

/* One command, or a part of it; as printf. */
void picture_say(picture *self, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* "#rrggbb" */
const char *picture_color(const picture *self, picture_ink ink);

/* A text from outside as a string of gnuplot's, with "..." behind the first `max_letters`; the second as the label of a
 * tic, where gnuplot looks for formats. */
void picture_text(picture *self, const char *text, size_t max_letters);
void picture_tic(picture *self, const char *text, size_t max_letters);

/* The letters that are shown of the text, and how wide they are, about. */
double picture_text_width(const char *text, size_t max_letters);

/* Where the axes stand: pixels from the picture's edges. Where that leaves hardly a pixel, picture_draw fails. */
void picture_box(picture *self, double left, double right, double top, double bottom);

/* What the axes of this box are called. gnuplot's own labels vanish where it thinks that they have no room. The y-axis'
 * name stands `y_at` pixels from the left edge. */
void picture_names(picture *self, const char *x_name, const char *y_name, double y_at);

/* Pixels above the axes that the title needs. */
double picture_head(const picture *self);

/* True when an axis from `low` to `high` wants a logarithm. */
bool picture_wants_log(double low, double high);

/* True when gnuplot runs; otherwise the error says what is missing. */
bool picture_can_be_drawn(plethron_error *err);

/* Runs gnuplot on the script and writes the picture to `to`. */
plethron_status picture_draw(picture *self, FILE *to, plethron_error *err);

/* The rules of CSS that turn the colours of inline pictures into those of a dark screen. */
void picture_style(FILE *page);

/* Text with what HTML and XML take for their own replaced. */
void picture_html(FILE *page, const char *text);

#endif
