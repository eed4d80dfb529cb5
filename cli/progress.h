/* What happens while a training or a prediction runs: progress, the history file, checkpoints, the time limit, and
 * interrupts. */
#ifndef PLETHRON_CLI_PROGRESS_H
#define PLETHRON_CLI_PROGRESS_H

#include "bank_arguments.h"

enum { PLAN_TEXT = 256 };

/* The context of watch_measures, watch_progress and watch_checkpoint. */
typedef struct training_watch {
    FILE *history;       /* takes the measures as CSV; NULL: none */
    bool is_wanted;      /* show progress on stderr */
    bool is_terminal;    /* as one line that changes; else plain lines now and then */
    bool line_stands;    /* one is on the screen */
    double shown_s;      /* when the last one was shown, in the training's time */
    int n_calls;         /* up to 2 */
    int64_t first_epoch; /* where the rate is counted from: the second call, since kernels are built before it */
    double first_s;
    const char *checkpoint; /* takes checkpoints; NULL: none */
    bool checkpoint_failed; /* the last one could not be written */
    double deadline_s;      /* of now_s(); INFINITY: none */
    char plan[PLAN_TEXT];   /* the training's plan, once known */
} training_watch;

/* A watch for a training of a command that began at `begin_s`, with its options. Checkpoints are not taken unless
 * `checkpoint` is set. */
training_watch watch_make(const bank_arguments *a, double begin_s);

/* From now on the first SIGINT or SIGTERM ends watched work in good order, and the second one the program. */
void watch_interrupts(void);
bool interrupt_came(void);

void watch_measures(void *context, const plethron_measures *measures);
bool watch_progress(void *context, const plethron_progress *progress);
void watch_checkpoint(void *context, const plethron_checkpoint *checkpoint);

/* Takes the progress line off the screen. */
void watch_erase(training_watch *watch);

/* After a training that was stopped: by what, such as "interrupted", and what can be done about it. */
const char *watch_reason(void);
void watch_say_how_to_go_on(const training_watch *watch);
/* The program's exit code then. */
int watch_exit_code(const training_watch *watch);

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
