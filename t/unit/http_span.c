/* SPDX-License-Identifier: MIT */
/* The small questions about spans that routers and stages ask (weir_span.h). What is asked about ends where its span ends. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "weir_span.h"

static const weir_span_t none = {NULL, 0};

/* A copy with nothing behind it, so that whoever reads too far is seen. */
static weir_span_t lend_bytes(const char *bytes, size_t len)
{
    char *copy = malloc(len);

    assert_true(copy != NULL || len == 0);
    if (len != 0)
        memcpy(copy, bytes, len);
    return (weir_span_t){copy, len};
}

static weir_span_t lend(const char *text)
{
    return lend_bytes(text, strlen(text));
}

static void give_back(weir_span_t span)
{
    free((void *)(uintptr_t)span.base);
}

/* ---- equal ---- */

static void the_same_bytes_are_equal(void **state)
{
    assert_true(weir_span_equal(WEIR_SPAN("abc"), WEIR_SPAN("abc")));
    assert_false(weir_span_equal(WEIR_SPAN("abc"), WEIR_SPAN("abd")));
    assert_false(weir_span_equal(WEIR_SPAN("abc"), WEIR_SPAN("bbc")));
    assert_false(weir_span_equal(WEIR_SPAN("abc"), WEIR_SPAN("abC")));
    assert_false(weir_span_equal(WEIR_SPAN("abc"), WEIR_SPAN("ab")));
    assert_false(weir_span_equal(WEIR_SPAN("ab"), WEIR_SPAN("abc")));
    assert_true(weir_span_equal(WEIR_SPAN("a\0b"), WEIR_SPAN("a\0b")));
    assert_false(weir_span_equal(WEIR_SPAN("a\0b"), WEIR_SPAN("a\0c")));
}

static void what_has_no_base_equals_what_is_empty(void **state)
{
    assert_true(weir_span_equal(none, none));
    assert_true(weir_span_equal(none, WEIR_SPAN("")));
    assert_true(weir_span_equal(WEIR_SPAN(""), none));
    assert_false(weir_span_equal(none, WEIR_SPAN("a")));
    assert_true(weir_span_equal_nocase(none, none));
    assert_true(weir_span_equal_nocase(none, WEIR_SPAN("")));
    assert_true(weir_span_equal_nocase(WEIR_SPAN(""), none));
    assert_false(weir_span_equal_nocase(WEIR_SPAN("a"), none));
}

static int lower(int c)
{
    return c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c;
}

/* Words of eight bytes are compared at once: every byte against every other, at the ends and in the middle of them. */
static void only_letters_have_a_case(void **state)
{
    static const size_t lengths[] = {1, 2, 3, 4, 7, 8, 9, 17};

    for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
        const size_t length = lengths[i], at = (i * 5) % length;
        char a[17], b[17];

        memset(a, 'x', sizeof(a));
        memset(b, 'X', sizeof(b));
        for (int c = 0; c < 256; c++) {
            for (int d = 0; d < 256; d++) {
                a[at] = (char)c;
                b[at] = (char)d;
                if (weir_span_equal_nocase((weir_span_t){a, length}, (weir_span_t){b, length}) != (lower(c) == lower(d)))
                    fail_msg("%02x and %02x at %zu of %zu", (unsigned)c, (unsigned)d, at, length);
            }
        }
    }
}

