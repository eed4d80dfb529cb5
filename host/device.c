/* One device: choice, context and queue, buffers, counters. */
#include "device_cl.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- Choice ------------------------------------------------------------------------------------------------------ */

static bool contains_without_case(const char *text, const char *part) {
    size_t n = strlen(part);
    for (; *text; text++) {
        size_t i = 0;
        while (i < n && text[i] && tolower((unsigned char)text[i]) == tolower((unsigned char)part[i])) i++;
        if (i == n) return true;
    }
    return n == 0;
}

/* Reads a whole selector "index" or "platform:device"; the number of integers read, 0 when it is neither. */
static int parse_indices(const char *selector, long indices[2]) {
    int n = 0;
    for (const char *at = selector; n < 2; at++) {
        if (!isdigit((unsigned char)*at)) return 0;
        char *end;
        indices[n++] = strtol(at, &end, 10);
        if (*end == '\0') return n;
        if (*end != ':') return 0;
        at = end;
    }
    return 0;
}

static bool matches(const plethron_device_info *info, const char *selector) {
    long at[2];
    if (strcmp(selector, "host") == 0) return info->kind == PLETHRON_DEVICE_HOST;
    if (strcmp(selector, "gpu") == 0) return info->kind == PLETHRON_DEVICE_GPU;
    if (strcmp(selector, "cpu") == 0) return info->kind == PLETHRON_DEVICE_CPU;
    switch (parse_indices(selector, at)) {
    case 1: return info->index == at[0];
    case 2: return info->platform_index == at[0] && info->device_index == at[1];
    }
    return info->kind != PLETHRON_DEVICE_HOST &&
           (contains_without_case(info->name, selector) || contains_without_case(info->platform, selector));
}

static plethron_status no_device(const plethron_device_list *list, const char *selector, plethron_error *err) {
    plethron_status status = error_set(err, PLETHRON_ERROR_NO_DEVICE,
                                       "no device matches '%s' (allowed: gpu, cpu, host, an index, P:D, or a part of a "
                                       "name); there is:",
                                       selector);
    if (!err) return status;
    for (size_t i = 0; i < plethron_device_list_count(list); i++) {
        const plethron_device_info *info = plethron_device_list_get(list, i);
        size_t used = strlen(err->text);
        if (info->index < 0)
            snprintf(err->text + used, sizeof err->text - used, " host");
        else
            snprintf(err->text + used, sizeof err->text - used, " %d = %s;", info->index, info->name);
    }
    if (plethron_device_list_count(list) == 1) {
        size_t used = strlen(err->text);
        snprintf(err->text + used, sizeof err->text - used,
                 " only. No OpenCL device was found: is a driver installed, and may its cache folder be written?");
    }
    return status;
}

static plethron_status choose(const plethron_device_list *list, const char *selector, size_t *chosen,
                              plethron_error *err) {
    if (!selector || !*selector) selector = getenv("PLETHRON_DEVICE");
    if (selector && *selector) {
        for (size_t i = 0; i < plethron_device_list_count(list); i++) {
            if (!matches(plethron_device_list_get(list, i), selector)) continue;
            *chosen = i;
            return PLETHRON_OK;
        }
        return no_device(list, selector, err);
    }
    const plethron_device_kind order[] = {PLETHRON_DEVICE_GPU, PLETHRON_DEVICE_ACCELERATOR, PLETHRON_DEVICE_CPU,
                                          PLETHRON_DEVICE_HOST};
    for (size_t k = 0; k < sizeof order / sizeof *order; k++) {
        for (size_t i = 0; i < plethron_device_list_count(list); i++) {
            if (plethron_device_list_get(list, i)->kind != order[k]) continue;
            *chosen = i;
            return PLETHRON_OK;
        }
    }
    return no_device(list, "", err);
}

/* ---- Opening ----------------------------------------------------------------------------------------------------- */

