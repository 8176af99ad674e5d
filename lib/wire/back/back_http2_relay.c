/* SPDX-License-Identifier: MIT */
/*
 * One stream between a client and an HTTP/2 backend: the relay of relay.h, with frames in place of bytes.
 *
 *   client ──body──► back->out ──asked for by libnghttp2, as the backend's window and the kernel allow──► DATA, trailers
 *   client ◄─reply── back->in  ◄──────────────────────────────────────────────────────── HEADERS, DATA, trailers
 *
 * Back pressure: a client is paused while more than PAUSE_BYTES of it wait in back->out; the backend's window for the stream
 * opens again only when the client's side has taken the bytes.
 */
#include <stdlib.h>

#include "lib/base/must.h"
#include "lib/base/metrics.h"
#include "lib/base/span.h"
#include "lib/wire/back/back_http2_handed.h"
#include "lib/wire/back/back_http2_private.h"
#include "lib/wire/back/back_worker.h"

enum { PAUSE_BYTES = 32768, MOST_TRAILERS = 100 };

static void start(relay_t *relay, const weir_backend_head_t *head);
static void rest(relay_t *relay);
static void on_client_writable(relay_t *relay);
static void release(weir_back_t *back, weir_exchange_t *x);
static bool opens_websockets(const weir_back_t *back);

const weir_back_ops_t back_http2_ops = {
    .start = start,
    .rest = rest,
    .on_client_writable = on_client_writable,
    .release = release,
    .opens_websockets = opens_websockets,
};

static back_http2_stream_t *stream_of(weir_back_t *back)
{
    return WEIR_AROUND(back, back_http2_stream_t, back);
}

static relay_t *relay_of(weir_body_sink_t *sink)
{
    return WEIR_AROUND(sink, relay_t, up.sink);
}

relay_t *back_http2_relay_of(const back_http2_stream_t *stream)
{
    return stream->back.relay;
}

static bool opens_websockets(const weir_back_t *back)
{
    const back_http2_stream_t *stream = (const back_http2_stream_t *)(const void *)back; /* its first member */

    if (back_http2_is_twin(stream))
        return back_http2_twin_opens_websockets(stream);
    return stream->http2 != NULL &&
           nghttp2_session_get_remote_settings(stream->http2->session, NGHTTP2_SETTINGS_ENABLE_CONNECT_PROTOCOL) == 1;
}

/* ---- life ---- */

weir_back_t *back_http2_stream_create(back_http2_t *http2)
{
    back_http2_stream_t *stream = calloc(1, sizeof(*stream));

    WEIR_MUST(stream != NULL);
    stream->back.ops = &back_http2_ops;
    stream->back.loop = http2->loop;
    stream->back.is_reused = http2->is_used || http2->worker != NULL; /* which was there before the request */
    stream->http2 = http2;
    weir_list_init(&stream->emptied);
    weir_list_init(&stream->headed);
    weir_list_append(&http2->streams, &stream->link);
    http2->is_used = true;
    weir_metrics_add(WEIR_CELL_idle_ended, http2->is_idle);
    http2->is_idle = false;
    if (http2->stream_count++ == 0)
        back_http2_rearm(http2);
    if (http2->worker != NULL)
        back_worker_count(http2->worker, http2->stream_count);
    return &stream->back;
}

void back_http2_stream_destroy(back_http2_stream_t *stream)
{
    back_http2_t *http2 = stream->http2;

    if (stream->is_agent)
        back_http2_agent_end(stream);
    weir_bytes_free(&stream->back.in);
    weir_bytes_free(&stream->back.out);
    if (http2 != NULL) {
        weir_list_remove(&stream->link);
        weir_list_remove(&stream->emptied);
        weir_list_remove(&stream->headed);
        if (--http2->stream_count == 0) {
            http2->is_idle = true;
            weir_metrics_add(WEIR_CELL_idle_begun, 1);
            back_http2_rearm(http2);
        }
        if (http2->worker != NULL)
            back_worker_count(http2->worker, http2->stream_count);
        back_http2_post_flush(http2); /* there is room for another one, or nothing left to do */
    }
    free(stream);
}

