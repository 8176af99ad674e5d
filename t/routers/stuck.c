/* SPDX-License-Identifier: MIT */
/* A router for tests that keeps its thread in the callback that X-Stuck names (stuck.h). X-Refuse has it refuse. */
#include "stuck.h"

struct weir_shared {
    int port;
};
struct weir_state {
    weir_shared_t *shared;
    bool is_tried;
};

static const weir_fault_t refused = {"refused", 503, WEIR_BLAME_ROUTER, "As told."};

static weir_answer_t init(weir_state_t *state, const weir_request_t *request, weir_shared_t *shared, weir_q_init_t *q)
{
    stuck_if(request, "init");
    state->shared = shared;
    return weir_init_done(q);
}

static weir_answer_t lookup(weir_state_t *state, const weir_request_t *request, weir_span_t domain, weir_q_lookup_t *q)
{
    stuck_if(request, "lookup_domain_name");
    return weir_lookup_found(q, NULL);
}

static weir_answer_t checkout(weir_state_t *state, const weir_request_t *request, weir_group_t *group, weir_q_checkout_t *q)
{
    stuck_if(request, "checkout_service");
    if (state->is_tried || weir_request_header(request, WEIR_SPAN("X-Refuse")).base != NULL)
        return weir_checkout_refuse(q, &refused);
    state->is_tried = true;
    return weir_checkout_pick(q, NULL);
}

static weir_answer_t backend(weir_state_t *state, const weir_request_t *request, weir_service_t *service, weir_q_backend_t *q)
{
    stuck_if(request, "service_backend");
    return weir_backend_at(q, "127.0.0.1", (uint16_t)state->shared->port);
}

static weir_answer_t checkin(weir_state_t *state, const weir_request_t *request, weir_service_t *service, weir_q_checkin_t *q)
{
    stuck_if(request, "checkin_service");
    return weir_checkin_done(q);
}

static weir_answer_t page(weir_state_t *state, const weir_request_t *request, const weir_fault_t *fault, weir_q_page_t *q)
{
    stuck_if(request, "error_page");
    return weir_page_send(q);
}

static void headers(weir_state_t *state, const weir_request_t *request, weir_way_t way, weir_header_sink_t *sink)
{
    if (way == WEIR_TO_BACKEND)
        stuck_if(request, "additional_headers");
}

static void terminate(weir_state_t *state, const weir_request_t *request, const weir_fault_t *fault)
{
    stuck_if(request, "terminate");
}

static void log_fields(weir_state_t *state, const weir_request_t *request, const weir_fault_t *fault, weir_log_sink_t *sink)
{
    stuck_if(request, "log");
}

bool weir_router_configure(const weir_config_t *config, weir_shared_t **out_shared)
{
    *out_shared = calloc(1, sizeof(**out_shared));
    (*out_shared)->port = atoi(weir_config_text(weir_config_get(config, "port")));
    return true;
}

void weir_router_release(weir_shared_t *shared)
{
    free(shared);
}

const int weir_router_abi = WEIR_ROUTER_ABI;
const weir_router_t weir_router = {
    WEIR_ROUTER("stuck"),
    .state_size = sizeof(struct weir_state),
    .init = init,
    .lookup_domain_name = lookup,
    .checkout_service = checkout,
    .service_backend = backend,
    .checkin_service = checkin,
    .error_page = page,
    .additional_headers = headers,
    .terminate = terminate,
    .log = log_fields,
};
