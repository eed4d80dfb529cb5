/* Starts of the program with empty and with full kernel caches. */
#define _XOPEN_SOURCE 700

#include "bench_device.h"

#include <ftw.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PATH_BYTES = 512, MAX_OPEN_FOLDERS = 8 };

/* Where this program and the OpenCL implementations in use keep what they have compiled. */
static const char *const cache_variables[] = {"PLETHRON_CACHE_DIR", "POCL_CACHE_DIR", "CUDA_CACHE_PATH",
                                              "MESA_SHADER_CACHE_DIR", "XDG_CACHE_HOME"};

static int remove_entry(const char *path, const struct stat *about, int type, struct FTW *walk) {
    (void)about;
    (void)type;
    (void)walk;
    return remove(path);
}

static bool use_caches(const char *folder) {
    for (size_t i = 0; i < sizeof cache_variables / sizeof *cache_variables; i++) {
        char path[PATH_BYTES];
        if (snprintf(path, sizeof path, "%s/%zu", folder, i) >= (int)sizeof path) return false;
        if (mkdir(path, 0700) != 0 && access(path, W_OK) != 0) return false;
        if (setenv(cache_variables[i], path, 1) != 0) return false;
    }
    return true;
}

/* Runs `plethron bench --start OPTION VALUE` with the caches in the folder; the seconds that it prints. */
static double run_start(const char *folder, const char *option, const char *value, const char *selector, int64_t seed) {
    int ends[2];
    char text[64] = "", seed_text[32];
    double seconds = NAN;
    snprintf(seed_text, sizeof seed_text, "%" PRId64, seed);
    fflush(NULL);
    if (pipe(ends) != 0) return NAN;
    const pid_t child = fork();
    if (child == 0) {
        dup2(ends[1], STDOUT_FILENO);
        close(ends[0]);
        close(ends[1]);
        if (use_caches(folder))
            execl("/proc/self/exe", "plethron", "bench", "--start", option, value, "--device", selector, "--seed",
                  seed_text, (char *)NULL);
        _exit(CLI_FAILED);
    }
    close(ends[1]);
    if (child > 0) {
        int how = 0;
        FILE *answer = fdopen(ends[0], "r");
        const bool answered = answer && fgets(text, sizeof text, answer);
        if (answer) fclose(answer);
        waitpid(child, &how, 0);
        if (answered && WIFEXITED(how) && WEXITSTATUS(how) == CLI_DONE) seconds = strtod(text, NULL);
    } else {
        close(ends[0]);
    }
    return seconds;
}

void bench_device_starts(const char *option, const char *value, const char *selector, int64_t seed, double *cold_s,
                         double *warm_s) {
    char folder[PATH_BYTES];
    const char *parent = getenv("TMPDIR");
    *cold_s = *warm_s = NAN;
    if (snprintf(folder, sizeof folder, "%s/plethron-bench-XXXXXX", parent && *parent ? parent : "/tmp") >=
            (int)sizeof folder ||
        !mkdtemp(folder))
        return;
    bench_step("%s on %s: cold start", value, selector);
    *cold_s = run_start(folder, option, value, selector, seed);
    bench_step("%s on %s: warm start", value, selector);
    *warm_s = run_start(folder, option, value, selector, seed);
    nftw(folder, remove_entry, MAX_OPEN_FOLDERS, FTW_DEPTH | FTW_PHYS);
}
