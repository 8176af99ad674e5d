/* SPDX-License-Identifier: MIT */
#include "handlers/request_line.h"

#include "handlers/backend_head.h"
#include "handlers/heroku.h"
#include "handlers/request_counts.h"
#include "lib/base/log.h"
#include "lib/base/span.h"
#include "lib/http/access_line.h"
#include "lib/http/forwarded.h"
#include "lib/walk/recent.h"
#include "lib/walk/trace.h"
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
    weir_forwarded_append(&scratch, &x->arena, WEIR_HEADER_X_FORWARDED_FOR, WEIR_SPAN("X-Forwarded-For"),
                          weir_backend_nearest_ip(x));
    return scratch.at[0].value;
}

static weir_access_line_t line_of(weir_exchange_t *x)
{
    const weir_request_t *request = &x->request;

    return (weir_access_line_t){
        .level = level(x->fault),
        .fault = x->fault,
        .heroku = weir_heroku_of(x),
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
        .tries = weir_request_connects(request),
        .route_ms = weir_request_route_ms(request),
        .total_ms = weir_request_total_ms(request),
        .cause = x->cause,
        .trace = x->plan->has_trace ? weir_trace_id(x) : (weir_span_t){NULL, 0},
    };
}

static void write_line(weir_exchange_t *x, bool asks_router)
{
    const weir_access_line_t what = line_of(x);
    char buffer[WEIR_ACCESS_LINE_BYTES];
    weir_logfmt_t line;

    weir_logfmt_begin(&line, buffer, sizeof(buffer));
    weir_access_line_write(&line, &what);
    const char *fields = line.at;
    if (asks_router)
        ask_log(x, x->fault, &line);
    weir_recent_note(x, (weir_span_t){fields, (size_t)(line.at - fields)});
    (x->plan->has_log_time ? weir_access_log_write_timed : weir_access_log_write)(x->plan->access_log, weir_logfmt_end(&line));
    x->is_logged = true;
}

static void count_end(weir_exchange_t *x)
{
    if (x->plan->exports_traces && !x->is_counted)
        weir_trace_end_request(x);
    request_count(x);
}

void stages_log_unless_idle(weir_exchange_t *x)
{
    if (x->question != NULL)
        count_end(x);
    if (x->question != NULL && !x->is_logged && x->plan->access_log != NULL)
        write_line(x, false);
}

void stages_log(weir_exchange_t *x)
{
    count_end(x);
    if (!x->is_logged && x->plan->access_log != NULL)
        write_line(x, true);
    else
        ask_log(x, x->fault, NULL);
    weir_recent_note(x, (weir_span_t){NULL, 0}); /* of what has no line */
}
