/* SPDX-License-Identifier: MIT */
#ifndef WEIR_T_ROUTERS_ONE_BACKEND_H
#define WEIR_T_ROUTERS_ONE_BACKEND_H
/**
 * @file  What test routers have in common that send everything to the one `backend` of their configuration, and tell it
 * something in headers. Whoever includes it defines weir_router.
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

/** In quotes, or "-" where there is none. */
static void tell(weir_header_sink_t *sink, const char *name, weir_span_t value)
{
    char text[8192];

    snprintf(text, sizeof(text), value.base == NULL ? "-" : "\"%.*s\"", (int)value.len, value.base);
    weir_header_put(sink, span(name), span(text));
}

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

#endif
