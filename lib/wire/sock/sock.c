/* SPDX-License-Identifier: MIT */
#include "lib/wire/sock/sock.h"

#include <errno.h>
#include <linux/sockios.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "lib/base/must.h"
#include "lib/wire/sock/sock_tls.h"

void weir_sock_open(weir_sock_t *sock, weir_loop_t *loop, int fd, bool is_accepted)
{
    sock->h2o = NULL;
    sock->tls = NULL;
    sock->loop = loop;
    sock->fd = fd;
    sock->is_accepted = is_accepted;
    sock->is_reading = sock->is_awaiting = false;
}

static void set_reading(weir_sock_t *sock, bool is_wanted);

h2o_socket_t *weir_sock_join(weir_sock_t *sock)
{
    if (sock->h2o != NULL)
        return sock->h2o;
    int flags = H2O_SOCKET_FLAG_DONT_READ | (sock->is_accepted ? H2O_SOCKET_FLAG_IS_ACCEPTED_CONNECTION : 0);
    sock->h2o = h2o_evloop_socket_create(sock->loop->h2o.loop, sock->fd, flags);
    sock->h2o->data = sock;
    return sock->h2o;
}

void weir_sock_move(weir_sock_t *to, weir_sock_t *from)
{
    to->h2o = from->h2o;
    if (to->h2o != NULL)
        to->h2o->data = to;
    to->fd = from->fd;
    to->loop = from->loop;
    to->is_accepted = from->is_accepted;
    to->is_reading = from->is_reading;
    to->is_awaiting = from->is_awaiting;
    weir_sock_tls_move(to, from);
    from->h2o = NULL;
    from->loop = NULL;
    from->is_reading = from->is_awaiting = false;
}

bool weir_sock_part(weir_sock_t *sock)
{
    h2o_socket_export_t exported;

    if (sock->is_awaiting || (sock->tls != NULL && !weir_sock_tls_is_at_rest(sock)))
        return false;
    set_reading(sock, false);
    sock->loop = NULL;
    if (sock->h2o == NULL)
        return true;
    WEIR_MUST(h2o_socket_export(sock->h2o, &exported) == 0);
    h2o_buffer_dispose(&exported.input);
    sock->h2o = NULL;
    sock->fd = exported.fd;
    return true;
}

void weir_sock_arrive(weir_sock_t *sock, weir_loop_t *loop)
{
    sock->loop = loop;
}

void weir_sock_close(weir_sock_t *sock)
{
    if (!weir_sock_is_open(sock))
        return;
    if (sock->tls != NULL) {
        weir_sock_tls_end(sock);
        weir_sock_tls_free(sock);
    }
    h2o_socket_t *gone = sock->h2o;
    sock->h2o = NULL;
    sock->loop = NULL;
    sock->is_reading = sock->is_awaiting = false;
    if (gone != NULL)
        h2o_socket_close(gone);
    else
        close(sock->fd);
}

static void on_read(h2o_socket_t *h2o, const char *err)
{
    weir_sock_t *sock = h2o->data;

    weir_loop_tick(sock->loop);
    if (sock->tls != NULL)
        weir_sock_tls_on_readable(sock);
    sock->on_readable(sock);
}

static void set_reading(weir_sock_t *sock, bool is_wanted)
{
    if (sock->is_reading == is_wanted)
        return;
    sock->is_reading = is_wanted;
    if (is_wanted)
        h2o_socket_read_start(weir_sock_join(sock), on_read);
    else
        h2o_socket_read_stop(sock->h2o);
}

void weir_sock_watch(weir_sock_t *sock, bool is_wanted)
{
    if (!weir_sock_is_open(sock))
        return;
    set_reading(sock, is_wanted);
    if (is_wanted && sock->tls != NULL)
        weir_sock_tls_announce(sock);
}

void weir_sock_mute(weir_sock_t *sock, bool is_muted)
{
    if (!sock->is_reading)
        return;
    if (is_muted)
        h2o_socket_read_stop(sock->h2o);
    else
        h2o_socket_read_start(sock->h2o, on_read);
}

static void on_write(h2o_socket_t *h2o, const char *err)
{
    weir_sock_t *sock = h2o->data;

    sock->is_awaiting = false;
    weir_loop_tick(sock->loop);
    sock->on_writable(sock); /* an error shows in the next write */
}

void weir_sock_await_writable(weir_sock_t *sock)
{
    if (!weir_sock_is_open(sock) || sock->is_awaiting)
        return;
    sock->is_awaiting = true;
    h2o_socket_notify_write(weir_sock_join(sock), on_write);
}

