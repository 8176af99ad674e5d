/* SPDX-License-Identifier: MIT */
#ifndef WEIR_WIRE_INHERITED_H
#define WEIR_WIRE_INHERITED_H
/**
 * @file  Listening sockets that were open before this process began, handed over by whoever started it.
 *
 * Two ways are known: systemd's (LISTEN_FDS, LISTEN_PID; sd_listen_fds(3)) and that of start_server, which an upgrade of ours
 * takes as well (SERVER_STARTER_PORT: "80=3;[::]:443=4;/run/weir.sock=5"; "unix:/run/weir.sock=5": we have made the path).
 *
 * OWNER    The process.
 * THREAD   Read before there are others; afterwards whoever binds, one at a time.
 */
#include "lib/wire/door/listen.h"

enum { WEIR_INHERITED_MOST = 8192 /* descriptors that are looked at; more are said and left alone */ };

/**
 * Takes note of what the environment names, has it closed on exec, and takes the names out of the environment: children of ours
 * are not meant. What is no listening socket is said and left alone. Once.
 */
void weir_inherited_read(void);

/**
 * Gives the sockets on the address of `listen`, as weir_listener_bind() would: all of them, and copies of them where there are
 * fewer than `count` loops. False if there are none.
 */
bool weir_inherited_take(const weir_listen_t *listen, unsigned count, weir_bound_t *out_bound);

/**
 * The same for a listen on every address of IPv4, and a socket on every one of IPv6 that takes both, as systemd makes them by
 * default. If that one is taken already, true without a socket: clients get in by it.
 */
bool weir_inherited_take_both(const weir_listen_t *listen, unsigned count, weir_bound_t *out_bound);

/** Says which sockets nobody wants, and closes them. */
void weir_inherited_close_rest(void);

/** Whether somebody else has made the path of this unix socket, and sees to its end. */
bool weir_inherited_is_foreign(const weir_listen_t *listen);

/** Frees what is known, without closing anything that was taken. */
void weir_inherited_forget(void);

#endif
