#define _POSIX_C_SOURCE 200809L

#include "picture.h"

#include <ctype.h>
#include <errno.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

extern char **environ;

static const double letter_width = 7.6; /* of the font below, on average */
static const double title_height = 40.0;
static const double edge = 14.0;

enum { FONT_SIZE = 13, TITLE_SIZE = 15 }; /* pixels */

/* ---- Colours ----------------------------------------------------------------------------------------------------- */

static const struct {
    const char *light, *dark;
} inks[INK_SERIES + PICTURE_SERIES] = {
    [INK_TEXT] = {"#22252b", "#e4e6ea"},
    [INK_SOFT] = {"#6a707b", "#9aa1ad"},
    [INK_RULE] = {"#dcdfe4", "#343840"},
    [INK_PAGE] = {"#fcfcfa", "#16181c"},
    [INK_OTHER] = {"#a3a9b3", "#626975"},
    [INK_SERIES] = {"#0b66c3", "#5aa9f5"},
    {"#c4520a", "#f39a52"},
    {"#2e8540", "#6cc480"},
    {"#8a3fb0", "#c48be0"},
    {"#9a7500", "#d9b44a"},
    {"#b0274f", "#f07c9c"},
    {"#00808c", "#4fc3cf"},
    {"#7a4a2b", "#c79a78"},
    {"#4a55cf", "#9da7ff"},
    {"#5d6b00", "#b4c24c"},
};

const char *picture_color(const picture *self, picture_ink ink) {
    return self->theme == PICTURE_DARK ? inks[ink].dark : inks[ink].light;
}

void picture_style(FILE *page) {
    fputs("@media (prefers-color-scheme: dark) {\n", page);
    for (size_t i = 0; i < sizeof inks / sizeof *inks; i++) {
        unsigned red, green, blue;
        char narrow[32], wide[32]; /* gnuplot writes colours in three ways */
        sscanf(inks[i].light, "#%2x%2x%2x", &red, &green, &blue);
        snprintf(narrow, sizeof narrow, "rgb(%u,%u,%u)", red, green, blue);
        snprintf(wide, sizeof wide, "rgb(%3u, %3u, %3u)", red, green, blue);
        fprintf(page, "[fill='%s'],[fill='%s'],[fill='%s']{fill:%s}", inks[i].light, narrow, wide, inks[i].dark);
        fprintf(page, "[stroke='%s']{stroke:%s}[color='%s']{color:%s}\n", wide, inks[i].dark, wide, inks[i].dark);
    }
    fputs("}\n", page);
}

/* ---- Texts ------------------------------------------------------------------------------------------------------- */

/* Bytes of the letter that begins at `text`; 0 when it is no UTF-8, or none that XML may hold. */
static size_t letter_bytes(const char *text) {
    const unsigned char *c = (const unsigned char *)text;
    const size_t n = c[0] < 0x80 ? 1 : c[0] < 0xC2 ? 0 : c[0] < 0xE0 ? 2 : c[0] < 0xF0 ? 3 : c[0] < 0xF5 ? 4 : 0;
    for (size_t i = 1; i < n; i++)
        if ((c[i] & 0xC0) != 0x80) return 0;
    const bool is_control = c[0] < 0x20 || c[0] == 0x7F || (c[0] == 0xC2 && c[1] < 0xA0);
    const bool is_long = (c[0] == 0xE0 && c[1] < 0xA0) || (c[0] == 0xF0 && c[1] < 0x90);
    const bool is_surrogate = c[0] == 0xED && c[1] >= 0xA0;
    const bool is_none = (c[0] == 0xEF && c[1] == 0xBF && c[2] >= 0xBE) || (c[0] == 0xF4 && c[1] >= 0x90);
    return is_control || is_long || is_surrogate || is_none ? 0 : n;
}

void picture_html(FILE *page, const char *text) {
    while (*text) {
        const size_t n = letter_bytes(text);
        switch (n ? *text : '?') {
        case '<': fputs("&lt;", page); break;
        case '>': fputs("&gt;", page); break;
        case '&': fputs("&amp;", page); break;
        case '"': fputs("&quot;", page); break;
        case '?': fputc('?', page); break;
        default: fwrite(text, 1, n, page);
        }
        text += n ? n : 1;
    }
}

