/* SPDX-License-Identifier: MIT */
/* HTTP/2 with clients: what libnghttp2 tells, and how it is set up. */
#include "lib/wire/front/front_http2.h"

#include <limits.h>
#include <stdlib.h>

#include "lib/base/must.h"
#include "lib/wire/client/refusal.h"

enum {
    FRAME_BYTES = 16384,           /* what a HEADERS or CONTINUATION frame holds at most */
    CONTINUATIONS_SPARE = 8,       /* frames of a head that are not full                 */
    RESPONSE_HEAD_BYTES = INT_MAX, /* weir.backend-buffer is what limits it              */
    ANSWERS_MOST = 500,            /* answers to PING and SETTINGS that are not written  */
    RESETS_BURST = 100000,         /* libnghttp2's own limit: _guard.c has a narrower one */
    STREAMS_MOST = 1000,
};

static front_http2_stream_t *stream_at(nghttp2_session *session, int32_t id)
{
    return nghttp2_session_get_stream_user_data(session, id);
}

/* ---- heads ---- */

static int on_begin_headers(nghttp2_session *session, const nghttp2_frame *frame, void *user)
{
    front_http2_conn_t *conn = user;
    front_http2_stream_t *stream = stream_at(session, frame->hd.stream_id);

    if (frame->hd.type != NGHTTP2_HEADERS || conn->state != FRONT_HTTP2_OPEN)
        return 0;
    if (frame->headers.cat == NGHTTP2_HCAT_REQUEST) {
        stream = front_http2_stream_create(conn, frame->hd.stream_id);
        (void)nghttp2_session_set_stream_user_data(session, frame->hd.stream_id, stream);
    }
    conn->heading = stream;
    return 0;
}

static weir_span_t span_of(nghttp2_rcbuf *buffer)
{
    nghttp2_vec bytes = nghttp2_rcbuf_get_buf(buffer);

    return (weir_span_t){(const char *)bytes.base, bytes.len};
}

static weir_head_limits_t trailer_limits_of(const weir_server_settings_t *settings)
{
    const size_t bytes = settings->max_trailer_bytes;

    return (weir_head_limits_t){
        .name_bytes = bytes, .value_bytes = bytes, .count = WEIR_CHUNK_TRAILER_COUNT, .total_bytes = bytes};
}

static int on_header(nghttp2_session *session, const nghttp2_frame *frame, nghttp2_rcbuf *name, nghttp2_rcbuf *value,
                     uint8_t flags, void *user)
{
    front_http2_conn_t *conn = user;
    front_http2_stream_t *stream = conn->heading;

    if (stream == NULL || conn->state != FRONT_HTTP2_OPEN)
        return 0;
    bool is_trailer = frame->headers.cat != NGHTTP2_HCAT_REQUEST;
    const weir_head_limits_t trailer_limits = trailer_limits_of(conn->client.loop->settings);
    weir_http2_head_add(is_trailer ? &stream->trailer : &stream->head, &stream->arena,
                        is_trailer ? &trailer_limits : &conn->client.loop->settings->head_limits, span_of(name),
                        span_of(value));
    return front_http2_guard_field(conn, stream) ? 0 : NGHTTP2_ERR_CALLBACK_FAILURE;
}

/* libnghttp2 would leave the field out: we leave out the request. */
static int on_invalid_header(nghttp2_session *session, const nghttp2_frame *frame, nghttp2_rcbuf *name, nghttp2_rcbuf *value,
                             uint8_t flags, void *user)
{
    front_http2_conn_t *conn = user;
    front_http2_stream_t *stream = conn->heading;

    if (stream == NULL)
        return 0;
    weir_http2_head_t *head = frame->headers.cat != NGHTTP2_HCAT_REQUEST ? &stream->trailer : &stream->head;
    if (head->fault == NULL)
        head->fault = &weir_fault_bad_header;
    head->total_bytes += span_of(name).len + span_of(value).len;
    head->count++;
    return front_http2_guard_field(conn, stream) ? 0 : NGHTTP2_ERR_CALLBACK_FAILURE;
}

