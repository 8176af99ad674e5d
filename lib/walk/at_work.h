/* SPDX-License-Identifier: MIT */
#ifndef WEIR_WALK_AT_WORK_H
#define WEIR_WALK_AT_WORK_H
/**
 * @file  What this thread is at: whose code runs, and for which request. For what is said when something has gone wrong.
 *
 * Set around every function of a stage and of a router, and put back behind it. Reading it is safe in a signal handler.
 */
#include "lib/walk/exchange.h"

typedef struct weir_at_work {
    const weir_exchange_t *x; /* NULL: it is about no request                             */
    const char *kind;         /* "stage" or "router"; NULL: nobody else's code is at work */
    const char *name;         /* what it calls itself                                     */
    const char *callback;     /* "enter", "checkout_service", "configure", …              */
} weir_at_work_t;

extern __thread weir_at_work_t weir_at_work;

/** Notes what begins now. Returns what was there, for weir_at_work_back(). */
static inline weir_at_work_t weir_at_work_on(const weir_exchange_t *x, const char *kind, const char *name, const char *callback)
{
    weir_at_work_t before = weir_at_work;

    weir_at_work = (weir_at_work_t){x, kind, name, callback};
    return before;
}

static inline void weir_at_work_back(weir_at_work_t before)
{
    weir_at_work = before;
}

/** The same behind code of others that was called for `x`: reads the clock, for the time it took is nobody else's. */
static inline void weir_at_work_regain(const weir_exchange_t *x, weir_at_work_t before)
{
    weir_at_work = before;
    weir_loop_tick(x->loop);
}

/**
 * Writes one line about it to `fd`: "weir: at work: router shop in checkout_service, request 3f2a…, stage 50 checkout". Nothing
 * if nothing is at work. Async-signal-safe.
 */
void weir_at_work_tell(int fd);

/** The same, and behind it, in lines of their own, the request's journal, its stages and its plan. Async-signal-safe. */
void weir_at_work_tell_all(int fd);

#endif
