/* SPDX-License-Identifier: MIT */
#ifndef WEIR_HTTP_HTTP2_FRAMES_H
#define WEIR_HTTP_HTTP2_FRAMES_H
/**
 * @file  What a peer's HTTP/2 frames say by their heads alone: which they are, and whether their streams may still have any.
 *
 * Pure: no I/O, no clock, no memory beside the struct. It remembers of the latest 256 streams how their sender ended them;
 * frames of older ones pass. Payloads are skipped, but for the stream that a PRIORITY names.
 */
#include <stdbool.h>
#include <stdint.h>

#include "lib/base/weir_span.h"

enum {
    WEIR_HTTP2_FRAME_HEAD_BYTES = 9,
    WEIR_HTTP2_STREAMS_KNOWN = 256,
    WEIR_HTTP2_END_STREAM = 0x1,
};

typedef enum weir_http2_type {
    WEIR_HTTP2_DATA,
    WEIR_HTTP2_HEADERS,
    WEIR_HTTP2_PRIORITY,
    WEIR_HTTP2_RST_STREAM,
} weir_http2_type_t;

typedef struct weir_http2_frame {
    uint32_t length; /* of the payload */
    uint8_t type;    /* a weir_http2_type_t, or any other */
    uint8_t flags;
    uint32_t stream;     /* 0: the connection */
    uint32_t depends_on; /* what a PRIORITY names; else UINT32_MAX */
    uint8_t read_bytes;  /* of it, by weir_http2_frames_next(): its head, and what it depends on */
} weir_http2_frame_t;

/** What a frame is by RFC 9113 §5.1, §5.1.1, §6.3 and RFC 7540 §5.3.1. */
typedef enum weir_http2_verdict {
    WEIR_HTTP2_FINE,         /* as far as can be seen here                                              */
    WEIR_HTTP2_AFTER_RESET,  /* stream error STREAM_CLOSED: its sender has reset the stream            */
    WEIR_HTTP2_AFTER_END,    /* connection error STREAM_CLOSED: its sender has ended the stream        */
    WEIR_HTTP2_BAD_NUMBER,   /* connection error PROTOCOL_ERROR: a new stream below an older one       */
    WEIR_HTTP2_BAD_PRIORITY, /* connection error PROTOCOL_ERROR: a priority of the connection          */
    WEIR_HTTP2_OWN_PRIORITY, /* stream error PROTOCOL_ERROR: PRIORITY of a stream by itself             */
} weir_http2_verdict_t;

/** One direction of a connection. Zeroed, the next byte begins a frame. */
typedef struct weir_http2_frames {
    bool is_client;      /* the sender is the one who opens streams */
    uint32_t left_bytes; /* to be skipped: of a payload, or of what stands before the first frame */
    uint32_t latest;     /* the highest stream seen */
    uint8_t
        head[WEIR_HTTP2_FRAME_HEAD_BYTES + 4]; /* of the frame that comes, and what it depends on, as far as they have come */
    uint8_t head_count;
    uint64_t opened[WEIR_HTTP2_STREAMS_KNOWN / 64], ended[WEIR_HTTP2_STREAMS_KNOWN / 64], reset[WEIR_HTTP2_STREAMS_KNOWN / 64];
} weir_http2_frames_t;

/** The next frame, as soon as its head is there: true, and *bytes begin behind that. False: *bytes are used up. */
bool weir_http2_frames_next(weir_http2_frames_t *frames, weir_span_t *bytes, weir_http2_frame_t *out);

/** What the frame is; it is remembered. Once for each, in their order. */
weir_http2_verdict_t weir_http2_frames_judge(weir_http2_frames_t *frames, const weir_http2_frame_t *frame);

#endif
