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
#include "lib/http/logfmt.h"
#include "lib/walk/exchange.h"
#include "router/ask.h"

enum { LINE_BYTES = 24576 }; /* the longest target, X-Forwarded-For and host of the default limits fit */

static weir_span_t text(const char *string)
{
    return (weir_span_t){string, strlen(string)};
}

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

static void write_ms(weir_logfmt_t *line, const char *key, int64_t ms)
{
    if (ms < 0)
        weir_logfmt_text(line, key, (weir_span_t){NULL, 0});
    else
        weir_logfmt_number(line, key, (uint64_t)ms, "ms");
}

static void write_request(weir_logfmt_t *line, weir_exchange_t *x)
{
    const weir_request_t *request = &x->request;

    weir_logfmt_text(line, "method", request->method);
    weir_logfmt_quoted(line, "path", request->target);
    weir_logfmt_text(line, "host", request->host);
    weir_logfmt_text(line, "request_id", request->id);
    weir_logfmt_quoted(line, "fwd", forwarded_for(x));
}

static void write_outcome(weir_logfmt_t *line, const weir_exchange_t *x)
{
    const weir_request_t *request = &x->request;

    weir_logfmt_text(line, "dyno", x->target.label);
    write_ms(line, "connect", weir_request_connect_ms(request));
    write_ms(line, "service", weir_request_service_ms(request));
    if (x->journal.status == 0)
        weir_logfmt_text(line, "status", (weir_span_t){NULL, 0});
    else
        weir_logfmt_number(line, "status", x->journal.status, "");
    weir_logfmt_number(line, "bytes", x->journal.client_sent_bytes, "");
    weir_logfmt_text(line, "protocol", request->scheme);
    if (request->version == 20)
        weir_logfmt_text(line, "version", WEIR_SPAN("HTTP/2"));
}

static void write_log(weir_exchange_t *x)
{
    const weir_fault_t *fault = x->fault;
    char buffer[LINE_BYTES];
    weir_logfmt_t line;

    weir_logfmt_begin(&line, buffer, sizeof(buffer));
    weir_logfmt_text(&line, "at", text(level(fault)));
    if (fault != NULL) {
        weir_logfmt_text(&line, "code", text(fault->name));
        weir_logfmt_quoted(&line, "desc", text(fault->sentence != NULL ? fault->sentence : fault->name));
    }
    write_request(&line, x);
    write_outcome(&line, x);
    ask_log(x, fault, &line);
    weir_access_log_write(x->plan->access_log, weir_logfmt_end(&line));
}

static void on_idle(weir_exchange_t *x)
{
    if (x->plan->access_log != NULL)
        write_log(x);
    else
        ask_log(x, x->fault, NULL);
    ask_terminate(x, x->fault);
    weir_next(x);
}

static weir_verdict_t enter(weir_exchange_t *x, void *memory)
{
    if (x->journal.end_at_us == 0)
        x->journal.end_at_us = weir_loop_now_us(x->loop);
    ask_when_idle(x, on_idle);
    return weir_wait(x);
}

const weir_stage_t weir_stage_end = {.number = 90, .name = "end", .enter = enter};
