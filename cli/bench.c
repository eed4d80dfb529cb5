/* plethron bench: what the devices of this machine bring, beside what else its CPU can do. */
#define _POSIX_C_SOURCE 200809L

#include "bench_baseline.h"
#include "bench_device.h"
#include "bench_document.h"
#include "bench_report.h"

#include <getopt.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static const char help[] =
    "Measures training and prediction on devices and on the CPU by other means, and says how near each comes to what "
    "its\n"
    "hardware can do. Every result is checked against plain loops in double precision before its time counts.\n"
    "\n"
    "usage: plethron bench [OPTIONS]\n"
    "\n"
    "  -c, --case NAME,...     cases to run (default: all; --list names them); 'ceilings' measures the ceilings alone\n"
    "      --shape N,D,M[,E]   a case of one's own instead: N samples, D features, M units, E epochs (default 20; 0: "
    "a\n"
    "                          prediction)\n"
    "  -d, --device SEL,...    devices to run on, as 'plethron devices' lists them (default: the default device and\n"
    "                          host)\n"
    "      --json FILE         write everything as one JSON document (docs/benchmark.md describes it)\n"
    "      --report FILE       write a page of HTML with pictures, which gnuplot draws; all cases then include points "
    "of\n"
    "                          curves\n"
    "      --peers FILE        add the rows of another document, such as bench/peers/run.sh writes\n"
    "      --compare FILE      print the ratios to an older document, with their noise\n"
    "      --from FILE         measure nothing: take the document FILE, for --compare or --report\n"
    "      --no-starts         leave the cold and warm starts out\n"
    "      --seed N            seed of the data (default 1)\n"
    "      --list              list the cases\n"
    "  -h, --help              this text\n"
    "\n"
    "cold and warm: from opening the device to the end of the first epoch, with empty and with full kernel caches.\n"
    "upload: the data set to the device. device: all epochs. in all: upload, preparation, epochs, weights back.\n"
    "The baselines are OpenBLAS on all cores, where its library is installed, and plain C on one thread; a large case "
    "is\n"
    "cut for the latter. Cases that end in -l2, -fold, -stop or -all tell what a penalty, folds, a stopping test or "
    "all "
    "three\n"
    "cost beside the case of the name before, where that is run, too. Rates count 4 N D M flops an epoch (2 for a "
    "prediction).\n"
    "\n"
    "examples:\n"
    "  plethron bench --json b.json --report b.html\n"
    "  plethron bench --device gpu,host --shape 100000,50,2000 --json mine.json\n"
    "  plethron bench --case train-many,train-one --compare before.json\n";

static const char verb[] = "bench";
enum { DEFAULT_EPOCHS = 20, MAX_SIZE = INT32_MAX };

typedef struct bench_arguments {
    name_list cases, devices;
    const char *shape_text;
    bench_case shape; /* of --shape */
    const char *json, *report, *peers, *compare, *from;
    int64_t seed;
    bool list, start, no_starts;
} bench_arguments;

/* ---- The command line -------------------------------------------------------------------------------------------- */

enum { SHAPE = 256, JSON, REPORT, PEERS, COMPARE, FROM, NO_STARTS, SEED, LIST, START };

static const struct option options[] = {
    {"case", required_argument, NULL, 'c'},
    {"shape", required_argument, NULL, SHAPE},
    {"device", required_argument, NULL, 'd'},
    {"json", required_argument, NULL, JSON},
    {"report", required_argument, NULL, REPORT},
    {"peers", required_argument, NULL, PEERS},
    {"compare", required_argument, NULL, COMPARE},
    {"from", required_argument, NULL, FROM},
    {"no-starts", no_argument, NULL, NO_STARTS},
    {"seed", required_argument, NULL, SEED},
    {"list", no_argument, NULL, LIST},
    {"start", no_argument, NULL, START}, /* what --no-starts leaves out, as one process: for the program itself */
    {"help", no_argument, NULL, 'h'},
    {0},
};

