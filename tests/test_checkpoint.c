/* Checkpoints: a training that was stopped at any epoch and resumed in another object gives the bits of one that never
 * was; what does not belong together, or was damaged, is refused. */
#include "cases.h"
#include "checkpoint.h"
#include "io_files.h"
#include "train.h"

enum { N_UNITS = 40 };

static const case_shape shape = {300, 9, N_UNITS, UNITS_FULL, PLETHRON_REDUCTION_MEAN};

static case_ways ways;

/* ---- Stopping and resuming --------------------------------------------------------------------------------------- */

/* A training that keeps its checkpoint in a file and stops at the nth call to on_progress. */
typedef struct stopper {
    const char *path;
    int calls_left;
    size_t n_kept;
    size_t least_live; /* above 0 */
} stopper;

static bool count_down(void *context, const plethron_progress *progress) {
    stopper *self = context;
    if (progress->n_live > 0 && progress->n_live < self->least_live) self->least_live = progress->n_live;
    return --self->calls_left > 0;
}

static void keep(void *context, const plethron_checkpoint *checkpoint) {
    stopper *self = context;
    check_ok(plethron_checkpoint_save(checkpoint, self->path, &case_error));
    self->n_kept++;
}

static void ignore_measures(void *context, const plethron_measures *measures) {
    (void)context;
    (void)measures;
}

/* From the checkpoint, or from the start; measuring makes chunks of one epoch. */
static plethron_status train_until(const case_way *way, plethron_dataset *dataset, plethron_bank *bank,
                                   const plethron_checkpoint *resume, stopper *stop) {
    const plethron_train_options options = {
        .struct_size = sizeof options,
        .strategy = resume ? NULL : way->strategy, /* the checkpoint knows it */
        .measure_every = 1,
        .on_measures = ignore_measures,
        .on_progress = count_down,
        .context = stop,
        .on_checkpoint = keep,
        .resume = resume,
    };
    return train_with_tiling(dataset, bank, &options, way->tiling, &case_error);
}

typedef plethron_bank *(*make_bank)(const void *of);
typedef plethron_dataset *(*make_dataset)(const void *of, const case_way *way);

static plethron_bank *bank_of_case(const void *of) {
    return case_bank(of, NULL, N_UNITS);
}

static plethron_dataset *dataset_of_case(const void *of, const case_way *way) {
    return case_dataset(of, way);
}

/* Stops after one more epoch each time, and each time goes on from the file: new objects know nothing of before. */
static void check_resumed(const case_way *way, const void *of, make_bank bank_of, make_dataset dataset_of,
                          bool must_compact) {
    char folder[SUPPORT_PATH_BYTES], path[SUPPORT_PATH_BYTES];
    plethron_status status = PLETHRON_ERROR_INTERRUPTED;
    support_folder_open(folder);
    support_path(path, folder, "checkpoint");
    stopper stop = {.path = path, .least_live = SIZE_MAX};
    plethron_dataset *dataset = dataset_of(of, way);
    plethron_bank *whole = bank_of(of), *bank = NULL;
    case_train(way, dataset, whole);
    size_t n_runs = 0;
    for (; status == PLETHRON_ERROR_INTERRUPTED; n_runs++) {
        plethron_checkpoint *resume = NULL;
        plethron_dataset *again = dataset_of(of, way);
        plethron_bank_close(bank);
        bank = bank_of(of);
        if (n_runs > 0) check_ok(plethron_checkpoint_load(path, &resume, &case_error));
        stop.calls_left = n_runs == 0 ? 1 : 2; /* the first call comes before any epoch */
        status = train_until(way, again, bank, resume, &stop);
        plethron_checkpoint_close(resume);
        plethron_dataset_close(again);
    }
    check_ok(status);
    assert_int_equal(stop.n_kept, n_runs);
    assert_true(n_runs > 3);
    if (must_compact) assert_true(2 * stop.least_live <= plethron_bank_n_units(whole));
    check_same_bank(whole, bank, way->name);
    assert_string_equal(plethron_bank_strategy(bank), way->strategy);
    plethron_bank_close(bank);
    plethron_bank_close(whole);
    plethron_dataset_close(dataset);
    support_folder_close(folder);
}

