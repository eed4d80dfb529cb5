/* Numbers from text: the nearest float whatever the digits, and what is no number. */
#include "io/number.h"
#include "support.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { SEED = 20261125, N_RANDOM = 3000000 };

static int enter(void **state) {
    static number_locale locale;
    *state = &locale;
    return number_locale_enter(&locale, NULL);
}

static int leave(void **state) {
    number_locale_leave(*(const number_locale *)*state);
    return 0;
}

/* A generator of random bits that is its own: splitmix64. */
static uint64_t draw(uint64_t *state) {
    uint64_t z = *state += UINT64_C(0x9E3779B97F4A7C15);
    z = (z ^ z >> 30) * UINT64_C(0xBF58476D1CE4E5B9);
    z = (z ^ z >> 27) * UINT64_C(0x94D049BB133111EB);
    return z ^ z >> 31;
}

static void expect_nearest(const char *text) {
    number got = {NAN, false};
    const char *end = number_scan(text, &got);
    if (end != text + strlen(text)) fail_msg("'%s': %zu bytes read", text, end ? (size_t)(end - text) : 0);
    const float expected = strtof(text, NULL);
    if (memcmp(&got.value, &expected, sizeof expected) != 0)
        fail_msg("'%s' is %a: %a was expected", text, (double)got.value, (double)expected);
}

/* ---- The nearest float ------------------------------------------------------------------------------------------- */

static void reads_edges(void **state) {
    (void)state;
    static const char *const texts[] = {
        "0",
        "-0",
        "+0.0",
        "0e999",
        "-0e-999",
        "1",
        "16777216",
        "16777217",
        "16777219",
        "33554433",
        "9007199254740993",
        "999999999999999999",
        "9999999999999999999",
        "18446744073709551615",
        "99999999999999999999999999",
        "3.4028234e38",
        "3.4028235e38",
        "3.40282351e38",
        "3.4028235677973366e38",
        "3.4028235677973367e38",
        "1e39",
        "1.1754943508222875e-38",
        "1.17549429e-38",
        "1.4e-45",
        "7.006492321624085e-46",
        "7.006492321624086e-46",
        "1e-46",
        "1e-400",
        "1e400",
        "0.000000000000000000000000000000000000000000000000000000000000001e60",
        "100000000000000000000000000000000000000000000000000e-60",
        "1e99999999999999999999",
        "1e-99999999999999999999",
        "0.0000000000000000000000000000000000000000000000000000000001",
        ".5",
        "5.",
        "+.5e+1",
        "1E5",
        "1e+05",
        /* the middle of two floats, and just beside it */
        "1.000000059604644775390625",
        "1.0000000596046447753906251",
        "1.0000000596046447753906249",
        "0.50000002980232238769531250",
        "8388608.5",
        "8388609.5",
        "8388608.50000000000000000000001",
        "1e10",
        "1e11",
        "123456789e-25",
        "1.00000017881393421514957253748434595763683319091796875001",
    };
    for (size_t i = 0; i < COUNT(texts); i++) expect_nearest(texts[i]);
}

/* Every float, printed with the digits that bring it back, comes back; and digits that lie between floats. */
static void reads_random_floats(void **state) {
    (void)state;
    uint64_t random = SEED;
    char text[64];
    print_message("seed %d\n", SEED);
    for (int i = 0; i < N_RANDOM; i++) {
        const uint64_t drawn = draw(&random);
        const uint32_t bits = (uint32_t)drawn;
        float value;
        memcpy(&value, &bits, sizeof value);
        if (!isfinite(value)) continue;
        const int digits = 1 + (int)(drawn >> 32) % 20;
        snprintf(text, sizeof text, drawn >> 63 ? "%.*e" : "%.*g", digits, (double)value);
        expect_nearest(text);
    }
}

static void reads_random_digits(void **state) {
    (void)state;
    uint64_t random = SEED + 1;
    char text[64];
    for (int i = 0; i < N_RANDOM; i++) {
        const uint64_t drawn = draw(&random), digits = draw(&random) >> (drawn & 63);
        const int n = snprintf(text, sizeof text, "%s%llu", drawn >> 62 == 0 ? "-" : "", (unsigned long long)digits);
        if (drawn >> 20 & 1) { /* a point somewhere */
            const int at = (text[0] == '-') + (int)(drawn >> 21 & 31) % n;
            memmove(text + at + 1, text + at, (size_t)(n - at) + 1);
            text[at] = '.';
        }
        if (drawn >> 30 & 1) snprintf(text + strlen(text), 8, "e%d", (int)(drawn >> 31 & 127) - 64);
        expect_nearest(text);
    }
}

