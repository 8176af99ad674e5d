/* SPDX-License-Identifier: MIT */
#include "lib/http/http2_frames.h"

#include <string.h>

enum { DEPENDENCY_BYTES = 4, WORD_BITS = 64 };

/* ---- frames ---- */

static uint32_t number_at(const uint8_t *at)
{
    return ((uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3]) & 0x7fffffff;
}

static uint32_t length_of(const uint8_t *head)
{
    return (uint32_t)head[0] << 16 | (uint32_t)head[1] << 8 | head[2];
}

/* How many bytes of the payload are wanted: what a PRIORITY depends on (RFC 9113 §6.3). */
static uint32_t wanted_bytes(const uint8_t *head)
{
    return head[3] == WEIR_HTTP2_PRIORITY && length_of(head) >= DEPENDENCY_BYTES ? DEPENDENCY_BYTES : 0;
}

static void skip(weir_http2_frames_t *frames, weir_span_t *bytes)
{
    size_t count = bytes->len < frames->left_bytes ? bytes->len : frames->left_bytes;

    frames->left_bytes -= (uint32_t)count;
    bytes->base += count;
    bytes->len -= count;
}

static bool is_complete(const weir_http2_frames_t *frames)
{
    return frames->head_count >= WEIR_HTTP2_FRAME_HEAD_BYTES &&
           frames->head_count == WEIR_HTTP2_FRAME_HEAD_BYTES + wanted_bytes(frames->head);
}

bool weir_http2_frames_next(weir_http2_frames_t *frames, weir_span_t *bytes, weir_http2_frame_t *out)
{
    const uint8_t *head = frames->head;

    skip(frames, bytes);
    while (bytes->len > 0 && !is_complete(frames)) {
        frames->head[frames->head_count++] = (uint8_t)*bytes->base++;
        bytes->len--;
    }
    if (!is_complete(frames))
        return false;
    uint32_t wanted = wanted_bytes(head);
    const uint8_t *end = head + frames->head_count;
    *out = (weir_http2_frame_t){.length = length_of(head), .type = head[3], .flags = head[4], .stream = number_at(head + 5)};
    out->depends_on = wanted > 0 ? number_at(end - DEPENDENCY_BYTES) : UINT32_MAX;
    out->read_bytes = frames->head_count;
    frames->head_count = 0;
    frames->left_bytes = out->length - wanted;
    return true;
}

/* ---- streams ---- */

static size_t slot_of(uint32_t stream)
{
    return (stream >> 1) % WEIR_HTTP2_STREAMS_KNOWN;
}

static bool is_in(const uint64_t *set, uint32_t stream)
{
    return (set[slot_of(stream) / WORD_BITS] >> slot_of(stream) % WORD_BITS & 1) != 0;
}

static void put(uint64_t *set, uint32_t stream)
{
    set[slot_of(stream) / WORD_BITS] |= (uint64_t)1 << slot_of(stream) % WORD_BITS;
}

static void take_out(uint64_t *set, uint32_t stream)
{
    set[slot_of(stream) / WORD_BITS] &= ~((uint64_t)1 << slot_of(stream) % WORD_BITS);
}

/* A stream above all others: those between them and it were never opened, and never will be. */
static void advance(weir_http2_frames_t *frames, uint32_t stream)
{
    uint32_t steps = (stream + 1) / 2 - (frames->latest + 1) / 2;

    for (uint32_t i = 0; i < steps && i < WEIR_HTTP2_STREAMS_KNOWN; i++) {
        take_out(frames->opened, stream - 2 * i);
        take_out(frames->ended, stream - 2 * i);
        take_out(frames->reset, stream - 2 * i);
    }
    frames->latest = stream;
}

static bool is_known(const weir_http2_frames_t *frames, uint32_t stream)
{
    return stream % 2 == 1 && stream <= frames->latest && (frames->latest - stream) / 2 < WEIR_HTTP2_STREAMS_KNOWN;
}

static weir_http2_verdict_t judge_message(weir_http2_frames_t *frames, const weir_http2_frame_t *frame)
{
    uint32_t stream = frame->stream;
    bool is_headers = frame->type == WEIR_HTTP2_HEADERS;

    if (stream % 2 == 1 && stream > frames->latest && (is_headers || !frames->is_client)) {
        advance(frames, stream);
        put(frames->opened, stream);
    }
    if (!is_known(frames, stream))
        return WEIR_HTTP2_FINE; /* too old to be remembered, or nothing that this direction can open */
    if (frames->is_client && !is_in(frames->opened, stream))
        return is_headers ? WEIR_HTTP2_BAD_NUMBER : WEIR_HTTP2_AFTER_END;
    if (is_in(frames->reset, stream))
        return WEIR_HTTP2_AFTER_RESET;
    if (is_in(frames->ended, stream))
        return WEIR_HTTP2_AFTER_END;
    if ((frame->flags & WEIR_HTTP2_END_STREAM) != 0)
        put(frames->ended, stream);
    return WEIR_HTTP2_FINE;
}

weir_http2_verdict_t weir_http2_frames_judge(weir_http2_frames_t *frames, const weir_http2_frame_t *frame)
{
    switch (frame->type) {
    case WEIR_HTTP2_DATA:
    case WEIR_HTTP2_HEADERS:
        return judge_message(frames, frame);
    case WEIR_HTTP2_PRIORITY:
        if (frame->stream == 0)
            return WEIR_HTTP2_BAD_PRIORITY;
        return frame->depends_on == frame->stream ? WEIR_HTTP2_OWN_PRIORITY : WEIR_HTTP2_FINE;
    case WEIR_HTTP2_RST_STREAM:
        if (!frames->is_client && frame->stream % 2 == 1 && frame->stream > frames->latest)
            advance(frames, frame->stream);
        if (is_known(frames, frame->stream))
            put(frames->reset, frame->stream);
        return WEIR_HTTP2_FINE;
    default:
        return WEIR_HTTP2_FINE;
    }
}
