/* SPDX-License-Identifier: MIT */
#ifndef WEIR_WIRE_ETCD_H
#define WEIR_WIRE_ETCD_H
/**
 * @file  A client of etcd's API v3 (gRPC over HTTP/2): keys are read, watched and written.
 *
 *   connect ─► range, put, … one after another ─┐
 *           └► watch: one, which goes on meanwhile ─► fails: connect anew, to the next endpoint
 *
 * OWNER    The caller.
 * THREAD   One, which waits: names are looked up, connections made and answers awaited in the call. Each wait has an end.
 *          weir_etcd_wake() may be called by any.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "weir_types.h"

enum {
    WEIR_ETCD_PROBLEM_BYTES = 256,
    WEIR_ETCD_PAGE = 100000,          /* keys in an answer: each page costs what is left (measured) */
    WEIR_ETCD_ANSWER_BYTES = 1 << 28, /* an answer that is longer is refused: smaller pages, then */
    WEIR_ETCD_WRITES_MOST = 128,      /* in one transaction, by etcd's default                     */
    WEIR_ETCD_CODE_NONE = -1
};

/** What became of a call. All but the first leave a sentence in `problem`. */
typedef enum weir_etcd_status {
    WEIR_ETCD_FINE,
    WEIR_ETCD_CUT,       /* no connection, or none any more, or too slow (also gRPC codes 4 and 14): connect. What was written
                            may be in force or not                                                            */
    WEIR_ETCD_DENIED,    /* who we are, or what we may: gRPC codes 7 and 16, a certificate, a password        */
    WEIR_ETCD_COMPACTED, /* that revision is no more, or not yet: gRPC code 11                                */
    WEIR_ETCD_FULL,      /* there is no space: gRPC code 8                                                    */
    WEIR_ETCD_TOO_LONG,  /* the answer is longer than WEIR_ETCD_ANSWER_BYTES                                  */
    WEIR_ETCD_FAILED,    /* any other answer                                                                  */
    WEIR_ETCD_NOTHING,   /* of weir_etcd_watch_next() and weir_etcd_sleep(): the time is up                   */
    WEIR_ETCD_WOKEN      /* weir_etcd_wake() was called; the call is given up; what it wrote may be in force  */
} weir_etcd_status_t;

/** Strings are copied. */
typedef struct weir_etcd_settings {
    const char *const *endpoints; /* "https://HOST:PORT", "http://HOST:PORT", "HOST:PORT" (as TLS says); IPv6 in []     */
    size_t endpoint_count;        /* from 1 on                                                                         */
    bool has_tls;                 /* what endpoints without a scheme speak                                             */
    const char *ca_file;          /* PEM; NULL: whom the system trusts                                                 */
    const char *certificate_file; /* PEM, shown to the store (its CN may be the user); NULL: none. Read at each connect */
    const char *key_file;         /* NULL: it stands in certificate_file                                               */
    const char *server_name;      /* whom the certificate must name; NULL: the endpoint's host                         */
    const char *user;             /* NULL: nobody                                                                      */
    const char *password_file;    /* of `user`: the first line. Read whenever it is needed                             */
    uint32_t connect_timeout_ms, call_timeout_ms; /* 0: 3000 and 10000; a call's time begins anew with each byte that comes */
    /* 0: 10000 each. etcd takes it ill below 5000, and without any call on the connection: then none is sent. */
    uint32_t ping_interval_ms, ping_timeout_ms;
} weir_etcd_settings_t;

typedef struct weir_etcd weir_etcd_t;

/** NULL: `problem` says what is wrong with an endpoint. Nothing is read or connected yet. */
weir_etcd_t *weir_etcd_create(const weir_etcd_settings_t *settings, char problem[static WEIR_ETCD_PROBLEM_BYTES]);
/** Ends the connection, frees and nulls; harmless on NULL. */
void weir_etcd_destroy(weir_etcd_t **slot);
/** Whoever waits in a call, or comes to wait next, returns WEIR_ETCD_WOKEN once. Any thread. */
void weir_etcd_wake(weir_etcd_t *etcd);
/** Waits; NOTHING when the time is up, WOKEN before. The connection is looked after meanwhile, if there is one. */
weir_etcd_status_t weir_etcd_sleep(weir_etcd_t *etcd, uint32_t ms);

/** The sentence of the last call that was not fine; "" without one. Valid until the next call. */
const char *weir_etcd_problem(const weir_etcd_t *etcd);
/** The gRPC code of that (https://grpc.io/docs/guides/status-codes/); WEIR_ETCD_CODE_NONE: there was none. */
int weir_etcd_code(const weir_etcd_t *etcd);
/** "https://HOST:PORT" of the connection, or of the one tried last; "" before the first. */
const char *weir_etcd_endpoint(const weir_etcd_t *etcd);
/** How many there are to connect to. */
size_t weir_etcd_endpoint_count(const weir_etcd_t *etcd);

