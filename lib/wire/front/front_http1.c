/* SPDX-License-Identifier: MIT */
/* HTTP/1 with clients: the connection and its states (the picture is in front_http1.h). */
#include "lib/wire/front/front_http1.h"

#include "lib/base/counted.h"
#include "lib/base/span.h"
#include "lib/http/host.h"
#include "lib/wire/client/client_tls.h"
#include "lib/wire/front/front_http2.h"
#include "lib/wire/front/handler.h"
#include "lib/wire/sock/sock_tls.h"

enum {
    SETTLE_MS = 10, /* after which a new connection whose request is under way is watched */
    LOOK_MS = 1000, /* how often a client that is not being read is looked at */
};

static void on_readable(weir_sock_t *sock);
static void on_writable(weir_sock_t *sock);
static void turn(weir_letter_t *letter);
static void read_head(front_http1_conn_t *conn);

static front_http1_conn_t *conn_of(weir_client_t *client)
{
    return WEIR_AROUND(client, front_http1_conn_t, client);
}

/* ---- what libh2o asks ---- */

static h2o_iovec_t request_index(h2o_req_t *req)
{
    char digits[20];
    weir_span_t text = weir_span_of_u64(front_http1_stream_of(req)->conn->requests, digits);

    return h2o_strdup(&req->pool, text.base, text.len);
}

static weir_client_t *client_of(h2o_conn_t *conn)
{
    return (weir_client_t *)(void *)conn;
}

const weir_client_callbacks_t front_http1_callbacks = {
    .super =
        {
            .get_sockname = weir_client_sockname,
            .get_peername = weir_client_peername,
            .get_socket = weir_client_socket,
            .log_ = {{.ssl = WEIR_CLIENT_TLS_LOG, .http1 = {.request_index = request_index}}},
        },
    .client_of = client_of,
};

/* ---- life ---- */

static void on_drain(weir_client_t *client)
{
    front_http1_drain(conn_of(client));
}

static void on_close(weir_client_t *client)
{
    front_http1_close(conn_of(client));
}

static int foreach_request(weir_client_t *client, int (*callback)(h2o_req_t *req, void *arg), void *arg)
{
    front_http1_stream_t *stream = conn_of(client)->stream;

    return stream != NULL ? callback(&stream->req, arg) : 0;
}

static const weir_client_ops_t client_ops = {on_drain, on_close, foreach_request, false};

void front_http1_accept(weir_loop_t *loop, weir_sock_t *sock, const weir_peer_t *peer, bool may_be_http2)
{
    front_http1_conn_t *conn =
        conn_of(weir_client_create(sizeof(*conn), loop, sock, peer, &front_http1_callbacks, &client_ops));

    conn->may_be_http2 = may_be_http2;
    conn->turn.open = turn;
    weir_list_init(&conn->turn.link);
    conn->client.sock.on_readable = on_readable;
    conn->client.sock.on_writable = on_writable;
    if (weir_sock_has_joined(&conn->client.sock))
        front_http1_update_watch(conn);
    else
        front_http1_post_turn(conn); /* by then most clients have spoken */
    if (weir_client_is_ending(&conn->client))
        front_http1_drain(conn);
}

void front_http1_drop_stream(front_http1_conn_t *conn)
{
    front_http1_stream_t *stream = conn->stream;

    if (stream == NULL)
        return;
    stream->body.sink = NULL;
    stream->req.timestamps.response_end_at = weir_front_instant(&stream->req);
    h2o_dispose_request(&stream->req); /* loggers run */
    if (stream->front != NULL)
        weir_front_on_disposed(stream->front);
    weir_arena_finish(&stream->body.trailers);
    weir_counted_release(stream->memory);
    if (stream->time != NULL)
        h2o_mem_release_shared(stream->time);
    weir_context_release(stream->context);
    conn->stream = NULL;
    weir_spare_keep(&conn->client.loop->front_http1_streams, stream);
}

/* Everything but the socket, the peer and the memory. */
static void release(front_http1_conn_t *conn)
{
    weir_timer_cancel(&conn->read_timer);
    weir_timer_cancel(&conn->write_timer);
    weir_list_remove(&conn->turn.link);
    front_http1_drop_stream(conn);
    weir_bytes_free(&conn->in);
    weir_bytes_free(&conn->out);
}

