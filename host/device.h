/* Devices, their queue, buffers and counters. The only files that hold raw OpenCL handles are device*.c, program.c and
 * kernel_cache.c; they share them through device_cl.h. */
#ifndef PLETHRON_DEVICE_H
#define PLETHRON_DEVICE_H

#include "status.h"

typedef struct device_buffer device_buffer;

/* True for the host: its buffers are plain memory, its kernels are compiled as C (host_kernels.h). */
bool device_is_host(const plethron_device *device);

/* Fails in a process that was forked after the device was opened: OpenCL would hang there. */
plethron_status device_check_process(const plethron_device *device, plethron_error *err);

/* The widest float vector the device computes with at once: 16 with AVX-512, 8 with AVX2, 1 on most GPUs. */
unsigned device_vector_width(const plethron_device *device);
unsigned device_max_group_items(const plethron_device *device);
/* The cache before global memory; 0 when the device names none. */
uint64_t device_cache_bytes(const plethron_device *device);
/* What of it the device's cores can count on: a virtual machine of few cores is told of all of its processor's cache,
 * which others use, too. */
uint64_t device_cache_share(const plethron_device *device);
/* False when division has to be corrected in the kernels (EXACT_DIVIDE in arithmetic.cl). */
bool device_divides_exactly(const plethron_device *device);
/* True when the host's memory is the device's, too: what is lent is not copied. */
bool device_shares_memory(const plethron_device *device);

/* A buffer of `bytes` > 0 on the device, content undefined. `what` names it in errors. */
plethron_status device_buffer_create(plethron_device *device, size_t bytes, const char *what, device_buffer **out,
                                     plethron_error *err);
void device_buffer_close(device_buffer *buffer);
/* On the host the buffer's memory, borrowed; NULL elsewhere. */
void *device_buffer_on_host(const device_buffer *buffer);
/* Upload and download wait until done. */
plethron_status device_buffer_upload(device_buffer *buffer, size_t offset_bytes, size_t bytes, const void *data,
                                     plethron_error *err);
plethron_status device_buffer_download(device_buffer *buffer, size_t offset_bytes, size_t bytes, void *data,
                                       plethron_error *err);
/* The first row_bytes of each of n_rows rows that lie stride_bytes apart, from the buffer's begin on; packed in `data`.
 */
plethron_status device_buffer_download_rows(device_buffer *buffer, size_t n_rows, size_t row_bytes, size_t stride_bytes,
                                            void *data, plethron_error *err);
plethron_status device_buffer_zero(device_buffer *buffer, plethron_error *err);

/* A buffer whose memory is the caller's, aligned to what kernels read there; for devices that share memory. Until it is
 * closed the memory is the device's: device_buffer_return waits for the kernels, and what they wrote is there. */
plethron_status device_buffer_lend(plethron_device *device, const void *memory, size_t bytes, device_buffer **out,
                                   plethron_error *err);
plethron_status device_buffer_return(device_buffer *buffer, plethron_error *err);

/* Hands queued work to the device; finish also waits for its end. */
plethron_status device_flush(plethron_device *device, plethron_error *err);
plethron_status device_finish(plethron_device *device, plethron_error *err);

/* For tests: every later buffer lies between margins of NaN; a kernel that reads there spoils its result, one that
 * writes there is counted when the buffer is closed. */
void device_guard_buffers(plethron_device *device, size_t margin_bytes);
size_t device_guard_violations(const plethron_device *device);

#endif
