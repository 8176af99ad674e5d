/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "lib/base/span.h"
#include "lib/http/chunked.h"

enum { MOST_DATA = 200000 };

static char data[MOST_DATA];

typedef struct outcome {
    weir_chunk_event_t event;
    size_t data_bytes;
    uint32_t data_hash;
    size_t consumed;
    weir_chunk_decoder_t decoder;
    weir_arena_t arena;
} outcome_t;

/* Takes one piece until the decoder has nothing more to say about it. Each piece lies in a buffer of exactly its size. */
static void feed(outcome_t *out, const char *bytes, size_t length)
{
    char *copy = malloc(length + !length);
    weir_span_t rest = {copy, length}, found;

    memcpy(copy, bytes, length);
    do {
        size_t before = rest.len;
        out->event = weir_chunk_decode(&out->decoder, &out->arena, &rest, &found);
        out->consumed += before - rest.len;
        if (out->event != WEIR_CHUNK_DATA)
            continue;
        assert_true(found.len != 0 && found.base >= copy && found.base + found.len == rest.base);
        assert_true(out->data_bytes + found.len <= MOST_DATA);
        memcpy(data + out->data_bytes, found.base, found.len);
        out->data_bytes += found.len;
    } while (out->event == WEIR_CHUNK_DATA);
    if (out->event == WEIR_CHUNK_MORE)
        assert_int_equal(rest.len, 0);
    free(copy);
}

static void decode_pieces(weir_span_t input, size_t first, size_t step, outcome_t *out)
{
    size_t at = 0, length = first;

    memset(out, 0, sizeof(*out));
    weir_arena_init(&out->arena);
    do {
        if (length > input.len - at)
            length = input.len - at;
        feed(out, input.base + at, length);
        at += length;
        length = step;
    } while (out->event == WEIR_CHUNK_MORE && at < input.len);
    for (size_t i = 0; i < out->data_bytes; i++)
        out->data_hash = out->data_hash * 31 + (unsigned char)data[i];
}

static void assert_same(const outcome_t *a, const outcome_t *b)
{
    assert_int_equal(a->event, b->event);
    assert_int_equal(a->consumed, b->consumed);
    assert_int_equal(a->data_bytes, b->data_bytes);
    assert_int_equal(a->data_hash, b->data_hash);
    assert_int_equal(a->decoder.trailer_bytes, b->decoder.trailer_bytes);
    if (a->decoder.trailer_bytes != 0)
        assert_memory_equal(a->decoder.trailer, b->decoder.trailer, a->decoder.trailer_bytes);
}

/* At once, byte by byte, and split in two at every point: always the same. The caller finishes out->arena. */
static void decode(weir_span_t input, outcome_t *out)
{
    outcome_t other;

    for (size_t split = 1; split < input.len; split += 1 + input.len / 1000) {
        decode_pieces(input, split, input.len, &other);
        decode_pieces(input, input.len, 1, out);
        assert_same(out, &other);
        weir_arena_finish(&other.arena);
        weir_arena_finish(&out->arena);
    }
    decode_pieces(input, 0, 1, &other);
    decode_pieces(input, input.len, 1, out);
    assert_same(out, &other);
    weir_arena_finish(&other.arena);
}

