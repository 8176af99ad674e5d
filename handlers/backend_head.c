/* SPDX-License-Identifier: MIT */
/* Runs once on each request: the length is reckoned first, then everything is copied into one buffer. */
#include "handlers/backend_head.h"

#include <string.h>

#include "lib/base/must.h"
#include "lib/base/span.h"
#include "lib/http/forwarded.h"
#include "lib/http/hop.h"
#include "lib/walk/trace.h"
#include "router/ask.h"

enum {
    SPARE = 16,  /* headers that may be added without the list growing */
    DIGITS = 20, /* of a 64-bit number                                 */
    FIXED = 256, /* more than all the literals of a head               */
};

weir_headers_t weir_headers_copy(weir_arena_t *arena, const weir_headers_t *headers)
{
    weir_headers_t copy = {.count = headers->count, .capacity = headers->count + SPARE};

    copy.at = weir_arena_alloc(arena, copy.capacity * sizeof(*copy.at));
    if (copy.count != 0)
        memcpy(copy.at, headers->at, copy.count * sizeof(*copy.at));
    return copy;
}

void weir_headers_recase(const weir_exchange_t *x, weir_arena_t *arena, weir_headers_t *headers)
{
    if (!x->plan->has_canonical_case)
        return;
    for (size_t i = 0; i < headers->count; i++) {
        char *name = weir_arena_alloc(arena, headers->at[i].name.len);
        weir_header_canonical_case(headers->at[i].name, name);
        headers->at[i].name.base = name;
    }
}

/* A header of the proxy's own whose name is configured. One without a name is switched off. */
static void put(weir_arena_t *arena, weir_headers_t *headers, weir_span_t name, weir_span_t value)
{
    if (name.len != 0)
        weir_headers_put(headers, arena, name, value);
}

static weir_span_t number_text(weir_arena_t *arena, uint64_t number)
{
    return weir_span_of_u64(number, weir_arena_alloc(arena, DIGITS));
}

/* Where the client wanted to arrive: the port it named, or the one it came in by. Vegur: a PROXY header knows better. */
static uint16_t forwarded_port(const weir_request_t *request)
{
    if (request->is_proxied || request->host_port < 0)
        return request->listen_port;
    return (uint16_t)request->host_port;
}

static void put_forwarded(const weir_exchange_t *x, weir_arena_t *arena, weir_headers_t *headers)
{
    const weir_plan_t *plan = x->plan;

    if (!plan->keeps_forwarded_proto && plan->has_no_forwarded)
        weir_headers_remove(headers, WEIR_HEADER_X_FORWARDED_PROTO);
    if (plan->has_no_forwarded)
        return;
    weir_forwarded_append(headers, arena, WEIR_HEADER_X_FORWARDED_FOR, WEIR_SPAN("X-Forwarded-For"),
                          weir_backend_nearest_ip(x));
    if (!plan->keeps_forwarded_proto)
        weir_headers_put_as(headers, arena, WEIR_HEADER_X_FORWARDED_PROTO, WEIR_SPAN("X-Forwarded-Proto"), x->request.scheme);
    weir_headers_put_as(headers, arena, WEIR_HEADER_X_FORWARDED_PORT, WEIR_SPAN("X-Forwarded-Port"),
                        number_text(arena, forwarded_port(&x->request)));
}

static void put_peer(weir_exchange_t *x, weir_arena_t *arena, weir_headers_t *headers)
{
    weir_request_t *request = &x->request;

    if (request->is_proxied && ask_feature(x, WEIR_PEER_PORT)) {
        /* Whoever relies on it must not get a client's word for it. */
        weir_headers_remove(headers, WEIR_HEADER_X_FORWARDED_PEER_PORT);
        if (request->peer_port != 0)
            weir_headers_put_as(headers, arena, WEIR_HEADER_X_FORWARDED_PEER_PORT, WEIR_SPAN("X-Forwarded-Peer-Port"),
                                number_text(arena, request->peer_port));
    }
    put_forwarded(x, arena, headers);
}

static uint64_t not_negative(int64_t ms)
{
    return ms < 0 ? 0 : (uint64_t)ms;
}

weir_span_t weir_backend_nearest_ip(const weir_exchange_t *x)
{
    return x->request.proxy_ip.base != NULL ? x->request.proxy_ip : x->request.peer_ip;
}

weir_span_t weir_backend_via(const weir_exchange_t *x, weir_arena_t *arena, bool is_http2)
{
    const weir_span_t own = WEIR_SPAN("1.1 ");
    weir_span_t via = x->plan->via;

    if (!is_http2 || via.len < own.len || memcmp(via.base, own.base, own.len) != 0)
        return via;
    via = weir_arena_copy(arena, via);
    memcpy((char *)(uintptr_t)via.base, "2.0 ", own.len);
    return via;
}

