/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "lib/base/span.h"
#include "lib/http/response_head.h"

enum { MOST_HEADERS = 20 };

static const weir_response_limits_t usual = {8192, 524288, 8192, MOST_HEADERS, 1048576};

typedef struct outcome {
    weir_head_progress_t progress;
    const weir_fault_t *fault;
    size_t consumed;
    weir_response_head_t head;
    weir_header_t fields[MOST_HEADERS];
    char *buffer; /* exactly as large as what was read: AddressSanitizer sees every byte too far */
    weir_response_reader_t reader;
} outcome_t;

/* Reads `input` as if it came in pieces that end at first, first + step, …; every time from another place in memory. */
static void read_pieces(const weir_response_limits_t *limits, weir_span_t input, size_t first, size_t step, outcome_t *out)
{
    *out = (outcome_t){.progress = WEIR_HEAD_PARTIAL};
    for (size_t length = first;; length += step) {
        if (length > input.len)
            length = input.len;
        free(out->buffer);
        out->buffer = malloc(length + !length);
        assert_non_null(out->buffer);
        memcpy(out->buffer, input.base, length);
        memset(out->fields, 0x55, sizeof(out->fields));
        out->progress = weir_response_head_read(&out->reader, (weir_span_t){out->buffer, length}, limits, out->fields,
                                                &out->head, &out->consumed, &out->fault);
        if (out->progress != WEIR_HEAD_PARTIAL || length == input.len)
            return;
    }
}

static void assert_span(weir_span_t actual, const char *expected)
{
    if (actual.len != strlen(expected) || (actual.len != 0 && memcmp(actual.base, expected, actual.len) != 0))
        fail_msg("'%.*s' instead of '%s'", (int)actual.len, actual.base, expected);
}

static void assert_same(const outcome_t *a, const outcome_t *b)
{
    assert_int_equal(a->progress, b->progress);
    assert_ptr_equal(a->fault, b->fault);
    if (a->progress != WEIR_HEAD_COMPLETE)
        return;
    assert_int_equal(a->consumed, b->consumed);
    assert_int_equal(a->head.status, b->head.status);
    assert_int_equal(a->head.minor, b->head.minor);
    assert_int_equal(a->head.is_persistent, b->head.is_persistent);
    assert_true(weir_span_equal(a->head.reason, b->head.reason));
    assert_int_equal(a->head.headers.count, b->head.headers.count);
    for (size_t i = 0; i < a->head.headers.count; i++) {
        assert_true(weir_span_equal(a->head.headers.at[i].name, b->head.headers.at[i].name));
        assert_true(weir_span_equal(a->head.headers.at[i].value, b->head.headers.at[i].value));
        assert_int_equal(a->head.headers.at[i].id, b->head.headers.at[i].id);
    }
}

/* At once, byte by byte, and split in two at every point: always the same. The caller frees out->buffer. */
static void read_head(const weir_response_limits_t *limits, weir_span_t input, outcome_t *out)
{
    outcome_t other;

    read_pieces(limits, input, input.len, 1, out);
    read_pieces(limits, input, 0, 1, &other);
    assert_same(out, &other);
    free(other.buffer);
    for (size_t split = 1; split < input.len; split++) {
        read_pieces(limits, input, split, input.len, &other);
        assert_same(out, &other);
        free(other.buffer);
    }
}

static void expect_fault(const weir_response_limits_t *limits, weir_span_t input, const weir_fault_t *fault)
{
    outcome_t got;

    read_head(limits, input, &got);
    if (got.progress != WEIR_HEAD_FAULTY || got.fault != fault)
        fail_msg("'%.*s': progress %d, fault %s instead of %s", (int)input.len, input.base, (int)got.progress,
                 got.fault == NULL ? "none" : got.fault->name, fault->name);
    free(got.buffer);
}

static void expect_progress(const weir_response_limits_t *limits, weir_span_t input, weir_head_progress_t progress)
{
    outcome_t got;

    read_head(limits, input, &got);
    if (got.progress != progress)
        fail_msg("'%.*s': progress %d (%s)", (int)input.len, input.base, (int)got.progress,
                 got.fault == NULL ? "no fault" : got.fault->name);
    free(got.buffer);
}

static void reads_a_usual_head(void **state)
{
    weir_span_t input = WEIR_SPAN("HTTP/1.1 404 Not  Found \r\nServer: x\r\nSet-Cookie:a=b \r\nset-cookie: \t c=d\r\n\r\nbody");
    outcome_t got;

    read_head(&usual, input, &got);
    assert_int_equal(got.progress, WEIR_HEAD_COMPLETE);
    assert_int_equal(got.consumed, input.len - 4);
    assert_int_equal(got.head.status, 404);
    assert_span(got.head.reason, "Not  Found ");
    assert_int_equal(got.head.minor, 1);
    assert_true(got.head.is_persistent);
    assert_int_equal(got.head.headers.count, 3);
    assert_int_equal(got.head.headers.at[0].id, WEIR_HEADER_SERVER);
    assert_int_equal(got.head.headers.at[1].id, WEIR_HEADER_SET_COOKIE);
    assert_span(got.head.headers.at[1].value, "a=b");
    assert_span(got.head.headers.at[2].name, "set-cookie");
    assert_span(got.head.headers.at[2].value, "c=d");
    free(got.buffer);
}

