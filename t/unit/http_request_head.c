/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "lib/base/span.h"
#include "lib/http/request_head.h"

enum { MOST_HEADERS = 20 };

static const weir_head_limits_t usual = {8192, 1000, 8192, MOST_HEADERS, 65536};

typedef struct outcome {
    weir_head_progress_t progress;
    const weir_fault_t *fault;
    size_t consumed;
    weir_request_head_t head;
    weir_header_t fields[MOST_HEADERS];
    char *buffer; /* exactly as large as what was read: AddressSanitizer sees every byte too far */
    weir_request_reader_t reader;
} outcome_t;

/* Reads `input` as if it came in pieces that end at first, first + step, …; every time from another place in memory. */
static void read_pieces(const weir_head_limits_t *limits, weir_span_t input, size_t first, size_t step, outcome_t *out)
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
        out->progress = weir_request_head_read(&out->reader, (weir_span_t){out->buffer, length}, limits, out->fields,
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

static void assert_same_span(weir_span_t a, weir_span_t b)
{
    assert_true(weir_span_equal(a, b));
}

static void assert_same(const outcome_t *a, const outcome_t *b)
{
    assert_int_equal(a->progress, b->progress);
    assert_ptr_equal(a->fault, b->fault);
    if (a->progress != WEIR_HEAD_COMPLETE)
        return;
    assert_int_equal(a->consumed, b->consumed);
    assert_same_span(a->head.method, b->head.method);
    assert_same_span(a->head.target, b->head.target);
    assert_same_span(a->head.path, b->head.path);
    assert_same_span(a->head.authority, b->head.authority);
    assert_int_equal(a->head.minor, b->head.minor);
    assert_int_equal(a->head.is_persistent, b->head.is_persistent);
    assert_int_equal(a->head.has_expect, b->head.has_expect);
    assert_int_equal(a->head.framing.kind, b->head.framing.kind);
    assert_int_equal(a->head.framing.length_bytes, b->head.framing.length_bytes);
    assert_int_equal(a->head.headers.count, b->head.headers.count);
    for (size_t i = 0; i < a->head.headers.count; i++) {
        assert_same_span(a->head.headers.at[i].name, b->head.headers.at[i].name);
        assert_same_span(a->head.headers.at[i].value, b->head.headers.at[i].value);
        assert_int_equal(a->head.headers.at[i].id, b->head.headers.at[i].id);
    }
}

/* At once, byte by byte, and split in two at every point: always the same. The caller frees out->buffer. */
static void read_head(const weir_head_limits_t *limits, weir_span_t input, outcome_t *out)
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

static void expect_fault(const weir_head_limits_t *limits, weir_span_t input, const weir_fault_t *fault)
{
    outcome_t got;

    read_head(limits, input, &got);
    if (got.progress != WEIR_HEAD_FAULTY || got.fault != fault)
        fail_msg("'%.*s': progress %d, fault %s instead of %s", (int)input.len, input.base, (int)got.progress,
                 got.fault == NULL ? "none" : got.fault->name, fault->name);
    free(got.buffer);
}

static void expect_progress(const weir_head_limits_t *limits, weir_span_t input, weir_head_progress_t progress)
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
    weir_span_t input = WEIR_SPAN("POST /a/b?c=d HTTP/1.1\r\nHost: example.org:81\r\nX-Foo:  a b \t\r\nX-Empty:\r\n"
                                  "x-eMPTY: \t \r\nContent-Length: 12\r\nExpect: 100-continue\r\n\r\nbody GET / ");
    outcome_t got;

    read_head(&usual, input, &got);
    assert_int_equal(got.progress, WEIR_HEAD_COMPLETE);
    assert_int_equal(got.consumed, input.len - strlen("body GET / "));
    assert_span(got.head.method, "POST");
    assert_span(got.head.target, "/a/b?c=d");
    assert_span(got.head.path, "/a/b?c=d");
    assert_span(got.head.authority, "example.org:81");
    assert_int_equal(got.head.minor, 1);
    assert_true(got.head.is_persistent);
    assert_true(got.head.has_expect);
    assert_int_equal(got.head.framing.kind, WEIR_FRAMING_LENGTH);
    assert_int_equal(got.head.framing.length_bytes, 12);
    assert_int_equal(got.head.headers.count, 6);
    assert_span(got.head.headers.at[1].name, "X-Foo");
    assert_span(got.head.headers.at[1].value, "a b");
    assert_int_equal(got.head.headers.at[1].id, WEIR_HEADER_OTHER);
    assert_span(got.head.headers.at[2].value, "");
    assert_span(got.head.headers.at[3].name, "x-eMPTY");
    assert_span(got.head.headers.at[3].value, "");
    assert_int_equal(got.head.headers.at[4].id, WEIR_HEADER_CONTENT_LENGTH);
    assert_int_equal(got.head.headers.at[5].id, WEIR_HEADER_EXPECT);
    free(got.buffer);
}

