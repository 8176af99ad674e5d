/* SPDX-License-Identifier: MIT */
#ifndef WEIR_WIRE_REFUSAL_H
#define WEIR_WIRE_REFUSAL_H
/**
 * @file  What is said when no request came of what a client sent: to the client, and in the access log.
 */
#include "lib/base/fault.h"
#include "lib/wire/client/client.h"

enum { WEIR_REFUSAL_BYTES = 256 };

/** Writes the page's text; its length. */
size_t weir_refusal_page(const weir_fault_t *fault, char page[static WEIR_REFUSAL_BYTES]);

/** Writes a line to the access log, if there is one. `status` is what the client was answered; 0: nothing. */
void weir_refusal_log(const weir_client_t *client, const weir_fault_t *fault, uint16_t status, size_t body_bytes);

#endif
