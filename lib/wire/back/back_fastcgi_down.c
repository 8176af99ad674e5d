/* SPDX-License-Identifier: MIT */
/*
 * The relay towards the client, from a FastCGI application: what is read is taken out of its records into back->in, then
 * handed on as far as the client takes it. Only then more is read, so that back->in never holds much more than a head, or a
 * short body, and one read.
 */
#include "lib/base/log.h"
#include "lib/wire/back/back_fastcgi.h"
#include "lib/wire/loop/loop.h"

/* ---- the body ---- */

static bool is_short_of(const relay_t *relay)
{
    return relay->down.framing.kind == WEIR_FRAMING_LENGTH && weir_bytes_count(&relay->back->in) < relay->down.left_bytes;
}

/* The request has ended: whether its response is whole tells its length, or, without one, the end itself. */
static const weir_fault_t *fault_of_end(const relay_t *relay)
{
    if (relay->down.state != RELAY_HEAD && !is_short_of(relay))
        return NULL;
    return back_fastcgi_of(relay)->records.exit_status != 0 ? &weir_fault_backend_fastcgi_failed
                                                            : &weir_fault_backend_fastcgi_incomplete;
}

static void pass_body(relay_t *relay)
{
    weir_back_t *back = relay->back;
    const weir_span_t waiting = weir_bytes_span(&back->in);
    const bool has_length = relay->down.framing.kind == WEIR_FRAMING_LENGTH;
    size_t count = waiting.len;

    if (has_length && count > relay->down.left_bytes)
        count = (size_t)relay->down.left_bytes;
    const bool is_last = has_length ? count == relay->down.left_bytes : back_fastcgi_of(relay)->has_ended;
    if (count == 0 && !is_last && relay->x->front->is_started)
        return;
    if (has_length)
        relay->down.left_bytes -= count;
    if (is_last)
        relay->down.state = RELAY_DONE;
    h2o_iovec_t piece = h2o_iovec_init(waiting.base, count);
    const bool may_go_on = weir_front_send(relay->x->front, &piece, count > 0 ? 1 : 0, is_last);
    relay->down.is_client_blocked = !may_go_on && !is_last;
    if (count > 0)
        weir_bytes_consume(&back->in, count);
}

/* ---- the head ---- */

/* Whether it is there, and was answered. */
static bool read_head(relay_t *relay)
{
    weir_exchange_t *x = relay->x;
    back_fastcgi_t *fastcgi = back_fastcgi_of(relay);
    const weir_span_t bytes = weir_bytes_span(&relay->back->in);
    weir_response_head_t head;
    size_t consumed_bytes;
    const weir_fault_t *fault;

    if (bytes.len == 0)
        return false;
    switch (weir_cgi_head_read(&fastcgi->head, bytes, &x->plan->response_limits, x->loop->response_headers, &head,
                               &consumed_bytes, &fault)) {
    case WEIR_HEAD_PARTIAL:
        return false;
    case WEIR_HEAD_FAULTY:
        relay_fail(relay, fault);
        return false;
    case WEIR_HEAD_COMPLETE:
        break;
    }
    head.is_end = relay->down.has_ended = fastcgi->has_ended && consumed_bytes == bytes.len;
    x->journal.first_byte_at_us = weir_loop_now_us(x->loop);
    relay->events->on_response(x, &head);
    if (relay->is_over)
        return false;
    weir_bytes_consume(&relay->back->in, consumed_bytes);
    return true;
}

/* ---- whatever there is to do ---- */

/* What an application says behind a whole response is nobody's: more than its length, or the body of a HEAD. */
static void settle(relay_t *relay)
{
    if (relay->down.state != RELAY_DONE)
        return;
    weir_bytes_free(&relay->back->in);
    relay->down.is_persistent = back_fastcgi_of(relay)->has_ended;
}

static void process(relay_t *relay)
{
    const back_fastcgi_t *fastcgi = back_fastcgi_of(relay);
    const weir_fault_t *fault;

    if (relay->down.state == RELAY_HEAD && !read_head(relay) && (relay->is_over || !fastcgi->has_ended))
        return;
    fault = fastcgi->has_ended && relay->down.state != RELAY_DONE ? fault_of_end(relay) : NULL;
    if (fault != NULL) {
        relay_fail(relay, fault);
        return;
    }
    if (relay->down.state == RELAY_COLLECT && !is_short_of(relay))
        relay->down.state = RELAY_BODY;
    if (relay->down.state == RELAY_BODY && !relay->down.is_client_blocked && relay->x->front != NULL)
        pass_body(relay);
    settle(relay);
}

