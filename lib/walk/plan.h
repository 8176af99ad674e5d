/* SPDX-License-Identifier: MIT */
#ifndef WEIR_WALK_PLAN_H
#define WEIR_WALK_PLAN_H
/**
 * @file  What a path's configuration came to: frozen before the first request, shared by all threads, read only.
 *
 * OWNER    conf/; it outlives every exchange that was created with it.
 */
#include "lib/http/request_head.h"
#include "lib/http/response_head.h"
#include "lib/walk/binding.h"
#include "weir_stage.h"

typedef struct weir_access_log weir_access_log_t; /* lib/base/log.h */

/** Which wishes to switch protocols are passed on; a request with another one goes on as if it had none. */
typedef enum weir_upgrades { WEIR_UPGRADES_ALL = 0, WEIR_UPGRADES_WEBSOCKET = 1, WEIR_UPGRADES_NONE = 2 } weir_upgrades_t;

typedef struct weir_plan {
    weir_binding_t binding;
    const weir_stage_t *const *stages;         /* by ascending number, NULL at the end  */
    weir_stage_shared_t *const *stages_shared; /* of each, or NULL: none has any          */
    size_t stage_count;
    uint32_t built_in; /* a bit for each of them: it is in the house, and keeps its own time */
    weir_span_t mount; /* the path of the configuration it stands at: "/", "/api" */

    uint32_t connect_timeout_ms;
    uint32_t first_byte_timeout_ms;
    uint32_t idle_timeout_ms;
    uint32_t header_timeout_ms;
    uint32_t router_timeout_ms;
    uint32_t max_request_time_ms;     /* from its begin to the end of its response; 0: any */
    uint64_t min_rate_bytes;          /* a second, of who is waited for; 0: any */
    uint32_t stage_timeout_ms;        /* of stages that are not built in          */
    uint32_t callback_warn_ms;        /* a call of others' code that takes so long is named; 0: none */
    uint32_t tunnel_timeout_ms;       /* silence in both directions of a tunnel  */
    uint32_t backend_yield_after_ms;  /* nothing heard on a new one: idle ones are given up; 0: never */
    uint32_t backend_idle_timeout_ms; /* how long an unused connection is kept    */
    uint32_t backend_ping_ms;         /* HTTP/2: how long a backend may be silent, and then has to answer a PING */

    weir_span_t request_id_header, start_time_header, connect_time_header, route_time_header;
    weir_span_t via;
    size_t request_id_max_bytes;

    weir_head_limits_t head_limits;
    weir_response_limits_t response_limits;
    size_t backend_buffer_bytes;          /* most bytes of one response head held at once */
    uint32_t max_requests_per_connection; /* 0: no limit */
    uint64_t max_body_bytes;              /* UINT64_MAX: no limit */
    uint64_t trace_share;                 /* of new traces that are sampled, of WEIR_TRACE_SHARE_ALL */
    bool has_strict_path;                 /* only the bytes of RFC 3986 */
    bool has_canonical_case;
    bool has_proxy_status;
    bool tells_request_id;  /* to the client, in all responses; pages of ours tell it anyway */
    bool has_log_time;      /* its access lines begin with the time */
    bool has_heroku_codes;  /* and call the reason as Heroku does: lib/http/heroku_code.h */
    bool has_trace;         /* traceparent to backends, trace= in its access lines: lib/walk/trace.h */
    bool exports_traces;    /* spans of those that are sampled go into the queue: lib/base/trace_queue.h */
    bool has_server_timing; /* to the client: handlers/server_timing.h */
    bool counts_apps;       /* metrics by app: lib/base/app_counts.h */
    bool aborts_on_close;   /* HTTP/1: a client that ends its side while it waits for a response is gone */
    weir_upgrades_t upgrades;
    const struct weir_network *trusted_proxies; /* whose word for who the client is counts: lib/http/network.h */
    size_t trusted_proxy_count;                 /* 0: nobody's, and nothing is removed                         */
    const struct weir_network *explain_trusted; /* clients that may know why their request went where it went */
    size_t explain_trusted_count;
    bool has_no_forwarded;         /* X-Forwarded-For, -Proto and -Port are not ours to write */
    bool keeps_forwarded_proto;    /* the client's X-Forwarded-Proto is believed              */
    bool hides_server;             /* the backend's Server stays unknown to the client        */
    weir_access_log_t *access_log; /* NULL: off */
} weir_plan_t;

#endif