/* Units of every kind: each optimiser, schedule, penalty, loss, folds, bootstraps; rules that stop them one by one, so
 * that the bank is compacted. */
static void test_all_rows_at_once(void **state) {
    (void)state;
    test_case *c = case_open(shape, case_seed());
    c->standardize = true;
    for (size_t j = 0; j < N_UNITS; j++)
        if (j % 4 == 0) c->units->epochs[j] = CASE_MAX_EPOCHS; /* a quarter lasts */
    for (size_t j = 0; j < N_UNITS; j++)
        if (j % 4 != 0) c->units->epochs[j] = 1 + (int64_t)(j % 3);
    for (size_t w = 0; w < ways.n_ways; w++)
        if (!ways.ways[w].tiling) check_resumed(&ways.ways[w], c, bank_of_case, dataset_of_case, false);
    case_close(c);
}

/* On the host, and on a device where lanes are units: those of samples take their batches by the same code. */
static void test_mini_batches(void **state) {
    (void)state;
    test_case *c = case_open(shape, case_seed());
    c->units->batch_size = 112;
    c->units->batch_seed = 77;
    for (size_t j = 0; j < N_UNITS; j++) c->units->tolerance[j] = 0.0f;
    for (size_t w = 0; w < ways.n_ways; w++)
        if (!ways.ways[w].tiling && (device_is_host(ways.ways[w].device) || !strcmp(ways.ways[w].strategy, "fused")))
            check_resumed(&ways.ways[w], c, bank_of_case, dataset_of_case, false);
    case_close(c);
}

/* ---- Banks of one kind ------------------------------------------------------------------------------------------- */

enum { N_ROWS = 90, N_FEATURES = 4, N_ALIKE = 36 };

/* What all units of a bank have. */
typedef struct kind {
    int64_t optimizer, schedule, patience, bootstrap;
    bool has_entities;
    float tolerance;
} kind;

static void fill_rows(float *X, float *Y, uint8_t *folds) {
    for (int i = 0; i < N_ROWS; i++) {
        for (int k = 0; k < N_FEATURES; k++)
            X[i * N_FEATURES + k] = (float)((i * 7 + k * 5 + i * k) % 13) / 6.0f - 1.0f;
        Y[i] = (float)((i * i + i / 3) % 5 < 2);
        folds[i] = (uint8_t)(i % 3);
    }
}

static plethron_dataset *dataset_of_kind(const void *of, const case_way *way) {
    static const int64_t offsets[] = {0, 20, 25, 60, N_ROWS};
    const kind *k = of;
    float X[N_ROWS * N_FEATURES], Y[N_ROWS];
    uint8_t folds[N_ROWS];
    plethron_dataset *dataset = NULL;
    fill_rows(X, Y, folds);
    const plethron_dataset_options options = {
        .struct_size = sizeof options,
        .standardize = true,
        .folds = folds,
        .entity_offsets = k->has_entities ? offsets : NULL,
        .n_entities = k->has_entities ? COUNT(offsets) - 1 : 0,
    };
    check_ok(plethron_dataset_create(way->device, X, N_ROWS, N_FEATURES, Y, 1, &options, &dataset, &case_error));
    return dataset;
}

