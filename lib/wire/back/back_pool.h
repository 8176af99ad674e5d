/* SPDX-License-Identifier: MIT */
#ifndef WEIR_WIRE_BACK_POOL_H
#define WEIR_WIRE_BACK_POOL_H
/**
 * @file  Idle backend connections, kept for reuse: one list an address, the one given last is taken first.
 *
 * OWNER    One pool per loop; made and destroyed with it.
 * THREAD   The loop's own. Nothing here may be called from another.
 * LIFETIME A taken connection belongs to its exchange until weir_back_pool_give() or back_http1_destroy().
 *
 * No PROXY header is ever sent to a backend, so no connection is tied to one client's identity: any request to the same
 * address, with the same TLS, may take it. Were headers sent one day, what they say would have to be part of a place's key.
 *
 * Idle connections are read: one that ends, or on which bytes arrive unasked, is closed at once.
 */
#include "lib/walk/exchange.h"

enum {
    WEIR_POOL_BUCKETS = 256,
    WEIR_POOL_IDLE_MAX = 4096, /* per loop; beyond it the one idle for longest is closed */
};

typedef struct back_http1 back_http1_t; /* back_http1.h */

typedef struct weir_back_pool {
    weir_loop_t *loop;
    weir_list_t buckets[WEIR_POOL_BUCKETS]; /* of places, one an address that has idle connections */
    weir_list_t oldest;                     /* every idle connection, the oldest first              */
    size_t idle_count;
} weir_back_pool_t;

/** In which of WEIR_POOL_BUCKETS buckets an address lies, here and in back_http2_pool.c. */
size_t weir_back_pool_bucket(const struct sockaddr *address, socklen_t len);

/** An empty one. Never NULL. */
weir_back_pool_t *weir_back_pool_create(weir_loop_t *loop);

/** Closes all of them, frees and nulls. */
void weir_back_pool_destroy(weir_back_pool_t **pool);

/** Takes an idle connection to `target` (an ADDRESS), or NULL if there is none. Never blocks, never dials. */
back_http1_t *weir_back_pool_take(weir_back_pool_t *pool, const weir_target_t *target);

/** Takes over `*giving`, which is at a message's end, and nulls it. It is closed after idle_ms. */
void weir_back_pool_give(weir_back_pool_t *pool, back_http1_t **giving, uint32_t idle_ms);

/** Forgets an idle connection that is about to be closed. */
void weir_back_pool_remove(back_http1_t *back);

#endif