/* A byte of a string between double quotes. Signs are written as numbers, so that no quote, backslash or backquote ever
 * stands in the script; four digits, as gnuplot reads on where there are fewer. */
static void write_byte(const picture *self, char byte) {
    if (isalnum((unsigned char)byte) || byte == ' ' || (byte & 0x80))
        fputc(byte, self->script);
    else
        fprintf(self->script, "\\%04o", (unsigned)byte);
}

static void write_bytes(const picture *self, const char *bytes, size_t n_bytes) {
    for (size_t i = 0; i < n_bytes; i++) write_byte(self, bytes[i]);
}

/* The terminal escapes for XML, but for "&#x" and ">". */
static void write_letter(const picture *self, const char *letter, size_t n_bytes, bool is_format) {
    const char *instead = NULL;
    if (n_bytes == 0)
        instead = "?";
    else if (*letter == '%' && is_format)
        instead = "%%";
    else if (!self->is_png && strncmp(letter, "&#x", 3) == 0)
        instead = "&#x26;";
    else if (!self->is_png && *letter == '>')
        instead = "&#x3e;";
    write_bytes(self, instead ? instead : letter, instead ? strlen(instead) : n_bytes);
}

static void write_text(const picture *self, const char *text, size_t max_letters, bool is_format) {
    fputc('"', self->script);
    for (size_t letter = 0; *text && letter < max_letters; letter++) {
        const size_t n_bytes = letter_bytes(text);
        write_letter(self, text, n_bytes, is_format);
        text += n_bytes ? n_bytes : 1;
    }
    fputs(*text ? "...\"" : "\"", self->script);
}

void picture_text(picture *self, const char *text, size_t max_letters) {
    write_text(self, text, max_letters, false);
}

void picture_tic(picture *self, const char *text, size_t max_letters) {
    write_text(self, text, max_letters, true);
}

double picture_text_width(const char *text, size_t max_letters) {
    double width = 0.0;
    for (size_t letter = 0; *text && letter < max_letters; letter++) {
        const size_t n_bytes = letter_bytes(text);
        width += n_bytes > 2 ? 2.0 * letter_width : letter_width; /* those of the East are wide */
        text += n_bytes ? n_bytes : 1;
    }
    return width + (*text ? letter_width * (double)strlen("...") : 0.0);
}

/* ---- The script -------------------------------------------------------------------------------------------------- */

void picture_say(picture *self, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    vfprintf(self->script, format, arguments);
    va_end(arguments);
}

/* Of pixels: SVG takes them as they are; pngcairo takes points, of which it makes 4/3 pixels. */
static double font_size(const picture *self, int pixels) {
    return self->is_png ? 0.75 * pixels : pixels;
}

static void write_terminal(picture *self) {
    const char *page = picture_color(self, INK_PAGE);
    if (self->is_png)
        picture_say(self, "set terminal pngcairo noenhanced size %d,%d font 'sans,%g' background '%s'\n", self->width,
                    self->height, font_size(self, FONT_SIZE), page);
    else
        picture_say(self, "set terminal svg noenhanced size %d,%d font 'sans-serif,%d'%s%s%s\n", self->width,
                    self->height, FONT_SIZE, self->is_inline ? "" : " background '", self->is_inline ? "" : page,
                    self->is_inline ? "" : "'");
}

static void write_axes(picture *self) {
    const char *text = picture_color(self, INK_TEXT), *soft = picture_color(self, INK_SOFT);
    picture_say(self,
                "set border 3 linecolor rgb '%s'\n"
                "set grid linetype 1 linewidth 1 linecolor rgb '%s'\n"
                "set tics nomirror scale 0.4 textcolor rgb '%s'\n"
                "set key textcolor rgb '%s' Left reverse samplen 1.5\n"
                "set format '%%g'\n",
                soft, picture_color(self, INK_RULE), soft, text);
}

static bool has_title(const picture *self) {
    return *self->title && !self->is_inline;
}