static void decodes(void **state)
{
    static const struct {
        const char *input;
        const char *payload;
        size_t left_over;
    } rows[] = {
        {"0\r\n\r\n", "", 0},
        {"0\r\n\r\nGET /", "", 5},
        {"000\r\n\r\n", "", 0},
        {"5\r\nhello\r\n0\r\n\r\n", "hello", 0},
        {"5\r\nhello\r\n00006\r\n\r\n0\r\n\r\r\n0\r\n\r\n0\r\n", "hello\r\n0\r\n\r", 3},
        {"A\r\n0123456789\r\na\r\nabcdefghij\r\n0\r\n\r\n", "0123456789abcdefghij", 0},
        {"0000000000000001\r\nx\r\n0000000000000000\r\n\r\n", "x", 0},
        {"1;a\r\nx\r\n0;b=c;d=\"e;\\\"f\\\\\" \t\xc3\xa4\r\n\r\n", "x", 0},
        {"1;;;=\r\nx\r\n0;\r\n\r\n", "x", 0},
        {"0\r\nA: b\r\n\r\nx", "", 1},
        {"1\r\nx\r\n0\r\nA:\r\nB: \"c\" \r\n\r\n", "x", 0},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        weir_span_t input = {rows[i].input, strlen(rows[i].input)};
        outcome_t got;

        decode(input, &got);
        if (got.event != WEIR_CHUNK_END)
            fail_msg("'%s': event %d", rows[i].input, (int)got.event);
        assert_int_equal(got.data_bytes, strlen(rows[i].payload));
        assert_int_equal(memcmp(data, rows[i].payload, got.data_bytes), 0);
        assert_int_equal(input.len - got.consumed, rows[i].left_over);
        weir_arena_finish(&got.arena);
    }
}

/* The last byte of each row is the one that breaks it. */
static void breaks(void **state)
{
    const weir_span_t rows[] = {
        WEIR_SPAN("\r"),
        WEIR_SPAN("\n"),
        WEIR_SPAN(" "),
        WEIR_SPAN("g"),
        WEIR_SPAN(";"),
        WEIR_SPAN("+"),
        WEIR_SPAN("-"),
        WEIR_SPAN("0x"),
        WEIR_SPAN("1 "),
        WEIR_SPAN("1\t"),
        WEIR_SPAN("1\n"),
        WEIR_SPAN("1,"),
        WEIR_SPAN("1\0"),
        WEIR_SPAN("1\r\r"),
        WEIR_SPAN("1\rx"),
        WEIR_SPAN("1;a\n"),
        WEIR_SPAN("1;a\r\r"),
        WEIR_SPAN("1;a\0"),
        WEIR_SPAN("1;a\x7f"),
        WEIR_SPAN("1;a=\"b\r"),
        WEIR_SPAN("1;a=\"\n"),
        WEIR_SPAN("1;a=\"\\\r"),
        WEIR_SPAN("1;a=\"\\\"\r"),
        WEIR_SPAN("1\r\nx\n"),
        WEIR_SPAN("1\r\nxy"),
        WEIR_SPAN("1\r\nx\r\r"),
        WEIR_SPAN("1\r\nx\r\n\r"),
        WEIR_SPAN("8000000000000000"),
        WEIR_SPAN("ffffffffffffffff"),
        WEIR_SPAN("00000000000000001"),
        WEIR_SPAN("10000000000000000"),
        WEIR_SPAN("0\r\n\n"),
        WEIR_SPAN("0\r\n\rx"),
        WEIR_SPAN("0\r\n:"),
        WEIR_SPAN("0\r\n "),
        WEIR_SPAN("0\r\nA "),
        WEIR_SPAN("0\r\nA\r"),
        WEIR_SPAN("0\r\nA\0"),
        WEIR_SPAN("0\r\nA: b\n"),
        WEIR_SPAN("0\r\nA: b\0"),
        WEIR_SPAN("0\r\nA: b\r\r"),
        WEIR_SPAN("0\r\nA: b\r\n "),
        WEIR_SPAN("0\r\nA: b\r\n\n"),
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        weir_span_t rest = rows[i], ignored;
        outcome_t got;

        rest.len--;
        decode_pieces(rest, rest.len, 1, &got);
        if (got.event != WEIR_CHUNK_MORE)
            fail_msg("row %zu ended before its end", i);
        weir_arena_finish(&got.arena);
        decode(rows[i], &got);
        if (got.event != WEIR_CHUNK_BROKEN)
            fail_msg("row %zu: event %d", i, (int)got.event);
        assert_int_equal(weir_chunk_decode(&got.decoder, &got.arena, &rest, &ignored), WEIR_CHUNK_BROKEN);
        weir_arena_finish(&got.arena);
    }
}

