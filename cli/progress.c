#define _POSIX_C_SOURCE 200809L

#include "progress.h"

#include "history.h"

#include <inttypes.h>
#include <math.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

static const double line_after_s = 1.0;
static const double line_every_s = 0.2;
static const double plain_line_after_s = 3.0;
static const double plain_line_every_s = 10.0;

static volatile sig_atomic_t interrupted;

static void handle_interrupts(void (*handler)(int)) {
    struct sigaction action = {.sa_flags = SA_RESTART};
    action.sa_handler = handler;
    sigemptyset(&action.sa_mask);
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
}

static void interrupt(int signal_number) {
    (void)signal_number;
    interrupted = 1;
    handle_interrupts(SIG_DFL); /* whichever comes next ends the program */
}

void watch_interrupts(void) {
    handle_interrupts(interrupt);
}

bool interrupt_came(void) {
    return interrupted;
}

void watch_measures(void *context, const plethron_measures *measures) {
    const training_watch *watch = context;
    if (watch->history) history_write(watch->history, measures);
}

/* ---- Progress of a training ------------------------------------------------------------------------------------- */

training_watch watch_make(const bank_arguments *a, double begin_s) {
    return (training_watch){
        .is_wanted = !a->quiet,
        .is_terminal = isatty(STDERR_FILENO),
        .deadline_s = a->time_limit_s > 0.0 ? begin_s + a->time_limit_s : INFINITY,
    };
}

static void print_left(double left_s) {
    const long long s = left_s > 0.0 && left_s < 1e12 ? (long long)left_s : 0;
    fprintf(stderr, "  %lld:%02lld:%02lld left", s / 3600, s / 60 % 60, s % 60);
}

static void training_line(const training_watch *watch, const plethron_progress *progress) {
    const double per_s = (double)(progress->epoch - watch->first_epoch) / (progress->elapsed_s - watch->first_s);
    const double done = (double)progress->epoch, total = (double)progress->n_epochs;
    fprintf(stderr, "%sepoch %" PRId64 " of %" PRId64 "  %.0f%%  %.4g epochs/s",
            watch->is_terminal ? "\r" : "plethron: ", progress->epoch, progress->n_epochs, 100.0 * done / total, per_s);
    print_left((total - done) / per_s);
    fprintf(stderr, "  %zu of %zu live", progress->n_live, progress->n_units);
    if (!isnan(progress->best_loss)) fprintf(stderr, "  loss %.4g", (double)progress->best_loss);
    fputs(watch->is_terminal ? "\033[K" : "\n", stderr);
    fflush(stderr);
}

/* Once a second and more of work is done, and not too often. */
static bool line_is_due(const training_watch *watch, const plethron_progress *progress) {
    const double after_s = watch->is_terminal ? line_after_s : plain_line_after_s;
    const double every_s = watch->is_terminal ? line_every_s : plain_line_every_s;
    return watch->is_wanted && progress->elapsed_s >= after_s && progress->epoch > watch->first_epoch &&
           (watch->shown_s <= 0.0 || progress->elapsed_s - watch->shown_s >= every_s);
}

bool watch_progress(void *context, const plethron_progress *progress) {
    training_watch *watch = context;
    if (progress->plan) snprintf(watch->plan, sizeof watch->plan, "%s", progress->plan);
    if (watch->n_calls < 2) {
        watch->n_calls++;
        watch->first_epoch = progress->epoch;
        watch->first_s = progress->elapsed_s;
    }
    if (line_is_due(watch, progress)) {
        training_line(watch, progress);
        watch->shown_s = progress->elapsed_s;
        watch->line_stands = watch->is_terminal;
    }
    return !interrupted && now_s() < watch->deadline_s;
}

void watch_erase(training_watch *watch) {
    if (!watch->line_stands) return;
    fputs("\r\033[K", stderr);
    watch->line_stands = false;
}

/* ---- Checkpoints, and the end ------------------------------------------------------------------------------------ */

/* One that cannot be written is no reason to lose the training: the next one may succeed. */
void watch_checkpoint(void *context, const plethron_checkpoint *checkpoint) {
    training_watch *watch = context;
    plethron_error err;
    watch->checkpoint_failed = plethron_checkpoint_save(checkpoint, watch->checkpoint, &err) != PLETHRON_OK;
    if (!watch->checkpoint_failed) return;
    watch_erase(watch);
    say("no checkpoint: %s", err.text);
}

const char *watch_reason(void) {
    return interrupted ? "interrupted" : "time limit reached";
}

void watch_say_how_to_go_on(const training_watch *watch) {
    if (!watch->checkpoint)
        say("without --checkpoint it cannot be resumed");
    else if (!watch->checkpoint_failed)
        say("the same command with --resume %s goes on from here", watch->checkpoint);
}

int watch_exit_code(const training_watch *watch) {
    return interrupted ? CLI_INTERRUPTED : watch->checkpoint_failed ? CLI_FAILED : CLI_DONE;
}

/* ---- Progress of a prediction ------------------------------------------------------------------------------------ */

void prediction_progress_start(prediction_progress *progress, bool is_wanted) {
    *progress = (prediction_progress){.is_wanted = is_wanted, .is_terminal = isatty(STDERR_FILENO), .start_s = now_s()};
    progress->shown_s = progress->start_s;
}

static void prediction_line(const prediction_progress *progress, const plethron_reader *reader, double elapsed_s) {
    uint64_t n_read, n_all;
    char read[NUMBER_TEXT], all[NUMBER_TEXT], rate[NUMBER_TEXT];
    plethron_reader_bytes(reader, &n_read, &n_all);
    fprintf(stderr, "%s%" PRIu64 " rows", progress->is_terminal ? "\r" : "plethron: ", progress->n_rows);
    if (n_read > 0) {
        const double per_s = (double)n_read / elapsed_s;
        fprintf(stderr, "  %s", bytes_text(n_read, read));
        if (n_all > 0) fprintf(stderr, " of %s", bytes_text(n_all, all));
        fprintf(stderr, "  %s/s", bytes_text((uint64_t)per_s, rate));
        if (n_all > 0) print_left(n_all > n_read ? (double)(n_all - n_read) / per_s : 0.0);
    } else
        fprintf(stderr, "  %.4g rows/s", (double)progress->n_rows / elapsed_s);
    fputs(progress->is_terminal ? "\033[K" : "\n", stderr);
    fflush(stderr);
}

void prediction_progress_show(prediction_progress *progress, const plethron_reader *reader) {
    const double now = now_s(), elapsed_s = now - progress->start_s;
    const double every_s = progress->is_terminal ? line_every_s : plain_line_every_s;
    if (!progress->is_wanted || !reader || elapsed_s < line_after_s || now - progress->shown_s < every_s) return;
    prediction_line(progress, reader, elapsed_s);
    progress->shown_s = now;
    progress->line_stands = progress->is_terminal;
}

void prediction_progress_erase(prediction_progress *progress) {
    if (progress->line_stands) fputs("\r\033[K", stderr);
    progress->line_stands = false;
}