/* Decimals that lie at, or a hair beside, the middle of two floats. */
static void reads_random_middles(void **state) {
    (void)state;
    uint64_t random = SEED + 2;
    char text[64];
    for (int i = 0; i < N_RANDOM / 10; i++) {
        const uint64_t drawn = draw(&random);
        const uint32_t bits = (uint32_t)drawn & 0x7FFFFFFF;
        float value;
        memcpy(&value, &bits, sizeof value);
        if (!isfinite(value) || value == FLT_MAX) continue;
        const double middle = ((double)value + (double)nextafterf(value, FLT_MAX)) / 2;
        snprintf(text, sizeof text, "%.*e", 15 + (int)(drawn >> 32) % 20, middle);
        expect_nearest(text);
    }
}

static void says_what_was_rounded(void **state) {
    (void)state;
    static const struct {
        const char *text;
        bool is_rounded;
    } cases[] = {
        {"0.1", false},
        {"0.123456", false},
        {"0.1234567", true},
        {"1.000000000000000000e+00", false},
        {"0.5000000", false},
        {"16777217", false},
        {"1.2345678", true},
        {"2.500000000000000000e-01", false},
        {"1e30", false},
        {"0.1000000015", true},
        {"12345678.5", true},
        {"0.00000000000000000000000000000", false},
        {"1e-45", true},
        {"0.1000000000000000055511151231257827", true},
        {"1.00000000000000000000000000", false},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        number got;
        assert_non_null(number_scan(cases[i].text, &got));
        if (got.is_rounded != cases[i].is_rounded) fail_msg("'%s': rounded %d", cases[i].text, got.is_rounded);
    }
}

/* ---- What is no number ------------------------------------------------------------------------------------------- */

static void tells_kinds_apart(void **state) {
    (void)state;
    static const struct {
        const char *text;
        number_kind kind;
    } cases[] = {
        {"", NUMBER_MISSING},
        {"1", NUMBER_FINITE},
        {"-1e3", NUMBER_FINITE},
        {"nan", NUMBER_NOT_FINITE},
        {"-NaN", NUMBER_NOT_FINITE},
        {"inf", NUMBER_NOT_FINITE},
        {"+Infinity", NUMBER_NOT_FINITE},
        {"1e39", NUMBER_NOT_FINITE},
        {"-1e999", NUMBER_NOT_FINITE},
        {"infinite", NUMBER_TEXT},
        {"0x10", NUMBER_TEXT},
        {"1e", NUMBER_TEXT},
        {"1e+", NUMBER_TEXT},
        {".", NUMBER_TEXT},
        {"-", NUMBER_TEXT},
        {"+-1", NUMBER_TEXT},
        {"1.2.3", NUMBER_TEXT},
        {"1 ", NUMBER_TEXT},
        {" 1", NUMBER_TEXT},
        {"1_0", NUMBER_TEXT},
        {"e5", NUMBER_TEXT},
        {"1f", NUMBER_TEXT},
        {"nano", NUMBER_TEXT},
        {".e1", NUMBER_TEXT},
        {"na", NUMBER_TEXT},
        {"1e5.", NUMBER_TEXT},
        {"--1", NUMBER_TEXT},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        number got = {7.0f, false};
        const number_kind kind = number_read(cases[i].text, strlen(cases[i].text), &got);
        if (kind != cases[i].kind) fail_msg("'%s' is of kind %d, not %d", cases[i].text, kind, cases[i].kind);
        if (kind != NUMBER_FINITE) assert_true(got.value == 7.0f);
    }
    number got;
    assert_int_equal(number_read("12,3", 2, &got), NUMBER_FINITE);
    assert_true(got.value == 12.0f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
#define TEST(function) cmocka_unit_test_setup_teardown(function, enter, leave)
        TEST(reads_edges),          TEST(reads_random_floats),   TEST(reads_random_digits),
        TEST(reads_random_middles), TEST(says_what_was_rounded), TEST(tells_kinds_apart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
