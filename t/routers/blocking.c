/* SPDX-License-Identifier: MIT */
/*
 * A router for tests that blocks its loop, as none should: asked where the backend of /blocked lives, it makes the file `begun`
 * and answers when the file `gate` is there.
 *
 *   module: blocking.so
 *   begun: FILE
 *   gate: FILE
 *   backend: ADDRESS
 */
#include <fcntl.h>
#include <unistd.h>

#include "place.h"

enum { LOOKS_MOST = 10000, LOOK_US = 1000 };

struct weir_shared {
    char begun[256], gate[256];
    place_t backend;
};
struct weir_state {
    bool is_tried;
};

static const weir_fault_t all_tried = {"all_tried", 503, WEIR_BLAME_ROUTER, NULL};

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

static void block(const weir_shared_t *shared)
{
    close(open(shared->begun, O_CREAT | O_WRONLY, 0600));
    for (int i = 0; i < LOOKS_MOST && access(shared->gate, F_OK) != 0; i++)
        usleep(LOOK_US);
}

static weir_answer_t backend(weir_state_t *state, const weir_request_t *request, weir_service_t *service, weir_q_backend_t *q)
{
    weir_span_t path = weir_request_path(request);

    if (path.len == 8 && memcmp(path.base, "/blocked", 8) == 0)
        block(weir_request_shared(request));
    return place_answer(&weir_request_shared(request)->backend, q);
}

bool weir_router_configure(const weir_config_t *config, weir_shared_t **out_shared)
{
    weir_shared_t *shared = *out_shared = calloc(1, sizeof(*shared));

    return weir_config_path(config, "begun", shared->begun, sizeof(shared->begun)) &&
           weir_config_path(config, "gate", shared->gate, sizeof(shared->gate)) &&
           place_read(weir_config_get(config, "backend"), config, &shared->backend);
}

void weir_router_release(weir_shared_t *shared)
{
    free(shared);
}

const int weir_router_abi = WEIR_ROUTER_ABI;

const weir_router_t weir_router = {
    WEIR_ROUTER("blocking"),      .state_size = sizeof(weir_state_t), .lookup_domain_name = lookup,
    .checkout_service = checkout, .service_backend = backend,
};