static plethron_status read_capabilities(plethron_device *device, plethron_error *err) {
    plethron_status status;
    cl_uint vector_width = 1, alignment_bits = 0;
    size_t group_items = 1;
    cl_ulong cache_bytes = 0;
    cl_device_fp_config fp = 0;
    cl_bool is_unified = CL_FALSE;
    const struct {
        cl_device_info property;
        size_t bytes;
        void *value;
    } wanted[] = {
        {CL_DEVICE_NATIVE_VECTOR_WIDTH_FLOAT, sizeof vector_width, &vector_width},
        {CL_DEVICE_MEM_BASE_ADDR_ALIGN, sizeof alignment_bits, &alignment_bits},
        {CL_DEVICE_MAX_WORK_GROUP_SIZE, sizeof group_items, &group_items},
        {CL_DEVICE_GLOBAL_MEM_CACHE_SIZE, sizeof cache_bytes, &cache_bytes},
        {CL_DEVICE_SINGLE_FP_CONFIG, sizeof fp, &fp},
        {CL_DEVICE_HOST_UNIFIED_MEMORY, sizeof is_unified, &is_unified},
    };
    for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++)
        TRY(device_status(clGetDeviceInfo(device->id, wanted[i].property, wanted[i].bytes, wanted[i].value, NULL),
                          "asking the device for its capabilities", err));
    device->vector_width = vector_width ? vector_width : 1;
    device->buffer_alignment_bytes = alignment_bits / 8 ? alignment_bits / 8 : 1;
    device->max_group_items = (unsigned)group_items;
    device->cache_bytes = cache_bytes;
    device->shares_memory = is_unified;
    device->divides_exactly = fp & CL_FP_CORRECTLY_ROUNDED_DIVIDE_SQRT;
    device->keeps_kernels = strcmp(device->info.platform, "Portable Computing Language") == 0;
out:
    return status;
}

static plethron_status open_queue(plethron_device *device, plethron_error *err) {
    plethron_status status;
    cl_int code;
    TRY(read_capabilities(device, err));
    device->context = clCreateContext(NULL, 1, &device->id, NULL, NULL, &code);
    TRY(device_status(code, "clCreateContext", err));
    device->queue = clCreateCommandQueue(device->context, device->id, 0, &code);
    TRY(device_status(code, "clCreateCommandQueue", err));
out:
    return status;
}

plethron_status plethron_device_open(const char *selector, plethron_device **out, plethron_error *err) {
    plethron_status status;
    void *memory = NULL;
    plethron_device *device = NULL;
    size_t chosen = 0;
    TRY(memory_allocate(1, sizeof *device, "a device", &memory, err));
    device = memory;
    TRY(plethron_device_list_open(&device->list, err));
    TRY(choose(device->list, selector, &chosen, err));
    device->info = *plethron_device_list_get(device->list, chosen);
    device->id = device_list_id(device->list, chosen);
    device->process = getpid();
    device->counters.struct_size = sizeof device->counters;
    if (!device_is_host(device)) TRY(open_queue(device, err));
    *out = device;
    device = NULL;
out:
    plethron_device_close(device);
    return status;
}

void device_forget_programs(plethron_device *device) {
    for (size_t i = 0; i < MAX_KEPT_PROGRAMS; i++) {
        if (device->kept[i].handle) clReleaseProgram(device->kept[i].handle);
        device->kept[i].handle = NULL;
    }
}

void plethron_device_close(plethron_device *device) {
    if (!device) return;
    device_forget_programs(device);
    if (device->queue) clReleaseCommandQueue(device->queue);
    if (device->context) clReleaseContext(device->context);
    plethron_device_list_close(device->list);
    free(device);
}

const plethron_device_info *plethron_device_describe(const plethron_device *device) {
    return &device->info;
}

plethron_status plethron_device_counters(const plethron_device *device, plethron_counters *counters,
                                         plethron_error *err) {
    size_t struct_size = counters->struct_size;
    plethron_status status = error_check_struct(struct_size, sizeof *counters, "plethron_counters", err);
    if (status != PLETHRON_OK) return status;
    memcpy(counters, &device->counters, struct_size);
    counters->struct_size = struct_size;
    return PLETHRON_OK;
}

bool device_is_host(const plethron_device *device) {
    return device->info.kind == PLETHRON_DEVICE_HOST;
}
unsigned device_vector_width(const plethron_device *device) {
    return device->vector_width;
}
unsigned device_max_group_items(const plethron_device *device) {
    return device->max_group_items;
}
uint64_t device_cache_bytes(const plethron_device *device) {
    return device->cache_bytes;
}
uint64_t device_cache_share(const plethron_device *device) {
    enum { MOST_A_CORE = 16 << 20 };
    const uint64_t most = (uint64_t)MOST_A_CORE * device->info.compute_units;
    return device->cache_bytes < most ? device->cache_bytes : most;
}
bool device_divides_exactly(const plethron_device *device) {
    return device->divides_exactly;
}
bool device_shares_memory(const plethron_device *device) {
    return device_is_host(device) || device->shares_memory;
}

