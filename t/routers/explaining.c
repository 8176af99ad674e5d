/* SPDX-License-Identifier: MIT */
/*
 * A router for tests of explanations: what it is asked of a request that nobody has sent, and what it says.
 *
 *   module: explaining.so
 *
 * Its only backend is refusing. Compiled with -DSILENT it has no weir_router_explain(). Words of X-Do:
 *   unknown   it says that it cannot know
 *   broken    its explanation is no JSON
 *   nothing   it says nothing
 */
#include <stdio.h>
#include <string.h>

#include <weir.h>
#include <weir_explain.h>

static weir_answer_t lookup(weir_state_t *state, const weir_request_t *request, weir_span_t domain, weir_q_lookup_t *q)
{
    return weir_lookup_found(q, NULL);
}

static weir_answer_t checkout(weir_state_t *state, const weir_request_t *request, weir_group_t *group, weir_q_checkout_t *q)
{
    return weir_checkout_pick(q, NULL);
}

static weir_answer_t backend(weir_state_t *state, const weir_request_t *request, weir_service_t *service, weir_q_backend_t *q)
{
    return weir_backend_at(q, "127.0.0.1", 1);
}

#ifndef SILENT
static int length_of(weir_span_t span)
{
    return (int)span.len;
}

WEIR_MODULE void weir_router_explain(weir_shared_t *shared, const weir_request_t *request, weir_explain_t *explain)
{
    const weir_span_t method = weir_request_method(request), host = weir_request_host(request),
                      path = weir_request_path(request), peer = weir_request_peer_ip(request),
                      order = weir_request_header(request, WEIR_SPAN("x-do")), below = weir_request_below(request),
                      mount = weir_request_mount(request);
    char json[1024];

    if (weir_span_is(order, "nothing"))
        return;
    if (weir_span_is(order, "unknown")) {
        weir_explain_unknown(explain, "the weather decides");
        return;
    }
    snprintf(json, sizeof(json),
             "{\"asked\":\"%.*s %.*s %.*s %.*s\",\"below\":\"%.*s %.*s\",\"upgrade\":%s,\"explained\":%s,\"dice\":\"%llx\","
             "\"router\":\"mine\"}",
             length_of(method), method.base, length_of(host), host.base, length_of(path), path.base, length_of(peer), peer.base,
             length_of(mount), mount.base, length_of(below), below.base, weir_request_wants_upgrade(request) ? "true" : "false",
             weir_request_is_explained(request) ? "true" : "false", (unsigned long long)weir_random(request));
    if (weir_span_is(order, "broken"))
        snprintf(json, sizeof(json), "broken");
    weir_explain_answer(explain, json, strlen(json));
}
#endif

const int weir_router_abi = WEIR_ROUTER_ABI;
const weir_router_t weir_router = {
    WEIR_ROUTER("explaining"),
    .lookup_domain_name = lookup,
    .checkout_service = checkout,
    .service_backend = backend,
};
