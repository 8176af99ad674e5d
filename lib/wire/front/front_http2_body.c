/* SPDX-License-Identifier: MIT */
/*
 * HTTP/2 with clients: the request's body, handed to a sink as it comes, and what else a front is asked.
 *
 * The client's windows are opened by what the sink has taken: what it does not take is held, and is never more than the
 * stream's window.
 */
#include "lib/wire/front/front_http2.h"

#include <limits.h>

static bool is_flowing(const front_http2_stream_t *stream)
{
    return stream->body.sink != NULL && !stream->body.is_paused && !stream->body.is_done;
}

/* ---- windows ---- */

void front_http2_body_consume(front_http2_conn_t *conn, int32_t id, size_t bytes)
{
    conn->unconsumed_bytes -= bytes;
    if (id == 0)
        (void)nghttp2_session_consume_connection(front_http2_session(conn), bytes);
    else
        (void)nghttp2_session_consume(front_http2_session(conn), id, bytes);
}

/*
 * libnghttp2 waits until half the window was consumed, which never comes if the other half is held for streams that wait. What
 * it has received and neither we hold nor an update has told of is credit.
 */
void front_http2_body_credit(front_http2_conn_t *conn)
{
    int32_t received = nghttp2_session_get_effective_recv_data_length(front_http2_session(conn));
    int64_t credit = (int64_t)received - (int64_t)conn->unconsumed_bytes;

    if (credit >= FRONT_HTTP2_CREDIT_BYTES)
        (void)nghttp2_submit_window_update(front_http2_session(conn), NGHTTP2_FLAG_NONE, 0, (int32_t)credit);
}

/* The bytes are no longer held: the client may send as many more. */
static void consume(front_http2_stream_t *stream, size_t bytes)
{
    front_http2_conn_t *conn = stream->conn;

    if (bytes == 0)
        return;
    bool is_over = stream->is_closed || stream->body.is_dropped; /* nobody wants more of this stream; the others do */
    front_http2_body_consume(conn, is_over ? 0 : stream->id, bytes);
    front_http2_post_turn(conn);
}

/*
 * A stream whose sink keeps up with the client gets a larger window, so that an upload over a long way is not as slow as a
 * window in a round trip. What the streams of a connection get together is bounded, and the connection's own window is as much
 * larger: those that stall then do not stop the others.
 */
static void grow_window(front_http2_stream_t *stream, size_t taken_bytes)
{
    front_http2_conn_t *conn = stream->conn;
    size_t left = FRONT_HTTP2_GROWTH_BYTES - conn->grown_bytes;

    if (conn->client.loop->settings->http2_connection_window != 0 || stream->body.has_end || stream->is_closed || left == 0)
        return;
    nghttp2_session *session = front_http2_session(conn);
    int32_t window = nghttp2_session_get_stream_effective_local_window_size(session, stream->id);
    stream->body.taken_bytes += taken_bytes;
    if (window <= 0 || stream->body.taken_bytes < (size_t)window)
        return;
    size_t growth = (size_t)window < left ? (size_t)window : left;
    int32_t all = nghttp2_session_get_effective_local_window_size(session);
    if (!conn->has_growth && all < INT32_MAX - FRONT_HTTP2_GROWTH_BYTES)
        (void)nghttp2_session_set_local_window_size(session, NGHTTP2_FLAG_NONE, 0, all + FRONT_HTTP2_GROWTH_BYTES);
    (void)nghttp2_session_set_local_window_size(session, NGHTTP2_FLAG_NONE, stream->id, window + (int32_t)growth);
    conn->has_growth = true;
    conn->grown_bytes += growth;
    stream->body.grown_bytes += growth;
    stream->body.taken_bytes = 0;
}

static void drop_held(front_http2_stream_t *stream)
{
    size_t bytes = weir_bytes_count(&stream->body.held);

    weir_bytes_free(&stream->body.held);
    stream->body.is_dropped = true;
    consume(stream, bytes);
}

/* ---- the timer: a client whose body is wanted ---- */

static void fail(front_http2_stream_t *stream, const weir_fault_t *fault)
{
    weir_body_sink_t *sink = stream->body.sink;

    stream->body.sink = NULL;
    stream->body.fault = fault;
    if (sink != NULL)
        sink->on_fault(sink, fault);
}

static void on_body_timer(weir_timer_t *timer)
{
    fail(WEIR_AROUND(timer, front_http2_stream_t, body_timer), &weir_fault_client_timeout);
}

static void set_timer(front_http2_stream_t *stream)
{
    if (is_flowing(stream) && !stream->body.has_end && !stream->is_tunnel)
        weir_timer_set(stream->conn->client.loop, &stream->body_timer, front_http2_idle_ms(stream), on_body_timer);
    else
        weir_timer_cancel(&stream->body_timer);
}

