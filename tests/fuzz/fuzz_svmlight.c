/* svmlight: recognising and reading. */
#include "fuzz.h"

#include "io/svmlight.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    number_locale locale;
    plethron_error err = {.text = ""};
    char *bytes = fuzz_copy(data, size);
    plethron_table *table = fuzz_table();
    fuzz_expect(number_locale_enter(&locale, NULL) == PLETHRON_OK);
    svmlight_recognise(bytes, size);
    number_locale_leave(locale);
    plethron_status status = svmlight_read(bytes, size, 0, table, &err);
    free(bytes);
    if (status == PLETHRON_OK) status = table_sort_names(table, &err);
    fuzz_ask(table, status, &err);
    return 0;
}
