/* SPDX-License-Identifier: MIT */
#ifndef WEIR_WALK_EXPLAINED_H
#define WEIR_WALK_EXPLAINED_H
/**
 * @file  A request that nobody has sent, for those who ask what would become of it: an exchange that never walks, is in no
 * books, and has no front.
 *
 * OWNER    Who makes it.
 * THREAD   That of `loop`, whose clock is the request's.
 */
#include "lib/walk/exchange.h"

/** What is asked. All is copied. */
typedef struct weir_explained {
    weir_span_t method, target, authority, scheme;
    weir_span_t peer_ip;
    const weir_headers_t *headers; /* without Host */
    uint64_t seed;                 /* of its dice  */
} weir_explained_t;

/** Makes it, as it is when it has come to stage 50. Never fails. */
weir_exchange_t *weir_explained_create(const weir_plan_t *plan, weir_loop_t *loop, const weir_explained_t *asked);
/** Harmless on NULL. */
void weir_explained_free(weir_exchange_t *x);

#endif
