#define _POSIX_C_SOURCE 200809L

#include "progress.h"

#include <inttypes.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

static const double line_after_s = 1.0;
static const double line_every_s = 0.2;
static const double plain_line_every_s = 10.0;

static volatile sig_atomic_t interrupted;

static void interrupt(int signal_number) {
    (void)signal_number;
    interrupted = 1;
}

void watch_interrupts(void) {
    struct sigaction action = {.sa_flags = (int)SA_RESETHAND | SA_RESTART};
    action.sa_handler = interrupt;
    sigemptyset(&action.sa_mask);
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
}

bool interrupt_came(void) {
    return interrupted;
}

void watch_history_header(const training_watch *watch) {
    fputs("epoch,unit,error_sum,loss\n", watch->history);
}

void watch_measures(void *context, const plethron_measures *measures) {
    const training_watch *watch = context;
    char error_sum[NUMBER_TEXT], loss[NUMBER_TEXT];
    for (size_t j = 0; watch->history && j < measures->n_units; j++)
        fprintf(watch->history, "%" PRId64 ",%zu,%s,%s\n", measures->epoch, j,
                number_text(measures->error_sum[j], error_sum), number_text(measures->loss[j], loss));
}

static void line_draw(const plethron_progress *progress) {
    double done = (double)progress->epoch;
    double total = (double)progress->n_epochs;
    double rate = done / progress->elapsed_s;
    long long left_s = rate > 0 ? (long long)((total - done) / rate) : 0;
    fprintf(stderr, "\repoch %" PRId64 " of %" PRId64 "  %.0f%%  %.4g epochs/s  %lld:%02lld:%02lld left\033[K",
            progress->epoch, progress->n_epochs, 100.0 * done / total, rate, left_s / 3600, left_s / 60 % 60,
            left_s % 60);
    fflush(stderr);
}

bool watch_progress(void *context, const plethron_progress *progress) {
    training_watch *watch = context;
    if (progress->plan) snprintf(watch->plan, sizeof watch->plan, "%s", progress->plan);
    bool is_due = progress->elapsed_s >= line_after_s && progress->elapsed_s - watch->shown_s >= line_every_s;
    if (watch->wants_line && is_due && progress->n_epochs > 0) {
        line_draw(progress);
        watch->shown_s = progress->elapsed_s;
        watch->line_stands = true;
    }
    return !interrupted;
}

void watch_erase(training_watch *watch) {
    if (!watch->line_stands) return;
    fputs("\r\033[K", stderr);
    watch->line_stands = false;
}

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
        const long long left_s = n_all > n_read ? (long long)((double)(n_all - n_read) / per_s) : 0;
        if (n_all > 0) fprintf(stderr, "  %lld:%02lld:%02lld left", left_s / 3600, left_s / 60 % 60, left_s % 60);
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