/* Most units want little, and leave early. */
static plethron_bank *bank_of_kind(const void *of) {
    const kind *k = of;
    float rate[N_ALIKE], tolerance[N_ALIKE];
    int64_t entity[N_ALIKE], epochs[N_ALIKE], fold[N_ALIKE];
    plethron_bank *bank = NULL;
    for (int j = 0; j < N_ALIKE; j++) {
        rate[j] = 0.05f + 0.01f * (float)(j % 7);
        tolerance[j] = k->tolerance;
        entity[j] = j % 4;
        epochs[j] = j % 3 == 0 ? 9 : 2 + j % 4;
        fold[j] = j % 3;
    }
    const plethron_bank_options options = {
        .struct_size = sizeof options,
        .learning_rate = {rate, N_ALIKE},
        .epochs = {epochs, N_ALIKE},
        .init = PLETHRON_INIT_NORMAL,
        .optimizer = {&k->optimizer, 1},
        .schedule = {&k->schedule, 1},
        .patience = {&k->patience, 1},
        .tolerance = {tolerance, N_ALIKE},
        .check_every = 2,
        .excluded_fold = {fold, N_ALIKE},
        .bootstrap = {&k->bootstrap, 1},
        .entity = {entity, k->has_entities ? N_ALIKE : 0},
    };
    check_ok(plethron_bank_create(N_FEATURES, N_ALIKE, &options, &bank, &case_error));
    return bank;
}

static const case_way *host_way(void) {
    const case_way *way = &ways.ways[ways.n_ways - 1];
    assert_true(device_is_host(way->device));
    return way;
}

static void test_every_kind_alone(void **state) {
    (void)state;
    static const kind kinds[] = {
        {.optimizer = PLETHRON_OPTIMIZER_GD},
        {.optimizer = PLETHRON_OPTIMIZER_MOMENTUM},
        {.optimizer = PLETHRON_OPTIMIZER_NESTEROV, .schedule = PLETHRON_SCHEDULE_COSINE},
        {.optimizer = PLETHRON_OPTIMIZER_ADAM},
        {.optimizer = PLETHRON_OPTIMIZER_GD, .schedule = PLETHRON_SCHEDULE_INVERSE},
        {.optimizer = PLETHRON_OPTIMIZER_GD, .patience = 2},
        {.optimizer = PLETHRON_OPTIMIZER_ADAM, .patience = 2, .schedule = PLETHRON_SCHEDULE_COSINE},
        {.optimizer = PLETHRON_OPTIMIZER_GD, .tolerance = 0.01f},
        {.optimizer = PLETHRON_OPTIMIZER_GD, .bootstrap = 1},
    };
    for (size_t i = 0; i < COUNT(kinds); i++) {
        const bool has_rules = kinds[i].patience || kinds[i].tolerance > 0.0f;
        check_resumed(host_way(), &kinds[i], bank_of_kind, dataset_of_kind, !has_rules);
    }
}

static const case_way *find_way(const char *name) {
    for (size_t w = 0; w < ways.n_ways; w++)
        if (!ways.ways[w].tiling && strcmp(ways.ways[w].strategy, name) == 0) return &ways.ways[w];
    return NULL;
}

static const kind of_entities = {.optimizer = PLETHRON_OPTIMIZER_MOMENTUM, .has_entities = true, .patience = 4};

static void test_entities(void **state) {
    (void)state;
    const case_way *grouped = find_way("grouped");
    case_way on_host = *host_way();
    on_host.strategy = "grouped";
    check_resumed(&on_host, &of_entities, bank_of_kind, dataset_of_kind, false);
    if (grouped) check_resumed(grouped, &of_entities, bank_of_kind, dataset_of_kind, false);
}

/* Begun on a device, finished on the host: a strategy that both have. */
static void test_on_another_device(void **state) {
    (void)state;
    const case_way *grouped = find_way("grouped");
    if (!grouped || !case_bits_hold(grouped)) skip();
    char folder[SUPPORT_PATH_BYTES], path[SUPPORT_PATH_BYTES];
    support_folder_open(folder);
    support_path(path, folder, "checkpoint");
    stopper stop = {.path = path, .calls_left = 4};
    plethron_checkpoint *resume = NULL;
    plethron_dataset *there = dataset_of_kind(&of_entities, grouped);
    plethron_dataset *here = dataset_of_kind(&of_entities, host_way());
    plethron_bank *whole = bank_of_kind(&of_entities), *begun = bank_of_kind(&of_entities),
                  *ended = bank_of_kind(&of_entities);
    case_train(grouped, there, whole);
    assert_int_equal(train_until(grouped, there, begun, NULL, &stop), PLETHRON_ERROR_INTERRUPTED);
    check_ok(plethron_checkpoint_load(path, &resume, &case_error));
    stop.calls_left = INT32_MAX;
    check_ok(train_until(host_way(), here, ended, resume, &stop));
    check_same_bank(whole, ended, "on another device");
    plethron_checkpoint_close(resume);
    plethron_bank_close(ended);
    plethron_bank_close(begun);
    plethron_bank_close(whole);
    plethron_dataset_close(here);
    plethron_dataset_close(there);
    support_folder_close(folder);
}

