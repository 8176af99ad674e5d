/* SPDX-License-Identifier: MIT */
#ifndef WEIR_ROUTER_H
#define WEIR_ROUTER_H
/**
 * @file
 * The nine questions a proxy asks about a request, and the ways a router may answer.
 *
 *   init ─ lookup_domain_name ─┬► checkout_service ─ service_backend ─ (connect)
 *                              └─ checkin_service ◄─ connecting failed ─┘
 *   (relay) ─ checkin_service ─ log ─ terminate      feature, additional_headers, error_page: on the way
 *
 * ORDER    One request has at most one open question. No callback runs inside an answer function.
 * ONCE     Answer each question once, now or later. A second answer is ignored and logged.
 * THREADS  Callbacks run on the request's thread. Answers may come from any thread.
 * TIME     A question open longer than weir.router-timeout costs the client a 503; the question
 *          itself stays open, and terminate waits for your answer.
 * MEMORY   Spans and requests are borrowed until the open question is answered. Spans you pass
 *          in are copied. shared, group and service are yours; state is the proxy's, zeroed.
 * BALANCE  Every service given to weir_checkout_pick() comes back in exactly one checkin_service.
 * REPLAY   Take time and randomness from weir_request.h, so that a recorded request can be replayed.
 */
#include "weir_backend_tls.h"
#include "weir_types.h"

/** Grows by one whenever something is appended below. Compare with `weir version`. */
#define WEIR_ROUTER_ABI 4

/* ── Questions: one type each, so that answering the wrong one does not compile. ── */
typedef struct weir_q_init weir_q_init_t;
typedef struct weir_q_lookup weir_q_lookup_t;
typedef struct weir_q_checkout weir_q_checkout_t;
typedef struct weir_q_backend weir_q_backend_t;
typedef struct weir_q_checkin weir_q_checkin_t;
typedef struct weir_q_page weir_q_page_t;

/** Proof of an answer, or of a promise. Only the functions below make one: none is forgotten. */
typedef struct weir_answer {
    uint32_t seal_;
} weir_answer_t;

/* Each may be called from any thread, inside the callback or later, once per question. None fails. */

/** init: go on. */
WEIR_API weir_answer_t weir_init_done(weir_q_init_t *q);
/** init: end here with `fault`, which lives at least as long as the router. */
WEIR_API weir_answer_t weir_init_refuse(weir_q_init_t *q, const weir_fault_t *fault);
/** Adds a header to the response of weir_init_respond(); names that are no tokens, and framing headers, are left out. */
WEIR_API void weir_init_header(weir_q_init_t *q, weir_span_t name, weir_span_t value);
/**
 * init: answer the whole request with `status` (200 … 599, else it is a 500 and router_bad_answer) and `body`. The router hears
 * nothing more of this request: no other callback runs, not even checkin_service, log or terminate.
 */
WEIR_API weir_answer_t weir_init_respond(weir_q_init_t *q, uint16_t status, weir_span_t body);
/** lookup: the domain stands for `group`, which may be NULL. */
WEIR_API weir_answer_t weir_lookup_found(weir_q_lookup_t *q, weir_group_t *group);
/** lookup: answer 301 to the same path on `domain` (host or host:port). */
WEIR_API weir_answer_t weir_lookup_redirect(weir_q_lookup_t *q, weir_span_t domain);
WEIR_API weir_answer_t weir_lookup_refuse(weir_q_lookup_t *q, const weir_fault_t *fault);
/** checkout: this service takes the request. It comes back in exactly one checkin_service. */
WEIR_API weir_answer_t weir_checkout_pick(weir_q_checkout_t *q, weir_service_t *service);
WEIR_API weir_answer_t weir_checkout_refuse(weir_q_checkout_t *q, const weir_fault_t *fault);
/**
 * backend: the service lives at `host`: an IPv4 or IPv6 address (brackets allowed) or a name, which is resolved in
 * the background. An address that is none counts as a failed connect (backend_bad_address).
 */
WEIR_API weir_answer_t weir_backend_at(weir_q_backend_t *q, const char *host, uint16_t port);
/** backend: the service listens on the unix socket `path` (at most 107 bytes). */
WEIR_API weir_answer_t weir_backend_at_path(weir_q_backend_t *q, const char *path);
WEIR_API weir_answer_t weir_checkin_done(weir_q_checkin_t *q);
/** error_page: send what was set on the question. */
WEIR_API weir_answer_t weir_page_send(weir_q_page_t *q);

