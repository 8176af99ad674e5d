/* SPDX-License-Identifier: MIT */
#ifndef WEIR_ROUTER_H
#define WEIR_ROUTER_H
/**
 * @file
 * The questions a proxy asks about a request, and the ways a router may answer.
 *
 *   init ─ lookup_domain_name ─┬► checkout_service ─ service_backend ─ (connect) ─ (relay) ─ answered
 *                              └─ checkin_service ◄─ connecting failed ─┘  └─ retry_request: again
 *   checkin_service ─ log ─ terminate      feature, additional_headers, error_page, abandoned: on the way
 *
 * ORDER    One request has at most one open question. No callback runs inside an answer function.
 * ONCE     Answer each question once, now or later. A second answer is ignored and logged, however late it comes.
 * THREADS  Callbacks run on the request's thread. Answers may come from any thread.
 * TIME     A question open longer than weir.router-timeout, or than weir_later_until() says, costs the client a 503; the
 *          question itself stays open, and terminate waits for your answer. abandoned tells you that nobody else does.
 * MEMORY   Spans and requests are borrowed until the open question is answered. Spans you pass in are copied. shared, group and
 *          service are yours; state is the proxy's, zeroed.
 * BALANCE  Every service given to weir_checkout_pick() comes back in exactly one checkin_service.
 * MISTAKES cost the request, not the proxy: a 500 (router_bad_answer), and a line that names router, callback and request.
 * REPLAY   Take time and randomness from weir_request.h, so that a recorded request can be replayed.
 */
#include "weir_attempt.h"
#include "weir_backend_tls.h"
#include "weir_config.h"
#include "weir_types.h"

WEIR_C_BEGIN

/** Grows by one whenever something is appended below. Compare with `weir version`. */
#define WEIR_ROUTER_ABI 7

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
/** init: end here with `fault`, which has a name and lives at least as long as the router. */
WEIR_API weir_answer_t weir_init_refuse(weir_q_init_t *q, const weir_fault_t *fault);
/** Adds a header to the response of weir_init_respond(); names that are no tokens, and framing headers, are left out. */
WEIR_API void weir_init_header(weir_q_init_t *q, weir_span_t name, weir_span_t value);
/**
 * init: answer the whole request with `status` (200 … 599, else it is a mistake) and `body`. The router hears nothing more of
 * this request: no other callback runs, not even checkin_service, log or terminate.
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
/** checkout: nobody yet. Asked again in `wait_ms` (1 … WEIR_LATER_MOST_MS); until then no question is open. Since ABI 7. */
WEIR_API weir_answer_t weir_checkout_again(weir_q_checkout_t *q, uint32_t wait_ms);
/**
 * backend: the service lives at `host`: an IPv4 or IPv6 address (brackets allowed) or a name, which is resolved in the
 * background. An address that is none counts as a failed connect (backend_bad_address).
 */
WEIR_API weir_answer_t weir_backend_at(weir_q_backend_t *q, const char *host, uint16_t port);
/** backend: the service listens on the unix socket `path` (at most 107 bytes). */
WEIR_API weir_answer_t weir_backend_at_path(weir_q_backend_t *q, const char *path);
/** backend: a place that was read once (weir_endpoint.h). Until this request's terminate it must stay. */
WEIR_API weir_answer_t weir_backend_at_endpoint(weir_q_backend_t *q, const weir_endpoint_t *endpoint);
WEIR_API weir_answer_t weir_checkin_done(weir_q_checkin_t *q);
/** error_page: send what was set on the question. */
WEIR_API weir_answer_t weir_page_send(weir_q_page_t *q);

WEIR_API weir_answer_t weir_later_(void *question);
WEIR_API weir_answer_t weir_later_until_(void *question, uint32_t wait_ms, const weir_fault_t *overdue);
enum { WEIR_LATER_MOST_MS = 86400000 };

WEIR_C_END

/**
 * weir_later(q): "I promise to answer q later." Takes any question, and nothing but a question.
 * weir_later_until(q, wait_ms, overdue): the same, in 1 … WEIR_LATER_MOST_MS ms; in place of weir.router-timeout that counts,
 * and then the client gets `overdue` in place of router_timeout. Both are what a callback returns.
 */
#ifdef __cplusplus
#define WEIR_LATER_OF_(type)                                                                                                   \
    static inline weir_answer_t weir_later(type *q)                                                                            \
    {                                                                                                                          \
        return weir_later_(q);                                                                                                 \
    }                                                                                                                          \
    static inline weir_answer_t weir_later_until(type *q, uint32_t wait_ms, const weir_fault_t *overdue)                       \
    {                                                                                                                          \
        return weir_later_until_(q, wait_ms, overdue);                                                                         \
    }