static void reads_status_lines(void **state)
{
    static const struct {
        const char *line;
        int status;
        const char *reason; /* NULL: refused */
    } rows[] = {
        {"HTTP/1.1 200 OK", 200, "OK"}, {"HTTP/1.0 200 OK", 200, "OK"}, {"HTTP/1.1 421", 421, ""},
        {"HTTP/1.1 421 ", 421, ""},     {"HTTP/1.1 421  ", 421, " "},   {"HTTP/1.1 100 \t\xc3\xa4", 100, "\t\xc3\xa4"},
        {"HTTP/1.1 999 x", 999, "x"},   {"HTTP/1.1 099 x", 0, NULL},    {"HTTP/1.1 000 x", 0, NULL},
        {"HTTP/1.1 0 x", 0, NULL},      {"HTTP/1.1 20 x", 0, NULL},     {"HTTP/1.1 2000 x", 0, NULL},
        {"HTTP/1.1 200x", 0, NULL},     {"HTTP/1.1 200\tx", 0, NULL},   {"HTTP/1.1 200 x\x01", 0, NULL},
        {"HTTP/1.1 200 x\ny", 0, NULL}, {"HTTP/1.1 200 x\ry", 0, NULL}, {"HTTP/1.1 -20 x", 0, NULL},
        {"HTTP/1.1  200 x", 0, NULL},   {"HTTP/1.1\t200 x", 0, NULL},   {"HTTP/1.2 200 x", 0, NULL},
        {"HTTP/2.0 200 x", 0, NULL},    {"HTTP/2 200", 0, NULL},        {"http/1.1 200 x", 0, NULL},
        {" HTTP/1.1 200 x", 0, NULL},   {"ICY 200 OK", 0, NULL},        {"", 0, NULL},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char text[100];
        int length = snprintf(text, sizeof(text), "%s\r\n\r\n", rows[i].line);
        weir_span_t input = {text, (size_t)length};
        outcome_t got;

        if (rows[i].reason == NULL) {
            expect_fault(&usual, input, &weir_fault_backend_invalid_status);
            continue;
        }
        read_head(&usual, input, &got);
        assert_int_equal(got.progress, WEIR_HEAD_COMPLETE);
        assert_int_equal(got.head.status, rows[i].status);
        assert_span(got.head.reason, rows[i].reason);
        free(got.buffer);
    }
}

static void refuses_what_cannot_become_a_status_line(void **state)
{
    static const char line[] = "HTTP/1.1 200";
    char text[sizeof(line)];

    for (size_t i = 0; i < sizeof(line) - 1; i++) {
        memcpy(text, line, sizeof(line));
        expect_progress(&usual, (weir_span_t){text, i + 1}, WEIR_HEAD_PARTIAL);
        text[i] = '#';
        expect_fault(&usual, (weir_span_t){text, i + 1}, &weir_fault_backend_invalid_status);
    }
    expect_fault(&usual, WEIR_SPAN("\r"), &weir_fault_backend_invalid_status);
    expect_fault(&usual, WEIR_SPAN("<"), &weir_fault_backend_invalid_status);
}

#define LINE "HTTP/1.1 200 OK\r\n"

