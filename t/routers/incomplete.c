/* SPDX-License-Identifier: MIT */
/*
 * A router without the callbacks named by -DWITHOUT_LOOKUP, -DWITHOUT_CHECKOUT, -DWITHOUT_BACKEND; with -DWITHOUT_SYMBOL not
 * even that; with -DCALLS_UNKNOWN one that needs a function of a later Weir.
 */
#include <weir.h>

#ifdef CALLS_UNKNOWN
void weir_of_a_time_to_come(void);
#else
#define weir_of_a_time_to_come() (void)0
#endif

static inline weir_answer_t lookup(weir_state_t *s, const weir_request_t *r, weir_span_t domain, weir_q_lookup_t *q)
{
    weir_of_a_time_to_come();
    return weir_lookup_found(q, NULL);
}

static inline weir_answer_t checkout(weir_state_t *s, const weir_request_t *r, weir_group_t *g, weir_q_checkout_t *q)
{
    return weir_checkout_pick(q, NULL);
}

static inline weir_answer_t backend(weir_state_t *s, const weir_request_t *r, weir_service_t *service, weir_q_backend_t *q)
{
    return weir_backend_at(q, "127.0.0.1", 1);
}

#ifdef WITHOUT_SYMBOL
#define weir_router another_name
#endif
#ifndef WITHOUT_ABI
const int weir_router_abi = WEIR_ROUTER_ABI;
#endif

const weir_router_t weir_router = {
    WEIR_ROUTER("incomplete"),
#ifndef WITHOUT_LOOKUP
    .lookup_domain_name = lookup,
#endif
#ifndef WITHOUT_CHECKOUT
    .checkout_service = checkout,
#endif
#ifndef WITHOUT_BACKEND
    .service_backend = backend,
#endif
};