static void reduces_targets(void **state)
{
    static const struct {
        const char *method, *target, *path; /* path NULL: refused */
        weir_path_lacks_t lacks;
    } rows[] = {
        {"GET", "/", "/", 0},
        {"GET", "/?", "/", 0},
        {"GET", "/a?b", "/a?b", 0},
        {"GET", "/a?b?", "/a?b?", 0},
        {"GET", "/a??", "/a??", 0},
        {"GET", "/a#b", "/a", 0},
        {"GET", "/a?#b", "/a", 0},
        {"GET", "/a?b#c?", "/a?b", 0},
        {"GET", "/a#?", "/a", 0},
        {"GET", "/#", "/", 0},
        {"GET", "//a//../b/./%2e%zz", "//a//../b/./%2e%zz", 0},
        {"GET", "/\xc3\xa4{}|\"\\^`", "/\xc3\xa4{}|\"\\^`", 0},
        {"GET", "/http://a/b", "/http://a/b", 0},
        {"OPTIONS", "*", "*", 0},
        {"options", "*", NULL, 0},
        {"GET", "*", NULL, 0},
        {"OPTIONS", "*a", NULL, 0},
        {"OPTIONS", "/*", "/*", 0},
        {"GET", "http://a/", "/", 0},
        {"GET", "http://a", "/", 0},
        {"GET", "http://a#b", "/", 0},
        {"GET", "http://a/?", "/", 0},
        {"GET", "http://a/b/c?d#e", "/b/c?d", 0},
        {"GET", "HTTPS://a.b:443/c", "/c", 0},
        {"GET", "hTTp://[::1]:80/c", "/c", 0},
        {"OPTIONS", "http://a", "/", WEIR_PATH_LACKS_ASTERISK},
        {"OPTIONS", "http://a#b", "/", WEIR_PATH_LACKS_ASTERISK},
        {"OPTIONS", "http://a/", "/", 0},
        {"OPTIONS", "http://a?b", "?b", WEIR_PATH_LACKS_SLASH},
        {"GET", "http://a?b", "?b", WEIR_PATH_LACKS_SLASH},
        {"GET", "http://a?b/c?d#e", "?b/c?d", WEIR_PATH_LACKS_SLASH},
        {"GET", "http://a?", "/", 0},
        {"GET", "http://a?#b", "/", 0},
        {"GET", "http://", NULL, 0},
        {"GET", "http:///a", NULL, 0},
        {"GET", "http://:80/a", NULL, 0},
        {"GET", "http://a:/b", "/b", 0},
        {"GET", "http://user@a/b", NULL, 0},
        {"GET", "http://a b/", NULL, 0},
        {"GET", "http:/a", NULL, 0},
        {"GET", "ftp://a/b", NULL, 0},
        {"GET", "a", NULL, 0},
        {"GET", "?a", NULL, 0},
        {"GET", "#a", NULL, 0},
        {"GET", "a:443", NULL, 0},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char text[200];
        int length = snprintf(text, sizeof(text), "%s %s HTTP/1.1\r\nHost: a\r\n\r\n", rows[i].method, rows[i].target);
        weir_span_t input = {text, (size_t)length};
        outcome_t got;

        read_head(&usual, input, &got);
        if ((got.progress == WEIR_HEAD_COMPLETE) != (rows[i].path != NULL))
            fail_msg("%s: %s", text, got.fault == NULL ? "accepted" : got.fault->name);
        if (rows[i].path != NULL) {
            assert_span(got.head.target, rows[i].target);
            assert_span(got.head.path, rows[i].path);
            assert_int_equal(got.head.path_lacks, rows[i].lacks);
        }
        free(got.buffer);
    }
}

