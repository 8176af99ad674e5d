/* SPDX-License-Identifier: MIT */
/*
 * 00 begin: the request gets its id, the router its state.
 *
 *   reads     the request's headers, plan->request_id_header
 *   writes    x->request.id, x->state
 *   asks      init
 *   verdicts  next; done after the router's own answer to the whole request, which then hears nothing more of it;
 *             refuse with the router's fault, or router_timeout
 */
#include "handlers/backend_head.h"
#include "handlers/stages.h"
#include "lib/http/request_id.h"
#include "lib/walk/desk.h"
#include "lib/walk/exchange.h"
#include "lib/walk/front.h"
#include "lib/walk/pipeline.h"
#include "lib/walk/response.h"
#include "router/ask.h"

static weir_span_t new_id(weir_exchange_t *x)
{
    uint8_t dice[16];
    char *id = weir_arena_alloc(&x->arena, WEIR_UUID_BYTES);

    weir_loop_random(x->loop, dice, sizeof(dice));
    weir_request_id_make(dice, id);
    return (weir_span_t){id, WEIR_UUID_BYTES};
}

/* Vegur: only the first of several is looked at; 70 replaces all of them. */
static weir_span_t request_id(weir_exchange_t *x)
{
    const weir_header_t *header = weir_headers_find_name(&x->request.headers, x->plan->request_id_header);

    if (header != NULL && weir_request_id_is_valid(header->value, x->plan->request_id_max_bytes))
        return header->value;
    return new_id(x);
}

static void on_sent(weir_exchange_t *x)
{
    weir_walk_done(x);
}

static void on_init(weir_exchange_t *x, const ask_answer_t *answer)
{
    weir_headers_t headers;
    weir_reply_head_t head = {.status = answer->page_status, .headers = &headers, .content_length = UINT64_MAX};

    if (answer->fault != NULL) {
        weir_walk_refuse(x, answer->fault);
        return;
    }
    if (answer->page_status != 0) {
        headers = weir_headers_copy(&x->arena, answer->page_headers);
        weir_response_tell_id(x, &headers);
        weir_front_reply(x, &head, answer->page_body, on_sent);
        return;
    }
    weir_walk_next(x);
}

static void cancel(weir_exchange_t *x, void *memory)
{
    ask_abandon(x);
}

static weir_verdict_t enter(weir_exchange_t *x, void *memory)
{
    x->request.id = request_id(x);
    weir_desk_show(x);
    if (x->binding->router->state_size != 0)
        x->state = weir_arena_zalloc(&x->arena, x->binding->router->state_size);
    ask_init(x, on_init);
    return weir_walk_wait(x);
}

const weir_stage_t weir_stage_begin = {WEIR_STAGE("begin", 0), .enter = enter, .cancel = cancel};
