/* SPDX-License-Identifier: MIT */
#ifndef WEIR_WIRE_BACK_TLS_H
#define WEIR_WIRE_BACK_TLS_H
/**
 * @file  TLS towards backends: who a backend must be and what we show it (a router's weir_backend_tls_t), and the sessions that
 * are resumed.
 *
 * A connection belongs to one weir_backend_tls_t and one name that was asked for; the pools give it to nobody else. A new
 * configuration makes new ones, so that no connection of the old is used by the new.
 *
 * OWNER    Shared, by count: the router that made it, and each connection.
 * THREAD   Any.
 */
#include <string.h>

#include "lib/walk/exchange.h"
#include "lib/wire/sock/sock_tls.h"

/** What a connection to a backend keeps of its TLS; zeroed: plain. */
typedef struct weir_back_tls {
    weir_backend_tls_t *tls; /* held */
    char *name;              /* that was asked for and verified */
} weir_back_tls_t;

/**
 * Begins TLS on a connected socket, to reach `target`, which wants it; `alpn` is the one protocol offered. NULL, or the fault.
 */
const weir_fault_t *weir_back_tls_begin(weir_sock_t *sock, const weir_target_t *target, const char *alpn);

/** Why the handshake has failed. */
const weir_fault_t *weir_back_tls_fault(const weir_sock_t *sock);

/** Whether the backend has chosen `alpn`. */
bool weir_back_tls_speaks(const weir_sock_t *sock, const char *alpn);

/** The name that is asked for to reach `target`; NULL if it is plain. Borrowed. */
const char *weir_back_tls_name(const weir_target_t *target);

/** Whether connections with this TLS may serve whoever wants `tls` and `name`. */
static inline bool weir_back_tls_fits(const weir_back_tls_t *back_tls, const weir_backend_tls_t *tls, const char *name)
{
    return back_tls->tls == tls && (tls == NULL || strcmp(back_tls->name, name) == 0);
}

/** Notes what `target` wants in a zeroed one; plain if it is. */
void weir_back_tls_init(weir_back_tls_t *back_tls, const weir_target_t *target);

/** Frees it; harmless if it is zeroed. */
void weir_back_tls_finish(weir_back_tls_t *back_tls);

#endif
