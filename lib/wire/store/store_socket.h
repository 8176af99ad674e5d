/* SPDX-License-Identifier: MIT */
#ifndef WEIR_WIRE_STORE_SOCKET_H
#define WEIR_WIRE_STORE_SOCKET_H
/**
 * @file  The bytes of one connection with the store, with TLS or without.
 *
 *   open ─► read, write: as much as goes now; wait for more ─► close
 *
 * OWNER    Embedded in a link.
 * THREAD   The client's. No signal is raised by a peer that is gone.
 */
#include <sys/types.h>

#include "lib/wire/store/etcd.h"

enum { STORE_SOCKET_BLOCKED = -1, STORE_SOCKET_BROKEN = -2 };

/** Where to, and how. Borrowed for the call. */
typedef struct store_socket_settings {
    const char *name; /* HOST:PORT, for sentences */
    const char *host, *port;
    bool has_tls;
    const char *server_name;                           /* whom the certificate must name: a name or an address */
    const char *ca_file, *certificate_file, *key_file; /* as in weir_etcd_settings_t */
    int wake_fd;                                       /* an eventfd: who waits is to give up */
} store_socket_settings_t;

typedef struct store_socket {
    int fd, wake_fd;
    bool must_write;                       /* TLS goes on only when it can be written                        */
    struct store_tls *tls;                 /* NULL: none */
    bool is_denied;                        /* what has broken it: the peer does not believe our certificate  */
    char problem[WEIR_ETCD_PROBLEM_BYTES]; /* what has broken it */
} store_socket_t;

/** Monotonic. */
uint64_t store_now_ms(void);

/**
 * Connects, and shakes hands, with ALPN h2. FINE, CUT, DENIED or WOKEN; whichever it is, store_socket_close() is to be called.
 * Whoever has woken us is not forgotten: the eventfd is as it was.
 */
weir_etcd_status_t store_socket_open(store_socket_t *socket, const store_socket_settings_t *settings, uint64_t until_ms);

/** How many bytes have come; 0: the end; or BLOCKED, BROKEN. */
ssize_t store_socket_read(store_socket_t *socket, char *bytes, size_t count);

/** How many have gone; or BLOCKED: the same bytes are to be tried again; or BROKEN. */
ssize_t store_socket_write(store_socket_t *socket, const char *bytes, size_t count);

/** Until there is something to be read, or room to write if that is wanted: FINE. Or NOTHING in time, or WOKEN. */
weir_etcd_status_t store_socket_wait(store_socket_t *socket, bool wants_room, uint64_t until_ms);

/** Harmless when it is closed; zeroed and with fd -1, it is. */
void store_socket_close(store_socket_t *socket);

#endif
