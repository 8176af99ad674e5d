/* SPDX-License-Identifier: MIT */
#ifndef WEIR_WIRE_FRONTS_H
#define WEIR_WIRE_FRONTS_H
/**
 * @file  The last step on a connection's way in: which front gets it.
 */
#include "lib/wire/client/client.h"

/**
 * Hands a connection to the front for what it speaks. *sock and *peer are moved (whoever calls closes neither). The first byte
 * to be read is HTTP's. Without ALPN it is HTTP/1, unless its first bytes are HTTP/2's preface (RFC 9113 §3.3).
 */
void weir_client_begin(weir_loop_t *loop, weir_sock_t *sock, const weir_peer_t *peer, const weir_listen_t *listen,
                       weir_alpn_t alpn);

/**
 * Closes the client of this loop that has waited longest for its next request, so that its descriptor serves another one.
 * False: there is none. From the loop.
 */
bool weir_client_close_idle(weir_loop_t *loop);

#endif
