/* SPDX-License-Identifier: MIT */
/* Listening sockets: bound once, kept over reloads, accepted from in every loop, paused when there is no room. */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "lib/base/log.h"
#include "lib/base/must.h"
#include "lib/base/rights.h"
#include "lib/wire/door/fronts.h"
#include "lib/wire/door/inherited.h"
#include "lib/wire/door/listen.h"
#include "lib/wire/door/start.h"

enum {
    BACKLOG = 4096,     /* the kernel's somaxconn may be less */
    ACCEPTS = 16,       /* most connections taken before others have their turn */
    FULL_TURNS = 8,     /* turns that took all they may, after which the next may take twice as many */
    FULL_MS = 20,       /* until it is looked again whether there is room */
    EXHAUSTED_MS = 100, /* after running out of descriptors or memory */
    COMPLAINT_US = 1000000,
};

/* ---- binding ---- */

static int complain(const weir_listen_t *listen, const char *what)
{
    fprintf(stderr, "%s: cannot listen on %s: %s: %s\n", listen->where != NULL ? listen->where : "weir", listen->name, what,
            strerror(errno));
    return -1;
}

/* Of a socket that a dead process has left behind; a living one keeps it. */
static void remove_stale_path(const struct sockaddr_un *address, socklen_t len)
{
    struct stat there;

    if (lstat(address->sun_path, &there) != 0 || !S_ISSOCK(there.st_mode))
        return;
    int probe = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0); /* a full queue must not hold us */
    if (probe == -1)
        return;
    if (connect(probe, (const struct sockaddr *)address, len) != 0 && errno == ECONNREFUSED)
        unlink(address->sun_path);
    close(probe);
}

int weir_listener_set_rights(const weir_listen_t *listen)
{
    if (listen->address.ss_family != AF_UNIX)
        return 0;
    const char *path = ((const struct sockaddr_un *)&listen->address)->sun_path;
    if (listen->permission != 0 && chmod(path, listen->permission) != 0)
        return complain(listen, "permission");
    bool has_owner = listen->owner != (uid_t)-1 || listen->group != (gid_t)-1;
    if (has_owner && chown(path, listen->owner, listen->group) != 0)
        return complain(listen, "owner");
    return 0;
}

void weir_listener_remove_path(const weir_listen_t *listen)
{
    if (listen->address.ss_family == AF_UNIX && !weir_inherited_is_foreign(listen))
        unlink(((const struct sockaddr_un *)&listen->address)->sun_path);
}

static int open_socket(const weir_listen_t *listen, bool is_shared)
{
    int on = 1, family = listen->address.ss_family;
    int fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    if (fd == -1)
        return complain(listen, "socket");
    if (family == AF_UNIX)
        remove_stale_path((const struct sockaddr_un *)&listen->address, listen->address_len);
    else
        (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    if (family != AF_UNIX) /* what is accepted inherits it */
        (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    if (is_shared && setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on)) != 0)
        goto close_socket;
    if (family == AF_INET6)
        (void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on));
    if (weir_rights_bind(fd, (const struct sockaddr *)&listen->address, listen->address_len) == 0)
        return fd;
close_socket:
    complain(listen, "bind");
    close(fd);
    return -1;
}

static int start_to_listen(const weir_listen_t *where, int fd)
{
    int on = 1;

    if (fd != -1 && where->address.ss_family != AF_UNIX) /* only now: others cannot join, but those that overlap it later may */
        (void)setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on));
    if (fd != -1 && listen(fd, BACKLOG) != 0) {
        complain(where, "listen");
        close(fd);
        return -1;
    }
    return fd;
}

static int open_all(const weir_listen_t *listen, unsigned count, bool is_overlapping, int *fds)
{
    bool is_unix = listen->address.ss_family == AF_UNIX;

    if (count > 1 && !is_unix && !is_overlapping) {
        /* SO_REUSEPORT would also join another instance's port: ask without it first */
        int probe = open_socket(listen, false);
        if (probe == -1)
            return -1;
        close(probe);
    }
    for (unsigned i = 0; i < count; i++) {
        fds[i] = is_unix && i > 0 ? fcntl(fds[0], F_DUPFD_CLOEXEC, 0)
                                  : start_to_listen(listen, open_socket(listen, (count > 1 || is_overlapping) && !is_unix));
        if (fds[i] == -1)
            return -1;
    }
    return weir_listener_set_rights(listen);
}

static void close_all(weir_bound_t *bound)
{
    for (unsigned i = 0; i < bound->count; i++)
        if (bound->fds[i] != -1)
            close(bound->fds[i]);
    free(bound->fds);
    *bound = (weir_bound_t){.fds = NULL};
}

