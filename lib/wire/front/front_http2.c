/* SPDX-License-Identifier: MIT */
/* HTTP/2 with clients: the connection, what it reads and writes, and its ends (the picture is in front_http2.h). */
#include "lib/wire/front/front_http2.h"

#include <stdlib.h>

#include "lib/base/must.h"
#include "lib/wire/client/refusal.h"
#include "lib/wire/sock/sock_tls.h"

enum {
    LINGER_MS = 2000,  /* without the client's end, after our side was closed          */
    LINGER_TURNS = 64, /* reads of WEIR_READ_BYTES after which lingering ends           */
    DRAIN_MS = 1000,   /* for requests that were under way when the client was told     */
    UNREAD_MS = 1000,  /* for the rest of a request that has its response               */
    SLEEP_MS = 1000,   /* without a request, after which libnghttp2's memory is put away */
    QUEUED_MOST = 256, /* frames, or finished responses, that a client leaves untaken   */
    ROUNDS = 4,        /* of frames and writes before others have their turn            */
};

static const uint8_t drain_ping[8] = {'w', 'e', 'i', 'r', '-', 'e', 'n', 'd'};

static void on_readable(weir_sock_t *sock);
static void on_writable(weir_sock_t *sock);

static front_http2_conn_t *conn_of(weir_client_t *client)
{
    return WEIR_AROUND(client, front_http2_conn_t, client);
}

/* ---- life ---- */

static void close_now(front_http2_conn_t *conn)
{
    weir_timer_cancel(&conn->timer);
    weir_timer_cancel(&conn->write_timer);
    weir_timer_cancel(&conn->unread_timer);
    weir_timer_cancel(&conn->sleep_timer);
    weir_list_remove(&conn->turn.link);
    while (!weir_list_is_empty(&conn->streams))
        front_http2_stream_dispose(WEIR_AROUND(conn->streams.next, front_http2_stream_t, link));
    nghttp2_session_del(front_http2_session(conn));
    front_http2_region_end(&conn->region);
    free(conn->unread);
    weir_bytes_free(&conn->out);
    weir_client_destroy(&conn->client);
}

void front_http2_post_turn(front_http2_conn_t *conn)
{
    if (conn->is_turn_posted)
        return;
    conn->is_turn_posted = true;
    weir_loop_post(conn->client.loop, &conn->turn);
}

/* From here on nothing is read for its sense: what we have to say goes out, then the connection ends. */
static void begin_end(front_http2_conn_t *conn, const weir_fault_t *fault)
{
    conn->state = FRONT_HTTP2_ENDING;
    conn->fault = fault;
    if (fault != NULL)
        weir_refusal_log(&conn->client, fault, 0, 0, NULL);
    for (weir_list_t *node = conn->streams.next; node != &conn->streams; node = node->next)
        front_http2_stream_on_gone(WEIR_AROUND(node, front_http2_stream_t, link), fault);
    front_http2_post_turn(conn);
}

void front_http2_end(front_http2_conn_t *conn, const weir_fault_t *fault, uint32_t error_code)
{
    if (conn->state != FRONT_HTTP2_OPEN)
        return;
    begin_end(conn, fault);
    (void)nghttp2_session_terminate_session(front_http2_session(conn), error_code);
}

void front_http2_on_ended(front_http2_conn_t *conn, uint32_t error_code)
{
    if (conn->state != FRONT_HTTP2_OPEN)
        return;
    bool is_flood = error_code == NGHTTP2_ENHANCE_YOUR_CALM;
    begin_end(conn, is_flood ? &weir_fault_http2_too_many_frames : &weir_fault_http2_protocol_error);
}

/* ---- draining: a first GOAWAY, time for what is under way, a second one with the last stream (RFC 9113 §6.8) ---- */

static void say_last_goaway(front_http2_conn_t *conn)
{
    if (conn->has_last_goaway)
        return;
    conn->has_last_goaway = true;
    int32_t last = nghttp2_session_get_last_proc_stream_id(front_http2_session(conn));
    (void)nghttp2_submit_goaway(front_http2_session(conn), NGHTTP2_FLAG_NONE, last, NGHTTP2_NO_ERROR, NULL, 0);
    front_http2_post_turn(conn);
}

