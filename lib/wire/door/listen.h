/* SPDX-License-Identifier: MIT */
#ifndef WEIR_WIRE_LISTEN_H
#define WEIR_WIRE_LISTEN_H
/**
 * @file  Listening sockets: bound once, kept over reloads, accepted from in every loop.
 */
#include "lib/wire/client/listener.h"

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

#endif
