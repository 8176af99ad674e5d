/* SPDX-License-Identifier: MIT */
#ifndef WEIR_WIRE_LISTEN_H
#define WEIR_WIRE_LISTEN_H
/**
 * @file  Listening sockets: bound once, kept over reloads, accepted from in every loop.
 */
#include "lib/wire/client/listener.h"

/** The sockets of one address; loop i of n has those at i, i + n, i + 2n, … */
typedef struct weir_bound {
    int *fds;          /* allocated; -1: in a loop's hands     */
    unsigned count;    /* at least one for each loop, or none  */
    bool is_inherited; /* not opened by us: a path is not ours to remove as long as nobody serves there */
} weir_bound_t;

/**
 * Opens `count` sockets on the address, one a loop (SO_REUSEPORT), unless *out_bound has such that were handed over, or others
 * serve for it (inherited.h). `is_overlapping`: others of ours are open on all addresses of this port, or on one if these are
 * for all. -1 with a complaint on standard error ("where: what") if it cannot; then there are none.
 */
int weir_listener_bind(const weir_listen_t *listen, unsigned count, bool is_overlapping, weir_bound_t *out_bound);

/** Closes those that no loop has taken, with the path of a unix socket that nobody has listened on, and frees the list. */
void weir_bound_finish(weir_bound_t *bound, const weir_listen_t *listen);

/** Gives a unix socket that is kept the owner and the permission that `listen` names. -1 with a complaint. */
int weir_listener_set_rights(const weir_listen_t *listen);

/** Removes the path of a unix socket, unless somebody else has made it for us. */
void weir_listener_remove_path(const weir_listen_t *listen);

/** Accepts who waits already, before the socket is closed; harmless if it is. */
void weir_listener_accept_rest(weir_listener_t *listener);

/** Starts to accept on `fd`, which becomes the listener's. Held once, for the caller. */
weir_listener_t *weir_listener_start(weir_loop_t *loop, const weir_listen_t *listen, int fd);

#endif