static void release(weir_back_t *back, weir_exchange_t *x)
{
    back_http2_stream_t *stream = stream_of(back);

    if (back_http2_is_twin(stream)) {
        back_http2_twin_release(stream);
        return;
    }
    if (stream->http2 != NULL)
        stream->http2->idle_ms = x->plan->backend_idle_timeout_ms;
    stream->is_released = true;
    if (stream->id == 0 || stream->is_closed)
        back_http2_stream_destroy(stream);
}

/* The backend, or libnghttp2, or the connection has ended it. */
void back_http2_stream_lost(back_http2_stream_t *stream, const weir_fault_t *fault)
{
    relay_t *relay = stream->back.relay;

    if (stream->is_agent) {
        back_http2_agent_lost(stream, fault);
        return;
    }
    if (relay == NULL) {
        stream->why = fault; /* it may not have begun: then start() tells */
        return;
    }
    if (relay->down.state == RELAY_TUNNEL) { /* both directions have ended, as with a socket */
        weir_bytes_free(&stream->back.out);
        relay->up.is_done = relay->up.is_broken = relay->down.has_ended = true;
        relay_check_tunnel(relay);
        return;
    }
    if (relay->down.state == RELAY_DONE || relay->down.has_ended) {
        relay->up.is_broken = true; /* an early answer: the rest of the client's body is not wanted */
        if (!relay->up.is_done)
            relay_close_body(relay);
        return;
    }
    relay_fail(relay, fault);
}

bool back_http2_stream_reset(back_http2_stream_t *stream)
{
    if (stream->http2 == NULL || stream->id == 0 || stream->is_closed || stream->is_resetting)
        return true;
    stream->is_unreset = stream->http2->worker != NULL && !back_worker_may_reset(stream->http2->worker);
    if (stream->is_unreset)
        return false;
    stream->is_resetting = true;
    (void)nghttp2_submit_rst_stream(stream->http2->session, NGHTTP2_FLAG_NONE, stream->id, NGHTTP2_CANCEL);
    back_http2_post_flush(stream->http2);
    return true;
}

/* Whether there is still somebody who takes what the client says. */
static bool is_carried(const back_http2_stream_t *stream)
{
    return stream->http2 != NULL || (back_http2_is_twin(stream) && !stream->is_closed);
}

/* Of the client's body, what the connection has not taken. */
static size_t unsent_bytes(const back_http2_stream_t *stream)
{
    return weir_bytes_count(&stream->back.out) + stream->back.lent_bytes;
}

/* What has been handed to libnghttp2 may still wait for the backend's window. */
static bool is_said(const back_http2_stream_t *stream)
{
    if (stream->is_closed || !is_carried(stream))
        return true;
    if (back_http2_is_twin(stream))
        return back_http2_twin_is_said(stream);
    return nghttp2_session_get_stream_local_close(stream->http2->session, stream->id) != 0;
}

static void rest(relay_t *relay)
{
    back_http2_stream_t *stream = stream_of(relay->back);

    weir_list_remove(&stream->emptied);
    weir_list_remove(&stream->headed);
    weir_bytes_free(&stream->back.in);
    bool has_all = relay->up.is_done && (!stream->is_connect || relay->up.has_last);
    bool is_whole = relay->down.has_ended && has_all && unsent_bytes(stream) == 0;
    if (is_whole && is_said(stream))
        return;
    if (back_http2_is_twin(stream))
        back_http2_twin_reset(stream);
    else
        (void)back_http2_stream_reset(stream);
}

/* ---- towards the backend ---- */

