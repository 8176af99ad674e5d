/* SPDX-License-Identifier: MIT */
#ifndef WEIR_WIRE_CLIENT_CERTIFICATE_H
#define WEIR_WIRE_CLIENT_CERTIFICATE_H
/**
 * @file  Where a weir_certificate_t comes from: a TLS handshake with a client.
 */
#include <openssl/ssl.h>

#include "lib/walk/certificate.h"

enum {
    WEIR_CERTIFICATE_TEXT_BYTES =
        4096, /* of a subject, an issuer, a name; what is longer counts as not there: a part of it would be another's */
    WEIR_CERTIFICATE_SERIAL_BYTES = 64, /* RFC 5280 §4.1.2.2 knows 20                   */
    WEIR_CERTIFICATE_NAMES = 100,       /* those behind are left out                    */
};

/**
 * After a handshake: the client's certificate, held for the caller; NULL if it has shown none, or none that was verified.
 * Nothing is read yet.
 */
weir_certificate_t *weir_certificate_of(const SSL *ssl);

/** Holds it once more, until a weir_certificate_release(). Returns it; harmless on NULL. */
weir_certificate_t *weir_certificate_hold(weir_certificate_t *certificate);

#endif