/* RFC 9112 §3.2.2: and the Host field says the same, for whoever reads the fields. */
static void takes_the_authority_of_the_target(void **state)
{
    static const struct {
        const char *text, *authority;
        const weir_fault_t *fault;
    } rows[] = {
        {"GET http://B.test:81/x HTTP/1.1\r\nHost: a\r\n\r\n", "B.test:81", NULL},
        {"GET http://b.test HTTP/1.1\r\nX: y\r\nHost:\r\n\r\n", "b.test", NULL},
        {"GET https://[::1]:443/ HTTP/1.0\r\n\r\n", "[::1]:443", NULL},
        {"GET http://b/ HTTP/1.0\r\nHost: a\r\n\r\n", "b", NULL},
        {"GET /http://b/ HTTP/1.1\r\nHost: a\r\n\r\n", "a", NULL},
        {"GET http://b/ HTTP/1.1\r\n\r\n", NULL, &weir_fault_missing_host},
        {"GET http://b/ HTTP/1.1\r\nHost: b\r\nHost: b\r\n\r\n", NULL, &weir_fault_duplicate_host},
        {"GET http://b/ HTTP/1.1\r\nHost: a b\r\n\r\n", NULL, &weir_fault_bad_host},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        outcome_t got;
        const weir_header_t *host;

        read_head(&usual, (weir_span_t){rows[i].text, strlen(rows[i].text)}, &got);
        if (got.fault != rows[i].fault)
            fail_msg("%s: %s", rows[i].text, got.fault == NULL ? "accepted" : got.fault->name);
        if (rows[i].fault == NULL) {
            assert_span(got.head.authority, rows[i].authority);
            host = weir_headers_find(&got.head.headers, WEIR_HEADER_HOST);
            if (host != NULL)
                assert_span(host->value, rows[i].authority);
        }
        free(got.buffer);
    }
}

#define HOST "Host: a\r\n"
#define LINE "GET / HTTP/1.1\r\n"

