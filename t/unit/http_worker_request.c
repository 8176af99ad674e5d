/* SPDX-License-Identifier: MIT */
/* What a worker says when it registers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "lib/base/arena.h"
#include "lib/base/span.h"
#include "lib/http/worker_request.h"

static weir_arena_t arena;
static weir_worker_request_t request;

static int set_up(void **state)
{
    weir_arena_init(&arena);
    return 0;
}

static int tear_down(void **state)
{
    weir_arena_finish(&arena);
    weir_arena_forget_blocks();
    return 0;
}

/* "A: b\nC: d", beside what each registration has. */
static uint16_t read_at(const char *path, const char *text)
{
    weir_headers_t headers = {0};
    const char *why;

    weir_headers_add(&headers, &arena, WEIR_SPAN("Connection"), WEIR_SPAN("keep-alive, Upgrade"));
    weir_headers_add(&headers, &arena, WEIR_SPAN("Upgrade"), WEIR_SPAN("websocket, PTTH"));
    while (*text != '\0') {
        const char *end = text + strcspn(text, "\n"), *colon = strchr(text, ':');
        weir_span_t value = {colon + 1, (size_t)(end - colon) - 1};

        weir_headers_add(&headers, &arena, (weir_span_t){text, (size_t)(colon - text)}, weir_span_trim(value));
        text = end + (*end != '\0');
    }
    const weir_worker_head_t head = {.method = WEIR_SPAN("GET"),
                                     .path = {path, strlen(path)},
                                     .version = 0x101,
                                     .headers = &headers,
                                     .body = WEIR_FRAMING_NONE};
    return weir_worker_request_read(&head, &request, &why);
}

static uint16_t read_with(const char *text)
{
    return read_at("/workers/v1/shop", text);
}

static void assert_span(weir_span_t span, const char *text)
{
    assert_int_equal(span.len, strlen(text));
    assert_memory_equal(span.base, text, span.len);
}

static void says_nothing_but_the_app(void **state)
{
    assert_int_equal(read_with(""), 0);
    assert_span(request.app, "shop");
    assert_span(request.upgrade, "PTTH");
    assert_null(request.id.base);
    assert_null(request.bearer.base);
    assert_int_equal(request.capacity, WEIR_WORKER_CAPACITY);
    assert_int_equal(request.weight, 100);
    assert_int_equal(request.protocol, WEIR_HTTP2);
    assert_int_equal(request.domain_count, 0);
}

static void says_all(void **state)
{
    assert_int_equal(
        read_with("Worker-Id: a.B_1-c\nWorker-Version: 2026-11-20.1\nWorker-Health: /healthz?a=1\nWorker-Capacity: 10000\n"
                  "Worker-Weight: 1\nWorker-Domains: a.example , *.b.example\nWorker-Protocol: 2, 1\n"
                  "ALPN: h3, http%2f1.1, h2\nAuthorization: bearer  0123456789abcdef"),
        0);
    assert_span(request.id, "a.B_1-c");
    assert_span(request.version, "2026-11-20.1");
    assert_span(request.health, "/healthz?a=1");
    assert_span(request.bearer, "0123456789abcdef");
    assert_int_equal(request.capacity, 10000);
    assert_int_equal(request.weight, 1);
    assert_int_equal(request.protocol, WEIR_HTTP1);
    assert_int_equal(request.domain_count, 2);
    assert_span(request.domains[1], "*.b.example");
}

static void the_path_names_the_app(void **state)
{
    static const char *const wrong[] = {"/workers/v1/",   "/workers/v1/.a",        "/workers/v2/a",
                                        "/workers/v1/a/", "/workers/v1/A",         "/workers/v1/a%20",
                                        "v1/a",           "/workers/v1/a!?b/v1/c", "/workers/v1/a b"};

    assert_int_equal(read_at("/v1/a", ""), 0);
    assert_int_equal(read_at("/x/y/v1/a.b_c-0?x=/v1/z", ""), 0);
    assert_span(request.app, "a.b_c-0");
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
        if (read_at(wrong[i], "") == 0)
            fail_msg("%s", wrong[i]);
    assert_int_equal(read_at("/v1/0123456789012345678901234567890123456789012345678901234567890123", ""), 0);
    assert_int_equal(read_at("/v1/01234567890123456789012345678901234567890123456789012345678901234", ""), 400);
}

static void a_head_may_have_8192_bytes(void **state)
{
    enum {
        OTHERS =
            sizeof(
                "GET /workers/v1/shop HTTP/1.1\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket, PTTH\r\nx: \r\n\r\n") -
            1
    };
    static char text[WEIR_WORKER_HEAD_MOST];

    for (size_t more = 0; more < 2; more++) {
        snprintf(text, sizeof(text), "x: %0*d", (int)(WEIR_WORKER_HEAD_MOST - OTHERS + more), 0);
        assert_int_equal(read_with(text), more == 0 ? 0 : 431);
    }
}

static void what_is_wrong(void **state)
{
    static const char *const wrong[] = {
        "Worker-Id: ",
        "Worker-Id: a/b",
        "Worker-Capacity: 0",
        "Worker-Capacity: 10001",
        "Worker-Capacity: 1e3",
        "Worker-Weight: 1001",
        "Worker-Health: nowhere",
        "Worker-Health: /a b",
        "Worker-Version: a b",
        "ALPN: h3",
        "Worker-Protocol: 2",
        "Authorization: Bearer 0123456789abcde",
        "Authorization: Bearer",
        "Authorization: Digest 0123456789abcdef",
        "Authorization: Basic a b",
        "Worker-Domains: a b",
    };

    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
        if (read_with(wrong[i]) != 400)
            fail_msg("%s", wrong[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(says_nothing_but_the_app, set_up, tear_down),
        cmocka_unit_test_setup_teardown(says_all, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_path_names_the_app, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_head_may_have_8192_bytes, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_wrong, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