int weir_listener_bind(const weir_listen_t *listen, unsigned count, bool is_overlapping, weir_bound_t *out_bound)
{
    if (out_bound->count > 0 || weir_inherited_take_both(listen, count, out_bound))
        return weir_listener_set_rights(listen);
    *out_bound = (weir_bound_t){.fds = malloc(count * sizeof(int)), .count = count};
    WEIR_MUST(out_bound->fds != NULL);
    for (unsigned i = 0; i < count; i++)
        out_bound->fds[i] = -1;
    if (open_all(listen, count, is_overlapping, out_bound->fds) == 0)
        return 0;
    if (out_bound->fds[0] != -1)
        weir_listener_remove_path(listen);
    close_all(out_bound);
    return -1;
}

void weir_bound_finish(weir_bound_t *bound, const weir_listen_t *listen)
{
    if (bound->count > 0 && bound->fds[bound->count - 1] != -1 && !bound->is_inherited)
        weir_listener_remove_path(listen);
    close_all(bound);
}

/* ---- accepting ---- */

static void on_pause_over(weir_timer_t *timer)
{
    weir_sock_watch(&WEIR_AROUND(timer, weir_listener_t, pause)->sock, true);
}

static void pause_accepting(weir_listener_t *listener, uint32_t pause_ms)
{
    weir_sock_watch(&listener->sock, false);
    weir_timer_set(listener->loop, &listener->pause, pause_ms, on_pause_over);
}

/* Out of descriptors: the connection waits in the backlog. Said once a second, not once an attempt. */
static void on_exhausted(weir_listener_t *listener, int error)
{
    static atomic_uint_fast64_t said_at_us;
    uint64_t now_us = weir_loop_now_us(listener->loop), last_us = atomic_load(&said_at_us);

    if (now_us - last_us > COMPLAINT_US && atomic_compare_exchange_strong(&said_at_us, &last_us, now_us))
        weir_log("accepting pauses: %s", strerror(error));
    if (!listener->loop->parts->spare(listener->loop))
        (void)weir_client_close_idle(listener->loop);
    pause_accepting(listener, EXHAUSTED_MS);
}

/* False if there is nothing more to be accepted for now. */
static bool accept_one(weir_listener_t *listener)
{
    weir_server_t *server = listener->loop->server;

    const bool is_full = atomic_load(&server->connections) >= listener->loop->settings->max_connections;

    if (is_full && !weir_client_close_idle(listener->loop)) {
        pause_accepting(listener, FULL_MS);
        return false;
    }
    struct sockaddr_storage peer;
    socklen_t len = sizeof(peer);
    peer.ss_family = AF_UNIX; /* what an unnamed unix peer leaves it at */
    int fd = accept4(listener->sock.fd, (struct sockaddr *)&peer, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd == -1) {
        if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)
            on_exhausted(listener, errno);
        return errno == ECONNABORTED || errno == EINTR;
    }
    weir_loop_connection_opened(listener->loop);
    weir_start_accept(listener, fd, (const struct sockaddr *)&peer);
    return true;
}

/* Asking once too often costs a system call, once too seldom a turn of the loop: rarely try more than came of late. */
static void expect_next(weir_listener_t *listener, unsigned taken)
{
    if (taken < listener->accepts) {
        listener->accepts = taken > 0 ? taken : 1;
        listener->full_turns = 0;
        return;
    }
    if (++listener->full_turns < FULL_TURNS || listener->accepts > ACCEPTS / 2)
        return;
    listener->accepts *= 2;
    listener->full_turns = 0;
}

static void on_readable(weir_sock_t *sock)
{
    weir_listener_t *listener = WEIR_AROUND(sock, weir_listener_t, sock);
    unsigned taken = 0;

    while (taken < listener->accepts && accept_one(listener))
        taken++;
    expect_next(listener, taken);
}

void weir_listener_accept_rest(weir_listener_t *listener)
{
    unsigned left = BACKLOG;

    while (weir_sock_is_open(&listener->sock) && left-- > 0 && accept_one(listener))
        ;
}

static void on_writable(weir_sock_t *sock)
{
    /* a listening socket is never written */
}

static uint16_t port_of(int fd)
{
    weir_address_t address = {.any.sa_family = AF_UNSPEC};
    socklen_t len = sizeof(address);

    return getsockname(fd, &address.any, &len) == 0 ? weir_address_port(&address.any) : 0;
}

weir_listener_t *weir_listener_start(weir_loop_t *loop, const weir_listen_t *listen, int fd)
{
    weir_listener_t *listener = calloc(1, sizeof(*listener));

    WEIR_MUST(listener != NULL);
    listener->loop = loop;
    listener->listen = listen;
    listener->address = listen->address;
    listener->key = weir_tally_listener(&listener->address);
    listener->port = port_of(fd);
    listener->holders = 1;
    weir_list_init(&listener->link);
    listener->accepts = 1;
    weir_sock_open(&listener->sock, loop, fd, true);
    listener->sock.on_readable = on_readable;
    listener->sock.on_writable = on_writable;
    weir_sock_watch(&listener->sock, true);
    return listener;
}
