/* SPDX-License-Identifier: MIT */
#ifndef WEIR_WIRE_TLS_TICKETS_H
#define WEIR_WIRE_TLS_TICKETS_H
/**
 * @file  The keys of session tickets: shared by all threads and addresses, so that a client resumes wherever it comes back.
 *
 * Our own are made at start and every quarter of the lifetime; each opens tickets for a whole lifetime. They outlive a reload.
 * Keys from a file are whatever stands there; the file is looked at once a second at most, when somebody shakes hands, and read
 * again when it has changed. Machines that share the file resume each other's sessions.
 *
 * OWNER    Shared, by count.
 * THREAD   Any.
 */
#include <openssl/ssl.h>

#include "lib/wire/tls/tls_problem.h"

typedef struct weir_tls_tickets weir_tls_tickets_t;

/** Keys that are valid for lifetime_s: our own, or those of `file`. NULL: see `problem`. */
weir_tls_tickets_t *weir_tls_tickets_open(const char *file, uint32_t lifetime_s, char problem[static WEIR_TLS_PROBLEM_BYTES]);

/** Holds them once more, until a weir_tls_tickets_release(). Returns them. */
weir_tls_tickets_t *weir_tls_tickets_hold(weir_tls_tickets_t *tickets);

/** Lets go of them and nulls the pointer; harmless on NULL. */
void weir_tls_tickets_release(weir_tls_tickets_t **slot);

/** As weir_tls_tickets_open() was told, in seconds. */
uint32_t weir_tls_tickets_lifetime_s(const weir_tls_tickets_t *tickets);

/**
 * What SSL_CTX_set_tlsext_ticket_key_evp_cb() asks, and its answers: -1 failed, 0 no such key, 1, or 2 where the client is to
 * get a new ticket.
 */
int weir_tls_tickets_use(weir_tls_tickets_t *tickets, unsigned char *name, unsigned char *iv, EVP_CIPHER_CTX *cipher,
                         EVP_MAC_CTX *mac, bool is_encrypting);

#endif
