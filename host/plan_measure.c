/* Plans by measuring: each that applies is tried, and the fastest is remembered in a text file, a line a problem:
 *
 *     DEVICE | DRIVER | VERSION | samples x features x units, uses, batch, strategies | strategy tiling | microseconds
 * an epoch
 *
 * A line may be edited or deleted; one that cannot be read, or names a plan that does not apply, is passed over. */
#include "plan.h"

#include "cache_folder.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { LINE_BYTES = 1024, MAX_FILE_BYTES = 1 << 20 };

static const char file_name[] = "plans.txt";

/* A plan is run for about this long, after one epoch to warm up. */
static const double wanted_s = 0.03;

static double now_s(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

/* ---- Trying ------------------------------------------------------------------------------------------------------ */

enum { MAX_EPOCHS = 4096 };

/* The same units, none of which stops while it is measured. */
static plethron_status never_stopping(const train_problem *problem, train_problem *out, plethron_error *err) {
    plethron_status status;
    void *memory = NULL;
    TRY(memory_allocate(problem->n_units, sizeof(size_t), "a list of units", &memory, err));
    size_t *all = memory;
    TRY(problem_open(problem, problem->n_units, out, err));
    for (size_t j = 0; j < problem->n_units; j++) all[j] = j;
    problem_take(problem, all, out);
    for (size_t j = 0; j < problem->n_units; j++) problem_integers(out, UNIT_EPOCHS)[j] = 3 * MAX_EPOCHS;
    out->has_rules = false;
out:
    free(memory);
    return status;
}

/* Seconds an epoch; the least of the tries, which others disturb least. */
static plethron_status time_epochs(live_set *live, void *run, double *seconds, plethron_error *err) {
    plethron_status status;
    int64_t done = 1;
    TRY(live_epochs(live, run, 0, 1, err));
    *seconds = INFINITY;
    const double begin_s = now_s();
    for (int64_t count = 1; count <= MAX_EPOCHS && now_s() - begin_s < wanted_s; count *= 2) {
        const double before_s = now_s();
        TRY(live_epochs(live, run, done, count, err));
        *seconds = fmin(*seconds, (now_s() - before_s) / (double)count);
        done += count;
    }
out:
    return status;
}

plethron_status plan_time(const train_problem *problem, const train_plan *plan, double *seconds, plethron_error *err) {
    plethron_status status;
    train_problem measured = {0};
    live_set *live = NULL;
    void *run = NULL;
    TRY(never_stopping(problem, &measured, err));
    TRY(live_open(&measured, plan, &live, err));
    TRY(plan->strategy->open(live, &run, err));
    TRY(time_epochs(live, run, seconds, err));
out:
    if (run) plan->strategy->close(run);
    live_close(live);
    problem_close(&measured);
    return status;
}

/* ---- Remembering ------------------------------------------------------------------------------------------------- */

/* The beginning of a problem's line, up to what was found. */
static void describe(const train_problem *problem, const char *name, char key[LINE_BYTES / 2]) {
    const plethron_device_info *info = plethron_device_describe(problem->dataset->device);
    snprintf(key, LINE_BYTES / 2, "%.100s | %.60s | %s | %zu x %zu x %zu, uses %d, batch %zu, %s%s | ", info->name,
             info->driver, plethron_version(), problem->dataset->n_samples, problem->dataset->n_features,
             problem->n_units, problem->uses, problem->batch_rows, name && *name ? name : "any strategy",
             problem->dataset->sparse ? ", sparse" : "");
    if (problem->dataset->storage == PLETHRON_STORAGE_F32) return;
    const size_t used = strlen(key) - strlen(" | ");
    snprintf(key + used, LINE_BYTES / 2 - used, ", %s | ", dataset_storage_name(problem->dataset->storage));
}

static void plan_name(const train_plan *plan, char name[64]) {
    snprintf(name, 64, "%s %s | ", plan->strategy->name, plan->tiling.name);
}

/* The plan of the line that begins with `key`; NULL without. */
static const train_plan *recall(const plan_candidates *list, const char *key, const char *text) {
    const char *line = text ? strstr(text, key) : NULL;
    if (!line || (line != text && line[-1] != '\n')) return NULL;
    for (size_t i = 0; i < list->count; i++) {
        char name[64];
        plan_name(&list->plans[i], name);
        if (strncmp(line + strlen(key), name, strlen(name)) == 0) return &list->plans[i];
    }
    return NULL;
}

/* Adds a line; a line of the same problem goes. */
static void remember(const char *key, const train_plan *plan, double seconds, const char *text) {
    char line[LINE_BYTES], name[64];
    const char *old = text ? strstr(text, key) : NULL, *end = old ? strchr(old, '\n') : NULL;
    const size_t before = !text ? 0 : old ? (size_t)(old - text) : strlen(text);
    plan_name(plan, name);
    const int length = snprintf(line, sizeof line, "%s%s%.3f\n", key, name, 1e6 * seconds);
    if (length <= 0 || length >= LINE_BYTES || before + (size_t)length > MAX_FILE_BYTES) return;
    const cache_piece pieces[] = {
        {text ? text : "", before}, {line, (size_t)length}, {end ? end + 1 : "", end ? strlen(end + 1) : 0}};
    cache_file_write(file_name, pieces, 3);
}

/* ---- Choosing ---------------------------------------------------------------------------------------------------- */

/* The fastest of the plans; one that fails is passed over unless all do. */
static plethron_status fastest(const train_problem *problem, const plan_candidates *list, const train_plan **best,
                               double *best_s, plethron_error *err) {
    plethron_status status = PLETHRON_OK;
    *best = NULL;
    for (size_t i = 0; i < list->count; i++) {
        double seconds = INFINITY;
        const plethron_status tried = plan_time(problem, &list->plans[i], &seconds, err);
        if (tried != PLETHRON_OK) status = tried;
        if (tried != PLETHRON_OK || (*best && seconds >= *best_s)) continue;
        *best = &list->plans[i];
        *best_s = seconds;
    }
    return *best ? PLETHRON_OK : status;
}

plethron_status plan_measure(const train_problem *problem, const char *name, train_plan *out, plethron_error *err) {
    plethron_status status;
    plan_candidates list = {0};
    const train_plan *best;
    double best_s = 0.0;
    size_t n_bytes;
    char key[LINE_BYTES / 2];
    unsigned char *text = cache_file_read(file_name, MAX_FILE_BYTES, &n_bytes);
    describe(problem, name, key);
    TRY(plan_list(problem, name, &list, err));
    best = recall(&list, key, (const char *)text);
    if (!best) {
        TRY(fastest(problem, &list, &best, &best_s, err));
        remember(key, best, best_s, (const char *)text);
    }
    *out = *best;
out:
    plan_list_close(&list);
    free(text);
    return status;
}
