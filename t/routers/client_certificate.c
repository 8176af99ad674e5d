/* SPDX-License-Identifier: MIT */
/*
 * A router for tests: it tells the backend in headers what it was told about the client's certificate, and the log about the subject.
 *
 *   module: client_certificate.so
 *   backend: "127.0.0.1:81"
 *
 * X-Certificate: yes or no. X-Subject, X-Issuer, X-Serial, X-Sha256: in quotes, or "-" where there is none. X-Not-After. X-Names: how
 * many. X-Name, for each: the number of its kind, a space, the name. X-Proxy-Cn: what a PROXY header said.
 */
#include "place.h"

struct weir_shared {
    place_t backend;
};
struct weir_state {
    weir_shared_t *shared;
    bool is_tried;
};

static const weir_fault_t all_tried = {"all_tried", 503, WEIR_BLAME_ROUTER, NULL};

static weir_span_t span(const char *text)
{
    return (weir_span_t){text, strlen(text)};
}

static weir_answer_t init(weir_state_t *state, const weir_request_t *request, weir_shared_t *shared, weir_q_init_t *q)
{
    state->shared = shared;
    return weir_init_done(q);
}

static weir_answer_t lookup(weir_state_t *state, const weir_request_t *request, weir_span_t domain, weir_q_lookup_t *q)
{
    return weir_lookup_found(q, NULL);
}

static weir_answer_t checkout(weir_state_t *state, const weir_request_t *request, weir_group_t *group, weir_q_checkout_t *q)
{
    if (state->is_tried)
        return weir_checkout_refuse(q, &all_tried);
    state->is_tried = true;
    return weir_checkout_pick(q, NULL);
}

static weir_answer_t backend(weir_state_t *state, const weir_request_t *request, weir_service_t *service, weir_q_backend_t *q)
{
    return place_answer(&state->shared->backend, q);
}

static void tell(weir_header_sink_t *sink, const char *name, weir_span_t value)
{
    char text[8192];

    snprintf(text, sizeof(text), value.base == NULL ? "-" : "\"%.*s\"", (int)value.len, value.base);
    weir_header_put(sink, span(name), span(text));
}

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

const weir_router_t weir_router = {WEIR_ROUTER("client_certificate"),
                                   .state_size = sizeof(weir_state_t),
                                   .init = init,
                                   .lookup_domain_name = lookup,
                                   .checkout_service = checkout,
                                   .service_backend = backend,
                                   .additional_headers = additional_headers,
                                   .log = log_subject};

bool weir_router_configure(const weir_config_t *config, weir_shared_t **out_shared);
void weir_router_release(weir_shared_t *shared);

bool weir_router_configure(const weir_config_t *config, weir_shared_t **out_shared)
{
    weir_shared_t *shared = calloc(1, sizeof(*shared));

    if (!place_read(weir_config_get(config, "backend"), config, &shared->backend)) {
        free(shared);
        return false;
    }
    *out_shared = shared;
    return true;
}

void weir_router_release(weir_shared_t *shared)
{
    free(shared);
}
