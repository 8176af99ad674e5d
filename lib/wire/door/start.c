/* SPDX-License-Identifier: MIT */
#include "lib/wire/door/start.h"

#include <stdlib.h>

#include "lib/base/must.h"
#include "lib/wire/door/fronts.h"
#include "lib/wire/door/proxy_protocol.h"
#include "lib/wire/door/tls_start.h"

void weir_start_release(weir_start_t *start)
{
    weir_timer_cancel(&start->deadline);
    weir_list_remove(&start->link);
    start->loop->connection_count--;
    start->finish(start);
    weir_context_release(start->context);
    free(start);
}

void weir_start_close(weir_start_t *start)
{
    weir_loop_t *loop = start->loop;

    weir_peer_finish(&start->peer);
    weir_sock_close(&start->sock);
    weir_start_release(start);
    weir_loop_connection_closed(loop);
}

static void on_deadline(weir_timer_t *timer)
{
    weir_start_close(WEIR_AROUND(timer, weir_start_t, deadline));
}

weir_start_t *weir_start_create(size_t size, weir_loop_t *loop, weir_sock_t *sock, const weir_peer_t *peer,
                                const weir_listen_t *listen, uint32_t deadline_ms)
{
    weir_start_t *start = calloc(1, size);

    WEIR_MUST(start != NULL);
    start->loop = loop;
    start->context = weir_context_hold(loop->context);
    start->listen = listen;
    start->peer = *peer;
    weir_sock_move(&start->sock, sock);
    weir_list_append(&loop->starts, &start->link);
    loop->connection_count++;
    weir_timer_set(loop, &start->deadline, deadline_ms, on_deadline);
    return start;
}

void weir_start_drain_all(weir_loop_t *loop)
{
    for (weir_list_t *node = loop->starts.next; node != &loop->starts; node = node->next)
        weir_timer_set(loop, &WEIR_AROUND(node, weir_start_t, link)->deadline, WEIR_DRAIN_GRACE_MS, on_deadline);
}

void weir_start_close_all(weir_loop_t *loop)
{
    while (!weir_list_is_empty(&loop->starts))
        weir_start_close(WEIR_AROUND(loop->starts.next, weir_start_t, link));
}

void weir_start_accept(weir_listener_t *listener, int fd, const struct sockaddr *address)
{
    weir_sock_t sock;
    weir_peer_t peer;

    if (listener->listen->has_proxy_protocol) {
        weir_proxy_protocol_accept(listener, fd, address);
        return;
    }
    weir_sock_open(&sock, listener->loop, fd, true);
    weir_peer_init(&peer, address, listener);
    weir_start_go_on(listener->loop, &sock, &peer, listener->listen);
}

void weir_start_go_on(weir_loop_t *loop, weir_sock_t *sock, weir_peer_t *peer, const weir_listen_t *listen)
{
    weir_peer_count(peer);
    if (listen->tls != NULL)
        weir_tls_start(loop, sock, peer, listen);
    else
        weir_client_begin(loop, sock, peer, listen, WEIR_ALPN_NONE);
}
