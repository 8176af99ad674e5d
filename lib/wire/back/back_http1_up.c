/* SPDX-License-Identifier: MIT */
/* The relay towards the backend: the request's head and body. */
#include "lib/base/must.h"
#include "lib/wire/loop/loop.h"
#include "lib/wire/back/back_http1.h"

enum { PIECES = WEIR_BODY_PIECES + 4 }; /* the head, a chunk's size, the end of it, the last chunk */

static relay_t *relay_of(weir_body_sink_t *sink)
{
    return WEIR_AROUND(sink, relay_t, up.sink);
}

/*
 * The backend takes no more. It may have answered already (413, say): what it said is read before anything is called a
 * fault, and the rest of the client's body is not wanted.
 */
static void break_up(relay_t *relay)
{
    relay->up.is_broken = true;
    weir_bytes_free(&relay->back->out);
    relay_close_body(relay);
    if (relay->down.state == RELAY_TUNNEL) {
        relay->up.is_done = true;
        relay_check_tunnel(relay);
    }
}

static void write_pieces(relay_t *relay, const struct iovec *pieces, int count)
{
    weir_back_t *back = relay->back;

    if (relay->up.is_broken)
        return;
    ssize_t written = 0;
    if (weir_bytes_count(&back->out) == 0)
        written = weir_sock_write(&back_http1_of(back)->sock, pieces, count);
    if (written == WEIR_SOCK_BROKEN) {
        break_up(relay);
        return;
    }
    if (written > 0)
        relay_count_sent(relay, (size_t)written);
    weir_bytes_append_rest(&back->out, pieces, count, written > 0 ? (size_t)written : 0);
}

/* All of the request is in the kernel's hands, or the client's direction of a tunnel has ended. */
static void finish_up(relay_t *relay)
{
    relay->up.is_done = true;
    weir_pipe_give(relay->x->loop->pipes, &relay->up.pipe);
    relay->x->journal.request_sent_at_us = weir_loop_now_us(relay->x->loop);
    if (relay->down.state != RELAY_TUNNEL)
        return;
    weir_sock_shutdown(&back_http1_of(relay->back)->sock);
    relay_check_tunnel(relay);
}

static bool is_up_empty(const relay_t *relay)
{
    return weir_bytes_count(&relay->back->out) == 0 && (relay->up.pipe == NULL || relay->up.pipe->held_bytes == 0);
}

/* An HTTP/2 client may say later that a body of known length has ended: the backend has all of it, and waits for nothing. */
static bool is_all_taken(const relay_t *relay)
{
    return relay->up.framing.kind == WEIR_FRAMING_LENGTH && relay->up.taken_bytes >= relay->up.framing.length_bytes &&
           relay->up.head.len == 0;
}

/* After every write: done, or wait for the backend with the client held back, or go on. */
static void after_write(relay_t *relay)
{
    if (relay->up.is_broken || relay->is_over)
        return;
    relay->up.has_last = relay->up.has_last || is_all_taken(relay);
    if (is_up_empty(relay)) {
        if (relay->up.has_last && !relay->up.is_done)
            finish_up(relay);
        relay_arm(relay);
        return;
    }
    if (!relay->up.has_last)
        relay_pause_body(relay);
    weir_sock_await_writable(&back_http1_of(relay->back)->sock);
    relay_arm(relay);
}

typedef struct outgoing {
    struct iovec pieces[PIECES];
    int count;
    char size_line[18];
} outgoing_t;

static void add(outgoing_t *out, const char *base, size_t len)
{
    WEIR_MUST(out->count < PIECES);
    out->pieces[out->count++] = (struct iovec){(void *)(uintptr_t)base, len};
}

static void add_head(relay_t *relay, outgoing_t *out)
{
    if (relay->up.head.len > 0)
        add(out, relay->up.head.base, relay->up.head.len);
    relay->up.head = (weir_span_t){0};
}

static void add_last_chunk(relay_t *relay, outgoing_t *out)
{
    weir_headers_t trailers = relay_trailers(relay);
    weir_span_t last = weir_chunk_last(&relay->x->arena, &trailers);

    add(out, last.base, last.len);
}

static void add_body(relay_t *relay, outgoing_t *out, const weir_span_t *pieces, size_t count, size_t total, bool is_last)
{
    bool is_chunked = relay->up.framing.kind == WEIR_FRAMING_CHUNKED;

    if (is_chunked && total > 0)
        add(out, out->size_line, weir_chunk_size_line(total, out->size_line));
    for (size_t i = 0; i < count; i++)
        add(out, pieces[i].base, pieces[i].len);
    if (is_chunked && total > 0)
        add(out, "\r\n", 2);
    if (is_chunked && is_last)
        add_last_chunk(relay, out);
}

