/* SPDX-License-Identifier: MIT */
/*
 * 50 checkout: which service takes this request, and where it lives.
 *
 *   reads     x->group                           (set by 20)
 *   writes    x->service, x->target              (used by 60, 70, 80)
 *   asks      checkout_service, then service_backend
 *   verdicts  next to 60; refuse with the router's fault, or router_timeout
 *   again     60 sends us back after a failed connect; the router sees a fresh checkout. A user's stage may send us
 *             back with a service still in hand: that one is checked in first
 */
#include "handlers/stages.h"
#include "lib/walk/exchange.h"
#include "router/ask.h"

static void on_backend(weir_exchange_t *x, const ask_answer_t *answer)
{
    if (answer->fault != NULL) {
        weir_refuse(x, answer->fault);
        return;
    }
    x->target = answer->target;
    weir_next(x);
}

static void on_checkout(weir_exchange_t *x, const ask_answer_t *answer)
{
    if (answer->fault != NULL) {
        weir_refuse(x, answer->fault);
        return;
    }
    x->service = answer->service; /* from here on one checkin_service is owed: 60's or 80's */
    x->has_service = true;
    x->was_connected = false;
    ask_backend(x, x->service, on_backend);
}

static void on_returned(weir_exchange_t *x, const ask_answer_t *answer)
{
    if (answer->fault != NULL) {
        weir_refuse(x, answer->fault);
        return;
    }
    ask_checkout(x, on_checkout);
}

static void cancel(weir_exchange_t *x, void *memory)
{
    ask_abandon(x);
}

static weir_verdict_t enter(weir_exchange_t *x, void *memory)
{
    if (x->has_service)
        ask_checkin(x, WEIR_CHECKOUT, NULL, on_returned);
    else
        ask_checkout(x, on_checkout);
    return weir_wait(x);
}

const weir_stage_t weir_stage_checkout = {.number = 50, .name = "checkout", .enter = enter, .cancel = cancel};
