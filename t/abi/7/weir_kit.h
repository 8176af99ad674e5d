/* SPDX-License-Identifier: MIT */
#ifndef WEIR_KIT_H
#define WEIR_KIT_H 
#include "weir_explain.h"
#include "weir_host.h"
#include "weir_member.h"
#include "weir_request.h"
#include "weir_state.h"
#include "weir_worker.h"
WEIR_C_BEGIN
typedef struct weir_kit weir_kit_t;
typedef struct weir_lease {
    uint64_t opaque_[32];
} weir_lease_t;
typedef struct weir_kit_options {
    size_t size;
    const char *const *router_keys;
    const char *const *app_keys;
    bool (*read_app)(void *context, weir_span_t app, const weir_config_t *node, const weir_config_t *defaults,
                     void **out_extra);
    void (*free_app)(void *extra);
    bool (*needs_no_backends)(const void *extra);
    void *context;
    bool (*is_same_app)(const void *extra, const void *other);
} weir_kit_options_t;
WEIR_API weir_kit_t *weir_kit_open(const weir_config_t *config, const weir_kit_options_t *options);
WEIR_API void weir_kit_start(weir_kit_t *kit, weir_instance_t *instance);
WEIR_API void weir_kit_show(const weir_kit_t *kit, const weir_config_t *config, weir_show_t *show);
WEIR_API bool weir_kit_admin(weir_kit_t *kit, weir_admin_call_t *call);
WEIR_API void weir_kit_explain(weir_kit_t *kit, const weir_request_t *request, weir_explain_t *explain);
WEIR_API void weir_kit_metrics(const weir_kit_t *kit, weir_metric_sink_t *sink);
WEIR_API uint16_t weir_kit_worker(weir_kit_t *kit, const weir_worker_claim_t *claim, char *why, size_t why_bytes);
WEIR_API void weir_kit_workers(weir_kit_t *kit, weir_span_t app);
WEIR_API bool weir_kit_state(weir_kit_t *kit, const weir_state_app_t *app, char *why, size_t why_bytes);
WEIR_API void weir_kit_stop(weir_kit_t *kit);
WEIR_API void weir_kit_close(weir_kit_t **kit);
WEIR_API weir_set_t *weir_kit_find(const weir_kit_t *kit, weir_span_t host, weir_span_t path, void **out_extra);
WEIR_API weir_set_t *weir_kit_set(const weir_kit_t *kit, weir_span_t app, void **out_extra);
WEIR_API weir_span_t weir_set_name(const weir_set_t *set);
WEIR_API void weir_set_pause(weir_set_t *set, uint32_t max_ms);
WEIR_API void weir_set_resume(weir_set_t *set, uint32_t spread_ms);
WEIR_API void weir_set_stop(weir_set_t *set);
WEIR_API uint64_t weir_set_in_flight(const weir_set_t *set);
WEIR_API uint32_t weir_set_waiting(const weir_set_t *set);
WEIR_API void weir_lease_found(weir_lease_t *lease, const weir_kit_t *kit, const weir_request_t *request);
WEIR_API weir_answer_t weir_lease_checkout(weir_lease_t *lease, weir_set_t *set, const weir_request_t *request,
                                           weir_q_checkout_t *q);
WEIR_API void weir_lease_explain(weir_lease_t *lease, weir_set_t *set, const weir_request_t *request, weir_explain_t *explain);
WEIR_API weir_answer_t weir_lease_backend(weir_lease_t *lease, const weir_request_t *request, weir_q_backend_t *q);
WEIR_API void weir_lease_answered(weir_lease_t *lease, const weir_request_t *request, const weir_attempt_t *attempt);
WEIR_API weir_answer_t weir_lease_checkin(weir_lease_t *lease, const weir_request_t *request, weir_q_checkin_t *q);
WEIR_API bool weir_lease_retry(weir_lease_t *lease, const weir_request_t *request, const weir_fault_t *fault,
                               const weir_attempt_t *attempt);
WEIR_API void weir_lease_abandoned(weir_lease_t *lease, const weir_request_t *request);
WEIR_API void weir_lease_headers(weir_lease_t *lease, const weir_request_t *request, weir_way_t way, weir_header_sink_t *sink);
WEIR_API void weir_lease_page(const weir_lease_t *lease, const weir_request_t *request, const weir_fault_t *fault,
                              weir_q_page_t *q);
WEIR_API void weir_lease_log(const weir_lease_t *lease, weir_log_sink_t *sink);
WEIR_API void weir_lease_end(weir_lease_t *lease);
WEIR_API void weir_lease_prefer(weir_lease_t *lease, const weir_member_t *member);
WEIR_API void weir_lease_filter(weir_lease_t *lease, bool (*may)(const weir_member_t *member, void *context), void *context);
WEIR_API void weir_lease_hash(weir_lease_t *lease, weir_span_t key);
WEIR_C_END
#include "weir_kit_define.h"
#endif
