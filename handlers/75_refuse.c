/* SPDX-License-Identifier: MIT */
/*
 * 75 refuse: the page for a request that was refused before a byte of a response was sent.
 *
 *   reads     x->fault, x->refusal_headers       (set by weir_refuse())
 *   writes    the response, with the request's id; x->has_page
 *   asks      error_page
 *   verdicts  next
 *
 * A gRPC call gets its own kind of error: 200 and grpc-status, without a body.
 */
#include <string.h>

#include "handlers/grpc.h"
#include "handlers/heroku.h"
#include "handlers/proxy_status.h"
#include "handlers/server_timing.h"
#include "handlers/stages.h"
#include "lib/walk/exchange.h"
#include "lib/walk/front.h"
#include "lib/walk/pipeline.h"
#include "router/ask.h"

enum { STATUS_OK = 200 };

static void on_sent(weir_exchange_t *x)
{
    weir_walk_next(x);
}

static void on_page(weir_exchange_t *x, const ask_answer_t *answer)
{
    const weir_heroku_code_t *heroku = weir_heroku_of(x);
    weir_headers_t headers = {NULL, 0, 0};
    weir_reply_head_t head = {.status = answer->page_status, .headers = &headers, .must_close = true};

    for (size_t i = 0; i < answer->page_headers->count; i++) {
        const weir_header_t *field = &answer->page_headers->at[i];
        weir_headers_add(&headers, &x->arena, field->name, field->value);
    }
    for (size_t i = 0; i < x->refusal_headers.count; i++)
        weir_headers_add(&headers, &x->arena, x->refusal_headers.at[i].name, x->refusal_headers.at[i].value);
    if (x->plan->request_id_header.len != 0 && x->request.id.len != 0)
        weir_headers_put(&headers, &x->arena, x->plan->request_id_header, x->request.id);
    if (x->plan->has_proxy_status)
        weir_headers_put(&headers, &x->arena, WEIR_SPAN("Proxy-Status"), weir_proxy_status(&x->arena, x->fault));
    if (heroku != NULL)
        weir_headers_put(&headers, &x->arena, WEIR_SPAN("X-Weir-Code"), (weir_span_t){heroku->code, strlen(heroku->code)});
    if (x->plan->has_server_timing)
        weir_server_timing_add(x, &headers);
    head.content_length = UINT64_MAX;
    x->has_page = true;
    if (weir_grpc_is_call(&x->request)) {
        headers = weir_grpc_headers(x, &headers, answer->page_status, x->fault);
        head.status = STATUS_OK;
        weir_front_reply(x, &head, (weir_span_t){NULL, 0}, on_sent);
        return;
    }
    weir_front_reply(x, &head, answer->page_body, on_sent);
}

static weir_verdict_t enter(weir_exchange_t *x, void *memory)
{
    if (x->fault == NULL || x->front == NULL || x->has_responded)
        return weir_walk_next(x);
    ask_page(x, x->fault, on_page);
    return weir_walk_wait(x);
}

const weir_stage_t weir_stage_refuse = {WEIR_STAGE("refuse", 75), .enter = enter};
