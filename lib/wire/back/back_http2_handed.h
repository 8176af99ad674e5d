/* SPDX-License-Identifier: MIT */
#ifndef WEIR_WIRE_BACK_HTTP2_HANDED_H
#define WEIR_WIRE_BACK_HTTP2_HANDED_H
/**
 * @file  A stream whose exchange is on one loop, near, and whose connection is on another, far: it has two halves.
 *
 *   relay ─ twin ═ box ═letter═► agent ─ libnghttp2 ─ connection     head, body, end, window, cancel
 *   relay ─ twin ◄═letter═ box ═ agent ◄ libnghttp2 ◄ connection     heads, body, trailers, end, what was sent
 *
 * Each half knows its own loop only. What is for the other one goes into a box, under a lock, and one letter a way says that
 * there is something: what comes meanwhile travels with it. So no more than two letters are ever under way, and what waits is
 * bounded by the windows of both sides.
 *
 * OWNER    What both share is counted: each half holds it, and each letter that is under way.
 * THREAD   twin_…: the near loop's. agent_…: the far loop's.
 */
#include "lib/wire/back/back_http2_private.h"
#include "lib/walk/workers.h"

/** The near half of a stream of `worker`, by way of `far`: as any other, it begins when its relay starts. */
weir_back_t *back_http2_hand_over(weir_loop_t *near, weir_loop_t *far, weir_worker_t *worker);

/* ---- the near half ---- */

static inline bool back_http2_is_twin(const back_http2_stream_t *stream)
{
    return stream->handed != NULL && !stream->is_agent;
}

/** The request begins. */
void back_http2_twin_start(back_http2_stream_t *twin, const weir_headers_t *fields, bool is_connect, bool has_body);
/** What is in back.out goes over; `trailers` behind the last of it. */
void back_http2_twin_push(back_http2_stream_t *twin, bool is_last, const weir_headers_t *trailers);
/** The client's side has taken so many bytes. */
void back_http2_twin_credit(back_http2_stream_t *twin, size_t bytes);
/** Nobody wants more of it. */
void back_http2_twin_reset(back_http2_stream_t *twin);
/** Whether the connection has said the request's end. */
bool back_http2_twin_is_said(const back_http2_stream_t *twin);
bool back_http2_twin_opens_websockets(const back_http2_stream_t *twin);
/** The exchange lets go of it. Frees it. */
void back_http2_twin_release(back_http2_stream_t *twin);

/* ---- the far half, told by back_http2_read.c ---- */

/** What a head may be, as the near half's path has it. */
const weir_response_limits_t *back_http2_agent_limits(const back_http2_stream_t *agent);
size_t back_http2_agent_trailer_bytes(const back_http2_stream_t *agent);
/** What has gone by: bytes, the request's head, its end. */
typedef struct back_http2_count {
    size_t received, sent;
    bool is_head, is_end;
} back_http2_count_t;
/** A head has come: takes over the block. */
void back_http2_agent_head(back_http2_stream_t *agent, back_http2_block_t *block, bool is_last);
void back_http2_agent_trailers(back_http2_stream_t *agent, back_http2_block_t *block);
void back_http2_agent_data(back_http2_stream_t *agent, weir_span_t bytes);
void back_http2_agent_finish(back_http2_stream_t *agent);
void back_http2_agent_lost(back_http2_stream_t *agent, const weir_fault_t *fault);
void back_http2_agent_count(back_http2_stream_t *agent, const back_http2_count_t *count);
/** As back_http2_stream_read(). */
ssize_t back_http2_agent_read(back_http2_stream_t *agent, uint8_t *buffer, size_t length, uint32_t *flags);
/** The agent is about to be freed. */
void back_http2_agent_end(back_http2_stream_t *agent);

#endif
