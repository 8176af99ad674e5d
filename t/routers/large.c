/* SPDX-License-Identifier: MIT */
/* As compiled against a Weir to come: members behind the known ones. With -DEXTRA=1 one of them is set. */
#include <weir_router.h>

#ifndef EXTRA
#define EXTRA 0
#endif

typedef struct large_router {
    weir_router_t known;
    void *extra[4];
} large_router_t;

static weir_answer_t lookup(weir_state_t *s, const weir_request_t *r, weir_span_t domain, weir_q_lookup_t *q)
{
    return weir_lookup_found(q, NULL);
}

static weir_answer_t checkout(weir_state_t *s, const weir_request_t *r, weir_group_t *g, weir_q_checkout_t *q)
{
    static const weir_fault_t large_fault = {"large_fault", 502, WEIR_BLAME_ROUTER, "From a large router."};

    return weir_checkout_refuse(q, &large_fault);
}

static weir_answer_t backend(weir_state_t *s, const weir_request_t *r, weir_service_t *service, weir_q_backend_t *q)
{
    return weir_backend_at(q, "127.0.0.1", 1);
}

const int weir_router_abi = WEIR_ROUTER_ABI;
const large_router_t weir_router = {.known = {.size = sizeof(large_router_t),
                                              .name = "large",
                                              .lookup_domain_name = lookup,
                                              .checkout_service = checkout,
                                              .service_backend = backend},
                                    .extra = {0, EXTRA ? (void *)lookup : 0}};
