/* SPDX-License-Identifier: MIT */
/**
 * 40 upgrade: notes the wish to switch protocols; promises nothing yet.
 *
 *   reads     the request's Connection and Upgrade headers
 *   writes    x->wants_upgrade                   (used by 70)
 *   asks      nothing
 *   verdicts  next; refuse with bad_request_header
 */
#include "handlers/stages.h"
#include "lib/http/expect.h"
#include "lib/walk/exchange.h"

static weir_verdict_t enter(weir_exchange_t *x, void *memory)
{
    const weir_fault_t *fault;

    /* RFC 9113 §8.6: HTTP/2 knows neither header. Its front puts them there for an extended CONNECT (RFC 8441). */
    fault = weir_upgrade_read(&x->request.headers, &x->wants_upgrade);
    return fault == NULL ? weir_next(x) : weir_refuse(x, fault);
}

const weir_stage_t weir_stage_upgrade = {.number = 40, .name = "upgrade", .enter = enter};
