/* SPDX-License-Identifier: MIT */
/*
 * 50 checkout: which service takes this request, and where it lives.
 *
 *   reads     x->group                           (set by 20), x->owes_continue (set by 30)
 *   writes    x->service, x->attempt, x->target  (used by 60, 70, 80), x->has_continued, journal
 *   asks      checkout_service, then service_backend
 *   verdicts  next to 60; refuse with the router's fault, or router_timeout
 *   again     60 sends us back after a failed connect, 70 if the router wants a retry; the router sees a fresh checkout. A
 *             user's stage may send us back with a service still in hand: that one is checked in first. A router that has
 *             nobody yet has us ask again in a while
 */
#include "handlers/stages.h"
#include "lib/walk/attempt.h"
#include "lib/walk/front.h"
#include "lib/walk/pipeline.h"
#include "router/ask.h"

enum { STATUS_CONTINUE = 100 };

typedef struct memory {
    weir_exchange_t *x;
    weir_timer_t again_timer;
} memory_t;

static void ask(weir_exchange_t *x);

/* RFC 9110 §10.1.1: the client may send its body, for there is somebody to take it. */
static void send_continue(weir_exchange_t *x)
{
    if (!x->owes_continue)
        return;
    x->owes_continue = false;
    x->has_continued = true;
    (void)weir_front_interim(x, STATUS_CONTINUE, NULL);
}

static void note_answer(weir_exchange_t *x)
{
    x->journal.queue_us += weir_loop_now_us(x->loop) - x->journal.checkout_at_us;
}

static void on_backend(weir_exchange_t *x, const ask_answer_t *answer)
{
    note_answer(x);
    if (answer->fault != NULL) {
        weir_walk_refuse(x, answer->fault);
        return;
    }
    x->target = answer->target;
    send_continue(x);
    weir_walk_next(x);
}

static void on_again(weir_timer_t *timer)
{
    weir_exchange_t *x = WEIR_AROUND(timer, memory_t, again_timer)->x;

    note_answer(x);
    ask(x);
}

static void on_checkout(weir_exchange_t *x, const ask_answer_t *answer)
{
    memory_t *memory = weir_stage_memory(x);

    if (answer->fault != NULL) {
        note_answer(x);
        weir_walk_refuse(x, answer->fault);
        return;
    }
    if (answer->again_ms != 0) {
        weir_timer_set(x->loop, &memory->again_timer, answer->again_ms, on_again);
        return;
    }
    weir_attempt_begin(x, answer->service); /* from here on one checkin_service is owed: 60's, 70's or 80's */
    ask_backend(x, x->service, on_backend);
}

static void ask(weir_exchange_t *x)
{
    x->journal.checkout_at_us = weir_loop_now_us(x->loop);
    ask_checkout(x, on_checkout);
}

static void on_returned(weir_exchange_t *x, const ask_answer_t *answer)
{
    if (answer->fault != NULL) {
        weir_walk_refuse(x, answer->fault);
        return;
    }
    ask(x);
}

static void cancel(weir_exchange_t *x, void *memory)
{
    weir_timer_cancel(&((memory_t *)memory)->again_timer);
    ask_abandon(x);
}

static weir_verdict_t enter(weir_exchange_t *x, void *memory)
{
    *(memory_t *)memory = (memory_t){.x = x};
    if (x->has_service)
        ask_checkin(x, WEIR_CHECKOUT, NULL, on_returned);
    else
        ask(x);
    return weir_walk_wait(x);
}

const weir_stage_t weir_stage_checkout = {
    WEIR_STAGE("checkout", 50),
    .memory_size = sizeof(memory_t),
    .enter = enter,
    .cancel = cancel,
};
