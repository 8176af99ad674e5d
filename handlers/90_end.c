/* SPDX-License-Identifier: MIT */
/*
 * 90 end: the router's last word, and the request's line in the log.
 *
 *   reads     the request, the journal, x->fault
 *   writes    the access log
 *   asks      log, then terminate, once no question is open
 *   verdicts  next
 */
#include "handlers/stages.h"
#include "lib/base/log.h"
#include "lib/base/span.h"
#include "lib/http/forwarded.h"
#include "lib/http/access_line.h"
#include "lib/walk/exchange.h"
#include "lib/walk/pipeline.h"
#include "router/ask.h"

/* Heroku: what the client did to itself is a warning. */
static const char *level(const weir_fault_t *fault)
{
    if (fault == NULL)
        return "info";
    return fault == &weir_fault_client_closed || fault == &weir_fault_client_timeout ? "warning" : "error";
}

/* The whole way as the backend sees it: what the client claims, then the client. */
static weir_span_t forwarded_for(weir_exchange_t *x)
{
    weir_headers_t scratch = {NULL, 0, 0};
    const weir_headers_t *headers = &x->request.headers;

    if (weir_headers_find(headers, WEIR_HEADER_X_FORWARDED_FOR) == NULL)
        return x->request.peer_ip;
    for (size_t i = 0; i < headers->count; i++) {
        if (headers->at[i].id == WEIR_HEADER_X_FORWARDED_FOR)
            weir_headers_add(&scratch, &x->arena, headers->at[i].name, headers->at[i].value);
    }
    weir_forwarded_append(&scratch, &x->arena, WEIR_SPAN("X-Forwarded-For"), x->request.peer_ip);
    return scratch.at[0].value;
}

static weir_access_line_t line_of(weir_exchange_t *x)
{
    const weir_request_t *request = &x->request;

    return (weir_access_line_t){
        .level = level(x->fault),
        .fault = x->fault,
        .method = request->method,
        .path = request->target,
        .host = request->host,
        .request_id = request->id,
        .fwd = forwarded_for(x),
        .dyno = x->target.label,
        .connect_ms = weir_request_connect_ms(request),
        .service_ms = weir_request_service_ms(request),
        .status = x->journal.status,
        .bytes = x->journal.client_sent_bytes,
        .protocol = request->scheme,
        .is_http2 = request->version == 20,
    };
}

static void write_log(weir_exchange_t *x)
{
    const weir_access_line_t what = line_of(x);
    char buffer[WEIR_ACCESS_LINE_BYTES];
    weir_logfmt_t line;

    weir_logfmt_begin(&line, buffer, sizeof(buffer));
    weir_access_line_write(&line, &what);
    ask_log(x, x->fault, &line);
    weir_access_log_write(x->plan->access_log, weir_logfmt_end(&line));
}

static void on_idle(weir_exchange_t *x)
{
    if (x->plan->access_log != NULL)
        write_log(x);
    else
        ask_log(x, x->fault, NULL);
    ask_terminate(x, x->fault);
    weir_walk_next(x);
}

static weir_verdict_t enter(weir_exchange_t *x, void *memory)
{
    if (x->journal.end_at_us == 0)
        x->journal.end_at_us = weir_loop_now_us(x->loop);
    ask_when_idle(x, on_idle);
    return weir_walk_wait(x);
}

const weir_stage_t weir_stage_end = {WEIR_STAGE("end", 90), .enter = enter};