void front_http1_close(front_http1_conn_t *conn)
{
    release(conn);
    weir_client_destroy(&conn->client);
}

bool front_http1_surrender(h2o_req_t *req, weir_sock_t *to)
{
    front_http1_conn_t *conn = front_http1_stream_of(req)->conn;

    if (weir_bytes_count(&conn->in) > 0 || weir_bytes_count(&conn->out) > 0 || conn->has_ended ||
        weir_sock_has_unread(&conn->client.sock))
        return false;
    weir_sock_move(to, &conn->client.sock);
    front_http1_close(conn);
    return true;
}

/* ---- timers ---- */

void front_http1_on_read_timer(weir_timer_t *timer)
{
    front_http1_conn_t *conn = WEIR_AROUND(timer, front_http1_conn_t, read_timer);
    front_http1_stream_t *stream = conn->stream;

    switch (conn->state) {
    case FRONT_HTTP1_HEAD:
        /* Vegur: silent before the request line is complete, 408 after it */
        if (conn->reader.has_request_line)
            front_http1_refuse(conn, &weir_fault_header_timeout, NULL);
        else
            front_http1_close(conn);
        return;
    case FRONT_HTTP1_BUSY:
        if (conn->client.sock.is_reading && stream->body.sink != NULL) { /* body bytes were wanted */
            stream->body.fault = &weir_fault_client_timeout;
            weir_body_sink_t *sink = stream->body.sink;
            stream->body.sink = NULL;
            sink->on_fault(sink, &weir_fault_client_timeout);
            front_http1_update_watch(conn);
            return;
        }
        if (weir_sock_is_gone(&conn->client.sock)) {
            front_http1_close(conn);
            return;
        }
        (void)weir_sock_join(&conn->client.sock);
        front_http1_update_watch(conn);
        return;
    case FRONT_HTTP1_PAGE:
    case FRONT_HTTP1_LINGER:
        front_http1_close(conn);
        return;
    case FRONT_HTTP1_CUT:
        front_http1_await_delivery(conn);
        return;
    }
}

static bool wants_body(const front_http1_conn_t *conn)
{
    const front_http1_stream_t *stream = conn->stream;

    return stream->body.sink != NULL && !stream->body.is_paused && !stream->body.is_done;
}

void front_http1_set_read_timer(front_http1_conn_t *conn, uint32_t delay_ms)
{
    weir_timer_set(conn->client.loop, &conn->read_timer, delay_ms, front_http1_on_read_timer);
}

/* The path's own timeout where a path is known. */
static uint32_t idle_ms(const front_http1_conn_t *conn)
{
    const weir_front_t *front = conn->stream != NULL ? conn->stream->front : NULL;

    return front != NULL && front->x != NULL ? front->x->plan->idle_timeout_ms : conn->client.loop->settings->idle_timeout_ms;
}

/* Between two requests it is that of the path of the first. */
static uint32_t header_ms(const front_http1_conn_t *conn)
{
    return conn->header_timeout_ms != 0 ? conn->header_timeout_ms : weir_client_header_ms(&conn->client);
}

/* BUSY: read while the body is wanted, or while there is room to notice what comes; else look now and then. */
static void update_busy(front_http1_conn_t *conn)
{
    bool wants = wants_body(conn);
    bool has_room = weir_bytes_count(&conn->in) < WEIR_READ_BYTES;
    bool is_open = conn->stream->body.sink != NULL && !conn->stream->body.is_done; /* paused: leave it in the kernel */
    bool watches = !conn->has_ended && (wants || (has_room && !is_open));

    if (watches && !wants && !weir_sock_has_joined(&conn->client.sock)) {
        /* Most responses come sooner, and of those whose connection is then closed the poll need never know */
        if (!weir_timer_is_set(&conn->read_timer))
            front_http1_set_read_timer(conn, SETTLE_MS);
        return;
    }
    weir_sock_watch(&conn->client.sock, watches);
    if (!watches)
        front_http1_set_read_timer(conn, LOOK_MS);
    else if (wants && !conn->stream->body.is_tunnel)
        front_http1_set_read_timer(conn, idle_ms(conn));
    else
        weir_timer_cancel(&conn->read_timer);
}

