/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "lib/base/span.h"
#include "lib/http/host.h"

static void assert_span(weir_span_t actual, const char *expected)
{
    if (actual.len != strlen(expected) || (actual.len != 0 && memcmp(actual.base, expected, actual.len) != 0))
        fail_msg("'%.*s' instead of '%s'", (int)actual.len, actual.base, expected);
}

static weir_span_t span(const char *text)
{
    return (weir_span_t){text, strlen(text)};
}

static void splits(void **state)
{
    static const struct {
        const char *value, *host; /* host NULL: malformed */
        int port;
    } rows[] = {
        {"", "", -1},
        {":80", "", 80},
        {"a", "a", -1},
        {"Example.ORG", "Example.ORG", -1},
        {"a.b-c_d~e", "a.b-c_d~e", -1},
        {"a:0", "a", 0},
        {"a:80", "a", 80},
        {"a:00080", "a", 80},
        {"a:65535", "a", 65535},
        {"a:65536", NULL, 0},
        {"a:99999999999999999999", NULL, 0},
        {"a:", "a", -1},
        {"[::1]:", "[::1]", -1},
        {":", "", -1},
        {"a:b", NULL, 0},
        {"a:-1", NULL, 0},
        {"a:+1", NULL, 0},
        {"a: 1", NULL, 0},
        {"a:1 ", NULL, 0},
        {"a:1:2", NULL, 0},
        {"127.0.0.1:8080", "127.0.0.1", 8080},
        {"!$&'()*+,;=", "!$&'()*+,;=", -1},
        {"%41%c3:1", "%41%c3", 1},
        {"%4", NULL, 0},
        {"%", NULL, 0},
        {"%4g", NULL, 0},
        {"a%", NULL, 0},
        {"a%4:1", NULL, 0},
        {"a b", NULL, 0},
        {"a/b", NULL, 0},
        {"a@b", NULL, 0},
        {"u:p@b", NULL, 0},
        {"a?b", NULL, 0},
        {"a#b", NULL, 0},
        {"a\\b", NULL, 0},
        {"a\"b", NULL, 0},
        {"a<b", NULL, 0},
        {"a{b", NULL, 0},
        {"a\x7f", NULL, 0},
        {"\xc3\xa4", NULL, 0},
        {"[::1]", "[::1]", -1},
        {"[::1]:443", "[::1]", 443},
        {"[2001:DB8::a:ffff:192.0.2.1]", "[2001:DB8::a:ffff:192.0.2.1]", -1},
        {"[1:2:3:4:5:6:7:8]:1", "[1:2:3:4:5:6:7:8]", 1},
        {"[]", NULL, 0},
        {"[", NULL, 0},
        {"]", NULL, 0},
        {"[::1", NULL, 0},
        {"::1", NULL, 0},
        {"[::1]a", NULL, 0},
        {"[::1]]", NULL, 0},
        {"[::g]", NULL, 0},
        {"[127.0.0.1]", NULL, 0},
        {"[a.b]", NULL, 0},
        {"[v1.a]", NULL, 0},
        {"[::1%eth0]", NULL, 0},
        {"[fe80::1%25eth0]", NULL, 0},
        {"[1:2:3:4:5:6:7:8:9]", NULL, 0},
        {"[00000000000000000000000000000000000000000000000000000::1]", NULL, 0},
        {"a[::1]", NULL, 0},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        weir_span_t value = span(rows[i].value), host;
        int32_t port = 7;

        if (weir_host_split(value, &host, &port) != (rows[i].host != NULL))
            fail_msg("'%s'", rows[i].value);
        if (rows[i].host == NULL)
            continue;
        assert_span(host, rows[i].host);
        assert_int_equal(port, rows[i].port);
        assert_ptr_equal(host.base, value.base);
    }
}

static void takes_odd_spans(void **state)
{
    weir_span_t host;
    int32_t port;

    assert_true(weir_host_split((weir_span_t){NULL, 0}, &host, &port));
    assert_int_equal(host.len, 0);
    assert_int_equal(port, -1);
    assert_false(weir_host_split(WEIR_SPAN("a\0b"), &host, &port));
    assert_false(weir_host_split(WEIR_SPAN("[::1\0]"), &host, &port));
    assert_false(weir_host_split(WEIR_SPAN("a:1\0"), &host, &port));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(splits), cmocka_unit_test(takes_odd_spans)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
