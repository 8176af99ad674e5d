/* SPDX-License-Identifier: MIT */
/* All that the router `table` does; and who sends `X-Canary: yes` gets backends with the label `track: canary`, nobody else. */
#include <weir_kit.h>
#include <weir_span.h>

struct weir_state {
    weir_set_t *app;
    bool wants_canary;
    weir_lease_t lease;
};

static const weir_fault_t not_found = {"not_found", 404, WEIR_BLAME_CLIENT, "No app has this domain."};

static weir_answer_t lookup(weir_state_t *s, const weir_request_t *r, weir_span_t domain, weir_q_lookup_t *q)
{
    s->app = weir_kit_find(weir_kit_of(r), domain, weir_request_path(r), NULL);
    return s->app == NULL ? weir_lookup_refuse(q, &not_found) : weir_lookup_found(q, NULL);
}

static bool may(const weir_member_t *backend, void *state)
{
    return weir_span_is(weir_member_label(backend, "track"), "canary") == ((weir_state_t *)state)->wants_canary;
}

static void say_who_may(weir_state_t *s, const weir_request_t *r)
{
    s->wants_canary = weir_span_is(weir_request_header(r, WEIR_SPAN("x-canary")), "yes");
    weir_lease_filter(&s->lease, may, s);
}

static weir_answer_t checkout(weir_state_t *s, const weir_request_t *r, weir_group_t *group, weir_q_checkout_t *q)
{
    (void)group;
    say_who_may(s, r);
    return weir_lease_checkout(&s->lease, s->app, r, q);
}

WEIR_KIT_DEFINE_BUT_EXPLAIN(lease)

WEIR_MODULE void weir_router_explain(weir_shared_t *shared, const weir_request_t *r, weir_explain_t *explain)
{
    weir_state_t s = {.app = weir_kit_find((weir_kit_t *)shared, weir_request_host(r), weir_request_path(r), NULL)};

    say_who_may(&s, r);
    weir_lease_explain(&s.lease, s.app, r, explain);
}

const int weir_router_abi = WEIR_ROUTER_ABI;
const weir_router_t weir_router = {
    WEIR_ROUTER("canary"), .state_size = sizeof(weir_state_t), .lookup_domain_name = lookup, .checkout_service = checkout,
    WEIR_KIT_CALLBACKS,
};
