/* SPDX-License-Identifier: MIT */
#ifndef WEIR_WIRE_BACK_HTTP2_H
#define WEIR_WIRE_BACK_HTTP2_H
/**
 * @file  HTTP/2 towards backends: connections that many exchanges share, each holding one stream as its weir_back_t.
 *
 *   ask ─┬─ a connection has a stream to spare ───────────────────────────────► on_stream
 *        ├─ nobody opens one: on_turn ─► the asker dials ─► open ─SETTINGS────► on_stream, and those in the queue
 *        │                                    └─ fail ────────────────────────► their on_fault
 *        └─ else: the queue ─ a stream ends, a connection is there ───────────► on_stream
 *
 * OWNER    One set of connections per loop; made and destroyed with it. A connection closes itself: idle for too long, told to go away, dead.
 * THREAD   The loop's own.
 *
 * As in back_pool.h no connection is tied to a client: any request to the same address, in the same protocol, may take a stream of it.
 * A connection counts as opened when the backend's SETTINGS have come: they say how many streams it allows, and whoever
 * does not send them speaks something else. So such a backend is a failed connect, and the router may name another one.
 */
#include "lib/wire/back/back_http1.h"

enum {
    WEIR_HTTP2_CONNECTIONS_MAX = 4,     /* per loop and address, for all who share; beyond it requests wait for a stream  */
    WEIR_HTTP2_STREAMS_MAX = 256,       /* per connection, whatever the backend allows                                    */
    WEIR_HTTP2_STREAM_BYTES = 262144,   /* window of a stream: most that a backend may send ahead of its client          */
    WEIR_HTTP2_WINDOW_BYTES = 16777216, /* window of a connection: no bound of its own, streams must not stop each other */
};

struct weir_http2;
struct weir_http2_pool;
struct weir_http2_place;

typedef enum weir_http2_use {
    WEIR_HTTP2_SHARED, /* any connection will do                          */
    WEIR_HTTP2_NEW,    /* a new one, which others may share afterwards    */
    WEIR_HTTP2_ALONE,  /* a new one, closed behind its only stream        */
} weir_http2_use_t;

typedef enum weir_http2_state {
    WEIR_HTTP2_NOWHERE,  /* zeroed: waits for nothing               */
    WEIR_HTTP2_QUEUED,   /* for a stream of somebody's connection   */
    WEIR_HTTP2_DIALLING, /* it has the turn to open a connection    */
    WEIR_HTTP2_GREETING, /* its connection is there, SETTINGS are not */
} weir_http2_state_t;

/** Who wants a stream; embedded, zeroed before its first use. Each callback may end it; at most one of on_stream and on_fault runs. */
typedef struct weir_http2_wait {
    weir_list_t link;
    weir_http2_state_t state;
    weir_http2_use_t use;
    bool had_turn; /* it has opened a connection, or tried to */
    struct weir_http2_place *place;
    struct weir_http2 *http2; /* while GREETING */
    /** Here is a stream. It is the caller's until its ops->release(). */
    void (*on_stream)(struct weir_http2_wait *wait, weir_back_t *back);
    /** Open a connection, then call weir_http2_open(), weir_http2_fail() or weir_http2_cancel(). */
    void (*on_turn)(struct weir_http2_wait *wait);
    /** There will be none. */
    void (*on_fault)(struct weir_http2_wait *wait, const weir_fault_t *fault);
} weir_http2_wait_t;

/** An empty one, with its loop. Never NULL. */
struct weir_http2_pool *weir_http2_pool_create(weir_loop_t *loop);

/** Closes all connections, frees and nulls. No stream may be in use. */
void weir_http2_pool_destroy(struct weir_http2_pool **pool);

/** Asks for a stream to `target` (an ADDRESS). One of the callbacks runs, on the spot or later. */
void weir_http2_ask(weir_loop_t *loop, const weir_target_t *target, weir_http2_use_t use, weir_http2_wait_t *wait);

/** `wait` had the turn and has connected: takes over `sock`, and begins. `plan` says how long it may be silent, and idle. */
void weir_http2_open(weir_http2_wait_t *wait, weir_sock_t *sock, const weir_plan_t *plan);

/** `wait` had the turn and could not connect; those who have no other connection to hope for fail with it. Harmless if it waits for nothing. */
void weir_http2_fail(weir_http2_wait_t *wait, const weir_fault_t *fault);

/** Gives up: no callback runs any more. Harmless if it waits for nothing. */
void weir_http2_cancel(weir_http2_wait_t *wait);

/** Whether it waits for a stream of connections that are all in use. */
bool weir_http2_is_queued(const weir_http2_wait_t *wait);

#endif
