/* SPDX-License-Identifier: MIT */
#ifndef WEIR_WIRE_TLS_PLAIN_H
#define WEIR_WIRE_TLS_PLAIN_H
/**
 * @file  TLS for a listener that libh2o serves by itself, as the admin endpoint's: one certificate, TLS 1.2 and later, no ALPN
 * (and so HTTP/1.1), no sessions that are resumed: each connection shows its certificate.
 *
 * OWNER    Whoever makes it; behind the last connection.
 * THREAD   Made on one; its handshakes, and what is told of them, are on the loop's that accepts.
 */
#include <openssl/ssl.h>

#include "lib/wire/tls/tls_problem.h"

enum { WEIR_TLS_PEER_BYTES = 160 };

/** Files in PEM, borrowed for the call. `owner` is what on_close.data of the connection's socket is. */
typedef struct weir_tls_plain_settings {
    const char *certificate_file, *key_file;
    const char *client_ca_file; /* NULL: clients need not show a certificate */
    /** The handshake is over: `subject` of the client's certificate (RFC 2253, cut); empty: it has shown none. */
    void (*on_peer)(void *owner, const char *subject);
    /** It fails: what the client is told, in OpenSSL's words. */
    void (*on_alert)(void *owner, const char *words);
} weir_tls_plain_settings_t;

/** For h2o_accept_ctx_t; SSL_CTX_free() ends it. NULL: see `problem`. */
SSL_CTX *weir_tls_plain_create(const weir_tls_plain_settings_t *settings, char problem[static WEIR_TLS_PROBLEM_BYTES]);
/** Frees and nulls; harmless on NULL. */
void weir_tls_plain_free(SSL_CTX **slot);

#endif
