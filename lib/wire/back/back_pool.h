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
 * address, in the same protocol, with the same TLS, may take it. Were headers sent one day, what they say would have to be
 * part of a place's key.
 *
 * Idle connections are read: one that ends, or on which bytes arrive unasked, is closed at once.
 *
 * A backend with a process for each connection (prefork) is held by those that are idle here: who waits for it says so by
 * weir_back_pool_want(), and every pool of the process gives up what it can spare.
 */
#include "lib/walk/exchange.h"
#include "lib/wire/loop/loop.h"
#include "lib/wire/loop/spare.h"

enum {
    WEIR_POOL_BUCKETS = 256,
    WEIR_POOL_IDLE_MAX = 4096, /* per loop; beyond it the one idle for longest is closed */
    WEIR_POOL_PLACE_MAX = 512, /* per loop and address; the same                          */
    WEIR_POOL_WANTS = 16,      /* addresses that are wanted at a time; further ones are asked for again later */
    WEIR_POOL_WANT_MS = 1000,  /* for how long */
};

/** An address to which a connection is to be given up. */
typedef struct weir_back_want {
    socklen_t address_len;
    weir_address_t address;
    uint64_t until_us;
} weir_back_want_t;

typedef struct back_http1 back_http1_t; /* back_http1.h */

typedef struct weir_back_pool {
    weir_loop_t *loop;
    weir_list_t buckets[WEIR_POOL_BUCKETS]; /* of places, one an address that has idle connections */
    weir_list_t oldest;                     /* every idle connection, the oldest first              */
    size_t idle_count;
    weir_spare_t places; /* that nobody is idle at: mostly the only one there has been taken, and comes back */
    weir_back_want_t wants[WEIR_POOL_WANTS];
    size_t want_count;
    weir_timer_t want_timer;
    weir_list_t in_process; /* of all pools; under their lock */
    struct {                /* by other threads; under the same lock */
        weir_back_want_t wants[WEIR_POOL_WANTS];
        size_t count;
        weir_letter_t letter;
        bool is_posted;
    } asked;
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

/**
 * A connection to this address has waited for a while, and whoever should take it may be held by one that is idle. Each pool of
 * the process gives up one: the one that has been idle for longest or, within WEIR_POOL_WANT_MS, the next that is given back.
 * A hundred a second at most, so that backends which are merely slow keep most of theirs.
 */
void weir_back_pool_want(weir_back_pool_t *pool, const struct sockaddr *address, socklen_t len);

/** Closes the connection that has been idle for longest, with whomever; false: there is none. */
bool weir_back_pool_close_oldest(weir_back_pool_t *pool);

/** Forgets an idle connection that is about to be closed. */
void weir_back_pool_remove(back_http1_t *back);

#endif
