/* SPDX-License-Identifier: MIT */
#ifndef WEIR_WIRE_BACK_HTTP1_H
#define WEIR_WIRE_BACK_HTTP1_H
/**
 * @file  One connection to a backend: dialled, used by one exchange at a time, idle in the pool between them.
 *
 *   dial ──connected──► exchange ──release──► pool ──take──► exchange …
 *    └──failed, cancelled──► destroyed ◄──ended, idle too long──┘
 */
#include "lib/wire/back/back_pool.h"
#include "lib/wire/back/back_tls.h"
#include "lib/wire/relay/relay.h"
#include "lib/wire/sock/sock.h"

/** An address, as a key of the pool. */
typedef struct weir_back_place weir_back_place_t;

/** What is known of the request that a FastCGI connection is busy with; see back_fastcgi.h. */
typedef struct back_fastcgi back_fastcgi_t;

/** A connection that one exchange has at a time: of HTTP/1, or of FastCGI (back_fastcgi.h), dialled and pooled alike. */
typedef struct back_http1 {
    weir_back_t back; /* first */
    weir_protocol_t protocol;
    back_fastcgi_t *fastcgi; /* the relay's, in the exchange's arena; NULL with HTTP/1 */
    weir_sock_t sock;
    weir_back_tls_t tls;              /* zeroed: plain */
    weir_timer_t unheard_timer;       /* a new connection that the backend may not have accepted */
    uint32_t unheard_ms;              /* what it is set to */
    struct back_worker_http1 *worker; /* who has dialled us; NULL: we have dialled */
    bool is_wanting;                  /* others were asked for an idle one, in vain or not */
    /* the pool's */
    weir_list_t in_place, in_age;
    weir_back_place_t *place;
    socklen_t address_len;
    weir_address_t address;
} back_http1_t;

static inline back_http1_t *back_http1_of(weir_back_t *back)
{
    return (back_http1_t *)(void *)back;
}

/** One that is being made, by `fd`. */
back_http1_t *back_http1_create(weir_loop_t *loop, const weir_target_t *target, int fd);
/** If it says nothing for so long (0: for ever), others are asked for a connection that they keep idle. */
void back_http1_want_word(back_http1_t *back, uint32_t within_ms);
/** A connection that is there already, as if it had been dialled: `sock` is moved. */
back_http1_t *back_http1_adopt(weir_loop_t *loop, const weir_target_t *target, weir_sock_t *sock);

/** Closes and frees it, nulls the pointer. Harmless on NULL. */
void back_http1_destroy(back_http1_t **back);

/* ---- back_http1_up.c, back_http1_down.c ---- */

/** Sends the head and opens the body. */
void back_http1_start(relay_t *relay, const weir_backend_head_t *head);
/** There is something to be read from the backend. */
void back_http1_on_readable(weir_sock_t *sock);
/** What the client could not take goes on. */
void back_http1_on_client_writable(relay_t *relay);
/** Neither reads nor writes any more. */
void back_http1_rest(relay_t *relay);

#endif