/* ---- One checkpoint ---------------------------------------------------------------------------------------------- */

/* A training of two units on the host, stopped in the middle, and everything that it was made of. */
typedef struct scene {
    char folder[SUPPORT_PATH_BYTES], path[SUPPORT_PATH_BYTES];
    plethron_device *device;
    kind kind;
    plethron_checkpoint *checkpoint;
} scene;

static int open_scene(void **state) {
    scene *s = malloc(sizeof *s);
    assert_non_null(s);
    *s = (scene){.device = host_way()->device, .kind = {.optimizer = PLETHRON_OPTIMIZER_ADAM, .patience = 4}};
    support_folder_open(s->folder);
    support_path(s->path, s->folder, "checkpoint");
    stopper stop = {.path = s->path, .calls_left = 4};
    plethron_dataset *dataset = dataset_of_kind(&s->kind, host_way());
    plethron_bank *bank = bank_of_kind(&s->kind);
    assert_int_equal(train_until(host_way(), dataset, bank, NULL, &stop), PLETHRON_ERROR_INTERRUPTED);
    check_ok(plethron_checkpoint_load(s->path, &s->checkpoint, &case_error));
    assert_true(plethron_checkpoint_epochs(s->checkpoint) > 0);
    plethron_bank_close(bank);
    plethron_dataset_close(dataset);
    *state = s;
    return 0;
}

static int close_scene(void **state) {
    scene *s = *state;
    plethron_checkpoint_close(s->checkpoint);
    support_folder_close(s->folder);
    free(s);
    return 0;
}

/* Refused with these words, by training and by planning, and the bank is as before. */
static void expect_refused(const scene *s, plethron_dataset *dataset, plethron_bank *bank, const char *by,
                           const char *text) {
    plethron_error err;
    plethron_plan plan = {.struct_size = sizeof plan};
    const plethron_train_options options = {.struct_size = sizeof options, .strategy = by, .resume = s->checkpoint};
    plethron_bank *before = bank_of_kind(&s->kind);
    assert_fails(PLETHRON_ERROR_ARGUMENT, plethron_train(dataset, bank, &options, &err), &err, s->path,
                 "holds another training", text);
    assert_fails(PLETHRON_ERROR_ARGUMENT, plethron_train_plan(dataset, bank, &options, &plan, &err), &err, text);
    assert_string_equal(plethron_bank_strategy(bank), "");
    plethron_bank_close(before);
}

