/* SPDX-License-Identifier: MIT */
/* A stage for tests that keeps its thread in the function that X-Stuck names (stuck.h). */
#include "stuck.h"

static weir_verdict_t enter(weir_exchange_t *x, void *memory)
{
    stuck_if(weir_exchange_request(x), "enter");
    return weir_next(x);
}

static void leave(weir_exchange_t *x, void *memory)
{
    stuck_if(weir_exchange_request(x), "leave");
}

extern const weir_stage_t weir_stage;
const int weir_stage_abi = WEIR_STAGE_ABI;
const weir_stage_t weir_stage = {WEIR_STAGE("slow", 25), .enter = enter, .leave = leave};