static void a_byte_that_differs_is_seen_wherever_it_stands(void **state)
{
    static const char lower_case[] = "abcdefghijklmnopqrstuvwxyz0123456789",
                      upper_case[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";

    for (size_t length = 1; length <= 36; length++) {
        weir_span_t a = lend_bytes(lower_case, length), b = lend_bytes(upper_case, length);

        assert_true(weir_span_equal_nocase(a, b));
        assert_false(weir_span_equal_nocase(a, (weir_span_t){b.base, length - 1}));
        assert_false(weir_span_equal_nocase((weir_span_t){a.base, length - 1}, b));
        for (size_t at = 0; at < length; at++) {
            char *byte = (char *)(uintptr_t)b.base + at, before = *byte;
            *byte = '-';
            assert_false(weir_span_equal_nocase(a, b));
            *byte = before;
        }
        give_back(a);
        give_back(b);
    }
}

/* ---- is, starts_with ---- */

static void a_span_is_a_text_or_not(void **state)
{
    assert_true(weir_span_is(WEIR_SPAN("abc"), "abc"));
    assert_true(weir_span_is((weir_span_t){"abcdef", 3}, "abc"));
    assert_false(weir_span_is(WEIR_SPAN("abc"), "abcd"));
    assert_false(weir_span_is(WEIR_SPAN("abc"), "ab"));
    assert_false(weir_span_is(WEIR_SPAN("abc"), "ABC"));
    assert_false(weir_span_is(WEIR_SPAN("abc\0"), "abc"));
    assert_false(weir_span_is(WEIR_SPAN("a\0c"), "a"));
    assert_true(weir_span_is(WEIR_SPAN(""), ""));
    assert_false(weir_span_is(WEIR_SPAN("a"), ""));
}

static void what_is_not_there_is_no_text(void **state)
{
    assert_false(weir_span_is(none, ""));
    assert_false(weir_span_is(none, "a"));
}

static void a_span_begins_with_its_prefixes(void **state)
{
    static const char text[] = "/api/v1";
    weir_span_t span = lend(text);

    for (size_t length = 0; length <= span.len; length++) {
        weir_span_t prefix = lend_bytes(text, length);

        assert_true(weir_span_starts_with(span, prefix));
        assert_true(weir_span_starts_with(prefix, prefix));
        if (length < span.len)
            assert_false(weir_span_starts_with(prefix, span));
        for (size_t at = 0; at < length; at++) {
            char *byte = (char *)(uintptr_t)prefix.base + at, before = *byte;
            *byte ^= 0x20;
            assert_false(weir_span_starts_with(span, prefix));
            *byte = before;
        }
        give_back(prefix);
    }
    give_back(span);
}

static void every_span_begins_with_an_empty_one(void **state)
{
    assert_true(weir_span_starts_with(WEIR_SPAN("a"), WEIR_SPAN("")));
    assert_true(weir_span_starts_with(WEIR_SPAN("a"), none));
    assert_true(weir_span_starts_with(WEIR_SPAN(""), none));
    assert_true(weir_span_starts_with(none, WEIR_SPAN("")));
    assert_true(weir_span_starts_with(none, none));
    assert_false(weir_span_starts_with(none, WEIR_SPAN("a")));
    assert_false(weir_span_starts_with(WEIR_SPAN(""), WEIR_SPAN("a")));
}

/* ---- to_text ---- */

static void what_fits_becomes_a_string(void **state)
{
    static const char text[] = "abcdefghijklmnopqrstuvwxyz0123456789ABCD";

    for (size_t length = 0; length < sizeof(text); length++) {
        weir_span_t span = lend_bytes(text, length);
        char *buffer = malloc(length + 1);

        memset(buffer, '#', length + 1);
        assert_true(weir_span_to_text(span, buffer, length + 1)); /* it just fits */
        assert_int_equal(strlen(buffer), length);
        assert_memory_equal(buffer, text, length);
        if (length != 0) {
            memset(buffer, '#', length + 1);
            assert_false(weir_span_to_text(span, buffer, length)); /* a byte too few */
            assert_string_equal(buffer, "");
            assert_int_equal(buffer[length], '#');
        }
        free(buffer);
        give_back(span);
    }
}

static void a_string_holds_no_nul(void **state)
{
    char buffer[8];

    for (size_t at = 0; at < 5; at++) {
        char bytes[] = "abcde";

        bytes[at] = '\0';
        strcpy(buffer, "before");
        assert_false(weir_span_to_text((weir_span_t){bytes, 5}, buffer, sizeof(buffer)));
        assert_string_equal(buffer, "");
    }
    assert_true(weir_span_to_text(WEIR_SPAN("\x01\x7f\x80\xff"), buffer, sizeof(buffer)));
    assert_string_equal(buffer, "\x01\x7f\x80\xff");
}

static void nothing_is_an_empty_string(void **state)
{
    char buffer[2] = "#";

    assert_true(weir_span_to_text(none, buffer, 1));
    assert_string_equal(buffer, "");
    strcpy(buffer, "#");
    assert_true(weir_span_to_text(WEIR_SPAN(""), buffer, 1));
    assert_string_equal(buffer, "");
}

/* ---- to_number ---- */

static void assert_number(const char *text, uint64_t expected)
{
    weir_span_t span = lend(text);
    uint64_t number = 77;

    if (!weir_span_to_number(span, &number) || number != expected)
        fail_msg("'%s' is %llu", text, (unsigned long long)number);
    give_back(span);
}

static void assert_no_number(weir_span_t span)
{
    uint64_t number = 77;

    if (weir_span_to_number(span, &number))
        fail_msg("'%.*s' is a number", (int)span.len, span.base);
    assert_int_equal(number, 77);
}

static void digits_are_a_number(void **state)
{
    assert_number("0", 0);
    assert_number("9", 9);
    assert_number("10", 10);
    assert_number("007", 7);
    assert_number("4294967296", UINT64_C(4294967296));
    assert_number("9223372036854775799", UINT64_C(9223372036854775799));
    assert_number("9223372036854775800", UINT64_C(9223372036854775800));
    assert_number("9223372036854775807", INT64_MAX);
    assert_number("00000000000000000000000000009223372036854775807", INT64_MAX);
}

static void what_is_too_large_is_none(void **state)
{
    assert_no_number(WEIR_SPAN("9223372036854775808"));
    assert_no_number(WEIR_SPAN("9223372036854775809"));
    assert_no_number(WEIR_SPAN("9223372036854775810"));
    assert_no_number(WEIR_SPAN("18446744073709551615"));
    assert_no_number(WEIR_SPAN("18446744073709551616"));
    assert_no_number(WEIR_SPAN("18446744073709551617")); /* 1, modulo 2^64 */
    assert_no_number(WEIR_SPAN("99999999999999999999999999999999999999999"));
}

static void whatever_else_stands_there_is_none(void **state)
{
    static const char *const texts[] = {"+1", "-1", " 1", "1 ", "1\t", "\n1", "0x1", "1.0", "1e1", "1,0", "a", "1a", "١"};

    assert_no_number(none);
    assert_no_number(WEIR_SPAN(""));
    assert_no_number(WEIR_SPAN("1\0"));
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        assert_no_number((weir_span_t){texts[i], strlen(texts[i])});
    for (int c = 0; c < 256; c++) {
        char digits[] = "123";

        digits[1] = (char)c;
        if (c < '0' || c > '9')
            assert_no_number((weir_span_t){digits, 3});
    }
}

/* ---- cookie, parameter ---- */

typedef struct row {
    const char *text, *name, *value; /* NULL: there is none */
} row_t;

typedef weir_span_t look_t(weir_span_t text, weir_span_t name);

static void assert_rows(look_t *look, const row_t *rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const weir_span_t text = lend(rows[i].text), name = lend(rows[i].name), found = look(text, name);
        const char *value = rows[i].value;

        if (value == NULL) {
            if (found.base != NULL || found.len != 0)
                fail_msg("'%s' has '%s': '%.*s'", rows[i].text, rows[i].name, (int)found.len, found.base);
        } else if (!weir_span_is(found, value)) {
            fail_msg("'%s' of '%s' is '%.*s', not '%s'", rows[i].name, rows[i].text, (int)found.len, found.base, value);
        } else {
            assert_true(found.base >= text.base && found.base + found.len <= text.base + text.len); /* as it was sent */
        }
        give_back(text);
        give_back(name);
    }
}