plethron_status device_check_process(const plethron_device *device, plethron_error *err) {
    if (device->process == getpid()) return PLETHRON_OK;
    return error_set(err, PLETHRON_ERROR_UNSUPPORTED,
                     "the device was opened by process %ld, this is process %ld: open devices after the fork",
                     (long)device->process, (long)getpid());
}

plethron_status device_flush(plethron_device *device, plethron_error *err) {
    if (device_is_host(device)) return PLETHRON_OK;
    return device_status(clFlush(device->queue), "handing work to the device (clFlush)", err);
}

plethron_status device_finish(plethron_device *device, plethron_error *err) {
    if (device_is_host(device)) return PLETHRON_OK;
    return device_status(clFinish(device->queue), "waiting for the device (clFinish)", err);
}

/* ---- Buffers ----------------------------------------------------------------------------------------------------- */

static const cl_uint guard_pattern = 0x7FC0DEADu; /* a NaN that no computation makes */

void device_guard_buffers(plethron_device *device, size_t margin_bytes) {
    enum { HOST_ALIGNMENT = 64 };
    const size_t alignment = device_is_host(device)               ? HOST_ALIGNMENT
                             : device->buffer_alignment_bytes > 4 ? device->buffer_alignment_bytes
                                                                  : 4;
    device->guard_bytes = (margin_bytes + alignment - 1) / alignment * alignment;
}

size_t device_guard_violations(const plethron_device *device) {
    return device->guard_violations;
}

/* Copies a margin's words; false when that fails. */
static bool read_margin(const device_buffer *buffer, size_t offset_bytes, cl_uint *words) {
    if (buffer->on_host) {
        memcpy(words, buffer->on_host - buffer->margin_bytes + offset_bytes, buffer->margin_bytes);
        return true;
    }
    return clEnqueueReadBuffer(buffer->device->queue, buffer->guarded, CL_TRUE, offset_bytes, buffer->margin_bytes,
                               words, 0, NULL, NULL) == CL_SUCCESS;
}

/* Counts a violation when a word of the margin has changed. */
static void check_margin(device_buffer *buffer, size_t offset_bytes) {
    cl_uint *words = malloc(buffer->margin_bytes);
    bool intact = words && read_margin(buffer, offset_bytes, words);
    for (size_t i = 0; intact && i < buffer->margin_bytes / sizeof *words; i++) intact = words[i] == guard_pattern;
    if (!intact) buffer->device->guard_violations++;
    free(words);
}

static plethron_status create_on_host(device_buffer *buffer, const char *what, plethron_error *err) {
    void *memory = NULL;
    const size_t margin = buffer->device->guard_bytes;
    plethron_status status = memory_allocate(1, buffer->bytes + 2 * margin, what, &memory, err);
    if (status != PLETHRON_OK) return status;
    buffer->margin_bytes = margin;
    buffer->on_host = (char *)memory + margin;
    for (size_t at = 0; at < margin; at += sizeof guard_pattern) {
        memcpy(buffer->on_host - margin + at, &guard_pattern, sizeof guard_pattern);
        memcpy(buffer->on_host + buffer->bytes + at, &guard_pattern, sizeof guard_pattern);
    }
    return PLETHRON_OK;
}

static plethron_status create_guarded(device_buffer *buffer, size_t bytes, plethron_error *err) {
    plethron_status status;
    cl_int code;
    const size_t margin = buffer->device->guard_bytes, total = bytes + 2 * margin;
    cl_buffer_region region = {margin, bytes};
    buffer->guarded = clCreateBuffer(buffer->device->context, CL_MEM_READ_WRITE, total, NULL, &code);
    TRY(device_status(code, "clCreateBuffer", err));
    TRY(device_status(clEnqueueFillBuffer(buffer->device->queue, buffer->guarded, &guard_pattern, sizeof guard_pattern,
                                          0, total, 0, NULL, NULL),
                      "clEnqueueFillBuffer", err));
    buffer->margin_bytes = margin;
    buffer->memory =
        clCreateSubBuffer(buffer->guarded, CL_MEM_READ_WRITE, CL_BUFFER_CREATE_TYPE_REGION, &region, &code);
    TRY(device_status(code, "clCreateSubBuffer", err));
out:
    return status;
}

