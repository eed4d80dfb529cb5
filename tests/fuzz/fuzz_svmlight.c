/* svmlight: recognising and reading, dense, sparse, and sparse where features 1 to 4 are known. */
#include "fuzz.h"

#include "io/svmlight.h"

static void read_sparse(const char *bytes, size_t size, size_t n_known) {
    plethron_error err = {.text = ""};
    plethron_sparse_table *table = fuzz_sparse_table();
    table->n_known = n_known;
    table->first_known = 1;
    const plethron_status status = svmlight_read_sparse(bytes, size, 0, table, &err);
    fuzz_ask_sparse(table, status, &err);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    number_locale locale;
    plethron_error err = {.text = ""};
    char *bytes = fuzz_copy(data, size);
    plethron_table *table = fuzz_table();
    fuzz_expect(number_locale_enter(&locale, NULL) == PLETHRON_OK);
    svmlight_recognise(bytes, size);
    number_locale_leave(locale);
    plethron_status status = svmlight_read(bytes, size, 0, table, &err);
    read_sparse(bytes, size, 0);
    read_sparse(bytes, size, 4);
    free(bytes);
    if (status == PLETHRON_OK) status = table_sort_names(table, &err);
    fuzz_ask(table, status, &err);
    return 0;
}