WEIR_LATER_OF_(weir_q_init_t)
WEIR_LATER_OF_(weir_q_lookup_t)
WEIR_LATER_OF_(weir_q_checkout_t)
WEIR_LATER_OF_(weir_q_backend_t)
WEIR_LATER_OF_(weir_q_checkin_t)
WEIR_LATER_OF_(weir_q_page_t)
#else
/* clang-format off */
#define WEIR_QUESTION_(q)                                                                           \
    _Generic((q),                                                                                   \
        weir_q_init_t *: (void *)(q), weir_q_lookup_t *: (void *)(q),                                \
        weir_q_checkout_t *: (void *)(q), weir_q_backend_t *: (void *)(q),                           \
        weir_q_checkin_t *: (void *)(q), weir_q_page_t *: (void *)(q))
/* clang-format on */
#define weir_later(q) weir_later_(WEIR_QUESTION_(q))
#define weir_later_until(q, wait_ms, overdue) weir_later_until_(WEIR_QUESTION_(q), (wait_ms), (overdue))
#endif

WEIR_C_BEGIN

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
/** Why nobody waits for an answer any more. */
typedef enum weir_gone { WEIR_GONE_CLIENT = 0, WEIR_GONE_DEADLINE = 1, WEIR_GONE_SHUTDOWN = 2 } weir_gone_t;

/** The application's name, for logs, metrics and weir_request_app(). Default: what describe_group says. */
WEIR_API void weir_lookup_name(weir_q_lookup_t *q, weir_span_t app);

WEIR_API weir_phase_t weir_checkin_phase(const weir_q_checkin_t *q);
/** Why it ended, or why connecting or relaying failed; NULL: it ended well. */
WEIR_API const weir_fault_t *weir_checkin_fault(const weir_q_checkin_t *q);
/** NULL before a lookup. */
WEIR_API weir_group_t *weir_checkin_group(const weir_q_checkin_t *q);
/** How the request fared with this service; NULL in the closing call of a request that holds none. Until the answer. */
WEIR_API const weir_attempt_t *weir_checkin_attempt(const weir_q_checkin_t *q);

/** Default: WEIR_CLOSE. */
WEIR_API void weir_backend_keepalive(weir_q_backend_t *q, weir_keepalive_t how);
/** Default: WEIR_HTTP1. A value that this proxy does not know is a failed connect (backend_bad_address). */
WEIR_API void weir_backend_protocol(weir_q_backend_t *q, weir_protocol_t protocol);
/** backend: speak TLS. `tls` is the router's, and lives until the router is released. Default: NULL, none. */
WEIR_API void weir_backend_use_tls(weir_q_backend_t *q, weir_backend_tls_t *tls);
/** backend: speak FastCGI; `fastcgi` is borrowed until this request's terminate; NULL: there are no scripts. Since ABI 6. */
WEIR_API void weir_backend_use_fastcgi(weir_q_backend_t *q, const weir_fastcgi_t *fastcgi);
/** What logs call this service; default: what describe_service says, else its address. */
WEIR_API void weir_backend_name(weir_q_backend_t *q, weir_span_t name);
/** Path and query asked for; default: the request's target. Ignored: any without '/' first, or with spaces or controls. */
WEIR_API void weir_backend_target(weir_q_backend_t *q, weir_span_t target);
/**
 * How long this one attempt may take from the pick to the response's head; default: 0, no such limit. Then it has failed:
 * backend_connect_timeout while it connects, backend_timeout behind that.
 */
WEIR_API void weir_backend_try_timeout(weir_q_backend_t *q, uint32_t ms);
/**
 * Keep up to so many bytes of the request's body (at most WEIR_HOLD_BODY_MOST), so that it may be sent again: see
 * retry_request. Longer bodies pass as ever, and cannot. Costs their copy, and splice(2). Default: 0.
 */
WEIR_API void weir_backend_hold_body(weir_q_backend_t *q, size_t bytes);
enum { WEIR_HOLD_BODY_MOST = 1048576 };
/** 200 … 599; default: fault->status. */
WEIR_API void weir_page_status(weir_q_page_t *q, uint16_t status);
/** Adds a header; names that are no tokens, and framing headers, are left out. */
WEIR_API void weir_page_header(weir_q_page_t *q, weir_span_t name, weir_span_t value);
/** Default: a short text that names the reason. An empty span sends no body. */
WEIR_API void weir_page_body(weir_q_page_t *q, weir_span_t body);
/** The group of the request, or NULL before a lookup. */
WEIR_API weir_group_t *weir_page_group(const weir_q_page_t *q);

/**
 * Whether a router may set such a header: the name is a token, the value one line, and it is no framing or connection header.
 */