static void takes_the_largest_chunk(void **state)
{
    outcome_t got;

    decode(WEIR_SPAN("7fffFFFFffffFFFF\r\nabc"), &got);
    assert_int_equal(got.event, WEIR_CHUNK_MORE);
    assert_int_equal(weir_chunk_remaining(&got.decoder), (uint64_t)INT64_MAX - 3);
    weir_arena_finish(&got.arena);
}

static void tells_what_remains(void **state)
{
    static const char input[] = "12\r\nabcdefghijklmnopqr\r\n0\r\n\r\n";
    weir_chunk_decoder_t decoder = {0};
    weir_arena_t arena;
    weir_span_t found;

    weir_arena_init(&arena);
    for (size_t i = 0; i < sizeof(input) - 1; i++) {
        weir_span_t rest = {input + i, 1};
        while (weir_chunk_decode(&decoder, &arena, &rest, &found) == WEIR_CHUNK_DATA)
            continue;
        assert_int_equal(weir_chunk_remaining(&decoder), i >= 3 && i < 22 ? 21 - i : 0);
    }
    weir_arena_finish(&arena);
}

static void limits_extensions(void **state)
{
    static char input[2 * WEIR_CHUNK_EXTENSION_BYTES];
    outcome_t got;

    memset(input, 'x', sizeof(input));
    memcpy(input, "0;", 2);
    decode((weir_span_t){input, 1 + WEIR_CHUNK_EXTENSION_BYTES}, &got);
    assert_int_equal(got.event, WEIR_CHUNK_MORE);
    decode((weir_span_t){input, 2 + WEIR_CHUNK_EXTENSION_BYTES}, &got);
    assert_int_equal(got.event, WEIR_CHUNK_BROKEN);
    memcpy(input + 1 + WEIR_CHUNK_EXTENSION_BYTES, "\r\n\r\n", 4);
    decode((weir_span_t){input, 5 + WEIR_CHUNK_EXTENSION_BYTES}, &got);
    assert_int_equal(got.event, WEIR_CHUNK_END);
    input[2] = '"';
    decode((weir_span_t){input, 5 + WEIR_CHUNK_EXTENSION_BYTES}, &got);
    assert_int_equal(got.event, WEIR_CHUNK_BROKEN);
}

static void limits_trailers(void **state)
{
    static char input[2 * WEIR_CHUNK_TRAILER_BYTES];
    size_t at = 3;
    outcome_t got;

    memset(input, 'x', sizeof(input));
    memcpy(input, "0\r\nx:", 5);
    memcpy(input + 3 + WEIR_CHUNK_TRAILER_BYTES - 2, "\r\n\r\n", 4);
    decode((weir_span_t){input, 3 + WEIR_CHUNK_TRAILER_BYTES + 2}, &got);
    assert_int_equal(got.event, WEIR_CHUNK_END);
    assert_int_equal(got.decoder.trailer_bytes, WEIR_CHUNK_TRAILER_BYTES);
    weir_arena_finish(&got.arena);
    memcpy(input + 3 + WEIR_CHUNK_TRAILER_BYTES - 2, "x\r\n\r\n", 5);
    decode((weir_span_t){input, 3 + WEIR_CHUNK_TRAILER_BYTES + 3}, &got);
    assert_int_equal(got.event, WEIR_CHUNK_BROKEN);
    assert_true(got.decoder.has_long_trailers);
    weir_arena_finish(&got.arena);

    for (int i = 0; i < WEIR_CHUNK_TRAILER_COUNT; i++, at += 5)
        memcpy(input + at, "a:b\r\n", 5);
    memcpy(input + at, "\r\n", 2);
    decode((weir_span_t){input, at + 2}, &got);
    assert_int_equal(got.event, WEIR_CHUNK_END);
    weir_arena_finish(&got.arena);
    memcpy(input + at, "a:b\r\n\r\n", 7);
    decode((weir_span_t){input, at + 7}, &got);
    assert_int_equal(got.event, WEIR_CHUNK_BROKEN);
    weir_arena_finish(&got.arena);
}

