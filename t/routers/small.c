/* SPDX-License-Identifier: MIT */
/*
 * As compiled against an older Weir: its table ends behind service_backend, and what stands there is none of Weir's business.
 */
#include <string.h>

#include <weir_router.h>

typedef struct small_router {
    size_t size;
    const char *name;
    size_t state_size;
    weir_answer_t (*init)(weir_state_t *, const weir_request_t *, weir_shared_t *, weir_q_init_t *);
    weir_answer_t (*lookup_domain_name)(weir_state_t *, const weir_request_t *, weir_span_t, weir_q_lookup_t *);
    weir_answer_t (*checkout_service)(weir_state_t *, const weir_request_t *, weir_group_t *, weir_q_checkout_t *);
    weir_answer_t (*service_backend)(weir_state_t *, const weir_request_t *, weir_service_t *, weir_q_backend_t *);
    const void *poison[8];
} small_router_t;

static weir_answer_t lookup(weir_state_t *s, const weir_request_t *r, weir_span_t domain, weir_q_lookup_t *q)
{
    return weir_lookup_found(q, NULL);
}

static weir_answer_t checkout(weir_state_t *s, const weir_request_t *r, weir_group_t *g, weir_q_checkout_t *q)
{
    static const weir_fault_t small_fault = {"small_fault", 502, WEIR_BLAME_ROUTER, "From a small router."};

    return weir_checkout_refuse(q, &small_fault);
}

static weir_answer_t backend(weir_state_t *s, const weir_request_t *r, weir_service_t *service, weir_q_backend_t *q)
{
    return weir_backend_at(q, "127.0.0.1", 1);
}

const int weir_router_abi = WEIR_ROUTER_ABI;
#define POISON ((const void *)1)
const small_router_t weir_router = {offsetof(small_router_t, poison),
                                    "small",
                                    0,
                                    NULL,
                                    lookup,
                                    checkout,
                                    backend,
                                    {POISON, POISON, POISON, POISON, POISON, POISON, POISON, POISON}};
