/* The likeliest units: predictions at hand, the kernel in both shapes, and predictors, on every device; beside a sort
 * of each group. */
#include "predict_top.h"
#include "support.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static void *allocate(size_t count, size_t size) {
    void *memory = calloc(count + 1, size);
    assert_non_null(memory);
    return memory;
}

/* ---- The reference ----------------------------------------------------------------------------------------------- */

typedef struct contender {
    float p;
    size_t place;
    int32_t unit;
} contender;

static int compare(const void *a, const void *b) {
    const contender *x = a, *y = b;
    const int x_nan = isnan(x->p), y_nan = isnan(y->p);
    if (x_nan != y_nan) return x_nan - y_nan;
    if (!x_nan && x->p != y->p) return x->p > y->p ? -1 : 1;
    return x->place < y->place ? -1 : 1;
}

static bool same_float(float a, float b) {
    return isnan(a) ? isnan(b) : a == b;
}

/* Of one row p [n_units] and one group. */
static void check_group(const plethron_top *top, size_t group, const float *p, const int32_t *units,
                        const float *best) {
    const int64_t begin = top->offsets[group], n = top->offsets[group + 1] - begin;
    contender *sorted = allocate((size_t)n, sizeof *sorted);
    for (int64_t e = 0; e < n; e++) {
        const int32_t unit = top->units[begin + e];
        sorted[e] = (contender){p[unit], (size_t)e, unit};
    }
    qsort(sorted, (size_t)n, sizeof *sorted, compare);
    const bool is_unknown = top->needs_all && isnan(sorted[n - 1].p);
    for (size_t t = 0; t < top->n_top; t++) {
        assert_int_equal(units[t], is_unknown ? PLETHRON_NONE : sorted[t].unit);
        assert_true(same_float(best[t], is_unknown ? NAN : sorted[t].p));
    }
    free(sorted);
}

static void check_rows(const plethron_top *top, const float *P, size_t n_rows, size_t n_units, const int32_t *units,
                       const float *best) {
    for (size_t i = 0; i < n_rows; i++)
        for (size_t g = 0; g < top->n_groups; g++) {
            const size_t result = (i * top->n_groups + g) * top->n_top;
            check_group(top, g, P + i * n_units, units + result, best + result);
        }
}

/* ---- Problems ---------------------------------------------------------------------------------------------------- */

typedef struct problem {
    size_t n_rows, n_units, n_groups;
    size_t least, span; /* of a group's size: least ... least + span - 1 */
    size_t n_top;
    bool needs_all;
    unsigned nan_every; /* so often a prediction is NaN; 0: never */
} problem;

static const problem problems[] = {
    {1, 1, 1, 1, 1, 1, false, 0},         {5, 1, 1, 1, 1, 1, true, 3},         {17, 2, 1, 2, 1, 2, false, 2},
    {33, 10, 1, 10, 1, 1, false, 0},      {33, 10, 1, 10, 1, 10, false, 5},    {65, 10, 1, 10, 1, 1, true, 30},
    {64, 256, 1, 256, 1, 5, false, 100},  {37, 256, 1, 256, 1, 5, true, 1000}, {100, 21, 5, 1, 9, 1, true, 20},
    {100, 21, 5, 2, 9, 2, false, 6},      {31, 40, 7, 16, 18, 16, false, 0},   {3, 40, 90, 1, 2, 1, true, 9},
    {7, 3001, 1, 3001, 1, 1, false, 50},  {3, 3001, 1, 3001, 1, 70, false, 9}, {2, 500, 3, 33, 400, 33, true, 300},
    {9, 130, 1, 130, 1, 130, false, 128}, {4, 6, 2, 3, 1, 3, false, 1},
};

/* A problem's groups, and predictions with many ties. */
typedef struct scene {
    plethron_top top;
    int64_t *offsets;
    int32_t *units;
    float *P; /* [n_rows, n_units] */
    size_t n_results;
    int32_t *found;
    float *best;
} scene;

static uint64_t random_state = 1;

static uint32_t random_below(size_t n) {
    random_state = random_state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)((random_state >> 33) % n);
}

static scene scene_open(const problem *p) {
    scene s = {.n_results = p->n_rows * p->n_groups * p->n_top};
    s.offsets = allocate(p->n_groups + 1, sizeof *s.offsets);
    for (size_t g = 0; g < p->n_groups; g++)
        s.offsets[g + 1] = s.offsets[g] + (int64_t)(p->least + random_below(p->span));
    const size_t n_members = (size_t)s.offsets[p->n_groups];
    s.units = allocate(n_members, sizeof *s.units);
    for (size_t e = 0; e < n_members; e++) s.units[e] = (int32_t)random_below(p->n_units);
    s.P = allocate(p->n_rows * p->n_units, sizeof *s.P);
    for (size_t e = 0; e < p->n_rows * p->n_units; e++)
        s.P[e] = p->nan_every && random_below(p->nan_every) == 0 ? NAN : (float)random_below(65) / 64.0f;
    s.found = allocate(s.n_results, sizeof *s.found);
    s.best = allocate(s.n_results, sizeof *s.best);
    s.top = (plethron_top){p->n_top, p->n_groups, s.offsets, s.units, p->needs_all};
    return s;
}