WEIR_API bool weir_header_is_settable(weir_span_t name, weir_span_t value);
/** Replaces every header of this name, or adds one. Left out: what is not settable. */
WEIR_API void weir_header_put(weir_header_sink_t *sink, weir_span_t name, weir_span_t value);
/** Removes every header of this name. Framing and connection headers stay. */
WEIR_API void weir_header_unset(weir_header_sink_t *sink, weir_span_t name);
/** The value of the first header of this name as it stands now; base is NULL if there is none. */
WEIR_API weir_span_t weir_header_get(const weir_header_sink_t *sink, weir_span_t name);
/** Adds a header behind all others and leaves those of this name alone: a Set-Cookie beside the backend's. No second Host. */
WEIR_API void weir_header_add(weir_header_sink_t *sink, weir_span_t name, weir_span_t value);
/**
 * Adds `name=value` at the end of the request's access line, the value quoted if it has to be. Left out: a name that is no
 * token of at most 63 characters, every field of the router's beyond the sixteenth, and all of them if no access log is
 * written.
 */
WEIR_API void weir_log_field(weir_log_sink_t *sink, weir_span_t name, weir_span_t value);
/** Says something of a group or a service, once for each `key`. What the proxy shows of it so far: "name". */
WEIR_API void weir_describe(weir_description_t *description, weir_span_t key, weir_span_t value);

/** A router. Members are only ever appended; a NULL member means the default stated here. */
typedef struct weir_router {
    size_t size;       /* sizeof(weir_router_t) as the router was compiled         */
    const char *name;  /* static                                                 */
    size_t state_size; /* zeroed bytes of weir_state_t per request; 0: state NULL */

    /** Default: done. */
    weir_answer_t (*init)(weir_state_t *, const weir_request_t *, weir_shared_t *, weir_q_init_t *);
    /** Required. domain is lower-case, without port; empty if an HTTP/1.0 request names none. */
    weir_answer_t (*lookup_domain_name)(weir_state_t *, const weir_request_t *, weir_span_t domain, weir_q_lookup_t *);
    /** Required. Again after a failed connect, retry_request, weir_checkout_again(): remember what you have tried. */
    weir_answer_t (*checkout_service)(weir_state_t *, const weir_request_t *, weir_group_t *, weir_q_checkout_t *);
    /** Required. */
    weir_answer_t (*service_backend)(weir_state_t *, const weir_request_t *, weir_service_t *, weir_q_backend_t *);
    /** Default: done. service is NULL in the closing call of a request that picked none. */
    weir_answer_t (*checkin_service)(weir_state_t *, const weir_request_t *, weir_service_t *, weir_q_checkin_t *);
    /** Default: fault->status and a short text. Not asked after a router timeout. */
    weir_answer_t (*error_page)(weir_state_t *, const weir_request_t *, const weir_fault_t *, weir_q_page_t *);
    /** Default: false. Answered on the spot; never block. */
    bool (*feature)(weir_state_t *, const weir_request_t *, weir_feature_t);
    /**
     * Default: none. Once for each attempt to relay, and for the backend's final response or its 101. On the spot; never block.
     */
    void (*additional_headers)(weir_state_t *, const weir_request_t *, weir_way_t, weir_header_sink_t *);
    /** Default: nothing. The last call with this state. fault is NULL if all went well. */
    void (*terminate)(weir_state_t *, const weir_request_t *, const weir_fault_t *fault);
    /**
     * Default: nothing. Once per request, before terminate, when its access line is written or would be. A request that is
     * answered while this router owes it an answer has its line at once, without these fields: then sink drops them.
     */
    void (*log)(weir_state_t *, const weir_request_t *, const weir_fault_t *fault, weir_log_sink_t *sink);
    /**
     * Default: nothing. Nobody waits for the open question any more: answer it soon, in this call if you like. The one callback
     * that runs while a question is open: guard what another thread of yours is doing with this state. Not called if the answer
     * is there already; the one that is on its way is dropped without a line, and a service picked in it is checked in with
     * WEIR_CHECKOUT. An open check-in outlives its client: it is told of the deadline and of the proxy's end alone.
     */
    void (*abandoned)(weir_state_t *, const weir_request_t *, weir_gone_t why);
    /** Default: nothing. The head of the backend's final response is there, or its 101. On the spot; never block. */
    void (*answered)(weir_state_t *, const weir_request_t *, weir_service_t *, const weir_attempt_t *);
    /**
     * Default: false. An attempt has failed behind the connect (`fault`), or the backend has answered with an error (fault
     * NULL, attempt->status 400 … 599), and attempt->may_repeat: true has the service checked in and checkout_service asked
     * again. What the proxy repeats by itself (once, and only where it is safe) it has tried before. On the spot; never block.
     */
    bool (*retry_request)(weir_state_t *, const weir_request_t *, weir_service_t *, const weir_fault_t *,
                          const weir_attempt_t *);
    /** Default: nothing. What logs and tools show of a group, of a service: weir_describe(). Any thread; never block. */
    void (*describe_group)(weir_shared_t *, const weir_group_t *, weir_description_t *);
    void (*describe_service)(weir_shared_t *, const weir_service_t *, weir_description_t *);
    /** Neither log nor terminate asks for the response's headers: they are not copied for them. Since ABI 7. */
    bool needs_no_response;
} weir_router_t;

#define WEIR_ROUTER(name_) .size = sizeof(weir_router_t), .name = (name_)

WEIR_C_END

#endif
