/* SPDX-License-Identifier: MIT */
#ifndef WEIR_WALK_WORKERS_H
#define WEIR_WALK_WORKERS_H
/**
 * @file  Workers: backends that dial the proxy. Who is there, for which app, by which connections, on which loops.
 *
 *   a connection registers ─► weir_workers_enter() ─► the app's routers are told ─► requests
 *   it ends, or takes no more ─► weir_link_leave(), weir_link_can() ─► they are told
 *
 * A worker is (app, id); it is there as long as one of its connections is. By its number requests find it, as others are found
 * by an address. A connection (a link) belongs to one loop for life.
 *
 * OWNER    A worker is counted: each link holds it, and each place of a loop that has asked for it. A link lies in its
 *          connection.
 * THREAD   Any, unless said otherwise.
 */
#include <pthread.h>
#include <stdatomic.h>

#include "lib/walk/address.h"
#include "lib/walk/loop.h"
#include "weir_worker.h"

enum {
    WEIR_WORKER_TEXT = 64, /* of an id, a version, an app: at most */
    WEIR_WORKER_DOMAINS = 64,
    WEIR_WORKER_DOMAIN_BYTES = 255,
    WEIR_WORKER_HEALTH_BYTES = 255,
    WEIR_WORKER_SESSION_BYTES = 32,
    WEIR_WORKER_CAPACITY_MOST = 10000,
    WEIR_WORKER_ADDRESS_FAMILY = 0x7765, /* no family of the kernel's */
};

/** What a worker says of itself, copied; and what was found out about it. */
typedef struct weir_worker_words {
    char app[WEIR_WORKER_TEXT + 1], id[WEIR_WORKER_TEXT + 1], version[WEIR_WORKER_TEXT + 1];
    char health[WEIR_WORKER_HEALTH_BYTES + 1];
    char (*domains)[WEIR_WORKER_DOMAIN_BYTES + 1]; /* NULL: none; freed with the words */
    size_t domain_count;
    uint32_t weight, capacity;
    weir_protocol_t protocol;
    bool has_id; /* it said one */
    bool needs_token, needs_certificate, may_create;
    bool has_token, has_certificate; /* the certificate is one for the app */
    uint8_t token_sha256[32];
    char peer[64]; /* its address, for logs */
} weir_worker_words_t;

/** Frees what it holds. */
void weir_worker_words_finish(weir_worker_words_t *words);

typedef struct weir_worker weir_worker_t;

/** A connection of a worker's. */
typedef struct weir_link {
    weir_list_t in_worker;
    weir_worker_t *worker; /* held; NULL: it has left */
    weir_loop_t *loop;
    weir_worker_words_t words; /* of this connection */
    char session[WEIR_WORKER_SESSION_BYTES];
    uint32_t capacity;       /* requests at once, at present; 0: none. Under the worker's lock */
    _Atomic uint32_t in_use; /* as its loop counts them */
    /** It is not wanted any more: `why` is told to its worker. On its loop, once; it may end then. */
    void (*dismiss)(struct weir_link *link, const char *why);
    weir_letter_t letter;
    bool is_dismissed; /* under the lock */
    const char *why;   /* static */
} weir_link_t;

struct weir_worker {
    weir_list_t in_table;
    _Atomic uint32_t holders;
    uint64_t number;
    uint64_t joined_at_us;
    char app[WEIR_WORKER_TEXT + 1], id[WEIR_WORKER_TEXT + 1];
    weir_protocol_t protocol;
    atomic_bool opens_websockets; /* by extended CONNECT (RFC 8441), as its latest SETTINGS say */
    pthread_mutex_t lock;         /* of the links: who asks on a request's way waits for nobody that knows the table */
    weir_list_t links;
    uint32_t link_count;
};

/** Has `tell(app)` run, on the steward's thread, soon after the workers of an app have changed. One of the process. */
void weir_workers_on_change(void (*tell)(const char *app));

/**
 * Registers `link`, whose loop, words (which may lack an id), capacity and dismiss() are set; it is the connection's. On its
 * loop.
 */
void weir_workers_enter(weir_link_t *link);
/** What it can do now is another thing. On its loop. Harmless if it has left. */
void weir_link_can(weir_link_t *link, uint32_t capacity);
/**
 * Its connection goes to another loop, which has what is said to it from now on. On its loop, as the last thing that happens to
 * it there. False: it has been sent away, and stays.
 */
bool weir_link_move(weir_link_t *link, weir_loop_t *to);
/** It ends, or takes no more requests ever. On its loop. Harmless if it has left. */
void weir_link_leave(weir_link_t *link);

/** How many connections the app has, of all its workers. */
size_t weir_workers_count(const char *app);

/** The worker of that number, held; NULL: it has gone. */
weir_worker_t *weir_worker_hold(uint64_t number);
/** Lets go of it. Harmless on NULL. */
void weir_worker_release(weir_worker_t *worker);
/**
 * The loop of the connection that has the most room, by what is known of it here, or is loaded least; not `but_for` (NULL: any
 * will do). NULL: there is none that takes requests. *out_has_any: there is a connection at all.
 */
weir_loop_t *weir_worker_loop(weir_worker_t *worker, const weir_loop_t *but_for, bool *out_has_any);

/** The address by which requests find a worker; its length. */
socklen_t weir_worker_address(uint64_t number, weir_address_t *out_address);
/** The number in it; 0: it is none of a worker. */
uint64_t weir_worker_number(const struct sockaddr *address, socklen_t length);

/**
 * Asks of each connection whether it may stay: `judge` says why it may not (a static text), or NULL. Those are dismissed. On
 * the steward's thread.
 */
void weir_workers_review(const char *(*judge)(const weir_worker_words_t *words));
/** Dismisses all of them: the process is to end. */
void weir_workers_dismiss_all(const char *why);

#endif
