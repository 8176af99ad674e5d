/* SPDX-License-Identifier: MIT */
#include "lib/wire/proxy_protocol.h"

#include <stdlib.h>
#include <unistd.h>

#include "lib/base/must.h"
#include "lib/wire/bytes.h"
#include "lib/wire/client.h"

typedef struct start {
    weir_list_t link; /* in loop->starts */
    weir_sock_t sock;
    weir_loop_t *loop;
    const weir_listen_t *listen;
    weir_timer_t deadline;
    weir_bytes_t in; /* the part of the header that has come */
    weir_peer_t peer;
} start_t;

static void release(start_t *start)
{
    weir_timer_cancel(&start->deadline);
    weir_list_remove(&start->link);
    weir_bytes_free(&start->in);
    start->loop->connection_count--;
    free(start);
}

static void close_start(start_t *start)
{
    weir_loop_t *loop = start->loop;
    weir_sock_close(&start->sock);
    weir_peer_finish(&start->peer);
    release(start);
    weir_server_on_connection_closed(loop);
}

static void on_deadline(weir_timer_t *timer)
{
    close_start(WEIR_AROUND(timer, start_t, deadline));
}

static void hand_on(start_t *start, const weir_proxy_header_t *header)
{
    weir_peer_set_proxied(&start->peer, header);
    weir_client_begin(start->loop, &start->sock, &start->peer, start->listen, WEIR_ALPN_NONE);
    release(start);
}

/** Looks before it takes: only when the header's end is seen is it known which bytes are not ours. */
static void on_readable(weir_sock_t *sock)
{
    start_t *start = WEIR_AROUND(sock, start_t, sock);
    size_t before = weir_bytes_count(&start->in), taken, length;
    char *room = weir_bytes_reserve(&start->in, WEIR_PROXY_V2_BYTES - before);
    ssize_t seen = weir_sock_peek(sock, room, WEIR_PROXY_V2_BYTES - before);
    if (seen == WEIR_SOCK_BLOCKED)
        return;
    if (seen <= 0) {
        close_start(start);
        return;
    }
    weir_bytes_grow(&start->in, (size_t)seen);
    weir_proxy_header_t header;
    weir_proxy_progress_t progress = weir_proxy_header_read(weir_bytes_span(&start->in), &header, &length);
    taken = progress == WEIR_PROXY_COMPLETE ? length - before : (size_t)seen;
    /* The same bytes once more, into the same place */
    if (progress == WEIR_PROXY_BROKEN || weir_sock_read(sock, room, taken) != (ssize_t)taken)
        close_start(start);
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
        weir_server_on_connection_closed(loop);
        return;
    }
    start_t *start = calloc(1, sizeof(*start));
    WEIR_MUST(start != NULL);
    start->loop = loop;
    start->listen = listen;
    weir_peer_init(&start->peer, address, listener->port);
    weir_sock_open(&start->sock, loop, fd, true);
    start->sock.on_readable = on_readable;
    start->sock.on_writable = on_writable;
    weir_list_append(&loop->starts, &start->link);
    loop->connection_count++;
    weir_sock_watch(&start->sock, true);
    weir_timer_set(loop, &start->deadline, loop->settings->header_timeout_ms, on_deadline);
}

void weir_proxy_protocol_close_all(weir_loop_t *loop)
{
    while (!weir_list_is_empty(&loop->starts))
        close_start(WEIR_AROUND(loop->starts.next, start_t, link));
}
