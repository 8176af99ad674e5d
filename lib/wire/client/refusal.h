/* SPDX-License-Identifier: MIT */
#ifndef WEIR_WIRE_REFUSAL_H
#define WEIR_WIRE_REFUSAL_H
/**
 * @file  What is said when no request came of what a client sent, or when its connection is one too many: to the client, and in
 *        the access log.
 */
#include "lib/base/fault.h"
#include "lib/wire/client/client.h"

enum { WEIR_REFUSAL_BYTES = 256, WEIR_REFUSAL_STATUS_BYTES = 160 };

/** What is known of a request whose head is whole. Borrowed; what is empty is not known. */
typedef struct weir_refused {
    weir_span_t method, path, host;
} weir_refused_t;

/** Writes the page's text; its length. */
size_t weir_refusal_page(const weir_fault_t *fault, char page[static WEIR_REFUSAL_BYTES]);

/** Writes the value of Proxy-Status (RFC 9209); its length. 0: the configuration wants none. */
size_t weir_refusal_proxy_status(const weir_client_t *client, const weir_fault_t *fault,
                                 char text[static WEIR_REFUSAL_STATUS_BYTES]);

/** Heroku's code, for X-Weir-Code; NULL: the configuration has no such codes. */
const char *weir_refusal_heroku(const weir_client_t *client, const weir_fault_t *fault);

/** Retry-After in seconds, spread so that not all come back together; 0: coming back would not help. */
unsigned weir_refusal_retry_after_s(const weir_client_t *client, const weir_fault_t *fault);

/**
 * Counts it, and writes a line to the access log, if there is one. `status` is what the client was answered; 0: nothing.
 * `request` NULL: nothing is known of it.
 */
void weir_refusal_log(const weir_client_t *client, const weir_fault_t *fault, uint16_t status, size_t body_bytes,
                      const weir_refused_t *request);

#endif
