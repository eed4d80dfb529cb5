/* Prints a table for the tests in Python: "rows columns" and the columns' names, each text ended by a NUL, then the
 * values as raw floats, row-major. With a column's name as second argument: the number of its classes and their labels,
 * then the codes as raw floats. */
#include <plethron.h>

#include <stdlib.h>

static int fail(const plethron_error *err) {
    fprintf(stderr, "%s\n", err->text);
    return EXIT_FAILURE;
}

static int print_numbers(const plethron_table *table, plethron_error *err) {
    const size_t n_rows = plethron_table_n_rows(table), n_columns = plethron_table_n_columns(table);
    size_t *columns = malloc(n_columns * sizeof *columns);
    float *X = malloc(n_rows * n_columns * sizeof *X);
    int code = EXIT_FAILURE;
    for (size_t c = 0; columns && c < n_columns; c++) columns[c] = c;
    if (columns && X && plethron_table_numbers(table, columns, n_columns, X, err) == PLETHRON_OK) {
        printf("%zu %zu%c", n_rows, n_columns, 0);
        for (size_t c = 0; c < n_columns; c++) printf("%s%c", plethron_table_column_name(table, c), 0);
        fwrite(X, sizeof *X, n_rows * n_columns, stdout);
        code = EXIT_SUCCESS;
    }
    free(columns);
    free(X);
    return code == EXIT_SUCCESS ? code : fail(err);
}

static int print_classes(const plethron_table *table, const char *name, plethron_error *err) {
    size_t column;
    plethron_classes *classes = NULL;
    if (plethron_table_find(table, name, &column, err) || plethron_table_classes(table, column, &classes, err))
        return fail(err);
    printf("%zu%c", plethron_classes_count(classes), 0);
    for (size_t c = 0; c < plethron_classes_count(classes); c++) printf("%s%c", plethron_classes_label(classes, c), 0);
    fwrite(plethron_classes_codes(classes), sizeof(float), plethron_table_n_rows(table), stdout);
    plethron_classes_close(classes);
    return EXIT_SUCCESS;
}

int main(int argc, char **argv) {
    plethron_error err = {.text = "usage: table_dump FILE [COLUMN]"};
    plethron_table *table = NULL;
    if (argc < 2 || plethron_table_open(argv[1], &table, &err)) return fail(&err);
    const int code = argc > 2 ? print_classes(table, argv[2], &err) : print_numbers(table, &err);
    plethron_table_close(table);
    return code;
}