/* All of the request is libnghttp2's, or about to be. */
static void check_up(relay_t *relay)
{
    if (!relay->up.has_last || relay->up.is_done || unsent_bytes(stream_of(relay->back)) > 0)
        return;
    relay->up.is_done = true;
    relay->x->journal.request_sent_at_us = weir_loop_now_us(relay->x->loop);
    relay_check_tunnel(relay);
}

/* Some of the body goes on its way. */
static void push(relay_t *relay, back_http2_stream_t *stream, bool is_last)
{
    if (back_http2_is_twin(stream)) {
        const weir_headers_t trailers = is_last ? relay_trailers(relay) : (weir_headers_t){0};
        back_http2_twin_push(stream, is_last, &trailers);
        return;
    }
    if (stream->id != 0)
        (void)nghttp2_session_resume_data(stream->http2->session, stream->id);
    back_http2_post_flush(stream->http2);
}

static void on_body(weir_body_sink_t *sink, const weir_span_t *pieces, size_t count, bool is_last)
{
    relay_t *relay = relay_of(sink);
    back_http2_stream_t *stream = stream_of(relay->back);
    size_t total = 0;

    for (size_t i = 0; i < count; i++)
        total += pieces[i].len;
    if (!relay_count_up(relay, total, is_last) || relay->up.is_broken || !is_carried(stream))
        return;
    for (size_t i = 0; i < count; i++)
        weir_bytes_append(&stream->back.out, pieces[i]);
    check_up(relay);
    relay_arm(relay);
    push(relay, stream, is_last);
    if (!is_last && unsent_bytes(stream) > PAUSE_BYTES)
        relay_pause_body(relay);
}

void back_http2_stream_resume(back_http2_stream_t *stream)
{
    relay_t *relay = stream->back.relay;

    if (relay != NULL && !relay->up.has_last)
        relay_resume_body(relay);
}

void back_http2_stream_sent_more(back_http2_stream_t *stream)
{
    relay_t *relay = stream->back.relay;

    check_up(relay);
    relay_arm(relay);
    if (unsent_bytes(stream) == 0)
        back_http2_stream_resume(stream);
}

/* Names are lower-case in HTTP/2. */
static nghttp2_nv nv_of(weir_arena_t *arena, const weir_header_t *field)
{
    char *name = weir_arena_alloc(arena, field->name.len);

    weir_lower_bytes(name, field->name.base, field->name.len);
    return (nghttp2_nv){(uint8_t *)name, (uint8_t *)(uintptr_t)field->value.base, field->name.len, field->value.len,
                        NGHTTP2_NV_FLAG_NONE};
}

/* Whether trailers end the stream. */
static bool submit_trailers(back_http2_stream_t *stream, relay_t *relay)
{
    weir_headers_t trailers = relay_trailers(relay);
    nghttp2_nv fields[MOST_TRAILERS];
    size_t count = 0;

    for (; count < trailers.count && count < MOST_TRAILERS; count++)
        fields[count] = nv_of(&relay->x->arena, &trailers.at[count]);
    return count > 0 && nghttp2_submit_trailer(stream->http2->session, stream->id, fields, count) == 0;
}

ssize_t back_http2_stream_read(nghttp2_session *session, int32_t id, uint8_t *buffer, size_t length, uint32_t *flags,
                               nghttp2_data_source *source, void *arg)
{
    back_http2_stream_t *stream = source->ptr;
    relay_t *relay = stream->back.relay;
    weir_span_t waiting = weir_bytes_span(&stream->back.out);
    size_t taken = waiting.len < length ? waiting.len : length;

    if (stream->is_agent)
        return back_http2_agent_read(stream, buffer, length, flags);
    if (relay == NULL && (stream->is_resetting || stream->is_unreset))
        return NGHTTP2_ERR_DEFERRED; /* half a body must not look whole */
    if (relay == NULL) {
        *flags = NGHTTP2_DATA_FLAG_EOF;
        return 0;
    }
    if (taken > 0 && waiting.base != NULL) {
        memcpy(buffer, waiting.base, taken);
        weir_bytes_consume(&stream->back.out, taken);
    }
    check_up(relay);
    relay_arm(relay);
    bool is_empty = weir_bytes_count(&stream->back.out) == 0;
    if (is_empty && relay->up.has_last) {
        *flags = NGHTTP2_DATA_FLAG_EOF | (submit_trailers(stream, relay) ? NGHTTP2_DATA_FLAG_NO_END_STREAM : 0);
        return (ssize_t)taken;
    }
    if (is_empty && weir_list_is_empty(&stream->emptied))
        weir_list_append(&stream->http2->emptied, &stream->emptied);
    return taken > 0 ? (ssize_t)taken : NGHTTP2_ERR_DEFERRED;
}

