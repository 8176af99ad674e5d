/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "lib/base/span.h"
#include "lib/http/logfmt.h"
#include "lib/http/request_id.h"
#include "lib/http/status.h"

static void assert_span(weir_span_t actual, const char *expected)
{
    if (actual.len != strlen(expected) || (actual.len != 0 && memcmp(actual.base, expected, actual.len) != 0))
        fail_msg("'%.*s' instead of '%s'", (int)actual.len, actual.base, expected);
}

static weir_span_t span(const char *text)
{
    return (weir_span_t){text, strlen(text)};
}

static void knows_valid_request_ids(void **state)
{
    static char id[201];

    memset(id, 'a', sizeof(id));
    assert_false(weir_request_id_is_valid((weir_span_t){NULL, 0}, 200));
    assert_false(weir_request_id_is_valid((weir_span_t){id, 19}, 200));
    assert_true(weir_request_id_is_valid((weir_span_t){id, 20}, 200));
    assert_true(weir_request_id_is_valid((weir_span_t){id, 200}, 200));
    assert_false(weir_request_id_is_valid((weir_span_t){id, 201}, 200));
    assert_true(weir_request_id_is_valid((weir_span_t){id, 20}, 20));
    assert_false(weir_request_id_is_valid((weir_span_t){id, 21}, 20));
    for (size_t at = 0; at < 20; at += 19) {
        for (int c = 0; c < 256; c++) {
            bool expected = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                            (c != 0 && strchr("-+/=", c) != NULL);
            id[at] = (char)c;
            assert_int_equal(weir_request_id_is_valid((weir_span_t){id, 20}, 200), expected);
        }
        id[at] = 'a';
    }
}

static void makes_uuids(void **state)
{
    uint8_t random[16];
    char out[WEIR_UUID_BYTES + 1];

    out[WEIR_UUID_BYTES] = '\0';
    memset(random, 0, sizeof(random));
    weir_request_id_make(random, out);
    assert_string_equal(out, "00000000-0000-4000-8000-000000000000");
    memset(random, 0xff, sizeof(random));
    weir_request_id_make(random, out);
    assert_string_equal(out, "ffffffff-ffff-4fff-bfff-ffffffffffff");
    for (size_t i = 0; i < 16; i++)
        random[i] = (uint8_t)(i * 16 + 15 - i);
    weir_request_id_make(random, out);
    assert_string_equal(out, "0f1e2d3c-4b5a-4978-8796-a5b4c3d2e1f0");
    assert_true(weir_request_id_is_valid(span(out), 200));
}

static void knows_statuses(void **state)
{
    assert_string_equal(weir_status_reason(100), "Continue");
    assert_string_equal(weir_status_reason(200), "OK");
    assert_string_equal(weir_status_reason(404), "Not Found");
    assert_string_equal(weir_status_reason(431), "Request Header Fields Too Large");
    assert_string_equal(weir_status_reason(511), "Network Authentication Required");
    assert_string_equal(weir_status_reason(0), "");
    assert_string_equal(weir_status_reason(499), "");
    assert_string_equal(weir_status_reason(512), "");
    assert_string_equal(weir_status_reason(65535), "");
    for (unsigned status = 0; status < 65536; status++) {
        bool expected = status >= 200 && status != 204 && status != 304;
        assert_non_null(weir_status_reason((uint16_t)status));
        assert_int_equal(weir_status_has_body((uint16_t)status), expected);
    }
}

static void knows_idempotent_methods(void **state)
{
    static const char *const yes[] = {"GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE"};
    static const char *const no[] = {"POST", "PATCH", "get", "Get", "", "GETS", "PURGE", "DELETED", "LOCK", "CONNECT"};

    for (size_t i = 0; i < sizeof(yes) / sizeof(yes[0]); i++)
        assert_true(weir_method_is_idempotent(span(yes[i])));
    for (size_t i = 0; i < sizeof(no) / sizeof(no[0]); i++)
        assert_false(weir_method_is_idempotent(span(no[i])));
}

static void writes_lines(void **state)
{
    char buffer[200];
    weir_logfmt_t line;

    weir_logfmt_begin(&line, buffer, sizeof(buffer));
    assert_span(weir_logfmt_end(&line), "\n");

    weir_logfmt_begin(&line, buffer, sizeof(buffer));
    weir_logfmt_text(&line, "a", WEIR_SPAN("b"));
    weir_logfmt_text(&line, "empty", (weir_span_t){NULL, 0});
    weir_logfmt_text(&line, "space", WEIR_SPAN("c d"));
    weir_logfmt_text(&line, "equals", WEIR_SPAN("c=d"));
    weir_logfmt_text(&line, "utf8", WEIR_SPAN("\xc3\xa4/\\"));
    weir_logfmt_text(&line, "evil", WEIR_SPAN("e\r\n\t\0\x7f\"\\"));
    weir_logfmt_number(&line, "n", 0, "");
    weir_logfmt_number(&line, "max", UINT64_MAX, "us");
    weir_logfmt_quoted(&line, "q", WEIR_SPAN("plain"));
    weir_logfmt_quoted(&line, "q", (weir_span_t){NULL, 0});
    assert_span(weir_logfmt_end(&line),
                "a=b empty= space=\"c d\" equals=\"c=d\" utf8=\xc3\xa4/\\ evil=\"e\\x0d\\x0a\\x09\\x00\\x7f\\\"\\\\\" n=0 "
                "max=18446744073709551615us q=\"plain\" q=\"\"\n");
}

