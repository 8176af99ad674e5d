/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lib/http/otlp.h"

#define TRACE "0af7651916cd43dd8448eb211c80319c"
#define SPAN "b7ad6b7169203331"
#define PARENT "00f067aa0ba902b7"

static weir_span_t span(const char *text)
{
    return (weir_span_t){text, strlen(text)};
}

static const weir_otlp_head_t alone = {.trace_id = TRACE, .span_id = SPAN, .name = {"GET", 3}, .kind = WEIR_OTLP_CLIENT};

static void assert_text(weir_span_t got, const char *wanted)
{
    if (got.len != strlen(wanted) || memcmp(got.base, wanted, got.len) != 0)
        fail_msg("%.*s instead of %s", (int)got.len, got.base, wanted);
}

static void writes_all_of_a_span(void **state)
{
    const weir_otlp_head_t head = {
        .trace_id = TRACE,
        .span_id = SPAN,
        .parent_id = PARENT,
        .has_remote_parent = true,
        .trace_state = span("a=1,b=2"),
        .name = span("GET"),
        .kind = WEIR_OTLP_SERVER,
        .start_wall_us = 1700000000000001,
        .end_wall_us = 1700000000000022,
    };
    char buffer[WEIR_OTLP_SPAN_BYTES];
    weir_otlp_t text;

    weir_otlp_begin(&text, buffer, sizeof(buffer), &head);
    weir_otlp_text(&text, "url.path", span("/a"), 100);
    weir_otlp_number(&text, "n", UINT64_MAX);
    weir_otlp_yes(&text, "weir.reused");
    weir_otlp_event(&text, "weir.connected", 1700000000000002);
    weir_otlp_event(&text, "weir.first_byte", 1700000000000003);
    weir_otlp_fail(&text, "The \"backend\" is gone.");
    assert_text(weir_otlp_end(&text),
                "{\"traceId\":\"" TRACE "\",\"spanId\":\"" SPAN "\",\"parentSpanId\":\"" PARENT "\",\"traceState\":\"a=1,b=2\","
                "\"flags\":769,\"name\":\"GET\",\"kind\":2,\"startTimeUnixNano\":\"1700000000000001000\","
                "\"endTimeUnixNano\":\"1700000000000022000\",\"attributes\":["
                "{\"key\":\"url.path\",\"value\":{\"stringValue\":\"/a\"}},"
                "{\"key\":\"n\",\"value\":{\"intValue\":\"18446744073709551615\"}},"
                "{\"key\":\"weir.reused\",\"value\":{\"boolValue\":true}}],"
                "\"events\":[{\"timeUnixNano\":\"1700000000000002000\",\"name\":\"weir.connected\"},"
                "{\"timeUnixNano\":\"1700000000000003000\",\"name\":\"weir.first_byte\"}],"
                "\"status\":{\"code\":2,\"message\":\"The \\\"backend\\\" is gone.\"}}");
}

static void leaves_out_what_is_not(void **state)
{
    char buffer[WEIR_OTLP_SPAN_BYTES];
    weir_otlp_t text;

    weir_otlp_begin(&text, buffer, sizeof(buffer), &alone);
    assert_text(weir_otlp_end(&text), "{\"traceId\":\"" TRACE "\",\"spanId\":\"" SPAN "\",\"flags\":257,\"name\":\"GET\","
                                      "\"kind\":3,\"startTimeUnixNano\":\"0000\",\"endTimeUnixNano\":\"0000\"}");
    weir_otlp_begin(&text, buffer, sizeof(buffer), &alone);
    weir_otlp_fail(&text, NULL);
    assert_non_null(strstr(buffer, "\"0000\",\"status\":{\"code\":2}"));
}

static void leaves_out_a_state_that_is_too_long(void **state)
{
    char buffer[WEIR_OTLP_SPAN_BYTES], states[WEIR_OTLP_STATE_BYTES + 1];
    weir_otlp_head_t head = alone;
    weir_otlp_t text;

    memset(states, 's', sizeof(states));
    for (size_t more = 0; more < 2; more++) {
        head.trace_state = (weir_span_t){states, WEIR_OTLP_STATE_BYTES + more};
        weir_otlp_begin(&text, buffer, sizeof(buffer), &head);
        const weir_span_t all = weir_otlp_end(&text);
        assert_int_equal(memmem(all.base, all.len, "traceState", 10) != NULL, more == 0);
    }
}

/* What stands between the quotes of a text that may have `most` bytes. */
static void assert_written(const char *value, size_t len, size_t most, const char *wanted)
{
    static const char before[] = "{\"stringValue\":\"";
    char buffer[WEIR_OTLP_SPAN_BYTES];
    weir_otlp_t text;

    weir_otlp_begin(&text, buffer, sizeof(buffer), &alone);
    weir_otlp_text(&text, "key", (weir_span_t){value, len}, most);
    const weir_span_t all = weir_otlp_end(&text);
    const char *at = memmem(all.base, all.len, before, sizeof(before) - 1);
    assert_non_null(at);
    at += sizeof(before) - 1;
    const size_t length = (size_t)(all.base + all.len - 5 - at); /* "}}]} */
    assert_text((weir_span_t){at, length}, wanted);
}

