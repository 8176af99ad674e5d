/* SPDX-License-Identifier: MIT */
#ifndef WEIR_WIRE_RESOLVER_H
#define WEIR_WIRE_RESOLVER_H
/**
 * @file  Names of backends, resolved in the background by libh2o's threads and remembered per loop.
 *
 * A name that is known is answered on the spot, also while it is being refreshed; only the first request for a name waits.
 * Addresses of one name are handed out in turn.
 *
 * OWNER    One per loop.
 * THREAD   The loop's.
 */
#include "lib/walk/exchange.h"

enum {
    WEIR_RESOLVER_FRESH_MS = 30000,   /* after which a known name is asked for again, in the background */
    WEIR_RESOLVER_FAILED_MS = 2000,   /* for how long a name that could not be resolved is not asked for again */
    WEIR_RESOLVER_NAMES_MAX = 1024,   /* per loop; beyond it the name used least recently is forgotten */
    WEIR_RESOLVER_ADDRESSES_MAX = 16, /* per name; further ones are left out */
};

struct weir_resolver;

/** Someone who waits for a name; embedded, zeroed before its first use. */
typedef struct weir_resolver_wait {
    weir_list_t link;
    /** Runs once, from the loop, unless cancelled: ask again. */
    void (*on_known)(struct weir_resolver_wait *wait);
} weir_resolver_wait_t;

struct weir_resolver *weir_resolver_create(weir_loop_t *loop);

/** Frees it and nulls the pointer; nobody may be waiting. */
void weir_resolver_destroy(struct weir_resolver **resolver);

typedef enum weir_resolution { WEIR_RESOLVED, WEIR_RESOLVING, WEIR_UNRESOLVED } weir_resolution_t;

/**
 * Turns a NAME target into an ADDRESS (RESOLVED), says that there is none (UNRESOLVED), or starts to find out (RESOLVING): then
 * `wait` is linked until its on_known has run or weir_resolver_cancel(). *out_count is how many addresses the name has, when
 * RESOLVED.
 */
weir_resolution_t weir_resolver_ask(struct weir_resolver *resolver, weir_target_t *target, weir_resolver_wait_t *wait,
                                    size_t *out_count);

/** Does not wait any more; harmless if it does not. */
void weir_resolver_cancel(weir_resolver_wait_t *wait);

#endif