static void resume_reading(relay_t *relay)
{
    if (relay->is_over)
        return;
    weir_sock_watch(&back_http1_of(relay->back)->sock, !relay->down.is_client_blocked && !back_fastcgi_of(relay)->has_ended);
    relay_arm(relay);
}

void back_fastcgi_on_client_writable(relay_t *relay)
{
    process(relay);
    resume_reading(relay);
}

/* ---- what the application says to its operator ---- */

void back_fastcgi_tell_errors(relay_t *relay)
{
    static weir_log_limit_t limit;

    back_fastcgi_t *fastcgi = back_fastcgi_of(relay);
    const weir_exchange_t *x = relay->x;

    if (fastcgi->line_bytes > 0)
        weir_log_limited(&limit, "FastCGI application %.*s: %.*s; request %.*s", (int)x->target.label.len, x->target.label.base,
                         (int)fastcgi->line_bytes, fastcgi->line, (int)x->request.id.len, x->request.id.base);
    fastcgi->line_bytes = 0;
}

static void add_errors(relay_t *relay, weir_span_t text)
{
    back_fastcgi_t *fastcgi = back_fastcgi_of(relay);

    for (size_t i = 0; i < text.len && fastcgi->errors_bytes < BACK_FASTCGI_ERRORS_BYTES; i++, fastcgi->errors_bytes++) {
        const bool is_end = text.base[i] == '\n';
        if (!is_end)
            fastcgi->line[fastcgi->line_bytes++] = text.base[i];
        if (is_end || fastcgi->line_bytes == BACK_FASTCGI_LINE_BYTES)
            back_fastcgi_tell_errors(relay);
    }
}

/* ---- reading ---- */

static void on_ended(relay_t *relay, const weir_span_t *rest)
{
    back_fastcgi_of(relay)->has_ended = true;
    relay->down.has_surplus = rest->len > 0; /* whatever it is, it is no part of a response to anything */
    if (!relay->up.is_done)
        back_fastcgi_break_up(relay);
}

/* Takes all records out of `bytes`. */
static void read_records(relay_t *relay, weir_span_t bytes)
{
    back_fastcgi_t *fastcgi = back_fastcgi_of(relay);
    const weir_fault_t *fault;
    weir_span_t piece;

    while (true) {
        switch (weir_fastcgi_read(&fastcgi->records, &bytes, &piece, &fault)) {
        case WEIR_FASTCGI_MORE:
            return;
        case WEIR_FASTCGI_OUTPUT:
            weir_bytes_append(&relay->back->in, piece);
            break;
        case WEIR_FASTCGI_ERRORS:
            add_errors(relay, piece);
            break;
        case WEIR_FASTCGI_END:
            on_ended(relay, &bytes);
            return;
        case WEIR_FASTCGI_BROKEN:
            relay_fail(relay, fault);
            return;
        }
    }
}

/* The connection has ended, without an END_REQUEST before it. */
static void on_closed(relay_t *relay, bool is_reset)
{
    weir_sock_watch(&back_http1_of(relay->back)->sock, false);
    if (is_reset)
        relay_fail(relay, &weir_fault_backend_reset);
    else
        relay_fail(relay, relay->back->has_answered ? &weir_fault_backend_truncated : &weir_fault_backend_closed);
}

void back_fastcgi_on_readable(weir_sock_t *sock)
{
    relay_t *relay = WEIR_AROUND(sock, back_http1_t, sock)->back.relay;
    weir_loop_t *loop = relay->back->loop;

    if (relay->down.state == RELAY_DONE) {
        relay->down.has_surplus = true; /* the response is whole, and the request goes on: it can't be used again */
        weir_sock_watch(sock, false);
        return;
    }
    const ssize_t count = weir_sock_read(sock, loop->scratch, WEIR_BLOCK_BYTES);
    if (count == WEIR_SOCK_BLOCKED)
        return;
    if (count <= 0) {
        on_closed(relay, count == WEIR_SOCK_BROKEN);
        return;
    }
    relay->back->has_answered = true;
    relay->x->journal.backend_received_bytes += (uint64_t)count;
    relay->x->journal.last_byte_at_us = weir_loop_now_us(loop);
    read_records(relay, (weir_span_t){loop->scratch, (size_t)count});
    if (!relay->is_over)
        process(relay);
    resume_reading(relay);
}
