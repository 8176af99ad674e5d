/* SPDX-License-Identifier: MIT */
/*
 * What a backend's frames mean. libnghttp2 has seen to the order of frames, to windows, to HPACK, and to most of RFC 9113 §8.
 */
#include <stdlib.h>

#include "lib/base/must.h"
#include "lib/base/span.h"
#include "lib/wire/back/back_http2_handed.h"
#include "lib/wire/back/back_http2_private.h"
#include "lib/wire/back/back_worker.h"
#include "lib/wire/loop/generation.h"
#include "lib/wire/relay/websocket.h"

enum {
    FIRST_FIELDS = 32,
    STATUS_SWITCHING = 101,
    STATUS_REDIRECT = 300,
    STATUS_LEAST = 100,
    AROUND_VALUE = 2 /* ": " */,
    AROUND_TRAILER = 4 /* and the line's end */,
    STATUS_FINAL = 200,
    FRAME_HEAD_BYTES = 9
};

static back_http2_stream_t *stream_of(nghttp2_session *session, int32_t id)
{
    return id == 0 ? NULL : nghttp2_session_get_stream_user_data(session, id);
}

/* Whether anybody waits for what comes: a relay, here or on another loop. */
static bool has_reader(const back_http2_stream_t *stream)
{
    return stream != NULL && !stream->is_unreset && !stream->is_released &&
           (stream->is_agent || back_http2_relay_of(stream) != NULL);
}

static void count_received(back_http2_stream_t *stream, size_t bytes)
{
    relay_t *relay = back_http2_relay_of(stream);

    if (stream->is_agent)
        back_http2_agent_count(stream, &(back_http2_count_t){.received = bytes});
    if (relay == NULL)
        return;
    relay->x->journal.backend_received_bytes += bytes;
    relay->x->journal.last_byte_at_us = weir_loop_now_us(relay->x->loop);
}

/* ---- header blocks ---- */

static int on_begin_headers(nghttp2_session *session, const nghttp2_frame *frame, void *arg)
{
    back_http2_t *http2 = arg;

    weir_bytes_free(&http2->block.text);
    http2->block.count = 0;
    http2->block.status = 0;
    return 0;
}

static const weir_fault_t *check_field(const back_http2_block_t *block, const weir_response_limits_t *limits, weir_span_t name,
                                       weir_span_t value)
{
    size_t bytes = name.len + AROUND_VALUE + value.len;

    if (weir_header_id(name) == WEIR_HEADER_SET_COOKIE && bytes > limits->cookie_bytes)
        return &weir_fault_backend_cookie_length;
    if (bytes > limits->header_bytes || block->count >= limits->count ||
        weir_bytes_count(&block->text) + bytes > limits->total_bytes)
        return &weir_fault_backend_header_length;
    return NULL;
}

static const weir_fault_t *check_trailer(const back_http2_block_t *block, size_t most, weir_span_t name, weir_span_t value)
{
    const size_t bytes = weir_bytes_count(&block->text) + (block->count + 1) * AROUND_TRAILER + name.len + value.len;

    return bytes > most || block->count >= WEIR_CHUNK_TRAILER_COUNT ? &weir_fault_backend_trailer_length : NULL;
}

/* As the path of the request has it. */
static const weir_fault_t *check(const back_http2_stream_t *stream, weir_span_t name, weir_span_t value)
{
    const back_http2_block_t *block = &stream->http2->block;
    const weir_exchange_t *x = stream->is_agent ? NULL : back_http2_relay_of(stream)->x;

    if (stream->has_final)
        return check_trailer(
            block, x == NULL ? back_http2_agent_trailer_bytes(stream) : x->context->settings->max_trailer_bytes, name, value);
    return check_field(block, x == NULL ? back_http2_agent_limits(stream) : &x->plan->response_limits, name, value);
}

static void add_field(back_http2_block_t *block, weir_span_t name, weir_span_t value)
{
    if (block->count == block->capacity) {
        block->capacity = block->capacity == 0 ? FIRST_FIELDS : 2 * block->capacity;
        block->at = realloc(block->at, block->capacity * sizeof(*block->at));
        WEIR_MUST(block->at != NULL);
    }
    block->at[block->count].name_len = (uint32_t)name.len;
    block->at[block->count].value_len = (uint32_t)value.len;
    block->count++;
    weir_bytes_append(&block->text, name);
    weir_bytes_append(&block->text, value);
}

/* Resets the stream, and only that: HPACK's state goes on. */
static int refuse_field(back_http2_stream_t *stream, const weir_fault_t *fault)
{
    stream->why = fault;
    stream->is_resetting = true;
    return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
}

