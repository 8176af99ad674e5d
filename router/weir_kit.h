/* SPDX-License-Identifier: MIT */
#ifndef WEIR_KIT_H
#define WEIR_KIT_H
/**
 * @file  Routing for routers: apps by domain and path, and for each app a set of members of which one is chosen by load,
 * health, weight and what you say of it. The router `table` is made of nothing else.
 *
 *   configure  weir_kit_open      reads the mapping under weir.router: `apps`, `defaults`, `name`
 *   start      weir_kit_start     what was read becomes what is: members that are known already keep what is known of them
 *   a request  weir_kit_find ─ weir_lease_checkout ─ _backend ─ _answered ─ _checkin ─ _log ─ weir_lease_end
 *   stop       weir_kit_stop
 *   release    weir_kit_close
 *
 * OWNER    A kit is one generation's; sets and members belong to the instance, which all generations of that name share.
 * THREAD   A lease: its request's. The others as they say.
 * REPLAY   What changes is read by functions; nothing of it lies open.
 */
#include "weir_explain.h"
#include "weir_host.h"
#include "weir_member.h"
#include "weir_request.h"
#include "weir_state.h"
#include "weir_worker.h"

WEIR_C_BEGIN

typedef struct weir_kit weir_kit_t; /* one configuration's hold of an instance */

/** One request's dealings with a set. It lies in your weir_state_t, zeroed. */
typedef struct weir_lease {
    uint64_t opaque_[32];
} weir_lease_t;

/* ── The instance. ── */

/** What a router reads of the configuration beside the kit. Members are only ever appended. */
typedef struct weir_kit_options {
    size_t size;                    /* sizeof(weir_kit_options_t)                                     */
    const char *const *router_keys; /* of the router's mapping; NULL-terminated; NULL: none            */
    const char *const *app_keys;    /* of an app's mapping                                            */
    /**
     * Reads them for one app: what its own mapping says, else what `defaults` (NULL: there are none) say. *out_extra is yours,
     * and is given to free_app in the end, also if false was returned. False after weir_config_wrong().
     */
    bool (*read_app)(void *context, weir_span_t app, const weir_config_t *node, const weir_config_t *defaults,
                     void **out_extra);
    void (*free_app)(void *extra);
    bool (*needs_no_backends)(const void *extra); /* an app that answers otherwise; NULL: all need them, or `hold` */
    void *context;
    /**
     * Whether two of one app say the same. An app of a source changes often, mostly its backends: what says the same stays, and
     * the newer one is given to free_app at once; any other stays as long as the configuration, since requests under way may
     * have it. NULL: none are the same. Since ABI 7.
     */
    bool (*is_same_app)(const void *extra, const void *other);
} weir_kit_options_t;

/**
 * In weir_router_configure: reads the mapping, with the keys of docs/routing.md. `options` NULL: no keys of your own. Nothing
 * is started, and nothing that runs changes. NULL after weir_config_wrong().
 */
WEIR_API weir_kit_t *weir_kit_open(const weir_config_t *config, const weir_kit_options_t *options);
/**
 * In weir_router_start: puts what was read in force. A member that is no longer named takes no more requests, and goes when the
 * last of them has ended. `instance` NULL: a program's own router, which shares nothing and has no ticks.
 */
WEIR_API void weir_kit_start(weir_kit_t *kit, weir_instance_t *instance);
/**
 * In weir_router_show: what holds for every app, and for each one what it says itself, with places; and warnings of what may
 * not be meant.
 */
WEIR_API void weir_kit_show(const weir_kit_t *kit, const weir_config_t *config, weir_show_t *show);
/**
 * In weir_router_admin: answers for the apps and their backends, as docs/admin.md says. False: the call is for nothing of the
 * kit's.
 */
WEIR_API bool weir_kit_admin(weir_kit_t *kit, weir_admin_call_t *call);
/**
 * In weir_router_explain: what would become of the request, by the app of its host and path. A router with rules of its own
 * says them to a lease first, as in its callbacks, and has that explained by weir_lease_explain().
 */
WEIR_API void weir_kit_explain(weir_kit_t *kit, const weir_request_t *request, weir_explain_t *explain);
/**
 * In weir_router_metrics: the kit's of docs/metrics.md, of all instances together; what a name has in several configurations is
 * told once.
 */
WEIR_API void weir_kit_metrics(const weir_kit_t *kit, weir_metric_sink_t *sink);
/** In weir_router_worker: whether it may register, as `workers` of its app says. weir_worker.h has the rest. */
WEIR_API uint16_t weir_kit_worker(weir_kit_t *kit, const weir_worker_claim_t *claim, char *why, size_t why_bytes);
/** In weir_router_workers: the app's workers are members of its set, as they are now. */
WEIR_API void weir_kit_workers(weir_kit_t *kit, weir_span_t app);
/** In weir_router_state: the app of a source, if `state: ON` stands in the kit's mapping. weir_state.h has the rest. */
WEIR_API bool weir_kit_state(weir_kit_t *kit, const weir_state_app_t *app, char *why, size_t why_bytes);
/** In weir_router_stop. Harmless if it was not started. */
WEIR_API void weir_kit_stop(weir_kit_t *kit);
/** In weir_router_release. Nulls the pointer; harmless on NULL. */
WEIR_API void weir_kit_close(weir_kit_t **kit);

