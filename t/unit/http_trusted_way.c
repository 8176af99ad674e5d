/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lib/base/span.h"
#include "lib/http/trusted_way.h"

enum { TRUSTED = 4 };

static weir_span_t span(const char *text)
{
    return (weir_span_t){text, strlen(text)};
}

/* "client port scheme" and below it what is left of the headers, a line each. The request's are "Name: value\n". */
static const char *way_of(const char *peer, const char *lines)
{
    static const char *const texts[TRUSTED] = {"10.0.0.0/8", "192.0.2.7", "2001:db8:1::/48", "unix"};
    static char out[4096];
    weir_network_t trusted[TRUSTED];
    weir_headers_t headers = {NULL, 0, 0};
    weir_arena_t arena;
    char *at = out;

    for (size_t i = 0; i < TRUSTED; i++)
        assert_true(weir_network_read(texts[i], &trusted[i]));
    weir_arena_init(&arena);
    for (const char *line = lines; *line != '\0'; line = strchr(line, '\n') + 1) {
        const char *colon = strstr(line, ": "), *end = strchr(line, '\n');
        weir_headers_add(&headers, &arena, (weir_span_t){line, (size_t)(colon - line)},
                         (weir_span_t){colon + 2, (size_t)(end - colon - 2)});
    }
    weir_trusted_way_t way = weir_trusted_way(&headers, &arena, span(peer), trusted, TRUSTED);
    at += sprintf(at, "%.*s %u %.*s\n", (int)way.client_ip.len, way.client_ip.base != NULL ? way.client_ip.base : "",
                  way.client_port, (int)way.scheme.len, way.scheme.base != NULL ? way.scheme.base : "");
    for (size_t i = 0; i < headers.count; i++)
        at += sprintf(at, "%.*s: %.*s\n", (int)headers.at[i].name.len, headers.at[i].name.base, (int)headers.at[i].value.len,
                      headers.at[i].value.base);
    weir_arena_finish(&arena);
    return out;
}

static void nobody_else_is_believed(void **state)
{
    assert_string_equal(way_of("198.51.100.9", "X-Forwarded-For: 10.0.0.1\nA: b\nX-Forwarded-Proto: https\n"
                                               "X-Forwarded-Host: h\nForwarded: for=1.2.3.4\nx-forwarded-for: 1.1.1.1\n"),
                        " 0 \nA: b\n");
    assert_string_equal(way_of("2001:db8:2::1", "X-Forwarded-For: 10.0.0.1\n"), " 0 \n");
    assert_string_equal(way_of("", "X-Forwarded-For: 10.0.0.1\n"), " 0 \n");
}

static void the_nearest_that_is_not_trusted_is_the_client(void **state)
{
    assert_string_equal(way_of("10.0.0.1", "X-Forwarded-For: 198.51.100.7\n"),
                        "198.51.100.7 0 \nX-Forwarded-For: 198.51.100.7\n");
    assert_string_equal(way_of("10.0.0.1", "X-Forwarded-For: 1.1.1.1, 198.51.100.7, 10.9.9.9,192.0.2.7\n"),
                        "198.51.100.7 0 \nX-Forwarded-For: 198.51.100.7, 10.9.9.9, 192.0.2.7\n");
    assert_string_equal(
        way_of("unix", "X-Forwarded-For: 1.1.1.1\nB: c\nX-Forwarded-For: 198.51.100.7\nX-Forwarded-For: 10.0.0.3\n"),
        "198.51.100.7 0 \nX-Forwarded-For: 198.51.100.7, 10.0.0.3\nB: c\n");
    assert_string_equal(way_of("10.0.0.1", "X-Forwarded-For: 10.0.0.4, 10.0.0.3\n"),
                        "10.0.0.4 0 \nX-Forwarded-For: 10.0.0.4, 10.0.0.3\n");
    assert_string_equal(way_of("10.0.0.1", "A: b\n"), " 0 \nA: b\n");
}

static void addresses_have_many_forms(void **state)
{
    static const char *const forms[][2] = {
        {"198.51.100.7:8080", "198.51.100.7 8080 "}, {"2001:DB8:2::1", "2001:db8:2::1 0 "},
        {"[2001:db8:2::1]", "2001:db8:2::1 0 "},     {"[2001:db8:2::1]:99", "2001:db8:2::1 99 "},
        {"::ffff:198.51.100.7", "198.51.100.7 0 "},
    };
    char line[100], expected[100];

    for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
        snprintf(line, sizeof(line), "X-Forwarded-For: %s\n", forms[i][0]);
        snprintf(expected, sizeof(expected), "%s\n", forms[i][1]);
        assert_memory_equal(way_of("2001:db8:1::5", line), expected, strlen(expected));
    }
}

