/* SPDX-License-Identifier: MIT */
/*
 * A router for tests that lets nobody pass before the file `gate` is there.
 *
 *   module: gated.so
 *   gate: FILE
 *   backend: ADDRESS
 */
#include <pthread.h>
#include <unistd.h>

#include "place.h"

enum { WAITERS_MOST = 1000 };

struct weir_shared {
    char gate[256];
    place_t backend;
    pthread_mutex_t lock;
    size_t count;
    weir_q_checkout_t *waiting[WAITERS_MOST];
};
struct weir_state {
    bool is_tried;
};

static const weir_fault_t all_tried = {"all_tried", 503, WEIR_BLAME_ROUTER, NULL};

static void look(void *argument)
{
    weir_shared_t *shared = argument;

    if (access(shared->gate, F_OK) != 0)
        return;
    pthread_mutex_lock(&shared->lock);
    while (shared->count > 0)
        weir_checkout_pick(shared->waiting[--shared->count], NULL);
    pthread_mutex_unlock(&shared->lock);
}

static weir_answer_t lookup(weir_state_t *state, const weir_request_t *request, weir_span_t domain, weir_q_lookup_t *q)
{
    return weir_lookup_found(q, NULL);
}

static weir_answer_t checkout(weir_state_t *state, const weir_request_t *request, weir_group_t *group, weir_q_checkout_t *q)
{
    weir_shared_t *shared = weir_request_shared(request);

    if (state->is_tried || shared->count == WAITERS_MOST)
        return weir_checkout_refuse(q, &all_tried);
    state->is_tried = true;
    pthread_mutex_lock(&shared->lock);
    shared->waiting[shared->count++] = q;
    pthread_mutex_unlock(&shared->lock);
    return weir_later_until(q, WEIR_LATER_MOST_MS, &all_tried);
}

static weir_answer_t backend(weir_state_t *state, const weir_request_t *request, weir_service_t *service, weir_q_backend_t *q)
{
    return place_answer(&weir_request_shared(request)->backend, q);
}

bool weir_router_configure(const weir_config_t *config, weir_shared_t **out_shared)
{
    weir_shared_t *shared = calloc(1, sizeof(*shared));

    *out_shared = shared;
    pthread_mutex_init(&shared->lock, NULL);
    return weir_config_path(config, "gate", shared->gate, sizeof(shared->gate)) &&
           place_read(weir_config_get(config, "backend"), config, &shared->backend);
}

bool weir_router_start(weir_shared_t *shared, weir_instance_t *instance)
{
    weir_every(instance, 5, look, shared);
    return true;
}

void weir_router_release(weir_shared_t *shared)
{
    free(shared);
}

const int weir_router_abi = WEIR_ROUTER_ABI;

const weir_router_t weir_router = {WEIR_ROUTER("gated"), .state_size = sizeof(weir_state_t), .lookup_domain_name = lookup,
                                   .checkout_service = checkout, .service_backend = backend};