/**
 * The set of a host (lower case, without port) and a path; NULL: there is none. *out_extra (NULL: not wanted) is what read_app
 * made of the app. Both stay until the request's terminate. In a callback.
 */
WEIR_API weir_set_t *weir_kit_find(const weir_kit_t *kit, weir_span_t host, weir_span_t path, void **out_extra);
/** The set of the app of that name, or NULL. */
WEIR_API weir_set_t *weir_kit_set(const weir_kit_t *kit, weir_span_t app, void **out_extra);
/** The app's name; stays as long as the set. */
WEIR_API weir_span_t weir_set_name(const weir_set_t *set);

/* ── What an operator says of an app. It holds over reloads. Any thread, but in no callback. ── */

/**
 * New requests wait, also those that waited for a member before, until weir_set_resume(); behind max_ms (1 … 86400000) they are
 * refused with `paused`. `queue` of the app says how many may wait. What is under way goes on, and may be sent again.
 */
WEIR_API void weir_set_pause(weir_set_t *set, uint32_t max_ms);
/**
 * They go on, in order, and by and by: `release-window` says how many at first. spread_ms: evenly in so long, besides; 0: as
 * fast as the answers come. Ends weir_set_stop(), too. Harmless if nothing was said.
 */
WEIR_API void weir_set_resume(weir_set_t *set, uint32_t spread_ms);
/** New requests, and those that wait, are refused with `maintenance`, until weir_set_resume(). */
WEIR_API void weir_set_stop(weir_set_t *set);
/** How many requests and tunnels its members have, those that leave included. */
WEIR_API uint64_t weir_set_in_flight(const weir_set_t *set);
/** How many requests wait. */
WEIR_API uint32_t weir_set_waiting(const weir_set_t *set);

/* ── A request: one call each in the callbacks of the same name. ── */

/**
 * In lookup_domain_name, behind weir_kit_find(), if you like: a client that weir.explain-trusted names is then told by what of
 * the app it was found, `rule=`. Does nothing for all others.
 */
WEIR_API void weir_lease_found(weir_lease_t *lease, const weir_kit_t *kit, const weir_request_t *request);
/** Chooses a member, or waits for one, or refuses. Asked again after a failed connect it takes another one. */
WEIR_API weir_answer_t weir_lease_checkout(weir_lease_t *lease, weir_set_t *set, const weir_request_t *request,
                                           weir_q_checkout_t *q);
/**
 * In weir_router_explain: what that would do, with a lease of your own (zeroed, and what you say of the choice). Takes nothing.
 * `set` NULL: there is no such app. The lease needs no weir_lease_end().
 */
WEIR_API void weir_lease_explain(weir_lease_t *lease, weir_set_t *set, const weir_request_t *request, weir_explain_t *explain);
WEIR_API weir_answer_t weir_lease_backend(weir_lease_t *lease, const weir_request_t *request, weir_q_backend_t *q);
WEIR_API void weir_lease_answered(weir_lease_t *lease, const weir_request_t *request, const weir_attempt_t *attempt);
/** Gives the member back, and says how it fared. */
WEIR_API weir_answer_t weir_lease_checkin(weir_lease_t *lease, const weir_request_t *request, weir_q_checkin_t *q);
/** Whether it is sent again, as docs/routing.md says; to the same member behind a pause. In retry_request. */
WEIR_API bool weir_lease_retry(weir_lease_t *lease, const weir_request_t *request, const weir_fault_t *fault,
                               const weir_attempt_t *attempt);
/** A request that waits for a member waits no more. */
WEIR_API void weir_lease_abandoned(weir_lease_t *lease, const weir_request_t *request);
/** Towards the client: the cookie of the app's affinity, where one is due. Behind what you set yourself. */
WEIR_API void weir_lease_headers(weir_lease_t *lease, const weir_request_t *request, weir_way_t way, weir_header_sink_t *sink);
/**
 * In error_page, before weir_page_send(): adds Retry-After to the page of a request that has waited in vain, or was not let
 * wait: as long as the queue will take, somewhat spread so that they do not come back together. Nothing to others.
 */
WEIR_API void weir_lease_page(const weir_lease_t *lease, const weir_request_t *request, const weir_fault_t *fault,
                              weir_q_page_t *q);
/** Adds `pick=` to the access line, and others where there is something to tell. */
WEIR_API void weir_lease_log(const weir_lease_t *lease, weir_log_sink_t *sink);
/** In terminate. */
WEIR_API void weir_lease_end(weir_lease_t *lease);

/* ── What you may say of the choice, before weir_lease_checkout(). ── */

/**
 * This one, whatever its tier and weight, if it takes new requests, is well, was not tried and has a free slot; else another,
 * as without. A browser that the app's `affinity` pins goes where it belongs all the same. NULL: none. Compared only, so that
 * it may go meanwhile.
 */
WEIR_API void weir_lease_prefer(weir_lease_t *lease, const weir_member_t *member);
/** Only members for which `may` is true. It may be called on other threads, until the checkout is answered; never block. */
WEIR_API void weir_lease_filter(weir_lease_t *lease, bool (*may)(const weir_member_t *member, void *context), void *context);
/** The member that owns this key, as long as it may; instead of `hash-on`, where the app has `balance: hash`. */
WEIR_API void weir_lease_hash(weir_lease_t *lease, weir_span_t key);

WEIR_C_END

#include "weir_kit_define.h"

#endif
