/* SPDX-License-Identifier: MIT */
/*
 * A router for tests of metrics: it knows nobody, counts who asks, and tells of that; and it tells what it may not.
 */
#include <stdatomic.h>
#include <stdlib.h>

#include <weir_host.h>
#include <weir_request.h>

struct weir_shared {
    _Atomic uint64_t lookups;
};

static const weir_fault_t not_here = {"not_here", 404, WEIR_BLAME_CLIENT, "Nobody is here."};

static weir_answer_t lookup(weir_state_t *state, const weir_request_t *request, weir_span_t domain, weir_q_lookup_t *q)
{
    atomic_fetch_add(&weir_request_shared(request)->lookups, 1);
    return weir_lookup_refuse(q, &not_here);
}

static weir_answer_t checkout(weir_state_t *state, const weir_request_t *request, weir_group_t *group, weir_q_checkout_t *q)
{
    return weir_checkout_refuse(q, &not_here);
}

static weir_answer_t backend(weir_state_t *state, const weir_request_t *request, weir_service_t *service, weir_q_backend_t *q)
{
    return weir_backend_at(q, "127.0.0.1", 1);
}

bool weir_router_configure(const weir_config_t *config, weir_shared_t **out_shared)
{
    (void)config;
    return (*out_shared = calloc(1, sizeof(**out_shared))) != NULL;
}

void weir_router_release(weir_shared_t *shared)
{
    free(shared);
}

void weir_router_metrics(const weir_shared_t *shared, weir_metric_sink_t *sink)
{
    const weir_metric_label_t label = {"who", WEIR_SPAN("a \"guest\"")};
    const double bounds[] = {1, 10};
    const uint64_t counts[] = {1, 2, 3};

    weir_metric_add(sink, "weir_router_lookups_total", &label, 1, (double)atomic_load(&shared->lookups));
    weir_metric_histogram(sink, "weir_router_guests", NULL, 0, bounds, counts, 2, 42);
    weir_metric_add(sink, "weir_requests_total", NULL, 0, 1000000);
}

const int weir_router_abi = WEIR_ROUTER_ABI;
const weir_router_t weir_router = {
    WEIR_ROUTER("counting"),
    .lookup_domain_name = lookup,
    .checkout_service = checkout,
    .service_backend = backend,
};
