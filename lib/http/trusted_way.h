/* SPDX-License-Identifier: MIT */
#ifndef WEIR_HTTP_TRUSTED_WAY_H
#define WEIR_HTTP_TRUSTED_WAY_H
/**
 * @file  Who the client is behind proxies whose word counts, and what of its headers is believed. Pure but for the arena.
 *
 *   X-Forwarded-For: made up, 198.51.100.7, 10.0.0.2        the connection's peer: 10.0.0.1; trusted: 10.0.0.0/8
 *                    removed  the client    trusted         trusted
 */
#include "lib/http/headers.h"
#include "lib/http/network.h"

enum { WEIR_TRUSTED_HOPS = 32 /* beyond the peer; what stands left of them is not believed */ };

typedef struct weir_trusted_way {
    weir_span_t client_ip; /* in the arena; base NULL: the connection's peer is the client, or its proxies have not said */
    uint16_t client_port;  /* 0: not told */
    weir_span_t scheme;    /* "http" or "https", static; base NULL: nobody has said whose word counts */
} weir_trusted_way_t;

/**
 * Finds the client: the first address, counted from the connection's peer, that is none of `trusted`, or else the last that
 * can be read. X-Forwarded-For is read from the right; Forwarded (RFC 7239) only where there is no X-Forwarded-For. An
 * element that is no address ends the walk: it and what stands left of it are ignored. X-Forwarded-Proto, of several its
 * last, or the proto= of the client's own element, gives the scheme.
 *
 * `headers` are changed to what is believed: X-Forwarded-For, or Forwarded, begins with the client; what a peer says that is
 * not trusted goes, and so do X-Forwarded-Proto and -Host of such a peer, and a Forwarded beside X-Forwarded-For. `peer_ip`
 * is an address, or "unix".
 */
weir_trusted_way_t weir_trusted_way(weir_headers_t *headers, weir_arena_t *arena, weir_span_t peer_ip,
                                    const weir_network_t *trusted, size_t count);

#endif
