/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "lib/base/span.h"
#include "lib/http/hop.h"

static weir_arena_t arena;

/* "A: b\nC: d" and back. */
static void fill(weir_headers_t *headers, const char *text)
{
    while (*text != '\0') {
        const char *end = text + strcspn(text, "\n"), *colon = strchr(text, ':');
        weir_span_t value = {colon + 1, (size_t)(end - colon) - 1};

        weir_headers_add(headers, &arena, (weir_span_t){text, (size_t)(colon - text)}, weir_span_trim(value));
        text = end + (*end != '\0');
    }
}

static void assert_fields(const weir_headers_t *headers, const char *expected)
{
    char text[2000];
    size_t length = 0;

    text[0] = '\0';
    for (size_t i = 0; i < headers->count; i++) {
        const weir_header_t *field = &headers->at[i];
        assert_int_equal(field->id, weir_header_id(field->name));
        length +=
            (size_t)snprintf(text + length, sizeof(text) - length, "%s%.*s: %.*s", i == 0 ? "" : "\n", (int)field->name.len,
                             field->name.base, (int)field->value.len, field->value.len == 0 ? "" : field->value.base);
    }
    assert_string_equal(text, expected);
}

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

typedef struct row {
    const char *before;
    bool keep_upgrade;
    const char *after;
} row_t;

static void run(const row_t *rows, size_t count, void (*strip)(weir_headers_t *headers, bool keep_upgrade))
{
    for (size_t i = 0; i < count; i++) {
        weir_headers_t headers = {0};
        fill(&headers, rows[i].before);
        strip(&headers, rows[i].keep_upgrade);
        assert_fields(&headers, rows[i].after);
    }
}

static void strips_requests(void **state)
{
    static const row_t rows[] = {
        {"", false, ""},
        {"A: 1\nHost: a\nContent-Length: 1\nConnection: x\nTE: trailers\nKeep-Alive: 1\nB: 2", false, "A: 1\nB: 2"},
        {"Proxy-Authorization: x\nProxy-Connection: y\nTransfer-Encoding: chunked\nHTTP2-Settings: z", false, ""},
        {"Trailer: x\nProxy-Authenticate: y\nProxy-Authentication-Info: z", false,
         "Trailer: x\nProxy-Authenticate: y\nProxy-Authentication-Info: z"},
        {"Upgrade: a\nConnection: upgrade\nupgrade: b", false, ""},
        {"Upgrade: a\nConnection: upgrade, x\nX: b", true, "Upgrade: a"},
        {"Upgrade: a\nConnection: close", true, "Upgrade: a"},
        {"X-A: 1\nx-b: 2\nConnection: X-B , , x-a\nX-C: 3\nx-a: 4", false, "X-C: 3"},
        {"X-A: 1\nConnection: y\nX-B: 2\nConnection: x-a,x-b", false, ""},
        {"X-A: 1\nConnection: x a\nX: 2", false, "X-A: 1\nX: 2"},
        {"X-Ab: 1\nConnection: x-a", false, "X-Ab: 1"},
        {"Cookie: 1\nAuthorization: 2\nVia: 3\nX-Forwarded-For: 4\nX-Forwarded-Host: 5\nContent-Type: 6\nExpect: 7\n"
         "X-Request-Id: 8\nCache-Control: 9\nTrailer: 10\n"
         "Connection: cookie,authorization,via,x-forwarded-for,x-forwarded-host,content-type,expect,x-request-id\n"
         "Connection: host, content-length, transfer-encoding, cache-control, trailer",
         false,
         "Cookie: 1\nAuthorization: 2\nVia: 3\nX-Forwarded-For: 4\nX-Forwarded-Host: 5\nContent-Type: 6\nExpect: 7\n"
         "X-Request-Id: 8\nCache-Control: 9\nTrailer: 10"},
    };

    run(rows, sizeof(rows) / sizeof(rows[0]), weir_hop_strip_request);
}