static void texts_are_utf8(void **state)
{
    static const struct {
        const char *value, *wanted;
    } rows[] = {
        {"plain", "plain"},
        {"", ""},
        {"\"\\/", "\\\"\\\\/"},
        {"\x01\n\x1f\x7f", "\\u0001\\u000a\\u001f\\u007f"},
        {"caf\xc3\xa9", "caf\xc3\xa9"},
        {"\xe2\x82\xac\xf0\x9f\x98\x80", "\xe2\x82\xac\xf0\x9f\x98\x80"},
        {"\xff", "\\ufffd"},
        {"a\xc3", "a\\ufffd"},
        {"\xc3(", "\\ufffd("},
        {"\xc0\xaf", "\\ufffd\\ufffd"},                       /* longer than it need be */
        {"\xe0\x80\xaf", "\\ufffd\\ufffd\\ufffd"},            /* the same */
        {"\xed\xa0\x80", "\\ufffd\\ufffd\\ufffd"},            /* half a pair */
        {"\xf0\x80\x80\x80", "\\ufffd\\ufffd\\ufffd\\ufffd"}, /* longer than it need be */
        {"\xf4\x90\x80\x80", "\\ufffd\\ufffd\\ufffd\\ufffd"}, /* beyond Unicode */
        {"\xf5", "\\ufffd"},
        {"\x80", "\\ufffd"},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        assert_written(rows[i].value, strlen(rows[i].value), 1000, rows[i].wanted);
    assert_written("a\0b", 3, 1000, "a\\u0000b");
}

static void no_character_is_cut_in_half(void **state)
{
    assert_written("caf\xc3\xa9s", 6, 3, "caf");
    assert_written("caf\xc3\xa9s", 6, 4, "caf");
    assert_written("caf\xc3\xa9s", 6, 5, "caf\xc3\xa9");
    assert_written("\"\"", 2, 3, "\\\"");
    assert_written("\x01\x02", 2, 11, "\\u0001");
    assert_written("abc", 3, 0, "");
}

/* Whatever the buffer's size: all of it, or nothing, and no byte behind it. */
static void a_full_buffer_is_noticed(void **state)
{
    size_t fits = 0;

    for (size_t bytes = 0; bytes < 600; bytes++) {
        char *buffer = malloc(bytes + 1);
        weir_otlp_t text;
        assert_non_null(buffer);
        buffer[bytes] = '#';
        weir_otlp_begin(&text, buffer, bytes, &alone);
        weir_otlp_text(&text, "key", span("value \xff"), 100);
        weir_otlp_event(&text, "event", 1);
        weir_otlp_fail(&text, "message");
        const weir_span_t all = weir_otlp_end(&text);
        assert_int_equal(buffer[bytes], '#');
        assert_true(fits == 0 || all.base != NULL);
        if (all.base != NULL && fits == 0)
            fits = bytes;
        assert_true(all.base == NULL || all.len == fits);
        free(buffer);
    }
    assert_in_range(fits, 200, 500);
}

static void a_message_has_its_service(void **state)
{
    char *text = NULL;
    size_t bytes;
    FILE *out = open_memstream(&text, &bytes);

    assert_non_null(out);
    weir_otlp_write_front(out, "edge \"1\"", "1.2.3");
    weir_otlp_write_rest(out);
    assert_int_equal(fclose(out), 0);
    assert_string_equal(text, "{\"resourceSpans\":[{\"resource\":{\"attributes\":[{\"key\":\"service.name\",\"value\":"
                              "{\"stringValue\":\"edge \\\"1\\\"\"}}]},\"scopeSpans\":[{\"scope\":{\"name\":\"weir\","
                              "\"version\":\"1.2.3\"},\"spans\":[]}]}]}");
    free(text);
}

static void reads_what_was_rejected(void **state)
{
    static const struct {
        const char *answer;
        uint64_t rejected;
    } rows[] = {
        {"", 0},
        {"{}", 0},
        {"{\"partialSuccess\":{}}", 0},
        {"{\"partialSuccess\":{\"rejectedSpans\":\"17\",\"errorMessage\":\"no\"}}", 17},
        {"{ \"partialSuccess\" : { \"rejectedSpans\" : 3 } }", 3},
        {"{\"partialSuccess\":{\"rejectedSpans\":\"0\"}}", 0},
        {"{\"partialSuccess\":{\"rejectedSpans\":-1}}", 0},
        {"{\"partialSuccess\":{\"rejectedSpans\":\"99999999999999999999\"}}", 0},
        {"\"rejectedSpans\"", 0},
        {"\"rejectedSpans\":", 0},
        {"\"rejectedSpans\":4", 4},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        assert_int_equal(weir_otlp_rejected(span(rows[i].answer)), rows[i].rejected);
    assert_int_equal(weir_otlp_rejected((weir_span_t){"\"rejectedSpans\":45", 17}), 4);
    assert_int_equal(weir_otlp_rejected((weir_span_t){NULL, 0}), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(writes_all_of_a_span),
        cmocka_unit_test(leaves_out_what_is_not),
        cmocka_unit_test(leaves_out_a_state_that_is_too_long),
        cmocka_unit_test(texts_are_utf8),
        cmocka_unit_test(no_character_is_cut_in_half),
        cmocka_unit_test(a_full_buffer_is_noticed),
        cmocka_unit_test(a_message_has_its_service),
        cmocka_unit_test(reads_what_was_rejected),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
