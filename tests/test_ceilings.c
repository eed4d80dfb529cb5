/* Ceilings on every device. Nothing here passes or fails on a time: bench/check_ceilings.sh compares them with others.
 */
#include "support.h"

#include "ceilings.h"

#include <math.h>
#include <string.h>

enum { MARGIN_BYTES = 4096 };

static const ceilings_effort little = {
    .seconds = 0.0, .n_repeats = 1, .n_launches = 3, .read_bytes = 1 << 20, .copy_bytes = 1 << 14};

static void assert_all_positive(const plethron_ceilings *ceilings) {
    const double values[] = {ceilings->fma_flops_per_s,  ceilings->read_bytes_per_s,   ceilings->launch_s,
                             ceilings->batched_launch_s, ceilings->upload_bytes_per_s, ceilings->download_bytes_per_s};
    for (size_t i = 0; i < COUNT(values); i++) assert_true(isfinite(values[i]) && values[i] > 0.0);
}

/* With margins of NaN around the buffers: nothing is read or written beyond them, and the sums of zeros are zero. */
static void every_device(void **state) {
    (void)state;
    plethron_error err;
    plethron_device_list *list = NULL;
    assert_works(plethron_device_list_open(&list, &err), &err);
    for (size_t i = 0; i < plethron_device_list_count(list); i++) {
        const plethron_device_info *info = plethron_device_list_get(list, i);
        char selector[32] = "host";
        if (info->kind != PLETHRON_DEVICE_HOST)
            snprintf(selector, sizeof selector, "%d:%d", info->platform_index, info->device_index);
        plethron_device *device = support_device(selector);
        plethron_ceilings ceilings = {.struct_size = sizeof ceilings};
        if (info->kind != PLETHRON_DEVICE_HOST) device_guard_buffers(device, MARGIN_BYTES);
        assert_works(ceilings_measure(device, &little, &ceilings, &err), &err);
        assert_all_positive(&ceilings);
        assert_int_equal(device_guard_violations(device), 0);
        plethron_device_close(device);
    }
    plethron_device_list_close(list);
}

static void odd_sizes(void **state) {
    (void)state;
    plethron_error err;
    plethron_device *device = support_device(NULL);
    for (size_t bytes = 4096; bytes < 400000; bytes = bytes * 3 + 64) {
        ceilings_effort effort = little;
        effort.read_bytes = bytes;
        plethron_ceilings ceilings = {.struct_size = sizeof ceilings};
        if (plethron_device_describe(device)->kind != PLETHRON_DEVICE_HOST) device_guard_buffers(device, MARGIN_BYTES);
        assert_works(ceilings_measure(device, &effort, &ceilings, &err), &err);
        assert_all_positive(&ceilings);
    }
    assert_int_equal(device_guard_violations(device), 0);
    plethron_device_close(device);
}

static void struct_size(void **state) {
    (void)state;
    plethron_error err;
    plethron_device *device = support_device("host");
    plethron_ceilings ceilings = {0}, before = {0};
    assert_fails(PLETHRON_ERROR_ARGUMENT, plethron_ceilings_measure(device, &ceilings, &err), &err,
                 "plethron_ceilings");
    assert_memory_equal(&ceilings, &before, sizeof ceilings);
    ceilings.struct_size = sizeof ceilings + 8;
    assert_fails(PLETHRON_ERROR_ARGUMENT, plethron_ceilings_measure(device, &ceilings, &err), &err,
                 "plethron_ceilings");
    /* A caller of an older library knows fewer fields: those after them stay as they are. */
    ceilings.struct_size = offsetof(plethron_ceilings, launch_s);
    ceilings.launch_s = -1.0;
    assert_works(ceilings_measure(device, &little, &ceilings, &err), &err);
    assert_true(ceilings.read_bytes_per_s > 0.0 && ceilings.launch_s == -1.0);
    plethron_device_close(device);
}

/* The public function on the default device, once. */
static void in_full(void **state) {
    (void)state;
    plethron_error err;
    plethron_device *device = support_device(NULL);
    plethron_ceilings ceilings = {.struct_size = sizeof ceilings};
    assert_works(plethron_ceilings_measure(device, &ceilings, &err), &err);
    assert_all_positive(&ceilings);
    plethron_device_close(device);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_device), cmocka_unit_test(odd_sizes),
                                       cmocka_unit_test(struct_size), cmocka_unit_test(in_full)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