static void keeps_trailers(void **state)
{
    weir_headers_t headers = {0};
    outcome_t got;

    decode(WEIR_SPAN("3\r\nabc\r\n0\r\nX-Sum:  12 \r\nTransfer-Encoding: chunked\r\ncontent-length: 5\r\nHost: a\r\n"
                     "x-empty:\r\nConnection: x-sum\r\nAuthorization: b\r\nX-Colon: a:b\r\ncookie: c\r\n"
                     "X-Forwarded-Host: d\r\nX-Forwarded-For: e\r\n\r\n"),
           &got);
    assert_int_equal(got.event, WEIR_CHUNK_END);
    weir_chunk_trailers(&got.decoder, &got.arena, &headers);
    assert_int_equal(headers.count, 3);
    assert_true(weir_span_equal(headers.at[0].name, WEIR_SPAN("X-Sum")));
    assert_true(weir_span_equal(headers.at[0].value, WEIR_SPAN("12")));
    assert_true(weir_span_equal(headers.at[1].name, WEIR_SPAN("x-empty")));
    assert_int_equal(headers.at[1].value.len, 0);
    assert_true(weir_span_equal(headers.at[2].value, WEIR_SPAN("a:b")));
    weir_arena_finish(&got.arena);
}

static void has_no_trailers(void **state)
{
    weir_headers_t headers = {0};
    outcome_t got;

    decode(WEIR_SPAN("0\r\n\r\n"), &got);
    assert_null(got.arena.blocks);
    weir_chunk_trailers(&got.decoder, &got.arena, &headers);
    assert_int_equal(headers.count, 0);
    weir_arena_finish(&got.arena);
}

static void takes_much_data(void **state)
{
    static char input[MOST_DATA];
    size_t head = (size_t)snprintf(input, 20, "%x\r\n", 150000), length = head + 150000;
    outcome_t got;

    for (size_t i = 0; i < 150000; i++)
        input[head + i] = (char)(i * 7);
    memcpy(input + length, "\r\n0\r\n\r\n", 7);
    for (size_t step = 1000; step < 160000; step += 7777) {
        decode_pieces((weir_span_t){input, length + 7}, step, step, &got);
        assert_int_equal(got.event, WEIR_CHUNK_END);
        assert_int_equal(got.data_bytes, 150000);
        assert_memory_equal(data, input + head, 150000);
    }
}

static void writes_size_lines(void **state)
{
    static const struct {
        uint64_t size;
        const char *line;
    } rows[] = {
        {0, "0\r\n"},
        {1, "1\r\n"},
        {15, "f\r\n"},
        {16, "10\r\n"},
        {26, "1a\r\n"},
        {4096, "1000\r\n"},
        {0xfffffffful, "ffffffff\r\n"},
        {INT64_MAX, "7fffffffffffffff\r\n"},
        {UINT64_MAX, "ffffffffffffffff\r\n"},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char out[18];
        size_t length = weir_chunk_size_line(rows[i].size, out);
        assert_int_equal(length, strlen(rows[i].line));
        assert_memory_equal(out, rows[i].line, length);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(decodes),
        cmocka_unit_test(breaks),
        cmocka_unit_test(takes_the_largest_chunk),
        cmocka_unit_test(tells_what_remains),
        cmocka_unit_test(limits_extensions),
        cmocka_unit_test(limits_trailers),
        cmocka_unit_test(keeps_trailers),
        cmocka_unit_test(has_no_trailers),
        cmocka_unit_test(takes_much_data),
        cmocka_unit_test(writes_size_lines),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
