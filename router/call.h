/* SPDX-License-Identifier: MIT */
#ifndef WEIR_ROUTER_CALL_H
#define WEIR_ROUTER_CALL_H
/**
 * @file  What stands around each call of a router's that is about a request. Private to router/.
 *
 * THREAD   The request's loop.
 */
#include "lib/base/metrics.h"
#include "lib/walk/at_work.h"
#include "weir_router.h"

/** The router's code begins: says who is at work. Returns what router_call_end() wants. `callback` is a literal. */
static inline weir_before_t router_call_begin(const weir_exchange_t *x, const char *callback)
{
    return weir_at_work_on(x, "router", x->binding->router->name, callback);
}

/** router_call_end() behind a router that is not in the house. */
void router_call_end_others(const weir_exchange_t *x, weir_before_t before, weir_times_id_t times);

/**
 * It has returned. Routers in the house keep no thread waiting; behind others the clock is read, and what has passed since it
 * was read last, at the event's begin or behind another call, counts as theirs.
 */
static inline __attribute__((always_inline)) void router_call_end(const weir_exchange_t *x, weir_before_t before,
                                                                  weir_times_id_t times)
{
    if (x->binding->is_built_in)
        weir_at_work_back(before);
    else
        router_call_end_others(x, before, times);
}

#endif