plethron_status picture_begin(picture *self, plethron_error *err) {
    self->script = tmpfile();
    if (!self->script)
        return fail(err, PLETHRON_ERROR_FILE, "cannot make a temporary file for gnuplot's script: %s", strerror(errno));
    picture_say(self, "set encoding utf8\n");
    write_terminal(self);
    write_axes(self);
    if (has_title(self)) {
        picture_say(self, "set label 99 ");
        picture_text(self, self->title, (size_t)((self->width - 2.0 * edge) / letter_width * FONT_SIZE / TITLE_SIZE));
        picture_say(self, " at screen %.4f,%.4f left font ',%g' textcolor rgb '%s'\n", edge / self->width,
                    1.0 - 0.4 * title_height / self->height, font_size(self, TITLE_SIZE),
                    picture_color(self, INK_TEXT));
    }
    return PLETHRON_OK;
}

void picture_release(picture *self) {
    if (self->script) fclose(self->script);
    self->script = NULL;
}

double picture_head(const picture *self) {
    return has_title(self) ? title_height : edge;
}

void picture_box(picture *self, double left, double right, double top, double bottom) {
    enum { LEAST = 24 };
    self->bottom = bottom;
    self->is_cramped = self->is_cramped || self->width - left - right < LEAST || self->height - top - bottom < LEAST;
    picture_say(self,
                "set lmargin at screen %.5f\nset rmargin at screen %.5f\nset tmargin at screen %.5f\n"
                "set bmargin at screen %.5f\n",
                left / self->width, 1.0 - right / self->width, 1.0 - top / self->height, bottom / self->height);
}

void picture_names(picture *self, const char *x_name, const char *y_name, double y_at) {
    const char *color = picture_color(self, INK_TEXT);
    picture_say(self, "set label 97 '%s' at graph 0.5,screen %.5f center textcolor rgb '%s'\n", x_name,
                (self->bottom - 40.0) / self->height, color);
    picture_say(self, "set label 98 '%s' at screen %.5f,graph 0.5 center rotate by 90 textcolor rgb '%s'\n", y_name,
                y_at / self->width, color);
}

bool picture_wants_log(double low, double high) {
    return low > 0.0 && high > 30.0 * low;
}

/* ---- gnuplot ----------------------------------------------------------------------------------------------------- */

static plethron_status cannot_run(int code, plethron_error *err) {
    if (code == ENOENT)
        return fail(err, PLETHRON_ERROR_UNSUPPORTED,
                    "gnuplot, which draws the pictures, is not on the PATH (Debian, Ubuntu: apt-get install "
                    "gnuplot-nox)");
    return fail(err, PLETHRON_ERROR_UNSUPPORTED, "gnuplot, which draws the pictures, cannot be run: %s",
                strerror(code));
}

/* Runs gnuplot with these files as its standard streams: no shell sees anything of it, and no settings of the user's
 * (-d) change the picture. */
static plethron_status run(FILE *script, FILE *drawn, FILE *errors, int *code, plethron_error *err) {
    char name[] = "gnuplot", defaults[] = "-d", standard_input[] = "-";
    char *arguments[] = {name, defaults, standard_input, NULL};
    posix_spawn_file_actions_t streams;
    pid_t child;
    if (posix_spawn_file_actions_init(&streams) != 0)
        return fail(err, PLETHRON_ERROR_MEMORY, "not enough memory to run gnuplot");
    int failure = posix_spawn_file_actions_adddup2(&streams, fileno(script), 0);
    if (!failure) failure = posix_spawn_file_actions_adddup2(&streams, fileno(drawn), 1);
    if (!failure) failure = posix_spawn_file_actions_adddup2(&streams, fileno(errors), 2);
    if (!failure) failure = posix_spawnp(&child, name, &streams, NULL, arguments, environ);
    posix_spawn_file_actions_destroy(&streams);
    if (failure) return cannot_run(failure, err);
    while (waitpid(child, code, 0) < 0)
        if (errno != EINTR) return fail(err, PLETHRON_ERROR_FILE, "gnuplot was lost: %s", strerror(errno));
    return PLETHRON_OK;
}

