/* SPDX-License-Identifier: MIT */
/*
 * Who sends `X-Tenant` stays with the backend that has served that tenant last, whose caches are warm, as long as that has not
 * much more to do than the idlest; else the tenant's key says who. Backends with the label `tenants: none` are for the others.
 */
#include <stdatomic.h>
#include <stdlib.h>
#include <weir_kit.h>
#include <weir_span.h>

enum { HOMES = 4096, SPARE = 4, ERROR = 500 };

struct weir_shared {
    weir_kit_t *kit;
    _Atomic(const weir_member_t *) homes[HOMES]; /* of each tenant, by a hash: only ever compared, as they may be gone */
};

struct weir_state {
    weir_set_t *app;
    _Atomic(const weir_member_t *) *home; /* NULL: it has no tenant */
    weir_lease_t lease;
};

static const weir_fault_t not_found = {"not_found", 404, WEIR_BLAME_CLIENT, "No app has this domain."};

static weir_answer_t lookup(weir_state_t *s, const weir_request_t *r, weir_span_t domain, weir_q_lookup_t *q)
{
    s->app = weir_kit_find(weir_request_shared(r)->kit, domain, weir_request_path(r), NULL);
    return s->app == NULL ? weir_lookup_refuse(q, &not_found) : weir_lookup_found(q, NULL);
}

/* ---- the choice ---- */

typedef struct look {
    const weir_member_t *home; /* NULL: nobody's, or none that is well */
    uint32_t at_home, least;   /* requests that have no response yet   */
} look_t;

static bool is_for_tenants(const weir_member_t *backend, void *context)
{
    (void)context;
    return !weir_span_is(weir_member_label(backend, "tenants"), "none");
}

static bool look_at(const weir_member_t *backend, void *context)
{
    weir_member_facts_t facts = {.size = sizeof(facts)};
    look_t *look = context;

    weir_member_facts(backend, &facts);
    if (facts.health != WEIR_MEMBER_WELL || !is_for_tenants(backend, NULL))
        return true; /* the next one, please */
    if (backend == look->home)
        look->at_home = facts.waiting;
    if (facts.waiting < look->least)
        look->least = facts.waiting;
    return true;
}

static void choose_for(weir_state_t *s, const weir_request_t *r, weir_span_t tenant)
{
    static const uint64_t key[2] = {1, 2};

    s->home = &weir_request_shared(r)->homes[weir_siphash(key, tenant) % HOMES];
    look_t look = {.home = atomic_load(s->home), .at_home = UINT32_MAX, .least = UINT32_MAX - SPARE};
    weir_set_members(s->app, look_at, &look);
    weir_lease_filter(&s->lease, is_for_tenants, NULL);
    weir_lease_hash(&s->lease, tenant);
    weir_lease_prefer(&s->lease, look.at_home <= look.least + SPARE ? look.home : NULL);
}

static weir_answer_t checkout(weir_state_t *s, const weir_request_t *r, weir_group_t *group, weir_q_checkout_t *q)
{
    const weir_span_t tenant = weir_request_header(r, WEIR_SPAN("x-tenant"));

    (void)group;
    if (tenant.len > 0)
        choose_for(s, r, tenant);
    return weir_lease_checkout(&s->lease, s->app, r, q);
}

static void answered(weir_state_t *s, const weir_request_t *r, weir_service_t *service, const weir_attempt_t *attempt)
{
    if (s->home != NULL && attempt->status < ERROR)
        atomic_store(s->home, (const weir_member_t *)service);
    weir_lease_answered(&s->lease, r, attempt);
}

/* ---- what is nothing but a call of the kit ---- */

static weir_answer_t backend(weir_state_t *s, const weir_request_t *r, weir_service_t *service, weir_q_backend_t *q)
{
    (void)service;
    return weir_lease_backend(&s->lease, r, q);
}

static weir_answer_t checkin(weir_state_t *s, const weir_request_t *r, weir_service_t *service, weir_q_checkin_t *q)
{
    (void)service;
    return weir_lease_checkin(&s->lease, r, q);
}

static bool retry(weir_state_t *s, const weir_request_t *r, weir_service_t *service, const weir_fault_t *fault,
                  const weir_attempt_t *attempt)
{
    (void)service;
    return weir_lease_retry(&s->lease, r, fault, attempt);
}

static void abandoned(weir_state_t *s, const weir_request_t *r, weir_gone_t why)
{
    (void)why;
    weir_lease_abandoned(&s->lease, r);
}

static void headers(weir_state_t *s, const weir_request_t *r, weir_way_t way, weir_header_sink_t *sink)
{
    weir_lease_headers(&s->lease, r, way, sink);
}

static void fields(weir_state_t *s, const weir_request_t *r, const weir_fault_t *fault, weir_log_sink_t *sink)
{
    (void)r, (void)fault;
    weir_lease_log(&s->lease, sink);
}

static void terminate(weir_state_t *s, const weir_request_t *r, const weir_fault_t *fault)
{
    (void)r, (void)fault;
    weir_lease_end(&s->lease);
}

bool weir_router_configure(const weir_config_t *config, weir_shared_t **out_shared)
{
    weir_kit_t *kit = weir_kit_open(config, NULL);

    if (kit == NULL)
        return false;
    *out_shared = calloc(1, sizeof(**out_shared));
    if (*out_shared == NULL)
        abort();
    (*out_shared)->kit = kit;
    return true;
}

bool weir_router_start(weir_shared_t *shared, weir_instance_t *instance)
{
    weir_kit_start(shared->kit, instance);
    return true;
}

void weir_router_stop(weir_shared_t *shared)
{
    weir_kit_stop(shared->kit);
}

void weir_router_show(const weir_shared_t *shared, const weir_config_t *config, weir_show_t *show)
{
    weir_kit_show(shared->kit, config, show);
}

void weir_router_metrics(const weir_shared_t *shared, weir_metric_sink_t *sink)
{
    weir_kit_metrics(shared->kit, sink);
}

void weir_router_release(weir_shared_t *shared)
{
    if (shared != NULL)
        weir_kit_close(&shared->kit);
    free(shared);
}

const int weir_router_abi = WEIR_ROUTER_ABI;
const weir_router_t weir_router = {
    WEIR_ROUTER("tenant"),
    .state_size = sizeof(weir_state_t),
    .lookup_domain_name = lookup,
    .checkout_service = checkout,
    .service_backend = backend,
    .answered = answered,
    .checkin_service = checkin,
    .retry_request = retry,
    .abandoned = abandoned,
    .additional_headers = headers,
    .log = fields,
    .terminate = terminate,
};