/*
 * syscall(2) below: glibc's wrappers make ready for the cancellation of the thread, which never comes, at a cost that
 * can be measured on short requests.
 */

ssize_t weir_sock_read(weir_sock_t *sock, char *buffer, size_t capacity)
{
    if (sock->tls != NULL)
        return weir_sock_tls_read(sock, buffer, capacity);
    ssize_t count;
    do {
        count = syscall(SYS_read, sock->fd, buffer, capacity);
    } while (count == -1 && errno == EINTR);
    if (count >= 0)
        return count;
    return errno == EAGAIN ? WEIR_SOCK_BLOCKED : WEIR_SOCK_BROKEN;
}

ssize_t weir_sock_peek(weir_sock_t *sock, char *buffer, size_t capacity)
{
    if (sock->tls != NULL)
        return weir_sock_tls_peek(sock, buffer, capacity);
    ssize_t count;
    do {
        count = recv(sock->fd, buffer, capacity, MSG_PEEK);
    } while (count == -1 && errno == EINTR);
    if (count >= 0)
        return count;
    return errno == EAGAIN ? WEIR_SOCK_BLOCKED : WEIR_SOCK_BROKEN;
}

ssize_t weir_sock_write(weir_sock_t *sock, const struct iovec *pieces, int count)
{
    if (sock->tls != NULL)
        return weir_sock_tls_write(sock, pieces, count);
    ssize_t sent;
    do { /* SIGPIPE is ignored; these two cost the kernel less than sendmsg(2) */
        sent = count == 1 ? syscall(SYS_write, sock->fd, pieces->iov_base, pieces->iov_len)
                          : syscall(SYS_writev, sock->fd, pieces, count);
    } while (sent == -1 && errno == EINTR);
    if (sent >= 0)
        return sent;
    return errno == EAGAIN ? WEIR_SOCK_BLOCKED : WEIR_SOCK_BROKEN;
}

ssize_t weir_sock_write_queue(weir_sock_t *sock, weir_bytes_t *queue, size_t *out_bytes)
{
    size_t total = 0;
    ssize_t written = 0;

    while (written >= 0 && weir_bytes_count(queue) > 0) {
        weir_span_t rest = weir_bytes_span(queue);
        const struct iovec piece = {(void *)(uintptr_t)rest.base, rest.len};
        written = weir_sock_write(sock, &piece, 1);
        if (written > 0) {
            total += (size_t)written;
            weir_bytes_consume(queue, (size_t)written);
        }
    }
    if (out_bytes != NULL)
        *out_bytes = total;
    return written < 0 ? written : 0;
}

ssize_t weir_sock_write_last(weir_sock_t *sock, const struct iovec *pieces, int count)
{
    if (sock->tls != NULL)
        return weir_sock_tls_write(sock, pieces, count);
    const struct msghdr message = {.msg_iov = (struct iovec *)(uintptr_t)pieces, .msg_iovlen = (size_t)count};
    ssize_t sent;
    do {
        sent = syscall(SYS_sendmsg, sock->fd, &message, MSG_MORE | MSG_NOSIGNAL);
    } while (sent == -1 && errno == EINTR);
    if (sent >= 0)
        return sent;
    return errno == EAGAIN ? WEIR_SOCK_BLOCKED : WEIR_SOCK_BROKEN;
}

bool weir_sock_has_unread(const weir_sock_t *sock)
{
    int bytes = 0;

    return ioctl(sock->fd, FIONREAD, &bytes) == 0 && bytes > 0;
}

size_t weir_sock_undelivered(const weir_sock_t *sock)
{
    int bytes = 0;

    return ioctl(sock->fd, SIOCOUTQ, &bytes) == 0 && bytes > 0 ? (size_t)bytes : 0;
}

void weir_sock_will_reset(weir_sock_t *sock)
{
    if (sock->tls != NULL) {
        weir_sock_tls_cut(sock);
        return;
    }
    const struct linger now = {.l_onoff = 1};
    (void)setsockopt(sock->fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
}

void weir_sock_shutdown(weir_sock_t *sock)
{
    if (!weir_sock_is_open(sock))
        return;
    if (sock->tls != NULL)
        weir_sock_tls_end(sock);
    (void)shutdown(sock->fd, SHUT_WR);
}

bool weir_sock_is_gone(const weir_sock_t *sock)
{
    struct pollfd probe = {.fd = sock->fd};

    return poll(&probe, 1, 0) == 1 && (probe.revents & (POLLHUP | POLLERR)) != 0;
}
