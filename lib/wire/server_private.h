/* SPDX-License-Identifier: MIT */
#ifndef WEIR_WIRE_SERVER_PRIVATE_H
#define WEIR_WIRE_SERVER_PRIVATE_H
/**
 * @file  What loops, listeners and connections ask of the server they belong to.
 */
#include <stdatomic.h>

#include "lib/wire/loop.h"
#include "lib/wire/sock.h"

typedef struct weir_server {
    atomic_uint connections; /* of clients, over all loops */
    atomic_bool has_cut;     /* a connection was closed before it was done */
} weir_server_t;

/** One loop's end of one address. It outlives configurations, and its own socket as long as connections came in by it. */
typedef struct weir_listener {
    weir_sock_t sock;
    weir_loop_t *loop;
    weir_list_t link;            /* in its worker's list                                           */
    const weir_listen_t *listen; /* of the newest configuration that has this address              */
    struct weir_context *ending; /* that configuration, held, if a newer one has taken it away     */
    uint16_t port;               /* 0 for unix sockets                                             */
    unsigned accepts;            /* most connections to be taken in the next turn of the loop      */
    unsigned full_turns;         /* turns in a row that have taken so many                         */
    weir_timer_t pause;          /* accepting goes on when it is due                               */
    uint32_t holders;            /* connections that came in by it, and the worker while it is listed */
} weir_listener_t;

/**
 * Opens `count` sockets on the address, one a loop (SO_REUSEPORT). -1 with a complaint on standard error ("where: what") if it
 * cannot; then all of out_fds are -1.
 */
int weir_listener_bind(const weir_listen_t *listen, unsigned count, int *out_fds);

/** Gives a unix socket that is kept the owner and the permission that `listen` names. -1 with a complaint. */
int weir_listener_set_rights(const weir_listen_t *listen);

/** Removes the path of a unix socket. */
void weir_listener_remove_path(const weir_listen_t *listen);

/** Starts to accept on `fd`, which becomes the listener's. Held once, for the caller. */
weir_listener_t *weir_listener_start(weir_loop_t *loop, const weir_listen_t *listen, int fd);

/** Stops accepting and closes the socket; harmless if it is stopped. */
void weir_listener_stop(weir_listener_t *listener);

static inline weir_listener_t *weir_listener_hold(weir_listener_t *listener)
{
    listener->holders++;
    return listener;
}

/** Lets go of it; the last one who does frees it. Harmless on NULL. */
void weir_listener_release(weir_listener_t *listener);

/** A connection of this loop has been closed and freed. */
void weir_server_on_connection_closed(weir_loop_t *loop);

#endif
