/* SPDX-License-Identifier: MIT */
#ifndef WEIR_WORKER_H
#define WEIR_WORKER_H
/**
 * @file  Workers: backends that dial the proxy and say which app they serve (docs/workers.md).
 *
 *   a worker dials ─► weir_router_worker: may it? ─► weir_router_workers: the app's workers are others now
 *                                                    └─ weir_worker_each() ─ weir_endpoint_create(.worker = number)
 *
 * The router decides who may register, and which requests a worker gets; the proxy keeps its connections. Of several routers
 * the first that knows the app is the app's.
 */
#include "weir_types.h"

WEIR_C_BEGIN

/**
 * What a worker claims, and how it has proved it. Claims are anybody's words: an app is the worker's if its token or its
 * certificate says so. Members are only ever appended.
 */
typedef struct weir_worker_claim {
    size_t size;
    weir_span_t app;      /* 1 to 64 characters of a-z, 0-9, '.', '_', '-'            */
    weir_span_t id;       /* of the worker; empty: the proxy will make one            */
    weir_span_t version;  /* empty: none                                              */
    uint32_t weight;      /* 1 … 1000                                                 */
    uint32_t connections; /* that the app has already, of all its workers              */
    size_t domain_count;
    weir_span_t (*domain)(const struct weir_worker_claim *claim, size_t index); /* in lower case */
    bool needs_token;                                                           /* the endpoint asks for one */
    bool has_token;         /* there is one: its SHA-256 stands in token_sha256 */
    bool needs_certificate; /* likewise */
    bool has_certificate;   /* there is one, and it is the app's */
    bool may_create;        /* nobody else knows the app: it may be made for this worker */
    bool is_again;          /* it is connected already, and may it stay? */
    uint8_t token_sha256[32];
    const void *of; /* the proxy's */
} weir_worker_claim_t;

/** A worker that is there. Members are only ever appended. */
typedef struct weir_worker_facts {
    size_t size;
    uint64_t number; /* of this worker; another one of that id will have another number */
    weir_span_t app, id, version, health, peer;
    weir_protocol_t protocol;
    uint32_t weight;
    uint32_t connections;
    uint32_t capacity; /* requests at once, over all its connections, as they allow now; 0: it is paused */
    uint64_t joined_at_us;
    size_t domain_count;
    weir_span_t (*domain)(const struct weir_worker_facts *facts, size_t index);
    const void *of; /* the proxy's */
} weir_worker_facts_t;

/**
 * Exported by a router that takes workers: whether this one may register. 101: yes; 404: the router does not know the app, and
 * the next one is asked; 401, 403, 409, 429: no, and `why` says in a sentence what is wrong. Asked again now and then while the
 * worker is connected (is_again): then anything but 101 sends it away. On the thread of tickers; never block. Since ABI 7.
 */
WEIR_MODULE uint16_t weir_router_worker(weir_shared_t *shared, const weir_worker_claim_t *claim, char *why, size_t why_bytes);
/**
 * Exported likewise: the workers of this app are others now, or can do more or less. Ask weir_worker_each(). Called for every
 * router that exports it, with apps that it may not know. On the thread of tickers. Since ABI 7.
 */
WEIR_MODULE void weir_router_workers(weir_shared_t *shared, weir_span_t app);

typedef uint16_t weir_router_worker_t(weir_shared_t *shared, const weir_worker_claim_t *claim, char *why, size_t why_bytes);
typedef void weir_router_workers_t(weir_shared_t *shared, weir_span_t app);

/**
 * Calls visit() for each worker of the app, in the order of their numbers; base NULL: of all apps. What it is shown is borrowed
 * for the call. Any thread, but in no callback of a request. Since ABI 7.
 */
WEIR_API void weir_worker_each(weir_span_t app, void (*visit)(const weir_worker_facts_t *facts, void *context), void *context);
/** How many workers there are, of all apps. Any thread. Since ABI 7. */
WEIR_API size_t weir_worker_count(void);

WEIR_C_END

#endif
