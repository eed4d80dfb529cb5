/* plethron devices: every device that there is. */
#define _POSIX_C_SOURCE 200809L

#include "cli.h"

#include <getopt.h>

static const char help[] =
    "Lists every OpenCL device of every platform, and the host itself, with what --device takes to choose it.\n"
    "\n"
    "usage: plethron devices\n"
    "\n"
    "  -h, --help   this text\n"
    "\n"
    "A selector is gpu, cpu, host, an index, PLATFORM:DEVICE, or a part of a device's or platform's name. Without\n"
    "--device the environment variable PLETHRON_DEVICE is asked, then the first GPU, accelerator or CPU is taken, and\n"
    "the host where there is no OpenCL device.\n"
    "'bit contract holds' means: the same training gives the same bits as on every other device that says so.\n"
    "\n"
    "examples:\n"
    "  plethron devices\n"
    "  PLETHRON_DEVICE=cpu plethron devices\n";

static const char *kind_name(plethron_device_kind kind) {
    switch (kind) {
    case PLETHRON_DEVICE_HOST: return "host (no OpenCL)";
    case PLETHRON_DEVICE_CPU: return "cpu";
    case PLETHRON_DEVICE_GPU: return "gpu";
    case PLETHRON_DEVICE_ACCELERATOR: return "accelerator";
    }
    return "unknown";
}

static void print_text(const char *label, const char *text) {
    if (*text) printf("    %-15s %s\n", label, text);
}

static void print_device(const plethron_device_info *info, bool is_default) {
    char text[NUMBER_TEXT];
    if (info->kind == PLETHRON_DEVICE_HOST)
        printf("host");
    else
        printf("%d", info->index);
    printf("  %s%s\n", info->name, is_default ? "  (default)" : "");
    if (info->kind != PLETHRON_DEVICE_HOST)
        printf("    %-15s %d or %d:%d\n", "selector", info->index, info->platform_index, info->device_index);
    print_text("kind", kind_name(info->kind));
    print_text("platform", info->platform);
    print_text("", info->platform_version);
    print_text("device version", info->version);
    print_text("driver", info->driver);
    printf("    %-15s %u\n", "compute units", info->compute_units);
    print_text("memory", bytes_text(info->memory_bytes, text));
    print_text("largest buffer", bytes_text(info->max_alloc_bytes, text));
    printf("    %-15s %s%s\n", "local memory", info->local_bytes ? bytes_text(info->local_bytes, text) : "none",
           !info->local_bytes         ? ""
           : info->local_is_dedicated ? ", dedicated"
                                      : ", a part of global memory");
    printf("    %-15s %s%s%s\n", "bit contract", info->bits_hold ? "holds" : "does not hold",
           *info->bits_note ? ": " : "", info->bits_note);
}

static plethron_status list_devices(plethron_error *err) {
    plethron_status status = PLETHRON_OK;
    plethron_device_list *list = NULL;
    plethron_device *chosen = NULL;
    plethron_error no_default;
    TRY(plethron_device_list_open(&list, err));
    if (plethron_device_open(NULL, &chosen, &no_default)) say("no default device: %s", no_default.text);
    for (size_t i = 0; i < plethron_device_list_count(list); i++) {
        const plethron_device_info *info = plethron_device_list_get(list, i);
        if (i) putchar('\n');
        print_device(info, chosen && plethron_device_describe(chosen)->index == info->index);
    }
out:
    plethron_device_close(chosen);
    plethron_device_list_close(list);
    return status;
}

static int parse(int argc, char **argv) {
    static const struct option options[] = {{"help", no_argument, NULL, 'h'}, {0}};
    opterr = 0;
    for (int answer; (answer = getopt_long(argc, argv, ":h", options, NULL)) != -1;) {
        if (answer == 'h') return print_help(help);
        return option_refused("devices", answer, argv);
    }
    return operands_take("devices", argc, argv, 0, "no argument", NULL) ? CLI_GO_ON : CLI_USAGE;
}

int devices_main(int argc, char **argv) {
    int code = parse(argc, argv);
    if (code != CLI_GO_ON) return code;
    plethron_error err;
    if (list_devices(&err)) {
        say("%s", err.text);
        return CLI_FAILED;
    }
    return stdout_finish() ? CLI_DONE : CLI_FAILED;
}
