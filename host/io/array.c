#include "array.h"

#include "half.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#ifdef _OPENMP
#include <omp.h>
#endif

/* ---- Sizes ------------------------------------------------------------------------------------------------------- */

plethron_status array_check(const array_layout *array, size_t n_data_bytes, const char *path, plethron_error *err) {
    size_t n_items, n_expected;
    if (array->n_rows == 0 || array->n_columns == 0)
        return error_set(err, PLETHRON_ERROR_FORMAT,
                         "%s: an array of %zu x %zu: at least one row and one column were expected", path,
                         array->n_rows, array->n_columns);
    if (!size_multiply(array->n_rows, array->n_columns, &n_items) ||
        !size_multiply(n_items, array->item_bytes, &n_expected))
        return error_set(
            err, PLETHRON_ERROR_FORMAT,
            "%s: an array of %zu x %zu is more than memory can hold: one that fits the file's %zu bytes of "
            "data was expected",
            path, array->n_rows, array->n_columns, n_data_bytes);
    if (n_data_bytes != n_expected)
        return error_set(err, PLETHRON_ERROR_FORMAT,
                         "%s: %zu bytes of data found, %zu expected for %zu x %zu values of %zu", path, n_data_bytes,
                         n_expected, array->n_rows, array->n_columns, array->item_bytes);
    return PLETHRON_OK;
}

/* ---- Items ------------------------------------------------------------------------------------------------------- */

static uint64_t load(const unsigned char *item, size_t n, bool big_endian) {
    uint64_t bits = 0;
    for (size_t i = 0; i < n; i++) bits = bits << 8 | item[big_endian ? i : n - 1 - i];
    return bits;
}

