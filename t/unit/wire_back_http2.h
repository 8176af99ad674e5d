/* SPDX-License-Identifier: MIT */
#ifndef WIRE_BACK_HTTP2_H
#define WIRE_BACK_HTTP2_H
/**
 * @file  Those who want streams of HTTP/2 backends, and backends that are the other end of a socketpair and made of frames.
 *
 * Whatever is told to somebody is written into the diary: "a:turn b:stream c:backend_refused ".
 */
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/wire/back/back_http2_private.h"
#include "wire_loop.h"

enum { WAITERS = 12, SAID_BYTES = 4096, PREFACE_BYTES = 24, FRAME_HEAD_BYTES = 9, ANY_STREAMS = -1 };

/* Somebody who waits, and the backend at the other end of the connection that it has opened. */
typedef struct waiter {
    back_http2_wait_t wait;
    char name[2];
    weir_back_t *back; /* the stream that it has got */
    bool is_waiting;   /* has asked, and has not been told */
    void (*then)(struct waiter *waiter, const char *what);
    struct waiter *other; /* whom `then` is about */
    int peer;             /* -1: none */
    bool has_ended;       /* our side has closed the connection */
    size_t said_bytes;
    uint8_t said[SAID_BYTES];
} waiter_t;

static waiter_t waiters[WAITERS];
static waiter_t *const a = waiters, *const b = waiters + 1, *const c = waiters + 2, *const d = waiters + 3,
                       *const e = waiters + 4, *const f = waiters + 5;
static weir_plan_t plan;
static weir_target_t target;

/* ---- what they are told ---- */

static inline void tell(waiter_t *waiter, const char *what)
{
    write_diary(waiter->name);
    write_diary(":");
    write_diary(what);
    write_diary(" ");
    if (waiter->then != NULL)
        waiter->then(waiter, what);
}

static inline void on_stream(back_http2_wait_t *wait, weir_back_t *back)
{
    waiter_t *waiter = WEIR_AROUND(wait, waiter_t, wait);

    assert_true(waiter->is_waiting && waiter->back == NULL);
    assert_int_equal(wait->state, BACK_HTTP2_NOWHERE);
    waiter->is_waiting = false;
    waiter->back = back;
    tell(waiter, "stream");
}

static inline void on_turn(back_http2_wait_t *wait)
{
    waiter_t *waiter = WEIR_AROUND(wait, waiter_t, wait);

    assert_true(waiter->is_waiting);
    assert_int_equal(wait->state, BACK_HTTP2_DIALLING);
    tell(waiter, "turn");
}

static inline void on_fault(back_http2_wait_t *wait, const weir_fault_t *fault)
{
    waiter_t *waiter = WEIR_AROUND(wait, waiter_t, wait);

    assert_true(waiter->is_waiting);
    assert_int_equal(wait->state, BACK_HTTP2_NOWHERE);
    waiter->is_waiting = false;
    tell(waiter, fault->name);
}

/* ---- what they do ---- */

static inline void ask_for(waiter_t *waiter, back_http2_use_t use, const weir_target_t *whom)
{
    waiter->is_waiting = true;
    waiter->wait.on_stream = on_stream;
    waiter->wait.on_turn = on_turn;
    waiter->wait.on_fault = on_fault;
    back_http2_ask(loop, whom, use, &waiter->wait);
}

static inline void ask(waiter_t *waiter, back_http2_use_t use)
{
    ask_for(waiter, use, &target);
}

static inline void cancel(waiter_t *waiter)
{
    waiter->is_waiting = false;
    back_http2_cancel(&waiter->wait);
    assert_int_equal(waiter->wait.state, BACK_HTTP2_NOWHERE);
}

/* It had the turn, and could not connect. It is not told what it knows. */
static inline void fail_dial(waiter_t *waiter, const weir_fault_t *fault)
{
    waiter->is_waiting = false;
    back_http2_fail(&waiter->wait, fault);
    assert_int_equal(waiter->wait.state, BACK_HTTP2_NOWHERE);
}

static inline void turn(void)
{
    for (int i = 0; i < 5; i++)
        weir_loop_turn(loop, 0);
}

static inline void forget_peer(waiter_t *waiter)
{
    if (waiter->peer >= 0)
        close(waiter->peer);
    waiter->peer = -1;
    waiter->has_ended = false;
    waiter->said_bytes = 0;
}

