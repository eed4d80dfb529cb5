/* CSV: in one chunk and in many, the same table or the same error. */
#include "fuzz.h"

#include "io/csv.h"

static void expect_same(const plethron_table *a, const plethron_table *b) {
    fuzz_expect(a->n_rows == b->n_rows && a->n_columns == b->n_columns);
    fuzz_expect(memcmp(a->values, b->values, a->n_rows * a->n_columns * sizeof *a->values) == 0);
    for (size_t c = 0; c < a->n_columns; c++) {
        const table_column *x = &a->columns[c], *y = &b->columns[c];
        fuzz_expect(!x->cells == !y->cells && !x->no_number == !y->no_number);
        fuzz_expect(!x->no_number || x->no_number->line == y->no_number->line);
        for (size_t i = 0; x->cells && i < a->n_rows; i++) fuzz_expect(strcmp(x->cells[i], y->cells[i]) == 0);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    char *bytes = fuzz_copy(data, size);
    plethron_table *whole = fuzz_table(), *parts = fuzz_table();
    plethron_error whole_err = {.text = ""}, parts_err = {.text = ""};
    const plethron_status status = csv_read(bytes, size, SIZE_MAX, whole, &whole_err);
    fuzz_expect(csv_read(bytes, size, 0, parts, &parts_err) == status);
    fuzz_expect(strcmp(whole_err.text, parts_err.text) == 0);
    free(bytes);
    if (status == PLETHRON_OK) expect_same(whole, parts);
    fuzz_ask(whole, status, &whole_err);
    fuzz_ask(parts, status, &parts_err);
    return 0;
}