void front_http1_update_watch(front_http1_conn_t *conn)
{
    switch (conn->state) {
    case FRONT_HTTP1_HEAD:
        weir_sock_watch(&conn->client.sock, true);
        if (!weir_timer_is_set(&conn->read_timer)) /* absolute: traffic does not extend it */
            front_http1_set_read_timer(conn, header_ms(conn));
        return;
    case FRONT_HTTP1_BUSY:
        update_busy(conn);
        return;
    case FRONT_HTTP1_PAGE:
    case FRONT_HTTP1_LINGER:
        weir_sock_watch(&conn->client.sock, true);
        front_http1_set_read_timer(conn, FRONT_HTTP1_LINGER_MS);
        return;
    case FRONT_HTTP1_CUT:
        weir_sock_watch(&conn->client.sock, false);
        front_http1_set_read_timer(conn, FRONT_HTTP1_CUT_LOOK_MS);
        return;
    }
}

/* ---- from state to state ---- */

/* The response is out: the next request, or the end. */
static void finish(front_http1_conn_t *conn)
{
    front_http1_stream_t *stream = conn->stream;
    bool keeps_alive = stream->reply.keeps_alive;
    bool is_unread = !stream->body.is_done || weir_bytes_count(&conn->in) > 0;
    bool is_tunnel = stream->body.is_tunnel;

    stream->reply.is_delivered = true;
    if (stream->front != NULL && stream->front->x != NULL)
        conn->header_timeout_ms = stream->front->x->plan->header_timeout_ms;
    front_http1_drop_stream(conn);
    if (!keeps_alive) {
        /* What came since the last look, or while nobody was looking, counts as well */
        if (!is_tunnel && (is_unread || weir_sock_has_unread(&conn->client.sock)))
            front_http1_linger(conn);
        else
            front_http1_close(conn);
        return;
    }
    conn->state = FRONT_HTTP1_HEAD;
    conn->reader = (weir_request_reader_t){0};
    weir_timer_cancel(&conn->read_timer);
    if (weir_bytes_count(&conn->in) > 0)
        front_http1_post_turn(conn); /* after the walk of this one has ended: the next may use its backend's connection */
    else if (conn->has_ended || (weir_client_is_ending(&conn->client) && !weir_sock_has_unread(&conn->client.sock)))
        front_http1_close(conn);
    else
        front_http1_update_watch(conn);
}

/* What was decided on somebody's stack is done here, on the loop's. */
static void turn(weir_letter_t *letter)
{
    front_http1_conn_t *conn = WEIR_AROUND(letter, front_http1_conn_t, turn);
    front_http1_stream_t *stream = conn->stream;

    conn->is_turn_posted = false;
    if (conn->state == FRONT_HTTP1_CUT)
        return;
    if (conn->must_cut) {
        front_http1_cut(conn);
        return;
    }
    if (weir_bytes_count(&conn->out) > 0)
        return; /* on_writable goes on */
    if (conn->state == FRONT_HTTP1_PAGE) {
        front_http1_linger(conn);
        return;
    }
    if (stream == NULL) {
        if (conn->state == FRONT_HTTP1_HEAD && weir_bytes_count(&conn->in) > 0)
            read_head(conn);
        else if (!weir_sock_has_joined(&conn->client.sock))
            on_readable(&conn->client.sock);
        return;
    }
    if (stream->reply.is_final) {
        finish(conn);
        return;
    }
    if (stream->reply.must_proceed) {
        stream->reply.must_proceed = false;
        h2o_proceed_response(&stream->req);
    }
}

void front_http1_post_turn(front_http1_conn_t *conn)
{
    if (conn->is_turn_posted)
        return;
    conn->is_turn_posted = true;
    weir_loop_post(conn->client.loop, &conn->turn);
}

/* ---- heads ---- */

/* The connection turned out to be HTTP/2's: its front gets it with what was read. */
static void hand_on(front_http1_conn_t *conn, weir_span_t bytes)
{
    weir_loop_t *loop = conn->client.loop;
    weir_bytes_t in = conn->in;

    conn->in = (weir_bytes_t){0};
    release(conn);
    front_http2_accept(loop, &conn->client.sock, &conn->client.peer, bytes);
    weir_client_forget(&conn->client);
    weir_bytes_free(&in);
}

