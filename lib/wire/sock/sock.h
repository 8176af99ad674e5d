/* SPDX-License-Identifier: MIT */
#ifndef WEIR_WIRE_SOCK_H
#define WEIR_WIRE_SOCK_H
/**
 * @file  A stream socket on libh2o's loop: libh2o tells when, we read and write ourselves, a bounded number of bytes at a time.
 *
 * (libh2o's own reads are unbounded. Its writes report only through the loop: ours report at once.)
 * OWNER    Embedded in a connection; zeroed, it is closed.
 * THREAD   The loop's.
 */
#include <sys/uio.h>

#include "lib/wire/loop/bytes.h"
#include "lib/wire/loop/loop.h"

typedef struct weir_sock {
    weir_loop_t *loop;         /* NULL: closed */
    h2o_socket_t *h2o;         /* NULL: the loop's poll does not know it, because it has not yet had to wait */
    struct weir_sock_tls *tls; /* NULL: bytes go as they are; see sock_tls.h */
    int fd;
    bool is_accepted;
    bool is_reading;  /* on_readable is wanted */
    bool is_awaiting; /* on_writable is under way */
    /** There are bytes, an end or an error to be read. Level-triggered: read, or stop reading. */
    void (*on_readable)(struct weir_sock *sock);
    /** The socket can be written again. Runs once per weir_sock_await_writable(). */
    void (*on_writable)(struct weir_sock *sock);
} weir_sock_t;

enum { WEIR_SOCK_END = 0, WEIR_SOCK_BLOCKED = -1, WEIR_SOCK_BROKEN = -2 };

/**
 * Takes over the non-blocking `fd`. is_accepted: run after the sockets towards backends (libh2o's order). The loop's poll is
 * joined when something is first waited for: a connection that is read, answered and closed at once never pays for it.
 */
void weir_sock_open(weir_sock_t *sock, weir_loop_t *loop, int fd, bool is_accepted);

/** Joins the loop's poll, if that is still to be done. What libh2o knows the socket by; the socket's, and closed with it. */
h2o_socket_t *weir_sock_join(weir_sock_t *sock);

/** Whether waiting costs nothing more: it is in the loop's poll. */
static inline bool weir_sock_has_joined(const weir_sock_t *sock)
{
    return sock->h2o != NULL;
}

/** Makes `to`, which is closed, what `from` is; `from` is closed afterwards. The callbacks of `to` are its own. */
void weir_sock_move(weir_sock_t *to, weir_sock_t *from);

/**
 * Takes it out of its loop, so that it can be given to another: until weir_sock_arrive() there it is nobody's. Nothing may be
 * awaited. False, and nothing is changed: TLS has something to say yet.
 */
bool weir_sock_part(weir_sock_t *sock);
void weir_sock_arrive(weir_sock_t *sock, weir_loop_t *loop);

/** Closes it; no callback runs afterwards. Harmless if it is closed. */
void weir_sock_close(weir_sock_t *sock);

static inline bool weir_sock_is_open(const weir_sock_t *sock)
{
    return sock->loop != NULL;
}

/** Whether its bytes are the kernel's, so that splice(2) may move them. */
static inline bool weir_sock_can_splice(const weir_sock_t *sock)
{
    return sock->tls == NULL;
}

/** Wants or does not want on_readable. */
void weir_sock_watch(weir_sock_t *sock, bool is_wanted);

/** Wants on_writable once. Harmless if it is already under way. */
void weir_sock_await_writable(weir_sock_t *sock);

/** Reads at most `capacity` bytes: how many, or WEIR_SOCK_END, _BLOCKED or _BROKEN (reset). */
ssize_t weir_sock_read(weir_sock_t *sock, char *buffer, size_t capacity);

/** The same, but the bytes stay where they are and will be read again. */
ssize_t weir_sock_peek(weir_sock_t *sock, char *buffer, size_t capacity);

/**
 * Writes what the kernel takes of `count` pieces: how many bytes, or WEIR_SOCK_BLOCKED or _BROKEN. What it does not take is
 * tried again before anything else: with TLS the beginning of it may be out already.
 */
ssize_t weir_sock_write(weir_sock_t *sock, const struct iovec *pieces, int count);

/**
 * Writes what is in `queue` as far as the kernel takes it, and drops that from the queue. 0: the queue is empty; else
 * WEIR_SOCK_BLOCKED or _BROKEN. *out_bytes, if not NULL: how many were taken.
 */
ssize_t weir_sock_write_queue(weir_sock_t *sock, weir_bytes_t *queue, size_t *out_bytes);

/**
 * As weir_sock_write(), for the last bytes before a close that follows within this turn of the loop: the kernel holds them back
 * for it, so that the end of the stream travels in their packet and not in one of its own. (With TLS: as weir_sock_write().)
 */
ssize_t weir_sock_write_last(weir_sock_t *sock, const struct iovec *pieces, int count);

/**
 * Whether bytes have come that nobody has read: closing over them would make it a reset, which destroys what the peer has not
 * read.
 */
bool weir_sock_has_unread(const weir_sock_t *sock);

/** How many of the bytes written the peer's kernel has not acknowledged: a reset would destroy them. */
size_t weir_sock_undelivered(const weir_sock_t *sock);

/**
 * Makes the close to come a reset, or with TLS one without close_notify: for responses whose end only the close tells, and
 * which have none.
 */
void weir_sock_will_reset(weir_sock_t *sock);

/** Ends our direction; the peer's goes on. */
void weir_sock_shutdown(weir_sock_t *sock);

/** For a socket that is not watched: whether both directions are over, by reset or by two ends. */
bool weir_sock_is_gone(const weir_sock_t *sock);

/* ---- for sock_tls.c ---- */

/** Keeps what the kernel says from a watched socket's on_readable for a while, or lets it through again. */
void weir_sock_mute(weir_sock_t *sock, bool is_muted);

#endif