static plethron_status no_memory(const plethron_device *device, cl_int code, size_t bytes, const char *what,
                                 plethron_error *err) {
    error_set(err, PLETHRON_ERROR_MEMORY, "no memory for %s: %zu bytes (OpenCL error %d); %s has %llu in all", what,
              bytes, code, device->info.name, (unsigned long long)device->info.memory_bytes);
    if (err) err->opencl_code = code;
    return PLETHRON_ERROR_MEMORY;
}

static void CL_CALLBACK free_pages(cl_mem memory, void *pages) {
    (void)memory;
    free(pages);
}

/* Large buffers of CPUs lie in memory of ours, whose pages are huge: OpenCL's would be small. It goes with the buffer,
 * which OpenCL keeps while a kernel is at work there. */
static plethron_status create_on_device(device_buffer *buffer, const char *what, plethron_error *err) {
    plethron_status status = PLETHRON_OK;
    const plethron_device *device = buffer->device;
    const bool is_ours = device->info.kind == PLETHRON_DEVICE_CPU && device->shares_memory;
    void *pages = NULL;
    cl_int code;
    if (is_ours && buffer->bytes >= MEMORY_HUGE_BYTES) TRY(memory_allocate_unset(1, buffer->bytes, what, &pages, err));
    buffer->memory = clCreateBuffer(device->context, CL_MEM_READ_WRITE | (pages ? CL_MEM_USE_HOST_PTR : 0),
                                    buffer->bytes, pages, &code);
    if (code != CL_SUCCESS) {
        status = no_memory(device, code, buffer->bytes, what, err);
        goto out;
    }
    if (pages)
        TRY(device_status(clSetMemObjectDestructorCallback(buffer->memory, free_pages, pages),
                          "clSetMemObjectDestructorCallback", err));
    pages = NULL;
out:
    if (pages && buffer->memory) {
        clReleaseMemObject(buffer->memory);
        buffer->memory = NULL;
    }
    free(pages);
    return status;
}

plethron_status device_buffer_create(plethron_device *device, size_t bytes, const char *what, device_buffer **out,
                                     plethron_error *err) {
    plethron_status status;
    void *memory = NULL;
    device_buffer *buffer = NULL;
    if (!device_is_host(device) && bytes > device->info.max_alloc_bytes)
        return error_set(err, PLETHRON_ERROR_MEMORY, "%s needs %zu bytes; %s allows %llu in one buffer", what, bytes,
                         device->info.name, (unsigned long long)device->info.max_alloc_bytes);
    TRY(memory_allocate(1, sizeof *buffer, what, &memory, err));
    buffer = memory;
    buffer->device = device;
    buffer->bytes = bytes;
    if (device_is_host(device))
        TRY(create_on_host(buffer, what, err));
    else if (device->guard_bytes)
        TRY(create_guarded(buffer, bytes, err));
    else
        TRY(create_on_device(buffer, what, err));
    *out = buffer;
    buffer = NULL;
out:
    device_buffer_close(buffer);
    return status;
}

void device_buffer_close(device_buffer *buffer) {
    if (!buffer) return;
    if (buffer->margin_bytes) {
        check_margin(buffer, 0);
        check_margin(buffer, buffer->margin_bytes + buffer->bytes);
    }
    if (buffer->memory) clReleaseMemObject(buffer->memory);
    if (buffer->guarded) clReleaseMemObject(buffer->guarded);
    if (buffer->on_host && !buffer->is_lent) free(buffer->on_host - buffer->margin_bytes);
    free(buffer);
}

void *device_buffer_on_host(const device_buffer *buffer) {
    return buffer->on_host;
}

