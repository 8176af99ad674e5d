/* SPDX-License-Identifier: MIT */
#ifndef WEIR_WIRE_SOCK_TLS_H
#define WEIR_WIRE_SOCK_TLS_H
/**
 * @file  TLS inside a weir_sock_t: once begun, the socket's users read and write as before and see plain bytes.
 *
 *   weir_sock_tls_begin() ─► handshake … DONE ─► weir_sock_read(), weir_sock_write(), weir_sock_shutdown(), weir_sock_close()
 *
 * What differs from a plain socket:
 * - Bytes may wait inside OpenSSL while the kernel has none: a socket that is watched is announced as readable by letter then.
 * - WEIR_SOCK_END is the peer's close_notify. An end without one is WEIR_SOCK_BROKEN: somebody may have cut the bytes short.
 * - After WEIR_SOCK_BLOCKED a write has to be tried again with the same bytes, and at least as many of them: a record may be
 *   half out.
 * - A record need not carry bytes (TLS 1.3: KeyUpdate, tickets, padding). A read takes at most some 32 KiB of those and says
 *   BLOCKED, with the socket still readable; a peer that sends 256 KiB more of them than 32 for each byte is WEIR_SOCK_BROKEN.
 * - weir_sock_shutdown() and weir_sock_close() say close_notify, if the kernel has room for it at that moment; they never wait.
 *   weir_sock_will_reset() makes the close go without it, which tells the peer that what it got is not all.
 *
 * OWNER    The socket; freed with it. Moves with it.
 * THREAD   The loop's.
 */
#include <openssl/ssl.h>

#include "lib/wire/sock/sock.h"

typedef enum weir_handshake { WEIR_HANDSHAKE_DONE, WEIR_HANDSHAKE_BLOCKED, WEIR_HANDSHAKE_FAILED } weir_handshake_t;

/** What every context needs whose connections are to be used here. */
void weir_sock_tls_prepare(SSL_CTX *context);

/** The same for one connection, of a context that is not ours to change. Before weir_sock_tls_begin(). */
void weir_sock_tls_prepare_one(SSL *ssl);

/** Begins TLS on an open socket that has none; `ssl` is taken over, with its side (accept or connect) set. */
void weir_sock_tls_begin(weir_sock_t *sock, SSL *ssl);

/**
 * Goes as far as it can. BLOCKED: call it again when the socket is readable, or writable, which is
 * awaited already if it is wanted. FAILED: nothing but closing is left; why is in OpenSSL's queue of errors until the next call
 * of any socket.
 */
weir_handshake_t weir_sock_tls_handshake(weir_sock_t *sock);

/** The connection inside; NULL on a plain socket. Borrowed. */
SSL *weir_sock_ssl(const weir_sock_t *sock);

/** Whether it is broken because the peer sent too many records that carry nothing. False on a plain socket. */
bool weir_sock_tls_is_flooded(const weir_sock_t *sock);

/* ---- for sock.c ---- */

/* What weir_sock_read(), weir_sock_peek() and weir_sock_write() do where there is TLS. */
ssize_t weir_sock_tls_read(weir_sock_t *sock, char *buffer, size_t capacity);
ssize_t weir_sock_tls_peek(weir_sock_t *sock, char *buffer, size_t capacity);
ssize_t weir_sock_tls_write(weir_sock_t *sock, const struct iovec *pieces, int count);
/** Says close_notify, once, if it can. */
void weir_sock_tls_end(weir_sock_t *sock);
/** From now on no close_notify is said. */
void weir_sock_tls_cut(weir_sock_t *sock);
/** Announces what is inside already, from the loop; harmless if there is nothing or nobody watches. */
void weir_sock_tls_announce(weir_sock_t *sock);
/** The kernel has bytes: whatever a read has said before, the next may find some. */
void weir_sock_tls_on_readable(weir_sock_t *sock);
/** Whether nothing of it is under way on its loop. */
bool weir_sock_tls_is_at_rest(const weir_sock_t *sock);
/** `to` has become what `from` was. */
void weir_sock_tls_move(weir_sock_t *to, weir_sock_t *from);
/** Frees it; the socket is plain afterwards. */
void weir_sock_tls_free(weir_sock_t *sock);

#endif
