/* SPDX-License-Identifier: MIT */
#ifndef WEIR_WIRE_TLS_H
#define WEIR_WIRE_TLS_H
/**
 * @file  What an address that speaks TLS is made of: versions, ciphers, who must show a certificate, and our certificates by
 * name.
 *
 * One SSL_CTX an address; certificates are put into a connection when the name that the client asks for is known, so that a
 * hundred thousand names cost no more contexts than one. Compression, renegotiation and early data are off.
 *
 * OWNER    Shared, by count: the configuration holds it, and so does each handshake under way. A new configuration brings a new
 *          one.
 * THREAD   Made and filled on one thread; frozen then, and used by all.
 */
#include <openssl/ssl.h>

#include "lib/wire/tls/tls_problem.h"
#include "lib/wire/tls/tls_tickets.h"
#include "weir_types.h"

/** Whose certificate is asked for. */
typedef enum weir_tls_verify {
    WEIR_TLS_VERIFY_NONE,
    WEIR_TLS_VERIFY_OPTIONAL, /* a client may show none, but no bad one */
    WEIR_TLS_VERIFY_REQUIRE,
} weir_tls_verify_t;

/** Of one address. Strings are borrowed for the call; NULL: OpenSSL's default, or none. */
typedef struct weir_tls_settings {
    int least_version, most_version; /* TLS1_VERSION …; 0: TLS 1.2, and the highest there is */
    const char *ciphers;             /* of TLS 1.2 and below      */
    const char *ciphersuites;        /* of TLS 1.3                */
    bool prefers_ours;               /* our order of ciphers, not the client's */
    const char *dh_file;
    weir_tls_verify_t verify;
    const char *client_ca_file; /* must be set if verify is not NONE */
    const char *directory;      /* of NAME.crt and NAME.key          */
    uint32_t ocsp_interval_s;   /* 0: no OCSP stapling               */
    uint32_t ocsp_max_failures; /* in a row, until the last answer is given up */
} weir_tls_settings_t;

typedef struct weir_tls weir_tls_t;

/** Makes one without a certificate, held once. NULL: what is wrong is in `problem`. */
weir_tls_t *weir_tls_create(const weir_tls_settings_t *settings, char problem[static WEIR_TLS_PROBLEM_BYTES]);

/** Wraps the context of an application that embeds us, and holds it: what it says is its own business, tickets included. */
weir_tls_t *weir_tls_of_application(SSL_CTX *context);

/**
 * Adds a certificate (a PEM file, its chain behind it) and its key for `name`: a host, "*.domain", "*" for every name that
 * nothing else is for, or NULL for none but as the default. The first certificate added serves whoever asks for no name or an
 * unknown one. The same file is loaded once. False: see `problem`.
 */
bool weir_tls_add(weir_tls_t *tls, const char *name, const char *certificate_file, const char *key_file,
                  char problem[static WEIR_TLS_PROBLEM_BYTES]);

/**
 * Once all certificates are there, and before the first connection: with which tickets sessions are resumed (held from now on);
 * NULL: they are not.
 */
void weir_tls_set_tickets(weir_tls_t *tls, weir_tls_tickets_t *tickets);

/** Begins OCSP stapling for its certificates, if its settings want it: when they are going to be used. See tls_ocsp.h. */
void weir_tls_watch_status(const weir_tls_t *tls);

/** Holds it once more, until a weir_tls_release(). Returns it. */
weir_tls_t *weir_tls_hold(weir_tls_t *tls);

/** Lets go of it and nulls the pointer; harmless on NULL. */
void weir_tls_release(weir_tls_t **slot);

/** A connection that is to accept a client's handshake. `tls` must be held until the handshake is over. */
SSL *weir_tls_accept(weir_tls_t *tls);

#endif
