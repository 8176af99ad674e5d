/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "lib/base/span.h"
#include "lib/http/token_list.h"

static void assert_span(weir_span_t actual, const char *expected)
{
    if (actual.len != strlen(expected) || (actual.len != 0 && memcmp(actual.base, expected, actual.len) != 0))
        fail_msg("'%.*s' instead of '%s'", (int)actual.len, actual.base, expected);
}

static weir_span_t span(const char *text)
{
    return (weir_span_t){text, strlen(text)};
}

static void knows_token_characters(void **state)
{
    for (int c = 0; c < 256; c++) {
        bool expected = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                        (c != 0 && strchr("!#$%&'*+-.^_`|~", c) != NULL);
        char byte = (char)c;
        assert_int_equal(weir_is_token_char(byte), expected);
        assert_int_equal(weir_is_token((weir_span_t){&byte, 1}), expected);
    }
}

static void knows_tokens(void **state)
{
    assert_true(weir_is_token(WEIR_SPAN("100-continue")));
    assert_false(weir_is_token(WEIR_SPAN("")));
    assert_false(weir_is_token((weir_span_t){NULL, 0}));
    assert_false(weir_is_token(WEIR_SPAN("a b")));
    assert_false(weir_is_token(WEIR_SPAN("a\0")));
    assert_false(weir_is_token(WEIR_SPAN("a/b")));
}

static void splits_lists(void **state)
{
    static const struct {
        const char *list, *elements; /* the latter each followed by '|' */
    } rows[] = {
        {"", ""},
        {",", ""},
        {" \t,, ", ""},
        {"a", "a|"},
        {" a ", "a|"},
        {"a,b", "a|b|"},
        {",a,", "a|"},
        {" a b ,\tc\t,,d", "a b|c|d|"},
        {"a;q=\"b,c\"", "a;q=\"b|c\"|"},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        weir_span_t list = span(rows[i].list), element;
        char got[100] = "";

        while (weir_token_list_next(&list, &element)) {
            strncat(got, element.base, element.len);
            strcat(got, "|");
        }
        assert_string_equal(got, rows[i].elements);
        assert_false(weir_token_list_next(&list, &element));
    }
}

static void has_elements(void **state)
{
    assert_true(weir_token_list_has(WEIR_SPAN("keep-alive, Upgrade"), WEIR_SPAN("upgrade")));
    assert_true(weir_token_list_has(WEIR_SPAN("CLOSE"), WEIR_SPAN("close")));
    assert_false(weir_token_list_has(WEIR_SPAN("closed, xclose, lose"), WEIR_SPAN("close")));
    assert_false(weir_token_list_has(WEIR_SPAN("close x"), WEIR_SPAN("close")));
    assert_false(weir_token_list_has(WEIR_SPAN(""), WEIR_SPAN("close")));
    assert_false(weir_token_list_has((weir_span_t){NULL, 0}, WEIR_SPAN("close")));
}

static void takes_elements(void **state)
{
    weir_span_t list = WEIR_SPAN("a , b"), element;

    assert_true(weir_token_list_next(&list, &element));
    assert_span(element, "a");
    assert_span(list, " b");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(knows_token_characters), cmocka_unit_test(knows_tokens),   cmocka_unit_test(splits_lists),
        cmocka_unit_test(has_elements),           cmocka_unit_test(takes_elements),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