static int on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name_at, size_t name_len,
                     const uint8_t *value_at, size_t value_len, uint8_t flags, void *arg)
{
    back_http2_t *http2 = arg;
    back_http2_stream_t *stream = stream_of(session, frame->hd.stream_id);
    weir_span_t name = {(const char *)name_at, name_len}, value = {(const char *)value_at, value_len};

    if (!has_reader(stream))
        return 0;
    if (name.len > 0 && name.base[0] == ':') { /* a response's only one is :status, three digits: libnghttp2 has looked */
        for (size_t i = 0; i < value.len && i < 3; i++)
            http2->block.status = (uint16_t)(http2->block.status * 10 + (value.base[i] - '0'));
        return http2->block.status >= STATUS_LEAST ? 0 : refuse_field(stream, &weir_fault_backend_invalid_status);
    }
    const weir_fault_t *fault = check(stream, name, value);
    if (fault != NULL)
        return refuse_field(stream, fault);
    add_field(&http2->block, name, value);
    return 0;
}

/* As on HTTP/1: a field that is none makes the whole message bad. (libnghttp2 would leave it out.) */
static int on_invalid_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name, size_t name_len,
                             const uint8_t *value, size_t value_len, uint8_t flags, void *arg)
{
    back_http2_stream_t *stream = stream_of(session, frame->hd.stream_id);

    return stream == NULL ? 0 : refuse_field(stream, &weir_fault_backend_invalid_header);
}

static weir_headers_t fields_of(const back_http2_block_t *block, weir_header_t *at)
{
    const char *text = weir_bytes_span(&block->text).base;

    for (size_t i = 0; i < block->count; i++) {
        weir_span_t name = {text, block->at[i].name_len}, value = {text + name.len, block->at[i].value_len};
        at[i] = (weir_header_t){name, value, weir_header_id(name)};
        text += name.len + value.len;
    }
    return (weir_headers_t){at, block->count, block->count};
}

/* As HTTP/1.1 would say that the tunnel is there (RFC 8441 §5; RFC 6455 §4.2.2). */
static void tell_as_switch(relay_t *relay, weir_response_head_t *head)
{
    weir_exchange_t *x = relay->x;
    const weir_header_t *key = weir_headers_find_name(&x->request.headers, WEIR_SPAN("sec-websocket-key"));
    weir_headers_t fields = {0};

    for (size_t i = 0; i < head->headers.count; i++)
        weir_headers_add(&fields, &x->arena, head->headers.at[i].name, head->headers.at[i].value);
    weir_headers_put(&fields, &x->arena, WEIR_SPAN("Upgrade"), WEIR_SPAN("websocket"));
    if (key != NULL && key->value.len == WEIR_WEBSOCKET_KEY_BYTES) {
        char *accept = weir_arena_alloc(&x->arena, WEIR_WEBSOCKET_ACCEPT_BYTES);
        weir_websocket_answer(key->value.base, accept);
        weir_headers_put(&fields, &x->arena, WEIR_SPAN("Sec-WebSocket-Accept"),
                         (weir_span_t){accept, WEIR_WEBSOCKET_ACCEPT_BYTES});
    }
    head->status = STATUS_SWITCHING;
    head->headers = fields;
}

void back_http2_stream_take_head(back_http2_stream_t *stream, const back_http2_block_t *block, bool is_last)
{
    relay_t *relay = back_http2_relay_of(stream);
    weir_loop_t *loop = relay->x->loop;
    weir_response_head_t head = {
        .status = block->status,
        .reason = {"", 0},
        .minor = 1,
        .is_persistent = true,
        .is_end = is_last,
        .headers = fields_of(block, loop->response_headers),
    };
    bool is_final = head.status >= STATUS_FINAL;

    if (stream->is_connect && is_final && head.status < STATUS_REDIRECT)
        tell_as_switch(relay, &head);
    stream->back.has_answered = true;
    stream->has_final = is_final;
    relay->down.has_ended = is_final && is_last;
    if (is_final)
        relay->x->journal.first_byte_at_us = weir_loop_now_us(loop);
    relay->events->on_response(relay->x, &head);
    if (relay->is_over)
        return;
    relay_arm(relay);
    if (is_final && !is_last && stream->http2 != NULL)
        weir_list_append(&stream->http2->headed, &stream->headed);
}

static void on_head(back_http2_stream_t *stream, bool is_last)
{
    back_http2_block_t *block = &stream->http2->block;

    if (!stream->is_agent) {
        back_http2_stream_take_head(stream, block, is_last);
        return;
    }
    stream->back.has_answered = true;
    stream->has_final = block->status >= STATUS_FINAL;
    back_http2_agent_head(stream, block, is_last);
}

