/* What devices there are: every OpenCL device of every platform, then the host. */
#include "device_cl.h"

#include <CL/cl_ext.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef struct entry {
    plethron_device_info info;
    cl_device_id id;
    char *texts[5]; /* what the info's strings point to */
} entry;

struct plethron_device_list {
    entry *entries;
    size_t count;
};

plethron_status device_status(cl_int code, const char *action, plethron_error *err) {
    if (code == CL_SUCCESS) return PLETHRON_OK;
    bool memory = code == CL_OUT_OF_HOST_MEMORY || code == CL_MEM_OBJECT_ALLOCATION_FAILURE ||
                  code == CL_INVALID_BUFFER_SIZE || code == CL_OUT_OF_RESOURCES;
    plethron_status status = memory ? PLETHRON_ERROR_MEMORY : PLETHRON_ERROR_DEVICE;
    error_set(err, status, "%s: OpenCL error %d", action, code);
    if (err) err->opencl_code = code;
    return status;
}

static plethron_status check_text(cl_int code, size_t bytes, char *text, plethron_error *err) {
    plethron_status status = device_status(code, "asking a device or platform for its description", err);
    if (status == PLETHRON_OK) text[bytes] = '\0';
    return status;
}

plethron_status device_text(cl_device_id id, cl_device_info property, char **out, plethron_error *err) {
    plethron_status status;
    size_t bytes = 0;
    void *text = NULL;
    TRY(device_status(clGetDeviceInfo(id, property, 0, NULL, &bytes), "clGetDeviceInfo", err));
    TRY(memory_allocate(bytes + 1, 1, "a device's description", &text, err));
    TRY(check_text(clGetDeviceInfo(id, property, bytes, text, NULL), bytes, text, err));
    *out = text;
    text = NULL;
out:
    free(text);
    return status;
}

static plethron_status platform_text(cl_platform_id id, cl_platform_info property, char **out, plethron_error *err) {
    plethron_status status;
    size_t bytes = 0;
    void *text = NULL;
    TRY(device_status(clGetPlatformInfo(id, property, 0, NULL, &bytes), "clGetPlatformInfo", err));
    TRY(memory_allocate(bytes + 1, 1, "a platform's description", &text, err));
    TRY(check_text(clGetPlatformInfo(id, property, bytes, text, NULL), bytes, text, err));
    *out = text;
    text = NULL;
out:
    free(text);
    return status;
}

/* The contract needs round-to-nearest, NaN, and the correctly rounded fma() that only the full profile promises. */
static void describe_bits(plethron_device_info *info, cl_device_fp_config fp, bool full_profile) {
    const cl_device_fp_config needed = CL_FP_ROUND_TO_NEAREST | CL_FP_INF_NAN;
    info->bits_hold = full_profile && (fp & needed) == needed;
    if (!info->bits_hold)
        info->bits_note = "the device does not promise IEEE rounding and fma";
    else if (!(fp & CL_FP_DENORM))
        info->bits_note = "except for results below 1.2e-38, which the device may flush to zero";
    else if (!(fp & CL_FP_FMA))
        info->bits_note = "the device names no fma instruction: right all the same, but it may be slow";
}

static plethron_device_kind kind_of(cl_device_type type) {
    if (type & CL_DEVICE_TYPE_GPU) return PLETHRON_DEVICE_GPU;
    if (type & CL_DEVICE_TYPE_CPU) return PLETHRON_DEVICE_CPU;
    return PLETHRON_DEVICE_ACCELERATOR;
}

static plethron_status describe_numbers(entry *e, plethron_error *err) {
    plethron_status status;
    cl_device_type type;
    cl_uint units;
    cl_ulong memory, max_alloc, local;
    cl_device_local_mem_type local_type;
    cl_device_fp_config fp;
    char profile[32] = "";
    const struct {
        cl_device_info property;
        size_t bytes;
        void *value;
    } wanted[] = {
        {CL_DEVICE_TYPE, sizeof type, &type},
        {CL_DEVICE_MAX_COMPUTE_UNITS, sizeof units, &units},
        {CL_DEVICE_GLOBAL_MEM_SIZE, sizeof memory, &memory},
        {CL_DEVICE_MAX_MEM_ALLOC_SIZE, sizeof max_alloc, &max_alloc},
        {CL_DEVICE_LOCAL_MEM_SIZE, sizeof local, &local},
        {CL_DEVICE_LOCAL_MEM_TYPE, sizeof local_type, &local_type},
        {CL_DEVICE_SINGLE_FP_CONFIG, sizeof fp, &fp},
        {CL_DEVICE_PROFILE, sizeof profile, profile},
    };
    for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++)
        TRY(device_status(clGetDeviceInfo(e->id, wanted[i].property, wanted[i].bytes, wanted[i].value, NULL),
                          "asking a device for its capabilities", err));
    e->info.kind = kind_of(type);
    e->info.compute_units = units;
    e->info.memory_bytes = memory;
    e->info.max_alloc_bytes = max_alloc;
    e->info.local_bytes = local;
    e->info.local_is_dedicated = local_type == CL_LOCAL;
    e->info.bits_note = "";
    describe_bits(&e->info, fp, strcmp(profile, "FULL_PROFILE") == 0);
out:
    return status;
}

static plethron_status describe_texts(entry *e, cl_platform_id platform, plethron_error *err) {
    plethron_status status;
    TRY(platform_text(platform, CL_PLATFORM_NAME, &e->texts[0], err));
    TRY(platform_text(platform, CL_PLATFORM_VERSION, &e->texts[1], err));
    TRY(device_text(e->id, CL_DEVICE_NAME, &e->texts[2], err));
    TRY(device_text(e->id, CL_DEVICE_VERSION, &e->texts[3], err));
    TRY(device_text(e->id, CL_DRIVER_VERSION, &e->texts[4], err));
    e->info.platform = e->texts[0];
    e->info.platform_version = e->texts[1];
    e->info.name = e->texts[2];
    e->info.version = e->texts[3];
    e->info.driver = e->texts[4];
out:
    return status;
}