static void refuses_bad_headers(void **state)
{
    const weir_span_t rows[] = {
        WEIR_SPAN(LINE "no colon\r\n\r\n"),
        WEIR_SPAN(LINE "nocolon\r\n"),
        WEIR_SPAN(LINE ": a"),
        WEIR_SPAN(LINE "X : a"),
        WEIR_SPAN(LINE " X: a"),
        WEIR_SPAN(LINE "X: a\r\n b"),
        WEIR_SPAN(LINE "X: a\r\n\tb"),
        WEIR_SPAN(LINE "X: a\nY: b\r\n"),
        WEIR_SPAN(LINE "X: a\rb"),
        WEIR_SPAN(LINE "X: a\0b"),
        WEIR_SPAN(LINE "X\0: a"),
        WEIR_SPAN(LINE "\n"),
        WEIR_SPAN(LINE "\rX"),
        WEIR_SPAN(LINE "X: a\r\n\n"),
        WEIR_SPAN(LINE "X: \x1b[0m"),
        WEIR_SPAN(LINE "X\xe4: a"),
        WEIR_SPAN(LINE "X: a\x7f\r\n\r\n"),
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        expect_fault(&usual, rows[i], &weir_fault_backend_invalid_header);
}

static void waits_for_the_rest(void **state)
{
    static const char head[] = "HTTP/1.0 200\r\nA: b\r\nSet-Cookie: c\r\n\r\n";

    for (size_t length = 0; length < sizeof(head) - 1; length++)
        expect_progress(&usual, (weir_span_t){head, length}, WEIR_HEAD_PARTIAL);
    expect_progress(&usual, WEIR_SPAN(head), WEIR_HEAD_COMPLETE);
}

static void knows_what_is_persistent(void **state)
{
    static const struct {
        const char *head;
        bool is_persistent;
    } rows[] = {
        {"HTTP/1.1 200\r\n\r\n", true},
        {"HTTP/1.1 200\r\nConnection: Close\r\n\r\n", false},
        {"HTTP/1.1 200\r\nConnection: keep-alive\r\nConnection: a, close\r\n\r\n", false},
        {"HTTP/1.0 200\r\n\r\n", false},
        {"HTTP/1.0 200\r\nConnection: keep-alive\r\n\r\n", true},
        {"HTTP/1.0 200\r\nConnection: keep-alive, close\r\n\r\n", false},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        outcome_t got;
        read_head(&usual, (weir_span_t){rows[i].head, strlen(rows[i].head)}, &got);
        assert_int_equal(got.progress, WEIR_HEAD_COMPLETE);
        assert_int_equal(got.head.is_persistent, rows[i].is_persistent);
        free(got.buffer);
    }
}

static void holds_the_limits_exactly(void **state)
{
    weir_response_limits_t status = usual, header = usual, cookie = usual, count = usual, total = usual;

    status.status_line_bytes = 15;
    expect_progress(&status, WEIR_SPAN("HTTP/1.1 200 OK\r\n\r\n"), WEIR_HEAD_COMPLETE);
    expect_progress(&status, WEIR_SPAN("HTTP/1.1 200 OK\r"), WEIR_HEAD_PARTIAL);
    expect_fault(&status, WEIR_SPAN("HTTP/1.1 200 OK!"), &weir_fault_backend_status_length);
    expect_fault(&status, WEIR_SPAN("HTTP/1.1 200 OK!\r\n\r\n"), &weir_fault_backend_status_length);

    header.header_bytes = 6;
    expect_progress(&header, WEIR_SPAN(LINE "AB: cd"), WEIR_HEAD_PARTIAL);
    expect_progress(&header, WEIR_SPAN(LINE "AB: cd\r\n\r\n"), WEIR_HEAD_COMPLETE);
    expect_progress(&header, WEIR_SPAN(LINE "ABCDEF"), WEIR_HEAD_PARTIAL);
    expect_fault(&header, WEIR_SPAN(LINE "ABCDEFG"), &weir_fault_backend_header_length);
    expect_fault(&header, WEIR_SPAN(LINE "ABCDEF:"), &weir_fault_backend_header_length);
    expect_fault(&header, WEIR_SPAN(LINE "AB: cde"), &weir_fault_backend_header_length);
    expect_fault(&header, WEIR_SPAN(LINE "AB: cd \r\n\r\n"), &weir_fault_backend_header_length);
    expect_fault(&header, WEIR_SPAN(LINE "Set-Cookie: a"), &weir_fault_backend_header_length);

    cookie.cookie_bytes = 15;
    expect_progress(&cookie, WEIR_SPAN(LINE "Set-Cookie: abc\r\n\r\n"), WEIR_HEAD_COMPLETE);
    expect_progress(&cookie, WEIR_SPAN(LINE "Set-Cookie: abc"), WEIR_HEAD_PARTIAL);
    expect_progress(&cookie, WEIR_SPAN(LINE "Set-Cooky: abcdefgh\r\n\r\n"), WEIR_HEAD_COMPLETE);
    expect_fault(&cookie, WEIR_SPAN(LINE "Set-Cookie: abcd"), &weir_fault_backend_cookie_length);
    expect_fault(&cookie, WEIR_SPAN(LINE "sET-cOOKIE: abcd\r\n\r\n"), &weir_fault_backend_cookie_length);

    count.count = 2;
    expect_progress(&count, WEIR_SPAN(LINE "A: a\r\nB: b\r\n\r\n"), WEIR_HEAD_COMPLETE);
    expect_fault(&count, WEIR_SPAN(LINE "A: a\r\nB: b\r\nC"), &weir_fault_backend_header_length);

    total.total_bytes = sizeof(LINE "A: a\r\n\r\n") - 1;
    expect_progress(&total, WEIR_SPAN(LINE "A: a\r\n\r\nbody"), WEIR_HEAD_COMPLETE);
    expect_progress(&total, WEIR_SPAN(LINE "A: a\r\nB:"), WEIR_HEAD_PARTIAL);
    expect_fault(&total, WEIR_SPAN(LINE "A: a\r\nB: "), &weir_fault_backend_header_length);
    expect_fault(&total, WEIR_SPAN(LINE "A: ab\r\n\r\n"), &weir_fault_backend_header_length);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_a_usual_head),
        cmocka_unit_test(reads_status_lines),
        cmocka_unit_test(refuses_what_cannot_become_a_status_line),
        cmocka_unit_test(refuses_bad_headers),
        cmocka_unit_test(waits_for_the_rest),
        cmocka_unit_test(knows_what_is_persistent),
        cmocka_unit_test(holds_the_limits_exactly),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
