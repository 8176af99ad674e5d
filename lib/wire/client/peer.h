/* SPDX-License-Identifier: MIT */
#ifndef WEIR_WIRE_PEER_H
#define WEIR_WIRE_PEER_H
/**
 * @file  Who is at the other end of a client's connection, and where it came in: the same for all its requests.
 *
 * It is what the socket says, or what a PROXY header said in its place.
 * OWNER    Embedded in a connection, which finishes it. It may be moved by assignment.
 */
#include <netinet/in.h>

#include "lib/http/proxy_header.h"
#include "lib/walk/certificate.h"
#include "lib/walk/exchange.h"
#include "lib/wire/client/tally.h"

typedef struct weir_peer {
    union {
        struct sockaddr any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
    } address;            /* AF_UNIX: the family is all there is              */
    uint16_t port;        /* 0 for unix sockets                               */
    uint16_t listen_port; /* where it came in; of a PROXY header: destination */
    bool is_proxied;      /* a PROXY header told all this                     */
    bool is_https;        /* what the client speaks, here or with the sender  */
    uint8_t text_len;
    char text[46];
    weir_certificate_t *certificate; /* that the client has shown, held; NULL: none */
    weir_proxy_tlvs_t *tlvs;         /* of the PROXY header, with their bytes behind them; NULL if it had none */
    struct weir_listener *listener;  /* where it came in, held: it knows what the newest configuration says of that */
    weir_tally_entry_t *as_client, *as_listener; /* where it is counted; NULL: nowhere        */
    bool is_over_limit;                          /* there are as many as may be: its requests are refused, and it is closed */
} weir_peer_t;

/** The peer that the socket knows, and that came in by `listener`. */
void weir_peer_init(weir_peer_t *peer, const struct sockaddr *address, struct weir_listener *listener);

/** A peer that came in by no listener of ours. */
void weir_peer_init_foreign(weir_peer_t *peer, const struct sockaddr *address, uint16_t listen_port);

/** Replaces it by what `header` says; LOCAL changes nothing. The header's bytes are copied. */
void weir_peer_set_proxied(weir_peer_t *peer, const weir_proxy_header_t *header);

/**
 * Counts its connection among those of its client and of its listener, or, if a limit of that is reached, among none and notes
 * so. Once, when the address is known; until weir_peer_finish(). Where the server does not count, nothing happens.
 */
void weir_peer_count(weir_peer_t *peer);

/** Frees what it holds; harmless the second time. */
void weir_peer_finish(weir_peer_t *peer);

static inline weir_span_t weir_peer_text(const weir_peer_t *peer)
{
    return (weir_span_t){peer->text, peer->text_len};
}

/** Fills in everything of `request` that the peer decides; the bytes are copied into `arena`. */
void weir_peer_tell(const weir_peer_t *peer, weir_request_t *request, weir_arena_t *arena);

#endif