static void scene_close(scene *s) {
    free(s->offsets);
    free(s->units);
    free(s->P);
    free(s->found);
    free(s->best);
}

/* ---- Predictions at hand ----------------------------------------------------------------------------------------- */

static void found_at_hand(void **state) {
    (void)state;
    plethron_error err;
    for (size_t i = 0; i < COUNT(problems); i++) {
        const problem *p = &problems[i];
        scene s = scene_open(p);
        assert_works(plethron_top_find(&s.top, s.P, p->n_rows, p->n_units, s.found, s.best, &err), &err);
        check_rows(&s.top, s.P, p->n_rows, p->n_units, s.found, s.best);
        scene_close(&s);
    }
}

/* Predictions at hand may be any, and offsets begin anywhere. */
static void values_may_be_any(void **state) {
    (void)state;
    const float P[] = {-INFINITY, NAN, -3.0f, 1e30f, INFINITY};
    const int64_t offsets[] = {2, 7};
    const int32_t units[] = {9, 9, 1, 0, 2, 3, 4};
    const plethron_top top = {5, 1, offsets, units, false};
    const int32_t want[] = {4, 3, 2, 0, 1};
    plethron_error err;
    int32_t found[5];
    float best[5];
    assert_works(plethron_top_find(&top, P, 1, COUNT(P), found, best, &err), &err);
    assert_memory_equal(found, want, sizeof want);
    assert_works(plethron_top_find(&top, NULL, 0, COUNT(P), NULL, NULL, &err), &err);
}

/* ---- The kernel -------------------------------------------------------------------------------------------------- */

/* Predictions group after group, with something behind each row that must not count. */
static void check_stage(plethron_device *device, const problem *p, bool rows_are_shared) {
    enum { BEHIND = 3 };
    plethron_error err;
    scene s = scene_open(p);
    top_groups groups;
    top_stage *stage = NULL;
    device_buffer *P = NULL, *found = NULL, *best = NULL;
    const size_t n_members = (size_t)s.offsets[p->n_groups], stride = n_members + BEHIND;
    float *rows = allocate(p->n_rows * stride, sizeof *rows);
    for (size_t i = 0; i < p->n_rows; i++)
        for (size_t e = 0; e < stride; e++)
            rows[i * stride + e] = e < n_members ? s.P[i * p->n_units + (size_t)s.units[e]] : 1.0f;
    assert_works(top_groups_make(&s.top, p->n_units, &groups, &err), &err);
    groups.in_order = true;
    assert_works(top_stage_open(device, &groups, rows_are_shared, &stage, &err), &err);
    assert_works(device_buffer_create(device, p->n_rows * stride * sizeof *rows, "P", &P, &err), &err);
    assert_works(device_buffer_create(device, s.n_results * sizeof *s.found, "units", &found, &err), &err);
    assert_works(device_buffer_create(device, s.n_results * sizeof *s.best, "p", &best, &err), &err);
    assert_works(device_buffer_upload(P, 0, p->n_rows * stride * sizeof *rows, rows, &err), &err);
    assert_works(top_stage_run(stage, P, stride, p->n_rows, found, best, &err), &err);
    assert_works(device_buffer_download(found, 0, s.n_results * sizeof *s.found, s.found, &err), &err);
    assert_works(device_buffer_download(best, 0, s.n_results * sizeof *s.best, s.best, &err), &err);
    check_rows(&s.top, s.P, p->n_rows, p->n_units, s.found, s.best);
    device_buffer_close(best);
    device_buffer_close(found);
    device_buffer_close(P);
    top_stage_close(stage);
    top_groups_release(&groups);
    free(rows);
    scene_close(&s);
}

static void check_stages(plethron_device *device) {
    for (size_t i = 0; i < COUNT(problems); i++) {
        check_stage(device, &problems[i], false);
        check_stage(device, &problems[i], true);
    }
}

static void the_kernel_in_both_shapes(void **state) {
    (void)state;
    support_on_every_device(check_stages);
}

/* ---- Predictors -------------------------------------------------------------------------------------------------- */

enum { N_FEATURES = 6, N_ROWS = 700, N_UNITS = 45, N_GROUPS = 4 };

static const int64_t group_offsets[N_GROUPS + 1] = {0, 3, 20, 21, 40};

