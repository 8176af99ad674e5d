/* SPDX-License-Identifier: MIT */
#ifndef WEIR_WIRE_BACK_HTTP1_H
#define WEIR_WIRE_BACK_HTTP1_H
/**
 * @file  One connection to a backend: dialled, used by one exchange at a time, idle in the pool between them.
 *
 *   dial ──connected──► exchange ──release──► pool ──take──► exchange …
 *    └──failed, cancelled──► destroyed ◄──ended, idle too long──┘
 */
#include "lib/walk/back.h"
#include "lib/wire/back_pool.h"
#include "lib/wire/back_tls.h"
#include "lib/wire/bytes.h"
#include "lib/wire/sock.h"

struct weir_relay;

/** An address, as a key of the pool. */
typedef struct weir_back_place weir_back_place_t;

/** What the relay asks of the protocol that the backend speaks. */
typedef struct weir_back_ops {
    /** Sends the head and opens the client's body. */
    void (*start)(struct weir_relay *relay, const weir_backend_head_t *head);
    /** Nothing more is read or written for this relay. */
    void (*rest)(struct weir_relay *relay);
    /** The client can take more. */
    void (*on_client_writable)(struct weir_relay *relay);
    /** The exchange lets go of it, with no relay under way: kept for others, or closed. */
    void (*release)(weir_back_t *back, weir_exchange_t *x);
} weir_back_ops_t;

/** What an exchange holds: a connection of HTTP/1, or a stream of HTTP/2 (back_http2.h), which has no socket of its own. */
struct weir_back {
    const weir_back_ops_t *ops;
    weir_sock_t sock;
    weir_back_tls_t tls; /* zeroed: plain */
    weir_loop_t *loop;
    weir_exchange_t *x;        /* NULL while idle */
    struct weir_relay *relay;  /* while one is under way */
    struct weir_relay *ending; /* it has failed, and on_end is on its way */
    weir_timer_t timer;        /* dialling: the deadline; idle: the end; else the relay's */
    weir_bytes_t in;           /* arrived and not yet passed on */
    weir_bytes_t out;          /* not yet taken by the kernel   */
    bool is_reused;            /* came from the pool            */
    bool has_answered;         /* a byte of a response has been read in this exchange */
    bool is_untouched;         /* the backend has not acted on the request, for certain (HTTP/2) */
    bool is_clean;             /* at a message's end: may be used again */
    /* the pool's */
    weir_list_t in_place, in_age;
    weir_back_place_t *place;
    socklen_t address_len;
    weir_address_t address;
};

/** Closes and frees it, nulls the pointer. Harmless on NULL. */
void weir_back_destroy(weir_back_t **back);

#endif
