/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lib/http/json_bounds.h"

static bool is_bounded(const char *text)
{
    return weir_json_is_bounded((weir_span_t){text, strlen(text)});
}

/* `before`, `count` times `piece`, and `behind`. */
static bool is_bounded_with(const char *before, const char *piece, size_t count, const char *behind)
{
    const size_t length = strlen(piece);
    char *text = malloc(strlen(before) + count * length + strlen(behind) + 1), *at = stpcpy(text, before);

    for (size_t i = 0; i < count; i++)
        at = stpcpy(at, piece);
    strcpy(at, behind);
    const bool answer = is_bounded(text);
    free(text);
    return answer;
}

static void bounds_depth(void **state)
{
    assert_true(is_bounded_with("", "[", WEIR_JSON_DEPTH, ""));
    assert_false(is_bounded_with("", "[", WEIR_JSON_DEPTH + 1, ""));
    assert_false(is_bounded_with("", "{\"a\":", WEIR_JSON_DEPTH + 1, ""));
    assert_true(is_bounded_with("[", "[],", (size_t)WEIR_JSON_DEPTH * 2, "1]"));
    assert_true(is_bounded_with("\"", "[", (size_t)WEIR_JSON_DEPTH * 2, "\""));
}

static void bounds_keys(void **state)
{
    assert_true(is_bounded_with("{", "\"a\":1,", WEIR_JSON_KEYS, "}"));
    assert_false(is_bounded_with("{", "\"a\":1,", WEIR_JSON_KEYS + 1, "}"));
    assert_true(is_bounded_with("[", "{\"a\":{\"a\":1}},", WEIR_JSON_KEYS, "1]"));
    assert_false(is_bounded_with("{\"a\":{},", "\"a\":{\"b\":[1,2]},", WEIR_JSON_KEYS, "}"));
    assert_true(is_bounded_with("{\"", ":", (size_t)WEIR_JSON_KEYS * 2, "\":1}"));
}

static void bounds_values(void **state)
{
    assert_true(is_bounded_with("[", "1,", WEIR_JSON_VALUES - 1, "1]"));
    assert_false(is_bounded_with("[", "1,", WEIR_JSON_VALUES, "1]"));
    assert_false(is_bounded_with("[", "{},", WEIR_JSON_VALUES / 2, "1]"));
    assert_true(is_bounded_with("[\"", ",", (size_t)WEIR_JSON_VALUES * 2, "\"]"));
}

/* No bytes are read that are not there, which sanitizers would tell. */
static void reads_anything(void **state)
{
    static const char *const rows[] = {"", "\"", "\"\\", "\"\\\"", "{\"a", "]]]}}}", ":::", "\\", "\"\\\\\",[", "\xff\xfe"};

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const size_t length = strlen(rows[i]);
        char *exact = malloc(length + 1); /* room for none */
        memcpy(exact, rows[i], length);
        exact = realloc(exact, length == 0 ? 1 : length);
        assert_true(weir_json_is_bounded((weir_span_t){exact, length}));
        free(exact);
    }
}

/* A quotation mark that is escaped ends no string. */
static void knows_strings(void **state)
{
    assert_true(is_bounded_with("[\"\\\"", "[", WEIR_JSON_DEPTH + 1, "\"]"));
    assert_false(is_bounded_with("[\"\\\\\"", "[", WEIR_JSON_DEPTH + 1, "\"]"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bounds_depth),   cmocka_unit_test(bounds_keys),   cmocka_unit_test(bounds_values),
        cmocka_unit_test(reads_anything), cmocka_unit_test(knows_strings),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
