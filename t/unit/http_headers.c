/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "lib/base/span.h"
#include "lib/http/headers.h"

static weir_arena_t arena;

static void assert_span(weir_span_t actual, const char *expected)
{
    if (actual.len != strlen(expected) || (actual.len != 0 && memcmp(actual.base, expected, actual.len) != 0))
        fail_msg("'%.*s' instead of '%s'", (int)actual.len, actual.base, expected);
}

static weir_span_t span(const char *text)
{
    return (weir_span_t){text, strlen(text)};
}

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

static const struct {
    const char *name;
    weir_header_id_t id;
} known[] = {
    {"connection", WEIR_HEADER_CONNECTION},
    {"content-length", WEIR_HEADER_CONTENT_LENGTH},
    {"date", WEIR_HEADER_DATE},
    {"expect", WEIR_HEADER_EXPECT},
    {"host", WEIR_HEADER_HOST},
    {"keep-alive", WEIR_HEADER_KEEP_ALIVE},
    {"proxy-authenticate", WEIR_HEADER_PROXY_AUTHENTICATE},
    {"proxy-authorization", WEIR_HEADER_PROXY_AUTHORIZATION},
    {"proxy-connection", WEIR_HEADER_PROXY_CONNECTION},
    {"server", WEIR_HEADER_SERVER},
    {"set-cookie", WEIR_HEADER_SET_COOKIE},
    {"te", WEIR_HEADER_TE},
    {"trailer", WEIR_HEADER_TRAILER},
    {"transfer-encoding", WEIR_HEADER_TRANSFER_ENCODING},
    {"upgrade", WEIR_HEADER_UPGRADE},
    {"via", WEIR_HEADER_VIA},
    {"x-forwarded-for", WEIR_HEADER_X_FORWARDED_FOR},
    {"x-forwarded-peer-port", WEIR_HEADER_X_FORWARDED_PEER_PORT},
    {"x-forwarded-port", WEIR_HEADER_X_FORWARDED_PORT},
    {"x-forwarded-proto", WEIR_HEADER_X_FORWARDED_PROTO},
};

/* Every known name in every case of every letter; and with any one byte changed it is another name. */
static void knows_its_names(void **state)
{
    assert_int_equal(sizeof(known) / sizeof(known[0]), WEIR_HEADER_X_FORWARDED_PROTO);
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        char name[32];
        size_t length = strlen(known[i].name);

        memcpy(name, known[i].name, length);
        assert_int_equal(weir_header_id((weir_span_t){name, length}), known[i].id);
        for (size_t j = 0; j < length; j++) {
            char kept = name[j];
            for (int c = 0; c < 256; c++) {
                name[j] = (char)c;
                bool is_same = weir_lower((char)c) == weir_lower(kept);
                weir_header_id_t id = weir_header_id((weir_span_t){name, length});
                assert_int_equal(id, is_same ? known[i].id : WEIR_HEADER_OTHER);
            }
            name[j] = kept >= 'a' && kept <= 'z' ? (char)(kept - 32) : kept;
        }
        assert_int_equal(weir_header_id((weir_span_t){name, length - 1}), WEIR_HEADER_OTHER);
    }
    assert_int_equal(weir_header_id((weir_span_t){NULL, 0}), WEIR_HEADER_OTHER);
    assert_int_equal(weir_header_id(WEIR_SPAN("Accept")), WEIR_HEADER_OTHER);
}

static void grows_and_keeps_order(void **state)
{
    weir_headers_t headers = {0};

    char names[200][4];

    for (size_t i = 0; i < 200; i++) {
        snprintf(names[i], sizeof(names[i]), "%03u", (unsigned)i % 1000);
        weir_headers_add(&headers, &arena, (weir_span_t){names[i], 3}, WEIR_SPAN("v"));
    }
    assert_int_equal(headers.count, 200);
    for (size_t i = 0; i < 200; i++)
        assert_ptr_equal(headers.at[i].name.base, names[i]);
}

