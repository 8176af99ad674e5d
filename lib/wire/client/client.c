/* SPDX-License-Identifier: MIT */
#include "lib/wire/client/client.h"

#include <stdlib.h>
#include <sys/socket.h>

weir_client_t *weir_client_create(size_t size, weir_loop_t *loop, weir_sock_t *sock, const weir_peer_t *peer,
                                  const weir_client_callbacks_t *callbacks, const weir_client_ops_t *ops)
{
    uint64_t now_ms = h2o_now(loop->h2o.loop);
    struct timeval now = {(time_t)(now_ms / 1000), (suseconds_t)(now_ms % 1000 * 1000)};
    weir_client_t *client = (weir_client_t *)(void *)h2o_create_connection(size, NULL, NULL, now, &callbacks->super);

    memset((char *)client + sizeof(client->super), 0, size - sizeof(client->super));
    client->loop = loop;
    client->peer = *peer;
    client->ops = ops;
    weir_sock_move(&client->sock, sock);
    weir_list_append(&loop->connections, &client->link);
    loop->connection_count++;
    return client;
}

weir_context_t *weir_client_bind(const weir_client_t *client, h2o_conn_t *conn)
{
    const weir_listener_t *listener = client->peer.listener;
    weir_context_t *context = listener->ending != NULL ? listener->ending : client->loop->context;

    conn->ctx = context->h2o;
    conn->hosts = listener->listen->hosts;
    return weir_context_hold(context);
}

void weir_client_drain_all(weir_loop_t *loop, const weir_listener_t *listener)
{
    weir_list_t *node = loop->connections.next;

    while (node != &loop->connections) {
        weir_client_t *client = WEIR_AROUND(node, weir_client_t, link);
        node = node->next; /* it may end, and no other */
        if (listener == NULL || client->peer.listener == listener)
            client->ops->drain(client);
    }
}

void weir_client_forget(weir_client_t *client)
{
    client->loop->connection_count--;
    weir_list_remove(&client->link);
    free(client);
}

void weir_client_destroy(weir_client_t *client)
{
    weir_loop_t *loop = client->loop;

    weir_peer_finish(&client->peer); /* who sees the end of the connection is not counted any more */
    weir_sock_close(&client->sock);
    weir_client_forget(client);
    weir_loop_connection_closed(loop);
}

weir_client_t *weir_client_of(h2o_conn_t *conn)
{
    return ((const weir_client_callbacks_t *)(const void *)conn->callbacks)->client_of(conn);
}

socklen_t weir_client_sockname(h2o_conn_t *conn, struct sockaddr *address)
{
    socklen_t len = sizeof(struct sockaddr_storage);

    return getsockname(weir_client_of(conn)->sock.fd, address, &len) == 0 ? len : 0;
}

socklen_t weir_client_peername(h2o_conn_t *conn, struct sockaddr *address)
{
    const weir_peer_t *peer = &weir_client_of(conn)->peer;

    if (peer->address.any.sa_family == AF_UNIX)
        return 0;
    socklen_t len = peer->address.any.sa_family == AF_INET ? sizeof(peer->address.v4) : sizeof(peer->address.v6);
    memcpy(address, &peer->address, len);
    return len;
}

h2o_socket_t *weir_client_socket(h2o_conn_t *conn)
{
    return weir_sock_join(&weir_client_of(conn)->sock);
}