static void on_request(front_http2_stream_t *stream, bool has_body)
{
    if (front_http2_guard_head(stream)) {
        front_http2_stream_begin(stream, has_body);
        return;
    }
    stream->fault = &weir_fault_http2_too_many_heads;
    weir_refusal_log(&stream->conn->client, stream->fault, 0, 0, NULL);
    front_http2_stream_cut(stream, NGHTTP2_REFUSED_STREAM); /* RFC 9113 §8.7: nothing was done, it may be sent again */
}

static void refuse_trailers(front_http2_stream_t *stream)
{
    const weir_fault_t *fault = stream->trailer.fault;
    const bool is_too_long = fault == &weir_fault_head_too_large || fault == &weir_fault_too_many_headers;

    if (is_too_long && stream->fault == NULL && !stream->reply.is_cut && !stream->reply.is_ending)
        stream->fault = &weir_fault_client_trailer_length;
    front_http2_stream_cut(stream, NGHTTP2_PROTOCOL_ERROR);
}

static void on_headers(front_http2_conn_t *conn, const nghttp2_frame *frame)
{
    front_http2_stream_t *stream = conn->heading;
    bool has_end = (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0;

    conn->heading = NULL;
    if (stream == NULL)
        return;
    if (frame->headers.cat == NGHTTP2_HCAT_REQUEST)
        on_request(stream, !has_end);
    else if (stream->trailer.fault != NULL)
        refuse_trailers(stream);
    else if (has_end)
        front_http2_body_end(stream);
}

/* ---- frames ---- */

static int on_frame(nghttp2_session *session, const nghttp2_frame *frame, void *user)
{
    front_http2_conn_t *conn = user;

    if (conn->state != FRONT_HTTP2_OPEN)
        return 0;
    switch (frame->hd.type) {
    case NGHTTP2_HEADERS:
        on_headers(conn, frame);
        break;
    case NGHTTP2_DATA: {
        front_http2_stream_t *stream = stream_at(session, frame->hd.stream_id);
        if (stream != NULL && (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0)
            front_http2_body_end(stream);
        break;
    }
    case NGHTTP2_RST_STREAM: {
        front_http2_stream_t *stream = stream_at(session, frame->hd.stream_id);
        if (stream != NULL && stream->fault == NULL)
            stream->fault = &weir_fault_client_closed;
        break;
    }
    case NGHTTP2_PING:
        if ((frame->hd.flags & NGHTTP2_FLAG_ACK) != 0)
            front_http2_on_ping_answered(conn, frame->ping.opaque_data);
        break;
    default: /* libnghttp2's own business */
        break;
    }
    return 0;
}

/* The client broke a rule: libnghttp2 resets the stream, or ends the connection. */
static int on_invalid_frame(nghttp2_session *session, const nghttp2_frame *frame, int error, void *user)
{
    front_http2_conn_t *conn = user;
    front_http2_stream_t *stream = stream_at(session, frame->hd.stream_id);

    if (stream != NULL && stream->fault == NULL) {
        stream->fault = &weir_fault_http2_stream_error;
        if (!stream->is_begun) /* no request will tell of it */
            weir_refusal_log(&conn->client, stream->fault, 0, 0, NULL);
    }
    if (conn->heading == stream)
        conn->heading = NULL;
    return 0;
}

static int on_data(nghttp2_session *session, uint8_t flags, int32_t id, const uint8_t *bytes, size_t count, void *user)
{
    front_http2_conn_t *conn = user;
    front_http2_stream_t *stream = stream_at(session, id);

    conn->unconsumed_bytes += count;
    if (stream == NULL || conn->state != FRONT_HTTP2_OPEN)
        front_http2_body_consume(conn, 0, count);
    else
        front_http2_body_data(stream, (weir_span_t){(const char *)bytes, count});
    return 0;
}

static int on_stream_close(nghttp2_session *session, int32_t id, uint32_t error_code, void *user)
{
    front_http2_conn_t *conn = user;
    front_http2_stream_t *stream = stream_at(session, id);

    if (stream == NULL)
        return 0;
    if (conn->client.loop->front_http2->gathered.stream == stream)
        front_http2_body_hand_over(conn, false);
    stream->is_closed = true;
    if (conn->heading == stream)
        conn->heading = NULL;
    bool is_said = stream->reply.is_end_sent && (stream->reply.is_final || stream->body.has_end);
    if (is_said && error_code == NGHTTP2_NO_ERROR)
        return 0; /* both sides have said all */
    /* Not the client's RST_STREAM: libnghttp2 has sent one, because of what the client did */
    bool is_provoked = error_code != NGHTTP2_NO_ERROR && !stream->reply.is_cut;
    front_http2_stream_on_gone(stream, is_provoked ? &weir_fault_http2_stream_error : NULL);
    front_http2_post_turn(conn);
    return 0;
}

static int on_frame_sent(nghttp2_session *session, const nghttp2_frame *frame, void *user)
{
    front_http2_conn_t *conn = user;
    bool has_end = (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0;

    switch (frame->hd.type) {
    case NGHTTP2_HEADERS:
    case NGHTTP2_DATA: {
        bool is_head = frame->hd.type == NGHTTP2_HEADERS;
        front_http2_stream_t *stream = has_end || is_head ? stream_at(session, frame->hd.stream_id) : NULL;
        if (stream != NULL && is_head && stream->reply.interims > 0) /* they come before the final one */
            stream->reply.interims--;
        if (stream != NULL && has_end)
            front_http2_on_end_sent(stream);
        break;
    }
    case NGHTTP2_RST_STREAM:
        front_http2_guard_reset_sent(conn, frame->rst_stream.error_code);
        break;
    case NGHTTP2_GOAWAY:
        if (frame->goaway.error_code != NGHTTP2_NO_ERROR)
            front_http2_on_ended(conn, frame->goaway.error_code);
        break;
    default:
        break;
    }
    return 0;
}

/* A response's head that cannot be said in HTTP/2. */
static int on_frame_not_sent(nghttp2_session *session, const nghttp2_frame *frame, int error, void *user)
{
    front_http2_stream_t *stream = frame->hd.type == NGHTTP2_HEADERS ? stream_at(session, frame->hd.stream_id) : NULL;

    if (stream == NULL || stream->is_closed)
        return 0;
    if (stream->fault == NULL && !stream->reply.is_cut)
        stream->fault = &weir_fault_backend_header_length;
    front_http2_stream_cut(stream, NGHTTP2_INTERNAL_ERROR);
    return 0;
}

static int send_data(nghttp2_session *session, nghttp2_frame *frame, const uint8_t *head, size_t count,
                     nghttp2_data_source *source, void *user)
{
    front_http2_stream_t *stream = stream_at(session, frame->hd.stream_id);

    return stream != NULL ? front_http2_put_data(stream, head, count) : NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
}

/* ---- set-up ---- */

static nghttp2_session_callbacks *make_callbacks(void)
{
    nghttp2_session_callbacks *callbacks;

    WEIR_MUST(nghttp2_session_callbacks_new(&callbacks) == 0);
    nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks, on_begin_headers);
    nghttp2_session_callbacks_set_on_header_callback2(callbacks, on_header);
    nghttp2_session_callbacks_set_on_invalid_header_callback2(callbacks, on_invalid_header);
    nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame);
    nghttp2_session_callbacks_set_on_invalid_frame_recv_callback(callbacks, on_invalid_frame);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data);
    nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_stream_close);
    nghttp2_session_callbacks_set_on_frame_send_callback(callbacks, on_frame_sent);
    nghttp2_session_callbacks_set_on_frame_not_send_callback(callbacks, on_frame_not_sent);
    nghttp2_session_callbacks_set_send_data_callback(callbacks, send_data);
    return callbacks;
}

