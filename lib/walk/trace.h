/* SPDX-License-Identifier: MIT */
#ifndef WEIR_HANDLERS_TRACE_H
#define WEIR_HANDLERS_TRACE_H
/**
 * @file  A request's trace (W3C Trace Context): the client's, or one that begins here. For plans with `has_trace`.
 *
 * It is made when it is first asked for, and then stays; the proxy is one span of it, however many backends are tried.
 */
#include "lib/walk/exchange.h"

/** Its trace id: 32 hexadecimal digits in lower case, in the exchange's arena. */
weir_span_t weir_trace_id(weir_exchange_t *x);

/**
 * Makes `headers`, those for a backend, carry it: traceparent names our span, and tracestate, which is about the client's, goes
 * unless the client's traceparent is valid. What is added lies in the exchange's arena; the list grows in `arena`.
 */
void weir_trace_put(weir_exchange_t *x, weir_arena_t *arena, weir_headers_t *headers);

#endif