/* It had the turn, and has connected. */
static inline void dial(waiter_t *waiter)
{
    weir_sock_t sock = {0};
    int fds[2];

    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds), 0);
    forget_peer(waiter);
    waiter->peer = fds[1];
    weir_sock_open(&sock, loop, fds[0], false);
    back_http2_open(&waiter->wait, &sock, &plan);
    assert_int_equal(waiter->wait.state, BACK_HTTP2_OPENING);
    turn();
}

static inline void let_go(waiter_t *waiter)
{
    weir_exchange_t x = {.plan = &plan};

    waiter->back->ops->release(waiter->back, &x);
    waiter->back = NULL;
    turn();
}

static inline back_http2_t *connection_of(const waiter_t *waiter)
{
    return WEIR_AROUND(waiter->back, back_http2_stream_t, back)->http2;
}

/* ---- what backends do ---- */

static inline void send_frame(waiter_t *waiter, uint8_t type, const void *payload, uint8_t length)
{
    uint8_t frame[FRAME_HEAD_BYTES + 16] = {0, 0, length, type};

    if (length > 0)
        memcpy(frame + FRAME_HEAD_BYTES, payload, length);
    (void)!write(waiter->peer, frame, (size_t)FRAME_HEAD_BYTES + length); /* our side may have closed it */
}

/* SETTINGS: so many streams at once, or as many as we like. */
static inline void allow(waiter_t *waiter, int streams)
{
    const uint8_t setting[] = {0, NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, 0, 0, 0, (uint8_t)streams};

    send_frame(waiter, NGHTTP2_SETTINGS, setting, streams == ANY_STREAMS ? 0 : sizeof(setting));
}

static inline void say_goaway(waiter_t *waiter)
{
    static const uint8_t nothing_counts[8];

    send_frame(waiter, NGHTTP2_GOAWAY, nothing_counts, sizeof(nothing_counts));
}

static inline void greet(waiter_t *waiter, int streams)
{
    allow(waiter, streams);
    turn();
}

/* From asking to a stream, or to whatever comes of it. */
static inline void open_connection(waiter_t *waiter, back_http2_use_t use, int streams)
{
    ask(waiter, use);
    dial(waiter);
    greet(waiter, streams);
}

static inline void listen_to(waiter_t *waiter)
{
    ssize_t count;

    while ((count = read(waiter->peer, waiter->said + waiter->said_bytes, SAID_BYTES - waiter->said_bytes)) > 0)
        waiter->said_bytes += (size_t)count;
    assert_true(waiter->said_bytes < SAID_BYTES);
    waiter->has_ended = waiter->has_ended || count == 0;
}

/* With everything read: else it were a reset. */
static inline void hang_up(waiter_t *waiter)
{
    listen_to(waiter);
    close(waiter->peer);
    waiter->peer = -1;
    turn();
}

static inline bool has_ended(waiter_t *waiter)
{
    listen_to(waiter);
    return waiter->has_ended;
}

static inline bool has_goaway(waiter_t *waiter)
{
    listen_to(waiter);
    for (size_t at = PREFACE_BYTES; at + FRAME_HEAD_BYTES <= waiter->said_bytes;) {
        const uint8_t *frame = waiter->said + at;
        if (frame[3] == NGHTTP2_GOAWAY)
            return true;
        at += FRAME_HEAD_BYTES + ((size_t)frame[0] << 16 | (size_t)frame[1] << 8 | frame[2]);
    }
    return false;
}

/* ---- a world ---- */

static inline int open_world(void **state)
{
    memset(waiters, 0, sizeof(waiters));
    for (size_t i = 0; i < WAITERS; i++) {
        waiters[i].name[0] = (char)('a' + (int)i);
        waiters[i].peer = -1;
    }
    plan.backend_ping_ms = plan.backend_idle_timeout_ms = 600000;
    target = (weir_target_t){.kind = WEIR_TARGET_ADDRESS, .protocol = WEIR_HTTP2, .address_len = sizeof(struct sockaddr_in)};
    target.address.v4.sin_family = AF_INET;
    signal(SIGPIPE, SIG_IGN);
    return open_loop(state);
}

/* Nobody is left, and nothing was said but what the test has looked at. */
static inline int close_world(void **state)
{
    char unseen[DIARY_BYTES];

    strcpy(unseen, diary);
    for (size_t i = 0; i < WAITERS; i++) {
        waiters[i].then = NULL;
        cancel(&waiters[i]);
    }
    for (size_t i = 0; i < WAITERS; i++) {
        if (waiters[i].back != NULL)
            let_go(&waiters[i]);
        forget_peer(&waiters[i]);
    }
    turn();
    int failed = close_loop(state);
    assert_string_equal(unseen, "");
    return failed;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_world, close_world)

#endif
