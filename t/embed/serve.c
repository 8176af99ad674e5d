/* SPDX-License-Identifier: MIT */
/* The program of docs/router-guide.md, section 9, on the address it is told, with the directives that stand behind it. */
#include <weir.h>

static weir_answer_t lookup(weir_state_t *s, const weir_request_t *r, weir_span_t domain, weir_q_lookup_t *q)
{
    return weir_lookup_found(q, NULL);
}

static const weir_fault_t closed = {"closed", 503, WEIR_BLAME_NOBODY, "Closed on Sundays."};

static weir_answer_t checkout(weir_state_t *s, const weir_request_t *r, weir_group_t *g, weir_q_checkout_t *q)
{
    return weir_checkout_refuse(q, &closed);
}

static weir_answer_t backend(weir_state_t *s, const weir_request_t *r, weir_service_t *service, weir_q_backend_t *q)
{
    return weir_backend_at(q, "127.0.0.1", 8081);
}

static const weir_router_t router = {
    WEIR_ROUTER("sunday"),
    .lookup_domain_name = lookup,
    .checkout_service = checkout,
    .service_backend = backend,
};

int main(int argc, char **argv)
{
    return weir_serve(argc >= 2 ? argv[1] : "", &router, NULL, argc == 3 ? argv[2] : NULL);
}
