/* SPDX-License-Identifier: MIT */
/*
 * Headers in both directions, pages of its own, features by path. One backend on 127.0.0.1:8081, whose connections are reused.
 */
#include <stdio.h>
#include <string.h>
#include <weir.h>

struct weir_service {
    const char *ip;
    uint16_t port;
};
struct weir_state {
    bool is_tried;
};
static struct weir_service server = {"127.0.0.1", 8081};
static const weir_fault_t no_backend = {"no_backend", 503, WEIR_BLAME_BACKEND, "The backend cannot be reached."};
static const weir_fault_t maintenance = {"maintenance", 503, WEIR_BLAME_NOBODY, NULL};

static bool begins_with(weir_span_t text, weir_span_t begin)
{
    return text.len >= begin.len && memcmp(text.base, begin.base, begin.len) == 0;
}

static weir_span_t number(char *buffer, size_t size, long long value)
{
    return (weir_span_t){buffer, (size_t)snprintf(buffer, size, "%lld", value)};
}

static weir_answer_t lookup(weir_state_t *s, const weir_request_t *r, weir_span_t domain, weir_q_lookup_t *q)
{
    (void)s, (void)domain;
    if (begins_with(weir_request_path(r), WEIR_SPAN("/closed")))
        return weir_lookup_refuse(q, &maintenance);
    return weir_lookup_found(q, NULL);
}

static weir_answer_t checkout(weir_state_t *s, const weir_request_t *r, weir_group_t *g, weir_q_checkout_t *q)
{
    (void)r, (void)g;
    if (s->is_tried)
        return weir_checkout_refuse(q, &no_backend);
    s->is_tried = true;
    return weir_checkout_pick(q, &server);
}

static weir_answer_t backend(weir_state_t *s, const weir_request_t *r, weir_service_t *service, weir_q_backend_t *q)
{
    (void)s, (void)r;
    weir_backend_keepalive(q, WEIR_REUSE);
    weir_backend_name(q, WEIR_SPAN("first")); /* dyno=first in the access log */
    return weir_backend_at(q, service->ip, service->port);
}

/* Compares by address; answers with the default page whatever it has no words for. */
static weir_answer_t error_page(weir_state_t *s, const weir_request_t *r, const weir_fault_t *fault, weir_q_page_t *q)
{
    (void)s, (void)r;
    if (fault == &maintenance) {
        weir_page_header(q, WEIR_SPAN("Retry-After"), WEIR_SPAN("120"));
        weir_page_header(q, WEIR_SPAN("Content-Type"), WEIR_SPAN("text/html; charset=utf-8"));
        weir_page_body(q, WEIR_SPAN("<!doctype html><title>Back soon</title><p>Back in two minutes.\n"));
    } else if (fault == &no_backend) {
        weir_page_status(q, 502);
    }
    return weir_page_send(q);
}

/* Where large bodies go, the backend itself decides about "Expect: 100-continue". */
static bool feature(weir_state_t *s, const weir_request_t *r, weir_feature_t which)
{
    (void)s;
    if (which == WEIR_DEEP_CONTINUE)
        return begins_with(weir_request_path(r), WEIR_SPAN("/upload"));
    return false; /* also to features of a later proxy */
}

static void additional_headers(weir_state_t *s, const weir_request_t *r, weir_way_t way, weir_header_sink_t *sink)
{
    char text[24];

    (void)s;
    if (way == WEIR_TO_BACKEND) {
        weir_header_put(sink, WEIR_SPAN("X-Client-Port"), number(text, sizeof(text), weir_request_peer_port(r)));
        return;
    }
    weir_header_put(sink, WEIR_SPAN("X-Served-By"), WEIR_SPAN("first"));
    weir_header_put(sink, WEIR_SPAN("X-Service-Ms"), number(text, sizeof(text), weir_request_service_ms(r)));
}

const int weir_router_abi = WEIR_ROUTER_ABI;

const weir_router_t weir_router = {
    WEIR_ROUTER("header"), /* size, name */
    .state_size = sizeof(weir_state_t),
    .lookup_domain_name = lookup,
    .checkout_service = checkout,
    .service_backend = backend,
    .error_page = error_page,
    .feature = feature,
    .additional_headers = additional_headers,
};
