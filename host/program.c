/* Building programs and launching kernels. */
#include "program.h"

#include "host_kernels.h"
#include "kernel_cache.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_ARGUMENTS = 32, MAX_SOURCES = 20, MAX_OPTIONS = 512, MAX_KERNEL_FILE_BYTES = 1 << 20 };

struct device_program {
    plethron_device *device;
    char *texts[MAX_SOURCES]; /* the sources; NULL behind the last, and on the host */
    size_t n_texts;
    char options[MAX_OPTIONS];
    cl_program handle; /* NULL before the build, and on the host */
};

struct device_kernel {
    device_program *program;
    cl_kernel handle;           /* NULL before the first launch, and on the host */
    const host_kernel *on_host; /* on the host, else NULL */
    char name[32];
};

/* ---- Sources ----------------------------------------------------------------------------------------------------- */

static const char *embedded_text(const char *name) {
    for (const kernel_source *source = kernel_sources; source->name; source++)
        if (strcmp(source->name, name) == 0) return source->text;
    return NULL;
}

static plethron_status read_kernel_file(const char *folder, const char *name, char **out, plethron_error *err) {
    plethron_status status;
    FILE *file = NULL;
    void *text = NULL;
    char path[1024];
    if (snprintf(path, sizeof path, "%s/%s", folder, name) >= (int)sizeof path)
        return error_set(err, PLETHRON_ERROR_FILE, "PLETHRON_KERNEL_DIR is too long: '%s'", folder);
    TRY(memory_allocate(MAX_KERNEL_FILE_BYTES, 1, path, &text, err));
    file = fopen(path, "rb");
    if (!file) {
        status = error_set(err, PLETHRON_ERROR_FILE, "%s: cannot be opened (PLETHRON_KERNEL_DIR)", path);
        goto out;
    }
    size_t n = fread(text, 1, MAX_KERNEL_FILE_BYTES, file);
    if (ferror(file) || n == MAX_KERNEL_FILE_BYTES) {
        status = error_set(err, PLETHRON_ERROR_FILE, "%s: cannot be read, or holds over %d bytes", path,
                           MAX_KERNEL_FILE_BYTES - 1);
        goto out;
    }
    *out = text;
    text = NULL;
out:
    if (file) fclose(file);
    free(text);
    return status;
}

/* The text of one source, behind a #line that makes build logs name the file; for free. */
static plethron_status load_source(const char *name, char **out, plethron_error *err) {
    plethron_status status = PLETHRON_OK;
    char *from_file = NULL;
    void *memory = NULL;
    const char *folder = getenv("PLETHRON_KERNEL_DIR"), *text = embedded_text(name);
    if (folder && *folder) {
        TRY(read_kernel_file(folder, name, &from_file, err));
        text = from_file;
    }
    if (!text) {
        status = error_set(err, PLETHRON_ERROR_KERNEL, "kernel source %s is not part of this build", name);
        goto out;
    }
    size_t bytes = strlen(text) + strlen(name) + sizeof "#line 1 \"\"\n";
    TRY(memory_allocate(bytes, 1, name, &memory, err));
    snprintf(memory, bytes, "#line 1 \"%s\"\n%s", name, text);
    *out = memory;
out:
    free(from_file);
    return status;
}

/* ---- Building ---------------------------------------------------------------------------------------------------- */

static plethron_status build_failed(device_program *program, cl_int code, plethron_error *err) {
    error_set(err, PLETHRON_ERROR_KERNEL, "%s cannot build the kernels (OpenCL error %d): ", program->device->info.name,
              code);
    if (!err) return PLETHRON_ERROR_KERNEL;
    err->opencl_code = code;
    size_t used = strlen(err->text), log_bytes = 0;
    void *log = NULL;
    cl_device_id id = program->device->id;
    if (clGetProgramBuildInfo(program->handle, id, CL_PROGRAM_BUILD_LOG, 0, NULL, &log_bytes) == CL_SUCCESS &&
        memory_allocate(log_bytes + 1, 1, "a build log", &log, NULL) == PLETHRON_OK &&
        clGetProgramBuildInfo(program->handle, id, CL_PROGRAM_BUILD_LOG, log_bytes, log, NULL) == CL_SUCCESS)
        snprintf(err->text + used, sizeof err->text - used, "%s", (const char *)log);
    free(log);
    return PLETHRON_ERROR_KERNEL;
}

static plethron_status build(device_program *program, plethron_error *err) {
    cl_int code = clBuildProgram(program->handle, 1, &program->device->id, program->options, NULL, NULL);
    return code == CL_SUCCESS ? PLETHRON_OK : build_failed(program, code, err);
}

static void release(device_program *program) {
    if (program->handle) clReleaseProgram(program->handle);
    program->handle = NULL;
}