static double bits_to_double(uint64_t bits) {
    double value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

/* Not by way of double, which would round integers of eight bytes a first time. */
static float integer_to_float(uint64_t bits, size_t item_bytes, bool is_signed) {
    const uint64_t sign = UINT64_C(1) << (8 * item_bytes - 1);
    if (!is_signed || !(bits & sign)) return (float)bits;
    return -(float)(sign - (bits & (sign - 1)));
}

/* The nearest float. Inlined with constants, so that each type has a loop of its own. */
static inline float item_to_float(const unsigned char *item, array_kind kind, size_t item_bytes, bool big_endian) {
    const uint64_t bits = load(item, item_bytes, big_endian);
    switch (kind) {
    case ARRAY_FLOAT:
        return item_bytes == 2   ? half_to_float((uint16_t)bits)
               : item_bytes == 4 ? float_of_bits((uint32_t)bits)
                                 : (float)bits_to_double(bits);
    case ARRAY_BFLOAT: return float_of_bits((uint32_t)bits << 16);
    case ARRAY_SIGNED: return integer_to_float(bits, item_bytes, true);
    case ARRAY_UNSIGNED: return integer_to_float(bits, item_bytes, false);
    case ARRAY_BOOL: return bits ? 1.0f : 0.0f;
    }
    return NAN;
}

#define CONVERT(kind, item_bytes, big_endian) \
    for (size_t i = 0; i < n; i++)            \
    out[i * stride] = item_to_float(item + i * (item_bytes), kind, item_bytes, big_endian)
#define CONVERT_BOTH(kind, item_bytes)        \
    do {                                      \
        if (array->big_endian)                \
            CONVERT(kind, item_bytes, true);  \
        else                                  \
            CONVERT(kind, item_bytes, false); \
    } while (0)
#define CONVERT_INTEGERS(kind)                  \
    do {                                        \
        switch (array->item_bytes) {            \
        case 1: CONVERT(kind, 1, false); break; \
        case 2: CONVERT_BOTH(kind, 2); break;   \
        case 4: CONVERT_BOTH(kind, 4); break;   \
        default: CONVERT_BOTH(kind, 8);         \
        }                                       \
    } while (0)

/* Converts n items in a row to floats that lie `stride` apart. */
static void convert(const array_layout *array, const unsigned char *item, size_t n, float *out, size_t stride) {
    switch (array->kind) {
    case ARRAY_FLOAT:
        if (array->item_bytes == 2)
            CONVERT_BOTH(ARRAY_FLOAT, 2);
        else if (array->item_bytes == 4)
            CONVERT_BOTH(ARRAY_FLOAT, 4);
        else
            CONVERT_BOTH(ARRAY_FLOAT, 8);
        break;
    case ARRAY_BFLOAT: CONVERT_BOTH(ARRAY_BFLOAT, 2); break;
    case ARRAY_SIGNED: CONVERT_INTEGERS(ARRAY_SIGNED); break;
    case ARRAY_UNSIGNED: CONVERT_INTEGERS(ARRAY_UNSIGNED); break;
    case ARRAY_BOOL: CONVERT(ARRAY_BOOL, 1, false); break;
    }
}

void array_floats(const array_layout *array, const void *data, size_t n, float *out) {
    convert(array, data, n, out, 1);
}

void array_integers(const array_layout *array, const void *data, size_t n, int64_t *out) {
    const unsigned char *item = data;
    const uint64_t sign = UINT64_C(1) << (8 * array->item_bytes - 1);
    for (size_t i = 0; i < n; i++, item += array->item_bytes) {
        const uint64_t bits = load(item, array->item_bytes, array->big_endian);
        const bool is_negative = array->kind == ARRAY_SIGNED && (bits & sign);
        out[i] = is_negative ? -(int64_t)(sign - (bits & (sign - 1)) - 1) - 1 : (int64_t)(bits & INT64_MAX);
        if (array->kind == ARRAY_UNSIGNED && bits > INT64_MAX) out[i] = INT64_MAX;
    }
}

static const unsigned char *item_at(const array_layout *array, const unsigned char *data, size_t row, size_t column) {
    const size_t index = array->by_columns ? column * array->n_rows + row : row * array->n_columns + column;
    return data + index * array->item_bytes;
}

static bool is_double(const array_layout *array) {
    return array->kind == ARRAY_FLOAT && array->item_bytes == sizeof(double);
}

/* ---- Blocks of rows ---------------------------------------------------------------------------------------------- */

/* What the cells of a column may be, besides floats. */
enum { CELL_NOT_FINITE = 1, CELL_ROUNDED = 2 };

/* Rows first ... first + n of an array whose table has its values, or gets them here. */
typedef struct array_block {
    const array_layout *array;
    const unsigned char *data;
    float *values; /* of the table */
    bool is_in_place;
    size_t first, n;
    unsigned char *found; /* [n_columns]: which of the above the column's cells are */
} array_block;

static void convert_block(const array_block *block) {
    const array_layout *array = block->array;
    const size_t n_columns = array->n_columns;
    float *out = block->values + block->first * n_columns;
    if (!array->by_columns) {
        convert(array, item_at(array, block->data, block->first, 0), block->n * n_columns, out, 1);
        return;
    }
    for (size_t c = 0; c < n_columns; c++)
        convert(array, item_at(array, block->data, block->first, c), block->n, out + c, n_columns);
}

/* Without a branch, so that it is vector code. */
static bool are_finite(const float *values, size_t n) {
    int found = 0;
    for (size_t i = 0; i < n; i++) found |= !(fabsf(values[i]) < INFINITY);
    return !found;
}

static void examine_floats(const array_block *block) {
    const size_t n_columns = block->array->n_columns;
    if (are_finite(block->values + block->first * n_columns, block->n * n_columns)) return;
    for (size_t i = block->first; i < block->first + block->n; i++) {
        const float *row = block->values + i * n_columns;
        for (size_t c = 0; c < n_columns; c++) block->found[c] |= !(fabsf(row[c]) < INFINITY) ? CELL_NOT_FINITE : 0;
    }
}

/* Whether a double is no float: its float, as a double, is another. */
static bool is_rounded(double exact, float value) {
    return exact != (double)value && fabsf(value) < INFINITY;
}

static void examine_doubles(const array_block *block) {
    const array_layout *array = block->array;
    for (size_t i = block->first; i < block->first + block->n; i++) {
        const float *row = block->values + i * array->n_columns;
        for (size_t c = 0; c < array->n_columns; c++) {
            const double exact = bits_to_double(load(item_at(array, block->data, i, c), 8, array->big_endian));
            block->found[c] |= is_rounded(exact, row[c]) ? CELL_ROUNDED : 0;
        }
    }
}

static void read_block(const array_block *block) {
    if (!block->is_in_place) convert_block(block);
    if (block->array->kind == ARRAY_FLOAT || block->array->kind == ARRAY_BFLOAT) examine_floats(block);
    if (is_double(block->array)) examine_doubles(block);
}

static size_t count_threads(void) {
#ifdef _OPENMP
    return (size_t)omp_get_max_threads();
#else
    return 1;
#endif
}

/* Blocks fit into the cache; each thread has a range of rows. Gathers in `found` what the columns hold. */
static plethron_status read_blocks(const array_block *whole, unsigned char *found, plethron_error *err) {
    enum { BLOCK_VALUES = 1 << 14, MIN_THREAD_VALUES = 1 << 16 };
    const size_t n_rows = whole->array->n_rows, n_columns = whole->array->n_columns;
    const size_t block_rows = n_columns < BLOCK_VALUES ? BLOCK_VALUES / n_columns : 1;
    const size_t n_parts = size_smaller(count_threads(), n_rows * n_columns / MIN_THREAD_VALUES + 1);
    const size_t part_rows = (n_rows + n_parts - 1) / n_parts;
    void *memory = NULL;
    const plethron_status status = memory_allocate(n_parts, n_columns, "columns", &memory, err);
    if (status != PLETHRON_OK) return status;
    unsigned char *part_found = memory;
#pragma omp parallel for if (n_parts > 1)
    for (size_t part = 0; part < n_parts; part++) {
        const size_t end = size_smaller((part + 1) * part_rows, n_rows);
        array_block block = *whole;
        block.found = part_found + part * n_columns;
        for (block.first = part * part_rows; block.first < end; block.first += block.n) {
            block.n = size_smaller(block_rows, end - block.first);
            read_block(&block);
        }
    }
    for (size_t part = 0; part < n_parts; part++)
        for (size_t c = 0; c < n_columns; c++) found[c] |= part_found[part * n_columns + c];
    free(part_found);
    return PLETHRON_OK;
}

/* ---- Cells that no float is -------------------------------------------------------------------------------------- */

/* Whether the cell at `item`, which became `value`, is of this kind; `exact` is what it was. */
static bool is_found(const array_layout *array, const unsigned char *item, float value, int kind, double *exact) {
    *exact = is_double(array) ? bits_to_double(load(item, 8, array->big_endian)) : (double)value;
    if (kind == CELL_NOT_FINITE) return !(fabsf(value) < INFINITY);
    return is_rounded(*exact, value);
}

/* Notes the column's first cell of the kind, which is there. */
static plethron_status note_first(const array_block *whole, size_t column, int kind, table_cell **cell,
                                  plethron_error *err) {
    const array_layout *array = whole->array;
    const float *value = whole->values + column;
    double exact;
    size_t row = 0;
    while (!is_found(array, item_at(array, whole->data, row, column), value[row * array->n_columns], kind, &exact))
        row++;
    char text[NUMBER_PRINTED_SIZE];
    snprintf(text, sizeof text, kind == CELL_ROUNDED ? "%.17g" : "%g", isnan(exact) ? fabs(exact) : exact);
    return table_note(cell, kind == CELL_ROUNDED ? NUMBER_FINITE : NUMBER_NOT_FINITE, row, 0, text, strlen(text), err);
}

/* Infinities and what became one, too. */
static void set_missing(const array_block *whole, size_t column) {
    float *values = whole->values + column;
    for (size_t i = 0; i < whole->array->n_rows; i++)
        if (!(fabsf(values[i * whole->array->n_columns]) < INFINITY)) values[i * whole->array->n_columns] = NAN;
}

static plethron_status note_columns(const array_block *whole, const unsigned char *found, plethron_table *table,
                                    plethron_error *err) {
    plethron_status status;
    number_locale locale;
    TRY(number_locale_enter(&locale, err));
    for (size_t c = 0; c < table->n_columns && status == PLETHRON_OK; c++) {
        table_column *column = &table->columns[c];
        if (found[c] & CELL_NOT_FINITE) status = note_first(whole, c, CELL_NOT_FINITE, &column->no_number, err);
        if (status == PLETHRON_OK && found[c] & CELL_ROUNDED)
            status = note_first(whole, c, CELL_ROUNDED, &column->rounded, err);
        if (found[c] & CELL_NOT_FINITE) set_missing(whole, c);
    }
    number_locale_leave(locale);
out:
    return status;
}

/* ---- The whole --------------------------------------------------------------------------------------------------- */

static bool is_little_endian_machine(void) {
    const uint16_t one = 1;
    unsigned char first;
    memcpy(&first, &one, 1);
    return first == 1;
}

/* Floats that lie as the table's do stay where they are. */
static bool can_take_over(const array_layout *array) {
    return array->kind == ARRAY_FLOAT && array->item_bytes == sizeof(float) &&
           array->big_endian != is_little_endian_machine() && (!array->by_columns || array->n_columns == 1);
}

static plethron_status take_over(char **memory, size_t offset, const array_layout *array, plethron_table *table,
                                 plethron_error *err) {
    const plethron_status status = table_check_size(table, array->n_rows, array->n_columns, err);
    if (status != PLETHRON_OK) return status;
    if (offset % sizeof(float) != 0) {
        memmove(*memory, *memory + offset, array->n_rows * array->n_columns * sizeof(float));
        offset = 0;
    }
    table->memory = *memory;
    table->values = (float *)(void *)(*memory + offset);
    table->n_rows = array->n_rows;
    *memory = NULL;
    return PLETHRON_OK;
}

/* Converts and examines the values of a table that has its columns and room for them. */
static plethron_status read_values(const array_layout *array, const unsigned char *data, bool is_in_place,
                                   plethron_table *table, plethron_error *err) {
    plethron_status status;
    void *found = NULL;
    const array_block whole = {.array = array, .data = data, .values = table->values, .is_in_place = is_in_place};
    TRY(memory_allocate(array->n_columns, 1, "columns", &found, err));
    TRY(read_blocks(&whole, found, err));
    TRY(note_columns(&whole, found, table, err));
out:
    free(found);
    return status;
}

plethron_status array_read(const array_layout *array, char **memory, size_t offset, plethron_table *table,
                           plethron_error *err) {
    plethron_status status;
    const unsigned char *data = (const unsigned char *)*memory + offset;
    const bool is_in_place = can_take_over(array);
    TRY(table_add_numbered(table, 0, array->n_columns, err));
    if (is_in_place) {
        TRY(take_over(memory, offset, array, table, err));
        data = (const unsigned char *)table->values;
    } else
        TRY(table_make_values(table, array->n_rows, err));
    TRY(read_values(array, data, is_in_place, table, err));
out:
    return status;
}

plethron_status array_read_again(const array_layout *array, char *bytes, plethron_table *table, plethron_error *err) {
    plethron_status status = PLETHRON_OK;
    const bool is_in_place = can_take_over(array);
    table_forget_notes(table);
    if (is_in_place)
        table->values = (float *)(void *)bytes;
    else if (!table->memory)
        TRY(table_make_values(table, array->n_rows, err));
    table->n_rows = array->n_rows;
    TRY(read_values(array, (const unsigned char *)bytes, is_in_place, table, err));
out:
    return status;
}
