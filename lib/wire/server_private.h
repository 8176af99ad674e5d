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
    const weir_server_settings_t *settings;
    atomic_uint connections; /* of clients, over all loops */
    atomic_bool has_cut;     /* a connection was closed before it was done */
} weir_server_t;

/** One loop's end of one address. */
typedef struct weir_listener {
    weir_sock_t sock;
    weir_loop_t *loop;
    const weir_listen_t *listen;
    uint16_t port;       /* 0 for unix sockets */
    unsigned accepts;    /* most connections to be taken in the next turn of the loop */
    unsigned full_turns; /* turns in a row that have taken so many */
    weir_timer_t pause;  /* accepting goes on when it is due */
} weir_listener_t;

/**
 * Opens `count` sockets on the address, one a loop (SO_REUSEPORT). -1 with a complaint on standard error ("where: what") if it cannot.
 */
int weir_listener_bind(const weir_listen_t *listen, unsigned count, int *out_fds);

/** Starts to accept on `fd`, which becomes the listener's. */
void weir_listener_start(weir_listener_t *listener, weir_loop_t *loop, const weir_listen_t *listen, int fd);

/** Stops and closes it; harmless if it is stopped. */
void weir_listener_stop(weir_listener_t *listener);

/** A connection of this loop has been closed and freed. */
void weir_server_on_connection_closed(weir_loop_t *loop);

#endif
