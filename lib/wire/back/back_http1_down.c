/* SPDX-License-Identifier: MIT */
/* The relay towards the client: the response's head and body. */
#include "lib/base/must.h"
#include "lib/wire/loop/loop.h"
#include "lib/wire/back/back_http1.h"

enum {
    TURNS = 4,                   /* moves through a pipe before the others have their turn */
    FILTERED_READ_BYTES = 16384, /* at once */
};

static void resume_reading(relay_t *relay);

/* ---- the body, out of a buffer ---- */

static size_t take_length(relay_t *relay, weir_span_t *bytes, h2o_iovec_t *pieces, bool *is_last)
{
    size_t take = bytes->len < relay->down.left_bytes ? bytes->len : (size_t)relay->down.left_bytes;

    pieces[0] = h2o_iovec_init(bytes->base, take);
    bytes->base += take;
    bytes->len -= take;
    relay->down.left_bytes -= take;
    *is_last = relay->down.left_bytes == 0;
    return take > 0 ? 1 : 0;
}

static size_t take_chunks(relay_t *relay, weir_span_t *bytes, h2o_iovec_t *pieces, bool *is_last)
{
    size_t count = 0;
    weir_span_t data;

    while (count < WEIR_BODY_PIECES) {
        switch (weir_chunk_decode(&relay->down.decoder, &relay->x->arena, bytes, &data)) {
        case WEIR_CHUNK_DATA:
            pieces[count++] = h2o_iovec_init(data.base, data.len);
            continue;
        case WEIR_CHUNK_MORE:
            return count;
        case WEIR_CHUNK_END:
            *is_last = true;
            if (relay->x->front != NULL)
                weir_chunk_trailers(&relay->down.decoder, &relay->x->arena, &relay->x->front->trailers);
            return count;
        case WEIR_CHUNK_BROKEN:
            relay_fail(relay, relay->down.decoder.has_long_trailers ? &weir_fault_backend_trailer_length
                                                                    : &weir_fault_backend_bad_chunk);
            return 0;
        }
    }
    return count;
}

static size_t take_all(weir_span_t *bytes, h2o_iovec_t *pieces)
{
    pieces[0] = h2o_iovec_init(bytes->base, bytes->len);
    bytes->len = 0;
    return 1;
}

/* Passes on what it can of `bytes`, which shrink; stops when the client takes no more or the body is complete. */
static void pass_body(relay_t *relay, weir_span_t *bytes)
{
    while (bytes->len > 0 && !relay->down.is_client_blocked && !relay->is_over) {
        h2o_iovec_t pieces[WEIR_BODY_PIECES];
        bool is_last = false;
        size_t count;
        if (relay->down.state == RELAY_TUNNEL || relay->down.framing.kind == WEIR_FRAMING_UNTIL_CLOSE)
            count = take_all(bytes, pieces);
        else if (relay->down.framing.kind == WEIR_FRAMING_CHUNKED)
            count = take_chunks(relay, bytes, pieces, &is_last);
        else
            count = take_length(relay, bytes, pieces, &is_last);
        if (relay->is_over)
            return;
        if (is_last)
            relay->down.state = RELAY_DONE;
        if (count > 0 || is_last)
            relay->down.is_client_blocked = !weir_front_send(relay->x->front, pieces, count, is_last) && !is_last;
        if (is_last)
            return;
    }
}

/* A short body is held until it is whole: until then a backend that dies is still a page. */
static void collect(relay_t *relay, weir_span_t *bytes)
{
    if (bytes->len < relay->down.left_bytes)
        return;
    relay->down.state = RELAY_BODY;
    pass_body(relay, bytes);
}

/* ---- heads ---- */

/* Framed in two ways, or in a way its version does not know (RFC 9112 §6.1): nothing is read behind such a message. */
static bool is_ambiguous(const weir_response_head_t *head)
{
    if (weir_headers_find(&head->headers, WEIR_HEADER_TRANSFER_ENCODING) == NULL)
        return false;
    return head->minor == 0 || weir_headers_find(&head->headers, WEIR_HEADER_CONTENT_LENGTH) != NULL;
}

/* Reads heads until a final one; false if there is nothing more to do with `bytes` for now. */
static bool read_heads(relay_t *relay, weir_span_t *bytes)
{
    weir_exchange_t *x = relay->x;

    while (relay->down.state == RELAY_HEAD) {
        weir_response_head_t head;
        size_t consumed_bytes;
        const weir_fault_t *fault;
        switch (weir_response_head_read(&relay->down.reader, *bytes, &x->plan->response_limits, x->loop->response_headers,
                                        &head, &consumed_bytes, &fault)) {
        case WEIR_HEAD_PARTIAL:
            return false;
        case WEIR_HEAD_FAULTY:
            relay_fail(relay, fault);
            return false;
        case WEIR_HEAD_COMPLETE:
            break;
        }
        relay->down.reader = (weir_response_reader_t){0};
        relay->down.is_persistent = head.is_persistent && !is_ambiguous(&head);
        if (head.status >= 200)
            x->journal.first_byte_at_us = weir_loop_now_us(x->loop);
        relay->events->on_response(x, &head);
        if (relay->is_over)
            return false;
        bytes->base += consumed_bytes;
        bytes->len -= consumed_bytes;
        if (relay->down.state == RELAY_HEAD && relay->down.is_client_blocked)
            return false;
    }
    if (relay->down.framing.kind == WEIR_FRAMING_UNTIL_CLOSE)
        relay->down.is_persistent = false;
    return true;
}