static void shows_controls_of_utf8(void **state)
{
    char buffer[200];
    weir_logfmt_t line;

    weir_logfmt_begin(&line, buffer, sizeof(buffer));
    weir_logfmt_text(&line, "a", WEIR_SPAN("\xc2\x80\xc2\x9b\xc2\xa0\xc3\x9b\x9b\xc2"));
    weir_logfmt_text(&line, "b", WEIR_SPAN("\xc2\xa0"));
    assert_span(weir_logfmt_end(&line), "a=\"\\xc2\\x80\\xc2\\x9b\xc2\xa0\xc3\x9b\x9b\xc2\" b=\xc2\xa0\n");
}

static void cuts_what_others_choose(void **state)
{
    char buffer[400];
    weir_logfmt_t line;

    weir_logfmt_begin(&line, buffer, sizeof(buffer));
    weir_logfmt_text_most(&line, "a", WEIR_SPAN("12345678"), 8);
    weir_logfmt_text_most(&line, "b", WEIR_SPAN("123456789"), 8);
    weir_logfmt_text_most(&line, "c", WEIR_SPAN("1 2"), 8);
    weir_logfmt_quoted_most(&line, "d", WEIR_SPAN("12345678"), 8);
    weir_logfmt_quoted_most(&line, "e", WEIR_SPAN("1234\"5678"), 8);
    weir_logfmt_quoted_most(&line, "f", WEIR_SPAN("\n\n\n"), 8);
    weir_logfmt_quoted_end(&line, "g", WEIR_SPAN("12345678"), 8);
    weir_logfmt_quoted_end(&line, "h", WEIR_SPAN("1, 2, 3, 10.0.0.9"), 12);
    weir_logfmt_quoted_end(&line, "i", WEIR_SPAN("\n\n\n"), 8);
    assert_span(weir_logfmt_end(&line), "a=12345678 b=\"12345...\" c=\"1 2\" d=\"12345678\" e=\"1234...\" f=\"\\x0a...\" "
                                        "g=\"12345678\" h=\"... 10.0.0.9\" i=\"...\\x0a\"\n");
}

static void write_much(weir_logfmt_t *line)
{
    weir_logfmt_text(line, "ab", WEIR_SPAN("cdef"));
    weir_logfmt_text(line, "gh", WEIR_SPAN("i\n\"j"));
    weir_logfmt_number(line, "k", 123, "ms");
    weir_logfmt_quoted(line, "l", WEIR_SPAN("\x01\\mno"));
    weir_logfmt_text(line, "p", WEIR_SPAN("q"));
}

/* Whatever the capacity: one newline, at the end; quotes in pairs; no byte beyond the buffer. */
static void cuts_but_never_breaks_a_line(void **state)
{
    for (size_t capacity = 2; capacity < 80; capacity++) {
        char *buffer = malloc(capacity);
        weir_logfmt_t line;
        weir_span_t got;
        size_t quotes = 0;

        weir_logfmt_begin(&line, buffer, capacity);
        write_much(&line);
        got = weir_logfmt_end(&line);
        assert_ptr_equal(got.base, buffer);
        assert_in_range(got.len, 1, capacity);
        assert_ptr_equal(memchr(got.base, '\n', got.len), got.base + got.len - 1);
        for (size_t i = 0; i < got.len; i++) {
            if (got.base[i] == '\\')
                i++;
            else
                quotes += got.base[i] == '"';
        }
        assert_int_equal(quotes % 2, 0);
        free(buffer);
    }
}

static void cuts_where_it_must(void **state)
{
    static const struct {
        size_t capacity;
        const char *line;
    } rows[] = {
        {2, "\n"}, {3, "\n"}, {4, "ab=\n"}, {5, "ab=c\n"}, {8, "ab=cdef\n"}, {13, "ab=cdef k=\n"}, {14, "ab=cdef gh=\"\"\n"},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char buffer[20];
        weir_logfmt_t line;

        weir_logfmt_begin(&line, buffer, rows[i].capacity);
        weir_logfmt_text(&line, "ab", WEIR_SPAN("cdef"));
        weir_logfmt_text(&line, "gh", WEIR_SPAN("i\n\"j"));
        if (rows[i].capacity == 13)
            weir_logfmt_text(&line, "k", (weir_span_t){NULL, 0});
        assert_span(weir_logfmt_end(&line), rows[i].line);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(knows_valid_request_ids),
        cmocka_unit_test(makes_uuids),
        cmocka_unit_test(knows_statuses),
        cmocka_unit_test(knows_idempotent_methods),
        cmocka_unit_test(writes_lines),
        cmocka_unit_test(shows_controls_of_utf8),
        cmocka_unit_test(cuts_what_others_choose),
        cmocka_unit_test(cuts_but_never_breaks_a_line),
        cmocka_unit_test(cuts_where_it_must),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
