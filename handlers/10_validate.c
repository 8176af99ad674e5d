/* SPDX-License-Identifier: MIT */
/*
 * 10 validate: whether the request is one, by the rules of HTTP and by this path's own limits.
 *
 *   reads     the request, plan->head_limits, plan->max_body_bytes, plan->has_strict_path
 *   writes    nothing
 *   asks      nothing
 *   verdicts  next; refuse with the client's fault
 *
 * Our own fronts have refused most of it already, but this path's limits may be narrower than the listener's, and a
 * request may come from a front that is not ours.
 */
#include "handlers/stages.h"
#include "lib/base/span.h"
#include "lib/http/head_scan.h"
#include "lib/http/token_list.h"
#include "lib/walk/exchange.h"
#include "lib/walk/pipeline.h"

enum {
    METHOD_BYTES = 127,
    AROUND_TARGET = sizeof("  HTTP/1.1") - 1, /* what stands on the request line beside method and target */
};

static const weir_fault_t *check_line(const weir_request_t *request, const weir_head_limits_t *limits)
{
    weir_span_t target = request->target;
    bool is_star = weir_span_equal(target, WEIR_SPAN("*"));

    if (request->method.len > METHOD_BYTES || !weir_is_token(request->method))
        return &weir_fault_bad_method;
    if (weir_span_equal(request->method, WEIR_SPAN("CONNECT")))
        return &weir_fault_connect_refused;
    if (target.len == 0 || (target.base[0] != '/' && !is_star))
        return &weir_fault_bad_target;
    if (is_star && !weir_span_equal(request->method, WEIR_SPAN("OPTIONS")))
        return &weir_fault_bad_target;
    if (request->method.len + target.len + AROUND_TARGET > limits->line_bytes)
        return &weir_fault_request_line_too_long;
    return NULL;
}

/* RFC 3986 §3.3 and §3.4: pchar, and the slashes and question marks between them. */
static bool is_strict(weir_span_t target)
{
    const char *at = target.base, *end = target.base + target.len;

    while ((at = weir_skip_chars(at, end, WEIR_CHAR_HOST)) != end) {
        if (*at == '%' && end - at >= 3 && weir_hex_value(at[1]) >= 0 && weir_hex_value(at[2]) >= 0)
            at += 3;
        else if (*at == '/' || *at == '?' || *at == ':' || *at == '@')
            at++;
        else
            return false;
    }
    return true;
}

static const weir_fault_t *check_fields(const weir_request_t *request, const weir_head_limits_t *limits)
{
    const weir_headers_t *headers = &request->headers;

    if (request->head_bytes > limits->total_bytes)
        return &weir_fault_head_too_large;
    if (headers->count > limits->count)
        return &weir_fault_too_many_headers;
    for (size_t i = 0; i < headers->count; i++) {
        if (headers->at[i].name.len == 0) /* what libh2o's front makes of an obs-fold (RFC 9112 §5.2) */
            return &weir_fault_bad_header;
        if (headers->at[i].name.len > limits->name_bytes)
            return &weir_fault_header_name_too_long;
        if (headers->at[i].value.len > limits->value_bytes)
            return &weir_fault_header_value_too_long;
    }
    return NULL;
}

/* RFC 9112 §3.2; HTTP/2 has :authority instead, HTTP/1.0 need not name a host. Vegur: equal duplicates are duplicates too. */
static const weir_fault_t *check_host(const weir_request_t *request)
{
    size_t count = weir_headers_count(&request->headers, WEIR_HEADER_HOST);

    if (count > 1)
        return &weir_fault_duplicate_host;
    if (count == 0 && request->version == 11)
        return &weir_fault_missing_host;
    if (count == 0 && request->version == 10 && request->authority.len == 0)
        return NULL; /* the router says whose it is */
    if (request->host.base == NULL)
        return &weir_fault_bad_host;
    return request->host.len == 0 ? &weir_fault_empty_host : NULL;
}

/* The front has decided how the body is framed; here only what must not be decided at all is found. */
static const weir_fault_t *check_body(const weir_request_t *request, uint64_t max_bytes)
{
    weir_framing_t framing;
    const weir_fault_t *fault = weir_framing_of_request(&request->headers, request->version == 10 ? 0 : 1, &framing);

    if (fault != NULL)
        return fault;
    if (request->framing.kind == WEIR_FRAMING_LENGTH && request->framing.length_bytes > max_bytes)
        return &weir_fault_body_too_large;
    return NULL;
}

static weir_verdict_t enter(weir_exchange_t *x, void *memory)
{
    const weir_fault_t *fault = check_line(&x->request, &x->plan->head_limits);

    if (fault == NULL && x->plan->has_strict_path && !is_strict(x->request.target))
        fault = &weir_fault_bad_target;
    if (fault == NULL)
        fault = check_fields(&x->request, &x->plan->head_limits);
    if (fault == NULL)
        fault = check_host(&x->request);
    if (fault == NULL)
        fault = check_body(&x->request, x->plan->max_body_bytes);
    return fault == NULL ? weir_walk_next(x) : weir_walk_refuse(x, fault);
}

const weir_stage_t weir_stage_validate = {WEIR_STAGE("validate", 10), .enter = enter};
