/* SPDX-License-Identifier: MIT */
#ifndef WEIR_WIRE_CLIENT_H
#define WEIR_WIRE_CLIENT_H
/**
 * @file  A client's connection, whatever it speaks: what all fronts' connections begin with, and the last step on the way to a
 * front.
 *
 *   accept ─► [PROXY header] ─► [TLS handshake] ─► weir_client_begin() ─► a front
 *
 * OWNER    The front that was chosen; it ends it with weir_client_destroy().
 * THREAD   The loop's.
 */
#include "lib/wire/loop/generation.h"
#include "lib/wire/client/peer.h"
#include "lib/wire/client/listener.h"

/** What a TLS handshake has settled on; NONE also for plain connections. */
typedef enum weir_alpn { WEIR_ALPN_NONE, WEIR_ALPN_HTTP1, WEIR_ALPN_H2 } weir_alpn_t;

typedef struct weir_client weir_client_t;

/** What the server asks of any front's connection. */
typedef struct weir_client_ops {
    /** Waits for no new request: closes if idle, else when what is under way is done. May destroy the client. */
    void (*drain)(weir_client_t *client);
    /** Closes at once. From the loop only: it disposes of requests. */
    void (*close)(weir_client_t *client);
    /** Calls `callback` for each request in hand until one call returns other than 0, and returns that. */
    int (*foreach_request)(weir_client_t *client, int (*callback)(h2o_req_t *req, void *arg), void *arg);
    bool is_http2;
} weir_client_ops_t;

/** First member of every front's connection. */
struct weir_client {
    h2o_conn_t super; /* first: libh2o hands it back */
    weir_sock_t sock;
    weir_loop_t *loop;
    weir_list_t link; /* in loop->connections */
    weir_peer_t peer;
    const weir_client_ops_t *ops;
};

/** What libh2o asks of a front's connections, and how the client is found behind one. */
typedef struct weir_client_callbacks {
    h2o_conn_callbacks_t super; /* first */
    weir_client_t *(*client_of)(h2o_conn_t *conn);
} weir_client_callbacks_t;

/**
 * For fronts: a connection of `size` bytes, zeroed behind the weir_client_t. *sock and *peer are moved; the caller sets the
 * callbacks. It belongs to no configuration: each request binds one.
 */
weir_client_t *weir_client_create(size_t size, weir_loop_t *loop, weir_sock_t *sock, const weir_peer_t *peer,
                                  const weir_client_callbacks_t *callbacks, const weir_client_ops_t *ops);

/**
 * Whether the connection ends with what is under way: the proxy drains, or a reload has taken the address away where it came
 * in.
 */
static inline bool weir_client_is_ending(const weir_client_t *client)
{
    return client->loop->is_draining || client->peer.listener->ending != NULL;
}

/** How long it may take for a head while nobody knows whose path that is; a listener may have its own time. */
static inline uint32_t weir_client_header_ms(const weir_client_t *client)
{
    const weir_listener_t *listener = client->peer.listener;
    const uint32_t own_ms = listener != NULL && listener->listen != NULL ? listener->listen->header_timeout_ms : 0;

    return own_ms != 0 ? own_ms : client->loop->settings->header_timeout_ms;
}

/**
 * For fronts, before a request is made: lets libh2o find the newest configuration in `conn` (the client's own `super`, or a
 * copy where several requests are under way at once). Returns that configuration, held until weir_context_release(), which
 * comes when the request has been disposed of. Where the newest has taken the address away, it is the last that had it.
 */
weir_context_t *weir_client_bind(const weir_client_t *client, h2o_conn_t *conn);

/**
 * Has every connection of the loop waited for no new request, or only those that came in by `listener` where it is not NULL.
 */
void weir_client_drain_all(weir_loop_t *loop, const weir_listener_t *listener);

/** For fronts: closes the socket and frees the memory. Every request must have been disposed of. */
void weir_client_destroy(weir_client_t *client);

/** For fronts: frees the memory of a connection whose socket and peer were moved into another one's. */
void weir_client_forget(weir_client_t *client);

/** The client's connection behind what a request of libh2o's knows as its connection. */
weir_client_t *weir_client_of(h2o_conn_t *conn);

/* What h2o_conn_callbacks_t asks of any connection. */
socklen_t weir_client_sockname(h2o_conn_t *conn, struct sockaddr *address);
socklen_t weir_client_peername(h2o_conn_t *conn, struct sockaddr *address);
h2o_socket_t *weir_client_socket(h2o_conn_t *conn);

#endif
