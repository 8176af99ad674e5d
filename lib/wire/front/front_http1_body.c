/* SPDX-License-Identifier: MIT */
/* HTTP/1 with clients: the request's body, handed to a sink as it comes, and what else a front is asked. */
#include "lib/wire/front/front_http1.h"

#include "lib/base/must.h"

static void finish_body(front_http1_stream_t *stream)
{
    stream->body.is_done = true;
    stream->body.left_bytes = 0;
}

static void hand_over(front_http1_stream_t *stream, const weir_span_t *pieces, size_t count, bool is_last)
{
    weir_body_sink_t *sink = stream->body.sink;

    if (is_last)
        stream->body.sink = NULL;
    if (sink == NULL)
        return;
    stream->body.is_touched = stream->body.is_touched || count > 0 || is_last; /* an empty body has been sent as well */
    sink->on_data(sink, pieces, count, is_last);
}

static void fail_body(front_http1_stream_t *stream, const weir_fault_t *fault)
{
    weir_body_sink_t *sink = stream->body.sink;

    stream->body.sink = NULL;
    stream->body.fault = fault;
    if (sink != NULL)
        sink->on_fault(sink, fault);
}

/* Nobody can tell where the next request would begin. */
static bool is_lost(const front_http1_stream_t *stream)
{
    return stream->body.fault == &weir_fault_client_bad_chunk || stream->body.fault == &weir_fault_client_trailer_length;
}

static void feed_length(front_http1_stream_t *stream, weir_span_t *bytes)
{
    size_t take = bytes->len < stream->body.left_bytes ? bytes->len : (size_t)stream->body.left_bytes;
    const weir_span_t piece = {bytes->base, take};

    bytes->base += take;
    bytes->len -= take;
    stream->body.left_bytes -= take;
    if (stream->body.left_bytes == 0)
        finish_body(stream);
    hand_over(stream, &piece, 1, stream->body.is_done);
}

/* Several small chunks are handed over together, so that they leave together. */
static void feed_chunked(front_http1_stream_t *stream, weir_span_t *bytes)
{
    weir_span_t pieces[WEIR_BODY_PIECES];
    size_t count = 0;

    while (count < WEIR_BODY_PIECES) {
        switch (weir_chunk_decode(&stream->body.decoder, &stream->body.trailers, bytes, &pieces[count])) {
        case WEIR_CHUNK_DATA:
            count++;
            continue;
        case WEIR_CHUNK_MORE:
            if (count > 0)
                hand_over(stream, pieces, count, false);
            return;
        case WEIR_CHUNK_END:
            finish_body(stream);
            hand_over(stream, pieces, count, true);
            return;
        case WEIR_CHUNK_BROKEN:
            bytes->len = 0;
            fail_body(stream, stream->body.decoder.has_long_trailers ? &weir_fault_client_trailer_length
                                                                     : &weir_fault_client_bad_chunk);
            return;
        }
    }
    hand_over(stream, pieces, count, false);
}

static void feed(front_http1_stream_t *stream, weir_span_t *bytes)
{
    if (stream->body.is_tunnel) {
        const weir_span_t all = *bytes;
        bytes->len = 0;
        hand_over(stream, &all, 1, false);
    } else if (stream->body.framing.kind == WEIR_FRAMING_CHUNKED) {
        feed_chunked(stream, bytes);
    } else {
        feed_length(stream, bytes);
    }
}

static bool is_flowing(const front_http1_stream_t *stream)
{
    return stream->body.sink != NULL && !stream->body.is_paused && !stream->body.is_done;
}

void front_http1_feed_body(front_http1_conn_t *conn, weir_span_t bytes)
{
    while (bytes.len > 0 && is_flowing(conn->stream))
        feed(conn->stream, &bytes);
    if (!is_lost(conn->stream))
        weir_bytes_append(&conn->in, bytes);
}

void front_http1_end_body(front_http1_conn_t *conn)
{
    front_http1_stream_t *stream = conn->stream;

    if (!stream->body.is_tunnel) {
        if (weir_bytes_count(&conn->in) > 0 && stream->body.sink == NULL)
            return; /* what has arrived may be all of it */
        if (stream->reply.is_head_sent) {
            fail_body(stream, &weir_fault_client_closed); /* it may still want the response that is under way */
            return;
        }
        conn->fault = &weir_fault_client_closed;
        conn->must_cut = true;
        front_http1_post_turn(conn);
        return;
    }
    if (stream->body.is_paused)
        return; /* told when it is resumed */
    finish_body(stream);
    hand_over(stream, NULL, 0, true);
}