/* True when the program could be made from the binary cached under the key. */
static bool build_cached(device_program *program, const char *key) {
    size_t n_bytes = 0;
    unsigned char *binary = kernel_cache_read(key, &n_bytes);
    if (!binary) return false;
    const unsigned char *binaries[] = {binary};
    cl_int code, loaded;
    program->handle = clCreateProgramWithBinary(program->device->context, 1, &program->device->id, &n_bytes, binaries,
                                                &loaded, &code);
    free(binary);
    if (program->handle && code == CL_SUCCESS && loaded == CL_SUCCESS && build(program, NULL) == PLETHRON_OK)
        return true;
    release(program);
    return false;
}

static plethron_status build_sources(device_program *program, plethron_error *err) {
    plethron_status status;
    cl_int code;
    program->handle = clCreateProgramWithSource(program->device->context, (cl_uint)program->n_texts,
                                                (const char **)program->texts, NULL, &code);
    TRY(device_status(code, "clCreateProgramWithSource", err));
    TRY(build(program, err));
out:
    if (status != PLETHRON_OK) release(program);
    return status;
}

/* ---- Built programs that the device keeps -------------------------------------------------------------------------
 */

static plethron_status retain(cl_program handle, plethron_error *err) {
    return device_status(clRetainProgram(handle), "keeping a program", err);
}

/* The program built before under the key; NULL where there is none. */
static cl_program find_kept(const plethron_device *device, const char *key) {
    for (size_t i = 0; i < MAX_KEPT_PROGRAMS; i++)
        if (device->kept[i].handle && strcmp(device->kept[i].key, key) == 0) return device->kept[i].handle;
    return NULL;
}

/* In the place of the oldest. */
static plethron_status keep(device_program *program, const char *key, plethron_error *err) {
    plethron_status status;
    kept_program *place = &program->device->kept[program->device->n_kept++ % MAX_KEPT_PROGRAMS];
    TRY(retain(program->handle, err));
    if (place->handle) clReleaseProgram(place->handle);
    place->handle = program->handle;
    memcpy(place->key, key, sizeof place->key);
out:
    return status;
}

plethron_status program_build(device_program *program, plethron_error *err) {
    plethron_status status = PLETHRON_OK;
    const bool has_cache = !program->device->keeps_kernels;
    char key[PROGRAM_KEY_LENGTH + 1];
    if (program->handle || device_is_host(program->device)) return PLETHRON_OK;
    kernel_cache_key(program->device, (const char *const *)program->texts, program->n_texts, program->options, key);
    cl_program kept = find_kept(program->device, key);
    if (kept) {
        TRY(retain(kept, err));
        program->handle = kept;
        return PLETHRON_OK;
    }
    if (!has_cache || !build_cached(program, key)) {
        TRY(build_sources(program, err));
        if (has_cache) kernel_cache_write(key, program->handle);
    }
    TRY(keep(program, key, err));
out:
    return status;
}

plethron_status program_open(plethron_device *device, const char *const *source_names, size_t n_sources,
                             const char *options, device_program **out, plethron_error *err) {
    plethron_status status;
    device_program *opened = NULL;
    void *memory = NULL;
    TRY(memory_allocate(1, sizeof *opened, "a program", &memory, err));
    opened = memory;
    opened->device = device;
    if (n_sources > MAX_SOURCES ||
        snprintf(opened->options, sizeof opened->options, "-cl-std=CL1.2 -w %s%s%s",
                 device_divides_exactly(device) ? "-cl-fp32-correctly-rounded-divide-sqrt -DEXACT_DIVIDE=1 " : "",
                 plethron_device_describe(device)->local_is_dedicated ? "" : "-DCACHE_LINES=1 ",
                 options) >= (int)sizeof opened->options) {
        status = error_set(err, PLETHRON_ERROR_KERNEL, "too many kernel sources or build options");
        goto out;
    }
    opened->n_texts = device_is_host(device) ? 0 : n_sources;
    for (size_t i = 0; i < opened->n_texts; i++) TRY(load_source(source_names[i], &opened->texts[i], err));
    *out = opened;
    opened = NULL;
out:
    program_close(opened);
    return status;
}

void program_close(device_program *program) {
    if (!program) return;
    release(program);
    for (size_t i = 0; i < MAX_SOURCES; i++) free(program->texts[i]);
    free(program);
}

/* ---- Kernels ----------------------------------------------------------------------------------------------------- */

static const host_kernel *find_host_kernel(const char *name) {
    const host_kernel *kernel = host_kernels_best();
    while (kernel->name && strcmp(kernel->name, name) != 0) kernel++;
    return kernel->name ? kernel : NULL;
}

