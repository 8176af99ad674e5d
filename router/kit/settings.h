/* SPDX-License-Identifier: MIT */
#ifndef WEIR_KIT_SETTINGS_H
#define WEIR_KIT_SETTINGS_H
/**
 * @file  What is configured of an app, as far as the kit does it. `defaults:` of a router is read first, then what the app says
 * for itself, each over what stood there before.
 *
 * OWNER    Who holds the struct; all texts in it are its own. kit_settings_free() gives them back. Those of apps are held by as
 *          many as say the same: kit_settings_release().
 * THREAD   Made by one; constant, and read by any, from then on.
 */
#include "affinity_cookie.h"
#include "choose.h"
#include "weir_config.h"
#include "weir_types.h"

enum { KIT_HASH_ON_MOST = 8, KIT_STATUS_LEAST = 100, KIT_STATUS_MOST = 599 };

/** A set of HTTP status codes, 100 … 599. */
typedef struct kit_status_set {
    uint64_t bits[8];
} kit_status_set_t;

static inline bool kit_status_has(const kit_status_set_t *set, unsigned status)
{
    const unsigned bit = status - KIT_STATUS_LEAST;

    return status >= KIT_STATUS_LEAST && status <= KIT_STATUS_MOST && (set->bits[bit / 64] >> bit % 64 & 1) != 0;
}

/** Of what a request's key is made; the first of the list that the request has. */
typedef enum kit_hash_source {
    KIT_HASH_CLIENT,
    KIT_HASH_PATH,
    KIT_HASH_PATH_QUERY,
    KIT_HASH_HOST,
    KIT_HASH_HEADER,
    KIT_HASH_COOKIE,
} kit_hash_source_t;

typedef struct kit_hash_on {
    kit_hash_source_t source;
    const char *name; /* of a header or cookie, else NULL */
} kit_hash_on_t;

typedef struct kit_affinity_settings {
    bool is_on;
    bool is_strict; /* refused where its member is lost, instead of a fallback */
    kit_cookie_t cookie;
    uint32_t grace_ms;    /* an illness as short as this does not move a pin */
    uint32_t patience_ms; /* so long waits who is pinned to a full member    */
    const char *key_file; /* a path; NULL: none                              */
} kit_affinity_settings_t;

typedef enum kit_order { KIT_ORDER_FAIR, KIT_ORDER_FIFO } kit_order_t;

typedef struct kit_queue_settings {
    uint32_t length; /* 0: nobody waits */
    uint32_t timeout_ms;
    kit_order_t order;
    const char *client_header; /* whose value says who the client is; NULL: its address does */
} kit_queue_settings_t;

typedef struct kit_quarantine_settings {
    bool is_on;
    uint32_t most_percent; /* of a tier */
    uint32_t base_ms, longest_ms;
    kit_status_set_t failure_status;
} kit_quarantine_settings_t;

typedef enum kit_health_kind { KIT_HEALTH_NONE, KIT_HEALTH_HTTP, KIT_HEALTH_TCP, KIT_HEALTH_GRPC } kit_health_kind_t;

typedef struct kit_health_settings {
    kit_health_kind_t kind;
    const char *http_path;    /* NULL but for HTTP                               */
    const char *grpc_service; /* NULL but for GRPC; "": the server as a whole    */
    bool is_tcp;
    bool has_agent;   /* Weir-Weight and Weir-Drain of an answer are obeyed      */
    const char *host; /* the probe's Host; NULL: the member's address            */
    uint32_t port;    /* 0: the member's                                         */
    kit_status_set_t expect;
    uint32_t interval_ms, fast_interval_ms, idle_interval_ms, timeout_ms;
    uint32_t rise, fall;
} kit_health_settings_t;

/** Bits of kit_retry_settings_t.on and .methods; CONNECT needs no leave. */
enum { KIT_RETRY_RESET = 1, KIT_RETRY_TIMEOUT = 2, KIT_RETRY_STATUS = 4, KIT_RETRY_CONNECT = 8 };
enum { KIT_RETRY_IDEMPOTENT = 1, KIT_RETRY_KEYED = 2 };

/** Of what may have run already; what has provably not run is tried again whatever stands here. */
typedef struct kit_retry_settings {
    uint32_t on;
    uint32_t methods;
    kit_status_set_t status;
    uint32_t most;           /* of one request, besides its first try  */
    uint32_t try_timeout_ms; /* 0: none                                */
    uint32_t body_buffer_bytes;
    uint32_t budget_percent; /* of the requests of the last 10 s       */
    uint32_t budget_floor;   /* besides, a second                      */
} kit_retry_settings_t;

/** Of backends that dial in; workers.h. */
typedef struct kit_worker_settings {
    bool is_on;  /* it was said */
    bool is_off; /* they were refused, likewise */
    uint32_t connections_most;
    const char *tokens; /* SHA-256s in hex, each perhaps with "@" and when it ends, in seconds since 1970; NULL: none */
    const char
        *domains; /* names, and "*.suffix"es, that workers may claim; NULL: not said. Both lists are set apart by blanks */
} kit_worker_settings_t;

typedef struct kit_settings {
    _Atomic uint32_t holders; /* of one that was created */
    bool is_blank;            /* it has never been given code: nothing is asked of members */
    kit_choice_settings_t choice;
    uint32_t warm_up_ms;
    kit_hash_on_t hash_on[KIT_HASH_ON_MOST];
    size_t hash_on_count;
    kit_affinity_settings_t affinity;
    uint32_t max_requests, max_tunnels; /* of a member; 0: no limit */
    uint32_t app_max_requests;          /* 0: no limit */
    kit_queue_settings_t queue;
    uint32_t hold_ms; /* 0: nobody waits for a member to come back */
    uint32_t release_window;
    kit_quarantine_settings_t quarantine;
    kit_health_settings_t health;
    kit_retry_settings_t retry;
    kit_worker_settings_t workers;
    uint32_t drain_timeout_ms;
} kit_settings_t;

/** The keys of an app's map, and of `defaults:`, that kit_settings_read() reads; NULL at the end. For weir_config_keys(). */
extern const char *const kit_settings_keys[];

/** What holds where nothing is configured. */
void kit_settings_default(kit_settings_t *out);
/**
 * Reads what `node` (a map; NULL: nothing) says over what stands in *settings. Other keys than the kit's are not looked at.
 * False after a complaint; *settings is then to be freed, and of no other use.
 */
bool kit_settings_read(const weir_config_t *node, kit_settings_t *settings);
/** The same on the heap, held once. Never NULL. */
kit_settings_t *kit_settings_create(void);
kit_settings_t *kit_settings_hold(kit_settings_t *settings);
/** Of type void (*)(void *), for weir_retire(). The last one frees it. Harmless on NULL. */
void kit_settings_release(void *of);
/** A copy with texts of its own, held once. */
void kit_settings_copy(const kit_settings_t *from, kit_settings_t *out);
/** Whether they say the same. */
bool kit_settings_equal(const kit_settings_t *a, const kit_settings_t *b);
/** Gives the texts back, and zeroes it. Harmless on a zeroed one. */
void kit_settings_free(kit_settings_t *settings);

#endif
