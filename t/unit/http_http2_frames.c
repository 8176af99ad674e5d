/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lib/http/http2_frames.h"

static char wire[8192];
static size_t wire_len;

static void add(uint8_t type, uint8_t flags, uint32_t stream, const char *payload, size_t length)
{
    const uint8_t head[9] = {(uint8_t)(length >> 16), (uint8_t)(length >> 8),  (uint8_t)length,        type,           flags,
                             (uint8_t)(stream >> 24), (uint8_t)(stream >> 16), (uint8_t)(stream >> 8), (uint8_t)stream};

    assert_true(wire_len + sizeof(head) + length <= sizeof(wire));
    memcpy(wire + wire_len, head, sizeof(head));
    memcpy(wire + wire_len + sizeof(head), payload, length);
    wire_len += sizeof(head) + length;
}

/* What the last of all frames is, read in pieces of so many bytes. All before it are fine. */
static weir_http2_verdict_t verdict_by(size_t piece, bool is_client)
{
    weir_http2_frames_t frames = {.is_client = is_client};
    weir_http2_verdict_t verdict = WEIR_HTTP2_FINE;
    weir_http2_frame_t frame;

    for (size_t at = 0; at < wire_len; at += piece) {
        weir_span_t bytes = {wire + at, wire_len - at < piece ? wire_len - at : piece};
        while (weir_http2_frames_next(&frames, &bytes, &frame)) {
            assert_int_equal(verdict, WEIR_HTTP2_FINE);
            verdict = weir_http2_frames_judge(&frames, &frame);
        }
        assert_int_equal(bytes.len, 0);
    }
    assert_int_equal(frames.left_bytes, 0);
    return verdict;
}

static void assert_verdict(weir_http2_verdict_t verdict, bool is_client)
{
    for (size_t piece = 1; piece <= wire_len; piece += 1 + piece / 16)
        assert_int_equal(verdict_by(piece, is_client), verdict);
    wire_len = 0;
}

static void headers(uint32_t stream, uint8_t flags)
{
    add(WEIR_HTTP2_HEADERS, flags, stream, "fields", 6);
}

static void data(uint32_t stream, uint8_t flags)
{
    add(WEIR_HTTP2_DATA, flags, stream, "data", 4);
}

static void reset(uint32_t stream)
{
    add(WEIR_HTTP2_RST_STREAM, 0, stream, "\0\0\0\0", 4);
}

static void messages(void **state)
{
    headers(1, 0);
    data(1, 0);
    headers(1, WEIR_HTTP2_END_STREAM);
    headers(3, WEIR_HTTP2_END_STREAM);
    add(6, 0, 0, "pingpong", 8);
    headers(9, 0);
    data(9, WEIR_HTTP2_END_STREAM);
    reset(3);
    assert_verdict(WEIR_HTTP2_FINE, true);
}

static void behind_an_end(void **state)
{
    for (int is_client = 0; is_client < 2; is_client++) {
        headers(1, WEIR_HTTP2_END_STREAM);
        data(1, 0);
        assert_verdict(WEIR_HTTP2_AFTER_END, is_client);
        headers(1, 0);
        data(1, WEIR_HTTP2_END_STREAM);
        headers(3, 0);
        headers(1, WEIR_HTTP2_END_STREAM);
        assert_verdict(WEIR_HTTP2_AFTER_END, is_client);
    }
}

static void behind_a_reset(void **state)
{
    for (int is_client = 0; is_client < 2; is_client++) {
        headers(1, 0);
        reset(1);
        data(1, 0);
        assert_verdict(WEIR_HTTP2_AFTER_RESET, is_client);
        headers(1, WEIR_HTTP2_END_STREAM);
        reset(1);
        headers(1, WEIR_HTTP2_END_STREAM);
        assert_verdict(WEIR_HTTP2_AFTER_RESET, is_client);
    }
    reset(5);
    data(5, 0);
    assert_verdict(WEIR_HTTP2_AFTER_RESET, false);
}

static void numbers(void **state)
{
    headers(5, 0);
    headers(3, 0);
    assert_verdict(WEIR_HTTP2_BAD_NUMBER, true);
    headers(5, 0);
    headers(3, 0);
    headers(1, 0);
    assert_verdict(WEIR_HTTP2_FINE, false); /* a backend answers as it likes */
    headers(1, WEIR_HTTP2_END_STREAM);
    headers(1 + 2 * WEIR_HTTP2_STREAMS_KNOWN, 0);
    data(1, 0);
    assert_verdict(WEIR_HTTP2_FINE, true); /* forgotten */
    headers(3, WEIR_HTTP2_END_STREAM);
    headers(1 + 2 * WEIR_HTTP2_STREAMS_KNOWN, 0);
    data(3, 0);
    assert_verdict(WEIR_HTTP2_AFTER_END, true); /* only just remembered */
    headers(0x7fffffff, 0);
    headers(0x7ffffffd, 0);
    assert_verdict(WEIR_HTTP2_BAD_NUMBER, true);
}

static void priorities(void **state)
{
    add(WEIR_HTTP2_PRIORITY, 0, 0, "\0\0\0\1\1", 5);
    assert_verdict(WEIR_HTTP2_BAD_PRIORITY, true);
    add(WEIR_HTTP2_PRIORITY, 0, 3, "\200\0\0\3\1", 5);
    assert_verdict(WEIR_HTTP2_OWN_PRIORITY, true);
    add(WEIR_HTTP2_PRIORITY, 0, 3, "\0\0\0\1\1", 5);
    assert_verdict(WEIR_HTTP2_FINE, true);
    add(WEIR_HTTP2_PRIORITY, 0, 3, "\0\0\3", 3); /* too short: for libnghttp2 */
    assert_verdict(WEIR_HTTP2_FINE, true);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(messages), cmocka_unit_test(behind_an_end), cmocka_unit_test(behind_a_reset),
        cmocka_unit_test(numbers),  cmocka_unit_test(priorities),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