static bool parse_shape(const char *text, bench_case *out) {
    long long sizes[4] = {0, 0, 0, DEFAULT_EPOCHS};
    const char *at = text;
    int count = 0;
    for (bool more = true; more && count < 4; count++) {
        char *end = NULL;
        sizes[count] = strtoll(at, &end, 10);
        if (end == at || sizes[count] < (count < 3) || sizes[count] > MAX_SIZE) break;
        more = *end == ',';
        at = end + more;
    }
    if (count < 3 || *at != '\0') {
        usage_error(verb, "--shape '%s' is not N,D,M or N,D,M,EPOCHS with whole numbers up to %d, the sizes from 1 on",
                    text, MAX_SIZE);
        return false;
    }
    *out = (bench_case){.name = text,
                        .kind = sizes[3] == 0 ? BENCH_PREDICT : BENCH_TRAIN,
                        .source = BENCH_PLANE,
                        .n_samples = (size_t)sizes[0],
                        .n_features = (size_t)sizes[1],
                        .n_units = (size_t)sizes[2],
                        .epochs = sizes[3],
                        .loss = PLETHRON_LOSS_LOG};
    return true;
}

static bool parse_option(int option, const char *text, bench_arguments *a) {
    switch (option) {
    case 'c': return option_names(verb, "--case", text, &a->cases);
    case 'd': return option_names(verb, "--device", text, &a->devices);
    case SHAPE: a->shape_text = text; return parse_shape(text, &a->shape);
    case SEED: return option_whole(verb, "--seed", text, 0, UINT16_MAX, &a->seed);
    case JSON: a->json = text; return true;
    case REPORT: a->report = text; return true;
    case PEERS: a->peers = text; return true;
    case COMPARE: a->compare = text; return true;
    case FROM: a->from = text; return true;
    case NO_STARTS: a->no_starts = true; return true;
    case LIST: a->list = true; return true;
    default: a->start = true; return true;
    }
}

static const char ceilings_only[] = "ceilings";

static int check_arguments(const bench_arguments *a) {
    for (size_t i = 0; i < a->cases.count; i++)
        if (!bench_case_find(a->cases.names[i]) && strcmp(a->cases.names[i], ceilings_only) != 0)
            return usage_error(verb, "there is no case '%s': --list names them", a->cases.names[i]);
    if (a->json && a->report && strcmp(a->json, a->report) == 0)
        return usage_error(verb, "--json and --report are both '%s'", a->json);
    if (a->shape_text && a->cases.count) return usage_error(verb, "--shape and --case exclude each other");
    return CLI_GO_ON;
}

static int parse(int argc, char **argv, bench_arguments *a) {
    *a = (bench_arguments){.seed = 1};
    opterr = 0;
    for (int answer; (answer = getopt_long(argc, argv, ":c:d:h", options, NULL)) != -1;) {
        if (answer == 'h') return print_help(help);
        if (answer == '?' || answer == ':') return option_refused(verb, answer, argv);
        if (!parse_option(answer, optarg, a)) return CLI_USAGE;
    }
    if (!operands_take(verb, argc, argv, 0, "no argument", NULL)) return CLI_USAGE;
    return check_arguments(a);
}

static int list_cases(void) {
    for (size_t i = 0; i < bench_n_cases; i++) {
        const bench_case *shape = &bench_cases[i];
        char epochs[NUMBER_TEXT] = "prediction";
        if (shape->kind == BENCH_TRAIN) snprintf(epochs, sizeof epochs, "%" PRId64 " epochs", shape->epochs);
        printf("%-15s %7zu samples x %3zu features, %6zu units, %-12s %s\n", shape->name, shape->n_samples,
               shape->n_features, shape->n_units, epochs, shape->about);
    }
    return stdout_finish() ? CLI_DONE : CLI_FAILED;
}

/* ---- Measuring --------------------------------------------------------------------------------------------------- */

enum { MAX_DEVICES = 16 };

/* Everything that one call holds. */
typedef struct bench_job {
    const bench_arguments *a;
    struct {
        plethron_device *device;
        char selector[BENCH_NAME];
        plethron_ceilings ceilings;
    } devices[MAX_DEVICES];
    size_t n_devices;
    plethron_ceilings host; /* of the cores, which the baselines run on */
    bench_blas *blas;
    json_t *document;
    bool failed; /* something that ought to run did not */
} bench_job;

static void job_release(bench_job *job) {
    for (size_t i = 0; i < job->n_devices; i++) plethron_device_close(job->devices[i].device);
    bench_blas_close(job->blas);
    json_decref(job->document);
}

/* The shortest selector that names this device alone. */
static void name_device(const plethron_device_info *info, const char *given, char selector[BENCH_NAME]) {
    if (given)
        snprintf(selector, BENCH_NAME, "%s", given);
    else if (info->kind == PLETHRON_DEVICE_HOST)
        snprintf(selector, BENCH_NAME, "host");
    else
        snprintf(selector, BENCH_NAME, "%d:%d", info->platform_index, info->device_index);
}