/* The head goes out at once if its body is not there yet: clients of event streams wait for it. */
static void send_bare_head(relay_t *relay)
{
    weir_front_t *front = relay->x->front;

    if (relay->down.state == RELAY_BODY && !relay->is_over && front != NULL && !front->is_started)
        relay->down.is_client_blocked = !weir_front_send(front, NULL, 0, false);
}

/* Does with `bytes` what can be done; they shrink. */
static void process(relay_t *relay, weir_span_t *bytes)
{
    if (relay->down.state == RELAY_HEAD && !read_heads(relay, bytes))
        return;
    if (relay->down.state == RELAY_COLLECT)
        collect(relay, bytes);
    else if (relay->down.state != RELAY_DONE)
        pass_body(relay, bytes);
    send_bare_head(relay);
    if (relay->down.state == RELAY_DONE && bytes->len > 0) {
        relay->down.has_surplus = true; /* whatever it is, it is not a response to anything */
        bytes->len = 0;
    }
}

/* ---- the backend's end ---- */

static const weir_fault_t *fault_at_end(const relay_t *relay, bool is_reset)
{
    if (weir_sock_tls_is_flooded(&back_http1_of(relay->back)->sock))
        return &weir_fault_backend_tls_flood;
    if (is_reset)
        return &weir_fault_backend_reset;
    return relay->back->has_answered ? &weir_fault_backend_truncated : &weir_fault_backend_closed;
}

static void on_end(relay_t *relay, bool is_reset)
{
    weir_sock_watch(&back_http1_of(relay->back)->sock, false);
    relay->down.is_persistent = false;
    switch (relay->down.state) {
    case RELAY_DONE:
        return;
    case RELAY_TUNNEL:
        relay->down.has_ended = true;
        if (is_reset)
            relay->up.is_done = relay->up.is_broken = true;
        else
            relay_half_close(relay);
        relay_check_tunnel(relay);
        return;
    case RELAY_BODY:
        if (!is_reset && relay->down.framing.kind == WEIR_FRAMING_UNTIL_CLOSE && weir_bytes_count(&relay->back->in) == 0) {
            relay->down.state = RELAY_DONE;
            weir_timer_cancel(&relay->back->timer);
            (void)weir_front_send(relay->x->front, NULL, 0, true);
            return;
        }
        relay_fail(relay, fault_at_end(relay, is_reset));
        return;
    case RELAY_HEAD:
    case RELAY_COLLECT:
        relay_fail(relay, fault_at_end(relay, is_reset));
        return;
    }
}

static void count_received(relay_t *relay, size_t bytes)
{
    relay->x->journal.backend_received_bytes += bytes;
    relay->x->journal.last_byte_at_us = weir_loop_now_us(relay->x->loop);
}

/* ---- through a pipe ---- */

static weir_sock_t *splice_sink(relay_t *relay)
{
    weir_front_t *front = relay->x->front;
    bool is_long = relay->down.left_bytes >= WEIR_SPLICE_MIN_BYTES || relay->down.pipe != NULL;

    if (relay->down.state != RELAY_BODY || relay->down.framing.kind != WEIR_FRAMING_LENGTH || !is_long || front == NULL ||
        !front->is_direct || front->ops->splice_sink == NULL || !weir_sock_can_splice(&back_http1_of(relay->back)->sock) ||
        weir_bytes_count(&relay->back->in) > 0)
        return NULL;
    weir_sock_t *sink = front->ops->splice_sink(front->req);
    if (sink != NULL && relay->down.pipe == NULL)
        relay->down.pipe = weir_pipe_take(relay->x->loop->pipes);
    return relay->down.pipe != NULL ? sink : NULL;
}

/* Empties the pipe into the client; false if it takes no more for now. */
static bool drain(relay_t *relay, weir_sock_t *sink)
{
    weir_front_t *front = relay->x->front;

    while (relay->down.pipe->held_bytes > 0) {
        ssize_t drained = weir_pipe_drain(relay->down.pipe, sink->fd);
        if (drained <= 0) {
            relay->down.is_client_blocked = true;
            if (drained == WEIR_SOCK_BLOCKED)
                front->ops->sink_await(front->req);
            else
                front->ops->cut(front->req);
            return false;
        }
        bool is_last = relay->down.left_bytes == 0 && relay->down.pipe->held_bytes == 0;
        relay->x->journal.client_sent_bytes += (uint64_t)drained;
        front->is_complete = is_last;
        if (is_last)
            relay->down.state = RELAY_DONE;
        front->ops->sink_spliced(front->req, (size_t)drained, is_last);
    }
    return true;
}

