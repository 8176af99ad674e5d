/* SPDX-License-Identifier: MIT */
#include "lib/wire/store/store_socket.h"

#include <errno.h>
#include <limits.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/base/clock.h"
#include "lib/base/span.h"
#include "lib/wire/sock/dial.h"
#include "lib/wire/store/store_tls.h"

uint64_t store_now_ms(void)
{
    return weir_clock_monotonic_us() / 1000;
}

/* ---- what went wrong, in words ---- */

/* As the rest of a sentence: with a small letter. */
static void explain_errno(store_socket_t *socket)
{
    char buffer[WEIR_ETCD_PROBLEM_BYTES];
    const int error = errno;
    const char *words = error == ENOENT      ? "there is no such name"
                        : error == ETIMEDOUT ? "no answer in time"
                                             : strerror_r(error, buffer, sizeof(buffer));

    (void)snprintf(socket->problem, sizeof(socket->problem), "%c%s", weir_lower(words[0]), words + 1);
}

static void put_name_before(store_socket_t *socket, const char *name)
{
    char words[sizeof(socket->problem)];

    memcpy(words, socket->problem, sizeof(words));
    (void)snprintf(socket->problem, sizeof(socket->problem), "%.100s: %.150s", name, words);
}

/* ---- from nothing to the end of the handshake ---- */

static weir_etcd_status_t dial(store_socket_t *socket, const store_socket_settings_t *settings, uint64_t until_ms)
{
    const uint64_t now_ms = store_now_ms();
    const int on = 1;

    socket->fd =
        weir_dial(settings->host, settings->port, settings->wake_fd, until_ms > now_ms ? (uint32_t)(until_ms - now_ms) : 0);
    if (socket->fd != -1) {
        (void)setsockopt(socket->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
        return WEIR_ETCD_FINE;
    }
    if (errno == ECANCELED)
        return WEIR_ETCD_WOKEN;
    explain_errno(socket);
    put_name_before(socket, settings->name);
    return WEIR_ETCD_CUT;
}

static weir_etcd_status_t fail_handshake(store_socket_t *socket, const char *name)
{
    if (strncmp(socket->problem, name, strlen(name)) != 0)
        put_name_before(socket, name);
    return socket->is_denied ? WEIR_ETCD_DENIED : WEIR_ETCD_CUT;
}

static weir_etcd_status_t shake_hands(store_socket_t *socket, const char *name, uint64_t until_ms)
{
    for (;;) {
        const int done = store_tls_handshake(socket, name);
        if (done == 1)
            return WEIR_ETCD_FINE;
        if (done != STORE_SOCKET_BLOCKED)
            return fail_handshake(socket, name);
        const weir_etcd_status_t status = store_socket_wait(socket, false, until_ms);
        if (status == WEIR_ETCD_WOKEN)
            return status;
        if (status == WEIR_ETCD_NOTHING) {
            (void)snprintf(socket->problem, sizeof(socket->problem), "%s: TLS does not begin in time", name);
            return WEIR_ETCD_CUT;
        }
    }
}

weir_etcd_status_t store_socket_open(store_socket_t *socket, const store_socket_settings_t *settings, uint64_t until_ms)
{
    weir_etcd_status_t status;

    *socket = (store_socket_t){.fd = -1, .wake_fd = settings->wake_fd};
    status = dial(socket, settings, until_ms);
    if (status != WEIR_ETCD_FINE || !settings->has_tls)
        return status;
    socket->tls = store_tls_create(settings, socket->fd, socket->problem);
    return socket->tls != NULL ? shake_hands(socket, settings->name, until_ms) : WEIR_ETCD_DENIED;
}

/* ---- bytes ---- */

static ssize_t look_at(store_socket_t *socket, ssize_t moved)
{
    if (moved >= 0)
        return moved;
    if (errno == EAGAIN || errno == EINTR)
        return STORE_SOCKET_BLOCKED;
    explain_errno(socket);
    return STORE_SOCKET_BROKEN;
}

ssize_t store_socket_read(store_socket_t *socket, char *bytes, size_t count)
{
    if (socket->tls != NULL)
        return store_tls_read(socket, bytes, count);
    return look_at(socket, recv(socket->fd, bytes, count, 0));
}

ssize_t store_socket_write(store_socket_t *socket, const char *bytes, size_t count)
{
    if (socket->tls != NULL)
        return store_tls_write(socket, bytes, count);
    return look_at(socket, send(socket->fd, bytes, count, MSG_NOSIGNAL));
}

weir_etcd_status_t store_socket_wait(store_socket_t *socket, bool wants_room, uint64_t until_ms)
{
    const short room = wants_room || socket->must_write ? POLLOUT : 0;
    struct pollfd either[] = {{.fd = socket->fd, .events = (short)(POLLIN | room)}, {.fd = socket->wake_fd, .events = POLLIN}};

    for (;;) {
        const uint64_t now_ms = store_now_ms(), left_ms = until_ms > now_ms ? until_ms - now_ms : 0;
        const int count = poll(either, 2, left_ms > INT_MAX ? INT_MAX : (int)left_ms);
        if (count > 0 && either[1].revents != 0)
            return WEIR_ETCD_WOKEN;
        if (count > 0) {
            socket->must_write = false;
            return WEIR_ETCD_FINE;
        }
        if (left_ms == 0)
            return WEIR_ETCD_NOTHING;
    }
}

void store_socket_close(store_socket_t *socket)
{
    store_tls_free(&socket->tls);
    if (socket->fd != -1)
        close(socket->fd);
    socket->fd = -1;
}
