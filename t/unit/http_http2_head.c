/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "lib/base/span.h"
#include "lib/http/http2_head.h"

static const weir_head_limits_t usual = {8192, 1000, 8192, 20, 65536};

typedef struct outcome {
    weir_arena_t arena;
    weir_http2_head_t head;
    weir_framing_t framing;
    const weir_fault_t *fault;
} outcome_t;

/* Fields are "name: value" lines; a pseudo-field's name begins with its colon. Each is read from memory of just its size. */
static void read_fields(const char *text, const weir_head_limits_t *limits, bool has_body, outcome_t *out)
{
    *out = (outcome_t){.fault = NULL};
    weir_arena_init(&out->arena);
    while (*text != '\0') {
        const char *colon = strchr(text + 1, ':'), *end = strchr(text, '\n');
        size_t name_len = (size_t)(colon - text), value_len = (size_t)(end - colon) - 2;
        char *name = malloc(name_len + !name_len), *value = malloc(value_len + !value_len);
        assert_true(name != NULL && value != NULL);
        memcpy(name, text, name_len);
        memcpy(value, colon + 2, value_len);
        weir_http2_head_add(&out->head, &out->arena, limits, (weir_span_t){name, name_len}, (weir_span_t){value, value_len});
        free(name);
        free(value);
        text = end + 1;
    }
    out->fault = weir_http2_head_finish(&out->head, &out->arena, limits, has_body, &out->framing);
}

#define GET ":method: GET\n:scheme: http\n:path: /a?b\n:authority: A.test:81\n"

static void assert_span(weir_span_t actual, const char *expected)
{
    if (actual.len != strlen(expected) || (actual.len != 0 && memcmp(actual.base, expected, actual.len) != 0))
        fail_msg("'%.*s' instead of '%s'", (int)actual.len, actual.base, expected);
}

static void assert_list(const weir_headers_t *headers, const char *expected)
{
    char text[1024] = "";
    size_t length = 0;

    for (size_t i = 0; i < headers->count; i++)
        length += (size_t)snprintf(text + length, sizeof(text) - length, "%.*s=%.*s;", (int)headers->at[i].name.len,
                                   headers->at[i].name.base, (int)headers->at[i].value.len, headers->at[i].value.base);
    assert_string_equal(text, expected);
}

static void assert_reads(const char *text, bool has_body, const char *fields, weir_framing_kind_t kind)
{
    outcome_t out;

    read_fields(text, &usual, has_body, &out);
    if (out.fault != NULL)
        fail_msg("%s", out.fault->name);
    assert_list(&out.head.headers, fields);
    assert_int_equal(out.framing.kind, kind);
    weir_arena_finish(&out.arena);
}

static void assert_refused(const char *text, const weir_fault_t *fault)
{
    outcome_t out;

    read_fields(text, &usual, false, &out);
    if (out.fault != fault)
        fail_msg("%s instead of %s for %s", out.fault != NULL ? out.fault->name : "nothing", fault->name, text);
    weir_arena_finish(&out.arena);
}

static void a_request(void **state)
{
    outcome_t out;

    read_fields(GET "x: y\n", &usual, false, &out);
    assert_null(out.fault);
    assert_span(out.head.method, "GET");
    assert_span(out.head.path, "/a?b");
    assert_span(out.head.authority, "A.test:81");
    assert_span(out.head.scheme, "http");
    assert_list(&out.head.headers, "host=A.test:81;x=y;");
    assert_int_equal(out.head.count, 1);
    assert_int_equal(out.head.total_bytes, 3 + 4 + 4 + 9 + 1 + 1 + 4);
    weir_arena_finish(&out.arena);
}

static void one_host(void **state)
{
    assert_reads(":method: GET\n:scheme: http\n:path: /\nx: y\nhost: b\n", false, "host=b;x=y;", WEIR_FRAMING_NONE);
    assert_reads(GET "x: y\nhost: a.TEST:81\n", false, "host=A.test:81;x=y;", WEIR_FRAMING_NONE);
    assert_refused(GET "host: a.test\n", &weir_fault_bad_host);
    assert_refused(GET "host: a.test:81\nhost: a.test:81\n", &weir_fault_duplicate_host);
    assert_refused(":method: GET\n:scheme: http\n:path: /\n", &weir_fault_missing_host);
    assert_refused(":method: GET\n:scheme: http\n:path: /\n:authority: u@a\n", &weir_fault_bad_host);
}

static void cookies(void **state)
{
    assert_reads(GET "cookie: a\n", false, "host=A.test:81;cookie=a;", WEIR_FRAMING_NONE);
    assert_reads(GET "cookie: a\nx: y\ncookie: b\ncookie: c\nz: 1\n", false, "host=A.test:81;cookie=a; b; c;x=y;z=1;",
                 WEIR_FRAMING_NONE);
}