static nghttp2_option *make_option(const weir_server_settings_t *settings)
{
    nghttp2_option *option;

    WEIR_MUST(nghttp2_option_new(&option) == 0);
    nghttp2_option_set_no_auto_window_update(option, 1);
    nghttp2_option_set_no_closed_streams(option, 1);
    nghttp2_option_set_max_send_header_block_length(option, RESPONSE_HEAD_BYTES);
    nghttp2_option_set_max_outbound_ack(option, ANSWERS_MOST);
    nghttp2_option_set_max_continuations(
        option, (settings->head_limits.total_bytes + FRONT_HTTP2_HEAD_SPARE_BYTES) / FRAME_BYTES + CONTINUATIONS_SPARE);
    nghttp2_option_set_stream_reset_rate_limit(option, RESETS_BURST, RESETS_BURST);
    return option;
}

struct front_http2_shared *front_http2_shared_create(weir_loop_t *loop)
{
    struct front_http2_shared *shared = calloc(1, sizeof(*shared));

    WEIR_MUST(shared != NULL);
    shared->callbacks = make_callbacks();
    shared->memory = front_http2_memory_create();
    return shared;
}

void front_http2_shared_use(struct front_http2_shared *shared, const weir_server_settings_t *settings)
{
    nghttp2_option_del(shared->option);
    shared->option = make_option(settings);
}