static void names_what_it_refuses(void **state)
{
    const struct {
        weir_span_t input;
        const weir_fault_t *fault;
    } rows[] = {
        {WEIR_SPAN("\n"), &weir_fault_bad_request_line},
        {WEIR_SPAN("\ra"), &weir_fault_bad_request_line},
        {WEIR_SPAN("\r\n\r\n\r\n\r\n\r\n\r\n"), &weir_fault_bad_request_line},
        {WEIR_SPAN(" GET"), &weir_fault_bad_method},
        {WEIR_SPAN("\x16\x03\x01\x02"), &weir_fault_bad_method},
        {WEIR_SPAN("G\0T"), &weir_fault_bad_method},
        {WEIR_SPAN("G@T "), &weir_fault_bad_method},
        {WEIR_SPAN("GET\t/"), &weir_fault_bad_method},
        {WEIR_SPAN("GET\r\n"), &weir_fault_bad_request_line},
        {WEIR_SPAN("GET\n"), &weir_fault_bad_request_line},
        {WEIR_SPAN("CONNECT "), &weir_fault_connect_refused},
        {WEIR_SPAN("GET  /"), &weir_fault_bad_request_line},
        {WEIR_SPAN("GET /\r\n"), &weir_fault_bad_request_line},
        {WEIR_SPAN("GET /\n"), &weir_fault_bad_request_line},
        {WEIR_SPAN("GET / \r\n"), &weir_fault_bad_request_line},
        {WEIR_SPAN("GET /\t"), &weir_fault_bad_target},
        {WEIR_SPAN("GET /\x7f"), &weir_fault_bad_target},
        {WEIR_SPAN("GET /\0"), &weir_fault_bad_target},
        {WEIR_SPAN("GET a HTTP/1.1\r\n"), &weir_fault_bad_target},
        {WEIR_SPAN("GET /a b"), &weir_fault_bad_request_line},
        {WEIR_SPAN("GET /  "), &weir_fault_bad_request_line},
        {WEIR_SPAN("GET / h"), &weir_fault_bad_request_line},
        {WEIR_SPAN("GET / HTTP/1.2"), &weir_fault_unsupported_version},
        {WEIR_SPAN("GET / HTTP/2"), &weir_fault_unsupported_version},
        {WEIR_SPAN("GET / HTTP/1.1 "), &weir_fault_bad_request_line},
        {WEIR_SPAN("GET / HTTP/1.10"), &weir_fault_unsupported_version},
        {WEIR_SPAN("GET / HTTP/1.1\n"), &weir_fault_unsupported_version},
        {WEIR_SPAN("GET / HTTP/1\r"), &weir_fault_unsupported_version},
        {WEIR_SPAN("GET / HTTP/1.1\r\r"), &weir_fault_bad_request_line},
        {WEIR_SPAN("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), &weir_fault_unsupported_version},
        {WEIR_SPAN(LINE "\n"), &weir_fault_bad_header},
        {WEIR_SPAN(LINE " X: a"), &weir_fault_bad_header},
        {WEIR_SPAN(LINE HOST "X: a\r\n b\r\n\r\n"), &weir_fault_bad_header},
        {WEIR_SPAN(LINE HOST "X: a\r\n\tb\r\n\r\n"), &weir_fault_bad_header},
        {WEIR_SPAN(LINE ": a"), &weir_fault_bad_header},
        {WEIR_SPAN(LINE "X : a"), &weir_fault_bad_header},
        {WEIR_SPAN(LINE "X\t: a"), &weir_fault_bad_header},
        {WEIR_SPAN(LINE "X Y: a"), &weir_fault_bad_header},
        {WEIR_SPAN(LINE "X(Y: a"), &weir_fault_bad_header},
        {WEIR_SPAN(LINE "X\0Y: a"), &weir_fault_bad_header},
        {WEIR_SPAN(LINE "X\xc3: a"), &weir_fault_bad_header},
        {WEIR_SPAN(LINE "foo\r\nTransfer-Encoding: chunked\r\n\r\n"), &weir_fault_bad_header},
        {WEIR_SPAN(LINE "X: a\nEvil: 1\r\n\r\n"), &weir_fault_bad_header},
        {WEIR_SPAN(LINE "X: a\rb"), &weir_fault_bad_header},
        {WEIR_SPAN(LINE "X: a\r\r\n"), &weir_fault_bad_header},
        {WEIR_SPAN(LINE "X: a\0b"), &weir_fault_bad_header},
        {WEIR_SPAN(LINE "X: a\x01"), &weir_fault_bad_header},
        {WEIR_SPAN(LINE "X: a\x7f"), &weir_fault_bad_header},
        {WEIR_SPAN(LINE HOST "\r\r"), &weir_fault_bad_header},
        {WEIR_SPAN(LINE "\r\n"), &weir_fault_missing_host},
        {WEIR_SPAN(LINE HOST "X: y\r\n" HOST "\r\n"), &weir_fault_duplicate_host},
        {WEIR_SPAN("GET / HTTP/1.0\r\n" HOST HOST "\r\n"), &weir_fault_duplicate_host},
        {WEIR_SPAN(LINE HOST "Content-Length: a\r\n\r\n"), &weir_fault_bad_content_length},
        {WEIR_SPAN(LINE HOST "Content-Length: 1\r\nContent-Length: 2\r\n\r\n"), &weir_fault_bad_content_length},
        {WEIR_SPAN(LINE HOST "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n"), &weir_fault_conflicting_framing},
        {WEIR_SPAN("GET / HTTP/1.0\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n"), &weir_fault_invalid_transfer_encoding},
        {WEIR_SPAN(LINE HOST "Transfer-Encoding: gzip\r\n\r\n"), &weir_fault_invalid_transfer_encoding},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        expect_fault(&usual, rows[i].input, rows[i].fault);
}

static void waits_for_the_rest(void **state)
{
    static const char head[] = "\r\n\r\nGET /a?b#c HTTP/1.1\r\nHost: a\r\nX: b\r\n\r\n";

    for (size_t length = 0; length < sizeof(head) - 1; length++)
        expect_progress(&usual, (weir_span_t){head, length}, WEIR_HEAD_PARTIAL);
    expect_progress(&usual, WEIR_SPAN(head), WEIR_HEAD_COMPLETE);
    expect_progress(&usual, WEIR_SPAN("\r\n\r\n\r\n\r\n\r\n" LINE HOST "\r\n"), WEIR_HEAD_COMPLETE);
    expect_progress(&usual, WEIR_SPAN("GET / HTTP/1.0\r\n\r\n"), WEIR_HEAD_COMPLETE);
    expect_progress(&usual, WEIR_SPAN(LINE "Host:\r\n\r\n"), WEIR_HEAD_COMPLETE);
}

static void knows_when_the_request_line_is_there(void **state)
{
    outcome_t got;

    read_head(&usual, WEIR_SPAN("\r\nGET / HTTP/1.1\r"), &got);
    assert_false(got.reader.has_request_line);
    assert_int_equal(got.reader.empty_lines, 1);
    free(got.buffer);
    read_head(&usual, WEIR_SPAN("\r\nGET / HTTP/1.1\r\nX: a\r\nY:"), &got);
    assert_true(got.reader.has_request_line);
    assert_int_equal(got.reader.lines, 2);
    assert_int_equal(got.reader.scanned_bytes, 24);
    free(got.buffer);
}

static void knows_what_is_persistent(void **state)
{
    static const struct {
        const char *rest;
        bool is_persistent;
    } rows[] = {
        {"1.1\r\n", true},
        {"1.1\r\nConnection: close\r\n", false},
        {"1.1\r\nConnection: CLOSE\r\n", false},
        {"1.1\r\nConnection: keep-alive, close\r\n", false},
        {"1.1\r\nConnection: close\r\nConnection: keep-alive\r\n", false},
        {"1.1\r\nConnection: keep-alive\r\nConnection: x,,close ,\r\n", false},
        {"1.1\r\nConnection: closed\r\n", true},
        {"1.1\r\nConnection: upgrade\r\n", true},
        {"1.0\r\n", false},
        {"1.0\r\nConnection: keep-alive\r\n", true},
        {"1.0\r\nConnection: x, Keep-Alive\r\n", true},
        {"1.0\r\nConnection: keep-alive\r\nConnection: close\r\n", false},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char text[200];
        int length = snprintf(text, sizeof(text), "GET / HTTP/%s" HOST "\r\n", rows[i].rest);
        outcome_t got;

        read_head(&usual, (weir_span_t){text, (size_t)length}, &got);
        assert_int_equal(got.progress, WEIR_HEAD_COMPLETE);
        assert_int_equal(got.head.is_persistent, rows[i].is_persistent);
        free(got.buffer);
    }
}

/* Of each limit: what is exactly as long passes, complete and not, one byte more fails as soon as it is there. */
static void holds_the_limits_exactly(void **state)
{
    weir_head_limits_t line = usual, name = usual, value = usual, count = usual, total = usual;

    line.line_bytes = 15;
    expect_progress(&line, WEIR_SPAN("GET /a HTTP/1.1\r\n" HOST "\r\n"), WEIR_HEAD_COMPLETE);
    expect_progress(&line, WEIR_SPAN("\r\nGET /a HTTP/1.1\r\n" HOST "\r\n"), WEIR_HEAD_COMPLETE);
    expect_progress(&line, WEIR_SPAN("GET /abcdefghij"), WEIR_HEAD_PARTIAL);
    expect_fault(&line, WEIR_SPAN("GET /abcdefghijk"), &weir_fault_request_line_too_long);
    expect_fault(&line, WEIR_SPAN("GET /ab HTTP/1.1"), &weir_fault_request_line_too_long);
    expect_fault(&line, WEIR_SPAN("GET /abcdefghij\t"), &weir_fault_request_line_too_long);
    expect_fault(&line, WEIR_SPAN("GETGETGETGETGETG"), &weir_fault_request_line_too_long);

    name.name_bytes = 4;
    expect_progress(&name, WEIR_SPAN(LINE HOST "ABCD"), WEIR_HEAD_PARTIAL);
    expect_progress(&name, WEIR_SPAN(LINE HOST "ABCD: a\r\n\r\n"), WEIR_HEAD_COMPLETE);
    expect_fault(&name, WEIR_SPAN(LINE HOST "ABCDE"), &weir_fault_header_name_too_long);
    expect_fault(&name, WEIR_SPAN(LINE HOST "ABCDE: a\r\n\r\n"), &weir_fault_header_name_too_long);

    value.value_bytes = 4;
    expect_progress(&value, WEIR_SPAN(LINE HOST "A: abcd"), WEIR_HEAD_PARTIAL);
    expect_progress(&value, WEIR_SPAN(LINE HOST "A:      abcd      \r\n\r\n"), WEIR_HEAD_COMPLETE);
    expect_progress(&value, WEIR_SPAN(LINE HOST "A:           \r\n\r\n"), WEIR_HEAD_COMPLETE);
    expect_fault(&value, WEIR_SPAN(LINE HOST "A: abcde"), &weir_fault_header_value_too_long);
    expect_fault(&value, WEIR_SPAN(LINE HOST "A: a    b"), &weir_fault_header_value_too_long);
    expect_fault(&value, WEIR_SPAN(LINE HOST "A: abcde\r\n\r\n"), &weir_fault_header_value_too_long);

    count.count = 2;
    expect_progress(&count, WEIR_SPAN(LINE HOST "A: a\r\n"), WEIR_HEAD_PARTIAL);
    expect_progress(&count, WEIR_SPAN(LINE HOST "A: a\r\n\r"), WEIR_HEAD_PARTIAL);
    expect_progress(&count, WEIR_SPAN(LINE HOST "A: a\r\n\r\n"), WEIR_HEAD_COMPLETE);
    expect_fault(&count, WEIR_SPAN(LINE HOST "A: a\r\nB"), &weir_fault_too_many_headers);
    expect_fault(&count, WEIR_SPAN(LINE HOST "A: a\r\nB: b\r\n\r\n"), &weir_fault_too_many_headers);

    total.total_bytes = sizeof("\r\n" LINE HOST "\r\n") - 1;
    expect_progress(&total, WEIR_SPAN("\r\n" LINE HOST "\r\nGET"), WEIR_HEAD_COMPLETE);
    expect_progress(&total, WEIR_SPAN("\r\n" LINE HOST "a:"), WEIR_HEAD_PARTIAL);
    expect_fault(&total, WEIR_SPAN("\r\n" LINE HOST "a: "), &weir_fault_head_too_large);
    expect_fault(&total, WEIR_SPAN("\r\n\r\n" LINE HOST "\r\n"), &weir_fault_head_too_large);
}

static void holds_the_limit_of_methods(void **state)
{
    char text[200] = "";
    weir_head_limits_t short_line = usual;

    memset(text, 'M', 128);
    memcpy(text + 127, " / HTTP/1.1\r\nHost: a\r\n\r\n", 25);
    expect_progress(&usual, (weir_span_t){text, 151}, WEIR_HEAD_COMPLETE);
    text[127] = 'M';
    expect_fault(&usual, (weir_span_t){text, 128}, &weir_fault_bad_method);
    short_line.line_bytes = 127;
    expect_fault(&short_line, (weir_span_t){text, 128}, &weir_fault_request_line_too_long);
    short_line.line_bytes = 128;
    expect_fault(&short_line, (weir_span_t){text, 128}, &weir_fault_bad_method);
}

static void answers_again(void **state)
{
    weir_span_t input = WEIR_SPAN(LINE HOST "\r\n");
    outcome_t got;
    size_t consumed = 0;

    read_pieces(&usual, input, 20, 1, &got);
    assert_int_equal(got.progress, WEIR_HEAD_COMPLETE);
    assert_int_equal(weir_request_head_read(&got.reader, input, &usual, got.fields, &got.head, &consumed, &got.fault),
                     WEIR_HEAD_COMPLETE);
    assert_int_equal(consumed, input.len);
    assert_int_equal(got.head.headers.count, 1);
    assert_ptr_equal(got.head.method.base, input.base);
    free(got.buffer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_a_usual_head),
        cmocka_unit_test(reduces_targets),
        cmocka_unit_test(takes_the_authority_of_the_target),
        cmocka_unit_test(names_what_it_refuses),
        cmocka_unit_test(waits_for_the_rest),
        cmocka_unit_test(knows_when_the_request_line_is_there),
        cmocka_unit_test(knows_what_is_persistent),
        cmocka_unit_test(holds_the_limits_exactly),
        cmocka_unit_test(holds_the_limit_of_methods),
        cmocka_unit_test(answers_again),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