void front_http2_drain(front_http2_conn_t *conn)
{
    if (conn->is_draining || conn->state != FRONT_HTTP2_OPEN)
        return;
    conn->is_draining = true;
    if (conn->stream_count == 0) {
        front_http2_end(conn, NULL, NGHTTP2_NO_ERROR);
        return;
    }
    (void)nghttp2_submit_shutdown_notice(front_http2_session(conn));
    (void)nghttp2_submit_ping(front_http2_session(conn), NGHTTP2_FLAG_NONE, drain_ping);
    front_http2_post_turn(conn);
}

void front_http2_on_ping_answered(front_http2_conn_t *conn, const uint8_t *data)
{
    if (conn->is_draining && memcmp(data, drain_ping, sizeof(drain_ping)) == 0)
        say_last_goaway(conn);
}

/* ---- requests that nobody reads to their end ---- */

/* RFC 9113 §8.1: NO_ERROR tells the client that it has the whole response, and need not send the rest. */
static void reset_unread(front_http2_conn_t *conn, int32_t id)
{
    if (nghttp2_session_get_stream_remote_close(front_http2_session(conn), id) != 0)
        return; /* it has ended meanwhile */
    (void)nghttp2_submit_rst_stream(front_http2_session(conn), NGHTTP2_FLAG_NONE, id, NGHTTP2_NO_ERROR);
    front_http2_post_turn(conn);
}

static void on_unread_timer(weir_timer_t *timer)
{
    front_http2_conn_t *conn = WEIR_AROUND(timer, front_http2_conn_t, unread_timer);
    uint64_t now_us = weir_loop_now_us(conn->client.loop);
    size_t kept = 0;

    for (size_t i = 0; i < conn->unread_count; i++) {
        if (now_us - conn->unread[i].since_us >= (uint64_t)UNREAD_MS * 1000)
            reset_unread(conn, conn->unread[i].id);
        else
            conn->unread[kept++] = conn->unread[i];
    }
    conn->unread_count = kept;
    if (kept > 0)
        weir_timer_set(conn->client.loop, timer, UNREAD_MS, on_unread_timer);
}

/* Mostly the end is on its way. And there are clients (curl 7.88) that forget the response if the reset follows at once. */
void front_http2_leave_unread(front_http2_conn_t *conn, int32_t id)
{
    if (conn->unread_count == FRONT_HTTP2_UNREAD_MOST) {
        reset_unread(conn, id);
        return;
    }
    if (conn->unread == NULL)
        conn->unread = malloc(FRONT_HTTP2_UNREAD_MOST * sizeof(*conn->unread));
    WEIR_MUST(conn->unread != NULL);
    conn->unread[conn->unread_count++] = (front_http2_unread_t){id, weir_loop_now_us(conn->client.loop)};
    if (!weir_timer_is_set(&conn->unread_timer))
        weir_timer_set(conn->client.loop, &conn->unread_timer, UNREAD_MS, on_unread_timer);
}

/* ---- the connection's timer ---- */

static front_http2_awaits_t awaits(const front_http2_conn_t *conn)
{
    if (conn->state != FRONT_HTTP2_OPEN)
        return conn->state == FRONT_HTTP2_LINGER ? FRONT_HTTP2_THE_END : FRONT_HTTP2_NOTHING; /* the write timer runs */
    if (conn->heading != NULL)
        return FRONT_HTTP2_A_HEAD;
    if (conn->is_draining && !conn->has_last_goaway)
        return FRONT_HTTP2_LATE_REQUESTS;
    return conn->stream_count == 0 ? FRONT_HTTP2_A_REQUEST : FRONT_HTTP2_NOTHING;
}

static void on_timer(weir_timer_t *timer)
{
    front_http2_conn_t *conn = WEIR_AROUND(timer, front_http2_conn_t, timer);

    switch (conn->awaits) {
    case FRONT_HTTP2_A_REQUEST:
        front_http2_end(conn, NULL, NGHTTP2_NO_ERROR);
        return;
    case FRONT_HTTP2_A_HEAD:
        front_http2_end(conn, &weir_fault_header_timeout, NGHTTP2_ENHANCE_YOUR_CALM);
        return;
    case FRONT_HTTP2_LATE_REQUESTS:
        say_last_goaway(conn);
        return;
    case FRONT_HTTP2_THE_END:
        close_now(conn);
        return;
    case FRONT_HTTP2_NOTHING:
        return;
    }
}