static uint32_t streams_most(const weir_server_settings_t *settings)
{
    size_t most = settings->globalconf->http2.max_concurrent_requests_per_connection;

    return most < STREAMS_MOST ? (uint32_t)most : STREAMS_MOST;
}

static int32_t connection_window(const weir_server_settings_t *settings)
{
    uint64_t all = (uint64_t)settings->http2_stream_window * streams_most(settings);
    uint64_t bytes = settings->http2_connection_window != 0 ? settings->http2_connection_window : all;

    if (bytes < NGHTTP2_INITIAL_CONNECTION_WINDOW_SIZE)
        bytes = NGHTTP2_INITIAL_CONNECTION_WINDOW_SIZE; /* RFC 9113 §6.9.2: it can only grow */
    return bytes < INT32_MAX ? (int32_t)bytes : INT32_MAX;
}

void front_http2_session_begin(front_http2_conn_t *conn)
{
    const weir_server_settings_t *settings = conn->client.loop->settings;
    struct front_http2_shared *shared = conn->client.loop->front_http2;
    size_t head_bytes = settings->head_limits.total_bytes;
    const nghttp2_settings_entry entries[] = {
        {NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, streams_most(settings)},
        {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, settings->http2_stream_window},
        {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, head_bytes < UINT32_MAX ? (uint32_t)head_bytes : UINT32_MAX},
        {NGHTTP2_SETTINGS_ENABLE_CONNECT_PROTOCOL, 1},
        {NGHTTP2_SETTINGS_NO_RFC7540_PRIORITIES, 1},
    };
    nghttp2_session *session;

    front_http2_region_begin(&conn->region, shared->memory);
    nghttp2_mem functions = front_http2_region_functions(&conn->region);
    WEIR_MUST(nghttp2_session_server_new3(&session, shared->callbacks, conn, shared->option, &functions) == 0);
    front_http2_region_close(&conn->region);
    WEIR_MUST(nghttp2_submit_settings(session, NGHTTP2_FLAG_NONE, entries, sizeof(entries) / sizeof(entries[0])) == 0);
    WEIR_MUST(nghttp2_session_set_local_window_size(session, NGHTTP2_FLAG_NONE, 0, connection_window(settings)) == 0);
    conn->session_at = session;
}