static void framing(void **state)
{
    assert_reads(GET, true, "host=A.test:81;", WEIR_FRAMING_CHUNKED);
    assert_reads(GET "content-length: 3\n", true, "host=A.test:81;content-length=3;", WEIR_FRAMING_LENGTH);
    assert_reads(GET "content-length: 0\n", true, "host=A.test:81;content-length=0;", WEIR_FRAMING_NONE);
    assert_reads(GET "content-length: 0\n", false, "host=A.test:81;content-length=0;", WEIR_FRAMING_NONE);
    assert_refused(GET "content-length: x\n", &weir_fault_bad_content_length);
}

static void paths(void **state)
{
    outcome_t out;

    read_fields(":method: GET\n:scheme: https\n:path: /a?\n:authority: a\n", &usual, false, &out);
    assert_span(out.head.path, "/a");
    weir_arena_finish(&out.arena);
    read_fields(":method: OPTIONS\n:scheme: https\n:path: *\n:authority: a\n", &usual, false, &out);
    assert_null(out.fault);
    weir_arena_finish(&out.arena);
    assert_refused(":method: GET\n:scheme: http\n:path: *\n:authority: a\n", &weir_fault_bad_target);
    assert_refused(":method: GET\n:scheme: http\n:path: /a#b\n:authority: a\n", &weir_fault_bad_target);
    assert_refused(":method: GET\n:scheme: http\n:path: /a b\n:authority: a\n", &weir_fault_bad_target);
    assert_refused(":method: GET\n:scheme: http\n:path: \n:authority: a\n", &weir_fault_bad_target);
    assert_refused(":method: GET\n:scheme: ftp\n:path: /\n:authority: a\n", &weir_fault_bad_target);
    assert_refused(":method: GE T\n:scheme: http\n:path: /\n:authority: a\n", &weir_fault_bad_method);
    assert_refused(":method: GET\n:scheme: http\n:path: /\r\n:authority: a\n", &weir_fault_bad_request_line);
}

static void connect(void **state)
{
    assert_refused(":method: CONNECT\n:authority: a:443\n", &weir_fault_connect_refused);
    assert_refused(":method: CONNECT\n:protocol: tcp\n:scheme: http\n:path: /\n:authority: a\n",
                   &weir_fault_unsupported_protocol);
    assert_reads(":method: CONNECT\n:protocol: websocket\n:scheme: http\n:path: /\n:authority: a\nx: y\n", true,
                 "host=a;x=y;connection=Upgrade;upgrade=websocket;", WEIR_FRAMING_NONE);
}

static void bad_fields(void **state)
{
    assert_refused(GET "x: a\rb\n", &weir_fault_bad_header);
    assert_refused(GET "x: \x7f\n", &weir_fault_bad_header);
    assert_refused(GET "x y: a\n", &weir_fault_bad_header);
}

static void limits(void **state)
{
    static const weir_head_limits_t narrow = {22, 4, 5, 2, 60};

    static const struct {
        const char *fields;
        const weir_fault_t *fault;
    } cases[] = {
        {"", NULL},
        {"four: 12345\n", NULL},
        {"fives: 1\n", &weir_fault_header_name_too_long},
        {"four: 123456\n", &weir_fault_header_value_too_long},
        {"a: 1\nb: 2\n", NULL},
        {"a: 1\nb: 2\nc: 3\n", &weir_fault_too_many_headers},
        {":path: /56789012345678901234567890123456789012345678901234567890\n", &weir_fault_head_too_large},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char text[256];
        outcome_t out;
        (void)snprintf(text, sizeof(text), ":method: GET\n:scheme: http\n:path: /\n:authority: a\n%s", cases[i].fields);
        read_fields(text, &narrow, false, &out);
        assert_ptr_equal(out.fault, cases[i].fault);
        weir_arena_finish(&out.arena);
    }
    for (int more = 0; more < 2; more++) {
        outcome_t out; /* "GET /1234567 HTTP/1.1" has 21 bytes */
        read_fields(more ? ":method: GET\n:scheme: http\n:path: /123456789\n:authority: a\n"
                         : ":method: GET\n:scheme: http\n:path: /12345678\n:authority: a\n",
                    &narrow, false, &out);
        assert_ptr_equal(out.fault, more ? &weir_fault_request_line_too_long : NULL);
        weir_arena_finish(&out.arena);
    }
}

/* What is not kept is counted all the same: a limit on it is the caller's. */
static void counts_what_it_does_not_keep(void **state)
{
    outcome_t out;
    char text[8192], *at = text;

    at += sprintf(at, GET);
    for (int i = 0; i < 100; i++)
        at += sprintf(at, "n%02d: value\n", i);
    read_fields(text, &usual, false, &out);
    assert_ptr_equal(out.fault, &weir_fault_too_many_headers);
    assert_int_equal(out.head.count, 100);
    assert_int_equal(out.head.headers.count, 20);
    assert_int_equal(out.head.total_bytes, 3 + 4 + 4 + 9 + 100 * (3 + 5 + 4));
    weir_arena_finish(&out.arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_request),  cmocka_unit_test(one_host), cmocka_unit_test(cookies),
        cmocka_unit_test(framing),    cmocka_unit_test(paths),    cmocka_unit_test(connect),
        cmocka_unit_test(bad_fields), cmocka_unit_test(limits),   cmocka_unit_test(counts_what_it_does_not_keep),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