/* In Vegur's order; what the client sent is replaced in its place, all later copies go. */
static void put_own(weir_exchange_t *x, weir_arena_t *arena, weir_headers_t *headers)
{
    const weir_plan_t *plan = x->plan;
    const weir_request_t *request = &x->request;

    put(arena, headers, plan->request_id_header, request->id);
    put_peer(x, arena, headers);
    if (plan->via.len != 0)
        weir_forwarded_append(headers, arena, WEIR_HEADER_VIA, WEIR_SPAN("Via"),
                              weir_backend_via(x, arena, request->version == 20));
    put(arena, headers, plan->connect_time_header, number_text(arena, not_negative(weir_request_connect_ms(request))));
    put(arena, headers, plan->start_time_header, number_text(arena, weir_request_start_ms(request)));
    put(arena, headers, plan->route_time_header, number_text(arena, not_negative(weir_request_route_ms(request))));
    if (plan->has_trace)
        weir_trace_put(x, arena, headers);
    ask_headers(x, WEIR_TO_BACKEND, headers);
}

/* Vegur: lower-case, without port; unless the router wants another one. */
weir_span_t weir_backend_take_host(const weir_exchange_t *x, weir_headers_t *headers)
{
    const weir_header_t *header = weir_headers_find(headers, WEIR_HEADER_HOST);
    weir_span_t host = header != NULL ? header->value : x->request.host;

    if (header != NULL)
        weir_headers_remove(headers, WEIR_HEADER_HOST);
    return host;
}

static weir_span_t connection(const weir_exchange_t *x)
{
    if (x->is_upgrading)
        return WEIR_SPAN("\r\nConnection: Upgrade\r\n");
    if (x->target.keepalive == WEIR_CLOSE)
        return WEIR_SPAN("\r\nConnection: close\r\n");
    return WEIR_SPAN("\r\nConnection: keep-alive\r\n");
}

weir_span_t weir_backend_path(const weir_exchange_t *x)
{
    return x->target.path.base != NULL ? x->target.path : x->request.target;
}

static size_t bytes_at_most(const weir_exchange_t *x, const weir_headers_t *headers, weir_span_t host)
{
    size_t bytes = FIXED + x->request.method.len + weir_backend_path(x).len + host.len;

    for (size_t i = 0; i < headers->count; i++)
        bytes += headers->at[i].name.len + headers->at[i].value.len + 4;
    return bytes;
}

static char *append_fields(char *at, const weir_headers_t *headers)
{
    for (size_t i = 0; i < headers->count; i++) {
        at = weir_append(at, headers->at[i].name);
        *at++ = ':';
        *at++ = ' ';
        at = weir_append(at, headers->at[i].value);
        *at++ = '\r';
        *at++ = '\n';
    }
    return at;
}

/* Exactly one framing header, and ours: RFC 9112 §6. Vegur: no body is said aloud, except by GET and HEAD. */
static char *append_framing(char *at, const weir_request_t *request)
{
    char digits[DIGITS];
    bool is_get = weir_span_equal(request->method, WEIR_SPAN("GET")) || weir_span_equal(request->method, WEIR_SPAN("HEAD"));

    switch (request->framing.kind) {
    case WEIR_FRAMING_LENGTH:
        at = weir_append(at, WEIR_SPAN("Content-Length: "));
        at = weir_append(at, weir_span_of_u64(request->framing.length_bytes, digits));
        return weir_append(at, WEIR_SPAN("\r\n\r\n"));
    case WEIR_FRAMING_CHUNKED:
        return weir_append(at, WEIR_SPAN("Transfer-Encoding: chunked\r\n\r\n"));
    case WEIR_FRAMING_NONE:
    case WEIR_FRAMING_UNTIL_CLOSE: /* no request is */
        break;
    }
    return weir_append(at, is_get ? WEIR_SPAN("\r\n") : WEIR_SPAN("Content-Length: 0\r\n\r\n"));
}

static weir_span_t text_of(const weir_exchange_t *x, weir_arena_t *arena, weir_headers_t *headers)
{
    const weir_request_t *request = &x->request;
    weir_span_t host;
    size_t capacity;
    char *head, *at;

    weir_headers_recase(x, arena, headers);
    host = weir_backend_take_host(x, headers);

    capacity = bytes_at_most(x, headers, host);
    head = at = weir_arena_alloc(arena, capacity);
    at = weir_append(weir_append(at, request->method), WEIR_SPAN(" "));
    at = weir_append(weir_append(at, weir_backend_path(x)), WEIR_SPAN(" HTTP/1.1\r\nHost: "));
    at = weir_append(weir_append(at, host), connection(x));
    at = append_framing(append_fields(at, headers), request);
    WEIR_MUST_SANE((size_t)(at - head) <= capacity);
    return (weir_span_t){head, (size_t)(at - head)};
}

const weir_fault_t *weir_backend_head(weir_exchange_t *x, weir_arena_t *arena, weir_backend_head_t *out)
{
    weir_headers_t headers = weir_headers_copy(arena, &x->request.headers);
    bool is_http1 = x->target.protocol == WEIR_HTTP1;

    weir_hop_strip_request(&headers, x->is_upgrading && is_http1);
    put_own(x, arena, &headers);
    *out = (weir_backend_head_t){.is_connect = x->is_upgrading && !is_http1};
    if (x->target.protocol == WEIR_FASTCGI)
        return weir_backend_params(x, arena, &headers, &out->text);
    if (is_http1)
        out->text = text_of(x, arena, &headers);
    else
        out->fields = weir_backend_fields(x, arena, &headers);
    return NULL;
}
