/* SPDX-License-Identifier: MIT */
/*
 * 60 connect: a connection to the backend, from the pool or a new one.
 *
 *   reads     x->target                          (set by 50), x->wants_fresh (set by 70)
 *   writes    x->back (through lib/wire), x->was_connected, x->attempt, x->cause
 *   asks      checkin_service(connecting) after a failure
 *   verdicts  next; back to 50 after a failure; refuse with router_timeout or too_many_attempts
 *   again     70 sends us back when a pooled connection turned out to be dead: the service is still checked out
 */
#include "handlers/stages.h"
#include "lib/walk/attempt.h"
#include "lib/walk/back.h"
#include "lib/walk/exchange.h"
#include "lib/walk/pipeline.h"
#include "router/ask.h"

enum {
    CONNECTS_MOST = 1000, /* a router that never gives up must not keep a request for ever */
};

static void on_checked_in(weir_exchange_t *x, const ask_answer_t *answer)
{
    if (answer->fault != NULL) {
        weir_walk_refuse(x, answer->fault);
        return;
    }
    if (x->journal.connects >= CONNECTS_MOST) {
        weir_walk_refuse(x, &weir_fault_too_many_attempts);
        return;
    }
    weir_walk_back(x, WEIR_STAGE_CHECKOUT);
}

static void on_connect(weir_exchange_t *x, const weir_fault_t *fault)
{
    x->was_connected = fault == NULL;
    if (fault != NULL) {
        weir_attempt_fail(x, fault);
        ask_checkin(x, WEIR_CONNECTING, fault, on_checked_in);
        return;
    }
    x->attempt.was_reused = weir_back_is_reused(x);
    weir_walk_next(x);
}

static void cancel(weir_exchange_t *x, void *memory)
{
    weir_back_cancel(x);
    ask_abandon(x);
}

static void leave(weir_exchange_t *x, void *memory)
{
    weir_back_release(x);
}

static weir_verdict_t enter(weir_exchange_t *x, void *memory)
{
    weir_back_connect(x, on_connect);
    return weir_walk_wait(x);
}

const weir_stage_t weir_stage_connect = {
    WEIR_STAGE("connect", 60),
    .enter = enter,
    .cancel = cancel,
    .leave = leave,
};
