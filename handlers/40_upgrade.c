/* SPDX-License-Identifier: MIT */
/*
 * 40 upgrade: notes the wish to switch protocols; promises nothing yet.
 *
 *   reads     the request's Connection and Upgrade headers, plan->upgrades
 *   writes    x->wants_upgrade                   (used by 70)
 *   asks      nothing
 *   verdicts  next; refuse with bad_request_header, or upgrade_refused where there is no way back to an ordinary request
 */
#include "handlers/stages.h"
#include "lib/http/expect.h"
#include "lib/walk/exchange.h"
#include "lib/walk/pipeline.h"

static bool is_heard(const weir_exchange_t *x)
{
    const weir_header_t *upgrade;

    switch (x->plan->upgrades) {
    case WEIR_UPGRADES_ALL:
        return true;
    case WEIR_UPGRADES_WEBSOCKET:
        upgrade = weir_headers_find(&x->request.headers, WEIR_HEADER_UPGRADE);
        return upgrade != NULL && weir_equal_nocase(upgrade->value, WEIR_SPAN("websocket"));
    case WEIR_UPGRADES_NONE:
        break;
    }
    return false;
}

static weir_verdict_t enter(weir_exchange_t *x, void *memory)
{
    const weir_fault_t *fault;

    /* RFC 9113 §8.6: HTTP/2 knows neither header. Its front puts them there for an extended CONNECT (RFC 8441). */
    fault = weir_upgrade_read(&x->request.headers, &x->wants_upgrade);
    if (fault != NULL)
        return weir_walk_refuse(x, fault);
    if (!x->wants_upgrade || is_heard(x))
        return weir_walk_next(x);
    x->wants_upgrade = false; /* RFC 9110 §7.8: as if it had not asked */
    return x->request.version == 20 ? weir_walk_refuse(x, &weir_fault_upgrade_refused) : weir_walk_next(x);
}

const weir_stage_t weir_stage_upgrade = {WEIR_STAGE("upgrade", 40), .enter = enter};
