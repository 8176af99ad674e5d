/* SPDX-License-Identifier: MIT */
#ifndef WEIR_WIRE_STORE_TLS_H
#define WEIR_WIRE_STORE_TLS_H
/**
 * @file  TLS within a socket of the store: for store_socket.c alone.
 */
#include "lib/wire/store/store_socket.h"

typedef struct store_tls store_tls_t;

/** Reads the files, and makes what shakes hands over `fd`. NULL: see `problem`. */
store_tls_t *store_tls_create(const store_socket_settings_t *settings, int fd, char problem[static WEIR_ETCD_PROBLEM_BYTES]);
void store_tls_free(store_tls_t **slot);

/** As store_socket_read() and _write(). */
ssize_t store_tls_read(store_socket_t *socket, char *bytes, size_t count);
ssize_t store_tls_write(store_socket_t *socket, const char *bytes, size_t count);

/** Goes as far as it can: 1, it is done; or BLOCKED, BROKEN. */
int store_tls_handshake(store_socket_t *socket, const char *name);

#endif