static plethron_status append(plethron_device_list *list, entry **out, plethron_error *err) {
    entry *grown = realloc(list->entries, (list->count + 1) * sizeof *grown);
    if (!grown) return error_set(err, PLETHRON_ERROR_MEMORY, "no memory for the list of devices");
    list->entries = grown;
    *out = &grown[list->count++];
    memset(*out, 0, sizeof **out);
    return PLETHRON_OK;
}

static bool usable(cl_device_id id) {
    cl_bool available = CL_FALSE, compiler = CL_FALSE;
    return clGetDeviceInfo(id, CL_DEVICE_AVAILABLE, sizeof available, &available, NULL) == CL_SUCCESS && available &&
           clGetDeviceInfo(id, CL_DEVICE_COMPILER_AVAILABLE, sizeof compiler, &compiler, NULL) == CL_SUCCESS &&
           compiler;
}

static plethron_status append_platform(plethron_device_list *list, cl_platform_id platform, int platform_index,
                                       plethron_error *err) {
    plethron_status status = PLETHRON_OK;
    void *memory = NULL;
    cl_uint n_devices = 0;
    cl_int code = clGetDeviceIDs(platform, CL_DEVICE_TYPE_ALL, 0, NULL, &n_devices);
    if (code == CL_DEVICE_NOT_FOUND || (code == CL_SUCCESS && n_devices == 0))
        goto out; /* an empty platform is normal */
    TRY(device_status(code, "clGetDeviceIDs", err));
    TRY(memory_allocate(n_devices, sizeof(cl_device_id), "the list of devices", &memory, err));
    cl_device_id *ids = memory;
    TRY(device_status(clGetDeviceIDs(platform, CL_DEVICE_TYPE_ALL, n_devices, ids, NULL), "clGetDeviceIDs", err));
    for (cl_uint d = 0; d < n_devices; d++) {
        if (!usable(ids[d])) continue;
        entry *e = NULL;
        TRY(append(list, &e, err));
        e->id = ids[d];
        e->info.index = (int)list->count - 1;
        e->info.platform_index = platform_index;
        e->info.device_index = (int)d;
        TRY(describe_numbers(e, err));
        TRY(describe_texts(e, platform, err));
    }
out:
    free(memory);
    return status;
}

static plethron_status append_platforms(plethron_device_list *list, plethron_error *err) {
    plethron_status status = PLETHRON_OK;
    void *memory = NULL;
    cl_uint n_platforms = 0;
    cl_int code = clGetPlatformIDs(0, NULL, &n_platforms);
    if (code == CL_PLATFORM_NOT_FOUND_KHR || (code == CL_SUCCESS && n_platforms == 0)) goto out; /* normal: the host */
    TRY(device_status(code, "clGetPlatformIDs", err));
    TRY(memory_allocate(n_platforms, sizeof(cl_platform_id), "the list of platforms", &memory, err));
    cl_platform_id *platforms = memory;
    TRY(device_status(clGetPlatformIDs(n_platforms, platforms, NULL), "clGetPlatformIDs", err));
    for (cl_uint p = 0; p < n_platforms; p++) TRY(append_platform(list, platforms[p], (int)p, err));
out:
    free(memory);
    return status;
}

static uint64_t system_value(int name) {
    long value = sysconf(name);
    return value > 0 ? (uint64_t)value : 1;
}

static plethron_status append_host(plethron_device_list *list, plethron_error *err) {
    entry *e = NULL;
    plethron_status status = append(list, &e, err);
    if (status != PLETHRON_OK) return status;
    uint64_t memory = system_value(_SC_PHYS_PAGES) * system_value(_SC_PAGESIZE);
    e->info = (plethron_device_info){
        .kind = PLETHRON_DEVICE_HOST,
        .index = -1,
        .platform_index = -1,
        .device_index = -1,
        .platform = "none (no OpenCL)",
        .platform_version = "",
        .name = "host",
        .version = "native C",
        .driver = "",
        .compute_units = (unsigned)system_value(_SC_NPROCESSORS_ONLN),
        .memory_bytes = memory,
        .max_alloc_bytes = memory,
        .bits_hold = true,
        .bits_note = "",
    };
    return PLETHRON_OK;
}

plethron_status plethron_device_list_open(plethron_device_list **out, plethron_error *err) {
    plethron_status status;
    void *memory = NULL;
    TRY(memory_allocate(1, sizeof(plethron_device_list), "the list of devices", &memory, err));
    TRY(append_platforms(memory, err));
    TRY(append_host(memory, err));
    *out = memory;
    memory = NULL;
out:
    plethron_device_list_close(memory);
    return status;
}

size_t plethron_device_list_count(const plethron_device_list *list) {
    return list->count;
}

const plethron_device_info *plethron_device_list_get(const plethron_device_list *list, size_t i) {
    return i < list->count ? &list->entries[i].info : NULL;
}

cl_device_id device_list_id(const plethron_device_list *list, size_t i) {
    return list->entries[i].id;
}

void plethron_device_list_close(plethron_device_list *list) {
    if (!list) return;
    for (size_t i = 0; i < list->count; i++)
        for (size_t t = 0; t < sizeof list->entries[i].texts / sizeof(char *); t++) free(list->entries[i].texts[t]);
    free(list->entries);
    free(list);
}
