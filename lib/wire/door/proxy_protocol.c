/* SPDX-License-Identifier: MIT */
#include "lib/wire/door/proxy_protocol.h"

#include <unistd.h>

#include "lib/http/network.h"
#include "lib/wire/loop/bytes.h"
#include "lib/wire/door/start.h"

typedef struct proxy_start {
    weir_start_t start; /* first */
    weir_bytes_t in;    /* the part of the header that has come */
} proxy_start_t;

static void finish(weir_start_t *start)
{
    weir_bytes_free(&((proxy_start_t *)(void *)start)->in);
}

static void hand_on(weir_start_t *start, const weir_proxy_header_t *header)
{
    weir_peer_set_proxied(&start->peer, header);
    weir_start_go_on(start->loop, &start->sock, &start->peer,
                     start->peer.listener->listen); /* a reload may have come meanwhile */
    weir_start_release(start);
}

/* Looks before it takes: only when the header's end is seen is it known which bytes are not ours. */
static void on_readable(weir_sock_t *sock)
{
    weir_start_t *start = WEIR_AROUND(sock, weir_start_t, sock);
    weir_bytes_t *in = &((proxy_start_t *)(void *)start)->in;
    size_t before = weir_bytes_count(in), taken, length;
    char *room = weir_bytes_reserve(in, WEIR_PROXY_V2_BYTES - before);
    ssize_t seen = weir_sock_peek(sock, room, WEIR_PROXY_V2_BYTES - before);

    if (seen == WEIR_SOCK_BLOCKED)
        return;
    if (seen <= 0) {
        weir_start_close(start);
        return;
    }
    weir_bytes_grow(in, (size_t)seen);
    weir_proxy_header_t header;
    weir_proxy_progress_t progress = weir_proxy_header_read(weir_bytes_span(in), &header, &length);
    taken = progress == WEIR_PROXY_COMPLETE ? length - before : (size_t)seen;
    /* The same bytes once more, into the same place */
    if (progress == WEIR_PROXY_BROKEN || weir_sock_read(sock, room, taken) != (ssize_t)taken)
        weir_start_close(start);
    else if (progress == WEIR_PROXY_COMPLETE)
        hand_on(start, &header);
}

static void on_writable(weir_sock_t *sock)
{
    /* nothing is said before the header */
}

void weir_proxy_protocol_accept(weir_listener_t *listener, int fd, const struct sockaddr *address)
{
    const weir_listen_t *listen = listener->listen;
    weir_loop_t *loop = listener->loop;

    if (listen->trusted_count > 0 && !weir_networks_hold(listen->trusted, listen->trusted_count, address)) {
        close(fd);
        weir_loop_connection_closed(loop);
        return;
    }
    weir_sock_t sock;
    weir_peer_t peer;
    weir_peer_init(&peer, address, listener);
    weir_sock_open(&sock, loop, fd, true);
    weir_start_t *start =
        weir_start_create(sizeof(proxy_start_t), loop, &sock, &peer, listen, loop->settings->header_timeout_ms);
    start->finish = finish;
    start->sock.on_readable = on_readable;
    start->sock.on_writable = on_writable;
    weir_sock_watch(&start->sock, true);
}