static void strips_responses(void **state)
{
    static const row_t rows[] = {
        {"", false, ""},
        {"A: 1\nConnection: b\nB: 2\nKeep-Alive: x\nTE: y\nProxy-Authorization: z\nProxy-Connection: a", false, "A: 1"},
        {"Transfer-Encoding: chunked\nContent-Length: 1\nUpgrade: a\nVia: b", false, "Via: b"},
        {"Upgrade: a\nConnection: Upgrade", true, "Upgrade: a"},
        {"Set-Cookie: a\nTrailer: b\nProxy-Authenticate: c\nServer: d\nDate: e\nSet-Cookie: f", false,
         "Set-Cookie: a\nTrailer: b\nProxy-Authenticate: c\nServer: d\nDate: e\nSet-Cookie: f"},
        {"X-Secret: 1\nConnection: close, x-secret\nX: 2", false, "X: 2"},
    };

    run(rows, sizeof(rows) / sizeof(rows[0]), weir_hop_strip_response);
}

static void bounds_the_nominations(void **state)
{
    weir_headers_t headers = {0};
    char text[16000], *at = text;

    for (int i = 0; i < 1000; i++)
        at += sprintf(at, "close, x%d,", i % 99);
    at += sprintf(at, "z");
    weir_headers_add(&headers, &arena, WEIR_SPAN("Connection"), (weir_span_t){text, (size_t)(at - text)});
    fill(&headers, "x0: a\nX98: b\nx99: c\nz: d");
    weir_hop_strip_request(&headers, false);
    assert_fields(&headers, "x99: c\nz: d");
}

/* "x0, x1, …" of `count` names in as many fields as `fields`. */
static void add_nominations(weir_headers_t *headers, int count, int fields)
{
    for (int field = 0; field < fields; field++) {
        char text[4000] = "", *at = text;
        int end = count * (field + 1) / fields;
        for (int i = count * field / fields; i < end; i++)
            at += sprintf(at, "%sx%d", at == text ? "" : ", ", i);
        weir_headers_add(headers, &arena, WEIR_SPAN("Connection"),
                         weir_arena_copy(&arena, (weir_span_t){text, (size_t)(at - text)}));
    }
}

static void the_hundredth_nomination_is_the_last(void **state)
{
    static void (*const strips[])(weir_headers_t * headers, bool keep_upgrade) = {weir_hop_strip_request,
                                                                                  weir_hop_strip_response};

    for (size_t way = 0; way < 2; way++) {
        for (int fields = 1; fields <= 3; fields++) {
            weir_headers_t headers = {0};
            add_nominations(&headers, 102, fields);
            fill(&headers, "x0: a\nx98: b\nx99: c\nx100: d\nx101: e");
            strips[way](&headers, false);
            assert_fields(&headers, "x100: d\nx101: e");
        }
    }
}

static void knows_what_others_may_set(void **state)
{
    static const char *const ours[] = {"Connection", "content-length", "Transfer-Encoding", "Keep-Alive", "Proxy-Connection",
                                       "TE",         "Trailer",        "Upgrade",           "Expect"};

    (void)state;
    assert_true(weir_hop_may_set(WEIR_SPAN("X-A"), WEIR_SPAN("b")));
    assert_true(weir_hop_may_set(WEIR_SPAN("Via"), WEIR_SPAN("")));
    assert_false(weir_hop_may_set(WEIR_SPAN(""), WEIR_SPAN("b")));
    assert_false(weir_hop_may_set(WEIR_SPAN("X A"), WEIR_SPAN("b")));
    assert_false(weir_hop_may_set(WEIR_SPAN("X-A"), WEIR_SPAN("b\nc")));
    assert_false(weir_hop_may_set(WEIR_SPAN("X-A"), WEIR_SPAN("b\rc")));
    assert_false(weir_hop_may_set(WEIR_SPAN("X-A"), WEIR_SPAN("b\0c")));
    for (size_t i = 0; i < sizeof(ours) / sizeof(ours[0]); i++)
        assert_false(weir_hop_may_set((weir_span_t){ours[i], strlen(ours[i])}, WEIR_SPAN("b")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(knows_what_others_may_set),
        cmocka_unit_test(strips_requests),
        cmocka_unit_test(strips_responses),
        cmocka_unit_test(bounds_the_nominations),
        cmocka_unit_test(the_hundredth_nomination_is_the_last),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