static void test_another_bank_is_refused(void **state) {
    const scene *s = *state;
    plethron_dataset *dataset = dataset_of_kind(&s->kind, host_way());
    plethron_bank *bank = bank_of_kind(&s->kind);
    bank->l2[5] = 0.25f;
    expect_refused(s, dataset, bank, NULL, "l2 of unit 5 is 0 there and 0.25 here");
    bank->l2[5] = 0.0f;
    bank->epochs[7] = 100;
    expect_refused(s, dataset, bank, NULL, "epochs of unit 7 is 5 there and 100 here");
    bank->epochs[7] = 5;
    bank->weights[2 * N_ALIKE + 1] = -7.0f;
    expect_refused(s, dataset, bank, NULL, "start weight 2 of unit 1");
    plethron_bank_close(bank);

    bank = bank_of_kind(&s->kind);
    bank->check_every = 3;
    expect_refused(s, dataset, bank, NULL, "check_every is 2 there and 3 here");
    bank->check_every = 2;
    bank->batch_seed = 9;
    expect_refused(s, dataset, bank, NULL, "batch_seed is 0 there and 9 here");
    bank->batch_seed = 0;
    const char *const names[N_FEATURES] = {"a", "b", "c", "d"};
    check_ok(plethron_bank_name_features(bank, names, &case_error));
    expect_refused(s, dataset, bank, NULL, "0 features have names there and 4 here");
    plethron_bank_close(bank);

    bank = bank_of_kind(&s->kind);
    expect_refused(s, dataset, bank, "grouped", "the strategy is 'host' there and 'grouped' here");
    plethron_bank_close(bank);
    const plethron_bank_options one = {.struct_size = sizeof one};
    bank = support_bank(N_FEATURES, 1, &one);
    expect_refused(s, dataset, bank, NULL, "the number of units is 36 there and 1 here");
    plethron_bank_close(bank);
    plethron_dataset_close(dataset);
}

/* One value that is another one, of each part of the data. */
static void test_other_data_are_refused(void **state) {
    const scene *s = *state;
    static const char *const texts[] = {"the features differ", "the targets differ", "the folds differ",
                                        "the sample weights differ", "or whether they are standardised"};
    for (size_t i = 0; i < COUNT(texts); i++) {
        float X[N_ROWS * N_FEATURES], Y[N_ROWS], weights[N_ROWS];
        uint8_t folds[N_ROWS];
        fill_rows(X, Y, folds);
        for (int row = 0; row < N_ROWS; row++) weights[row] = 1.0f;
        if (i == 0) X[N_ROWS * N_FEATURES - 1] += 1.0f;
        if (i == 1) Y[3] = 1.0f - Y[3];
        if (i == 2) folds[N_ROWS - 1] = 0;
        const plethron_dataset_options options = {.struct_size = sizeof options,
                                                  .standardize = i != 4,
                                                  .folds = folds,
                                                  .sample_weights = i == 3 ? weights : NULL,
                                                  .n_weight_columns = i == 3 ? 1 : 0};
        plethron_dataset *dataset = NULL;
        plethron_bank *bank = bank_of_kind(&s->kind);
        check_ok(plethron_dataset_create(s->device, X, N_ROWS, N_FEATURES, Y, 1, &options, &dataset, &case_error));
        expect_refused(s, dataset, bank, NULL, texts[i]);
        plethron_bank_close(bank);
        plethron_dataset_close(dataset);
    }
}

/* ---- Files ------------------------------------------------------------------------------------------------------- */

/* Every number of the training is as it was; names and notes are compared with the bank when it is resumed. */
static bool same_numbers(const plethron_checkpoint *a, const plethron_checkpoint *b) {
    bool same = a->epochs_run == b->epochs_run && strcmp(a->strategy, b->strategy) == 0 &&
                memcmp(&a->data, &b->data, sizeof a->data) == 0;
    const size_t rows[] = {N_FEATURES + 1, 2 * (N_FEATURES + 1), N_FEATURES + 1};
    for (size_t p = 0; same && p < CHECKPOINT_ACTIVE; p++)
        same = memcmp(a->parts[p], b->parts[p], rows[p] * N_ALIKE * sizeof(float)) == 0;
    for (size_t p = CHECKPOINT_ACTIVE; same && p < CHECKPOINT_BEST_LOSS; p++)
        same = memcmp(a->parts[p], b->parts[p], N_ALIKE * sizeof(int64_t)) == 0;
    for (size_t p = CHECKPOINT_BEST_LOSS; same && p < CHECKPOINT_PARTS; p++)
        same = memcmp(a->parts[p], b->parts[p], N_ALIKE * sizeof(float)) == 0;
    return same && memcmp(a->bank->weights, b->bank->weights, (N_FEATURES + 1) * N_ALIKE * sizeof(float)) == 0;
}

