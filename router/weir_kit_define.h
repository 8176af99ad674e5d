/* SPDX-License-Identifier: MIT */
#ifndef WEIR_KIT_DEFINE_H
#define WEIR_KIT_DEFINE_H
/**
 * @file  A whole router of the kit's calls: examples/canary_router.c. Included by weir_kit.h, and of no use without it.
 */
#include "weir_kit.h"

/* clang-format off */
/**
 * Defines what is nothing but a call of the kit, for a weir_state_t whose member `lease` is a weir_lease_t: the functions of a
 * module whose weir_shared_t is the kit, and the callbacks that WEIR_KIT_CALLBACKS puts into its weir_router_t. What is left to
 * you: lookup_domain_name, with weir_kit_find(weir_kit_of(request), …), and checkout_service, with weir_lease_checkout().
 * WEIR_KIT_DEFINE_BUT_EXPLAIN() leaves weir_router_explain() to you, too: if you say something of the choice.
 */
#define WEIR_KIT_DEFINE(lease)                                                                                              \
    WEIR_KIT_DEFINE_BUT_EXPLAIN(lease)                                                                                      \
    WEIR_MODULE void weir_router_explain(weir_shared_t *shared, const weir_request_t *request, weir_explain_t *explain)     \
    {                                                                                                                       \
        weir_kit_explain((weir_kit_t *)shared, request, explain);                                                           \
    }
#define WEIR_KIT_DEFINE_BUT_EXPLAIN(lease)                                                                                  \
    WEIR_MODULE bool weir_router_configure(const weir_config_t *config, weir_shared_t **out_shared)                          \
    {                                                                                                                       \
        return (*out_shared = (weir_shared_t *)weir_kit_open(config, NULL)) != NULL;                                         \
    }                                                                                                                       \
    WEIR_MODULE bool weir_router_start(weir_shared_t *shared, weir_instance_t *instance)                                     \
    {                                                                                                                       \
        weir_kit_start((weir_kit_t *)shared, instance);                                                                     \
        return true;                                                                                                        \
    }                                                                                                                       \
    WEIR_MODULE void weir_router_stop(weir_shared_t *shared) { weir_kit_stop((weir_kit_t *)shared); }                        \
    WEIR_MODULE void weir_router_show(const weir_shared_t *shared, const weir_config_t *config, weir_show_t *show)           \
    {                                                                                                                       \
        weir_kit_show((const weir_kit_t *)shared, config, show);                                                            \
    }                                                                                                                       \
    WEIR_MODULE bool weir_router_admin(weir_shared_t *shared, weir_admin_call_t *call)                                       \
    {                                                                                                                       \
        return weir_kit_admin((weir_kit_t *)shared, call);                                                                  \
    }                                                                                                                       \
    WEIR_MODULE void weir_router_metrics(const weir_shared_t *shared, weir_metric_sink_t *sink)                              \
    {                                                                                                                       \
        weir_kit_metrics((const weir_kit_t *)shared, sink);                                                                 \
    }                                                                                                                       \
    WEIR_MODULE uint16_t weir_router_worker(weir_shared_t *shared, const weir_worker_claim_t *claim, char *why, size_t bytes) \
    {                                                                                                                       \
        return weir_kit_worker((weir_kit_t *)shared, claim, why, bytes);                                                    \
    }                                                                                                                       \
    WEIR_MODULE void weir_router_workers(weir_shared_t *shared, weir_span_t app)                                            \
    {                                                                                                                       \
        weir_kit_workers((weir_kit_t *)shared, app);                                                                        \
    }                                                                                                                       \
    WEIR_MODULE bool weir_router_state(weir_shared_t *shared, const weir_state_app_t *app, char *why, size_t bytes)          \
    {                                                                                                                       \
        return weir_kit_state((weir_kit_t *)shared, app, why, bytes);                                                       \
    }                                                                                                                       \
    WEIR_MODULE void weir_router_release(weir_shared_t *shared)                                                              \
    {                                                                                                                       \
        weir_kit_t *kit = (weir_kit_t *)shared;                                                                             \
        weir_kit_close(&kit);                                                                                               \
    }                                                                                                                       \
    static weir_answer_t weir_kit_backend_(weir_state_t *s, const weir_request_t *r, weir_service_t *b, weir_q_backend_t *q) \
    { return (void)b, weir_lease_backend(&s->lease, r, q); }                                                                \
    static weir_answer_t weir_kit_checkin_(weir_state_t *s, const weir_request_t *r, weir_service_t *b, weir_q_checkin_t *q) \
    { return (void)b, weir_lease_checkin(&s->lease, r, q); }                                                                \
    static weir_answer_t weir_kit_page_(weir_state_t *s, const weir_request_t *r, const weir_fault_t *fault,                 \
                                        weir_q_page_t *q)                                                                    \
    {                                                                                                                       \
        weir_lease_page(&s->lease, r, fault, q);                                                                            \
        return weir_page_send(q);                                                                                           \
    }                                                                                                                       \
    static void weir_kit_headers_(weir_state_t *s, const weir_request_t *r, weir_way_t way, weir_header_sink_t *sink)        \
    {                                                                                                                       \
        weir_lease_headers(&s->lease, r, way, sink);                                                                        \
    }                                                                                                                       \
    static void weir_kit_terminate_(weir_state_t *s, const weir_request_t *r, const weir_fault_t *fault)                     \
    {                                                                                                                       \
        (void)r, (void)fault;                                                                                               \
        weir_lease_end(&s->lease);                                                                                          \
    }                                                                                                                       \
    static void weir_kit_log_(weir_state_t *s, const weir_request_t *r, const weir_fault_t *fault, weir_log_sink_t *sink)    \
    {                                                                                                                       \
        (void)r, (void)fault;                                                                                               \
        weir_lease_log(&s->lease, sink);                                                                                    \
    }                                                                                                                       \
    static void weir_kit_abandoned_(weir_state_t *s, const weir_request_t *r, weir_gone_t why)                               \
    {                                                                                                                       \
        (void)why;                                                                                                          \
        weir_lease_abandoned(&s->lease, r);                                                                                 \
    }                                                                                                                       \
    static void weir_kit_answered_(weir_state_t *s, const weir_request_t *r, weir_service_t *b, const weir_attempt_t *a)     \
    {                                                                                                                       \
        (void)b;                                                                                                            \
        weir_lease_answered(&s->lease, r, a);                                                                               \
    }                                                                                                                       \
    static bool weir_kit_retry_(weir_state_t *s, const weir_request_t *r, weir_service_t *b, const weir_fault_t *fault,     \
                                const weir_attempt_t *a)                                                                    \
    { return (void)b, weir_lease_retry(&s->lease, r, fault, a); }
#define WEIR_KIT_CALLBACKS                                                                                                  \
    .service_backend = weir_kit_backend_, .checkin_service = weir_kit_checkin_, .additional_headers = weir_kit_headers_,     \
    .error_page = weir_kit_page_,                                                                                           \
    .terminate = weir_kit_terminate_, .log = weir_kit_log_, .abandoned = weir_kit_abandoned_, .answered = weir_kit_answered_, \
    .retry_request = weir_kit_retry_
/* clang-format on */

/** The kit of the request's router, as WEIR_KIT_DEFINE() has made it. */
static inline weir_kit_t *weir_kit_of(const weir_request_t *request)
{
    return (weir_kit_t *)weir_request_shared(request);
}

#endif
