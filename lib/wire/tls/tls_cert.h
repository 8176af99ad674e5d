/* SPDX-License-Identifier: MIT */
#ifndef WEIR_WIRE_TLS_CERT_H
#define WEIR_WIRE_TLS_CERT_H
/**
 * @file  A certificate, its chain and its key, ready to be shown by any number of connections.
 *
 * OWNER    Shared, by count.
 * THREAD   Any; all but its staple is frozen once it is loaded.
 */
#include <time.h>

#include <openssl/ssl.h>

#include "lib/wire/tls/tls_problem.h"

typedef struct weir_tls_cert weir_tls_cert_t;

/**
 * Loads two PEM files. NULL: see `problem`. A key that needs a passphrase is none. `key_file` NULL: it is only to be told of,
 * and shown to nobody.
 */
weir_tls_cert_t *weir_tls_cert_load(const char *certificate_file, const char *key_file,
                                    char problem[static WEIR_TLS_PROBLEM_BYTES]);

/** Holds it once more, until a weir_tls_cert_release(). Returns it. */
weir_tls_cert_t *weir_tls_cert_hold(weir_tls_cert_t *cert);

/** Lets go of it and nulls the pointer; harmless on NULL. */
void weir_tls_cert_release(weir_tls_cert_t **slot);

/** Has `ssl` show this one and no other. False if OpenSSL does not want it (a key too weak for its security level). */
bool weir_tls_cert_use(const weir_tls_cert_t *cert, SSL *ssl);

/** The same for all connections of `context` that are told nothing else. */
bool weir_tls_cert_use_as_default(const weir_tls_cert_t *cert, SSL_CTX *context);

/** Has `ssl` show the authority's answer about it, if its client wants one and there is one of this time. */
void weir_tls_cert_staple(weir_tls_cert_t *cert, SSL *ssl);

/** Whether there is one of this time. */
bool weir_tls_cert_has_staple(weir_tls_cert_t *cert);

/** What the authority has said (copied), to be shown until then; 0: for ever. Empty: nothing. */
void weir_tls_cert_set_staple(weir_tls_cert_t *cert, weir_span_t answer, time_t until);

/** Shows what `from`, another copy of the same certificate, shows. */
void weir_tls_cert_inherit_staple(weir_tls_cert_t *cert, weir_tls_cert_t *from);

/** Itself; who has signed it, NULL if that is not in its file; and the file. Borrowed. */
X509 *weir_tls_cert_leaf(const weir_tls_cert_t *cert);
X509 *weir_tls_cert_issuer(const weir_tls_cert_t *cert);
const char *weir_tls_cert_file(const weir_tls_cert_t *cert);

/** Whether the caller's is the only hold. */
bool weir_tls_cert_is_last(const weir_tls_cert_t *cert);

#endif
