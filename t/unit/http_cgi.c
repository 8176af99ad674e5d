/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lib/base/span.h"
#include "lib/http/cgi_head.h"
#include "lib/http/cgi_script.h"

enum { MOST_HEADERS = 4 };

static const weir_response_limits_t limits = {20, 40, 30, MOST_HEADERS, 120};

/* ---- heads ---- */

static char said[1000];

/* The head, as "status reason|name=value|… +bytes behind it"; a fault's name; or "more". Read in pieces of `step` bytes. */
static const char *read_by(const char *text, size_t step)
{
    weir_header_t headers[MOST_HEADERS];
    weir_cgi_head_reader_t reader = {0};
    weir_response_head_t head;
    weir_head_progress_t progress = WEIR_HEAD_PARTIAL;
    const weir_fault_t *fault = NULL;
    size_t consumed = 0, total = strlen(text), length = 0;
    char *copy = NULL;

    while (progress == WEIR_HEAD_PARTIAL && length < total) {
        length = total - length < step ? total : length + step;
        free(copy);
        copy = malloc(length);
        assert_non_null(copy);
        memcpy(copy, text, length);
        progress = weir_cgi_head_read(&reader, (weir_span_t){copy, length}, &limits, headers, &head, &consumed, &fault);
    }
    int at = 0;
    if (progress == WEIR_HEAD_COMPLETE) {
        at = snprintf(said, sizeof(said), "%d %.*s", head.status, (int)head.reason.len,
                      head.reason.len > 0 ? head.reason.base : "");
        for (size_t i = 0; i < head.headers.count; i++)
            at += snprintf(said + at, sizeof(said) - (size_t)at, "|%.*s=%.*s", (int)headers[i].name.len, headers[i].name.base,
                           (int)headers[i].value.len, headers[i].value.base);
        snprintf(said + at, sizeof(said) - (size_t)at, " +%s", text + consumed);
    } else {
        snprintf(said, sizeof(said), "%s", progress == WEIR_HEAD_FAULTY ? fault->name : "more");
    }
    free(copy);
    return said;
}

static void assert_head(const char *text, const char *wanted)
{
    for (size_t step = 1; step <= strlen(text); step++)
        assert_string_equal(read_by(text, step), wanted);
}

static void heads_of_scripts(void **state)
{
    assert_head("Content-Type: text/plain\r\n\r\nhello", "200 |Content-Type=text/plain +hello");
    assert_head("Content-type:text/html\n\n", "200 |Content-type=text/html +");
    assert_head("A: 1\nB: 2\r\n\nx", "200 |A=1|B=2 +x");
    assert_head("Status: 404 Not Found\r\nA:  b \r\n\r\n", "404 Not Found|A=b +");
    assert_head("A: 1\nstatus:500\n\n", "500 |A=1 +");
    assert_head("Location: /there\r\n\r\n", "302 |Location=/there +");
    assert_head("Location: /there\r\nStatus: 201\r\n\r\n", "201 |Location=/there +");
    assert_head("\r\nbody", "200  +body");
    assert_head("A:\n\n", "200 |A= +");
    assert_head("A: 1\r\n", "more");
    assert_head("A: 1\r\n\r", "more");
}

static void heads_that_are_none(void **state)
{
    assert_head("HTTP/1.1 200 OK\r\nA: 1\r\n\r\n", "backend_invalid_header");
    assert_head("A\r\n\r\n", "backend_invalid_header");
    assert_head("A : 1\r\n\r\n", "backend_invalid_header");
    assert_head(": 1\r\n\r\n", "backend_invalid_header");
    assert_head("A: 1\r\n b\r\n\r\n", "backend_invalid_header");
    assert_head("A: 1\r2\r\n\r\n", "backend_invalid_header");
    assert_head("A: \1\r\n\r\n", "backend_invalid_header");
    assert_head("Status: 20\n\n", "backend_invalid_status");
    assert_head("Status: 2000\n\n", "backend_invalid_status");
    assert_head("Status: abc\n\n", "backend_invalid_status");
    assert_head("Status:\n\n", "backend_invalid_status");
    assert_head("Status: 100\n\n", "backend_invalid_status");
    assert_head("Status: 101 Switching\n\n", "backend_invalid_status");
    assert_head("Status: 200\nStatus: 200\n\n", "backend_invalid_status");
    assert_head("Status: 200OK\n\n", "backend_invalid_status");
    assert_head("Transfer-Encoding: chunked\n\n", "backend_invalid_transfer_encoding");
}

static void heads_have_limits(void **state)
{
    assert_head("Status: 200 0123456789012345\n\n", "200 0123456789012345 +");
    assert_head("Status: 200 01234567890123456\n\n", "backend_status_length");
    assert_head("A: 3456789012345678901234567890123456789\n\n", "200 |A=3456789012345678901234567890123456789 +");
    assert_head("A: 34567890123456789012345678901234567890\n\n", "backend_header_length");
    assert_head("Set-Cookie: 234567890123456789\n\n", "200 |Set-Cookie=234567890123456789 +");
    assert_head("Set-Cookie: 2345678901234567890\n\n", "backend_cookie_length");
    assert_head("A: 1\nA: 1\nA: 1\nA: 1\nStatus: 200\n\n", "200 |A=1|A=1|A=1|A=1 +");
    assert_head("A: 1\nA: 1\nA: 1\nA: 1\nA: 1\n\n", "backend_header_length");
    assert_head("A: 345678901234567890123456789\nA: 345678901234567890123456789\nA: 345678901234567890123456789\n"
                "A: 34567890123456789012345678\n\n",
                "backend_header_length");
}

