/* SPDX-License-Identifier: MIT */
/*
 * A connection of HTTP/2 with a backend: its bytes, its timers, its end.
 *
 *   opening ──SETTINGS──► ready ──GOAWAY, one too many, alone──► draining ──last stream gone──► leaving ──GOAWAY out──► freed
 *      └──── silent, wrong, ended ───┴──── dead, ended, wrong ────┴─────────────────────────────────────────────────────► freed
 */
#include <errno.h>
#include <stdlib.h>

#include "lib/base/must.h"
#include "lib/base/metrics.h"
#include "lib/wire/back/back_http2_private.h"
#include "lib/wire/back/back_worker.h"

enum {
    OUT_BYTES = 65536, /* most that is taken from libnghttp2 before the kernel has taken it */
    HEADER_LIST_BYTES = 1048576,
    HEAD_BYTES = 1 << 25, /* of a request, and as libnghttp2 estimates it; weir.max-head is what limits it */
};

static void on_timer(weir_timer_t *timer);
static void on_readable(weir_sock_t *sock);
static void on_writable(weir_sock_t *sock);
static void on_flush(weir_letter_t *letter);

/* ---- its beginning ---- */

static void make_session(back_http2_t *http2, const back_http2_manner_t *manner)
{
    const nghttp2_settings_entry settings[] = {
        {NGHTTP2_SETTINGS_ENABLE_PUSH, 0},
        {NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, 0}, /* of the backend's own: none */
        {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, manner->stream_window},
        {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, HEADER_LIST_BYTES},
    };
    nghttp2_session_callbacks *callbacks = back_http2_callbacks_create();
    nghttp2_option *option;

    WEIR_MUST(nghttp2_option_new(&option) == 0);
    nghttp2_option_set_no_auto_window_update(option, 1); /* a window opens when the client has taken the bytes */
    nghttp2_option_set_no_closed_streams(option, 1);
    nghttp2_option_set_max_send_header_block_length(option, HEAD_BYTES);
    int failed = nghttp2_session_client_new2(&http2->session, callbacks, http2, option);
    nghttp2_option_del(option);
    nghttp2_session_callbacks_del(callbacks);
    WEIR_MUST(failed == 0);
    WEIR_MUST(nghttp2_submit_settings(http2->session, NGHTTP2_FLAG_NONE, settings, sizeof(settings) / sizeof(*settings)) == 0);
    WEIR_MUST(nghttp2_session_set_local_window_size(http2->session, NGHTTP2_FLAG_NONE, 0, (int32_t)manner->connection_window) ==
              0);
}

back_http2_t *back_http2_create(weir_loop_t *loop, weir_sock_t *sock, const back_http2_manner_t *manner)
{
    back_http2_t *http2 = calloc(1, sizeof(*http2));

    WEIR_MUST(http2 != NULL);
    http2->loop = loop;
    http2->ping_ms = manner->ping_ms;
    http2->idle_ms = manner->idle_ms;
    http2->worker = manner->worker;
    http2->heard_at_us = weir_loop_now_us(loop);
    http2->flush.open = on_flush;
    weir_list_init(&http2->flush.link);
    weir_list_init(&http2->link);
    weir_list_init(&http2->in_pool);
    weir_list_init(&http2->streams);
    weir_list_init(&http2->emptied);
    weir_list_init(&http2->headed);
    weir_metrics_add(WEIR_CELL_backend_opened, 1);
    make_session(http2, manner);
    if (manner->before != NULL)
        weir_bytes_append(&http2->out, weir_bytes_span(manner->before));
    weir_sock_move(&http2->sock, sock);
    http2->sock.on_readable = on_readable;
    http2->sock.on_writable = on_writable;
    weir_sock_watch(&http2->sock, true);
    weir_timer_set(loop, &http2->timer, http2->ping_ms, on_timer);
    back_http2_post_flush(http2);
    return http2;
}

bool back_http2_has_room(const back_http2_t *http2)
{
    uint32_t most = nghttp2_session_get_remote_settings(http2->session, NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS);
    const uint32_t ours = http2->worker == NULL ? BACK_HTTP2_STREAMS_MAX : back_worker_capacity(http2->worker);

    return !http2->is_draining && !http2->is_leaving && http2->end_fault == NULL && http2->stream_count < most &&
           http2->stream_count < ours && nghttp2_session_check_request_allowed(http2->session) != 0;
}

