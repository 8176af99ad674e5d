/* SPDX-License-Identifier: MIT */
#ifndef WEIR_WIRE_STORE_LINK_H
#define WEIR_WIRE_STORE_LINK_H
/**
 * @file  One connection with the store, that speaks HTTP/2, and the calls on it.
 *
 *   open ─► SETTINGS have come ─► turn … turn ─► close
 *                                   └► end: why is in `end` and `problem`, and nothing but closing is left
 *
 * While there is a call, a PING goes out when nothing has been heard for a while; without an answer the connection is dead.
 * (Without a call none does: to etcd's server that is an offence, and for nobody's good.)
 *
 * OWNER    A weir_etcd_t.
 * THREAD   The client's.
 */
#include <nghttp2/nghttp2.h>

#include "lib/base/list.h"
#include "lib/wire/store/store_socket.h"

enum {
    STORE_WINDOW_BYTES = 1 << 24,            /* of each call: so much of a watch waits until somebody takes it */
    STORE_CONNECTION_WINDOW_BYTES = 1 << 26, /* of all of them */
    STORE_READ_BYTES = 1 << 16
};

typedef struct store_link_settings {
    store_socket_settings_t socket;
    uint32_t ping_interval_ms, ping_timeout_ms;
} store_link_settings_t;

typedef struct store_link {
    store_socket_t socket;
    nghttp2_session *session;
    weir_list_t calls;
    const uint8_t *out; /* the session's: what the socket has not taken yet */
    size_t out_count;
    uint64_t heard_at_ms, pinged_at_ms;
    uint32_t ping_interval_ms, ping_timeout_ms;
    bool is_ready;                         /* the peer's SETTINGS have come              */
    bool is_going;                         /* its GOAWAY has: no new call                */
    bool awaits_pong;                      /* a PING has no answer yet                   */
    bool has_stalled;                      /* it has ended because nothing was heard     */
    weir_etcd_status_t end;                /* FINE while it lives                  */
    char problem[WEIR_ETCD_PROBLEM_BYTES]; /* why, or why it is going: a whole sentence */
    char buffer[STORE_READ_BYTES];
    char name[]; /* HOST:PORT */
} store_link_t;

/** Connects. NULL: *out_status and `problem` say why. */
store_link_t *store_link_open(const store_link_settings_t *settings, uint64_t until_ms, weir_etcd_status_t *out_status,
                              char problem[static WEIR_ETCD_PROBLEM_BYTES]);

/** Says GOAWAY, if there is room for it, frees and nulls; its calls must be gone. Harmless on NULL. */
void store_link_close(store_link_t **slot);

/** Sends what there is to be sent, as far as it goes now. */
void store_link_flush(store_link_t *link);

/**
 * Sends and reads what there is, and waits for something to happen once if there is nothing. FINE: something may have happened;
 * NOTHING: the time is up; WOKEN; or `end`.
 */
weir_etcd_status_t store_link_turn(store_link_t *link, uint64_t until_ms);

/** Ends it with "NAME: …". */
void store_link_fail(store_link_t *link, weir_etcd_status_t status, const char *why);

#endif