/* Features are few numbers, so that sparse and dense rows are alike and predictions tie; some are not numbers. */
typedef struct data {
    float X[N_ROWS * N_FEATURES];
    int64_t offsets[N_ROWS + 1];
    int32_t columns[N_ROWS * N_FEATURES];
    float values[N_ROWS * N_FEATURES];
    int32_t group_units[40];
    float P[N_ROWS * N_UNITS];
    int32_t units[N_ROWS * N_UNITS];
    float p[N_ROWS * N_UNITS];
    plethron_bank *bank;
} data;

static data *data_open(void) {
    data *d = allocate(1, sizeof *d);
    float start[(N_FEATURES + 1) * N_UNITS];
    int64_t n = 0;
    for (size_t e = 0; e < COUNT(start); e++) start[e] = (float)random_below(5) - 2.0f;
    for (size_t e = 0; e < COUNT(d->group_units); e++) d->group_units[e] = (int32_t)random_below(N_UNITS);
    for (size_t i = 0; i < N_ROWS; i++) {
        for (size_t k = 0; k < N_FEATURES; k++) {
            float *x = &d->X[i * N_FEATURES + k];
            *x = random_below(200) ? (float)random_below(3) : NAN;
            if (*x == 0.0f) continue;
            d->columns[n] = (int32_t)k;
            d->values[n++] = *x;
        }
        d->offsets[i + 1] = n;
    }
    const plethron_bank_options options = {.struct_size = sizeof options, .start = start};
    d->bank = support_bank(N_FEATURES, N_UNITS, &options);
    return d;
}

static void data_close(data *d) {
    plethron_bank_close(d->bank);
    free(d);
}

static void check_predictor(plethron_device *device, data *d, const plethron_top *top, bool sparse,
                            size_t memory_bytes) {
    plethron_error err;
    const plethron_predictor_options options = {
        .struct_size = sizeof options, .memory_bytes = memory_bytes, .sparse = sparse, .top = top};
    const plethron_sparse rows = {N_ROWS, N_FEATURES, d->offsets, d->columns, d->values};
    plethron_predictor *predictor = NULL;
    static const int64_t one_group[] = {0, N_UNITS};
    int32_t all[N_UNITS];
    for (int32_t j = 0; j < N_UNITS; j++) all[j] = j;
    memset(d->units, 1, sizeof d->units);
    assert_works(plethron_predictor_open(device, d->bank, &options, &predictor, &err), &err);
    if (sparse)
        assert_works(plethron_predictor_top_sparse(predictor, &rows, d->units, d->p, &err), &err);
    else
        assert_works(plethron_predictor_top(predictor, d->X, N_ROWS, d->units, d->p, &err), &err);
    const plethron_top whole = {top->n_top, 1, one_group, all, top->needs_all};
    check_rows(top->n_groups > 0 ? top : &whole, d->P, N_ROWS, N_UNITS, d->units, d->p);
    plethron_predictor_close(predictor);
}

static void check_predictors(plethron_device *device) {
    static const size_t memory_bytes[] = {0, 1, 100000};
    plethron_error err;
    data *d = data_open();
    const plethron_top tops[] = {
        {1, 0, NULL, NULL, false},
        {5, 0, NULL, NULL, true},
        {N_UNITS, 0, NULL, NULL, false},
        {1, N_GROUPS, group_offsets, d->group_units, true},
        {1, N_GROUPS - 1, group_offsets, d->group_units, false},
        {3, 2, group_offsets, d->group_units, false},
    };
    assert_works(plethron_predict(device, d->bank, d->X, N_ROWS, d->P, &err), &err);
    for (size_t t = 0; t < COUNT(tops); t++)
        for (size_t m = 0; m < COUNT(memory_bytes); m++)
            for (int sparse = 0; sparse <= 1; sparse++) check_predictor(device, d, &tops[t], sparse, memory_bytes[m]);
    data_close(d);
}

static void predictors_find_what_all_predictions_hold(void **state) {
    (void)state;
    support_on_every_device(check_predictors);
}

/* Of sparse rows predictions would come back on every OpenCL device. */
static void check_transfers(plethron_device *device) {
    enum { TOP = 2 };
    plethron_error err;
    data *d = data_open();
    const plethron_top top = {.n_top = TOP};
    const plethron_predictor_options options = {.struct_size = sizeof options, .sparse = true, .top = &top};
    const plethron_sparse rows = {N_ROWS, N_FEATURES, d->offsets, d->columns, d->values};
    plethron_counters before = {.struct_size = sizeof before}, after = before;
    plethron_predictor *predictor = NULL;
    assert_works(plethron_predictor_open(device, d->bank, &options, &predictor, &err), &err);
    assert_works(plethron_device_counters(device, &before, &err), &err);
    assert_works(plethron_predictor_top_sparse(predictor, &rows, d->units, d->p, &err), &err);
    assert_works(plethron_device_counters(device, &after, &err), &err);
    const size_t want = device_is_host(device) ? 0 : N_ROWS * TOP * (sizeof *d->units + sizeof *d->p);
    assert_int_equal(after.download_bytes - before.download_bytes, want);
    plethron_predictor_close(predictor);
    data_close(d);
}

