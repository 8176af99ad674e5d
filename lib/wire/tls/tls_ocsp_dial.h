/* SPDX-License-Identifier: MIT */
#ifndef WEIR_WIRE_TLS_OCSP_DIAL_H
#define WEIR_WIRE_TLS_OCSP_DIAL_H
/**
 * @file  Connections with OCSP responders that can be given up at any time: OpenSSL's own cannot.
 */
#include <stdint.h>

#include <openssl/bio.h>

/**
 * Connects with the first address of `host` that takes the connection. Waits at most `timeout_ms` for all of it, and no longer
 * when `give_up_fd` (an eventfd, borrowed) has something to read: the name is asked for on a thread of its own, which is left
 * to itself then. NULL on failure; non-blocking.
 */
BIO *weir_tls_ocsp_dial(const char *host, const char *port, int give_up_fd, uint32_t timeout_ms);

#endif