/* ---- handing over ---- */

static void deliver(front_http2_stream_t *stream, const weir_span_t *pieces, size_t count, bool is_last)
{
    weir_body_sink_t *sink = stream->body.sink;

    if (is_last) {
        stream->body.is_done = true;
        stream->body.sink = NULL;
    }
    if (sink != NULL) {
        stream->body.is_touched = stream->body.is_touched || count > 0 || is_last;
        sink->on_data(sink, pieces, count, is_last);
    }
    set_timer(stream);
}

void front_http2_body_hand_over(front_http2_conn_t *conn, bool is_last)
{
    struct front_http2_shared *shared = conn->client.loop->front_http2;
    front_http2_stream_t *stream = shared->gathered.stream;

    if (stream == NULL)
        return;
    size_t count = shared->gathered.count, bytes = shared->gathered.bytes;
    shared->gathered.stream = NULL;
    deliver(stream, shared->gathered.pieces, count, is_last);
    front_http2_guard_earn(conn, bytes);
    consume(stream, bytes);
    if (is_flowing(stream))
        grow_window(stream, bytes);
}

/* Several frames that came together are handed over together, so that they leave together. */
static void gather(front_http2_stream_t *stream, weir_span_t bytes)
{
    struct front_http2_shared *shared = stream->conn->client.loop->front_http2;

    if (shared->gathered.stream != stream || shared->gathered.count == WEIR_BODY_PIECES) {
        front_http2_body_hand_over(stream->conn, false);
        if (!is_flowing(stream)) { /* by what it was handed */
            front_http2_body_data(stream, bytes);
            return;
        }
        shared->gathered.stream = stream;
        shared->gathered.count = shared->gathered.bytes = 0;
    }
    shared->gathered.pieces[shared->gathered.count++] = bytes;
    shared->gathered.bytes += bytes.len;
}

void front_http2_body_data(front_http2_stream_t *stream, weir_span_t bytes)
{
    if (stream->body.is_dropped || stream->reply.is_cut || (!stream->is_begun && stream->reply.is_final)) {
        front_http2_body_consume(stream->conn, 0, bytes.len);
        return;
    }
    if (is_flowing(stream) && weir_bytes_count(&stream->body.held) == 0)
        gather(stream, bytes);
    else
        weir_bytes_append(&stream->body.held, bytes);
}

/* Hands over what had arrived before it was wanted. The bytes leave first: the sink may pause and resume. */
static void feed_held(front_http2_stream_t *stream)
{
    while (is_flowing(stream) && weir_bytes_count(&stream->body.held) > 0) {
        weir_bytes_t arrived = stream->body.held;
        stream->body.held = (weir_bytes_t){0};
        const weir_span_t piece = weir_bytes_span(&arrived);
        deliver(stream, &piece, 1, stream->body.has_end);
        consume(stream, piece.len);
        weir_bytes_free(&arrived);
    }
    if (is_flowing(stream) && stream->body.has_end)
        deliver(stream, NULL, 0, true);
    set_timer(stream);
}

void front_http2_body_end(front_http2_stream_t *stream)
{
    stream->body.has_end = true;
    if (stream->conn->client.loop->front_http2->gathered.stream == stream)
        front_http2_body_hand_over(stream->conn, true);
    else
        feed_held(stream);
    if (stream->body.sink == NULL && !stream->is_begun)
        stream->body.is_done = true;
}

void front_http2_body_forget(front_http2_stream_t *stream)
{
    struct front_http2_shared *shared = stream->conn->client.loop->front_http2;
    size_t lost = weir_bytes_count(&stream->body.held);

    if (shared->gathered.stream == stream) {
        lost += shared->gathered.bytes;
        shared->gathered.stream = NULL;
    }
    if (lost > 0)
        front_http2_body_consume(stream->conn, 0, lost);
    weir_bytes_free(&stream->body.held);
    stream->conn->grown_bytes -= stream->body.grown_bytes;
    stream->body.grown_bytes = 0;
    weir_timer_cancel(&stream->body_timer);
    stream->body.sink = NULL;
}

/* ---- front_ops ---- */

static weir_front_t *attach(h2o_req_t *req)
{
    front_http2_stream_t *stream = front_http2_stream_of(req);

    return stream->front = &stream->front_memory;
}

static void *memory_of(h2o_req_t *req)
{
    return front_http2_stream_of(req)->memory;
}

static const weir_headers_t *headers_of(h2o_req_t *req)
{
    return &front_http2_stream_of(req)->head.headers;
}