plethron_status program_kernel(device_program *program, const char *name, device_kernel **out, plethron_error *err) {
    plethron_status status;
    void *memory = NULL;
    device_kernel *opened = NULL;
    TRY(memory_allocate(1, sizeof *opened, "a kernel", &memory, err));
    opened = memory;
    opened->program = program;
    snprintf(opened->name, sizeof opened->name, "%s", name);
    if (device_is_host(program->device) && !(opened->on_host = find_host_kernel(name))) {
        status = error_set(err, PLETHRON_ERROR_KERNEL, "the host has no kernel '%s'", name);
        goto out;
    }
    *out = opened;
    opened = NULL;
out:
    kernel_close(opened);
    return status;
}

static plethron_status make_handle(device_kernel *kernel, plethron_error *err) {
    plethron_status status;
    cl_int code;
    TRY(program_build(kernel->program, err));
    kernel->handle = clCreateKernel(kernel->program->handle, kernel->name, &code);
    TRY(device_status(code, kernel->name, err));
out:
    return status;
}

void kernel_close(device_kernel *kernel) {
    if (!kernel) return;
    if (kernel->handle) clReleaseKernel(kernel->handle);
    free(kernel);
}

static cl_int set_arguments(cl_kernel kernel, const char *types, va_list arguments) {
    cl_int code = CL_SUCCESS;
    for (cl_uint i = 0; types[i] && code == CL_SUCCESS; i++) {
        if (types[i] == 'b') {
            cl_mem memory = va_arg(arguments, device_buffer *)->memory;
            code = clSetKernelArg(kernel, i, sizeof memory, &memory);
        } else if (types[i] == 'f') {
            cl_float value = (cl_float)va_arg(arguments, double);
            code = clSetKernelArg(kernel, i, sizeof value, &value);
        } else {
            cl_int value = va_arg(arguments, int);
            code = clSetKernelArg(kernel, i, sizeof value, &value);
        }
    }
    return code;
}

static void run_items(const host_kernel *kernel, const kernel_range *range, const host_argument *arguments) {
    enum { ITEMS_A_PIECE = 256 };
    const size_t n_pieces = (range->global[0] + ITEMS_A_PIECE - 1) / ITEMS_A_PIECE;
#pragma omp parallel for collapse(3) schedule(dynamic) if (n_pieces * range->global[1] * range->global[2] > 1)
    for (size_t z = 0; z < range->global[2]; z++)
        for (size_t y = 0; y < range->global[1]; y++)
            for (size_t piece = 0; piece < n_pieces; piece++) {
                const size_t first = piece * ITEMS_A_PIECE, left = range->global[0] - first;
                kernel->run(arguments, first, first + (left < ITEMS_A_PIECE ? left : ITEMS_A_PIECE), y, z);
            }
}

static plethron_status launch_on_host(const device_kernel *kernel, const kernel_range *range, const char *types,
                                      va_list arguments, plethron_error *err) {
    host_argument values[MAX_ARGUMENTS];
    if (strcmp(types, kernel->on_host->types) != 0)
        return error_set(err, PLETHRON_ERROR_KERNEL, "the kernel '%s' takes the arguments %s, not %s", kernel->name,
                         kernel->on_host->types, types);
    for (size_t i = 0; types[i]; i++) {
        if (types[i] == 'b')
            values[i].buffer = va_arg(arguments, device_buffer *)->on_host;
        else if (types[i] == 'f')
            values[i].real = (float)va_arg(arguments, double);
        else
            values[i].integer = va_arg(arguments, int);
    }
    run_items(kernel->on_host, range, values);
    return PLETHRON_OK;
}

static plethron_status launch_on_device(device_kernel *kernel, const kernel_range *range, const char *types,
                                        va_list arguments, plethron_error *err) {
    plethron_status status;
    plethron_device *device = kernel->program->device;
    char action[64];
    snprintf(action, sizeof action, "launching the kernel '%s'", kernel->name);
    if (!kernel->handle) TRY(make_handle(kernel, err));
    TRY(device_status(set_arguments(kernel->handle, types, arguments), action, err));
    TRY(device_status(
        clEnqueueNDRangeKernel(device->queue, kernel->handle, 3, NULL, range->global, range->local, 0, NULL, NULL),
        action, err));
    device->counters.launches++;
out:
    return status;
}

plethron_status kernel_launch(device_kernel *kernel, const kernel_range *range, plethron_error *err, const char *types,
                              ...) {
    va_list arguments;
    va_start(arguments, types);
    const plethron_status status = kernel->on_host ? launch_on_host(kernel, range, types, arguments, err)
                                                   : launch_on_device(kernel, range, types, arguments, err);
    va_end(arguments);
    return status;
}