static void test_damage_is_found(void **state) {
    const scene *s = *state;
    enum { STEP = 29 }; /* prime: every byte of a value comes up somewhere */
    size_t n_bytes = 0, n_refused = 0;
    char *bytes = support_read(s->path, &n_bytes);
    for (size_t at = 0; at < n_bytes; at += STEP) {
        plethron_error err;
        plethron_checkpoint *damaged = NULL;
        bytes[at] ^= 4;
        support_write(s->path, bytes, n_bytes);
        bytes[at] ^= 4;
        if (plethron_checkpoint_load(s->path, &damaged, &err) == PLETHRON_OK)
            assert_true(same_numbers(damaged, s->checkpoint));
        else {
            assert_int_equal(err.status, PLETHRON_ERROR_FORMAT);
            assert_non_null(strstr(err.text, s->path));
            n_refused++;
        }
        plethron_checkpoint_close(damaged);
    }
    assert_true(n_refused * STEP > n_bytes / 2);
    support_write(s->path, bytes, n_bytes);
    free(bytes);
}

static void test_a_beginning_is_refused(void **state) {
    const scene *s = *state;
    size_t n_bytes = 0;
    char *bytes = support_read(s->path, &n_bytes);
    for (size_t n = 0; n < n_bytes; n += n < n_bytes - 40 ? 97 : 1) {
        plethron_error err;
        plethron_checkpoint *cut = NULL;
        support_write(s->path, bytes, n);
        assert_fails(PLETHRON_ERROR_FORMAT, plethron_checkpoint_load(s->path, &cut, &err), &err, s->path);
        assert_null(cut);
    }
    support_write(s->path, bytes, n_bytes);
    free(bytes);
}

static void test_a_model_is_no_checkpoint(void **state) {
    const scene *s = *state;
    char path[SUPPORT_PATH_BYTES];
    plethron_error err;
    plethron_checkpoint *checkpoint = NULL;
    plethron_bank *bank = bank_of_kind(&s->kind), *loaded = NULL;
    support_path(path, s->folder, "model");
    check_ok(plethron_bank_save(bank, path, &case_error));
    assert_fails(PLETHRON_ERROR_FORMAT, plethron_checkpoint_load(path, &checkpoint, &err), &err, path,
                 "this is no plethron checkpoint");
    assert_fails(PLETHRON_ERROR_FORMAT, plethron_bank_load(s->path, &loaded, &err), &err, s->path,
                 "is a checkpoint of a training", "a model was expected");
    support_path(path, s->folder, "none");
    assert_fails(PLETHRON_ERROR_FILE, plethron_checkpoint_load(path, &checkpoint, &err), &err, path);
    plethron_bank_close(bank);
}

/* ---- When they are given ----------------------------------------------------------------------------------------- */

typedef struct counter {
    size_t n_given;
    int64_t last_epoch;
    plethron_progress progress;
} counter;

static void count(void *context, const plethron_checkpoint *checkpoint) {
    counter *self = context;
    self->n_given++;
    assert_true(checkpoint->epochs_run >= self->last_epoch);
    self->last_epoch = checkpoint->epochs_run;
}

static bool note_progress(void *context, const plethron_progress *progress) {
    ((counter *)context)->progress = *progress;
    return true;
}

