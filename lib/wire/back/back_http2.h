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
 * OWNER    One set of connections per loop; made and destroyed with it. A connection closes itself: idle for too long, told to
 *          go away, dead.
 * THREAD   The loop's own.
 *
 * As in back_pool.h no connection is tied to a client: any request to the same address, in the same protocol, may take a stream
 * of it. A connection counts as opened when the backend's SETTINGS have come: they say how many streams it allows, and whoever
 * does not send them speaks something else. So such a backend is a failed connect, and the router may name another one.
 */
#include "lib/wire/back/back_http1.h"

enum {
    BACK_HTTP2_CONNECTIONS_MAX = 4,     /* per loop and address, for all who share; beyond it requests wait for a stream  */
    BACK_HTTP2_STREAMS_MAX = 256,       /* per connection, whatever the backend allows                                    */
    BACK_HTTP2_STREAM_BYTES = 262144,   /* window of a stream: most that a backend may send ahead of its client          */
    BACK_HTTP2_WINDOW_BYTES = 16777216, /* window of a connection: no bound of its own, streams must not stop each other */
};

struct weir_http2;
struct back_http2_pool;
struct back_http2_place;

typedef enum back_http2_use {
    BACK_HTTP2_SHARED, /* any connection will do; of a worker always      */
    BACK_HTTP2_NEW,    /* a new one, which others may share afterwards    */
    BACK_HTTP2_ALONE,  /* a new one, closed behind its only stream        */
} back_http2_use_t;

typedef enum back_http2_state {
    BACK_HTTP2_NOWHERE,  /* zeroed: waits for nothing               */
    BACK_HTTP2_QUEUED,   /* for a stream of somebody's connection   */
    BACK_HTTP2_DIALLING, /* it has the turn to open a connection    */
    BACK_HTTP2_OPENING,  /* its connection is there, SETTINGS are not */
} back_http2_state_t;

/**
 * Who wants a stream; embedded, zeroed before its first use. Each callback may end it; at most one of on_stream and on_fault
 * runs.
 */
typedef struct back_http2_wait {
    weir_list_t link;
    back_http2_state_t state;
    back_http2_use_t use;
    bool had_turn;  /* it has opened a connection, or tried to */
    bool is_handed; /* another loop's, for a worker's connection that is here: it is not sent on */
    struct back_http2_place *place;
    struct weir_http2 *http2; /* while GREETING */
    /** Here is a stream. It is the caller's until its ops->release(). */
    void (*on_stream)(struct back_http2_wait *wait, weir_back_t *back);
    /** Open a connection, then call back_http2_open(), back_http2_fail() or back_http2_cancel(). */
    void (*on_turn)(struct back_http2_wait *wait);
    /** There will be none. */
    void (*on_fault)(struct back_http2_wait *wait, const weir_fault_t *fault);
} back_http2_wait_t;

/** An empty one, with its loop. Never NULL. */
struct back_http2_pool *back_http2_pool_create(weir_loop_t *loop);

/** Closes all connections, frees and nulls. No stream may be in use. */
void back_http2_pool_destroy(struct back_http2_pool **pool);

/** Asks for a stream to `target` (an ADDRESS). One of the callbacks runs, on the spot or later. */
void back_http2_ask(weir_loop_t *loop, const weir_target_t *target, back_http2_use_t use, back_http2_wait_t *wait);

/** `wait` had the turn and has connected: takes over `sock`, and begins. `plan` says how long it may be silent, and idle. */
void back_http2_open(back_http2_wait_t *wait, weir_sock_t *sock, const weir_plan_t *plan);

/**
 * `wait` had the turn and could not connect; those who have no other connection to hope for fail with it. Harmless if it waits
 * for nothing.
 */
void back_http2_fail(back_http2_wait_t *wait, const weir_fault_t *fault);

/** Gives up: no callback runs any more. Harmless if it waits for nothing. */
void back_http2_cancel(back_http2_wait_t *wait);

/** Whether it waits for a stream of connections that are all in use. */
bool back_http2_is_queued(const back_http2_wait_t *wait);

#endif
