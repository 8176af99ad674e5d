/* SPDX-License-Identifier: MIT */
#include "lib/wire/sock/dial.h"

#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/base/clock.h"
#include "lib/base/must.h"

/* A name that is being looked up: of two threads, and freed by the last of them. */
typedef struct lookup {
    atomic_int holders;
    char *host, *port;
    _Atomic(struct addrinfo *) found; /* NULL: none, or none yet */
    int done_fd;                      /* an eventfd */
} lookup_t;

static void release(lookup_t *lookup)
{
    if (atomic_fetch_sub(&lookup->holders, 1) > 1)
        return;
    if (atomic_load(&lookup->found) != NULL)
        freeaddrinfo(atomic_load(&lookup->found));
    close(lookup->done_fd);
    free(lookup->host);
    free(lookup->port);
    free(lookup);
}

static void *look_up(void *arg)
{
    lookup_t *lookup = arg;
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_ADDRCONFIG};
    struct addrinfo *found;

    if (getaddrinfo(lookup->host, lookup->port, &hints, &found) == 0)
        atomic_store(&lookup->found, found);
    (void)eventfd_write(lookup->done_fd, 1);
    release(lookup);
    return NULL;
}

static char *copy(const char *text)
{
    char *made = strdup(text);

    WEIR_MUST(made != NULL);
    return made;
}

static lookup_t *begin_lookup(const char *host, const char *port)
{
    lookup_t *lookup = calloc(1, sizeof(*lookup));
    pthread_t thread;

    WEIR_MUST(lookup != NULL);
    lookup->host = copy(host);
    lookup->port = copy(port);
    lookup->done_fd = eventfd(0, EFD_CLOEXEC);
    WEIR_MUST(lookup->done_fd != -1);
    atomic_init(&lookup->holders, 2);
    if (pthread_create(&thread, NULL, look_up, lookup) == 0) {
        pthread_detach(thread);
        return lookup;
    }
    release(lookup);
    release(lookup);
    return NULL;
}

/* Waits for what `events` says of `fd`. False with errno when it is too late, or is given up. */
static bool wait_for(int fd, short events, int give_up_fd, uint64_t deadline_ms)
{
    struct pollfd either[] = {{.fd = fd, .events = events}, {.fd = give_up_fd, .events = POLLIN}};

    for (;;) {
        const uint64_t now_ms = weir_clock_monotonic_us() / 1000;
        errno = ETIMEDOUT;
        if (now_ms >= deadline_ms)
            return false;
        const int count = poll(either, 2, (int)(deadline_ms - now_ms));
        if (count > 0 && either[1].revents != 0)
            errno = ECANCELED;
        if (count > 0)
            return either[1].revents == 0;
        if (count == -1 && errno != EINTR)
            return false;
    }
}

static int connect_to(const struct addrinfo *address, int give_up_fd, uint64_t deadline_ms)
{
    int fd = socket(address->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), error = 0;
    socklen_t len = sizeof(error);

    if (fd == -1)
        return -1;
    if (connect(fd, address->ai_addr, address->ai_addrlen) == 0)
        return fd;
    if (errno != EINPROGRESS || !wait_for(fd, POLLOUT, give_up_fd, deadline_ms))
        error = errno;
    else if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) == 0 && error == 0)
        return fd;
    close(fd);
    errno = error;
    return -1;
}

/* What is left of the time, for one of the addresses from `at` on. */
static uint64_t share_of(const struct addrinfo *at, uint64_t deadline_ms)
{
    const uint64_t now_ms = weir_clock_monotonic_us() / 1000;
    uint64_t count = 0;

    for (; at != NULL; at = at->ai_next)
        count++;
    return now_ms >= deadline_ms ? deadline_ms : now_ms + (deadline_ms - now_ms) / count;
}

int weir_dial(const char *host, const char *port, int give_up_fd, uint32_t timeout_ms)
{
    const uint64_t deadline_ms = weir_clock_monotonic_us() / 1000 + timeout_ms;
    lookup_t *lookup = begin_lookup(host, port);
    int fd = -1, error = EAGAIN;

    if (lookup == NULL) {
        errno = error;
        return -1;
    }
    if (wait_for(lookup->done_fd, POLLIN, give_up_fd, deadline_ms)) {
        errno = ENOENT;
        for (const struct addrinfo *at = atomic_load(&lookup->found); at != NULL && fd == -1; at = at->ai_next)
            fd = connect_to(at, give_up_fd, share_of(at, deadline_ms));
    }
    error = errno;
    release(lookup);
    errno = error;
    return fd;
}