static void what_is_malformed_ends_the_walk(void **state)
{
    static const char *const wrong[] = {"unknown",   "_hidden",         "unix",      "1.2.3",       "1.2.3.4/8",
                                        "1.2.3.4:x", "1.2.3.4:65536",   "[1.2.3.4]", "[::1",        "[::1]x",
                                        "a b",       "::1::",           "1.2.3.4:",  "\"1.2.3.4\"", "1.2.3.4 5",
                                        "-",         "1.2.3.4;5.6.7.8", "10.0.0.0/8"};
    char line[200];

    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        snprintf(line, sizeof(line), "X-Forwarded-For: 5.5.5.5, %s, 10.0.0.3\n", wrong[i]);
        assert_string_equal(way_of("10.0.0.1", line), "10.0.0.3 0 \nX-Forwarded-For: 10.0.0.3\n");
        snprintf(line, sizeof(line), "X-Forwarded-For: 5.5.5.5, %s\n", wrong[i]);
        assert_string_equal(way_of("10.0.0.1", line), " 0 \n");
    }
    assert_string_equal(way_of("10.0.0.1", "X-Forwarded-For: 5.5.5.5, , 10.0.0.3 ,, \n"),
                        "5.5.5.5 0 \nX-Forwarded-For: 5.5.5.5, 10.0.0.3\n"); /* empty elements are none */
}

static void forwarded_counts_alone(void **state)
{
    assert_string_equal(
        way_of("10.0.0.1",
               "Forwarded: for=1.1.1.1, For=\"[2001:db8:2::1]:4711\";proto=HTTPS;by=_x;host=\"a,b;c\", for=10.0.0.3\n"),
        "2001:db8:2::1 4711 https\nForwarded: For=\"[2001:db8:2::1]:4711\";proto=HTTPS;by=_x;host=\"a,b;c\", for=10.0.0.3\n"
        "X-Forwarded-For: 2001:db8:2::1, 10.0.0.3\n");
    assert_string_equal(way_of("10.0.0.1", "Forwarded: for=5.5.5.5\nX-Forwarded-For: 198.51.100.7\n"),
                        "198.51.100.7 0 \nX-Forwarded-For: 198.51.100.7\n");
    assert_string_equal(
        way_of("10.0.0.1", "Forwarded: for=5.5.5.5\nForwarded: for=198.51.100.7, for=10.0.0.4\n"),
        "198.51.100.7 0 \nForwarded: for=198.51.100.7, for=10.0.0.4\nX-Forwarded-For: 198.51.100.7, 10.0.0.4\n");
}

static void malformed_ones_are_ignored(void **state)
{
    static const char *const wrong[] = {
        "for=unknown",       "for=_x",      "proto=https", "for",           "for=1.2.3.4;for=1.2.3.5",
        "for=\"2001:db8::1", "for=\"1.2\\", "=;=",         "for=1.2.3.4;x", "for=\"1.2.3.4"};
    char line[200];

    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        snprintf(line, sizeof(line), "Forwarded: for=5.5.5.5, %s\n", wrong[i]);
        assert_string_equal(way_of("10.0.0.1", line), " 0 \n");
    }
}

static void the_scheme_is_the_nearest_word(void **state)
{
    assert_string_equal(way_of("10.0.0.1", "X-Forwarded-For: 198.51.100.7\nX-Forwarded-Proto: http, HTTPS\n"),
                        "198.51.100.7 0 https\nX-Forwarded-For: 198.51.100.7\nX-Forwarded-Proto: http, HTTPS\n");
    assert_string_equal(way_of("10.0.0.1", "X-Forwarded-Proto: http\n"), " 0 http\nX-Forwarded-Proto: http\n");
    assert_string_equal(way_of("10.0.0.1", "X-Forwarded-Proto: gopher\n"), " 0 \nX-Forwarded-Proto: gopher\n");
}

static void a_way_has_an_end(void **state)
{
    static char line[100000];
    char *at = line + sprintf(line, "X-Forwarded-For: 5.5.5.5");

    for (size_t i = 0; i < 1000; i++)
        at += sprintf(at, ", 10.0.0.3");
    strcpy(at, "\n");
    assert_memory_equal(way_of("10.0.0.1", line), "10.0.0.3 0 \n", strlen("10.0.0.3 0 \n"));
    at = line + sprintf(line, "Forwarded: for=5.5.5.5");
    for (size_t i = 0; i < 1000; i++)
        at += sprintf(at, ", for=10.0.0.3");
    strcpy(at, "\n");
    assert_memory_equal(way_of("10.0.0.1", line), "10.0.0.3 0 \n", strlen("10.0.0.3 0 \n"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nobody_else_is_believed),        cmocka_unit_test(the_nearest_that_is_not_trusted_is_the_client),
        cmocka_unit_test(addresses_have_many_forms),      cmocka_unit_test(what_is_malformed_ends_the_walk),
        cmocka_unit_test(forwarded_counts_alone),         cmocka_unit_test(malformed_ones_are_ignored),
        cmocka_unit_test(the_scheme_is_the_nearest_word), cmocka_unit_test(a_way_has_an_end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