static uint32_t delay_ms(const front_http2_conn_t *conn)
{
    const weir_server_settings_t *settings = conn->client.loop->settings;
    uint64_t idle_ms = settings->globalconf->http2.idle_timeout;

    switch (conn->awaits) {
    case FRONT_HTTP2_LATE_REQUESTS:
        return DRAIN_MS;
    case FRONT_HTTP2_THE_END:
        return LINGER_MS;
    case FRONT_HTTP2_A_REQUEST:
        if (idle_ms == 0)
            return weir_client_header_ms(&conn->client);
        return idle_ms < UINT32_MAX ? (uint32_t)idle_ms : UINT32_MAX;
    case FRONT_HTTP2_A_HEAD:
    case FRONT_HTTP2_NOTHING:
        break;
    }
    return weir_client_header_ms(&conn->client);
}

bool front_http2_close_if_idle(weir_timer_t *timer)
{
    front_http2_conn_t *conn = WEIR_AROUND(timer, front_http2_conn_t, timer);

    if (timer->on_due != on_timer || conn->awaits != FRONT_HTTP2_A_REQUEST || weir_sock_has_unread(&conn->client.sock))
        return false;
    front_http2_end(conn, NULL, NGHTTP2_NO_ERROR);
    front_http2_make_frames(conn);
    front_http2_write(conn);
    close_now(conn);
    return true;
}

/*
 * Of one that has nothing to do. It is not cancelled by the next request: that would be twice for each request, and one that
 * falls asleep a moment after a request does so once in a while at most.
 */
static void on_sleep_timer(weir_timer_t *timer)
{
    front_http2_conn_t *conn = WEIR_AROUND(timer, front_http2_conn_t, sleep_timer);
    bool is_idle = conn->awaits == FRONT_HTTP2_A_REQUEST && !conn->is_turn_posted && weir_bytes_count(&conn->out) == 0;

    if (is_idle && nghttp2_session_want_write(front_http2_session(conn)) == 0)
        (void)front_http2_region_sleep(&conn->region);
}

void front_http2_set_timer(front_http2_conn_t *conn)
{
    front_http2_awaits_t now = awaits(conn);

    if (now == FRONT_HTTP2_A_REQUEST && !weir_timer_is_set(&conn->sleep_timer))
        weir_timer_set(conn->client.loop, &conn->sleep_timer, SLEEP_MS, on_sleep_timer);
    if (now == conn->awaits && (now == FRONT_HTTP2_NOTHING || weir_timer_is_set(&conn->timer)))
        return; /* absolute: traffic does not extend it */
    conn->awaits = now;
    if (now == FRONT_HTTP2_NOTHING)
        weir_timer_cancel(&conn->timer);
    else
        weir_timer_set(conn->client.loop, &conn->timer, delay_ms(conn), on_timer);
}

uint32_t front_http2_idle_ms(const front_http2_stream_t *stream)
{
    const weir_front_t *front = stream->front;

    return front != NULL && front->x != NULL ? front->x->plan->idle_timeout_ms
                                             : stream->conn->client.loop->settings->idle_timeout_ms;
}

/* ---- writing ---- */

/* Those whose END_STREAM was just made: only now is it known where it stands. */
static void note_ends(front_http2_conn_t *conn)
{
    for (weir_list_t *node = conn->ending.prev; node != &conn->ending; node = node->prev) {
        front_http2_stream_t *stream = WEIR_AROUND(node, front_http2_stream_t, end_link);
        if (stream->reply.end_at != UINT64_MAX)
            return;
        stream->reply.end_at = conn->out_end;
    }
}

void front_http2_make_frames(front_http2_conn_t *conn)
{
    if (conn->is_receiving || conn->is_sending || conn->must_close)
        return;
    ssize_t count = 1;
    conn->is_sending = true;
    while (count > 0 && weir_bytes_count(&conn->out) < FRONT_HTTP2_OUT_BYTES) {
        const uint8_t *bytes;
        count = nghttp2_session_mem_send(front_http2_session(conn), &bytes);
        if (count <= 0)
            break;
        weir_bytes_append(&conn->out, (weir_span_t){(const char *)bytes, (size_t)count});
        conn->out_end += (uint64_t)count;
    }
    conn->is_sending = false;
    note_ends(conn);
    if (count >= 0)
        return;
    conn->must_close = true;
    front_http2_post_turn(conn);
}

static void on_write_timer(weir_timer_t *timer)
{
    front_http2_conn_t *conn = WEIR_AROUND(timer, front_http2_conn_t, write_timer);

    if (conn->state == FRONT_HTTP2_OPEN)
        begin_end(conn, &weir_fault_client_stalled);
    close_now(conn);
}