/* Hands over what had arrived before it was wanted. The bytes leave conn->in first: the sink may pause and resume. */
static void feed_arrived(front_http1_conn_t *conn)
{
    front_http1_stream_t *stream = conn->stream;

    if (weir_bytes_count(&conn->in) > 0 && is_flowing(stream)) {
        weir_bytes_t arrived = conn->in;
        conn->in = (weir_bytes_t){0};
        weir_span_t bytes = weir_bytes_span(&arrived);
        while (bytes.len > 0 && is_flowing(stream))
            feed(stream, &bytes);
        if (!is_lost(stream))
            weir_bytes_append(&conn->in, bytes);
        weir_bytes_free(&arrived);
    }
    if (conn->has_ended && is_flowing(stream))
        front_http1_end_body(conn);
}

void front_http1_discard_body(front_http1_conn_t *conn)
{
    front_http1_stream_t *stream = conn->stream;
    weir_span_t bytes = weir_bytes_span(&conn->in);
    size_t before = bytes.len;

    stream->body.sink = NULL;
    if (stream->body.is_tunnel || stream->body.fault != NULL)
        return;
    while (bytes.len > 0 && !stream->body.is_done && stream->body.fault == NULL)
        feed(stream, &bytes);
    if (before > bytes.len)
        weir_bytes_consume(&conn->in, before - bytes.len);
}

ssize_t front_http1_move_body(front_http1_conn_t *conn)
{
    front_http1_stream_t *stream = conn->stream;
    weir_body_sink_t *sink = stream->body.sink;

    if (sink->move == NULL || !weir_sock_can_splice(&conn->client.sock) || stream->body.is_tunnel ||
        stream->body.framing.kind != WEIR_FRAMING_LENGTH || weir_bytes_count(&conn->in) > 0)
        return WEIR_SINK_COPIES;
    ssize_t moved = sink->move(sink, conn->client.sock.fd, stream->body.left_bytes);
    if (moved <= 0)
        return moved;
    WEIR_MUST((uint64_t)moved <= stream->body.left_bytes);
    stream->body.is_touched = true;
    stream->body.left_bytes -= (uint64_t)moved;
    if (stream->body.left_bytes == 0) {
        finish_body(stream);
        hand_over(stream, NULL, 0, true);
    }
    return moved;
}

/* ---- front_ops ---- */

static weir_front_t *attach(h2o_req_t *req)
{
    front_http1_stream_t *stream = front_http1_stream_of(req);

    return stream->front = &stream->front_memory;
}

static void *memory_of(h2o_req_t *req)
{
    return front_http1_stream_of(req)->memory;
}

static const weir_headers_t *headers_of(h2o_req_t *req)
{
    return &front_http1_stream_of(req)->headers;
}

static weir_framing_t framing_of(h2o_req_t *req)
{
    return front_http1_stream_of(req)->body.framing;
}

static void peer_of(h2o_req_t *req, weir_request_t *request, weir_arena_t *arena)
{
    weir_peer_tell(&front_http1_stream_of(req)->conn->client.peer, request, arena);
    request->head_bytes = front_http1_stream_of(req)->head_bytes;
}

static void body_open(h2o_req_t *req, weir_body_sink_t *sink)
{
    front_http1_stream_t *stream = front_http1_stream_of(req);

    if (stream->body.is_done) {
        sink->on_data(sink, NULL, 0, true);
        return;
    }
    stream->body.sink = sink;
    if (stream->body.fault != NULL) {
        fail_body(stream, stream->body.fault);
        return;
    }
    feed_arrived(stream->conn);
    front_http1_update_watch(stream->conn);
}

static void body_pause(h2o_req_t *req)
{
    front_http1_stream_of(req)->body.is_paused = true;
    front_http1_update_watch(front_http1_stream_of(req)->conn);
}