/* The last line that gnuplot wrote on stderr says what is wrong. */
static plethron_status report_failure(FILE *errors, int code, plethron_error *err) {
    char line[512], last[512] = "";
    rewind(errors);
    while (fgets(line, sizeof line, errors)) {
        line[strcspn(line, "\n")] = '\0';
        if (line[strspn(line, " ^")]) strcpy(last, line);
    }
    return fail(err, PLETHRON_ERROR_UNSUPPORTED, "gnuplot failed (%s %d): %s", WIFEXITED(code) ? "exit code" : "signal",
                WIFEXITED(code) ? WEXITSTATUS(code) : WTERMSIG(code), last);
}

static bool begins(const char *line, const char *with) {
    return strncmp(line, with, strlen(with)) == 0;
}

/* What gnuplot writes before the drawing, up to its first group: its own title gives way to the picture's, and a style
 * follows where the screen decides. Inline pictures begin with <svg>. */
static void copy_head(const picture *self, const char *line, FILE *to) {
    if (begins(line, "<title>")) {
        fputs("<title>", to);
        picture_html(to, self->title);
        fputs("</title>\n", to);
        return;
    }
    if (begins(line, "<g ") && self->theme == PICTURE_AUTO && !self->is_inline) {
        fputs("<style>\n", to);
        picture_style(to);
        fputs("</style>\n", to);
    }
    fputs(line, to);
}

/* The groups of a drawing have titles of gnuplot's, which browsers would show, and names, which inline pictures would
 * share. */
static void copy_group(const picture *self, char *line, FILE *to) {
    char *title = strstr(line, "<title>");
    if (title) *title = '\0';
    fprintf(to, "%s\n", self->is_inline ? "<g>" : line);
}

static void copy_svg(const picture *self, FILE *drawn, FILE *to) {
    char *line = NULL;
    size_t room = 0;
    bool is_before = self->is_inline, is_head = true;
    while (getline(&line, &room, drawn) >= 0) {
        is_before = is_before && !begins(line, "<svg");
        if (is_before) continue;
        if (begins(line, "\t<g id=\"gnuplot_plot_"))
            copy_group(self, line, to);
        else if (is_head)
            copy_head(self, line, to);
        else
            fputs(line, to);
        is_head = is_head && !begins(line, "<g ");
    }
    free(line);
}

static void copy_bytes(FILE *from, FILE *to) {
    char bytes[1 << 14];
    for (size_t n; (n = fread(bytes, 1, sizeof bytes, from)) > 0;) fwrite(bytes, 1, n, to);
}

bool picture_can_be_drawn(plethron_error *err) {
    int code = 0;
    FILE *nothing = fopen("/dev/null", "r+");
    plethron_status status = nothing ? run(nothing, nothing, nothing, &code, err)
                                     : fail(err, PLETHRON_ERROR_FILE, "/dev/null cannot be opened");
    if (nothing) fclose(nothing);
    if (status == PLETHRON_OK && code != 0)
        status = fail(err, PLETHRON_ERROR_UNSUPPORTED, "gnuplot, which draws the pictures, fails");
    return status == PLETHRON_OK;
}

plethron_status picture_draw(picture *self, FILE *to, plethron_error *err) {
    plethron_status status = PLETHRON_OK;
    int code = 0;
    FILE *drawn = tmpfile(), *errors = tmpfile();
    if (self->is_cramped) {
        status = fail(err, PLETHRON_ERROR_ARGUMENT,
                      "%d x %d pixels leave no room for the axes: a larger --width or "
                      "--height is needed",
                      self->width, self->height);
        goto out;
    }
    if (!drawn || !errors || fflush(self->script) != 0 || ferror(self->script)) {
        status = fail(err, PLETHRON_ERROR_FILE, "cannot write temporary files for gnuplot: %s", strerror(errno));
        goto out;
    }
    rewind(self->script);
    TRY(run(self->script, drawn, errors, &code, err));
    if (code != 0 || fseek(drawn, 0, SEEK_END) != 0 || ftell(drawn) == 0) {
        status = report_failure(errors, code, err);
        goto out;
    }
    rewind(drawn);
    if (self->is_png)
        copy_bytes(drawn, to);
    else
        copy_svg(self, drawn, to);
    if (!feof(drawn)) status = fail(err, PLETHRON_ERROR_FILE, "gnuplot's picture cannot be read: %s", strerror(errno));
out:
    if (drawn) fclose(drawn);
    if (errors) fclose(errors);
    return status;
}
