/* SPDX-License-Identifier: MIT */
/* Names the same dead backend for ever. */
#include <weir.h>

struct weir_service {
    uint16_t port;
};

static struct weir_service dead = {1};

static weir_answer_t lookup(weir_state_t *state, const weir_request_t *request, weir_span_t domain, weir_q_lookup_t *q)
{
    return weir_lookup_found(q, NULL);
}

static weir_answer_t checkout(weir_state_t *state, const weir_request_t *request, weir_group_t *group, weir_q_checkout_t *q)
{
    return weir_checkout_pick(q, &dead);
}

static weir_answer_t backend(weir_state_t *state, const weir_request_t *request, weir_service_t *service, weir_q_backend_t *q)
{
    return weir_backend_at(q, "127.0.0.1", service->port);
}

const int weir_router_abi = WEIR_ROUTER_ABI;

const weir_router_t weir_router = {WEIR_ROUTER("stubborn"), .lookup_domain_name = lookup, .checkout_service = checkout,
                                   .service_backend = backend};
