/* SPDX-License-Identifier: MIT */
#ifndef WEIR_WALK_AT_WORK_H
#define WEIR_WALK_AT_WORK_H
/**
 * @file  What this thread is at: whose code runs, and for which request. For what is said when something has gone wrong, and
 * while a thread is stuck (desk.h, watch.h).
 *
 * Set around every function of a stage and of a router, and put back behind it. Reading it is safe in a signal handler.
 */
#include "lib/walk/desk.h"
#include "lib/walk/exchange.h"

/** What a thread is at. */
typedef struct weir_at_work {
    const weir_exchange_t *x; /* NULL: it is about no request                             */
    const char *kind;         /* "stage", "router", "handler"; NULL: nobody else's code is at work */
    const char *name;         /* what it calls itself: static, or of lib/base/lasting.h   */
    const char *callback;     /* "enter", "checkout_service", "configure", …; a literal   */
} weir_at_work_t;

/** What was at work before: weir_at_work_on() returns it, weir_at_work_back() takes it. */
typedef struct weir_before {
    unsigned at_bytes;
} weir_before_t;

/** What this thread is at. */
weir_at_work_t weir_at_work(void);

/** Notes what begins now. Returns what was there, for weir_at_work_back(). */
static inline weir_before_t weir_at_work_on(const weir_exchange_t *x, const char *kind, const char *name, const char *callback)
{
    const weir_before_t before = {atomic_load_explicit(&weir_desk.at_bytes, memory_order_relaxed)};
    const unsigned at_bytes = (before.at_bytes + (unsigned)sizeof(weir_desk_call_t)) % sizeof(weir_desk.calls);
    weir_desk_call_t *call = weir_desk_call(&weir_desk, at_bytes);

    atomic_store_explicit(&call->x, x, memory_order_relaxed);
    atomic_store_explicit(&call->kind, kind, memory_order_relaxed);
    atomic_store_explicit(&call->name, name, memory_order_release); /* whoever reads it may read the text */
    atomic_store_explicit(&call->callback, callback, memory_order_relaxed);
    atomic_store_explicit(&weir_desk.at_bytes, at_bytes, memory_order_relaxed);
    if (__builtin_expect(weir_desk.known != x, 0))
        weir_desk_show(x);
    return before;
}

static inline void weir_at_work_back(weir_before_t before)
{
    atomic_store_explicit(&weir_desk.at_bytes, before.at_bytes, memory_order_relaxed);
}

/** What is at work, for `x` or for none (NULL), has taken `us`, which is slow: says so, and counts it. */
void weir_at_work_slow(const weir_exchange_t *x, uint64_t us);

/**
 * The same behind code of others that was called for `x`: reads the clock, for the time it took is nobody else's, and names
 * what took as long as the plan's callback_warn_ms.
 */
static inline void weir_at_work_regain(const weir_exchange_t *x, weir_before_t before)
{
    const uint64_t since_us = weir_loop_now_us(x->loop);
    const uint64_t warn_us = x->plan->callback_warn_ms * UINT64_C(1000);

    weir_loop_tick(x->loop);
    if (__builtin_expect(weir_loop_now_us(x->loop) - since_us >= warn_us && warn_us != 0, 0))
        weir_at_work_slow(x, weir_loop_now_us(x->loop) - since_us);
    weir_desk_note_end();
    weir_at_work_back(before);
}

/**
 * Writes one line about it to `fd`: "weir: at work: router shop in checkout_service, request 3f2a…, stage 50 checkout". Nothing
 * if nothing is at work. Async-signal-safe.
 */
void weir_at_work_tell(int fd);

/** The same, and behind it, in lines of their own, the request's journal, its stages and its plan. Async-signal-safe. */
void weir_at_work_tell_all(int fd);

#endif