/* False if the client takes no more for now. */
static bool write_once(front_http2_conn_t *conn)
{
    weir_sock_t *sock = &conn->client.sock;

    switch (conn->must_close ? 0 : weir_sock_write_queue(sock, &conn->out, NULL)) {
    case WEIR_SOCK_BLOCKED:
        weir_sock_await_writable(sock);
        weir_timer_set(conn->client.loop, &conn->write_timer, conn->client.loop->settings->idle_timeout_ms, on_write_timer);
        return false;
    case WEIR_SOCK_BROKEN:
        conn->must_close = true;
        front_http2_post_turn(conn);
        return false;
    default:
        weir_timer_cancel(&conn->write_timer);
        return true;
    }
}

void front_http2_write(front_http2_conn_t *conn)
{
    if (conn->client.sock.is_awaiting)
        return;
    for (int round = 0; round < ROUNDS; round++) {
        if (!write_once(conn))
            return;
        front_http2_make_frames(conn); /* those there was no room for */
        if (weir_bytes_count(&conn->out) == 0)
            return;
    }
    front_http2_post_turn(conn);
}

/* ---- the turn ---- */

static void dispose_of_gone(front_http2_conn_t *conn)
{
    while (!weir_list_is_empty(&conn->gone))
        front_http2_stream_dispose(WEIR_AROUND(conn->gone.next, front_http2_stream_t, end_link));
}

static void dispose_of_delivered(front_http2_conn_t *conn)
{
    uint64_t written = conn->out_end - weir_bytes_count(&conn->out);

    while (!weir_list_is_empty(&conn->ending)) {
        front_http2_stream_t *stream = WEIR_AROUND(conn->ending.next, front_http2_stream_t, end_link);
        if (stream->reply.end_at > written)
            return;
        stream->reply.is_delivered = true;
        front_http2_stream_dispose(stream);
    }
}

static void wake(front_http2_stream_t *stream)
{
    if (stream->reply.must_proceed) {
        stream->reply.must_proceed = false;
        h2o_proceed_response(&stream->req);
    } else if (stream->front != NULL && stream->front->relay != NULL) {
        relay_on_client_writable(stream->front->relay);
    }
}

/* Each is woken once, and may then wait again. */
static void wake_waiting(front_http2_conn_t *conn)
{
    weir_list_t present;

    weir_list_init(&present);
    weir_list_move_all(&present, &conn->waiting);
    while (!weir_list_is_empty(&present)) {
        front_http2_stream_t *stream = WEIR_AROUND(present.next, front_http2_stream_t, wait_link);
        weir_list_remove(&stream->wait_link);
        if (front_http2_may_send(stream))
            wake(stream);
        else
            weir_list_append(&conn->waiting, &stream->wait_link);
    }
}

/* A client that does not take what it asks for is not listened to. */
static bool is_clogged(front_http2_conn_t *conn)
{
    return conn->client.sock.is_awaiting && (nghttp2_session_get_outbound_queue_size(front_http2_session(conn)) > QUEUED_MOST ||
                                             conn->ending_count > QUEUED_MOST);
}

/* What follows from where everything stands. */
static void update(front_http2_conn_t *conn)
{
    if (conn->state == FRONT_HTTP2_OPEN && conn->is_draining && conn->stream_count == 0)
        front_http2_end(conn, NULL, NGHTTP2_NO_ERROR);
    bool is_silent = weir_bytes_count(&conn->out) == 0 && !nghttp2_session_want_write(front_http2_session(conn));
    if (conn->state == FRONT_HTTP2_OPEN && is_silent && !nghttp2_session_want_read(front_http2_session(conn)))
        begin_end(conn, NULL); /* the client has said GOAWAY, and all is done */
    if (conn->state == FRONT_HTTP2_ENDING && is_silent) {
        conn->state = FRONT_HTTP2_LINGER;
        conn->requests = 0; /* counts reads from here on */
        weir_sock_shutdown(&conn->client.sock);
    }
    weir_sock_watch(&conn->client.sock, !is_clogged(conn));
    front_http2_set_timer(conn);
}

static void take_turn(front_http2_conn_t *conn)
{
    if (conn->must_close) {
        close_now(conn);
        return;
    }
    front_http2_body_credit(conn);
    front_http2_make_frames(conn);
    front_http2_write(conn);
    size_t before = conn->stream_count;
    dispose_of_gone(conn);
    dispose_of_delivered(conn);
    if (conn->stream_count < before && !conn->client.sock.is_awaiting && nghttp2_session_want_write(front_http2_session(conn)))
        front_http2_post_turn(conn); /* what they held of the window is free for others */
    wake_waiting(conn);
    update(conn);
}