/**
 * Connects to one endpoint, and proves who we are. The list is shuffled once. The endpoint of the last connection is tried
 * again, once, if it has answered a call or a watch and was neither silent nor without a leader (codes 4 and 14); else the
 * next. What there was of a connection before is gone, the watch with it. connect_timeout_ms is for all up to HTTP/2's
 * SETTINGS; a user's token is a call behind that.
 */
weir_etcd_status_t weir_etcd_connect(weir_etcd_t *etcd);

/** Of all answers. */
typedef struct weir_etcd_header {
    uint64_t cluster_id, member_id;
    int64_t revision; /* of the whole store, when it answered */
} weir_etcd_header_t;

/** A key as it is. All is borrowed for the call it is given to. */
typedef struct weir_etcd_item {
    weir_span_t key, value;
    int64_t mod_revision, lease; /* 0: no lease */
} weir_etcd_item_t;

/** From `key` on, up to `end` exclusively. An empty `end`: only `key`. */
typedef struct weir_etcd_range {
    weir_span_t key, end;
    int64_t limit;        /* 0: all                            */
    int64_t revision;     /* 0: the newest                     */
    bool is_serializable; /* whatever the member has: also without a quorum */
    bool has_no_values;   /* only keys are wanted              */
} weir_etcd_range_t;

/** `visit` is called for each key, in their order, behind the whole answer. */
weir_etcd_status_t weir_etcd_read(weir_etcd_t *etcd, const weir_etcd_range_t *range,
                                  void (*visit)(const weir_etcd_item_t *item, void *context), void *context,
                                  weir_etcd_header_t *out_header, bool *out_has_more);

/** One write of a transaction. */
typedef struct weir_etcd_write {
    weir_span_t key, value;
    weir_span_t end; /* of a removal: as in weir_etcd_range_t */
    int64_t lease;
    bool is_removal;
} weir_etcd_write_t;

/** All of them or none, in one revision; WEIR_ETCD_WRITES_MOST at most. A key stands there once (etcd's rule). */
weir_etcd_status_t weir_etcd_write(weir_etcd_t *etcd, const weir_etcd_write_t *writes, size_t count,
                                   weir_etcd_header_t *out_header);

/** A lease that lives for `ttl_s` from now, or from when it was kept. */
weir_etcd_status_t weir_etcd_lease(weir_etcd_t *etcd, int64_t ttl_s, int64_t *out_lease);
/** *out_ttl_s 0: it has ended. */
weir_etcd_status_t weir_etcd_lease_keep(weir_etcd_t *etcd, int64_t lease, int64_t *out_ttl_s);
/** It ends, and its keys with it. */
weir_etcd_status_t weir_etcd_lease_end(weir_etcd_t *etcd, int64_t lease);

/**
 * Follows [key, end) from `revision` on: with progress_notify and fragment, and the metadata `hasleader: true`, without which
 * the loss of a quorum would be silence. One at a time; one that was there ends.
 */
weir_etcd_status_t weir_etcd_watch(weir_etcd_t *etcd, weir_span_t key, weir_span_t end, int64_t revision);
/** Ends it; harmless without one. */
void weir_etcd_watch_end(weir_etcd_t *etcd);

/** What has happened to a key. */
typedef struct weir_etcd_event {
    weir_etcd_item_t item; /* of a removal: key and mod_revision */
    bool is_removal;
} weir_etcd_event_t;

/** What a watch says. Borrowed until the next call. */
typedef struct weir_etcd_news {
    weir_etcd_header_t header;
    bool is_created, is_cancelled;
    bool has_more;            /* a fragment: others follow, of the same revisions */
    int64_t compact_revision; /* of a cancelled one: it asked for what is no more; 0: for another reason, `reason` */
    const char *reason;       /* "" without one */
    const weir_etcd_event_t *events;
    size_t event_count;
} weir_etcd_news_t;

/**
 * Waits for what comes next. CUT, and all other failures: the watch has ended, and why. One that is cancelled has ended, too,
 * and the connection goes on; cancelled for want of permission, it is DENIED, and *out is filled all the same. NOTHING and
 * WOKEN leave it as it is.
 */
weir_etcd_status_t weir_etcd_watch_next(weir_etcd_t *etcd, uint32_t timeout_ms, weir_etcd_news_t *out);

/** The end of all keys that begin with it: its last byte that is not 255, one up. False: there is none, or no room. */
bool weir_etcd_prefix_end(weir_span_t prefix, char *out, size_t bytes, size_t *out_length);

#endif