static weir_framing_t framing_of(h2o_req_t *req)
{
    return front_http2_stream_of(req)->body.framing;
}

static void peer_of(h2o_req_t *req, weir_request_t *request, weir_arena_t *arena)
{
    const front_http2_stream_t *stream = front_http2_stream_of(req);

    weir_peer_tell(&stream->conn->client.peer, request, arena);
    request->head_bytes = stream->head.total_bytes;
}

static void body_open(h2o_req_t *req, weir_body_sink_t *sink)
{
    front_http2_stream_t *stream = front_http2_stream_of(req);

    if (stream->body.is_done) {
        sink->on_data(sink, NULL, 0, true);
        return;
    }
    stream->body.sink = sink;
    if (stream->body.fault != NULL)
        fail(stream, stream->body.fault);
    else
        feed_held(stream);
}

static void body_pause(h2o_req_t *req)
{
    front_http2_stream_t *stream = front_http2_stream_of(req);

    stream->body.is_paused = true;
    set_timer(stream);
}

static void body_resume(h2o_req_t *req)
{
    front_http2_stream_t *stream = front_http2_stream_of(req);

    if (!stream->body.is_paused)
        return;
    stream->body.is_paused = false;
    feed_held(stream);
}

static void body_close(h2o_req_t *req)
{
    front_http2_stream_t *stream = front_http2_stream_of(req);

    stream->body.sink = NULL;
    set_timer(stream);
    if (stream->body.is_touched) /* else it may be opened again, for another connection to the backend */
        drop_held(stream);
}

static void trailers_of(h2o_req_t *req, weir_arena_t *arena, weir_headers_t *out)
{
    const front_http2_stream_t *stream = front_http2_stream_of(req);
    const weir_headers_t *fields = &stream->trailer.headers;

    for (size_t i = 0; stream->body.is_done && i < fields->count; i++)
        if (weir_chunk_may_trail(fields->at[i].name))
            weir_headers_add(out, arena, weir_arena_copy(arena, fields->at[i].name),
                             weir_arena_copy(arena, fields->at[i].value));
}

static bool is_body_touched(h2o_req_t *req)
{
    return front_http2_stream_of(req)->body.is_touched;
}

static bool has_body_bytes(h2o_req_t *req)
{
    const front_http2_stream_t *stream = front_http2_stream_of(req);

    return !stream->body.is_done && (stream->body.has_end || weir_bytes_count(&stream->body.held) > 0);
}

static bool is_writable(h2o_req_t *req)
{
    return front_http2_may_send(front_http2_stream_of(req));
}

static size_t unsent_bytes(h2o_req_t *req)
{
    return weir_bytes_count(&front_http2_stream_of(req)->reply.held);
}

static void cut(h2o_req_t *req)
{
    front_http2_stream_t *stream = front_http2_stream_of(req);

    front_http2_stream_cut(stream, stream->is_tunnel ? NGHTTP2_CANCEL : NGHTTP2_INTERNAL_ERROR);
}

static const weir_fault_t *why_gone(h2o_req_t *req)
{
    const front_http2_stream_t *stream = front_http2_stream_of(req);

    if (stream->reply.is_delivered)
        return NULL;
    if (stream->fault != NULL)
        return stream->fault;
    return stream->conn->fault != NULL ? stream->conn->fault : &weir_fault_client_closed;
}

static const weir_fault_t *start_tunnel(h2o_req_t *req, const weir_headers_t *answer)
{
    front_http2_stream_t *stream = front_http2_stream_of(req);
    const weir_header_t *accept = weir_headers_find_name(answer, WEIR_SPAN("sec-websocket-accept"));

    if (accept == NULL || !weir_websocket_is_answer(stream->key, accept->value))
        return &weir_fault_backend_bad_websocket;
    stream->is_tunnel = true;
    stream->body.is_done = stream->body.is_paused = false;
    return NULL;
}

static void half_close(h2o_req_t *req)
{
    front_http2_half_close(front_http2_stream_of(req));
}

const weir_front_ops_t front_http2_ops = {
    .attach = attach,
    .memory = memory_of,
    .headers = headers_of,
    .framing = framing_of,
    .peer = peer_of,
    .body_open = body_open,
    .body_pause = body_pause,
    .body_resume = body_resume,
    .body_close = body_close,
    .trailers = trailers_of,
    .is_body_touched = is_body_touched,
    .has_body_bytes = has_body_bytes,
    .interim = front_http2_interim,
    .is_writable = is_writable,
    .unsent_bytes = unsent_bytes,
    .cut = cut,
    .why_gone = why_gone,
    .start_tunnel = start_tunnel,
    .half_close = half_close,
};