static void on_turn(weir_letter_t *letter)
{
    front_http2_conn_t *conn = WEIR_AROUND(letter, front_http2_conn_t, turn);

    conn->is_turn_posted = false;
    take_turn(conn);
}

static void on_writable(weir_sock_t *sock)
{
    front_http2_conn_t *conn = WEIR_AROUND(sock, front_http2_conn_t, client.sock);

    take_turn(conn);
}

/* ---- reading ---- */

static void receive(front_http2_conn_t *conn, weir_span_t bytes)
{
    front_http2_guard_scan(conn, bytes);
    if (conn->state != FRONT_HTTP2_OPEN)
        return;
    conn->is_receiving = true;
    ssize_t taken = nghttp2_session_mem_recv(front_http2_session(conn), (const uint8_t *)bytes.base, bytes.len);
    front_http2_body_hand_over(conn, false);
    conn->is_receiving = false;
    front_http2_guard_settle(conn);
    if (taken == NGHTTP2_ERR_FLOODED)
        front_http2_end(conn, &weir_fault_http2_too_many_frames, NGHTTP2_ENHANCE_YOUR_CALM);
    else if (taken == NGHTTP2_ERR_BAD_CLIENT_MAGIC)
        front_http2_end(conn, &weir_fault_http2_protocol_error, NGHTTP2_PROTOCOL_ERROR);
    else if (taken < 0) /* also a flood of CONTINUATION, which this libnghttp2 has no name for */
        front_http2_end(conn, &weir_fault_http2_too_many_frames, NGHTTP2_ENHANCE_YOUR_CALM);
    front_http2_set_timer(conn);
    front_http2_post_turn(conn);
}

static void on_readable(weir_sock_t *sock)
{
    front_http2_conn_t *conn = WEIR_AROUND(sock, front_http2_conn_t, client.sock);
    char *scratch = conn->client.loop->scratch;
    ssize_t count = weir_sock_read(sock, scratch, WEIR_READ_BYTES);

    if (count == WEIR_SOCK_BLOCKED) {
        weir_sock_watch(sock, true);
        front_http2_set_timer(conn);
        return;
    }
    if (conn->state == FRONT_HTTP2_OPEN && weir_sock_tls_is_flooded(sock))
        begin_end(conn, &weir_fault_client_tls_flood);
    if (count <= 0 || (conn->state == FRONT_HTTP2_LINGER && ++conn->requests > LINGER_TURNS)) {
        close_now(conn);
        return;
    }
    if (conn->state == FRONT_HTTP2_OPEN)
        receive(conn, (weir_span_t){scratch, (size_t)count});
}

/* ---- what the server asks ---- */

static void on_drain(weir_client_t *client)
{
    front_http2_drain(conn_of(client));
}

static void on_close(weir_client_t *client)
{
    close_now(conn_of(client));
}

static int foreach_request(weir_client_t *client, int (*callback)(h2o_req_t *req, void *arg), void *arg)
{
    front_http2_conn_t *conn = conn_of(client);

    for (weir_list_t *node = conn->streams.next; node != &conn->streams; node = node->next) {
        front_http2_stream_t *stream = WEIR_AROUND(node, front_http2_stream_t, link);
        int result = stream->is_begun ? callback(&stream->req, arg) : 0;
        if (result != 0)
            return result;
    }
    return 0;
}

static const weir_client_ops_t client_ops = {on_drain, on_close, foreach_request, true};

void front_http2_accept(weir_loop_t *loop, weir_sock_t *sock, const weir_peer_t *peer, weir_span_t bytes)
{
    front_http2_conn_t *conn =
        conn_of(weir_client_create(sizeof(*conn), loop, sock, peer, &front_http2_callbacks, &client_ops));

    conn->turn.open = on_turn;
    weir_list_init(&conn->turn.link);
    weir_list_init(&conn->streams);
    weir_list_init(&conn->ending);
    weir_list_init(&conn->gone);
    weir_list_init(&conn->waiting);
    conn->client.sock.on_readable = on_readable;
    conn->client.sock.on_writable = on_writable;
    front_http2_session_begin(conn);
    front_http2_guard_init(conn);
    front_http2_post_turn(conn);
    if (loop->is_draining)
        front_http2_drain(conn);
    if (bytes.len > 0)
        receive(conn, bytes);
    else
        on_readable(&conn->client.sock);
}