plethron_status device_buffer_upload(device_buffer *buffer, size_t offset_bytes, size_t bytes, const void *data,
                                     plethron_error *err) {
    plethron_device *device = buffer->device;
    if (buffer->on_host) {
        memcpy(buffer->on_host + offset_bytes, data, bytes);
        return PLETHRON_OK;
    }
    device->counters.uploads++;
    device->counters.upload_bytes += bytes;
    return device_status(
        clEnqueueWriteBuffer(device->queue, buffer->memory, CL_TRUE, offset_bytes, bytes, data, 0, NULL, NULL),
        "copying to the device (clEnqueueWriteBuffer)", err);
}

plethron_status device_buffer_download(device_buffer *buffer, size_t offset_bytes, size_t bytes, void *data,
                                       plethron_error *err) {
    plethron_device *device = buffer->device;
    if (buffer->on_host) {
        memcpy(data, buffer->on_host + offset_bytes, bytes);
        return PLETHRON_OK;
    }
    device->counters.downloads++;
    device->counters.download_bytes += bytes;
    return device_status(
        clEnqueueReadBuffer(device->queue, buffer->memory, CL_TRUE, offset_bytes, bytes, data, 0, NULL, NULL),
        "copying from the device (clEnqueueReadBuffer)", err);
}

plethron_status device_buffer_download_rows(device_buffer *buffer, size_t n_rows, size_t row_bytes, size_t stride_bytes,
                                            void *data, plethron_error *err) {
    plethron_device *device = buffer->device;
    const size_t start[3] = {0, 0, 0}, region[3] = {row_bytes, n_rows, 1};
    if (row_bytes == stride_bytes) return device_buffer_download(buffer, 0, n_rows * row_bytes, data, err);
    if (buffer->on_host) {
        for (size_t i = 0; i < n_rows; i++)
            memcpy((char *)data + i * row_bytes, buffer->on_host + i * stride_bytes, row_bytes);
        return PLETHRON_OK;
    }
    device->counters.downloads++;
    device->counters.download_bytes += n_rows * row_bytes;
    return device_status(clEnqueueReadBufferRect(device->queue, buffer->memory, CL_TRUE, start, start, region,
                                                 stride_bytes, 0, row_bytes, 0, data, 0, NULL, NULL),
                         "copying from the device (clEnqueueReadBufferRect)", err);
}

plethron_status device_buffer_lend(plethron_device *device, const void *lent, size_t bytes, device_buffer **out,
                                   plethron_error *err) {
    plethron_status status;
    void *memory = NULL, *writable = (void *)(uintptr_t)lent; /* OpenCL knows no other, whatever kernels do there */
    cl_int code;
    TRY(memory_allocate(1, sizeof(device_buffer), "a buffer", &memory, err));
    device_buffer *buffer = memory;
    *buffer = (device_buffer){.device = device, .bytes = bytes, .is_lent = true};
    if (device_is_host(device)) {
        buffer->on_host = writable;
    } else {
        buffer->memory =
            clCreateBuffer(device->context, CL_MEM_READ_WRITE | CL_MEM_USE_HOST_PTR, bytes, writable, &code);
        TRY(device_status(code, "lending memory to the device (clCreateBuffer)", err));
    }
    *out = buffer;
    memory = NULL;
out:
    free(memory);
    return status;
}

plethron_status device_buffer_return(device_buffer *buffer, plethron_error *err) {
    plethron_status status;
    cl_int code;
    if (buffer->on_host) return PLETHRON_OK;
    void *mapped = clEnqueueMapBuffer(buffer->device->queue, buffer->memory, CL_TRUE, CL_MAP_READ, 0, buffer->bytes, 0,
                                      NULL, NULL, &code);
    TRY(device_status(code, "taking memory back from the device (clEnqueueMapBuffer)", err));
    TRY(device_status(clEnqueueUnmapMemObject(buffer->device->queue, buffer->memory, mapped, 0, NULL, NULL),
                      "taking memory back from the device (clEnqueueUnmapMemObject)", err));
out:
    return status;
}

plethron_status device_buffer_zero(device_buffer *buffer, plethron_error *err) {
    const cl_uint zero = 0;
    if (buffer->on_host) {
        memset(buffer->on_host, 0, buffer->bytes);
        return PLETHRON_OK;
    }
    return device_status(
        clEnqueueFillBuffer(buffer->device->queue, buffer->memory, &zero, sizeof zero, 0, buffer->bytes, 0, NULL, NULL),
        "clearing a buffer (clEnqueueFillBuffer)", err);
}