/* ---- its end ---- */

/* As it looks from a stream: whether a response had begun. */
static const weir_fault_t *fault_for(const back_http2_stream_t *stream, const weir_fault_t *fault)
{
    bool is_truncated = fault == &weir_fault_backend_closed && stream->back.has_answered;

    return is_truncated ? &weir_fault_backend_truncated : fault;
}

static void drop_streams(back_http2_t *http2, const weir_fault_t *fault)
{
    while (!weir_list_is_empty(&http2->streams)) {
        back_http2_stream_t *stream = WEIR_AROUND(http2->streams.next, back_http2_stream_t, link);
        weir_list_remove(&stream->link);
        weir_list_remove(&stream->emptied);
        weir_list_remove(&stream->headed);
        stream->http2 = NULL;
        stream->is_closed = true;
        if (stream->is_released)
            back_http2_stream_destroy(stream);
        else
            back_http2_stream_lost(stream, fault_for(stream, fault));
    }
}

void back_http2_end(back_http2_t *http2, const weir_fault_t *fault)
{
    if (http2->is_inside) {
        http2->end_fault = http2->end_fault != NULL ? http2->end_fault : fault;
        return;
    }
    weir_metrics_add(WEIR_CELL_backend_closed, 1);
    weir_metrics_add(WEIR_CELL_idle_ended, http2->is_idle);
    weir_timer_cancel(&http2->timer);
    weir_list_remove(&http2->flush.link);
    weir_sock_close(&http2->sock);
    nghttp2_session_del(http2->session); /* tells nobody */
    drop_streams(http2, fault);
    back_http2_on_end(http2, fault);
    if (http2->worker != NULL)
        back_worker_end(http2->worker, fault);
    weir_bytes_free(&http2->out);
    weir_bytes_free(&http2->block.text);
    free(http2->block.at);
    free(http2);
}

void back_http2_leave(back_http2_t *http2)
{
    if (http2->is_leaving)
        return;
    back_http2_retire(http2);
    http2->is_leaving = true;
    WEIR_MUST(nghttp2_session_terminate_session(http2->session, NGHTTP2_NO_ERROR) == 0);
}

/* ---- timers ---- */

void back_http2_check_life(back_http2_t *http2, bool is_always)
{
    uint64_t silent_ms = (weir_loop_now_us(http2->loop) - http2->heard_at_us) / 1000;

    if (silent_ms >= http2->ping_ms && http2->is_pinging) {
        back_http2_end(http2, &weir_fault_backend_ping_timeout);
        return;
    }
    if (silent_ms >= http2->ping_ms || is_always) {
        http2->is_pinging = true;
        WEIR_MUST(nghttp2_submit_ping(http2->session, NGHTTP2_FLAG_NONE, NULL) == 0);
        back_http2_post_flush(http2);
    }
    weir_timer_set(http2->loop, &http2->timer, http2->ping_ms, on_timer);
}

static void on_timer(weir_timer_t *timer)
{
    back_http2_t *http2 = WEIR_AROUND(timer, back_http2_t, timer);

    if (!http2->is_ready) {
        back_http2_end(http2, &weir_fault_backend_connect_timeout);
    } else if (http2->is_leaving) { /* the backend does not even take our GOAWAY */
        back_http2_end(http2, NULL);
    } else if (http2->worker != NULL) {
        back_http2_check_life(http2, true);
    } else if (http2->stream_count > 0) {
        back_http2_check_life(http2, false);
    } else {
        back_http2_leave(http2);
        weir_timer_set(http2->loop, &http2->timer, http2->ping_ms, on_timer);
        back_http2_post_flush(http2);
    }
}

void back_http2_rearm(back_http2_t *http2)
{
    if (http2->worker != NULL)
        return;
    http2->heard_at_us = weir_loop_now_us(http2->loop); /* an idle backend owes nobody a word */
    http2->is_pinging = false;
    weir_timer_set(http2->loop, &http2->timer, http2->stream_count > 0 ? http2->ping_ms : http2->idle_ms, on_timer);
}