static plethron_status open_device(bench_job *job, const char *selector, plethron_error *err) {
    plethron_device *device = NULL;
    if (job->n_devices == MAX_DEVICES)
        return fail(err, PLETHRON_ERROR_ARGUMENT, "more than %d devices at once are not measured", MAX_DEVICES);
    plethron_status status = plethron_device_open(selector, &device, err);
    if (status != PLETHRON_OK) return status;
    name_device(plethron_device_describe(device), selector, job->devices[job->n_devices].selector);
    job->devices[job->n_devices++].device = device;
    return PLETHRON_OK;
}

/* The named ones, or the default and the host. */
static plethron_status open_devices(bench_job *job, plethron_error *err) {
    plethron_status status = PLETHRON_OK;
    for (size_t i = 0; i < job->a->devices.count; i++) TRY(open_device(job, job->a->devices.names[i], err));
    if (job->a->devices.count) goto out;
    TRY(open_device(job, NULL, err));
    if (plethron_device_describe(job->devices[0].device)->kind != PLETHRON_DEVICE_HOST)
        TRY(open_device(job, "host", err));
out:
    return status;
}

/* Of a whole run in several rounds: what else a machine does for a second or two must not pass for what it can do. */
static plethron_status measure_ceilings(bench_job *job, plethron_error *err) {
    plethron_status status = PLETHRON_OK;
    const int n_rounds = job->a->shape_text || job->a->cases.count ? 1 : 3;
    plethron_device *host = NULL;
    job->host = (plethron_ceilings){.struct_size = sizeof job->host, .launch_s = NAN, .batched_launch_s = NAN};
    for (size_t i = 0; i < job->n_devices; i++) job->devices[i].ceilings = job->host;
    TRY(plethron_device_open("host", &host, err));
    for (int round = 0; round < n_rounds; round++) {
        bench_step("ceilings of the host");
        TRY(bench_device_ceilings(host, &job->host, err));
        for (size_t i = 0; i < job->n_devices; i++) {
            plethron_device *device = job->devices[i].device;
            if (plethron_device_describe(device)->kind == PLETHRON_DEVICE_HOST) continue;
            bench_step("ceilings of %s", job->devices[i].selector);
            TRY(bench_device_ceilings(device, &job->devices[i].ceilings, err));
        }
    }
    for (size_t i = 0; i < job->n_devices; i++) {
        const plethron_device_info *info = plethron_device_describe(job->devices[i].device);
        if (info->kind == PLETHRON_DEVICE_HOST) job->devices[i].ceilings = job->host;
        if (!bench_document_add_device(job->document, job->devices[i].selector, info, &job->devices[i].ceilings))
            TRY(bench_no_memory(err));
    }
out:
    plethron_device_close(host);
    return status;
}

/* A case that does not fit somewhere is left out there with a word; anything else is a failure. The others go on. */
static void leave_out(bench_job *job, const plethron_error *err) {
    bench_step_erase();
    say("%s", err->text);
    job->failed = job->failed || (err->status != PLETHRON_ERROR_MEMORY && err->status != PLETHRON_ERROR_UNSUPPORTED);
}

static plethron_status keep(bench_job *job, const bench_row *row, const plethron_ceilings *ceilings,
                            plethron_error *err) {
    return bench_document_add_row(job->document, row, ceilings) ? PLETHRON_OK : bench_no_memory(err);
}

static plethron_status measure_case(bench_job *job, const bench_case *shape, plethron_error *err) {
    plethron_status status = PLETHRON_OK;
    bench_problem problem = {0};
    plethron_error reason;
    bench_row row;
    const char *option = job->a->shape_text ? "--shape" : "--case";
    const double most_s = job->a->shape_text || job->a->cases.count ? INFINITY : 20.0; /* what is asked for is run */
    bench_step("%s: its data and what must come out", shape->name);
    TRY(bench_problem_open(shape, job->a->seed, &problem, err));
    for (size_t i = 0; i < job->n_devices; i++) {
        const char *selector = job->devices[i].selector;
        if (bench_device_measure(&problem, job->devices[i].device, selector, most_s, &row, &reason)) {
            leave_out(job, &reason);
            continue;
        }
        if (!job->a->no_starts && bench_is_plain(shape->name))
            bench_device_starts(option, shape->name, selector, job->a->seed, &row.cold_s, &row.warm_s);
        TRY(keep(job, &row, &job->devices[i].ceilings, err));
    }
    if (bench_plain_length(shape->name)) goto out; /* its price is asked for, not a comparison */
    if (job->blas && bench_blas_measure(&problem, job->blas, &row, &reason))
        leave_out(job, &reason);
    else if (job->blas)
        TRY(keep(job, &row, &job->host, err));
    if (bench_is_curve(shape->name)) goto out;
    if (bench_scalar_measure(&problem, &row, &reason))
        leave_out(job, &reason);
    else
        TRY(keep(job, &row, &job->host, err));
out:
    bench_problem_close(&problem);
    return status;
}