/* ---- scripts ---- */

static void assert_script(const char *target, const char *suffix, const char *wanted)
{
    weir_arena_t arena;
    weir_cgi_script_t script;
    char *copy = malloc(strlen(target) + 1);

    assert_non_null(copy);
    memcpy(copy, target, strlen(target));
    weir_arena_init(&arena);
    const weir_fault_t *fault = weir_cgi_script_find(&arena, (weir_span_t){copy, strlen(target)},
                                                     (weir_span_t){suffix, strlen(suffix)}, WEIR_SPAN("index.php"), &script);
    if (fault != NULL)
        snprintf(said, sizeof(said), "%s", fault->name);
    else
        snprintf(said, sizeof(said), "%.*s;%.*s;%.*s", (int)script.name.len, script.name.len > 0 ? script.name.base : "",
                 (int)script.path_info.len, script.path_info.len > 0 ? script.path_info.base : "", (int)script.query.len,
                 script.query.len > 0 ? script.query.base : "");
    assert_string_equal(said, wanted);
    weir_arena_finish(&arena);
    free(copy);
}

static void scripts_by_their_suffix(void **state)
{
    assert_script("/a.php", ".php", "/a.php;;");
    assert_script("/a.php?b=/c.php", ".php", "/a.php;;b=/c.php");
    assert_script("/d/a.php/b/c", ".php", "/d/a.php;/b/c;");
    assert_script("/d/a.php/", ".php", "/d/a.php;/;");
    assert_script("/a.php/b.php", ".php", "/a.php;/b.php;");
    assert_script("/a%2ephp/%41?%41", ".php", "/a.php;/A;%41");
    assert_script("/a%2fb.php", ".php", "/a/b.php;;");
    assert_script("/a%zz.php%", ".php", "/index.php;;");
    assert_script("//a.php", ".php", "//a.php;;");
    assert_script("/uploads/evil.jpg/x.php", ".php", "/uploads/evil.jpg/x.php;;");
    assert_script("/uploads/evil.jpg", ".php", "/index.php;;");
}

static void what_names_no_script_is_for_the_index(void **state)
{
    assert_script("/", ".php", "/index.php;;");
    assert_script("/a/b?c", ".php", "/index.php;;c");
    assert_script("/.php", ".php", "/index.php;;");
    assert_script("/a.PHP", ".php", "/index.php;;");
    assert_script("/a.php5/a.phpx", ".php", "/index.php;;");
}

static void without_scripts_all_of_it_is_path_info(void **state)
{
    assert_script("/a%20b/c.php?d", "", ";/a b/c.php;d");
    assert_script("/", "", ";/;");
}

static void paths_that_lead_elsewhere(void **state)
{
    static const char *const targets[] = {
        "/..",       "/../a.php",   "/a/../b.php",   "/a.php/..", "/./a.php", "/%2e%2e/a", "/a/%2e./b", "/a%2f..%2fb.php",
        "/a%00.php", "/a.php/b%00", "/a.php%00.jpg", "*",         "",         "a.php"};

    for (size_t i = 0; i < sizeof(targets) / sizeof(targets[0]); i++) {
        assert_script(targets[i], ".php", "bad_script_path");
        assert_script(targets[i], "", "bad_script_path");
    }
    assert_script("/a?../..", ".php", "/index.php;;../..");
    assert_script("/...", "", ";/...;");
    assert_script("/..a", "", ";/..a;");
}

/* ---- variables ---- */

static void assert_variable(const char *name, const char *wanted)
{
    const size_t length = strlen(name);
    char *out = malloc(length + 5);

    assert_non_null(out);
    assert_int_equal(weir_cgi_variable_of((weir_span_t){name, length}, out), wanted != NULL);
    if (wanted != NULL)
        assert_memory_equal(out, wanted, length + 5);
    free(out);
}

static void variables_of_fields(void **state)
{
    assert_variable("Accept", "HTTP_ACCEPT");
    assert_variable("x-foo-2", "HTTP_X_FOO_2");
    assert_variable("Proxy-Foo", "HTTP_PROXY_FOO");
    assert_variable("Proxy", NULL);
    assert_variable("pROXY", NULL);
    assert_variable("X_Foo", NULL);
    assert_variable("X.Foo", NULL);
    assert_variable("X!", NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(heads_of_scripts),
        cmocka_unit_test(heads_that_are_none),
        cmocka_unit_test(heads_have_limits),
        cmocka_unit_test(scripts_by_their_suffix),
        cmocka_unit_test(what_names_no_script_is_for_the_index),
        cmocka_unit_test(without_scripts_all_of_it_is_path_info),
        cmocka_unit_test(paths_that_lead_elsewhere),
        cmocka_unit_test(variables_of_fields),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