/* ---- writing ---- */

void back_http2_post_flush(back_http2_t *http2)
{
    if (http2->is_flush_posted)
        return;
    http2->is_flush_posted = true;
    weir_loop_post(http2->loop, &http2->flush);
}

/* Takes frames from libnghttp2, up to a bound. */
static void fill_out(back_http2_t *http2)
{
    http2->is_inside = true;
    while (weir_bytes_count(&http2->out) < OUT_BYTES) {
        const uint8_t *frame;
        ssize_t count = nghttp2_session_mem_send(http2->session, &frame);
        if (count < 0 && http2->end_fault == NULL)
            http2->end_fault = &weir_fault_backend_http2_error;
        if (count <= 0)
            break;
        weir_bytes_append(&http2->out, (weir_span_t){(const char *)frame, (size_t)count});
    }
    http2->is_inside = false;
}

/* False if the connection is broken. */
static bool write_out(back_http2_t *http2)
{
    for (;;) {
        fill_out(http2);
        if (weir_bytes_count(&http2->out) == 0)
            return true;
        ssize_t left = weir_sock_write_queue(&http2->sock, &http2->out, NULL);
        if (left == WEIR_SOCK_BROKEN)
            return false;
        if (left == WEIR_SOCK_BLOCKED) {
            weir_sock_await_writable(&http2->sock);
            return true;
        }
    }
}

/* Only now: a client that goes on sending makes us call libnghttp2. */
static void resume_clients(back_http2_t *http2)
{
    while (!weir_list_is_empty(&http2->emptied)) {
        back_http2_stream_t *stream = WEIR_AROUND(http2->emptied.next, back_http2_stream_t, emptied);
        weir_list_remove(&stream->emptied);
        back_http2_stream_resume(stream);
    }
}

/* The proxy drains: nobody will want it. Workers are told apart, as requests that have not found theirs yet may still come. */
static bool is_to_leave(const back_http2_t *http2)
{
    return http2->is_draining || (http2->loop->is_draining && http2->worker == NULL);
}

/* After anything that may have been the last thing on it. */
static void check_end(back_http2_t *http2)
{
    bool is_silent = weir_bytes_count(&http2->out) == 0 && nghttp2_session_want_write(http2->session) == 0;

    if (http2->end_fault != NULL)
        back_http2_end(http2, http2->end_fault);
    else if (is_silent && nghttp2_session_want_read(http2->session) == 0)
        back_http2_end(http2, http2->is_leaving    ? NULL
                              : http2->is_draining ? &weir_fault_backend_goaway
                              : http2->is_ready    ? &weir_fault_backend_http2_error
                                                   : &weir_fault_backend_not_http2);
    else if (http2->is_ready && http2->stream_count == 0 && is_to_leave(http2) && !http2->is_leaving) {
        back_http2_leave(http2);
        back_http2_rearm(http2);
        back_http2_post_flush(http2);
    }
}

static void flush(back_http2_t *http2)
{
    if (weir_bytes_count(&http2->out) > 0 && http2->sock.is_awaiting)
        return; /* on_writable goes on */
    if (!write_out(http2)) {
        /* What it has said before is read first: it may be why. */
        weir_bytes_free(&http2->out);
        return;
    }
    resume_clients(http2);
    check_end(http2);
}

void back_http2_say_goodbye(back_http2_t *http2)
{
    back_http2_leave(http2);
    fill_out(http2);
    (void)weir_sock_write_queue(&http2->sock, &http2->out, NULL);
}

static void on_flush(weir_letter_t *letter)
{
    back_http2_t *http2 = WEIR_AROUND(letter, back_http2_t, flush);

    http2->is_flush_posted = false;
    if (http2->worker != NULL)
        back_worker_on_change(http2->worker);
    if (http2->is_ready)
        back_http2_on_room(http2);
    flush(http2);
}

static void on_writable(weir_sock_t *sock)
{
    flush(WEIR_AROUND(sock, back_http2_t, sock));
}

/* ---- reading ---- */

