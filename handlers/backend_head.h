/* SPDX-License-Identifier: MIT */
#ifndef WEIR_HANDLERS_BACKEND_HEAD_H
#define WEIR_HANDLERS_BACKEND_HEAD_H
/**
 * @file  The request head as the backend gets it, and what both directions do to header names.
 *
 * MEMORY   What is made here lies in the `arena` that is given, which need not live longer than it takes to send; the request's
 *          own headers stay as they came.
 */
#include "lib/walk/back.h"

/**
 * The whole head for x->target, in its protocol. Asks the router for additional headers. Fault: bad_script_path, with FastCGI.
 */
WEIR_CHECKED const weir_fault_t *weir_backend_head(weir_exchange_t *x, weir_arena_t *arena, weir_backend_head_t *out);

/**
 * `headers`, which are free of hop-by-hop ones, and what else RFC 3875 §4.1 has of a request, as parameters of FastCGI. Fault:
 * bad_script_path.
 */
WEIR_CHECKED const weir_fault_t *weir_backend_params(weir_exchange_t *x, weir_arena_t *arena, weir_headers_t *headers,
                                                     weir_span_t *out);

/** `headers`, which are free of hop-by-hop ones, as fields of an HTTP/2 request (RFC 9113 §8.3.1). */
weir_headers_t weir_backend_fields(weir_exchange_t *x, weir_arena_t *arena, weir_headers_t *headers);

/** The host that the backend is to see; removed from `headers`. */
weir_span_t weir_backend_take_host(const weir_exchange_t *x, weir_headers_t *headers);

/** What the backend is asked for: what the router has put in its place (service_backend), else the request's own target. */
weir_span_t weir_backend_path(const weir_exchange_t *x);

/**
 * What is added to Via: of a message that came by HTTP/2, with that version (RFC 9110 §7.6.3; Vegur says 1.1 of everything).
 */
weir_span_t weir_backend_via(const weir_exchange_t *x, weir_arena_t *arena, bool is_http2);

/** Who has sent the request to us: the client, or the trusted proxy that told who that is. */
weir_span_t weir_backend_nearest_ip(const weir_exchange_t *x);

/** A copy of `headers` with room for a few more. */
weir_headers_t weir_headers_copy(weir_arena_t *arena, const weir_headers_t *headers);

/** Re-cases every name as Vegur does, if the plan says so; the new names lie in `arena`. */
void weir_headers_recase(const weir_exchange_t *x, weir_arena_t *arena, weir_headers_t *headers);

#endif