/* After each chunk when they are due at once, in the end alone when none is asked for before it. */
static void test_when_they_are_given(void **state) {
    const scene *s = *state;
    for (int often = 0; often <= 1; often++) {
        counter counted = {0};
        plethron_dataset *dataset = dataset_of_kind(&s->kind, host_way());
        plethron_bank *bank = bank_of_kind(&s->kind);
        const plethron_train_options options = {.struct_size = sizeof options,
                                                .strategy = "host",
                                                .on_progress = note_progress,
                                                .context = &counted,
                                                .on_checkpoint = count,
                                                .checkpoint_every_s = often ? 1e-9 : 0.0};
        check_ok(plethron_train(dataset, bank, &options, &case_error));
        assert_true(often ? counted.n_given > 1 : counted.n_given == 1);
        assert_int_equal(counted.last_epoch, counted.progress.epoch);
        assert_int_equal(counted.progress.n_units, N_ALIKE);
        plethron_bank_close(bank);
        plethron_dataset_close(dataset);
    }
    plethron_error err;
    plethron_dataset *dataset = dataset_of_kind(&s->kind, host_way());
    plethron_bank *bank = bank_of_kind(&s->kind);
    const plethron_train_options wrong = {.struct_size = sizeof wrong, .checkpoint_every_s = -1.0};
    assert_fails(PLETHRON_ERROR_ARGUMENT, plethron_train(dataset, bank, &wrong, &err), &err,
                 "checkpoint_every_s is -1: 0 or more is allowed");
    plethron_bank_close(bank);
    plethron_dataset_close(dataset);
}

/* What a finished training left resumes to its end, without an epoch more. */
static void test_of_a_finished_training(void **state) {
    const scene *s = *state;
    char path[SUPPORT_PATH_BYTES];
    support_path(path, s->folder, "finished");
    stopper stop = {.path = path, .calls_left = INT32_MAX};
    plethron_checkpoint *finished = NULL;
    plethron_dataset *dataset = dataset_of_kind(&s->kind, host_way());
    plethron_bank *whole = bank_of_kind(&s->kind), *again = bank_of_kind(&s->kind);
    check_ok(train_until(host_way(), dataset, whole, NULL, &stop));
    check_ok(plethron_checkpoint_load(path, &finished, &case_error));
    stop.calls_left = 2; /* the one call before any epoch */
    check_ok(train_until(host_way(), dataset, again, finished, &stop));
    assert_int_equal(stop.calls_left, 1);
    check_same_bank(whole, again, "of a finished training");
    plethron_checkpoint_close(finished);
    plethron_bank_close(again);
    plethron_bank_close(whole);
    plethron_dataset_close(dataset);
}

/* A dry run says what is left. */
static void test_the_plan_of_the_rest(void **state) {
    const scene *s = *state;
    plethron_plan whole = {.struct_size = sizeof whole}, rest = {.struct_size = sizeof rest};
    plethron_train_options options = {.struct_size = sizeof options, .strategy = "host"};
    plethron_dataset *dataset = dataset_of_kind(&s->kind, host_way());
    plethron_bank *bank = bank_of_kind(&s->kind);
    check_ok(plethron_train_plan(dataset, bank, &options, &whole, &case_error));
    options.resume = s->checkpoint;
    check_ok(plethron_train_plan(dataset, bank, &options, &rest, &case_error));
    assert_string_equal(whole.text, rest.text);
    assert_true(rest.flops > 0.0 && rest.flops < whole.flops && rest.seconds < whole.seconds);
    plethron_bank_close(bank);
    plethron_dataset_close(dataset);
}

/* ---- All --------------------------------------------------------------------------------------------------------- */

static int open_ways(void **state) {
    (void)state;
    case_ways_open(0, &ways);
    return 0;
}

static int close_ways(void **state) {
    (void)state;
    case_ways_close(&ways);
    return 0;
}

#define SCENE_TEST(function) cmocka_unit_test_setup_teardown(function, open_scene, close_scene)

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all_rows_at_once),  cmocka_unit_test(test_mini_batches),
        cmocka_unit_test(test_every_kind_alone),  cmocka_unit_test(test_entities),
        cmocka_unit_test(test_on_another_device), SCENE_TEST(test_another_bank_is_refused),
        SCENE_TEST(test_other_data_are_refused),  SCENE_TEST(test_damage_is_found),
        SCENE_TEST(test_a_beginning_is_refused),  SCENE_TEST(test_a_model_is_no_checkpoint),
        SCENE_TEST(test_when_they_are_given),     SCENE_TEST(test_of_a_finished_training),
        SCENE_TEST(test_the_plan_of_the_rest),
    };
    return cmocka_run_group_tests(tests, open_ways, close_ways);
}