/* clang-format off */
/** "I promise to answer q later." Takes any question, and nothing but a question. */
#define weir_later(q)                                                                               \
    weir_later_(_Generic((q),                                                                       \
        weir_q_init_t *: (void *)(q), weir_q_lookup_t *: (void *)(q),                                \
        weir_q_checkout_t *: (void *)(q), weir_q_backend_t *: (void *)(q),                           \
        weir_q_checkin_t *: (void *)(q), weir_q_page_t *: (void *)(q)))
WEIR_API weir_answer_t weir_later_(void *question);
/* clang-format on */

/* ── What a question knows, and what may be set on it before it is answered. ── */

/** How far the request had come when its service is checked in. */
typedef enum weir_phase {
    WEIR_LOOKUP = 0,     /* no group                                   */
    WEIR_CHECKOUT = 1,   /* a group, no connection                     */
    WEIR_CONNECTING = 2, /* this service could not be connected to     */
    WEIR_CONNECTED = 3,  /* this service was connected to              */
} weir_phase_t;

typedef enum weir_feature { WEIR_DEEP_CONTINUE = 0, WEIR_PEER_PORT = 1 } weir_feature_t;
typedef enum weir_way { WEIR_TO_BACKEND = 0, WEIR_TO_CLIENT = 1 } weir_way_t;

WEIR_API weir_phase_t weir_checkin_phase(const weir_q_checkin_t *q);
/** Why it ended, or why connecting failed; NULL: it ended well. */
WEIR_API const weir_fault_t *weir_checkin_fault(const weir_q_checkin_t *q);
/** NULL before a lookup. */
WEIR_API weir_group_t *weir_checkin_group(const weir_q_checkin_t *q);

/** Default: WEIR_CLOSE. */
WEIR_API void weir_backend_keepalive(weir_q_backend_t *q, weir_keepalive_t how);
/** Default: WEIR_HTTP1. A value that this proxy does not know is a failed connect (backend_bad_address). Since ABI 2. */
WEIR_API void weir_backend_protocol(weir_q_backend_t *q, weir_protocol_t protocol);
/** backend: speak TLS. `tls` is the router's, and lives until the router is released. Default: NULL, none. Since ABI 3. */
WEIR_API void weir_backend_use_tls(weir_q_backend_t *q, weir_backend_tls_t *tls);
/** What logs call this service; default: its address. */
WEIR_API void weir_backend_name(weir_q_backend_t *q, weir_span_t name);
/**
 * The path and query that this service is asked for; default: the request's target. What does not begin with '/', or holds a
 * space or a control character, is left out. Since ABI 3.
 */
WEIR_API void weir_backend_target(weir_q_backend_t *q, weir_span_t target);
/** 200 … 599; default: fault->status. */
WEIR_API void weir_page_status(weir_q_page_t *q, uint16_t status);
/** Adds a header; names that are no tokens, and framing headers, are left out. */
WEIR_API void weir_page_header(weir_q_page_t *q, weir_span_t name, weir_span_t value);
/** Default: a short text that names the reason. An empty span sends no body. */
WEIR_API void weir_page_body(weir_q_page_t *q, weir_span_t body);
/** The group of the request, or NULL before a lookup. */
WEIR_API weir_group_t *weir_page_group(const weir_q_page_t *q);
/** Replaces every header of this name, or adds one. Framing and connection headers are left out. */
WEIR_API void weir_header_put(weir_header_sink_t *sink, weir_span_t name, weir_span_t value);
/** Removes every header of this name. Framing and connection headers stay. Since ABI 3. */
WEIR_API void weir_header_unset(weir_header_sink_t *sink, weir_span_t name);
/** The value of the first header of this name as it stands now; base is NULL if there is none. Since ABI 3. */
WEIR_API weir_span_t weir_header_get(const weir_header_sink_t *sink, weir_span_t name);
/**
 * Adds a header behind all others and leaves those of this name alone: a Set-Cookie beside the backend's. Left out is what
 * weir_header_put() leaves out, and Host, of which there is one. Since ABI 2.
 */
WEIR_API void weir_header_add(weir_header_sink_t *sink, weir_span_t name, weir_span_t value);
/**
 * Adds `name=value` at the end of the request's access line, the value quoted if it has to be. Left out: a name that is no
 * token of at most 63 characters, every field beyond the sixteenth, and all of them if no access log is written.
 */
WEIR_API void weir_log_field(weir_log_sink_t *sink, weir_span_t name, weir_span_t value);

