/* SPDX-License-Identifier: MIT */
#ifndef WEIR_ROUTER_H
#define WEIR_ROUTER_H 
#include "weir_attempt.h"
#include "weir_backend_tls.h"
#include "weir_config.h"
#include "weir_types.h"
WEIR_C_BEGIN
#define WEIR_ROUTER_ABI 7
typedef struct weir_q_init weir_q_init_t;
typedef struct weir_q_lookup weir_q_lookup_t;
typedef struct weir_q_checkout weir_q_checkout_t;
typedef struct weir_q_backend weir_q_backend_t;
typedef struct weir_q_checkin weir_q_checkin_t;
typedef struct weir_q_page weir_q_page_t;
typedef struct weir_answer {
    uint32_t seal_;
} weir_answer_t;
WEIR_API weir_answer_t weir_init_done(weir_q_init_t *q);
WEIR_API weir_answer_t weir_init_refuse(weir_q_init_t *q, const weir_fault_t *fault);
WEIR_API void weir_init_header(weir_q_init_t *q, weir_span_t name, weir_span_t value);
WEIR_API weir_answer_t weir_init_respond(weir_q_init_t *q, uint16_t status, weir_span_t body);
WEIR_API weir_answer_t weir_lookup_found(weir_q_lookup_t *q, weir_group_t *group);
WEIR_API weir_answer_t weir_lookup_redirect(weir_q_lookup_t *q, weir_span_t domain);
WEIR_API weir_answer_t weir_lookup_refuse(weir_q_lookup_t *q, const weir_fault_t *fault);
WEIR_API weir_answer_t weir_checkout_pick(weir_q_checkout_t *q, weir_service_t *service);
WEIR_API weir_answer_t weir_checkout_refuse(weir_q_checkout_t *q, const weir_fault_t *fault);
WEIR_API weir_answer_t weir_checkout_again(weir_q_checkout_t *q, uint32_t wait_ms);
WEIR_API weir_answer_t weir_backend_at(weir_q_backend_t *q, const char *host, uint16_t port);
WEIR_API weir_answer_t weir_backend_at_path(weir_q_backend_t *q, const char *path);
WEIR_API weir_answer_t weir_backend_at_endpoint(weir_q_backend_t *q, const weir_endpoint_t *endpoint);
WEIR_API weir_answer_t weir_checkin_done(weir_q_checkin_t *q);
WEIR_API weir_answer_t weir_page_send(weir_q_page_t *q);
WEIR_API weir_answer_t weir_later_(void *question);
WEIR_API weir_answer_t weir_later_until_(void *question, uint32_t wait_ms, const weir_fault_t *overdue);
enum { WEIR_LATER_MOST_MS = 86400000 };
WEIR_C_END
#ifdef __cplusplus
#define WEIR_LATER_OF_(type) \
    static inline weir_answer_t weir_later(type *q) \
    { \
        return weir_later_(q); \
    } \
    static inline weir_answer_t weir_later_until(type *q, uint32_t wait_ms, const weir_fault_t *overdue) \
    { \
        return weir_later_until_(q, wait_ms, overdue); \
    }
WEIR_LATER_OF_(weir_q_init_t)
WEIR_LATER_OF_(weir_q_lookup_t)
WEIR_LATER_OF_(weir_q_checkout_t)
WEIR_LATER_OF_(weir_q_backend_t)
WEIR_LATER_OF_(weir_q_checkin_t)
WEIR_LATER_OF_(weir_q_page_t)
#else
#define WEIR_QUESTION_(q) \
    _Generic((q), \
        weir_q_init_t *: (void *)(q), weir_q_lookup_t *: (void *)(q), \
        weir_q_checkout_t *: (void *)(q), weir_q_backend_t *: (void *)(q), \
        weir_q_checkin_t *: (void *)(q), weir_q_page_t *: (void *)(q))