/* A head that has no body yet goes out by itself. */
static void send_heads(back_http2_t *http2)
{
    while (!weir_list_is_empty(&http2->headed)) {
        back_http2_stream_t *stream = WEIR_AROUND(http2->headed.next, back_http2_stream_t, headed);
        weir_list_remove(&stream->headed);
        back_http2_stream_head(stream);
    }
}

static void reset(back_http2_t *http2, uint32_t stream, uint32_t error_code)
{
    (void)nghttp2_submit_rst_stream(http2->session, NGHTTP2_FLAG_NONE, (int32_t)stream, error_code);
}

/* What libnghttp2 passes over in silence (RFC 9113 §5.1, §6.3). What the connection ends with, or NO_ERROR. */
static uint32_t judge(back_http2_t *http2, const weir_http2_frame_t *frame)
{
    switch (weir_http2_frames_judge(&http2->frames, frame)) {
    case WEIR_HTTP2_FINE:
        break;
    case WEIR_HTTP2_AFTER_RESET:
        reset(http2, frame->stream, NGHTTP2_STREAM_CLOSED);
        break;
    case WEIR_HTTP2_OWN_PRIORITY:
        reset(http2, frame->stream, NGHTTP2_PROTOCOL_ERROR);
        break;
    case WEIR_HTTP2_AFTER_END:
        return NGHTTP2_STREAM_CLOSED;
    case WEIR_HTTP2_BAD_NUMBER:
    case WEIR_HTTP2_BAD_PRIORITY:
        return NGHTTP2_PROTOCOL_ERROR;
    }
    return NGHTTP2_NO_ERROR;
}

/* *bytes end before the first frame that ends the connection: responses that were complete by then are worth having. */
static uint32_t scan(back_http2_t *http2, weir_span_t *bytes)
{
    weir_span_t rest = *bytes;
    weir_http2_frame_t frame;

    while (weir_http2_frames_next(&http2->frames, &rest, &frame)) {
        uint32_t error_code = judge(http2, &frame);
        size_t seen = bytes->len - rest.len;
        if (error_code == NGHTTP2_NO_ERROR)
            continue;
        bytes->len = seen > frame.read_bytes ? seen - frame.read_bytes : 0;
        return error_code;
    }
    return NGHTTP2_NO_ERROR;
}

static void end_with(back_http2_t *http2, uint32_t error_code)
{
    if (http2->end_fault == NULL)
        http2->end_fault = http2->is_ready ? &weir_fault_backend_http2_error : &weir_fault_backend_not_http2;
    if (error_code != NGHTTP2_NO_ERROR)
        (void)nghttp2_session_terminate_session(http2->session, error_code);
}

void back_http2_receive(back_http2_t *http2, weir_span_t bytes)
{
    bool was_ready = http2->is_ready;

    http2->heard_at_us = weir_loop_now_us(http2->loop);
    http2->is_pinging = false;
    uint32_t error_code = scan(http2, &bytes);
    http2->is_inside = true;
    ssize_t count = nghttp2_session_mem_recv(http2->session, (const uint8_t *)bytes.base, bytes.len);
    http2->is_inside = false;
    if (count < 0 || error_code != NGHTTP2_NO_ERROR)
        end_with(http2, error_code);
    send_heads(http2);
    back_http2_post_flush(http2);
    if (http2->is_ready && !was_ready) {
        back_http2_rearm(http2);
        back_http2_on_ready(http2);
    }
}

static const weir_fault_t *fault_at_end(const weir_sock_t *sock, ssize_t count)
{
    if (weir_sock_tls_is_flooded(sock))
        return &weir_fault_backend_tls_flood;
    return count == WEIR_SOCK_BROKEN ? &weir_fault_backend_reset : &weir_fault_backend_closed;
}

static void on_readable(weir_sock_t *sock)
{
    back_http2_t *http2 = WEIR_AROUND(sock, back_http2_t, sock);
    ssize_t count = weir_sock_read(sock, http2->loop->scratch, WEIR_BLOCK_BYTES);

    if (count == WEIR_SOCK_BLOCKED)
        return;
    if (count <= 0) {
        back_http2_end(http2, http2->end_fault != NULL ? http2->end_fault : fault_at_end(sock, count));
        return;
    }
    back_http2_receive(http2, (weir_span_t){http2->loop->scratch, (size_t)count});
}
