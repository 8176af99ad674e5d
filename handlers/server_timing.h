/* SPDX-License-Identifier: MIT */
#ifndef WEIR_HANDLERS_SERVER_TIMING_H
#define WEIR_HANDLERS_SERVER_TIMING_H
/**
 * @file  The header Server-Timing (www.w3.org/TR/server-timing): where the time of a request went, for the client.
 */
#include "lib/walk/exchange.h"

/**
 * Adds `Server-Timing: queue;dur=12, connect;dur=0.41, wait;dur=87.302` to the headers of a response, beside what the backend
 * says there; in ms. What has not happened is left out; if nothing has, nothing is added. It lies in the exchange's arena.
 *
 * queue    until the router has named a backend; all its answers to this request together
 * connect  to the backend that counts, as Connect-Time has it; 0 for a kept connection
 * wait     from the end of the request to the head of its response; where that came first, from the end of the request's head
 */
void weir_server_timing_add(weir_exchange_t *x, weir_headers_t *headers);

#endif