#define weir_later(q) weir_later_(WEIR_QUESTION_(q))
#define weir_later_until(q,wait_ms,overdue) weir_later_until_(WEIR_QUESTION_(q), (wait_ms), (overdue))
#endif
WEIR_C_BEGIN
typedef enum weir_phase {
    WEIR_LOOKUP = 0,
    WEIR_CHECKOUT = 1,
    WEIR_CONNECTING = 2,
    WEIR_CONNECTED = 3,
} weir_phase_t;
typedef enum weir_feature { WEIR_DEEP_CONTINUE = 0, WEIR_PEER_PORT = 1 } weir_feature_t;
typedef enum weir_way { WEIR_TO_BACKEND = 0, WEIR_TO_CLIENT = 1 } weir_way_t;
typedef enum weir_gone { WEIR_GONE_CLIENT = 0, WEIR_GONE_DEADLINE = 1, WEIR_GONE_SHUTDOWN = 2 } weir_gone_t;
WEIR_API void weir_lookup_name(weir_q_lookup_t *q, weir_span_t app);
WEIR_API weir_phase_t weir_checkin_phase(const weir_q_checkin_t *q);
WEIR_API const weir_fault_t *weir_checkin_fault(const weir_q_checkin_t *q);
WEIR_API weir_group_t *weir_checkin_group(const weir_q_checkin_t *q);
WEIR_API const weir_attempt_t *weir_checkin_attempt(const weir_q_checkin_t *q);
WEIR_API void weir_backend_keepalive(weir_q_backend_t *q, weir_keepalive_t how);
WEIR_API void weir_backend_protocol(weir_q_backend_t *q, weir_protocol_t protocol);
WEIR_API void weir_backend_use_tls(weir_q_backend_t *q, weir_backend_tls_t *tls);
WEIR_API void weir_backend_use_fastcgi(weir_q_backend_t *q, const weir_fastcgi_t *fastcgi);
WEIR_API void weir_backend_name(weir_q_backend_t *q, weir_span_t name);
WEIR_API void weir_backend_target(weir_q_backend_t *q, weir_span_t target);
WEIR_API void weir_backend_try_timeout(weir_q_backend_t *q, uint32_t ms);
WEIR_API void weir_backend_hold_body(weir_q_backend_t *q, size_t bytes);
enum { WEIR_HOLD_BODY_MOST = 1048576 };
WEIR_API void weir_page_status(weir_q_page_t *q, uint16_t status);
WEIR_API void weir_page_header(weir_q_page_t *q, weir_span_t name, weir_span_t value);
WEIR_API void weir_page_body(weir_q_page_t *q, weir_span_t body);
WEIR_API weir_group_t *weir_page_group(const weir_q_page_t *q);
WEIR_API bool weir_header_is_settable(weir_span_t name, weir_span_t value);
WEIR_API void weir_header_put(weir_header_sink_t *sink, weir_span_t name, weir_span_t value);
WEIR_API void weir_header_unset(weir_header_sink_t *sink, weir_span_t name);
WEIR_API weir_span_t weir_header_get(const weir_header_sink_t *sink, weir_span_t name);
WEIR_API void weir_header_add(weir_header_sink_t *sink, weir_span_t name, weir_span_t value);
WEIR_API void weir_log_field(weir_log_sink_t *sink, weir_span_t name, weir_span_t value);
WEIR_API void weir_describe(weir_description_t *description, weir_span_t key, weir_span_t value);
typedef struct weir_router {
    size_t size;
    const char *name;
    size_t state_size;
    weir_answer_t (*init)(weir_state_t *, const weir_request_t *, weir_shared_t *, weir_q_init_t *);
    weir_answer_t (*lookup_domain_name)(weir_state_t *, const weir_request_t *, weir_span_t domain, weir_q_lookup_t *);
    weir_answer_t (*checkout_service)(weir_state_t *, const weir_request_t *, weir_group_t *, weir_q_checkout_t *);
    weir_answer_t (*service_backend)(weir_state_t *, const weir_request_t *, weir_service_t *, weir_q_backend_t *);
    weir_answer_t (*checkin_service)(weir_state_t *, const weir_request_t *, weir_service_t *, weir_q_checkin_t *);
    weir_answer_t (*error_page)(weir_state_t *, const weir_request_t *, const weir_fault_t *, weir_q_page_t *);
    bool (*feature)(weir_state_t *, const weir_request_t *, weir_feature_t);
    void (*additional_headers)(weir_state_t *, const weir_request_t *, weir_way_t, weir_header_sink_t *);
    void (*terminate)(weir_state_t *, const weir_request_t *, const weir_fault_t *fault);
    void (*log)(weir_state_t *, const weir_request_t *, const weir_fault_t *fault, weir_log_sink_t *sink);
    void (*abandoned)(weir_state_t *, const weir_request_t *, weir_gone_t why);
    void (*answered)(weir_state_t *, const weir_request_t *, weir_service_t *, const weir_attempt_t *);
    bool (*retry_request)(weir_state_t *, const weir_request_t *, weir_service_t *, const weir_fault_t *,
                          const weir_attempt_t *);
    void (*describe_group)(weir_shared_t *, const weir_group_t *, weir_description_t *);
    void (*describe_service)(weir_shared_t *, const weir_service_t *, weir_description_t *);
    bool needs_no_response;
} weir_router_t;
#define WEIR_ROUTER(name_) .size = sizeof(weir_router_t), .name = (name_)
WEIR_C_END
#endif
