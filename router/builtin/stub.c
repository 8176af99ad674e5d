/* SPDX-License-Identifier: MIT */
/*
 * The router of the tests and of first steps: every domain is served by the same backends, each tried once, in order.
 *
 *   weir.router: { module: stub, backends: [ "127.0.0.1:8081", "127.0.0.1:8082" ] }
 */
#include <stdlib.h>

#include "router/kit/alloc.h"
#include "router/kit/place.h"
#include "weir_host.h"
#include "weir_request.h"

struct weir_service {
    place_t place;
};

struct weir_shared {
    weir_service_t *services;
    place_t *places;
    size_t count;
    weir_backend_tls_t *tls; /* NULL: no backend needs it */
};

struct weir_state {
    weir_shared_t *shared;
    size_t tried;
    const weir_fault_t *last;
};

static const weir_fault_t no_backend = {"no_backend", 503, WEIR_BLAME_ROUTER, "No backend is left to try."};

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
    if (state->shared == NULL || state->tried == state->shared->count)
        return weir_checkout_refuse(q, state->last != NULL ? state->last : &no_backend);
    return weir_checkout_pick(q, &state->shared->services[state->tried++]);
}

static weir_answer_t backend(weir_state_t *state, const weir_request_t *request, weir_service_t *service, weir_q_backend_t *q)
{
    weir_backend_keepalive(q, WEIR_REUSE);
    return place_answer(&service->place, q);
}

static weir_answer_t checkin(weir_state_t *state, const weir_request_t *request, weir_service_t *service, weir_q_checkin_t *q)
{
    if (weir_checkin_phase(q) == WEIR_CONNECTING)
        state->last = weir_checkin_fault(q);
    return weir_checkin_done(q);
}

static void release(weir_shared_t *shared)
{
    if (shared == NULL)
        return;
    places_free(shared->places, shared->count);
    weir_backend_tls_release(shared->tls);
    free(shared->services);
    free(shared);
}

static bool configure(const weir_config_t *config, weir_shared_t **out_shared)
{
    static const char *const keys[] = {"module", "backends", "tls", NULL};
    weir_shared_t *shared;

    if (!weir_config_keys(config, keys))
        return false;
    shared = kit_alloc(1, sizeof(*shared));
    if (!places_read(weir_config_get(config, "backends"), &shared->places, &shared->count) ||
        !places_secure(weir_config_get(config, "tls"), shared->places, shared->count, &shared->tls)) {
        release(shared);
        return false;
    }
    shared->services = kit_alloc(shared->count, sizeof(*shared->services));
    for (size_t i = 0; i < shared->count; i++)
        shared->services[i].place = shared->places[i];
    *out_shared = shared;
    return true;
}

extern const weir_router_t weir_builtin_stub;
extern weir_router_configure_t *const weir_builtin_stub_configure;
extern weir_router_release_t *const weir_builtin_stub_release;

const weir_router_t weir_builtin_stub = {
    WEIR_ROUTER("stub"),          .state_size = sizeof(weir_state_t), .init = init,
    .lookup_domain_name = lookup, .checkout_service = checkout,       .service_backend = backend,
    .checkin_service = checkin,
};
weir_router_configure_t *const weir_builtin_stub_configure = configure;
weir_router_release_t *const weir_builtin_stub_release = release;
