/* SPDX-License-Identifier: MIT */
/* The relay towards a FastCGI application: parameters and body, as records. */
#include "lib/base/must.h"
#include "lib/wire/back/back_fastcgi.h"
#include "lib/wire/loop/loop.h"

enum { DIGITS = 20, LENGTH_PAIR_BYTES = 64 };

static relay_t *relay_of(weir_body_sink_t *sink)
{
    return WEIR_AROUND(sink, relay_t, up.sink);
}

/* What it says is read before anything is called a fault, and the rest of the client's body is not wanted. */
void back_fastcgi_break_up(relay_t *relay)
{
    relay->up.is_broken = true;
    weir_bytes_free(&relay->back->out);
    weir_bytes_free(&back_fastcgi_of(relay)->held);
    relay_close_body(relay);
}

/* ---- records ---- */

/* Nothing at all makes no record: an empty one would end its stream. */
static void append_records(weir_bytes_t *queue, weir_fastcgi_type_t type, weir_span_t content)
{
    while (content.len > 0) {
        char head[WEIR_FASTCGI_HEAD_BYTES];
        const size_t count = content.len < WEIR_FASTCGI_CONTENT_MOST ? content.len : WEIR_FASTCGI_CONTENT_MOST;
        weir_fastcgi_write_head(head, type, count);
        weir_bytes_append(queue, (weir_span_t){head, sizeof(head)});
        weir_bytes_append(queue, (weir_span_t){content.base, count});
        content = (weir_span_t){content.base + count, content.len - count};
    }
}

static void append_end(weir_bytes_t *queue, weir_fastcgi_type_t type)
{
    char head[WEIR_FASTCGI_HEAD_BYTES];

    weir_fastcgi_write_head(head, type, 0);
    weir_bytes_append(queue, (weir_span_t){head, sizeof(head)});
}

/* All before the body. */
static void append_head(relay_t *relay)
{
    weir_bytes_t *queue = &relay->back->out;
    char begin[WEIR_FASTCGI_BEGIN_BYTES], pair[LENGTH_PAIR_BYTES], digits[DIGITS];

    weir_fastcgi_write_begin(begin, relay->x->target.keepalive != WEIR_CLOSE);
    weir_bytes_append(queue, (weir_span_t){begin, sizeof(begin)});
    append_records(queue, WEIR_FASTCGI_PARAMS, relay->up.head);
    if (relay->up.framing.kind == WEIR_FRAMING_CHUNKED) {
        const weir_span_t length = weir_span_of_u64(weir_bytes_count(&back_fastcgi_of(relay)->held), digits);
        const char *end = weir_fastcgi_write_pair(pair, WEIR_SPAN("CONTENT_LENGTH"), length);
        append_records(queue, WEIR_FASTCGI_PARAMS, (weir_span_t){pair, (size_t)(end - pair)});
    }
    append_end(queue, WEIR_FASTCGI_PARAMS);
    relay->up.head = (weir_span_t){0};
    relay->up.head_left_bytes = weir_bytes_count(queue);
}

/* ---- writing ---- */

/* Writes what the kernel takes; the client is held back while there is more. */
static void flush(relay_t *relay)
{
    weir_back_t *back = relay->back;
    weir_sock_t *sock = &back_http1_of(back)->sock;
    size_t bytes = 0;
    const ssize_t left = weir_sock_write_queue(sock, &back->out, &bytes);

    if (bytes > 0)
        relay_count_sent(relay, bytes);
    if (left == WEIR_SOCK_BROKEN)
        back_fastcgi_break_up(relay);
    if (left == WEIR_SOCK_BLOCKED) {
        if (!relay->up.has_last)
            relay_pause_body(relay);
        weir_sock_await_writable(sock);
    }
    if (left == 0 && back_fastcgi_of(relay)->is_told && !relay->up.is_done) {
        relay->up.is_done = true;
        relay->x->journal.request_sent_at_us = weir_loop_now_us(relay->x->loop);
    }
    relay_arm(relay);
}

