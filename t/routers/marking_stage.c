/* SPDX-License-Identifier: MIT */
/* A stage for tests of reloading: answers /mark with the header X-Mark, which says how it was compiled (-DMARK="1"). */
#include <string.h>

#include <weir.h>

static weir_verdict_t enter(weir_exchange_t *x, void *memory)
{
    weir_span_t path = weir_request_path(weir_exchange_request(x));
    const char *mark = MARK;

    if (path.len != 5 || memcmp(path.base, "/mark", 5) != 0)
        return weir_next(x);
    weir_reply_header(x, WEIR_SPAN("X-Mark"), (weir_span_t){mark, strlen(mark)});
    return weir_reply(x, 200, WEIR_SPAN(""));
}

extern const weir_stage_t weir_stage;
#ifndef WITHOUT_ABI
const int weir_stage_abi = WEIR_STAGE_ABI;
#endif

const weir_stage_t weir_stage = {WEIR_STAGE("marking", 25), .enter = enter};
