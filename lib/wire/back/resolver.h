/* SPDX-License-Identifier: MIT */
#ifndef WEIR_WIRE_RESOLVER_H
#define WEIR_WIRE_RESOLVER_H
/**
 * @file  Names of backends, as one loop knows them, and the way of a connect through a name's addresses.
 *
 * A name whose addresses are within their TTL is answered on the spot. It is asked for again (names.h) in the last quarter of
 * that time, while they are in use, and when connecting to one of them has failed. Who asks later than that waits.
 *
 *   weir_resolver_begin() ─► the first address ─failed─► weir_resolver_next() ─► … each of the name's addresses once
 *                                                  └► all have failed: the name is asked for again; those that are new
 *
 * Connects begin with the addresses of a name in turn.
 *
 * OWNER    One per loop.
 * THREAD   The loop's.
 */
#include "lib/walk/exchange.h"

enum {
    WEIR_RESOLVER_NAMES_MAX = 1024, /* per loop; beyond it the name used least recently is forgotten */
};

struct weir_resolver;
struct weir_addresses;

/** Someone who waits for a name; embedded, zeroed before its first use. */
typedef struct weir_resolver_wait {
    weir_list_t link;
    /** Runs once, from the loop, unless cancelled: ask again. */
    void (*on_known)(struct weir_resolver_wait *wait);
} weir_resolver_wait_t;

/** Where a connect has come to in the addresses of its name; zeroed before its first use. */
typedef struct weir_name_way {
    struct weir_addresses *of;    /* held: those that are being tried               */
    struct weir_addresses *tried; /* held: those before them, all of which have failed */
    size_t at, left;              /* in `of`: the present one, and how many come behind it */
} weir_name_way_t;

struct weir_resolver *weir_resolver_create(weir_loop_t *loop);

/** A configuration is in use: its name servers (settings.h), and whatever is known is asked for anew when it is next wanted. */
void weir_resolver_use(struct weir_resolver *resolver);

/** The loop has stopped: answers are no longer waited for. */
void weir_resolver_settle(struct weir_resolver *resolver);

/** Frees it and nulls the pointer; behind weir_resolver_settle(), with nobody waiting and no way being gone. */
void weir_resolver_destroy(struct weir_resolver **resolver);

typedef enum weir_resolution { WEIR_RESOLVED, WEIR_RESOLVING, WEIR_UNRESOLVED } weir_resolution_t;

/**
 * Turns a NAME target into the ADDRESS that a connect begins with (RESOLVED), says that there is none (UNRESOLVED), or finds
 * out (RESOLVING): then `wait` is linked until its on_known has run or weir_resolver_cancel().
 */
weir_resolution_t weir_resolver_begin(struct weir_resolver *resolver, weir_target_t *target, weir_name_way_t *way,
                                      weir_resolver_wait_t *wait);

/**
 * Connecting to the present address has failed: likewise, with the next one. RESOLVING: the name is being asked for again.
 * UNRESOLVED: all have been tried. `target` is the NAME again. may_have_moved: whether the failure says anything of the name.
 */
weir_resolution_t weir_resolver_next(struct weir_resolver *resolver, weir_target_t *target, weir_name_way_t *way,
                                     weir_resolver_wait_t *wait, bool may_have_moved);

/**
 * Connecting to the present address takes long: the name is asked for again, unless that was done a moment ago. `wait`: whom to
 * tell, or NULL.
 */
void weir_resolver_doubt(struct weir_resolver *resolver, weir_span_t name, const weir_name_way_t *way,
                         weir_resolver_wait_t *wait);

/** Whether the present address is one of those that the name has now. */
bool weir_resolver_is_current(struct weir_resolver *resolver, weir_span_t name, const weir_name_way_t *way);

/** The way is not gone any further; harmless on one that was not begun. */
void weir_resolver_end(weir_name_way_t *way);

/** Does not wait any more; harmless if it does not. */
void weir_resolver_cancel(weir_resolver_wait_t *wait);

#endif