/*
 * Whether `bytes`, the first of the connection, are HTTP/2's preface (RFC 9113 §3.4) or may become it: then the connection is
 * handed on, or more is waited for.
 */
static bool is_http2(front_http1_conn_t *conn, weir_span_t bytes, bool is_scratch)
{
    const weir_span_t preface = WEIR_SPAN("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
    size_t count = bytes.len < preface.len ? bytes.len : preface.len;

    if (count == 0 || bytes.base == NULL || memcmp(bytes.base, preface.base, count) != 0) {
        conn->may_be_http2 = false;
        return false;
    }
    if (count == preface.len) {
        hand_on(conn, bytes);
        return true;
    }
    if (is_scratch)
        weir_bytes_append(&conn->in, bytes);
    if (conn->has_ended)
        front_http1_close(conn);
    else
        front_http1_update_watch(conn);
    return true;
}

/* A head is whole: `head_bytes` of `bytes`. */
static void on_head(front_http1_conn_t *conn, weir_request_head_t *head, weir_span_t bytes, size_t head_bytes, bool is_scratch)
{
    weir_loop_t *loop = conn->client.loop;
    weir_span_t host;
    int32_t port;

    if (!weir_host_split(head->authority, &host, &port)) {
        front_http1_refuse(conn, &weir_fault_bad_host, NULL);
        return;
    }
    if (conn->client.peer.is_over_limit) {
        front_http1_refuse(conn, &weir_fault_conn_limit_reached, &(weir_refused_t){head->method, head->path, host});
        return;
    }
    weir_context_t *context = weir_client_bind(&conn->client, &conn->client.super);
    front_http1_begin_request(conn, context, head, (weir_span_t){bytes.base, head_bytes});
    if (is_scratch)
        weir_bytes_keep(&conn->in, &loop->scratch, (weir_span_t){bytes.base + head_bytes, bytes.len - head_bytes});
    else
        weir_bytes_consume(&conn->in, head_bytes);
    weir_handler_process(loop, &conn->stream->req);
    conn->stream->time = weir_front_trim_pool(&conn->stream->req);
    front_http1_update_watch(conn);
}

/* Reads a head out of `bytes`, which are conn->in's or the loop's scratch. */
static void process_head(front_http1_conn_t *conn, weir_span_t bytes, bool is_scratch)
{
    weir_loop_t *loop = conn->client.loop;
    weir_request_head_t head;
    size_t head_bytes;
    const weir_fault_t *fault;

    if (conn->may_be_http2 && is_http2(conn, bytes, is_scratch))
        return;
    switch (weir_request_head_read(&conn->reader, bytes, &loop->settings->head_limits, loop->request_headers, &head,
                                   &head_bytes, &fault)) {
    case WEIR_HEAD_PARTIAL:
        if (is_scratch)
            weir_bytes_append(&conn->in, bytes);
        if (conn->has_ended)
            front_http1_close(conn);
        else
            front_http1_update_watch(conn);
        return;
    case WEIR_HEAD_FAULTY:
        if (is_scratch)
            weir_bytes_append(&conn->in, bytes);
        front_http1_refuse(conn, fault, NULL);
        return;
    case WEIR_HEAD_COMPLETE:
        on_head(conn, &head, bytes, head_bytes, is_scratch);
        return;
    }
}

static void read_head(front_http1_conn_t *conn)
{
    process_head(conn, weir_bytes_span(&conn->in), false);
}

/* ---- the socket ---- */

static void on_end(front_http1_conn_t *conn)
{
    conn->has_ended = true;
    switch (conn->state) {
    case FRONT_HTTP1_HEAD:
    case FRONT_HTTP1_LINGER:
        front_http1_close(conn);
        return;
    case FRONT_HTTP1_PAGE:
    case FRONT_HTTP1_CUT:
        weir_sock_watch(&conn->client.sock, false);
        return;
    case FRONT_HTTP1_BUSY:
        if (front_http1_abandon(conn))
            return;
        /* A client may end its side after its request and still wants the answer (RFC 9112 §9.6) */
        if (!conn->stream->body.is_done)
            front_http1_end_body(conn);
        front_http1_update_watch(conn);
        return;
    }
}

static void on_bytes(front_http1_conn_t *conn, weir_span_t bytes)
{
    switch (conn->state) {
    case FRONT_HTTP1_HEAD:
        process_head(conn, bytes, true);
        return;
    case FRONT_HTTP1_BUSY:
        front_http1_feed_body(conn, bytes);
        front_http1_update_watch(conn);
        return;
    case FRONT_HTTP1_PAGE:
    case FRONT_HTTP1_CUT:
        return;
    case FRONT_HTTP1_LINGER:
        front_http1_linger_on(conn);
        return;
    }
}

static void on_nothing(front_http1_conn_t *conn, ssize_t count)
{
    if (weir_sock_tls_is_flooded(&conn->client.sock))
        weir_refusal_log(&conn->client, &weir_fault_client_tls_flood, 0, 0, NULL);
    if (count == WEIR_SOCK_BROKEN)
        front_http1_close(conn);
    else if (count == WEIR_SOCK_END)
        on_end(conn);
    else if (conn->state == FRONT_HTTP1_HEAD || !weir_sock_has_joined(&conn->client.sock))
        front_http1_update_watch(conn);
}

/* A head that continues goes behind its beginning; everything else is read into the loop's scratch. */
static void on_readable(weir_sock_t *sock)
{
    front_http1_conn_t *conn = WEIR_AROUND(sock, front_http1_conn_t, client.sock);

    if (conn->state == FRONT_HTTP1_BUSY && wants_body(conn)) {
        ssize_t moved = front_http1_move_body(conn);
        if (moved > 0)
            front_http1_update_watch(conn);
        else if (moved != WEIR_SINK_COPIES)
            on_nothing(conn, moved);
        if (moved != WEIR_SINK_COPIES)
            return;
    }
    bool continues = conn->state == FRONT_HTTP1_HEAD && weir_bytes_count(&conn->in) > 0;
    size_t room = WEIR_READ_BYTES;
    if (conn->state == FRONT_HTTP1_BUSY && !wants_body(conn))
        room -= weir_bytes_count(&conn->in);
    char *buffer = continues ? weir_bytes_reserve(&conn->in, 4096) : conn->client.loop->scratch;
    ssize_t count = weir_sock_read(sock, buffer, continues ? 4096 : room);
    if (count <= 0) {
        on_nothing(conn, count);
        return;
    }
    if (continues) {
        weir_bytes_grow(&conn->in, (size_t)count);
        read_head(conn);
        return;
    }
    on_bytes(conn, (weir_span_t){buffer, (size_t)count});
}

static void on_write_timer(weir_timer_t *timer)
{
    front_http1_conn_t *conn = WEIR_AROUND(timer, front_http1_conn_t, write_timer);

    conn->fault = &weir_fault_client_stalled;
    front_http1_close(conn);
}

/* Waits for the client to take something; it has idle_timeout_ms for each bit of progress. */
void front_http1_await_writable(front_http1_conn_t *conn)
{
    weir_sock_await_writable(&conn->client.sock);
    weir_timer_set(conn->client.loop, &conn->write_timer, idle_ms(conn), on_write_timer);
}

static void on_writable(weir_sock_t *sock)
{
    front_http1_conn_t *conn = WEIR_AROUND(sock, front_http1_conn_t, client.sock);
    front_http1_stream_t *stream = conn->stream;

    if (!front_http1_flush(conn)) {
        if (!conn->must_cut)
            front_http1_await_writable(conn);
        return;
    }
    weir_timer_cancel(&conn->write_timer);
    if (stream == NULL || stream->reply.is_final) {
        front_http1_post_turn(conn);
        return;
    }
    if (!stream->reply.is_head_sent) { /* an interim response is out */
        if (stream->front != NULL && stream->front->relay != NULL)
            relay_on_client_writable(stream->front->relay);
        return;
    }
    if (stream->reply.is_half_closing)
        weir_sock_shutdown(sock);
    if (stream->front != NULL && stream->front->is_direct) {
        if (stream->front->relay != NULL)
            relay_on_client_writable(stream->front->relay);
        return;
    }
    h2o_proceed_response(&stream->req);
}