static const row_t cookies[] = {
    {"a=1", "a", "1"},
    {"a=1", "b", NULL},
    {"a=1; b=2", "a", "1"},
    {"a=1; b=2", "b", "2"},
    {"a=1; b=2; c=3", "b", "2"},
    {"a=1; b=2; c=3", "c", "3"},
    {"SID=31d4d96e407aad42; lang=en-US", "lang", "en-US"}, /* RFC 6265 §3.1 */
    /* blanks between them, or none */
    {"a=1;b=2", "b", "2"},
    {"a=1 ;\t b=2\t", "a", "1"},
    {"a=1 ;\t b=2\t", "b", "2"},
    {" \ta=1", "a", "1"},
    {"a=b c", "a", "b c"},
    {"a =1", "a", NULL},
    /* several of one name: the first */
    {"a=1; a=2", "a", "1"},
    {"a=; a=2", "a", ""},
    /* prefixes, and names within others */
    {"ab=1", "a", NULL},
    {"ab=1; a=2", "a", "2"},
    {"a=1; ab=2", "ab", "2"},
    {"xa=1; a=2", "a", "2"},
    {"b=a=1", "a", NULL},
    {"b=a; a=1", "a", "1"},
    {"a", "ab", NULL},
    /* case */
    {"A=1", "a", NULL},
    {"A=1; a=2", "a", "2"},
    /* empty, or without a value */
    {"a=", "a", ""},
    {"a=; b=1", "a", ""},
    {"b=1; a=", "a", ""},
    {"a", "a", NULL},
    {"a; a=1", "a", "1"},
    {"", "a", NULL},
    {" ", "a", NULL},
    {";", "a", NULL},
    {"; ;;", "a", NULL},
    {"; ;;a=1;", "a", "1"},
    {"=1", "a", NULL},
    {"=a", "a", NULL},
    /* what belongs to the value */
    {"a=b=c", "a", "b=c"},
    {"a==", "a", "="},
    {"a=1,b=2", "a", "1,b=2"},
    {"a=%22x%22", "a", "%22x%22"},
    /* quotes around it */
    {"a=\"1\"", "a", "1"},
    {"a=\"1\"; b=2", "a", "1"},
    {"a=\"b c\" ; d=2", "a", "b c"},
    {"a=\"\"", "a", ""},
    {"a=\"\"; b=1", "a", ""},
    {"a=\"", "a", "\""},
    {"a=\"; b=\"", "a", "\""},
    {"a=\"1", "a", "\"1"},
    {"a=1\"", "a", "1\""},
    {"a=\"\"1\"\"", "a", "\"1\""},
    {"a=x\"1\"", "a", "x\"1\""},
};

