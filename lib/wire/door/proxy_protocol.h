/* SPDX-License-Identifier: MIT */
#ifndef WEIR_WIRE_PROXY_PROTOCOL_H
#define WEIR_WIRE_PROXY_PROTOCOL_H
/**
 * @file  The beginning of a connection on a listener with `proxy-protocol`: reads the PROXY header, then hands the connection
 * on.
 *
 * The header's bytes are taken out of the kernel and not one more, so that whoever comes next (a front, a TLS handshake)
 * finds the socket as if there had been no header.
 *
 *   accepted ──complete──► weir_start_go_on()
 *          └─ broken, end, header_timeout_ms ─► closed, without a word
 *
 * THREAD   The loop's.
 */
#include "lib/wire/client/listener.h"

/**
 * Takes over a connection just accepted, already counted in server->connections. It is closed at once if `address` is not
 * one of those that the listener trusts.
 */
void weir_proxy_protocol_accept(weir_listener_t *listener, int fd, const struct sockaddr *address);

#endif
