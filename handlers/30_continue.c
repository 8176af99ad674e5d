/* SPDX-License-Identifier: MIT */
/*
 * 30 continue: who meets the expectation "100-continue", the backend or this proxy.
 *
 *   reads     the request's Expect headers
 *   writes    x->wants_continue (deep: used by 70), x->owes_continue (used by 50); removes Expect unless deep
 *   asks      feature deep_continue
 *   verdicts  next; refuse with expectation_failed or bad_request_header
 *
 * It only decides. The 100 goes out when there is somebody to take the body: behind 50.
 */
#include "handlers/stages.h"
#include "lib/http/expect.h"
#include "lib/walk/exchange.h"
#include "lib/walk/pipeline.h"
#include "router/ask.h"

static weir_verdict_t enter(weir_exchange_t *x, void *memory)
{
    bool is_expected;
    const weir_fault_t *fault = weir_expect_read(&x->request.headers, &is_expected);

    if (fault != NULL)
        return weir_walk_refuse(x, fault);
    if (!is_expected)
        return weir_walk_next(x);

    /* RFC 9110 §10.1.1: in HTTP/1.0 the expectation is ignored. */
    if (x->request.version != 10 && ask_feature(x, WEIR_DEEP_CONTINUE)) {
        x->wants_continue = true;
        return weir_walk_next(x);
    }
    weir_headers_remove(&x->request.headers, WEIR_HEADER_EXPECT);
    x->owes_continue = x->request.version != 10;
    return weir_walk_next(x);
}

const weir_stage_t weir_stage_continue = {WEIR_STAGE("continue", 30), .enter = enter};
