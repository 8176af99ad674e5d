/* SPDX-License-Identifier: MIT */
/*
 * 20 lookup: what the domain name stands for.
 *
 *   reads     x->request.host
 *   writes    x->group, x->has_group             (used by 50, 80)
 *   asks      lookup_domain_name
 *   verdicts  next with a group; done after a redirect (301, the same path on another domain);
 *             refuse with the router's fault, or router_timeout
 */
#include <string.h>

#include "handlers/stages.h"
#include "lib/base/app_counts.h"
#include "lib/walk/exchange.h"
#include "lib/walk/front.h"
#include "lib/walk/pipeline.h"
#include "lib/walk/response.h"
#include "router/ask.h"

enum { STATUS_MOVED = 301 };

static char *append(char *at, weir_span_t bytes)
{
    return (char *)memcpy(at, bytes.base, bytes.len) + bytes.len;
}

static weir_span_t location(weir_exchange_t *x, weir_span_t domain)
{
    const weir_request_t *request = &x->request;
    weir_span_t target = request->target.base[0] == '/' ? request->target : WEIR_SPAN("/"); /* OPTIONS * */
    char *text = weir_arena_alloc(&x->arena, request->scheme.len + 3 + domain.len + target.len);
    char *end = append(append(append(append(text, request->scheme), WEIR_SPAN("://")), domain), target);

    return (weir_span_t){text, (size_t)(end - text)};
}

static void on_sent(weir_exchange_t *x)
{
    weir_walk_done(x);
}

static void redirect(weir_exchange_t *x, weir_span_t domain)
{
    weir_headers_t headers = {NULL, 0, 0};
    weir_reply_head_t head = {.status = STATUS_MOVED, .headers = &headers, .content_length = UINT64_MAX};

    weir_headers_add(&headers, &x->arena, WEIR_SPAN("Location"), location(x, domain));
    weir_response_tell_id(x, &headers);
    weir_front_reply(x, &head, (weir_span_t){NULL, 0}, on_sent);
}

static void on_lookup(weir_exchange_t *x, const ask_answer_t *answer)
{
    if (answer->fault != NULL) {
        weir_walk_refuse(x, answer->fault);
        return;
    }
    if (answer->redirect.base != NULL) {
        redirect(x, answer->redirect);
        return;
    }
    x->group = answer->group;
    x->has_group = true;
    x->looked_up_at_us = weir_loop_now_us(x->loop);
    if (x->plan->counts_apps)
        x->app_counts = weir_app_counts_begin(weir_metrics_page(), x->app);
    weir_walk_next(x);
}

static void cancel(weir_exchange_t *x, void *memory)
{
    ask_abandon(x);
}

static weir_verdict_t enter(weir_exchange_t *x, void *memory)
{
    ask_lookup(x, x->request.host, on_lookup);
    return weir_walk_wait(x);
}

const weir_stage_t weir_stage_lookup = {WEIR_STAGE("lookup", 20), .enter = enter, .cancel = cancel};