static void on_data(weir_body_sink_t *sink, const weir_span_t *pieces, size_t count, bool is_last)
{
    relay_t *relay = relay_of(sink);
    size_t total = 0;

    for (size_t i = 0; i < count; i++)
        total += pieces[i].len;
    if (!relay_count_up(relay, total, is_last))
        return;
    outgoing_t out;
    out.count = 0; /* the pieces are left as they are: zeroing them would cost more than all the rest here */
    add_head(relay, &out);
    add_body(relay, &out, pieces, count, total, is_last);
    if (out.count > 0)
        write_pieces(relay, out.pieces, out.count);
    after_write(relay);
}

/* What may still go wrong with a client that has sent its whole body is nothing to the backend. */
static void on_body_fault(weir_body_sink_t *sink, const weir_fault_t *fault)
{
    if (!relay_of(sink)->up.has_last)
        relay_on_body_fault(sink, fault);
}

/* Long bodies of known length pass through a pipe. */
static ssize_t move_body(weir_body_sink_t *sink, int fd, uint64_t left_bytes)
{
    relay_t *relay = relay_of(sink);
    bool may_move = relay->up.head.len == 0 && relay->up.framing.kind == WEIR_FRAMING_LENGTH && !relay->up.is_broken &&
                    weir_bytes_count(&relay->back->out) == 0 && weir_sock_can_splice(&back_http1_of(relay->back)->sock);

    if (!may_move || (relay->up.pipe == NULL && left_bytes < WEIR_SPLICE_MIN_BYTES))
        return WEIR_SINK_COPIES;
    if (relay->up.pipe == NULL)
        relay->up.pipe = weir_pipe_take(relay->x->loop->pipes);
    if (relay->up.pipe == NULL)
        return WEIR_SINK_COPIES;
    size_t most_bytes = left_bytes < WEIR_PIPE_BYTES ? (size_t)left_bytes : WEIR_PIPE_BYTES;
    ssize_t filled = weir_pipe_fill(relay->up.pipe, fd, most_bytes);
    if (filled <= 0)
        return filled;
    relay->up.taken_bytes += (uint64_t)filled;
    relay->x->journal.client_received_bytes += (uint64_t)filled;
    ssize_t drained = weir_pipe_drain(relay->up.pipe, back_http1_of(relay->back)->sock.fd);
    if (drained == WEIR_SOCK_BROKEN)
        break_up(relay);
    if (drained > 0)
        relay->x->journal.backend_sent_bytes += (uint64_t)drained;
    after_write(relay);
    return filled;
}

/* False if the backend is still slow or has broken. */
static bool flush_queue(relay_t *relay)
{
    size_t bytes = 0;
    ssize_t left = weir_sock_write_queue(&back_http1_of(relay->back)->sock, &relay->back->out, &bytes);

    if (bytes > 0)
        relay_count_sent(relay, bytes);
    if (left == WEIR_SOCK_BROKEN)
        break_up(relay);
    return left == 0;
}

static bool flush_pipe(relay_t *relay)
{
    while (relay->up.pipe != NULL && relay->up.pipe->held_bytes > 0) {
        ssize_t drained = weir_pipe_drain(relay->up.pipe, back_http1_of(relay->back)->sock.fd);
        if (drained == WEIR_SOCK_BLOCKED)
            return false;
        if (drained <= 0) {
            break_up(relay);
            return false;
        }
        relay->x->journal.backend_sent_bytes += (uint64_t)drained;
    }
    return true;
}

static bool flush(relay_t *relay)
{
    return !relay->up.is_broken && flush_queue(relay) && flush_pipe(relay);
}

static void on_writable(weir_sock_t *sock)
{
    relay_t *relay = WEIR_AROUND(sock, back_http1_t, sock)->back.relay;

    if (relay == NULL || relay->is_over)
        return;
    bool is_empty = flush(relay);
    after_write(relay);
    if (is_empty && !relay->is_over && !relay->up.has_last)
        relay_resume_body(relay);
}

void back_http1_start(relay_t *relay, const weir_backend_head_t *head)
{
    weir_back_t *back = relay->back;

    back_http1_of(back)->sock.on_readable = back_http1_on_readable;
    back_http1_of(back)->sock.on_writable = on_writable;
    weir_sock_watch(&back_http1_of(back)->sock, true);
    relay->up.head = head->text;
    relay->up.head_left_bytes = head->text.len;
    relay->up.sink = (weir_body_sink_t){.on_data = on_data, .on_fault = on_body_fault, .move = move_body};
    if (relay->up.framing.kind == WEIR_FRAMING_NONE || relay->x->front == NULL) {
        on_data(&relay->up.sink, NULL, 0, true);
        return;
    }
    relay_open_body(relay); /* what has arrived leaves together with the head */
    if (relay->up.head.len == 0 || relay->is_over)
        return;
    outgoing_t out;
    out.count = 0;
    add_head(relay, &out);
    write_pieces(relay, out.pieces, out.count);
    after_write(relay);
}

void back_http1_rest(relay_t *relay)
{
    weir_sock_watch(&back_http1_of(relay->back)->sock, false);
}
