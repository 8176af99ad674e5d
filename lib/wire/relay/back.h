/* SPDX-License-Identifier: MIT */
#ifndef WEIR_WIRE_BACK_H
#define WEIR_WIRE_BACK_H
/**
 * @file  The backend's side of one exchange, inside lib/wire: what the relay may ask of any protocol.
 *
 * OWNER    The exchange, until ops->release().
 * THREAD   The loop's.
 */
#include "lib/walk/back.h"
#include "lib/wire/loop/bytes.h"
#include "lib/wire/loop/loop.h"

struct relay;

/** What the relay asks of the protocol that the backend speaks. */
typedef struct weir_back_ops {
    /** Sends the head and opens the client's body. */
    void (*start)(struct relay *relay, const weir_backend_head_t *head);
    /** Nothing more is read or written for this relay. */
    void (*rest)(struct relay *relay);
    /** The client can take more. */
    void (*on_client_writable)(struct relay *relay);
    /** The exchange lets go of it, with no relay under way: kept for others, or closed. */
    void (*release)(weir_back_t *back, weir_exchange_t *x);
    /** Optional. Whether the backend opens WebSockets by extended CONNECT (RFC 8441). */
    bool (*opens_websockets)(const weir_back_t *back);
} weir_back_ops_t;

/** What an exchange holds: the first member of a connection of HTTP/1, or of a stream of HTTP/2. */
struct weir_back {
    const weir_back_ops_t *ops;
    weir_loop_t *loop;
    weir_exchange_t *x;   /* NULL while idle */
    struct relay *relay;  /* while one is under way */
    struct relay *ending; /* it has failed, and on_end is on its way */
    weir_timer_t timer;   /* dialling: the deadline; idle: the end; else the relay's */
    weir_bytes_t in;      /* arrived and not yet passed on */
    weir_bytes_t out;     /* not yet taken by the kernel   */
    size_t lent_bytes;    /* the same, of a stream that is handed over: what its other half has of them */
    bool is_reused;       /* came from the pool            */
    bool has_answered;    /* a byte of a response has been read in this exchange */
    bool is_untouched;    /* the backend has not acted on the request, for certain (HTTP/2) */
    bool is_clean;        /* at a message's end: may be used again */
};

#endif
