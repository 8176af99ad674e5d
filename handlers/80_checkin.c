/* SPDX-License-Identifier: MIT */
/*
 * 80 checkin: the service goes back to the router; a request without one makes its closing call.
 *
 *   reads     x->fault, x->has_group, x->was_connected
 *   writes    x->service (given back), journal.end_at_us, journal.status of a request that nobody has answered
 *             the access log, if an abandoned question is still open
 *   asks      checkin_service, once no other question is open
 *   verdicts  next
 */
#include "handlers/request_line.h"
#include "handlers/stages.h"
#include "lib/walk/exchange.h"
#include "lib/walk/pipeline.h"
#include "router/ask.h"

enum { STATUS_HALTED = 204 };

static weir_phase_t phase(const weir_exchange_t *x)
{
    if (!x->has_group)
        return WEIR_LOOKUP;
    return x->has_service && x->was_connected ? WEIR_CONNECTED : WEIR_CHECKOUT;
}

static void on_checked_in(weir_exchange_t *x, const ask_answer_t *answer)
{
    weir_walk_next(x); /* also after a timeout: 90 waits for the router */
}

static void on_idle(weir_exchange_t *x)
{
    ask_checkin(x, phase(x), x->fault, on_checked_in);
}

static weir_verdict_t enter(weir_exchange_t *x, void *memory)
{
    /* The client has its response: what the router still takes is not part of the service time. */
    x->journal.end_at_us = weir_loop_now_us(x->loop);
    if (x->front != NULL && !x->has_responded)
        x->journal.status = STATUS_HALTED; /* nobody has answered: weir_front_finish() will */
    stages_log_unless_idle(x);             /* the client has its answer, and the router has not answered in time */
    ask_when_idle(x, on_idle);
    return weir_walk_wait(x);
}

const weir_stage_t weir_stage_checkin = {WEIR_STAGE("checkin", 80), .enter = enter};
