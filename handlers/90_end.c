/* SPDX-License-Identifier: MIT */
/*
 * 90 end: the router's last word, and the request's line in the log.
 *
 *   reads     the request, the journal, x->fault
 *   writes    the access log, unless 80 has; the router's fields are in it if no question is open
 *   asks      log, then terminate, once no question is open
 *   verdicts  next
 */
#include "handlers/request_line.h"
#include "handlers/stages.h"
#include "lib/walk/exchange.h"
#include "lib/walk/pipeline.h"
#include "router/ask.h"

static void on_idle(weir_exchange_t *x)
{
    stages_log(x);
    ask_terminate(x, x->fault);
    weir_walk_next(x);
}

static weir_verdict_t enter(weir_exchange_t *x, void *memory)
{
    if (x->journal.end_at_us == 0)
        x->journal.end_at_us = weir_loop_now_us(x->loop);
    stages_log_unless_idle(x); /* the check-in's own answer is late */
    ask_when_idle(x, on_idle);
    return weir_walk_wait(x);
}

const weir_stage_t weir_stage_end = {WEIR_STAGE("end", 90), .enter = enter};
