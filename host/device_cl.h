/* The raw OpenCL handles; only device*.c, program.c and kernel_cache.c include this. */
#ifndef PLETHRON_DEVICE_CL_H
#define PLETHRON_DEVICE_CL_H

#include "device.h"

#include <CL/cl.h>
#include <sys/types.h>

/* What tells programs apart: 64 hexadecimal digits (kernel_cache.h). */
enum { PROGRAM_KEY_LENGTH = 64, MAX_KEPT_PROGRAMS = 32 };

typedef struct kept_program {
    char key[PROGRAM_KEY_LENGTH + 1];
    cl_program handle; /* NULL where there is none */
} kept_program;

struct plethron_device {
    plethron_device_info info;
    plethron_device_list *list; /* owns the strings of info */
    cl_device_id id;            /* NULL on the host */
    cl_context context;
    cl_command_queue queue;
    pid_t process;
    unsigned vector_width;
    unsigned max_group_items;
    uint64_t cache_bytes;
    bool divides_exactly;
    bool shares_memory;
    bool keeps_kernels; /* the runtime caches kernels; PoCL would compile all of them just to hand out a binary */
    kept_program
        kept[MAX_KEPT_PROGRAMS]; /* built ones, the last n_kept of them: who opens one again need not build it */
    size_t n_kept;
    size_t buffer_alignment_bytes;
    size_t guard_bytes;
    size_t guard_violations;
    plethron_counters counters;
};

struct device_buffer {
    plethron_device *device;
    cl_mem memory;  /* what kernels see; NULL on the host */
    cl_mem guarded; /* with its margins; NULL without a guard */
    char *on_host;  /* what kernels see on the host, between margins */
    bool is_lent;   /* the memory is the caller's */
    size_t bytes;
    size_t margin_bytes;
};

/* Lets go of the programs that are kept. */
void device_forget_programs(plethron_device *device);

/* The OpenCL device of a list's entry; NULL for the host. */
cl_device_id device_list_id(const plethron_device_list *list, size_t i);

/* Turns an OpenCL code into a status; `action` says what was tried. */
plethron_status device_status(cl_int code, const char *action, plethron_error *err);

/* A string property in fresh memory, for free. */
plethron_status device_text(cl_device_id id, cl_device_info property, char **out, plethron_error *err);

#endif
