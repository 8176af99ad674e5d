/* SPDX-License-Identifier: MIT */
#ifndef WEIR_WIRE_TLS_START_H
#define WEIR_WIRE_TLS_START_H
/**
 * @file  The TLS handshake with a client, between accept (or the PROXY header) and the front.
 *
 *   started ──handshake done──► weir_client_begin() with what ALPN has chosen
 *         ├─ failed, end ─► closed; said in the log at most once a second
 *         ├─ plain HTTP came ─► a 400 in plain HTTP, closed
 *         └─ `handshake-timeout` ─► closed
 *
 * A step of a handshake takes up to several milliseconds of the loop. When many could go on at once, each turn of the loop has
 * time for 2 ms of them and for whatever the last takes longer; the others wait in line, so that requests under way have every
 * turn.
 *
 * THREAD   The loop's.
 */
#include "lib/wire/door/start.h"

/** Shakes hands as listen->tls says. *sock and *peer are moved. */
void weir_tls_start(weir_loop_t *loop, weir_sock_t *sock, const weir_peer_t *peer, const weir_listen_t *listen);

#endif