static void on_writable(weir_sock_t *sock)
{
    relay_t *relay = WEIR_AROUND(sock, back_http1_t, sock)->back.relay;

    if (relay == NULL || relay->is_over || relay->up.is_broken)
        return;
    flush(relay);
    if (!relay->is_over && !relay->up.is_broken && weir_bytes_count(&relay->back->out) == 0 && !relay->up.has_last)
        relay_resume_body(relay);
}

/* ---- the client's body ---- */

/* False if it is too long to be held. */
static bool hold(relay_t *relay, const weir_span_t *pieces, size_t count, size_t total)
{
    back_fastcgi_t *fastcgi = back_fastcgi_of(relay);

    if (total > BACK_FASTCGI_HOLD_BYTES - weir_bytes_count(&fastcgi->held)) {
        relay_fail(relay, &weir_fault_length_required);
        return false;
    }
    for (size_t i = 0; i < count; i++)
        weir_bytes_append(&fastcgi->held, pieces[i]);
    if (!relay->up.has_last)
        return true;
    append_head(relay);
    append_records(&relay->back->out, WEIR_FASTCGI_STDIN, weir_bytes_span(&fastcgi->held));
    weir_bytes_free(&fastcgi->held);
    return true;
}

/* An HTTP/2 client may say later that a body of known length has ended. */
static bool is_all_taken(const relay_t *relay)
{
    return relay->up.framing.kind == WEIR_FRAMING_LENGTH && relay->up.taken_bytes >= relay->up.framing.length_bytes;
}

static void on_data(weir_body_sink_t *sink, const weir_span_t *pieces, size_t count, bool is_last)
{
    relay_t *relay = relay_of(sink);
    size_t total = 0;

    for (size_t i = 0; i < count; i++)
        total += pieces[i].len;
    if (!relay_count_up(relay, total, is_last) || relay->up.is_broken || back_fastcgi_of(relay)->is_told)
        return;
    relay->up.has_last = is_last || is_all_taken(relay);
    if (relay->up.framing.kind == WEIR_FRAMING_CHUNKED) {
        if (!hold(relay, pieces, count, total))
            return;
    } else {
        for (size_t i = 0; i < count; i++)
            append_records(&relay->back->out, WEIR_FASTCGI_STDIN, pieces[i]);
    }
    if (relay->up.has_last) {
        append_end(&relay->back->out, WEIR_FASTCGI_STDIN);
        back_fastcgi_of(relay)->is_told = true;
    }
    flush(relay);
}

static void on_body_fault(weir_body_sink_t *sink, const weir_fault_t *fault)
{
    if (!relay_of(sink)->up.has_last)
        relay_on_body_fault(sink, fault);
}

void back_fastcgi_start(relay_t *relay, const weir_backend_head_t *head)
{
    back_http1_t *connection = back_http1_of(relay->back);

    connection->fastcgi = weir_arena_zalloc(&relay->x->arena, sizeof(*connection->fastcgi));
    connection->sock.on_readable = back_fastcgi_on_readable;
    connection->sock.on_writable = on_writable;
    weir_sock_watch(&connection->sock, true);
    relay->up.head = head->text;
    relay->up.sink = (weir_body_sink_t){.on_data = on_data, .on_fault = on_body_fault};
    if (relay->up.framing.kind != WEIR_FRAMING_CHUNKED)
        append_head(relay);
    else
        relay->up.head = weir_arena_copy(&relay->x->arena, head->text); /* until the body's length is known */
    if (relay->up.framing.kind == WEIR_FRAMING_NONE || relay->x->front == NULL) {
        on_data(&relay->up.sink, NULL, 0, true);
        return;
    }
    relay_open_body(relay); /* what has arrived leaves together with the head */
    if (!relay->is_over && !relay->up.is_broken)
        flush(relay);
}

void back_fastcgi_rest(relay_t *relay)
{
    weir_sock_watch(&back_http1_of(relay->back)->sock, false);
    weir_bytes_free(&back_fastcgi_of(relay)->held);
    back_fastcgi_tell_errors(relay);
}
