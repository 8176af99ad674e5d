/* SPDX-License-Identifier: MIT */
/*
 * The first byte chooses split points, the rest is a chunked body. However it is split, payload, end and trailers are the
 * same; and the payload written as chunks again decodes to itself.
 */
#include <stdlib.h>

#include "lib/base/must.h"
#include "lib/base/span.h"
#include "lib/http/chunked.h"
#include "lib/http/token_list.h"

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t length);

typedef struct outcome {
    weir_chunk_event_t event;
    char *payload;
    size_t payload_bytes;
    size_t consumed;
    weir_headers_t trailers;
    weir_arena_t arena;
} outcome_t;

static void take(outcome_t *out, weir_chunk_decoder_t *decoder, const char *bytes, size_t length)
{
    char *copy = malloc(length);
    weir_span_t rest = {copy, length}, found;

    WEIR_MUST(copy != NULL);
    memcpy(copy, bytes, length);
    do {
        const char *before = rest.base;
        out->event = weir_chunk_decode(decoder, &out->arena, &rest, &found);
        WEIR_MUST(rest.base >= before && rest.base + rest.len == copy + length);
        out->consumed += (size_t)(rest.base - before);
        if (out->event != WEIR_CHUNK_DATA)
            continue;
        WEIR_MUST(found.len != 0 && found.base >= before && found.base + found.len == rest.base);
        memcpy(out->payload + out->payload_bytes, found.base, found.len);
        out->payload_bytes += found.len;
    } while (out->event == WEIR_CHUNK_DATA);
    WEIR_MUST(out->event != WEIR_CHUNK_MORE || rest.len == 0);
    WEIR_MUST(weir_chunk_remaining(decoder) <= INT64_MAX);
    free(copy);
}

static void decode(weir_span_t input, size_t step, outcome_t *out)
{
    weir_chunk_decoder_t decoder = {0};
    size_t at = 0;

    *out = (outcome_t){.event = WEIR_CHUNK_MORE, .payload = malloc(input.len)};
    WEIR_MUST(out->payload != NULL);
    weir_arena_init(&out->arena);
    while (out->event == WEIR_CHUNK_MORE && at < input.len) {
        size_t length = input.len - at < step ? input.len - at : step;
        take(out, &decoder, input.base + at, length);
        at += length;
    }
    if (out->event == WEIR_CHUNK_END)
        weir_chunk_trailers(&decoder, &out->arena, &out->trailers);
}

static void must_be_same(const outcome_t *a, const outcome_t *b)
{
    WEIR_MUST(a->event == b->event && a->consumed == b->consumed);
    WEIR_MUST(a->payload_bytes == b->payload_bytes);
    WEIR_MUST(memcmp(a->payload, b->payload, a->payload_bytes) == 0);
    WEIR_MUST(a->trailers.count == b->trailers.count && a->trailers.count <= WEIR_CHUNK_TRAILER_COUNT);
    for (size_t i = 0; i < a->trailers.count; i++) {
        WEIR_MUST(weir_span_equal(a->trailers.at[i].name, b->trailers.at[i].name));
        WEIR_MUST(weir_span_equal(a->trailers.at[i].value, b->trailers.at[i].value));
        WEIR_MUST(weir_is_token(a->trailers.at[i].name) && a->trailers.at[i].id == WEIR_HEADER_OTHER);
    }
}

static void encode_and_decode(const outcome_t *got, size_t step)
{
    char *text = malloc(got->payload_bytes * 7 + 40);
    size_t length = 0, at = 0;
    outcome_t again;

    WEIR_MUST(text != NULL);
    while (at < got->payload_bytes) {
        size_t size = got->payload_bytes - at < step ? got->payload_bytes - at : step;
        char line[18];
        size_t line_bytes = weir_chunk_size_line(size, line);

        memcpy(text + length, line, line_bytes);
        memcpy(text + length + line_bytes, got->payload + at, size);
        memcpy(text + length + line_bytes + size, "\r\n", 2);
        length += line_bytes + size + 2;
        at += size;
    }
    memcpy(text + length, "0\r\n\r\n", 5);
    decode((weir_span_t){text, length + 5}, 13, &again);
    WEIR_MUST(again.event == WEIR_CHUNK_END && again.consumed == length + 5);
    WEIR_MUST(again.payload_bytes == got->payload_bytes);
    WEIR_MUST(memcmp(again.payload, got->payload, got->payload_bytes) == 0);
    weir_arena_finish(&again.arena);
    free(again.payload);
    free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t length)
{
    outcome_t whole, split;
    weir_span_t body;
    size_t step;

    if (length < 2)
        return 0;
    step = 1 + input[0] % 40;
    body = (weir_span_t){(const char *)input + 1, length - 1};
    decode(body, body.len, &whole);
    decode(body, step, &split);
    must_be_same(&whole, &split);
    encode_and_decode(&whole, step);
    weir_arena_finish(&whole.arena);
    weir_arena_finish(&split.arena);
    free(whole.payload);
    free(split.payload);
    return 0;
}