static void finds_cookies(void **state)
{
    assert_rows(weir_span_cookie, cookies, sizeof(cookies) / sizeof(cookies[0]));
    assert_null(weir_span_cookie(none, WEIR_SPAN("a")).base);
}

static const row_t parameters[] = {
    {"a=1", "a", "1"},
    {"a=1", "b", NULL},
    {"a=1&b=2", "a", "1"},
    {"a=1&b=2", "b", "2"},
    {"a=1&b=2&c=3", "b", "2"},
    {"a=1&b=2&c=3", "c", "3"},
    /* several of one name: the first */
    {"a=1&a=2", "a", "1"},
    {"a&a=2", "a", ""},
    {"a=&a=2", "a", ""},
    /* prefixes, and names within others */
    {"ab=1", "a", NULL},
    {"ab", "a", NULL},
    {"a", "ab", NULL},
    {"ab=1&a=2", "a", "2"},
    {"ab&a=2", "a", "2"},
    {"a=1&ab=2", "ab", "2"},
    {"b=a", "a", NULL},
    {"b=a=1", "a", NULL},
    {"b=a&a=1", "a", "1"},
    /* empty, or without a value */
    {"a", "a", ""},
    {"a=", "a", ""},
    {"a&b", "a", ""},
    {"a&b", "b", ""},
    {"b&a=", "a", ""},
    {"", "a", NULL},
    {"&", "a", NULL},
    {"&&", "a", NULL},
    {"&&a=1", "a", "1"},
    {"a=1&", "a", "1"},
    {"=a", "a", NULL},
    /* as sent */
    {"a=b=c", "a", "b=c"},
    {"a==", "a", "="},
    {"a=1;b=2", "a", "1;b=2"},
    {"a=1;b=2", "b", NULL},
    {"a=%26b%3d1+2", "a", "%26b%3d1+2"},
    {"%61=1", "a", NULL},
    {"%61=1&a=2", "a", "2"},
    {"%61=1", "%61", "1"},
    {"A=1", "a", NULL},
    {" a=1", "a", NULL},
    {"a =1", "a", NULL},
    {"a= 1 ", "a", " 1 "},
    {"a=\"1\"", "a", "\"1\""},
    {"a=1?a=2", "a", "1?a=2"},
};

static void finds_parameters(void **state)
{
    assert_rows(weir_span_parameter, parameters, sizeof(parameters) / sizeof(parameters[0]));
    assert_null(weir_span_parameter(none, WEIR_SPAN("a")).base);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_same_bytes_are_equal),
        cmocka_unit_test(what_has_no_base_equals_what_is_empty),
        cmocka_unit_test(only_letters_have_a_case),
        cmocka_unit_test(a_byte_that_differs_is_seen_wherever_it_stands),
        cmocka_unit_test(a_span_is_a_text_or_not),
        cmocka_unit_test(what_is_not_there_is_no_text),
        cmocka_unit_test(a_span_begins_with_its_prefixes),
        cmocka_unit_test(every_span_begins_with_an_empty_one),
        cmocka_unit_test(what_fits_becomes_a_string),
        cmocka_unit_test(a_string_holds_no_nul),
        cmocka_unit_test(nothing_is_an_empty_string),
        cmocka_unit_test(digits_are_a_number),
        cmocka_unit_test(what_is_too_large_is_none),
        cmocka_unit_test(whatever_else_stands_there_is_none),
        cmocka_unit_test(finds_cookies),
        cmocka_unit_test(finds_parameters),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