/* What is in the pipe goes out before more comes in: a pipe is never left with bytes that nobody waits for. */
static void move(relay_t *relay, weir_sock_t *sink)
{
    bool may_fill = drain(relay, sink);

    for (int turn = 0; turn < TURNS && may_fill && relay->down.left_bytes > 0; turn++) {
        size_t most_bytes = relay->down.left_bytes < WEIR_PIPE_BYTES ? (size_t)relay->down.left_bytes : WEIR_PIPE_BYTES;
        ssize_t filled = weir_pipe_fill(relay->down.pipe, back_http1_of(relay->back)->sock.fd, most_bytes);
        if (filled == WEIR_SOCK_BLOCKED)
            break;
        if (filled <= 0) {
            on_end(relay, filled == WEIR_SOCK_BROKEN);
            return;
        }
        relay->down.left_bytes -= (uint64_t)filled;
        count_received(relay, (size_t)filled);
        may_fill = drain(relay, sink);
    }
    resume_reading(relay);
}

/* ---- reading ---- */

static void resume_reading(relay_t *relay)
{
    if (relay->is_over)
        return;
    bool wants = !relay->down.is_client_blocked && !relay->down.has_ended;
    weir_sock_watch(&back_http1_of(relay->back)->sock, wants);
    relay_arm(relay);
}

/*
 * What goes through a filter of libh2o's is passed on whole, or held whole while the client takes nothing: not so much of it at
 * once.
 */
static size_t read_most(const relay_t *relay)
{
    const weir_front_t *front = relay->x->front;

    if (front == NULL || (front->is_started ? front->is_direct : front->req->pathconf->filters.size == 0))
        return WEIR_BLOCK_BYTES;
    return FILTERED_READ_BYTES;
}

/* Bytes that follow others go behind them; else they are read into the loop's scratch, and mostly never copied. */
static ssize_t read_some(relay_t *relay)
{
    weir_back_t *back = relay->back;
    bool continues = weir_bytes_count(&back->in) > 0;
    char *buffer = continues ? weir_bytes_reserve(&back->in, WEIR_READ_BYTES / 4) : back->loop->scratch;
    size_t room = continues ? back->in.capacity - back->in.end : read_most(relay);
    ssize_t count = weir_sock_read(&back_http1_of(back)->sock, buffer, room);

    if (count <= 0)
        return count;
    back->has_answered = true;
    count_received(relay, (size_t)count);
    weir_span_t bytes = {buffer, (size_t)count};
    if (continues) {
        weir_bytes_grow(&back->in, (size_t)count);
        bytes = weir_bytes_span(&back->in);
    }
    size_t before = bytes.len;
    process(relay, &bytes);
    if (relay->is_over)
        return count; /* the connection will be closed with what is in it */
    if (continues)
        weir_bytes_consume(&back->in, before - bytes.len);
    else
        weir_bytes_keep(&back->in, &back->loop->scratch, bytes);
    return count;
}

void back_http1_on_readable(weir_sock_t *sock)
{
    relay_t *relay = WEIR_AROUND(sock, back_http1_t, sock)->back.relay;
    char next;

    if (relay->down.state == RELAY_DONE) {
        if (weir_sock_peek(sock, &next, 1) == WEIR_SOCK_BLOCKED)
            return;                     /* TLS has said something to TLS: a ticket, new keys */
        relay->down.has_surplus = true; /* bytes or an end: it can't be used again */
        weir_sock_watch(sock, false);
        return;
    }
    weir_sock_t *sink = splice_sink(relay);
    if (sink != NULL) {
        move(relay, sink);
        return;
    }
    ssize_t count = read_some(relay);
    if (count == WEIR_SOCK_BLOCKED || relay->is_over)
        return;
    if (count <= 0) {
        on_end(relay, count == WEIR_SOCK_BROKEN);
        return;
    }
    resume_reading(relay);
}

void back_http1_on_client_writable(relay_t *relay)
{
    weir_back_t *back = relay->back;

    if (relay->down.pipe != NULL && relay->down.pipe->held_bytes > 0) {
        weir_sock_t *sink = splice_sink(relay);
        WEIR_MUST(sink != NULL);
        move(relay, sink);
        return;
    }
    if (weir_bytes_count(&back->in) > 0) {
        weir_span_t bytes = weir_bytes_span(&back->in);
        size_t before = bytes.len;
        process(relay, &bytes);
        if (relay->is_over)
            return;
        weir_bytes_consume(&back->in, before - bytes.len);
    }
    resume_reading(relay);
}
