/* What happens while a training or a prediction runs: the progress line, the history file, and interrupts. */
#ifndef PLETHRON_CLI_PROGRESS_H
#define PLETHRON_CLI_PROGRESS_H

#include "cli.h"

enum { PLAN_TEXT = 256 };

/* The context of watch_measures and watch_progress. */
typedef struct training_watch {
    FILE *history;        /* takes the measures as CSV; NULL: none */
    bool wants_line;      /* show a progress line on stderr */
    bool line_stands;     /* one is on the screen */
    double shown_s;       /* when it was last drawn */
    char plan[PLAN_TEXT]; /* the training's plan, once known */
} training_watch;

/* From now on the first SIGINT or SIGTERM ends watched work in good order, and the second one the program. */
void watch_interrupts(void);
bool interrupt_came(void);

void watch_history_header(const training_watch *watch);
void watch_measures(void *context, const plethron_measures *measures);
bool watch_progress(void *context, const plethron_progress *progress);

/* Takes the progress line off the screen. */
void watch_erase(training_watch *watch);

/* A prediction's. */
typedef struct prediction_progress {
    bool is_wanted;
    bool is_terminal; /* one line that changes; else plain lines now and then */
    bool line_stands;
    double start_s, shown_s;
    uint64_t n_rows; /* predicted so far */
} prediction_progress;

void prediction_progress_start(prediction_progress *progress, bool is_wanted);
/* Shows the rate and the time left, if it is time to. */
void prediction_progress_show(prediction_progress *progress, const plethron_reader *reader);
void prediction_progress_erase(prediction_progress *progress);

#endif