/*
 * RFC 7541 §7.1.3: many clients share the connection, and with it HPACK's table. What names one of them does not go in there,
 * where the others' requests could be compared with it by their size.
 */
bool back_http2_is_secret(weir_span_t name)
{
    return weir_span_equal(name, WEIR_SPAN("authorization")) || weir_span_equal(name, WEIR_SPAN("cookie"));
}

static int32_t submit(back_http2_stream_t *stream, const weir_headers_t *fields, bool has_body)
{
    const nghttp2_data_provider body = {{.ptr = stream}, back_http2_stream_read};
    weir_arena_t *arena = &stream->back.relay->x->arena;
    nghttp2_nv *nv = weir_arena_alloc(arena, fields->count * sizeof(*nv));

    for (size_t i = 0; i < fields->count; i++) {
        const weir_header_t *field = &fields->at[i];
        uint8_t flags = back_http2_is_secret(field->name) ? NGHTTP2_NV_FLAG_NO_INDEX : NGHTTP2_NV_FLAG_NONE;
        nv[i] = (nghttp2_nv){(uint8_t *)(uintptr_t)field->name.base, (uint8_t *)(uintptr_t)field->value.base, field->name.len,
                             field->value.len, flags};
    }
    return nghttp2_submit_request(stream->http2->session, NULL, nv, fields->count, has_body ? &body : NULL, stream);
}

/* False: the connection has ended meanwhile, or its numbers are used up. */
static bool begin(back_http2_stream_t *stream, const weir_headers_t *fields, bool has_body)
{
    if (back_http2_is_twin(stream)) {
        back_http2_twin_start(stream, fields, stream->is_connect, has_body);
        return true;
    }
    const int32_t id = stream->http2 == NULL ? -1 : submit(stream, fields, has_body || stream->is_connect);
    if (id <= 0)
        return false;
    stream->id = id;
    back_http2_post_flush(stream->http2);
    return true;
}

static void start(relay_t *relay, const weir_backend_head_t *head)
{
    back_http2_stream_t *stream = stream_of(relay->back);
    bool has_body = relay->up.framing.kind != WEIR_FRAMING_NONE && relay->x->front != NULL;

    relay->up.sink = (weir_body_sink_t){.on_data = on_body, .on_fault = relay_on_body_fault};
    stream->is_connect = head->is_connect;
    if (!begin(stream, &head->fields, has_body)) {
        if (stream->http2 != NULL)
            back_http2_retire(stream->http2);
        stream->back.is_untouched = true;
        relay_fail(relay, stream->why != NULL ? stream->why : &weir_fault_backend_goaway);
        return;
    }
    if (stream->is_connect)
        relay->up.is_done = true; /* until the tunnel is there */
    else if (has_body)
        relay_open_body(relay);
    else
        relay->up.has_last = true;
    check_up(relay);
    relay_arm(relay);
}

/* ---- towards the client ---- */

