/* SPDX-License-Identifier: MIT */
#ifndef WEIR_WIRE_START_H
#define WEIR_WIRE_START_H
/**
 * @file  A client's connection on its way to a front: what has to happen on it before the first byte of HTTP.
 *
 *   accept ─► [proxy_protocol.c: a PROXY header] ─► [tls_start.c: a handshake] ─► weir_client_begin()
 *
 * OWNER    Itself: it is in loop->starts until it is handed on or closed, and counts as a connection of the loop.
 * THREAD   The loop's.
 */
#include "lib/wire/loop/generation.h"
#include "lib/wire/client/peer.h"
#include "lib/wire/client/listener.h"

/** First member of what each step keeps. */
typedef struct weir_start {
    weir_list_t link; /* in loop->starts */
    weir_sock_t sock;
    weir_loop_t *loop;
    weir_context_t *context;     /* the configuration it began with, held */
    const weir_listen_t *listen; /* of that                            */
    weir_timer_t deadline;
    weir_peer_t peer;
    /** Frees what the step holds beside; the start itself is freed behind it. */
    void (*finish)(struct weir_start *start);
} weir_start_t;

/** Makes a start of `size` bytes, zeroed. *sock and *peer are moved. It is closed after deadline_ms. Nothing is watched yet. */
weir_start_t *weir_start_create(size_t size, weir_loop_t *loop, weir_sock_t *sock, const weir_peer_t *peer,
                                const weir_listen_t *listen, uint32_t deadline_ms);

/** Closes the connection and frees the start. */
void weir_start_close(weir_start_t *start);

/** Frees a start whose socket and peer have been moved on. */
void weir_start_release(weir_start_t *start);

/** Gives every connection of the loop that has not reached its front WEIR_DRAIN_GRACE_MS more. */
void weir_start_drain_all(weir_loop_t *loop);

/** Closes them at once. */
void weir_start_close_all(weir_loop_t *loop);

/**
 * Takes over a connection that `listener` has accepted, already counted in server->connections: a PROXY header first if it
 * wants one.
 */
void weir_start_accept(weir_listener_t *listener, int fd, const struct sockaddr *address);

/**
 * The step behind the PROXY header, or behind accept: the client is known, and counted; then a TLS handshake if the listener
 * wants one, else the front. Moves both.
 */
void weir_start_go_on(weir_loop_t *loop, weir_sock_t *sock, weir_peer_t *peer, const weir_listen_t *listen);

#endif
