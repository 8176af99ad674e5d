/* SPDX-License-Identifier: MIT */
#include "lib/wire/client/peer.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/must.h"
#include "lib/wire/client/client_certificate.h"
#include "lib/wire/client/listener.h"

enum { HTTPS_PORT = 443 };

static void note_address(weir_peer_t *peer, const struct sockaddr *address)
{
    switch (address->sa_family) {
    case AF_INET:
        memcpy(&peer->address.v4, address, sizeof(peer->address.v4));
        inet_ntop(AF_INET, &peer->address.v4.sin_addr, peer->text, sizeof(peer->text));
        peer->port = ntohs(peer->address.v4.sin_port);
        break;
    case AF_INET6:
        memcpy(&peer->address.v6, address, sizeof(peer->address.v6));
        peer->port = ntohs(peer->address.v6.sin6_port);
        if (IN6_IS_ADDR_V4MAPPED(&peer->address.v6.sin6_addr))
            inet_ntop(AF_INET, peer->address.v6.sin6_addr.s6_addr + 12, peer->text, sizeof(peer->text));
        else
            inet_ntop(AF_INET6, &peer->address.v6.sin6_addr, peer->text, sizeof(peer->text));
        break;
    default:
        peer->address.any.sa_family = AF_UNIX;
        peer->port = 0;
        strcpy(peer->text, "unix");
        break;
    }
    peer->text_len = (uint8_t)strlen(peer->text);
}

void weir_peer_init(weir_peer_t *peer, const struct sockaddr *address, weir_listener_t *listener)
{
    *peer = (weir_peer_t){.listen_port = listener->port, .listener = weir_listener_hold(listener)};
    note_address(peer, address);
}

void weir_peer_init_foreign(weir_peer_t *peer, const struct sockaddr *address, uint16_t listen_port)
{
    *peer = (weir_peer_t){.listen_port = listen_port};
    note_address(peer, address);
}

static void note_source(weir_peer_t *peer, const weir_proxy_header_t *header)
{
    struct sockaddr none = {.sa_family = AF_UNIX};
    struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons(header->source.port)};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = htons(header->source.port)};

    switch (header->kind) {
    case WEIR_PROXY_INET:
        memcpy(&v4.sin_addr, header->source.address, sizeof(v4.sin_addr));
        note_address(peer, (const struct sockaddr *)&v4);
        break;
    case WEIR_PROXY_INET6:
        memcpy(&v6.sin6_addr, header->source.address, sizeof(v6.sin6_addr));
        note_address(peer, (const struct sockaddr *)&v6);
        break;
    case WEIR_PROXY_UNIX:
    case WEIR_PROXY_LOCAL:
        note_address(peer, &none);
        break;
    }
}

/* One piece of memory, and none for the many headers without TLVs. */
static weir_proxy_tlvs_t *copy_tlvs(const weir_proxy_tlvs_t *from)
{
    size_t bytes = 0;
    bool has_any = from->is_ssl;

    for (size_t i = 0; i < WEIR_PROXY_TEXTS; i++) {
        bytes += from->text[i].len;
        has_any = has_any || from->text[i].base != NULL;
    }
    if (!has_any)
        return NULL;
    weir_proxy_tlvs_t *to = malloc(sizeof(*to) + bytes);
    WEIR_MUST(to != NULL);
    *to = *from;
    char *at = (char *)(to + 1);
    for (size_t i = 0; i < WEIR_PROXY_TEXTS; i++) {
        if (from->text[i].base == NULL)
            continue;
        memcpy(at, from->text[i].base, from->text[i].len);
        to->text[i].base = at;
        at += from->text[i].len;
    }
    return to;
}

void weir_peer_set_proxied(weir_peer_t *peer, const weir_proxy_header_t *header)
{
    if (header->kind == WEIR_PROXY_LOCAL)
        return;
    note_source(peer, header);
    peer->is_proxied = true;
    if (header->kind != WEIR_PROXY_UNIX) { /* a unix socket has no port: where it came in here must do */
        peer->listen_port = header->destination.port;
        peer->is_https = header->destination.port == HTTPS_PORT; /* Vegur: the port decides, whatever Host says */
    }
    peer->tlvs = copy_tlvs(&header->tlvs);
}

static weir_tally_t *tally_of(const weir_peer_t *peer)
{
    return peer->listener->loop->server->tally;
}

void weir_peer_count(weir_peer_t *peer)
{
    const weir_listener_t *listener = peer->listener;
    const weir_listen_t *listen = listener->listen;
    weir_tally_t *tally = tally_of(peer);
    weir_tally_key_t client;

    if (tally == NULL)
        return;
    if (weir_tally_client(&peer->address.any, &client))
        peer->is_over_limit = !weir_tally_enter(tally, client, listen->max_connections_per_client, &peer->as_client);
    if (!peer->is_over_limit)
        peer->is_over_limit = !weir_tally_enter(tally, listener->key, listen->max_client_connections, &peer->as_listener);
    if (peer->is_over_limit)
        weir_tally_leave(tally, &peer->as_client);
}

static void forget(weir_peer_t *peer)
{
    if (peer->listener == NULL)
        return;
    weir_tally_leave(tally_of(peer), &peer->as_client);
    weir_tally_leave(tally_of(peer), &peer->as_listener);
}

void weir_peer_finish(weir_peer_t *peer)
{
    forget(peer);
    weir_certificate_release(&peer->certificate);
    free(peer->tlvs);
    peer->tlvs = NULL;
    weir_listener_release(peer->listener);
    peer->listener = NULL;
}

void weir_peer_tell(const weir_peer_t *peer, weir_request_t *request, weir_arena_t *arena)
{
    request->peer_ip = weir_arena_copy(arena, weir_peer_text(peer));
    request->peer_port = peer->port;
    request->listen_port = peer->listen_port;
    request->is_proxied = peer->is_proxied;
    request->certificate = weir_certificate_hold(peer->certificate);
    if (peer->tlvs == NULL)
        return;
    /* The exchange may outlive its connection */
    weir_proxy_tlvs_t *tlvs = weir_arena_alloc(arena, sizeof(*tlvs));
    *tlvs = *peer->tlvs;
    for (size_t i = 0; i < WEIR_PROXY_TEXTS; i++)
        if (tlvs->text[i].base != NULL)
            tlvs->text[i] = weir_arena_copy(arena, tlvs->text[i]);
    request->proxy_tlvs = tlvs;
}