/* As when the reader's array is full. */
static void grows_out_of_a_full_array(void **state)
{
    weir_header_t fixed[1] = {{WEIR_SPAN("Host"), WEIR_SPAN("a"), WEIR_HEADER_HOST}};
    weir_headers_t headers = {fixed, 1, 1};

    fill(&headers, "Via: b\nX: c");
    assert_fields(&headers, "Host: a\nVia: b\nX: c");
    assert_ptr_not_equal(headers.at, fixed);
    assert_span(fixed[0].value, "a");
}

static void finds(void **state)
{
    weir_headers_t headers = {0};

    assert_null(weir_headers_find(&headers, WEIR_HEADER_HOST));
    assert_null(weir_headers_find_name(&headers, WEIR_SPAN("host")));
    assert_int_equal(weir_headers_count(&headers, WEIR_HEADER_HOST), 0);
    fill(&headers, "X: 1\nvia: 2\nVIA: 3\nx: 4");
    assert_span(weir_headers_find(&headers, WEIR_HEADER_VIA)->value, "2");
    assert_span(weir_headers_find_name(&headers, WEIR_SPAN("x"))->value, "1");
    assert_span(weir_headers_find_name(&headers, WEIR_SPAN("Via"))->value, "2");
    assert_null(weir_headers_find_name(&headers, WEIR_SPAN("Vi")));
    assert_int_equal(weir_headers_count(&headers, WEIR_HEADER_VIA), 2);
}

static void removes(void **state)
{
    weir_headers_t headers = {0};

    assert_int_equal(weir_headers_remove(&headers, WEIR_HEADER_TE), 0);
    assert_int_equal(weir_headers_remove_name(&headers, WEIR_SPAN("a")), 0);
    fill(&headers, "TE: 1\nA: 2\nte: 3\nB: 4\na: 5\nTe: 6");
    assert_int_equal(weir_headers_remove(&headers, WEIR_HEADER_TE), 3);
    assert_fields(&headers, "A: 2\nB: 4\na: 5");
    assert_int_equal(weir_headers_remove_name(&headers, WEIR_SPAN("A")), 2);
    assert_fields(&headers, "B: 4");
    assert_int_equal(weir_headers_remove_name(&headers, WEIR_SPAN("A")), 0);
}

static void puts_one(void **state)
{
    static const struct {
        const char *before, *after;
    } rows[] = {
        {"", "x-id: new"},
        {"A: 1", "A: 1\nx-id: new"},
        {"X-Id: 1\nA: 2", "X-Id: new\nA: 2"},
        {"A: 1\nX-ID: 2\nB: 3\nx-id: 4\nX-Id: 5\nC: 6", "A: 1\nX-ID: new\nB: 3\nC: 6"},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        weir_headers_t headers = {0};
        fill(&headers, rows[i].before);
        weir_headers_put(&headers, &arena, WEIR_SPAN("x-id"), WEIR_SPAN("new"));
        assert_fields(&headers, rows[i].after);
    }
}

static void writes_canonical_case(void **state)
{
    static const char *const rows[][2] = {
        {"sec-websocket-KEY", "Sec-Websocket-Key"},
        {"x_foo-bAR", "X_foo-Bar"},
        {"HTTP2-Settings", "Http2-Settings"},
        {"te", "Te"},
        {"x-request-id", "X-Request-Id"},
        {"a--b-", "A--B-"},
        {"-a", "-A"},
        {"1a-2b", "1a-2b"},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char out[32];
        weir_header_canonical_case(span(rows[i][0]), out);
        assert_span((weir_span_t){out, strlen(rows[i][0])}, rows[i][1]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(knows_its_names),
        cmocka_unit_test(grows_and_keeps_order),
        cmocka_unit_test(grows_out_of_a_full_array),
        cmocka_unit_test(finds),
        cmocka_unit_test(removes),
        cmocka_unit_test(puts_one),
        cmocka_unit_test(writes_canonical_case),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
