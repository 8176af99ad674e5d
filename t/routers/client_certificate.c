/* SPDX-License-Identifier: MIT */
/*
 * A router for tests: it tells the backend in headers what it was told about the client's certificate, and the log about the
 * subject.
 *
 *   module: client_certificate.so
 *   backend: "127.0.0.1:81"
 *
 * X-Certificate: yes or no. X-Subject, X-Issuer, X-Serial, X-Sha256: in quotes, or "-" where there is none. X-Not-After.
 * X-Names: how many. X-Name, for each: the number of its kind, a space, the name. X-Proxy-Cn: what a PROXY header said.
 */
#include "one_backend.h"

static void tell_names(weir_header_sink_t *sink, const weir_request_t *request)
{
    weir_client_name_t kind;
    weir_span_t name;
    char text[8192];
    size_t count = 0;

    for (; weir_request_client_name_at(request, count, &kind, &name); count++) {
        snprintf(text, sizeof(text), "%d %.*s", (int)kind, (int)name.len, name.base);
        if (count < 10)
            weir_header_add(sink, span("X-Name"), span(text));
    }
    snprintf(text, sizeof(text), "%zu", count);
    weir_header_put(sink, span("X-Names"), span(text));
}

static void additional_headers(weir_state_t *state, const weir_request_t *request, weir_way_t way, weir_header_sink_t *sink)
{
    char end[32];

    if (way != WEIR_TO_BACKEND)
        return;
    weir_header_put(sink, span("X-Certificate"), span(weir_request_client_certificate(request) ? "yes" : "no"));
    tell(sink, "X-Subject", weir_request_client_subject(request));
    tell(sink, "X-Issuer", weir_request_client_issuer(request));
    tell(sink, "X-Serial", weir_request_client_serial(request));
    tell(sink, "X-Sha256", weir_request_client_sha256(request));
    snprintf(end, sizeof(end), "%llu", (unsigned long long)weir_request_client_not_after_ms(request));
    weir_header_put(sink, span("X-Not-After"), span(end));
    tell_names(sink, request);
    tell(sink, "X-Proxy-Cn", weir_request_proxy_ssl_cn(request));
}

static void log_subject(weir_state_t *state, const weir_request_t *request, const weir_fault_t *fault, weir_log_sink_t *sink)
{
    weir_log_field(sink, span("subject"), weir_request_client_subject(request));
}

const int weir_router_abi = WEIR_ROUTER_ABI;

const weir_router_t weir_router = {WEIR_ROUTER("client_certificate"),
                                   .state_size = sizeof(weir_state_t),
                                   .init = init,
                                   .lookup_domain_name = lookup,
                                   .checkout_service = checkout,
                                   .service_backend = backend,
                                   .additional_headers = additional_headers,
                                   .log = log_subject};