/**
 * A router. Members are only ever appended; a NULL member means the default stated here.
 * size lets a newer proxy serve an older router: members beyond it read as NULL.
 */
typedef struct weir_router {
    size_t size;       /* sizeof(weir_router_t) as the router was compiled        */
    const char *name;  /* static                                                 */
    size_t state_size; /* zeroed bytes of weir_state_t per request; 0: state NULL */

    /** Default: done. */
    weir_answer_t (*init)(weir_state_t *, const weir_request_t *, weir_shared_t *, weir_q_init_t *);
    /** Required. domain is lower-case, without port. */
    weir_answer_t (*lookup_domain_name)(weir_state_t *, const weir_request_t *, weir_span_t domain, weir_q_lookup_t *);
    /** Required. Asked again after each failed connect: remember what you have tried. */
    weir_answer_t (*checkout_service)(weir_state_t *, const weir_request_t *, weir_group_t *, weir_q_checkout_t *);
    /** Required. */
    weir_answer_t (*service_backend)(weir_state_t *, const weir_request_t *, weir_service_t *, weir_q_backend_t *);
    /** Default: done. service is NULL in the closing call of a request that picked none. */
    weir_answer_t (*checkin_service)(weir_state_t *, const weir_request_t *, weir_service_t *, weir_q_checkin_t *);
    /** Default: fault->status and a short text. Not asked after a router timeout. */
    weir_answer_t (*error_page)(weir_state_t *, const weir_request_t *, const weir_fault_t *, weir_q_page_t *);
    /** Default: false. Answered on the spot; never block. */
    bool (*feature)(weir_state_t *, const weir_request_t *, weir_feature_t);
    /** Default: none. Answered on the spot; never block. */
    void (*additional_headers)(weir_state_t *, const weir_request_t *, weir_way_t, weir_header_sink_t *);
    /** Default: nothing. The last call with this state. fault is NULL if all went well. */
    void (*terminate)(weir_state_t *, const weir_request_t *, const weir_fault_t *fault);
    /** Default: nothing. Once per request, before terminate, when its access line is written or would be. */
    void (*log)(weir_state_t *, const weir_request_t *, const weir_fault_t *fault, weir_log_sink_t *sink);
} weir_router_t;

#define WEIR_ROUTER(name_) .size = sizeof(weir_router_t), .name = (name_)

/* ── A loadable module exports `const weir_router_t weir_router`, and may export the two below. ── */

/** A node of the YAML that stands under weir.router. Borrowed until configure returns. */
typedef struct weir_config weir_config_t;
typedef enum weir_config_kind {
    WEIR_CONFIG_NONE = 0,
    WEIR_CONFIG_SCALAR = 1,
    WEIR_CONFIG_LIST = 2,
    WEIR_CONFIG_MAP = 3,
} weir_config_kind_t;

/** Every function below takes NULL as a node of kind NONE. */
WEIR_API weir_config_kind_t weir_config_kind(const weir_config_t *node);
/** The text of a scalar, else NULL. Lives until configure returns. */
WEIR_API const char *weir_config_text(const weir_config_t *node);
/** How many entries a list or map has, else 0. */
WEIR_API size_t weir_config_count(const weir_config_t *node);
/** Entry `index` of a list, or the value of entry `index` of a map; NULL if there is none. */
WEIR_API const weir_config_t *weir_config_at(const weir_config_t *node, size_t index);
/** The key of entry `index` of a map; NULL if there is none. */
WEIR_API const weir_config_t *weir_config_key(const weir_config_t *node, size_t index);
/** The value of `name` in a map; NULL if there is none. */
WEIR_API const weir_config_t *weir_config_get(const weir_config_t *node, const char *name);
/** Complains about `node`: "file:line: text" on standard error. Returns false, for `return weir_config_wrong(…)`. */
WEIR_API bool weir_config_wrong(const weir_config_t *node, const char *format, ...) __attribute__((format(printf, 2, 3)));

/**
 * Called once for each instance, before its first request and on a thread that serves none, with the mapping under weir.router
 * (the key `module` included), or with a node of kind NONE in the short form. May set *out_shared, which every init of this
 * router then gets. Returns false after weir_config_wrong(): the proxy does not start, or a reload leaves all as it is.
 */
typedef bool weir_router_configure_t(const weir_config_t *config, weir_shared_t **out_shared);
/**
 * Called once after the last request with what configure had set; then the module is unloaded. No thread of its own may be
 * left.
 */
typedef void weir_router_release_t(weir_shared_t *shared);

#endif
