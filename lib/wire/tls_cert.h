/* SPDX-License-Identifier: MIT */
#ifndef WEIR_WIRE_TLS_CERT_H
#define WEIR_WIRE_TLS_CERT_H
/**
 * @file  A certificate, its chain and its key, ready to be shown by any number of connections.
 *
 * OWNER    Shared, by count.
 * THREAD   Any; frozen once it is loaded.
 */
#include <openssl/ssl.h>

#include "lib/wire/tls.h"

typedef struct weir_tls_cert weir_tls_cert_t;

/** Loads two PEM files. NULL: see `problem`. A key that needs a passphrase is none. */
weir_tls_cert_t *weir_tls_cert_load(const char *certificate_file, const char *key_file,
                                    char problem[static WEIR_TLS_PROBLEM_BYTES]);

weir_tls_cert_t *weir_tls_cert_hold(weir_tls_cert_t *cert);

/** Lets go of it and nulls the pointer; harmless on NULL. */
void weir_tls_cert_release(weir_tls_cert_t **cert);

/** Has `ssl` show this one and no other. False if OpenSSL does not want it (a key too weak for its security level). */
bool weir_tls_cert_use(const weir_tls_cert_t *cert, SSL *ssl);

/** The same for all connections of `context` that are told nothing else. */
bool weir_tls_cert_use_as_default(const weir_tls_cert_t *cert, SSL_CTX *context);

#endif