/* The client's side has taken so many bytes: the backend may send as many more. */
static void credit(back_http2_stream_t *stream, size_t bytes)
{
    if (bytes == 0 || stream->is_closed)
        return;
    if (back_http2_is_twin(stream))
        back_http2_twin_credit(stream, bytes);
    if (stream->http2 == NULL)
        return;
    (void)nghttp2_session_consume_stream(stream->http2->session, stream->id, bytes);
    back_http2_post_flush(stream->http2);
}

/* Hands `bytes` on, and the end behind them if it has come. */
static void pass(back_http2_stream_t *stream, weir_span_t bytes)
{
    relay_t *relay = stream->back.relay;
    weir_front_t *front = relay->x->front;
    bool is_last = relay->down.has_ended && relay->down.state != RELAY_TUNNEL;

    if (front == NULL)
        return;
    h2o_iovec_t piece = h2o_iovec_init(bytes.base, bytes.len);
    if (is_last)
        relay->down.state = RELAY_DONE;
    bool may_go_on = weir_front_send(front, &piece, bytes.len > 0 ? 1 : 0, is_last);
    relay->down.is_client_blocked = !may_go_on && !is_last;
    if (may_go_on || is_last)
        credit(stream, bytes.len);
    else
        stream->uncredited_bytes += bytes.len;
}

/* What has been read ahead, and the end behind it. */
static void pass_waiting(back_http2_stream_t *stream)
{
    relay_t *relay = stream->back.relay;
    weir_bytes_t waiting = stream->back.in;
    bool is_tunnel = relay->down.state == RELAY_TUNNEL;

    stream->back.in = (weir_bytes_t){0};
    if (!is_tunnel || weir_bytes_count(&waiting) > 0)
        pass(stream, weir_bytes_span(&waiting));
    weir_bytes_free(&waiting);
    if (!is_tunnel || !relay->down.has_ended || relay->x->front == NULL)
        return;
    relay_half_close(relay);
    relay_check_tunnel(relay);
}

static bool is_passing(const relay_t *relay)
{
    return relay->down.state == RELAY_BODY || relay->down.state == RELAY_TUNNEL;
}

void back_http2_stream_head(back_http2_stream_t *stream)
{
    relay_t *relay = stream->back.relay;
    weir_front_t *front = relay->x->front;

    if (relay->down.state == RELAY_BODY && front != NULL && !front->is_started)
        relay->down.is_client_blocked = !weir_front_send(front, NULL, 0, false);
}

void back_http2_stream_data(back_http2_stream_t *stream, weir_span_t bytes)
{
    relay_t *relay = stream->back.relay;

    if (stream->is_agent) {
        back_http2_agent_data(stream, bytes);
        return;
    }
    bool may_pass = is_passing(relay) && !relay->down.is_client_blocked;

    if (relay->down.state == RELAY_DONE) {
        credit(stream, bytes.len);
        return;
    }
    if (may_pass && weir_bytes_count(&stream->back.in) == 0)
        pass(stream, bytes);
    else
        weir_bytes_append(&stream->back.in, bytes);
    relay_arm(relay);
}

void back_http2_stream_finish(back_http2_stream_t *stream)
{
    relay_t *relay = stream->back.relay;

    if (stream->is_agent) {
        back_http2_agent_finish(stream);
        return;
    }
    if (relay == NULL || relay->is_over)
        return;
    relay->down.has_ended = true;
    if (relay->down.state == RELAY_COLLECT)
        relay->down.state = RELAY_BODY;
    if (is_passing(relay) && !relay->down.is_client_blocked)
        pass_waiting(stream);
    relay_arm(relay);
}

static void on_client_writable(relay_t *relay)
{
    back_http2_stream_t *stream = stream_of(relay->back);
    size_t bytes = stream->uncredited_bytes;

    stream->uncredited_bytes = 0;
    credit(stream, bytes);
    if (is_passing(relay) && (weir_bytes_count(&stream->back.in) > 0 || relay->down.has_ended))
        pass_waiting(stream);
    relay_arm(relay);
}
