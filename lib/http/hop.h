/* SPDX-License-Identifier: MIT */
#ifndef WEIR_HTTP_HOP_H
#define WEIR_HTTP_HOP_H
/**
 * @file  The fields that end at the next hop (RFC 9110 §7.6.1) and must not be forwarded. Pure.
 *
 * Vegur keeps some of them; of its choices these are ours too: Trailer, Proxy-Authenticate and
 * Proxy-Authentication-Info survive, Connection-nominated fields do not.
 */
#include "lib/http/headers.h"

/**
 * Removes from a request what must not reach the backend: Host, Content-Length, Connection and what it nominates, TE,
 * Keep-Alive, Proxy-Authorization, Proxy-Connection, Transfer-Encoding, Upgrade and HTTP2-Settings. Nominations of fields
 * that carry the message itself (Host, Content-Length, Transfer-Encoding, Via, Cookie, Authorization, X-Forwarded-*,
 * Content-Type, Expect, …) and of those we write ourselves have no effect beyond what is removed anyway.
 * keep_upgrade: leave Upgrade, for a request that wants to switch protocols.
 */
void weir_hop_strip_request(weir_headers_t *headers, bool keep_upgrade);

/**
 * Removes from a response what must not reach the client: Connection and what it nominates, Keep-Alive, TE,
 * Proxy-Authorization, Proxy-Connection, Transfer-Encoding, Content-Length (both are written anew), Upgrade unless kept.
 */
void weir_hop_strip_response(weir_headers_t *headers, bool keep_upgrade);

/**
 * Whether a router or a stage may set this field: the name is a token, the value one line, and neither how the message is
 * framed nor what becomes of the connection depends on it.
 */
bool weir_hop_may_set(weir_span_t name, weir_span_t value);

/**
 * Whether the connection goes on behind a message with these fields, by its version and what Connection says; close wins over
 * keep-alive in whatever order they come (RFC 9112 §9.3).
 */
bool weir_hop_is_persistent(const weir_headers_t *headers, uint8_t minor);

#endif
