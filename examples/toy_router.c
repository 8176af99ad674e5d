/* SPDX-License-Identifier: MIT */
/* Two fixed backends, each tried at most once per request. */
#include <weir.h>

struct weir_service {
    const char *ip;
    uint16_t port;
};
struct weir_state {
    bool tried[2];
};
static struct weir_service servers[2] = {{"127.0.0.1", 8081}, {"127.0.0.1", 8082}};
static const weir_fault_t all_blocked = {"all_blocked", 502, WEIR_BLAME_ROUTER, "No backend could be connected to."};

static weir_answer_t lookup(weir_state_t *s, const weir_request_t *r, weir_span_t domain, weir_q_lookup_t *q)
{
    (void)s, (void)r, (void)domain;
    return weir_lookup_found(q, NULL); /* every domain is the same group */
}

static weir_answer_t checkout(weir_state_t *s, const weir_request_t *r, weir_group_t *g, weir_q_checkout_t *q)
{
    unsigned pick = weir_random(r) % 2;

    (void)g;
    if (s->tried[pick])
        pick = !pick;
    if (s->tried[pick])
        return weir_checkout_refuse(q, &all_blocked);
    s->tried[pick] = true;
    return weir_checkout_pick(q, &servers[pick]);
}

static weir_answer_t backend(weir_state_t *s, const weir_request_t *r, weir_service_t *service, weir_q_backend_t *q)
{
    (void)s, (void)r;
    return weir_backend_at(q, service->ip, service->port);
}

const int weir_router_abi = WEIR_ROUTER_ABI;

const weir_router_t weir_router = {
    WEIR_ROUTER("toy"), /* size, name */
    .state_size = sizeof(weir_state_t),
    .lookup_domain_name = lookup,
    .checkout_service = checkout,
    .service_backend = backend,
};
