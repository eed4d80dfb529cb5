/* The program's entry: finds the verb. */
#define _POSIX_C_SOURCE 200809L

#include "cli.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

static const struct {
    const char *name;
    int (*main)(int argc, char **argv);
} verbs[] = {
    {"devices", devices_main}, {"train", train_main},   {"sweep", sweep_main}, {"predict", predict_main},
    {"inspect", inspect_main}, {"export", export_main}, {"plot", plot_main},   {"bench", bench_main},
};

static const char help[] =
    "Plethron trains very many independent perceptrons at once on any OpenCL device.\n"
    "\n"
    "usage: plethron VERB [ARGUMENTS]\n"
    "\n"
    "  devices   list the devices that there are, and which one is the default\n"
    "  train     train perceptrons on a table and save them as a model\n"
    "  sweep     compare hyper-parameters by cross-validation, and train the best\n"
    "  predict   apply a model to a table\n"
    "  inspect   show what is in a model\n"
    "  export    write a model as ONNX, C or JSON\n"
    "  plot      draw a training, a sweep, intervals, or a model on a table\n"
    "  bench     measure the devices, beside what else the CPU can do\n"
    "\n"
    "  --help      this text; 'plethron VERB --help' tells about a verb\n"
    "  --version   the program's version\n"
    "\n"
    "exit codes: 0 done, 1 the work failed, 2 the command line is wrong,\n"
    "            130 interrupted with what was trained saved\n"
    "\n"
    "examples:\n"
    "  plethron devices\n"
    "  plethron train examples/digits.csv --target digit --lr 0.5 --epochs 300 --standardize -o digits.safetensors\n"
    "  plethron predict digits.safetensors examples/digits.csv --classes\n"
    "  plethron inspect digits.safetensors\n";

/* Fills closed standard streams, so that no file opened later takes their place and is printed into. Opened for reading
 * only: what is printed there is noticed as lost. */
static void standard_streams_occupy(void) {
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
        if (fcntl(fd, F_GETFD) == -1 && open("/dev/null", O_RDONLY) == -1) _exit(CLI_FAILED);
}

int main(int argc, char **argv) {
    standard_streams_occupy();
    if (argc < 2)
        return usage_error(NULL, "a verb is missing: devices, train, sweep, predict, inspect, export, plot or bench");
    const char *verb = argv[1];
    for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++)
        if (strcmp(verb, verbs[i].name) == 0) return verbs[i].main(argc - 1, argv + 1);
    if (strcmp(verb, "--help") == 0 || strcmp(verb, "-h") == 0) return print_help(help);
    if (strcmp(verb, "--version") == 0) {
        printf("plethron %s\n", plethron_version());
        return stdout_finish() ? CLI_DONE : CLI_FAILED;
    }
    return usage_error(NULL, "'%s' is none of the verbs devices, train, sweep, predict, inspect, export, plot, bench",
                       verb);
}