static void body_resume(h2o_req_t *req)
{
    front_http1_stream_t *stream = front_http1_stream_of(req);

    if (!stream->body.is_paused)
        return;
    stream->body.is_paused = false;
    feed_arrived(stream->conn);
    front_http1_update_watch(stream->conn);
}

static void body_close(h2o_req_t *req)
{
    front_http1_stream_t *stream = front_http1_stream_of(req);

    stream->body.sink = NULL;
    if (stream->conn->state == FRONT_HTTP1_BUSY)
        front_http1_update_watch(stream->conn);
}

static void trailers_of(h2o_req_t *req, weir_arena_t *arena, weir_headers_t *out)
{
    const front_http1_stream_t *stream = front_http1_stream_of(req);

    if (stream->body.framing.kind == WEIR_FRAMING_CHUNKED && stream->body.is_done)
        weir_chunk_trailers(&stream->body.decoder, arena, out);
}

static bool is_body_touched(h2o_req_t *req)
{
    return front_http1_stream_of(req)->body.is_touched;
}

static bool has_body_bytes(h2o_req_t *req)
{
    const front_http1_stream_t *stream = front_http1_stream_of(req);

    return !stream->body.is_done && weir_bytes_count(&stream->conn->in) > 0;
}

static bool is_writable(h2o_req_t *req)
{
    const front_http1_conn_t *conn = front_http1_stream_of(req)->conn;

    return weir_bytes_count(&conn->out) == 0 && !conn->must_cut;
}

static size_t unsent_bytes(h2o_req_t *req)
{
    return weir_bytes_count(&front_http1_stream_of(req)->conn->out);
}

static void cut(h2o_req_t *req)
{
    front_http1_conn_t *conn = front_http1_stream_of(req)->conn;

    conn->must_cut = true;
    front_http1_post_turn(conn);
}

static const weir_fault_t *why_gone(h2o_req_t *req)
{
    const front_http1_stream_t *stream = front_http1_stream_of(req);

    if (stream->reply.is_delivered)
        return NULL;
    return stream->conn->fault != NULL ? stream->conn->fault : &weir_fault_client_closed;
}

static const weir_fault_t *start_tunnel(h2o_req_t *req, const weir_headers_t *answer)
{
    front_http1_stream_t *stream = front_http1_stream_of(req);

    stream->body.is_tunnel = true;
    stream->body.is_done = false;
    stream->body.is_paused = false;
    return NULL;
}

static void half_close(h2o_req_t *req)
{
    front_http1_conn_t *conn = front_http1_stream_of(req)->conn;

    conn->stream->reply.is_half_closing = true;
    if (weir_bytes_count(&conn->out) == 0)
        weir_sock_shutdown(&conn->client.sock);
}

static weir_sock_t *splice_sink(h2o_req_t *req)
{
    front_http1_stream_t *stream = front_http1_stream_of(req);
    bool is_plain = stream->reply.is_head_sent && stream->reply.encoding == FRONT_HTTP1_LENGTH &&
                    weir_sock_can_splice(&stream->conn->client.sock);

    return is_plain && weir_bytes_count(&stream->conn->out) == 0 ? &stream->conn->client.sock : NULL;
}

static void sink_spliced(h2o_req_t *req, size_t count, bool is_last)
{
    front_http1_stream_t *stream = front_http1_stream_of(req);

    WEIR_MUST(count <= stream->reply.left_bytes);
    stream->reply.left_bytes -= count;
    req->bytes_sent += count;
    weir_timer_cancel(&stream->conn->write_timer);
    if (!is_last)
        return;
    req->_generator = NULL; /* as h2o_send() does with the last piece */
    stream->reply.is_final = true;
    front_http1_post_turn(stream->conn);
}

static void sink_await(h2o_req_t *req)
{
    front_http1_await_writable(front_http1_stream_of(req)->conn);
}

const weir_front_ops_t front_http1_ops = {
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
    .interim = front_http1_interim,
    .is_writable = is_writable,
    .unsent_bytes = unsent_bytes,
    .cut = cut,
    .why_gone = why_gone,
    .start_tunnel = start_tunnel,
    .half_close = half_close,
    .splice_sink = splice_sink,
    .sink_spliced = sink_spliced,
    .sink_await = sink_await,
};