static void only_results_come_back(void **state) {
    (void)state;
    support_on_every_device(check_transfers);
}

/* ---- Refusals ---------------------------------------------------------------------------------------------------- */

static void bad_groups_are_refused(void **state) {
    (void)state;
    static const int64_t good[] = {0, 2, 5}, falls[] = {0, 3, 2}, empty[] = {0, 2, 2}, negative[] = {-1, 2, 5};
    static const int64_t many[] = {0, 2, 1LL << 31};
    static const int32_t units[] = {0, 1, 2, 1, 0}, high[] = {0, 1, 3, 1, 0}, low[] = {0, 1, 2, -1, 0};
    const struct {
        plethron_top top;
        const char *part, *allowed;
    } refusals[] = {
        {{0, 2, good, units, false}, "n_top is 0", "1 to 2"},
        {{3, 2, good, units, false}, "n_top is 3", "1 to 2"},
        {{4, 0, NULL, NULL, false}, "n_top is 4", "1 to 3"},
        {{1, 2, falls, units, false}, "offsets[2] is 2 after 3", "group"},
        {{1, 2, empty, units, false}, "offsets[2] is 2 after 2", "group"},
        {{1, 2, negative, units, false}, "offsets[0] is -1", "0 or more"},
        {{1, 2, good, high, false}, "units[2] is 3", "3 units"},
        {{1, 2, good, low, false}, "units[3] is -1", "3 units"},
        {{1, 2, many, units, false}, "2147483648", "2147483647"},
        {{1, 2, NULL, units, false}, "NULL", "2 groups"},
        {{1, 2, good, NULL, false}, "NULL", "2 groups"},
    };
    const float P[3] = {0.5f, 0.5f, 0.5f};
    plethron_error err;
    plethron_device *device = support_device("host");
    plethron_bank *bank = support_bank(2, 3, NULL);
    for (size_t r = 0; r < COUNT(refusals); r++) {
        const plethron_predictor_options options = {.struct_size = sizeof options, .top = &refusals[r].top};
        plethron_predictor *predictor = NULL;
        int32_t found = -7;
        float best = -7.0f;
        assert_fails(PLETHRON_ERROR_ARGUMENT, plethron_top_find(&refusals[r].top, P, 1, 3, &found, &best, &err), &err,
                     refusals[r].part, refusals[r].allowed);
        assert_true(found == -7 && best == -7.0f);
        assert_fails(PLETHRON_ERROR_ARGUMENT, plethron_predictor_open(device, bank, &options, &predictor, &err), &err,
                     refusals[r].part, refusals[r].allowed);
        assert_null(predictor);
    }
    plethron_bank_close(bank);
    plethron_device_close(device);
}

static void what_does_not_go_together(void **state) {
    (void)state;
    static const int64_t offsets[] = {0, 1};
    static const int32_t columns[] = {0};
    static const float values[] = {1.0f, 1.0f};
    const plethron_sparse rows = {1, 2, offsets, columns, values};
    const plethron_top top = {.n_top = 1};
    const plethron_predictor_options options = {.struct_size = sizeof options, .top = &top};
    plethron_error err;
    plethron_device *device = support_device("host");
    plethron_bank *bank = support_bank(2, 3, NULL);
    plethron_predictor *with = NULL, *without = NULL;
    int32_t found;
    float P[3];
    assert_works(plethron_predictor_open(device, bank, &options, &with, &err), &err);
    assert_works(plethron_predictor_open(device, bank, NULL, &without, &err), &err);
    assert_fails(PLETHRON_ERROR_ARGUMENT, plethron_predictor_run(with, values, 1, P, &err), &err, "opened with top");
    assert_fails(PLETHRON_ERROR_ARGUMENT, plethron_predictor_top(without, values, 1, &found, P, &err), &err,
                 "opened without top");
    assert_fails(PLETHRON_ERROR_ARGUMENT, plethron_predictor_top_sparse(with, &rows, &found, P, &err), &err,
                 "for dense features");
    assert_works(plethron_predictor_top(with, NULL, 0, NULL, NULL, &err), &err);
    plethron_predictor_close(with);
    plethron_predictor_close(without);
    plethron_bank_close(bank);
    plethron_device_close(device);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(found_at_hand),
        cmocka_unit_test(values_may_be_any),
        cmocka_unit_test(the_kernel_in_both_shapes),
        cmocka_unit_test(predictors_find_what_all_predictions_hold),
        cmocka_unit_test(only_results_come_back),
        cmocka_unit_test(bad_groups_are_refused),
        cmocka_unit_test(what_does_not_go_together),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