void back_http2_stream_take_trailers(back_http2_stream_t *stream, const back_http2_block_t *block)
{
    const relay_t *relay = back_http2_relay_of(stream);
    weir_front_t *front = relay->x->front;
    weir_arena_t *arena = &relay->x->arena;
    weir_headers_t fields = fields_of(block, relay->x->loop->response_headers);

    for (size_t i = 0; front != NULL && i < fields.count; i++) {
        if (weir_chunk_may_trail(fields.at[i].name))
            weir_headers_add(&front->trailers, arena, weir_arena_copy(arena, fields.at[i].name),
                             weir_arena_copy(arena, fields.at[i].value));
    }
    if (front != NULL && front->trailers.count > 0 && relay->down.framing.kind == WEIR_FRAMING_LENGTH)
        weir_front_chunk(front);
}

static void on_trailers(back_http2_stream_t *stream)
{
    if (stream->is_agent)
        back_http2_agent_trailers(stream, &stream->http2->block);
    else
        back_http2_stream_take_trailers(stream, &stream->http2->block);
}

static void on_headers(back_http2_t *http2, const nghttp2_frame *frame)
{
    back_http2_stream_t *stream = stream_of(http2->session, frame->hd.stream_id);
    bool is_last = (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0;

    if (!has_reader(stream))
        return;
    count_received(stream, FRAME_HEAD_BYTES + frame->hd.length);
    if (stream->has_final)
        on_trailers(stream);
    else
        on_head(stream, is_last);
    weir_bytes_free(&http2->block.text);
    if (is_last)
        back_http2_stream_finish(stream);
}

/* ---- the other frames ---- */

/* Told of when it begins: the last byte of a body may end the relay. */
static int on_frame_head(nghttp2_session *session, const nghttp2_frame_hd *head, void *arg)
{
    back_http2_stream_t *stream = stream_of(session, head->stream_id);

    if (stream != NULL && head->type == NGHTTP2_DATA)
        count_received(stream, FRAME_HEAD_BYTES);
    return 0;
}

static int on_data(nghttp2_session *session, uint8_t flags, int32_t id, const uint8_t *data, size_t length, void *arg)
{
    back_http2_stream_t *stream = stream_of(session, id);

    (void)nghttp2_session_consume_connection(session, length); /* a slow client must not stop the others */
    if (!has_reader(stream)) {
        if (stream == NULL || !stream->is_unreset) /* else its window stays as it is: little comes until it is reset */
            (void)nghttp2_session_consume_stream(session, id, length);
        return 0;
    }
    count_received(stream, length);
    back_http2_stream_data(stream, (weir_span_t){(const char *)data, length});
    return 0;
}

static void on_settings(back_http2_t *http2, const nghttp2_frame *frame)
{
    if ((frame->hd.flags & NGHTTP2_FLAG_ACK) != 0)
        return;
    http2->is_ready = true;
    if (http2->worker != NULL)
        back_worker_on_change(http2->worker);
}

/* libnghttp2 closes the streams that it does not count, with REFUSED_STREAM, when we return. */
static void on_goaway(back_http2_t *http2, const nghttp2_frame *frame)
{
    for (weir_list_t *node = http2->streams.next; node != &http2->streams; node = node->next) {
        back_http2_stream_t *stream = WEIR_AROUND(node, back_http2_stream_t, link);
        if (stream->id > frame->goaway.last_stream_id)
            stream->has_goaway = true;
    }
    back_http2_retire(http2);
    if (http2->worker != NULL)
        back_worker_on_goaway(http2->worker, frame->goaway.error_code);
}

static int on_frame(nghttp2_session *session, const nghttp2_frame *frame, void *arg)
{
    back_http2_t *http2 = arg;
    back_http2_stream_t *stream;

    switch (frame->hd.type) {
    case NGHTTP2_HEADERS:
        on_headers(http2, frame);
        break;
    case NGHTTP2_DATA:
        stream = stream_of(session, frame->hd.stream_id);
        if (stream != NULL && (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0)
            back_http2_stream_finish(stream);
        break;
    case NGHTTP2_RST_STREAM:
        stream = stream_of(session, frame->hd.stream_id);
        if (stream != NULL)
            stream->was_reset = true;
        if (http2->worker != NULL && frame->rst_stream.error_code == NGHTTP2_ENHANCE_YOUR_CALM)
            back_worker_on_calm(http2->worker);
        break;
    case NGHTTP2_SETTINGS:
        on_settings(http2, frame);
        break;
    case NGHTTP2_GOAWAY:
        on_goaway(http2, frame);
        break;
    default:
        break;
    }
    return 0;
}

/* Of a stream: why it is reset. Of the connection: libnghttp2 ends that by itself. */
static int on_invalid_frame(nghttp2_session *session, const nghttp2_frame *frame, int error, void *arg)
{
    back_http2_stream_t *stream = stream_of(session, frame->hd.stream_id);

    if (stream == NULL || stream->why != NULL)
        return 0;
    if (error == NGHTTP2_ERR_HTTP_HEADER)
        stream->why = &weir_fault_backend_invalid_header;
    else if (error == NGHTTP2_ERR_HTTP_MESSAGING)
        stream->why = &weir_fault_backend_http2_message;
    return 0;
}

/* ---- ends of streams ---- */

static const weir_fault_t *fault_of_code(uint32_t code)
{
    switch (code) {
    case NGHTTP2_INTERNAL_ERROR:
        return &weir_fault_backend_stream_failed;
    case NGHTTP2_REFUSED_STREAM:
        return &weir_fault_backend_stream_refused;
    case NGHTTP2_CANCEL:
        return &weir_fault_backend_stream_cancelled;
    case NGHTTP2_ENHANCE_YOUR_CALM:
        return &weir_fault_backend_stream_calm;
    case NGHTTP2_HTTP_1_1_REQUIRED:
        return &weir_fault_backend_stream_http1;
    default:
        return &weir_fault_backend_stream_reset;
    }
}

static const weir_fault_t *fault_of_close(const back_http2_stream_t *stream, uint32_t code)
{
    const relay_t *relay = back_http2_relay_of(stream);

    if (stream->why != NULL)
        return stream->why;
    if (stream->has_goaway || stream->is_unsent)
        return &weir_fault_backend_goaway;
    if (stream->was_reset || (relay == NULL && !stream->is_agent))
        return fault_of_code(code);
    if (relay == NULL)
        return &weir_fault_backend_http2_message;
    /* libnghttp2 found fault with the message: with its length, if it has one */
    return relay->down.framing.kind == WEIR_FRAMING_LENGTH ? &weir_fault_backend_content_length
                                                           : &weir_fault_backend_http2_message;
}

static int on_stream_close(nghttp2_session *session, int32_t id, uint32_t code, void *arg)
{
    back_http2_stream_t *stream = stream_of(session, id);

    if (stream == NULL)
        return 0;
    stream->is_closed = true;
    if (stream->is_released) {
        back_http2_stream_destroy(stream);
        return 0;
    }
    bool is_refused = code == NGHTTP2_REFUSED_STREAM && (stream->was_reset || stream->has_goaway);
    stream->back.is_untouched = stream->is_unsent || (is_refused && !stream->back.has_answered);
    back_http2_stream_lost(stream, fault_of_close(stream, code));
    return 0;
}

/* ---- what we have sent ---- */

static int on_sent(nghttp2_session *session, const nghttp2_frame *frame, void *arg)
{
    back_http2_stream_t *stream = stream_of(session, frame->hd.stream_id);
    relay_t *relay = stream == NULL ? NULL : back_http2_relay_of(stream);
    const bool is_head = frame->hd.type == NGHTTP2_HEADERS && frame->headers.cat == NGHTTP2_HCAT_REQUEST;

    if (stream != NULL && stream->is_agent)
        back_http2_agent_count(stream, &(back_http2_count_t){.sent = FRAME_HEAD_BYTES + frame->hd.length,
                                                             .is_head = is_head,
                                                             .is_end = (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0});
    if (relay == NULL)
        return 0;
    relay->x->journal.backend_sent_bytes += FRAME_HEAD_BYTES + frame->hd.length;
    if (is_head)
        relay->x->journal.head_sent_at_us = weir_loop_now_us(relay->x->loop);
    return 0;
}

/* A request that could not leave: a GOAWAY came first, or our own reset. libnghttp2 closes the stream next, and tells. */
static int on_not_sent(nghttp2_session *session, const nghttp2_frame *frame, int error, void *arg)
{
    back_http2_t *http2 = arg;

    if (frame->hd.type != NGHTTP2_HEADERS || frame->headers.cat != NGHTTP2_HCAT_REQUEST)
        return 0;
    for (weir_list_t *node = http2->streams.next; node != &http2->streams; node = node->next) {
        back_http2_stream_t *stream = WEIR_AROUND(node, back_http2_stream_t, link);
        if (stream->id != frame->hd.stream_id)
            continue;
        stream->is_unsent = true;
        break;
    }
    return 0;
}

/* ---- the table ---- */

nghttp2_session_callbacks *back_http2_callbacks_create(void)
{
    nghttp2_session_callbacks *callbacks;

    WEIR_MUST(nghttp2_session_callbacks_new(&callbacks) == 0);
    nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks, on_begin_headers);
    nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header);
    nghttp2_session_callbacks_set_on_invalid_header_callback(callbacks, on_invalid_header);
    nghttp2_session_callbacks_set_on_begin_frame_callback(callbacks, on_frame_head);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data);
    nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame);
    nghttp2_session_callbacks_set_on_invalid_frame_recv_callback(callbacks, on_invalid_frame);
    nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_stream_close);
    nghttp2_session_callbacks_set_on_frame_send_callback(callbacks, on_sent);
    nghttp2_session_callbacks_set_on_frame_not_send_callback(callbacks, on_not_sent);
    return callbacks;
}