static plethron_status measure_cases(bench_job *job, plethron_error *err) {
    plethron_status status = PLETHRON_OK;
    const bench_arguments *a = job->a;
    if (a->shape_text) return measure_case(job, &a->shape, err);
    for (size_t i = 0; i < bench_n_cases; i++) {
        bool wanted = a->cases.count == 0 && (a->report || !bench_is_curve(bench_cases[i].name));
        for (size_t c = 0; c < a->cases.count; c++)
            wanted = wanted || strcmp(a->cases.names[c], bench_cases[i].name) == 0;
        if (wanted) TRY(measure_case(job, &bench_cases[i], err));
    }
out:
    return status;
}

/* OpenBLAS, plain C, and what they are. */
static plethron_status open_baselines(bench_job *job, plethron_error *err) {
    job->blas = bench_blas_open();
    if (!job->blas) say("OpenBLAS is not installed (Debian: libopenblas0): no rows of it");
    const bool added =
        (!job->blas || bench_document_add_baseline(job->document, "openblas", bench_blas_describe(job->blas))) &&
        bench_document_add_baseline(job->document, "scalar", "plain C on one thread");
    return added ? PLETHRON_OK : bench_no_memory(err);
}

static plethron_status measure(bench_job *job, plethron_error *err) {
    plethron_status status = PLETHRON_OK;
    TRY(open_devices(job, err));
    job->document = bench_document_new(job->a->seed);
    if (!job->document) TRY(bench_no_memory(err));
    TRY(open_baselines(job, err));
    TRY(measure_ceilings(job, err));
    TRY(measure_cases(job, err));
out:
    bench_step_erase();
    return status;
}

/* ---- All of it --------------------------------------------------------------------------------------------------- */

static plethron_status bench(bench_job *job, plethron_error *err) {
    plethron_status status = PLETHRON_OK;
    const bench_arguments *a = job->a;
    json_t *old = NULL, *peers = NULL;
    if (a->json) TRY(file_check_writable(a->json, err));
    if (a->report) TRY(file_check_writable(a->report, err));
    if (a->report && !picture_can_be_drawn(err)) say("%s: the report will have no pictures", err->text);
    if (a->compare) TRY(bench_document_read(a->compare, &old, err));
    if (a->peers) TRY(bench_document_read(a->peers, &peers, err));
    if (a->from)
        TRY(bench_document_read(a->from, &job->document, err));
    else
        TRY(measure(job, err));
    if ((peers && !bench_document_merge(job->document, peers)) || !bench_document_compare_rows(job->document))
        TRY(bench_no_memory(err));
    bench_print_table(job->document);
    if (old) bench_print_ratios(job->document, old, a->compare);
    if (a->json) TRY(bench_document_write(job->document, a->json, err));
    if (a->report) TRY(bench_report_write(job->document, a->report, err));
out:
    json_decref(old);
    json_decref(peers);
    return status;
}

static int run(const bench_arguments *a) {
    plethron_error err;
    bench_job job = {.a = a};
    const plethron_status status = bench(&job, &err);
    if (status != PLETHRON_OK) say("%s", err.text);
    const bool printed = stdout_finish();
    const int code = status != PLETHRON_OK || job.failed || !printed ? CLI_FAILED : CLI_DONE;
    job_release(&job);
    return code;
}

int bench_main(int argc, char **argv) {
    bench_arguments a;
    int code = parse(argc, argv, &a);
    if (code == CLI_GO_ON && a.list)
        code = list_cases();
    else if (code == CLI_GO_ON && a.start)
        code =
            bench_start_main(a.shape_text ? &a.shape : bench_case_find(a.cases.names[0]), a.devices.names[0], a.seed);
    else if (code == CLI_GO_ON)
        code = run(&a);
    name_list_release(&a.cases);
    name_list_release(&a.devices);
    return code;
}
